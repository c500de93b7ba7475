# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers over HTTP: targets that follow, limits, addresses, networks, and what the real balancer is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labcloud.balancers import BalancerService, HealthCheck, HttpCheck, StickyCookie, TargetHealth
from labcloud.machine_specs import PrivateAddress
from tests.lab_cloud import LabCloud, running_lab_cloud
from tests.unit.labcloud.lab_helpers import ORDER, RememberingMachines, make, make_network, refusal, server, wait_until

BALANCER = {"name": "edge", "load_balancer_type": "lb11", "location": "fsn1"}
TCP = {"protocol": "tcp", "listen_port": 443, "destination_port": 8443}


@pytest.fixture
def machines() -> RememberingMachines:
    return RememberingMachines()


@pytest.fixture
def real_lab(tmp_path: Path, machines: RememberingMachines) -> Iterator[LabCloud]:
    with running_lab_cloud(tmp_path, machines, machines="docker") as lab:
        yield lab


def _server_target(server_id: int, private: bool = False) -> dict[str, Any]:
    return {"type": "server", "server": {"id": server_id}, "use_private_ip": private}


def _label_target(text: str, private: bool = False) -> dict[str, Any]:
    return {"type": "label_selector", "label_selector": {"selector": text}, "use_private_ip": private}


def _balancer(lab: LabCloud, balancer_id: int) -> dict[str, Any]:
    status, answer = lab.api("GET", f"/load_balancers/{balancer_id}")
    assert status == 200, answer
    found: dict[str, Any] = answer["load_balancer"]
    return found


def _act(lab: LabCloud, balancer_id: int, action: str, body: Any = None) -> dict[str, Any]:
    status, answer = lab.api("POST", f"/load_balancers/{balancer_id}/actions/{action}", body)
    assert status == 201, answer
    lab.idle()
    found: dict[str, Any] = lab.api("GET", f"/actions/{answer['action']['id']}")[1]["action"]
    return found


def _chosen(lab: LabCloud, balancer_id: int) -> list[int]:
    """The servers that the first target, a label selector, stands for."""
    return [target["server"]["id"] for target in _balancer(lab, balancer_id)["targets"][0]["targets"]]


def test_it_shares_the_addresses_of_servers_and_gives_them_back(lab: LabCloud) -> None:
    network = make_network(lab)
    make(lab, "/servers", {**ORDER, "networks": [network["id"]]})
    made = make(lab, "/load_balancers", {**BALANCER, "network": network["id"]})
    shown = _balancer(lab, made["id"])
    assert shown["public_net"]["ipv4"]["ip"] == "198.18.0.11"
    assert shown["private_net"] == [{"network": network["id"], "ip": "10.0.1.2"}]
    members = lab.api("GET", f"/networks/{network['id']}/members?type=load_balancer")[1]["members"]
    assert [(member["id"], member["ip"], member["status"]) for member in members] == [(made["id"], "10.0.1.2", "ok")]
    status, answer = lab.api("DELETE", f"/load_balancers/{made['id']}")
    assert (status, answer["action"]["command"]) == (200, "delete_load_balancer")
    lab.idle()
    assert refusal(lab, "GET", f"/load_balancers/{made['id']}") == (404, "not_found")
    second = make(lab, "/servers", {**ORDER, "name": "second", "networks": [network["id"]]})
    assert server(lab, second["id"])["public_net"]["ipv4"]["ip"] == "198.18.0.11"
    assert server(lab, second["id"])["private_net"][0]["ip"] == "10.0.1.2"


def test_a_stable_address_outlives_its_balancer(lab: LabCloud) -> None:
    address = make(lab, "/primary_ips", {"name": "stable", "type": "ipv4", "location": "fsn1"})
    order = {**BALANCER, "public_net": {"ipv4": address["id"]}}
    made = make(lab, "/load_balancers", order)
    assert made["public_net"]["ipv4"]["ip"] == address["ip"]
    assert refusal(lab, "POST", "/load_balancers", {**order, "name": "b"}) == (422, "primary_ip_assigned")
    elsewhere = {**order, "name": "b", "location": "nbg1"}
    assert refusal(lab, "DELETE", f"/primary_ips/{address['id']}") == (422, "must_be_unassigned")
    lab.api("DELETE", f"/load_balancers/{made['id']}")
    lab.idle()
    assert refusal(lab, "POST", "/load_balancers", elsewhere) == (422, "primary_ip_datacenter_mismatch")
    left = lab.api("GET", "/primary_ips")[1]["primary_ips"]
    assert [(item["name"], item["assignee_type"], item["assignee_id"]) for item in left] == [
        ("stable", "unassigned", None)
    ]


