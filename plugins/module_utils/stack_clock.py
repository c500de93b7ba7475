# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time, as an object that tests can exchange."""

from __future__ import annotations

import time


class Clock:
    """Time for everything that waits."""

    def now(self) -> float:
        """Seconds of a clock that does not jump."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let seconds pass."""
        time.sleep(seconds)
