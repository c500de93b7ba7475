# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""stack_watch: when a service has converged, may still, or will not; one look after the other."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import stack_watch
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_tasks import seconds_in_state, timestamp
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_watch import (
    CONVERGED,
    FAILED,
    FAILING,
    WAITING,
    Verdict,
    Watch,
    culprits_error,
)
from tests.fake_swarm import Json, node

LONG_AGO = "2026-01-01T00:00:00.123456789Z"
# After everything in this file.
NOW = timestamp("2026-01-02T00:00:00Z")
TEMPLATE = {"ContainerSpec": {"Image": "x:1"}, "ForceUpdate": 0, "Runtime": "container"}
CHECKED = {"ContainerSpec": {"Image": "x:1", "Healthcheck": {"Test": ["CMD", "true"]}}}


def service(template: Json | None = None, mode: Json | None = None, update: str = "", **spec: Any) -> Json:
    return {
        "ID": "s1",
        "UpdatedAt": LONG_AGO,
        "Spec": {
            "Name": "app_web",
            "TaskTemplate": template or TEMPLATE,
            "Mode": mode or {"Replicated": {"Replicas": 1}},
            "UpdateConfig": {"FailureAction": "rollback", "Monitor": 5_000_000_000},
            **spec,
        },
        **({"UpdateStatus": {"State": update}} if update else {}),
    }


def task(state: str = "running", number: int = 1, slot: int = 1, template: Json | None = None, **more: Any) -> Json:
    status: Json = {"State": state, "Timestamp": more.pop("since", LONG_AGO), "Err": more.pop("error", "")}
    ended = state in ("failed", "rejected", "shutdown")
    spec = {key: value for key, value in (template or TEMPLATE).items() if key != "Runtime"}
    return {
        "ID": f"t{number}",
        "ServiceID": "s1",
        "Slot": slot,
        "NodeID": "node1",
        "CreatedAt": more.pop("created", LONG_AGO),
        "DesiredState": "shutdown" if ended else "running",
        "Spec": spec,
        "Status": status,
        **more,
    }


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


def looked(watch: Watch, tasks: Sequence[Json], now: float = 100.0, nodes: Sequence[Json] = ()) -> Verdict:
    return watch.look(watch.service, tasks, nodes, now)


OLD = {"ContainerSpec": {"Image": "x:0"}}
RECENT = "2026-01-01T23:59:58Z"


@pytest.mark.parametrize(
    ("item", "tasks", "state"),
    [
        (service(), [task()], CONVERGED),
        (service(), [], WAITING),
        (service(), [task("starting")], WAITING),
        (service(), [task("pending")], WAITING),
        (service(), [task(template=OLD)], WAITING),  # the former version still runs
        (service(), [task(), task(number=2, template=OLD)], WAITING),  # ... beside the new one
        (service(), [task(), task("shutdown", 2, template=OLD)], CONVERGED),
        (service(), [task(), task("failed", 2, error="once")], CONVERGED),  # it runs now
        (service(), [task(DesiredState="shutdown")], WAITING),
        (service(), [task(since=RECENT)], WAITING),  # it may end in a moment
        (service(CHECKED), [task(since=RECENT, template=CHECKED)], CONVERGED),  # it has passed its check
        (service(), [task(ServiceID="another")], WAITING),
        (service(), [task(), task(number=2, slot=2)], WAITING),  # one too many
        (service(mode={"Replicated": {"Replicas": 2}}), [task(), task(number=2, slot=2)], CONVERGED),
        (service(mode={"Replicated": {"Replicas": 2}}), [task(), task(number=2)], WAITING),  # twice the same slot
        (service(mode={"Replicated": {"Replicas": 0}}), [], CONVERGED),
        (service(mode={"Replicated": {"Replicas": 0}}), [task()], WAITING),
        (service({**TEMPLATE, "Placement": {"Constraints": ["node.role==worker"]}}), [task()], CONVERGED),
        (service(update="updating"), [task()], WAITING),  # Swarm still watches it
        (service(update="completed"), [task()], CONVERGED),
        (service(update="rollback_started"), [task()], WAITING),
        (service(update="rollback_completed"), [task()], CONVERGED),  # long ago
        (service(update="paused"), [task()], FAILED),
    ],
)
def test_a_single_look(item: Json, tasks: list[Json], state: str) -> None:
    assert looked(Watch(item, tasks), tasks).state == state


