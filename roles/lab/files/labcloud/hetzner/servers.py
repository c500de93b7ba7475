# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers: reading, creation, change of name and labels, deletion. What runs on one is in server_actions.py."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from ..state import Item
from . import (
    addresses,
    catalogue,
    firewalls,
    load_balancer_targets,
    networks,
    paging,
    placement_groups,
    primary_ips,
    times,
    volumes,
)
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import ApiError, invalid_field, locked, protected, refused
from .fields import Fields

KIND = "server"
SORTABLE = ("id", "name", "created")
STATUSES = ("running", "initializing", "starting", "stopping", "off", "deleting", "migrating", "rebuilding", "unknown")
DEFAULT_LOCATION = "fsn1"
MAX_USER_DATA = 32 * 1024  # bytes
# RFC 1123: labels of letters, digits and dashes, joined by periods.
HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)


def _private_net(entry: Item) -> Item:
    return {name: entry[name] for name in ("network", "ip", "alias_ips", "mac_address")}


def _public_net(call: Call, server: Item) -> Item:
    own = call.items(primary_ips.KIND)
    return {
        **{
            kind: primary_ips.for_assignee(own[server[kind]]) if server[kind] in own else None
            for kind in primary_ips.TYPES
        },
        "floating_ips": [],
        "firewalls": [{"id": entry["id"], "status": entry["status"]} for entry in server["firewalls"]],
    }


def as_json(call: Call, server: Item) -> Item:
    """Return the public form."""
    server_type = catalogue.server_type_json(server["server_type"], call.cloud.state.stock)
    group = call.items(placement_groups.KIND).get(server["placement_group"] or 0)
    prices = {price["location"]: price for price in server_type["prices"]}
    return {
        **{name: server[name] for name in ("id", "name", "status", "created", "labels", "protection", "backup_window")},
        "public_net": _public_net(call, server),
        "private_net": [_private_net(entry) for entry in server["private"] if entry["status"] != "attaching"],
        "server_type": server_type,
        "location": catalogue.LOCATION_BY_NAME[server["location"]],
        "image": catalogue.IMAGES.get(server["image"] or 0),
        "iso": None,
        "rescue_enabled": False,
        "locked": call.cloud.runner.locks(call.project.name, server["id"]),
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": prices[server["location"]]["included_traffic"],
        "volumes": volumes.volumes_of(call, server["id"]),
        "load_balancers": load_balancer_targets.balancers_of(call.items, server["id"]),
        "primary_disk_size": server["disk"],
        "placement_group": placement_groups.as_json(call, group) if group else None,
    }


def listed(call: Call) -> Answer:
    """GET /servers."""
    statuses = paging.chosen(call.query, "status", STATUSES)
    found = [server for server in call.items(KIND).values() if not statuses or server["status"] in statuses]
    found = paging.by_labels(paging.by_name(found, call.query), call.query)
    return call.page("servers", paging.in_order(found, call.query, SORTABLE), lambda item: as_json(call, item))


def one(call: Call) -> Answer:
    """GET /servers/{id}."""
    return Answer(200, {"server": as_json(call, call.item(KIND))})


def unlocked(call: Call) -> Item:
    """Return the server named by the path. Raises 423 while an action runs on it."""
    server = call.item(KIND)
    if call.cloud.runner.locks(call.project.name, server["id"]):
        raise locked(f"server {server['name']}")
    return server


def check_type(server_type: Item, place: str, stock: dict[tuple[str, str], bool]) -> None:
    """Raise when a type cannot be had in a location: never, no longer, or not now."""
    entry = next((entry for entry in server_type["locations"] if entry["name"] == place), None)
    if entry is None:
        raise invalid_field("location", f"unsupported location for server type {server_type['name']}")
    if entry["deprecation"] and times.is_past(entry["deprecation"]["unavailable_after"]):
        raise invalid_field("server_type", f"server type {server_type['name']} is deprecated in location {place}")
    if not stock.get((server_type["name"], place), True):
        raise ApiError(
            412, "resource_unavailable", f"server type {server_type['name']} is currently unavailable in {place}"
        )


@dataclass
class _Order:
    """A checked request for a server."""

    name: str
    labels: dict[str, str]
    server_type: Item
    location: str
    image: Item
    ssh_keys: list[Item]
    user_data: str
    group: Item | None
    networks: list[Item]
    firewalls: list[Item]
    ipv4: bool
    ipv6: bool
    own_addresses: list[Item]
    volumes: list[Item]
    start: bool


