# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes a service's placement constraints allow, by Swarm's rules (swarmkit, manager/constraint)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json

Constraints = Sequence[str]


def constraints_of(spec: Mapping[str, Any]) -> list[str]:
    """The constraints in a service's specification."""
    return list((spec["TaskTemplate"].get("Placement") or {}).get("Constraints") or [])


def allowed_nodes(nodes: Iterable[Json], constraints: Constraints) -> list[Json]:
    """The nodes that satisfy all constraints, whatever their state."""
    return [node for node in nodes if all(_satisfies(node, constraint) for constraint in constraints)]


def usable_nodes(nodes: Iterable[Json], constraints: Constraints) -> list[Json]:
    """Those of them that take new tasks."""
    return [node for node in allowed_nodes(nodes, constraints) if is_ready(node) and _availability(node) == "active"]


def is_ready(node: Mapping[str, Any]) -> bool:
    """Does the node answer the managers?"""
    return bool((node.get("Status") or {}).get("State") == "ready")


def hostname_of(node: Mapping[str, Any]) -> str:
    """The node's host name."""
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])


def _availability(node: Mapping[str, Any]) -> str:
    return str((node.get("Spec") or {}).get("Availability", "active"))


def _satisfies(node: Mapping[str, Any], constraint: str) -> bool:
    negated = "!=" in constraint
    key, _operator, wanted = (part.strip() for part in constraint.partition("!=" if negated else "=="))
    if key == "node.ip":
        return _has_address(node, wanted) != negated
    value = _value(node, key)
    # What Swarm does not know satisfies nothing, not even a negation.
    return value is not None and (value.casefold() == wanted.casefold()) != negated


def _value(node: Mapping[str, Any], key: str) -> str | None:
    spec, description = node.get("Spec") or {}, node.get("Description") or {}
    platform = description.get("Platform") or {}
    plain = {
        "node.id": node["ID"],
        "node.hostname": description.get("Hostname"),
        "node.role": spec.get("Role"),
        "node.platform.os": platform.get("OS"),
        "node.platform.arch": platform.get("Architecture"),
    }
    if key in plain:
        return str(plain[key] or "")
    labels = {
        "node.labels.": spec.get("Labels"),
        "engine.labels.": (description.get("Engine") or {}).get("Labels"),
    }
    for prefix, values in labels.items():
        if key.startswith(prefix):
            return str((values or {}).get(key[len(prefix) :], ""))
    return None


def _has_address(node: Mapping[str, Any], wanted: str) -> bool:
    try:
        address = ipaddress.ip_address((node.get("Status") or {}).get("Addr", ""))
        return address in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False
