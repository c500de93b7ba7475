# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls and what they are applied to: servers by id, or by label selector a moment after a label changes."""

from __future__ import annotations

from typing import Any

from ..state import Item
from . import firewall_rules, selector, times
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import ApiError, conflict, invalid_field, limit_exceeded, refused
from .fields import Fields

KIND = "firewall"
SORTABLE = ("id", "name", "created")
MAX_FIREWALLS_PER_SERVER = 5
_TARGET_FIELDS = ("type", "server", "label_selector")


def entry_of(server: Item, firewall_id: int) -> Item | None:
    """Return a server's entry for a firewall: {id, status, direct, selected}."""
    return next((entry for entry in server["firewalls"] if entry["id"] == firewall_id), None)


def _applied_to(call: Call, firewall: Item) -> list[Item]:
    servers = call.items("server").values()
    direct = [server["id"] for server in servers if (entry_of(server, firewall["id"]) or {}).get("direct")]
    found: list[Item] = [{"type": "server", "server": {"id": server_id}} for server_id in direct]
    for text in firewall["selectors"]:
        matched = selector.parse(text)
        resources = [
            {"type": "server", "server": {"id": server["id"]}}
            for server in servers
            if (entry_of(server, firewall["id"]) or {}).get("selected") and matched.matches(server["labels"])
        ]
        found.append(
            {"type": "label_selector", "label_selector": {"selector": text}, "applied_to_resources": resources}
        )
    return found


def as_json(call: Call, firewall: Item) -> Item:
    """Return the public form."""
    return {
        **{name: firewall[name] for name in ("id", "name", "labels", "created", "rules")},
        "applied_to": _applied_to(call, firewall),
    }


def listed(call: Call) -> Answer:
    """GET /firewalls."""
    return call.listed(KIND, "firewalls", SORTABLE, lambda item: as_json(call, item))


def one(call: Call) -> Answer:
    """GET /firewalls/{id}."""
    return Answer(200, {"firewall": as_json(call, call.item(KIND))})


def _selector(body: dict[str, Any], field: str) -> str:
    text = body.get("label_selector", {}).get("selector") if isinstance(body.get("label_selector"), dict) else None
    if not isinstance(text, str) or not text.strip():
        raise invalid_field(f"{field}.label_selector", "must have a selector")
    try:
        selector.parse(text)
    except selector.SelectorError as error:
        raise invalid_field(f"{field}.label_selector", str(error)) from error
    return text


def _targets(call: Call, bodies: list[dict[str, Any]], field: str, missing: int) -> tuple[list[Item], list[str]]:
    """Read targets; `missing` is the status for a server that does not exist (the document has both)."""
    servers: list[Item] = []
    selectors: list[str] = []
    for body in bodies:
        fields = Fields(body, _TARGET_FIELDS, f"{field}.")
        kind = fields.text("type", required=True, choices=("server", "label_selector"))
        fields.check()
        if kind == "label_selector":
            selectors.append(_selector(body, field))
            continue
        server_id = fields.object("server").get("id")
        if not isinstance(server_id, int):
            raise invalid_field(f"{field}.server", "must have an id")
        server = call.items("server").get(server_id)
        if server is None:
            raise ApiError(missing, "firewall_resource_not_found", f"server {server_id} not found")
        servers.append(server)
    return servers, selectors


def check_can_apply(server: Item, firewall_id: int | None = None) -> None:
    """Raise when a firewall cannot be applied to this server by its id."""
    if server["ipv4"] is None and server["ipv6"] is None:
        raise refused("private_net_only_server", f"server {server['name']} has no public interface")
    entry = None if firewall_id is None else entry_of(server, firewall_id)
    if entry is not None and entry["direct"]:
        raise refused("firewall_already_applied", f"firewall is already applied to server {server['name']}")
    if entry is None and len(server["firewalls"]) >= MAX_FIREWALLS_PER_SERVER:
        raise limit_exceeded("server_firewalls", f"a server can have at most {MAX_FIREWALLS_PER_SERVER} firewalls")


def apply_directly(server: Item, firewall_id: int) -> Item:
    """Return the server with the firewall pending, or its selector's entry made a direct one."""
    entry = entry_of(server, firewall_id)
    others = [other for other in server["firewalls"] if other["id"] != firewall_id]
    new = (
        {"id": firewall_id, "status": "pending", "direct": True, "selected": False}
        if entry is None
        else {**entry, "direct": True}
    )
    return {**server, "firewalls": [*others, new]}


def _begin_apply(call: Call, firewall: Item, servers: list[Item], selectors: list[str]) -> list[Item]:
    project, runner = call.project.name, call.cloud.runner
    begun = []
    for server in servers:
        call.put("server", apply_directly(server, firewall["id"]))
        resources = [(KIND, firewall["id"]), ("server", server["id"])]
        begun.append(runner.begin(project, "apply_firewall", resources, {"server": server["id"]}))
    if selectors:
        call.put(KIND, {**firewall, "selectors": [*firewall["selectors"], *selectors]})
        seconds = call.cloud.settings.label_seconds
        begun += [
            runner.begin(project, "apply_firewall", [(KIND, firewall["id"])], {"labels": True}, seconds=seconds)
            for _text in selectors
        ]
    return begun