def _user_data(fields: Fields) -> str:
    user_data = fields.text("user_data") or ""
    if len(user_data.encode()) > MAX_USER_DATA:
        fields.fault("user_data", f"is too long: at most {MAX_USER_DATA} bytes")
    return user_data


def find_image(reference: str, architecture: str) -> Item:
    """Return an image for an architecture. Raises 422."""
    image = catalogue.image(reference, architecture)
    if image is None:
        raise invalid_field("image", f"image {reference} not found for architecture {architecture}")
    if image["architecture"] != architecture:
        raise invalid_field("image", f"image {reference} is for architecture {image['architecture']}")
    if image["deprecation"] and times.is_past(image["deprecation"]["unavailable_after"]):
        raise invalid_field("image", f"image {reference} is no longer available")
    return image


def _ssh_keys(call: Call, references: list[str]) -> list[Item]:
    keys = call.items("ssh_key").values()
    found = []
    for reference in references:
        key = next((key for key in keys if reference in (str(key["id"]), key["name"])), None)
        if key is None:
            raise invalid_field("ssh_keys", f"SSH key {reference} not found")
        found.append(key)
    return found


def _order(call: Call) -> _Order:
    fields = call.fields()
    name = fields.text("name", required=True, pattern=HOSTNAME)
    labels = fields.labels()
    type_reference = fields.reference("server_type", required=True)
    image_reference = fields.reference("image", required=True)
    location_reference = fields.reference("location") or DEFAULT_LOCATION
    key_references = fields.references("ssh_keys")
    network_ids = fields.integers("networks")
    bodies = fields.objects("firewalls")
    firewall_ids = [Fields(body, ("firewall",), "firewalls.").integer("firewall", required=True) for body in bodies]
    group_id = fields.integer("placement_group")
    start = fields.flag("start_after_create", True)
    user_data = _user_data(fields)
    public = Fields(fields.object("public_net"), ("enable_ipv4", "enable_ipv6", "ipv4", "ipv6"), "public_net.")
    ipv4, ipv6 = public.flag("enable_ipv4", True), public.flag("enable_ipv6", True)
    fields.faults.update(public.faults)
    volume_ids = volumes.wanted_by_server(fields)
    if start and not ipv4 and not ipv6 and not network_ids:
        fields.fault("public_net", "a server needs a public IPv4, a public IPv6 or a private network")
    server_type = catalogue.server_type(str(type_reference)) if type_reference else None
    location = catalogue.location(location_reference)
    if type_reference and server_type is None:
        fields.fault("server_type", f"server type {type_reference} not found")
    if location is None:
        fields.fault("location", f"location {location_reference} not found")
    fields.check()
    if server_type is None or location is None:
        raise invalid_field("server_type", "missing")
    return _Order(
        name=str(name),
        labels=labels or {},
        server_type=server_type,
        location=location["name"],
        image=find_image(str(image_reference), server_type["architecture"]),
        ssh_keys=_ssh_keys(call, key_references),
        user_data=user_data,
        group=None if group_id is None else call.find(placement_groups.KIND, group_id),
        networks=[call.find(networks.KIND, network_id) for network_id in dict.fromkeys(network_ids)],
        firewalls=[call.find(firewalls.KIND, item_id or 0) for item_id in dict.fromkeys(firewall_ids)],
        ipv4=ipv4,
        ipv6=ipv6,
        volumes=volumes.for_server(call, volume_ids, location["name"]),
        own_addresses=primary_ips.chosen(call, public, location["name"]),
        start=start,
    )


def _check(call: Call, order: _Order) -> list[Item]:
    """Raise when the order cannot be had now; return its entries in the private networks."""
    call.unique_name(KIND, order.name)
    check_type(order.server_type, order.location, call.cloud.state.stock)
    if order.group is not None:
        placement_groups.check_room(call, order.group)
    if order.firewalls and not order.ipv4 and not order.ipv6:
        raise refused("private_net_only_server", "a server without public interface cannot have a firewall")
    zone = catalogue.LOCATION_BY_NAME[order.location]["network_zone"]
    check_overlaps(order.networks)
    return [
        {
            "network": network["id"],
            "ip": networks.place(call, network, zone),
            "alias_ips": [],
            "mac_address": "",
            "status": "attaching",
        }
        for network in order.networks
    ]


