# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter free_subnet: the first part of an address range that nothing on this machine uses."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: free_subnet
short_description: First subnet of a range that no Docker network and no route of this machine uses
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Returns the first IPv4 subnet of the wanted size inside a range that overlaps neither a given network nor a route of the
    kernel's routing table.
  - Fails with one sentence that names what is in the way when there is none.
positional: prefix, networks, routes
options:
  _input:
    description: The range to choose from, for example V(198.18.0.0/15).
    type: str
    required: true
  prefix:
    description: The prefix length of the wanted subnet. The length of the range itself asks whether all of it is free.
    type: int
    required: true
  networks:
    description: Docker's networks as M(community.docker.docker_host_info) returns them with O(community.docker.docker_host_info#module:verbose_output=true).
    type: list
    elements: dict
    required: true
  routes:
    description: The content of C(/proc/net/route).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Choose a range for a new network
  ansible.builtin.debug:
    msg: >-
      {{ '198.18.0.0/15' | frontdesk.platform.free_subnet(24, docker.networks, lookup('ansible.builtin.file', '/proc/net/route')) }}
"""

RETURN = r"""
_value:
  description: The subnet in CIDR form.
  type: str
  sample: 198.18.0.0/24
"""

Used = list[tuple[str, ipaddress.IPv4Network]]


def _docker_ranges(networks: Iterable[Mapping[str, Any]]) -> Used:
    found: Used = []
    for network in networks:
        for config in network["IPAM"].get("Config") or []:
            subnet = config.get("Subnet") or ""
            if subnet and ":" not in subnet:
                found.append((f"the Docker network {network['Name']}", ipaddress.IPv4Network(subnet)))
    return found


def _routes(text: str) -> Used:
    """Read the kernel's table: addresses in hexadecimal, lowest byte first; the default route is left out."""
    found: Used = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 7))
        if mask:
            found.append((f"a route over {fields[0]}", ipaddress.IPv4Network((address, bin(mask).count("1")))))
    return found


def free_subnet(pool: str, prefix: int, networks: Iterable[Mapping[str, Any]], routes: str = "") -> str:
    """Return the first free subnet of `pool`; raises AnsibleFilterError."""
    try:
        candidates = list(ipaddress.IPv4Network(pool).subnets(new_prefix=prefix))
    except ValueError as error:
        raise AnsibleFilterError(f"{pool!r} is not an IPv4 range that has /{prefix} subnets: {error}") from error
    used = _docker_ranges(networks) + _routes(routes)
    obstacle = ""
    for candidate in candidates:
        overlaps = [f"{owner} ({network})" for owner, network in used if network.overlaps(candidate)]
        if not overlaps:
            return str(candidate)
        obstacle = obstacle or overlaps[0]
    raise AnsibleFilterError(
        f"No /{prefix} in {pool} is free on this machine: {obstacle} is in the way; choose another range."
    )


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"free_subnet": free_subnet}
