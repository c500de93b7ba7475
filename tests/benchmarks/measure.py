# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: timed programs, rows of the table, and the page that they end in."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.hetzner import hcloud as peer

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
PLAYS = Path(__file__).with_name("plays")
PAGE = ROOT / "docs" / "benchmarks.md"

# Without the wiring in playbooks/group_vars, which would add the platform's variables to every host of either side.
CONFIGURATION = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_PLAYBOOK_DIR": str(PLAYS)}

LATENCY = 0.15
"""Seconds that each call of the API takes longer: what a controller sees that is not in the same country."""

PEER = "hetzner.hcloud"
PEER_VERSION = "6.12.0"
"""The peers' plays are written for it. A newer one needs a look at them first."""


@dataclass(frozen=True)
class Timed:
    """One run of a program. ``seconds`` is wall time from start to exit."""

    seconds: float
    stdout: str
    stderr: str


def timed(program: str, *arguments: str, **environment: str) -> Timed:
    """Run a program of Ansible to its end; it must succeed."""
    started = time.perf_counter()
    process = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=ROOT,
        env={**os.environ, **CONFIGURATION, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    seconds = time.perf_counter() - started
    assert process.returncode == 0, process.stdout[-4000:] + process.stderr[-4000:]
    return Timed(seconds, process.stdout, process.stderr)


@dataclass
class Measurement:
    """Wall times in seconds of repeated runs of one thing, and the calls of the API that each run made."""

    seconds: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def add(self, seconds: float, calls: int) -> None:
        self.seconds.append(seconds)
        self.calls.append(calls)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        runs = (
            "1 run"
            if len(self.seconds) == 1
            else f"{len(self.seconds)} runs, {min(self.seconds):.2f} to {max(self.seconds):.2f} s"
        )
        return f"{self.median:.2f} s ({runs}; {max(self.calls)} calls)"


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the bar, the result and whether it is good enough."""

    what: str
    ours: str
    peer: str
    result: str
    bar: str
    good: bool


def peer_version() -> str:
    """The version of the peer that is installed."""
    manifest = Path(next(iter(peer.__path__))) / "MANIFEST.json"
    return str(json.loads(manifest.read_text())["collection_info"]["version"])


def core_version() -> str:
    """The version of ansible-core that is installed."""
    return timed("ansible", "--version").stdout.splitlines()[0].removeprefix("ansible [core ").rstrip("]")


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| what | frontdesk.platform | peer | result | bar | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {row.ours} | {row.peer} | {row.result} | {row.bar} | {'met' if row.good else '**missed**'} |"
        for row in rows
    ]
    return lines


def write_page(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write docs/benchmarks.md and return its table."""
    table = "\n".join(_table(rows))
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    python = ".".join(map(str, sys.version_info[:3]))
    parts = (
        "# Benchmarks",
        (
            f"Written by `make bench` on {datetime.now(timezone.utc):%Y-%m-%d}.\n"
            f"Machine: {machine}. Python {python}, ansible-core {core_version()}.\n"
            "The ratios are what to look at: another machine has other seconds."
        ),
        (
            "Each figure is the median wall time of whole programs (`ansible-inventory`, `ansible-playbook`).\n"
            f"The runs of both sides alternate. The peer is {PEER} {peer_version()} where the subject is Hetzner's API: both sides\n"
            f"talk to the same lab cloud, which answers each call {LATENCY * 1000:.0f} ms late and counts the calls. Where it is a stack, the\n"
            "notes name the peer, and both sides talk to the Swarm of the running lab."
        ),
        table,
        "\n".join(f"- {note}" for note in notes),
        (
            "The plays of both sides are in `tests/benchmarks/plays/`, the inventories in `tests/benchmarks/test_inventory.py`,\n"
            "the stack of ten services in `tests/benchmarks/test_swarm_stack.py`."
        ),
    )
    PAGE.write_text("\n\n".join(parts) + "\n")
    return table
