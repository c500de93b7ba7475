# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster as one manager shows it: one reading of nodes, networks and settings, and questions about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import SwarmError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_settings import cluster_spec

OVERLAYS = {"filters": {"driver": ["overlay"]}}
# Set by the reboot hook while it drains a node: seconds since 1970. Not in our prefix of labels, so nothing removes it.
REBOOT_LABEL = "frontdesk-reboot"


@dataclass
class Cluster:
    """What was read. The members are the engine's own documents."""

    swarm: Json
    nodes: list[Json]
    networks: list[Json]
    # Nodes that check mode pretends, by name in the inventory.
    planned: list[Json] = field(default_factory=list)

    def node(self, name: str, identity: str = "") -> Json | None:
        """The node with this number; without a number the one with this host name. Raises SwarmError when two have it."""
        if identity:
            return next((node for node in self.nodes if node["ID"] == identity), None)
        found = [node for node in self.nodes + self.planned if hostname(node) == name]
        if len(found) > 1:
            raise SwarmError(
                f"The cluster has {len(found)} nodes with the host name {name} ({', '.join(node['ID'] for node in found)}); remove "
                "those that are gone with 'docker node rm'."
            )
        return found[0] if found else None


def hostname(node: Mapping[str, Any]) -> str:
    """A node's host name."""
    return str((node.get("Description") or {}).get("Hostname", ""))


def is_manager(node: Mapping[str, Any]) -> bool:
    """Whether a node is wanted to be a manager; its move may still be under way."""
    return bool(node["Spec"]["Role"] == "manager")


def is_reachable(node: Mapping[str, Any]) -> bool:
    """Whether a manager takes part in the votes."""
    return (node.get("ManagerStatus") or {}).get("Reachability") == "reachable"


def quorum(managers: int) -> int:
    """How many of these managers have to agree."""
    return managers // 2 + 1


def read_cluster(engine: DockerEngine) -> Cluster:
    """One reading, its three questions at the same time. Raises EngineError."""
    with ThreadPoolExecutor(3) as pool:
        swarm = pool.submit(engine.get, "/swarm")
        nodes = pool.submit(engine.get, "/nodes")
        networks = pool.submit(engine.get, "/networks", OVERLAYS)
        return Cluster(swarm.result(), nodes.result(), networks.result())


def planned_cluster(options: Mapping[str, Any]) -> Cluster:
    """What swarm_node's init will have made, for check mode: a cluster with the engine's ingress network and no node."""
    swarm = {
        "ID": "",
        "Spec": cluster_spec({}, options),
        "DefaultAddrPool": options["address_pools"],
        "SubnetSize": options["subnet_size"],
        "DataPathPort": options["data_path_port"],
    }
    return Cluster(swarm, [], [{"Name": "ingress", "Id": "", "Driver": "overlay", "Ingress": True, "Options": {}}])


def planned_node(name: str, role: str) -> Json:
    """A node that will have joined, for check mode."""
    return {
        "ID": "",
        "Spec": {"Role": role, "Availability": "active", "Labels": {}},
        "Description": {"Hostname": name},
        "Status": {"State": "ready"},
        "ManagerStatus": {"Reachability": "reachable"} if role == "manager" else None,
    }


def voters(nodes: Iterable[Json]) -> list[Json]:
    """The nodes that count for the majority.

    Not all that are wanted to be managers: after a cluster was begun anew by force, the entries of the lost managers still say so.
    """
    return [node for node in nodes if node.get("ManagerStatus")]
