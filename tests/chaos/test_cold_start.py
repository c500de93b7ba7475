# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All servers lose their power, and come back in any order, one of them late: everything is there again without a hand."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.chaos.cluster import keep_evidence, postgres_state, wait_until_whole
from tests.chaos.conftest import Report
from tests.chaos.intervals import conflicts
from tests.chaos.machines import power
from tests.chaos.report import Row
from tests.chaos.run import CALM, Bench
from tests.chaos.writers import PRESENT
from tests.integration.cloud import SERVERS

pytestmark = pytest.mark.lab

BOUND = 120.0
MISSING_FOR = 20.0
# Redis promises nothing for the last moment before an accident.
LAST_MOMENT = 5.0
WHAT = "all servers lost, started again with one missing"


def test_cold_start(bench: Bench, report: Report):
    seed = int(os.environ.get("FRONTDESK_CHAOS_SEED") or random.randrange(10**6))
    chance = random.Random(seed)
    load = os.getloadavg()[0]
    wait_until_whole()
    for clients in bench.clients.values():
        clients.at(None)
    time.sleep(CALM + LAST_MOMENT)
    identifier = postgres_state(SERVERS[0])["identifier"]
    leaving, coming = (chance.sample(SERVERS, len(SERVERS)) for _times in range(2))
    late = coming[-1]
    print(f"\nseed {seed}: {leaving} go, {coming} come")
    start = time.time()
    try:
        for server in leaving:
            power(server, False)
        for server in coming[:-1]:
            time.sleep(chance.uniform(0, 5))
            power(server, True)
        two = time.time()
        first = {kind: clients.wait_for_writes(two, 180, (late,)) for kind, clients in bench.clients.items()}
        wait_until_whole(away=(late,))
        time.sleep(MISSING_FOR)
        power(late, True)
        wait_until_whole(steady=5)
        for clients in bench.clients.values():
            clients.wait_for_writes(time.time())
    except BaseException:
        keep_evidence("cold-start")
        raise
    finally:
        for server in SERVERS:
            power(server, True)
    end = time.time()
    assert postgres_state(SERVERS[0])["identifier"] == identifier
    for kind, clients in bench.clients.items():
        acknowledged = clients.acknowledged()
        present = PRESENT[kind]()
        due = {name for name, moment in acknowledged.items() if kind == "postgres" or moment < start - LAST_MOMENT}
        missing = due - present
        found = conflicts(bench.sampling[kind].samples(start, end))
        seconds = first[kind] - two
        print(f"    {kind}: writes {seconds:.0f} s after the second server's start, {len(missing)} missing")
        report(
            Row(
                part=kind,
                what=WHAT,
                gap=f"{seconds:.1f} s after the second one's start",
                bound=f"{BOUND:.0f} s",
                acknowledged=str(len(acknowledged)),
                missing=str(len(missing)),
                conflicts="never" if not found else f"{len(found)} times",
                back="-",
                load=load,
                good=not missing and not found and seconds <= BOUND,
            )
        )
        assert not missing
        assert not found
        assert seconds <= BOUND
