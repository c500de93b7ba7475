# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the nodes of a cluster with what is wanted: labels, role, availability. Pure functions; nothing here is sent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import SwarmError, enumerate_words
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_model import (
    REBOOT_LABEL,
    Cluster,
    is_manager,
    is_reachable,
    quorum,
    voters,
)

# Seconds that a node may be drained for a reboot, before it counts as forgotten.
REBOOT_LIMIT = 3600


@dataclass(frozen=True)
class NodeWrite:
    """One update of one node.

    spec: complete, because the engine replaces the whole.
    rebuild: makes it again from a node that somebody else changed in the meantime.
    """

    change: Change
    node: Json
    spec: Json
    rebuild: Callable[[Json], Json]

    @property
    def demotes(self) -> bool:
        """Whether a manager becomes a worker."""
        return is_manager(self.node) and self.spec["Role"] != "manager"

    @property
    def promotes(self) -> bool:
        """Whether a worker becomes a manager."""
        return not is_manager(self.node) and self.spec["Role"] == "manager"


def with_labels(current: Mapping[str, str], wanted: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Labels of a node: what is wanted, and what does not begin with our prefix."""
    kept = {key: value for key, value in current.items() if not key.startswith(prefix)}
    return {**kept, **{key: label_value(value) for key, value in wanted.items()}}


def label_value(value: Any) -> str:
    """A label's value as text; YAML's true is `true`, as in placement constraints."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def wanted_spec(node: Json, wanted: Mapping[str, Any], prefix: str, now: float) -> Json:
    """A node's spec with what is wanted in it; what is not mentioned stays.

    now: seconds since 1970; a node that is being rebooted keeps its availability.
    """
    spec: Json = copy.deepcopy(node["Spec"])
    labels = spec.get("Labels") or {}
    if wanted.get("labels") is not None:
        spec["Labels"] = with_labels(labels, wanted["labels"], prefix)
    if wanted.get("role"):
        spec["Role"] = wanted["role"]
    if wanted.get("availability") and not is_rebooting(labels, now):
        spec["Availability"] = wanted["availability"]
    return spec


def is_rebooting(labels: Mapping[str, str], now: float) -> bool:
    """Whether the reboot hook drained the node a short while ago."""
    since = labels.get(REBOOT_LABEL, "")
    return since.isdigit() and now - int(since) < REBOOT_LIMIT


def node_write(name: str, node: Json, rebuild: Callable[[Json], Json]) -> NodeWrite | None:
    """The write that brings a node to the spec that `rebuild` makes of it; None when it has it."""
    spec = rebuild(node)
    before: Json = {}
    after: Json = {}
    for key, title in (("Role", "role"), ("Availability", "availability")):
        if node["Spec"].get(key) != spec.get(key):
            before[title], after[title] = node["Spec"].get(key), spec.get(key)
    old, new = node["Spec"].get("Labels") or {}, spec.get("Labels") or {}
    if old != new:
        differing = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        before["labels"] = {key: old[key] for key in differing if key in old}
        after["labels"] = {key: new[key] for key in differing if key in new}
    return NodeWrite(Change("update", "node", name, before, after), node, spec, rebuild) if after else None


def plan_nodes(cluster: Cluster, wanted: Sequence[Mapping[str, Any]], prefix: str, now: float) -> list[NodeWrite]:
    """The writes to all nodes, demotions last. Raises SwarmError for a node that is not in this cluster, or a lost majority."""
    strangers: list[str] = []
    writes: list[NodeWrite] = []
    for item in wanted:
        node = cluster.node(item["name"], item.get("id") or "")
        if node is None:
            strangers.append(f"{item['name']} ({item['id']})" if item.get("id") else item["name"])
            continue
        write = node_write(item["name"], node, partial(wanted_spec, wanted=item, prefix=prefix, now=now))
        if write:
            writes.append(write)
    if strangers:
        raise SwarmError(
            f"{enumerate_words(strangers)} cannot be found among the nodes of the cluster {cluster.swarm['ID']}: a node that was "
            "removed by hand, or that is in another cluster, still takes itself for a member. Take it out with "
            "'docker swarm leave --force' on it, and run again: it joins anew."
        )
    writes.sort(key=lambda write: write.demotes)
    demoted = [write.node["ID"] for write in writes if write.demotes]
    promoted = [write.node for write in writes if write.promotes]
    check_demotions(cluster.nodes + cluster.planned, demoted, promoted)
    return writes


def check_demotions(nodes: Iterable[Json], demoted: Sequence[str], promoted: Sequence[Json] = ()) -> None:
    """Raise SwarmError when managers cannot become workers, one after the other, without losing the majority."""
    managers = voters(nodes)
    count = len(managers) + len(promoted)
    voting = sum(map(is_reachable, managers)) + len(promoted)
    for node in managers:
        if node["ID"] not in demoted:
            continue
        count -= 1
        voting -= is_reachable(node)
        name = node["Description"]["Hostname"]
        if count < 1:
            raise SwarmError(f"{name} is the last manager, and a cluster needs one; make another node a manager first.")
        if voting < quorum(count):
            raise SwarmError(
                f"{name} cannot stop being a manager now: only {voting} of the other {count} would answer, and they need "
                f"{quorum(count)}. Start the managers that are down first."
            )
