# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider: everything that the handlers of all kinds share."""

from __future__ import annotations

import asyncio
import time

from ..balancers import Health
from ..faults import Faults
from ..machines import Machines, NoMachines
from ..settings import Settings
from ..state import Item, Project, State, Token
from . import action_record
from .effects import Effects
from .ratelimit import Bucket
from .runner import Runner

DEFAULT_PROJECT = "default"


class Cloud:
    """Hetzner Cloud with all its projects. One per service."""

    def __init__(self, settings: Settings, state: State, faults: Faults, machines: Machines) -> None:
        """`machines` stand behind the default project; all other projects are API-only."""
        self.settings = settings
        self.state = state
        self.faults = faults
        self.machines = machines
        self._without_machines = NoMachines()
        self._buckets: dict[str, Bucket] = {}
        self._health: dict[int, Health] = {}
        self._effects = Effects(self)
        self.runner = Runner(state, faults, self._effects.by_command(), settings.action_seconds)
        self._poller: asyncio.Task[None] | None = None
        if DEFAULT_PROJECT not in state.projects:
            state.put_project(Project(DEFAULT_PROJECT, api_only=False))
            state.put_token(Token(settings.hetzner_token, DEFAULT_PROJECT))
            state.commit()

    def machines_of(self, project: str) -> Machines:
        """Return what stands behind a project's servers."""
        found = self.state.projects.get(project)
        return self.machines if found is not None and not found.api_only else self._without_machines

    def is_real(self, project: str) -> bool:
        """Say whether something real stands behind a project."""
        return not self.state.projects[project].api_only and self.settings.machines != "none"

    def bucket(self, project: Project | None) -> Bucket:
        """Return the request limit of a project; calls that belong to none share one."""
        name, limit = (project.name, project.rate_limit) if project else ("", 3600)
        bucket = self._buckets.get(name)
        if bucket is None or bucket.limit != limit:
            bucket = self._buckets[name] = Bucket(limit, time.time)
        return bucket

    def refill(self) -> None:
        """Give every project its full request limit."""
        self._buckets.clear()

    def save(self, project: str, kind: str, item: Item) -> None:
        """Write an item from an action's work, which has no request that would commit it."""
        self.state.put(project, kind, item)
        self.state.commit()

    def health_of(self, balancer_id: int) -> Health:
        """Return what a real balancer last said of its targets."""
        return self._health.get(balancer_id, {})

    def note_health(self, balancer_id: int, health: Health) -> None:
        """Keep what a balancer says of its targets; a restart of the service forgets it."""
        self._health[balancer_id] = health

    def forget_health(self, balancer_id: int) -> None:
        """Forget a balancer that is gone."""
        self._health.pop(balancer_id, None)

    def release_addresses(self, project: str, kind: str, item_id: int) -> None:
        """Free the public addresses of a server or load balancer that is gone; some go with it."""
        for address in list(self.state.items(project, "primary_ip").values()):
            if address.get(kind) != item_id:
                continue
            if address["auto_delete"]:
                self.state.remove(project, "primary_ip", address["id"])
            else:
                self.state.put(project, "primary_ip", {**address, kind: None})

    def labels_changed(self, project: str) -> None:
        """See to it that firewalls and load balancers with label selectors follow, a moment later."""
        firewalls = self.state.items(project, "firewall").values()
        balancers = self.state.items(project, "load_balancer").values()
        targets = (target for balancer in balancers for target in balancer["targets"])
        if any(item["selectors"] for item in firewalls) or any(target["selector"] for target in targets):
            self.runner.begin(
                project,
                "lab_follow_labels",
                [],
                {"labels": True},
                seconds=self.settings.label_seconds,
                hidden=True,
            )

    async def start(self) -> None:
        """Bring the machines in line with the database and take up what was running."""
        await self._effects.start()
        self.runner.resume()
        self._poller = asyncio.get_running_loop().create_task(self._effects.follow_power())

    async def stop(self) -> None:
        """Stop working; machines and records stay."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
        await self.runner.stop()
        await self.machines.close()

    async def clear(self, project: str) -> None:
        """Remove everything in a project, its machines too."""
        await self.runner.stop()
        machines = self.machines_of(project)
        servers = list(self.state.items(project, "server"))
        networks = list(self.state.items(project, "network"))
        balancers = list(self.state.items(project, "load_balancer"))
        volumes = list(self.state.items(project, "volume"))
        self.state.clear(project)
        self.state.commit()
        await asyncio.gather(
            *(machines.delete(server_id) for server_id in servers),
            *(machines.balancers.delete(balancer_id) for balancer_id in balancers),
        )
        for balancer_id in balancers:
            self.forget_health(balancer_id)
        for volume_id in volumes:
            await machines.volumes.delete(volume_id)
        for network_id in networks:
            await machines.delete_network(network_id)
        self.runner.resume()

    def summary(self) -> str:
        """Say in one sentence what is real here and what stands in."""
        if self.settings.machines == "none":
            return "The API is answered from a database; servers and all else exist only there."
        return (
            "Servers are systemd containers reached by SSH on a public and private networks, firewalls are packet "
            "filters on their public side, load balancers are HAProxy, volumes are block devices; prices, hardware, "
            "IPv6, rescue and backups are only answered."
        )

    def running_actions(self) -> int:
        """Return how many actions are running in all projects."""
        return sum(
            action["status"] == "running"
            for project in self.state.projects
            for action in self.state.items(project, action_record.KIND).values()
        )
