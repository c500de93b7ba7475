# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work behind actions: what changes in the database and on the machines when one has had its time.

Every effect may run again after a restart of the service, so each is idempotent. Effects read records afresh after
every wait, because requests and other actions change them meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from ..machine_specs import FirewallRule, MachineError, MachineSpec, PrivateAddress
from ..machines import MISSING, OFF, RUNNING, Wanted
from ..state import Item
from . import catalogue, firewall_rules, selector
from .load_balancer_effects import LoadBalancerEffects
from .runner import Effect, WorkError
from .volume_effects import VolumeEffects

if TYPE_CHECKING:
    from .cloud import Cloud

LOG = logging.getLogger("labcloud.hetzner")
SHUTDOWN_SECONDS = 120.0  # how long a server may take to go off after the ACPI signal
STEADY = ("running", "off", "unknown")


class Effects:
    """The work of all commands."""

    def __init__(self, cloud: Cloud) -> None:
        """The cloud gives state, settings and machines."""
        self._cloud = cloud
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        # One change at a time, in order: a removed network's range must be free before it is used again.
        self._network_lock = asyncio.Lock()
        self._balancers = LoadBalancerEffects(cloud, self._ensure_network)
        self._volumes = VolumeEffects(cloud)

    def by_command(self) -> dict[str, Effect]:
        """Return the work of each command; `failed:` entries tidy up after a failed one."""
        return {
            **self._balancers.by_command(),
            **self._volumes.by_command(),
            "create_server": self._create_server,
            "delete_server": self._delete_server,
            "start_server": self._start_server,
            "stop_server": self._stop_server,
            "shutdown_server": self._shutdown_server,
            "reboot_server": self._reboot_server,
            "reset_server": self._reset_server,
            "rebuild_server": self._rebuild_server,
            "change_server_type": self._change_server_type,
            "add_to_placement_group": self._nothing,
            "attach_to_network": self._attach,
            "change_alias_ips": self._attach,
            "detach_from_network": self._detach,
            "add_subnet": self._nothing,
            "delete_subnet": self._nothing,
            "add_route": self._nothing,
            "delete_route": self._nothing,
            "change_ip_range": self._nothing,
            "set_firewall_rules": self._nothing,
            "apply_firewall": self._apply_firewall,
            "remove_firewall": self._remove_firewall,
            "lab_create_network": self._create_network,
            "lab_delete_network": self._delete_network,
            "lab_follow_labels": self._follow_labels,
            "lab_follow_shutdown": self._follow_shutdown,
            "failed:attach_to_network": self._forget_attachment,
            "failed:detach_from_network": self._entry_failed,
            "failed:change_alias_ips": self._entry_failed,
            "failed:create_server": self._read_power,
            "failed:delete_server": self._read_power,
            "failed:start_server": self._read_power,
            "failed:stop_server": self._read_power,
            "failed:rebuild_server": self._read_power,
            "failed:change_server_type": self._read_power,
        }

    # reading

    def _server(self, project: str, server_id: int) -> Item:
        server = self._cloud.state.get(project, "server", server_id)
        if server is None:
            raise WorkError(f"server {server_id} is gone")
        return server

    def _change(self, project: str, server_id: int, **changes: object) -> None:
        server = self._cloud.state.get(project, "server", server_id)
        if server is not None:
            self._cloud.save(project, "server", {**server, **changes})

    def public_ipv4(self, project: str, server: Item) -> str | None:
        """Return a server's public IPv4 address."""
        address = self._cloud.state.get(project, "primary_ip", server["ipv4"] or 0)
        return address["ip"] if address else None

    def rules(self, project: str, server: Item) -> tuple[FirewallRule, ...] | None:
        """Return the rules of all firewalls of a server together; None when it has none."""
        if not server["firewalls"]:
            return None
        firewalls = [self._cloud.state.get(project, "firewall", entry["id"]) for entry in server["firewalls"]]
        return firewall_rules.for_machine(rule for firewall in firewalls if firewall for rule in firewall["rules"])

    def spec(self, project: str, server: Item) -> MachineSpec:
        """Return what a server's machine is made from."""
        server_type = catalogue.SERVER_TYPE_BY_NAME[server["server_type"]]
        image = catalogue.IMAGES.get(server["image"] or 0)
        return MachineSpec(
            server_id=server["id"],
            name=server["name"],
            public_ipv4=self.public_ipv4(project, server),
            private=tuple(_address(entry) for entry in server["private"] if entry["status"] != "attaching"),
            ssh_public_keys=tuple(server["ssh_public_keys"]),
            user_data=server["user_data"],
            image=image["name"] if image else "debian-13",
            cores=server_type["cores"],
            memory_gb=server_type["memory"],
        )

    # service start and the power state

    async def start(self) -> None:
        """Bring the machines of all projects in line with the database."""
        for name in self._cloud.state.projects:
            if name == "default":
                await self._start_project(name)
        for name, project in self._cloud.state.projects.items():
            if project.api_only:
                machines = self._cloud.machines_of(name)
                for server in self._cloud.state.items(name, "server").values():
                    await (machines.power_on if server["status"] == "running" else machines.power_off)(server["id"])

    async def _start_project(self, project: str) -> None:
        servers = [
            server
            for server in self._cloud.state.items(project, "server").values()
            if server["status"] not in ("initializing", "deleting")
        ]
        wanted = Wanted(
            servers=[self.spec(project, server) for server in servers],
            balancers=[
                self._balancers.spec(project, balancer)
                for balancer in self._cloud.state.items(project, "load_balancer").values()
            ],
            volumes=[self._volumes.spec(item) for item in self._cloud.state.items(project, "volume").values()],
            networks={item["id"]: item["ip_range"] for item in self._cloud.state.items(project, "network").values()},
            firewalls={server["id"]: self.rules(project, server) for server in servers},
            running={server["id"] for server in servers if server["status"] in ("running", "starting")},
        )
        await self._cloud.machines_of(project).start(wanted)

    async def follow_power(self) -> None:
        """Read the state of real machines again and again: a server may go off by itself, a target may fall ill."""
        while self._cloud.settings.machines != "none":
            await asyncio.sleep(self._cloud.settings.poll_seconds)
            for server_id, server in list(self._cloud.state.items("default", "server").items()):
                if server["status"] in STEADY and not self._cloud.runner.locks("default", server_id):
                    await self._observe("default", server_id)
            await self._balancers.follow("default")
            await self._balancers.read_health("default")

    async def _observe(self, project: str, server_id: int) -> None:
        try:
            state = await self._cloud.machines_of(project).state(server_id)
        except (MachineError, OSError) as error:
            # The next look may do better; what the database says stays.
            LOG.warning("power state of server %s: %s", server_id, error)
            return
        server = self._cloud.state.get(project, "server", server_id)
        # An action may have begun during the reading; then its word counts.
        if server is None or server["status"] not in STEADY or self._cloud.runner.locks(project, server_id):
            return
        status = {RUNNING: "running", OFF: "off"}.get(state, "unknown")
        if server["status"] != status:
            self._cloud.save(project, "server", {**server, "status": status})

    async def _read_power(self, project: str, action: Item) -> None:
        """After a failure the status says what is there."""
        server_id = action["arguments"]["server"]
        try:
            state = await self._cloud.machines_of(project).state(server_id)
        except MachineError:
            state = MISSING
        self._change(project, server_id, status="running" if state == RUNNING else "off")

    # servers

    async def _create_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._make(project, server_id)
        self._change(project, server_id, status="off", firewalls=_applied(self._server(project, server_id)))

    async def _make(self, project: str, server_id: int) -> None:
        """Create the machine if there is none, put it into its networks and behind its firewalls."""
        machines = self._cloud.machines_of(project)
        server = self._server(project, server_id)
        for entry in server["private"]:
            await self._ensure_network(project, entry["network"])
        await machines.create(self.spec(project, server))
        server = self._server(project, server_id)
        await machines.set_firewall(server_id, self.public_ipv4(project, server), self.rules(project, server))

    async def _delete_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._volumes.release(project, server_id)
            await self._cloud.machines_of(project).delete(server_id)
        state = self._cloud.state
        self._cloud.release_addresses(project, "server", server_id)
        state.remove(project, "server", server_id)
        state.commit()
        self._locks.pop(server_id, None)
        await self._balancers.follow(project)

    async def _power_on(self, project: str, server_id: int) -> None:
        machines = self._cloud.machines_of(project)
        # A creation that failed, or a machine that somebody removed, is made good here.
        if await machines.state(server_id) == MISSING:
            await self._make(project, server_id)
        await machines.power_on(server_id)
        server = self._server(project, server_id)
        await machines.set_firewall(server_id, self.public_ipv4(project, server), self.rules(project, server))
        self._change(project, server_id, status="running", firewalls=_applied(self._server(project, server_id)))

    async def _start_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        self._change(project, server_id, status="starting")
        async with self._locks[server_id]:
            await self._power_on(project, server_id)

    async def _stop_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._cloud.machines_of(project).power_off(server_id)
        self._change(project, server_id, status="off")

    async def _shutdown_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._cloud.machines_of(project).shutdown(server_id)
        self._cloud.runner.begin(project, "lab_follow_shutdown", [], {"server": server_id}, hidden=True)
        self._cloud.state.commit()

    async def _follow_shutdown(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        deadline = asyncio.get_running_loop().time() + SHUTDOWN_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            await self._observe(project, server_id)
            server = self._cloud.state.get(project, "server", server_id)
            if server is None or server["status"] != "running":
                return
            await asyncio.sleep(0.2)

    async def _reboot_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._cloud.machines_of(project).reboot(server_id)
            await self._power_on(project, server_id)

    async def _reset_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._cloud.machines_of(project).power_off(server_id)
            await self._power_on(project, server_id)

    async def _rebuild_server(self, project: str, action: Item) -> None:
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._cloud.machines_of(project).delete(server_id)
            await self._power_on(project, server_id)

    async def _change_server_type(self, project: str, action: Item) -> None:
        """Change what the API says; a lab machine keeps the size it was made with."""
        server_id, wanted = action["arguments"]["server"], action["arguments"]
        server = self._server(project, server_id)
        disk = catalogue.SERVER_TYPE_BY_NAME[wanted["server_type"]]["disk"]
        new_disk = disk if wanted["upgrade_disk"] else server["disk"]
        self._change(project, server_id, server_type=wanted["server_type"], disk=new_disk)
        async with self._locks[server_id]:
            await self._power_on(project, server_id)

    # networks

    async def _ensure_network(self, project: str, network_id: int) -> None:
        network = self._cloud.state.get(project, "network", network_id)
        if network is None:
            raise WorkError(f"network {network_id} is gone")
        async with self._network_lock:
            await self._cloud.machines_of(project).create_network(network_id, network["ip_range"])

    async def _create_network(self, project: str, action: Item) -> None:
        network_id = action["resources"][0]["id"]
        if self._cloud.state.get(project, "network", network_id) is not None:
            await self._ensure_network(project, network_id)

    async def _delete_network(self, project: str, action: Item) -> None:
        async with self._network_lock:
            await self._cloud.machines_of(project).delete_network(action["resources"][0]["id"])

    def _entry(self, project: str, action: Item) -> Item:
        server = self._server(project, action["arguments"]["server"])
        network_id = action["arguments"]["network"]
        found: Item | None = next((entry for entry in server["private"] if entry["network"] == network_id), None)
        if found is None:
            raise WorkError(f"server {server['name']} is no longer attached to network {network_id}")
        return found

    def _put_entry(self, project: str, action: Item, status: str | None) -> None:
        """Give the entry a status; None removes it."""
        server_id, network_id = action["arguments"]["server"], action["arguments"]["network"]
        server = self._cloud.state.get(project, "server", server_id)
        if server is None:
            return
        private = [
            {**entry, "status": status} if entry["network"] == network_id else entry
            for entry in server["private"]
            if entry["network"] != network_id or status is not None
        ]
        self._cloud.save(project, "server", {**server, "private": private})

    async def _attach(self, project: str, action: Item) -> None:
        if "balancer" in action["arguments"]:
            await self._balancers.attach(project, action)
            return
        server_id = action["arguments"]["server"]
        entry = self._entry(project, action)
        async with self._locks[server_id]:
            await self._ensure_network(project, entry["network"])
            await self._cloud.machines_of(project).attach(server_id, _address(entry))
        self._put_entry(project, action, "ok")
        await self._balancers.follow(project)

    async def _detach(self, project: str, action: Item) -> None:
        if "balancer" in action["arguments"]:
            await self._balancers.detach(project, action)
            return
        server_id = action["arguments"]["server"]
        async with self._locks[server_id]:
            await self._cloud.machines_of(project).detach(server_id, action["arguments"]["network"])
        self._put_entry(project, action, None)
        await self._balancers.follow(project)

    async def _forget_attachment(self, project: str, action: Item) -> None:
        if "balancer" in action["arguments"]:
            await self._balancers.attach_failed(project, action)
        else:
            self._put_entry(project, action, None)

    async def _entry_failed(self, project: str, action: Item) -> None:
        if "balancer" in action["arguments"]:
            await self._balancers.detach_failed(project, action)
        else:
            self._put_entry(project, action, "error")

    # firewalls

    async def _apply_firewall(self, project: str, action: Item) -> None:
        if action["arguments"].get("labels"):
            await self._follow_labels(project, action)
        else:
            await self._filter(project, action["arguments"]["server"])

    async def _filter(self, project: str, server_id: int) -> None:
        """Make a machine's packet filter what its firewalls say."""
        server = self._cloud.state.get(project, "server", server_id)
        if server is None:
            return
        async with self._locks[server_id]:
            await self._cloud.machines_of(project).set_firewall(
                server_id, self.public_ipv4(project, server), self.rules(project, server)
            )
        self._change(project, server_id, firewalls=_applied(self._server(project, server_id)))

    async def _remove_firewall(self, project: str, action: Item) -> None:
        if action["arguments"].get("labels"):
            await self._follow_labels(project, action)
            return
        server_id, firewall_id = action["arguments"]["server"], action["arguments"]["firewall"]
        server = self._cloud.state.get(project, "server", server_id)
        if server is None:
            return
        kept = [
            {**entry, "direct": False} if entry["id"] == firewall_id else entry
            for entry in server["firewalls"]
            if entry["id"] != firewall_id or entry["selected"]
        ]
        self._change(project, server_id, firewalls=kept)
        await self._filter(project, server_id)

    async def _follow_labels(self, project: str, _action: Item) -> None:
        """Let firewalls and load balancers with label selectors have the servers that match now, and no others."""
        await self._balancers.follow(project)
        firewalls = list(self._cloud.state.items(project, "firewall").values())
        for server_id in list(self._cloud.state.items(project, "server")):
            server = self._cloud.state.get(project, "server", server_id)
            if server is None or server["status"] == "deleting" or (server["ipv4"] or server["ipv6"]) is None:
                continue
            matching = {
                firewall["id"]
                for firewall in firewalls
                if any(selector.parse(text).matches(server["labels"]) for text in firewall["selectors"])
            }
            await self._select(project, server, matching)

    async def _select(self, project: str, server: Item, matching: set[int]) -> None:
        before = {entry["id"]: entry for entry in server["firewalls"]}
        after = {
            firewall_id: {**entry, "selected": firewall_id in matching}
            for firewall_id, entry in before.items()
            if entry["direct"] or firewall_id in matching
        }
        for firewall_id in matching - set(before):
            after[firewall_id] = {"id": firewall_id, "status": "pending", "direct": False, "selected": True}
        if after == before:
            return
        self._change(project, server["id"], firewalls=list(after.values()))
        await self._filter(project, server["id"])
        for command, ids in (
            ("apply_firewall", set(after) - set(before)),
            ("remove_firewall", set(before) - set(after)),
        ):
            for firewall_id in sorted(ids):
                self._cloud.runner.at_once(project, command, [("firewall", firewall_id), ("server", server["id"])])
        self._cloud.state.commit()

    async def _nothing(self, project: str, action: Item) -> None:
        """Do nothing: the change is in the database only."""


def _applied(server: Item) -> list[Item]:
    return [{**entry, "status": "applied"} for entry in server["firewalls"]]


def _address(entry: Item) -> PrivateAddress:
    return PrivateAddress(entry["network"], entry["ip"], tuple(entry["alias_ips"]))
