# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service: one Starlette application with a mount for each provider and the control endpoint."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from .control import BadRequest, Control
from .faults import Faults
from .hetzner import gateway
from .hetzner.cloud import Cloud
from .machine_specs import MachineError
from .machines import Machines, NoMachines
from .request_log import RequestLog
from .settings import Settings
from .state import State

LOG = logging.getLogger("labcloud")


def _machines(settings: Settings) -> Machines:
    if settings.machines == "none":
        return NoMachines()
    # Only a lab with machines needs what this module imports.
    from .docker_machines import DockerMachines  # noqa: PLC0415 - its libraries are not there without a Docker engine

    return DockerMachines.from_environment(os.environ)


async def _machine_error(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 503)


async def _bad_request(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


def create_app(settings: Settings, machines: Machines | None = None) -> Starlette:
    """Return the application; `machines` overrides what the settings choose."""
    state = State(settings.state_folder / "labcloud.sqlite3")
    cloud = Cloud(settings, state, Faults(), machines or _machines(settings))
    log = RequestLog()
    control = Control(cloud, log)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            await cloud.start()
        except MachineError as error:
            # The API must still answer: it is what says in words what is wrong.
            LOG.exception("the machines could not be brought in line with the database")
            control.degraded = str(error)
        yield
        await cloud.stop()
        state.close()

    app = Starlette(
        routes=[
            Mount("/lab", routes=control.routes()),
            Mount(gateway.BASE, app=gateway.Gateway(cloud, log)),
        ],
        exception_handlers={BadRequest: _bad_request, MachineError: _machine_error},
        lifespan=lifespan,
    )
    app.state.cloud = cloud
    return app
