# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of hetzner_info: the kinds that were asked for, in the same flat form as hetzner_infrastructure returns."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerClient, Json, Records
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kinds import BY_NAME
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import World

# What nobody owns: the vendor's catalogue.
CATALOGUE = {
    "server_type": "/server_types",
    "load_balancer_type": "/load_balancer_types",
    "location": "/locations",
}
NAMES_NEEDED = {
    "server": ("network", "firewall"),
    "firewall": ("server",),
    "volume": ("server",),
    "load_balancer": ("network", "server"),
}
PATHS = {**{name: kind.path for name, kind in BY_NAME.items()}, **CATALOGUE}


def look(client: HetznerClient, kinds: Sequence[str], names: Sequence[str], selector: str | None) -> dict[str, Any]:
    """{kind: {name: object}}. selector is not used for the catalogue, which has no labels."""
    # Objects name others by number; these are read for their names only.
    helpers = sorted({name for kind in kinds for name in NAMES_NEEDED.get(kind, ())} - set(kinds))

    def read(kind: str) -> Records:
        params: dict[str, Any] = {}
        if kind in kinds and kind not in CATALOGUE and selector:
            params["label_selector"] = selector
        if kind in kinds and len(names) == 1:
            params["name"] = names[0]
        return client.list(PATHS[kind], PATHS[kind][1:], params)

    wanted = [*kinds, *helpers]
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        lists = dict(zip(wanted, pool.map(read, wanted)))
    # The owner plays no part in reading.
    world = World("", {kind: items for kind, items in lists.items() if kind in BY_NAME})
    return {
        kind: {
            item["name"]: _flat(kind, item, world)
            for item in sorted(lists[kind], key=lambda item: str(item["name"]))
            if not names or item["name"] in names
        }
        for kind in kinds
    }


def _flat(kind: str, item: Json, world: World) -> Json:
    if kind in BY_NAME:
        return {"name": item["name"], **BY_NAME[kind].resource(item, world)}
    if kind == "location":
        return {key: item.get(key) for key in ("name", "id", "description", "country", "city", "network_zone")}
    if kind == "load_balancer_type":
        limits = ("max_connections", "max_services", "max_targets", "max_assigned_certificates")
        return {**{key: item.get(key) for key in ("name", "id", "description", *limits)}, "monthly": _prices(item)}
    fields = ("name", "id", "description", "cores", "memory", "disk", "architecture", "cpu_type")
    return {**{key: item.get(key) for key in fields}, "locations": _offers(item)}


def _prices(item: Json) -> dict[str, float]:
    """Net price a month by location."""
    return {entry["location"]: float(entry["price_monthly"]["net"]) for entry in item.get("prices") or []}


def _offers(server_type: Json) -> dict[str, Json]:
    """Availability and net price a month of a server type by location."""
    prices = _prices(server_type)
    return {
        entry["name"]: {"available": bool(entry.get("available")), "monthly": prices.get(entry["name"])}
        for entry in server_type.get("locations") or []
    }
