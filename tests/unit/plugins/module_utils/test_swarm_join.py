# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one engine says about its membership, and what a node does to get in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import SwarmError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_join import NodeRun
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_leftovers import Leftovers
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_membership import (
    LOOK_TIMEOUT,
    PENDING_WAIT,
    fault,
    parse_info,
    read_membership,
)
from tests.swarm_engine import CLUSTER, NO_LEADER, FakeEngine, QuickClock, node, use_quick_clock

OPTIONS: dict[str, Any] = {
    "init": False,
    "join_token": None,
    "remote_addresses": [],
    "role": "worker",
    "availability": "active",
    "cluster_id": None,
    "advertise_address": "10.0.0.1",
    "data_path_address": None,
    "listen_address": None,
    "address_pools": ["10.200.0.0/16"],
    "subnet_size": 24,
    "data_path_port": 4789,
    "task_history_limit": 3,
    "node_certificate_days": 30,
    "fingerprint": "first",
    "mtu": 1450,
    "force": False,
    "wait_timeout": 60,
}
JOIN = {"join_token": "SWMTKN-worker", "remote_addresses": ["10.0.0.1", "10.0.0.2:2400"]}
BRIDGE = {
    "Id": "bridge",
    "Name": "docker_gwbridge",
    "Driver": "bridge",
    "Options": {"com.docker.network.driver.mtu": "1450"},
    "Labels": {"frontdesk.platform/role": "swarm"},
}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> QuickClock:
    return use_quick_clock(monkeypatch)


NOTHING_LEFT = Leftovers(lambda command: None, Path("/nowhere"), Path("/nowhere"), Path("/nowhere"))


def node_run(
    engine: FakeEngine, check_mode: bool = False, leftovers: Leftovers = NOTHING_LEFT, **options: Any
) -> NodeRun:
    return NodeRun(engine, {**OPTIONS, **options}, check_mode, leftovers)  # type: ignore[arg-type]


def kinds(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.action, change.kind) for change in changes]


# -- reading -------------------------------------------------------------------


def test_a_manager_tells_the_fingerprint_that_its_cluster_keeps() -> None:
    engine = FakeEngine(node("web-1"))
    assert read_membership(engine).as_result()["fingerprint"] == ""  # type: ignore[arg-type]
    engine.swarm["Spec"]["Labels"] = {"frontdesk.fingerprint": "first"}  # type: ignore[index]
    assert read_membership(engine).as_result()["fingerprint"] == "first"  # type: ignore[arg-type]


def test_an_engine_without_a_cluster_is_no_member() -> None:
    found = read_membership(FakeEngine())  # type: ignore[arg-type]
    assert (found.member, found.state, found.as_result()["role"]) == (False, "inactive", None)


def test_a_manager_knows_its_cluster_and_a_worker_does_not() -> None:
    manager = read_membership(FakeEngine(node("web-1")))  # type: ignore[arg-type]
    assert (manager.manager, manager.cluster_id, manager.leader, manager.address) == (True, CLUSTER, True, "10.0.0.1")
    assert manager.managers == ("10.0.0.1:2377",)
    worker = FakeEngine()
    worker.enter("worker", "10.0.0.4")
    found = read_membership(worker)  # type: ignore[arg-type]
    assert (found.member, found.manager, found.cluster_id, found.leader) == (True, False, "", True)


def test_a_manager_without_a_leader_is_told_without_the_slow_question() -> None:
    engine = FakeEngine(node("web-1"))
    engine.refuse("GET", "/swarm", NO_LEADER, 503)
    engine.refuse("GET", "/info", "must not be asked")
    found = read_membership(engine)  # type: ignore[arg-type]
    assert (found.member, found.manager, found.leader) == (True, True, False)
    assert fault(found, OPTIONS) == "", "the role says it once, for all managers"


def test_an_engine_that_keeps_silent_about_its_cluster_has_no_leader() -> None:
    engine = FakeEngine(node("web-1"))
    engine.refuse("GET", "/swarm", f"the Docker engine did not answer GET /swarm within {LOOK_TIMEOUT:.0f} s", 0)
    assert read_membership(engine).leader is False  # type: ignore[arg-type]


def test_an_engine_that_is_not_there_is_an_error() -> None:
    engine = FakeEngine()
    engine.refuse("GET", "/swarm", "the Docker engine cannot be reached at /s (Connection refused)", 0)
    with pytest.raises(EngineError, match="cannot be reached"):
        read_membership(engine)  # type: ignore[arg-type]


