# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work behind actions of load balancers."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from ..balancers import BalancerSpec
from ..machine_specs import MachineError, PrivateAddress
from ..state import Item
from . import catalogue, load_balancer_services, load_balancer_targets
from .runner import Effect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .cloud import Cloud

LOG = logging.getLogger("labcloud.hetzner")
KIND = "load_balancer"


class LoadBalancerEffects:
    """The work of all commands on load balancers."""

    def __init__(self, cloud: Cloud, ensure_network: Callable[[str, int], Awaitable[None]]) -> None:
        """`ensure_network` makes a network if it is not there yet."""
        self._cloud = cloud
        self._ensure_network = ensure_network
        self._locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def by_command(self) -> dict[str, Effect]:
        """Return the work of each command; `failed:` entries tidy up after a failed one."""
        commands = (
            "create_load_balancer",
            "add_service",
            "update_service",
            "delete_service",
            "add_target",
            "remove_target",
            "enable_public_interface",
            "disable_public_interface",
            "change_algorithm",
            "change_load_balancer_type",
            "lab_balance",
        )
        return {
            **dict.fromkeys(commands, self.balance),
            "create_load_balancer": self._create,
            "delete_load_balancer": self._delete,
        }

    def spec(self, project: str, balancer: Item) -> BalancerSpec:
        """Return what the real balancer is made from."""
        items = partial(self._cloud.state.items, project)
        address = items("primary_ip").get(balancer["ipv4"])
        return BalancerSpec(
            balancer_id=balancer["id"],
            name=balancer["name"],
            public_ipv4=address["ip"] if address and balancer["public"] else None,
            private=tuple(
                PrivateAddress(entry["network"], entry["ip"], ())
                for entry in balancer["private"]
                if entry["status"] != "detaching"
            ),
            least_connections=balancer["algorithm"] == "least_connections",
            max_connections=catalogue.LOAD_BALANCER_TYPE_BY_NAME[balancer["type"]]["max_connections"],
            services=tuple(load_balancer_services.for_balancer(service) for service in balancer["services"]),
            targets=tuple(load_balancer_targets.all_addresses(items, balancer)),
        )

    async def balance(self, project: str, action: Item) -> None:
        """Make the real balancer what the database says."""
        await self._put(project, action["arguments"]["balancer"])

    async def _put(self, project: str, balancer_id: int) -> None:
        async with self._locks[balancer_id]:
            balancer = self._cloud.state.get(project, KIND, balancer_id)
            if balancer is None:
                return
            for network in balancer["private"]:
                await self._ensure_network(project, network["network"])
            # Read afresh: what it waited for may have taken time.
            balancer = self._cloud.state.get(project, KIND, balancer_id)
            if balancer is not None:
                await self._cloud.machines_of(project).balancers.put(self.spec(project, balancer))

    async def _create(self, project: str, action: Item) -> None:
        balancer_id = action["arguments"]["balancer"]
        await self._put(project, balancer_id)
        self._set_entries(project, balancer_id, "ok")

    async def attach(self, project: str, action: Item) -> None:
        """Put a balancer into a network; then servers there can be targets by label."""
        balancer_id = action["arguments"]["balancer"]
        await self._put(project, balancer_id)
        self._set_entries(project, balancer_id, "ok")
        await self.follow(project)

    async def detach(self, project: str, action: Item) -> None:
        """Take a balancer out of its network."""
        balancer_id = action["arguments"]["balancer"]
        await self._put(project, balancer_id)
        self._set_entries(project, balancer_id, None)

    async def attach_failed(self, project: str, action: Item) -> None:
        """Give the address back."""
        self._set_entries(project, action["arguments"]["balancer"], None)

    async def detach_failed(self, project: str, action: Item) -> None:
        """Show it in the members of the network."""
        self._set_entries(project, action["arguments"]["balancer"], "error")

    def _set_entries(self, project: str, balancer_id: int, status: str | None) -> None:
        balancer = self._cloud.state.get(project, KIND, balancer_id)
        if balancer is not None:
            private = [] if status is None else [{**entry, "status": status} for entry in balancer["private"]]
            self._cloud.save(project, KIND, {**balancer, "private": private})

    async def _delete(self, project: str, action: Item) -> None:
        balancer_id = action["arguments"]["balancer"]
        async with self._locks[balancer_id]:
            await self._cloud.machines_of(project).balancers.delete(balancer_id)
        self._cloud.release_addresses(project, KIND, balancer_id)
        self._cloud.state.remove(project, KIND, balancer_id)
        self._cloud.state.commit()
        self._cloud.forget_health(balancer_id)
        self._locks.pop(balancer_id, None)

    async def follow(self, project: str) -> None:
        """Let every balancer have the targets that its selectors stand for now, and none that are out of reach."""
        for balancer_id in list(self._cloud.state.items(project, KIND)):
            async with self._locks[balancer_id]:
                try:
                    await self._follow(project, balancer_id)
                except MachineError as error:
                    # Its targets stay as they are shown, and the next look tries again.
                    LOG.warning("targets of load balancer %s: %s", balancer_id, error)

    async def _follow(self, project: str, balancer_id: int) -> None:
        """The real balancer first: what the API shows is so already."""
        items = partial(self._cloud.state.items, project)
        balancer = items(KIND).get(balancer_id)
        if balancer is None:
            return
        new = load_balancer_targets.resolved(items, balancer)
        if new == balancer:
            return
        await self._cloud.machines_of(project).balancers.put(self.spec(project, new))
        # Requests may have changed it meanwhile; their actions come after this.
        latest = items(KIND).get(balancer_id)
        if latest is not None:
            self._cloud.save(project, KIND, load_balancer_targets.resolved(items, latest))

    async def read_health(self, project: str) -> None:
        """Ask every real balancer what it thinks of its targets."""
        balancers = self._cloud.machines_of(project).balancers
        for balancer_id in list(self._cloud.state.items(project, KIND)):
            try:
                self._cloud.note_health(balancer_id, await balancers.health(balancer_id))
            except MachineError as error:
                # The next look may do better; what was known stays.
                LOG.warning("health of the targets of load balancer %s: %s", balancer_id, error)
