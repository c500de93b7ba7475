# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Primary IPs: the public addresses that servers and load balancers have."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network

from ..state import Item
from . import addresses, catalogue, load_balancer_targets, paging, times
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import ApiError, invalid_field, not_found, protected, refused
from .fields import Fields

KIND = "primary_ip"
SORTABLE = ("id", "created")
TYPES = ("ipv4", "ipv6")
ASSIGNEES = ("server", "load_balancer")


def assignee(address: Item) -> tuple[str, int] | None:
    """Return kind and id of what has the address, or None."""
    return next(((kind, address[kind]) for kind in ASSIGNEES if address.get(kind)), None)


def as_json(address: Item) -> Item:
    """Return the public form; a free address has the assignee type `unassigned` (since 2026-08-01)."""
    kind, item_id = assignee(address) or ("unassigned", None)
    return {
        **{name: address[name] for name in ("id", "name", "labels", "created", "ip", "type", "auto_delete")},
        "location": catalogue.LOCATION_BY_NAME[address["location"]],
        "blocked": False,
        "dns_ptr": address["dns_ptr"],
        "protection": address["protection"],
        "assignee_type": kind,
        "assignee_id": item_id,
    }


def for_assignee(address: Item) -> Item:
    """Return the form that the public_net of its server or load balancer shows."""
    pointers = address["dns_ptr"]
    return {
        "id": address["id"],
        "ip": address["ip"],
        "blocked": False,
        "dns_ptr": pointers if address["type"] == "ipv6" else pointers[0]["dns_ptr"],
    }


def _free_ipv4(call: Call) -> str:
    state = call.cloud.state
    if call.project.api_only:
        pool = addresses.API_ONLY_PUBLIC_NETWORK
        projects = [project.name for project in state.projects.values() if project.api_only]
    else:
        pool = IPv4Network(call.cloud.settings.public_network)
        projects = [call.project.name]
    taken = {address["ip"] for project in projects for address in state.items(project, KIND).values()}
    found = addresses.free_public_ipv4(pool, taken)
    if found is None:
        raise refused("no_space_left_in_location", f"no public IPv4 address is free in {pool}")
    return found


def make(
    call: Call, kind: str, location: str, *, auto_delete: bool, name: str | None = None, labels: Item | None = None
) -> Item:
    """Make and write a free address."""
    address_id = call.cloud.state.next_id()
    ip = _free_ipv4(call) if kind == "ipv4" else addresses.public_ipv6(address_id)
    pointers = [] if kind == "ipv6" else [{"ip": ip, "dns_ptr": _default_pointer(ip)}]
    address = {
        "id": address_id,
        "name": name or f"primary_ip-{address_id}",
        "labels": labels or {},
        "created": times.now(),
        "ip": ip,
        "dns_ptr": pointers,
        "protection": {"delete": False},
        "type": kind,
        "auto_delete": auto_delete,
        "location": location,
        **dict.fromkeys(ASSIGNEES),
    }
    call.put(KIND, address)
    return address


def chosen(call: Call, public: Fields, location: str) -> list[Item]:
    """Return the addresses that a request for a server or load balancer names in its public_net. Raises."""
    found = []
    for kind in TYPES:
        address_id = public.integer(kind)
        if address_id is None:
            continue
        address = call.find(KIND, address_id)
        if address["type"] != kind:
            raise ApiError(412, "primary_ip_version_mismatch", f"primary IP {address_id} is no {kind} address")
        owner = assignee(address)
        if owner is not None:
            raise refused(
                "primary_ip_assigned", f"primary IP {address_id} is assigned to a {owner[0].replace('_', ' ')}"
            )
        if address["location"] != location:
            raise refused("primary_ip_datacenter_mismatch", f"primary IP {address_id} is in another location")
        found.append(address)
    return found


def _default_pointer(ip: str) -> str:
    return f"static.{'.'.join(reversed(ip.split('.')))}.clients.your-server.de"


def listed(call: Call) -> Answer:
    """GET /primary_ips."""
    wanted = paging.first(call.query, "ip")
    found = [address for address in call.items(KIND).values() if wanted in (None, address["ip"])]
    found = paging.by_labels(paging.by_name(found, call.query), call.query)
    return call.page("primary_ips", paging.in_order(found, call.query, SORTABLE), as_json)


def one(call: Call) -> Answer:
    """GET /primary_ips/{id}."""
    return Answer(200, {"primary_ip": as_json(call.item(KIND))})


def _assignee(call: Call, fields: Fields, kind: str | None, required: bool) -> Item | None:
    fields.text("assignee_type", required=required, choices=("server",))
    server_id = fields.integer("assignee_id", required=required)
    fields.check()
    if server_id is None:
        return None
    server = call.items("server").get(server_id)
    if server is None:
        raise not_found("server", server_id)
    if server["status"] != "off":
        raise refused("server_not_stopped", f"server {server['name']} must be powered off")
    if kind and server[kind] is not None:
        raise refused(f"server_has_{kind}", f"server {server['name']} has an {kind} address already")
    return server