def test_a_zone_is_as_good_as_a_location(lab: LabCloud) -> None:
    made = make(lab, "/load_balancers", {"name": "a", "load_balancer_type": "lb11", "network_zone": "us-west"})
    assert made["location"]["name"] == "hil"


def test_what_a_service_does_not_say_is_filled_in(lab: LabCloud) -> None:
    services = [TCP, {"protocol": "http", "health_check": {"protocol": "http", "port": 8080}}]
    shown = make(lab, "/load_balancers", {**BALANCER, "services": services})["services"]
    assert shown[0] == {
        **TCP,
        "proxyprotocol": False,
        "health_check": {"protocol": "tcp", "port": 8443, "interval": 15, "timeout": 10, "retries": 3},
    }
    assert (shown[1]["listen_port"], shown[1]["destination_port"]) == (80, 80)
    assert shown[1]["health_check"]["http"]["status_codes"] == ["2??", "3??"]
    assert shown[1]["http"]["timeout_idle"] == 50


def test_an_update_changes_what_it_names_and_no_more(lab: LabCloud) -> None:
    check = {"protocol": "http", "port": 8080, "interval": 5, "http": {"path": "/ping", "domain": "a.test"}}
    order = {**BALANCER, "services": [{**TCP, "proxyprotocol": True, "health_check": check}]}
    made = make(lab, "/load_balancers", order)
    changes = {"listen_port": 443, "destination_port": 9443, "health_check": {"http": {"path": "/ready"}}}
    assert _act(lab, made["id"], "update_service", changes)["status"] == "success"
    after = _balancer(lab, made["id"])["services"][0]
    assert (after["destination_port"], after["proxyprotocol"]) == (9443, True)
    assert (after["health_check"]["interval"], after["health_check"]["port"]) == (5, 8080)
    assert after["health_check"]["http"] == {
        "domain": "a.test",
        "path": "/ready",
        "response": "",
        "status_codes": ["2??", "3??"],
        "tls": False,
    }
    _act(lab, made["id"], "update_service", {"listen_port": 443, "health_check": {"protocol": "tcp"}})
    assert "http" not in _balancer(lab, made["id"])["services"][0]["health_check"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"listen_port": 0}, "services[0].listen_port"),
        ({"destination_port": 65536}, "services[0].destination_port"),
        ({"protocol": "udp"}, "services[0].protocol"),
        ({"health_check": {"interval": 2}}, "services[0].health_check.interval"),
        ({"health_check": {"timeout": 61}}, "services[0].health_check.timeout"),
        ({"health_check": {"retries": 6}}, "services[0].health_check.retries"),
        ({"health_check": {"protocol": "http", "http": {"path": "/a b"}}}, "services[0].health_check.http.path"),
        ({"health_check": {"protocol": "http", "http": {"domain": "a%b"}}}, "services[0].health_check.http.domain"),
        (
            {"health_check": {"protocol": "http", "http": {"response": "a\nserver evil"}}},
            "services[0].health_check.http.response",
        ),
        (
            {"health_check": {"protocol": "http", "http": {"status_codes": ["2xx"]}}},
            "services[0].health_check.http.status_codes",
        ),
        ({"http": {"sticky_sessions": True}}, "services[0].http"),
        ({"protocol": "http", "http": {"timeout_idle": 301}}, "services[0].http.timeout_idle"),
        ({"protocol": "http", "http": {"redirect_http": True}}, "services[0].http.redirect_http"),
        ({"protocol": "http", "http": {"cookie_name": "a b"}}, "services[0].http.cookie_name"),
        ({"protocol": "https", "http": {"certificates": [7]}}, "services[0].http.certificates"),
        ({"colour": "red"}, "services[0].colour"),
    ],
)
def test_services_that_are_none(lab: LabCloud, change: dict[str, Any], field: str) -> None:
    status, answer = lab.api("POST", "/load_balancers", {**BALANCER, "services": [{**TCP, **change}]})
    assert (status, answer["error"]["code"]) == (422, "invalid_input")
    assert [entry["name"] for entry in answer["error"]["details"]["fields"]] == [field]


def test_a_redirect_takes_port_80(lab: LabCloud) -> None:
    https = {"protocol": "https", "http": {"redirect_http": True}}
    made = make(lab, "/load_balancers", {**BALANCER, "services": [https]})
    path = f"/load_balancers/{made['id']}/actions"
    assert refusal(lab, "POST", f"{path}/add_service", {"protocol": "http"}) == (412, "source_port_already_used")
    _act(lab, made["id"], "update_service", {"listen_port": 443, "http": {"redirect_http": False}})
    _act(lab, made["id"], "add_service", {"protocol": "http"})
    again = {"listen_port": 443, "http": {"redirect_http": True}}
    assert refusal(lab, "POST", f"{path}/update_service", again) == (422, "source_port_already_used")


