# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attached volumes: formatted once, mounted by the name that their id gives them, grown in place.

Only a device on which no program finds anything is formatted. Everything else that does not fit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError, Machine, octal
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Step, change

FSTAB = "/etc/fstab"
# The most that both file systems know.
LABEL_LENGTH = 12
# A file system leaves a rest that is too small for one of its groups; volumes grow by gigabytes.
SLACK_BYTES = 64 * 1024 * 1024
MAKE = {"ext4": ["mkfs.ext4", "-q", "-L"], "xfs": ["mkfs.xfs", "-q", "-L"]}


@dataclass(frozen=True)
class VolumeSpec:
    """A wanted volume. path: where it is mounted; owner, group, mode: of its topmost directory, None leaves them."""

    device: str
    path: str
    filesystem: str
    label: str
    options: str
    owner: str | None = None
    group: str | None = None
    mode: int | None = None


@dataclass(frozen=True)
class VolumeState:
    """A device as it is.

    filesystem, label: empty when no program finds any; foreign: what else was found; mounted_at: None when it is not;
    size, filesystem_size: bytes, None when unknown.
    """

    filesystem: str = ""
    label: str = ""
    foreign: str = ""
    mounted_at: str | None = None
    size: int | None = None
    filesystem_size: int | None = None


def from_options(given: Mapping[str, Any]) -> VolumeSpec:
    """The spec for one entry of the module's option. Raises ValueError."""
    for field in ("device", "path"):
        if not given[field].startswith("/") or re.search(r"\s|/$|//", given[field]):
            raise ValueError(f"its {field} has to be an absolute path without blanks")
    label = given["label"] or re.sub(r"[^A-Za-z0-9_.-]", "", given["path"].rsplit("/", 1)[-1])[:LABEL_LENGTH]
    if len(label) > LABEL_LENGTH:
        raise ValueError(f"its label has more than {LABEL_LENGTH} characters")
    options = [option for option in (given["options"] or "defaults").split(",") if option]
    for option in ("nofail", "x-systemd.device-timeout=30s"):
        # Without them a server whose volume was detached would wait in its emergency shell.
        if not any(known.split("=", 1)[0] == option.split("=", 1)[0] for known in options):
            options.append(option)
    return VolumeSpec(
        device=given["device"],
        path=given["path"],
        filesystem=given["filesystem"],
        label=label,
        options=",".join(options),
        owner=given["owner"],
        group=given["group"],
        mode=None if given["mode"] is None else octal(given["mode"]),
    )


def parse_probe(text: str) -> dict[str, str]:
    """The answer of blkid in the form `export`."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def parse_mounts(mountinfo: str) -> list[tuple[str, str]]:
    """Source and mount point of every mount, from /proc/self/mountinfo (proc(5)); the last one at a point counts."""
    found = []
    for line in mountinfo.splitlines():
        left, _dash, right = line.partition(" - ")
        if right:
            found.append((_unescape(right.split()[1]), _unescape(left.split()[4])))
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def fstab_line(spec: VolumeSpec) -> str:
    """The line of fstab(5); only ext4 is checked at boot, xfs replays its log when mounted."""
    return f"{spec.device} {spec.path} {spec.filesystem} {spec.options} 0 {2 if spec.filesystem == 'ext4' else 0}"


def updated_fstab(text: str, spec: VolumeSpec) -> str:
    """The file with the volume's line in place of every other for its device or path."""
    lines: list[str] = []
    placed = False
    for line in text.splitlines():
        fields = line.split()
        ours = (
            len(fields) >= 2
            and not line.lstrip().startswith("#")
            and (spec.device in fields[:1] or spec.path in fields[1:2])
        )
        if not ours:
            lines.append(line)
        elif not placed:
            lines.append(fstab_line(spec))
            placed = True
    if not placed:
        lines.append(fstab_line(spec))
    return "\n".join(lines) + "\n"


def filesystem_bytes(filesystem: str, text: str) -> int | None:
    """The size in what dumpe2fs or xfs_info say; None when they say nothing that is understood."""
    if filesystem == "ext4":
        count = re.search(r"^Block count:\s+(\d+)", text, re.MULTILINE)
        size = re.search(r"^Block size:\s+(\d+)", text, re.MULTILINE)
    else:
        count = re.search(r"^data\s.*?\bblocks=(\d+)", text, re.MULTILINE)
        size = re.search(r"^data\s.*?\bbsize=(\d+)", text, re.MULTILINE)
    return int(count[1]) * int(size[1]) if count and size else None


