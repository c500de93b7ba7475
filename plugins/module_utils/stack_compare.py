# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between a wanted and a live service or network, and the specification that makes them equal."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_fields import Field, Names
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import JOB_LABEL, NAMESPACE_LABEL
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_service import FIELDS

# What Swarm itself writes into a network's options.
_SWARMS_OPTIONS = ("com.docker.network.driver.overlay.vxlanid_list",)


def differing(live_spec: Json, wanted: Mapping[str, Any], names: Names) -> list[Field]:
    """The fields whose live value is not the wanted one. Fields without a wanted value do not count."""
    return [field for field in FIELDS if field.path in wanted and field.live(live_spec, names) != wanted[field.path]]


def created_spec(name: str, wanted: Mapping[str, Any], names: Names) -> Json:
    """The specification of a new service."""
    spec: Json = {"Name": name, "TaskTemplate": {"ContainerSpec": {}}}
    for field in FIELDS:
        if field.path in wanted:
            field.write(spec, wanted[field.path], names)
    return spec


def updated_spec(live_spec: Json, wanted: Mapping[str, Any], changed: Iterable[Field], names: Names) -> Json:
    """The live specification with the changed fields; everything else in it stays as it is."""
    spec = copy.deepcopy(live_spec)
    paths = {field.path for field in changed}
    groups = {field.group for field in changed if field.group}
    for field in FIELDS:
        if field.path in paths or (field.group in groups and field.path in wanted):
            field.write(spec, wanted[field.path], names)
    return spec


def shown(fields: Iterable[Field], values: Mapping[str, Any]) -> Json:
    """The values of fields that say something, flat: what is a dictionary has a path per key."""
    flat: Json = {}
    for field in fields:
        value = values.get(field.path)
        if value is None or value == field.unset:
            continue
        flat.update(_flat(field.path, value))
    return _without_own_labels(flat)


def shown_difference(
    live_spec: Json, wanted: Mapping[str, Any], changed: Iterable[Field], names: Names
) -> tuple[Json, Json]:
    """The changed fields before and after, reduced to the keys that differ."""
    before: Json = {}
    after: Json = {}
    for field in changed:
        old, new = _flat(field.path, field.live(live_spec, names)), _flat(field.path, wanted[field.path])
        for path in {**old, **new}:
            if old.get(path) != new.get(path):
                before[path], after[path] = old.get(path), new.get(path)
    return before, after


def _flat(path: str, value: Any) -> Json:
    if isinstance(value, Mapping):
        return {f"{path}.{key}": entry for key, entry in value.items()}
    return {path: value}


def network_difference(live: Json, body: Json) -> tuple[Json, Json]:
    """What of a network is not as wanted, before and after; it cannot be changed in place."""
    old, new = _network_view(live), _network_view(body)
    if "subnet" not in new:
        old.pop("subnet", None)
    paths = [path for path in sorted({**old, **new}) if old.get(path) != new.get(path)]
    return {path: old.get(path) for path in paths}, {path: new.get(path) for path in paths}


def _network_view(network: Json) -> Json:
    options = {key: value for key, value in (network.get("Options") or {}).items() if key not in _SWARMS_OPTIONS}
    view: Json = {
        "driver": network["Driver"],
        "internal": bool(network.get("Internal")),
        "attachable": bool(network.get("Attachable")),
        # The engine keeps whatever value came with it; the key alone switches it on.
        "encrypted": options.pop("encrypted", None) is not None,
        "mtu": options.pop("com.docker.network.driver.mtu", "1500"),
        **{f"driver_opts.{key}": value for key, value in options.items()},
        **{f"labels.{key}": value for key, value in (network.get("Labels") or {}).items()},
    }
    subnets = [item["Subnet"] for item in (network.get("IPAM") or {}).get("Config") or [] if item.get("Subnet")]
    return {**view, "subnet": subnets[0]} if subnets else view


def shown_network(body: Json) -> Json:
    """A new network, as in the differences."""
    return _without_own_labels({path: value for path, value in _network_view(body).items() if value is not False})


def _without_own_labels(flat: Json) -> Json:
    # Every object of a stack has the first label, and the mode tells about the second.
    return {path: value for path, value in flat.items() if not path.endswith((NAMESPACE_LABEL, JOB_LABEL))}