GLOBAL = service(mode={"Global": {}})
JOB = service(mode={"Replicated": {"Replicas": 2}})
JOB["Spec"]["Labels"] = {"frontdesk.platform/job": "true"}


class TestGlobal:
    @pytest.mark.parametrize(
        ("on", "state"),
        [
            (["node1", "node2"], CONVERGED),
            (["node1"], WAITING),
            (["node1", "node1"], WAITING),
            (["node1", "node2", "node3"], CONVERGED),
        ],
    )
    def test_every_usable_node_counts(self, on: list[str], state: str) -> None:
        nodes = [node(1), node(2), node(3)]
        nodes[2]["Spec"]["Availability"] = "drain"
        tasks = [task(number=number, NodeID=name) for number, name in enumerate(on)]
        assert looked(Watch(GLOBAL, tasks), tasks, nodes=nodes).state == state

    def test_a_lost_node_does_not_count(self) -> None:
        nodes = [node(1), node(2)]
        nodes[1]["Status"]["State"] = "down"
        verdict = looked(Watch(GLOBAL, [task()]), [task()], nodes=nodes)
        assert (verdict.state, verdict.running, verdict.wanted) == (CONVERGED, 1, 1)

    def test_no_node_that_suits(self) -> None:
        placement = {**TEMPLATE, "Placement": {"Constraints": ["node.labels.a==b"]}}
        watch = Watch(service(placement, {"Global": {}}), [])
        assert looked(watch, [], 0, [node(1)]).state == WAITING
        verdict = looked(watch, [], stack_watch.PATIENCE, [node(1)])
        assert (verdict.state, verdict.reason) == (
            FAILING,
            "no node that takes tasks satisfies its placement constraints (node.labels.a==b)",
        )


class TestAfterAWrite:
    def test_published_ports_need_tasks_that_are_younger_than_the_write(self) -> None:
        item = {**service(update="completed"), "UpdatedAt": "2026-01-01T12:00:00Z"}
        old, new = task(created="2026-01-01T11:00:00Z"), task(number=2, created="2026-01-01T12:00:01Z")
        watch = Watch(item, [old], written_at=1.0, renewed=True)
        assert looked(watch, [old]).state == WAITING
        assert looked(watch, [{**old, "DesiredState": "shutdown"}, new]).state == CONVERGED

    def test_a_change_of_placement_gets_time_to_move_tasks(self) -> None:
        watch = Watch(service(), [task()], written_at=100.0, moved=True)
        assert looked(watch, [task()], 100.5).state == WAITING
        assert looked(watch, [task()], 100.0 + stack_watch.SETTLE).state == CONVERGED

    def test_swarms_own_watch_counts_as_ours(self) -> None:
        watch = Watch(service(update="completed"), [], written_at=1.0)
        assert looked(watch, [task(since=RECENT)]).state == CONVERGED

    def test_what_was_seen_counts_when_clocks_differ(self) -> None:
        ahead = task(since="2026-01-03T00:00:00Z")
        watch = Watch(service(), [], written_at=1.0)
        assert looked(watch, [ahead], 100.0).state == WAITING
        assert looked(watch, [ahead], 105.0).state == CONVERGED

    def test_a_rollback_by_swarm(self) -> None:
        watch = Watch(service(), [], written_at=1.0)
        former = service(OLD, update="rollback_started")
        assert watch.look(former, [], [], 2).state == WAITING
        verdict = watch.look({**former, "UpdateStatus": {"State": "rollback_completed"}}, [task(template=OLD)], [], 3)
        assert (verdict.state, verdict.reason, verdict.running) == (FAILED, "its new tasks failed", 1)

    def test_the_reason_for_a_rollback_by_us_is_kept(self) -> None:
        watch = Watch(service(), [], written_at=1.0)
        watch.give_up("its tasks find no node")
        former = service(OLD, update="rollback_completed")
        assert watch.look(former, [], [], 3).reason == "its tasks find no node"

    def test_another_change_is_no_rollback(self) -> None:
        watch = Watch(service(), [], written_at=1.0)
        verdict = watch.look(service(OLD), [task("failed", error="x")], [], 3)
        assert (verdict.state, verdict.culprit) == (FAILED, None)
        assert "somebody else changed it" in verdict.reason


