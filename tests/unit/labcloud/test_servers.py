# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, networks and placement over HTTP: what is allocated, locked, limited and protected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab_cloud import LabCloud, running_lab_cloud
from tests.unit.labcloud.lab_helpers import KEY, ORDER, ZONE, make, make_network, refusal, server


def test_a_server_comes_up_through_its_actions(lab: LabCloud) -> None:
    network = make_network(lab)
    _status, answer = lab.api("POST", "/servers", {**ORDER, "networks": [network["id"]], "location": "nbg1"})
    assert answer["server"]["status"] == "initializing"
    assert answer["server"]["locked"] is True
    assert answer["server"]["private_net"] == []
    assert answer["action"]["command"] == "create_server"
    assert [action["command"] for action in answer["next_actions"]] == ["attach_to_network", "start_server"]
    assert answer["root_password"]
    lab.idle()
    found = server(lab, answer["server"]["id"])
    assert (found["status"], found["locked"]) == ("running", False)
    assert found["public_net"]["ipv4"]["ip"] == "198.18.0.10"
    assert found["private_net"][0]["ip"] == "10.0.1.1"
    assert found["location"]["name"] == "nbg1"
    ids = "&".join(f"id={action['id']}" for action in [answer["action"], *answer["next_actions"]])
    assert {action["status"] for action in lab.api("GET", f"/actions?{ids}")[1]["actions"]} == {"success"}


def test_start_after_create_false_leaves_it_off_for_a_fixed_address(lab: LabCloud) -> None:
    network = make_network(lab)
    created = make(lab, "/servers", {**ORDER, "start_after_create": False})
    assert server(lab, created["id"])["status"] == "off"
    attach = f"/servers/{created['id']}/actions/attach_to_network"
    body = {"network": network["id"], "ip": "10.0.1.77", "alias_ips": ["10.0.1.78"]}
    assert lab.api("POST", attach, body)[0] == 201
    lab.idle()
    net = server(lab, created["id"])["private_net"][0]
    assert (net["ip"], net["alias_ips"]) == ("10.0.1.77", ["10.0.1.78"])
    member = lab.api("GET", f"/networks/{network['id']}/members")[1]["members"][0]
    assert member == {
        "id": created["id"],
        "type": "server",
        "ip": "10.0.1.77",
        "alias_ips": ["10.0.1.78"],
        "subnet": "10.0.1.0/24",
        "status": "ok",
    }


def test_addresses_are_given_once_and_lowest_first(lab: LabCloud) -> None:
    network = make_network(lab)
    servers = [make(lab, "/servers", {**ORDER, "name": f"n{n}", "networks": [network["id"]]}) for n in range(3)]
    found = [server(lab, item["id"]) for item in servers]
    assert [item["private_net"][0]["ip"] for item in found] == ["10.0.1.1", "10.0.1.2", "10.0.1.3"]
    assert [item["public_net"]["ipv4"]["ip"] for item in found] == [f"198.18.0.{n}" for n in (10, 11, 12)]
    lab.api("DELETE", f"/servers/{servers[1]['id']}")
    lab.idle()
    again = make(lab, "/servers", {**ORDER, "name": "n9", "networks": [network["id"]]})
    assert server(lab, again["id"])["private_net"][0]["ip"] == "10.0.1.2"
    assert server(lab, again["id"])["public_net"]["ipv4"]["ip"] == "198.18.0.11"


@pytest.mark.parametrize("ip", ["10.0.1.1", "10.0.1.0", "10.0.1.255", "10.0.2.1", "10.0.0.1", "192.168.0.1"])
def test_an_address_that_cannot_be_had(lab: LabCloud, ip: str) -> None:
    network = make_network(lab)
    make(lab, "/servers", {**ORDER, "name": "first", "networks": [network["id"]]})  # has 10.0.1.1
    second = make(lab, "/servers", ORDER)
    path = f"/servers/{second['id']}/actions/attach_to_network"
    assert refusal(lab, "POST", path, {"network": network["id"], "ip": ip}) == (422, "ip_not_available")


def test_overlapping_networks_and_the_wrong_zone_are_refused_at_attaching(lab: LabCloud) -> None:
    first, second = make_network(lab), make_network(lab, name="same")
    node = make(lab, "/servers", {**ORDER, "networks": [first["id"]]})
    path = f"/servers/{node['id']}/actions/attach_to_network"
    assert refusal(lab, "POST", path, {"network": second["id"]}) == (422, "networks_overlap")
    overseas = make(lab, "/servers", {**ORDER, "name": "us", "server_type": "ccx13", "location": "ash"})
    path = f"/servers/{overseas['id']}/actions/attach_to_network"
    assert refusal(lab, "POST", path, {"network": first["id"]}) == (422, "no_subnet_available")


