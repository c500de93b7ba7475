# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our servers, load balancers and volumes cost a month, net, by the API's own prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_server import has_public
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import World

CENT = Decimal("0.01")

# Kind -> name -> what the user set.
Desired = Mapping[str, Mapping[str, Json]]


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


class Tariff(Protocol):
    """What objects of one kind cost a month."""

    def live(self, item: Json, pricing: Json) -> Decimal:
        """An object as it is."""

    def new(self, change: Change, spec: Json, world: World, pricing: Json) -> Decimal:
        """An object that is created or replaced."""

    def changed(self, change: Change, world: World, pricing: Json) -> Decimal:
        """An object after a change in place."""


class Servers:
    """Type, public IPv4 address, backups."""

    def live(self, item: Json, pricing: Json) -> Decimal:
        return server_cost(item["server_type"]["prices"], item["location"]["name"], self._options(item), pricing)

    def _options(self, server: Json) -> set[str]:
        found = {"ipv4"} if has_public(server, "public_ipv4") else set()
        return found | ({"backups"} if server.get("backup_window") else set())

    def new(self, change: Change, spec: Json, world: World, pricing: Json) -> Decimal:
        after = change.after or {}
        options = {"ipv4"} if spec.get("public_ipv4", True) else set()
        options |= {"backups"} if spec.get("backups") else set()
        prices = world.catalogue("server_types")[after["server_type"]]["prices"]
        return server_cost(prices, after["location"], options, pricing)

    def changed(self, change: Change, world: World, pricing: Json) -> Decimal:
        server = world.all("server")[change.name]
        after = change.after or {}
        options = self._options(server)
        if "backups" in after:
            options = (options - {"backups"}) | ({"backups"} if after["backups"] else set())
        prices = server["server_type"]["prices"]
        if "server_type" in after:
            prices = world.catalogue("server_types")[after["server_type"]]["prices"]
        return server_cost(prices, server["location"]["name"], options, pricing)


class LoadBalancers:
    """Type."""

    def live(self, item: Json, pricing: Json) -> Decimal:
        return monthly_price(item["load_balancer_type"]["prices"], item["location"]["name"])

    def new(self, change: Change, spec: Json, world: World, pricing: Json) -> Decimal:
        location = spec.get("location")
        if not location:
            # The API chooses one of the zone; they cost the same.
            places = world.catalogue("locations").values()
            location = next((place["name"] for place in places if place["network_zone"] == spec["network_zone"]), "")
        return monthly_price(world.catalogue("load_balancer_types")[spec["type"]]["prices"], location)

    def changed(self, change: Change, world: World, pricing: Json) -> Decimal:
        balancer = world.all("load_balancer")[change.name]
        new = (change.after or {}).get("type")
        found = world.catalogue("load_balancer_types")[new] if new else balancer["load_balancer_type"]
        return monthly_price(found["prices"], balancer["location"]["name"])


class Volumes:
    """Size."""

    def live(self, item: Json, pricing: Json) -> Decimal:
        return self._cost(item["size"], pricing)

    def new(self, change: Change, spec: Json, world: World, pricing: Json) -> Decimal:
        return self._cost(spec["size"], pricing)

    def changed(self, change: Change, world: World, pricing: Json) -> Decimal:
        return self._cost((change.after or {}).get("size", world.all("volume")[change.name]["size"]), pricing)

    def _cost(self, size: float, pricing: Json) -> Decimal:
        return Decimal(pricing["volume"]["price_per_gb_month"]["net"]) * int(size)


TARIFFS: dict[str, Tariff] = {"server": Servers(), "load_balancer": LoadBalancers(), "volume": Volumes()}


def monthly_cost(world: World, changes: Iterable[Change], desired: Desired, pricing: Json) -> dict[str, Any]:
    """{monthly_before, monthly_after, monthly_delta, currency} of what carries our label.

    desired: what the user set by kind and name.
    """
    before = {
        (kind, name): tariff.live(item, pricing)
        for kind, tariff in TARIFFS.items()
        for name, item in world.all(kind).items()
        if world.owned(item)
    }
    after = dict(before)
    for change in changes:
        key = change.kind, change.name
        if change.kind not in TARIFFS:
            continue
        tariff = TARIFFS[change.kind]
        if change.action == "delete":
            after.pop(key, None)
        elif change.action in ("create", "replace"):
            after[key] = tariff.new(change, desired[change.kind][change.name], world, pricing)
        else:
            after[key] = tariff.changed(change, world, pricing)
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
