# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge from inside: what the socket proxy lets pass, how the containers are locked up, where the keys are."""

from __future__ import annotations

import json
import os
from pathlib import Path

FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "edge"
# Runs in the network of Traefik's container: asks the socket proxy and prints the statuses.
ASK = r"""
import json, socket, sys
address, requests = json.load(sys.stdin)
statuses = []
for method, path, more in requests:
    with socket.create_connection((address, 2375), timeout=10) as connection:
        connection.sendall(("%s %s HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n%s\r\n" % (method, path, more)).encode())
        statuses.append(int(connection.makefile("rb").readline().split()[1]))
print(json.dumps(statuses))
"""
ALLOWED = [
    ("GET", "/_ping", ""),
    ("HEAD", "/_ping", ""),
    ("GET", "/v1.44/version", ""),
    ("GET", "/v1.44/services", ""),
    ("GET", "/services?status=true", ""),
    ("GET", "/v1.44/tasks", ""),
    ("GET", "/v1.44/networks", ""),
    ("GET", "/v1.44/nodes/{node}", ""),
]
REFUSED = [
    ("GET", "/v1.44/containers/json", ""),
    ("GET", "/containers/{container}/json", ""),
    ("GET", "/containers/{container}/archive?path=/run/secrets", ""),
    ("GET", "/containers/{container}/logs?stdout=1", ""),
    ("POST", "/containers/create", "Content-Length: 0\r\n"),
    ("POST", "/containers/{container}/exec", "Content-Length: 0\r\n"),
    ("GET", "/v1.44/secrets", ""),
    ("GET", "/v1.44/configs", ""),
    ("GET", "/v1.44/swarm", ""),
    ("GET", "/v1.44/nodes", ""),
    ("GET", "/info", ""),
    ("GET", "/events", ""),
    ("GET", "/images/json", ""),
    ("GET", "/volumes", ""),
    ("GET", "/services/x/logs", ""),
    ("POST", "/services/create", "Content-Length: 0\r\n"),
    ("POST", "/v1.44/services", "Content-Length: 0\r\n"),
    ("DELETE", "/services/x", ""),
    ("PUT", "/v1.44/tasks", "Content-Length: 0\r\n"),
    ("OPTIONS", "/v1.44/tasks", ""),
    ("GET", "/v1.44/services/../secrets", ""),
    ("GET", "/v1.44/services/%2e%2e/secrets", ""),
    ("GET", "/v1.44/services%2f..%2fsecrets", ""),
    ("GET", "//secrets", ""),
    ("GET", "/v1.44/services/", ""),
    ("GET", "/v1.44/nodes/../secrets", ""),
    ("GET", "http://other/v1.44/secrets", ""),
    ("GET", "/v1.44/services", "Connection: Upgrade\r\nUpgrade: tcp\r\n"),
    ("GET", "/v1.44/services", "Transfer-Encoding: chunked\r\n"),
]


class Container:
    """A running container of a service on a server."""

    def __init__(self, host, container):
        self.id = container
        (self.inspected,) = json.loads(host.check_output(f"docker inspect {container}"))


def containers(host, service):
    ids = host.check_output(f"docker ps -q --filter label=com.docker.swarm.service.name={service}").split()
    return [Container(host, container) for container in ids]


def only(host, service):
    """The one container of a global service on a server."""
    (container,) = containers(host, service)
    return container


def statuses(host, requests):
    traefik, proxy = only(host, "traefik_traefik"), only(host, "traefik_socket-proxy")
    values = {"node": host.check_output("docker info --format '{{.Swarm.NodeID}}'"), "container": traefik.id}
    address = proxy.inspected["NetworkSettings"]["Networks"]["traefik_socket"]["IPAddress"]
    job = json.dumps([address, [(method, path.format(**values), more) for method, path, more in requests]])
    pid = traefik.inspected["State"]["Pid"]
    result = host.run("printf %%s %s | nsenter --target %s --net python3 -c %s", job, str(pid), ASK)
    assert result.rc == 0, result.stderr
    return dict(zip(requests, json.loads(result.stdout), strict=True))


def test_the_socket_proxy_lets_traefik_read(host):
    assert set(statuses(host, ALLOWED).values()) == {200}


def test_the_socket_proxy_refuses_everything_else(host):
    passed = {request: status for request, status in statuses(host, REFUSED).items() if status not in (400, 403)}
    assert passed == {}


def test_the_socket_proxy_is_on_no_network_but_traefiks(host):
    proxy = only(host, "traefik_socket-proxy")
    assert set(proxy.inspected["NetworkSettings"]["Networks"]) == {"traefik_socket"}
    network = json.loads(host.check_output("docker network inspect traefik_socket"))[0]
    assert network["Internal"] is True
    assert network["Options"]["com.docker.network.driver.mtu"] == "1450"
    users = {container["Name"].partition(".")[0] for container in network["Containers"].values()}
    assert users - {"traefik_socket-endpoint"} == {"traefik_traefik", "traefik_socket-proxy"}


def test_the_containers_are_locked_up(host):
    found = [only(host, "traefik_traefik"), only(host, "traefik_socket-proxy"), *containers(host, "status_page")]
    for container in found:
        settings = container.inspected["HostConfig"]
        assert settings["ReadonlyRootfs"] is True
        assert not settings["CapAdd"]
        assert settings["Memory"] > 0
        assert settings["LogConfig"]["Config"]["max-size"]
        status = host.check_output(f"cat /proc/{container.inspected['State']['Pid']}/status")
        capabilities = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
        assert {int(capabilities[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd")} == {0}


def test_metrics_are_there_for_the_platform(host):
    pid = only(host, "traefik_traefik").inspected["State"]["Pid"]
    text = host.check_output(
        f"nsenter --target {pid} --net python3 -c "
        "'import urllib.request; print(urllib.request.urlopen(\"http://127.0.0.1:8082/metrics\").read().decode())'"
    )
    assert "traefik_tls_certs_not_after" in text
    assert "traefik_service_requests_total" in text


def test_the_keys_are_in_no_output_of_the_engine(host):
    shown = host.check_output(
        "docker inspect $(docker ps -q); for kind in service config secret node; do"
        " docker $kind inspect $(docker $kind ls -q) 2>/dev/null; done;"
        " for id in $(docker ps -q); do docker logs $id 2>&1; done; ps axww -o args; echo"
    )
    assert "PRIVATE KEY" not in shown
    for path in FOLDER.glob("*.key"):
        body = path.read_text().splitlines()[1:-1]
        # A config is shown in base64, so look for that form as well.
        assert body
        assert not [line for line in body if line in shown]