def test_a_subnet_of_one_is_soon_full(lab: LabCloud) -> None:
    subnet = {"type": "cloud", "ip_range": "10.0.0.0/30", "network_zone": ZONE}
    network = make(lab, "/networks", {"name": "small", "ip_range": "10.0.0.0/24", "subnets": [subnet]})
    make(lab, "/servers", {**ORDER, "networks": [network["id"]]})
    order = {**ORDER, "name": "second", "networks": [network["id"]]}
    assert refusal(lab, "POST", "/servers", order) == (422, "no_subnet_available")
    # What is refused leaves nothing behind.
    assert [item["name"] for item in lab.api("GET", "/servers")[1]["servers"]] == ["node"]
    assert len(lab.api("GET", "/primary_ips")[1]["primary_ips"]) == 2


def test_a_running_action_locks_the_server_and_a_network_conflicts(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, action_seconds=60) as lab:
        _status, answer = lab.api("POST", "/servers", ORDER)
        server_id = answer["server"]["id"]
        assert refusal(lab, "POST", f"/servers/{server_id}/actions/poweroff") == (423, "locked")
        assert refusal(lab, "DELETE", f"/servers/{server_id}") == (423, "locked")
        assert lab.api("PUT", f"/servers/{server_id}", {"labels": {"a": "b"}})[0] == 200
        assert lab.api("GET", f"/actions/{answer['action']['id']}")[1]["action"]["status"] == "running"
        _status, made = lab.api("POST", "/networks", {"name": "n", "ip_range": "10.0.0.0/16"})
        actions = f"/networks/{made['network']['id']}/actions"
        subnet = {"type": "cloud", "network_zone": ZONE}
        assert lab.api("POST", f"{actions}/add_subnet", subnet)[0] == 201
        assert refusal(lab, "POST", f"{actions}/add_subnet", subnet) == (409, "conflict")
        assert refusal(lab, "PUT", f"/networks/{made['network']['id']}", {"name": "m"}) == (409, "conflict")


def test_a_spread_group_takes_ten(lab: LabCloud) -> None:
    group = make(lab, "/placement_groups", {"name": "g", "type": "spread"})
    for number in range(10):
        order = {**ORDER, "name": f"n{number}", "placement_group": group["id"]}
        assert lab.api("POST", "/servers", order)[0] == 201
    order = {**ORDER, "name": "n10", "placement_group": group["id"]}
    assert refusal(lab, "POST", "/servers", order) == (422, "placement_error")
    assert len(lab.api("GET", f"/placement_groups/{group['id']}")[1]["placement_group"]["servers"]) == 10


def test_stock_is_by_type_and_location_and_shown(lab: LabCloud) -> None:
    lab.stock("cx23", "fsn1", False)
    order = {**ORDER, "location": "fsn1"}
    assert refusal(lab, "POST", "/servers", order) == (412, "resource_unavailable")
    cx23 = lab.api("GET", "/server_types?name=cx23")[1]["server_types"][0]
    assert {place["name"]: place["available"] for place in cx23["locations"]} == {
        "fsn1": False,
        "nbg1": True,
        "hel1": True,
    }
    assert lab.api("POST", "/servers", {**order, "location": "hel1"})[0] == 201
    lab.stock("cx23", "fsn1", True)
    assert lab.api("POST", "/servers", {**order, "name": "again"})[0] == 201


def test_what_is_deprecated_is_marked_and_what_is_over_is_refused(lab: LabCloud) -> None:
    cpx11 = lab.api("GET", "/server_types?name=cpx11")[1]["server_types"][0]
    places = {place["name"]: place for place in cpx11["locations"]}
    assert places["fsn1"]["deprecation"]
    assert not places["fsn1"]["available"]
    assert places["ash"]["deprecation"] is None
    assert refusal(lab, "POST", "/servers", {**ORDER, "server_type": "cpx11"}) == (422, "invalid_input")
    assert lab.api("POST", "/servers", {**ORDER, "server_type": "cpx11", "location": "ash"})[0] == 201
    names = [image["name"] for image in lab.api("GET", "/images?architecture=x86")[1]["images"]]
    assert "ubuntu-22.04" not in names
    assert sorted(names) == ["debian-12", "debian-13", "ubuntu-24.04"]
    all_names = [image["name"] for image in lab.api("GET", "/images?include_deprecated=true")[1]["images"]]
    assert "ubuntu-22.04" in all_names


def test_an_image_belongs_to_an_architecture(lab: LabCloud) -> None:
    arm = make(lab, "/servers", {**ORDER, "server_type": "cax11"})
    assert server(lab, arm["id"])["image"]["architecture"] == "arm"
    x86_id = lab.api("GET", "/images?name=debian-13&architecture=x86")[1]["images"][0]["id"]
    order = {**ORDER, "name": "b", "server_type": "cax11", "image": str(x86_id)}
    assert refusal(lab, "POST", "/servers", order) == (422, "invalid_input")


