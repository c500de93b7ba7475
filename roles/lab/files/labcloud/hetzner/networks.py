# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks with subnets and routes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ..state import Item
from . import addresses, catalogue, load_balancer_targets, paging, times
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import ApiError, conflict, invalid_field, protected, refused
from .fields import Fields

KIND = "network"
SORTABLE = ("id", "name", "created")
MEMBER_STATUSES = ("ok", "attaching", "detaching", "updating", "error")
MEMBER_TYPES = ("server", "load_balancer")
MAX_MEMBERS = 100  # servers and load balancers of one network (docs.hetzner.com/networking/networks/overview)
SMALLEST_NETWORK = 24
SMALLEST_SUBNET = 30
_SUBNET_FIELDS = ("type", "ip_range", "network_zone", "vswitch_id")
_ROUTE_FIELDS = ("destination", "gateway")


def members(call: Call, network_id: int) -> list[tuple[str, Item, Item]]:
    """Return kind, item and entry of everything in a network, in whatever state."""
    return [
        (kind, item, entry)
        for kind in MEMBER_TYPES
        for item in call.items(kind).values()
        for entry in item["private"]
        if entry["network"] == network_id
    ]


def taken_addresses(call: Call, network_id: int) -> set[str]:
    """Return every address that a member of the network has or is about to get."""
    return {ip for _kind, _item, entry in members(call, network_id) for ip in (entry["ip"], *entry["alias_ips"])}


def as_json(call: Call, network: Item) -> Item:
    """Return the public form."""
    attached = [
        (kind, item["id"]) for kind, item, entry in members(call, network["id"]) if entry["status"] != "attaching"
    ]
    return {
        **network,
        "servers": [item_id for kind, item_id in attached if kind == "server"],
        "load_balancers": [item_id for kind, item_id in attached if kind == "load_balancer"],
    }


def listed(call: Call) -> Answer:
    """GET /networks."""
    return call.listed(KIND, "networks", SORTABLE, lambda item: as_json(call, item))


def one(call: Call) -> Answer:
    """GET /networks/{id}."""
    return Answer(200, {"network": as_json(call, call.item(KIND))})


def _network_range(fields: Fields) -> IPv4Network | None:
    text = fields.text("ip_range", required=True)
    if text is None:
        return None
    network = addresses.network_of(text)
    if network is None:
        fields.fault("ip_range", "must be an IPv4 network in CIDR notation without host bits")
    elif not addresses.is_private(network):
        fields.fault("ip_range", "must be in one of the private ranges of RFC 1918")
    elif network.prefixlen > SMALLEST_NETWORK:
        fields.fault("ip_range", f"is too small: at least /{SMALLEST_NETWORK}")
    else:
        return network
    return None


def _subnet(body: dict[str, Any], network: Item) -> Item:
    fields = Fields(body, _SUBNET_FIELDS)
    kind = fields.text("type", required=True, choices=("cloud", "server", "vswitch"))
    zone = fields.text("network_zone", required=True, choices=catalogue.NETWORK_ZONES)
    vswitch_id = fields.integer("vswitch_id", required=kind == "vswitch")
    if kind != "vswitch" and vswitch_id is not None:
        fields.fault("vswitch_id", "only for subnets of type vswitch")
    text = fields.text("ip_range")
    fields.check()
    subnet = _subnet_range(text, network)
    if any(other["network_zone"] != zone for other in network["subnets"]):
        raise invalid_field("network_zone", "all subnets of a network must be in the same network zone")
    return {
        "type": kind,
        "ip_range": str(subnet),
        "network_zone": zone,
        "gateway": str(addresses.gateway(network["ip_range"])),
        "vswitch_id": vswitch_id,
    }


