# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module did or would do, in the one form that all modules of the collection return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Stands for what only the provider's answer to the creation tells (ids, addresses).
UNKNOWN = "(known after creation)"


@dataclass(frozen=True)
class Change:
    """One write to one object.

    action: create, update, replace or delete.
    before, after: the fields that differ; None where the object does not exist.
    """

    action: str
    kind: str
    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    def as_result(self) -> dict[str, Any]:
        """The form in a module's result."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "before": None if self.before is None else dict(self.before),
            "after": None if self.after is None else dict(self.after),
        }


def render_diff(changes: Iterable[Change]) -> dict[str, Any]:
    """The changes as Ansible's `diff`: two mappings from "kind name" to the fields that differ."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for change in changes:
        title = f"{change.kind} {change.name}"
        if change.before is not None:
            before[title] = dict(change.before)
        if change.after is not None:
            after[title] = dict(change.after)
    return {"before": before, "after": after}
