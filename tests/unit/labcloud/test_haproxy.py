# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy is told for a load balancer, and how its answers are read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labcloud.balancers import BalancerService, BalancerSpec, HealthCheck, HttpCheck, StickyCookie, TargetHealth
from labcloud.docker_balancers import BalancerPlace, container_body, container_name, networks_of
from labcloud.haproxy import parse_health, render
from labcloud.machine_specs import PrivateAddress

CONNECT = HealthCheck(port=8443, interval=15, timeout=10, retries=3, http=None)
PING = HttpCheck(path="/ping", domain="a.test", response="", status_codes=("2??", "30*"), tls=False)
TCP = BalancerService(443, 8443, http=False, proxy_protocol=False, check=CONNECT, idle_seconds=50)
SPEC = BalancerSpec(
    balancer_id=7,
    name="edge",
    public_ipv4="198.18.0.20",
    private=(PrivateAddress(5, "10.0.0.2", ()),),
    least_connections=False,
    max_connections=10000,
    services=(TCP,),
    targets=("10.0.0.11", "10.0.0.12"),
)
HEADER = "# pxname,svname,status,check_status,check_code,\n"


def _section(spec: BalancerSpec, name: str = "listen service_443") -> list[str]:
    """The lines of one section, without those before and after."""
    text = render(spec, "/run/b")
    return [line.strip() for line in text.split(f"{name}\n", 1)[1].split("\n\n", 1)[0].splitlines()]


def _with(**changes: object) -> BalancerSpec:
    return replace(SPEC, services=(replace(TCP, **changes),))


def test_a_service_listens_and_spreads_over_all_targets():
    lines = _section(SPEC)
    assert lines[:3] == ["bind :443", "mode tcp", "balance roundrobin"]
    assert [line for line in lines if line.startswith("server ")] == [
        f"server {address}:8443 {address}:8443 check port 8443 inter 15s fall 3 rise 3" for address in SPEC.targets
    ]
    assert "balance leastconn" in _section(replace(SPEC, least_connections=True))


def test_times_are_those_of_the_service():
    lines = _section(_with(idle_seconds=120, check=replace(CONNECT, timeout=4)))
    assert {"timeout client 120s", "timeout server 120s", "timeout check 4s"} <= set(lines)


def test_the_proxy_protocol_reaches_traffic_and_checks():
    line = _section(_with(proxy_protocol=True))[-1]
    assert line.endswith("check-send-proxy send-proxy-v2")
    assert "proxy" not in " ".join(_section(SPEC))


def test_an_http_check_asks_and_accepts_what_is_said():
    lines = _section(_with(check=replace(CONNECT, http=PING)))
    assert 'http-check send meth GET uri "/ping" ver HTTP/1.1 hdr Host "a.test" hdr Connection close' in lines
    assert 'http-check expect rstatus "^(2..|30.*)\\$"' in lines
    assert not any("expect string" in line for line in lines)
    assert "check-ssl" not in lines[-1]
    with_tls = _section(_with(check=replace(CONNECT, http=replace(PING, tls=True))))
    assert 'check-ssl verify none check-sni "a.test"' in with_tls[-1]


def test_without_domain_no_host_header_is_sent():
    lines = _section(_with(check=replace(CONNECT, http=replace(PING, domain="", tls=True))))
    assert 'http-check send meth GET uri "/ping" ver HTTP/1.0' in lines
    assert "check-sni" not in lines[-1]


def test_texts_of_a_request_cannot_leave_their_quotes():
    nasty = replace(PING, path='/a"b$c\\', response='x" server evil')
    lines = _section(_with(check=replace(CONNECT, http=nasty)))
    assert any('uri "/a\\"b\\$c\\\\" ver' in line for line in lines)
    assert 'http-check expect string "x\\" server evil"' in lines


def test_http_services_tell_who_asked_and_keep_visitors():
    lines = _section(_with(http=True, cookie=StickyCookie("C", 60)))
    assert {"mode http", "option forwardfor", "option idle-close-on-response"} <= set(lines)
    assert 'cookie "C" insert indirect nocache httponly attr "Max-Age=60"' in lines
    assert lines[-1].endswith(" cookie 10-0-0-12")
    assert not any("cookie" in line for line in _section(_with(http=True)))


def test_a_redirect_is_a_listener_of_its_own():
    lines = _section(_with(redirect_port=80), "frontend redirect_443")
    assert lines[0] == "bind :80"
    assert lines[-1] == "http-request redirect scheme https code 301"


def test_health_is_read_in_the_vendors_words():
    rows = {
        "service_443,10.0.0.1:8443,UP,L4OK,,": TargetHealth("healthy"),
        "service_443,10.0.0.2:8443,UP 1/3,* L7STS,500,": TargetHealth("healthy"),
        "service_443,10.0.0.3:8443,UP,INI,,": TargetHealth("unknown"),
        "service_443,10.0.0.4:8443,no check,,,": TargetHealth("unknown"),
        "service_443,10.0.0.5:8443,DOWN,L4CON,,": TargetHealth("unhealthy", "layer4_no_connection"),
        "service_443,10.0.0.6:8443,DOWN,* L4TOUT,,": TargetHealth("unhealthy", "layer4_timeout"),
        "service_443,10.0.0.7:8443,DOWN,L7TOUT,,": TargetHealth("unhealthy", "layer7_timeout"),
        "service_443,10.0.0.8:8443,DOWN,L7STS,503,": TargetHealth("unhealthy", "unexpected_http_status", 503),
        "service_443,10.0.0.9:8443,DOWN,L7RSP,200,": TargetHealth("unhealthy", "unexpected_http_content"),
        "service_443,10.0.0.10:8443,DOWN 1/3,L4OK,,": TargetHealth("unhealthy", "unspecified"),
    }
    found = parse_health(HEADER + "redirect_443,x:1,UP,L4OK,,\n" + "\n".join(rows) + "\n")
    assert found == {(443, f"10.0.0.{number}"): health for number, health in enumerate(rows.values(), 1)}


@pytest.mark.parametrize(
    ("name", "container"), [("edge", "frontdesk-lab-balancer-edge"), ("Web Ö/1", "frontdesk-lab-balancer-Web---1")]
)
def test_a_container_is_named_after_its_balancer(name: str, container: str):
    assert container_name(replace(SPEC, name=name)) == container


def test_the_public_network_comes_first_and_goes_with_the_interface():
    both = {"frontdesk-lab-a-public": "198.18.0.20", "frontdesk-lab-b-private-5": "10.0.0.2"}
    assert networks_of(SPEC, "frontdesk-lab-a-public") == both
    assert sorted(both)[0] == "frontdesk-lab-a-public"
    hidden = networks_of(replace(SPEC, public_ipv4=None), "frontdesk-lab-a-public")
    assert hidden == {"frontdesk-lab-b-private-5": "10.0.0.2"}


def test_a_balancer_comes_back_with_the_engine_and_needs_no_privilege():
    place = BalancerPlace("services:1", "frontdesk-lab-a-public", "frontdesk-lab-balancers", "/var/lib/balancers")
    body = container_body(SPEC, place, {"frontdesk.lab": "true"})
    host = body["HostConfig"]
    assert host["RestartPolicy"] == {"Name": "unless-stopped"}
    assert {"CapAdd", "Privileged", "SecurityOpt"} & set(host) == set()
    assert body["Labels"] == {"frontdesk.lab": "true", "frontdesk.lab.balancer": "7"}
    assert body["Cmd"][-1] == "/var/lib/balancers/7/haproxy.cfg"
