# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run: everything is read and planned, and only then is something written.

The order of the stages is the order in which one needs the other: archives, packages, accounts, files, packet
filter, kernel settings, volumes, units. When something is written, each later stage is planned once more, because what came before it
may have changed what it finds (a package brings units and accounts); what is reported are the changes from the state
at the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils import (
    host_apt_keys,
    host_files,
    host_nftables,
    host_packages,
    host_sysctl,
    host_units,
    host_users,
    host_volumes,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.host_guard import TIMER, Guard
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_pending import Pending, add
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Step, Trigger

APT_FOLDER = "/etc/apt/"
REBOOT_REQUIRED = "/run/reboot-required"


@dataclass
class Desired:
    """What is wanted, by kind."""

    apt_keys: list[host_apt_keys.KeySpec] = field(default_factory=list)
    packages: list[host_packages.PackageSpec] = field(default_factory=list)
    users: list[host_users.UserSpec] = field(default_factory=list)
    files: list[host_files.FileSpec] = field(default_factory=list)
    tables: list[host_nftables.TableSpec] = field(default_factory=list)
    sysctl: dict[str, str] = field(default_factory=dict)
    volumes: list[host_volumes.VolumeSpec] = field(default_factory=list)
    units: list[host_units.UnitSpec] = field(default_factory=list)


@dataclass(frozen=True)
class Settings:
    """How a run goes about it. state: folder for notes; rollback_seconds: 0 for no way back."""

    state: str
    rollback_seconds: int = 0
    check: bool = False


class RunError(Exception):
    """A run that stopped; changes: those that were made before."""

    def __init__(self, reason: str, changes: list[Change]) -> None:
        super().__init__(reason)
        self.changes = changes


# Option, what of an entry names it, and the parser of an entry.
PARSERS: tuple[tuple[str, str, str, Callable[[Any], Any]], ...] = (
    ("apt_keys", "path", "apt key", host_apt_keys.from_options),
    ("packages", "name", "package", host_packages.from_options),
    ("users", "name", "user", host_users.from_options),
    ("files", "path", "file", host_files.from_options),
    ("tables", "name", "table", host_nftables.from_options),
    ("volumes", "path", "volume", host_volumes.from_options),
    ("units", "name", "unit", host_units.from_options),
)


def parse(options: Mapping[str, Any]) -> Desired:
    """The wanted state in the module's options. Raises HostError with all faults at once."""
    desired = Desired(sysctl={str(name): str(value) for name, value in (options.get("sysctl") or {}).items()})
    problems = []
    for option, key, title, parser in PARSERS:
        seen: set[str] = set()
        for given in options.get(option) or []:
            if given[key] in seen:
                problems.append(f"{title} {given[key]} is listed twice.")
            seen.add(given[key])
            try:
                getattr(desired, option).append(parser(given))
            except ValueError as fault:
                problems.append(f"{title} {given[key]}: {fault}.")
    if problems:
        raise HostError(" ".join(problems))
    _add_sysctl_file(desired, options.get("sysctl_file"))
    return desired


def _add_sysctl_file(desired: Desired, path: str | None) -> None:
    if desired.sysctl and path:
        content = host_sysctl.file_content(desired.sysctl).encode("utf-8")
        desired.files.append(host_files.FileSpec(path=path, content=content))


class Run:
    """One run on one machine."""

    def __init__(
        self,
        machine: Machine,
        desired: Desired,
        settings: Settings,
        fetch: Callable[[str], bytes],
    ) -> None:
        self.machine = machine
        self.desired = desired
        self.settings = settings
        self.fetch = fetch
        self.pending = Pending(machine, f"{settings.state}/pending.json")
        self.guard = Guard(machine, f"{settings.state}/rollback", settings.rollback_seconds)
        self.packages = host_packages.Packages(machine, desired.packages)
        self.deferred: dict[str, str] = {}
        self.reload_units = False
        self.stages: tuple[Callable[[bool], list[Step]], ...] = (
            self._archives,
            self._packages,
            self._users,
            self._files,
            self._tables,
            self._sysctl,
            self._volumes,
        )

    def converge(self) -> dict[str, Any]:
        """Bring the machine to the wanted state; the module's result. Raises HostError before anything was written, RunError after."""
        planned = [step for stage in self.stages for step in stage(False)]
        triggers = [trigger for step in planned for trigger in step.triggers]
        planned += self._units(triggers).steps
        armed = self.guard.armed()
        changes = [item for step in planned for item in step.changes]
        if planned and not self.settings.check:
            changes, armed = self._apply(planned, armed)
        return {
            "changed": bool(changes),
            "changes": [item.as_result() for item in changes],
            "diff": render(planned),
            "deferred": [{"unit": unit, "reason": reason} for unit, reason in sorted(self.deferred.items())],
            "rollback": {"timer": TIMER, "seconds": self.settings.rollback_seconds} if armed else None,
            "reboot_required": self.machine.look(REBOOT_REQUIRED) is not None,
        }

    # The stages. `write` says that what they return is carried out at once.

    def _archives(self, write: bool) -> list[Step]:
        steps = host_apt_keys.plan(self.machine, self.desired.apt_keys, self.fetch)
        steps += host_files.plan(
            self.machine, [spec for spec in self.desired.files if spec.path.startswith(APT_FOLDER)]
        )
        if write and steps:
            self.packages.sources_changed = True
        return steps

    def _packages(self, write: bool) -> list[Step]:
        # Lists of versions are a cache, but check mode leaves even that.
        fresh = write and not self.packages.sources_changed
        return self.packages.plan(refresh=not self.settings.check and not fresh)

    def _users(self, write: bool) -> list[Step]:
        return host_users.plan(self.machine, self.desired.users)

    def _files(self, write: bool) -> list[Step]:
        return host_files.plan(
            self.machine, [spec for spec in self.desired.files if not spec.path.startswith(APT_FOLDER)]
        )

    def _tables(self, write: bool) -> list[Step]:
        return host_nftables.plan(self.machine, self.desired.tables)

    def _sysctl(self, write: bool) -> list[Step]:
        return host_sysctl.plan(self.machine, self.desired.sysctl)

    def _volumes(self, write: bool) -> list[Step]:
        return host_volumes.plan(self.machine, self.desired.volumes)

    def _units(self, triggers: list[Trigger]) -> host_units.Plan:
        reasons = self.pending.reasons()
        add(reasons, triggers)
        result = host_units.plan(self.machine, self.desired.units, reasons, self.pending.done)
        self.deferred = result.deferred
        return result

    def _apply(self, planned: list[Step], armed: bool) -> tuple[list[Change], bool]:
        """Carry out the plan. The changes are told as they were planned; one that nobody foresaw is added."""
        done: list[Change] = []
        try:
            armed = self.guard.arm([item for step in planned for item in step.guarded]) or armed
            for stage in self.stages:
                self._carry_out(stage(True), done)
            if self.reload_units or any(step.reload_units for step in planned):
                self._reload_units()
            self._carry_out(self._units([]).steps, done)
        except HostError as error:
            raise RunError(str(error), done) from error
        except OSError as error:
            raise RunError(f"{error.filename or 'A write'}: {error.strerror}.", done) from error
        foreseen = [item for step in planned for item in step.changes]
        names = {(item.kind, item.name) for item in foreseen}
        return foreseen + [item for item in done if (item.kind, item.name) not in names], armed

    def _carry_out(self, steps: list[Step], done: list[Change]) -> None:
        for step in steps:
            self.pending.note(step.triggers)
            step.write()
            self.reload_units = self.reload_units or step.reload_units
            done.extend(step.changes)

    def _reload_units(self) -> None:
        answer = self.machine.run(["systemctl", "daemon-reload"])
        if answer.code != 0:
            raise HostError(f"systemd cannot read its units again: {answer.reason()}.")


def render(steps: list[Step]) -> list[dict[str, Any]]:
    """Ansible's `diff`: texts as they are, and what has no text as its fields."""
    result: list[dict[str, Any]] = []
    for step in steps:
        if step.texts:
            result.extend(_sides(text.title, text.before, text.after) for text in step.texts)
        else:
            result.extend(
                _sides(f"{item.kind} {item.name}", dict(item.before or {}), dict(item.after or {}))
                for item in step.changes
            )
    return result


def _sides(title: str, before: object, after: object) -> dict[str, Any]:
    return {"before_header": title, "after_header": title, "before": before, "after": after}
