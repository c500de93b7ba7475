# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers in hetzner_infrastructure, against the lab cloud's Hetzner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.modules import hetzner_infrastructure
from tests.hetzner_runs import (
    NOTHING,
    Case,
    Project,
    assert_changed_once,
    balancer,
    leaves,
    server,
    setting,
    triples,
    wanted_project,
    without,
)
from tests.lab_cloud import LabCloud, running_lab_cloud


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """One whose actions end at once: there are many of them here."""
    with running_lab_cloud(tmp_path_factory.mktemp("lab"), action_seconds=0.0, poll_seconds=0.005) as running:
        yield running


UPDATED = [("update", "load_balancer", "edge")]
REPLACED = [("replace", "load_balancer", "edge")]
NAMED = {"replace": ["load_balancer/edge"]}
EDGE = {"group.frontdesk.platform/edge": "true"}


def balanced(**options: Any) -> dict[str, Any]:
    """Two servers behind a load balancer, the first found by its label."""
    wanted = wanted_project(2)
    wanted["servers"][0]["labels"] = EDGE
    wanted["load_balancers"] = [balancer(**options)]
    return wanted


def rich() -> dict[str, Any]:
    """The same with something in every option."""
    check = {"protocol": "http", "port": 8080, "interval": 10, "timeout": 5, "retries": 2}
    asked = {"domain": "example.com", "path": "/up", "response": "ok", "status_codes": ["200", "204"], "tls": True}
    http = {"sticky_sessions": True, "cookie_name": "STUCK", "cookie_lifetime": 600, "timeout_idle": 100}
    wanted = balanced(
        algorithm="least_connections",
        labels={"tier": "edge"},
        delete_protection=True,
        public_interface=True,
        targets=[
            {"label_selector": "group.frontdesk.platform/edge=true", "use_private_ip": True},
            {"server": "web-2", "use_private_ip": True},
            {"ip": "203.0.113.7"},
        ],
        services=[
            {
                "listen_port": 80,
                "protocol": "http",
                "destination_port": 8080,
                "proxyprotocol": True,
                "health_check": {**check, "http": asked},
                "http": http,
            },
            {"listen_port": 443, "protocol": "tcp"},
        ],
    )
    wanted["networks"].append(
        {
            "name": "second",
            "ip_range": "10.1.0.0/16",
            "subnets": [{"ip_range": "10.1.1.0/24", "network_zone": "eu-central"}],
        }
    )
    return wanted


def edge(project: Project) -> dict[str, Any]:
    return project.live("load_balancers", "edge")


def steps(project: Project, start: int = 0) -> list[str]:
    """What was written to load balancers: the last word of each path, `create` and `delete`."""
    found = []
    for method, path in project.writes()[start:]:
        if path == "/load_balancers":
            found.append("create")
        elif path.startswith("/load_balancers/"):
            found.append("delete" if method == "DELETE" else path.rpartition("/")[2])
    return found


def ports(project: Project) -> list[int]:
    return [service["listen_port"] for service in edge(project)["services"]]


def _edge(*path: Any, value: Any) -> Any:
    return setting("load_balancers", 0, *path, value=value)


def _check(*path: Any, value: Any) -> Any:
    return _edge("services", 0, "health_check", *path, value=value)


def _http(name: str, value: Any) -> Any:
    return _edge("services", 0, "http", name, value=value)


def _alone(wanted: dict[str, Any]) -> None:
    """In no network, with public targets only."""
    wanted["load_balancers"][0] |= {"networks": [], "targets": [{"server": "web-2"}]}


def _in_zone(wanted: dict[str, Any]) -> None:
    _alone(wanted)
    del wanted["load_balancers"][0]["location"]
    wanted["load_balancers"][0]["network_zone"] = "eu-central"


def _passthrough(wanted: dict[str, Any]) -> None:
    """HTTPS without certificates: the targets decrypt."""
    wanted["load_balancers"][0]["services"] = [{"listen_port": 443, "protocol": "https", "http": {}}]


