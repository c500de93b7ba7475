# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory plugin ``hetzner`` does between the API's answer and Ansible's inventory, as pure functions.

Lives in plugin_utils, not module_utils: Ansible keeps there what only controller-side plugins use, while
module_utils is for what modules take to the managed hosts. No module uses this file.

A *record* is what is kept of one server: a flat dict of plain JSON values under the names that users of
hetzner.hcloud know, without prefix. It holds everything that filters and variables need, so a cached record never
needs another call.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Network
from typing import Any, Callable

Record = dict[str, Any]

ADDRESS_KINDS = ("public_ipv4", "public_ipv6", "private_ipv4", "ipv4_dns_ptr", "hostname")

DELETING = "deleting"

ONLY_PROJECT = "default"
"""Name of the project where the file does not list projects."""


@dataclass(frozen=True)
class Project:
    """Where the servers of one project are read."""

    name: str
    endpoint: str
    token: str = field(repr=False)


def make_project(name: str, token: object, endpoint: object) -> Project:
    """Check and tidy what the user gave. Raises ValueError with one sentence that never shows the token."""
    if not token:
        raise ValueError(f"project {name} has no api_token.")
    # A token read from a file ends in a line break. Anything else unusual would end in an HTTP library's error
    # message, with the token in it.
    tidy_token = str(token).strip()
    if not tidy_token.isascii() or not tidy_token.isprintable() or " " in tidy_token:
        raise ValueError(f"the API token of project {name} has characters that no token has.")
    tidy_endpoint = str(endpoint).strip().rstrip("/")
    if not tidy_endpoint.startswith(("https://", "http://")):
        raise ValueError(f"the API endpoint of project {name} must start with https:// or http://.")
    return Project(name, tidy_endpoint, tidy_token)


def make_projects(entries: Sequence[object], endpoint: object) -> list[Project]:
    """The projects that an inventory file lists; ``endpoint`` is for those that name none.

    Raises ValueError or TypeError with one sentence that never shows a token.
    """
    projects: list[Project] = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            raise TypeError(f"projects[{number}] must be a dictionary with name and api_token.")
        unknown = sorted(str(key) for key in set(entry) - {"name", "api_token", "api_endpoint"})
        if unknown:
            raise ValueError(f"projects[{number}] has unknown keys: {', '.join(unknown)}.")
        name = str(entry.get("name") or "")
        if not name:
            raise ValueError(f"projects[{number}] has no name.")
        if any(project.name == name for project in projects):
            raise ValueError(f"two projects have the name {name}.")
        projects.append(make_project(name, entry.get("api_token"), entry.get("api_endpoint") or endpoint))
    return projects


def cache_key(
    plugin: str, endpoint: str, token: str, label_selector: str, status: Sequence[str], volumes: bool = False
) -> str:
    """Name of the cache entry for one project as seen through the server-side filters, with or without volumes.

    The digest tells projects apart by their token without giving it away: tokens are 64 random characters.
    """
    parts = json.dumps([endpoint, token, label_selector, sorted(status), *(["volumes"] if volumes else [])])
    return f"{plugin}_{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


def first_address(ipv6_network: str) -> str:
    """The address that Hetzner's images configure: the first host of the server's IPv6 network."""
    return str(next(IPv6Network(ipv6_network, strict=False).hosts()))


