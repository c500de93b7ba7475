# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings: in a file for the next boot, and in force now."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Step, change


def setting_path(name: str) -> str:
    """The kernel's file for a setting. As with sysctl(8), a name with a slash in it is separated by slashes."""
    return "/proc/sys/" + (name if "/" in name else name.replace(".", "/"))


def canonical(value: str) -> str:
    """A value as it is compared: the kernel separates several numbers by tabs, people by blanks."""
    return " ".join(value.split())


def file_content(settings: Mapping[str, str]) -> str:
    """The file for sysctl.d(5)."""
    lines = [f"{name} = {canonical(value)}" for name, value in sorted(settings.items())]
    return "\n".join(["# Written by Ansible (frontdesk.platform); changes made here are overwritten.", *lines, ""])


def plan(machine: Machine, settings: Mapping[str, str]) -> list[Step]:
    """A step for every setting whose value in force is not the wanted one."""
    steps = []
    for name, value in sorted(settings.items()):
        raw = machine.read_setting(setting_path(name))
        live = None if raw is None else canonical(raw)
        if live != canonical(value):
            steps.append(_step(machine, name, live, canonical(value)))
    return steps


def _step(machine: Machine, name: str, live: str | None, value: str) -> Step:
    def write() -> None:
        try:
            machine.write_setting(setting_path(name), value)
        except OSError as error:
            raise HostError(
                f"The kernel does not take {name} = {value}: {error.strerror}; on a machine whose kernel is shared or "
                "lacks the setting, leave it out."
            ) from error

    return Step(changes=(change("sysctl", name, {"value": live}, {"value": value}),), write=write)
