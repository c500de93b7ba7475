# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes of the lab as loop devices of the machine, each on a sparse file in a Docker volume of its own.

A device lives as long as its volume, whichever server has it: two servers that mount it one after the other speak
to the same device, so nothing that the first wrote can be missed by the second. What a server sees is a device node
and the vendor's link to it; both lie under /dev, which is empty at each start, so a list in the server's file system
tells its first process what to put there (images/server/init).

The lab cloud itself may make no device. Each change is made by a small container that may, and that ends at once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .docker_engine import Engine, filters, tar_of
from .docker_networks import all_of
from .machine_specs import MachineError
from .volumes import VolumeSpec

VOLUME_LABEL = "frontdesk.lab.volume"
NAME = "frontdesk-lab-volume-"
# In the helper: where a volume's file lies.
FOLDER = "/volume"
# In a server: which devices its first process puts under /dev, a line each with the volume's id and the loop's number.
DEVICE_LIST = "/etc/lab-volumes"
BLOCK_DEVICES = Path("/sys/block")
LOOP_CONTROL = Path("/sys/class/misc/loop-control")
_BACKING = re.compile(rf"{NAME}(\d+)\.img")

# The helper sees no devices but those it makes a node for. Another program may take the free one first: then the next.
MAKE = """
set -e
file=$1 size=$2 type=$3
if [ ! -e "$file" ]; then
    rm -f "$file.new"
    truncate -s "$size" "$file.new"
    if [ -n "$type" ]; then "mkfs.$type" -q "$file.new"; fi
    mv "$file.new" "$file"
fi
[ -e /dev/loop-control ] || mknod -m 600 /dev/loop-control c 10 237
for attempt in 1 2 3 4 5; do
    # It calls a device without a node "lost".
    device=$(losetup --find | cut -d " " -f 1)
    [ -e "$device" ] || mknod -m 600 "$device" b 7 "${device#/dev/loop}"
    if losetup "$device" "$file"; then exit 0; fi
done
exit 1
"""
GROW = """
set -e
truncate -s "$2" "$1"
[ -e "/dev/loop$3" ] || mknod -m 600 "/dev/loop$3" b 7 "$3"
losetup --set-capacity "/dev/loop$3"
"""
RELEASE = """
set -e
for number; do
    [ -e "/dev/loop$number" ] || mknod -m 600 "/dev/loop$number" b 7 "$number"
    losetup --detach "/dev/loop$number"
done
"""
# In a server. The list is what its first process reads, so both do the same.
SHOW = f"""
set -e
mkdir -p /dev/disk/by-id
while read -r id number; do
    [ -e "/dev/loop$number" ] || mknod -m 660 "/dev/loop$number" b 7 "$number"
    ln -sfn "../../loop$number" "/dev/disk/by-id/scsi-0HC_Volume_$id"
done < {DEVICE_LIST}
"""
# A rented server's device would vanish from under a mount; here what was written is saved first.
HIDE = """
umount --all-targets "/dev/loop$2" 2>/dev/null || umount --lazy --all-targets "/dev/loop$2" 2>/dev/null
rm -f "/dev/disk/by-id/scsi-0HC_Volume_$1" "/dev/loop$2"
"""


def file_of(volume_id: int) -> str:
    """Return the path of a volume's file in the helper; its name says in /sys whose it is."""
    return f"{FOLDER}/{NAME}{volume_id}.img"


def helper_body(
    image: str, labels: Mapping[str, str], command: tuple[str, ...], volume_id: int | None
) -> dict[str, Any]:
    """Return the creation body of the container that may make loop devices."""
    mounts = [{"Type": "volume", "Source": f"{NAME}{volume_id}", "Target": FOLDER}] if volume_id else []
    return {
        "Cmd": ["sh", "-c", *command],
        "HostConfig": {
            "CapAdd": ["SYS_ADMIN"],
            "DeviceCgroupRules": ["b 7:* rwm", "c 10:237 rwm"],
            "Mounts": mounts,
            "NetworkMode": "none",
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        },
        "Image": image,
        "Labels": dict(labels),
    }


def parse_devices(backing_files: Mapping[str, str]) -> dict[int, list[int]]:
    """Return the loop numbers by volume; `backing_files` maps a device's name to the file it lies on."""
    found: dict[int, list[int]] = {}
    for device, path in backing_files.items():
        match = _BACKING.search(path)
        if match:
            found.setdefault(int(match[1]), []).append(int(device.removeprefix("loop")))
    return found


def _require_loop_devices() -> None:
    if not LOOP_CONTROL.exists():
        raise MachineError(
            "the lab cannot make volumes, because the kernel has no loop devices; "
            "run 'modprobe loop' as root on this machine"
        )


def _backing_files() -> dict[str, str]:
    found = {}
    for device in BLOCK_DEVICES.glob("loop*"):
        try:
            found[device.name] = (device / "loop" / "backing_file").read_text(encoding="utf-8")
        except OSError:
            continue  # a free device has none
    return found


