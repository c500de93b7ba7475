# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One read of what swarm_stack compares with, and what to say when there is nobody to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_clock import Clock
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import (
    NAMESPACE_LABEL,
    Cluster,
    StackError,
    id_of,
    labels_of,
)

T = TypeVar("T")

# Words of the engine's answers (moby, daemon/cluster/errors.go and swarmkit's raft proxy) and what they mean here.
_LOST = ("does not have a leader", "deadline exceeded", "too few managers", "lost leader status", "DeadlineExceeded")
# Seconds that the managers get to elect a new one; a restarted leader takes half of it.
ELECTION = 15.0
_PAUSE = 1.0
_REMEDIES = {
    "needs to be unlocked": "The swarm's managers are locked: run `docker swarm unlock` on this node.",
    "Worker nodes can't": "This node is a worker of the swarm: run the module on a manager.",
    "not a swarm manager": "This node is not part of a swarm: make one (`docker swarm init`), or run the module on a manager.",
}


def read_cluster(engine: DockerEngine, stack: str, clock: Clock) -> Cluster:
    """Read services, secrets, configs, networks and the stack's tasks. Raises StackError with cause and remedy."""
    try:
        return patiently(lambda: _read(engine, stack), clock)
    except EngineError as error:
        raise StackError([explained(error)]) from error


def _read(engine: DockerEngine, stack: str) -> Cluster:
    # The first of them fails when there is no leader to ask: a lost quorum costs one time-out, not five.
    services = engine.get("/services") or []
    objects = {
        "services": services,
        "secrets": engine.get("/secrets") or [],
        "configs": engine.get("/configs") or [],
        "networks": read_networks(engine, services, stack),
    }
    return Cluster(stack, objects, read_tasks(engine, stack), lambda: read_nodes(engine))


def patiently(call: Callable[[], T], clock: Clock, deadline: float | None = None) -> T:
    """The call's answer; repeats it while the managers elect a leader. Raises EngineError.

    deadline: of the clock, by default as long as an election takes.
    """
    if deadline is None:
        deadline = clock.now() + ELECTION
    while True:
        try:
            return call()
        except EngineError as error:
            # A lost quorum looks the same, and often answers only after a time-out of its own.
            if not is_election(error) or clock.now() >= deadline:
                raise
        clock.sleep(_PAUSE)


def is_election(error: EngineError) -> bool:
    """Is there no leader just now, or no more?"""
    return any(words in str(error) for words in _LOST)


def read_tasks(engine: DockerEngine, stack: str) -> list[Json]:
    """All tasks of the stack's services, former ones too."""
    return engine.get("/tasks", {"filters": stack_filter(stack)}) or []


def read_services(engine: DockerEngine, stack: str) -> list[Json]:
    """The stack's services."""
    return engine.get("/services", {"filters": stack_filter(stack)}) or []


def read_nodes(engine: DockerEngine) -> list[Json]:
    """All nodes. Raises StackError."""
    try:
        return engine.get("/nodes") or []
    except EngineError as error:
        raise StackError([explained(error)]) from error


def read_networks(engine: DockerEngine, services: Iterable[Json], stack: str) -> list[Json]:
    """The cluster's networks, and those of the node (host) that a service of the stack is attached to."""
    networks = [item for item in engine.get("/networks") or [] if item.get("Scope") == "swarm"]
    known = {id_of(item) for item in networks}
    attached = {
        network["Target"]
        for service in services
        if labels_of(service).get(NAMESPACE_LABEL) == stack
        for network in service["Spec"]["TaskTemplate"].get("Networks") or []
    }
    # The list leaves out Swarm's own names for the nodes' predefined networks; by id they are told.
    further = [engine.get(f"/networks/{identity}", absent=(404,)) for identity in sorted(attached - known)]
    return networks + [item for item in further if item]


def stack_filter(stack: str) -> dict[str, Any]:
    """The engine's filter for what carries the stack's label."""
    return {"label": [f"{NAMESPACE_LABEL}={stack}"]}


def explained(error: EngineError) -> str:
    """An error of the engine as a sentence with cause and remedy."""
    text = str(error)
    for words, remedy in _REMEDIES.items():
        if words in text:
            return remedy
    if is_election(error):
        return (
            f"The swarm has no leader ({text}): more than half of its managers are lost. Running tasks go on, nothing can "
            "be changed. Bring managers back, or run `docker swarm init --force-new-cluster` on the one that is left."
        )
    if "cannot be reached" in text or "did not answer" in text:
        return f"{_capital(text)}: start the engine (`systemctl start docker`), and see `journalctl -u docker`."
    return f"The Docker engine refused: {text}."


def is_cluster_trouble(error: EngineError) -> bool:
    """Is it about the managers or the engine, and not about the request?"""
    return error.status == 0 or is_election(error) or any(words in str(error) for words in _REMEDIES)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
