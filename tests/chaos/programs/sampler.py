# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a server: asks its members of the data plane five times a second what they are, inside their own networks.

    python3 -c "$(cat sampler.py)" postgres|redis

Every container of the member is asked, also when there are two. Finds them by their processes, so that it goes on while
the engine is dead. Prints a line of JSON for each answer and ends with its standard input. Needs Python 3.12.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PERIOD = 0.2
PATIENCE = 2.0
LOOK = 0.5
PROGRAMS = {"postgres": ("patroni",), "redis": ("redis-server", "valkey-server")}

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# Nobody else can listen on this address of the container, and its certificate is valid for another name.
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE

Answer = tuple[bool, bool, str]
"""Whether it is the primary, whether it is in its place, and what it said."""


def processes(names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """(network namespace, process) of the programs with these names."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if (folder / "comm").read_text().strip() in names:
                    yield str((folder / "ns/net").readlink()), int(folder.name)


def ask_patroni(_process: int) -> Answer:
    """What Patroni says to a health check for the primary."""
    connection = http.client.HTTPSConnection("127.0.0.1", 8008, timeout=PATIENCE, context=TLS)
    with contextlib.closing(connection):
        connection.request("GET", "/primary")
        answer = connection.getresponse()
        said = json.loads(answer.read())
    leads = answer.status == 200
    follows = bool(said.get("quorum_standby")) and said.get("replication_state") == "streaming"
    words = (answer.status, said.get("role"), said.get("state"), said.get("replication_state"))
    return leads, leads or follows, " ".join(map(str, words))


def ask_redis(process: int) -> Answer:
    """Whether the server takes a write now, and what it is."""
    password = Path(f"/proc/{process}/root/run/secrets/admin_password").read_text()
    with socket.create_connection(("127.0.0.1", 6379), PATIENCE) as connection, connection.makefile("rwb") as stream:

        def call(*words: str) -> str:
            stream.write(f"*{len(words)}\r\n".encode())
            stream.writelines(f"${len(word)}\r\n{word}\r\n".encode() for word in words)
            stream.flush()
            line = stream.readline().decode().strip()
            return stream.read(int(line[1:]) + 2).decode() if line.startswith("$") else line

        call("AUTH", "admin", password)
        wrote = call("SET", "chaos:sample", str(time.time()))
        state = call("INFO", "replication")
    leads = wrote == "+OK"
    follows = "role:slave" in state and "master_link_status:up" in state
    return leads, leads or follows, wrote[:60]


QUESTIONS: dict[str, Callable[[int], Answer]] = {"postgres": ask_patroni, "redis": ask_redis}


class Sampler:
    """Asks each network namespace in a thread of its own."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._server = socket.gethostname()
        self._known: dict[str, int] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        """Follow the containers for ever."""
        while True:
            found = dict(processes(PROGRAMS[self._kind]))
            new = {place: process for place, process in found.items() if place not in self._known}
            self._known = found
            for place, process in new.items():
                threading.Thread(target=self._follow, args=(place, process), daemon=True).start()
            time.sleep(LOOK)

    def _follow(self, place: str, process: int) -> None:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            with Path(f"/proc/{process}/ns/net").open() as namespace:
                os.setns(namespace.fileno(), os.CLONE_NEWNET)  # of this thread alone
            while place in self._known:
                self._sample(place)

    def _sample(self, place: str) -> None:
        begin = time.time()
        try:
            leads, good, text = QUESTIONS[self._kind](self._known[place])
        except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
            leads, good, text = False, False, type(error).__name__
        sample = {
            "member": self._server,
            "source": f"{self._server} {place}",
            "begin": begin,
            "end": time.time(),
            "leads": leads,
            "good": good,
            "text": text,
        }
        with self._lock:
            print(json.dumps(sample), flush=True)
        time.sleep(max(0.02, begin + PERIOD - time.time()))


def main() -> None:
    threading.Thread(target=Sampler(sys.argv[1]).run, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
