# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between the Hetzner API of the lab and the real things behind it.

The API keeps the truth (what is wanted) in its database; a `Machines` makes real servers, networks and
packet filters from it. Two exist: `NoMachines` here, which only remembers power states, and the Docker one in
`docker_machines.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from .balancers import Balancers, BalancerSpec, NoBalancers
from .machine_specs import FirewallRule, MachineSpec, PrivateAddress
from .volumes import NoVolumes, Volumes, VolumeSpec

RUNNING = "running"
OFF = "off"
MISSING = "missing"


@dataclass(frozen=True)
class Wanted:
    """All that the database wants to be there.

    `networks` maps a network's id to its address range, `firewalls` a server's id to its rules (None = no
    firewall), `running` holds the ids of servers that are to be powered on.
    """

    servers: Sequence[MachineSpec] = ()
    networks: Mapping[int, str] = field(default_factory=dict)
    firewalls: Mapping[int, Sequence[FirewallRule] | None] = field(default_factory=dict)
    running: AbstractSet[int] = frozenset()
    balancers: Sequence[BalancerSpec] = ()
    volumes: Sequence[VolumeSpec] = ()


class Machines(Protocol):
    """What a lab needs from the real side. Every method is idempotent and raises MachineError when it fails."""

    @property
    def balancers(self) -> Balancers:
        """The load balancers."""

    @property
    def volumes(self) -> Volumes:
        """The volumes."""

    async def start(self, wanted: Wanted) -> None:
        """Make the real things equal the database at the start of the service."""

    async def create_network(self, network_id: int, ip_range: str) -> None:
        """Make a private network of this CIDR range."""

    async def delete_network(self, network_id: int) -> None:
        """Remove a private network; absent is fine."""

    async def create(self, spec: MachineSpec) -> None:
        """Make a server and leave it powered off. One that exists stays as it is: a rebuild is delete, then create.

        Each creation is a new instance for cloud-init (its own instance id and SSH host keys).
        """

    async def delete(self, server_id: int) -> None:
        """Remove a server, running or not; absent is fine."""

    async def power_on(self, server_id: int) -> None:
        """Start a server; running is fine."""

    async def power_off(self, server_id: int) -> None:
        """Pull the plug; off is fine."""

    async def shutdown(self, server_id: int) -> None:
        """Send the ACPI signal and return at once; the server goes off by itself."""

    async def reboot(self, server_id: int) -> None:
        """Restart a running server."""

    async def attach(self, server_id: int, address: PrivateAddress) -> None:
        """Put a server into a network with this address, or change its alias addresses there."""

    async def detach(self, server_id: int, network_id: int) -> None:
        """Take a server out of a network; not attached is fine."""

    async def set_firewall(self, server_id: int, public_ipv4: str | None, rules: Sequence[FirewallRule] | None) -> None:
        """Replace the rules on the server's public side. None = no firewall (everything passes).

        An empty sequence drops every new inbound connection. May come while the server is off: the rules then
        act from its next start on.
        """

    async def state(self, server_id: int) -> str:
        """Return `running`, `off` or `missing`."""

    async def close(self) -> None:
        """Let go of connections. Machines stay as they are."""


class NoMachines:
    """Machines that exist only as a power state in memory: for API-only projects and for tests.

    After a restart of the service the states come from the database through `start`.
    """

    def __init__(self) -> None:
        """Start without any server."""
        self._states: dict[int, str] = {}
        self.balancers = NoBalancers()
        self.volumes = NoVolumes()

    async def start(self, wanted: Wanted) -> None:
        """Take the power states over."""
        self._states = {spec.server_id: RUNNING if spec.server_id in wanted.running else OFF for spec in wanted.servers}

    async def create_network(self, _network_id: int, _ip_range: str) -> None:
        """Do nothing."""

    async def delete_network(self, _network_id: int) -> None:
        """Do nothing."""

    async def create(self, spec: MachineSpec) -> None:
        """Remember a server that is off."""
        self._states.setdefault(spec.server_id, OFF)

    async def delete(self, server_id: int) -> None:
        """Forget a server."""
        self._states.pop(server_id, None)

    async def power_on(self, server_id: int) -> None:
        """Remember that it runs."""
        self._states[server_id] = RUNNING

    async def power_off(self, server_id: int) -> None:
        """Remember that it is off."""
        self._states[server_id] = OFF

    async def shutdown(self, server_id: int) -> None:
        """Remember that it is off."""
        self._states[server_id] = OFF

    async def reboot(self, server_id: int) -> None:
        """Remember that it runs."""
        self._states[server_id] = RUNNING

    async def attach(self, _server_id: int, _address: PrivateAddress) -> None:
        """Do nothing."""

    async def detach(self, _server_id: int, _network_id: int) -> None:
        """Do nothing."""

    async def set_firewall(
        self, _server_id: int, _public_ipv4: str | None, _rules: Sequence[FirewallRule] | None
    ) -> None:
        """Do nothing."""

    async def state(self, server_id: int) -> str:
        """Return what is remembered."""
        return self._states.get(server_id, MISSING)

    async def close(self) -> None:
        """Do nothing."""
