# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until all services of a stack have converged, or until it is clear that some will not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_clock import Clock
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import StackError, id_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_nodes import is_ready
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_read import (
    explained,
    read_services,
    read_tasks,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_tasks import is_over
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_watch import (
    CONVERGED,
    FAILING,
    WAITING,
    Verdict,
    Watch,
)

# Seconds between two looks; one look is two or three local requests.
_INTERVAL = 0.5
# Seconds in which the managers may elect another leader while we wait.
_ELECTION = 40.0


class Looker:
    """Reads services, tasks and nodes of a stack again and again; bears an election of managers."""

    def __init__(self, engine: DockerEngine, stack: str, clock: Clock) -> None:
        """clock: tells when patience ends."""
        self._engine = engine
        self._stack = stack
        self._clock = clock
        self._failing_since: float | None = None

    def look(self, with_nodes: bool) -> tuple[list[Json], list[Json], list[Json]] | None:
        """Services, tasks, nodes; None when nobody answers just now. Raises StackError when that lasts."""
        try:
            services = read_services(self._engine, self._stack)
            tasks = read_tasks(self._engine, self._stack)
            nodes = self._engine.get("/nodes") if with_nodes else []
        except EngineError as error:
            now = self._clock.now()
            if self._failing_since is None:
                self._failing_since = now
            if now - self._failing_since > _ELECTION:
                raise StackError([explained(error)]) from error
            return None
        self._failing_since = None
        return services, tasks, nodes


def await_convergence(
    engine: DockerEngine,
    stack: str,
    watches: Sequence[Watch],
    timeout: float,
    clock: Clock,
    roll_back: Callable[[Watch], None],
) -> dict[str, Verdict]:
    """Look until every service has converged or will not; the last verdicts by name.

    roll_back: makes Swarm go back to a service's former version, when it would wait for ever (nothing can be placed).
    Raises StackError when the managers are gone.
    """
    looker = Looker(engine, stack, clock)
    with_nodes = any(watch.per_node for watch in watches)
    deadline = clock.now() + timeout
    verdicts: dict[str, Verdict] = {}
    asked_back: set[str] = set()
    while True:
        found = looker.look(with_nodes)
        if found:
            verdicts = _judge(watches, verdicts, found, clock.now())
            _roll_back(watches, verdicts, asked_back, roll_back)
        open_ones = [name for name, verdict in verdicts.items() if verdict.state == WAITING]
        if verdicts and not open_ones:
            return verdicts
        if clock.now() >= deadline:
            return verdicts
        clock.sleep(_INTERVAL)


def _judge(
    watches: Sequence[Watch],
    former: dict[str, Verdict],
    found: tuple[list[Json], list[Json], list[Json]],
    now: float,
) -> dict[str, Verdict]:
    services, tasks, nodes = found
    by_id = {id_of(service): service for service in services}
    verdicts = {watch.name: watch.look(by_id.get(watch.identity), tasks, nodes, now) for watch in watches}
    come_up = {
        name
        for name, verdict in verdicts.items()
        if verdict.state == CONVERGED and name in former and former[name].state != CONVERGED
    }
    for watch in watches:
        # What failed because the other was not there yet has a fair chance only now.
        if come_up and verdicts[watch.name].state == FAILING:
            watch.forgive()
            verdicts[watch.name] = Verdict(WAITING, *_counts(verdicts[watch.name]))
    return verdicts


def _counts(verdict: Verdict) -> tuple[int, int, str, Json | None]:
    return verdict.running, verdict.wanted, verdict.reason, verdict.culprit


def _roll_back(
    watches: Sequence[Watch],
    verdicts: dict[str, Verdict],
    asked: set[str],
    roll_back: Callable[[Watch], None],
) -> None:
    for watch in watches:
        verdict = verdicts[watch.name]
        stuck = verdict.state == FAILING and watch.written and watch.update_state == "updating"
        if stuck and watch.failure_action == "rollback" and watch.name not in asked:
            asked.add(watch.name)
            try:
                roll_back(watch)
            except EngineError:
                # It is reported as failed all the same.
                continue
            watch.give_up(verdict.reason)
            verdicts[watch.name] = Verdict(WAITING, *_counts(verdict))


def await_end(engine: DockerEngine, stack: str, services: set[str], timeout: float, clock: Clock) -> list[Json]:
    """Wait until the tasks of removed services are gone; those that are left. services: ids. Raises StackError."""
    looker = Looker(engine, stack, clock)
    deadline = clock.now() + timeout
    while True:
        found = looker.look(with_nodes=True)
        left: list[Json] = []
        if found:
            _services, tasks, nodes = found
            # A node that is lost tells no end; Swarm starts nothing there, and cleans up when it is back.
            ready = {node["ID"] for node in nodes if is_ready(node)}
            left = [
                task
                for task in tasks
                if task["ServiceID"] in services and not is_over(task) and task.get("NodeID") in ready
            ]
            if not left:
                return []
        if clock.now() >= deadline:
            return left
        clock.sleep(_INTERVAL)
