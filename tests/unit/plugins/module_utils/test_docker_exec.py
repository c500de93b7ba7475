# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in containers: what is sent to the engine's socket, and how the streams are told apart."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Containers, split_frames


def frame(kind: int, text: str) -> bytes:
    return struct.pack(">BxxxL", kind, len(text.encode())) + text.encode()


class Socket:
    """An engine that runs a program which says what it was told. header: how it answers the start."""

    def __init__(self, path: Path, header: str = "HTTP/1.1 101 UPGRADED") -> None:
        self.header = header
        self.requests: list[bytes] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _address = self._server.accept()
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = connection.recv(65536)
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _blank, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        while length and len(body) < int(length.group(1)):
            body += connection.recv(65536)
        received = head + body
        self.requests.append(received)
        line = received.split(b"\r\n", 1)[0]
        if b"/start" in line:
            connection.sendall(f"{self.header}\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n".encode())
            if "101" in self.header:
                stdin = b""
                while part := connection.recv(65536):
                    stdin += part
                connection.sendall(frame(1, stdin.decode().upper()) + frame(2, "warning") + frame(1, "!"))
            return
        answer: Any = {"Id": "e1"} if b"/exec HTTP" in line else {"ExitCode": 3}
        if b"/containers/json" in line:
            answer = [{"Id": "old", "Created": 1}, {"Id": "new", "Created": 2}]
        text = json.dumps(answer)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.sock"


def test_a_program_gets_its_input_and_tells_both_streams(path: Path) -> None:
    server = Socket(path)
    containers = Containers(DockerEngine(str(path)), str(path))
    assert containers.find("postgres_pg-a") == "new"
    outcome = containers.run("new", ["cat"], "hello")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (3, "HELLO!", "warning")
    assert b'"Cmd": ["cat"]' in server.requests[1]
    assert server.requests[2].startswith(b"POST /v1.44/exec/e1/start ")


def test_a_program_that_cannot_start(path: Path) -> None:
    Socket(path, "HTTP/1.1 409 Conflict")
    with pytest.raises(EngineError, match=r"did not start a program .*409"):
        Containers(DockerEngine(str(path)), str(path)).run("new", ["cat"])


def test_an_engine_that_is_gone(path: Path) -> None:
    with pytest.raises(EngineError, match="did not end"):
        Containers(DockerEngine(str(path)), str(path))._stream("e1", b"", 1)


def test_frames_that_are_cut_are_left_out() -> None:
    assert split_frames(frame(1, "a") + b"\1\0\0") == ("a", "")