class TestHopeless:
    def test_three_failures_in_one_place(self) -> None:
        watch = Watch(service(), [])
        tasks = [task("failed", number, error="exit 1") for number in (1, 2)] + [task("starting", 9)]
        assert looked(watch, tasks).state == WAITING
        tasks.append(task("failed", 3, error="exit 1", created=RECENT))
        verdict = looked(watch, tasks)
        assert (verdict.state, verdict.reason) == (FAILING, "its tasks fail one after the other")
        assert verdict.culprit is not None
        assert verdict.culprit["ID"] == "t3"

    def test_failures_in_different_places_are_no_row(self) -> None:
        item = service(mode={"Replicated": {"Replicas": 3}})
        tasks = [task("failed", number, number) for number in (1, 2, 3)]
        tasks += [task("starting", number + 10, number) for number in (1, 2, 3)]
        assert looked(Watch(item, []), tasks).state == WAITING

    def test_failures_of_before_do_not_count(self) -> None:
        old = [task("failed", number) for number in (1, 2, 3)]
        assert looked(Watch(service(), old), [*old, task("starting", 9)]).state == WAITING

    def test_failures_of_another_version_do_not_count(self) -> None:
        others = [task("failed", number, template=OLD) for number in (1, 2, 3)]
        assert looked(Watch(service(), []), [*others, task("starting", 9)]).state == WAITING

    def test_forgiven_failures_do_not_count(self) -> None:
        watch = Watch(service(), [])
        tasks = [task("failed", number) for number in (1, 2, 3)] + [task("starting", 9)]
        assert looked(watch, tasks).state == FAILING
        watch.forgive()
        assert looked(watch, tasks).state == WAITING

    def test_during_an_update_swarm_counts_itself(self) -> None:
        tasks = [task("failed", number) for number in (1, 2, 3)] + [task("starting", 9)]
        assert looked(Watch(service(update="updating"), []), tasks).state == WAITING
        careless = service(update="updating", UpdateConfig={"FailureAction": "continue"})
        assert looked(Watch(careless, []), tasks).state == FAILING

    def test_rejected_again_and_again_slowly(self) -> None:
        watch = Watch(service(), [])
        tasks = [task("rejected", error="No such image: x:1"), task("ready", 2)]
        assert looked(watch, tasks, 0).state == WAITING
        assert looked(watch, tasks, stack_watch.PATIENCE - 1).state == WAITING
        assert looked(watch, tasks, stack_watch.PATIENCE).reason == "its tasks are rejected"

    def test_one_failure_and_a_long_delay_is_no_end(self) -> None:
        watch = Watch(service(), [])
        tasks = [task("failed", error="exit 1"), task("ready", 2)]
        assert looked(watch, tasks, 0).state == WAITING
        assert looked(watch, tasks, 1000).state == WAITING

    def test_no_node(self) -> None:
        watch = Watch(service(), [])
        pending = [task("pending", error="no suitable node (insufficient resources on 3 nodes)")]
        assert looked(watch, pending, 0).state == WAITING
        assert looked(watch, pending, stack_watch.PATIENCE).reason == "its tasks find no node"

    def test_a_task_that_waits_for_a_former_one_is_not_without_a_node(self) -> None:
        """Stop-first with a published port: the new task finds no node for as long as the old one needs to end."""
        watch = Watch(service(update="updating"), [], written_at=0.0)
        pending = task("pending", 2, error="no suitable node (host-mode port already in use on 1 node)")
        ending = task(template=OLD, DesiredState="shutdown")
        assert looked(watch, [pending, ending], 0).state == WAITING
        assert looked(watch, [pending, ending], 100).state == WAITING
        assert looked(watch, [pending, task("shutdown", template=OLD)], 101).state == WAITING
        assert looked(watch, [pending, task("shutdown", template=OLD)], 101 + stack_watch.PATIENCE).state == FAILING

    def test_a_pending_task_that_found_a_node_is_forgotten(self) -> None:
        watch = Watch(service(), [])
        looked(watch, [task("pending", error="no suitable node")], 0)
        assert looked(watch, [task("starting")], 1000).state == WAITING

    def test_no_task_is_left(self) -> None:
        watch = Watch(service(), [])
        ended = [task("complete", DesiredState="shutdown")]
        assert looked(watch, [*ended, task("failed", 2, error="exit 1")], 1).state == WAITING
        verdict = looked(watch, [*ended, task("failed", 2, error="exit 1")], 1 + stack_watch.NO_TASK)
        assert (verdict.state, verdict.reason) == (FAILING, "its tasks ended, and Swarm starts no further one")

    def test_swarm_gets_more_time_to_make_the_first_task(self) -> None:
        watch = Watch(service(), [])
        assert looked(watch, [], 1).state == WAITING
        assert looked(watch, [], 1 + stack_watch.NO_TASK).state == WAITING
        assert looked(watch, [], 1 + stack_watch.PATIENCE).state == FAILING

    def test_a_service_that_is_gone(self) -> None:
        verdict = Watch(service(), []).look(None, [], [], 1)
        assert (verdict.state, verdict.reason) == (FAILED, "somebody removed it during the run")


