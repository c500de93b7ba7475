# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for a cluster's nodes, networks and settings, as pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import SwarmError, enumerate_words
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_model import REBOOT_LABEL, Cluster
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_networks import (
    container_mtu,
    fields_of,
    plan_networks,
    users_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_nodes import (
    REBOOT_LIMIT,
    NodeWrite,
    check_demotions,
    plan_nodes,
    with_labels,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_settings import (
    cluster_spec,
    fixed_faults,
    spec_change,
)
from tests.swarm_engine import DAY, node, overlay, service

NOW = 1_000_000.0
PREFIX = "frontdesk."


def cluster(*nodes: Json, networks: tuple[Json, ...] = ()) -> Cluster:
    return Cluster({"ID": "cluster-1", "Spec": {}}, list(nodes), list(networks))


def three() -> tuple[Json, Json, Json]:
    return node("web-1"), node("web-2"), node("web-3")


def wanted(name: str, **more: Any) -> Json:
    return {"name": name, "id": None, "role": None, "availability": None, "labels": None, "planned": False, **more}


def plan(*items: Json, of: Cluster) -> list[NodeWrite]:
    return plan_nodes(of, items, PREFIX, NOW)


def told(writes: list[NodeWrite]) -> list[tuple[str, Any, Any]]:
    return [(write.change.name, write.change.before, write.change.after) for write in writes]


def down(document: Json) -> Json:
    return {**document, "ManagerStatus": {"Reachability": "unreachable"}, "Status": {"State": "down"}}


# -- labels --------------------------------------------------------------------------

KEYS = st.sampled_from(["frontdesk.edge", "frontdesk.redis", "zone", "com.example.x", "frontdesk-reboot"])
LABELS = st.dictionaries(KEYS, st.sampled_from(["", "1", "true"]))
OURS = st.dictionaries(st.sampled_from(["frontdesk.edge", "frontdesk.redis"]), st.sampled_from(["1", "true"]))


@given(LABELS, OURS)
def test_labels_of_others_survive_and_ours_are_exactly_what_is_wanted(
    current: dict[str, str], ours: dict[str, str]
) -> None:
    found = with_labels(current, ours, PREFIX)
    assert {key: value for key, value in found.items() if key.startswith(PREFIX)} == ours
    foreign = {key: value for key, value in current.items() if not key.startswith(PREFIX)}
    assert {key: value for key, value in found.items() if not key.startswith(PREFIX)} == foreign
    assert with_labels(found, ours, PREFIX) == found


def test_yaml_values_become_what_a_constraint_compares() -> None:
    assert with_labels({}, {"frontdesk.edge": True, "frontdesk.n": 3}, PREFIX) == {
        "frontdesk.edge": "true",
        "frontdesk.n": "3",
    }


# -- nodes ---------------------------------------------------------------------------


def test_only_what_differs_is_written_and_told() -> None:
    one = node("web-1", spec={"Labels": {"frontdesk.a": "1", "frontdesk.b": "2", "zone": "x"}})
    items = [
        wanted("web-1", labels={"frontdesk.a": "1", "frontdesk.c": "3"}, role="manager", availability="active"),
        wanted("web-2", labels={}, role="manager"),
    ]
    writes = plan(*items, of=cluster(one, node("web-2")))
    assert told(writes) == [("web-1", {"labels": {"frontdesk.b": "2"}}, {"labels": {"frontdesk.c": "3"}})]
    assert writes[0].spec["Labels"] == {"frontdesk.a": "1", "frontdesk.c": "3", "zone": "x"}
    assert writes[0].spec["Availability"] == "active", "the engine replaces the whole"


def test_what_is_not_mentioned_stays() -> None:
    drained = node("web-1", spec={"Availability": "drain", "Labels": {"frontdesk.a": "1"}})
    assert plan(wanted("web-1"), of=cluster(drained)) == []


def test_a_node_is_found_by_its_number_whatever_its_name() -> None:
    writes = plan(wanted("inventory-name", id="id-web-1", availability="drain"), of=cluster(node("web-1")))
    assert told(writes) == [("inventory-name", {"availability": "active"}, {"availability": "drain"})]


def test_a_drain_for_a_reboot_is_left_alone_for_an_hour() -> None:
    labels = {REBOOT_LABEL: str(int(NOW) - REBOOT_LIMIT + 1)}
    rebooting = node("web-1", spec={"Availability": "drain", "Labels": labels})
    assert plan(wanted("web-1", availability="active"), of=cluster(rebooting)) == []
    labels[REBOOT_LABEL] = str(int(NOW) - REBOOT_LIMIT - 1)
    assert len(plan(wanted("web-1", availability="active"), of=cluster(rebooting))) == 1


def test_a_node_that_is_not_in_the_cluster_stops_everything() -> None:
    with pytest.raises(
        SwarmError, match=r"web-4 \(id-x\) and web-5 cannot be found among the nodes of the cluster cluster-1"
    ):
        plan(wanted("web-4", id="id-x"), wanted("web-5"), of=cluster(*three()))


def test_two_nodes_of_one_name_stop_everything() -> None:
    twin = {**node("web-1"), "ID": "id-other"}
    with pytest.raises(SwarmError, match="2 nodes with the host name web-1"):
        plan(wanted("web-1"), of=cluster(node("web-1"), twin))


def test_promotions_come_before_demotions() -> None:
    items = [
        wanted("web-1", role="worker"),
        wanted("web-4", role="manager"),
        wanted("web-2", labels={"frontdesk.a": 1}),
    ]
    writes = plan(*items, of=cluster(*three(), node("web-4", "worker")))
    assert [write.change.name for write in writes] == ["web-4", "web-2", "web-1"]
    assert [write.promotes for write in writes] == [True, False, False]


# -- majority -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "demoted", "fault"),
    [
        (three(), ["id-web-1"], None),
        (three(), ["id-web-1", "id-web-2"], None),
        (three(), ["id-web-1", "id-web-2", "id-web-3"], "last manager"),
        ((node("web-1"),), ["id-web-1"], "last manager"),
        # Two of three answer: the dead one may go, and none of the living.
        ((node("web-1"), node("web-2"), down(node("web-3"))), ["id-web-3"], None),
        (
            (node("web-1"), node("web-2"), down(node("web-3"))),
            ["id-web-1"],
            "only 1 of the other 2 would answer, and they need 2",
        ),
        (three(), ["id-of-a-worker"], None),
    ],
)
def test_demotions_keep_the_majority(nodes: tuple[Json, ...], demoted: list[str], fault: str | None) -> None:
    if fault is None:
        check_demotions(nodes, demoted)
    else:
        with pytest.raises(SwarmError, match=fault):
            check_demotions(nodes, demoted)


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_accepted_demotions_leave_a_majority_after_every_step(answers: list[bool], data: st.DataObject) -> None:
    nodes = [node(f"web-{n}") if answers[n] else down(node(f"web-{n}")) for n in range(len(answers))]
    chosen = data.draw(st.lists(st.sampled_from([item["ID"] for item in nodes]), unique=True))
    try:
        check_demotions(nodes, chosen)
    except SwarmError:
        return
    left = list(nodes)
    for item in [item for item in nodes if item["ID"] in chosen]:
        left.remove(item)
        voting = sum(other["ManagerStatus"]["Reachability"] == "reachable" for other in left)
        assert voting > len(left) / 2


def test_new_managers_count_before_old_ones_go() -> None:
    check_demotions([node("web-1")], ["id-web-1"], [node("web-2", "worker")])


# -- networks -------------------------------------------------------------------------

NETWORKS: Json = {"networks": [], "replace": [], "mtu": 1450, "ingress": "ignored"}


def network(name: str, **more: Any) -> Json:
    return {
        "name": name,
        "state": "present",
        "mtu": None,
        "attachable": False,
        "internal": False,
        "encrypted": False,
        **more,
    }


def plan_of(*items: Json, has: tuple[Json, ...] = (), **options: Any) -> list[Any]:
    return plan_networks(cluster(networks=has), {**NETWORKS, "networks": list(items), **options})


def test_a_network_is_made_for_the_packets_of_the_network_below() -> None:
    (write,) = plan_of(network("edge", attachable=True, encrypted=True))
    assert (write.change.action, write.change.name) == ("create", "edge")
    assert write.body["Options"] == {"com.docker.network.driver.mtu": "1450", "encrypted": ""}
    assert (write.body["Attachable"], write.body["Internal"], write.body["Scope"]) == (True, False, "swarm")


@pytest.mark.parametrize("mtu", [None, 1450])
def test_a_network_that_is_as_wanted_is_left_alone(mtu: int | None) -> None:
    assert plan_of(network("edge", mtu=mtu), has=(overlay("edge"), overlay("theirs", mtu=None))) == []


@pytest.mark.parametrize(
    ("found", "item", "before"),
    [
        (overlay("edge", mtu=None), network("edge"), {"mtu": 1500}),
        (overlay("edge"), network("edge", mtu=1400), {"mtu": 1450}),
        (overlay("edge"), network("edge", attachable=True), {"attachable": False}),
        (overlay("edge", Internal=True), network("edge"), {"internal": True}),
        (
            overlay("edge", Options={**overlay("edge")["Options"], "encrypted": ""}),
            network("edge"),
            {"encrypted": True},
        ),
    ],
)
def test_a_network_that_differs_has_to_be_named(found: Json, item: Json, before: Json) -> None:
    key = next(iter(before))
    with pytest.raises(SwarmError, match=f"edge \\({key} {str(before[key]).lower()} and not .*name them in replace"):
        plan_of(item, has=(found,))
    (write,) = plan_of(item, has=(found,), replace=["edge"])
    assert (write.change.action, write.change.before) == ("replace", before)
    assert (write.found["Id"], write.body["Name"]) == ("net-edge", "edge")


def test_a_network_is_removed_once() -> None:
    gone = network("old", state="absent")
    (write,) = plan_of(gone, has=(overlay("old"),))
    assert (write.change.action, write.body) == ("delete", None)
    assert plan_of(gone) == []


def test_a_local_network_of_the_same_name_is_none_of_ours() -> None:
    bridge = {**overlay("edge"), "Driver": "bridge"}
    (write,) = plan_of(network("edge"), has=(bridge,))
    assert write.change.action == "create"


@pytest.mark.parametrize(
    ("ingress", "has", "action"),
    [
        ("absent", (overlay("ingress", mtu=None, Ingress=True),), "delete"),
        ("absent", (), None),
        ("present", (overlay("ingress", mtu=None, Ingress=True),), "replace"),
        ("present", (overlay("ingress", Ingress=True),), None),
        ("present", (overlay("mesh", Ingress=True),), None),
        ("present", (), "create"),
        ("ignored", (overlay("ingress", mtu=None, Ingress=True),), None),
        # A network that only has the name is none of the routing mesh's.
        ("absent", (overlay("ingress"),), None),
    ],
)
def test_the_routing_mesh(ingress: str, has: tuple[Json, ...], action: str | None) -> None:
    writes = plan_of(has=has, ingress=ingress)
    assert [write.change.action for write in writes] == ([action] if action else [])
    if action in ("replace", "create"):
        assert (writes[0].body["Ingress"], writes[0].body["Name"]) == (True, "ingress")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"com.docker.network.driver.mtu": "1450"}, 1400),
        ({"com.docker.network.driver.mtu": "1450", "encrypted": ""}, 1372),
        ({}, 1450),
        ({"encrypted": "true"}, 1424),
        ({"com.docker.network.driver.mtu": "1400", "encrypted": ""}, 1324),
        ({"com.docker.network.driver.mtu": "1450", "encrypted": "false"}, 1400),
    ],
)
def test_what_containers_see(options: Json, expected: int) -> None:
    assert container_mtu({"Options": options}) == expected


