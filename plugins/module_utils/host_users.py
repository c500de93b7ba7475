# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of people: groups, shell, locked password and SSH keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Entry, HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Guarded, Step, Text, change

NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
HEADER = "# Written by Ansible (frontdesk.platform); changes made here are overwritten.\n"


@dataclass(frozen=True)
class UserSpec:
    """A wanted account. groups: exactly these beside its own, None leaves them; keys: exactly these, None leaves them."""

    name: str
    state: str = "present"
    comment: str | None = None
    shell: str | None = None
    groups: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    password_locked: bool | None = None


@dataclass(frozen=True)
class UserState:
    """An account as it is. keys: the file with SSH keys; folder: the folder it lies in."""

    name: str
    home: str
    shell: str
    comment: str
    group: str
    groups: frozenset[str]
    locked: bool
    keys: Entry | None
    folder: Entry | None


def from_options(given: Mapping[str, Any]) -> UserSpec:
    """The spec for one entry of the module's option. Raises ValueError."""
    if not NAME.fullmatch(given["name"]):
        raise ValueError("a user's name has up to 31 lower case letters, digits, dashes and underscores")
    keys = given["authorized_keys"]
    for key in keys or []:
        if "\n" in key.strip() or len(key.split()) < 2:
            raise ValueError("each SSH key is one line: type, key, comment")
    if given["state"] == "absent" and given["name"] == "root":
        raise ValueError("root cannot be removed")
    if given["name"] == "root" and keys is not None and not keys:
        raise ValueError("root without any SSH key could never be reached again")
    return UserSpec(
        name=given["name"],
        state=given["state"],
        comment=given["comment"],
        shell=given["shell"],
        groups=None if given["groups"] is None else tuple(sorted(set(given["groups"]))),
        keys=None if keys is None else tuple(key.strip() for key in keys),
        password_locked=given["password_locked"],
    )


def keys_content(keys: Iterable[str]) -> bytes:
    """The file with these SSH keys."""
    return (HEADER + "".join(f"{key}\n" for key in keys)).encode("utf-8")


def parse_accounts(passwd: str, group: str, shadow: str) -> dict[str, dict[str, Any]]:
    """The accounts in passwd(5), group(5) and shadow(5) by name."""
    groups = [line.split(":") for line in group.splitlines() if line.count(":") >= 3]
    names = {fields[2]: fields[0] for fields in groups}
    locked = {fields[0]: fields[1][:1] in ("!", "*") for fields in map(_fields, shadow.splitlines()) if len(fields) > 1}
    accounts = {}
    for fields in map(_fields, passwd.splitlines()):
        if len(fields) == 7:
            accounts[fields[0]] = {
                "comment": fields[4].split(",")[0],
                "group": names.get(fields[3], fields[3]),
                "home": fields[5],
                "shell": fields[6],
                "groups": frozenset(item[0] for item in groups if fields[0] in item[3].split(",")),
                "locked": locked.get(fields[0], False),
            }
    return accounts


def _fields(line: str) -> list[str]:
    return line.split(":")


def read(machine: Machine, names: Iterable[str]) -> dict[str, UserState]:
    """The accounts of these names that are there."""
    texts = [_text(machine, path) for path in ("/etc/passwd", "/etc/group", "/etc/shadow")]
    accounts = parse_accounts(*texts)
    found = {}
    for name in names:
        if name in accounts:
            folder = f"{accounts[name]['home'].rstrip('/')}/.ssh"
            found[name] = UserState(
                name=name, folder=machine.look(folder), keys=machine.look(f"{folder}/authorized_keys"), **accounts[name]
            )
    return found


def _text(machine: Machine, path: str) -> str:
    entry = machine.look(path)
    return entry.content.decode("utf-8", "replace") if entry else ""


def plan(machine: Machine, specs: list[UserSpec]) -> list[Step]:
    """The steps for the accounts that differ."""
    live = read(machine, [spec.name for spec in specs]) if specs else {}
    steps = []
    for spec in specs:
        steps.extend(_steps(machine, spec, live.get(spec.name)))
    return steps