FREE = {"networks": [{"name": "second"}], "targets": [{"ip": "203.0.113.7"}]}
CASES = {
    "type": Case(_edge("type", value="lb21"), UPDATED),
    "location": Case(_edge("location", value="nbg1"), REPLACED, {**NAMED, "delete_protected": ["load_balancer/edge"]}),
    "network_zone": Case(
        _edge("network_zone", value="us-east"), REPLACED, {**NAMED, "delete_protected": ["edge"]}, start=_in_zone
    ),
    "algorithm": Case(_edge("algorithm", value="round_robin"), UPDATED),
    "labels": Case(_edge("labels", value={"tier": "other"}), UPDATED),
    "delete_protection": Case(_edge("delete_protection", value=False), UPDATED),
    "public_interface": Case(
        _edge("public_interface", value=False), UPDATED, start=lambda wanted: wanted["load_balancers"][0]["targets"].pop()
    ),
    "networks.name": Case(_edge("networks", value=[{"name": "second"}]), UPDATED, start=lambda wanted: (
        wanted["load_balancers"][0].update(FREE, networks=[{"name": "main"}])
    )),
    "networks.ip": Case(_edge("networks", 0, "ip", value="10.0.1.6"), UPDATED, NAMED),
    "targets.server": Case(_edge("targets", 1, "server", value="web-1"), UPDATED),
    "targets.label_selector": Case(_edge("targets", 0, "label_selector", value="tier in (a,b)"), UPDATED),
    "targets.ip": Case(_edge("targets", 2, "ip", value="203.0.113.8"), UPDATED),
    "targets.use_private_ip": Case(_edge("targets", 1, "use_private_ip", value=False), UPDATED),
    "services.listen_port": Case(_edge("services", 0, "listen_port", value=81), UPDATED),
    "services.protocol": Case(_edge("services", 1, "protocol", value="http"), UPDATED),
    "services.destination_port": Case(_edge("services", 0, "destination_port", value=8081), UPDATED),
    "services.proxyprotocol": Case(_edge("services", 0, "proxyprotocol", value=False), UPDATED),
    "services.health_check.protocol": Case(
        _check(value={"protocol": "tcp"}), UPDATED
    ),
    "services.health_check.port": Case(_check("port", value=8081), UPDATED),
    "services.health_check.interval": Case(_check("interval", value=60), UPDATED),
    "services.health_check.timeout": Case(_check("timeout", value=6), UPDATED),
    "services.health_check.retries": Case(_check("retries", value=5), UPDATED),
    "services.health_check.http.domain": Case(_check("http", "domain", value=""), UPDATED),
    "services.health_check.http.path": Case(_check("http", "path", value="/"), UPDATED),
    "services.health_check.http.response": Case(_check("http", "response", value=""), UPDATED),
    "services.health_check.http.status_codes": Case(_check("http", "status_codes", value=["2??"]), UPDATED),
    "services.health_check.http.tls": Case(_check("http", "tls", value=False), UPDATED),
    "services.http.sticky_sessions": Case(_http("sticky_sessions", False), UPDATED),
    "services.http.cookie_name": Case(_http("cookie_name", "OTHER"), UPDATED),
    "services.http.cookie_lifetime": Case(_http("cookie_lifetime", 30), UPDATED),
    "services.http.timeout_idle": Case(_http("timeout_idle", 300), UPDATED),
    "services.http.redirect_http": Case(_http("redirect_http", True), UPDATED, start=_passthrough),
}  # fmt: skip
# A name selects. The lab has no certificates; tests/unit/plugins/module_utils/test_hetzner_balancer.py has those cases.
NOT_COMPARED = {"name", "services.http.certificates"}
# Without these an entry is another one or none at all.
NEEDED = {"name", "targets.server", "targets.label_selector", "targets.ip", "networks.name", "services.listen_port"}
SPEC = hetzner_infrastructure.argument_spec()["load_balancers"]["options"]
LEAVES = {leaf.partition(".")[2] for leaf in leaves({"load_balancers": {"options": SPEC}})}


