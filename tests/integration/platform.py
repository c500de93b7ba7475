# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running platform in the lab, as visitors and operators meet it, without our own code."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.integration.cloud import ENDPOINT, TOKEN
from tests.integration.playbook import KNOWN_HOSTS

LAB = Path.home() / ".cache/frontdesk/lab"
CA = LAB / "ca/ca.pem"
PAGE = "https://status.frontdesk.test/"
BATCH = 50


def on_server(name: str, command: str, check: bool = True, timeout: float = 120) -> str:
    """Run a shell command on a server as root and return what it printed."""
    address = requests.get(
        f"{ENDPOINT}/servers", params={"name": name}, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
    ).json()["servers"][0]["public_net"]["ipv4"]["ip"]
    options = (f"UserKnownHostsFile={KNOWN_HOSTS}", "IdentitiesOnly=yes", "BatchMode=yes")
    ssh = ["ssh", "-i", str(LAB / "id_ed25519"), *(part for option in options for part in ("-o", option))]
    done = subprocess.run(
        [*ssh, f"root@{address}", command], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0 or not check, f"{name}: {command}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Answer:
    """What a visitor got."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Platform:
    """The platform from outside: everything goes to the load balancer's public address."""

    @functools.cached_property
    def address(self) -> str:
        """The load balancer's public address."""
        answer = requests.get(
            f"{ENDPOINT}/load_balancers", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        ).json()
        return answer["load_balancers"][0]["public_net"]["ipv4"]["ip"]

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a new connection, with the certificate checked by the lab's authority alone."""
        with contextlib.closing(self._connect(url)) as connection:
            connection.request("GET", urlsplit(url).path or "/", headers={"Connection": "close", **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read().decode(errors="replace"))

    def get_until(self, url: str, status: int, tries: int) -> list[int]:
        """Requests on one connection until one has this status; the statuses of all.

        They are sent without waiting for the answers (RFC 9112, 9.3.2), so that a slow machine, too, sends many in a second.
        """
        parts = urlsplit(url)
        request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.hostname}\r\n\r\n".encode()
        statuses: list[int] = []
        with contextlib.closing(self._connect(url)) as connection:
            while status not in statuses and len(statuses) < tries:
                connection.sock.sendall(request * BATCH)
                statuses += self._statuses(connection.sock)
        return statuses

    @staticmethod
    def _statuses(sock: socket.socket) -> list[int]:
        """The statuses of a batch of answers."""
        received = b""
        while len(found := re.findall(rb"HTTP/1\.1 (\d{3}) ", received)) < BATCH:
            more = sock.recv(65536)
            assert more, "the connection was closed"
            received += more
        return [int(status) for status in found]

    def _connect(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connection = http.client.HTTPConnection(parts.hostname or "", port, timeout=10)
        connection.sock = socket.create_connection((self.address, port), 10)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=CA)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=parts.hostname)
        return connection
