# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in the containers of this node, over the engine's socket, with text for their standard input.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec. After the start of an exec the connection is no HTTP any more
but the program's three streams, the outgoing ones in frames.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import (
    DEFAULT_SOCKET,
    DockerEngine,
    EngineError,
)

_STDOUT = 1
_HEADER = 8


@dataclass(frozen=True)
class Outcome:
    """What a program left."""

    code: int
    stdout: str
    stderr: str


class Containers:
    """The containers of this node that belong to Swarm's services."""

    def __init__(self, engine: DockerEngine, socket_path: str = DEFAULT_SOCKET) -> None:
        """socket_path: the engine's socket, for the streams."""
        self._engine = engine
        self._path = socket_path

    def find(self, service: str) -> str:
        """The identifier of the newest running container of a service; empty when none runs here. Raises EngineError."""
        filters = {"label": [f"com.docker.swarm.service.name={service}"], "status": ["running"]}
        found = self._engine.get("/containers/json", {"filters": filters})
        newest = sorted(found, key=lambda container: int(container["Created"]))
        return str(newest[-1]["Id"]) if newest else ""

    def run(self, container: str, command: Sequence[str], stdin: str = "", timeout: float = 240.0) -> Outcome:
        """Run a program to its end. timeout: seconds of silence. Raises EngineError."""
        wanted = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
        name = self._engine.post(f"/containers/{container}/exec", wanted)["Id"]
        out, err = split_frames(self._stream(name, stdin.encode(), timeout))
        code = self._engine.get(f"/exec/{name}/json")["ExitCode"]
        return Outcome(int(-1 if code is None else code), out, err)

    def _stream(self, name: str, stdin: bytes, timeout: float) -> bytes:
        body = b'{"Detach":false,"Tty":false}'
        request = (
            f"POST /v{self._engine.version}/exec/{name}/start HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
            f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            try:
                connection.connect(self._path)
                connection.sendall(request + body)
                received = _until_header_ends(connection)
                header, _blank, rest = received.partition(b"\r\n\r\n")
                if b" 101 " not in header.split(b"\r\n", 1)[0] and b" 200 " not in header.split(b"\r\n", 1)[0]:
                    raise EngineError(f"the Docker engine did not start a program ({header.splitlines()[0].decode()})")
                connection.sendall(stdin)
                connection.shutdown(socket.SHUT_WR)
                parts = [rest]
                while True:
                    part = connection.recv(65536)
                    if not part:
                        return b"".join(parts)
                    parts.append(part)
            except OSError as error:
                raise EngineError(f"a program in a container did not end ({error})") from error


def _until_header_ends(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(4096)
        if not part:
            raise EngineError("the Docker engine closed the connection to a program")
        received += part
    return received


def split_frames(stream: bytes) -> tuple[str, str]:
    """Standard output and standard error: frames of a type, three zeros, a length of four bytes and the content."""
    out, err = bytearray(), bytearray()
    position = 0
    while position + _HEADER <= len(stream):
        kind, length = struct.unpack(">BxxxL", stream[position : position + _HEADER])
        (out if kind == _STDOUT else err).extend(stream[position + _HEADER : position + _HEADER + length])
        position += _HEADER + length
    return out.decode(errors="replace"), err.decode(errors="replace")
