# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the packet filter: the file that is loaded at boot, and the rules in force.

What a text of rules means is found out by loading it into an empty network namespace and listing it there: so it is
checked by the kernel itself, compared in the kernel's own words, and a change made by hand to the live table is
seen. A table is replaced in one transaction; other tables, the engine's above all, are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Guarded, Step, Text, change

HEADER = "#!/usr/sbin/nft -f\n# Written by Ansible (frontdesk.platform); changes made here are overwritten.\n"


@dataclass(frozen=True)
class TableSpec:
    """A wanted table. rules: what stands between its braces; path: the file that is loaded at boot."""

    family: str
    name: str
    path: str
    rules: str = ""
    state: str = "present"
    guard: bool = False

    @property
    def title(self) -> str:
        """Family and name."""
        return f"{self.family} {self.name}"


def from_options(given: Mapping[str, Any]) -> TableSpec:
    """The spec for one entry of the module's option. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", given["name"]):
        raise ValueError("a table's name has letters, digits and underscores")
    if given["state"] == "present" and not (given["rules"] or "").strip():
        raise ValueError("a table needs rules")
    return TableSpec(
        given["family"], given["name"], given["path"], given["rules"] or "", given["state"], given["guard"]
    )


def document(spec: TableSpec) -> str:
    """The file: it replaces the table in one transaction, whether it is there or not."""
    body = "\n".join(f"\t{line}" if line.strip() else "" for line in spec.rules.strip("\n").splitlines())
    return (
        f"{HEADER}# One transaction: the table is made so that it can be deleted, and is never missing in between.\n"
        f"table {spec.title}\ndelete table {spec.title}\ntable {spec.title} {{\n{body}\n}}\n"
    )


def live_rules(machine: Machine, spec: TableSpec) -> str | None:
    """The table in force in the kernel's words, without counters; None when there is none."""
    answer = machine.run(["nft", "-s", "list", "table", spec.family, spec.name])
    return answer.out if answer.code == 0 else None


def meaning(machine: Machine, spec: TableSpec) -> str | None:
    """The wanted table in the kernel's words; None when the programs are not installed. Raises HostError."""
    if not machine.has_program("nft"):
        return None
    script = f"nft -f - && nft -s list table {spec.title}"
    answer = machine.run(["unshare", "--net", "--", "sh", "-c", script], text=document(spec))
    if answer.code != 0:
        raise HostError(
            f"The rules of the table {spec.title} are not valid, and nothing was changed: {_reason(answer.err)}."
        )
    return answer.out


def _reason(complaint: str) -> str:
    lines = [line for line in complaint.splitlines() if line.strip()]
    return "; ".join(line.strip() for line in lines[:2]).replace("/dev/stdin:", "line ") or "nft gives no reason"


def plan(machine: Machine, specs: Iterable[TableSpec]) -> list[Step]:
    """The steps for the tables that differ, in the file or in force."""
    steps = []
    for spec in specs:
        live = live_rules(machine, spec)
        step = _absent(machine, spec, live) if spec.state == "absent" else _present(machine, spec, live)
        if step:
            steps.append(step)
    return steps


def _present(machine: Machine, spec: TableSpec, live: str | None) -> Step | None:
    wanted = meaning(machine, spec)
    entry = machine.look(spec.path)
    text = document(spec).encode("utf-8")
    same_file = entry is not None and (entry.kind, entry.content) == ("file", text)
    same_rules = wanted is not None and wanted == live
    if same_file and same_rules:
        return None
    before: dict[str, object] = {"file": _word(same_file, entry), "rules": _word(same_rules, live)}
    after: dict[str, object] = {"file": "as wanted", "rules": "as wanted"}
    sides = {name: before[name] for name in before if before[name] != after[name]}
    texts = (Text(f"table {spec.title}", live or "", wanted or document(spec)),) if not same_rules else ()
    return Step(
        changes=(
            change("nftables", spec.title, sides if live is not None else None, {name: after[name] for name in sides}),
        ),
        write=_loader(machine, spec, text, same_file),
        texts=texts,
        guarded=_guarded(spec),
    )


def _guarded(spec: TableSpec) -> tuple[Guarded, ...]:
    """The file too, so that the next boot does not bring back what locked everybody out."""
    return (Guarded(path=spec.path), Guarded(table=spec.title)) if spec.guard else ()


def _word(same: bool, there: object) -> str:
    if same:
        return "as wanted"
    return "missing" if there is None else "different"


def _loader(machine: Machine, spec: TableSpec, text: bytes, same_file: bool) -> Callable[[], None]:
    def write() -> None:
        meaning(machine, spec)
        if not same_file:
            folder = spec.path.rsplit("/", 1)[0]
            if machine.look(folder) is None:
                machine.make_directory(folder, "root", "root", 0o755)
            machine.write(spec.path, text, "root", "root", 0o644)
        answer = machine.run(["nft", "-f", spec.path])
        if answer.code != 0:
            raise HostError(
                f"The table {spec.title} cannot be loaded, the old one stays in force: {_reason(answer.err)}."
            )

    return write


def _absent(machine: Machine, spec: TableSpec, live: str | None) -> Step | None:
    there = machine.look(spec.path) is not None
    if live is None and not there:
        return None

    def write() -> None:
        if there:
            machine.remove(spec.path)
        if live is not None:
            answer = machine.run(["nft", "delete", "table", spec.family, spec.name])
            if answer.code != 0:
                raise HostError(f"The table {spec.title} cannot be deleted: {_reason(answer.err)}.")

    return Step(
        changes=(change("nftables", spec.title, {"rules": "in force" if live else "in the file"}, None),),
        write=write,
        texts=(Text(f"table {spec.title}", live or "", ""),),
        guarded=_guarded(spec),
    )