def _steps(machine: Machine, spec: UserSpec, live: UserState | None) -> list[Step]:
    if spec.state == "absent":
        if live is None:
            return []
        return [
            Step(
                changes=(change("user", spec.name, {"home": live.home}, None),),
                write=_command(machine, ["userdel", spec.name], spec.name),
            )
        ]
    steps = []
    before, after = differing(spec, live)
    if live is None:
        argv = ["useradd", "--create-home", *_arguments(after, creating=True), spec.name]
        steps.append(
            Step(
                changes=(change("user", spec.name, None, {"state": "present", **after}),),
                write=_command(machine, argv, spec.name),
            )
        )
    elif after:
        argv = ["usermod", *_arguments(after, creating=False), spec.name]
        steps.append(
            Step(changes=(change("user", spec.name, before, after),), write=_command(machine, argv, spec.name))
        )
    keys = _keys_step(machine, spec, live)
    return [*steps, keys] if keys else steps


def differing(spec: UserSpec, live: UserState | None) -> tuple[dict[str, object], dict[str, object]]:
    """The fields of the account that differ, as they are and as they are wanted."""
    wanted: dict[str, object] = {}
    if spec.comment is not None:
        wanted["comment"] = spec.comment
    if spec.shell is not None:
        wanted["shell"] = spec.shell
    if spec.groups is not None:
        wanted["groups"] = list(spec.groups)
    if live is None:
        # A new account has no password, so it is locked.
        return {}, wanted
    if spec.password_locked is not None:
        wanted["password_locked"] = spec.password_locked
    there: dict[str, object] = {
        "comment": live.comment,
        "shell": live.shell,
        "groups": sorted(live.groups - {live.group}),
        "password_locked": live.locked,
    }
    names = [name for name in wanted if wanted[name] != there[name]]
    return {name: there[name] for name in names}, {name: wanted[name] for name in names}


def _arguments(fields: Mapping[str, object], creating: bool) -> list[str]:
    arguments = []
    if "comment" in fields:
        arguments += ["--comment", str(fields["comment"])]
    if "shell" in fields or creating:
        arguments += ["--shell", str(fields.get("shell", "/bin/bash"))]
    groups = fields.get("groups")
    if isinstance(groups, list) and (groups or not creating):
        arguments += ["--groups", ",".join(groups)]
    if "password_locked" in fields:
        arguments.append("--lock" if fields["password_locked"] else "--unlock")
    return arguments


def _command(machine: Machine, argv: list[str], name: str) -> Callable[[], None]:
    def write() -> None:
        answer = machine.run(argv)
        if answer.code != 0:
            raise HostError(f"The account {name} cannot be changed: {answer.reason()}.")

    return write


def _keys_step(machine: Machine, spec: UserSpec, live: UserState | None) -> Step | None:
    if spec.keys is None:
        return None
    wanted = keys_content(spec.keys)
    there = live.keys if live else None
    if live is not None:
        _refuse_links(live)
        if there and (there.content, there.owner, there.mode & 0o022) == (wanted, spec.name, 0):
            return None
    before: dict[str, object] | None = None
    if there:
        before = {"keys": count_keys(there.content)}
    path = f"{live.home.rstrip('/')}/.ssh/authorized_keys" if live else ""
    old = there.content.decode("utf-8", "replace") if there else ""
    return Step(
        changes=(change("authorized_keys", spec.name, before, {"keys": len(spec.keys)}),),
        write=lambda: _write_keys(machine, spec.name, wanted),
        texts=(Text(f"SSH keys of {spec.name}", old, wanted.decode("utf-8")),),
        guarded=(Guarded(path=path),) if path else (),
    )


def count_keys(content: bytes) -> int:
    """How many keys a file holds."""
    lines = (line.strip() for line in content.decode("utf-8", "replace").splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))


def _refuse_links(live: UserState) -> None:
    """A user could lead root's write elsewhere by a link."""
    for entry, what in ((live.folder, ".ssh"), (live.keys, ".ssh/authorized_keys")):
        if entry is not None and entry.kind not in ("directory", "file"):
            raise HostError(f"{live.home}/{what} is a {entry.kind}, which is not followed; remove it.")


def _write_keys(machine: Machine, name: str, content: bytes) -> None:
    live = read(machine, [name])[name]
    _refuse_links(live)
    folder = f"{live.home.rstrip('/')}/.ssh"
    if live.folder is None:
        machine.make_directory(folder, name, live.group, 0o700)
    machine.write(f"{folder}/authorized_keys", content, name, live.group, 0o600)