def has_private_network(servers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the networks' names are needed at all."""
    return any(server.get("private_net") for server in servers)


def has_volume(servers: Iterable[Mapping[str, Any]]) -> bool:
    """Whether there are volumes to be read at all."""
    return any(server.get("volumes") for server in servers)


def attached_volumes(volumes: Iterable[Mapping[str, Any]]) -> dict[int, list[Record]]:
    """What a server needs to mount its volumes, by the server's id, the oldest volume first."""
    found: dict[int, list[Record]] = {}
    for volume in sorted(volumes, key=lambda volume: int(volume["id"])):
        if volume.get("server"):
            record = {key: volume.get(key) for key in ("id", "name", "size", "linux_device", "format")}
            found.setdefault(volume["server"], []).append({**record, "labels": dict(volume.get("labels") or {})})
    return found


def _public_ipv4(server: Mapping[str, Any]) -> Record:
    address = (server.get("public_net") or {}).get("ipv4")
    if not address:
        return {}
    return {"ipv4": address["ip"], "ipv4_dns_ptr": address.get("dns_ptr")}


def _public_ipv6(server: Mapping[str, Any]) -> Record:
    address = (server.get("public_net") or {}).get("ipv6")
    if not address:
        return {}
    network, mask = address["ip"].split("/")
    return {"ipv6": first_address(address["ip"]), "ipv6_network": network, "ipv6_network_mask": mask}


def _private(server: Mapping[str, Any], network_names: Mapping[int, str]) -> Record:
    networks = [
        {
            "id": attachment["network"],
            "name": network_names.get(attachment["network"]),
            "ip": attachment["ip"],
            "alias_ips": list(attachment.get("alias_ips") or ()),
        }
        # The API promises no order; the oldest network first is the same on every run.
        for attachment in sorted(server.get("private_net") or (), key=lambda attachment: attachment["network"])
    ]
    return {
        "private_networks": networks,
        "alias_ips": [address for network in networks for address in network["alias_ips"]],
    }


def _image(server: Mapping[str, Any]) -> Record:
    image = server.get("image")
    if not image:
        return {}
    return {
        "image_id": image["id"],
        # Only system and app images have a name; a snapshot or backup is known by its description.
        "image_name": image.get("name") or image.get("description"),
        "image_os_flavor": image.get("os_flavor"),
    }


def _location(server: Mapping[str, Any]) -> str | None:
    # Datacenters left the API in 2026; until then the location was found only below them.
    location = server.get("location") or (server.get("datacenter") or {}).get("location") or {}
    name: str | None = location.get("name")
    return name


def server_record(server: Mapping[str, Any], network_names: Mapping[int, str]) -> Record:
    """The record of one server as ``GET /servers`` shows it. What a server does not have is left out."""
    server_type = server["server_type"]
    return {
        "id": server["id"],
        "name": server["name"],
        "status": server["status"],
        "created": server.get("created"),
        "type": server_type["name"],
        "server_type": server_type["name"],
        "architecture": server_type.get("architecture"),
        "location": _location(server),
        **_public_ipv4(server),
        **_public_ipv6(server),
        **_private(server, network_names),
        **_image(server),
        "labels": dict(server.get("labels") or {}),
    }


@dataclass(frozen=True)
class Selection:
    """Filters that the API does not know. An empty one admits every server."""

    locations: Collection[str] = ()
    types: Collection[str] = ()
    images: Collection[str] = ()
    os_flavors: Collection[str] = ()
    network: str = ""
    deleting: bool = False
    """Whether servers that are being deleted are wanted."""

    def admits(self, record: Record) -> bool:
        """Whether a server passes every filter."""
        return (
            (self.deleting or record["status"] != DELETING)
            and _one_of(record.get("location"), self.locations)
            and _one_of(record["server_type"], self.types)
            and _one_of(record.get("image_name"), self.images)
            and _one_of(record.get("image_os_flavor"), self.os_flavors)
            and (not self.network or private_address(record, self.network) is not None)
        )


def _one_of(value: str | None, wanted: Collection[str]) -> bool:
    return not wanted or value in wanted


def private_address(record: Record, network: str = "") -> str | None:
    """The server's address in the network with this name or id, or in its oldest network when none is named."""
    for attachment in record["private_networks"]:
        if not network or network in (attachment["name"], str(attachment["id"])):
            address: str = attachment["ip"]
            return address
    return None


def ansible_host(record: Record, preferences: Sequence[str], network: str = "") -> str | None:
    """The address to connect to: the first kind of ``preferences`` (from ADDRESS_KINDS) that the server has."""
    found: dict[str, Callable[[], str | None]] = {
        "public_ipv4": lambda: record.get("ipv4"),
        "public_ipv6": lambda: record.get("ipv6"),
        "private_ipv4": lambda: private_address(record, network),
        "ipv4_dns_ptr": lambda: record.get("ipv4_dns_ptr"),
        "hostname": lambda: record["name"],
    }
    return next((address for address in (found[kind]() for kind in preferences) if address), None)


def host_variables(record: Record, project: str, network: str = "", prefix: str = "", suffix: str = "") -> Record:
    """The variables of a host that come from the cloud, under their final names."""
    variables = {name: value for name, value in record.items() if name != "ipv4_dns_ptr"}
    variables["project"] = project
    private_ipv4 = private_address(record, network)
    if private_ipv4:
        variables["private_ipv4"] = private_ipv4
    return {f"{prefix}{name}{suffix}": value for name, value in variables.items()}


def label_groups(labels: Mapping[str, str], prefix: str) -> list[str]:
    """Names of the groups that a server's labels put it into, not yet made safe for Ansible."""
    if not prefix:
        return []
    return [
        key[len(prefix) :]
        for key, value in labels.items()
        if key.startswith(prefix) and len(key) > len(prefix) and value != "false"
    ]


def free_name(wanted: str, record: Record, project: str | None, taken: Callable[[str], bool]) -> str:
    """A host name for a server whose ``wanted`` name may be taken; ``project`` is None when there is only one."""
    if not taken(wanted):
        return wanted
    name = f"{wanted}-{project or record['id']}"
    while taken(name):
        name = f"{name}-{record['id']}"
    return name


def some_names(names: Sequence[str], limit: int = 10) -> str:
    """Names for a message; a long list is cut and says by how much."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
