# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What swarm_info tells about a cluster, made of the engine's documents. Pure but for `read`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_service import JOBS, live_mode
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_tasks import last_runs, state_of
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_drain import WANTED
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_model import OVERLAYS, hostname, is_reachable
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_networks import container_mtu, fields_of
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_settings import NANOSECONDS_A_DAY

FAILED = {"filters": {"desired-state": ["shutdown"]}}
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18


def read(engine: DockerEngine) -> Json:
    """The whole cluster, its questions asked at the same time. Raises EngineError."""
    questions: Sequence[tuple[str, Mapping[str, Any] | None]] = (
        ("/swarm", None),
        ("/nodes", None),
        ("/services", None),
        ("/tasks", WANTED),
        ("/tasks", FAILED),
        ("/networks", OVERLAYS),
    )
    with ThreadPoolExecutor(len(questions)) as pool:
        swarm, nodes, services, tasks, ended, networks = pool.map(lambda question: engine.get(*question), questions)
    return {
        "cluster": describe_cluster(swarm),
        "nodes": describe_nodes(nodes, tasks),
        "services": describe_services(services, tasks, ended, nodes),
        "networks": describe_networks(networks),
    }


def describe_cluster(swarm: Mapping[str, Any]) -> Json:
    """The cluster without its tokens."""
    spec = swarm["Spec"]
    return {
        "id": swarm["ID"],
        "created": swarm["CreatedAt"],
        "updated": swarm["UpdatedAt"],
        "address_pools": swarm.get("DefaultAddrPool") or [],
        "subnet_size": swarm.get("SubnetSize"),
        "data_path_port": swarm.get("DataPathPort"),
        "task_history_limit": (spec.get("Orchestration") or {}).get("TaskHistoryRetentionLimit"),
        "node_certificate_days": (spec.get("CAConfig") or {}).get("NodeCertExpiry", 0) / NANOSECONDS_A_DAY,
        "autolock": bool((spec.get("EncryptionConfig") or {}).get("AutoLockManagers")),
        "ca_expires": certificate_end((swarm.get("TLSInfo") or {}).get("TrustRoot", "")),
    }


def describe_nodes(nodes: Iterable[Json], tasks: Iterable[Mapping[str, Any]]) -> list[Json]:
    """The nodes by name, with the number of tasks that run on each."""
    running: dict[str, int] = {}
    for task in tasks:
        if task["Status"]["State"] == "running":
            running[task.get("NodeID", "")] = running.get(task.get("NodeID", ""), 0) + 1
    found = [
        {
            "id": node["ID"],
            "name": hostname(node),
            "role": node["Spec"]["Role"],
            "availability": node["Spec"]["Availability"],
            "state": node["Status"]["State"],
            "leader": bool((node.get("ManagerStatus") or {}).get("Leader")),
            "reachable": is_reachable(node) if node.get("ManagerStatus") else None,
            "address": node["Status"].get("Addr", ""),
            "engine_version": ((node.get("Description") or {}).get("Engine") or {}).get("EngineVersion", ""),
            "labels": node["Spec"].get("Labels") or {},
            "tasks": running.get(node["ID"], 0),
        }
        for node in nodes
    ]
    return sorted(found, key=lambda node: (node["name"], node["id"]))


def describe_services(
    services: Iterable[Json],
    tasks: Iterable[Json],
    ended: Iterable[Json],
    nodes: Iterable[Json],
) -> list[Json]:
    """The services by name. tasks: those that should run. ended: those that should not, for the errors of the last ones."""
    names = {node["ID"]: hostname(node) for node in nodes}
    by_service: dict[str, list[Json]] = {}
    for task in tasks:
        by_service.setdefault(task["ServiceID"], []).append(task)
    past: dict[str, list[Json]] = {}
    for task in ended:
        past.setdefault(task["ServiceID"], []).append(task)
    return sorted(
        (_service(item, by_service.get(item["ID"], []), past.get(item["ID"], []), names) for item in services),
        key=lambda service: str(service["name"]),
    )


def _service(service: Json, tasks: Sequence[Json], ended: Sequence[Json], names: Mapping[str, str]) -> Json:
    spec = service["Spec"]
    mode = live_mode(spec)
    if mode in JOBS:
        # What has run to its end counts as running: nothing is missing.
        tasks = last_runs([*tasks, *ended], spec["TaskTemplate"], mode.startswith("global"))
    running = [task for task in tasks if state_of(task) in ("running", *(("complete",) if mode in JOBS else ()))]
    replicas = ((spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas")
    # A global service has a task for each node that fits.
    wanted = len(tasks) if replicas is None else replicas
    update = service.get("UpdateStatus") or {}
    return {
        "name": spec["Name"],
        "image": spec["TaskTemplate"].get("ContainerSpec", {}).get("Image", ""),
        "mode": mode,
        "wanted": wanted,
        "running": len(running),
        "update": update.get("State"),
        "update_message": update.get("Message"),
        "nodes": sorted(names.get(task.get("NodeID", ""), "") for task in running),
        "error": _last_error([*tasks, *ended]) if len(running) < wanted else None,
    }


def _last_error(tasks: Sequence[Mapping[str, Any]]) -> str | None:
    """What the newest task with an error says."""
    failed = [task for task in tasks if task["Status"].get("Err")]
    newest = max(failed, key=lambda task: str(task["Status"].get("Timestamp", "")), default=None)
    return None if newest is None else str(newest["Status"]["Err"])


def describe_networks(networks: Iterable[Json]) -> list[Json]:
    """The overlay networks by name; `mtu` is that of the network below, `container_mtu` what containers see."""
    found = [
        {
            "name": network["Name"],
            "id": network["Id"],
            **fields_of(network),
            "container_mtu": container_mtu(network),
            "ingress": bool(network.get("Ingress")),
            "subnets": [item["Subnet"] for item in (network.get("IPAM") or {}).get("Config") or []],
        }
        for network in networks
        if network.get("Driver") == "overlay"
    ]
    return sorted(found, key=lambda network: str(network["name"]))


def certificate_end(pem: str) -> str | None:
    """When the first certificate of a PEM text ends, in ISO 8601; None when it cannot be read.

    The standard library reads certificates only from a connection; so this walks to the fifth or sixth part of the DER (RFC 5280,
    4.1): version, serial number, signature, issuer, validity.
    """
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    try:
        der = base64.b64decode(pem.split(begin, 1)[1].split(end, 1)[0])
        fields = _parts(_parts(der)[0][1])
        body = _parts(fields[0][1])
        # The version is there in all but the oldest form, with a tag of its own.
        validity = body[4 if body[0][0] == 0xA0 else 3]
        tag, content = _parts(validity[1])[1]
        return _time(tag, content.decode("ascii")).isoformat()
    except (IndexError, ValueError, binascii.Error):
        return None


def _parts(der: bytes) -> list[tuple[int, bytes]]:
    """The tags and contents that follow each other in DER (X.690, 8.1)."""
    found = []
    while der:
        length, start = der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        if len(der) < start + length:
            raise ValueError("cut off")
        found.append((der[0], der[start : start + length]))
        der = der[start + length :]
    return found


def _time(tag: int, text: str) -> datetime:
    # Years of two digits lie between 1950 and 2049 (RFC 5280, 4.1.2.5.1), as in Python's %y but for the border.
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError("no time")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
