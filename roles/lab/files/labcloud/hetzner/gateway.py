# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a request through the API: token, limit, faults, handler, commit, answer."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..connection import abort
from ..faults import Fault
from ..request_log import RequestLog
from ..settings import Exchange
from ..state import Project, Token
from . import routes
from .call import Answer, Call
from .cloud import Cloud
from .errors import ApiError

LOG = logging.getLogger("labcloud.hetzner")
PROVIDER = "hetzner"
BASE = "/hetzner/v1"
HTML_502 = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


@dataclass
class _Seen:
    """What is known of a request before anything is done."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    raw: bytes
    url: str
    token: str


class Gateway:
    """The ASGI application below /hetzner/v1."""

    def __init__(self, cloud: Cloud, log: RequestLog) -> None:
        """`log` gets every call."""
        self._cloud = cloud
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or break its connection when a fault says so."""
        request = Request(scope, receive)
        seen = _Seen(
            method=request.method,
            path=request.url.path[len(BASE) :] or "/",
            query=tuple(request.query_params.multi_items()),
            raw=await request.body(),
            url=str(request.url.replace(query="")),
            token=_token(request.headers.get("authorization", "")),
        )
        token = self._cloud.state.tokens.get(seen.token)
        project = self._cloud.state.projects.get(token.project) if token else None
        faults = self._cloud.faults.for_call(PROVIDER, seen.method, seen.path, seen.token)
        for fault in faults:
            if fault.effect == "latency":
                await asyncio.sleep(fault.seconds)
        if any(fault.effect == "drop_before" for fault in faults):
            self._note(seen, project, None)
            await abort(receive)
            return
        response = self._answer(seen, token, project, faults)
        if any(fault.effect == "drop_after" for fault in faults):
            self._note(seen, project, None)
            await abort(receive)
            return
        self._note(seen, project, response)
        await response(scope, receive, send)

    def _answer(self, seen: _Seen, token: Token | None, project: Project | None, faults: list[Fault]) -> Response:
        bucket = self._cloud.bucket(project)
        within_limit = bucket.take()
        headers = {**bucket.headers(), "X-Correlation-Id": secrets.token_hex(8)}
        forced = next((fault for fault in faults if fault.effect == "status"), None)
        if forced is not None:
            return _forced(forced, headers)
        if not within_limit:
            error = ApiError(429, "rate_limit_exceeded", f"limit of {bucket.limit} requests per hour reached")
            return _response(Answer(429, error.body()), headers)
        try:
            revoked = any(fault.effect == "revoked" for fault in faults)
            answer = self._handle(seen, None if revoked else token, project)
        except ApiError as error:
            self._cloud.state.rollback()
            answer = Answer(error.status, error.body())
        except Exception:
            # A mistake in the lab must look like one of the vendor's, and leave nothing half done.
            LOG.exception("%s %s", seen.method, seen.path)
            self._cloud.state.rollback()
            answer = Answer(500, ApiError(500, "server_error", "the lab has made a mistake, see its log").body())
        return _response(answer, headers)

    def _handle(self, seen: _Seen, token: Token | None, project: Project | None) -> Answer:
        if token is None or project is None:
            raise ApiError(401, "unauthorized", "unable to authenticate")
        if token.read_only and seen.method != "GET":
            # 401 as in the table of the document's section Error Codes.
            raise ApiError(401, "token_readonly", "the token is only allowed to perform GET requests")
        handler, path_ids = routes.find(seen.method, seen.path)
        body = _json(seen.raw) if seen.method in ("POST", "PUT") else {}
        answer = handler(Call(self._cloud, project, seen.query, body, path_ids, seen.url))
        self._cloud.state.commit()
        return answer

    def _note(self, seen: _Seen, project: Project | None, response: Response | None) -> None:
        status = response.status_code if response is not None else 0
        self._log.add(
            PROVIDER,
            project.name if project else None,
            method=seen.method,
            path=seen.path,
            query=seen.query,
            status=status,
        )
        observer = self._cloud.settings.observer
        if observer is None or response is None:
            return
        observer(
            Exchange(
                provider=PROVIDER,
                method=seen.method,
                path=seen.path,
                query=seen.query,
                body=_parsed(seen.raw),
                status=response.status_code,
                headers=dict(response.headers),
                answer=_parsed(bytes(response.body)),
            )
        )


def _token(authorization: str) -> str:
    scheme, _blank, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _json(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise ApiError(400, "json_error", f"invalid JSON input: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(400, "json_error", "invalid JSON input: an object is expected")
    return body


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _response(answer: Answer, headers: dict[str, str]) -> Response:
    headers = {**headers, **answer.headers}
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    content = json.dumps(answer.body, separators=(",", ":"))
    return Response(content, status_code=answer.status, headers=headers, media_type="application/json")


def _forced(fault: Fault, headers: dict[str, str]) -> Response:
    headers = {**headers, **fault.headers}
    if fault.status == 429:
        headers["RateLimit-Remaining"] = "0"
    code = fault.code or {429: "rate_limit_exceeded", 500: "server_error", 503: "unavailable"}.get(fault.status, "")
    if not code:
        return Response(HTML_502, status_code=fault.status, headers=headers, media_type="text/html")
    error = ApiError(fault.status, code, fault.message or f"fault {fault.id} of the lab")
    return _response(Answer(fault.status, error.body()), headers)