def test_protection_holds_until_it_is_lifted(lab: LabCloud) -> None:
    node = make(lab, "/servers", ORDER)
    actions = f"/servers/{node['id']}/actions"
    assert lab.api("POST", f"{actions}/change_protection", {"delete": True, "rebuild": True})[0] == 201
    assert refusal(lab, "DELETE", f"/servers/{node['id']}") == (423, "protected")
    assert refusal(lab, "POST", f"{actions}/rebuild", {"image": "debian-13"}) == (423, "protected")
    assert lab.api("POST", f"{actions}/change_protection", {"delete": False, "rebuild": False})[0] == 201
    assert lab.api("DELETE", f"/servers/{node['id']}")[0] == 200
    lab.idle()
    assert refusal(lab, "GET", f"/servers/{node['id']}") == (404, "not_found")
    assert lab.api("GET", "/primary_ips")[1]["primary_ips"] == []


def test_put_replaces_all_labels(lab: LabCloud) -> None:
    node = make(lab, "/servers", {**ORDER, "labels": {"a": "1", "b": "2"}})
    lab.api("PUT", f"/servers/{node['id']}", {"labels": {"b": "3"}})
    assert server(lab, node["id"])["labels"] == {"b": "3"}
    lab.api("PUT", f"/servers/{node['id']}", {"name": "other"})
    assert server(lab, node["id"])["labels"] == {"b": "3"}


def test_every_fault_of_a_request_is_told_at_once(lab: LabCloud) -> None:
    status, answer = lab.api("POST", "/servers", {"name": "a b", "labels": {"-": "x"}, "start_after_create": "yes"})
    assert status == 422
    named = {field["name"] for field in answer["error"]["details"]["fields"]}
    assert named == {"name", "labels", "start_after_create", "server_type", "image"}
    assert all(field in answer["error"]["message"] for field in named)


def test_a_key_is_unique_by_name_and_by_fingerprint(lab: LabCloud) -> None:
    make(lab, "/ssh_keys", {"name": "a", "public_key": KEY})
    status, answer = lab.api("POST", "/ssh_keys", {"name": "b", "public_key": KEY.replace("frontdesk", "x@y")})
    assert (status, answer["error"]["details"]) == (409, {"fields": [{"name": "public_key"}]})
    status, answer = lab.api("POST", "/ssh_keys", {"name": "a", "public_key": KEY})
    assert (status, answer["error"]["details"]) == (409, {"fields": [{"name": "name"}]})


def test_shutdown_says_only_that_the_signal_was_sent(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, action_seconds=0.2) as lab:
        node = make(lab, "/servers", ORDER)
        _status, answer = lab.api("POST", f"/servers/{node['id']}/actions/shutdown")
        path = f"/actions/{answer['action']['id']}"
        while lab.api("GET", path)[1]["action"]["status"] == "running":
            pass
        assert server(lab, node["id"])["status"] == "running"
        lab.idle()
        assert server(lab, node["id"])["status"] == "off"


def test_prices_are_strings_net_and_gross_by_location(lab: LabCloud) -> None:
    cx23 = lab.api("GET", "/server_types?name=cx23")[1]["server_types"][0]
    price = next(entry for entry in cx23["prices"] if entry["location"] == "fsn1")["price_monthly"]
    assert price == {"net": "3.4900000000", "gross": "4.1531000000000000"}
    pricing = lab.api("GET", "/pricing")[1]["pricing"]
    assert pricing["currency"] == "EUR"
    listed = next(entry for entry in pricing["server_types"] if entry["name"] == "cx23")
    assert listed["prices"] == cx23["prices"]


def test_deleting_a_network_detaches_its_servers(lab: LabCloud) -> None:
    network = make_network(lab)
    node = make(lab, "/servers", {**ORDER, "networks": [network["id"]]})
    assert lab.api("DELETE", f"/networks/{network['id']}")[0] == 204
    assert server(lab, node["id"])["private_net"] == []


def test_at_most_a_hundred_members_in_a_network(lab: LabCloud) -> None:
    lab.project("many", "many", servers={"count": 100, "networks": 1})
    network = lab.api("GET", "/networks", token="many")[1]["networks"][0]
    status, answer = lab.api("POST", "/servers", {**ORDER, "networks": [network["id"]]}, token="many")
    assert (status, answer["error"]["code"]) == (403, "resource_limit_exceeded")
    assert answer["error"]["details"] == {"limits": [{"name": "network_members"}]}


def test_more_than_25_actions_in_one_call_are_silently_dropped(lab: LabCloud) -> None:
    node = make(lab, "/servers", ORDER)
    for _n in range(26):
        lab.api("POST", f"/servers/{node['id']}/actions/enable_backup")
    listed = lab.api("GET", f"/servers/{node['id']}/actions?per_page=50")[1]["actions"]
    assert len(listed) == 28
    ids = "&".join(f"id={action['id']}" for action in listed)
    found = lab.api("GET", f"/actions?{ids}")[1]["actions"]
    assert [action["id"] for action in found] == [action["id"] for action in listed[:25]]


def test_the_labs_own_work_is_in_no_answer(lab: LabCloud) -> None:
    network = make_network(lab)
    assert lab.api("GET", f"/networks/{network['id']}/actions")[1]["actions"] == []
    assert lab.api("GET", "/networks/actions")[1]["actions"] == []
    assert refusal(lab, "GET", f"/actions/{network['id'] + 1}") == (404, "not_found")
