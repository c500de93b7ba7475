# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges from looks at a service and its tasks whether it converged, may still, or will not. Nothing here asks the engine.

The engine answers a write before anything happened, and calls a rolled back update a success. So a service has converged
only when every wanted task runs, was made from the wanted template, has passed its health check (or ran for the monitored
time without one), none of another template is left, and Swarm's own update has ended well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import id_of, name_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_nodes import constraints_of, usable_nodes
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_service import JOBS, live_mode
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_tasks import (
    error_of,
    has_failed,
    is_alive,
    is_meant_to_run,
    is_over,
    last_runs,
    made_from,
    newest,
    place_of,
    runs,
    seconds_in_state,
    state_of,
)

# So many tasks that fail one after the other in the same place will not be followed by a good one.
FAILURES = 3
# Seconds that a fault of the cluster (no suitable node, an image that cannot be pulled) may take to pass.
PATIENCE = 25.0
# Seconds without any task to come, after which Swarm has given up. It needs a moment to make the first.
NO_TASK = 10.0
# Seconds in which Swarm finds out whether tasks must move after a change of their placement.
SETTLE = 2.0

CONVERGED, WAITING, FAILING, FAILED = "converged", "waiting", "failing", "failed"


@dataclass(frozen=True)
class Verdict:
    """What a look showed.

    state: converged; waiting; failing: Swarm goes on trying, in vain; failed: Swarm has given up or gone back.
    reason: words for the last two, and for what is waited for. culprit: the task that tells why.
    """

    state: str
    running: int
    wanted: int
    reason: str = ""
    culprit: Json | None = None


