# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's options in the words of the cluster: full names, labels of the stack, defaults of Compose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_definition import Definition, Options
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import (
    IMAGE_LABEL,
    JOB_LABEL,
    NAMESPACE_LABEL,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_service import FIELDS, JOBS, mode_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import ValueProblem

# Where a file goes when the user does not say: secrets below /run/secrets, configs at the root, as in Compose.
_DEFAULT_TARGETS = {"secrets": "{}", "configs": "/{}"}


def resolve(definition: Definition, service: Options) -> Json:
    """The options of a service with the names that networks, secrets, configs and volumes have in the cluster.

    What refers to something that is not listed is left out; stack_check.py refuses it.
    """
    deploy = dict(service.get("deploy") or {})
    deploy["labels"] = {
        **(deploy.get("labels") or {}),
        IMAGE_LABEL: service["image"],
        NAMESPACE_LABEL: definition.stack,
        **({JOB_LABEL: "true"} if mode_of(service) in JOBS else {}),
    }
    return {
        **service,
        "deploy": deploy,
        "labels": {**(service.get("labels") or {}), NAMESPACE_LABEL: definition.stack},
        "networks": [
            {
                "name": definition.cluster_name("networks", item["name"]),
                # As in Compose: the service's own name, without the stack's, reaches it on each of its networks.
                "aliases": [service["name"], *(item.get("aliases") or [])],
            }
            for item in service.get("networks") or []
            if definition.find("networks", item["name"])
        ],
        "volumes": [_mount(definition, item) for item in service.get("volumes") or []],
        **{
            kind: [
                {
                    **item,
                    "source": definition.cluster_name(kind, item["source"]),
                    "target": item.get("target") or default.format(item["source"]),
                }
                for item in service.get(kind) or []
                if definition.find(kind, item["source"])
            ]
            for kind, default in _DEFAULT_TARGETS.items()
        },
    }


def _mount(definition: Definition, mount: Options) -> Json:
    volume = definition.find("volumes", mount.get("source") or "") if mount["type"] == "volume" else None
    if not volume:
        return dict(mount)
    name = definition.cluster_name("volumes", volume["name"])
    if volume.get("external"):
        return {**mount, "source": name}
    labels = {**(volume.get("labels") or {}), **(mount.get("labels") or {}), NAMESPACE_LABEL: definition.stack}
    return {
        **mount,
        "source": name,
        "labels": labels,
        "driver": mount.get("driver") or volume.get("driver"),
        "driver_opts": mount.get("driver_opts") or volume.get("driver_opts"),
    }


def wanted_values(options: Json, speaks: Callable[[str], bool]) -> tuple[dict[str, Any], list[str]]:
    """The canonical values of a service's resolved options by path, and what is wrong with the others.

    speaks: whether the engine speaks a version of its API. What it does not know yet is not asked of it.
    """
    values: dict[str, Any] = {}
    problems = []
    for field in FIELDS:
        try:
            wanted = field.wanted(options)
        except ValueProblem as problem:
            problems.append(f"services[{options['name']}].{field.path}: {problem}.")
        else:
            values[field.path] = wanted if not field.since or speaks(field.since) else field.unset
    return values, problems


def network_body(definition: Definition, options: Options) -> Json:
    """The engine's description of a network of the stack."""
    driver: dict[str, str] = {
        **{key: str(value) for key, value in (options.get("driver_opts") or {}).items()},
        # The driver takes the MTU of what carries it and subtracts its own headers (libnetwork, drivers/overlay).
        "com.docker.network.driver.mtu": str(options["mtu"]),
    }
    if options.get("encrypted"):
        driver["encrypted"] = ""
    body: Json = {
        "Name": definition.cluster_name("networks", options["name"]),
        "Driver": "overlay",
        "Scope": "swarm",
        "CheckDuplicate": True,
        "Internal": bool(options.get("internal")),
        "Attachable": bool(options.get("attachable")),
        "Options": driver,
        "Labels": {**_texts(options.get("labels")), NAMESPACE_LABEL: definition.stack},
    }
    if options.get("subnet"):
        body["IPAM"] = {"Driver": "default", "Config": [{"Subnet": options["subnet"]}]}
    return body


def _texts(labels: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): "" if value is None else str(value) for key, value in (labels or {}).items()}