class TestEveryOption:
    def test_has_a_case(self) -> None:
        assert set(CASES) | NOT_COMPARED == LEAVES

    @pytest.mark.parametrize("name", sorted(CASES))
    def test_is_changed_once(self, name: str, project: Project) -> None:
        before, after = rich(), rich()
        for wanted in (before, after):
            CASES[name].start(wanted)
        CASES[name].change(after)
        assert_changed_once(project, before, after, CASES[name])

    @pytest.mark.parametrize("start", [Case.start, _in_zone, _passthrough], ids=["rich", "in a zone", "passthrough"])
    def test_is_left_alone_when_unset(self, start: Any, project: Project) -> None:
        wanted = rich()
        start(wanted)
        project.run(wanted)
        unset = {name: without(wanted, ["load_balancers", *name.split(".")]) for name in LEAVES - NEEDED}
        assert {name for name, less in unset.items() if project.run(less, check_mode=True)["changes"]} == set()

    def test_all_are_set_by_a_creation(self, project: Project) -> None:
        told = project.run(rich(), check_mode=True)
        done = project.run(rich())
        assert triples(told) == triples(done)
        assert triples(done)[-1] == ("create", "load_balancer", "edge")
        assert project.run(rich())["changes"] == []
        found, wanted = done["resources"]["load_balancer"]["edge"], rich()["load_balancers"][0]
        for field in ("type", "location", "algorithm", "networks", "delete_protection", "public_interface"):
            assert found[field] == wanted[field], field
        assert found["services"][0] == wanted["services"][0]
        # What check mode told is what is there, the unknown aside.
        after = told["changes"][-1]["after"]
        assert after["services"] == found["services"]

    @pytest.mark.parametrize("option", ["targets", "services"])
    def test_an_empty_list_removes_all(self, option: str, project: Project) -> None:
        project.run(rich())
        empty = rich()
        empty["load_balancers"][0][option] = []
        told = project.run(empty, check_mode=True)
        assert triples(told) == triples(project.run(empty)) == UPDATED
        assert edge(project)[option] == []
        assert project.run(empty)["changes"] == []


class TestCreation:
    def test_without_a_fixed_address_is_one_call(self, project: Project) -> None:
        project.run(balanced(networks=[{"name": "main"}]))
        assert steps(project) == ["create"]
        assert edge(project)["private_net"][0]["ip"].startswith("10.0.1.")
        assert len(edge(project)["targets"]) == 1

    def test_with_one_the_private_targets_follow_the_attachment(self, project: Project) -> None:
        project.run(balanced())
        assert steps(project) == ["create", "attach_to_network", "add_target"]
        assert edge(project)["private_net"][0]["ip"] == "10.0.1.5"

    def test_private_from_the_beginning(self, project: Project) -> None:
        project.run(balanced(public_interface=False))
        assert steps(project)[-1] == "disable_public_interface"
        assert edge(project)["public_net"]["enabled"] is False
        assert project.run(balanced(public_interface=False))["changes"] == []

    def test_comes_after_the_servers(self, project: Project) -> None:
        project.run(balanced(targets=[{"server": "web-1", "use_private_ip": True}]))
        made = [path for _method, path in project.writes()]
        last_attachment = max(index for index, path in enumerate(made) if path.startswith("/servers/"))
        assert made.index("/load_balancers") > last_attachment

    def test_smallest(self, project: Project) -> None:
        wanted = {"load_balancers": [{"name": "edge", "type": "lb11", "network_zone": "eu-central"}]}
        told = project.run(wanted, check_mode=True)["changes"][0]["after"]
        done = project.run(wanted)["changes"][0]["after"]
        assert told["location"] == "(known after creation)"
        assert done["location"] == edge(project)["location"]["name"]
        assert project.run(wanted)["changes"] == []


