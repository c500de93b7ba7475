# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server type in which location: the order of trial, and what the API says is in stock.

The first location is tried with every type before the next location is: what belongs together (a cluster's members,
volumes, load balancers) should stay together, and a type is exchanged more easily than a place.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json


class Offer(NamedTuple):
    """A server type in a location."""

    server_type: str
    location: str

    def __str__(self) -> str:
        """For sentences."""
        return f"{self.server_type} in {self.location}"


def trial_order(server_types: Sequence[str], locations: Sequence[str]) -> list[Offer]:
    """All wanted offers, best first."""
    return [Offer(server_type, location) for location in locations for server_type in server_types]


def unknown_types(server_types: Iterable[str], catalogue: Mapping[str, Json]) -> list[str]:
    """Names that the API does not know."""
    return [name for name in server_types if name not in catalogue]


def in_stock(offers: Sequence[Offer], catalogue: Mapping[str, Json], now: datetime.datetime) -> list[Offer]:
    """The offers that the API says can be ordered, in the same order."""
    return [offer for offer in offers if available(catalogue.get(offer.server_type), offer.location, now)]


def available(server_type: Mapping[str, Any] | None, location: str, now: datetime.datetime) -> bool:
    """`server_type.locations[]` says it: present, available, and not past the end of a deprecation."""
    for entry in (server_type or {}).get("locations") or []:
        if entry["name"] == location:
            return bool(entry.get("available", True)) and not _past(entry.get("deprecation"), now)
    return False


def _past(deprecation: Mapping[str, Any] | None, now: datetime.datetime) -> bool:
    if not deprecation or not deprecation.get("unavailable_after"):
        return False
    end = datetime.datetime.fromisoformat(str(deprecation["unavailable_after"]).replace("Z", "+00:00"))
    return end <= now


def fitting_type(
    server_types: Sequence[str], live: Mapping[str, Any], catalogue: Mapping[str, Json], now: datetime.datetime
) -> str | None:
    """The first wanted type that an existing server can change to while it keeps its disk, or None."""
    architecture = (live["server_type"] or {}).get("architecture")
    disk = live.get("primary_disk_size") or live["server_type"].get("disk") or 0
    for name in server_types:
        candidate = catalogue.get(name)
        if candidate is None or not available(candidate, live["location"]["name"], now):
            continue
        if candidate.get("architecture") == architecture and candidate.get("disk", 0) >= disk:
            return name
    return None
