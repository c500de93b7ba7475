# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wanted and what is there to an ordered list of changes. Nothing here talks to the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import UNKNOWN, Change
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kinds import BY_NAME, KINDS
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    WAVE_FIRST,
    Difference,
    Kind,
    PlanError,
    Staying,
    Step,
    World,
)

# Kind -> name -> what the user set, canonical. A kind that the user did not mention is missing.
Desired = Mapping[str, Mapping[str, Json]]


@dataclass(frozen=True)
class Policy:
    """What the user allows, by name ("web-1") or by kind and name ("network/main").

    prune: delete owned objects that are not listed, of the kinds that are listed at all.
    replace: what may be re-created or taken down; a bare name means a server.
    adopt: existing objects without our label that become ours.
    delete_protected: what may be deleted although it is protected or holds data; what holds data by kind and name.
    """

    prune: bool = False
    replace: Sequence[str] = ()
    adopt: Sequence[str] = ()
    delete_protected: Sequence[str] = ()


@dataclass(frozen=True)
class PlannedChange:
    """A change and the writes that make it."""

    change: Change
    steps: tuple[Step, ...]
    spec: Json | None = None


@dataclass
class Plan:
    """The changes in the order of their first write; kept: owned objects that prune left, with the reason."""

    changes: list[PlannedChange] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)


def desired_from_options(options: Mapping[str, Any]) -> dict[str, dict[str, Json]]:
    """The module's options in canonical form. Raises PlanError with all faults at once."""
    desired: dict[str, dict[str, Json]] = {}
    problems = []
    for kind in KINDS:
        if options.get(kind.option) is None:
            continue
        desired[kind.name] = {}
        for given in options[kind.option]:
            title = f"{kind.title} {given['name']}"
            if given["name"] in desired[kind.name]:
                problems.append(f"{title} is listed twice.")
            try:
                desired[kind.name][given["name"]] = kind.normalise(given)
            except ValueError as fault:
                problems.append(f"{title}: {fault}.")
    problems.extend(_equal_keys(desired))
    if problems:
        raise PlanError(problems)
    _link_firewalls(desired)
    _link_volumes(desired)
    return desired


def _equal_keys(desired: Desired) -> list[str]:
    names: dict[str, str] = {}
    problems = []
    for name, spec in desired.get("ssh_key", {}).items():
        other = names.setdefault(spec.get("fingerprint", name), name)
        if other != name:
            problems.append(f"ssh key {name} is the same key as {other}; Hetzner takes a key once.")
    return problems


def _link_firewalls(desired: Mapping[str, dict[str, Json]]) -> None:
    """A firewall's list of servers and a server's list of firewalls are one relation, written by the server."""
    servers = desired.get("server", {})
    for firewall, spec in desired.get("firewall", {}).items():
        for name in spec.get("targets", []):
            if name in servers:
                servers[name].setdefault("also_firewalls", []).append(firewall)
        spec["managed_servers"] = [
            name for name, server in servers.items() if "firewalls" in server or name in spec.get("targets", [])
        ]


def _link_volumes(desired: Mapping[str, dict[str, Json]]) -> None:
    """A server and its volumes must be in one location, and a server that is made again keeps those left alone here."""
    servers = desired.get("server", {})
    for name, volume in desired.get("volume", {}).items():
        if "server" not in volume:
            continue
        for server in servers.values():
            server.setdefault("placed_volumes", []).append(name)
        if volume["server"] in servers:
            servers[volume["server"]].setdefault("volumes", {})[name] = volume.get("location")


def make_plan(desired: Desired, world: World, policy: Policy) -> Plan:
    """The plan. Raises PlanError with everything that forbids it, so that the user needs one look."""
    return _Planner(desired, world, policy).plan()


