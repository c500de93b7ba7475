# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker engine's HTTP API over its socket, with the standard library alone: nodes need no Python packages.

https://docs.docker.com/reference/api/engine/. Nothing here knows Swarm; the callers decide which answers are errors.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, urlencode

DEFAULT_SOCKET = "/var/run/docker.sock"
# The newest version that the collection makes use of: engine 25. An older engine, down to 20.10 (1.41), names the newest
# that it speaks, and one that has given this version up the oldest; it then gets that one.
API_VERSION = "1.44"
# An engine that lost its quorum answers only after its own timeouts (about 20 s), with a sentence worth waiting for.
TIMEOUT = 60.0

Json = dict[str, Any]

_OTHER_VERSION = re.compile(
    r"client version \S+ is too (?:old\. Minimum|new\. Maximum) supported API version is (\d+\.\d+)"
)


class EngineError(Exception):
    """The engine refused a request, or did not answer (then `status` is 0). The text is one sentence without a period."""

    def __init__(self, message: str, status: int = 0) -> None:
        """status: the HTTP status of the answer."""
        super().__init__(message)
        self.status = status


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class DockerEngine:
    """One engine. Safe to use from several threads: every call has a connection of its own."""

    def __init__(self, socket_path: str = DEFAULT_SOCKET, timeout: float = TIMEOUT) -> None:
        """timeout: seconds that the engine may stay silent."""
        self._socket_path = socket_path
        self._timeout = timeout
        self._version = API_VERSION
        self._lock = threading.Lock()
        # Counted for the modules' results; a benchmark and the tests compare it.
        self.reads = 0
        self.writes = 0

    @property
    def version(self) -> str:
        """The version of the API that is spoken; settled by the first answer."""
        return self._version

    def speaks(self, version: str) -> bool:
        """Is the version that is spoken at least this one?"""
        return _numbers(self._version) >= _numbers(version)

    def get(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        absent: Collection[int] = (),
        timeout: float | None = None,
    ) -> Any:
        """Return the parsed answer of a GET; None for a status in `absent`. Raises EngineError."""
        self._count(reads=1)
        return self._parsed(*self._exchange("GET", path, query, None, timeout=timeout), absent)

    def post(
        self,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        *,
        absent: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send a POST and return the parsed answer. Raises EngineError."""
        self._count(writes=1)
        return self._parsed(*self._exchange("POST", path, query, body, headers, timeout), absent)

    def messages(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> list[Json]:
        """Send a POST that the engine answers with a message for each step (build, pull, push); all of them at its end.

        timeout: seconds that a step may stay silent. An "error" in a message is the caller's. Raises EngineError.
        """
        self._count(writes=1)
        status, answer = self._exchange("POST", path, query, content, headers, timeout)
        if status >= 400:
            raise EngineError(_message(answer, status), status)
        return [json.loads(line) for line in answer.splitlines() if line.strip()]

    def delete(self, path: str, query: Mapping[str, Any] | None = None, *, absent: Collection[int] = (404,)) -> Any:
        """Send a DELETE; what is gone already is fine. Raises EngineError."""
        self._count(writes=1)
        return self._parsed(*self._exchange("DELETE", path, query, None), absent)

    def raw(self, path: str, query: Mapping[str, Any] | None = None, *, timeout: float | None = None) -> bytes:
        """Return the bytes of a GET (logs are framed, not JSON). Raises EngineError."""
        self._count(reads=1)
        status, content = self._exchange("GET", path, query, None, timeout=timeout)
        if status >= 400:
            raise EngineError(_message(content, status), status)
        return content

    def _count(self, reads: int = 0, writes: int = 0) -> None:
        with self._lock:
            self.reads += reads
            self.writes += writes

    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> tuple[int, bytes]:
        url = quote(path)
        if query:
            # The engine wants its filters and maps as JSON, its switches in lower case.
            url += "?" + urlencode({name: _query_value(value) for name, value in query.items()})
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**({} if content is body else {"Content-Type": "application/json"}), **(headers or {})}
        seconds = timeout or self._timeout
        status, answer = self._send(method, url, content, sent, seconds)
        other = _OTHER_VERSION.search(answer.decode(errors="replace")) if status == 400 else None
        if other:
            self._version = other.group(1)
            status, answer = self._send(method, url, content, sent, seconds)
        return status, answer

    def _send(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> tuple[int, bytes]:
        connection = _SocketConnection(self._socket_path, seconds)
        path = url.split("?", 1)[0]
        try:
            connection.request(method, f"/v{self._version}{url}", body=content, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except socket.timeout as error:
            text = f"the Docker engine did not answer {method} {path} within {seconds:.0f} s"
            raise EngineError(text) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise EngineError(f"the Docker engine cannot be reached at {self._socket_path} ({reason})") from error
        finally:
            connection.close()

    @staticmethod
    def _parsed(status: int, content: bytes, absent: Collection[int]) -> Any:
        if status in absent:
            return None
        if status >= 400:
            raise EngineError(_message(content, status), status)
        # Answers without content have status 200, 201 or 204.
        return json.loads(content) if content.strip() else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _query_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _message(content: bytes, status: int) -> str:
    """The engine's own words, without the chain of gRPC prefixes that Swarm's answers begin with."""
    try:
        text = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        text = content.decode(errors="replace")
    text = " ".join(text.split()).rstrip(".")
    if text.startswith("rpc error:") and "desc = " in text:
        text = text.split("desc = ", 1)[1]
    return text or f"the Docker engine answered with status {status}"
