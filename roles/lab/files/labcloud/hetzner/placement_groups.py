# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placement groups of type spread: docs.hetzner.com/cloud/placement-groups/overview."""

from __future__ import annotations

from ..state import Item
from . import paging, times
from .call import Answer, Call
from .errors import limit_exceeded, refused

KIND = "placement_group"
SORTABLE = ("id", "name", "created")
TYPES = ("spread",)
MAX_SERVERS = 10
MAX_GROUPS = 50


def server_ids(call: Call, group_id: int) -> list[int]:
    """Return the servers of a group."""
    return [server["id"] for server in call.items("server").values() if server["placement_group"] == group_id]


def as_json(call: Call, group: Item) -> Item:
    """Return the public form."""
    return {**group, "servers": server_ids(call, group["id"])}


def check_room(call: Call, group: Item) -> None:
    """Raise when the spread cannot take another server."""
    if len(server_ids(call, group["id"])) >= MAX_SERVERS:
        raise refused(
            "placement_error", f"placement group {group['name']} has {MAX_SERVERS} servers, the most that can be spread"
        )


def listed(call: Call) -> Answer:
    """GET /placement_groups."""
    paging.chosen(call.query, "type", TYPES)
    return call.listed(KIND, "placement_groups", SORTABLE, lambda item: as_json(call, item))


def one(call: Call) -> Answer:
    """GET /placement_groups/{id}."""
    return Answer(200, {"placement_group": as_json(call, call.item(KIND))})


def create(call: Call) -> Answer:
    """POST /placement_groups."""
    fields = call.fields()
    name = fields.text("name", required=True, maximum=128)
    kind = fields.text("type", required=True, choices=TYPES)
    labels = fields.labels()
    fields.check()
    call.unique_name(KIND, str(name))
    if len(call.items(KIND)) >= MAX_GROUPS:
        raise limit_exceeded("placement_groups", f"placement group limit of {MAX_GROUPS} exceeded")
    group = {
        "id": call.cloud.state.next_id(),
        "name": name,
        "labels": labels or {},
        "type": kind,
        "created": times.now(),
    }
    call.put(KIND, group)
    return Answer(201, {"placement_group": as_json(call, group), "action": None})


def update(call: Call) -> Answer:
    """PUT /placement_groups/{id}."""
    group = dict(call.item(KIND))
    call.rename(KIND, group, call.fields())
    call.put(KIND, group)
    return Answer(200, {"placement_group": as_json(call, group)})


def delete(call: Call) -> Answer:
    """DELETE /placement_groups/{id}: the document names no refusal, so servers leave the group."""
    group = call.item(KIND)
    for server_id in server_ids(call, group["id"]):
        call.put("server", {**call.find("server", server_id), "placement_group": None})
    call.remove(KIND, group["id"])
    return Answer(204)
