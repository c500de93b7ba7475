# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests per hour and project, refilled continuously: https://docs.hetzner.cloud, section Rate Limiting."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

HOUR = 3600.0


class Bucket:
    """A full bucket holds an hour's requests; it refills evenly (3600 an hour = 1 a second)."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.time) -> None:
        """`limit` is in requests per hour; `clock` returns Unix seconds."""
        self.limit = limit
        self._clock = clock
        self._left = float(limit)
        self._seen = clock()

    def _refill(self) -> float:
        now = self._clock()
        self._left = min(float(self.limit), self._left + (now - self._seen) * self.limit / HOUR)
        self._seen = now
        return now

    def take(self) -> bool:
        """Use one request; False when none is left."""
        self._refill()
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def headers(self) -> dict[str, str]:
        """Return the headers of an answer; Reset is the Unix time at which the bucket is full again."""
        now = self._refill()
        full_in = (self.limit - self._left) * HOUR / self.limit if self.limit else HOUR
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(int(self._left)),
            "RateLimit-Reset": str(math.ceil(now + full_in)),
        }