def _subnet_range(text: str | None, network: Item) -> IPv4Network:
    whole = IPv4Network(network["ip_range"])
    used = [IPv4Network(subnet["ip_range"]) for subnet in network["subnets"]]
    routed = [IPv4Network(route["destination"]) for route in network["routes"]]
    routed = [destination for destination in routed if destination != addresses.ANYWHERE]
    if text is None:
        free = addresses.free_subnet(whole, used + routed)
        if free is None:
            raise invalid_field("ip_range", "is needed: there is no free /24 in the network")
        return free
    subnet = addresses.network_of(text)
    if subnet is None:
        raise invalid_field("ip_range", "must be an IPv4 network in CIDR notation without host bits")
    if subnet.prefixlen > SMALLEST_SUBNET:
        raise invalid_field("ip_range", f"is too small: at least /{SMALLEST_SUBNET}")
    if not subnet.subnet_of(whole):
        raise invalid_field("ip_range", f"must be in the network's ip_range {whole}")
    if any(subnet.overlaps(other) for other in used):
        raise refused("networks_overlap", f"subnet {subnet} overlaps with another subnet of the network")
    if any(subnet.overlaps(destination) for destination in routed):
        raise refused("networks_overlap", f"subnet {subnet} overlaps with the destination of a route")
    return subnet


def _route(body: dict[str, Any], network: Item) -> Item:
    fields = Fields(body, _ROUTE_FIELDS)
    destination_text = fields.text("destination", required=True)
    gateway_text = fields.text("gateway", required=True)
    fields.check()
    destination = addresses.network_of(destination_text or "")
    gateway = addresses.address_of(gateway_text or "")
    if destination is None or not (addresses.is_private(destination) or destination == addresses.ANYWHERE):
        raise invalid_field("destination", "must be a network of RFC 1918 in CIDR notation, or 0.0.0.0/0")
    if gateway is None or gateway not in IPv4Network(network["ip_range"]):
        raise invalid_field("gateway", f"must be an address of the network {network['ip_range']}")
    if gateway in (addresses.gateway(network["ip_range"]), addresses.PUBLIC_GATEWAY):
        raise invalid_field("gateway", f"must not be {gateway}")
    if destination != addresses.ANYWHERE:
        _check_destination(destination, network)
    elif any(route["destination"] == str(destination) for route in network["routes"]):
        raise invalid_field("destination", "there is a route to it already")
    return {"destination": str(destination), "gateway": str(gateway)}


def _check_destination(destination: IPv4Network, network: Item) -> None:
    if addresses.PUBLIC_GATEWAY in destination:
        raise invalid_field("destination", f"must not overlap with {addresses.PUBLIC_GATEWAY}")
    if any(destination.overlaps(IPv4Network(subnet["ip_range"])) for subnet in network["subnets"]):
        raise invalid_field("destination", "must not overlap with a subnet")
    others = [route["destination"] for route in network["routes"] if route["destination"] != str(addresses.ANYWHERE)]
    if any(destination.overlaps(IPv4Network(other)) for other in others):
        raise invalid_field("destination", "must not overlap with the destination of another route")


def create(call: Call) -> Answer:
    """POST /networks."""
    fields = call.fields(("name", "ip_range", "labels", "subnets", "routes", "expose_routes_to_vswitch"))
    name = fields.text("name", required=True, maximum=128)
    labels = fields.labels()
    network_range = _network_range(fields)
    subnets, routes = fields.objects("subnets"), fields.objects("routes")
    expose = fields.flag("expose_routes_to_vswitch", False)
    fields.check()
    call.unique_name(KIND, str(name))
    network: Item = {
        "name": name,
        "ip_range": str(network_range),
        "subnets": [],
        "routes": [],
        "protection": {"delete": False},
        "labels": labels or {},
        "created": times.now(),
        "expose_routes_to_vswitch": expose,
    }
    for body in subnets:
        network["subnets"].append(_subnet(body, network))
    for body in routes:
        network["routes"].append(_route(body, network))
    network["id"] = call.cloud.state.next_id()
    call.put(KIND, network)
    call.cloud.runner.begin(call.project.name, "lab_create_network", [(KIND, network["id"])], seconds=0, hidden=True)
    return Answer(201, {"network": as_json(call, network)})