class DockerVolumes:
    """The volumes of a lab on one Docker engine."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        labels: Mapping[str, str],
        inspect: Callable[[int], Awaitable[Mapping[str, Any] | None]],
    ) -> None:
        """`labels` are put on everything; `inspect` returns what the engine says of a server's container."""
        self._engine = engine
        self._image = image
        self._labels = dict(labels)
        self._inspect = inspect
        self._servers: dict[int, int] = {}
        # Free devices are found and taken one after the other.
        self._lock = asyncio.Lock()

    async def start(self, wanted: Iterable[VolumeSpec]) -> None:
        """Have the devices of all volumes, and remove what nobody knows. Servers are told by `show`."""
        specs = {spec.volume_id: spec for spec in wanted}
        self._servers = {spec.volume_id: spec.server_id for spec in specs.values() if spec.server_id is not None}
        found = await self._engine.call("GET", "/volumes", params=filters(label=[VOLUME_LABEL]))
        existing = {int(volume["Labels"][VOLUME_LABEL]) for volume in found["Volumes"] or []}
        unknown = (existing | set(parse_devices(_backing_files()))) - set(specs)
        await all_of(*(self.delete(volume_id) for volume_id in unknown))
        await all_of(*(self.create(spec) for spec in specs.values()))

    async def create(self, spec: VolumeSpec) -> None:
        """Make file, file system and device; what is there stays."""
        if parse_devices(_backing_files()).get(spec.volume_id):
            return
        _require_loop_devices()
        body = {"Name": f"{NAME}{spec.volume_id}", "Labels": {**self._labels, VOLUME_LABEL: str(spec.volume_id)}}
        await self._engine.call("POST", "/volumes/create", body=body)
        arguments = (file_of(spec.volume_id), f"{spec.size_gb}G", spec.file_system or "")
        await self._help(MAKE, arguments, spec.volume_id, "made")

    async def delete(self, volume_id: int) -> None:
        """Release the device and remove the file."""
        self._servers.pop(volume_id, None)
        numbers = parse_devices(_backing_files()).get(volume_id, [])
        if numbers:
            await self._help(RELEASE, tuple(map(str, numbers)), None, "released")
        await self._engine.call("DELETE", f"/volumes/{NAME}{volume_id}", accept={404})

    async def resize(self, volume_id: int, size_gb: int) -> None:
        """Let the file grow and the device with it."""
        number = str(self._number(volume_id))
        await self._help(GROW, (file_of(volume_id), f"{size_gb}G", number), volume_id, "resized")

    async def attach(self, volume_id: int, server_id: int) -> None:
        """Show a server the device."""
        self._number(volume_id)
        self._servers[volume_id] = server_id
        await self.show(server_id)

    async def detach(self, volume_id: int, server_id: int) -> None:
        """Hide the device from a server."""
        self._servers.pop(volume_id, None)
        details = await self._inspect(server_id)
        if details is None:
            return
        await self._write_list(server_id, details["Id"])
        if details["State"]["Running"]:
            number = str(self._number(volume_id))
            await self._engine.execute(details["Id"], ["sh", "-c", HIDE, "sh", str(volume_id), number])

    async def show(self, server_id: int) -> None:
        """Let a server have the devices of all its volumes, now and at each of its starts."""
        if server_id not in self._servers.values():
            return
        details = await self._inspect(server_id)
        if details is None:
            return
        await self._write_list(server_id, details["Id"])
        if not details["State"]["Running"]:
            return
        code, output = await self._engine.execute(details["Id"], ["sh", "-c", SHOW])
        if code != 0:
            raise MachineError(f"the server does not take the volume's device: {' '.join(output.split())}")

    async def _write_list(self, server_id: int, container: str) -> None:
        devices = parse_devices(_backing_files())
        lines = [
            f"{volume_id} {devices[volume_id][0]}\n"
            for volume_id, owner in sorted(self._servers.items())
            if owner == server_id and volume_id in devices
        ]
        content = tar_of({DEVICE_LIST: "".join(lines)}, mode=0o644)
        await self._engine.call("PUT", f"/containers/{container}/archive", params={"path": "/"}, content=content)

    @staticmethod
    def _number(volume_id: int) -> int:
        numbers = parse_devices(_backing_files()).get(volume_id)
        if not numbers:
            raise MachineError(f"volume {volume_id} has no device any more; restart the lab to make it anew")
        return numbers[0]

    async def _help(self, script: str, arguments: tuple[str, ...], volume_id: int | None, done: str) -> None:
        async with self._lock:
            body = helper_body(self._image, self._labels, (script, "sh", *arguments), volume_id)
            code, output = await self._engine.run(body)
        if code != 0:
            raise MachineError(f"the volume could not be {done}: {' '.join(output.split())}")
