# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures in docs/reliability.md: a run replaces the rows of what it has measured, between two marks."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from tests.chaos.run import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN = "<!-- figures of {}: written by make chaos -->"
END = "<!-- end of the figures of {} -->"
HEAD = (
    "| what happens | longest time without a write | bound | acknowledged | missing | two primaries | former leader back | load | measured | |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Row:
    """A line of a table. part: which table; good: whether everything was as it must be."""

    part: str
    what: str
    gap: str
    bound: str
    acknowledged: str
    missing: str
    conflicts: str
    back: str
    load: float
    good: bool

    def line(self, day: str) -> str:
        """The line in Markdown."""
        cells = (
            self.what,
            self.gap,
            self.bound,
            self.acknowledged,
            self.missing,
            self.conflicts,
            self.back,
            f"{self.load:.1f}",
            day,
            "met" if self.good else "**missed**",
        )
        return f"| {' | '.join(cells)} |"


def row_of(outcome: Outcome) -> Row:
    """The line of a case."""
    return Row(
        part=outcome.case.kind,
        what=outcome.case.name,
        gap=f"{outcome.gap:.1f} s",
        bound=f"{outcome.case.gap:.0f} s",
        acknowledged=str(outcome.acknowledged),
        missing=str(outcome.missing),
        conflicts="never" if not outcome.conflicts else f"{len(outcome.conflicts)} times",
        back="-" if outcome.back is None else f"{outcome.back:.0f} s",
        load=outcome.load,
        good=not outcome.faults(),
    )


def merged(page: str, rows: Iterable[Row], order: Sequence[str], day: str) -> str:
    """The page with the rows in the place of those of the same name; all others stay. order: names, as they are to be shown."""
    given = list(rows)
    for part in dict.fromkeys(row.part for row in given):
        begin, end = BEGIN.format(part), END.format(part)
        before, _begin, rest = page.partition(begin)
        table, _end, after = rest.partition(end)
        lines = {line.split(" | ")[0].removeprefix("| "): line for line in table.split("\n") if line.startswith("| ")}
        lines.pop("what happens", None)
        lines.update({row.what: row.line(day) for row in given if row.part == part})
        known = [name for name in dict.fromkeys(order) if name in lines]
        body = "\n".join([*HEAD, *(lines[name] for name in known)])
        page = f"{before}{begin}\n\n{body}\n\n{end}{after}"
    return page


def write_page(rows: Sequence[Row], order: Sequence[str]) -> str:
    """Write the rows into the page, and return them as a table."""
    day = f"{datetime.now(timezone.utc):%Y-%m-%d}"
    text = merged(PAGE.read_text(encoding="utf-8"), rows, order, day)
    PAGE.write_text(text, encoding="utf-8")
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return "\n".join([machine, *HEAD, *(row.line(day) for row in rows)])
