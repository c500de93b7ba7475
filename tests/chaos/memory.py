# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of Redis is filled until it takes no more, and emptied again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from tests.chaos.cluster import keep_evidence, redis, redis_primary, wait_until_whole
from tests.chaos.intervals import Reign, conflicts
from tests.chaos.run import Bench, acknowledged_since
from tests.chaos.writers import elements, elsewhere

MIB = 1048576
# In steps: a replica takes what the primary sends, and is not thrown off for being slow.
FILL = f"""
number=0
while [ $number -lt 4000 ]; do
    number=$((number + 1))
    said=$(redis EVAL "redis.call('SET', 'chaos:fill:' .. ARGV[1], string.rep('x', {MIB})) return 'done'" 0 $number)
    [ "$said" = done ] || {{ echo "$number $said"; break; }}
done
"""
# What the members send each other counts as memory, too, and leaves room again when it has gone out.
TOP_UP = "for _ in $(seq 20); do redis APPEND chaos:fill:top $(printf %01024d 0); done"
EMPTY = "redis EVAL \"local keys = redis.call('KEYS', 'chaos:fill:*') for _, key in ipairs(keys) do redis.call('UNLINK', key) end return #keys\" 0"


@dataclass(frozen=True)
class Filled:
    """What was seen. refused: what Redis said to the last write; gap: seconds from the emptying to an acknowledged write."""

    refused: str
    values: int
    refused_writers: bool
    readable: str
    evicted: str
    stayed: bool
    gap: float
    acknowledged: int
    missing: int
    conflicts: list[tuple[Reign, Reign]]
    load: float

    def faults(self) -> list[str]:
        """What is not as it must be."""
        checks = {
            f"a write got: {self.refused}": "OOM" in self.refused,
            f"only {self.values} values of a MiB fitted in": self.values > 50,
            "no application was told that the memory is full": self.refused_writers,
            f"a value has the length {self.readable}": self.readable == str(MIB),
            f"{self.evicted} keys were evicted": self.evicted == "0",
            "another member became the primary": self.stayed,
            f"no write for {self.gap:.1f} s after there was room": self.gap <= 10,
            f"{self.missing} acknowledged writes are missing": self.missing == 0,
            f"two primaries at the same time: {self.conflicts[:3]}": not self.conflicts,
        }
        return [fault for fault, is_fine in checks.items() if not is_fine]


def _top_up_until_refused(bench: Bench, primary: str, start: float) -> bool:
    """Fill what is left until an application is refused; whether one was, within half a minute."""
    deadline = time.monotonic() + 30
    while not any("OOM" in failure for failure in bench.clients["redis"].failures(start)):
        if time.monotonic() > deadline:
            return False
        redis(primary, TOP_UP)
    return True


def fill_up(bench: Bench) -> Filled:
    """Fill, look, empty, look."""
    load = os.getloadavg()[0]
    clients = bench.clients["redis"]
    wait_until_whole()
    primary = redis_primary()
    clients.at(elsewhere(primary))
    start = time.time()
    try:
        number, _space, refused = redis(primary, FILL).partition(" ")
        refused_writers = _top_up_until_refused(bench, primary, start)
        readable = redis(primary, "redis STRLEN chaos:fill:1")
        stats = dict(line.partition(":")[::2] for line in redis(primary, "redis INFO stats").splitlines())
        emptied = time.time()
        redis(primary, EMPTY)
        gap = clients.wait_for_writes(emptied) - emptied
        wait_until_whole()
    except BaseException:
        keep_evidence("redis-memory-full")
        raise
    finally:
        redis(redis_primary(), EMPTY)
    acknowledged = clients.acknowledged()
    return Filled(
        refused=refused,
        values=int(number or 0),
        refused_writers=refused_writers,
        readable=readable,
        evicted=stats["evicted_keys"].strip(),
        stayed=redis_primary() == primary,
        gap=gap,
        acknowledged=len(acknowledged_since(acknowledged, start)),
        missing=len(acknowledged_since(acknowledged, start) - elements()),
        conflicts=conflicts(bench.sampling["redis"].samples(start, time.time())),
        load=load,
    )
