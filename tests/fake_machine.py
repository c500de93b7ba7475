# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine made of dictionaries, for the tests of the host modules: its programs do what the real ones do, as far as they are used."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Answer, Entry, Machine

TABLE = re.compile(r"table (\S+ \S+)\ndelete table \1\ntable \1 \{\n(.*)\n\}\n", re.DOTALL)
OFFLINE = "SYSTEMD_OFFLINE"


class Cut(BaseException):
    """The run is killed, as by kill -9."""


@dataclass
class Unit:
    """A unit; runs_with: the files as they were when it was started or reloaded."""

    enabled: bool = False
    masked: bool = False
    running: bool = False
    invocation: str = ""
    runs_with: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Disk:
    """A block device. sizes in bytes."""

    size: int
    kind: str = ""
    label: str = ""
    partitions: str = ""
    used: int = 0


class FakeMachine(Machine):
    """See the text at the top. `writes` is everything that changed something; cut_at: which of them is never made."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.settings: dict[str, str] = {"/proc/self/mountinfo": ""}
        self.units: dict[str, Unit] = {}
        self.installed: dict[str, tuple[str, bool]] = {}
        self.archive: dict[str, str] = {}
        self.lists: set[str] | None = None
        self.removes: dict[str, list[str]] = {}
        self.tables: dict[str, str] = {}
        self.disks: dict[str, Disk] = {}
        self.mounts: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.programs = {"nft"}
        self.refusals: dict[str, Answer] = {}
        self.runs: list[list[str]] = []
        self.writes: list[str] = []
        self.cut_at: int | None = None
        self.starts = 0
        self.accounts()

    def accounts(self) -> None:
        self.put("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        self.put("/etc/group", "root:x:0:\nsudo:x:27:\ndocker:x:99:\n", mode=0o644)
        self.put("/etc/shadow", "root:*:1::::::\n")

    # What a test says of the machine.

    def put(self, path: str, content: str, mode: int = 0o644, owner: str = "root", group: str = "root") -> None:
        self.entries[path] = Entry("file", owner, group, mode, content.encode())

    def directory(self, path: str, mode: int = 0o755) -> None:
        self.entries[path] = Entry("directory", "root", "root", mode)

    def text(self, path: str) -> str:
        return self.entries[path].content.decode()

    def start(self, name: str) -> None:
        unit = self.units.setdefault(name, Unit())
        self.starts += 1
        unit.running, unit.invocation = True, f"{self.starts:032x}"
        unit.runs_with = {path: entry.content for path, entry in self.entries.items()}

    def state(self) -> object:
        """All that a run is about; its notes and its timer are not."""
        files = {path: entry for path, entry in self.entries.items() if not path.startswith("/var/lib/frontdesk")}
        units = {
            name: (unit.enabled, unit.masked, unit.running)
            for name, unit in self.units.items()
            if not name.startswith("frontdesk-rollback")
        }
        return files, self.settings, units, self.installed, self.tables, self.mounts

    # What the modules call.

    def _write(self, what: str) -> None:
        if self.cut_at is not None and len(self.writes) >= self.cut_at:
            raise Cut
        self.writes.append(what)

    def run(self, argv: Sequence[str], text: str | None = None, environment: Mapping[str, str] | None = None) -> Answer:
        self.runs.append(list(argv))
        for start, answer in self.refusals.items():
            if " ".join(argv).startswith(start):
                return answer
        program: Callable[..., Answer] | None = getattr(self, "_" + re.sub(r"\W", "_", argv[0]), None)
        if program is None:
            return Answer(127, err=f"{argv[0]}: not found")
        return program(list(argv[1:]), text, environment or {})

    def has_program(self, name: str) -> bool:
        return name in self.programs

    def look(self, path: str) -> Entry | None:
        return self.entries.get(path)

    def children(self, path: str) -> list[str]:
        inside = (name[len(path) + 1 :] for name in self.entries if name.startswith(f"{path}/"))
        return sorted({name.split("/")[0] for name in inside})

    def user_name(self, user: str) -> str:
        return {"999": "postgres"}.get(user, user)

    def group_name(self, group: str) -> str:
        return {"999": "postgres"}.get(group, group)

    def resolve(self, path: str) -> str:
        return self.links.get(path, path)

    def write(self, path: str, content: bytes, owner: str, group: str, mode: int) -> None:
        if path.startswith(tempfile.gettempdir()):  # where a content is checked
            return
        self._write(f"write {path}")
        self.entries[path] = Entry("file", owner, group, mode, content)

    def make_directory(self, path: str, owner: str, group: str, mode: int) -> None:
        self._write(f"mkdir {path}")
        self.entries[path] = Entry("directory", owner, group, mode)

    def set_attributes(self, path: str, owner: str, group: str, mode: int) -> None:
        self._write(f"chmod {path}")
        self.entries[path] = replace(self.entries[path], owner=owner, group=group, mode=mode)

    def remove(self, path: str) -> None:
        self._write(f"rm {path}")
        del self.entries[path]

    def read_setting(self, path: str) -> str | None:
        if path == "/proc/self/mountinfo":
            return "".join(f"1 2 7:1 / {path} rw - ext4 {device} rw\n" for path, device in self.mounts.items())
        return self.settings.get(path)

    def write_setting(self, path: str, value: str) -> None:
        if path not in self.settings:
            raise FileNotFoundError(2, "No such file or directory", path)
        if self.settings[path] == "read-only":
            raise PermissionError(13, "Permission denied", path)
        self._write(f"set {path}")
        self.settings[path] = value

    # The programs.

    def _systemctl(self, arguments: list[str], *_rest: object) -> Answer:
        verb, names = arguments[0], [name for name in arguments[1:] if not name.startswith("-")]
        if verb == "show":
            return Answer(0, "\n".join(self._shown(name) for name in arguments[arguments.index("--") + 1 :]))
        self._write(f"systemctl {' '.join([verb, *names])}")
        for name in names:
            self._control(verb, self.units.setdefault(name, Unit()), name)
        return Answer(0)

    def _control(self, verb: str, unit: Unit, name: str) -> None:
        if verb in ("mask", "unmask"):
            unit.masked = verb == "mask"
        elif verb in ("enable", "disable"):
            unit.enabled = verb == "enable"
        elif verb == "stop":
            unit.running, unit.invocation = False, ""
        elif verb == "reload-or-restart":
            unit.runs_with = {path: entry.content for path, entry in self.entries.items()}
        else:
            self.start(name)

    def _shown(self, name: str) -> str:
        unit = self.units.get(name)
        shown = unit or Unit()
        load = "masked" if shown.masked else "loaded" if unit else "not-found"
        file = "masked" if shown.masked else "enabled" if shown.enabled else "disabled" if unit else ""
        values = {
            "LoadState": load,
            "ActiveState": "active" if shown.running else "inactive",
            "UnitFileState": file,
            "InvocationID": shown.invocation,
            "NeedDaemonReload": "no",
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def _journalctl(self, *_rest: object) -> Answer:
        return Answer(0, "it broke\n")

    def _systemd_run(self, arguments: list[str], *_rest: object) -> Answer:
        unit = next(part.partition("=")[2] for part in arguments if part.startswith("--unit="))
        self._write("systemd-run")
        self.start(f"{unit}.timer")
        return Answer(0)

    def _rm(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"rm {arguments[-1]}")
        for path in [path for path in self.entries if path.startswith(arguments[-1])]:
            del self.entries[path]
        return Answer(0)

    def _cp(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"cp {arguments[-1]}")
        self.entries[arguments[-1]] = self.entries[arguments[-2]]
        return Answer(0)

    def _unshare(self, _arguments: list[str], text: str, *_rest: object) -> Answer:
        found = TABLE.search(text)
        assert found, text
        if "bogus" in found[2]:
            return Answer(1, err="/dev/stdin:5:2-6: Error: syntax error\n\tbogus\n\t^^^^^\n")
        return Answer(0, self.listed(found[1], found[2]))

    @staticmethod
    def listed(title: str, rules: str) -> str:
        """Rules in the kernel's words."""
        lines = [" ".join(line.split()) for line in rules.splitlines() if line.strip() and "#" not in line]
        return f"table {title} {{\n" + "\n".join(lines) + "\n}\n"

    def _nft(self, arguments: list[str], *_rest: object) -> Answer:
        title = " ".join(arguments[-2:])
        if "list" in arguments:
            return Answer(0, self.tables[title]) if title in self.tables else Answer(1, err="No such file or directory")
        self._write(f"nft {' '.join(arguments)}")
        if arguments[0] == "delete":
            del self.tables[title]
            return Answer(0)
        found = TABLE.search(self.text(arguments[1]))
        assert found
        self.tables[found[1]] = self.listed(found[1], found[2])
        return Answer(0)

    def _dpkg_query(self, arguments: list[str], *_rest: object) -> Answer:
        known = [name for name in arguments[3:] if name in self.installed]
        lines = [
            f"{name}\t{'h' if held else 'i'}i \t{version}\n"
            for name in known
            for version, held in [self.installed[name]]
        ]
        return Answer(0 if len(known) == len(arguments) - 3 else 1, "".join(lines))

    def _apt_cache(self, arguments: list[str], *_rest: object) -> Answer:
        offered = self.archive if self.lists is None else {name: self.archive[name] for name in self.lists}
        return Answer(0, "".join(f"{name}:\n  Candidate: {offered.get(name, '(none)')}\n" for name in arguments[1:]))

    def _apt_get(self, arguments: list[str], _text: object, environment: Mapping[str, str]) -> Answer:
        assert environment[OFFLINE] == "1"
        if arguments[-1] == "update":
            self._write("apt-get update")
            self.lists = None
            return Answer(0)
        wanted = arguments[arguments.index("install") + 1 :]
        for item in wanted:
            name = item.rstrip("-").partition("=")[0]
            if not item.endswith("-") and (
                name not in self.archive or (self.lists is not None and name not in self.lists)
            ):
                return Answer(100, err=f"E: Unable to locate package {name}\n")
        if "-s" in arguments:
            gone = [name for item in wanted for name in self.removes.get(item.partition("=")[0], [])]
            return Answer(0, "".join(f"Remv {name}\n" for name in gone if name in self.installed))
        self._write(f"apt-get install {' '.join(wanted)}")
        for item in wanted:
            name, _equals, version = item.partition("=")
            if item.endswith("-"):
                self.installed.pop(name[:-1], None)
            else:
                self.installed[name] = (version.replace("*", "9") or self.archive[name], False)
                self.units.setdefault(f"{name}.service", Unit(enabled=True))
        return Answer(0)

    def _apt_mark(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"apt-mark {' '.join(arguments)}")
        for name in arguments[1:]:
            self.installed[name] = (self.installed[name][0], arguments[0] == "hold")
        return Answer(0)

    def _dpkg(self, *_rest: object) -> Answer:
        self.refusals.pop("apt-get", None)
        return Answer(0)

    def _useradd(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"useradd {arguments[-1]}")
        name, values = arguments[-1], dict(zip(arguments, arguments[1:]))
        self._append(
            "/etc/passwd", f"{name}:x:1000:1000:{values.get('--comment', '')}:/home/{name}:{values['--shell']}\n"
        )
        self._append("/etc/shadow", f"{name}:!:1::::::\n")
        self._append("/etc/group", f"{name}:x:1000:\n")
        self._join(name, values.get("--groups", ""))
        return Answer(0)

    def _usermod(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"usermod {' '.join(arguments)}")
        name, values = arguments[-1], dict(zip(arguments, arguments[1:]))
        if "--groups" in values:
            self._join(name, values["--groups"])
        if "--lock" in arguments:
            self.put("/etc/shadow", self.text("/etc/shadow").replace(f"{name}:", f"{name}:!"))
        return Answer(0)

    def _userdel(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"userdel {arguments[-1]}")
        lines = [line for line in self.text("/etc/passwd").splitlines(True) if not line.startswith(f"{arguments[-1]}:")]
        self.put("/etc/passwd", "".join(lines))
        return Answer(0)

    def _append(self, path: str, line: str) -> None:
        self.put(path, self.text(path) + line)

    def _join(self, name: str, groups: str) -> None:
        lines = []
        for line in self.text("/etc/group").splitlines():
            group, password, number, members = line.split(":")
            kept = [member for member in members.split(",") if member and member != name]
            lines.append(":".join([group, password, number, ",".join(kept + [name] * (group in groups.split(",")))]))
        self.put("/etc/group", "\n".join(lines) + "\n")

    # Disks

    def disk(self, device: str, disk: Disk, link: str = "") -> None:
        self.disks[device] = disk
        self.entries[device] = Entry("block", "root", "disk", 0o660)
        if link:
            self.links[link] = device

    def _blkid(self, arguments: list[str], *_rest: object) -> Answer:
        disk = self.disks[arguments[-1]]
        found = {"TYPE": disk.kind, "LABEL": disk.label, "PTTYPE": disk.partitions}
        lines = [f"{key}={value}\n" for key, value in found.items() if value]
        return Answer(0 if lines else 2, "".join(lines))

    def _wipefs(self, arguments: list[str], *_rest: object) -> Answer:
        disk = self.disks[arguments[-1]]
        return Answer(0, "".join(f"{part}\n" for part in (disk.kind, disk.partitions) if part))

    def _blockdev(self, arguments: list[str], *_rest: object) -> Answer:
        return Answer(0, f"{self.disks[arguments[-1]].size}\n")

    def _dumpe2fs(self, arguments: list[str], *_rest: object) -> Answer:
        return Answer(
            0, f"Block count:              {self.disks[arguments[-1]].used // 4096}\nBlock size:               4096\n"
        )

    def _xfs_info(self, arguments: list[str], *_rest: object) -> Answer:
        blocks = self.disks[arguments[-1]].used // 4096
        return Answer(
            0, f"meta-data=x isize=512\ndata     =                       bsize=4096   blocks={blocks}, imaxpct=25\n"
        )

    def _make(self, kind: str, arguments: list[str]) -> Answer:
        self._write(f"mkfs {arguments[-1]}")
        disk = self.disks[arguments[-1]]
        disk.kind, disk.label, disk.used = kind, arguments[arguments.index("-L") + 1], disk.size
        return Answer(0)

    def _mkfs_ext4(self, arguments: list[str], *_rest: object) -> Answer:
        return self._make("ext4", arguments)

    def _mkfs_xfs(self, arguments: list[str], *_rest: object) -> Answer:
        return self._make("xfs", arguments)

    def _mount(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"mount {arguments[0]}")
        lines = [line.split() for line in self.text("/etc/fstab").splitlines()]
        device = next(fields[0] for fields in lines if fields[1:2] == arguments and fields[0] != "#")
        self.mounts[arguments[0]] = self.resolve(device)
        self.directory(arguments[0])
        return Answer(0)

    def _umount(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"umount {arguments[0]}")
        del self.mounts[arguments[0]]
        return Answer(0)

    def _resize2fs(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"resize2fs {arguments[0]}")
        self.disks[arguments[0]].used = self.disks[arguments[0]].size
        return Answer(0)

    def _e2fsck(self, *_rest: object) -> Answer:
        return Answer(0)

    def _xfs_growfs(self, arguments: list[str], *_rest: object) -> Answer:
        self._write(f"xfs_growfs {arguments[0]}")
        disk = self.disks[self.mounts[arguments[0]]]
        disk.used = disk.size
        return Answer(0)


def notes(machine: FakeMachine, path: str = "/var/lib/frontdesk/host/pending.json") -> dict[str, object]:
    """What the module remembers."""
    entry = machine.look(path)
    return json.loads(entry.content) if entry else {}
