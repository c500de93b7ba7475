# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a function: any two wanted states, one after the other, are reached and then need nothing."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerClient
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kinds import KINDS, kinds_to_read
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import WAVE_SERVER, PlanError, World
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_plan import (
    Policy,
    desired_from_options,
    make_plan,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_run import converge
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_stock import (
    Offer,
    available,
    in_stock,
    trial_order,
)
from tests.hetzner_runs import KEY, OTHER_KEY, Project, quick_clock
from tests.lab_cloud import LabCloud, running_lab_cloud

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    with running_lab_cloud(tmp_path_factory.mktemp("lab"), action_seconds=0.0) as running:
        yield running


RULES = st.lists(
    st.builds(
        lambda direction, port, network: {
            "direction": direction,
            "protocol": "tcp",
            "port": port,
            "source_ips" if direction == "in" else "destination_ips": [network],
        },
        st.sampled_from(["in", "out"]),
        st.sampled_from(["80", "443-443", "8000-8080", "any"]),
        st.sampled_from(["0.0.0.0/0", "::/0", "192.0.2.9/24", "2001:DB8:0::/48"]),
    ),
    max_size=4,
)
LABELS = st.dictionaries(st.sampled_from(["tier", "group.frontdesk.platform/web", "x"]), st.just("true"), max_size=3)
SUBNETS = st.lists(
    st.sampled_from(["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/25"]).map(
        lambda text: {"ip_range": text, "network_zone": "eu-central"}
    ),
    unique_by=lambda subnet: subnet["ip_range"],
    max_size=3,
)
ROUTES = st.lists(
    st.sampled_from(["10.100.0.0/16", "10.101.0.0/16"]).map(lambda text: {"destination": text, "gateway": "10.0.1.9"}),
    unique_by=lambda route: route["destination"],
    max_size=2,
)
BALANCERS = st.fixed_dictionaries(
    {"name": st.sampled_from(["one", "two"]), "type": st.sampled_from(["lb11", "lb21"]), "location": st.just("fsn1")},
    optional={
        "labels": LABELS,
        "algorithm": st.sampled_from(["round_robin", "least_connections"]),
        "delete_protection": st.booleans(),
        "targets": st.lists(st.sampled_from(["a=b", "c in (d,e)"]), unique=True, max_size=2).map(
            lambda texts: [{"label_selector": text} for text in texts]
        ),
        "services": st.lists(
            st.builds(
                lambda port, protocol, path: {
                    "listen_port": port,
                    "protocol": protocol,
                    **({"health_check": {"http": {"path": path}}} if path else {}),
                },
                st.sampled_from([80, 443]),
                st.sampled_from(["tcp", "http", "https"]),
                st.sampled_from(["", "/", "/ping"]),
            ),
            unique_by=lambda service: service["listen_port"],
            max_size=2,
        ),
    },
)
WANTED = st.fixed_dictionaries(
    {
        "networks": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["one", "two"]), "ip_range": st.just("10.0.0.0/16")},
                optional={"labels": LABELS, "subnets": SUBNETS, "routes": ROUTES, "delete_protection": st.booleans()},
            ),
            unique_by=lambda item: item["name"],
            max_size=2,
        ),
        "firewalls": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["one", "two"])},
                optional={
                    "labels": LABELS,
                    "rules": RULES,
                    "apply_to": st.lists(st.sampled_from(["a=b", "c in (d,e)"]), unique=True, max_size=2).map(
                        lambda texts: [{"label_selector": text} for text in texts]
                    ),
                },
            ),
            unique_by=lambda item: item["name"],
            max_size=2,
        ),
        "placement_groups": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["one", "two"])}, optional={"labels": LABELS}),
            unique_by=lambda item: item["name"],
            max_size=2,
        ),
        "volumes": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["one", "two"]), "size": st.just(10), "location": st.just("fsn1")},
                optional={"labels": LABELS, "delete_protection": st.booleans()},
            ),
            unique_by=lambda item: item["name"],
            max_size=2,
        ),
        "load_balancers": st.lists(BALANCERS, unique_by=lambda item: item["name"], max_size=2),
        "ssh_keys": st.lists(
            st.builds(
                lambda name, key: {"name": name, "public_key": key},
                st.sampled_from(["one", "two"]),
                st.sampled_from([KEY, OTHER_KEY]),
            ),
            unique_by=(lambda item: item["name"], lambda item: item["public_key"]),
            max_size=2,
        ),
    }
)
ALLOWED = {
    "owner": "test",
    "prune": True,
    "replace": ["ssh_key/one", "ssh_key/two"],
    "adopt": [],
    "delete_protected": ["one", "two", "volume/one", "volume/two"],
    "cost_confirmed": True,
    "wait_timeout": 900,
}