def test_a_label_target_follows_labels_servers_and_networks_a_moment_later(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, label_seconds=1.0) as lab:
        network = make_network(lab)
        first = make(lab, "/servers", {**ORDER, "labels": {"role": "edge"}, "networks": [network["id"]]})
        order = {**BALANCER, "network": network["id"], "services": [TCP], "targets": [_label_target("role=edge", True)]}
        made = make(lab, "/load_balancers", order)
        assert _chosen(lab, made["id"]) == [first["id"]]
        assert server(lab, first["id"])["load_balancers"] == [made["id"]]
        second = make(lab, "/servers", {**ORDER, "name": "second", "networks": [network["id"]]})
        assert _chosen(lab, made["id"]) == [first["id"]]
        lab.api("PUT", f"/servers/{second['id']}", {"labels": {"role": "edge"}})
        assert _chosen(lab, made["id"]) == [first["id"]], "the change must take a moment"
        lab.idle()
        assert _chosen(lab, made["id"]) == [first["id"], second["id"]]
        # A server with the label that is in no network of the balancer cannot be reached, until it joins.
        third = make(lab, "/servers", {**ORDER, "name": "third", "labels": {"role": "edge"}})
        assert third["id"] not in _chosen(lab, made["id"])
        attach = {"network": network["id"]}
        lab.api("POST", f"/servers/{third['id']}/actions/attach_to_network", attach)
        lab.idle()
        assert third["id"] in _chosen(lab, made["id"])
        lab.api("POST", f"/servers/{third['id']}/actions/detach_from_network", attach)
        lab.api("DELETE", f"/servers/{first['id']}")
        lab.idle()
        assert _chosen(lab, made["id"]) == [second["id"]]


def test_health_is_unknown_healthy_or_unhealthy(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, action_seconds=0.2) as lab:
        node = make(lab, "/servers", ORDER)
        order = {**BALANCER, "services": [TCP], "targets": [_server_target(node["id"])]}
        status, answer = lab.api("POST", "/load_balancers", order)
        assert status == 201
        target = answer["load_balancer"]["targets"][0]
        assert target["server"] == {"id": node["id"], "ip": "198.18.0.10"}
        assert target["health_status"] == [{"listen_port": 443, "status": "unknown"}]
        lab.idle()
        path = answer["load_balancer"]["id"]
        assert _balancer(lab, path)["targets"][0]["health_status"] == [{"listen_port": 443, "status": "healthy"}]
        lab.api("POST", f"/servers/{node['id']}/actions/poweroff")
        lab.idle()
        assert _balancer(lab, path)["targets"][0]["health_status"][0]["status"] == "unhealthy"


def test_a_deleted_server_is_no_target(lab: LabCloud) -> None:
    node = make(lab, "/servers", ORDER)
    made = make(lab, "/load_balancers", {**BALANCER, "targets": [_server_target(node["id"])]})
    lab.api("DELETE", f"/servers/{node['id']}")
    lab.idle()
    assert _balancer(lab, made["id"])["targets"] == []


def test_leaving_the_network_takes_its_targets_along(lab: LabCloud) -> None:
    network = make_network(lab)
    node = make(lab, "/servers", {**ORDER, "networks": [network["id"]]})
    order = {**BALANCER, "network": network["id"], "targets": [_server_target(node["id"], private=True)]}
    made = make(lab, "/load_balancers", order)
    _act(lab, made["id"], "detach_from_network", {"network": network["id"]})
    assert (_balancer(lab, made["id"])["private_net"], _balancer(lab, made["id"])["targets"]) == ([], [])
    _act(lab, made["id"], "attach_to_network", {"network": network["id"], "ip": "10.0.1.99"})
    _act(lab, made["id"], "add_target", _server_target(node["id"], private=True))
    assert _balancer(lab, made["id"])["targets"][0]["server"]["ip"] == "10.0.1.1"
    assert lab.api("DELETE", f"/networks/{network['id']}")[0] == 204
    assert (_balancer(lab, made["id"])["private_net"], _balancer(lab, made["id"])["targets"]) == ([], [])


def test_a_subnet_with_a_balancer_stays(lab: LabCloud) -> None:
    network = make_network(lab)
    make(lab, "/load_balancers", {**BALANCER, "network": network["id"]})
    path = f"/networks/{network['id']}/actions/delete_subnet"
    assert refusal(lab, "POST", path, {"ip_range": "10.0.1.0/24"}) == (422, "resource_in_use")


