# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be ordered: locations, server and load balancer types with prices, images.

Names, sizes, classes and locations are the vendor's of autumn 2025; EU net prices come from a third-party table of
October 2025, all others (overseas, addresses, deprecated types) are plausible numbers of the lab. Never a price list.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ..state import Item
from . import times

CURRENCY = "EUR"
VAT_RATE = Decimal("19.00")
HOURS_PER_MONTH = 624  # the cap of the hourly price: the vendor bills at most this many hours
TERABYTE = 1024**4
BACKUP_PERCENTAGE = "20.0000000000"

_LOCATIONS = (
    (1, "fsn1", "Falkenstein DC Park 1", "DE", "Falkenstein", 50.47612, 12.370071, "eu-central"),
    (2, "nbg1", "Nuremberg DC Park 1", "DE", "Nuremberg", 49.452102, 11.076665, "eu-central"),
    (3, "hel1", "Helsinki DC Park 1", "FI", "Helsinki", 60.169855, 24.938379, "eu-central"),
    (4, "ash", "Ashburn, VA", "US", "Ashburn, VA", 39.045821, -77.487073, "us-east"),
    (5, "hil", "Hillsboro, OR", "US", "Hillsboro, OR", 45.54222, -122.951924, "us-west"),
    (6, "sin", "Singapore", "SG", "Singapore", 1.283333, 103.833333, "ap-southeast"),
)
_LOCATION_FIELDS = ("id", "name", "description", "country", "city", "latitude", "longitude", "network_zone")
LOCATIONS: dict[int, Item] = {row[0]: dict(zip(_LOCATION_FIELDS, row)) for row in _LOCATIONS}
LOCATION_BY_NAME: dict[str, Item] = {location["name"]: location for location in LOCATIONS.values()}
NETWORK_ZONES = frozenset(location["network_zone"] for location in LOCATIONS.values())

_EU = ("fsn1", "nbg1", "hel1")
_US = ("ash", "hil")
_ALL = (*_EU, *_US, "sin")
# What an overseas location costs in comparison with the EU.
_FACTOR = {"ash": Decimal("1.10"), "hil": Decimal("1.10"), "sin": Decimal("1.35")}

_GONE = {"announced": "2025-10-16T06:00:00Z", "unavailable_after": "2026-01-01T00:00:00Z"}
_GOING = {"announced": "2026-08-01T06:00:00Z", "unavailable_after": "2028-01-01T00:00:00Z"}

# id, name, cores, memory GB, disk GB, architecture, CPU, category, locations, EUR net a month in the EU
_TYPES = (
    (114, "cx23", 2, 4, 40, "x86", "shared", "Shared vCPU", _EU, "3.49"),
    (115, "cx33", 4, 8, 80, "x86", "shared", "Shared vCPU", _EU, "5.49"),
    (116, "cx43", 8, 16, 160, "x86", "shared", "Shared vCPU", _EU, "9.49"),
    (117, "cx53", 16, 32, 320, "x86", "shared", "Shared vCPU", _EU, "17.49"),
    (22, "cpx11", 2, 2, 40, "x86", "shared", "Shared vCPU", (*_US, *_EU), "4.35"),
    (23, "cpx21", 3, 4, 80, "x86", "shared", "Shared vCPU", (*_US, *_EU), "7.55"),
    (24, "cpx31", 4, 8, 160, "x86", "shared", "Shared vCPU", (*_US, *_EU), "13.60"),
    (25, "cpx41", 8, 16, 240, "x86", "shared", "Shared vCPU", (*_US, *_EU), "25.20"),
    (26, "cpx51", 16, 32, 360, "x86", "shared", "Shared vCPU", (*_US, *_EU), "54.90"),
    (118, "cpx22", 2, 4, 80, "x86", "shared", "Shared vCPU", (*_EU, "sin"), "6.49"),
    (119, "cpx32", 4, 8, 160, "x86", "shared", "Shared vCPU", (*_EU, "sin"), "10.99"),
    (120, "cpx42", 8, 16, 320, "x86", "shared", "Shared vCPU", (*_EU, "sin"), "19.99"),
    (121, "cpx52", 12, 24, 480, "x86", "shared", "Shared vCPU", (*_EU, "sin"), "28.49"),
    (122, "cpx62", 16, 32, 640, "x86", "shared", "Shared vCPU", (*_EU, "sin"), "38.99"),
    (45, "cax11", 2, 4, 40, "arm", "shared", "Shared vCPU", _EU, "3.79"),
    (93, "cax21", 4, 8, 80, "arm", "shared", "Shared vCPU", _EU, "6.49"),
    (94, "cax31", 8, 16, 160, "arm", "shared", "Shared vCPU", _EU, "12.49"),
    (95, "cax41", 16, 32, 320, "arm", "shared", "Shared vCPU", _EU, "24.49"),
    (96, "ccx13", 2, 8, 80, "x86", "dedicated", "Dedicated vCPU", _ALL, "12.49"),
    (97, "ccx23", 4, 16, 160, "x86", "dedicated", "Dedicated vCPU", _ALL, "24.49"),
    (98, "ccx33", 8, 32, 240, "x86", "dedicated", "Dedicated vCPU", _ALL, "48.49"),
    (99, "ccx43", 16, 64, 360, "x86", "dedicated", "Dedicated vCPU", _ALL, "96.49"),
    (100, "ccx53", 32, 128, 600, "x86", "dedicated", "Dedicated vCPU", _ALL, "192.49"),
    (101, "ccx63", 48, 192, 960, "x86", "dedicated", "Dedicated vCPU", _ALL, "288.49"),
    (104, "cx22", 2, 4, 40, "x86", "shared", "Shared vCPU", _EU, "3.79"),
)


