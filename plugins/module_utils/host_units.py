# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd's units: enabled, masked, running, and restarted after something they were started with was replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Answer, HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Step

PROPERTIES = "LoadState,ActiveState,UnitFileState,InvocationID,NeedDaemonReload"
RUNNING = frozenset(("active", "activating", "reloading", "refreshing"))
ENABLED = frozenset(("enabled", "enabled-runtime", "alias", "static", "indirect", "generated"))
SUFFIX = re.compile(r"\.(service|socket|timer|target|path|mount)$")


@dataclass(frozen=True)
class UnitSpec:
    """A wanted unit; None leaves a property. defer: its restarts are only reported, the caller does them."""

    name: str
    enabled: bool | None = None
    masked: bool | None = None
    state: str | None = None
    defer: bool = False


@dataclass(frozen=True)
class UnitState:
    """A unit as systemd shows it. invocation: another one after every start; empty when it does not run."""

    load: str = "not-found"
    active: str = "inactive"
    file: str = ""
    invocation: str = ""
    outdated: bool = False

    @property
    def running(self) -> bool:
        """Whether it runs or is about to."""
        return self.active in RUNNING

    @property
    def enabled(self) -> bool:
        """Whether it starts at boot; a unit that cannot be enabled counts as such."""
        return self.file in ENABLED

    @property
    def masked(self) -> bool:
        """Whether nothing can start it."""
        return self.load == "masked" or self.file.startswith("masked")


@dataclass
class Reasons:
    """Why a unit has to take in something new."""

    restart: list[str] = field(default_factory=list)
    reload: list[str] = field(default_factory=list)

    def add(self, action: str, reason: str) -> None:
        """Note a reason once."""
        known = self.restart if action == "restart" else self.reload
        if reason not in known:
            known.append(reason)


def from_options(given: Mapping[str, Any]) -> UnitSpec:
    """The spec for one entry of the module's option. Raises ValueError."""
    if not SUFFIX.search(given["name"]):
        raise ValueError("a unit's name ends in its type, like .service or .timer")
    if given["masked"] and (given["enabled"] or given["state"] == "started"):
        raise ValueError("a masked unit can be neither enabled nor started")
    return UnitSpec(given["name"], given["enabled"], given["masked"], given["state"], given["defer"])


def read(machine: Machine, names: Sequence[str]) -> dict[str, UnitState]:
    """The state of all units by one call."""
    if not names:
        return {}
    answer = machine.run(["systemctl", "show", "--property", PROPERTIES, "--", *names])
    if answer.code != 0:
        raise HostError(f"systemd cannot be asked for its units: {answer.reason()}.")
    blocks = answer.out.strip("\n").split("\n\n")
    return dict(zip(names, map(_parse, blocks)))


def _parse(block: str) -> UnitState:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    return UnitState(
        values.get("LoadState", "not-found"),
        values.get("ActiveState", "inactive"),
        values.get("UnitFileState", ""),
        values.get("InvocationID", ""),
        values.get("NeedDaemonReload") == "yes",
    )


def differing(spec: UnitSpec, live: UnitState, reasons: Reasons) -> tuple[dict[str, object], dict[str, object]]:
    """The fields that differ, as they are and as they are wanted."""
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for name, there, wanted in (
        ("masked", live.masked, spec.masked),
        ("enabled", live.enabled, spec.enabled),
        ("state", "started" if live.running else "stopped", spec.state),
    ):
        if wanted is not None and there != wanted:
            before[name], after[name] = there, wanted
    action, because = _refresh(live, reasons)
    if action and spec.state != "stopped":
        before[action], after[action] = None, f"because of {', '.join(because)}"
    return before, after


def _refresh(live: UnitState, reasons: Reasons) -> tuple[str, list[str]]:
    """What a running unit needs. One that does not run takes in everything when it starts."""
    if not live.running:
        return "", []
    if reasons.restart:
        return "restart", reasons.restart + [one for one in reasons.reload if one not in reasons.restart]
    return ("reload", reasons.reload) if reasons.reload else ("", [])


@dataclass
class Plan:
    """The steps, and the restarts that are left to the caller by unit."""

    steps: list[Step]
    deferred: dict[str, str]


def plan(
    machine: Machine,
    specs: Iterable[UnitSpec],
    reasons: Mapping[str, Reasons],
    done: Callable[[str], None],
) -> Plan:
    """The steps for the units listed, and for those that only have a reason.

    done: is told of a unit that took in what it should.
    """
    listed = {spec.name: spec for spec in specs}
    for name in reasons:
        listed.setdefault(name, UnitSpec(name))
    live = read(machine, list(listed))
    result = Plan([], {})
    reload_first = any(state.outdated for state in live.values())
    for name, spec in listed.items():
        before, after = differing(spec, live[name], reasons.get(name, Reasons()))
        if not after:
            continue
        if spec.defer and "restart" in after:
            result.deferred[name] = str(after["restart"])
        result.steps.append(_step(machine, spec, before, after, reload_first, done))
    return result


def _step(
    machine: Machine,
    spec: UnitSpec,
    before: dict[str, object],
    after: dict[str, object],
    reload_first: bool,
    done: Callable[[str], None],
) -> Step:
    def write() -> None:
        for verb in verbs(after, spec.defer):
            _control(machine, verb, spec.name)
        if not (spec.defer and "restart" in after):
            done(spec.name)

    return Step(changes=(Change("update", "unit", spec.name, before, after),), write=write, reload_units=reload_first)


def verbs(after: Mapping[str, object], defer: bool) -> list[str]:
    """The commands of systemctl for the fields that differ, in their order."""
    result = []
    if "masked" in after:
        # Masking does not stop: what a unit runs when it stops may be what is to be prevented.
        result.append("mask" if after["masked"] else "unmask")
    if "enabled" in after:
        result.append("enable" if after["enabled"] else "disable")
    if "state" in after:
        result.append("start" if after["state"] == "started" else "stop")
    if "restart" in after and not defer:
        result.append("restart")
    if "reload" in after:
        result.append("reload-or-restart")
    return result


def _control(machine: Machine, verb: str, name: str) -> None:
    answer = machine.run(["systemctl", verb, "--", name])
    if answer.code == 0:
        return
    log = Answer(0)
    if verb in ("start", "restart", "reload-or-restart"):
        log = machine.run(["journalctl", "--no-pager", "-q", "-n", "4", "-o", "cat", "-u", name])
    said = f" Its last words: {log.reason(4)}." if log.out.strip() else ""
    raise HostError(f"systemctl {verb} {name} failed: {answer.reason(1).rstrip('.')}.{said}")