def test_without_public_interface_all_is_private(lab: LabCloud) -> None:
    network = make_network(lab)
    node = make(lab, "/servers", {**ORDER, "networks": [network["id"]]})
    made = make(lab, "/load_balancers", {**BALANCER, "network": network["id"], "public_interface": False})
    assert made["public_net"]["enabled"] is False
    path = f"/load_balancers/{made['id']}/actions/add_target"
    refused = refusal(lab, "POST", path, _server_target(node["id"]))
    assert refused == (422, "load_balancer_public_interface_disabled")
    _act(lab, made["id"], "add_target", _server_target(node["id"], private=True))
    _act(lab, made["id"], "enable_public_interface")
    assert _balancer(lab, made["id"])["public_net"]["enabled"] is True


def test_limits_are_those_of_the_type(lab: LabCloud) -> None:
    services = [{**TCP, "listen_port": port} for port in range(100, 106)]
    refused = refusal(lab, "POST", "/load_balancers", {**BALANCER, "services": services})
    assert refused == (403, "resource_limit_exceeded")
    made = make(lab, "/load_balancers", {**BALANCER, "services": services[:5]})
    path = f"/load_balancers/{made['id']}/actions"
    assert refusal(lab, "POST", f"{path}/add_service", services[5]) == (403, "resource_limit_exceeded")
    _act(lab, made["id"], "change_type", {"load_balancer_type": "lb21"})
    _act(lab, made["id"], "add_service", services[5])
    assert _balancer(lab, made["id"])["load_balancer_type"]["max_targets"] == 75
    back = {"load_balancer_type": "lb11"}
    assert refusal(lab, "POST", f"{path}/change_type", back) == (422, "invalid_load_balancer_type")


def test_it_is_locked_while_an_action_runs(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, action_seconds=60) as lab:
        _status, answer = lab.api("POST", "/load_balancers", BALANCER)
        path = f"/load_balancers/{answer['load_balancer']['id']}"
        assert refusal(lab, "POST", f"{path}/actions/add_service", TCP) == (423, "locked")
        assert refusal(lab, "DELETE", path) == (423, "locked")
        assert lab.api("PUT", path, {"labels": {"a": "b"}})[0] == 200


def test_the_address_of_a_target_cannot_be_taken_away(lab: LabCloud) -> None:
    node = make(lab, "/servers", ORDER)
    make(lab, "/load_balancers", {**BALANCER, "targets": [_server_target(node["id"])]})
    lab.api("POST", f"/servers/{node['id']}/actions/poweroff")
    lab.idle()
    address = server(lab, node["id"])["public_net"]["ipv4"]["id"]
    path = f"/primary_ips/{address}/actions/unassign"
    assert refusal(lab, "POST", path) == (422, "server_is_load_balancer_target")


