# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of PostgreSQL are changed while applications write: only what must is restarted, replicas first."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest

from tests.chaos.cluster import own_sql, postgres_leader, wait_until_whole
from tests.chaos.conftest import Report
from tests.chaos.intervals import conflicts, longest_gap
from tests.chaos.report import Row
from tests.chaos.run import Bench
from tests.chaos.writers import PRESENT, elsewhere
from tests.integration.cloud import SERVERS, succeeded
from tests.integration.playbook import PlaybookRun, run_playbook

pytestmark = pytest.mark.lab

BOUND = 40.0
RESTART = {"wal_buffers": "3MB"}
RELOAD = {"work_mem": "9MB"}


def apply(parameters: dict[str, str], *arguments: str) -> PlaybookRun:
    """Run the play of the data plane with these parameters."""
    given = json.dumps({"postgres_parameters": parameters})
    return succeeded(run_playbook("playbooks/data.yml", "--tags", "postgres", "-e", given, *arguments))


def in_force(name: str) -> set[str]:
    """The values that the members have."""
    return {own_sql(server, f"show {name};") for server in SERVERS}


def started() -> dict[str, str]:
    """When each member was started."""
    return {server: own_sql(server, "select pg_postmaster_start_time();") for server in SERVERS}


@pytest.fixture
def as_before() -> Iterator[None]:
    """The settings that the platform had."""
    before = {name: in_force(name) for name in (*RESTART, *RELOAD)}
    yield
    apply({})
    wait_until_whole()
    assert {name: in_force(name) for name in before} == before
    assert apply({}).changed == 0


def test_settings(bench: Bench, report: Report, as_before: None):
    load = os.getloadavg()[0]
    wait_until_whole()
    clients = bench.clients["postgres"]
    leader = postgres_leader()
    clients.at(elsewhere(leader))
    start = time.time()
    before = started()

    named = apply(RESTART, "--check", "--diff")
    assert started() == before, "check mode restarted something"
    done = apply(RESTART)
    assert done.changes == named.changes
    restarted = [write["name"] for write in done.writes if write["kind"] == "member"]
    assert sorted(restarted) == [f"pg-{server}" for server in SERVERS]
    assert restarted[-1] == f"pg-{leader}", "the former leader is not the last one"
    assert postgres_leader() != leader
    assert in_force("wal_buffers") == {RESTART["wal_buffers"]}
    after = started()
    assert all(after[server] != before[server] for server in SERVERS)
    assert apply(RESTART).changed == 0

    named = apply({**RESTART, **RELOAD}, "--check", "--diff")
    done = apply({**RESTART, **RELOAD})
    assert done.changes == named.changes != []
    assert not [write for write in done.writes if write["kind"] == "member"]
    assert in_force("work_mem") == {RELOAD["work_mem"]}
    assert started() == after, "a setting that needs no restart restarted something"

    wait_until_whole()
    clients.wait_for_writes(time.time())
    end = time.time()
    acknowledged = clients.acknowledged()
    missing = set(acknowledged) - PRESENT["postgres"]()
    found = conflicts(bench.sampling["postgres"].samples(start, end))
    gap = longest_gap(acknowledged.values(), start, end)
    print(f"\nsettings: gap {gap:.1f} s, {len(missing)} missing")
    report(
        Row(
            part="postgres",
            what="a setting changed that needs a restart",
            gap=f"{gap:.1f} s",
            bound=f"{BOUND:.0f} s",
            acknowledged=str(sum(start <= moment <= end for moment in acknowledged.values())),
            missing=str(len(missing)),
            conflicts="never" if not found else f"{len(found)} times",
            back="-",
            load=load,
            good=not missing and not found and gap <= BOUND,
        )
    )
    assert not missing
    assert not found
    assert gap <= BOUND
