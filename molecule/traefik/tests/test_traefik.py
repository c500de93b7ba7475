# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge from outside: names and certificates, what is closed, who the visitor is, and limits."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509

FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "edge"


def test_the_current_certificate_is_served(edge, node):
    with edge.connect(node, f"status.{edge.domain}") as connection:
        served = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))
    wanted = x509.load_pem_x509_certificate((FOLDER / "current.crt").read_bytes())
    assert served.serial_number == wanted.serial_number


def test_plain_http_leads_to_https(edge, node):
    answer = edge.ask_plainly(edge.address(node), "/a/b?c=d", Host=f"status.{edge.domain}")
    assert (answer.status, answer.headers["location"]) == (301, f"https://status.{edge.domain}/a/b?c=d")


def test_the_balancers_health_check_is_answered_over_http(edge, node):
    assert edge.ask_plainly(edge.address(node), "/ping").status == 200


def test_an_unknown_host_is_not_found(edge, node):
    assert edge.ask(node, "/", label="unknown").status == 404


def test_a_name_without_a_certificate_is_refused(edge, node):
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        edge.connect(node, "www.example.com")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_1_1_is_refused(edge, node):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    alert = pytest.raises(ssl.SSLError, match=r"(?i)alert.protocol.version")
    with socket.create_connection((edge.address(node), 443), timeout=10) as raw, alert:
        context.wrap_socket(raw, server_hostname=f"status.{edge.domain}")


@pytest.mark.parametrize("path", ["/dashboard/", "/api/rawdata", "/api/overview", "/metrics", "/debug/vars"])
def test_traefiks_own_pages_are_closed(edge, node, path):
    for host in (edge.address(node), "localhost", "traefik"):
        assert edge.ask_plainly(edge.address(node), path, Host=host).status == 301
    assert edge.ask(node, path).status == 404, "the page of another service must not show them either"
    assert edge.ask(node, path, label="unknown").status == 404


@pytest.mark.parametrize("port", [2375, 8080, 8081, 8082, 8443])
def test_no_other_port_is_open(edge, node, port):
    for address in edge.nodes[node].values():
        with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
            socket.create_connection((address, port), timeout=2)


def test_answers_carry_the_security_headers(edge, node):
    headers = edge.ask(node, "/", label="echo").headers
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_an_encoded_slash_stays_encoded_and_a_backslash_is_refused(edge, node):
    assert edge.ask(node, "/files/a%2Fb", label="echo").status == 200
    assert edge.ask(node, "/files/a%5Cb", label="echo").status == 400


def test_a_websocket_passes(edge, node):
    host = f"echo.{edge.domain}"
    key = base64.b64encode(os.urandom(16)).decode()
    with edge.connect(node, host) as connection:
        connection.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        reader = connection.makefile("rb")
        assert b" 101 " in reader.readline()
        while reader.readline() != b"\r\n":
            pass
        connection.sendall(b"\x81\x85\0\0\0\0hello")  # RFC 6455: a masked text of five bytes
        assert reader.read(7) == b"\x81\x05hello"


def headers_seen(answers):
    ((status, text),) = answers
    assert status == 200
    return json.loads(text)["headers"]


def test_the_visitors_address_arrives_through_the_balancer(edge):
    seen = headers_seen(edge.send(edge.names[0], edge.names[1], claimed="203.0.113.7"))
    assert (seen["x-forwarded-for"], seen["x-real-ip"]) == ("203.0.113.7", "203.0.113.7")


def test_nobody_else_can_claim_an_address(edge):
    own = edge.nodes[edge.names[2]]["private"]
    seen = headers_seen(edge.send(edge.names[2], edge.names[1], claimed="203.0.113.7"))
    assert (seen["x-forwarded-for"], seen["x-real-ip"]) == (own, own)


@pytest.mark.parametrize(("origin", "claimed"), [(0, "203.0.113.8"), (2, "")], ids=["balancer", "directly"])
def test_a_visitors_own_headers_are_replaced(edge, origin, claimed):
    lies = dict.fromkeys(("X-Forwarded-For", "X-Real-Ip", "X_Forwarded_For", "X_Real_Ip"), "192.0.2.1")
    lies["X-Forwarded-Host"] = "evil.example"
    seen = headers_seen(edge.send(edge.names[origin], edge.names[1], claimed=claimed, **lies))
    assert "192.0.2.1" not in seen.values()
    truth = claimed or edge.nodes[edge.names[origin]]["private"]
    assert (seen["x-forwarded-for"], seen["x-real-ip"]) == (truth, truth)
    assert seen["x-forwarded-host"] == f"echo.{edge.domain}"


def test_a_header_with_an_underscore_arrives(edge):
    """Chatwoot's programming interface wants one."""
    assert headers_seen(edge.send(edge.names[2], edge.names[1], api_access_token="t"))["api_access_token"] == "t"


def test_two_visitors_are_limited_apart(edge):
    """The scenario allows 20 requests a second and 40 at once."""

    def statuses(claimed, times):
        return [status for status, _text in edge.send(edge.names[0], edge.names[1], claimed=claimed, times=times)]

    greedy = statuses("198.51.100.1", 150)
    assert greedy.count(200) >= 40
    assert greedy.count(429) >= 50
    assert set(greedy) == {200, 429}
    assert statuses("198.51.100.2", 10) == [200] * 10


def test_the_access_log_knows_the_visitor_and_keeps_no_secret(edge):
    mark = os.urandom(8).hex()
    edge.send(
        edge.names[0],
        edge.names[1],
        claimed="203.0.113.9",
        path=f"/{mark}?token=s3cret-query",
        Cookie="session=s3cret-cookie",
        Authorization="Bearer s3cret-token",
    )
    server = edge.server(edge.names[1])
    container = server.check_output("docker ps -q --filter label=com.docker.swarm.service.name=traefik_traefik")
    log = server.run(f"docker logs --since 1m {container} 2>&1 | grep {mark}").stdout
    (entry,) = [json.loads(line) for line in log.splitlines()]
    assert entry["ClientHost"] == "203.0.113.9"
    assert entry["RequestPath"].startswith(f"/{mark}")
    assert entry["DownstreamStatus"] == 200
    assert "s3cret" not in log
