# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load under which "no failed request" is meant: 20 requests a second, each on a new connection, and one websocket.

A request has failed when its answer is not 2xx or 3xx, when the connection breaks, or when it takes more than five
seconds. The websocket sends a line every second and wants it back; when it is closed it opens a new one at once, as a
browser does, and a new one that does not come counts as failed.

Runs in a process of its own, so that a busy test does not hold it up:
    python -m tests.load '{"address": "198.18.0.20", "ca": "/path/ca.pem", "url": "https://status.frontdesk.test/"}'
ends when its standard input does, and prints what it counted as JSON.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

RATE = 20.0
PATIENCE = 5.0
GOOD = range(200, 400)


@dataclass
class Count:
    """What happened. `faults` maps a reason to how often it came; `moments` are the seconds of the first faults."""

    requests: int = 0
    failed: int = 0
    slowest: float = 0.0
    websocket_messages: int = 0
    websocket_reopened: int = 0
    websocket_failed: int = 0
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=lambda: collections.defaultdict(int))
    moments: list[tuple[float, str]] = field(default_factory=list)

    def fault(self, reason: str, second: float) -> None:
        self.faults[reason] += 1
        if len(self.moments) < 20:
            self.moments.append((round(second, 1), reason))


class Load:
    """The visitors."""

    def __init__(self, address: str, url: str, ca: str, websocket: str = "", rate: float = RATE) -> None:
        """`address` is where all connections go; `ca` is a PEM file; `websocket` a wss URL, empty for none."""
        self._address = address
        self._url = urlsplit(url)
        self._websocket = websocket
        self._rate = rate
        self._tls = ssl.create_default_context(cafile=ca) if ca else None
        self._count = Count()
        self._started = time.monotonic()
        self._stop = asyncio.Event()

    async def run(self) -> Count:
        """Go on until the standard input ends."""
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, sys.stdin.read).add_done_callback(lambda _done: self._stop.set())
        tasks = [asyncio.create_task(self._visit())]
        if self._websocket:
            tasks.append(asyncio.create_task(self._talk()))
        await asyncio.gather(*tasks)
        self._count.seconds = round(time.monotonic() - self._started, 1)
        return self._count

    def _now(self) -> float:
        return time.monotonic() - self._started

    async def _visit(self) -> None:
        """Start a request every twentieth of a second, however long the others take."""
        running = set()
        while not self._stop.is_set():
            task = asyncio.create_task(self._request())
            running.add(task)
            task.add_done_callback(running.discard)
            next_start = (self._count.requests + len(running)) / self._rate
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(0.0, next_start - self._now()))
        await asyncio.gather(*running)

    async def _request(self) -> None:
        began = time.monotonic()
        try:
            status = await asyncio.wait_for(self._get(), PATIENCE)
            reason = "" if status in GOOD else f"status {status}"
        except asyncio.TimeoutError:
            reason = "no answer within 5 s"
        except (OSError, EOFError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
        self._count.requests += 1
        self._count.slowest = max(self._count.slowest, round(time.monotonic() - began, 3))
        if reason:
            self._count.failed += 1
            self._count.fault(reason, self._now())

    async def _get(self) -> int:
        """One request on a connection of its own; the whole answer is read."""
        host = self._url.hostname or ""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        tls = self._tls if self._url.scheme == "https" else None
        reader, writer = await asyncio.open_connection(
            self._address, port, ssl=tls, server_hostname=host if tls else None
        )
        try:
            path = self._url.path or "/"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.read(-1)
            return int(head.split(b" ", 2)[1])
        finally:
            writer.close()

    async def _talk(self) -> None:
        """Keep one websocket open."""
        while not self._stop.is_set():
            try:
                await self._converse()
                if not self._stop.is_set():
                    self._count.websocket_reopened += 1
            except (OSError, asyncio.TimeoutError, WebSocketException) as error:
                self._count.websocket_failed += 1
                self._count.fault(f"websocket: {type(error).__name__}: {error}", self._now())
                await asyncio.sleep(0.2)  # a browser does not hammer either

    async def _converse(self) -> None:
        """Open a websocket and use it until it is closed. An error before the first answer is raised."""
        url = urlsplit(self._websocket)
        tls = self._tls if url.scheme == "wss" else None
        answered = False
        try:
            async with asyncio.timeout(PATIENCE):
                socket = await connect(
                    self._websocket,
                    host=self._address,
                    port=url.port or (443 if tls else 80),
                    ssl=tls,
                    server_hostname=url.hostname if tls else None,
                    proxy=None,
                )
            async with socket:
                while not self._stop.is_set():
                    text = f"line {self._count.websocket_messages}"
                    async with asyncio.timeout(PATIENCE):
                        await socket.send(text)
                        if await socket.recv() != text:
                            raise OSError("the websocket answered something else")
                    answered = True
                    self._count.websocket_messages += 1
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), 1.0)
        except WebSocketException:
            # Closed by the other side: fine for one that worked, a fault for one that never did.
            if not answered:
                raise


@contextlib.contextmanager
def load(**options: Any) -> Iterator[Count]:
    """Keep the load up for the length of the block; the count is filled in at its end. Options: see Load."""
    command = [sys.executable, "-m", "tests.load", json.dumps(options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    count = Count()
    try:
        yield count
    finally:
        output, _errors = process.communicate(timeout=60)
        for name, value in json.loads(output).items():
            setattr(count, name, value)


def main() -> None:
    """Run the load that the argument describes."""

    async def run() -> Count:
        return await Load(**json.loads(sys.argv[1])).run()

    print(json.dumps(asdict(asyncio.run(run()))))


if __name__ == "__main__":
    main()