def read(machine: Machine, spec: VolumeSpec) -> VolumeState | None:
    """The device's state; None when there is no such device."""
    device = machine.resolve(spec.device)
    entry = machine.look(device)
    if entry is None:
        return None
    if entry.kind != "block":
        raise HostError(f"The volume for {spec.path}: {spec.device} is no block device.")
    probe = machine.run(["blkid", "-p", "-o", "export", device])
    # 2: nothing found (blkid(8)).
    if probe.code not in (0, 2):
        raise HostError(f"The volume for {spec.path}: blkid cannot tell what {spec.device} holds: {probe.reason()}.")
    found = parse_probe(probe.out)
    wiped = machine.run(["wipefs", "--no-act", "--noheadings", "--output", "TYPE", device])
    if wiped.code != 0:
        raise HostError(f"The volume for {spec.path}: wipefs cannot read {spec.device}: {wiped.reason()}.")
    filesystem = found.get("TYPE", "")
    others = set(wiped.out.split()) - {filesystem}
    if "PTTYPE" in found:
        others.add(f"a partition table ({found['PTTYPE']})")
    mounts = parse_mounts(machine.read_setting("/proc/self/mountinfo") or "")
    mounted = [path for source, path in mounts if source.startswith("/dev/") and machine.resolve(source) == device]
    return VolumeState(
        filesystem=filesystem,
        label=found.get("LABEL", ""),
        foreign=", ".join(sorted(others)),
        mounted_at=spec.path if spec.path in mounted else (mounted[0] if mounted else None),
        size=_number(machine.run(["blockdev", "--getsize64", device]).out),
        filesystem_size=_filesystem_size(machine, filesystem, device),
    )


def _filesystem_size(machine: Machine, filesystem: str, device: str) -> int | None:
    commands = {"ext4": ["dumpe2fs", "-h", device], "xfs": ["xfs_info", device]}
    if filesystem not in commands:
        return None
    return filesystem_bytes(filesystem, machine.run(commands[filesystem]).out)


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def refusal(spec: VolumeSpec, live: VolumeState) -> str | None:
    """Why the device is not touched; None when it fits or is blank."""
    if live.foreign:
        return (
            f"{spec.device} holds {live.foreign} and is not formatted; erase it yourself (wipefs) when nobody needs it"
        )
    if live.filesystem and live.filesystem != spec.filesystem:
        return (
            f"{spec.device} holds a file system of type {live.filesystem}, wanted is {spec.filesystem}; it is not "
            "formatted anew: name that type, or erase it yourself (wipefs) when nobody needs it"
        )
    if live.filesystem and live.label and live.label != spec.label:
        return (
            f"{spec.device} carries the label {live.label}, wanted is {spec.label}; it may belong elsewhere: "
            f"set the label {live.label} when it is the right one"
        )
    if live.mounted_at not in (None, spec.path):
        return f"{spec.device} is mounted at {live.mounted_at}; unmount it first"
    return None


def grows(live: VolumeState) -> bool:
    """Whether the device has become larger than its file system."""
    if live.size is None or live.filesystem_size is None:
        return False
    return live.size - live.filesystem_size >= SLACK_BYTES


def plan(machine: Machine, specs: Iterable[VolumeSpec]) -> list[Step]:
    """The steps for the volumes that differ. Raises HostError for one that is not there or does not fit."""
    steps = []
    for given in specs:
        spec = replace(
            given,
            owner=given.owner and machine.user_name(given.owner),
            group=given.group and machine.group_name(given.group),
        )
        live = read(machine, spec)
        if live is None:
            raise HostError(
                f"The volume for {spec.path}: there is no device {spec.device}; attach the volume to this server, or "
                "take it out of the list."
            )
        reason = refusal(spec, live)
        if reason:
            raise HostError(f"The volume for {spec.path}: {reason}.")
        step = _Volume(machine, spec, live).step()
        if step:
            steps.append(step)
    return steps


