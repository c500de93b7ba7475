# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short half of tests/chaos: accidents of the data plane while applications write. `make chaos` has all of them."""

from __future__ import annotations

import pytest

from tests.chaos.cases import POSTGRES, REDIS, Case
from tests.chaos.fixtures import bench
from tests.chaos.run import Bench, run
from tests.integration.platform import Platform

__all__ = ["bench"]

pytestmark = pytest.mark.lab

SHORT = [case for case in (*POSTGRES, *REDIS) if case.short]


@pytest.fixture(scope="module", autouse=True)
def standing(platform: Platform) -> None:
    """Before the writers: they need what `site.yml` builds."""


@pytest.mark.parametrize("case", SHORT, ids=lambda case: f"{case.kind}: {case.name}")
def test_accident(bench: Bench, case: Case):
    assert run(case, bench).faults() == []