def test_the_error_in_info_tells_of_a_lost_leader_too() -> None:
    info = {"Swarm": {"NodeID": "x", "LocalNodeState": "active", "ControlAvailable": True, "Error": NO_LEADER}}
    assert parse_info(info).leader is False


def test_a_node_on_its_way_gets_time(clock: QuickClock) -> None:
    engine = FakeEngine(node("web-1"))
    engine.state = "pending"
    answers = iter(["pending", "pending", "active"])
    inner = engine._info

    def info() -> Any:
        engine.state = next(answers, "active")
        return inner()

    engine._info = info  # type: ignore[method-assign]
    assert read_membership(engine).state == "active"  # type: ignore[arg-type]
    assert 0 < clock.now < PENDING_WAIT


# -- what is refused --------------------------------------------------------------


def test_a_pending_worker_names_the_managers_that_it_waits_for(clock: QuickClock) -> None:
    engine = FakeEngine()
    engine.enter("worker", "10.0.0.4")
    engine.state = "pending"
    with pytest.raises(SwarmError, match=r"waits for the managers at 10\.0\.0\.1:2377\. .* port 2377"):
        node_run(engine).present()
    assert clock.now <= PENDING_WAIT + 1


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [
        ("locked", "", "docker swarm unlock"),
        ("error", "certificate has expired.", "cluster: certificate has expired. When"),
    ],
)
def test_states_that_need_somebody(state: str, error: str, expected: str) -> None:
    engine = FakeEngine(node("web-1"))
    engine.state, engine.error = state, error
    with pytest.raises(SwarmError, match=expected):
        node_run(engine).present()
    assert engine.log == []


def test_another_address_cannot_be_changed() -> None:
    engine = FakeEngine(node("web-1"))
    with pytest.raises(SwarmError, match=r"address 10\.0\.0\.1, not 10\.0\.0\.9.*cannot be changed"):
        node_run(engine, advertise_address="10.0.0.9").present()


def test_a_manager_of_another_cluster_is_refused() -> None:
    engine = FakeEngine(node("web-1"))
    with pytest.raises(SwarmError, match=f"another cluster \\({CLUSTER}, not cluster-2\\)"):
        node_run(engine, cluster_id="cluster-2").present()


@pytest.mark.parametrize("how", [{"init": True}, JOIN])
def test_nobody_joins_without_a_private_address(how: dict[str, Any]) -> None:
    engine = FakeEngine()
    with pytest.raises(SwarmError, match="advertise_address is empty"):
        node_run(engine, advertise_address="", **how).present()
    assert engine.log == []


def test_nobody_joins_without_a_manager() -> None:
    with pytest.raises(SwarmError, match="remote_addresses is empty"):
        node_run(FakeEngine(), join_token="SWMTKN-worker").present()


# -- in ---------------------------------------------------------------------------


def test_looking_changes_nothing() -> None:
    engine = FakeEngine()
    run = node_run(engine)
    assert run.present()["member"] is False
    assert (run.changes, engine.writes) == ([], 0)


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_cluster_begins_on_the_private_address_with_the_bridge_before_it(check_mode: bool) -> None:
    engine = FakeEngine()
    run = node_run(engine, check_mode, init=True)
    result = run.present()
    assert kinds(run.changes) == [("create", "network"), ("create", "cluster")]
    assert (result["member"], result["role"], result["planned"]) == (True, "manager", check_mode)
    assert result["managers"] == ["10.0.0.1:2377"]
    if check_mode:
        assert engine.log == []
        return
    assert engine.log == ["POST /networks/create", "POST /swarm/init"]
    _path, bridge, _query = engine.bodies[0]
    assert bridge["Options"]["com.docker.network.driver.mtu"] == "1450"
    _path, body, _query = engine.bodies[1]
    assert (body["AdvertiseAddr"], body["DataPathAddr"], body["ListenAddr"]) == (
        "10.0.0.1",
        "10.0.0.1",
        "10.0.0.1:2377",
    )
    assert (body["DefaultAddrPool"], body["SubnetSize"], body["ForceNewCluster"]) == (["10.200.0.0/16"], 24, False)
    assert body["Spec"]["Orchestration"] == {"TaskHistoryRetentionLimit": 3}
    assert body["Spec"]["CAConfig"] == {"NodeCertExpiry": 30 * 86_400_000_000_000}
    assert body["Spec"]["Labels"] == {"frontdesk.fingerprint": "first"}


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_node_joins(check_mode: bool) -> None:
    engine = FakeEngine(name="web-4")
    run = node_run(engine, check_mode, advertise_address="10.0.0.4", data_path_address="10.1.0.4", **JOIN)
    result = run.present()
    assert [change.as_result() for change in run.changes][1] == {
        "action": "create",
        "kind": "membership",
        "name": "web-4",
        "before": None,
        "after": {"role": "worker", "address": "10.0.0.4"},
    }
    assert (result["id"], result["planned"]) == (("", True) if check_mode else ("id-web-4", False))
    if not check_mode:
        _path, body, _query = engine.bodies[-1]
        assert body["RemoteAddrs"] == ["10.0.0.1:2377", "10.0.0.2:2400"]
        assert (body["DataPathAddr"], body["JoinToken"]) == ("10.1.0.4", "SWMTKN-worker")


