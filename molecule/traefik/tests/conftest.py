# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests know about the servers, and how they ask them: from outside, and from one server to another."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra

FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "edge"
# Runs on a server: sends a PROXY protocol header (version 2, unless `claimed` is empty) before TLS, then each request on
# one connection, and prints the answers as JSON.
SENDER = r"""
import json, socket, ssl, struct, sys
job = json.load(sys.stdin)
raw = socket.create_connection((job["address"], 443), timeout=10)
if job["claimed"]:
    body = socket.inet_aton(job["claimed"]) + socket.inet_aton(job["address"]) + struct.pack("!HH", 40000, 443)
    raw.sendall(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", len(body)) + body)
context = ssl.create_default_context(cadata=job["authority"])
stream = context.wrap_socket(raw, server_hostname=job["host"])
lines = "".join("%s: %s\r\n" % pair for pair in job["headers"].items())
request = ("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (job["path"], job["host"], lines)).encode()
stream.sendall(request * job["times"])
reader = stream.makefile("rb")
answers = []
for _ in range(job["times"]):
    status = int(reader.readline().split()[1])
    length = 0
    for line in iter(reader.readline, b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answers.append([status, reader.read(length).decode()])
print(json.dumps(answers))
"""


class Edge:
    """The edge as the scenario made it."""

    def __init__(self, ssh_config: str) -> None:
        told = json.loads((FOLDER / "edge.json").read_text())
        self.domain: str = told["domain"]
        self.nodes: dict[str, dict[str, str]] = told["nodes"]
        self.names = sorted(self.nodes)
        self._ssh_config = ssh_config

    def server(self, name: str) -> Any:
        """Return testinfra's host of a server."""
        return testinfra.get_host(f"ssh://{name}", ssh_config=self._ssh_config)

    def address(self, name: str) -> str:
        return self.nodes[name]["public"]

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(FOLDER / "authority.crt"))

    def connect(self, name: str, host: str) -> ssl.SSLSocket:
        """Return a TLS connection to a server from outside, for a host name that need not be in the DNS."""
        raw = socket.create_connection((self.address(name), 443), timeout=10)
        try:
            return self.context.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def ask(self, name: str, path: str, label: str = "status", body: bytes = b"", **headers: str) -> Answer:
        """Return the answer of a server to a request over HTTPS."""
        host = f"{label}.{self.domain}"
        connection = http.client.HTTPSConnection(host, context=self.context, timeout=10)
        connection.sock = self.connect(name, host)
        try:
            connection.request("POST" if body else "GET", path, body or None, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def ask_plainly(self, address: str, path: str, port: int = 80, **headers: str) -> Answer:
        """Return the answer to a request over HTTP."""
        connection = http.client.HTTPConnection(address, port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def send(
        self, origin: str, target: str, claimed: str = "", path: str = "/", times: int = 1, **headers: str
    ) -> list[tuple[int, str]]:
        """Let one server ask the echo at another over the private network, as the balancer does; see SENDER."""
        job = {
            "address": self.nodes[target]["private"],
            "claimed": claimed,
            "host": f"echo.{self.domain}",
            "authority": (FOLDER / "authority.crt").read_text(),
            "path": path,
            "times": times,
            "headers": headers,
        }
        result = self.server(origin).run("printf %%s %s | python3 -c %s", json.dumps(job), SENDER)
        assert result.rc == 0, result.stderr
        return [(status, text) for status, text in json.loads(result.stdout)]


class Answer:
    """Status, headers in lower case and text of an answer."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()


@pytest.fixture(scope="session")
def edge(request: pytest.FixtureRequest) -> Edge:
    return Edge(request.config.getoption("--ssh-config"))


@pytest.fixture(params=[0, 1, 2], ids=["first", "second", "third"])
def node(request: pytest.FixtureRequest, edge: Edge) -> str:
    """The name of each server in turn."""
    if request.param >= len(edge.names):
        pytest.skip(f"the inventory has {len(edge.names)} servers only")
    return edge.names[request.param]


@pytest.fixture(scope="session", autouse=True)
def all_serve(edge: Edge) -> None:
    """Begin when every server serves the pages: a task that has just been replaced may need a moment."""
    for name in edge.names:
        for label, path in (("status", "/status.json"), ("echo", "/healthz")):
            until(lambda name=name, label=label, path=path: edge.ask(name, path, label).status == 200)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition. A refused or broken connection counts as false."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
            reason: object = "false"
        except OSError as error:
            reason = error
        assert time.monotonic() < end, f"not within {seconds} s: {reason}"
        time.sleep(0.2)