def _unlocked(call: Call) -> Item:
    network = call.item(KIND)
    if call.cloud.runner.locks(call.project.name, network["id"]):
        raise conflict("another change of the network is running")
    return network


def update(call: Call) -> Answer:
    """PUT /networks/{id}."""
    network = dict(_unlocked(call))
    fields = call.fields(("name", "labels", "expose_routes_to_vswitch"))
    network["expose_routes_to_vswitch"] = fields.flag("expose_routes_to_vswitch", network["expose_routes_to_vswitch"])
    call.rename(KIND, network, fields)
    call.put(KIND, network)
    return Answer(200, {"network": as_json(call, network)})


def delete(call: Call) -> Answer:
    """DELETE /networks/{id}: attached resources are detached."""
    network = _unlocked(call)
    if network["protection"]["delete"]:
        raise protected("network", "delete")
    for kind, item, _entry in members(call, network["id"]):
        kept = [entry for entry in item["private"] if entry["network"] != network["id"]]
        call.put(kind, {**item, "private": kept})
        if kind == "load_balancer":
            load_balancer_targets.leave_network(call, item["id"])
    call.remove(KIND, network["id"])
    call.cloud.runner.begin(call.project.name, "lab_delete_network", [(KIND, network["id"])], seconds=0, hidden=True)
    return Answer(204)


def _changed(call: Call, network: Item, command: str) -> Answer:
    """Write a change; the API shows it at once, the action says when every member has it."""
    call.put(KIND, network)
    action = call.cloud.runner.begin(
        call.project.name, command, [(KIND, network["id"])], {"work": "nothing"}, locks=[network["id"]]
    )
    return Answer(201, {"action": action_json(action)})


def add_subnet(call: Call) -> Answer:
    """POST /networks/{id}/actions/add_subnet."""
    network = _unlocked(call)
    subnet = _subnet(call.body, network)
    return _changed(call, {**network, "subnets": [*network["subnets"], subnet]}, "add_subnet")


def delete_subnet(call: Call) -> Answer:
    """POST /networks/{id}/actions/delete_subnet: refused while something is attached to the subnet."""
    network = _unlocked(call)
    fields = call.fields(("ip_range",))
    text = fields.text("ip_range", required=True)
    fields.check()
    kept = [subnet for subnet in network["subnets"] if subnet["ip_range"] != text]
    if len(kept) == len(network["subnets"]):
        raise invalid_field("ip_range", "there is no such subnet")
    subnet = IPv4Network(str(text))
    if any(IPv4Address(entry["ip"]) in subnet for _kind, _item, entry in members(call, network["id"])):
        raise refused("resource_in_use", "the subnet has attached resources")
    return _changed(call, {**network, "subnets": kept}, "delete_subnet")


def add_route(call: Call) -> Answer:
    """POST /networks/{id}/actions/add_route."""
    network = _unlocked(call)
    route = _route(call.body, network)
    return _changed(call, {**network, "routes": [*network["routes"], route]}, "add_route")


def delete_route(call: Call) -> Answer:
    """POST /networks/{id}/actions/delete_route."""
    network = _unlocked(call)
    fields = call.fields(_ROUTE_FIELDS)
    wanted = {
        "destination": fields.text("destination", required=True),
        "gateway": fields.text("gateway", required=True),
    }
    fields.check()
    if wanted not in network["routes"]:
        raise invalid_field("destination", "there is no such route")
    kept = [route for route in network["routes"] if route != wanted]
    return _changed(call, {**network, "routes": kept}, "delete_route")


def change_ip_range(call: Call) -> Answer:
    """POST /networks/{id}/actions/change_ip_range: only a shorter prefix with the same first address."""
    network = _unlocked(call)
    fields = call.fields(("ip_range",))
    wanted = _network_range(fields)
    fields.check()
    present = IPv4Network(network["ip_range"])
    if wanted is None or wanted.network_address != present.network_address or wanted.prefixlen > present.prefixlen:
        raise invalid_field("ip_range", f"can only be extended at its end: {present} with a shorter prefix")
    return _changed(call, {**network, "ip_range": str(wanted)}, "change_ip_range")


