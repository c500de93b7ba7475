# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that a module runs on: programs, files and kernel settings, and nothing that decides."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_FOUND = 127


class HostError(Exception):
    """Why the machine cannot be brought to the wanted state: one sentence with the cause and, where there is one, the remedy."""


@dataclass(frozen=True)
class Answer:
    """What a program said. code: its exit code, 127 when there is no such program."""

    code: int
    out: str = ""
    err: str = ""

    def reason(self, lines: int = 3) -> str:
        """The first lines of its complaint as one line; of its output when it complained about nothing."""
        said = [line.strip() for line in (self.err.strip() or self.out.strip()).splitlines() if line.strip()]
        return "; ".join(said[:lines]) or f"exit code {self.code}"


@dataclass(frozen=True)
class Entry:
    """What lies at a path. kind: file, directory, link, block or other; content: of a file; mode: permission bits."""

    kind: str
    owner: str
    group: str
    mode: int
    content: bytes = b""


class Machine:
    """All that touches the machine. Tests put a machine made of dictionaries in its place."""

    def __init__(self, run_command: Callable[..., tuple[int, str, str]]) -> None:
        """run_command: AnsibleModule's."""
        self._run_command = run_command

    def run(
        self,
        argv: Sequence[str],
        text: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Answer:
        """Run a program with `text` on its standard input. Its output is always in English."""
        env = {"LC_ALL": "C.UTF-8", "LANGUAGE": "", "PATH": PROGRAMS, **(environment or {})}
        try:
            code, output, errors = self._run_command(
                list(argv),
                data=text,
                binary_data=True,
                environ_update=env,
                errors="surrogate_or_replace",
                expand_user_and_vars=False,
                handle_exceptions=False,
            )
        except FileNotFoundError:
            return Answer(NOT_FOUND, err=f"{argv[0]}: not found")
        return Answer(code, output, errors)

    def has_program(self, name: str) -> bool:
        """Whether there is a program of this name, or at this path."""
        return shutil.which(name, path=PROGRAMS) is not None

    def look(self, path: str) -> Entry | None:
        """What lies at a path, links not followed; None when nothing does."""
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        kind, content = "other", b""
        if stat.S_ISREG(found.st_mode):
            kind, content = "file", Path(path).read_bytes()
        elif stat.S_ISDIR(found.st_mode):
            kind = "directory"
        elif stat.S_ISLNK(found.st_mode):
            kind = "link"
        elif stat.S_ISBLK(found.st_mode):
            kind = "block"
        return Entry(kind, _user(found.st_uid), _group(found.st_gid), stat.S_IMODE(found.st_mode), content)

    def user_name(self, user: str) -> str:
        """The name of a user given by name or number, as `look` tells it."""
        return _user(int(user)) if user.isdigit() else user

    def group_name(self, group: str) -> str:
        """The name of a group given by name or number, as `look` tells it."""
        return _group(int(group)) if group.isdigit() else group

    def children(self, path: str) -> list[str]:
        """The names in a directory; none when it is not there."""
        try:
            return sorted(os.listdir(path))  # noqa: PTH208 - names are wanted, not paths
        except (FileNotFoundError, NotADirectoryError):
            return []

    def resolve(self, path: str) -> str:
        """The path with all links followed."""
        return os.path.realpath(path)

    def write(self, path: str, content: bytes, owner: str, group: str, mode: int) -> None:
        """Put a file in place of what is there, whole or not at all, and survive a power cut."""
        target = Path(path)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                self.set_attributes(temporary, owner, group, mode)
                os.fsync(stream.fileno())
            Path(temporary).replace(target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(temporary).unlink()
            raise
        directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def make_directory(self, path: str, owner: str, group: str, mode: int) -> None:
        """Make a directory with those above it; the latter are root's and everybody may read them."""
        Path(path).mkdir(parents=True, exist_ok=True)
        self.set_attributes(path, owner, group, mode)

    def set_attributes(self, path: str, owner: str, group: str, mode: int) -> None:
        """Set owner, group (names or numbers) and permissions of what is no link."""
        os.chown(path, _user_id(owner), _group_id(group), follow_symlinks=False)
        Path(path).chmod(mode)

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty directory."""
        target = Path(path)
        if target.is_dir() and not target.is_symlink():
            target.rmdir()
        else:
            target.unlink()

    def read_setting(self, path: str) -> str | None:
        """The value in a file of the kernel; None when there is no such file."""
        try:
            return Path(path).read_text(encoding="utf-8")
        except (FileNotFoundError, PermissionError):
            return None

    def write_setting(self, path: str, value: str) -> None:
        """Write a value to a file of the kernel. Raises OSError when the kernel refuses it."""
        with Path(path).open("w", encoding="utf-8") as stream:
            stream.write(value)


def octal(text: str) -> int:
    """Permissions as they are written. Raises ValueError."""
    try:
        return int(text, 8)
    except ValueError:
        raise ValueError(f"its mode {text} is not octal, like 0644") from None


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _user_id(name: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise HostError(f"There is no user {name} on this machine.") from None


def _group_id(name: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise HostError(f"There is no group {name} on this machine.") from None