class Watch:
    """One service during one run of the module."""

    def __init__(
        self,
        service: Json,
        tasks: Iterable[Json],
        *,
        written_at: float | None = None,
        renewed: bool = False,
        moved: bool = False,
    ) -> None:
        """Begin to watch.

        service: as it is after this run's write. tasks: those before it; their failures are none of this run's.
        written_at: when this run wrote it, None when it did not. renewed: all its tasks must be exchanged, although
        their template does not show it (published ports). moved: its placement changed.
        """
        self.name = name_of(service)
        self.spec: Json = service["Spec"]
        self.service: Json | None = service
        self.written = written_at is not None
        self.identity = id_of(service)
        self._written_at = written_at or 0.0
        self._fresh_after = str(service["UpdatedAt"]) if renewed else ""
        self._moved = moved
        self._old_failures = {task["ID"] for task in tasks if has_failed(task)}
        # Of this run: when and where, by the id of the task.
        self._failures: dict[str, tuple[float, str]] = {}
        self._rejections_only = True
        self._pending: dict[str, float] = {}
        self._running: dict[str, float] = {}
        self._without_task: float | None = None
        self._culprit: Json | None = None
        self._given_up = ""

    @property
    def mode(self) -> str:
        """The service's mode."""
        return live_mode(self.spec)

    @property
    def per_node(self) -> bool:
        """Has it a task on every node that suits?"""
        return self.mode.startswith("global")

    @property
    def update_state(self) -> str:
        """What Swarm says about the last update; empty when there was none."""
        return str(((self.service or {}).get("UpdateStatus") or {}).get("State", ""))

    @property
    def failure_action(self) -> str:
        """What Swarm does when an update fails."""
        return str((self.spec.get("UpdateConfig") or {}).get("FailureAction", "pause"))

    def forgive(self) -> None:
        """Another service has come up, which this one may have waited for: begin to count its failures again."""
        self._old_failures.update(self._failures)
        self._failures.clear()
        self._rejections_only = True

    def give_up(self, reason: str) -> None:
        """Swarm was asked to go back to the former version, for this reason."""
        self._given_up = reason

    def look(self, service: Json | None, tasks: Sequence[Json], nodes: Sequence[Json], now: float) -> Verdict:
        """Judge. now: any clock of seconds that does not jump. nodes: needed for global modes only."""
        self.service = service
        if service is None:
            return Verdict(FAILED, 0, 0, "somebody removed it during the run")
        own = [task for task in tasks if task["ServiceID"] == self.identity]
        ours = [task for task in own if self._is_ours(task)]
        self._remember(ours, now)
        if any(not is_meant_to_run(task) and not is_over(task) for task in own):
            # A former task still has the port or the memory that a new one needs, for as long as its grace period lasts.
            self._pending.clear()
        wanted = self._wanted(nodes)
        replaced = service["Spec"] != self.spec
        running = sum(1 for task in (own if replaced else ours) if runs(task))
        if self.mode in JOBS:
            ours = last_runs(own, self.spec["TaskTemplate"], self.per_node)
            running = sum(1 for task in ours if state_of(task) == "complete")
        state, reason = self._by_update(service)
        if not state:
            judge = self._judge_job if self.mode in JOBS else self._judge_tasks
            state, reason = judge(own, ours, nodes, now)
        return Verdict(state, running, wanted, reason, None if state == CONVERGED else self._culprit)

    # What counts as this version's.

    def _is_ours(self, task: Json) -> bool:
        return made_from(task, self.spec["TaskTemplate"]) and str(task["CreatedAt"]) >= self._fresh_after

    def _remember(self, ours: Sequence[Json], now: float) -> None:
        for task in ours:
            identity = task["ID"]
            if has_failed(task) and identity not in self._old_failures:
                self._failures.setdefault(identity, (now, place_of(task, self.per_node)))
                self._rejections_only &= state_of(task) == "rejected"
            if state_of(task) == "pending" and error_of(task):
                self._pending.setdefault(identity, now)
            else:
                self._pending.pop(identity, None)
            if runs(task):
                self._running.setdefault(identity, now)
        self._culprit = self._choose_culprit(ours) or self._culprit

    def _choose_culprit(self, ours: Sequence[Json]) -> Json | None:
        recent = newest(ours)
        failed = [task for task in recent if task["ID"] in self._failures]
        stuck = [task for task in recent if is_alive(task) and error_of(task)]
        old = [task for task in recent if has_failed(task)]
        starting = [task for task in recent if is_alive(task) and not runs(task)]
        for tasks in (failed, stuck, [] if self._culprit else old, [] if self._culprit else starting):
            if tasks:
                return tasks[0]
        return None

    def _wanted(self, nodes: Sequence[Json]) -> int:
        mode = self.spec.get("Mode") or {}
        if self.per_node:
            return len(self._usable(nodes))
        return int((mode.get("Replicated") or {}).get("Replicas", 1))

    def _usable(self, nodes: Sequence[Json]) -> set[str]:
        return {str(node["ID"]) for node in usable_nodes(nodes, constraints_of(self.spec))}

    # By what Swarm says about the update.

    def _by_update(self, service: Json) -> tuple[str, str]:
        state = self.update_state
        if service["Spec"] != self.spec:
            if state == "rollback_started":
                return WAITING, "Swarm is rolling it back"
            if state.startswith("rollback"):
                return FAILED, self._given_up or "its new tasks failed"
            self._culprit = None
            return FAILED, "somebody else changed it during the run; run this again"
        if state == "paused":
            return FAILED, "its new tasks failed"
        return "", ""

    def _is_rolling(self) -> bool:
        return self.update_state in ("updating", "rollback_started")

    # By the tasks.

    def _judge_tasks(
        self, own: Sequence[Json], ours: Sequence[Json], nodes: Sequence[Json], now: float
    ) -> tuple[str, str]:
        places = {place_of(task, self.per_node) for task in ours if runs(task)}
        alive = {place_of(task, self.per_node) for task in own if is_alive(task)}
        former = [task for task in own if runs(task) and task not in ours]
        usable = self._usable(nodes) if self.per_node else set()
        wanted = self._wanted(nodes)
        missing = len(usable - places) if self.per_node else wanted - len(places)
        surplus = not self.per_node and len(alive) > wanted
        if self.per_node and not usable:
            missing = 1
        if missing <= 0 and not surplus and not former and not self._is_rolling():
            return self._if_stable(ours, now)
        lacking = bool(usable - alive) or not usable if self.per_node else len(alive) < wanted
        return self._if_hopeless(missing, lacking, now)

    def _if_stable(self, ours: Sequence[Json], now: float) -> tuple[str, str]:
        if self._moved and now - self._written_at < SETTLE:
            return WAITING, "its tasks may have to move"
        watched_by_swarm = self.written and self.update_state == "completed"
        if watched_by_swarm or self._has_health_check():
            return CONVERGED, ""
        monitor = (self.spec.get("UpdateConfig") or {}).get("Monitor") or 5_000_000_000
        for task in ours:
            if runs(task) and self._age(task, now) < monitor / 1e9:
                return WAITING, "its tasks have just begun to run"
        return CONVERGED, ""

    def _has_health_check(self) -> bool:
        test = (self.spec["TaskTemplate"]["ContainerSpec"].get("Healthcheck") or {}).get("Test") or ["NONE"]
        return bool(test[0] != "NONE")

    def _age(self, task: Json, now: float) -> float:
        # The node's clock may differ from ours, so what was seen counts as well.
        return max(now - self._running.get(task["ID"], now), seconds_in_state(task))

    def _judge_job(
        self, _own: Sequence[Json], ours: Sequence[Json], nodes: Sequence[Json], now: float
    ) -> tuple[str, str]:
        done = {place_of(task, self.per_node) for task in ours if state_of(task) == "complete"}
        alive = {place_of(task, self.per_node) for task in ours if is_alive(task)}
        if self.per_node:
            usable = self._usable(nodes)
            missing, lacking = len(usable - done) or int(not usable), bool(usable - done - alive) or not usable
        else:
            wanted = self._wanted(nodes)
            missing, lacking = wanted - len(done), len(done | alive) < wanted
        return self._if_hopeless(missing, lacking, now) if missing > 0 else (CONVERGED, "")

    def _if_hopeless(self, missing: int, lacking: bool, now: float) -> tuple[str, str]:
        """Will what is missing still come? lacking: there are fewer tasks than wanted, whatever their state."""
        if not lacking:
            self._without_task = None
        elif self._without_task is None:
            self._without_task = now
        # During an update Swarm itself counts what fails, and acts. It never acts on what cannot be placed.
        swarm_acts = self.update_state == "updating" and self.failure_action != "continue"
        failures = [] if swarm_acts else list(self._failures.values())
        if max(Counter(place for _time, place in failures).values(), default=0) >= FAILURES:
            return FAILING, "its tasks fail one after the other"
        if failures and self._rejections_only and now - min(failures)[0] >= PATIENCE:
            return FAILING, "its tasks are rejected"
        if self._pending and now - min(self._pending.values()) >= PATIENCE:
            return FAILING, "its tasks find no node"
        if self._without_task is not None and now - self._without_task >= self._patience_without_task():
            return FAILING, self._why_no_task()
        return WAITING, f"{missing} more to come"

    def _patience_without_task(self) -> float:
        return NO_TASK if self._culprit else PATIENCE

    def _why_no_task(self) -> str:
        if self.per_node and not self._culprit:
            return f"no node that takes tasks satisfies its placement constraints ({', '.join(constraints_of(self.spec)) or 'none'})"
        return "its tasks ended, and Swarm starts no further one"


def culprits_error(verdict: Verdict) -> str:
    """The engine's own words about the task that tells why; its state when it has none."""
    task: Mapping[str, Any] | None = verdict.culprit
    if task is None:
        return ""
    text = error_of(task)
    if text or state_of(task) in ("complete", "running"):
        return text
    message = str(task["Status"].get("Message") or "")
    return f"its task is {state_of(task)}" + (f" ({message})" if message and message != state_of(task) else "")