class TestServices:
    def test_defaults_are_filled_in_and_no_difference(self, project: Project) -> None:
        wanted = balanced(services=[{"listen_port": 80}, {"listen_port": 8080, "protocol": "http"}])
        project.run(wanted)
        first, second = edge(project)["services"]
        assert (first["protocol"], first["destination_port"], first["proxyprotocol"]) == ("tcp", 80, False)
        assert first["health_check"]["port"] == 80
        assert (second["http"]["cookie_name"], second["health_check"]["protocol"]) == ("HCLBSTICKY", "tcp")
        assert project.run(wanted)["changes"] == []

    def test_their_order_is_no_difference(self, project: Project) -> None:
        project.run(balanced())
        wanted = balanced()
        wanted["load_balancers"][0]["services"].reverse()
        wanted["load_balancers"][0]["services"][0]["health_check"]["http"]["status_codes"] = ["200"]
        assert project.run(wanted)["changes"] == []

    def test_only_the_one_that_differs_is_written(self, project: Project) -> None:
        project.run(balanced())
        start = len(project.writes())
        wanted = balanced()
        wanted["load_balancers"][0]["services"][1]["proxyprotocol"] = False
        project.run(wanted)
        assert steps(project, start) == ["update_service"]
        assert [service["proxyprotocol"] for service in edge(project)["services"]] == [True, False]

    def test_a_full_load_balancer_exchanges_its_services(self, project: Project) -> None:
        # lb11 takes five.
        project.run(balanced(services=[{"listen_port": port} for port in range(80, 85)]))
        project.run(balanced(services=[{"listen_port": port} for port in range(82, 87)]))
        assert sorted(ports(project)) == [82, 83, 84, 85, 86]

    def test_protocols_change_in_place(self, project: Project) -> None:
        tcp = balanced(services=[{"listen_port": 443, "protocol": "tcp"}])
        https = balanced(services=[{"listen_port": 443, "protocol": "https", "http": {"redirect_http": True}}])
        for wanted in (tcp, https, tcp):
            project.run(wanted)
            assert project.run(wanted)["changes"] == []
        assert edge(project)["services"][0]["protocol"] == "tcp"

    def test_drift_is_undone(self, project: Project) -> None:
        project.run(balanced())
        number = edge(project)["id"]
        project.api("POST", f"/load_balancers/{number}/actions/delete_service", {"listen_port": 443})
        project.api(
            "POST", f"/load_balancers/{number}/actions/update_service", {"listen_port": 80, "proxyprotocol": False}
        )
        project.api("POST", f"/load_balancers/{number}/actions/change_algorithm", {"type": "least_connections"})
        told = project.run(balanced(algorithm="round_robin"), check_mode=True)
        assert triples(told) == UPDATED
        assert set(told["changes"][0]["before"]) == {"services", "algorithm"}
        project.run(balanced(algorithm="round_robin"))
        assert project.run(balanced(algorithm="round_robin"))["changes"] == []


