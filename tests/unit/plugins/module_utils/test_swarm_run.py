# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of swarm_cluster on an engine in memory: what is read, planned, written, in which order."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import SwarmError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_drain import floors, progress
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_run import ClusterRun
from tests.swarm_engine import CLUSTER, FakeEngine, QuickClock, node, overlay, service, task, use_quick_clock

OPTIONS: Json = {
    "nodes": [],
    "label_prefix": "frontdesk.",
    "networks": [],
    "mtu": 1450,
    "ingress": "ignored",
    "replace": [],
    "address_pools": ["10.200.0.0/16"],
    "subnet_size": 24,
    "data_path_port": 4789,
    "task_history_limit": None,
    "node_certificate_days": None,
    "autolock": None,
    "fingerprint": None,
    "rotate_tokens": [],
    "join_tokens": False,
    "stale": [],
    "known": [],
    "evacuate": [],
    "remove": [],
    "unreachable": [],
    "remove_dead": False,
    "wait_timeout": 60,
}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> QuickClock:
    return use_quick_clock(monkeypatch)


def run(engine: FakeEngine, check_mode: bool = False, **options: Any) -> Json:
    return ClusterRun(engine, {**OPTIONS, **options}, check_mode).run()  # type: ignore[arg-type]


def both(engine: FakeEngine, **options: Any) -> Json:
    """A run that has to do what its prediction said, and nothing when it runs again; its result."""
    predicted = run(copy.deepcopy(engine), check_mode=True, **options)
    assert predicted["api_writes"] == engine.writes, "the same engine counts on"
    done = run(engine, **options)
    assert done["changes"] == predicted["changes"]
    assert done["diff"] == predicted["diff"]
    again = run(engine, **options)
    assert (again["changed"], again["api_writes"]) == (False, done["api_writes"])
    return done


def three(*more: Json, networks: tuple[Json, ...] = ()) -> FakeEngine:
    return FakeEngine(node("web-1"), node("web-2"), node("web-3"), *more, networks=networks)


def wanted(name: str, **more: Any) -> Json:
    return {"name": name, "id": None, "role": None, "availability": None, "labels": None, "planned": False, **more}


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


def told(result: Json) -> list[tuple[str, str, str]]:
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]


# -- the fingerprint ------------------------------------------------------------------


def test_the_first_fingerprint_is_kept_beside_other_labels() -> None:
    engine = three()
    engine.swarm["Spec"]["Labels"] = {"theirs": "1"}  # type: ignore[index]
    result = both(engine, fingerprint="first")
    assert result["changes"][0]["before"] == {"fingerprint": ""}
    assert result["changes"][0]["after"] == {"fingerprint": "first"}
    assert engine.swarm["Spec"]["Labels"] == {"theirs": "1", "frontdesk.fingerprint": "first"}  # type: ignore[index]
    assert run(engine, rotate_tokens=["worker"])["changed"]
    assert engine.swarm["Spec"]["Labels"]["frontdesk.fingerprint"] == "first"  # type: ignore[index]


@pytest.mark.parametrize("check_mode", [False, True])
def test_another_fingerprint_is_refused_before_the_first_write(check_mode: bool) -> None:
    engine = three(node("web-4", "worker", Status={"State": "down"}))
    run(engine, fingerprint="first")
    writes = engine.writes
    with pytest.raises(
        SwarmError, match=r"another master key or another name of the environment.*bring the former ones back"
    ):
        run(engine, check_mode, fingerprint="second", stale=["web-4"], task_history_limit=2)
    assert engine.writes == writes


def test_the_fingerprint_of_a_faster_run_is_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = three()
    post = engine.post

    def be_slower(path: str, body: Any, query: Any) -> None:
        monkeypatch.setattr(engine, "post", post)
        engine.swarm["Spec"]["Labels"] = {"frontdesk.fingerprint": "theirs"}  # type: ignore[index]
        engine.swarm["Version"]["Index"] += 1  # type: ignore[index]
        post(path, body, query)

    monkeypatch.setattr(engine, "post", be_slower)
    with pytest.raises(SwarmError, match="another master key"):
        run(engine, fingerprint="ours")
    assert engine.swarm["Spec"]["Labels"] == {"frontdesk.fingerprint": "theirs"}  # type: ignore[index]


# -- converging -----------------------------------------------------------------------


