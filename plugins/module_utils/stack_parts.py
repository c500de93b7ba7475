# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a service that are lists of dictionaries: mounts, ports, secrets, configs, networks.

Their canonical value is a dictionary by what identifies an element (a mount by its target), so that their order does
not count and a diff shows the elements that differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_fields import Field, Names, put_at, text_map
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import (
    ValueProblem,
    mode_from_int,
    mode_to_int,
    size_from_bytes,
    size_to_bytes,
)

Parts = dict[str, Json]

_FILE_MODE = "0444"
_MOUNT_OPTIONS = {
    "volume": ("nocopy", "labels", "driver", "driver_opts"),
    "bind": ("propagation",),
    "tmpfs": ("size", "tmpfs_mode"),
}


def _without_nothing(part: Mapping[str, Any]) -> Json:
    return {key: value for key, value in part.items() if value not in (None, False, "", {}, [])}


def _put(spec: Json, keys: tuple[str, ...], items: Sequence[Any]) -> None:
    put_at(spec, keys, list(items) or None)


# Mounts.

_MOUNTS = ("TaskTemplate", "ContainerSpec", "Mounts")


def parse_mounts(mounts: Sequence[Mapping[str, Any]]) -> Parts | None:
    """Mounts by target. Raises ValueProblem."""
    parts: Parts = {}
    for mount in mounts:
        if mount["target"] in parts:
            raise ValueProblem(f"{mount['target']!r} is the target of two mounts")
        parts[mount["target"]] = _parse_mount(mount)
    return parts or None


def _parse_mount(mount: Mapping[str, Any]) -> Json:
    kind, target = mount["type"], mount["target"]
    if not target.startswith("/"):
        raise ValueProblem(f"the target {target!r} of a mount is not absolute")
    if kind == "bind" and not str(mount.get("source") or "").startswith("/"):
        raise ValueProblem(f"the bind mount at {target!r} needs an absolute source")
    if kind == "tmpfs" and mount.get("source"):
        raise ValueProblem(f"the tmpfs mount at {target!r} has a source")
    given = _without_nothing(mount)
    foreign = sorted({name for names in _MOUNT_OPTIONS.values() for name in names} - set(_MOUNT_OPTIONS[kind]))
    wrong = [name for name in foreign if name in given]
    if wrong:
        raise ValueProblem(f"the {kind} mount at {target!r} has {', '.join(wrong)}, which other types of mounts take")
    if "driver_opts" in given and "driver" not in given:
        given["driver"] = "local"
    for name in ("labels", "driver_opts"):
        if name in given:
            given[name] = text_map(given[name])
    if "size" in given:
        given["size"] = size_from_bytes(size_to_bytes(given["size"]))
    if "tmpfs_mode" in given:
        given["tmpfs_mode"] = mode_from_int(mode_to_int(given["tmpfs_mode"]))
    given.pop("target")
    return given


def _read_mounts(spec: Json, _names: Names) -> Parts | None:
    mounts = spec["TaskTemplate"].get("ContainerSpec", {}).get("Mounts") or []
    return {mount["Target"]: _read_mount(mount) for mount in mounts} or None


def _read_mount(mount: Mapping[str, Any]) -> Json:
    volume = mount.get("VolumeOptions") or {}
    driver = volume.get("DriverConfig") or {}
    tmpfs = mount.get("TmpfsOptions") or {}
    return _without_nothing({
        "type": mount["Type"],
        "source": mount.get("Source"),
        "read_only": mount.get("ReadOnly"),
        "nocopy": volume.get("NoCopy"),
        "labels": volume.get("Labels"),
        "driver": driver.get("Name"),
        "driver_opts": driver.get("Options"),
        "propagation": (mount.get("BindOptions") or {}).get("Propagation"),
        "size": size_from_bytes(tmpfs["SizeBytes"]) if tmpfs.get("SizeBytes") else None,
        "tmpfs_mode": mode_from_int(tmpfs["Mode"]) if tmpfs.get("Mode") else None,
    })  # fmt: skip


def _write_mounts(spec: Json, parts: Parts | None, _names: Names) -> None:
    _put(spec, _MOUNTS, [_write_mount(target, part) for target, part in sorted((parts or {}).items())])


def _write_mount(target: str, part: Mapping[str, Any]) -> Json:
    mount: Json = {"Type": part["type"], "Target": target}
    put_at(mount, ("Source",), part.get("source"))
    put_at(mount, ("ReadOnly",), part.get("read_only"))
    put_at(mount, ("VolumeOptions", "NoCopy"), part.get("nocopy"))
    put_at(mount, ("VolumeOptions", "Labels"), part.get("labels"))
    put_at(mount, ("VolumeOptions", "DriverConfig", "Name"), part.get("driver"))
    put_at(mount, ("VolumeOptions", "DriverConfig", "Options"), part.get("driver_opts"))
    put_at(mount, ("BindOptions", "Propagation"), part.get("propagation"))
    put_at(mount, ("TmpfsOptions", "SizeBytes"), size_to_bytes(part["size"]) if "size" in part else None)
    put_at(mount, ("TmpfsOptions", "Mode"), mode_to_int(part["tmpfs_mode"]) if "tmpfs_mode" in part else None)
    return mount