class TestJobs:
    def test_all_have_to_end_well(self) -> None:
        watch = Watch(JOB, [])
        assert looked(watch, [task("complete"), task("running", 2, 2)]).state == WAITING
        verdict = looked(watch, [task("complete"), task("complete", 2, 2)])
        assert (verdict.state, verdict.running, verdict.wanted) == (CONVERGED, 2, 2)

    def test_runs_of_another_template_do_not_count(self) -> None:
        former = [task("complete", template=OLD), task("complete", 2, 2, template=OLD)]
        assert looked(Watch(JOB, former), former).state == WAITING

    def test_a_run_before_the_last_one_does_not_count(self) -> None:
        """What was wanted before the last change is wanted again: it has to run again."""
        before = task("complete", created="2026-01-01T00:00:00Z")
        last = task("complete", 2, template=OLD, created="2026-01-02T00:00:00Z")
        other = task("complete", 3, 2)
        watch = Watch(JOB, [before, last, other])
        assert looked(watch, [before, last, other]).state == WAITING
        again = task("complete", 4, created="2026-01-03T00:00:00Z")
        assert looked(watch, [before, last, other, again]).state == CONVERGED

    def test_a_job_that_swarm_gave_up(self) -> None:
        watch = Watch(JOB, [])
        failed = task("failed", 2, 2, error="exit 1")
        assert looked(watch, [task("complete"), failed], 1).state == WAITING
        assert looked(watch, [task("complete"), failed], 1 + stack_watch.NO_TASK).state == FAILING

    def test_a_global_job_runs_on_each_node(self) -> None:
        item = {**JOB, "Spec": {**JOB["Spec"], "Mode": {"Global": {}}}}
        nodes = [node(1), node(2)]
        one = {**task("complete"), "NodeID": "node1"}
        two = {**task("complete", 2), "NodeID": "node2"}
        assert looked(Watch(item, []), [one], nodes=nodes).state == WAITING
        assert looked(Watch(item, []), [one, two], nodes=nodes).state == CONVERGED


@pytest.mark.parametrize(
    ("culprit", "text"),
    [
        (None, ""),
        (task("failed", error="task: non-zero exit (1)"), "task: non-zero exit (1)"),
        (task("rejected", error="invalid\n  mount"), "invalid mount"),
        (task("starting"), "its task is starting"),
        (task("running"), ""),
    ],
)
def test_the_error_of_a_task(culprit: Json | None, text: str) -> None:
    assert culprits_error(Verdict(WAITING, 0, 1, "", culprit)) == text


def test_a_starting_tasks_message_is_told() -> None:
    starting = copy.deepcopy(task("preparing"))
    starting["Status"]["Message"] = "pulling"
    assert culprits_error(Verdict(WAITING, 0, 1, "", starting)) == "its task is preparing (pulling)"


def test_times_of_the_engine() -> None:
    assert timestamp("1970-01-01T00:00:01.5Z") == 1.5
    assert timestamp("1970-01-01T00:00:01Z") == 1.0
    assert seconds_in_state(task(since="1970-01-01T00:00:01Z"), now=11.0) == 10.0