def test_no_difference_is_one_reading_and_no_write() -> None:
    engine = three(networks=(overlay("edge"),))
    result = run(
        engine, nodes=[wanted("web-1", role="manager", labels={})], networks=[network("edge")], task_history_limit=5
    )
    assert (result["changed"], result["api_reads"], result["api_writes"]) == (False, 3, 0)
    assert (result["cluster_id"], "join_tokens" in result) == (CLUSTER, False)


def test_everything_at_once_in_order() -> None:
    engine = three(node("web-4", "worker"), networks=(overlay("ingress", mtu=None, Ingress=True),))
    result = both(
        engine,
        nodes=[
            wanted("web-1", role="worker", labels={"frontdesk.edge": "true"}),
            wanted("web-4", role="manager", availability="pause"),
        ],
        networks=[network("edge")],
        ingress="absent",
        task_history_limit=2,
    )
    assert told(result) == [
        ("update", "cluster", "settings"),
        ("update", "node", "web-4"),
        ("create", "network", "edge"),
        ("delete", "network", "ingress"),
        ("update", "node", "web-1"),
    ]
    assert engine.nodes["id-web-1"]["Spec"] == {
        "Role": "worker", "Availability": "active", "Labels": {"frontdesk.edge": "true"},
    }  # fmt: skip


def test_what_cannot_be_done_is_refused_before_any_write() -> None:
    engine = three(networks=(overlay("edge", mtu=None),))
    with pytest.raises(SwarmError, match="name them in replace"):
        run(
            engine,
            nodes=[wanted("web-1", labels={"frontdesk.a": "1"})],
            networks=[network("edge")],
            task_history_limit=1,
        )
    with pytest.raises(SwarmError, match="subnet_size 24, not 25"):
        run(engine, subnet_size=25, task_history_limit=1)
    assert engine.writes == 0


def test_a_write_of_somebody_else_in_between_is_kept() -> None:
    engine = three()
    engine.after = lambda *args: None
    original = engine.post

    def post(path: str, body: Any = None, query: Any = None, **more: Any) -> Any:
        if path == "/nodes/id-web-1/update" and engine.nodes["id-web-1"]["Version"]["Index"] == 10:
            engine.nodes["id-web-1"]["Version"]["Index"] = 11
            engine.nodes["id-web-1"]["Spec"]["Labels"]["theirs"] = "1"
        if path == "/swarm/update" and engine.swarm and engine.swarm["Version"]["Index"] == 5:
            engine.swarm["Version"]["Index"] = 6
            engine.swarm["Spec"]["Raft"] = {"KeepOldSnapshots": 1}
        return original(path, body, query, **more)

    engine.post = post  # type: ignore[method-assign]
    run(engine, nodes=[wanted("web-1", labels={"frontdesk.a": "1"})], task_history_limit=1)
    assert engine.nodes["id-web-1"]["Spec"]["Labels"] == {"theirs": "1", "frontdesk.a": "1"}
    assert engine.swarm is not None
    assert engine.swarm["Spec"]["Raft"] == {"KeepOldSnapshots": 1}


@pytest.mark.parametrize("path", ["/nodes/", "/swarm/update"])
def test_writes_that_never_fit_end(path: str) -> None:
    engine = three()
    engine.refuse("POST", path, "update out of sequence", 500, times=100)
    with pytest.raises(EngineError, match="out of sequence"):
        run(
            engine,
            nodes=[wanted("web-1", labels={"frontdesk.a": "1"})] if path == "/nodes/" else [],
            task_history_limit=1,
        )


def test_a_role_is_awaited_over_a_handover_of_the_leader(clock: QuickClock) -> None:
    engine = three()
    engine.after = lambda method, path, body: engine.refuse("GET", "/nodes/id-web-1", "handing over", 503, times=3)
    run(engine, nodes=[wanted("web-1", role="worker")])
    assert clock.now > 1
    engine.after = lambda method, path, body: engine.refuse("GET", "/nodes/id-web-2", "broken", 418)
    with pytest.raises(EngineError, match="broken"):
        run(engine, nodes=[wanted("web-2", role="worker")])


def test_a_role_that_is_never_taken_is_an_error() -> None:
    engine = three(node("web-4", "worker"))
    original = engine._update_node

    def update(found: Json, body: Json, query: Json) -> None:
        original(found, body, query)
        found.pop("ManagerStatus", None)

    engine._update_node = update  # type: ignore[method-assign]
    with pytest.raises(SwarmError, match="web-4 did not become a manager within 60 s"):
        run(engine, nodes=[wanted("web-4", role="manager")])