class TestTargets:
    def test_new_ones_come_before_old_ones_go(self, project: Project) -> None:
        project.run(balanced())
        start = len(project.writes())
        project.run(balanced(targets=[{"server": "web-2", "use_private_ip": True}]))
        assert steps(project, start) == ["add_target", "remove_target"]

    def test_a_way_that_is_not_said_is_left(self, project: Project) -> None:
        project.run(balanced())
        selector = balanced()["load_balancers"][0]["targets"][0]["label_selector"]
        assert project.run(balanced(targets=[{"label_selector": f" {selector} "}]))["changes"] == []

    def test_a_server_that_goes_is_left_alone_first(self, project: Project) -> None:
        targets = [{"server": f"web-{number}", "use_private_ip": True} for number in (1, 2)]
        project.run(balanced(targets=targets))
        start = len(project.writes())
        smaller = balanced(targets=targets[:1])
        smaller["servers"].pop()
        told = project.run(smaller, check_mode=True, prune=True)
        done = project.run(smaller, prune=True)
        assert triples(told) == triples(done) == [*UPDATED, ("delete", "server", "web-2")]
        first, second = project.writes()[start:]
        assert first[1].endswith("/remove_target")
        assert second[0] == "DELETE"
        assert project.run(smaller, prune=True)["changes"] == []

    def test_a_server_that_is_made_again_is_a_target_again(self, project: Project) -> None:
        wanted = balanced(targets=[{"server": "web-1", "use_private_ip": True}])
        project.run(wanted)
        wanted["servers"][0]["image"] = "ubuntu-24.04"
        told = project.run(wanted, check_mode=True, replace=["web-1"])
        assert triples(told) == triples(project.run(wanted, replace=["web-1"]))
        number = project.live("servers", "web-1")["id"]
        assert [target["server"]["id"] for target in edge(project)["targets"]] == [number]
        assert project.run(wanted)["changes"] == []

    def test_one_more_server_by_its_label(self, project: Project) -> None:
        project.run(balanced())
        wanted = balanced()
        wanted["servers"].append(server("web-3", 13, labels=EDGE))
        assert triples(project.run(wanted)) == [("create", "server", "web-3")]
        found = project.run(wanted)["resources"]["load_balancer"]["edge"]
        assert {entry["server"] for entry in found["health"]} == {"web-1", "web-3"}


class TestNetwork:
    def test_change_of_address_is_refused_unless_named(self, project: Project) -> None:
        project.run(balanced())
        writes = project.writes()
        moved = balanced(networks=[{"name": "main", "ip": "10.0.1.6"}])
        result = project.try_run(moved)
        assert "it reaches no private target while it changes networks" in result["msg"]
        assert "load_balancer/NAME" in result["msg"]
        assert project.writes() == writes
        project.run(moved, **NAMED)
        assert edge(project)["private_net"][0]["ip"] == "10.0.1.6"
        assert len(edge(project)["targets"]) == 1

    def test_targets_that_are_not_listed_come_back(self, project: Project) -> None:
        project.run(balanced())
        moved = without(balanced(networks=[{"name": "main", "ip": "10.0.1.6"}]), ["load_balancers", "targets"])
        project.run(moved, **NAMED)
        assert len(edge(project)["targets"]) == 1
        assert project.run(balanced(networks=[{"name": "main", "ip": "10.0.1.6"}]))["changes"] == []

    def test_leaves_its_network(self, project: Project) -> None:
        project.run(balanced())
        gone = balanced(networks=[], targets=[{"server": "web-1"}])
        told = project.run(gone, check_mode=True, **NAMED)
        assert triples(told) == triples(project.run(gone, **NAMED)) == UPDATED
        assert edge(project)["private_net"] == []
        assert [target["use_private_ip"] for target in edge(project)["targets"]] == [False]

    def test_a_network_is_made_again_under_it(self, project: Project) -> None:
        project.run(balanced())
        wanted = balanced(networks=[{"name": "main", "ip": "10.1.1.5"}])
        subnets = [{"ip_range": "10.1.1.0/24", "network_zone": "eu-central"}]
        wanted["networks"][0] |= {"ip_range": "10.1.0.0/16", "subnets": subnets}
        for number, entry in enumerate(wanted["servers"], 11):
            entry["networks"] = [{"name": "main", "ip": f"10.1.1.{number}"}]
        told = project.run(wanted, check_mode=True, replace=["network/main"])
        assert triples(told) == triples(project.run(wanted, replace=["network/main"]))
        assert edge(project)["private_net"][0]["ip"] == "10.1.1.5"
        assert len(edge(project)["targets"]) == 1
        assert project.run(wanted)["changes"] == []

    def test_a_network_with_a_load_balancer_that_stays_is_kept(self, project: Project) -> None:
        project.run(balanced(public_interface=True))
        wanted = {"networks": [], "servers": [], "ssh_keys": [], "placement_groups": [], "firewalls": []}
        number = edge(project)["id"]
        kept = project.run(wanted, check_mode=True, prune=True)["kept"]
        assert [item["reason"] for item in kept] == [f"load balancer {number} is attached to it"]
        only = {**wanted, "load_balancers": [balancer(networks=None, targets=None)]}
        del only["load_balancers"][0]["networks"], only["load_balancers"][0]["targets"]
        kept = project.run(only, check_mode=True, prune=True)["kept"]
        assert [item["reason"] for item in kept] == ["load balancer edge is attached to it"]

    def test_public_and_private_again(self, project: Project) -> None:
        private = balanced(public_interface=False)
        public = balanced(public_interface=True, targets=[{"server": "web-1", "use_private_ip": False}])
        for wanted in (private, public, private):
            project.run(wanted)
            assert project.run(wanted)["changes"] == []


