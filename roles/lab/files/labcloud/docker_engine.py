# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls of the Docker Engine API (v1.41) that servers and networks need, over the engine's socket."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import httpx

from .machine_specs import MachineError

# The oldest engine that the lab supports (20.10) speaks this version, newer ones still accept it.
API_VERSION = "v1.41"
# Creating three servers at once on a loaded machine with slow disks stays far below this. Seconds.
CALL_TIMEOUT = 120.0


def filters(**wanted: list[str]) -> dict[str, str]:
    """Return the query parameter that the engine's list calls take."""
    return {"filters": json.dumps(wanted)}


def tar_of(files: Mapping[str, str], mode: int = 0o600) -> bytes:
    """Pack texts under their absolute paths for the engine's archive call, readable by root alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(content)
            member.mode = mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class EngineError(MachineError):
    """The engine refused a call. `status` is the HTTP status, 0 when no answer came."""

    def __init__(self, status: int, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status


class Engine:
    """A Docker engine. Every method raises EngineError with the engine's own words."""

    def __init__(self, socket_path: str = "/var/run/docker.sock") -> None:
        """Speak to the engine behind this Unix socket."""
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket_path),
            base_url=f"http://docker/{API_VERSION}",
            timeout=CALL_TIMEOUT,
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        accept: Collection[int] = (),
    ) -> Any:
        """Make one call and return the decoded answer (None when it is empty).

        A status of 400 and above is an error unless it is listed in `accept`; then None is returned.
        """
        answer = await self._send(method, path, accept, params=params, json=body, content=content)
        if answer.status_code in accept or "json" not in answer.headers.get("content-type", ""):
            return None
        return answer.json() if answer.content else None

    async def _send(self, method: str, path: str, accept: Collection[int] = (), **parts: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **parts)
        except httpx.HTTPError as error:
            raise EngineError(0, f"the Docker engine does not answer: {error or type(error).__name__}") from error
        if answer.is_error and answer.status_code not in accept:
            raise EngineError(answer.status_code, _message(answer))
        return answer

    async def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a program in a running container; return its exit code and what it printed."""
        body = {"AttachStdout": True, "AttachStderr": True, "Tty": True, "Cmd": list(command)}
        execution = (await self.call("POST", f"/containers/{container}/exec", body=body))["Id"]
        output = await self._send("POST", f"/exec/{execution}/start", json={"Detach": False, "Tty": True})
        code = (await self.call("GET", f"/exec/{execution}/json"))["ExitCode"]
        return int(code), output.text

    async def run(self, body: Mapping[str, Any]) -> tuple[int, str]:
        """Run a container to its end and remove it; return its exit code and what it printed."""
        container = (await self.call("POST", "/containers/create", body=body))["Id"]
        try:
            await self.call("POST", f"/containers/{container}/start")
            ended = await self.call("POST", f"/containers/{container}/wait", params={"condition": "not-running"})
            return int(ended["StatusCode"]), await self.logs(container)
        finally:
            await self.call("DELETE", f"/containers/{container}", params={"force": "true", "v": "true"}, accept={404})

    async def logs(self, container: str) -> str:
        """Return what a container without a terminal has printed; the engine puts eight bytes before each part."""
        params = {"stdout": "true", "stderr": "true", "tail": "50"}
        raw = (await self._send("GET", f"/containers/{container}/logs", accept={404}, params=params)).content
        parts = []
        while len(raw) >= 8:
            size = int.from_bytes(raw[4:8], "big")
            parts.append(raw[8 : 8 + size])
            raw = raw[8 + size :]
        return b"".join(parts).decode(errors="replace")

    async def events(self, **wanted: list[str]) -> AsyncIterator[dict[str, Any]]:
        """Yield the engine's events from now on, until the connection ends."""
        timeout = httpx.Timeout(CALL_TIMEOUT, read=None)
        try:
            async with self._http.stream("GET", "/events", params=filters(**wanted), timeout=timeout) as answer:
                async for line in answer.aiter_lines():
                    if line:
                        yield json.loads(line)
        except httpx.HTTPError as error:
            raise EngineError(0, f"the Docker engine's events ended: {error or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _message(answer: httpx.Response) -> str:
    try:
        text = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        text = answer.text
    return " ".join(text.split()) or f"the Docker engine answered {answer.status_code}"
