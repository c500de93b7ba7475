# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that tell the user, while a long step runs, which one it is and for how many seconds it has run."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Callable

# A step that is still running is reported again after this many seconds.
INTERVAL = 5.0
# A line of a program's output is cut here, so that a progress line stays one line in a terminal.
WIDTH = 70
# A report on a step that was named in full when it began.
SHORT = 30


class Progress:
    """Reports one job's steps through `say`. Use as a context manager; the reports end with the block."""

    def __init__(self, say: Callable[[str], None], job: str, interval: float = INTERVAL) -> None:
        """Report the steps of `job`; `interval` is in seconds."""
        self._say = say
        self._job = job
        self._interval = interval
        self._step = ""
        self._detail = ""
        self._started = time.monotonic()
        self._step_started = self._started
        self._over = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        """Begin to report."""
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to report and say how long it all took, unless it failed."""
        self._over.set()
        self._ticker.join()
        if error is None:
            self._say(f"{self._job}: done in {self.seconds:.0f} s")

    @property
    def seconds(self) -> float:
        """How long the job has run."""
        return time.monotonic() - self._started

    def step(self, text: str) -> None:
        """Say that a step begins."""
        self._step, self._detail = _one_line(text), ""
        self._step_started = time.monotonic()
        self._say(f"{self._job}: {self._step}")

    def detail(self, text: str) -> None:
        """Remember the newest line of a program's output for the next report."""
        self._detail = _one_line(text) or self._detail

    def _tick(self) -> None:
        while not self._over.wait(self._interval):
            seconds = time.monotonic() - self._step_started
            detail = f" ({self._detail})" if self._detail else ""
            self._say(f"{self._job}: {_one_line(self._step, SHORT)} {seconds:.0f} s{detail}")


def _one_line(text: str, width: int = WIDTH) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 3] + "..."
