# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts that are due, kept in a file, so that the next run knows them when one is cut half-way.

A note is written before the file that causes it. It holds the unit's invocation: when the unit has been started
since, by whomever, the note is void.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils import host_units
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Trigger
from ansible_collections.frontdesk.platform.plugins.module_utils.host_units import Reasons


class Pending:
    """The notes in the file at `path`."""

    def __init__(self, machine: Machine, path: str) -> None:
        self.machine = machine
        self.path = path

    def reasons(self) -> dict[str, Reasons]:
        """What is due by unit."""
        notes = self._read()
        live = host_units.read(self.machine, list(notes))
        due: dict[str, Reasons] = {}
        for unit, note in notes.items():
            if note["invocation"] and live[unit].invocation == note["invocation"]:
                due[unit] = Reasons(list(note["restart"]), list(note["reload"]))
        return due

    def note(self, triggers: Iterable[Trigger]) -> None:
        """Write down that these units will run with something old."""
        wanted = list(triggers)
        if not wanted:
            return
        due = self.reasons()
        add(due, wanted)
        self._write(due)

    def done(self, unit: str) -> None:
        """Forget a unit."""
        notes = self._read()
        if notes.pop(unit, None) is not None:
            self._save(notes)

    def _write(self, due: dict[str, Reasons]) -> None:
        live = host_units.read(self.machine, list(due))
        self._save(
            {
                unit: {"restart": reasons.restart, "reload": reasons.reload, "invocation": live[unit].invocation}
                for unit, reasons in due.items()
            }
        )

    def _read(self) -> dict[str, dict[str, Any]]:
        entry = self.machine.look(self.path)
        if entry is None or entry.kind != "file":
            return {}
        try:
            notes = json.loads(entry.content)
            return {
                str(unit): {
                    "restart": [str(reason) for reason in note["restart"]],
                    "reload": [str(reason) for reason in note["reload"]],
                    "invocation": str(note["invocation"]),
                }
                for unit, note in notes.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            # Nobody else writes it; a damaged one costs at most a restart that somebody has to do by hand.
            return {}

    def _save(self, notes: dict[str, dict[str, Any]]) -> None:
        folder = self.path.rsplit("/", 1)[0]
        if self.machine.look(folder) is None:
            self.machine.make_directory(folder, "root", "root", 0o755)
        content = json.dumps(notes, indent=1, sort_keys=True) + "\n"
        self.machine.write(self.path, content.encode("utf-8"), "root", "root", 0o644)


def add(due: dict[str, Reasons], triggers: Iterable[Trigger]) -> None:
    """Add triggers to what is due."""
    for trigger in triggers:
        due.setdefault(trigger.unit, Reasons()).add(trigger.action, trigger.reason)