def test_a_node_that_is_no_manager_says_so() -> None:
    with pytest.raises(SwarmError, match="no manager of a cluster"):
        run(FakeEngine())
    with pytest.raises(SwarmError, match="no manager of a cluster"):
        run(FakeEngine(), nodes=[wanted("web-1", planned=True)])
    engine = three()
    engine.refuse("GET", "/nodes", "broken", 500)
    with pytest.raises(EngineError, match="broken"):
        run(engine)


# -- check mode before there is anything -------------------------------------------------


def test_a_cluster_that_is_only_planned_is_predicted_whole() -> None:
    nodes = [
        wanted("web-1", role="manager", labels={"frontdesk.a": "1"}, planned=True),
        wanted("web-4", role="worker", labels={}, availability="active", planned=True),
    ]
    result = run(
        FakeEngine(), check_mode=True, nodes=nodes, networks=[network("edge")], ingress="absent", task_history_limit=3,
        rotate_tokens=["worker"],
    )  # fmt: skip
    assert told(result) == [
        ("update", "node", "web-1"),
        ("create", "network", "edge"),
        ("delete", "network", "ingress"),
        ("update", "join_token", "worker"),
    ]


def test_a_planned_node_hides_the_entry_of_its_former_life() -> None:
    engine = three(node("web-4", "worker", spec={"Labels": {"frontdesk.a": "old"}}, Status={"State": "down"}))
    result = run(engine, check_mode=True, nodes=[wanted("web-4", planned=True, labels={"frontdesk.a": "1"})])
    assert result["changes"][0]["before"] == {"labels": {}}


# -- networks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "found", "users", "words"),
    [
        ({"ingress": "absent"}, overlay("ingress", Ingress=True), {"EndpointSpec": {"Ports": [{}]}}, "web publish a port through it.*ingress: present"),
        (
            {"networks": [network("edge", state="absent")]}, overlay("edge"),
            {"TaskTemplate": {"Networks": [{"Target": "net-edge"}]}}, "web use it. Remove them first",
        ),
    ],
)  # fmt: skip
def test_a_network_in_use_stays(options: Json, found: Json, users: Json, words: str) -> None:
    engine = three(networks=(found,))
    engine.services = [service("web", **users)]
    with pytest.raises(SwarmError, match=words):
        run(engine, **options)
    assert engine.writes == 0


def test_a_network_is_replaced_after_the_old_one_is_gone() -> None:
    engine = three(networks=(overlay("edge", mtu=None),))
    result = both(engine, networks=[network("edge")], replace=["edge"])
    assert told(result) == [("replace", "network", "edge")]
    assert engine.log == ["DELETE /networks/net-edge", "POST /networks/create"]


def test_a_network_that_does_not_go_is_an_error() -> None:
    engine = three(networks=(overlay("edge", mtu=None),))
    engine.delete = lambda *args, **more: None  # type: ignore[method-assign]
    with pytest.raises(SwarmError, match="edge was not removed within 60 s"):
        run(engine, networks=[network("edge")], replace=["edge"])


def test_a_network_that_another_run_made_is_fine() -> None:
    engine = three()
    engine.refuse("POST", "/networks/create", "Name conflicts with an existing object", 409)
    assert told(run(engine, networks=[network("edge")])) == [("create", "network", "edge")]
    engine.refuse("POST", "/networks/create", "no address left", 500)
    with pytest.raises(EngineError, match="no address left"):
        run(engine, networks=[network("more")])


# -- tokens --------------------------------------------------------------------------------


def test_tokens_are_made_anew_and_returned_only_when_asked_for() -> None:
    engine = three()
    predicted = run(copy.deepcopy(engine), check_mode=True, rotate_tokens=["manager", "worker"])
    result = run(engine, rotate_tokens=["manager", "worker"])
    assert result["changes"] == predicted["changes"]
    assert told(result) == [("update", "join_token", "manager"), ("update", "join_token", "worker")]
    assert "SWMTKN" not in str(result)
    assert run(engine, join_tokens=True)["join_tokens"] == {
        "worker": "SWMTKN-worker-new",
        "manager": "SWMTKN-manager-new",
    }


# -- former lives --------------------------------------------------------------------------


