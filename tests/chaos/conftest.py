# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the figures of all cases and writes them into docs/reliability.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.chaos.cases import POSTGRES, REDIS
from tests.chaos.fixtures import bench
from tests.chaos.report import Row, write_page

__all__ = ["bench", "report"]

Report = Callable[[Row], None]

ORDER = [
    *(case.name for case in POSTGRES),
    "a setting changed that needs a restart",
    *(case.name for case in REDIS),
    "memory full",
    "all servers lost, started again with one missing",
]


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """Note a row. What was measured is written at the end, whatever failed."""
    rows: list[Row] = []
    yield rows.append
    if rows:
        print("\n" + write_page(rows, ORDER))
