# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain text tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def render_table(rows: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> list[str]:
    """Return the lines of a table: a heading, a rule, one line per row.

    ``columns`` maps the key of a row to its heading, in the order shown. A missing or empty value is shown as ``-``,
    so that a gap is seen as one. A column in which no row has a value is left out.
    """
    shown = {key: heading for key, heading in columns.items() if any(row.get(key) for row in rows)}
    cells = [[str(row.get(key) or "-") for key in shown] for row in rows]
    widths = [max(len(heading), *(len(line[i]) for line in cells)) for i, heading in enumerate(shown.values())]

    def line(values: Sequence[str]) -> str:
        return "  ".join(value.ljust(width) for value, width in zip(values, widths)).rstrip()

    return [line(list(shown.values())), line(["-" * width for width in widths]), *(line(row) for row in cells)]
