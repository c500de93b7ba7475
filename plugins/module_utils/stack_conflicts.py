# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a stack cannot be in this cluster: missing external objects, names of others, published ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_definition import (
    PREDEFINED_NETWORKS,
    Definition,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import KEYED_KINDS, Cluster, name_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_nodes import allowed_nodes, constraints_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_parts import split_port

# By full service name: canonical values by path.
Wanted = Mapping[str, Mapping[str, Any]]

_SINGULAR = {"networks": "network", **KEYED_KINDS}


def cluster_problems(definition: Definition, cluster: Cluster, wanted: Wanted) -> list[str]:
    """All reasons why the cluster cannot have the stack."""
    return [
        *_missing(definition, cluster),
        *_clashes(definition, cluster, wanted),
        *_port_clashes(_publishers(cluster, wanted), cluster),
    ]


def _missing(definition: Definition, cluster: Cluster) -> Iterator[str]:
    for kind, singular in _SINGULAR.items():
        for item in definition.lists[kind]:
            name = item["name"]
            predefined = kind == "networks" and name in PREDEFINED_NETWORKS
            # With a content the definition contradicts itself; stack_check.py says that.
            asked = item.get("external") and item.get("content") is None
            if asked and not predefined and name not in cluster.by_kind[kind]:
                yield f"{kind}[{name}] is external, but the swarm has no {singular} of that name; create it first."


def _clashes(definition: Definition, cluster: Cluster, wanted: Wanted) -> Iterator[str]:
    names = {"services": list(wanted), **{kind: list(definition.own(kind)) for kind in _SINGULAR}}
    for kind, ours in names.items():
        for name in ours:
            item = cluster.by_kind[kind].get(name)
            if item and not cluster.owns(item):
                yield (
                    f"The {kind[:-1]} {name} exists and does not belong to the stack {definition.stack} (it lacks the stack's "
                    "label); remove it, or choose another name."
                )


@dataclass(frozen=True)
class _Publisher:
    """A service that publishes a port."""

    name: str
    port: str
    mode: str
    constraints: tuple[str, ...]
    ours: bool


def _publishers(cluster: Cluster, wanted: Wanted) -> list[_Publisher]:
    ours = [
        publisher
        for name, values in wanted.items()
        for publisher in _published(
            name, values.get("ports") or {}, values.get("deploy.placement.constraints") or [], ours=True
        )
    ]
    foreign = [
        publisher
        for item in cluster.services.values()
        if not cluster.owns(item)
        for publisher in _published(name_of(item), _live_ports(item), constraints_of(item["Spec"]), ours=False)
    ]
    return ours + foreign


def _published(name: str, ports: Mapping[str, Any], constraints: Iterable[str], ours: bool) -> Iterator[_Publisher]:
    for key, part in ports.items():
        published, _target, protocol = split_port(key)
        if published:
            yield _Publisher(name, f"{published}/{protocol}", part["mode"], tuple(constraints), ours)


def _live_ports(service: Json) -> dict[str, Json]:
    ports = (service["Spec"].get("EndpointSpec") or {}).get("Ports") or []
    return {
        f"{port.get('PublishedPort') or ''}:{port['TargetPort']}/{port.get('Protocol') or 'tcp'}": {
            "mode": port.get("PublishMode") or "ingress"
        }
        for port in ports
    }


def _port_clashes(publishers: list[_Publisher], cluster: Cluster) -> Iterator[str]:
    for one, other in combinations(publishers, 2):
        if one.port != other.port or not (one.ours or other.ours):
            continue
        # The routing mesh listens on every node.
        everywhere = "ingress" in (one.mode, other.mode)
        if everywhere or _share_a_node(one, other, cluster):
            who = "another port of the same service" if one.name == other.name else f"the service {other.name}"
            yield f"The port {one.port} of the service {one.name} is published by {who}, too; one port of a node has one service."


def _share_a_node(one: _Publisher, other: _Publisher, cluster: Cluster) -> bool:
    both = [*one.constraints, *other.constraints]
    return bool(allowed_nodes(cluster.nodes, both))
