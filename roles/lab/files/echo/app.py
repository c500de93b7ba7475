# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server answers."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

# The longest answer that /slow can be asked for, in seconds.
LONGEST = 300.0


def create_app(environment: Mapping[str, str]) -> Starlette:
    """Return the application. ECHO_VERSION is a text to tell apart, ECHO_FAIL=health makes it unhealthy."""
    about = {"version": environment.get("ECHO_VERSION", ""), "hostname": socket.gethostname()}
    healthy = environment.get("ECHO_FAIL") != "health"

    async def echo(request: Request) -> Response:
        return JSONResponse({**about, **_told(request)})

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok") if healthy else PlainTextResponse("ECHO_FAIL=health", status_code=503)

    async def slow(request: Request) -> Response:
        seconds = _seconds(request.query_params.get("seconds", ""))
        if seconds is None:
            return PlainTextResponse(f"seconds must be a number from 0 to {LONGEST:.0f}", status_code=400)
        await asyncio.sleep(seconds)
        return JSONResponse({**about, **_told(request)})

    return Starlette(
        routes=[
            Route("/healthz", health),
            Route("/slow", slow),
            WebSocketRoute("/ws", _echo_socket),
            Route("/{path:path}", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )


def _told(request: Request) -> dict[str, object]:
    """Return what arrived: a header that came twice has both values, joined by a comma."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    peer = request.client.host if request.client else ""
    return {"method": request.method, "path": request.url.path, "peer": peer, "headers": headers}


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds <= LONGEST else None


async def _echo_socket(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
