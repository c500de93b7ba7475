# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls that read actions."""

from __future__ import annotations

from ..state import Item
from . import paging
from .action_record import KIND, as_json
from .call import Answer, Call
from .errors import ApiError, not_found

MAX_IDS = 25  # more ids in one GET /actions are silently dropped (hcloud-go, pull request 611)
STATUSES = ("running", "success", "error")
SORTABLE = ("id", "command", "status", "started", "finished")
UNFILTERED_LIST = "https://docs.hetzner.cloud/changelog#2023-07-20-actions-list-endpoint-is-deprecated"


def _visible(call: Call) -> list[Item]:
    return [action for action in call.items(KIND).values() if not action["hidden"]]


def _of(action: Item, kind: str, item_id: int | None = None) -> bool:
    return any(resource["type"] == kind and item_id in (None, resource["id"]) for resource in action["resources"])


def _listed(call: Call, actions: list[Item]) -> Answer:
    statuses = paging.chosen(call.query, "status", STATUSES)
    if statuses:
        actions = [action for action in actions if action["status"] in statuses]
    actions = paging.in_order(actions, call.query, SORTABLE)
    return call.page("actions", actions, as_json)


def several(call: Call) -> Answer:
    """GET /actions: those named by `id`; the unfiltered list was removed on 2025-01-30."""
    ids = call.ids_asked_for()
    if not ids:
        raise ApiError(
            410, "deprecated_api_endpoint", "API functionality was removed", {"announcement": UNFILTERED_LIST}
        )
    wanted = ids[:MAX_IDS]
    # This list has neither pages nor `meta`.
    return Answer(200, {"actions": [as_json(action) for action in _visible(call) if action["id"] in wanted]})


def one(call: Call) -> Answer:
    """GET /actions/{id}."""
    action = call.items(KIND).get(call.path_id)
    if action is None or action["hidden"]:
        raise not_found("action", call.path_id)
    return Answer(200, {"action": as_json(action)})


def all_of_kind(call: Call, kind: str) -> Answer:
    """GET /<kind>s/actions."""
    ids = call.ids_asked_for()
    actions = [action for action in _visible(call) if _of(action, kind) and (not ids or action["id"] in ids)]
    return _listed(call, actions)


def one_of_kind(call: Call, kind: str) -> Answer:
    """GET /<kind>s/actions/{id}."""
    action = call.items(KIND).get(call.path_id)
    if action is None or action["hidden"] or not _of(action, kind):
        raise not_found("action", call.path_id)
    return Answer(200, {"action": as_json(action)})


def all_of_item(call: Call, kind: str) -> Answer:
    """GET /<kind>s/{id}/actions; for a deleted item the vendor answers 404, so the item is looked up first."""
    item = call.item(kind)
    return _listed(call, [action for action in _visible(call) if _of(action, kind, item["id"])])


def one_of_item(call: Call, kind: str) -> Answer:
    """GET /<kind>s/{id}/actions/{action_id} (deprecated on 2026-04-30, still there)."""
    item = call.item(kind)
    action_id = call.path_ids["action_id"]
    action = call.items(KIND).get(action_id)
    if action is None or action["hidden"] or not _of(action, kind, item["id"]):
        raise not_found("action", action_id)
    return Answer(200, {"action": as_json(action)})