def test_the_fields_of_a_network_without_options() -> None:
    assert fields_of({"Options": None}) == {"mtu": 1500, "attachable": False, "internal": False, "encrypted": False}


def test_users_of_a_network() -> None:
    by_id = service("a", TaskTemplate={"Networks": [{"Target": "net-edge"}]})
    by_name = service("b", TaskTemplate={}, Networks=[{"Target": "edge"}])
    published = service("c", EndpointSpec={"Ports": [{"PublishMode": "ingress"}]})
    on_host = service("d", EndpointSpec={"Ports": [{"PublishMode": "host"}]})
    services = [by_id, by_name, published, on_host]
    assert users_of(overlay("edge"), services) == ["a", "b"]
    assert users_of(overlay("ingress", Ingress=True), services) == ["c"]


# -- settings -------------------------------------------------------------------------

SPEC: Json = {
    "Orchestration": {"TaskHistoryRetentionLimit": 5, "X": 1},
    "CAConfig": {"NodeCertExpiry": 90 * DAY},
    "Raft": {"Y": 2},
}


def test_settings_that_agree_are_no_change() -> None:
    options = {"task_history_limit": 5, "node_certificate_days": 90, "autolock": False}
    assert spec_change(SPEC, options) is None
    assert spec_change(SPEC, {"task_history_limit": None}) is None