def check_overlaps(wanted: list[Item]) -> None:
    """Raise when two networks of a server overlap."""
    ranges = [IPv4Network(network["ip_range"]) for network in wanted]
    for index, network in enumerate(ranges):
        if any(network.overlaps(other) for other in ranges[:index]):
            raise refused("networks_overlap", f"network {network} overlaps with another network of the server")


def new_record(server_id: int, name: str, server_type: Item, location: str, image_id: int | None) -> Item:
    """Return the record of a server with nothing attached."""
    return {
        "id": server_id,
        "name": name,
        "status": "initializing",
        "created": times.now(),
        "labels": {},
        "server_type": server_type["name"],
        "location": location,
        "image": image_id,
        "disk": server_type["disk"],
        "protection": {"delete": False, "rebuild": False},
        "backup_window": None,
        "placement_group": None,
        "ipv4": None,
        "ipv6": None,
        "firewalls": [],
        "private": [],
        "ssh_public_keys": [],
        "user_data": "",
    }


def _public_addresses(call: Call, order: _Order, server_id: int) -> dict[str, int | None]:
    own = {address["type"]: address for address in order.own_addresses}
    found: dict[str, int | None] = {}
    for kind, wanted in (("ipv4", order.ipv4), ("ipv6", order.ipv6)):
        if not wanted:
            found[kind] = None
            continue
        address = own.get(kind) or primary_ips.make(call, kind, order.location, auto_delete=True)
        call.put(primary_ips.KIND, {**address, "server": server_id})
        found[kind] = address["id"]
    return found


def create(call: Call) -> Answer:
    """POST /servers."""
    order = _order(call)
    private = _check(call, order)
    server_id = call.cloud.state.next_id()
    server = {
        **new_record(server_id, order.name, order.server_type, order.location, order.image["id"]),
        **_public_addresses(call, order, server_id),
        "labels": order.labels,
        "placement_group": order.group["id"] if order.group else None,
        "private": [{**entry, "mac_address": addresses.mac(server_id, entry["network"])} for entry in private],
        "ssh_public_keys": [key["public_key"] for key in order.ssh_keys],
        "user_data": order.user_data,
    }
    for firewall in order.firewalls:
        server = firewalls.apply_directly(server, firewall["id"])
    call.put(KIND, server)
    action, following = _begin(call, order, server)
    call.cloud.labels_changed(call.project.name)
    return Answer(
        201,
        {
            "server": as_json(call, server),
            "action": action_json(action),
            "next_actions": list(map(action_json, following)),
            "root_password": None if order.ssh_keys else secrets.token_urlsafe(15),
        },
    )


def _begin(call: Call, order: _Order, server: Item) -> tuple[Item, list[Item]]:
    project, runner, server_id = call.project.name, call.cloud.runner, server["id"]
    arguments: dict[str, Any] = {"server": server_id}
    action = runner.begin(project, "create_server", [(KIND, server_id)], arguments, locks=[server_id])
    following = []
    for entry in server["private"]:
        resources = [(KIND, server_id), (networks.KIND, entry["network"])]
        more = {**arguments, "network": entry["network"]}
        following.append(
            runner.begin(project, "attach_to_network", resources, more, locks=[server_id], after=[action["id"]])
        )
    following += [volumes.begin_attach(call, volume, server_id, [action["id"]]) for volume in order.volumes]
    if order.start:
        before = [action["id"], *(earlier["id"] for earlier in following)]
        resources = [(KIND, server_id)]
        following.append(runner.begin(project, "start_server", resources, arguments, locks=[server_id], after=before))
    return action, following


def update(call: Call) -> Answer:
    """PUT /servers/{id}: name and labels."""
    server = dict(call.item(KIND))
    fields = call.fields()
    if "name" in fields:
        fields.text("name", pattern=HOSTNAME)
    call.rename(KIND, server, fields)
    call.put(KIND, server)
    if "labels" in fields:
        call.cloud.labels_changed(call.project.name)
    return Answer(200, {"server": as_json(call, server)})


def delete(call: Call) -> Answer:
    """DELETE /servers/{id}."""
    server = unlocked(call)
    if server["protection"]["delete"]:
        raise protected("server", "delete")
    call.put(KIND, {**server, "status": "deleting"})
    server_id = server["id"]
    action = call.cloud.runner.begin(
        call.project.name, "delete_server", [(KIND, server_id)], {"server": server_id}, locks=[server_id]
    )
    return Answer(200, {"action": action_json(action)})
