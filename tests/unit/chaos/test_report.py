# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page with the figures: a part of the cases replaces its own lines alone."""

from __future__ import annotations

from tests.chaos.report import BEGIN, END, PAGE, Row, merged

EMPTY = "# Title\n\n{begin}\n\n{end}\n\nMore.\n".format(begin=BEGIN.format("redis"), end=END.format("redis"))
ORDER = ["first", "second", "third"]


def row(what: str, gap: str = "1.0 s", good: bool = True) -> Row:
    return Row("redis", what, gap, "20 s", "200", "0", "never", "12 s", 1.25, good)


def lines(page: str) -> list[str]:
    """The rows of the table without its head."""
    return [line for line in page.splitlines() if line.startswith("| ")][1:]


def test_rows_come_in_their_order():
    page = merged(EMPTY, [row("third"), row("first")], ORDER, "2026-01-02")
    assert [line.split(" | ")[0] for line in lines(page)] == ["| first", "| third"]
    assert page.startswith("# Title\n")
    assert page.endswith("\n\nMore.\n")


def test_a_later_run_replaces_what_it_measured():
    page = merged(EMPTY, [row("first"), row("second")], ORDER, "2026-01-02")
    page = merged(page, [row("second", "9.0 s", good=False)], ORDER, "2026-02-03")
    first, second = lines(page)
    assert first == "| first | 1.0 s | 20 s | 200 | 0 | never | 12 s | 1.2 | 2026-01-02 | met |"
    assert second == "| second | 9.0 s | 20 s | 200 | 0 | never | 12 s | 1.2 | 2026-02-03 | **missed** |"


def test_the_same_run_again_changes_nothing():
    once = merged(EMPTY, [row("first")], ORDER, "2026-01-02")
    assert merged(once, [row("first")], ORDER, "2026-01-02") == once


def test_a_case_that_is_no_more_leaves_the_page():
    page = merged(EMPTY, [row("first"), row("second")], ORDER, "2026-01-02")
    assert len(lines(merged(page, [row("first")], ["first"], "2026-01-02"))) == 1


def test_the_page_has_the_marks():
    text = PAGE.read_text(encoding="utf-8")
    for part in ("postgres", "redis"):
        assert text.index(BEGIN.format(part)) < text.index(END.format(part))
