# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that a container is in: connecting, disconnecting, and making them what is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from .docker_engine import Engine


def network_name(network_id: int) -> str:
    """Return the name of a private network; it sorts after the public one's."""
    return f"frontdesk-lab-b-private-{network_id}"


async def all_of(*calls: Awaitable[Any]) -> None:
    """Wait for all, then raise the first error: no call goes on unseen behind an error of another."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def connect(engine: Engine, details: Mapping[str, Any], name: str, address: str) -> None:
    """Connect a container to a network with this address; `details` is what the engine says of the container."""
    present = details["NetworkSettings"]["Networks"]
    if (present.get(name, {}).get("IPAMConfig") or {}).get("IPv4Address") == address:
        return
    # The engine's own network "none" excludes every other.
    for obstacle in {name, "none"} & set(present):
        await disconnect(engine, obstacle, details["Id"])
    body = {"Container": details["Id"], "EndpointConfig": {"IPAMConfig": {"IPv4Address": address}}}
    await engine.call("POST", f"/networks/{name}/connect", body=body)


async def disconnect(engine: Engine, network: str, container: str) -> None:
    """Disconnect a container from a network; not connected is fine."""
    body = {"Container": container, "Force": True}
    await engine.call("POST", f"/networks/{network}/disconnect", body=body, accept={404})


async def place(engine: Engine, container: str, wanted: Mapping[str, str]) -> None:
    """Put a container into these networks (address by name) and no others.

    They may have been made anew while nobody looked; then the container is connected to something that is gone.
    """
    details = await engine.call("GET", f"/containers/{container}/json")
    numbers = {network["Name"]: network["Id"] for network in await engine.call("GET", "/networks")}
    for name, endpoint in details["NetworkSettings"]["Networks"].items():
        if name not in {*wanted, "none"} or endpoint["NetworkID"] not in ("", numbers.get(name)):
            await disconnect(engine, name, details["Id"])
    for name, address in wanted.items():
        details = await engine.call("GET", f"/containers/{container}/json")
        await connect(engine, details, name, address)
