# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls: rules, targets by id, and label selectors that act a moment after a label has changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labcloud.machine_specs import FirewallRule
from tests.lab_cloud import LabCloud, running_lab_cloud
from tests.unit.labcloud.lab_helpers import ORDER, RememberingMachines, make, refusal, server

SSH = {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["2001:DB8:0::/64", "10.0.0.0/8"]}


@pytest.fixture
def machines() -> RememberingMachines:
    return RememberingMachines()


@pytest.fixture
def filtered_lab(tmp_path: Path, machines: RememberingMachines) -> Iterator[LabCloud]:
    with running_lab_cloud(tmp_path, machines) as lab:
        yield lab


def _server(server_id: int) -> dict[str, Any]:
    return {"type": "server", "server": {"id": server_id}}


def _labels(text: str) -> dict[str, Any]:
    return {"type": "label_selector", "label_selector": {"selector": text}}


def test_rules_are_kept_canonical_and_reach_the_machine(filtered_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = filtered_lab
    node = make(lab, "/servers", ORDER)
    assert machines.rules[node["id"]] is None
    firewall = make(lab, "/firewalls", {"name": "f", "rules": [SSH], "apply_to": [_server(node["id"])]})
    assert firewall["rules"][0]["source_ips"] == ["2001:db8::/64", "10.0.0.0/8"]
    assert server(lab, node["id"])["public_net"]["firewalls"] == [{"id": firewall["id"], "status": "applied"}]
    assert machines.rules[node["id"]] == (FirewallRule("in", "tcp", "22", ("2001:db8::/64", "10.0.0.0/8")),)
    lab.api("POST", f"/firewalls/{firewall['id']}/actions/set_rules", {"rules": []})
    lab.idle()
    assert machines.rules[node["id"]] == ()
    body = {"remove_from": [_server(node["id"])]}
    lab.api("POST", f"/firewalls/{firewall['id']}/actions/remove_from_resources", body)
    lab.idle()
    assert machines.rules[node["id"]] is None
    assert server(lab, node["id"])["public_net"]["firewalls"] == []
    assert lab.api("DELETE", f"/firewalls/{firewall['id']}")[0] == 204


def test_rules_of_several_firewalls_add_up(filtered_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = filtered_lab
    first = make(lab, "/firewalls", {"name": "f", "rules": [SSH]})
    web = {**SSH, "port": "80-85"}
    second = make(lab, "/firewalls", {"name": "g", "rules": [web]})
    order = {**ORDER, "firewalls": [{"firewall": first["id"]}, {"firewall": second["id"]}]}
    node = make(lab, "/servers", order)
    assert [rule.port for rule in machines.rules[node["id"]] or ()] == ["22", "80-85"]


def test_a_label_selector_follows_labels_a_moment_later(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, label_seconds=0.3) as lab:
        firewall = make(lab, "/firewalls", {"name": "f", "rules": [SSH], "apply_to": [_labels("role=edge")]})
        node = make(lab, "/servers", {**ORDER, "labels": {"role": "edge"}})
        assert server(lab, node["id"])["public_net"]["firewalls"] == [{"id": firewall["id"], "status": "applied"}]
        target = lab.api("GET", f"/firewalls/{firewall['id']}")[1]["firewall"]["applied_to"][0]
        assert target["applied_to_resources"] == [_server(node["id"])]
        path = f"/firewalls/{firewall['id']}/actions/remove_from_resources"
        refused = refusal(lab, "POST", path, {"remove_from": [_server(node["id"])]})
        assert refused == (422, "firewall_managed_by_label_selector")
        lab.api("PUT", f"/servers/{node['id']}", {"labels": {"role": "worker"}})
        assert server(lab, node["id"])["public_net"]["firewalls"], "the change must take a moment"
        lab.idle()
        assert server(lab, node["id"])["public_net"]["firewalls"] == []
        commands = [action["command"] for action in lab.api("GET", f"/servers/{node['id']}/actions")[1]["actions"]]
        assert commands == ["create_server", "start_server", "apply_firewall", "remove_firewall"]


def test_a_server_named_directly_stays_when_the_selector_goes(lab: LabCloud) -> None:
    node = make(lab, "/servers", {**ORDER, "labels": {"role": "edge"}})
    targets = [_server(node["id"]), _labels("role")]
    firewall = make(lab, "/firewalls", {"name": "f", "apply_to": targets})
    path = f"/firewalls/{firewall['id']}/actions/remove_from_resources"
    assert lab.api("POST", path, {"remove_from": [_labels("role")]})[0] == 201
    lab.idle()
    assert server(lab, node["id"])["public_net"]["firewalls"] == [{"id": firewall["id"], "status": "applied"}]
    assert refusal(lab, "DELETE", f"/firewalls/{firewall['id']}") == (422, "resource_in_use")
    assert lab.api("POST", path, {"remove_from": [_server(node["id"])]})[0] == 201
    lab.idle()
    assert lab.api("DELETE", f"/firewalls/{firewall['id']}")[0] == 204


def test_deleting_the_server_frees_the_firewall(lab: LabCloud) -> None:
    node = make(lab, "/servers", ORDER)
    firewall = make(lab, "/firewalls", {"name": "f", "apply_to": [_server(node["id"])]})
    lab.api("DELETE", f"/servers/{node['id']}")
    lab.idle()
    assert lab.api("DELETE", f"/firewalls/{firewall['id']}")[0] == 204


def test_limits_and_targets_that_cannot_be(lab: LabCloud) -> None:
    public = {"enable_ipv4": False, "enable_ipv6": False}
    network = make(
        lab,
        "/networks",
        {
            "name": "n",
            "ip_range": "10.0.0.0/16",
            "subnets": [{"type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.0.0/24"}],
        },
    )
    hidden = make(lab, "/servers", {**ORDER, "name": "hidden", "public_net": public, "networks": [network["id"]]})
    node = make(lab, "/servers", ORDER)
    firewalls = [make(lab, "/firewalls", {"name": f"f{n}"}) for n in range(6)]
    path = "/firewalls/{}/actions/apply_to_resources"
    body = {"apply_to": [_server(hidden["id"])]}
    assert refusal(lab, "POST", path.format(firewalls[0]["id"]), body) == (422, "private_net_only_server")
    assert refusal(lab, "POST", path.format(firewalls[0]["id"]), {"apply_to": [_server(1)]}) == (
        404,
        "firewall_resource_not_found",
    )
    for firewall in firewalls[:5]:
        assert lab.api("POST", path.format(firewall["id"]), {"apply_to": [_server(node["id"])]})[0] == 201
        lab.idle()
    refused = refusal(lab, "POST", path.format(firewalls[5]["id"]), {"apply_to": [_server(node["id"])]})
    assert refused == (403, "resource_limit_exceeded")
    too_many = {"name": "many", "rules": [SSH] * 51}
    assert refusal(lab, "POST", "/firewalls", too_many) == (422, "invalid_input")


@pytest.mark.parametrize(
    "change",
    [
        {"port": None},
        {"port": "85-80"},
        {"port": "70000"},
        {"port": "http"},
        {"protocol": "icmp"},
        {"source_ips": []},
        {"source_ips": ["10.0.0.1"]},
        {"source_ips": ["10.0.0.1/8"]},
        {"destination_ips": ["10.0.0.0/8"]},
        {"direction": "out"},
        {"source_ips": ["10.0.0.0/8"] * 101},
        {"colour": "red"},
    ],
)
def test_rules_that_are_none(lab: LabCloud, change: dict[str, Any]) -> None:
    status, answer = lab.api("POST", "/firewalls", {"name": "f", "rules": [{**SSH, **change}]})
    assert (status, answer["error"]["code"]) == (422, "invalid_input")
    assert answer["error"]["details"]["fields"][0]["name"].startswith("rules[0].")


def test_a_change_of_rules_conflicts_with_the_one_before_it(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, action_seconds=60) as lab:
        firewall = make(lab, "/firewalls", {"name": "f"})
        path = f"/firewalls/{firewall['id']}"
        assert lab.api("POST", f"{path}/actions/set_rules", {"rules": [SSH]})[0] == 201
        assert refusal(lab, "POST", f"{path}/actions/set_rules", {"rules": []}) == (409, "conflict")
        assert refusal(lab, "PUT", path, {"name": "g"}) == (409, "conflict")
        assert refusal(lab, "DELETE", path) == (409, "conflict")
