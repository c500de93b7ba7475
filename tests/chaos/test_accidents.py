# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The leader of PostgreSQL, or the primary of Redis, meets with an accident while applications write."""

from __future__ import annotations

import pytest

from tests.chaos.cases import POSTGRES, REDIS, Case
from tests.chaos.conftest import Report
from tests.chaos.memory import fill_up
from tests.chaos.report import Row, row_of
from tests.chaos.run import Bench, run

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("case", [*POSTGRES, *REDIS], ids=lambda case: f"{case.kind}: {case.name}")
def test_accident(bench: Bench, report: Report, case: Case):
    outcome = run(case, bench)
    report(row_of(outcome))
    assert outcome.faults() == []


def test_memory_full(bench: Bench, report: Report):
    filled = fill_up(bench)
    row = Row(
        part="redis",
        what="memory full",
        gap=f"{filled.gap:.1f} s after room was made",
        bound="10 s",
        acknowledged=str(filled.acknowledged),
        missing=str(filled.missing),
        conflicts="never" if not filled.conflicts else f"{len(filled.conflicts)} times",
        back="-",
        load=filled.load,
        good=not filled.faults(),
    )
    report(row)
    assert filled.faults() == []
