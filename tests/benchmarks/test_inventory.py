# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of 1,500 servers, against hetzner.hcloud's plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.measure import LATENCY, Measurement, Row, timed
from tests.lab_cloud import LabCloud, running_lab_cloud

SERVERS = 1500
RUNS = 5
MAX_RATIO = 1 / 3


def addresses(listing: str) -> dict[str, str]:
    """Where Ansible would connect to, by host."""
    hosts = json.loads(listing)["_meta"]["hostvars"]
    return {name: host["ansible_host"]["__ansible_unsafe"] for name, host in hosts.items()}


OURS = "plugin: frontdesk.platform.hetzner\n"
THEIRS = "plugin: hetzner.hcloud.hcloud\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """A project with the servers, whose API answers late."""
    with running_lab_cloud(tmp_path_factory.mktemp("lab")) as lab:
        lab.project("bench", "bench-token", rate_limit=1_000_000, servers={"count": SERVERS, "labels": {"env": "prod"}})
        lab.fault(effect="latency", seconds=LATENCY, provider="hetzner", times=None)
        yield lab


def listing(lab: LabCloud, path: Path, measurement: Measurement | None = None) -> dict[str, str]:
    """Run `ansible-inventory` and return the addresses; note the time and the calls."""
    lab.forget_requests()
    environment = {"HCLOUD_TOKEN": "bench-token", "HCLOUD_ENDPOINT": lab.endpoint}
    run = timed("ansible-inventory", "-i", str(path), "--list", **environment)
    if measurement:
        measurement.add(run.seconds, len(lab.requests()))
    return addresses(run.stdout)


def test_inventory(lab, tmp_path, report):
    ours, peer = Measurement(), Measurement()
    our_file, their_file = tmp_path / "ours.hetzner.yml", tmp_path / "peer.hcloud.yml"
    our_file.write_text(OURS)
    their_file.write_text(THEIRS)
    for _ in range(RUNS):
        found = listing(lab, our_file, ours)
        assert len(found) == SERVERS
        assert listing(lab, their_file, peer) == found
    ratio = ours.median / peer.median
    report(
        Row(
            f"inventory of {SERVERS:,} servers",
            str(ours),
            str(peer),
            f"ratio {ratio:.2f}",
            f"ratio ≤ {MAX_RATIO:.2f}",
            ratio <= MAX_RATIO,
        ),
        "A network takes 100 servers, so 1,500 servers have 15 networks. The plugin of hetzner.hcloud asks for the name "
        "of each by a call of its own.",
    )


def test_inventory_from_a_warm_cache(lab, tmp_path, report):
    cached = Measurement()
    path = tmp_path / "cached.hetzner.yml"
    folder = tmp_path / "cache"
    path.write_text(f"{OURS}cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: {folder}\n")
    expected = listing(lab, path)
    for _ in range(RUNS):
        assert listing(lab, path, cached) == expected
    calls = max(cached.calls)
    report(Row("the same from a warm cache", str(cached), "-", f"{calls} calls", "0 calls", calls == 0))
