# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the rows of all benchmarks and writes the page when all have been measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benchmarks.measure import PEER, PEER_VERSION, Row, peer_version, write_page

Report = Callable[..., None]


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Note a row and its explanations; a missed bar fails the test that calls this."""
    assert peer_version() == PEER_VERSION, f"the peers' plays are written for {PEER} {PEER_VERSION}"
    rows: list[Row] = []
    explained: list[str] = []

    def note(row: Row, *notes: str) -> None:
        rows.append(row)
        explained.extend(notes)
        print(f"\n{row.what}\n  ours: {row.ours}\n  peer: {row.peer}\n  {row.result} (bar: {row.bar})")
        assert row.good, f"{row.what}: {row.result}, and the bar is {row.bar}"

    yield note
    # A part of the benchmarks must not replace the page.
    everything = set(Path(__file__).parent.glob("test_*.py"))
    if everything <= {item.path for item in request.session.items} and len(rows) == request.session.testscollected:
        print("\n" + write_page(rows, explained))