def change_protection(call: Call) -> Answer:
    """POST /networks/{id}/actions/change_protection."""
    network = _unlocked(call)
    fields = call.fields(("delete",))
    delete_protection = fields.flag("delete", network["protection"]["delete"])
    fields.check()
    call.put(KIND, {**network, "protection": {"delete": delete_protection}})
    action = call.cloud.runner.at_once(call.project.name, "change_protection", [(KIND, network["id"])])
    return Answer(201, {"action": action_json(action)})


def member_list(call: Call) -> Answer:
    """GET /networks/{id}/members (since 2026-09-15)."""
    network = call.item(KIND)
    types = paging.chosen(call.query, "type", MEMBER_TYPES)
    statuses = paging.chosen(call.query, "status", MEMBER_STATUSES)
    subnets = paging.values(call.query, "subnet")
    found = [_member(network, *member) for member in members(call, network["id"])]
    found = [
        member
        for member in found
        if (not types or member["type"] in types)
        and (not statuses or member["status"] in statuses)
        and (not subnets or member["subnet"] in subnets)
    ]
    return call.page("members", paging.in_order(found, call.query, ("id", "type", "ip", "status")), lambda item: item)


def _member(network: Item, kind: str, item: Item, entry: Item) -> Item:
    return {
        "id": item["id"],
        "type": kind,
        "ip": entry["ip"],
        "alias_ips": entry["alias_ips"],
        "subnet": str(subnet_of(network, entry["ip"])),
        "status": entry["status"],
    }


def subnet_of(network: Item, ip: str) -> IPv4Network | None:
    """Return the subnet that an address lies in, or None."""
    address = IPv4Address(ip)
    subnets = [IPv4Network(subnet["ip_range"]) for subnet in network["subnets"]]
    return next((subnet for subnet in subnets if address in subnet), None)


def place(call: Call, network: Item, zone: str, wanted_ip: str | None = None, ip_range: str | None = None) -> str:
    """Return the address a new member gets, or raise what the vendor says when there is none."""
    usable = [
        IPv4Network(subnet["ip_range"])
        for subnet in network["subnets"]
        if subnet["type"] != "vswitch" and subnet["network_zone"] == zone and ip_range in (None, subnet["ip_range"])
    ]
    if len(members(call, network["id"])) >= MAX_MEMBERS:
        raise ApiError(
            403, "resource_limit_exceeded", "network member limit exceeded", {"limits": [{"name": "network_members"}]}
        )
    taken = taken_addresses(call, network["id"])
    if wanted_ip is not None:
        address = addresses.address_of(wanted_ip)
        if address is None:
            raise invalid_field("ip", "must be an IPv4 address")
        fits = any(addresses.is_usable(address, subnet, network["ip_range"]) for subnet in usable)
        if not fits or wanted_ip in taken:
            raise refused("ip_not_available", f"the IP {wanted_ip} is not available in the network")
        return wanted_ip
    free = (addresses.free_address(subnet, network["ip_range"], taken) for subnet in usable)
    found = next((address for address in free if address), None)
    if found is None:
        raise refused("no_subnet_available", f"no subnet or IP is available in the network for zone {zone}")
    return found


def check_aliases(call: Call, network: Item, alias_ips: list[str], own: Item | None, ip: str) -> None:
    """Raise when an alias address cannot be had; `own` is the member's present entry, whose aliases are its own."""
    taken = taken_addresses(call, network["id"]) - set(own["alias_ips"] if own else [])
    seen = {ip}
    for alias in alias_ips:
        address = addresses.address_of(alias)
        if address is None:
            raise invalid_field("alias_ips", f"{alias!r} is no IPv4 address")
        subnet = subnet_of(network, alias)
        if subnet is None or not addresses.is_usable(address, subnet, network["ip_range"]) or alias in taken | seen:
            raise invalid_field("alias_ips", f"{alias} is not available in the network")
        seen.add(alias)
