# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests of the lab cloud over HTTP, and machines that remember what they were told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from labcloud.balancers import BalancerSpec, Health
from labcloud.machine_specs import FirewallRule, MachineError, MachineSpec, PrivateAddress
from labcloud.machines import MISSING, OFF, RUNNING, Wanted
from labcloud.volumes import VolumeSpec
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
        self.started_with = Wanted()
        self.balancers = RememberingBalancers(self)
        self.volumes = RememberingVolumes(self)

    def note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.broken:
            raise MachineError(self.broken[name])

    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    async def start(self, wanted: Wanted) -> None:
        self.note("start")
        self.started_with = wanted

    async def create_network(self, network_id: int, ip_range: str) -> None:
        self.note("create_network", network_id, ip_range)
        self.networks[network_id] = ip_range

    async def delete_network(self, network_id: int) -> None:
        self.note("delete_network", network_id)
        self.networks.pop(network_id, None)

    async def create(self, spec: MachineSpec) -> None:
        self.note("create", spec)
        self.states.setdefault(spec.server_id, OFF)

    async def delete(self, server_id: int) -> None:
        self.note("delete", server_id)
        self.states.pop(server_id, None)

    async def power_on(self, server_id: int) -> None:
        self.note("power_on", server_id)
        self.states[server_id] = RUNNING

    async def power_off(self, server_id: int) -> None:
        self.note("power_off", server_id)
        self.states[server_id] = OFF

    async def shutdown(self, server_id: int) -> None:
        self.note("shutdown", server_id)

    async def reboot(self, server_id: int) -> None:
        self.note("reboot", server_id)

    async def attach(self, server_id: int, address: PrivateAddress) -> None:
        self.note("attach", server_id, address)

    async def detach(self, server_id: int, network_id: int) -> None:
        self.note("detach", server_id, network_id)

    async def set_firewall(self, server_id: int, public_ipv4: str | None, rules: Sequence[FirewallRule] | None) -> None:
        self.note("set_firewall", server_id, public_ipv4, rules)
        self.rules[server_id] = rules

    async def state(self, server_id: int) -> str:
        await asyncio.sleep(0)
        return self.states.get(server_id, MISSING)

    async def close(self) -> None:
        self.note("close")


class RememberingBalancers:
    """The balancers of such machines. `healths` holds what each would say of its targets."""

    def __init__(self, machines: RememberingMachines) -> None:
        self._machines = machines
        self.specs: dict[int, BalancerSpec] = {}
        self.healths: dict[int, Health] = {}

    async def put(self, spec: BalancerSpec) -> None:
        self._machines.note("put_balancer", spec)
        self.specs[spec.balancer_id] = spec

    async def delete(self, balancer_id: int) -> None:
        self._machines.note("delete_balancer", balancer_id)
        self.specs.pop(balancer_id, None)

    async def health(self, balancer_id: int) -> Health:
        await asyncio.sleep(0)
        if "health" in self._machines.broken:
            raise MachineError(self._machines.broken["health"])
        return self.healths.get(balancer_id, {})


class RememberingVolumes:
    """The volumes of such machines; `servers` maps a volume to the server that has it."""

    def __init__(self, machines: RememberingMachines) -> None:
        self._machines = machines
        self.sizes: dict[int, int] = {}
        self.servers: dict[int, int] = {}

    async def create(self, spec: VolumeSpec) -> None:
        self._machines.note("create_volume", spec)
        self.sizes.setdefault(spec.volume_id, spec.size_gb)

    async def delete(self, volume_id: int) -> None:
        self._machines.note("delete_volume", volume_id)
        self.sizes.pop(volume_id, None)

    async def resize(self, volume_id: int, size_gb: int) -> None:
        self._machines.note("resize_volume", volume_id, size_gb)
        self.sizes[volume_id] = size_gb

    async def attach(self, volume_id: int, server_id: int) -> None:
        self._machines.note("attach_volume", volume_id, server_id)
        self.servers[volume_id] = server_id

    async def detach(self, volume_id: int, server_id: int) -> None:
        self._machines.note("detach_volume", volume_id, server_id)
        self.servers.pop(volume_id, None)


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


def wait_until(condition: Callable[[], Any]) -> None:
    """Wait for a condition that nothing announces."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
