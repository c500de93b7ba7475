# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of hetzner_infrastructure against the lab cloud's Hetzner."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import hetzner_apply, hetzner_module
from ansible_collections.frontdesk.platform.plugins.modules import hetzner_infrastructure
from tests.hetzner_runs import (
    NOTHING,
    OTHER_KEY,
    Case,
    Project,
    Triple,
    assert_changed_once,
    leaves,
    run_module,
    setting,
    triples,
    use_quick_clock,
    wanted_project,
)
from tests.lab_cloud import LabCloud

OWNER = {"frontdesk.platform/owner": "test"}


@pytest.fixture
def made(project: Project) -> Project:
    """A project in the wanted state with one server."""
    project.run(wanted_project(1))
    return project


CREATIONS: list[Triple] = [
    ("create", "ssh_key", "operator"),
    ("create", "placement_group", "spread"),
    ("create", "network", "main"),
    ("create", "firewall", "web"),
    ("create", "server", "web-1"),
    ("create", "server", "web-2"),
    ("create", "server", "web-3"),
]


class TestFromNothing:
    def test_check_mode_tells_what_the_run_then_does(self, project: Project) -> None:
        told = project.run(wanted_project(), check_mode=True)
        assert project.writes() == []
        assert triples(told) == CREATIONS
        assert all(change["after"]["id"] == "(known after creation)" for change in told["changes"])

        done = project.run(wanted_project())
        assert triples(done) == CREATIONS
        assert all(isinstance(change["after"]["id"], int) for change in done["changes"])

    def test_servers_are_as_wanted(self, project: Project) -> None:
        resources = project.run(wanted_project())["resources"]
        for number in (1, 2, 3):
            found = resources["server"][f"web-{number}"]
            assert found["networks"] == [{"name": "main", "ip": f"10.0.1.{10 + number}", "alias_ips": []}]
            assert found["status"] == "running"
            assert found["firewalls"] == ["web"]
            assert found["placement_group"] == "spread"
            assert found["labels"]["frontdesk.platform/owner"] == "test"

    def test_second_run_reads_and_changes_nothing(self, made: Project) -> None:
        writes = made.writes()
        result = made.run(wanted_project(1))
        assert (result["changed"], result["changes"]) == (False, [])
        assert made.writes() == writes

    def test_a_fixed_address_is_there_before_the_first_boot(self, made: Project) -> None:
        path = [path for _method, path in made.writes() if "/servers" in path]
        number = made.live("servers", "web-1")["id"]
        assert path == [
            "/servers",
            f"/servers/{number}/actions/attach_to_network",
            f"/servers/{number}/actions/poweron",
        ]

    def test_without_a_fixed_address_one_call_makes_a_server(self, project: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["networks"] = [{"name": "main"}]
        project.run(wanted)
        assert sum("/servers" in path for _method, path in project.writes()) == 1
        assert project.live("servers", "web-1")["private_net"][0]["ip"].startswith("10.0.1.")

    def test_a_private_server_has_its_address_and_no_firewall(self, project: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0].update(public_ipv4=False, public_ipv6=False, firewalls=[])
        project.run(wanted)
        assert project.live("servers", "web-1")["private_net"][0]["ip"] == "10.0.1.11"
        assert not project.run(wanted)["changed"]


# --- one case for every option that is compared


def rich_project() -> dict[str, Any]:
    """The wanted project with something in every option."""
    wanted = wanted_project(1)
    wanted["networks"][0]["subnets"].append({"ip_range": "10.0.2.0/24", "network_zone": "eu-central"})
    wanted["networks"][0]["routes"] = [{"destination": "10.100.0.0/16", "gateway": "10.0.1.11"}]
    wanted["networks"].append(
        {
            "name": "spare",
            "ip_range": "10.9.0.0/16",
            "subnets": [
                {"ip_range": "10.9.1.0/24", "network_zone": "eu-central", "type": "vswitch", "vswitch_id": 1000}
            ],
        }
    )
    wanted["firewalls"][0]["apply_to"] = []
    wanted["firewalls"].append({"name": "admin", "rules": [], "apply_to": []})
    wanted["placement_groups"].append({"name": "other"})
    return wanted


def _server(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return setting("servers", 0, name, value=value)


NETWORK = [("update", "network", "main")]
SPARE = [("update", "network", "spare")]
FIREWALL = [("update", "firewall", "web")]
SERVER = [("update", "server", "web-1")]
REPLACED = [("replace", "server", "web-1")]
RULE = ("firewalls", 0, "rules", 0)
NAMED = {"replace": ["web-1"]}
OUTGOING = {"direction": "out", "protocol": "tcp", "port": "443", "destination_ips": ["0.0.0.0/0"]}

CASES: dict[str, Case] = {
    "networks.ip_range": Case(setting("networks", 0, "ip_range", value="10.0.0.0/13"), NETWORK),
    "networks.labels": Case(setting("networks", 0, "labels", value={"tier": "web"}), NETWORK),
    "networks.delete_protection": Case(setting("networks", 0, "delete_protection", value=True), NETWORK),
    "networks.subnets.ip_range": Case(setting("networks", 0, "subnets", 1, "ip_range", value="10.0.2.0/25"), NETWORK),
    "networks.subnets.network_zone": Case(
        setting("networks", 1, "subnets", 0, value={"ip_range": "10.9.1.0/24", "network_zone": "us-east"}), SPARE
    ),
    "networks.subnets.type": Case(
        setting("networks", 1, "subnets", 0, value={"ip_range": "10.9.1.0/24", "network_zone": "eu-central"}), SPARE
    ),
    "networks.subnets.vswitch_id": Case(setting("networks", 1, "subnets", 0, "vswitch_id", value=1001), SPARE),
    "networks.routes.destination": Case(
        setting("networks", 0, "routes", 0, "destination", value="10.101.0.0/16"), NETWORK
    ),
    "networks.routes.gateway": Case(setting("networks", 0, "routes", 0, "gateway", value="10.0.1.12"), NETWORK),
    "firewalls.labels": Case(setting("firewalls", 0, "labels", value={"tier": "web"}), FIREWALL),
    "firewalls.rules.direction": Case(setting(*RULE, value=OUTGOING), FIREWALL),
    "firewalls.rules.protocol": Case(setting(*RULE, "protocol", value="udp"), FIREWALL),
    "firewalls.rules.port": Case(setting(*RULE, "port", value="8000-8080"), FIREWALL),
    "firewalls.rules.source_ips": Case(setting(*RULE, "source_ips", value=["192.0.2.0/24"]), FIREWALL),
    "firewalls.rules.destination_ips": Case(
        setting("firewalls", 1, "rules", value=[OUTGOING]), [("update", "firewall", "admin")]
    ),
    "firewalls.rules.description": Case(setting(*RULE, "description", value="HTTPS"), FIREWALL),
    "firewalls.apply_to.label_selector": Case(
        setting("firewalls", 1, "apply_to", value=[{"label_selector": "tier=none"}]), [("update", "firewall", "admin")]
    ),
    # The server says which firewalls it has, so the change is the server's.
    "firewalls.apply_to.server": Case(setting("firewalls", 1, "apply_to", value=[{"server": "web-1"}]), SERVER),
    "ssh_keys.labels": Case(setting("ssh_keys", 0, "labels", value={"who": "me"}), [("update", "ssh_key", "operator")]),
    "ssh_keys.public_key": Case(
        setting("ssh_keys", 0, "public_key", value=OTHER_KEY),
        [("replace", "ssh_key", "operator")],
        {"replace": ["ssh_key/operator"]},
    ),
    "placement_groups.labels": Case(
        setting("placement_groups", 0, "labels", value={"tier": "web"}), [("update", "placement_group", "spread")]
    ),
    "servers.server_types": Case(_server("server_types", ["cpx22"]), SERVER, NAMED),
    "servers.locations": Case(_server("locations", ["nbg1"]), REPLACED, NAMED),
    "servers.image": Case(_server("image", "ubuntu-24.04"), REPLACED, NAMED),
    "servers.placement_group": Case(_server("placement_group", "other"), SERVER, NAMED),
    "servers.networks.name": Case(
        _server("networks", [{"name": "main", "ip": "10.0.1.11"}, {"name": "second"}]),
        [("create", "network", "second"), *SERVER],
    ),
    "servers.networks.ip": Case(_server("networks", [{"name": "main", "ip": "10.0.1.77"}]), SERVER),
    "servers.networks.alias_ips": Case(
        _server("networks", [{"name": "main", "ip": "10.0.1.11", "alias_ips": ["10.0.1.80"]}]), SERVER
    ),
    "servers.firewalls": Case(_server("firewalls", ["admin"]), SERVER),
    "servers.user_data": Case(_server("user_data", "#cloud-config\n{a: b}\n"), REPLACED, NAMED),
    "servers.labels": Case(_server("labels", {"tier": "web"}), SERVER),
    "servers.public_ipv4": Case(_server("public_ipv4", False), REPLACED, NAMED),
    "servers.public_ipv6": Case(_server("public_ipv6", False), REPLACED, NAMED),
    "servers.backups": Case(_server("backups", True), SERVER),
    "servers.delete_protection": Case(_server("delete_protection", True), SERVER),
    "servers.rebuild_protection": Case(_server("rebuild_protection", True), SERVER),
    "servers.running": Case(_server("running", False), SERVER),
}
# A name selects; the API does not tell a server's keys; of placement groups there is one type.
NOT_COMPARED = {
    "networks.name",
    "firewalls.name",
    "ssh_keys.name",
    "placement_groups.name",
    "placement_groups.type",
    "servers.name",
    "servers.ssh_keys",
}


KINDS = {"networks", "firewalls", "ssh_keys", "placement_groups", "servers"}


def test_every_option_has_a_case() -> None:
    # Volumes and load balancers have tests of their own.
    spec = {name: option for name, option in hetzner_infrastructure.argument_spec().items() if name in KINDS}
    assert set(leaves(spec)) == set(CASES) | NOT_COMPARED


def _changed(name: str) -> dict[str, Any]:
    wanted = rich_project()
    CASES[name].change(wanted)
    if name == "servers.networks.name":
        subnets = [{"ip_range": "10.20.1.0/24", "network_zone": "eu-central"}]
        wanted["networks"].append({"name": "second", "ip_range": "10.20.0.0/16", "subnets": subnets})
    return wanted


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_changed_option_is_changed_once(name: str, project: Project) -> None:
    assert_changed_once(project, rich_project(), _changed(name), CASES[name])


class TestReplace:
    GUARDED = ("server_types", "locations", "image", "placement_group", "user_data", "public_ipv4", "public_ipv6")

    def test_refused_with_all_reasons_before_any_write(self, made: Project) -> None:
        wanted = wanted_project(2)
        wanted["servers"][0].update(image="ubuntu-24.04", locations=["hel1"])
        wanted["ssh_keys"][0]["public_key"] = OTHER_KEY
        writes = made.writes()
        result = made.try_run(wanted)
        assert result["failed"]
        for part in (
            "server web-1: image debian-13 -> ubuntu-24.04",
            "server web-1: location fsn1 -> hel1",
            "ssh key operator: public_key",
            "name them in replace",
        ):
            assert part in result["msg"]
        assert made.writes() == writes

    @pytest.mark.parametrize("option", GUARDED)
    def test_each_guarded_option_is_refused(self, option: str, project: Project) -> None:
        project.run(rich_project())
        result = project.try_run(_changed(f"servers.{option}"), check_mode=True)
        assert "web-1" in result["msg"]

    def test_switching_backups_off_is_refused(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["backups"] = True
        made.run(wanted)
        wanted["servers"][0]["backups"] = False
        assert "deletes the server's backups" in made.try_run(wanted)["msg"]
        assert triples(made.run(wanted, **NAMED)) == SERVER
        assert made.live("servers", "web-1")["backup_window"] is None

    def test_a_new_server_takes_the_place(self, made: Project) -> None:
        old = made.live("servers", "web-1")
        wanted = wanted_project(1)
        wanted["servers"][0]["image"] = "ubuntu-24.04"
        made.run(wanted, **NAMED)
        new = made.live("servers", "web-1")
        assert new["id"] != old["id"]
        assert new["image"]["name"] == "ubuntu-24.04"
        assert new["private_net"][0]["ip"] == "10.0.1.11"
        assert new["status"] == "running"

    def test_a_type_change_keeps_server_and_disk(self, made: Project) -> None:
        old = made.live("servers", "web-1")
        wanted = wanted_project(1)
        wanted["servers"][0]["server_types"] = ["cpx22"]
        made.run(wanted, **NAMED)
        new = made.live("servers", "web-1")
        assert (new["id"], new["primary_disk_size"]) == (old["id"], old["primary_disk_size"])
        assert (new["server_type"]["name"], new["status"]) == ("cpx22", "running")

    def test_a_type_of_another_architecture_is_impossible(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["server_types"] = ["cax11"]
        assert "architecture" in made.try_run(wanted, **NAMED)["msg"]

    def test_a_protected_server_needs_a_second_permission(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["delete_protection"] = True
        made.run(wanted)
        wanted["servers"][0]["image"] = "ubuntu-24.04"
        assert "delete_protected" in made.try_run(wanted, **NAMED)["msg"]
        done = made.run(wanted, **NAMED, delete_protected=["web-1"])
        assert triples(done) == REPLACED
        assert made.live("servers", "web-1")["protection"]["delete"] is True

    def test_a_network_is_replaced_under_its_servers(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["networks"][0] |= {
            "ip_range": "10.1.0.0/16",
            "subnets": [{"ip_range": "10.1.1.0/24", "network_zone": "eu-central"}],
        }
        wanted["servers"][0]["networks"] = [{"name": "main", "ip": "10.1.1.11"}]
        assert "can only grow" in made.try_run(wanted)["msg"]
        done = made.run(wanted, replace=["network/main"])
        assert triples(done) == [("replace", "network", "main"), *SERVER]
        assert made.live("servers", "web-1")["private_net"][0]["ip"] == "10.1.1.11"
        assert not made.run(wanted)["changed"]


class TestForeign:
    def test_labels_of_others_survive_and_left_groups_go(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["labels"] = {"group.frontdesk.platform/web": "true"}
        made.run(wanted)
        live = made.live("servers", "web-1")
        labels = {**live["labels"], "theirs": "1", "frontdesk.platform/ssh-host-key": "abc"}
        made.api("PUT", f"/servers/{live['id']}", {"labels": labels})
        assert not made.run(wanted)["changed"]
        wanted["servers"][0]["labels"] = {"group.frontdesk.platform/db": "true"}
        assert triples(made.run(wanted)) == SERVER
        after = made.live("servers", "web-1")["labels"]
        assert after["theirs"] == "1"
        assert after["frontdesk.platform/ssh-host-key"] == "abc"
        assert after["group.frontdesk.platform/db"] == "true"
        assert "group.frontdesk.platform/web" not in after

    def test_a_taken_name_is_an_error_for_all_of_them(self, project: Project) -> None:
        project.api("POST", "/networks", {"name": "main", "ip_range": "10.0.0.0/16"})
        project.api("POST", "/placement_groups", {"name": "spread", "type": "spread", "labels": {"x": "y"}})
        result = project.try_run(wanted_project(1))
        assert "network main" in result["msg"]
        assert "placement group spread" in result["msg"]
        assert "adopt" in result["msg"]
        assert project.creations() == ["/networks", "/placement_groups"]

    def test_adopt_takes_over(self, project: Project) -> None:
        project.api("POST", "/networks", {"name": "main", "ip_range": "10.0.0.0/16", "labels": {"x": "y"}})
        done = project.run(wanted_project(1), adopt=["network/main"])
        assert ("update", "network", "main") in triples(done)
        assert project.live("networks", "main")["labels"] == {"x": "y", **OWNER}

    def test_another_owner_is_foreign(self, made: Project) -> None:
        assert "web-1" in made.try_run(wanted_project(1), owner="somebody-else")["msg"]

    def test_a_key_under_another_name(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["ssh_keys"] = [{"name": "mine", "public_key": wanted["ssh_keys"][0]["public_key"]}]
        del wanted["servers"]
        assert "under the name operator" in made.try_run(wanted)["msg"]
        assert triples(made.run(wanted, prune=True)) == [
            ("delete", "ssh_key", "operator"),
            ("create", "ssh_key", "mine"),
        ]

    def test_a_private_network_of_others_stays_attached(self, made: Project) -> None:
        number = made.live("servers", "web-1")["id"]
        subnets = [{"type": "cloud", "ip_range": "10.50.1.0/24", "network_zone": "eu-central"}]
        other = made.api("POST", "/networks", {"name": "theirs", "ip_range": "10.50.0.0/16", "subnets": subnets})
        made.api("POST", f"/servers/{number}/actions/attach_to_network", {"network": other["network"]["id"]})
        assert not made.run(wanted_project(1))["changed"]


class TestPrune:
    def test_needs_permission(self, made: Project) -> None:
        assert made.run({**wanted_project(1), "servers": []})["changes"] == []

    def test_deletes_what_is_ours_and_not_listed(self, made: Project) -> None:
        made.api("POST", "/networks", {"name": "theirs", "ip_range": "10.50.0.0/16"})
        nothing: dict[str, Any] = {key: [] for key in wanted_project(1)}
        told = made.run(nothing, check_mode=True, prune=True)
        done = made.run(nothing, prune=True)
        assert triples(told) == triples(done)
        assert set(triples(done)) == {
            ("delete", "server", "web-1"),
            ("delete", "ssh_key", "operator"),
            ("delete", "placement_group", "spread"),
            ("delete", "network", "main"),
            ("delete", "firewall", "web"),
        }
        assert [network["name"] for network in made.all("networks")] == ["theirs"]
        assert made.all("servers") == []
        assert not made.run(nothing, prune=True)["changed"]

    def test_nothing_listed_deletes_nothing(self, made: Project) -> None:
        refused = made.try_run({}, prune=True)
        assert refused["failed"]
        assert "give the kinds to be emptied as []" in refused["msg"]
        assert len(made.all("servers")) == 1

    def test_kinds_that_are_not_listed_stay(self, made: Project) -> None:
        assert triples(made.run({"servers": []}, prune=True)) == [("delete", "server", "web-1")]
        assert len(made.all("networks")) == 1

    def test_what_a_protected_server_uses_is_kept(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["delete_protection"] = True
        made.run(wanted)
        nothing: dict[str, Any] = {key: [] for key in wanted}
        result = made.run(nothing, prune=True)
        kept = {(item["kind"], item["name"]) for item in result["kept"]}
        assert kept == {("server", "web-1"), ("network", "main"), ("firewall", "web"), ("placement_group", "spread")}
        assert triples(result) == [("delete", "ssh_key", "operator")]
        assert len(triples(made.run(nothing, prune=True, delete_protected=["web-1"]))) == 4
        assert made.all("servers") == []

    def test_a_firewall_with_targets_is_released_first(self, project: Project) -> None:
        wanted = wanted_project(1)
        wanted["firewalls"][0]["apply_to"] = [{"label_selector": "tier=none"}]
        project.run(wanted)
        project.run({"firewalls": [], "servers": []}, prune=True)
        assert project.all("firewalls") == []

    def test_a_network_that_a_listed_server_leaves(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["networks"] = []
        wanted["networks"] = []
        assert set(triples(made.run(wanted, prune=True))) == {*SERVER, ("delete", "network", "main")}
        assert made.all("networks") == []


class TestMoves:
    def test_two_servers_swap_their_addresses(self, project: Project) -> None:
        wanted = wanted_project(2)
        project.run(wanted)
        one, two = wanted["servers"]
        one["networks"], two["networks"] = two["networks"], one["networks"]
        project.run(wanted)
        assert project.live("servers", "web-1")["private_net"][0]["ip"] == "10.0.1.12"
        assert project.live("servers", "web-2")["private_net"][0]["ip"] == "10.0.1.11"

    def test_a_subnet_is_cut(self, project: Project) -> None:
        wanted = {"networks": wanted_project(0)["networks"]}
        project.run(wanted)
        wanted["networks"][0]["subnets"][0]["ip_range"] = "10.0.1.0/25"
        assert triples(project.run(wanted)) == NETWORK
        assert [subnet["ip_range"] for subnet in project.live("networks", "main")["subnets"]] == ["10.0.1.0/25"]

    def test_rules_in_another_order_and_spelling_are_the_same(self, made: Project) -> None:
        wanted = wanted_project(1)
        rules = wanted["firewalls"][0]["rules"]
        rules.reverse()
        for rule in rules:
            rule["source_ips"] = ["0:0::/0", "0.0.0.0/0"]
        rules[1]["port"] = "443-443"
        assert not made.run(wanted)["changed"]

    def test_a_server_leaves_its_placement_group_while_it_runs(self, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["placement_group"] = ""
        assert triples(made.run(wanted)) == SERVER
        live = made.live("servers", "web-1")
        assert (live["placement_group"], live["status"]) == (None, "running")

    def test_a_firewall_reaches_a_server_of_somebody_else(self, made: Project) -> None:
        body = {"name": "theirs", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
        made.api("POST", "/servers", body)
        wanted = {"firewalls": wanted_project(1)["firewalls"]}
        wanted["firewalls"][0]["apply_to"] = [{"server": "theirs"}, {"server": "web-1"}]
        assert triples(made.run(wanted)) == FIREWALL
        assert not made.run(wanted)["changed"]
        wanted["firewalls"][0]["apply_to"] = [{"server": "web-1"}]
        assert triples(made.run(wanted)) == FIREWALL
        assert made.live("servers", "theirs")["public_net"]["firewalls"] == []


class TestDrift:
    """Somebody changed by hand what we made."""

    def drifted(self, made: Project, action: str, body: Any = None, of: str = "servers/web-1") -> None:
        kind, name = of.split("/")
        made.api("POST", f"/{kind}/{made.live(kind, name)['id']}/actions/{action}", body)

    @pytest.mark.parametrize("action", ["poweroff", "remove_from_placement_group"])
    def test_server(self, action: str, made: Project) -> None:
        self.drifted(made, action)
        told = made.run(wanted_project(1), check_mode=True, **NAMED)
        assert triples(told) == SERVER
        assert triples(made.run(wanted_project(1), **NAMED)) == SERVER
        assert not made.run(wanted_project(1))["changed"]

    def test_attachment(self, made: Project) -> None:
        network = made.live("networks", "main")["id"]
        self.drifted(made, "detach_from_network", {"network": network})
        assert triples(made.run(wanted_project(1))) == SERVER
        assert made.live("servers", "web-1")["private_net"][0]["ip"] == "10.0.1.11"

    def test_rules(self, made: Project) -> None:
        self.drifted(made, "set_rules", {"rules": []}, of="firewalls/web")
        assert triples(made.run(wanted_project(1))) == FIREWALL
        assert len(made.live("firewalls", "web")["rules"]) == 2


class TestCost:
    def test_the_first_server_needs_a_yes(self, project: Project) -> None:
        result = project.run(wanted_project(), cost_confirmed=False)
        assert result["confirmation_needed"] is True
        assert result["changed"] is False
        # Three cx23 with an IPv4 address each: 3 x (3.49 + 0.50).
        assert result["cost"] == {
            "monthly_before": 0.0,
            "monthly_after": 11.97,
            "monthly_delta": 11.97,
            "currency": "EUR",
        }
        assert "11.97 EUR" in result["msg"]
        assert project.writes() == []

    def test_check_mode_asks_nothing(self, project: Project) -> None:
        result = project.run(wanted_project(), check_mode=True, cost_confirmed=False)
        assert (result["confirmation_needed"], triples(result)) == (False, CREATIONS)

    def test_a_second_server_needs_none(self, made: Project) -> None:
        result = made.run(wanted_project(2), cost_confirmed=False)
        assert triples(result) == [("create", "server", "web-2")]

    def test_what_is_free_needs_none(self, project: Project) -> None:
        wanted = {**wanted_project(), "servers": []}
        assert project.run(wanted, cost_confirmed=False)["changed"]

    @pytest.mark.parametrize(
        ("change", "delta"),
        [
            # cpx22 6.49 in place of cx23 3.49
            ({"server_types": ["cpx22"]}, 3.0),
            # a fifth of 3.49
            ({"backups": True}, 0.70),
            # without the address of 0.50
            ({"public_ipv4": False}, -0.50),
        ],
    )
    def test_changes(self, change: dict[str, Any], delta: float, made: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0].update(change)
        cost = made.run(wanted, check_mode=True, **NAMED)["cost"]
        assert cost["monthly_before"] == 3.99
        assert cost["monthly_delta"] == pytest.approx(delta)

    def test_deletion(self, made: Project) -> None:
        cost = made.run({"servers": []}, check_mode=True, prune=True)["cost"]
        assert (cost["monthly_before"], cost["monthly_after"]) == (3.99, 0.0)


class TestStock:
    def test_all_types_of_the_first_location_come_first(self, project: Project) -> None:
        project.lab.stock("cx23", "fsn1", False)
        try:
            project.run(wanted_project(1))
        finally:
            project.lab.stock("cx23", "fsn1", True)
        live = project.live("servers", "web-1")
        assert (live["server_type"]["name"], live["location"]["name"]) == ("cpx22", "fsn1")
        assert project.requests().count(("POST", "/servers")) == 1, "what is out of stock is not asked for"

    def test_a_refusal_goes_on_with_the_next(self, project: Project) -> None:
        project.lab.fault(
            effect="status", status=412, code="resource_unavailable", method="POST", path="^/servers$", times=2,
            token=project.token,
        )  # fmt: skip
        project.run(wanted_project(1))
        live = project.live("servers", "web-1")
        assert (live["server_type"]["name"], live["location"]["name"]) == ("cx23", "nbg1")

    def test_nothing_left_is_one_sentence(self, project: Project) -> None:
        project.lab.fault(
            effect="status", status=412, code="resource_unavailable", method="POST", path="^/servers$", times=None,
            token=project.token,
        )  # fmt: skip
        result = project.try_run(wanted_project(3))
        assert "cx23 in fsn1, cpx22 in fsn1, cx23 in nbg1, cpx22 in nbg1" in result["msg"]
        assert result["msg"].count(". ") <= 1
        assert "further server types or locations" in result["msg"]
        assert ("create", "network", "main") in triples(result)

    def test_what_one_server_found_out_of_stock_the_others_do_not_ask_for(self, project: Project) -> None:
        project.lab.fault(
            effect="status", status=412, code="resource_unavailable", method="POST", path="^/servers$", times=None,
            token=project.token,
        )  # fmt: skip
        wanted = wanted_project(20)
        for entry in wanted["servers"]:
            del entry["placement_group"]
        assert len(project.try_run(wanted)["errors"]) == 20
        # At most one question an offer from each of the threads that began together, not one from each server.
        assert project.requests().count(("POST", "/servers")) <= hetzner_apply.WORKERS * 4

    def test_no_stock_at_all_is_said_before_any_write(self, project: Project) -> None:
        wanted = wanted_project(1)
        # Types of the old CPX line cannot be ordered in the EU any more.
        wanted["servers"][0]["server_types"] = ["cpx11"]
        assert "no stock of cpx11 in fsn1, cpx11 in nbg1" in project.try_run(wanted)["msg"]
        assert project.writes() == []


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (_server("server_types", ["cx99"]), "no server type cx99"),
            (_server("image", None), "needs image"),
            (_server("networks", [{"name": "nowhere"}]), "network nowhere, which is neither listed nor there"),
            (_server("placement_group", "nowhere"), "placement group nowhere"),
            (_server("rebuild_protection", True), "must be equal"),
            (_server("networks", [{"name": "main", "ip": "10.0.1.999"}]), "10.0.1.999"),
            (setting("networks", 0, "ip_range", value="10.0.0.0/99"), "10.0.0.0/99"),
            (setting("ssh_keys", 0, "public_key", value="ssh-ed25519"), "no OpenSSH public key"),
            (setting("ssh_keys", 0, "public_key", value="ssh-ed25519 %%%"), "not base64"),
            (setting(*RULE, "source_ips", value=[]), "needs source_ips"),
            (setting("firewalls", 0, "apply_to", value=[{"server": "nowhere"}]), "server nowhere"),
        ],
    )
    def test_is_named_before_any_request_changes_anything(
        self, change: Callable[[dict[str, Any]], None], words: str, project: Project
    ) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["delete_protection"] = False
        change(wanted)
        result = project.try_run(wanted)
        assert words in result["msg"]
        assert project.writes() == []

    def test_all_faults_at_once(self, project: Project) -> None:
        wanted = wanted_project(2)
        wanted["servers"][1]["name"] = "web-1"
        wanted["networks"][0]["ip_range"] = "ten"
        wanted["ssh_keys"].append({**wanted["ssh_keys"][0], "name": "same"})
        result = project.try_run(wanted)
        assert len(result["errors"]) == 3

    def test_private_servers_cannot_have_firewalls(self, project: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0].update(public_ipv4=False, public_ipv6=False)
        assert "public interfaces only" in project.try_run(wanted)["msg"]
        wanted["servers"][0].update(firewalls=[], networks=[])
        assert "or a network" in project.try_run(wanted)["msg"]

    @pytest.mark.parametrize("token", ["two words", "line\nend", ""])
    def test_impossible_token(self, token: str, project: Project) -> None:
        result = project.try_run(wanted_project(1), api_token=token)
        assert "API token" in result["msg"]
        assert token not in result["msg"] or not token

    def test_impossible_endpoint(self, project: Project) -> None:
        result = project.try_run({}, api_endpoint="ftp://user:password@host/v1")
        assert "https://" in result["msg"]
        assert "password" not in result["msg"]


class TestSecrets:
    MARK = "in-the-user-data-4711"

    def test_neither_token_nor_user_data_is_shown(self, project: Project) -> None:
        wanted = wanted_project(1)
        wanted["servers"][0]["user_data"] = f"#cloud-config\n# {self.MARK}\n"
        shown = [project.try_run(wanted, check_mode=True), project.run(wanted)]
        wanted["servers"][0]["user_data"] = f"#cloud-config\n# other {self.MARK}\n"
        shown.append(project.try_run(wanted))
        shown.append(project.run(wanted, **NAMED))
        shown.append(project.try_run(wanted, api_token="wrong-token-4711"))
        text = json.dumps(shown)
        assert self.MARK not in text
        assert project.token not in text
        assert "wrong-token-4711" not in text
        assert "hash" in json.dumps(shown[3]["diff"])


class TestBudget:
    def test_hundred_servers_without_a_change_cost_ten_calls_at_most(
        self, lab: LabCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_quick_clock(monkeypatch)
        project = Project(lab, "hundred", servers={"count": 100, "labels": OWNER})
        names = [
            item["name"]
            for page in (1, 2)
            for item in project.api("GET", f"/servers?per_page=50&page={page}")["servers"]
        ]
        assert len(names) == 100
        servers = [{"name": name, "server_types": ["cx23"], "image": "debian-13"} for name in names]
        wanted = {**NOTHING, "servers": servers}
        result = project.run(wanted)
        assert result["changes"] == []
        assert result["api_calls"] <= 10


def test_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hetzner_module, "REQUESTS_IMPORT_ERROR", "ImportError: no requests")
    result = run_module("hetzner_infrastructure", {"api_token": "x", "owner": "test"})
    assert "requests" in result["msg"]
    assert result["failed"]


def test_the_documentation_names_every_option() -> None:
    text = hetzner_infrastructure.DOCUMENTATION
    for leaf in leaves(hetzner_infrastructure.argument_spec()):
        assert re.search(rf"^ +{leaf.rpartition('.')[2]}:$", text, re.MULTILINE), leaf