def price(net: Decimal) -> dict[str, str]:
    """Return a price as the vendor writes it: strings, net and with VAT."""
    gross = net * (1 + VAT_RATE / 100)
    return {"net": f"{net:.10f}", "gross": f"{gross:.16f}"}


def in_location(net: Decimal, location: str) -> Decimal:
    """Return an EU price in a location, in whole cents."""
    return (net * _FACTOR.get(location, Decimal(1))).quantize(Decimal("0.01"), ROUND_HALF_UP)


def hourly(monthly: Decimal) -> Decimal:
    """Return the hourly price of a monthly one."""
    return (monthly / HOURS_PER_MONTH).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def _deprecation(name: str, location: str) -> dict[str, str] | None:
    if name.startswith("cpx") and name.endswith("1") and location in _EU:
        return _GONE
    return _GOING if name == "cx22" else None


def _price(monthly_net: str, location: str) -> dict[str, Any]:
    monthly = in_location(Decimal(monthly_net), location)
    return {
        "location": location,
        "price_hourly": price(hourly(monthly)),
        "price_monthly": price(monthly),
        "included_traffic": (20 if location in _EU else 1) * TERABYTE,
        "price_per_tb_traffic": price(Decimal("1.00") if location != "sin" else Decimal("7.40")),
    }


def _server_type(row: tuple[Any, ...]) -> Item:
    type_id, name, cores, memory, disk, architecture, cpu, category, locations, monthly = row
    return {
        "id": type_id,
        "name": name,
        "description": name.upper(),
        "cores": cores,
        "memory": float(memory),
        "disk": disk,
        "deprecated": name == "cx22",
        "prices": [_price(monthly, location) for location in locations],
        "storage_type": "local",
        "cpu_type": cpu,
        "category": category,
        "architecture": architecture,
        "deprecation": _GOING if name == "cx22" else None,
        "locations": [
            {
                "id": LOCATION_BY_NAME[location]["id"],
                "name": location,
                "deprecation": _deprecation(name, location),
                "recommended": _deprecation(name, location) is None,
            }
            for location in locations
        ],
    }


SERVER_TYPES: dict[int, Item] = {item["id"]: item for item in sorted(map(_server_type, _TYPES), key=lambda i: i["id"])}
SERVER_TYPE_BY_NAME: dict[str, Item] = {item["name"]: item for item in SERVER_TYPES.values()}


def server_type_json(name: str, stock: dict[tuple[str, str], bool]) -> Item:
    """Return a server type as an answer shows it, with what is in stock now."""
    item = SERVER_TYPE_BY_NAME[name]
    return {
        **item,
        "locations": [
            {
                **location,
                "available": stock.get((name, location["name"]), True)
                and not (location["deprecation"] and times.is_past(location["deprecation"]["unavailable_after"])),
            }
            for location in item["locations"]
        ],
    }


# id, name, connections, services, targets, certificates, EUR net a month in the EU
_BALANCER_TYPES = (
    (1, "lb11", 10000, 5, 25, 10, "5.39"),
    (2, "lb21", 20000, 15, 75, 25, "16.40"),
    (3, "lb31", 40000, 30, 150, 50, "32.90"),
)


def _balancer_type(row: tuple[Any, ...]) -> Item:
    type_id, name, connections, services, targets, certificates, monthly = row
    return {
        "id": type_id,
        "name": name,
        "description": name.upper(),
        "max_connections": connections,
        "max_services": services,
        "max_targets": targets,
        "max_assigned_certificates": certificates,
        "prices": [_price(monthly, place) for place in LOCATION_BY_NAME],
        "deprecated": None,
        "deprecation": None,
    }


