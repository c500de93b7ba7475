# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories: content, owner, group and mode, with a program that checks a content before it is written."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import (
    Entry,
    HostError,
    Machine,
    octal,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import (
    Guarded,
    Step,
    Text,
    Trigger,
    change,
)

# What systemd reads its units from.
UNIT_FOLDER = "/etc/systemd/system/"


@dataclass(frozen=True)
class FileSpec:
    """A wanted file. state: file, directory or absent; the others as in the module's documentation.

    hidden: its content, wanted or former, is never shown.
    """

    path: str
    state: str = "file"
    content: bytes = b""
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    validate: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    reload: tuple[str, ...] = ()
    guard: bool = False
    hidden: bool = False


def from_options(given: dict[str, Any]) -> FileSpec:
    """The spec for one entry of the module's option. Raises ValueError."""
    path, state = given["path"], given["state"]
    if not path.startswith("/") or os.path.normpath(path) != path:
        raise ValueError("its path has to be absolute and without dots or double slashes")
    secret = given.get("secret")
    if given["content"] is not None and secret is not None:
        raise ValueError("content and secret exclude each other")
    content = given["content"] if secret is None else secret
    if state == "file" and content is None:
        raise ValueError("a file needs content")
    default = "0755" if state == "directory" else "0644"
    return FileSpec(
        path=path,
        state=state,
        content=(content or "").encode("utf-8"),
        owner=given["owner"],
        group=given["group"],
        mode=octal(given["mode"] or default),
        validate=tuple(given["validate"] or ()),
        restart=tuple(given["restart"] or ()),
        reload=tuple(given["reload"] or ()),
        guard=given["guard"],
        hidden=secret is not None,
    )


def plan(machine: Machine, specs: Iterable[FileSpec]) -> list[Step]:
    """The steps for those that differ. A content that its program refuses raises HostError; so nothing is written then."""
    steps = []
    wanted = list(specs)
    leaving = {spec.path for spec in wanted if spec.state == "absent"}
    for given in wanted:
        spec = replace(given, owner=machine.user_name(given.owner), group=machine.group_name(given.group))
        live = machine.look(spec.path)
        step = _absent(machine, spec, live, leaving) if spec.state == "absent" else _present(machine, spec, live)
        if step:
            steps.append(step)
    return steps


def differing(spec: FileSpec, live: Entry | None) -> tuple[dict[str, object], dict[str, object]]:
    """The fields that differ, as they are and as they are wanted; empty when nothing does."""
    wanted = _fields(spec.state, spec.owner, spec.group, spec.mode, spec.content)
    if live is None:
        return {}, wanted
    there = _fields(live.kind, live.owner, live.group, live.mode, live.content)
    names = [name for name in wanted if wanted[name] != there.get(name)]
    return {name: there[name] for name in names if name in there}, {name: wanted[name] for name in names}


def _fields(kind: str, owner: str, group: str, mode: int, content: bytes) -> dict[str, object]:
    fields: dict[str, object] = {"state": kind, "owner": owner, "group": group, "mode": f"{mode:04o}"}
    if kind == "file":
        fields["content"] = f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"
    return fields


def _present(machine: Machine, spec: FileSpec, live: Entry | None) -> Step | None:
    before, after = differing(spec, live)
    if not after:
        return None
    if live is not None and "directory" in (live.kind, spec.state) and live.kind != spec.state:
        raise HostError(
            f"{spec.path} is a {live.kind}, and a {spec.state} is wanted there; move it away, nothing was changed."
        )
    rewritten = "content" in after
    if rewritten:
        validate(machine, spec)

    def write() -> None:
        if spec.state == "directory":
            machine.make_directory(spec.path, spec.owner, spec.group, spec.mode)
        elif rewritten:
            # The program may have been installed a moment ago.
            validate(machine, spec)
            if machine.look(str(Path(spec.path).parent)) is None:
                machine.make_directory(str(Path(spec.path).parent), "root", "root", 0o755)
            machine.write(spec.path, spec.content, spec.owner, spec.group, spec.mode)
        else:
            machine.set_attributes(spec.path, spec.owner, spec.group, spec.mode)

    shown = _masked if spec.hidden else dict
    return Step(
        changes=(change(spec.state, spec.path, None if live is None else shown(before), shown(after)),),
        write=write,
        texts=(_text(spec, live, spec.content),) if rewritten and not spec.hidden else (),
        triggers=_triggers(spec) if rewritten else (),
        guarded=_guarded(spec),
        reload_units=rewritten and spec.path.startswith(UNIT_FOLDER),
    )


def _absent(machine: Machine, spec: FileSpec, live: Entry | None, leaving: set[str]) -> Step | None:
    if live is None:
        return None
    staying = [name for name in machine.children(spec.path) if f"{spec.path}/{name}" not in leaving]
    if live.kind == "directory" and staying:
        raise HostError(f"The directory {spec.path} is not removed, because it holds {', '.join(staying[:5])}.")
    return Step(
        changes=(change(live.kind, spec.path, {"state": live.kind}, None),),
        write=lambda: machine.remove(spec.path),
        texts=(_text(spec, live, b""),) if live.kind == "file" and not spec.hidden else (),
        triggers=_triggers(spec),
        guarded=_guarded(spec),
        reload_units=spec.path.startswith(UNIT_FOLDER),
    )


def _masked(fields: dict[str, object]) -> dict[str, object]:
    """The fields without the hash of the content, by which a short secret could be guessed."""
    return {name: "(not shown)" if name == "content" else value for name, value in fields.items()}


def _text(spec: FileSpec, live: Entry | None, after: bytes) -> Text:
    before = live.content if live is not None and live.kind == "file" else b""
    return Text(spec.path, before.decode("utf-8", "replace"), after.decode("utf-8", "replace"))


def _triggers(spec: FileSpec) -> tuple[Trigger, ...]:
    restarts = tuple(Trigger(unit, "restart", spec.path) for unit in spec.restart)
    return restarts + tuple(Trigger(unit, "reload", spec.path) for unit in spec.reload)


def _guarded(spec: FileSpec) -> tuple[Guarded, ...]:
    if not spec.guard:
        return ()
    units = (*spec.reload, *spec.restart)
    return (Guarded(path=spec.path, unit=units[0] if units else ""),)


def validate(machine: Machine, spec: FileSpec) -> None:
    """Let the spec's program look at the content, when it is installed. Raises HostError with its words."""
    if not spec.validate or not machine.has_program(spec.validate[0]):
        return
    with tempfile.TemporaryDirectory(prefix="frontdesk-") as folder:
        # The same name, because some programs look at its ending.
        candidate = str(Path(folder) / Path(spec.path).name)
        machine.write(candidate, spec.content, "root", "root", 0o600)
        answer = machine.run([part.replace("%s", candidate) for part in spec.validate])
    if answer.code != 0:
        reason = answer.reason().replace(candidate, spec.path)
        raise HostError(f"{spec.path} was not written, because {spec.validate[0]} refuses the new content: {reason}.")