def test_a_member_is_left_alone() -> None:
    engine = FakeEngine(node("web-1"))
    run = node_run(engine, init=True)
    assert run.present()["id"] == "id-web-1"
    assert (run.changes, engine.writes) == ([], 0)


def test_a_manager_that_is_refused_at_a_busy_moment_tries_again() -> None:
    engine = FakeEngine(name="web-2")
    engine.refuse("POST", "/swarm/join", "manager stopped: can't initialize raft node", times=2)
    run = node_run(engine, advertise_address="10.0.0.2", **JOIN)
    assert run.present()["member"]
    assert engine.log.count("POST /swarm/join") == 1


def test_a_second_run_that_was_faster_is_no_error() -> None:
    engine = FakeEngine(name="web-2")
    engine.refuse("POST", "/swarm/join", "This node is already part of a swarm", 503)
    original = engine._check

    def check(method: str, path: str) -> None:
        try:
            original(method, path)
        except EngineError:
            engine.enter("worker", "10.0.0.2")
            raise

    engine._check = check  # type: ignore[method-assign]
    assert node_run(engine, advertise_address="10.0.0.2", **JOIN).present()["id"] == "id-web-2"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("A valid join token is necessary to join this cluster", "refused the join token"),
        ("Timeout was reached before node joined", r"No manager at 10\.0\.0\.1:2377, 10\.0\.0\.2:2400 answered"),
        ("something else", "Something else."),
    ],
)
def test_a_join_that_fails_is_taken_back(words: str, expected: str) -> None:
    engine = FakeEngine(name="web-4")
    engine.refuse("POST", "/swarm/join", words, 503, times=4)
    original = engine._check

    def check(method: str, path: str) -> None:
        try:
            original(method, path)
        except EngineError:
            # The engine goes on trying in the background.
            engine.state = "pending"
            raise

    engine._check = check  # type: ignore[method-assign]
    engine._info = lambda: {"Name": "web-4", "Swarm": {"LocalNodeState": engine.state}}  # type: ignore[method-assign]
    with pytest.raises(SwarmError, match=expected):
        node_run(engine, advertise_address="10.0.0.4", **JOIN).present()
    assert engine.log[-1] == "POST /swarm/leave"
    assert engine.state == "inactive"


def test_a_first_join_that_never_ended_is_cleared_away() -> None:
    engine = FakeEngine(name="web-4")
    answers = iter(["pending"] * 100)
    real = engine._info
    engine._info = lambda: (  # type: ignore[method-assign]
        {"Name": "web-4", "Swarm": {"LocalNodeState": next(answers)}}
        if "POST /swarm/leave" not in engine.log
        else real()
    )
    assert node_run(engine, advertise_address="10.0.0.4", **JOIN).present()["member"]
    assert engine.log == ["POST /networks/create", "POST /swarm/leave", "POST /swarm/join"]


