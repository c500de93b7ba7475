# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the platform's list of servers to what module hetzner_infrastructure takes."""

from __future__ import annotations

import typing as t

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import GROUP_LABEL_PREFIX

DATA_GROUPS = frozenset(("postgres", "redis"))
"""Servers of these groups hold data that no other place has."""

QUORUM_GROUPS = DATA_GROUPS | {"swarm_managers"}
"""Members of these groups must not stand on one physical machine. A spread group takes 10 servers at most, so the others stay out."""


def hetzner_servers(
    servers: t.Sequence[t.Mapping[str, t.Any]],
    *,
    server_types: t.Sequence[str],
    locations: t.Sequence[str],
    image: str,
    network: str,
    firewalls: t.Sequence[str],
    ssh_keys: t.Sequence[str],
    placement_group: str,
) -> list[dict[str, t.Any]]:
    """Return one entry for each server. A server's own types and locations win over the general ones."""
    return [
        {
            "name": server["name"],
            "server_types": list(server.get("types") or server_types),
            "locations": list(server.get("locations") or locations),
            "image": image,
            "ssh_keys": list(ssh_keys),
            "networks": [{"name": network, "ip": server["private_ip"]}],
            "firewalls": list(firewalls),
            "labels": {**(server.get("labels") or {}), **group_labels(server["groups"])},
            "delete_protection": bool(DATA_GROUPS & set(server["groups"])),
            "rebuild_protection": bool(DATA_GROUPS & set(server["groups"])),
            **({"placement_group": placement_group} if QUORUM_GROUPS & set(server["groups"]) else {}),
        }
        for server in servers
    ]


def hetzner_volumes(servers: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return one entry for each volume of each server, attached to it and named after both."""
    return [
        {
            "name": volume_name(server["name"], volume["name"]),
            "size": volume["size"],
            "server": server["name"],
            "delete_protection": True,
        }
        for server in servers
        for volume in server.get("volumes") or []
    ]


def host_volumes(
    servers: t.Sequence[t.Mapping[str, t.Any]], *, name: str, attached: t.Sequence[t.Mapping[str, t.Any]]
) -> list[dict[str, t.Any]]:
    """Return what role host mounts on one server, by the stable device path of the provider.

    `attached` are the server's volumes as the cloud shows them ({name, linux_device}). Raises ValueError for a wanted
    volume that the cloud does not show there.
    """
    devices = {volume["name"]: volume["linux_device"] for volume in attached}
    mounts = []
    for server in servers:
        if server["name"] != name:
            continue
        for volume in server.get("volumes") or []:
            full_name = volume_name(name, volume["name"])
            if full_name not in devices:
                raise ValueError(f"volume {full_name} is not attached to server {name}; run provision.yml first")
            mounts.append(
                {
                    "device": devices[full_name],
                    "path": volume["path"],
                    "filesystem": volume.get("filesystem") or "ext4",
                }
            )
    return mounts


def volume_name(server: str, volume: str) -> str:
    """Return the name of a server's volume in the cloud, where names are unique in a project."""
    return f"{server}-{volume}"


def group_labels(groups: t.Iterable[str]) -> dict[str, str]:
    """Return the labels that carry a server's groups; the inventory plugin turns them back into groups."""
    return {f"{GROUP_LABEL_PREFIX}{group}": "true" for group in sorted(groups)}
