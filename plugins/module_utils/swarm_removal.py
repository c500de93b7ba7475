# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that leave a cluster, in order: drained, their tasks running elsewhere, no managers any more, gone, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import (
    SwarmError,
    enumerate_words,
    wait_until,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_drain import Evacuation
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_model import Cluster, hostname, voters
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_nodes import (
    NodeWrite,
    check_demotions,
    node_write,
)

# Seconds until the managers notice that a node is gone; three heartbeats of 5 s, and a margin.
GONE_WAIT = 60.0


def available(availability: str, node: Json) -> Json:
    """The spec of a node with this availability."""
    return {**node["Spec"], "Availability": availability}


def demoted(node: Json) -> Json:
    """The spec of a node that is no manager."""
    return {**node["Spec"], "Role": "worker"}


class Removal:
    """The removals of one run of swarm_cluster."""

    def __init__(
        self,
        engine: DockerEngine,
        options: Mapping[str, Any],
        check_mode: bool,
        write_node: Callable[[NodeWrite], None],
        changes: list[Change],
    ) -> None:
        """write_node: sends the write and notes its change. changes: takes those of this class."""
        self._engine = engine
        self._options = options
        self._check_mode = check_mode
        self._write_node = write_node
        self._changes = changes

    def forget_stale(self, cluster: Cluster) -> None:
        """Remove entries of servers that are in no cluster, although one of their name is listed."""
        known = {item["id"] for item in self._options["nodes"] or [] if item["id"]} | set(self._options["known"] or [])
        names = self._options["stale"] or []
        stale = [node for node in cluster.nodes if hostname(node) in names and node["ID"] not in known]
        if not stale:
            return
        check_demotions(cluster.nodes, [node["ID"] for node in stale])
        for node in stale:
            self._await_down(
                node, "another server with this host name is in the cluster; give each server its own name."
            )
            self._demote(hostname(node), node)
            self._forget(hostname(node), node, force=True)
        cluster.nodes = [node for node in cluster.nodes if node not in stale]

    def evacuate(self, cluster: Cluster) -> None:
        """Drain the named nodes, wait until their tasks run elsewhere, make them workers."""
        nodes = self._named(cluster, "evacuate")
        self._check_dead(nodes)
        check_demotions(cluster.nodes, [node["ID"] for node in nodes.values()])
        writes = [
            write
            for name, node in nodes.items()
            for write in [node_write(name, node, partial(available, "drain"))]
            if write
        ]
        if nodes and not self._check_mode:
            self._drain(cluster, nodes, writes)
        else:
            for write in writes:
                self._write_node(write)
        for name, node in nodes.items():
            self._demote(name, node)

    def remove(self, cluster: Cluster) -> None:
        """Remove the entries of the named nodes, which have left."""
        dead = set(self._options["unreachable"] or [])
        for name, node in self._named(cluster, "remove").items():
            if name not in dead:
                self._await_down(node, "its engine is still in the cluster; let the node leave first.")
            self._forget(name, node, force=name in dead)
            cluster.nodes.remove(node)

    def _named(self, cluster: Cluster, option: str) -> dict[str, Json]:
        """The nodes that an option names. A name without a node is done already."""
        found = {name: cluster.node(name) for name in self._options[option] or []}
        return {name: node for name, node in found.items() if node}

    def _check_dead(self, nodes: Mapping[str, Json]) -> None:
        dead = [name for name in nodes if name in (self._options["unreachable"] or [])]
        if dead and not self._options["remove_dead"]:
            raise SwarmError(
                f"{enumerate_words(dead)} cannot leave the cluster, because nothing on it answers. When the server is gone for good, say so "
                "with remove_dead (role swarm: swarm_remove_dead): its entry is removed by force, and what ran on it starts elsewhere."
            )

    def _drain(self, cluster: Cluster, nodes: Mapping[str, Json], writes: Sequence[NodeWrite]) -> None:
        evacuation = Evacuation(self._engine, [node["ID"] for node in nodes.values()], cluster.nodes)
        for write in writes:
            self._write_node(write)
        try:
            evacuation.wait(self._options["wait_timeout"])
        except SwarmError as error:
            names = self._restore(writes)
            raise SwarmError(
                f"{error} Nothing was removed{f', and {names} takes tasks again' if names else ''}."
            ) from error

    def _restore(self, writes: Sequence[NodeWrite]) -> str:
        """Give the nodes that were drained here their availability back; their names."""
        for write in writes:
            node = self._engine.get(f"/nodes/{write.node['ID']}")
            back = node_write(write.change.name, node, partial(available, write.node["Spec"]["Availability"]))
            if back:
                self._write_node(back)
        return enumerate_words(write.change.name for write in writes)

    def _await_down(self, node: Json, otherwise: str) -> None:
        if self._check_mode:
            return

        def down() -> bool:
            # Another run may have been faster.
            current = self._engine.get(f"/nodes/{node['ID']}", absent=(404,))
            return current is None or current["Status"]["State"] == "down"

        if not wait_until(down, min(GONE_WAIT, self._options["wait_timeout"]), every=0.5):
            raise SwarmError(f"The entry of {hostname(node)} ({node['ID']}) cannot be removed: {otherwise}")

    def _demote(self, name: str, node: Json) -> None:
        # A write before this one may have changed the node.
        current = node if self._check_mode else self._engine.get(f"/nodes/{node['ID']}", absent=(404,))
        # Without a voice there is nothing to take away, and the engine refuses to do so.
        write = node_write(name, current, demoted) if current and voters([current]) else None
        if write:
            self._write_node(write)

    def _forget(self, name: str, node: Json, force: bool) -> None:
        if not self._check_mode:
            self._engine.delete(f"/nodes/{node['ID']}", {"force": force})
        self._changes.append(Change("delete", "node", name, {"id": node["ID"]}, None))