# -- what a former membership left ---------------------------------------------------


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_bars_the_networks_of_the_next_cluster_is_removed_before_the_join(
    tmp_path: Path, check_mode: bool
) -> None:
    links, namespaces = tmp_path / "net", tmp_path / "netns"
    for path in (links, namespaces):
        path.mkdir()
    for name in ("vx-001001-o2h2s", "ov-001001-8t28v", "eth0", "docker_gwbridge", "vx-lan"):
        (links / name).touch()
    for name in ("1-8t28v960hp", "lb_8t28v960h", "912ba06d7aa1", "ingress_sbox", "default"):
        (namespaces / name).touch()
    commands: list[str] = []
    engine = FakeEngine(name="web-4")
    leftovers = Leftovers(
        lambda command: commands.append(f"{len(engine.log)} {' '.join(command)}"), links, namespaces, tmp_path
    )
    run = node_run(engine, check_mode, leftovers, **JOIN)
    run.present()
    assert [change.name for change in run.changes if change.kind == "leftover"] == [
        f"{namespaces}/1-8t28v960hp", f"{namespaces}/lb_8t28v960h", "ov-001001-8t28v", "vx-001001-o2h2s",
    ]  # fmt: skip
    expected = [
        f"0 umount --lazy {namespaces}/1-8t28v960hp",
        f"0 umount --lazy {namespaces}/lb_8t28v960h",
        "0 ip link delete dev ov-001001-8t28v",
        "0 ip link delete dev vx-001001-o2h2s",
    ]
    assert commands == ([] if check_mode else expected)
    assert (namespaces / "1-8t28v960hp").exists() == check_mode
    assert (namespaces / "912ba06d7aa1").exists(), "a container that is none of the cluster's"


def test_a_members_interfaces_are_in_use(tmp_path: Path) -> None:
    (tmp_path / "vx-001001-o2h2s").touch()
    engine = FakeEngine(node("web-1"))
    assert node_run(engine, leftovers=Leftovers(pytest.fail, tmp_path, tmp_path, tmp_path), init=True).present()[
        "member"
    ]