@given(first=WANTED, second=WANTED)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_state_is_reached_from_any_other(lab: LabCloud, first: dict[str, Any], second: dict[str, Any]) -> None:
    project = Project(lab, f"state-{next(NUMBERS)}")

    def run(wanted: dict[str, Any], check_mode: bool) -> list[tuple[str, str, str]]:
        client = HetznerClient(project.token, lab.endpoint, clock=quick_clock())
        result = converge(client, {**ALLOWED, **wanted}, check_mode)
        return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]

    for wanted in (first, second):
        told = run(wanted, check_mode=True)
        assert run(wanted, check_mode=False) == told
        assert run(wanted, check_mode=True) == []


def _plan(options: dict[str, Any], live: dict[str, list[dict[str, Any]]], **policy: Any) -> list[tuple[str, str, str]]:
    world = World("test", live)
    plan = make_plan(desired_from_options(options), world, Policy(**policy))
    return [(item.change.action, item.change.kind, item.change.name) for item in plan.changes]


def _firewall(**fields: Any) -> dict[str, Any]:
    labels = {"frontdesk.platform/owner": "test"}
    return {"id": 1, "name": "web", "rules": [], "applied_to": [], "labels": labels, **fields}


@given(RULES, st.randoms())
def test_the_order_of_rules_is_no_difference(rules: list[dict[str, Any]], chance: Any) -> None:
    shuffled = list(rules)
    chance.shuffle(shuffled)
    live = {"firewall": [_firewall(rules=[{**rule, "description": None} for rule in shuffled])]}
    assert _plan({"firewalls": [{"name": "web", "rules": rules}]}, live) == []


def test_an_unset_description_is_no_difference() -> None:
    rule = {"direction": "in", "protocol": "tcp", "port": "80", "source_ips": ["::/0"], "description": "theirs"}
    live = {"firewall": [_firewall(rules=[rule])]}
    unset = {key: value for key, value in rule.items() if key != "description"}
    assert _plan({"firewalls": [{"name": "web", "rules": [unset]}]}, live) == []
    assert _plan({"firewalls": [{"name": "web", "rules": [{**unset, "description": "ours"}]}]}, live) != []


def test_fields_that_are_unknown_or_unset_are_no_difference() -> None:
    live = {"firewall": [_firewall(rules=[], news_of_2027={"a": 1})]}
    assert _plan({"firewalls": [{"name": "web"}]}, live) == []


READ = {
    # Servers say what they hold; volumes and load balancers are asked for only when they are wanted.
    "server": {"server", "network", "firewall", "ssh_key", "placement_group"},
    "network": {"server", "network", "firewall", "ssh_key", "placement_group"},
    "volume": {"volume", "server"},
    "load_balancer": {"load_balancer", "network", "server"},
}


@pytest.mark.parametrize("wanted", READ)
def test_only_what_the_plan_needs_is_read(wanted: str) -> None:
    assert {kind.name for kind in kinds_to_read([wanted])} == READ[wanted]


def test_nothing_wanted_reads_nothing() -> None:
    assert kinds_to_read([]) == []


def test_servers_come_after_what_they_name_and_before_what_is_deleted() -> None:
    for kind in KINDS:
        for reference in kind.references:
            other = next(item for item in KINDS if item.name == reference)
            assert KINDS.index(other) < KINDS.index(kind)
            # Volumes go last of all: their data are lost only when everything else went well.
            assert kind.delete_wave < WAVE_SERVER or kind.holds_data


def test_all_problems_at_once() -> None:
    options = {
        "firewalls": [{"name": "web", "rules": []}, {"name": "db", "apply_to": [{"server": "none"}]}],
        "servers": [{"name": "a", "networks": [{"name": "none"}], "running": True}],
    }
    with pytest.raises(PlanError) as caught:
        _plan(options, {"firewall": [_firewall(labels={})]})
    assert len(caught.value.problems) == 4


class TestStock:
    CATALOGUE: ClassVar[dict[str, Any]] = {
        "a": {"locations": [{"name": "x", "available": False, "deprecation": None}, {"name": "y", "available": True}]},
        "b": {"locations": [{"name": "x", "available": True}, {"name": "y", "available": True}]},
    }
    TODAY = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc)

    def test_order(self) -> None:
        assert [str(offer) for offer in trial_order(["a", "b"], ["x", "y"])] == ["a in x", "b in x", "a in y", "b in y"]

    def test_what_is_there_keeps_its_order(self) -> None:
        offers = trial_order(["a", "b"], ["x", "y"])
        assert in_stock(offers, self.CATALOGUE, self.TODAY) == [Offer("b", "x"), Offer("a", "y"), Offer("b", "y")]

    @pytest.mark.parametrize(("end", "there"), [("2026-11-22T00:00:00Z", False), ("2026-11-24T00:00:00+00:00", True)])
    def test_deprecation(self, end: str, there: bool) -> None:
        entry = {"name": "x", "available": True, "deprecation": {"unavailable_after": end}}
        assert available({"locations": [entry]}, "x", self.TODAY) is there

    def test_elsewhere_or_unknown(self) -> None:
        assert not available(self.CATALOGUE["a"], "z", self.TODAY)
        assert not available(None, "x", self.TODAY)
