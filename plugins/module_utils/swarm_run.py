# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of swarm_cluster on a manager: read, plan, write what differs, wait for its effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change, render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import (
    SwarmError,
    enumerate_words,
    is_there_already,
    wait_until,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_model import (
    Cluster,
    is_reachable,
    planned_cluster,
    planned_node,
    read_cluster,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_networks import (
    NetworkWrite,
    plan_networks,
    users_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_nodes import NodeWrite, plan_nodes
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_removal import Removal
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_settings import (
    cluster_spec,
    fixed_faults,
    spec_change,
)

ATTEMPTS = 5


class ClusterRun:
    """One run. `changes` fills as it goes, so that a failure tells what was done before it."""

    def __init__(self, engine: DockerEngine, options: Mapping[str, Any], check_mode: bool) -> None:
        """options: the module's."""
        self._engine = engine
        self._options = options
        self._check_mode = check_mode
        self.changes: list[Change] = []

    def result(self) -> Json:
        """What the module returns besides the tokens."""
        return {
            "changed": bool(self.changes),
            "changes": [change.as_result() for change in self.changes],
            "diff": render_diff(_merged(self.changes)),
            "api_reads": self._engine.reads,
            "api_writes": self._engine.writes,
        }

    def run(self) -> Json:
        """Do all that the options say; the module's result. Raises SwarmError and EngineError."""
        cluster = self._read()
        self._refuse(cluster.swarm)
        removal = Removal(self._engine, self._options, self._check_mode, self._write_node, self.changes)
        removal.forget_stale(cluster)
        found: Json = {}
        if self._options["join_tokens"] and cluster.swarm["ID"]:
            tokens = cluster.swarm["JoinTokens"]
            found["join_tokens"] = {"worker": tokens["Worker"], "manager": tokens["Manager"]}
        removal.evacuate(cluster)
        removal.remove(cluster)
        self._converge(cluster)
        self._rotate()
        return {**self.result(), **found, "cluster_id": cluster.swarm["ID"]}

    def _read(self) -> Cluster:
        planned = [item for item in self._options["nodes"] or [] if item["planned"] and self._check_mode]
        try:
            cluster = read_cluster(self._engine)
        except EngineError as error:
            if error.status != 503 or "not a swarm manager" not in str(error):
                raise
            if not planned:
                raise SwarmError("The node is no manager of a cluster; run this on one that is.") from error
            cluster = planned_cluster(self._options)
        names = {item["name"] for item in planned}
        # What is listed under a planned node's name is the entry of its former life.
        cluster.nodes = [node for node in cluster.nodes if node["Description"]["Hostname"] not in names]
        cluster.planned = [planned_node(item["name"], item["role"] or "worker") for item in planned]
        return cluster

    def _refuse(self, swarm: Json) -> None:
        faults = fixed_faults(swarm, self._options)
        if faults:
            raise SwarmError(" ".join(faults))

    # -- what differs -----------------------------------------------------

    def _converge(self, cluster: Cluster) -> None:
        options = self._options
        settings = spec_change(cluster.swarm["Spec"], options)
        nodes = plan_nodes(cluster, options["nodes"] or [], options["label_prefix"], time.time())
        networks = plan_networks(cluster, options)
        self._check_unused(networks)
        if settings:
            self._note(settings, partial(self._update_settings, cluster.swarm))
        for write in nodes:
            if not write.demotes:
                self._write_node(write)
        for network in networks:
            self._note(network.change, partial(self._write_network, network))
        for write in nodes:
            if write.demotes:
                self._write_node(write)

    def _note(self, change: Change, write: Callable[[], None]) -> None:
        if not self._check_mode:
            write()
        self.changes.append(change)

    def _update_settings(self, swarm: Json, rotate: Mapping[str, bool] | None = None) -> None:
        for left in reversed(range(ATTEMPTS)):
            query = {"version": swarm["Version"]["Index"], **(rotate or {})}
            try:
                self._engine.post("/swarm/update", cluster_spec(swarm["Spec"], self._options), query)
                return
            except EngineError as error:
                if not left or not _outdated(error):
                    raise
                swarm = self._engine.get("/swarm")
                # Another run may have been the first one.
                self._refuse(swarm)

    def _write_node(self, write: NodeWrite) -> None:
        def send() -> None:
            node, spec = write.node, write.spec
            for left in reversed(range(ATTEMPTS)):
                try:
                    self._engine.post(f"/nodes/{node['ID']}/update", spec, {"version": node["Version"]["Index"]})
                    break
                except EngineError as error:
                    if not left or not _outdated(error):
                        raise
                    node = self._engine.get(f"/nodes/{node['ID']}")
                    spec = write.rebuild(node)
            if write.promotes or write.demotes:
                self._await_role(write)

        self._note(write.change, send)

    def _await_role(self, write: NodeWrite) -> None:
        """The next change of a role is safe only when this one has taken effect."""

        def settled() -> bool:
            try:
                node = self._engine.get(f"/nodes/{write.node['ID']}")
            except EngineError as error:
                # The leader itself may just be handing over.
                if error.status not in (0, 500, 503):
                    raise
                return False
            return is_reachable(node) if write.promotes else not node.get("ManagerStatus")

        if not wait_until(settled, self._options["wait_timeout"], every=0.5):
            raise SwarmError(
                f"{write.change.name} did not become a {write.spec['Role']} within {self._options['wait_timeout']} s; look at the "
                "log of its engine."
            )

    # -- networks -----------------------------------------------------------

    def _check_unused(self, writes: list[NetworkWrite]) -> None:
        """Raise SwarmError when a network that is to go has users; the services are read only for that."""
        leaving = [write.found for write in writes if write.found and write.found.get("Id")]
        if not leaving:
            return
        services = self._engine.get("/services")
        for network in leaving:
            users = users_of(network, services)
            if users:
                how = "publish a port through" if network.get("Ingress") else "use"
                raise SwarmError(
                    f"The network {network['Name']} cannot be removed, because {enumerate_words(users)} {how} it. "
                    + (
                        "Publish with mode: host, or keep the network with ingress: present."
                        if network.get("Ingress")
                        else "Remove them first."
                    )
                )

    def _write_network(self, write: NetworkWrite) -> None:
        if write.found:
            identity = write.found["Id"]
            self._engine.delete(f"/networks/{identity}")
            # The name is free when the nodes have let go of the network.
            gone = wait_until(
                lambda: self._engine.get(f"/networks/{identity}", absent=(404,)) is None, self._options["wait_timeout"]
            )
            if not gone:
                raise SwarmError(
                    f"The network {write.change.name} was not removed within {self._options['wait_timeout']} s."
                )
        if write.body:
            try:
                self._engine.post("/networks/create", write.body)
            except EngineError as error:
                # Another run was faster; it wanted the same.
                if not is_there_already(error):
                    raise

    # -- tokens -------------------------------------------------------------

    def _rotate(self) -> None:
        for role in self._options["rotate_tokens"] or []:
            change = Change("update", "join_token", role, {"rotated": False}, {"rotated": True})
            query = {f"rotate{role.capitalize()}Token": True}
            self._note(change, partial(self._rotate_one, query))

    def _rotate_one(self, query: Mapping[str, bool]) -> None:
        self._update_settings(self._engine.get("/swarm"), query)


def _merged(changes: Iterable[Change]) -> list[Change]:
    """One change for each object, for the diff: a node may be drained first and lose its role later."""
    found: dict[tuple[str, str], Change] = {}
    for change in changes:
        key = (change.kind, change.name)
        found[key] = _joined(found[key], change) if key in found else change
    return list(found.values())


def _joined(first: Change, second: Change) -> Change:
    before = {**(second.before or {}), **(first.before or {})}
    after = None if second.after is None else {**(first.after or {}), **second.after}
    return replace(second, action="delete" if after is None else first.action, before=before, after=after)


def _outdated(error: EngineError) -> bool:
    """Whether somebody else wrote in between."""
    return "out of sequence" in str(error)