def create(call: Call) -> Answer:
    """POST /firewalls."""
    fields = call.fields(("name", "labels", "rules", "apply_to"))
    name = fields.text("name", required=True, maximum=128)
    labels = fields.labels()
    rules = firewall_rules.parse(fields, required=False)
    bodies = fields.objects("apply_to")
    fields.check()
    call.unique_name(KIND, str(name))
    servers, selectors = _targets(call, bodies, "apply_to", missing=422)
    if len({server["id"] for server in servers}) != len(servers):
        raise refused("server_already_added", "a server is named more than once")
    for server in servers:
        check_can_apply(server)
    firewall: Item = {
        "id": call.cloud.state.next_id(),
        "name": name,
        "labels": labels or {},
        "created": times.now(),
        "rules": rules,
        "selectors": [],
    }
    call.put(KIND, firewall)
    begun = []
    if rules:
        begun.append(call.cloud.runner.at_once(call.project.name, "set_firewall_rules", [(KIND, firewall["id"])]))
    begun += _begin_apply(call, firewall, servers, selectors)
    answer = {"firewall": as_json(call, call.find(KIND, firewall["id"])), "actions": list(map(action_json, begun))}
    return Answer(201, answer)


def _unlocked(call: Call) -> Item:
    firewall = call.item(KIND)
    if call.cloud.runner.locks(call.project.name, firewall["id"]):
        raise conflict("another change of the firewall is running")
    return firewall


def update(call: Call) -> Answer:
    """PUT /firewalls/{id}."""
    firewall = dict(_unlocked(call))
    call.rename(KIND, firewall, call.fields(("name", "labels")))
    call.put(KIND, firewall)
    return Answer(200, {"firewall": as_json(call, firewall)})


def delete(call: Call) -> Answer:
    """DELETE /firewalls/{id}."""
    firewall = _unlocked(call)
    applied = any(entry_of(server, firewall["id"]) for server in call.items("server").values())
    if applied or firewall["selectors"]:
        raise refused("resource_in_use", f"firewall {firewall['name']} is still in use")
    call.remove(KIND, firewall["id"])
    return Answer(204)


def set_rules(call: Call) -> Answer:
    """POST /firewalls/{id}/actions/set_rules: replaces all."""
    firewall = _unlocked(call)
    fields = call.fields(("rules",))
    rules = firewall_rules.parse(fields, required=True)
    fields.check()
    call.put(KIND, {**firewall, "rules": rules})
    project, runner = call.project.name, call.cloud.runner
    begun = [
        runner.begin(
            project,
            "set_firewall_rules",
            [(KIND, firewall["id"])],
            {"firewall": firewall["id"]},
            locks=[firewall["id"]],
        )
    ]
    for server in call.items("server").values():
        if entry_of(server, firewall["id"]):
            resources = [(KIND, firewall["id"]), ("server", server["id"])]
            begun.append(runner.begin(project, "apply_firewall", resources, {"server": server["id"]}))
    return Answer(201, {"actions": list(map(action_json, begun))})


def apply_to_resources(call: Call) -> Answer:
    """POST /firewalls/{id}/actions/apply_to_resources."""
    firewall = call.item(KIND)
    fields = call.fields(("apply_to",))
    bodies = fields.objects("apply_to", required=True)
    fields.check()
    servers, selectors = _targets(call, bodies, "apply_to", missing=404)
    for server in servers:
        check_can_apply(server, firewall["id"])
    if any(text in firewall["selectors"] for text in selectors):
        raise refused("firewall_already_applied", "firewall is already applied to this label selector")
    begun = _begin_apply(call, firewall, servers, selectors)
    return Answer(201, {"actions": list(map(action_json, begun))})


def remove_from_resources(call: Call) -> Answer:
    """POST /firewalls/{id}/actions/remove_from_resources."""
    firewall = call.item(KIND)
    fields = call.fields(("remove_from",))
    bodies = fields.objects("remove_from", required=True)
    fields.check()
    servers, selectors = _targets(call, bodies, "remove_from", missing=404)
    for server in servers:
        entry = entry_of(server, firewall["id"])
        if entry is None:
            raise ApiError(404, "firewall_resource_not_found", f"server {server['name']} does not have the firewall")
        if not entry["direct"]:
            raise refused(
                "firewall_managed_by_label_selector", "firewall is applied via a label selector, remove that instead"
            )
    unknown = [text for text in selectors if text not in firewall["selectors"]]
    if unknown:
        raise ApiError(404, "firewall_resource_not_found", f"label selector {unknown[0]} is not applied")
    begun = _begin_remove(call, firewall, servers, selectors)
    return Answer(201, {"actions": list(map(action_json, begun))})


def _begin_remove(call: Call, firewall: Item, servers: list[Item], selectors: list[str]) -> list[Item]:
    project, runner = call.project.name, call.cloud.runner
    begun = []
    for server in servers:
        resources = [(KIND, firewall["id"]), ("server", server["id"])]
        arguments = {"server": server["id"], "firewall": firewall["id"]}
        begun.append(runner.begin(project, "remove_firewall", resources, arguments))
    if selectors:
        kept = [text for text in firewall["selectors"] if text not in selectors]
        call.put(KIND, {**firewall, "selectors": kept})
        seconds = call.cloud.settings.label_seconds
        begun += [
            runner.begin(project, "remove_firewall", [(KIND, firewall["id"])], {"labels": True}, seconds=seconds)
            for _text in selectors
        ]
    return begun
