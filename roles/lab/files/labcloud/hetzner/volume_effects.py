# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work behind actions of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..machine_specs import MachineError
from ..state import Item
from ..volumes import VolumeSpec
from .runner import Effect, WorkError

if TYPE_CHECKING:
    from .cloud import Cloud

KIND = "volume"


class VolumeEffects:
    """The work of all commands on volumes."""

    def __init__(self, cloud: Cloud) -> None:
        """The cloud gives state and machines."""
        self._cloud = cloud

    def by_command(self) -> dict[str, Effect]:
        """Return the work of each command; `failed:` entries tidy up after a failed one."""
        return {
            "create_volume": self._create,
            "attach_volume": self._attach,
            "detach_volume": self._detach,
            "resize_volume": self._resize,
            "lab_delete_volume": self._delete,
            "failed:create_volume": self._forget,
            "failed:attach_volume": self._give_back,
            "failed:resize_volume": self._shrink,
        }

    @staticmethod
    def spec(volume: Item) -> VolumeSpec:
        """Return what a real volume is made from."""
        server_id = None if volume["attaching"] else volume["server"]
        return VolumeSpec(volume["id"], volume["size"], volume["format"], server_id)

    def _volume(self, project: str, action: Item) -> Item:
        volume = self._cloud.state.get(project, KIND, action["arguments"]["volume"])
        if volume is None:
            raise WorkError(f"volume {action['arguments']['volume']} is gone")
        return volume

    def _change(self, project: str, action: Item, **changes: object) -> None:
        volume = self._cloud.state.get(project, KIND, action["arguments"]["volume"])
        if volume is not None:
            self._cloud.save(project, KIND, {**volume, **changes})

    async def _create(self, project: str, action: Item) -> None:
        spec = self.spec(self._volume(project, action))
        await self._cloud.machines_of(project).volumes.create(spec)
        self._change(project, action, status="available")

    async def _attach(self, project: str, action: Item) -> None:
        wanted = action["arguments"]
        if self._cloud.state.get(project, "server", wanted["server"]) is None:
            raise WorkError(f"server {wanted['server']} is gone")
        await self._cloud.machines_of(project).volumes.attach(wanted["volume"], wanted["server"])
        self._change(project, action, attaching=False)

    async def _detach(self, project: str, action: Item) -> None:
        wanted = action["arguments"]
        await self._cloud.machines_of(project).volumes.detach(wanted["volume"], wanted["server"])
        self._change(project, action, server=None)

    async def _resize(self, project: str, action: Item) -> None:
        volume = self._volume(project, action)
        await self._cloud.machines_of(project).volumes.resize(volume["id"], volume["size"])

    async def _delete(self, project: str, action: Item) -> None:
        await self._cloud.machines_of(project).volumes.delete(action["arguments"]["volume"])

    async def release(self, project: str, server_id: int) -> None:
        """Detach everything from a server that is about to go."""
        volumes = self._cloud.machines_of(project).volumes
        for volume in list(self._cloud.state.items(project, KIND).values()):
            if volume["server"] == server_id:
                await volumes.detach(volume["id"], server_id)
                self._cloud.state.put(project, KIND, {**volume, "server": None, "attaching": False})

    async def _forget(self, project: str, action: Item) -> None:
        """A volume that could not be made is none."""
        volume_id = action["arguments"]["volume"]
        self._cloud.state.remove(project, KIND, volume_id)
        try:
            await self._cloud.machines_of(project).volumes.delete(volume_id)
        except MachineError:
            # What is half made there is removed at the next start of the service.
            return

    async def _give_back(self, project: str, action: Item) -> None:
        self._change(project, action, server=None, attaching=False)

    async def _shrink(self, project: str, action: Item) -> None:
        self._change(project, action, size=action["arguments"]["size_before"])
