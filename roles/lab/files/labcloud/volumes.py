# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between volumes of the Hetzner API and the real block devices behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class VolumeSpec:
    """A volume: its size, the file system it was ordered with (None = none), and the server that has it (None = none)."""

    volume_id: int
    size_gb: int
    file_system: str | None
    server_id: int | None = None


class Volumes(Protocol):
    """What a lab needs from real volumes. Every method is idempotent and raises MachineError when it fails."""

    async def create(self, spec: VolumeSpec) -> None:
        """Make a block device of this size, with a file system when one is wanted. One that exists stays as it is."""

    async def delete(self, volume_id: int) -> None:
        """Remove a volume with its content; absent is fine."""

    async def resize(self, volume_id: int, size_gb: int) -> None:
        """Let a volume grow; a server that has it sees the new size at once."""

    async def attach(self, volume_id: int, server_id: int) -> None:
        """Let a server see the volume from now on, over its restarts too."""

    async def detach(self, volume_id: int, server_id: int) -> None:
        """Take the volume away from a server; not attached is fine."""


class NoVolumes:
    """Volumes that exist only in the database."""

    async def create(self, _spec: VolumeSpec) -> None:
        """Do nothing."""

    async def delete(self, _volume_id: int) -> None:
        """Do nothing."""

    async def resize(self, _volume_id: int, _size_gb: int) -> None:
        """Do nothing."""

    async def attach(self, _volume_id: int, _server_id: int) -> None:
        """Do nothing."""

    async def detach(self, _volume_id: int, _server_id: int) -> None:
        """Do nothing."""
