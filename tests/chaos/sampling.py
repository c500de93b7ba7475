# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of all servers while something happens: the program of `programs/sampler.py` runs on each of them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.intervals import Sample
from tests.chaos.machines import enter
from tests.integration.cloud import SERVERS

PROGRAM = Path(__file__).with_name("programs") / "sampler.py"


class Sampling:
    """Asks the members of one kind on all servers, also on those that come back."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self._files = {server: folder / f"{kind}-{server}.jsonl" for server in SERVERS}
        self._stop = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._threads = [threading.Thread(target=self._follow, args=(server,)) for server in SERVERS]

    @contextlib.contextmanager
    def running(self) -> Iterator[Sampling]:
        """Sample for the length of the block."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for process in list(self._running.values()):
                if process.stdin:
                    process.stdin.close()
            for thread in self._threads:
                thread.join(20)

    def _follow(self, server: str) -> None:
        """Start the program whenever it does not run."""
        command = [*enter(server), "python3", "-c", PROGRAM.read_text(encoding="utf-8"), self._kind]
        with self._files[server].open("ab") as file:
            while not self._stop.is_set():
                process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.DEVNULL)
                self._running[server] = process
                while process.poll() is None and not self._stop.wait(0.3):
                    pass
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5 if self._stop.is_set() else 0.1)
                if process.poll() is None:
                    process.kill()
                    process.wait()
                if process.stdin:
                    process.stdin.close()
                self._stop.wait(0.3)

    def samples(self, start: float, end: float) -> list[Sample]:
        """What was seen between two times."""
        found = []
        for file in self._files.values():
            for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
                with contextlib.suppress(ValueError):  # a line that was broken off with its server
                    sample = Sample(**json.loads(line))
                    if start <= sample.begin <= end:
                        found.append(sample)
        return found
