# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own control endpoint, below /lab. It needs no token: it listens where only the lab's owner reaches it.

| call | does |
|---|---|
| `GET /lab/health` | `{status, version, providers: {name: {real, summary}}, running_actions}`; 503 while degraded |
| `POST /lab/reset` | removes everything in all projects, the API-only projects, faults, stock and log; `{"project": NAME}` empties one |
| `GET /lab/faults`, `POST /lab/faults`, `DELETE /lab/faults[/ID]` | faults on demand, see faults.py |
| `GET /lab/projects` | the projects |
| `POST /lab/projects` | `{name, token, read_only?, rate_limit?, servers?}`: an API-only project, or one more token or \
another limit for an existing one; `servers` makes many at once, see hetzner/bulk.py |
| `PUT /lab/stock` | `{server_type, location, available}` |
| `GET /lab/requests[?project=NAME]`, `DELETE /lab/requests` | `{count, requests: [{provider, project, method, path, query, status}]}` |

Errors: 400 (503 when a machine cannot be removed) `{"error": "one sentence"}`.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import __version__
from .faults import Fault
from .hetzner import bulk, catalogue
from .hetzner.cloud import DEFAULT_PROJECT, Cloud
from .request_log import RequestLog
from .state import Project, Token


class BadRequest(ValueError):
    """A control request that cannot be carried out; one sentence."""


async def _object(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        body = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise BadRequest(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def _needed(body: dict[str, Any], name: str, kind: type) -> Any:
    if not isinstance(body.get(name), kind):
        raise BadRequest(f"{name} is needed and must be of type {kind.__name__}")
    return body[name]


class Control:
    """The handlers of the control endpoint."""

    def __init__(self, cloud: Cloud, log: RequestLog) -> None:
        """`degraded` holds what went wrong at the start, if anything."""
        self._cloud = cloud
        self._log = log
        self.degraded = ""

    def routes(self) -> list[Route]:
        """Return the routes, relative to /lab."""
        return [
            Route("/health", self.health, methods=["GET"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/faults/{id:int}", self.fault, methods=["DELETE"]),
            Route("/projects", self.projects, methods=["GET", "POST"]),
            Route("/stock", self.stock, methods=["PUT"]),
            Route("/requests", self.requests, methods=["GET", "DELETE"]),
        ]

    async def health(self, _request: Request) -> Response:
        """Say how the lab is and what is real in it."""
        body = {
            "status": "degraded" if self.degraded else "ok",
            "version": __version__,
            "message": self.degraded,
            "running_actions": self._cloud.running_actions(),
            "providers": {
                "hetzner": {"real": self._cloud.settings.machines != "none", "summary": self._cloud.summary()}
            },
        }
        return JSONResponse(body, 503 if self.degraded else 200)

    async def reset(self, request: Request) -> Response:
        """Empty one project or everything."""
        body = await _object(request)
        state = self._cloud.state
        name = body.get("project")
        if name is not None and name not in state.projects:
            raise BadRequest(f"there is no project {name}")
        for project in [name] if name is not None else list(state.projects):
            await self._cloud.clear(project)
        if name is None:
            for project in [found for found in state.projects if found != DEFAULT_PROJECT]:
                state.remove_project(project)
            state.clear_stock()
            self._cloud.faults.clear()
            self._cloud.refill()
            self._log.clear()
        state.commit()
        return JSONResponse({"status": "ok"})

    async def faults(self, request: Request) -> Response:
        """List, set or clear faults."""
        if request.method == "POST":
            try:
                fault = self._cloud.faults.add(Fault.parse(await _object(request)))
            except (TypeError, ValueError) as error:
                raise BadRequest(str(error)) from error
            return JSONResponse(fault.as_json(), 201)
        if request.method == "DELETE":
            self._cloud.faults.clear()
        return JSONResponse({"faults": [fault.as_json() for fault in self._cloud.faults.all()]})

    async def fault(self, request: Request) -> Response:
        """Remove one fault."""
        if not self._cloud.faults.remove(request.path_params["id"]):
            raise BadRequest(f"there is no fault {request.path_params['id']}")
        return JSONResponse({"faults": [fault.as_json() for fault in self._cloud.faults.all()]})

    async def projects(self, request: Request) -> Response:
        """List the projects, or add one."""
        if request.method == "POST":
            return self._add_project(await _object(request))
        found = [
            {
                "name": project.name,
                "api_only": project.api_only,
                "rate_limit": project.rate_limit,
                "servers": len(self._cloud.state.items(project.name, "server")),
            }
            for project in self._cloud.state.projects.values()
        ]
        return JSONResponse({"projects": found})

    def _add_project(self, body: dict[str, Any]) -> Response:
        name, token = _needed(body, "name", str), _needed(body, "token", str)
        state = self._cloud.state
        try:
            answer = self._make_project(body, name, token)
        except ValueError:
            state.rollback()
            raise
        state.commit()
        return JSONResponse(answer, 201)

    def _make_project(self, body: dict[str, Any], name: str, token: str) -> dict[str, Any]:
        state = self._cloud.state
        present = state.projects.get(name)
        owner = state.tokens.get(token)
        if owner is not None and owner.project != name:
            raise BadRequest(f"the token belongs to project {owner.project}")
        limit = int(body.get("rate_limit") or (present.rate_limit if present else 3600))
        state.put_project(Project(name, present.api_only if present else True, limit))
        state.put_token(Token(token, name, bool(body.get("read_only", False))))
        made = 0
        if "servers" in body:
            if not state.projects[name].api_only:
                raise BadRequest("servers in bulk are for API-only projects")
            try:
                made = bulk.make(self._cloud, state.projects[name], _needed(body, "servers", dict))
            except ValueError as error:
                raise BadRequest(str(error)) from error
        return {"name": name, "rate_limit": limit, "servers_made": made}

    async def stock(self, request: Request) -> Response:
        """Say whether a server type can be had in a location."""
        body = await _object(request)
        server_type, location = _needed(body, "server_type", str), _needed(body, "location", str)
        available = _needed(body, "available", bool)
        if server_type not in catalogue.SERVER_TYPE_BY_NAME or location not in catalogue.LOCATION_BY_NAME:
            raise BadRequest(f"there is no server type {server_type} or no location {location}")
        self._cloud.state.put_stock(server_type, location, available)
        self._cloud.state.commit()
        return JSONResponse({"server_type": server_type, "location": location, "available": available})

    async def requests(self, request: Request) -> Response:
        """Show or forget the calls of late."""
        if request.method == "DELETE":
            self._log.clear()
        calls = self._log.calls(request.query_params.get("project"))
        return JSONResponse({"count": len(calls), "requests": calls})