TABLE = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 2115: 0B00210A:{port} 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 23178 2 0000000000000000 0
"""


@pytest.mark.parametrize("check_mode", [True, False])
def test_an_engine_that_gossips_with_a_former_cluster_is_started_anew(tmp_path: Path, check_mode: bool) -> None:
    (tmp_path / "udp").write_text(TABLE.format(port="1F0A"), encoding="ascii")
    commands: list[str] = []
    engine = FakeEngine(name="web-4")

    def restart(command: Any) -> None:
        commands.append(" ".join(command))
        engine.refuse("GET", "/version", "the Docker engine cannot be reached", 0, times=3)

    run = node_run(engine, check_mode, Leftovers(restart, tmp_path, tmp_path, tmp_path), **JOIN)
    run.present()
    assert kinds(run.changes)[0] == ("update", "engine")
    assert commands == ([] if check_mode else ["systemctl restart docker"])


def test_an_engine_that_does_not_come_back_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "udp6").write_text(TABLE.format(port="1F0A"), encoding="ascii")
    engine = FakeEngine()
    engine.refuse("GET", "/version", "the Docker engine cannot be reached", 0, times=1000)
    with pytest.raises(SwarmError, match="does not answer after its restart"):
        node_run(engine, leftovers=Leftovers(lambda command: None, tmp_path, tmp_path, tmp_path), init=True).present()


def test_another_port_is_none_of_the_gossips(tmp_path: Path) -> None:
    (tmp_path / "udp").write_text(TABLE.format(port="1F0B"), encoding="ascii")
    assert Leftovers(pytest.fail, tmp_path, tmp_path, tmp_path).gossips() is False


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("verb", ["present", "absent"])
def test_containers_that_nobody_removes_any_more_are_removed(verb: str, check_mode: bool) -> None:
    engine = FakeEngine(name="web-4")
    engine.containers = [{"Id": "c1", "Names": ["/page.1.x"], "State": "exited"}]
    run = node_run(engine, check_mode, **JOIN)
    getattr(run, verb)()
    assert ("delete", "leftover", "page.1.x") in [(change.action, change.kind, change.name) for change in run.changes]
    assert ("DELETE /containers/c1" in engine.log) != check_mode


def test_the_engine_gets_time_to_stop_its_tasks_when_it_leaves(clock: QuickClock) -> None:
    engine = FakeEngine(node("web-1"))
    engine.containers = [{"Id": "c1", "Names": ["/page.1.x"], "State": "running"}]
    answers = engine._answer

    def answer(path: str, filters: Any) -> Any:
        if clock.now > 3:
            engine.containers = []
        return answers(path, filters)

    engine._answer = answer  # type: ignore[method-assign]
    run = node_run(engine)
    run.absent()
    assert kinds(run.changes) == [("delete", "membership")]


# -- the bridge -------------------------------------------------------------------


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_bridge_with_another_mtu_is_made_anew_before_the_join(check_mode: bool) -> None:
    engine = FakeEngine(networks=({**BRIDGE, "Options": {}, "Labels": None},))
    run = node_run(engine, check_mode, init=True)
    run.present()
    change = run.changes[0]
    assert (change.action, change.before, change.after) == ("replace", {"mtu": 1500}, {"mtu": 1450})
    assert engine.log[:2] == ([] if check_mode else ["DELETE /networks/docker_gwbridge", "POST /networks/create"])


def test_a_members_bridge_with_another_mtu_is_a_warning() -> None:
    engine = FakeEngine(node("web-1"), networks=({**BRIDGE, "Options": {}},))
    run = node_run(engine)
    run.present()
    assert "packets of 1500 bytes, not 1450" in run.warnings[0]
    assert engine.writes == 0


def test_a_bridge_that_another_run_made_is_fine() -> None:
    engine = FakeEngine()
    engine.refuse("POST", "/networks/create", "network with name docker_gwbridge already exists", 409)
    assert node_run(engine, init=True).present()["member"]


def test_a_bridge_that_cannot_be_made_is_an_error() -> None:
    engine = FakeEngine()
    engine.refuse("POST", "/networks/create", "no space", 500)
    with pytest.raises(EngineError, match="no space"):
        node_run(engine, init=True).present()


# -- out --------------------------------------------------------------------------


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_worker_leaves_with_its_bridge(check_mode: bool) -> None:
    engine = FakeEngine(networks=(BRIDGE,), name="web-4")
    engine.enter("worker", "10.0.0.4")
    run = node_run(engine, check_mode)
    assert run.absent()["member"] is False
    assert kinds(run.changes) == [("delete", "membership"), ("delete", "network")]
    assert engine.log == ([] if check_mode else ["POST /swarm/leave", "DELETE /networks/docker_gwbridge"])


def test_what_has_left_stays_out() -> None:
    engine = FakeEngine(networks=({**BRIDGE, "Labels": {}},))
    run = node_run(engine)
    run.absent()
    assert (run.changes, engine.writes) == ([], 0), "a bridge that was not made here stays"


def test_a_bridge_whose_containers_are_still_stopping_gets_time() -> None:
    engine = FakeEngine(networks=(BRIDGE,))
    engine.refuse("DELETE", "/networks/", "network docker_gwbridge has active endpoints", 403, times=3)
    node_run(engine).absent()
    assert engine.networks == {}


@pytest.mark.parametrize(("words", "times"), [("has active endpoints", 1000), ("no permission", 1)])
def test_a_bridge_that_stays_in_use_is_an_error(words: str, times: int) -> None:
    engine = FakeEngine(networks=(BRIDGE,))
    engine.refuse("DELETE", "/networks/", words, 403, times=times)
    with pytest.raises(EngineError, match=words):
        node_run(engine).absent()


def test_a_manager_that_was_just_demoted_gets_time() -> None:
    engine = FakeEngine(node("web-1"))
    engine.refuse(
        "POST",
        "/swarm/leave",
        "You are attempting to leave the swarm on a node that is participating as a manager",
        503,
        3,
    )
    node_run(engine).absent()
    assert engine.state == "inactive"


def test_a_manager_does_not_leave_by_itself() -> None:
    engine = FakeEngine(node("web-1"))
    engine.refuse(
        "POST",
        "/swarm/leave",
        "You are attempting to leave the swarm on a node that is participating as a manager",
        503,
        1000,
    )
    with pytest.raises(SwarmError, match="leaves only after it has been demoted"):
        node_run(engine).absent()


def test_an_engine_that_does_not_finish_leaving_has_to_be_restarted() -> None:
    engine = FakeEngine(node("web-1"))
    engine.refuse("POST", "/swarm/leave", "context deadline exceeded", 500, times=1000)
    with pytest.raises(SwarmError, match="systemctl restart docker"):
        node_run(engine).absent()


def test_force_is_passed_on() -> None:
    engine = FakeEngine(node("web-1"))
    node_run(engine, force=True).absent()
    assert engine.bodies[0][2] == {"force": True}


def test_a_second_run_that_left_first_is_no_error() -> None:
    engine = FakeEngine(node("web-1"))
    engine.refuse("POST", "/swarm/leave", "This node is not part of a swarm", 503)
    engine.after = lambda *args: None
    node_run(engine).absent()


def test_an_engine_that_cannot_leave_is_an_error() -> None:
    engine = FakeEngine(node("web-1"))
    engine.refuse("POST", "/swarm/leave", "disk full", 500)
    with pytest.raises(EngineError, match="disk full"):
        node_run(engine).absent()