def test_the_entry_of_a_server_that_was_made_anew_is_forgotten() -> None:
    gone = node("web-3", Status={"State": "down"}, ManagerStatus={"Reachability": "unreachable"})
    engine = FakeEngine(node("web-1"), node("web-2"), gone)
    result = both(engine, stale=["web-3"])
    assert told(result) == [("update", "node", "web-3"), ("delete", "node", "web-3")]
    assert engine.bodies[-1] == ("/nodes/id-web-3", None, {"force": True})
    assert result["diff"]["before"]["node web-3"] == {"role": "manager", "id": "id-web-3"}


def test_a_node_that_answered_is_never_stale() -> None:
    engine = three()
    assert run(engine, stale=["web-3"], known=["id-web-3"])["changes"] == []
    assert run(engine, stale=["web-3"], nodes=[wanted("web-3", id="id-web-3")])["changes"] == []


def test_an_entry_that_another_run_removes_at_the_same_moment_is_no_error() -> None:
    engine = three(node("web-4", "worker", Status={"State": "down"}))
    original = engine.get

    def get(path: str, query: Any = None, **more: Any) -> Any:
        if path == "/nodes/id-web-4":
            engine.nodes.pop("id-web-4", None)
        return original(path, query, **more)

    engine.get = get  # type: ignore[method-assign]
    assert told(run(engine, stale=["web-4"])) == [("delete", "node", "web-4")]


def test_a_living_node_of_the_same_name_is_not_removed(clock: QuickClock) -> None:
    engine = three(node("web-4", "worker"))
    with pytest.raises(SwarmError, match=r"web-4 \(id-web-4\) cannot be removed: another server with this host name"):
        run(engine, stale=["web-4"])
    assert engine.writes == 0
    assert clock.now <= 61


def test_former_lives_of_too_many_managers_are_not_forgotten() -> None:
    engine = FakeEngine(
        node("web-1"),
        *[
            node(name, Status={"State": "down"}, ManagerStatus={"Reachability": "unreachable"})
            for name in ("web-2", "web-3")
        ],
    )
    with pytest.raises(SwarmError, match="cannot stop being a manager now"):
        run(engine, stale=["web-2"])


def test_lost_managers_of_a_cluster_that_was_begun_anew_are_forgotten() -> None:
    engine = FakeEngine(
        node("web-1"), *[node(name, Status={"State": "down"}, ManagerStatus=None) for name in ("web-2", "web-3")]
    )
    result = both(engine, stale=["web-2", "web-3"])
    assert told(result) == [("delete", "node", "web-2"), ("delete", "node", "web-3")], (
        "the engine refuses to demote them"
    )
    assert list(engine.nodes) == ["id-web-1"]


# -- leaving -------------------------------------------------------------------------------


def busy(*more: Json) -> FakeEngine:
    """A cluster with a service whose tasks move when their node is drained."""
    engine = three(node("web-4", "worker"), *more)
    engine.services = [service("page", 2), service("agent", None)]
    engine.tasks = [task("page", "web-1"), task("page", "web-4"), task("agent", "web-1"), task("agent", "web-4")]

    def move(method: str, path: str, body: Any) -> None:
        if path == "/nodes/id-web-4/update" and body["Availability"] == "drain":
            engine.tasks = [
                task("page", "web-1"),
                task("agent", "web-1"),
                task("page", "web-4", "shutdown", "shutdown"),
                task("page", "web-2"),
            ]

    engine.after = move
    return engine


def test_a_node_is_evacuated_and_then_forgotten_in_order() -> None:
    engine = busy()
    result = both(engine, evacuate=["web-4"])
    assert told(result) == [("update", "node", "web-4")]
    assert engine.nodes["id-web-4"]["Spec"]["Availability"] == "drain"
    engine.nodes["id-web-4"]["Status"]["State"] = "down"
    result = both(engine, remove=["web-4"])
    assert result["changes"] == [
        {"action": "delete", "kind": "node", "name": "web-4", "before": {"id": "id-web-4"}, "after": None}
    ]
    assert engine.bodies[-1][2] == {"force": False}


def test_a_manager_is_drained_before_it_loses_its_role() -> None:
    engine = three()
    result = both(engine, evacuate=["web-3"])
    assert [change["after"] for change in result["changes"]] == [{"availability": "drain"}, {"role": "worker"}]
    assert result["diff"]["after"] == {"node web-3": {"availability": "drain", "role": "worker"}}