def test_settings_that_differ_are_written_into_the_whole() -> None:
    options = {"task_history_limit": 0, "node_certificate_days": 30, "autolock": True}
    change = spec_change(SPEC, options)
    assert change is not None
    assert change.before == {"task_history_limit": 5, "node_certificate_days": 90, "autolock": False}
    assert change.after == {"task_history_limit": 0, "node_certificate_days": 30, "autolock": True}
    spec = cluster_spec(SPEC, options)
    assert spec["Orchestration"] == {"TaskHistoryRetentionLimit": 0, "X": 1}
    assert (spec["Raft"], spec["EncryptionConfig"]) == ({"Y": 2}, {"AutoLockManagers": True})
    assert spec_change(spec, options) is None
    assert SPEC["Orchestration"]["TaskHistoryRetentionLimit"] == 5


def test_part_of_a_day_is_no_whole_day() -> None:
    change = spec_change({"CAConfig": {"NodeCertExpiry": DAY * 3 // 2}}, {"node_certificate_days": 1})
    assert change is not None
    assert change.before == {"node_certificate_days": 1.5}


def test_what_cannot_be_changed_is_said() -> None:
    has = {"DefaultAddrPool": ["10.0.0.0/8"], "SubnetSize": 24, "DataPathPort": 4789}
    faults = fixed_faults(has, {"address_pools": ["10.200.0.0/16"], "subnet_size": 24, "data_path_port": 5000})
    assert len(faults) == 2
    assert "address_pools 10.0.0.0/8, not 10.200.0.0/16, and that cannot be changed" in faults[0]
    assert fixed_faults(has, {"address_pools": [], "subnet_size": None}) == []


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_as_text(words: list[str], text: str) -> None:
    assert enumerate_words(words) == text
