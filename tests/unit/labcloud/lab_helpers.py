# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests of the lab cloud over HTTP, and machines that remember what they were told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from labcloud.machines import (
    MISSING,
    OFF,
    RUNNING,
    FirewallRule,
    MachineError,
    MachineSpec,
    PrivateAddress,
)
from tests.lab_cloud import LabCloud, running_lab_cloud

ZONE = "eu-central"
ORDER = {"name": "node", "server_type": "cx23", "image": "debian-13"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ0lT6eHnZBTbJbmuFpTSFAZ1iYrHXQvKCXzdzzkMya frontdesk"


class RememberingMachines:
    """Machines in memory. `broken` maps a method to the sentence that it fails with; `slow` holds seconds."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.states: dict[int, str] = {}
        self.networks: dict[int, str] = {}
        self.rules: dict[int, Sequence[FirewallRule] | None] = {}
        self.broken: dict[str, str] = {}
        self.started_with: tuple[Any, ...] = ()

    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.broken:
            raise MachineError(self.broken[name])

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    async def start(
        self,
        wanted: Sequence[MachineSpec],
        networks: Mapping[int, str],
        firewalls: Mapping[int, Sequence[FirewallRule] | None],
        running: set[int],
    ) -> None:
        self._note("start")
        self.started_with = (list(wanted), dict(networks), dict(firewalls), set(running))

    async def create_network(self, network_id: int, ip_range: str) -> None:
        self._note("create_network", network_id, ip_range)
        self.networks[network_id] = ip_range

    async def delete_network(self, network_id: int) -> None:
        self._note("delete_network", network_id)
        self.networks.pop(network_id, None)

    async def create(self, spec: MachineSpec) -> None:
        self._note("create", spec)
        self.states.setdefault(spec.server_id, OFF)

    async def delete(self, server_id: int) -> None:
        self._note("delete", server_id)
        self.states.pop(server_id, None)

    async def power_on(self, server_id: int) -> None:
        self._note("power_on", server_id)
        self.states[server_id] = RUNNING

    async def power_off(self, server_id: int) -> None:
        self._note("power_off", server_id)
        self.states[server_id] = OFF

    async def shutdown(self, server_id: int) -> None:
        self._note("shutdown", server_id)

    async def reboot(self, server_id: int) -> None:
        self._note("reboot", server_id)

    async def attach(self, server_id: int, address: PrivateAddress) -> None:
        self._note("attach", server_id, address)

    async def detach(self, server_id: int, network_id: int) -> None:
        self._note("detach", server_id, network_id)

    async def set_firewall(self, server_id: int, public_ipv4: str | None, rules: Sequence[FirewallRule] | None) -> None:
        self._note("set_firewall", server_id, public_ipv4, rules)
        self.rules[server_id] = rules

    async def state(self, server_id: int) -> str:
        await asyncio.sleep(0)
        return self.states.get(server_id, MISSING)

    async def close(self) -> None:
        self._note("close")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabCloud]:
    with running_lab_cloud(tmp_path) as running:
        yield running


def make(lab: LabCloud, path: str, body: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    """Create something, wait for it and return it."""
    status, answer = lab.api("POST", path, body, token)
    assert status == 201, answer
    lab.idle()
    found: dict[str, Any] = next(value for value in answer.values() if isinstance(value, dict) and "name" in value)
    return found


def make_network(lab: LabCloud, ip_range: str = "10.0.0.0/16", name: str = "private") -> dict[str, Any]:
    subnet = {"type": "cloud", "ip_range": ip_range.replace(".0.0/16", ".1.0/24"), "network_zone": ZONE}
    return make(lab, "/networks", {"name": name, "ip_range": ip_range, "subnets": [subnet]})


def server(lab: LabCloud, server_id: int) -> dict[str, Any]:
    """Read a server."""
    status, answer = lab.api("GET", f"/servers/{server_id}")
    assert status == 200, answer
    found: dict[str, Any] = answer["server"]
    return found


def refusal(lab: LabCloud, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, str]:
    """Make a call that must be refused; return status and code."""
    status, answer = lab.api(method, path, body, token)
    assert status >= 400, answer
    return status, answer["error"]["code"]
