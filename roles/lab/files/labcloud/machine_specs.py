# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What machines are made from."""

from __future__ import annotations

from dataclasses import dataclass


class MachineError(Exception):
    """A real thing could not be made, changed or removed. The text is one sentence for the user of the API."""


@dataclass(frozen=True)
class PrivateAddress:
    """A server's place in one network: its fixed address and the alias addresses (IPv4, without prefix length)."""

    network_id: int
    ip: str
    alias_ips: tuple[str, ...]


@dataclass(frozen=True)
class MachineSpec:
    """Everything a server is made from.

    `public_ipv4` is None for a server without public IPv4; `ssh_public_keys` are in authorized_keys form, for root;
    `user_data` is handed to cloud-init as it is (may be empty); `image` is the name, such as `debian-13`.
    """

    server_id: int
    name: str
    public_ipv4: str | None
    private: tuple[PrivateAddress, ...]
    ssh_public_keys: tuple[str, ...]
    user_data: str
    image: str
    cores: int
    memory_gb: float


@dataclass(frozen=True)
class FirewallRule:
    """One rule of a Hetzner firewall.

    `direction` is in or out, `protocol` one of tcp, udp, icmp, esp, gre; `port` (tcp and udp only) is `80`, `80-85`
    or `any`; `networks` are the sources of an "in" rule and the destinations of an "out" rule, in CIDR form.
    """

    direction: str
    protocol: str
    port: str | None
    networks: tuple[str, ...]
