# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This node's membership in a cluster: what the engine says about it, and what is wrong with that."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import (
    enumerate_words,
    says_no_leader,
    wait_until,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_settings import fingerprint_of

# Seconds for a node that is on its way into its cluster, after a start of its engine.
PENDING_WAIT = 15.0
# Seconds that the first question may take. An engine answers it in milliseconds; a manager that is just losing its leader keeps
# silent for 20 s.
LOOK_TIMEOUT = 8.0


@dataclass(frozen=True)
class Membership:
    """What one engine knows about its cluster.

    state: the engine's word: inactive, pending, active, error or locked.
    member: whether the node has been taken into a cluster.
    cluster_id: known to managers only, and only while the cluster has a leader.
    leader: whether the cluster has one, as far as this node can tell.
    managers: addresses with ports.
    fingerprint: what the cluster keeps as its own; known to managers only.
    """

    name: str
    state: str
    id: str = ""
    address: str = ""
    manager: bool = False
    cluster_id: str = ""
    leader: bool = True
    error: str = ""
    managers: tuple[str, ...] = ()
    engine_version: str = ""
    fingerprint: str = ""

    @property
    def member(self) -> bool:
        """A first join that never ended leaves a node that is pending, or in error, without a number."""
        return self.state == "active" or bool(self.id)

    def as_result(self) -> Json:
        """The form in a module's result."""
        return {
            "name": self.name,
            "id": self.id,
            "state": self.state,
            "member": self.member,
            "role": ("manager" if self.manager else "worker") if self.member else None,
            "address": self.address,
            "cluster_id": self.cluster_id,
            "leader": self.leader,
            "managers": list(self.managers),
            "engine_version": self.engine_version,
            "fingerprint": self.fingerprint,
            "planned": False,
        }


def parse_info(info: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> Membership:
    """The membership in the engine's answer to GET /info. settings: the answer to GET /swarm, which only managers give."""
    swarm = info.get("Swarm") or {}
    cluster = swarm.get("Cluster") or {}
    error = swarm.get("Error") or ""
    manager = bool(swarm.get("ControlAvailable"))
    return Membership(
        name=info.get("Name", ""),
        state=swarm.get("LocalNodeState") or "inactive",
        id=swarm.get("NodeID") or "",
        address=swarm.get("NodeAddr") or "",
        manager=manager,
        cluster_id=cluster.get("ID") or "",
        leader=not (manager and (says_no_leader(error) or not cluster.get("ID"))),
        error=error,
        managers=tuple(sorted(manager["Addr"] for manager in swarm.get("RemoteManagers") or [])),
        engine_version=info.get("ServerVersion", ""),
        fingerprint=fingerprint_of(settings or {}),
    )


def read_membership(engine: DockerEngine, pending_wait: float = PENDING_WAIT) -> Membership:
    """Ask the engine; wait a little for one that is just starting. Raises EngineError."""
    found = _look(engine)

    def settled() -> bool:
        nonlocal found
        if found.state == "pending":
            found = _look(engine)
        return found.state != "pending"

    if found.state == "pending":
        wait_until(settled, pending_wait)
    return found


def _look(engine: DockerEngine) -> Membership:
    # A manager without a leader takes 20 s to answer /info, and no time at all to refuse /swarm. So the quick question
    # comes first; nodes that are no managers refuse it as quickly.
    settings = None
    try:
        settings = engine.get("/swarm", timeout=LOOK_TIMEOUT)
    except EngineError as error:
        if error.status == 0 and "did not answer" not in str(error):
            raise
        if error.status == 0 or says_no_leader(str(error)):
            return _without_leader(engine, str(error))
    return parse_info(engine.get("/info"), settings)


def _without_leader(engine: DockerEngine, error: str) -> Membership:
    # /version answers at once. What only /info tells, as the node's number and address, stays unknown.
    version = engine.get("/version", timeout=LOOK_TIMEOUT).get("Version", "")
    return Membership(socket.gethostname(), "active", manager=True, leader=False, error=error, engine_version=version)


def fault(found: Membership, wanted: Mapping[str, Any]) -> str:
    """Why this node cannot be what is wanted, with the remedy; empty when nothing is in the way.

    wanted: advertise_address and cluster_id, either may be empty.
    """
    if not found.member:
        return ""
    return _fault_of_state(found) or _fault_of_place(found, wanted)


def _fault_of_state(found: Membership) -> str:
    if found.state == "locked":
        return "The engine waits for the cluster's unlock key; give it with 'docker swarm unlock' and run again."
    if found.state == "error":
        return (
            f"The engine cannot take part in its cluster: {found.error.rstrip('.')}. When that cannot be mended, take it out with "
            "'docker swarm leave --force' and run again: it joins anew."
        )
    if found.state == "pending" and found.leader:
        reason = f" ({found.error.rstrip('.')})" if found.error else ""
        return (
            f"The engine has not come back into its cluster{reason}: it waits for the managers at "
            f"{enumerate_words(found.managers) or 'unknown addresses'}. See that they run, and that this node reaches them on port 2377."
        )
    return ""


def _fault_of_place(found: Membership, wanted: Mapping[str, Any]) -> str:
    cluster_id = wanted.get("cluster_id")
    if cluster_id and found.cluster_id and found.cluster_id != cluster_id:
        return (
            f"The node is a manager of another cluster ({found.cluster_id}, not {cluster_id}). If that one is not needed any more, "
            "take the node out with 'docker swarm leave --force' and run again."
        )
    address = wanted.get("advertise_address")
    if address and found.address and found.address != address:
        return (
            f"The node is in its cluster with the address {found.address}, not {address}. The address is chosen at the join and "
            "cannot be changed: remove the node from the cluster (drain, demote, 'docker swarm leave'), and run again."
        )
    return ""