def test_the_real_balancer_is_told_everything(real_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = real_lab
    network = make_network(lab)
    node = make(lab, "/servers", {**ORDER, "labels": {"edge": "true"}, "networks": [network["id"]]})
    check = {"protocol": "http", "port": 8080, "http": {"domain": "a.test", "path": "/ping", "tls": True}}
    services = [
        {**TCP, "proxyprotocol": True, "health_check": check},
        {"protocol": "http", "http": {"sticky_sessions": True, "timeout_idle": 120}},
        {"protocol": "https", "listen_port": 444, "destination_port": 444, "http": {"redirect_http": False}},
    ]
    order = {**BALANCER, "network": network["id"], "services": services, "targets": [_label_target("edge", True)]}
    made = make(lab, "/load_balancers", order)
    spec = machines.balancers.specs[made["id"]]
    assert (spec.name, spec.public_ipv4, spec.max_connections) == ("edge", "198.18.0.11", 10000)
    assert spec.private == (PrivateAddress(network["id"], "10.0.1.2", ()),)
    assert spec.targets == ("10.0.1.1",)
    http = HttpCheck("/ping", "a.test", "", ("2??", "3??"), True)
    assert spec.services[0] == BalancerService(443, 8443, False, True, HealthCheck(8080, 15, 10, 3, http), 3600)
    assert (spec.services[1].http, spec.services[1].idle_seconds) == (True, 120)
    assert spec.services[1].cookie == StickyCookie("HCLBSTICKY", 300)
    assert spec.services[2].http is False, "https without certificates is passed through"
    assert machines.names().index("create_network") < machines.names().index("put_balancer")
    _act(lab, made["id"], "disable_public_interface")
    assert machines.balancers.specs[made["id"]].public_ipv4 is None
    _act(lab, made["id"], "change_algorithm", {"type": "least_connections"})
    assert machines.balancers.specs[made["id"]].least_connections is True
    second = make(lab, "/servers", {**ORDER, "name": "b", "labels": {"edge": ""}, "networks": [network["id"]]})
    assert machines.balancers.specs[made["id"]].targets == ("10.0.1.1", "10.0.1.3")
    for server_id in (node["id"], second["id"]):
        lab.api("DELETE", f"/servers/{server_id}")
    lab.idle()
    assert machines.balancers.specs[made["id"]].targets == ()
    lab.restart()
    assert [spec.balancer_id for spec in machines.started_with.balancers] == [made["id"]]
    lab.api("DELETE", f"/load_balancers/{made['id']}")
    lab.idle()
    assert machines.balancers.specs == {}


def test_health_is_what_the_real_balancer_says(real_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = real_lab
    node = make(lab, "/servers", ORDER)
    order = {**BALANCER, "services": [TCP], "targets": [_server_target(node["id"])]}
    made = make(lab, "/load_balancers", order)

    def health() -> dict[str, Any]:
        found: dict[str, Any] = _balancer(lab, made["id"])["targets"][0]["health_status"][0]
        return found

    assert health() == {"listen_port": 443, "status": "unknown"}
    key = (443, "198.18.0.10")
    machines.balancers.healths[made["id"]] = {key: TargetHealth("unhealthy", "unexpected_http_status", 503)}
    wait_until(lambda: health()["status"] == "unhealthy")
    assert health() == {
        "listen_port": 443,
        "status": "unhealthy",
        "detail": "unexpected_http_status",
        "http_status_code": 503,
    }
    machines.broken["health"] = "HAProxy does not answer"
    machines.balancers.healths[made["id"]] = {key: TargetHealth("healthy")}
    assert health()["status"] == "unhealthy", "what was known stays as long as nothing newer is"
    machines.broken.clear()
    wait_until(lambda: health()["status"] == "healthy")


@pytest.mark.parametrize(
    ("action", "body"), [("add_service", {**TCP, "listen_port": 1}), ("change_algorithm", {"type": "round_robin"})]
)
def test_a_balancer_that_refuses_is_an_action_error(
    real_lab: LabCloud, machines: RememberingMachines, action: str, body: dict[str, Any]
) -> None:
    made = make(real_lab, "/load_balancers", BALANCER)
    machines.broken["put_balancer"] = "HAProxy does not start"
    error = _act(real_lab, made["id"], action, body)["error"]
    assert error == {"code": "action_failed", "message": "HAProxy does not start"}


def test_a_failed_attachment_gives_the_address_back(real_lab: LabCloud, machines: RememberingMachines) -> None:
    network, made = make_network(real_lab), make(real_lab, "/load_balancers", BALANCER)
    machines.broken["put_balancer"] = "the bridge is gone"
    body = {"network": network["id"], "ip": "10.0.1.5"}
    assert _act(real_lab, made["id"], "attach_to_network", body)["status"] == "error"
    assert _balancer(real_lab, made["id"])["private_net"] == []
    machines.broken.clear()
    assert _act(real_lab, made["id"], "attach_to_network", body)["status"] == "success"
    machines.broken["put_balancer"] = "device busy"
    assert _act(real_lab, made["id"], "detach_from_network", {"network": network["id"]})["status"] == "error"
    members = real_lab.api("GET", f"/networks/{network['id']}/members?status=error")[1]["members"]
    assert [member["type"] for member in members] == ["load_balancer"]


def test_a_balancer_that_cannot_follow_harms_nobody_and_catches_up(
    real_lab: LabCloud, machines: RememberingMachines
) -> None:
    lab = real_lab
    made = make(lab, "/load_balancers", {**BALANCER, "targets": [_label_target("role=edge")]})
    machines.broken["put_balancer"] = "HAProxy does not start"
    node = make(lab, "/servers", {**ORDER, "labels": {"role": "edge"}})
    assert server(lab, node["id"])["status"] == "running"
    assert _chosen(lab, made["id"]) == [], "what is shown must be so"
    machines.broken.clear()
    wait_until(lambda: _chosen(lab, made["id"]) == [node["id"]])
    assert machines.balancers.specs[made["id"]].targets == ("198.18.0.11",)


def test_a_reset_removes_the_real_ones(real_lab: LabCloud, machines: RememberingMachines) -> None:
    make(real_lab, "/load_balancers", BALANCER)
    make(real_lab, "/volumes", {"name": "data", "size": 10, "location": "fsn1"})
    real_lab.call("POST", "/reset")
    assert (machines.balancers.specs, machines.volumes.sizes) == ({}, {})
