# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs as a task of the Swarm: twenty writers with unique ids, each through the one address, reconnecting at once.

    python3 clients.py postgres|redis

Notes each acknowledged id with its time, and each failure with its reason, in a file of the volume that is mounted at
the folder below. Needs what the image of PostgreSQL has.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

FOLDER = Path("/var/lib/postgresql")
PASSWORD = Path("/run/secrets/password")
WRITERS = 20
RATE = 10.0
PATIENCE = 5.0
PAUSE = 0.05
"""Seconds between a failure and the next try."""

POSTGRES = (
    "host=postgres port=5432 dbname=chaos user=chaos sslmode=verify-full sslrootcert=/etc/chaos/authority.crt "
    "target_session_attrs=read-write load_balance_hosts=random connect_timeout=3 tcp_user_timeout=5000 "
    "keepalives_idle=2 keepalives_interval=1 keepalives_count=3"
)
"""What an application should set: a server that hangs, or that is no longer the leader, is left within seconds."""


class Failure(Exception):
    """The write was refused or broken off; whether it is there is unknown."""


class Connection(Protocol):
    """A connection of one writer."""

    def write(self, name: str) -> None: ...

    def break_off(self) -> None: ...

    def close(self) -> None: ...


class PostgresConnection:
    """A connection to the leader."""

    def __init__(self) -> None:
        import psycopg2  # noqa: PLC0415 - the other kind does not need it

        self._errors = psycopg2.Error
        try:
            self._connection = psycopg2.connect(POSTGRES, password=PASSWORD.read_text())
        except psycopg2.Error as error:
            raise Failure(f"connect: {error}") from error
        self._connection.autocommit = True

    def write(self, name: str) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("insert into writes (id) values (%s)", (name,))
        except self._errors as error:
            raise Failure(str(error)) from error

    def break_off(self) -> None:
        """End a statement that got no answer. libpq has no limit of its own for that."""
        with contextlib.suppress(OSError, self._errors):
            taken = socket.socket(fileno=os.dup(self._connection.fileno()))
            with contextlib.closing(taken):
                taken.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()


class RedisConnection:
    """A connection to the primary."""

    def __init__(self) -> None:
        try:
            self._connection = self._connect()
            self._connection.settimeout(PATIENCE)
            self._stream = self._connection.makefile("rwb")
            self._call("AUTH", PASSWORD.read_text())
        except OSError as error:
            raise Failure(f"connect: {error}") from error

    @staticmethod
    def _connect() -> socket.socket:
        """To any of the proxies, whichever answers."""
        found = socket.getaddrinfo("redis", 6379, socket.AF_INET, socket.SOCK_STREAM)
        addresses = list({(str(entry[4][0]), 6379) for entry in found})
        random.shuffle(addresses)
        error: OSError = OSError("no address")
        for address in addresses:
            try:
                return socket.create_connection(address, 3)
            except OSError as reason:
                error = reason
        raise error

    def _call(self, *words: str) -> None:
        self._stream.write(f"*{len(words)}\r\n".encode())
        self._stream.writelines(f"${len(word)}\r\n{word}\r\n".encode() for word in words)
        self._stream.flush()
        line = self._stream.readline().decode().strip()
        if not line or line.startswith("-"):
            raise Failure(line or "closed")

    def write(self, name: str) -> None:
        try:
            self._call("RPUSH", "chaos:writes", name)
        except OSError as error:
            raise Failure(str(error)) from error

    def break_off(self) -> None:
        """The socket has a limit of its own."""

    def close(self) -> None:
        self._connection.close()


KINDS: dict[str, Callable[[], Connection]] = {"postgres": PostgresConnection, "redis": RedisConnection}


class Writers:
    """All writers of this process."""

    def __init__(self, kind: str) -> None:
        self._connect = KINDS[kind]
        self._run = uuid.uuid4().hex[:12]
        self._file = (FOLDER / f"{self._run}.log").open("w", buffering=1)
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[float, Connection]] = {}

    def run(self) -> None:
        """Write for ever."""
        for number in range(WRITERS):
            threading.Thread(target=self._write, args=(number,), daemon=True).start()
        while True:
            time.sleep(0.5)
            for deadline, connection in list(self._waiting.values()):
                if time.monotonic() > deadline:
                    connection.break_off()

    def _note(self, kind: str, text: str) -> None:
        with self._lock:
            self._file.write(f"{kind} {time.time():.3f} {text}\n")

    def _write(self, number: int) -> None:
        count = 0
        while True:
            connection = None
            try:
                connection = self._connect()
                while True:
                    begin = time.monotonic()
                    count += 1
                    name = f"{self._run}-{number}-{count}"
                    self._waiting[number] = (begin + PATIENCE, connection)
                    connection.write(name)
                    del self._waiting[number]
                    self._note("ok", name)
                    time.sleep(max(0.0, begin + 1 / RATE - time.monotonic()))
            except Failure as failure:
                self._waiting.pop(number, None)
                self._note("no", " ".join(str(failure).split())[:300])
            if connection is not None:
                connection.close()
            time.sleep(PAUSE)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_signal: os._exit(0))
    Writers(sys.argv[1]).run()


if __name__ == "__main__":
    main()
