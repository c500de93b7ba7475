# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded from samples: the chaos tests are worth as much as this."""

from __future__ import annotations

import pytest

from tests.chaos.intervals import Sample, conflicts, good_since, longest_gap, margin, reigns


def samples(source: str, *moments: tuple[float, str]) -> list[Sample]:
    """Samples of a source: P is the primary, R a good replica, anything else is neither."""
    member = source.split(" ", maxsplit=1)[0]
    return [
        Sample(member, source, moment, moment + 0.01, said == "P", said in ("P", "R"), said) for moment, said in moments
    ]


def test_an_answer_counts_until_the_next_question():
    (reign,) = reigns(samples("a", (1.0, "P"), (1.2, "P"), (1.4, "-")))
    assert (reign.start, reign.end) == (1.0, 1.4)


def test_a_server_that_stands_still_does_not_reign_meanwhile():
    one, other = reigns(samples("a", (1.0, "P"), (61.0, "P"), (61.2, "-")))
    assert (one.end, other.start) == (2.0, 61.0)


def test_the_last_answer_does_not_count_for_ever():
    (reign,) = reigns(samples("a", (1.0, "P")))
    assert reign.end == 2.0


def test_one_after_the_other_is_no_conflict():
    both = samples("a", (1.0, "P"), (1.2, "-")) + samples("b", (1.0, "R"), (1.3, "P"), (1.5, "P"))
    assert conflicts(both) == []
    assert margin(both) == pytest.approx(0.1)


def test_both_at_once_is_a_conflict():
    both = samples("a", (1.0, "P"), (1.2, "P"), (1.4, "-")) + samples("b", (1.3, "P"), (1.5, "P"))
    ((one, other),) = conflicts(both)
    assert (one.source, other.source) == ("a", "b")
    assert margin(both) < 0


def test_two_containers_of_one_member_are_two():
    both = samples("a net:1", (1.0, "P"), (1.2, "P")) + samples("a net:2", (1.1, "P"))
    assert len(conflicts(both)) == 1


def test_a_short_reign_inside_a_long_one_is_found_among_others():
    long = samples("a", *((1 + number / 5, "P") for number in range(50)))
    short = samples("b", (4.0, "-"), (4.2, "P"), (4.4, "-"))
    assert len(conflicts(long + short)) == 1


def test_without_a_change_there_is_no_margin():
    assert margin(samples("a", (1.0, "P"), (1.2, "P"))) is None


@pytest.mark.parametrize(
    ("times", "gap"),
    [
        ([1, 2, 3, 9], 6),
        ([9, 3, 2, 1], 6),
        ([], 10),
        # The edges count: nothing was acknowledged before 4, and nothing after it.
        ([4], 6),
        # What lies outside does not.
        ([-5, 5, 50], 5),
    ],
)
def test_longest_gap(times, gap):
    assert longest_gap(times, 0, 10) == gap


def test_good_since_the_last_bad_answer():
    found = samples("a", (1.0, "P"), (1.2, "-"), (1.4, "R"), (1.6, "-"), (1.8, "R"), (2.0, "R"))
    assert good_since(found, "a") == 1.8


def test_silence_breaks_a_good_time():
    assert good_since(samples("a", (1.0, "R"), (30.0, "R"), (30.2, "R")), "a") == 30.0


def test_not_good_in_the_end():
    assert good_since(samples("a", (1.0, "R"), (1.2, "-")), "a") is None
    assert good_since(samples("a", (1.0, "R")), "b") is None
