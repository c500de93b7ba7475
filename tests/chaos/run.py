# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One case from a whole platform to a whole platform, and what was seen."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos.cases import BACK, Case
from tests.chaos.cluster import keep_evidence, postgres_leader, redis_primary, wait_until_whole
from tests.chaos.intervals import Reign, conflicts, good_since, longest_gap, margin
from tests.chaos.sampling import Sampling
from tests.chaos.writers import PRESENT, Clients, elsewhere

CALM = 3.0
"""Seconds of undisturbed writing before a fault and after everything is whole."""
STEADY = 5.0

LEADER = {"postgres": postgres_leader, "redis": redis_primary}


@dataclass(frozen=True)
class Outcome:
    """What was seen. gap and back in seconds; back counts from the end of the fault."""

    case: Case
    gap: float
    acknowledged: int
    missing: int
    conflicts: list[tuple[Reign, Reign]]
    margin: float | None
    back: float | None
    load: float
    trouble: str = ""

    def faults(self) -> list[str]:
        """What is not as it must be. Redis may lose writes; PostgreSQL never."""
        found = [self.trouble] if self.trouble else []
        if self.gap > self.case.gap:
            found.append(f"no write for {self.gap:.1f} s, and the bound is {self.case.gap:.0f} s")
        if self.missing and self.case.kind == "postgres":
            found.append(f"{self.missing} of {self.acknowledged} acknowledged writes are missing")
        if self.conflicts:
            found.append(f"two primaries at the same time: {self.conflicts[:3]}")
        if self.back is None or self.back > BACK:
            found.append(f"the former leader was back after {self.back} s, and the bound is {BACK:.0f} s")
        return found


@dataclass(frozen=True)
class Bench:
    """What a case needs: the writers and the samplers of each kind."""

    clients: Mapping[str, Clients]
    sampling: Mapping[str, Sampling]


def slug(name: str) -> str:
    """A name for a file."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")


def acknowledged_since(moments: Mapping[str, float], start: float) -> set[str]:
    """The ids that were acknowledged from then on."""
    return {name for name, moment in moments.items() if moment >= start}


def run(case: Case, bench: Bench) -> Outcome:
    """Do it, wait until everything is whole again, and compare."""
    load = os.getloadavg()[0]
    clients, sampling = bench.clients[case.kind], bench.sampling[case.kind]
    wait_until_whole()
    victim = LEADER[case.kind]()
    clients.at(victim if case.writers_inside else elsewhere(victim))
    time.sleep(CALM)
    start = time.time()
    trouble = ""
    try:
        with case.fault(victim):
            time.sleep(case.hold)
        mended = time.time() if case.hold else start
        try:
            wait_until_whole(steady=STEADY)
            clients.wait_for_writes(time.time())
        except AssertionError as error:
            trouble = str(error)  # there are figures all the same
        time.sleep(CALM)
    except BaseException:
        keep_evidence(f"{case.kind}-{slug(case.name)}")
        raise
    end = time.time()
    samples = sampling.samples(start, end)
    since = good_since(samples, victim)
    acknowledged = clients.acknowledged()
    # PostgreSQL keeps everything; what Redis lost in a case before is told there.
    first = 0.0 if case.kind == "postgres" else start
    outcome = Outcome(
        case=case,
        gap=longest_gap(acknowledged.values(), start, end),
        acknowledged=sum(start <= moment <= end for moment in acknowledged.values()),
        missing=len(acknowledged_since(acknowledged, first) - PRESENT[case.kind]()),
        conflicts=conflicts(samples),
        margin=margin(samples),
        back=None if since is None else max(0.0, since - mended),
        load=load,
        trouble=trouble,
    )
    if outcome.faults():
        keep_evidence(f"{case.kind}-{slug(case.name)}")
    print(f"\n{case.name}: {describe(outcome)}")
    for reason in clients.failures(start)[:4]:
        print(f"    {reason}")
    return outcome


def describe(outcome: Outcome) -> str:
    """The figures in a line."""
    figures: dict[str, Any] = {
        "gap": f"{outcome.gap:.1f} s (bound {outcome.case.gap:.0f} s)",
        "acknowledged": outcome.acknowledged,
        "missing": outcome.missing,
        "two primaries": len(outcome.conflicts),
        "margin": "-" if outcome.margin is None else f"{outcome.margin:.2f} s",
        "back": "never" if outcome.back is None else f"{outcome.back:.0f} s",
        "load": f"{outcome.load:.1f}",
    }
    return ", ".join(f"{name} {value}" for name, value in figures.items())
