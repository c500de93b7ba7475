# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our servers cost a month, net, by the API's own prices: type, public IPv4 address, backups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_server import has_public
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import World

CENT = Decimal("0.01")


def monthly_price(prices: Iterable[Mapping[str, Any]], location: str) -> Decimal:
    """The net price in a location from a list `prices[]`; 0 where there is none."""
    for entry in prices:
        if entry["location"] == location:
            return Decimal(entry["price_monthly"]["net"])
    return Decimal(0)


def server_cost(type_prices: Iterable[Mapping[str, Any]], location: str, options: set[str], pricing: Json) -> Decimal:
    """A server's net price a month. options: of "ipv4" and "backups"."""
    total = monthly_price(type_prices, location)
    if "backups" in options:
        total += total * Decimal(pricing["server_backup"]["percentage"]) / 100
    if "ipv4" in options:
        for address in pricing["primary_ips"]:
            if address["type"] == "ipv4":
                total += monthly_price(address["prices"], location)
    return total


def monthly_cost(world: World, changes: Iterable[Change], specs: Mapping[str, Json], pricing: Json) -> dict[str, Any]:
    """{monthly_before, monthly_after, monthly_delta, currency} of the servers that carry our label.

    specs: the wanted servers by name.
    """
    before = {name: _live_cost(server, pricing) for name, server in world.all("server").items() if world.owned(server)}
    after = dict(before)
    for change in changes:
        if change.kind != "server":
            continue
        if change.action == "delete":
            after.pop(change.name, None)
        elif change.action in ("create", "replace"):
            after[change.name] = _new_cost(change, specs[change.name], world, pricing)
        else:
            after[change.name] = _changed_cost(change, world, pricing)
    total_before = sum(before.values(), Decimal(0))
    total_after = sum(after.values(), Decimal(0))
    return {
        "monthly_before": _amount(total_before),
        "monthly_after": _amount(total_after),
        "monthly_delta": _amount(total_after - total_before),
        "currency": pricing["currency"],
    }


def _amount(value: Decimal) -> float:
    return float(value.quantize(CENT))


def _live_options(server: Json) -> set[str]:
    found = {"ipv4"} if has_public(server, "public_ipv4") else set()
    return found | ({"backups"} if server.get("backup_window") else set())


def _live_cost(server: Json, pricing: Json) -> Decimal:
    return server_cost(server["server_type"]["prices"], server["location"]["name"], _live_options(server), pricing)


def _new_cost(change: Change, spec: Json, world: World, pricing: Json) -> Decimal:
    after = change.after or {}
    options = {"ipv4"} if spec.get("public_ipv4", True) else set()
    options |= {"backups"} if spec.get("backups") else set()
    prices = world.server_types[after["server_type"]]["prices"]
    return server_cost(prices, after["location"], options, pricing)


def _changed_cost(change: Change, world: World, pricing: Json) -> Decimal:
    server = world.all("server")[change.name]
    after = change.after or {}
    options = _live_options(server)
    if "backups" in after:
        options = (options - {"backups"}) | ({"backups"} if after["backups"] else set())
    prices = server["server_type"]["prices"]
    if "server_type" in after:
        prices = world.server_types[after["server_type"]]["prices"]
    return server_cost(prices, server["location"]["name"], options, pricing)