# Ports.


def parse_ports(ports: Sequence[Mapping[str, Any]]) -> Parts | None:
    """Ports by what is published, in Compose's short form. Raises ValueProblem."""
    parts: Parts = {}
    for port in ports:
        key = f"{port.get('published') or ''}:{port['target']}/{port['protocol']}"
        for number in (port["target"], port.get("published")):
            if number is not None and not 0 < number < 65536:
                raise ValueProblem(f"{number} is no port; ports are between 1 and 65535")
        if key in parts:
            raise ValueProblem(f"the port {key} is there twice")
        parts[key] = {"mode": port["mode"]}
    return parts or None


def _read_ports(spec: Json, _names: Names) -> Parts | None:
    parts = {}
    for port in (spec.get("EndpointSpec") or {}).get("Ports") or []:
        key = f"{port.get('PublishedPort') or ''}:{port['TargetPort']}/{port.get('Protocol') or 'tcp'}"
        parts[key] = {"mode": port.get("PublishMode") or "ingress"}
    return parts or None


def _write_ports(spec: Json, parts: Parts | None, _names: Names) -> None:
    ports = []
    for key, part in sorted((parts or {}).items()):
        published, target, protocol = split_port(key)
        port: Json = {"Protocol": protocol, "TargetPort": target, "PublishMode": part["mode"]}
        if published:
            port["PublishedPort"] = published
        ports.append(port)
    _put(spec, ("EndpointSpec", "Ports"), ports)


def split_port(key: str) -> tuple[int, int, str]:
    """Published port (0 for any), target port and protocol of a port's canonical key."""
    published, rest = key.split(":")
    target, protocol = rest.split("/")
    return int(published or 0), int(target), protocol


# Secrets and configs.


def parse_files(files: Sequence[Mapping[str, Any]]) -> Parts | None:
    """Secrets or configs by the file that they become. Raises ValueProblem."""
    parts: Parts = {}
    for file in files:
        target = file["target"]
        if target in parts:
            raise ValueProblem(f"{target!r} is the target of two files")
        parts[target] = {
            "source": file["source"],
            "uid": file.get("uid") or "0",
            "gid": file.get("gid") or "0",
            "mode": _FILE_MODE if file.get("mode") is None else mode_from_int(mode_to_int(file["mode"])),
        }
    return parts or None


def _files(path: str, kind: str, key: str, prefix: str) -> Field:
    place = ("TaskTemplate", "ContainerSpec", key)

    def read(spec: Json, _names: Names) -> Parts | None:
        references = spec["TaskTemplate"].get("ContainerSpec", {}).get(key) or []
        return {_target(item): _read_file(item, f"{prefix}Name") for item in references} or None

    def write(spec: Json, parts: Parts | None, names: Names) -> None:
        _put(
            spec,
            place,
            [
                {
                    "File": {"Name": target, "UID": part["uid"], "GID": part["gid"], "Mode": mode_to_int(part["mode"])},
                    f"{prefix}ID": names.id(kind, part["source"]),
                    f"{prefix}Name": part["source"],
                }
                for target, part in sorted((parts or {}).items())
            ],
        )

    return Field(path, parse_files, read, write)


def _target(reference: Mapping[str, Any]) -> str:
    # A config of a credential specification has no file.
    return str((reference.get("File") or {}).get("Name", ""))


def _read_file(reference: Mapping[str, Any], name: str) -> Json:
    file = reference.get("File") or {}
    mode = mode_from_int(file.get("Mode", 0))
    return {"source": reference[name], "uid": file.get("UID", "0"), "gid": file.get("GID", "0"), "mode": mode}


# Networks.


def parse_networks(networks: Sequence[Mapping[str, Any]]) -> Parts | None:
    """Networks by full name. Raises ValueProblem."""
    parts: Parts = {}
    for network in networks:
        if network["name"] in parts:
            raise ValueProblem(f"the network {network['name']!r} is there twice")
        parts[network["name"]] = {"aliases": sorted(set(network.get("aliases") or []))}
    return parts or None


def _read_networks(spec: Json, names: Names) -> Parts | None:
    # Services made long ago have them beside the task template.
    attached = spec["TaskTemplate"].get("Networks") or spec.get("Networks") or []
    return {
        names.network_of(item["Target"]): {"aliases": sorted(set(item.get("Aliases") or []))} for item in attached
    } or None


def _write_networks(spec: Json, parts: Parts | None, names: Names) -> None:
    attached = [
        {"Target": names.id("networks", name), **({"Aliases": part["aliases"]} if part["aliases"] else {})}
        for name, part in sorted((parts or {}).items())
    ]
    spec.pop("Networks", None)
    _put(spec, ("TaskTemplate", "Networks"), attached)


PART_FIELDS = (
    Field("volumes", parse_mounts, _read_mounts, _write_mounts),
    Field("ports", parse_ports, _read_ports, _write_ports),
    _files("secrets", "secrets", "Secrets", "Secret"),
    _files("configs", "configs", "Configs", "Config"),
    Field("networks", parse_networks, _read_networks, _write_networks),
)
