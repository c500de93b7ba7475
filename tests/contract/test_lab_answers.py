# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation that the lab cloud answers, against the vendor's document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labcloud.hetzner.routes import ROUTES
from tests.contract.openapi import Document, Recorder, hetzner_document
from tests.lab_cloud import LabCloud, running_lab_cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ0lT6eHnZBTbJbmuFpTSFAZ1iYrHXQvKCXzdzzkMya frontdesk"
ZONE = "eu-central"


@pytest.fixture
def document() -> Document:
    return hetzner_document()


@pytest.fixture
def recorder(document: Document) -> Recorder:
    return Recorder(document)


class Walk:
    """Calls the API, expects a status, and waits for the actions that it starts."""

    def __init__(self, lab: LabCloud) -> None:
        self.lab = lab

    def __call__(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        expected = status or {"GET": 200, "POST": 201, "PUT": 200, "DELETE": 204}[method]
        got, answer = self.lab.api(method, path, body)
        assert got == expected, f"{method} {path}: {got} {answer}"
        if method != "GET" and got < 300:
            self.lab.idle()
        return answer


def _reads(call: Walk, base: str, item_id: int, action_id: int) -> None:
    """All reads that every kind with actions has."""
    call("GET", f"{base}?page=1&per_page=10&sort=id:desc")
    call("GET", f"{base}/{item_id}")
    call("GET", f"{base}/actions?status=success&sort=started:desc")
    call("GET", f"{base}/actions/{action_id}")
    call("GET", f"{base}/{item_id}/actions?sort=command")
    call("GET", f"{base}/{item_id}/actions/{action_id}")
    call("GET", f"/actions?id={action_id}")
    call("GET", f"/actions/{action_id}")


def _catalogue(call: Walk) -> None:
    for kind in ("locations", "server_types", "load_balancer_types", "images"):
        items = call("GET", f"/{kind}?per_page=50")[kind]
        assert items
        call("GET", f"/{kind}/{items[0]['id']}")
    deprecated = call("GET", "/images?include_deprecated=true&architecture=x86&type=system")["images"]
    assert any(image["deprecation"] for image in deprecated)
    call("GET", "/pricing")
    call("GET", "/datacenters", status=410)
    call("GET", "/datacenters/1", status=410)


def _networks(call: Walk) -> int:
    subnet = {"type": "cloud", "ip_range": "10.0.1.0/24", "network_zone": ZONE}
    body = {"name": "private", "ip_range": "10.0.0.0/16", "labels": {"a": "b"}, "subnets": [subnet]}
    network_id = int(call("POST", "/networks", body)["network"]["id"])
    actions = f"/networks/{network_id}/actions"
    first = call("POST", f"{actions}/add_subnet", {"type": "cloud", "network_zone": ZONE})["action"]
    call("POST", f"{actions}/delete_subnet", {"ip_range": "10.0.0.0/24"})
    route = {"destination": "0.0.0.0/0", "gateway": "10.0.1.9"}
    call("POST", f"{actions}/add_route", route)
    call("POST", f"{actions}/delete_route", route)
    call("POST", f"{actions}/change_ip_range", {"ip_range": "10.0.0.0/15"})
    call("POST", f"{actions}/change_protection", {"delete": True})
    call("DELETE", f"/networks/{network_id}", status=423)
    call("POST", f"{actions}/change_protection", {"delete": False})
    call("PUT", f"/networks/{network_id}", {"name": "private-2", "labels": {}, "expose_routes_to_vswitch": False})
    _reads(call, "/networks", network_id, first["id"])
    return network_id


def _servers(call: Walk, network_id: int) -> int:
    call("POST", "/ssh_keys", {"name": "admin", "public_key": KEY})
    group_id = call("POST", "/placement_groups", {"name": "spread", "type": "spread"})["placement_group"]["id"]
    created = call(
        "POST",
        "/servers",
        {
            "name": "node-1",
            "server_type": "cx23",
            "image": "debian-13",
            "location": "fsn1",
            "ssh_keys": ["admin"],
            "networks": [network_id],
            "placement_group": group_id,
            "user_data": "#cloud-config\n",
            "labels": {"role": "node"},
            "public_net": {"enable_ipv4": True, "enable_ipv6": True},
            "start_after_create": True,
        },
    )
    server_id, actions = int(created["server"]["id"]), f"/servers/{created['server']['id']}/actions"
    assert call("GET", f"/networks/{network_id}/members?type=server&status=ok&sort=id")["members"]
    call("GET", f"/placement_groups/{group_id}")
    for command in ("poweroff", "poweron", "reboot", "reset", "shutdown", "enable_backup", "disable_backup"):
        call("POST", f"{actions}/{command}")
    call("POST", f"{actions}/change_alias_ips", {"network": network_id, "alias_ips": ["10.0.1.50"]})
    call("POST", f"{actions}/detach_from_network", {"network": network_id})
    call("POST", f"{actions}/attach_to_network", {"network": network_id, "ip": "10.0.1.9", "alias_ips": ["10.0.1.51"]})
    call("POST", f"{actions}/poweroff")
    call("POST", f"{actions}/remove_from_placement_group")
    call("POST", f"{actions}/add_to_placement_group", {"placement_group": group_id})
    call("POST", f"{actions}/change_type", {"server_type": "cx33", "upgrade_disk": False})
    call("POST", f"{actions}/rebuild", {"image": "ubuntu-24.04"})
    call("POST", f"{actions}/change_protection", {"delete": True, "rebuild": True})
    call("DELETE", f"/servers/{server_id}", status=423)
    call("POST", f"{actions}/change_protection", {"delete": False, "rebuild": False})
    public = call("GET", f"/servers/{server_id}")["server"]["public_net"]
    call("POST", f"{actions}/change_dns_ptr", {"ip": public["ipv4"]["ip"], "dns_ptr": "node.example.com"})
    call("PUT", f"/servers/{server_id}", {"name": "node-one", "labels": {"role": "node"}})
    call("GET", "/servers?status=running&label_selector=role%3Dnode&name=node-one&sort=created:asc")
    _reads(call, "/servers", server_id, created["action"]["id"])
    return server_id


def _firewalls(call: Walk, server_id: int) -> None:
    rules = [
        {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["0.0.0.0/0", "2001:DB8::0/32"]},
        {"direction": "out", "protocol": "icmp", "destination_ips": ["0.0.0.0/0"], "description": "ping"},
    ]
    target = {"type": "server", "server": {"id": server_id}}
    labels = {"type": "label_selector", "label_selector": {"selector": "role=node"}}
    body = {"name": "edge", "rules": rules, "apply_to": [target], "labels": {}}
    created = call("POST", "/firewalls", body)
    firewall_id = created["firewall"]["id"]
    actions = f"/firewalls/{firewall_id}/actions"
    call("POST", f"{actions}/apply_to_resources", {"apply_to": [labels]})
    call("POST", f"{actions}/set_rules", {"rules": rules[:1]})
    call("PUT", f"/firewalls/{firewall_id}", {"name": "edge-2", "labels": {"a": ""}})
    _reads(call, "/firewalls", firewall_id, created["actions"][0]["id"])
    call("DELETE", f"/firewalls/{firewall_id}", status=422)
    call("POST", f"{actions}/remove_from_resources", {"remove_from": [target, labels]})
    call("DELETE", f"/firewalls/{firewall_id}")


HTTP_CHECK = {
    "protocol": "http",
    "port": 8080,
    "interval": 5,
    "timeout": 3,
    "retries": 2,
    "http": {"domain": None, "path": "/ping", "response": "OK", "status_codes": ["2??"], "tls": False},
}
TCP_CHECK = {"protocol": "tcp", "port": 443, "interval": 15, "timeout": 10, "retries": 3}
STICKY = {"cookie_name": "STICKY", "cookie_lifetime": 300, "timeout_idle": 60, "sticky_sessions": True}
TLS = {"certificates": [], "redirect_http": False, "cookie_name": "A", "cookie_lifetime": 30, "timeout_idle": 30}
SERVICES: list[dict[str, Any]] = [
    {"protocol": "tcp", "listen_port": 443, "destination_port": 443, "proxyprotocol": True, "health_check": TCP_CHECK},
    {
        "protocol": "http",
        "listen_port": 8000,
        "destination_port": 8080,
        "proxyprotocol": False,
        "health_check": HTTP_CHECK,
        "http": STICKY,
    },
]


def _load_balancers(call: Walk, network_id: int, server_id: int) -> None:
    address = call("POST", "/primary_ips", {"name": "balancer", "type": "ipv4", "location": "fsn1"})["primary_ip"]
    body = {
        "name": "edge",
        "load_balancer_type": "lb11",
        "location": "fsn1",
        "network": network_id,
        "labels": {"a": "b"},
        "algorithm": {"type": "round_robin"},
        "services": SERVICES,
        "targets": [
            {"type": "label_selector", "label_selector": {"selector": "role=node"}, "use_private_ip": True},
            {"type": "server", "server": {"id": server_id}, "use_private_ip": False},
            {"type": "ip", "ip": {"ip": "203.0.113.7"}},
        ],
        "public_net": {"ipv4": address["id"]},
    }
    created = call("POST", "/load_balancers", body)
    balancer_id = created["load_balancer"]["id"]
    path, actions = f"/load_balancers/{balancer_id}", f"/load_balancers/{balancer_id}/actions"
    targets = call("GET", path)["load_balancer"]["targets"]
    assert targets[0]["targets"][0]["health_status"][0] == {"listen_port": 443, "status": "healthy"}
    call("POST", f"/servers/{server_id}/actions/poweroff")
    status = call("GET", path)["load_balancer"]["targets"][1]["health_status"][0]
    assert status == {"listen_port": 443, "status": "unhealthy", "detail": "layer4_timeout"}
    call("POST", f"/servers/{server_id}/actions/poweron")
    assert call("GET", f"/servers/{server_id}")["server"]["load_balancers"] == [balancer_id]
    assert call("GET", f"/networks/{network_id}")["network"]["load_balancers"] == [balancer_id]
    assert call("GET", f"/networks/{network_id}/members?type=load_balancer")["members"]
    assert call("GET", f"/primary_ips/{address['id']}")["primary_ip"]["assignee_type"] == "load_balancer"
    https = {**SERVICES[0], "protocol": "https", "listen_port": 9443, "http": {**TLS, "sticky_sessions": False}}
    call("POST", f"{actions}/add_service", https)
    call("POST", f"{actions}/update_service", {"listen_port": 9443, "http": {"redirect_http": True}})
    call("POST", f"{actions}/delete_service", {"listen_port": 9443})
    call("POST", f"{actions}/remove_target", {"type": "ip", "ip": {"ip": "203.0.113.7"}})
    call("POST", f"{actions}/remove_target", {"type": "server", "server": {"id": server_id}})
    call("POST", f"{actions}/disable_public_interface")
    call("POST", f"{actions}/enable_public_interface")
    call("POST", f"{actions}/add_target", {"type": "server", "server": {"id": server_id}, "use_private_ip": True})
    call("POST", f"{actions}/change_algorithm", {"type": "least_connections"})
    call("POST", f"{actions}/change_type", {"load_balancer_type": "lb21"})
    call("POST", f"{actions}/change_dns_ptr", {"ip": address["ip"], "dns_ptr": "edge.example.com"})
    call("POST", f"{actions}/detach_from_network", {"network": network_id})
    call("POST", f"{actions}/attach_to_network", {"network": network_id, "ip": "10.0.1.70"})
    call("POST", f"{actions}/change_protection", {"delete": True})
    call("DELETE", path, status=423)
    call("POST", f"{actions}/change_protection", {"delete": False})
    call("PUT", path, {"name": "edge-2", "labels": {}})
    call("GET", "/load_balancers?name=edge-2&label_selector=!a&sort=created:asc")
    _reads(call, "/load_balancers", balancer_id, created["action"]["id"])
    call("DELETE", path, status=200)
    call("DELETE", f"/primary_ips/{address['id']}")


def _volumes(call: Walk, server_id: int) -> None:
    body = {"name": "data", "size": 10, "server": server_id, "format": "ext4", "automount": True, "labels": {"a": "b"}}
    created = call("POST", "/volumes", body)
    assert [action["command"] for action in created["next_actions"]] == ["attach_volume"]
    volume_id = created["volume"]["id"]
    path, actions = f"/volumes/{volume_id}", f"/volumes/{volume_id}/actions"
    assert call("GET", f"/servers/{server_id}")["server"]["volumes"] == [volume_id]
    call("DELETE", path, status=422)
    call("POST", f"{actions}/resize", {"size": 12})
    call("POST", f"{actions}/detach")
    call("POST", f"{actions}/attach", {"server": server_id, "automount": False})
    call("POST", f"{actions}/detach")
    call("POST", f"{actions}/change_protection", {"delete": True})
    call("DELETE", path, status=423)
    call("POST", f"{actions}/change_protection", {"delete": False})
    call("PUT", path, {"name": "data-2", "labels": {}})
    call("GET", "/volumes?status=available&name=data-2&sort=name")
    _reads(call, "/volumes", volume_id, created["action"]["id"])
    call("DELETE", path)


def _primary_ips(call: Walk, server_id: int) -> None:
    body = {"name": "stable", "type": "ipv4", "location": "fsn1", "auto_delete": False, "labels": {}}
    address = call("POST", "/primary_ips", body)["primary_ip"]
    assert address["assignee_type"] == "unassigned"
    actions = f"/primary_ips/{address['id']}/actions"
    first = call("POST", f"{actions}/change_dns_ptr", {"ip": address["ip"], "dns_ptr": "stable.example.com"})["action"]
    call("POST", f"{actions}/change_protection", {"delete": True})
    call("POST", f"{actions}/change_protection", {"delete": False})
    call("POST", f"/servers/{server_id}/actions/poweroff")
    old = call("GET", f"/servers/{server_id}")["server"]["public_net"]["ipv4"]["id"]
    call("POST", f"/primary_ips/{old}/actions/unassign")
    call("POST", f"{actions}/assign", {"assignee_type": "server", "assignee_id": server_id})
    call("DELETE", f"/primary_ips/{address['id']}", status=422)
    call("PUT", f"/primary_ips/{address['id']}", {"name": "stable-2", "labels": {}, "auto_delete": True})
    _reads(call, "/primary_ips", address["id"], first["id"])
    call("DELETE", f"/primary_ips/{old}")


def _ends(call: Walk, network_id: int, server_id: int) -> None:
    key = call("GET", "/ssh_keys?name=admin")["ssh_keys"][0]
    call("GET", f"/ssh_keys/{key['id']}")
    call("GET", f"/ssh_keys?fingerprint={key['fingerprint']}")
    call("PUT", f"/ssh_keys/{key['id']}", {"name": "admin-2", "labels": {}})
    call("DELETE", f"/ssh_keys/{key['id']}")
    group = call("GET", "/placement_groups?type=spread")["placement_groups"][0]
    call("PUT", f"/placement_groups/{group['id']}", {"name": "spread-2", "labels": {}})
    call("DELETE", f"/placement_groups/{group['id']}")
    call("DELETE", f"/servers/{server_id}", status=200)
    call("DELETE", f"/networks/{network_id}")
    kinds = ("servers", "networks", "ssh_keys", "placement_groups", "primary_ips", "load_balancers", "volumes")
    for kind in kinds:
        assert call("GET", f"/{kind}")[kind] == []


def test_every_operation_of_the_lab_answers_as_documented(
    tmp_path: Path, document: Document, recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_lab_cloud(tmp_path, observer=recorder) as lab:
        call = Walk(lab)
        _catalogue(call)
        network_id = _networks(call)
        server_id = _servers(call, network_id)
        _firewalls(call, server_id)
        _load_balancers(call, network_id, server_id)
        _volumes(call, server_id)
        _primary_ips(call, server_id)
        _ends(call, network_id, server_id)
    recorder.check()
    with capsys.disabled():
        print(f"\n{recorder.summary('answers of the lab cloud')}; the lab has {len(ROUTES)}")
    assert recorder.covered
    assert set(ROUTES) - recorder.covered == set()
    assert set(ROUTES) <= set(document.operations)


SERVER = {"server_type": "cx23", "image": "debian-13"}
BALANCER: dict[str, Any] = {"name": "balancer", "load_balancer_type": "lb11", "location": "fsn1"}
TARGET: dict[str, Any] = {"type": "server", "server": {"id": "{server}"}}

# method, path, body, status, code. Names in braces are ids, see the test below.
REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/servers/1", None, 404, "not_found"),
    ("GET", "/certificates", None, 404, "not_found"),
    ("GET", "/load_balancers/1", None, 404, "not_found"),
    ("GET", "/load_balancer_types/9", None, 404, "not_found"),
    ("GET", "/volumes/1", None, 404, "not_found"),
    ("DELETE", "/pricing", None, 405, "method_not_allowed"),
    ("GET", "/actions", None, 410, "deprecated_api_endpoint"),
    ("GET", "/servers?sort=size", None, 422, "invalid_input"),
    ("GET", "/servers?status=asleep", None, 422, "invalid_input"),
    ("GET", "/servers?page=0", None, 422, "invalid_input"),
    ("GET", "/servers?label_selector=a%3D%3D%3Db", None, 422, "invalid_input"),
    ("POST", "/servers", {}, 422, "invalid_input"),
    ("POST", "/servers", {"name": "node", "server_type": "cx23", "image": "debian-13"}, 409, "uniqueness_error"),
    ("POST", "/servers", {"name": "a b", "server_type": "cx23", "image": "debian-13"}, 422, "invalid_input"),
    ("POST", "/servers", {"name": "b", "server_type": "cpx11", "image": "debian-13"}, 422, "invalid_input"),
    ("POST", "/servers", {"name": "b", "server_type": "cax11", "image": "debian-9"}, 422, "invalid_input"),
    (
        "POST",
        "/servers",
        {"name": "b", "server_type": "cx23", "image": "debian-13", "location": "ash"},
        422,
        "invalid_input",
    ),
    (
        "POST",
        "/servers",
        {"name": "b", "server_type": "cx33", "image": "debian-13", "location": "hel1"},
        412,
        "resource_unavailable",
    ),
    (
        "POST",
        "/servers",
        {"name": "b", "server_type": "cx23", "image": "debian-13", "user_data": "x" * 32769},
        422,
        "invalid_input",
    ),
    (
        "POST",
        "/servers",
        {"name": "b", "server_type": "cx23", "image": "debian-13", "labels": {"hetzner.cloud/a": "b"}},
        422,
        "invalid_input",
    ),
    (
        "POST",
        "/servers",
        {
            "name": "b",
            "server_type": "cx23",
            "image": "debian-13",
            "public_net": {"enable_ipv4": False, "enable_ipv6": False},
        },
        422,
        "invalid_input",
    ),
    ("POST", "/networks", {"name": "n", "ip_range": "8.8.8.0/24"}, 422, "invalid_input"),
    ("POST", "/networks", {"name": "n", "ip_range": "10.0.0.0/25"}, 422, "invalid_input"),
    ("POST", "/networks", {"name": "n", "ip_range": "10.9.0.1/16"}, 422, "invalid_input"),
    ("POST", "/networks", {"name": "n", "ip_range": "10.9.0.0/16", "colour": "red"}, 422, "invalid_input"),
    (
        "POST",
        "/networks/{network}/actions/add_subnet",
        {"type": "cloud", "network_zone": ZONE, "ip_range": "10.0.1.128/25"},
        422,
        "networks_overlap",
    ),
    (
        "POST",
        "/networks/{network}/actions/add_subnet",
        {"type": "cloud", "network_zone": "us-east", "ip_range": "10.0.2.0/24"},
        422,
        "invalid_input",
    ),
    ("POST", "/networks/{network}/actions/delete_subnet", {"ip_range": "10.0.1.0/24"}, 422, "resource_in_use"),
    (
        "POST",
        "/networks/{network}/actions/add_route",
        {"destination": "10.8.0.0/16", "gateway": "10.0.0.1"},
        422,
        "invalid_input",
    ),
    ("POST", "/networks/{network}/actions/change_ip_range", {"ip_range": "10.0.0.0/17"}, 422, "invalid_input"),
    ("POST", "/servers/{server}/actions/attach_to_network", {"network": 1}, 404, "not_found"),
    (
        "POST",
        "/servers/{server}/actions/attach_to_network",
        {"network": "{network}"},
        422,
        "server_already_attached",
    ),
    (
        "POST",
        "/servers/{server}/actions/change_alias_ips",
        {"network": "{network}", "alias_ips": ["10.0.0.1"]},
        422,
        "invalid_input",
    ),
    (
        "POST",
        "/servers/{server}/actions/change_type",
        {"server_type": "cx33", "upgrade_disk": True},
        422,
        "server_not_stopped",
    ),
    (
        "POST",
        "/servers/{server}/actions/change_protection",
        {"delete": True, "rebuild": False},
        422,
        "invalid_input",
    ),
    ("DELETE", "/firewalls/{firewall}", None, 422, "resource_in_use"),
    (
        "POST",
        "/firewalls/{firewall}/actions/apply_to_resources",
        {"apply_to": [{"type": "server", "server": {"id": "{server}"}}]},
        422,
        "firewall_already_applied",
    ),
    (
        "POST",
        "/firewalls/{firewall}/actions/set_rules",
        {"rules": [{"direction": "in", "protocol": "tcp", "source_ips": ["10.0.0.1"], "port": "0"}]},
        422,
        "invalid_input",
    ),
    ("POST", "/ssh_keys", {"name": "k", "public_key": "no key"}, 422, "invalid_input"),
    ("POST", "/ssh_keys", {"name": "other", "public_key": KEY + "-with-another-comment"}, 409, "uniqueness_error"),
    ("POST", "/ssh_keys", {"name": "admin", "public_key": KEY}, 409, "uniqueness_error"),
    ("POST", "/placement_groups", {"name": "g", "type": "huddle"}, 422, "invalid_input"),
    ("POST", "/load_balancers", {}, 422, "invalid_input"),
    ("POST", "/load_balancers", {**BALANCER, "name": "lb", "location": "mars"}, 422, "invalid_input"),
    ("POST", "/load_balancers", {**BALANCER, "name": "lb", "network_zone": ZONE}, 422, "invalid_input"),
    ("POST", "/load_balancers", {**BALANCER, "name": "lb", "load_balancer_type": "lb99"}, 422, "invalid_input"),
    ("POST", "/load_balancers", BALANCER, 409, "uniqueness_error"),
    (
        "POST",
        "/load_balancers",
        {**BALANCER, "name": "b", "services": SERVICES[:1] * 2},
        412,
        "source_port_already_used",
    ),
    ("POST", "/load_balancers", {**BALANCER, "name": "b", "targets": [TARGET] * 2}, 422, "target_already_defined"),
    (
        "POST",
        "/load_balancers",
        {**BALANCER, "name": "b", "targets": [{**TARGET, "use_private_ip": True}]},
        422,
        "load_balancer_not_attached_to_network",
    ),
    (
        "POST",
        "/load_balancers",
        {**BALANCER, "name": "b", "public_interface": False},
        422,
        "load_balancer_not_attached_to_network",
    ),
    ("POST", "/load_balancers/{balancer}/actions/add_service", SERVICES[0], 412, "source_port_already_used"),
    (
        "POST",
        "/load_balancers/{balancer}/actions/update_service",
        {"listen_port": 443, "protocol": "udp"},
        422,
        "invalid_input",
    ),
    ("POST", "/load_balancers/{balancer}/actions/delete_service", {"listen_port": 1}, 404, "not_found"),
    ("POST", "/load_balancers/{balancer}/actions/add_target", TARGET, 422, "target_already_defined"),
    (
        "POST",
        "/load_balancers/{balancer}/actions/add_target",
        {"type": "ip", "ip": {"ip": "{address}"}},
        422,
        "ip_not_owned",
    ),
    (
        "POST",
        "/load_balancers/{balancer}/actions/add_target",
        {"type": "ip", "ip": {"ip": "10.0.1.200"}},
        422,
        "network_has_no_vswitch_subnet",
    ),
    (
        "POST",
        "/load_balancers/{balancer}/actions/add_target",
        {"type": "server", "server": {"id": "{hidden}"}},
        422,
        "resolve_cloud_public_targets_error",
    ),
    (
        "POST",
        "/load_balancers/{balancer}/actions/add_target",
        {"type": "server", "server": {"id": "{hidden}", "ip": "192.0.2.1"}},
        422,
        "ip_not_assigned_to_server",
    ),
    (
        "POST",
        "/load_balancers/{balancer}/actions/add_target",
        {"type": "server", "server": {"id": "{away}"}, "use_private_ip": True},
        422,
        "resolve_cloud_private_targets_error",
    ),
    (
        "POST",
        "/load_balancers/{balancer}/actions/remove_target",
        {"type": "ip", "ip": {"ip": "192.0.2.1"}},
        404,
        "not_found",
    ),
    (
        "POST",
        "/load_balancers/{balancer}/actions/attach_to_network",
        {"network": "{network}"},
        422,
        "load_balancer_already_attached",
    ),
    ("POST", "/load_balancers/{balancer}/actions/detach_from_network", {"network": 1}, 404, "not_found"),
    (
        "POST",
        "/load_balancers/{balancer}/actions/disable_public_interface",
        None,
        422,
        "targets_without_use_private_ip",
    ),
    (
        "POST",
        "/load_balancers/{loose}/actions/disable_public_interface",
        None,
        422,
        "load_balancer_not_attached_to_network",
    ),
    (
        "POST",
        "/load_balancers/{loose}/actions/attach_to_network",
        {"network": "{network}", "ip": "10.0.0.1"},
        422,
        "ip_not_available",
    ),
    (
        "POST",
        "/load_balancers/{full}/actions/change_type",
        {"load_balancer_type": "lb11"},
        422,
        "invalid_load_balancer_type",
    ),
    ("POST", "/volumes", {"name": "v", "size": 9, "location": "fsn1"}, 422, "invalid_input"),
    ("POST", "/volumes", {"name": "v", "size": 10}, 422, "invalid_input"),
    ("POST", "/volumes", {"name": "v", "size": 10, "location": "fsn1", "format": "fat"}, 422, "invalid_input"),
    ("POST", "/volumes", {"name": "data", "size": 10, "location": "fsn1"}, 409, "uniqueness_error"),
    ("POST", "/volumes/{volume}/actions/attach", {"server": "{server}"}, 422, "volume_already_attached"),
    ("POST", "/volumes/{elsewhere}/actions/attach", {"server": "{server}"}, 422, "invalid_input"),
    ("POST", "/volumes/{elsewhere}/actions/detach", None, 422, "service_error"),
    ("POST", "/volumes/{volume}/actions/resize", {"size": 10}, 422, "invalid_input"),
    ("DELETE", "/volumes/{volume}", None, 422, "service_error"),
    (
        "POST",
        "/servers",
        {"name": "b", "server_type": "cx23", "image": "debian-13", "volumes": ["{volume}"]},
        422,
        "volume_already_attached",
    ),
]


def _filled(value: Any, ids: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(entry, ids) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled(entry, ids) for entry in value]
    return ids.get(value.strip("{}"), value) if isinstance(value, str) and value.startswith("{") else value


def _made(call: Walk, kind: str, body: Any) -> int:
    return int(call("POST", f"/{kind}", body)[kind.removesuffix("s")]["id"])


def test_every_refusal_is_one_that_the_document_knows(tmp_path: Path, recorder: Recorder) -> None:
    with running_lab_cloud(tmp_path, observer=recorder) as lab:
        call = Walk(lab)
        subnet = {"type": "cloud", "ip_range": "10.0.1.0/24", "network_zone": ZONE}
        network = call("POST", "/networks", {"name": "n1", "ip_range": "10.0.0.0/16", "subnets": [subnet]})["network"]
        call("POST", "/ssh_keys", {"name": "admin", "public_key": KEY})
        body = {"name": "node", "server_type": "cx23", "image": "debian-13", "networks": [network["id"]]}
        server = call("POST", "/servers", body)["server"]
        applied = [{"type": "server", "server": {"id": server["id"]}}]
        firewall = call("POST", "/firewalls", {"name": "f", "apply_to": applied})["firewall"]
        lab.stock("cx33", "hel1", False)
        hidden = {"enable_ipv4": False, "enable_ipv6": True}
        one_target = [{"type": "server", "server": {"id": server["id"]}}]
        body = {**BALANCER, "network": network["id"], "services": SERVICES, "targets": one_target}
        balancer = call("POST", "/load_balancers", body)["load_balancer"]
        services = [{**SERVICES[0], "listen_port": port} for port in range(100, 106)]
        volume = call("POST", "/volumes", {"name": "data", "size": 10, "server": server["id"]})["volume"]
        ids = {
            "network": network["id"],
            "server": server["id"],
            "firewall": firewall["id"],
            "balancer": balancer["id"],
            "address": balancer["public_net"]["ipv4"]["ip"],
            "loose": _made(call, "load_balancers", {**BALANCER, "name": "loose"}),
            "full": _made(
                call,
                "load_balancers",
                {**BALANCER, "name": "full", "load_balancer_type": "lb21", "services": services},
            ),
            "hidden": _made(call, "servers", {**SERVER, "name": "hidden", "public_net": hidden}),
            "away": _made(call, "servers", {**SERVER, "name": "away"}),
            "volume": volume["id"],
            "elsewhere": _made(call, "volumes", {"name": "elsewhere", "size": 10, "location": "nbg1"}),
        }
        wrong = []
        for method, path, request, status, code in REFUSED:
            got, answer = lab.api(method, path.format(**ids), _filled(request, ids))
            if (got, answer.get("error", {}).get("code")) != (status, code):
                wrong.append(f"{method} {path} {request}: {got} {answer}")
            elif code == "invalid_input":
                assert answer["error"]["details"]["fields"][0]["messages"]
        assert wrong == []
    recorder.check()


def test_the_validator_finds_what_is_wrong(document: Document) -> None:
    """A validator that accepts everything would make the tests above worthless."""
    good = {"ssh_key": {"id": 1, "name": "a", "fingerprint": "b", "public_key": "c", "labels": {}}}
    good["ssh_key"]["created"] = "2026-01-30T23:50:00Z"
    assert document.check_answer("GET", "/ssh_keys/1", 200, good) == []
    for change in ({"colour": "red"}, {"labels": {"a": 1}}, {"created": "yesterday"}, {"id": "1"}):
        assert document.check_answer("GET", "/ssh_keys/1", 200, {"ssh_key": {**good["ssh_key"], **change}}), change
    missing = {key: value for key, value in good["ssh_key"].items() if key != "fingerprint"}
    assert document.check_answer("GET", "/ssh_keys/1", 200, {"ssh_key": missing})
    assert document.check_answer("GET", "/nowhere", 200, {})
    assert document.check_answer("GET", "/datacenters", 200, {"datacenters": []})
    error = {"error": {"code": "made_up", "message": "", "details": None}}
    assert document.check_answer("GET", "/ssh_keys/1", 422, error)
    assert document.check_request("POST", "/networks", [], {"name": "n", "ip_range": "10.0.0.0/8"}) == []
    assert document.check_request("POST", "/networks", [], {"name": "n", "ip_range": "10.0.0.0/8", "size": 1})
    assert document.check_request("GET", "/servers", [("status", "asleep")], None)
    assert document.check_request("GET", "/servers", [("location", "fsn1")], None)
    assert document.check_request("GET", "/actions", [], None)