LOAD_BALANCER_TYPES: dict[int, Item] = {row[0]: _balancer_type(row) for row in _BALANCER_TYPES}
LOAD_BALANCER_TYPE_BY_NAME: dict[str, Item] = {item["name"]: item for item in LOAD_BALANCER_TYPES.values()}

# id, name, description, architecture, flavor, version, deprecation
_IMAGES: tuple[tuple[Any, ...], ...] = (
    (67794396, "ubuntu-22.04", "Ubuntu 22.04", "x86", "ubuntu", "22.04", _GOING),
    (114690387, "debian-12", "Debian 12", "x86", "debian", "12", None),
    (114690389, "debian-12", "Debian 12", "arm", "debian", "12", None),
    (161547269, "ubuntu-24.04", "Ubuntu 24.04", "x86", "ubuntu", "24.04", None),
    (161547270, "ubuntu-24.04", "Ubuntu 24.04", "arm", "ubuntu", "24.04", None),
    (310557660, "debian-13", "Debian 13", "x86", "debian", "13", None),
    (310557662, "debian-13", "Debian 13", "arm", "debian", "13", None),
)


def _image(row: tuple[Any, ...]) -> Item:
    image_id, name, description, architecture, flavor, version, deprecation = row
    return {
        "id": image_id,
        "type": "system",
        "status": "available",
        "name": name,
        "description": description,
        "image_size": None,
        "disk_size": 5,
        "created": "2025-08-12T06:00:00Z",
        "created_from": None,
        "bound_to": None,
        "os_flavor": flavor,
        "os_version": version,
        "rapid_deploy": True,
        "protection": {"delete": False},
        "deprecation": deprecation,
        "deleted": None,
        "labels": {},
        "architecture": architecture,
    }


IMAGES: dict[int, Item] = {row[0]: _image(row) for row in _IMAGES}


def location(reference: str) -> Item | None:
    """Find a location by id or name."""
    return LOCATIONS.get(int(reference)) if reference.isdigit() else LOCATION_BY_NAME.get(reference)


def server_type(reference: str) -> Item | None:
    """Find a server type by id or name."""
    return SERVER_TYPES.get(int(reference)) if reference.isdigit() else SERVER_TYPE_BY_NAME.get(reference)


def load_balancer_type(reference: str) -> Item | None:
    """Find a load balancer type by id or name."""
    if reference.isdigit():
        return LOAD_BALANCER_TYPES.get(int(reference))
    return LOAD_BALANCER_TYPE_BY_NAME.get(reference)


def image(reference: str, architecture: str) -> Item | None:
    """Find an image by id, or by name for an architecture."""
    if reference.isdigit():
        return IMAGES.get(int(reference))
    return next(
        (item for item in IMAGES.values() if item["name"] == reference and item["architecture"] == architecture), None
    )


def _address_prices(monthly: str, with_hourly: bool) -> list[dict[str, Any]]:
    found = []
    for name in LOCATION_BY_NAME:
        entry: dict[str, Any] = {"location": name}
        if with_hourly:
            entry["price_hourly"] = price(hourly(Decimal(monthly)))
        found.append({**entry, "price_monthly": price(Decimal(monthly))})
    return found


def pricing() -> Item:
    """Return the answer of GET /pricing."""
    return {
        "currency": CURRENCY,
        "vat_rate": f"{VAT_RATE:.10f}",
        "primary_ips": [
            {"type": "ipv4", "prices": _address_prices("0.50", True)},
            {"type": "ipv6", "prices": _address_prices("0.00", True)},
        ],
        "floating_ips": [
            {"type": "ipv4", "prices": _address_prices("3.00", False)},
            {"type": "ipv6", "prices": _address_prices("1.00", False)},
        ],
        "image": {"price_per_gb_month": price(Decimal("0.0110"))},
        "volume": {"price_per_gb_month": price(Decimal("0.0440"))},
        "server_backup": {"percentage": BACKUP_PERCENTAGE},
        "server_types": [
            {"id": item["id"], "name": item["name"], "prices": item["prices"]} for item in SERVER_TYPES.values()
        ],
        "load_balancer_types": [
            {"id": item["id"], "name": item["name"], "prices": item["prices"]} for item in LOAD_BALANCER_TYPES.values()
        ],
        "floating_ip": {"price_monthly": price(Decimal("3.00"))},
    }