class TestType:
    def test_grows_before_and_shrinks_after_its_services(self, project: Project) -> None:
        small = balanced()
        large = balanced(type="lb21", services=[{"listen_port": port} for port in range(80, 90)])
        project.run(small)
        for wanted in (large, small):
            assert triples(project.run(wanted)) == UPDATED
            assert project.run(wanted)["changes"] == []

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"services": [{"listen_port": port} for port in range(80, 86)]}, "6 services, and a load balancer of type lb11"),
            ({"targets": [{"ip": f"203.0.113.{number}"} for number in range(26)]}, "26 targets"),
            ({"type": "lb99"}, "Hetzner has no load balancer type lb99"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("there", [True, False])
    def test_limits_are_told_before_any_write(
        self, there: bool, options: dict[str, Any], words: str, project: Project
    ) -> None:
        if there:
            project.run(balanced())
        writes = project.writes()
        assert words in project.try_run(balanced(**options))["msg"]
        assert project.writes() == writes


class TestReplace:
    def test_is_refused_unless_named(self, project: Project) -> None:
        project.run(balanced())
        writes = project.writes()
        result = project.try_run(balanced(location="nbg1"))
        assert "load balancer edge: location fsn1 -> nbg1 (a load balancer cannot move" in result["msg"]
        assert project.try_run(balanced(location="nbg1"), replace=["edge"])["failed"], "a bare name is a server's"
        assert project.writes() == writes

    def test_makes_a_new_one(self, project: Project) -> None:
        project.run(balanced())
        old = edge(project)
        project.run(balanced(location="nbg1"), **NAMED)
        new = edge(project)
        assert (new["location"]["name"], new["id"] != old["id"]) == ("nbg1", True)
        assert len(new["services"]) == 2
        assert len(new["targets"]) == 1

    def test_a_protected_one_needs_a_second_permission(self, project: Project) -> None:
        project.run(balanced(delete_protection=True))
        wanted = balanced(delete_protection=True, location="nbg1")
        assert "delete_protected" in project.try_run(wanted, **NAMED)["msg"]
        project.run(wanted, **NAMED, delete_protected=["load_balancer/edge"])
        assert edge(project)["protection"]["delete"] is True


class TestPrune:
    @pytest.mark.parametrize("protected", [True, False])
    def test_needs_the_label_and_no_protection(self, protected: bool, project: Project) -> None:
        project.run(balanced(delete_protection=protected))
        project.api("POST", "/load_balancers", {"name": "theirs", "load_balancer_type": "lb11", "location": "fsn1"})
        told = project.run({"load_balancers": []}, check_mode=True, prune=True)
        result = project.run({"load_balancers": []}, prune=True)
        assert triples(told) == triples(result) == ([] if protected else [("delete", "load_balancer", "edge")])
        assert [item["name"] for item in result["kept"]] == (["edge"] if protected else [])
        project.run({"load_balancers": []}, prune=True, delete_protected=["load_balancer/edge"])
        assert [item["name"] for item in project.all("load_balancers")] == ["theirs"]

    def test_everything_at_once(self, project: Project) -> None:
        project.run(balanced(targets=[{"server": "web-1", "use_private_ip": True}]))
        told = project.run(NOTHING, check_mode=True, prune=True)
        assert triples(project.run(NOTHING, prune=True)) == triples(told)
        assert [project.all(kind) for kind in NOTHING] == [[]] * len(NOTHING)

    def test_one_of_somebody_else_is_adopted_only_by_name(self, project: Project) -> None:
        project.api("POST", "/load_balancers", {"name": "edge", "load_balancer_type": "lb11", "location": "fsn1"})
        wanted = {"load_balancers": [{"name": "edge", "services": [{"listen_port": 80}]}]}
        assert "Not ours" in project.try_run(wanted)["msg"]
        assert triples(project.run(wanted, adopt=["load_balancer/edge"])) == UPDATED
        assert ports(project) == [80]


class TestCost:
    def test_a_load_balancer_has_its_types_price(self, project: Project) -> None:
        wanted = {"load_balancers": [{"name": "edge", "type": "lb11", "network_zone": "eu-central"}]}
        asked = project.run(wanted, cost_confirmed=False)
        assert (asked["confirmation_needed"], asked["cost"]["monthly_after"]) == (True, 5.39)
        assert "1 load balancer would cost 5.39 EUR" in asked["msg"]
        assert project.writes() == []
        project.run(wanted)
        wanted["load_balancers"][0]["type"] = "lb21"
        assert project.run(wanted, check_mode=True)["cost"]["monthly_delta"] == pytest.approx(16.40 - 5.39)
        assert project.run({"load_balancers": []}, check_mode=True, prune=True)["cost"]["monthly_after"] == 0.0

    def test_is_asked_for_together_with_the_servers(self, project: Project) -> None:
        wanted = {**balanced(), "volumes": [{"name": "data", "size": 10, "server": "web-1"}]}
        asked = project.run(wanted, cost_confirmed=False)
        assert "2 servers, 1 volume, 1 load balancer would cost" in asked["msg"]
        # Two cx23 with addresses, ten GB, one lb11.
        assert asked["cost"]["monthly_after"] == pytest.approx(2 * 3.99 + 0.44 + 5.39)


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"services": [{"listen_port": 80}] * 2}, "service 80 is listed twice"),
            ({"services": [{"listen_port": 0}]}, "listen_port of service 0 is 0, and Hetzner takes 1 to 65535"),
            ({"services": [{"listen_port": 80, "health_check": {"interval": 2}}]}, "health_check.interval of service 80 is 2"),
            ({"services": [{"listen_port": 80, "health_check": {"protocol": "tcp", "http": {"path": "/"}}}]}, "not for protocol tcp"),
            ({"services": [{"listen_port": 80, "http": {"sticky_sessions": True}}]}, "its protocol is tcp"),
            ({"services": [{"listen_port": 80, "protocol": "http", "http": {"redirect_http": True}}]}, "not https"),
            ({"targets": [{"server": "web-1"}] * 2}, "target server web-1 is listed twice"),
            ({"targets": [{"server": "nowhere"}]}, "server nowhere, which is neither listed nor there"),
            ({"targets": [{"ip": "203.0.113.7", "use_private_ip": True}]}, "use_private_ip is for servers"),
            ({"targets": [{"ip": "three"}]}, "three"),
            ({"networks": []}, "use_private_ip, which needs one of the networks"),
            ({"networks": [{"name": "main"}, {"name": "main"}]}, "attaches a load balancer to one"),
            ({"networks": [{"name": "nowhere"}]}, "network nowhere"),
            ({"public_interface": False, "targets": [{"server": "web-1"}]}, "needs use_private_ip"),
            ({"public_interface": False, "networks": [], "targets": []}, "needs public_interface or a network"),
        ],
    )  # fmt: skip
    def test_is_named_before_any_write(self, options: dict[str, Any], words: str, project: Project) -> None:
        result = project.try_run(balanced(**options))
        assert words in result["msg"]
        assert project.writes() == []

    @pytest.mark.parametrize(
        ("wanted", "words"),
        [
            ({"name": "edge", "location": "fsn1"}, "its creation needs type"),
            ({"name": "edge", "type": "lb11"}, "its creation needs location or network_zone"),
            ({"name": "edge", "type": "lb11", "location": "fsn1", "network_zone": "eu-central"}, "mutually exclusive"),
            ({"name": "edge", "type": "lb11", "location": "fsn1", "public_interface": False}, "or a network"),
            (
                {
                    "name": "edge",
                    "type": "lb11",
                    "location": "fsn1",
                    "targets": [{"label_selector": "a", "use_private_ip": True}],
                },
                "needs one of the networks",
            ),
            ({"name": "edge", "targets": [{"use_private_ip": True}]}, "one of the following is required"),
        ],
    )
    def test_creation(self, wanted: dict[str, Any], words: str, project: Project) -> None:
        assert words in project.try_run({"load_balancers": [wanted]})["msg"]
        assert project.writes() == []