class _Volume:
    def __init__(self, machine: Machine, spec: VolumeSpec, live: VolumeState) -> None:
        self.machine = machine
        self.spec = spec
        self.live = live

    def step(self) -> Step | None:
        before, after = self._differing()
        if not after:
            return None
        new = "filesystem" in after
        return Step(
            changes=(change("volume", self.spec.path, None if new else before, after),),
            write=lambda: self._write(after),
            reload_units="fstab" in after,
        )

    def _differing(self) -> tuple[dict[str, object], dict[str, object]]:
        spec, live = self.spec, self.live
        before: dict[str, object] = {}
        after: dict[str, object] = {}
        if not live.filesystem:
            after["filesystem"] = spec.filesystem
        mounted = live.mounted_at == spec.path
        if not mounted:
            self._refuse_full_directory()
            before["mounted"], after["mounted"] = False, True
        text = self._fstab()
        if updated_fstab(text, spec) != text:
            before["fstab"], after["fstab"] = None, fstab_line(spec)
        if grows(live):
            before["bytes"], after["bytes"] = live.filesystem_size, live.size
        for name, there, wanted in self._attributes(mounted):
            if wanted is not None and there != wanted:
                before[name], after[name] = there, wanted
        return before, after

    def _attributes(self, mounted: bool) -> list[tuple[str, str | None, str | None]]:
        entry = self.machine.look(self.spec.path) if mounted else None
        wanted_mode = None if self.spec.mode is None else f"{self.spec.mode:04o}"
        return [
            ("owner", entry.owner if entry else None, self.spec.owner),
            ("group", entry.group if entry else None, self.spec.group),
            ("mode", f"{entry.mode:04o}" if entry else None, wanted_mode),
        ]

    def _refuse_full_directory(self) -> None:
        entry = self.machine.look(self.spec.path)
        if entry is not None and entry.kind != "directory":
            raise HostError(f"The volume for {self.spec.path}: there is a {entry.kind} at this path; move it away.")
        inside = self.machine.children(self.spec.path)
        if inside:
            raise HostError(
                f"The volume for {self.spec.path}: the directory is not empty ({', '.join(inside[:5])}), and mounting "
                "would hide what it holds; move it away."
            )

    def _fstab(self) -> str:
        entry = self.machine.look(FSTAB)
        return entry.content.decode("utf-8", "replace") if entry else ""

    def _write(self, after: Mapping[str, object]) -> None:
        device = self.machine.resolve(self.spec.device)
        if "filesystem" in after:
            self._must([*MAKE[self.spec.filesystem], self.spec.label, device], "formatted")
        if "fstab" in after:
            content = updated_fstab(self._fstab(), self.spec).encode("utf-8")
            self.machine.write(FSTAB, content, "root", "root", 0o644)
            self._must(["systemctl", "daemon-reload"], "announced to systemd")
        if "mounted" in after:
            if self.machine.look(self.spec.path) is None:
                # Nobody but root can write here by accident while the volume is not mounted.
                self.machine.make_directory(self.spec.path, "root", "root", 0o000)
            self._must(["mount", self.spec.path], "mounted")
        if "bytes" in after:
            self._grow(device)
        if {"owner", "group", "mode"} & set(after):
            self._own()

    def _grow(self, device: str) -> None:
        if self.spec.filesystem == "xfs":
            self._must(["xfs_growfs", self.spec.path], "grown")
            return
        answer = self.machine.run(["resize2fs", device])
        if answer.code == 0:
            return
        if "Permission denied to resize" not in answer.err:
            raise HostError(f"The volume for {self.spec.path} cannot be grown: {answer.reason()}.")
        # A container may not grow a mounted ext4 (it lacks CAP_SYS_RESOURCE). When something uses the volume, this fails.
        self._must(
            ["umount", self.spec.path], "grown: its kernel refuses it while it is mounted, and it cannot be unmounted"
        )
        self._must(["e2fsck", "-f", "-p", device], "checked")
        self._must(["resize2fs", device], "grown")
        self._must(["mount", self.spec.path], "mounted")

    def _own(self) -> None:
        entry = self.machine.look(self.spec.path)
        if entry is None:
            raise HostError(f"The volume for {self.spec.path}: the directory has vanished.")
        mode = entry.mode if self.spec.mode is None else self.spec.mode
        self.machine.set_attributes(
            self.spec.path, self.spec.owner or entry.owner, self.spec.group or entry.group, mode
        )

    def _must(self, argv: list[str], what: str) -> None:
        answer = self.machine.run(argv)
        if answer.code != 0:
            raise HostError(f"The volume for {self.spec.path} cannot be {what}: {answer.reason()}.")
