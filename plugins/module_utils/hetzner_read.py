# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a project: one list a kind, all kinds at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import (
    HetznerClient,
    HetznerError,
    Json,
    Records,
    poll_interval,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import Kind, World

# A server or volume in one of these is about to be something else; a plan made now would be wrong in a moment.
IN_MOTION = frozenset({"initializing", "starting", "stopping", "deleting", "migrating", "rebuilding", "creating"})


def read_kinds(client: HetznerClient, kinds: Sequence[Kind]) -> dict[str, Records]:
    """The live objects by kind."""
    if not kinds:
        return {}
    with ThreadPoolExecutor(max_workers=len(kinds)) as pool:
        lists = list(pool.map(lambda kind: client.list(kind.path, kind.path[1:]), kinds))
    return {kind.name: items for kind, items in zip(kinds, lists)}


def read_project(
    client: HetznerClient, kinds: Sequence[Kind], owner: str, with_prices: bool
) -> tuple[World, Json | None]:
    """The live objects and, when asked for, the price list."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        prices = pool.submit(read_prices, client) if with_prices else None
        objects = pool.submit(read_kinds, client, kinds).result()
        pricing = prices.result() if prices else None
    return World(owner, objects, lambda name: client.list(f"/{name}", name)), pricing


def read_prices(client: HetznerClient) -> Json:
    """The price list of the project's account."""
    pricing: Json = client.request("GET", "/pricing", attempted="read the prices")["pricing"]
    return pricing


def settle(client: HetznerClient, world: World, kinds: Sequence[Kind], timeout: float) -> None:
    """Wait, at most `timeout` seconds, until none of our servers and volumes changes by itself any more.

    After a run that was killed its last actions still run. Raises HetznerError when they do not end.
    """
    started = client.clock.monotonic()
    for kind in kinds:
        for name, read in list(world.all(kind.name).items()):
            live: Json | None = read
            while live and live.get("status") in IN_MOTION and world.owned(live):
                elapsed = client.clock.monotonic() - started
                if elapsed >= timeout:
                    message = f"its status is still {live['status']} after {timeout:g} s"
                    raise HetznerError("timeout", message, f"begin with {kind.title} {name}")
                client.clock.sleep(poll_interval(elapsed))
                live = read_one(client, kind.path, kind.name, live["id"])
            if live is None:
                world.drop(kind.name, name)
            elif live is not read:
                world.put(kind.name, live)


def read_one(client: HetznerClient, path: str, key: str, number: int) -> Json | None:
    """One object, or None when it is not there any more."""
    try:
        found: Json = client.request("GET", f"{path}/{number}", attempted=f"read {key.replace('_', ' ')} {number}")[key]
    except HetznerError as error:
        if error.code == "not_found":
            return None
        raise
    return found
