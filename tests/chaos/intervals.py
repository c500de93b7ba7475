# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be concluded from samples and from acknowledged writes. Pure; all times are seconds of one clock."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HOLD = 1.0
"""Seconds that an answer counts at most. Longer silence is that of a server that stands still, and so serves nobody."""


@dataclass(frozen=True)
class Sample:
    """One question to a member. `source` tells two containers of the same member apart."""

    member: str
    source: str
    begin: float
    end: float
    leads: bool
    good: bool
    text: str


@dataclass(frozen=True)
class Reign:
    """A time in which one source answered as the primary."""

    source: str
    start: float
    end: float


def reigns(samples: Iterable[Sample]) -> list[Reign]:
    """The times in which each source was the primary: an answer counts until the next question, at most HOLD seconds."""
    found: list[Reign] = []
    ordered = sorted(samples, key=lambda sample: (sample.source, sample.begin))
    for source, group in itertools.groupby(ordered, key=lambda sample: sample.source):
        mine = list(group)
        for sample, following in itertools.zip_longest(mine, mine[1:]):
            if sample.leads:
                end = sample.begin + HOLD if following is None else min(following.begin, sample.begin + HOLD)
                if found and found[-1].source == source and found[-1].end >= sample.begin:
                    found[-1] = Reign(source, found[-1].start, end)
                else:
                    found.append(Reign(source, sample.begin, end))
    return found


def conflicts(samples: Iterable[Sample]) -> list[tuple[Reign, Reign]]:
    """Pairs of different sources that were primaries at the same time."""
    ordered = sorted(reigns(samples), key=lambda reign: reign.start)
    return [
        (one, other)
        for one, other in itertools.combinations(ordered, 2)
        if one.source != other.source and other.start < one.end
    ]


def margin(samples: Iterable[Sample]) -> float | None:
    """The shortest time between the end of one primary and the beginning of another one; None without a change."""
    ordered = sorted(reigns(samples), key=lambda reign: reign.start)
    changes = [
        later.start - sooner.end for sooner, later in itertools.pairwise(ordered) if later.source != sooner.source
    ]
    return min(changes, default=None)


def longest_gap(times: Iterable[float], start: float, end: float) -> float:
    """The longest time between start and end in which nothing was acknowledged."""
    inside = sorted(moment for moment in times if start < moment < end)
    return max(later - sooner for sooner, later in itertools.pairwise([start, *inside, end]))


def good_since(samples: Sequence[Sample], member: str, limit: float = 2.0) -> float | None:
    """When the last unbroken time began in which the member was in its place; None when it is not.

    Silence of more than `limit` seconds breaks it.
    """
    since, later = None, None
    for sample in sorted((sample for sample in samples if sample.member == member), key=lambda one: -one.begin):
        if not sample.good or (later is not None and later - sample.begin > limit):
            break
        since = later = sample.begin
    return since
