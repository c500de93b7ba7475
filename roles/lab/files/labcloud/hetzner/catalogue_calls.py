# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The read-only calls: locations, server and load balancer types, images, pricing, and the datacenters that are gone."""

from __future__ import annotations

from ..state import Item
from . import catalogue, paging
from .call import Answer, Call
from .errors import ApiError, not_found

DATACENTERS_REMOVED = "https://docs.hetzner.cloud/changelog#2026-06-02-datacenters-deprecated"
IMAGE_SORTABLE = ("id", "name", "created")
_TYPES = ("system", "app", "snapshot", "backup")
_STATUSES = ("available", "creating", "unavailable")


def _one(call: Call, key: str, items: dict[int, Item]) -> Item:
    item = items.get(call.path_id)
    if item is None:
        raise not_found(key.replace("_", " "), call.path_id)
    return item


def locations(call: Call) -> Answer:
    """GET /locations."""
    found = paging.by_name(list(catalogue.LOCATIONS.values()), call.query)
    return call.page("locations", paging.in_order(found, call.query, ("id", "name")), lambda item: item)


def location(call: Call) -> Answer:
    """GET /locations/{id}."""
    return Answer(200, {"location": _one(call, "location", catalogue.LOCATIONS)})


def server_types(call: Call) -> Answer:
    """GET /server_types."""
    found = paging.by_name(list(catalogue.SERVER_TYPES.values()), call.query)
    return call.page(
        "server_types", found, lambda item: catalogue.server_type_json(item["name"], call.cloud.state.stock)
    )


def server_type(call: Call) -> Answer:
    """GET /server_types/{id}."""
    item = _one(call, "server_type", catalogue.SERVER_TYPES)
    return Answer(200, {"server_type": catalogue.server_type_json(item["name"], call.cloud.state.stock)})


def load_balancer_types(call: Call) -> Answer:
    """GET /load_balancer_types."""
    found = paging.by_name(list(catalogue.LOAD_BALANCER_TYPES.values()), call.query)
    return call.page("load_balancer_types", found, lambda item: item)


def load_balancer_type(call: Call) -> Answer:
    """GET /load_balancer_types/{id}."""
    item = _one(call, "load_balancer_type", catalogue.LOAD_BALANCER_TYPES)
    return Answer(200, {"load_balancer_type": item})


def images(call: Call) -> Answer:
    """GET /images: deprecated ones only with include_deprecated."""
    types = paging.chosen(call.query, "type", _TYPES)
    statuses = paging.chosen(call.query, "status", _STATUSES)
    architectures = paging.chosen(call.query, "architecture", ("x86", "arm"))
    include_deprecated = paging.flag(call.query, "include_deprecated")
    bound_to = paging.values(call.query, "bound_to")
    found = [
        image
        for image in catalogue.IMAGES.values()
        if (not types or image["type"] in types)
        and (not statuses or image["status"] in statuses)
        and (not architectures or image["architecture"] in architectures)
        and (include_deprecated or image["deprecation"] is None)
        and not bound_to
    ]
    found = paging.by_labels(paging.by_name(found, call.query), call.query)
    return call.page("images", paging.in_order(found, call.query, IMAGE_SORTABLE), lambda item: item)


def image(call: Call) -> Answer:
    """GET /images/{id}."""
    return Answer(200, {"image": _one(call, "image", catalogue.IMAGES)})


def pricing(_call: Call) -> Answer:
    """GET /pricing."""
    return Answer(200, {"pricing": catalogue.pricing()})


def datacenters(_call: Call) -> Answer:
    """GET /datacenters and below: removed on 2026-10-01."""
    raise ApiError(
        410, "deprecated_api_endpoint", "API functionality was removed", {"announcement": DATACENTERS_REMOVED}
    )