def create(call: Call) -> Answer:
    """POST /primary_ips."""
    fields = call.fields(("name", "labels", "type", "location", "assignee_type", "assignee_id", "auto_delete"))
    name = fields.text("name", required=True)
    kind = fields.text("type", required=True, choices=TYPES)
    labels = fields.labels()
    auto_delete = fields.flag("auto_delete", False)
    reference = fields.reference("location")
    server = _assignee(call, fields, kind, required=False)
    place = server["location"] if server else None
    if reference is not None:
        found = catalogue.location(reference)
        if found is None:
            raise invalid_field("location", f"there is no location {reference}")
        place = found["name"]
    if place is None:
        raise invalid_field("location", "is required when there is no assignee")
    call.unique_name(KIND, str(name))
    address = make(call, str(kind), place, auto_delete=auto_delete, name=name, labels=labels)
    action = None
    if server is not None:
        _give(call, address, server)
        action = action_json(call.cloud.runner.at_once(call.project.name, "create_primary_ip", [(KIND, address["id"])]))
    return Answer(201, {"primary_ip": as_json(call.find(KIND, address["id"])), "action": action})


def _give(call: Call, address: Item, server: Item) -> None:
    call.put(KIND, {**address, "server": server["id"]})
    call.put("server", {**server, address["type"]: address["id"]})


def update(call: Call) -> Answer:
    """PUT /primary_ips/{id}."""
    address = dict(call.item(KIND))
    fields = call.fields(("name", "labels", "auto_delete"))
    address["auto_delete"] = fields.flag("auto_delete", address["auto_delete"])
    call.rename(KIND, address, fields)
    call.put(KIND, address)
    return Answer(200, {"primary_ip": as_json(address)})


def delete(call: Call) -> Answer:
    """DELETE /primary_ips/{id}: an assigned one is refused since 2026-05-01."""
    address = call.item(KIND)
    if address["protection"]["delete"]:
        raise protected("primary IP", "delete")
    if assignee(address) is not None:
        raise refused("must_be_unassigned", "the primary IP must be unassigned before it can be deleted")
    call.remove(KIND, address["id"])
    return Answer(204)


def _movable(call: Call) -> Item:
    if call.cloud.is_real(call.project.name):
        raise refused("unsupported_error", "the lab cannot move public addresses between real servers")
    return call.item(KIND)


def assign(call: Call) -> Answer:
    """POST /primary_ips/{id}/actions/assign."""
    address = _movable(call)
    server = _assignee(call, call.fields(("assignee_type", "assignee_id")), address["type"], required=True)
    if assignee(address) is not None:
        raise refused("primary_ip_already_assigned", "the primary IP is assigned already")
    if server is None or server["location"] != address["location"]:
        raise invalid_field("assignee_id", "the server is in another location")
    _give(call, address, server)
    return _done(call, "assign_primary_ip", address, server["id"])


def unassign(call: Call) -> Answer:
    """POST /primary_ips/{id}/actions/unassign."""
    address = _movable(call)
    server = call.items("server").get(address["server"] or 0)
    if server is None:
        raise invalid_field("assignee_id", "the primary IP is not assigned")
    if server["status"] != "off":
        raise refused("server_not_stopped", f"server {server['name']} must be powered off")
    if address["type"] == "ipv4" and load_balancer_targets.uses_public_address(call.items, server["id"]):
        raise refused("server_is_load_balancer_target", "the address is the target of a load balancer")
    call.put(KIND, {**address, "server": None})
    call.put("server", {**server, address["type"]: None})
    return _done(call, "unassign_primary_ip", address, server["id"])


def _done(call: Call, command: str, address: Item, server_id: int | None = None) -> Answer:
    resources = [(KIND, address["id"])] + ([("server", server_id)] if server_id else [])
    action = call.cloud.runner.at_once(call.project.name, command, resources)
    return Answer(201, {"action": action_json(action)})


def set_pointer(call: Call, address: Item, fields: Fields) -> None:
    """Change one reverse DNS entry; null puts the default back (IPv4) or removes it (IPv6)."""
    ip = fields.text("ip", required=True)
    pointer = None if call.body.get("dns_ptr") is None else fields.text("dns_ptr")
    fields.check()
    kept = [entry for entry in address["dns_ptr"] if entry["ip"] != ip]
    if pointer is None and address["type"] == "ipv4":
        pointer = _default_pointer(str(ip))
    new = [{"ip": ip, "dns_ptr": pointer}] if pointer is not None else []
    call.put(KIND, {**address, "dns_ptr": [*kept, *new]})


def change_dns_ptr(call: Call) -> Answer:
    """POST /primary_ips/{id}/actions/change_dns_ptr."""
    address = call.item(KIND)
    set_pointer(call, address, call.fields())
    return _done(call, "change_dns_ptr", address)


def change_protection(call: Call) -> Answer:
    """POST /primary_ips/{id}/actions/change_protection."""
    address = call.item(KIND)
    fields = call.fields()
    delete_protection = fields.flag("delete", address["protection"]["delete"])
    fields.check()
    if delete_protection and address["auto_delete"]:
        raise invalid_field("delete", "protection needs auto_delete to be false")
    call.put(KIND, {**address, "protection": {"delete": delete_protection}})
    return _done(call, "change_protection", address)


def covers(address: Item, ip: str) -> bool:
    """Say whether a single IP is this address, or lies in its /64."""
    try:
        return ip_address(ip) in ip_network(address["ip"])
    except ValueError:
        return False
