# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the overlay networks of a cluster with what is wanted. Pure functions; nothing here is sent.

An overlay's option com.docker.network.driver.mtu is the MTU of the network below: what containers see is 50 bytes less, for
VXLAN's headers, and 76 less with encryption (drivers/overlay of the engine, `maxMTU`). It cannot be changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_bridge import DEFAULT_MTU, LABEL, MTU
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import SwarmError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_model import Cluster

ENCRYPTED = "encrypted"
INGRESS = "ingress"


@dataclass(frozen=True)
class NetworkWrite:
    """One network that is made, removed, or both. `found` has the number of the one that goes."""

    change: Change
    found: Json | None
    body: Json | None


def fields_of(network: Mapping[str, Any]) -> Json:
    """What is compared of one of the engine's networks."""
    options = network.get("Options") or {}
    return {
        "mtu": int(options.get(MTU) or DEFAULT_MTU),
        "attachable": bool(network.get("Attachable")),
        "internal": bool(network.get("Internal")),
        # The option alone switches encryption on, whatever it says; but `false` is left away by all tools.
        "encrypted": ENCRYPTED in options and options[ENCRYPTED] != "false",
    }


def container_mtu(network: Mapping[str, Any]) -> int:
    """The MTU that containers see in an overlay network, in bytes."""
    fields = fields_of(network)
    inner = int(fields["mtu"]) - 50
    return (inner - 26) // 4 * 4 if fields["encrypted"] else inner


def body_of(name: str, fields: Mapping[str, Any], ingress: bool = False) -> Json:
    """The request that makes a network."""
    options = {MTU: str(fields["mtu"])}
    if fields["encrypted"]:
        options[ENCRYPTED] = ""
    return {
        "Name": name,
        "Driver": "overlay",
        "Scope": "swarm",
        "CheckDuplicate": True,
        "Attachable": fields["attachable"],
        "Internal": fields["internal"],
        "Ingress": ingress,
        "Options": options,
        "Labels": {LABEL: "swarm"},
    }


def plan_networks(cluster: Cluster, options: Mapping[str, Any]) -> list[NetworkWrite]:
    """The writes to the listed networks and to the ingress network. Raises SwarmError for a replacement that is not named."""
    found = {network["Name"]: network for network in cluster.networks if network.get("Driver") == "overlay"}
    writes: list[NetworkWrite | None] = []
    refused: list[str] = []
    for item in options["networks"] or []:
        network = found.get(item["name"])
        if item["state"] == "absent":
            writes.append(_removal(network) if network else None)
            continue
        write = _write(item["name"], network, _wanted(item, options))
        writes.append(write)
        if write and write.change.action == "replace" and item["name"] not in options["replace"]:
            refused.append(f"{item['name']} ({_difference(write.change)})")
    if refused:
        raise SwarmError(
            f"These networks exist with other options, and a network cannot be changed in place: {', '.join(refused)}. Remove what "
            "uses them and name them in replace, or write down what they have."
        )
    writes.append(_plan_ingress(found, options))
    return [write for write in writes if write]


def _plan_ingress(found: Mapping[str, Json], options: Mapping[str, Any]) -> NetworkWrite | None:
    network = next((item for item in found.values() if item.get("Ingress")), None)
    if options["ingress"] == "absent":
        return _removal(network) if network else None
    if options["ingress"] == "present":
        fields = {"mtu": options["mtu"] or DEFAULT_MTU, "attachable": False, "internal": False, "encrypted": False}
        return _write(network["Name"] if network else INGRESS, network, fields, ingress=True)
    return None


def _wanted(item: Mapping[str, Any], options: Mapping[str, Any]) -> Json:
    return {
        "mtu": item["mtu"] or options["mtu"] or DEFAULT_MTU,
        "attachable": item["attachable"],
        "internal": item["internal"],
        "encrypted": item["encrypted"],
    }


def _write(name: str, found: Json | None, wanted: Json, ingress: bool = False) -> NetworkWrite | None:
    body = body_of(name, wanted, ingress)
    if found is None:
        return NetworkWrite(Change("create", "network", name, None, wanted), None, body)
    current = fields_of(found)
    differing = [key for key in wanted if wanted[key] != current[key]]
    if not differing:
        return None
    before = {key: current[key] for key in differing}
    after = {key: wanted[key] for key in differing}
    return NetworkWrite(Change("replace", "network", name, before, after), found, body)


def _removal(network: Json) -> NetworkWrite:
    return NetworkWrite(Change("delete", "network", network["Name"], fields_of(network), None), network, None)


def _difference(change: Change) -> str:
    before, after = change.before or {}, change.after or {}
    return ", ".join(f"{key} {str(before[key]).lower()} and not {str(after[key]).lower()}" for key in after)


def users_of(network: Mapping[str, Any], services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the services that use a network; for the ingress network those that publish a port through it."""
    names = {network.get("Id"), network.get("Name")}
    return sorted(
        service["Spec"]["Name"]
        for service in services
        if (_publishes(service) if network.get("Ingress") else names & _targets(service))
    )


def _targets(service: Mapping[str, Any]) -> set[Any]:
    spec = service["Spec"]
    # Old engines keep the networks beside the template of the tasks.
    attached = (spec.get("TaskTemplate") or {}).get("Networks") or spec.get("Networks") or []
    return {item.get("Target") for item in attached}


def _publishes(service: Mapping[str, Any]) -> bool:
    ports = (service["Spec"].get("EndpointSpec") or {}).get("Ports") or []
    return any(port.get("PublishMode", "ingress") == "ingress" for port in ports)