class _Planner:
    def __init__(self, desired: Desired, world: World, policy: Policy) -> None:
        self.desired = desired
        self.world = world
        self.policy = policy
        self.problems: list[str] = []
        self.foreign: list[str] = []
        self.refused: list[str] = []
        self.changes: list[PlannedChange] = []
        self.kept: list[dict[str, str]] = []

    def plan(self) -> Plan:
        self._check_references()
        for kind in KINDS:
            for name, spec in self.desired.get(kind.name, {}).items():
                self._one(kind, name, spec)
        if self.policy.prune:
            # What refers goes before what is referred to, so that the latter sees what stays.
            for kind in sorted(KINDS, key=lambda kind: (kind.delete_wave, -KINDS.index(kind))):
                self._prune(kind)
            self._check_leaving()
            self.changes = [self._ordered(item) for item in self.changes]
        self._check_key_names()
        self._stop_on_problems()
        order = {kind.name: position for position, kind in enumerate(KINDS)}
        self.changes.sort(key=lambda item: (item.steps[0].wave, order[item.change.kind], item.change.name))
        return Plan(self.changes, self.kept)

    def _stop_on_problems(self) -> None:
        problems = list(self.problems)
        if self.foreign:
            problems.append(
                f"Not ours (no label {self._owner()}): {', '.join(self.foreign)}; "
                "choose other names, or list them in adopt to take them over."
            )
        if self.refused:
            problems.append(
                f"Refused, because it needs a re-creation or an interruption: {'; '.join(self.refused)}; "
                "nothing was changed: name them in replace to allow it, servers as NAME, others as in "
                "load_balancer/NAME."
            )
        if problems:
            raise PlanError(problems)

    def _owner(self) -> str:
        return f"frontdesk.platform/owner={self.world.owner}"

    def _check_references(self) -> None:
        for kind_name, specs in self.desired.items():
            kind = BY_NAME[kind_name]
            for name, spec in specs.items():
                for reference in kind.used(spec):
                    known = reference.name in self.desired.get(reference.kind, {}) or self.world.get(*reference)
                    if not known:
                        title = BY_NAME[reference.kind].title
                        self.problems.append(
                            f"{kind.title} {name} names {title} {reference.name}, which is neither listed nor there."
                        )

    def _check_leaving(self) -> None:
        for kind_name, specs in self.desired.items():
            kind = BY_NAME[kind_name]
            for name, spec in specs.items():
                for reference in kind.used(spec):
                    if (reference.kind, reference.name) in self.world.leaving:
                        title = BY_NAME[reference.kind].title
                        self.problems.append(
                            f"{kind.title} {name} names {title} {reference.name}, which is not listed and would be pruned."
                        )

    def _ordered(self, item: PlannedChange) -> PlannedChange:
        """The change with those steps first that must precede a deletion of this plan."""
        steps = tuple(
            replace(step, wave=WAVE_FIRST) if step.precedes and step.precedes in self.world.leaving else step
            for step in item.steps
        )
        return replace(item, steps=tuple(sorted(steps, key=lambda step: step.wave != WAVE_FIRST)))

    def _one(self, kind: Kind, name: str, spec: Json) -> None:
        live = self.world.get(kind.name, name)
        try:
            if live is None:
                self._create(kind, spec)
            elif not self.world.owned(live) and not _named(self.policy.adopt, kind, name):
                self.foreign.append(f"{kind.title} {name}")
            else:
                self._update(kind, spec, live)
        except ValueError as fault:
            self.problems.append(f"{kind.title} {name}: {fault}.")

    def _create(self, kind: Kind, spec: Json) -> None:
        steps = kind.create(spec, self.world)
        after = {"id": UNKNOWN, **kind.shown(spec, self.world)}
        self.changes.append(PlannedChange(Change("create", kind.name, spec["name"], None, after), tuple(steps), spec))

    def _update(self, kind: Kind, spec: Json, live: Json) -> None:
        differences = kind.compare(spec, live, self.world)
        if not differences:
            return
        name = spec["name"]
        allowed = _named(self.policy.replace, kind, name, bare=kind.name == "server")
        for item in differences:
            change = f"{kind.title} {name}: {item.field} {_short(item.before)} -> {_short(item.after)}"
            if item.guard == "impossible":
                self.problems.append(f"{change} is impossible: {item.why}.")
            elif item.guard and not allowed:
                self.refused.append(f"{change} ({item.why})")
        replaced = any(item.guard == "replace" for item in differences)
        before = {item.field: item.before for item in differences}
        after = {item.field: item.after for item in differences}
        if not replaced:
            steps = kind.compose(spec, live, differences)
            self.changes.append(PlannedChange(Change("update", kind.name, name, before, after), tuple(steps), spec))
            return
        if kind.protected(live) and not _named(self.policy.delete_protected, kind, name):
            self.refused.append(f"{kind.title} {name}: it is protected, so name it in delete_protected, too")
        self.world.forget(kind.name, name)
        self._replace(kind, spec, live, differences)

    def _replace(self, kind: Kind, spec: Json, live: Json, differences: Sequence[Difference]) -> None:
        before = {"id": live["id"], **{item.field: item.before for item in differences if item.guard == "replace"}}
        steps = [*kind.delete(live, kind.replace_wave, self.world), *kind.create(spec, self.world)]
        after = {"id": UNKNOWN, **kind.shown(spec, self.world)}
        self.changes.append(
            PlannedChange(Change("replace", kind.name, spec["name"], before, after), tuple(steps), spec)
        )

    def _prune(self, kind: Kind) -> None:
        if kind.name not in self.desired:
            return
        for name, live in self.world.all(kind.name).items():
            if name in self.desired[kind.name] or not self.world.owned(live):
                continue
            reason = self._guarded(kind, live) or kind.in_use(live, self.world, self._staying())
            if reason:
                self.kept.append({"kind": kind.name, "name": name, "reason": reason})
                continue
            self.world.leaving.add((kind.name, name))
            change = Change("delete", kind.name, name, kind.summary(live, self.world), None)
            steps = kind.delete(live, kind.delete_wave, self.world)
            self.changes.append(PlannedChange(change, tuple(steps)))

    def _guarded(self, kind: Kind, live: Json) -> str | None:
        """Why the object is not deleted without being named, or None."""
        name = live["name"]
        if _named(self.policy.delete_protected, kind, name, bare=not kind.holds_data):
            return None
        if kind.holds_data:
            return f"it holds data, name it as {kind.name}/{name} in delete_protected to delete it"
        if kind.protected(live):
            return "it is protected against deletion, name it in delete_protected to delete it"
        return None

    def _staying(self) -> list[Staying]:
        return [
            Staying(BY_NAME[holder], live, self.desired.get(holder, {}).get(name))
            for holder in ("server", "load_balancer")
            for name, live in self.world.all(holder).items()
            if (holder, name) not in self.world.leaving and self.world.id_of(holder, name) is not None
        ]

    def _check_key_names(self) -> None:
        """A key that is in the project under another name cannot be created, unless this plan takes that one away."""
        by_fingerprint = {
            key["fingerprint"]: name
            for name, key in self.world.all("ssh_key").items()
            if ("ssh_key", name) not in self.world.leaving and self.world.id_of("ssh_key", name) is not None
        }
        for item in self.changes:
            if item.change.kind != "ssh_key" or item.change.action not in ("create", "replace") or item.spec is None:
                continue
            other = by_fingerprint.get(item.spec["fingerprint"])
            if other not in (None, item.change.name):
                self.problems.append(
                    f"ssh key {item.change.name} is in the project already under the name {other}; "
                    "use that name, or remove it there first."
                )


def _named(names: Iterable[str], kind: Kind, name: str, bare: bool = True) -> bool:
    wanted = set(names)
    return f"{kind.name}/{name}" in wanted or (bare and name in wanted)


def _short(value: Any) -> str:
    """A value inside a sentence."""
    return ", ".join(str(entry) for entry in value) if isinstance(value, (list, tuple)) else str(value)
