# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers: reading, creation, change of name and labels, deletion. Actions are in load_balancer_actions.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network

from ..balancers import HEALTHY, UNHEALTHY, UNKNOWN, TargetHealth
from ..state import Item
from . import catalogue, load_balancer_services, load_balancer_targets, networks, primary_ips, times
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import ApiError, invalid_field, limit_exceeded, locked, protected, refused
from .fields import Fields

KIND = "load_balancer"
SORTABLE = ("id", "name", "created")
ALGORITHMS = ("round_robin", "least_connections")
NAME = re.compile(r"\S(.*\S)?")
_FIELDS = (
    "name",
    "load_balancer_type",
    "algorithm",
    "services",
    "targets",
    "labels",
    "public_interface",
    "public_net",
    "network",
    "network_zone",
    "location",
)


def _health_of(call: Call, balancer: Item, address: str, server: Item | None) -> Iterator[tuple[int, TargetHealth]]:
    known = call.cloud.health_of(balancer["id"])
    for service in balancer["services"]:
        port = service["listen_port"]
        if call.cloud.is_real(call.project.name):
            yield port, known.get((port, address), TargetHealth(UNKNOWN))
        else:
            yield port, _guessed(call, balancer, server)


def _guessed(call: Call, balancer: Item, server: Item | None) -> TargetHealth:
    """Without machines a target is healthy as soon as the balancer is ready and as long as its server runs."""
    if call.cloud.runner.locks(call.project.name, balancer["id"]):
        return TargetHealth(UNKNOWN)
    if server is not None and server["status"] != "running":
        return TargetHealth(UNHEALTHY, "layer4_timeout")
    return TargetHealth(HEALTHY)


def _public_net(call: Call, balancer: Item) -> Item:
    ipv4, ipv6 = (primary_ips.for_assignee(call.find(primary_ips.KIND, balancer[kind])) for kind in primary_ips.TYPES)
    # One address of the /64 with one reverse entry here, the network and a list of entries for a server.
    pointer = next((entry["dns_ptr"] for entry in ipv6["dns_ptr"]), None)
    return {
        "enabled": balancer["public"],
        "ipv4": ipv4,
        "ipv6": {**ipv6, "ip": str(IPv6Network(ipv6["ip"])[1]), "dns_ptr": pointer},
    }


def as_json(call: Call, balancer: Item) -> Item:
    """Return the public form."""
    kind = catalogue.LOAD_BALANCER_TYPE_BY_NAME[balancer["type"]]
    prices = {price["location"]: price for price in kind["prices"]}
    return {
        **{name: balancer[name] for name in ("id", "name", "labels", "created", "protection", "services")},
        "public_net": _public_net(call, balancer),
        "private_net": [
            {"network": entry["network"], "ip": entry["ip"]}
            for entry in balancer["private"]
            if entry["status"] != "attaching"
        ],
        "location": catalogue.LOCATION_BY_NAME[balancer["location"]],
        "load_balancer_type": kind,
        "targets": [
            load_balancer_targets.as_json(
                call.items,
                balancer,
                target,
                lambda address, server: _health_of(call, balancer, address, server),
            )
            for target in balancer["targets"]
        ],
        "algorithm": {"type": balancer["algorithm"]},
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
        "included_traffic": prices[balancer["location"]]["included_traffic"],
    }


def listed(call: Call) -> Answer:
    """GET /load_balancers."""
    return call.listed(KIND, "load_balancers", SORTABLE, lambda item: as_json(call, item))


def one(call: Call) -> Answer:
    """GET /load_balancers/{id}."""
    return Answer(200, {"load_balancer": as_json(call, call.item(KIND))})


def unlocked(call: Call) -> Item:
    """Return the balancer named by the path. Raises 423 while an action runs on it."""
    balancer = call.item(KIND)
    if call.cloud.runner.locks(call.project.name, balancer["id"]):
        raise locked(f"load balancer {balancer['name']}")
    return balancer


def check_limits(balancer: Item, type_name: str) -> None:
    """Raise when a balancer has more than its type can have."""
    kind = catalogue.LOAD_BALANCER_TYPE_BY_NAME[type_name]
    for name in ("services", "targets"):
        if len(balancer[name]) > kind[f"max_{name}"]:
            raise limit_exceeded(
                f"load_balancer_{name}", f"a load balancer of type {type_name} can have {kind[f'max_{name}']} {name}"
            )


def check_ports(services: list[Item], status: int) -> None:
    """Raise when two services listen on one port; `status` differs by call in the document."""
    used = [port for service in services for port in load_balancer_services.ports(service)]
    for port in used:
        if used.count(port) > 1:
            raise ApiError(status, "source_port_already_used", f"port {port} is already used by a service")


def read_algorithm(fields: Fields, required: bool = False) -> str:
    """Read the field `type` of an algorithm."""
    return fields.text("type", required=required, choices=ALGORITHMS) or ALGORITHMS[0]


def private_entry(call: Call, balancer: Item, network: Item, ip: str | None, ip_range: str | None) -> Item:
    """Return a new entry in a network. Raises when there is no address to be had."""
    zone = catalogue.LOCATION_BY_NAME[balancer["location"]]["network_zone"]
    address = networks.place(call, network, zone, ip, ip_range)
    return {"network": network["id"], "ip": address, "alias_ips": [], "status": "attaching"}


