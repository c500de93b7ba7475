# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes tasks away from nodes: what still has to happen, as a pure function, and the waiting for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import is_job
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import (
    SwarmError,
    enumerate_words,
    wait_until,
)

# https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/: the states before the end.
LIVE = frozenset(("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"))
WANTED = {"filters": {"desired-state": ["running"]}}
# Polls in a row in which the scheduler has to refuse a task, before that counts: it may still be looking.
PATIENCE = 12


@dataclass
class Progress:
    """How far an evacuation is. All by name of service.

    remaining: tasks that still run on the leaving nodes.
    short: running and wanted tasks of services that run too few elsewhere.
    stranded: why the scheduler finds no other node.
    """

    remaining: dict[str, int] = field(default_factory=dict)
    short: dict[str, tuple[int, int]] = field(default_factory=dict)
    stranded: dict[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether nothing runs on the nodes, and everything does elsewhere."""
        return not self.remaining and not self.short

    def text(self) -> str:
        """What is missing, as a sentence without its full stop."""
        parts = [f"{name} still runs {count}" for name, count in sorted(self.remaining.items())]
        for name, (running, wanted) in sorted(self.short.items()):
            reason = f" ({self.stranded[name]})" if name in self.stranded else ""
            parts.append(f"{name} runs {running} of {wanted} elsewhere{reason}")
        return "; ".join(parts)


def replicas(service: Mapping[str, Any]) -> int | None:
    """How many tasks a replicated service wants; None for global services and jobs."""
    mode = service["Spec"].get("Mode") or {}
    wanted = (mode.get("Replicated") or {}).get("Replicas")
    return None if wanted is None or is_job(service) else int(wanted)


def running_elsewhere(
    tasks: Iterable[Mapping[str, Any]], leaving: Collection[str], down: Collection[str]
) -> dict[str, int]:
    """Running tasks by number of service, without those on nodes that leave or are down."""
    counts: dict[str, int] = {}
    for task in tasks:
        node = task.get("NodeID", "")
        if task["Status"]["State"] == "running" and node not in leaving and node not in down:
            counts[task["ServiceID"]] = counts.get(task["ServiceID"], 0) + 1
    return counts


def floors(
    services: Iterable[Mapping[str, Any]], tasks: Iterable[Mapping[str, Any]], leaving: Collection[str]
) -> dict[str, int]:
    """How many tasks each service has to run elsewhere in the end, by its number.

    Counts replicated services with a task on the leaving nodes; one that ran too few before need not run more after.
    """
    all_tasks = list(tasks)
    running = running_elsewhere(all_tasks, (), ())
    affected = {task["ServiceID"] for task in all_tasks if task.get("NodeID") in leaving}
    found = {}
    for service in services:
        wanted = replicas(service)
        if wanted is not None and service["ID"] in affected:
            found[service["ID"]] = min(wanted, running.get(service["ID"], 0))
    return found


def progress(
    names: Mapping[str, str],
    wanted: Iterable[Mapping[str, Any]],
    local: Iterable[Mapping[str, Any]],
    minimum: Mapping[str, int],
    leaving: Collection[str],
    down: Collection[str],
) -> Progress:
    """How far the leaving nodes are.

    names: of services by number. wanted: tasks that should run, of the whole cluster. local: all tasks of the leaving nodes.
    minimum: see `floors`. down: numbers of nodes that do not answer; what they say about their tasks is old.
    """
    result = Progress()
    tasks = list(wanted)
    for task in local:
        if task["Status"]["State"] in LIVE and task["NodeID"] not in down:
            name = names.get(task["ServiceID"], task["ServiceID"])
            result.remaining[name] = result.remaining.get(name, 0) + 1
    running = running_elsewhere(tasks, leaving, down)
    for identity, least in minimum.items():
        if identity in names and running.get(identity, 0) < least:
            result.short[names[identity]] = (running.get(identity, 0), least)
    for task in tasks:
        reason = str(task["Status"].get("Err", ""))
        if task["Status"]["State"] == "pending" and "no suitable node" in reason:
            result.stranded[names.get(task["ServiceID"], "")] = reason
    return result


class Evacuation:
    """Waits until the tasks of some nodes run elsewhere. Made before the nodes are drained, to know what ran."""

    def __init__(self, engine: DockerEngine, leaving: Collection[str], nodes: Iterable[Json]) -> None:
        """leaving: the nodes' numbers. nodes: all of the cluster."""
        self._engine = engine
        self._leaving = set(leaving)
        self._down = {node["ID"] for node in nodes if node["Status"]["State"] == "down"}
        services = engine.get("/services")
        self._names = {service["ID"]: service["Spec"]["Name"] for service in services}
        self._floors = floors(services, engine.get("/tasks", WANTED), self._leaving)

    def wait(self, seconds: float) -> None:
        """Raise SwarmError when it takes longer, or when a service finds no other node."""
        refusals = 0
        last = Progress()

        def settled() -> bool:
            nonlocal refusals, last
            last = self._progress()
            refusals = refusals + 1 if set(last.stranded) & set(last.short) else 0
            return last.done or refusals >= PATIENCE

        if not wait_until(settled, seconds, every=0.5):
            raise SwarmError(f"The tasks did not move within {seconds:.0f} s: {last.text()}.")
        if not last.done:
            names = enumerate_words(sorted(set(last.stranded) & set(last.short)))
            raise SwarmError(
                f"No other node can run {names}: {last.text()}. Remove the service, or let it run on another node, and run again."
            )

    def _progress(self) -> Progress:
        local = self._engine.get("/tasks", {"filters": {"node": sorted(self._leaving)}})
        return progress(self._names, self._engine.get("/tasks", WANTED), local, self._floors, self._leaving, self._down)
