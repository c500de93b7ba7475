# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Into a cluster and out of it: what one node does for that, in the order in which it has to be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_bridge import (
    BRIDGE,
    remove_bridge,
    wanted_bridge,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import (
    SwarmError,
    explain,
    pause,
    wait_until,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_leftovers import Leftovers
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_membership import (
    Membership,
    fault,
    parse_info,
    read_membership,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_settings import cluster_spec

PORT = 2377
# Seconds in which the engine has to stop what it ran for the cluster it left.
STOP_WAIT = 15.0
# The leader takes new managers one after the other, and answers those that come at the same moment with an error.
JOIN_ATTEMPTS = 4
JOIN_PAUSE = 1.0
_TASK_LABEL = "com.docker.swarm.task.id"
_STUCK = "context deadline exceeded"
PLANNED = "(known after the join)"


class NodeRun:
    """One run of swarm_node on one engine. `changes` fills as it goes; in check mode nothing is written."""

    def __init__(
        self, engine: DockerEngine, options: Mapping[str, Any], check_mode: bool, leftovers: Leftovers
    ) -> None:
        """options: the module's."""
        self._engine = engine
        self._leftovers = leftovers
        self._options = options
        self._check_mode = check_mode
        self.changes: list[Change] = []
        self.warnings: list[str] = []

    def present(self) -> Json:
        """Be in the cluster, as far as the options say how to get there; what the node is then.

        Raises SwarmError and EngineError.
        """
        found = read_membership(self._engine)
        text = fault(found, self._options)
        if text:
            raise SwarmError(text)
        wants = self._options["init"] or bool(self._options["join_token"])
        if found.member or not wants:
            self._look_at_bridge(found.member)
            return found.as_result()
        if not self._options["advertise_address"]:
            raise SwarmError("advertise_address is empty; give the node's private address.")
        self._clear_leftovers(found.name)
        self._prepare_bridge()
        return self._begin(found) if self._options["init"] else self._join(found)

    def absent(self) -> Json:
        """Leave the cluster; what the node is then. Raises SwarmError and EngineError."""
        # A node that has just been demoted still takes itself for a manager for a moment, and refuses to leave.
        found = read_membership(self._engine, pending_wait=0)
        if found.state != "inactive":
            role = "manager" if found.manager else "worker"
            self.changes.append(Change("delete", "membership", found.name, {"role": role}, None))
            if not self._check_mode:
                self._leave(found)
                self._await_containers()
                found = parse_info(self._engine.get("/info"))
            else:
                found = Membership(found.name, "inactive", engine_version=found.engine_version)
        if found.state == "inactive" and not (self._check_mode and self.changes):
            self.changes += self._remove_containers()
        self.changes += remove_bridge(self._engine, self._check_mode)
        return found.as_result()

    # -- what a former cluster left ------------------------------------------

    def _clear_leftovers(self, name: str) -> None:
        if self._leftovers.gossips():
            self.changes.append(Change("update", "engine", name, {"gossip": "former cluster"}, {"gossip": "none"}))
            if not self._check_mode:
                self._leftovers.restart_engine()
                if not wait_until(self._answers, self._options["wait_timeout"]):
                    raise SwarmError(
                        "The engine does not answer after its restart; look at 'journalctl --unit docker'."
                    )
        self.changes += self._remove_containers()
        self.changes += self._leftovers.clear(self._check_mode)

    def _answers(self) -> bool:
        try:
            self._engine.get("/version")
        except EngineError:
            return False
        return True

    def _remove_containers(self) -> list[Change]:
        """Remove containers of the cluster's tasks; on a node in no cluster nobody else does."""
        found = self._engine.get("/containers/json", {"all": True, "filters": {"label": [_TASK_LABEL]}})
        for container in found:
            if not self._check_mode:
                self._engine.delete(f"/containers/{container['Id']}", {"force": True}, absent=(404, 409))
        return [
            Change("delete", "leftover", container["Names"][0].lstrip("/"), {"state": container["State"]}, None)
            for container in found
        ]

    # -- the bridge -------------------------------------------------------

    def _look_at_bridge(self, member: bool) -> None:
        """Say that a member's bridge has another MTU; it is in use, so nothing is done about it here."""
        if not member or not self._options["mtu"]:
            return
        found = self._engine.get(f"/networks/{BRIDGE}", absent=(404,))
        wanted = wanted_bridge(self._options["mtu"])
        if found and not wanted.same_mtu(found):
            self.warnings.append(
                f"The network {BRIDGE} carries packets of {wanted.mtu_of(found)} bytes, not {self._options['mtu']}. It is made before a "
                "node joins: to mend it, remove the node from the cluster and run again."
            )

    def _prepare_bridge(self) -> None:
        if self._options["mtu"]:
            found = self._engine.get(f"/networks/{BRIDGE}", absent=(404,))
            self.changes += wanted_bridge(self._options["mtu"]).prepare(self._engine, found, self._check_mode)

    # -- in -----------------------------------------------------------------

    def _begin(self, found: Membership) -> Json:
        options = self._options
        after = {
            "address": options["advertise_address"],
            "address_pools": options["address_pools"],
            "subnet_size": options["subnet_size"],
            "data_path_port": options["data_path_port"],
        }
        self.changes.append(Change("create", "cluster", found.name, None, after))
        if self._check_mode:
            return self._planned(found, "manager")
        body = {
            **self._addresses(),
            "DataPathPort": options["data_path_port"],
            "DefaultAddrPool": options["address_pools"],
            "SubnetSize": options["subnet_size"],
            "ForceNewCluster": False,
            "Spec": cluster_spec({}, options),
        }
        self._clear(found)
        return self._enter(lambda: self._engine.post("/swarm/init", body), attempts=1)

    def _join(self, found: Membership) -> Json:
        options = self._options
        if not options["remote_addresses"]:
            raise SwarmError("remote_addresses is empty; give the address of at least one manager.")
        after = {"role": options["role"], "address": options["advertise_address"]}
        self.changes.append(Change("create", "membership", found.name, None, after))
        if self._check_mode:
            return self._planned(found, options["role"])
        body = {
            **self._addresses(),
            "RemoteAddrs": [_with_port(address) for address in options["remote_addresses"]],
            "JoinToken": options["join_token"],
            "Availability": options["availability"],
        }
        self._clear(found)
        return self._enter(lambda: self._engine.post("/swarm/join", body), attempts=JOIN_ATTEMPTS)

    def _addresses(self) -> Json:
        options = self._options
        address = options["advertise_address"]
        return {
            "AdvertiseAddr": address,
            "DataPathAddr": options["data_path_address"] or address,
            "ListenAddr": _with_port(options["listen_address"] or address),
        }

    def _clear(self, found: Membership) -> None:
        """Take back a first join that never ended: it goes on in the background and bars another one."""
        if found.state != "inactive":
            self._engine.post("/swarm/leave", query={"force": True})

    def _enter(self, enter: Callable[[], Any], attempts: int) -> Json:
        """Send the request; look what came of it. A second run at the same moment may have been faster."""
        for left in reversed(range(attempts)):
            try:
                enter()
            except EngineError as error:
                found = read_membership(self._engine)
                if found.member and found.state == "active":
                    break
                if found.state != "inactive":
                    self._engine.post("/swarm/leave", query={"force": True})
                if not left or not _worth_another(error):
                    raise SwarmError(_failed(error, self._options)) from error
                pause(JOIN_PAUSE)
            else:
                break
        found = read_membership(self._engine, self._options["wait_timeout"])
        text = fault(found, self._options)
        if text or not found.member:
            raise SwarmError(
                text or "The engine took the request to join and is in no cluster all the same; see its log."
            )
        return found.as_result()

    def _planned(self, found: Membership, role: str) -> Json:
        address = self._options["advertise_address"]
        result = Membership(
            found.name, "active", PLANNED, address, role == "manager", engine_version=found.engine_version
        ).as_result()
        return {**result, "id": "", "planned": True, "managers": [_with_port(address)] if role == "manager" else []}

    # -- out ----------------------------------------------------------------

    def _await_containers(self) -> None:
        """The engine stops the tasks after it has answered; what is left then, it has forgotten."""
        query = {"all": True, "filters": {"label": [_TASK_LABEL]}}
        wait_until(lambda: not self._engine.get("/containers/json", query), STOP_WAIT, every=0.5)

    def _leave(self, found: Membership) -> None:
        force = self._options["force"]
        refusal: list[EngineError] = []

        def left() -> bool:
            try:
                # A membership that never began, or one in error, ends only by force.
                self._engine.post("/swarm/leave", query={"force": force or found.state in ("pending", "error")})
            except EngineError as error:
                if "not part of a swarm" in str(error):
                    return True
                refusal[:] = [error]
                # It says the one while it is a manager, the other when it cannot stop its tasks in time.
                if error.status != 503 and _STUCK not in str(error):
                    raise
                return False
            return True

        if wait_until(left, self._options["wait_timeout"], every=1):
            return
        if _STUCK in str(refusal[0]):
            raise SwarmError(
                f"The engine of {found.name} does not finish leaving, because it cannot stop its tasks; restart it with 'systemctl "
                "restart docker' and run again."
            )
        raise SwarmError(
            f"{found.name} is a manager, and a manager leaves only after it has been demoted: {explain(refusal[0])} Demote it first "
            "(swarm_cluster, evacuate), or set force when the cluster is given up."
        )


def _with_port(address: str) -> str:
    return address if ":" in address else f"{address}:{PORT}"


def _worth_another(error: EngineError) -> bool:
    """Whether the cluster may take the node a moment later."""
    text = str(error)
    return error.status >= 500 and "join token" not in text and "Timeout was reached" not in text


def _failed(error: EngineError, options: Mapping[str, Any]) -> str:
    text = str(error)
    where = ", ".join(_with_port(address) for address in options["remote_addresses"] or [])
    if "join token" in text:
        return f"The cluster at {where} refused the join token ({text}); it was changed a moment ago, so run again."
    if "Timeout was reached" in text:
        return (
            f"No manager at {where} answered. See that they run, and that this node reaches them on port {PORT} from "
            f"{options['advertise_address']}."
        )
    return explain(error)
