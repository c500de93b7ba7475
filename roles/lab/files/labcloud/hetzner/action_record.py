# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of an action and its public form."""

from __future__ import annotations

from ..state import Item
from . import times

KIND = "action"
_PUBLIC = ("id", "command", "status", "started", "finished", "progress", "resources", "error")


def record(
    action_id: int,
    command: str,
    resources: list[tuple[str, int]],
    *,
    arguments: Item,
    locks: list[int],
    after: list[int],
    seconds: float,
    hidden: bool,
) -> Item:
    """Return a new running action.

    `locks` are ids of items that are locked while it runs, `after` the actions it waits for, `hidden` ones are the
    lab's own work and in no answer.
    """
    return {
        "id": action_id,
        "command": command,
        "status": "running",
        "started": times.now(),
        "finished": None,
        "progress": 0,
        "resources": [{"id": item_id, "type": kind} for kind, item_id in resources],
        "error": None,
        "arguments": arguments,
        "locks": locks,
        "after": after,
        "seconds": seconds,
        "hidden": hidden,
    }


def finish(action: Item, error: Item | None = None) -> None:
    """Mark an action as done."""
    action.update(
        status="error" if error else "success",
        finished=times.now(),
        progress=100,
        error=error,
    )


def as_json(action: Item) -> Item:
    """Return the public form."""
    return {name: action[name] for name in _PUBLIC}
