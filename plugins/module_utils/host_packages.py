# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: presence, version and hold, in one call of apt-get.

Packages are installed without starting or restarting their services: what a service reads is written after its
package and before its start, and restarts happen where the caller wants them.
"""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Answer, HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Step, Trigger, change

# systemd's programs do nothing to running units with it (SYSTEMD_OFFLINE, systemd's docs/ENVIRONMENT.md); the
# packages' scripts only use these programs.
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_OFFLINE": "1", "NEEDRESTART_SUSPEND": "1"}
OPTIONS = (
    "-q",
    "-y",
    "--no-install-recommends",
    "--allow-downgrades",
    "--allow-change-held-packages",
    "-o",
    "DPkg::Lock::Timeout=600",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
)
LOCKED = re.compile(r"Could not get lock|Unable to lock|Unable to acquire the dpkg frontend lock")
OUTDATED = re.compile(
    r"Unable to locate package|has no installation candidate|Version '.*' for '.*' was not found|404 +Not Found|"
    r"Failed to fetch"
)
INTERRUPTED = "dpkg was interrupted"
LOCK_SECONDS = 600
LOCK_PAUSE_SECONDS = 3


@dataclass(frozen=True)
class PackageSpec:
    """A wanted package. state: present, latest or absent; version: exact, or a pattern with *; hold: None leaves it."""

    name: str
    state: str = "present"
    version: str = ""
    hold: bool | None = None
    restart: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackageState:
    """An installed package."""

    version: str
    hold: bool = False


def from_options(given: Mapping[str, Any]) -> PackageSpec:
    """The spec for one entry of the module's option. Raises ValueError."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?", given["name"]):
        raise ValueError("a package's name has lower case letters, digits, plus, minus and dots")
    if given["state"] == "absent" and (given["version"] or given["hold"]):
        raise ValueError("a package that shall be absent has no version and no hold")
    if given["state"] == "latest" and given["version"]:
        raise ValueError("give either a version or state latest")
    return PackageSpec(
        given["name"], given["state"], given["version"] or "", given["hold"], tuple(given["restart"] or ())
    )


def parse_installed(text: str) -> dict[str, PackageState]:
    """The answer of dpkg-query; what is not installed completely counts as not there."""
    found = {}
    for line in text.splitlines():
        name, status, version = line.split("\t")
        if status[1:2] == "i":
            found[name] = PackageState(version, status.startswith("h"))
    return found


