# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way back from a change that could lock everybody out.

Before such a change the old state is saved, and a timer is started that puts it back. Whoever can still open a
new connection afterwards stops the timer.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from ansible_collections.frontdesk.platform.plugins.module_utils import host_units
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Guarded

UNIT = "frontdesk-rollback"
TIMER = f"{UNIT}.timer"


class Guard:
    """Saves what a run is about to replace in `folder`, and puts it back after `seconds` unless it is stopped."""

    def __init__(self, machine: Machine, folder: str, seconds: int) -> None:
        self.machine = machine
        self.folder = folder
        self.seconds = seconds

    def armed(self) -> bool:
        """Whether an earlier run has not been confirmed yet."""
        return self.seconds > 0 and host_units.read(self.machine, [TIMER])[TIMER].running

    def arm(self, items: Iterable[Guarded]) -> bool:
        """Save what is there and start the timer. False when there is nothing to guard."""
        guarded = list(items)
        if not guarded or self.seconds <= 0:
            return False
        self.machine.run(["systemctl", "stop", TIMER, f"{UNIT}.service"])
        self.machine.run(["rm", "-rf", "--", self.folder])
        self.machine.make_directory(self.folder, "root", "root", 0o700)
        lines = ["#!/bin/sh", "# Puts back what was there before a change that nobody confirmed."]
        for number, item in enumerate(guarded):
            lines += self._save(item, f"{self.folder}/{number}")
        units = sorted({item.unit for item in guarded if item.unit})
        lines += [f"systemctl try-reload-or-restart {shlex.quote(unit)}" for unit in units]
        script = f"{self.folder}/back.sh"
        self.machine.write(script, ("\n".join(lines) + "\n").encode("utf-8"), "root", "root", 0o700)
        answer = self.machine.run(
            [
                "systemd-run",
                "--quiet",
                "--collect",
                f"--unit={UNIT}",
                f"--on-active={self.seconds}s",
                "--timer-property=AccuracySec=1s",
                "/bin/sh",
                script,
            ]
        )
        if answer.code != 0:
            raise HostError(f"The way back cannot be prepared, so nothing was changed: {answer.reason()}.")
        return True

    def _save(self, item: Guarded, saved: str) -> list[str]:
        if item.path:
            return self._save_file(item.path, saved)
        listed = self.machine.run(["nft", "-s", "list", "table", *item.table.split(" ")])
        delete = f"nft delete table {item.table}"
        if listed.code != 0:
            return [delete]
        text = f"table {item.table}\ndelete table {item.table}\n{listed.out}"
        self.machine.write(saved, text.encode("utf-8"), "root", "root", 0o600)
        return [f"nft -f {saved}"]

    def _save_file(self, path: str, saved: str) -> list[str]:
        if self.machine.look(path) is None:
            return [f"rm -f -- {shlex.quote(path)}"]
        answer = self.machine.run(["cp", "-a", "--", path, saved])
        if answer.code != 0:
            raise HostError(f"{path} cannot be saved, so nothing was changed: {answer.reason()}.")
        return [f"cp -a -- {saved} {shlex.quote(path)}"]
