# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A write that the plan wants, with all that is told about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change


@dataclass(frozen=True)
class Text:
    """A text before and after, for the diff."""

    title: str
    before: str
    after: str


@dataclass(frozen=True)
class Trigger:
    """A unit that runs with what a step replaces. action: restart or reload."""

    unit: str
    action: str
    reason: str


@dataclass(frozen=True)
class Guarded:
    """What has to be put back when nobody confirms that the machine can still be reached.

    path: a file; table: a packet filter's table as family and name; unit: reloaded after a file was put back.
    """

    path: str = ""
    table: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Step:
    """One or more changes that one write makes."""

    changes: tuple[Change, ...]
    write: Callable[[], None]
    texts: tuple[Text, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    guarded: tuple[Guarded, ...] = ()
    # Whether systemd has to read its units again.
    reload_units: bool = False


def change(kind: str, name: str, before: dict[str, object] | None, after: dict[str, object] | None) -> Change:
    """The change with the action that its two sides tell."""
    action = "update"
    if before is None:
        action = "create"
    elif after is None:
        action = "delete"
    return Change(action, kind, name, before, after)