class TestHalfMade:
    @pytest.mark.parametrize(
        "command", ["create_load_balancer", "attach_to_network", "add_target", "disable_public_interface"]
    )
    def test_the_next_run_finishes(self, command: str, project: Project) -> None:
        wanted = balanced(public_interface=False)
        servers = {key: value for key, value in wanted.items() if key != "load_balancers"}
        project.run(servers)
        project.lab.fault(effect="action_error", command=command, code="action_failed", message="no luck")
        result = project.try_run(wanted)
        assert "no luck" in result["msg"]
        assert triples(result) == [("create", "load_balancer", "edge")]
        project.run(wanted)
        assert project.run(wanted)["changes"] == []
        assert edge(project)["private_net"][0]["ip"] == "10.0.1.5"
        assert edge(project)["public_net"]["enabled"] is False
        assert project.creations().count("/load_balancers") == 1

    @pytest.mark.parametrize("effect", ["drop_before", "drop_after"])
    @pytest.mark.parametrize(
        "call",
        [
            "^/load_balancers$", "/attach_to_network$", "/detach_from_network$", "/add_target$", "/remove_target$",
            "/add_service$", "/delete_service$", "/update_service$", "/change_type$", "/change_algorithm$",
        ],
    )  # fmt: skip
    def test_lost_answers(self, effect: str, call: str, project: Project) -> None:
        changed = balanced(
            type="lb21",
            algorithm="least_connections",
            networks=[{"name": "main", "ip": "10.0.1.6"}],
            targets=[{"server": "web-2", "use_private_ip": True}],
            services=[{"listen_port": 80, "proxyprotocol": False}, {"listen_port": 8443}],
        )
        project.lab.fault(effect=effect, method="POST", path=call, token=project.token)
        project.run(balanced())
        project.run(changed, **NAMED)
        assert project.run(changed)["changes"] == []
        assert len(project.all("load_balancers")) == 1
        assert all(fault["hits"] == 1 for fault in project.lab.call("GET", "/faults")["faults"])


class TestBudget:
    def test_a_hundred_servers_with_volumes_and_balancers_cost_ten_calls_at_most(self, project: Project) -> None:
        lab = project.lab
        many = Project(lab, "hundred", servers={"count": 100, "labels": {"frontdesk.platform/owner": "test"}})
        names = [
            item["name"] for page in (1, 2) for item in many.api("GET", f"/servers?per_page=50&page={page}")["servers"]
        ]
        wanted = {
            **NOTHING,
            "servers": [{"name": name, "server_types": ["cx23"], "image": "debian-13"} for name in names],
        }
        wanted["volumes"] = [{"name": "data", "size": 10, "server": names[0]}]
        wanted["load_balancers"] = [
            {"name": "edge", "type": "lb11", "location": "fsn1", "targets": [{"server": name} for name in names[:25]]}
        ]
        many.run(wanted)
        result = many.run(wanted)
        assert result["changes"] == []
        assert result["api_calls"] <= 10