def test_nobody_waits_for_what_ran_too_few_before() -> None:
    engine = busy()
    engine.services.append(service("broken", 5))
    engine.tasks.append(task("broken", "web-4", "rejected", error="no such image"))
    assert run(engine, evacuate=["web-4"])["changed"]


def test_tasks_that_do_not_move_are_told_and_the_node_takes_tasks_again() -> None:
    engine = busy()
    engine.after = lambda *args: None
    with pytest.raises(
        SwarmError,
        match=r"did not move within 60 s: agent still runs 1; page still runs 1; page runs 1 of 2 elsewhere\. Nothing was removed, and web-4 takes tasks again",
    ):
        run(engine, evacuate=["web-4"])
    assert engine.nodes["id-web-4"]["Spec"]["Availability"] == "active"


def test_a_service_without_another_node_is_told_quickly(clock: QuickClock) -> None:
    engine = busy()
    reason = "no suitable node (scheduling constraints not satisfied on 3 nodes)"

    def strand(method: str, path: str, body: Any) -> None:
        if body and body.get("Availability") == "drain":
            engine.tasks = [task("page", "web-1"), task("page", "", "pending", error=reason)]

    engine.after = strand
    with pytest.raises(
        SwarmError,
        match=r"No other node can run page: page runs 1 of 2 elsewhere \(no suitable node .*Nothing was removed",
    ):
        run(engine, evacuate=["web-4"])
    assert clock.now < 10


def test_a_run_that_was_killed_is_continued() -> None:
    engine = busy()
    engine.nodes["id-web-4"]["Spec"]["Availability"] = "drain"
    engine.tasks = [task("page", "web-1"), task("page", "web-2")]
    assert run(engine, evacuate=["web-4"])["changes"] == []


def test_a_node_that_drained_before_stays_drained_when_its_tasks_do_not_move() -> None:
    engine = busy()
    engine.nodes["id-web-4"]["Spec"]["Availability"] = "drain"
    with pytest.raises(SwarmError, match=r"Nothing was removed\.$"):
        run(engine, evacuate=["web-4"])
    assert engine.log == []


def test_the_dead_need_a_word() -> None:
    engine = busy()
    engine.nodes["id-web-4"]["Status"]["State"] = "down"
    options: Json = {"unreachable": ["web-4"], "evacuate": ["web-4"]}
    with pytest.raises(SwarmError, match="web-4 cannot leave the cluster, because nothing on it answers"):
        run(engine, **options)
    assert engine.writes == 0
    run(engine, **options, remove_dead=True)
    run(engine, unreachable=["web-4"], remove=["web-4"], remove_dead=True)
    assert engine.bodies[-1] == ("/nodes/id-web-4", None, {"force": True})


def test_a_node_that_has_not_left_keeps_its_entry() -> None:
    with pytest.raises(SwarmError, match="its engine is still in the cluster"):
        run(busy(), remove=["web-4"])


def test_who_is_not_in_the_cluster_has_left() -> None:
    assert run(three(), evacuate=["web-9"], remove=["web-9"], unreachable=["web-9"])["changes"] == []


def test_the_last_manager_stays() -> None:
    engine = FakeEngine(node("web-1"), node("web-2", "worker"))
    with pytest.raises(SwarmError, match="last manager"):
        run(engine, evacuate=["web-1"])
    assert engine.writes == 0


# -- how far an evacuation is -----------------------------------------------------------------


def test_tasks_on_nodes_that_are_down_count_for_nothing() -> None:
    found = progress(
        {"svc-page": "page"},
        [task("page", "web-1"), task("page", "web-3")],
        [task("page", "web-4")],
        {"svc-page": 2},
        leaving={"id-web-4"},
        down={"id-web-3", "id-web-4"},
    )
    assert (found.remaining, found.short) == ({}, {"page": (1, 2)})


def test_a_service_that_was_removed_meanwhile_is_not_awaited() -> None:
    assert progress({}, [], [], {"svc-page": 2}, {"id-web-4"}, ()).done


def test_only_services_with_a_task_on_the_node_are_awaited() -> None:
    tasks = [task("page", "web-4"), task("other", "web-1"), task("agent", "web-4")]
    services = [service("page", 3), service("other"), service("agent", None)]
    assert floors(services, tasks, {"id-web-4"}) == {"svc-page": 1}