@dataclass
class _Order:
    """The checked simple fields of a request for a balancer."""

    name: str
    labels: dict[str, str]
    type_name: str
    algorithm: str
    location: str
    network: Item | None
    public: bool
    own_addresses: list[Item]


def _location(fields: Fields) -> str | None:
    reference, zone = fields.reference("location"), fields.text("network_zone", choices=catalogue.NETWORK_ZONES)
    if (reference is None) == ("network_zone" not in fields):
        fields.fault("location", "exactly one of location and network_zone is needed")
        return None
    if reference is None:
        places = catalogue.LOCATIONS.values()
        return next((place["name"] for place in places if place["network_zone"] == zone), None)
    found = catalogue.location(reference)
    if found is None:
        fields.fault("location", f"location {reference} not found")
    return found["name"] if found else None


def _order(call: Call, fields: Fields) -> _Order:
    name = fields.text("name", required=True, maximum=128, pattern=NAME)
    labels = fields.labels()
    reference = fields.reference("load_balancer_type", required=True)
    location = _location(fields)
    network_id = fields.integer("network")
    public_interface = fields.flag("public_interface", True)
    inner = Fields(fields.object("algorithm"), ("type",), "algorithm.")
    algorithm = read_algorithm(inner)
    public = Fields(fields.object("public_net"), primary_ips.TYPES, "public_net.")
    kind = catalogue.load_balancer_type(reference) if reference else None
    if reference and kind is None:
        fields.fault("load_balancer_type", f"load balancer type {reference} not found")
    fields.faults.update({**inner.faults, **public.faults})
    fields.check()
    call.unique_name(KIND, str(name))
    if location is None or kind is None:
        raise invalid_field("location", "missing")
    return _Order(
        name=str(name),
        labels=labels or {},
        type_name=kind["name"],
        algorithm=algorithm,
        location=location,
        network=None if network_id is None else call.find(networks.KIND, network_id),
        public=public_interface,
        own_addresses=primary_ips.chosen(call, public, location),
    )


def _addresses(call: Call, order: _Order, balancer_id: int) -> dict[str, int]:
    own = {address["type"]: address for address in order.own_addresses}
    found = {}
    for kind in primary_ips.TYPES:
        address = own.get(kind) or primary_ips.make(call, kind, order.location, auto_delete=True)
        call.put(primary_ips.KIND, {**address, KIND: balancer_id})
        found[kind] = address["id"]
    return found


def create(call: Call) -> Answer:
    """POST /load_balancers."""
    fields = call.fields(_FIELDS)
    service_bodies, target_bodies = fields.objects("services"), fields.objects("targets")
    order = _order(call, fields)
    balancer_id = call.cloud.state.next_id()
    balancer: Item = {
        "id": balancer_id,
        "name": order.name,
        "labels": order.labels,
        "created": times.now(),
        "protection": {"delete": False},
        "type": order.type_name,
        "location": order.location,
        "algorithm": order.algorithm,
        "public": order.public,
        "ipv4": None,
        "ipv6": None,
        "private": [],
        "services": [
            load_balancer_services.parse(body, f"services[{index}].") for index, body in enumerate(service_bodies)
        ],
        "targets": [],
    }
    if order.network is not None:
        balancer["private"] = [private_entry(call, balancer, order.network, None, None)]
    elif not order.public:
        raise refused("load_balancer_not_attached_to_network", "without public interface a network is needed")
    check_ports(balancer["services"], 412)
    for index, body in enumerate(target_bodies):
        target = load_balancer_targets.parse(call, body, f"targets[{index}].")
        load_balancer_targets.check(call, balancer, target)
        balancer["targets"].append(target)
    check_limits(balancer, order.type_name)
    balancer = load_balancer_targets.resolved(call.items, {**balancer, **_addresses(call, order, balancer_id)})
    call.put(KIND, balancer)
    resources = [(KIND, balancer_id)]
    action = call.cloud.runner.begin(
        call.project.name, "create_load_balancer", resources, {"balancer": balancer_id}, locks=[balancer_id]
    )
    return Answer(201, {"load_balancer": as_json(call, balancer), "action": action_json(action)})


def update(call: Call) -> Answer:
    """PUT /load_balancers/{id}: name and labels."""
    balancer = dict(call.item(KIND))
    fields = call.fields(("name", "labels"))
    if "name" in fields:
        fields.text("name", pattern=NAME)
    call.rename(KIND, balancer, fields)
    call.put(KIND, balancer)
    return Answer(200, {"load_balancer": as_json(call, balancer)})


def delete(call: Call) -> Answer:
    """DELETE /load_balancers/{id}: answers an action since 2026-10-05."""
    balancer = unlocked(call)
    if balancer["protection"]["delete"]:
        raise protected("load balancer", "delete")
    balancer_id = balancer["id"]
    action = call.cloud.runner.begin(
        call.project.name, "delete_load_balancer", [(KIND, balancer_id)], {"balancer": balancer_id}, locks=[balancer_id]
    )
    return Answer(200, {"action": action_json(action)})