def parse_candidates(text: str) -> dict[str, str]:
    """The newest available version by package, from apt-cache policy."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line and not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:") and "(none)" not in line:
            found[name] = line.split(":", 1)[1].strip()
    return found


def differing(
    spec: PackageSpec, live: PackageState | None, candidate: str | None
) -> tuple[dict[str, object] | None, dict[str, object] | None] | None:
    """The two sides of the change; None when there is none."""
    if spec.state == "absent":
        return None if live is None else ({"version": live.version}, None)
    wanted_version = spec.version or (candidate if spec.state == "latest" else None)
    if live is None:
        after: dict[str, object] = {"version": wanted_version or "the newest"}
        return None, {**after, "hold": True} if spec.hold else after
    before: dict[str, object] = {}
    changed: dict[str, object] = {}
    if wanted_version and not fnmatch.fnmatchcase(live.version, wanted_version):
        before["version"], changed["version"] = live.version, wanted_version
    if spec.hold is not None and spec.hold != live.hold:
        before["hold"], changed["hold"] = live.hold, spec.hold
    return (before, changed) if changed else None


class Packages:
    """Reads and writes the machine's packages."""

    def __init__(
        self,
        machine: Machine,
        specs: Sequence[PackageSpec],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.machine = machine
        self.specs = specs
        self.sleep = sleep
        # Set when a list of sources was written: then what they offer has to be read before anything is installed.
        self.sources_changed = False

    def plan(self, refresh: bool) -> list[Step]:
        """One step for all packages that differ. refresh: whether the lists of versions may be fetched anew."""
        if not self.specs:
            return []
        live = self._installed()
        candidates = self._candidates(refresh)
        changes: list[Change] = []
        triggers: list[Trigger] = []
        differ: list[PackageSpec] = []
        for spec in self.specs:
            sides = differing(spec, live.get(_bare(spec.name)), candidates.get(spec.name))
            if sides is None:
                continue
            changes.append(change("package", spec.name, *sides))
            differ.append(spec)
            if sides[1] and "version" in sides[1]:
                # A new package counts as well: it may take the place of another one whose program still runs.
                triggers.extend(Trigger(unit, "restart", f"package {spec.name}") for unit in spec.restart)
        if not changes:
            return []
        return [Step(tuple(changes), lambda: self._write(differ), triggers=tuple(triggers), reload_units=True)]

    def _installed(self) -> dict[str, PackageState]:
        # An unknown name only makes the exit code 1.
        answer = self.machine.run(
            ["dpkg-query", "-W", "-f", "${Package}\t${db:Status-Abbrev}\t${Version}\n"]
            + [_bare(spec.name) for spec in self.specs]
        )
        if answer.code not in (0, 1):
            raise HostError(f"The installed packages cannot be read: {answer.reason()}.")
        return parse_installed(answer.out)

    def _candidates(self, refresh: bool) -> dict[str, str]:
        names = [spec.name for spec in self.specs if spec.state == "latest"]
        if not names:
            return {}
        if refresh:
            self._update()
        return parse_candidates(self.machine.run(["apt-cache", "policy", *names]).out)

    def _write(self, differ: Iterable[PackageSpec]) -> None:
        live = self._installed()
        wanted, unheld = [], []
        for spec in differ:
            installed = live.get(_bare(spec.name))
            if spec.state == "absent":
                wanted.append(f"{spec.name}-")
            elif (
                installed is None
                or spec.state == "latest"
                or not fnmatch.fnmatchcase(installed.version, spec.version or "*")
            ):
                wanted.append(f"{spec.name}={spec.version}" if spec.version else spec.name)
            if spec.hold is False:
                unheld.append(spec.name)
        if wanted:
            self._install(wanted, {spec.name for spec in self.specs if spec.state == "absent"})
        held = [spec.name for spec in differ if spec.hold]
        for verb, names in (("hold", held), ("unhold", unheld)):
            if names:
                self._must(self.machine.run(["apt-mark", verb, *names]), f"{', '.join(names)} cannot be put on {verb}")

    def _install(self, wanted: list[str], removable: set[str]) -> None:
        if self.sources_changed:
            self._update()
        answer = self._apt(["-s", "install", *wanted])
        if answer.code != 0 and OUTDATED.search(answer.err + answer.out):
            self._update()
            answer = self._apt(["-s", "install", *wanted])
        self._must(answer, f"{' '.join(wanted)} cannot be installed")
        others = set(re.findall(r"^(?:Remv|Purg) (\S+)", answer.out, re.MULTILINE)) - removable
        if others:
            raise HostError(
                f"{' '.join(wanted)} would remove {', '.join(sorted(others))}; nothing was installed. "
                "List what may go with state absent."
            )
        answer = self._apt(["install", *wanted])
        if answer.code != 0 and OUTDATED.search(answer.err + answer.out):
            # The lists are older than the mirror's files.
            self._update()
            answer = self._apt(["install", *wanted])
        self._must(answer, f"{' '.join(wanted)} cannot be installed")

    def _update(self) -> None:
        answer = self._apt(["-o", "APT::Update::Error-Mode=any", "update"])
        self._must(answer, "The package lists cannot be fetched")
        self.sources_changed = False

    def _apt(self, arguments: list[str]) -> Answer:
        """Run apt-get; wait while somebody else does, and finish what a killed run left."""
        waited = 0.0
        mended = False
        while True:
            answer = self.machine.run(["apt-get", *OPTIONS, *arguments], environment=ENVIRONMENT)
            said = answer.err + answer.out
            if answer.code != 0 and LOCKED.search(said) and waited < LOCK_SECONDS:
                self.sleep(LOCK_PAUSE_SECONDS)
                waited += LOCK_PAUSE_SECONDS
            elif answer.code != 0 and INTERRUPTED in said and not mended:
                mended = True
                answer = self.machine.run(
                    ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"], environment=ENVIRONMENT
                )
                self._must(answer, "An installation that was cut half-way cannot be finished")
            else:
                return answer

    @staticmethod
    def _must(answer: Answer, what: str) -> None:
        if answer.code == 0:
            return
        errors = [line[3:] for line in answer.err.splitlines() if line.startswith("E: ")]
        raise HostError(f"{what}: {'; '.join(errors[:3]) or answer.reason()}.")


def _bare(name: str) -> str:
    """A package's name without its architecture."""
    return name.partition(":")[0]
