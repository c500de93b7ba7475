# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets of load balancers: servers by id, servers by label, addresses outside the cloud.

A record is {type, server, ip, selector, servers, use_private_ip}: `server` is an id, `ip` an address, `servers` the
ids that a label selector stood for when it was last looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from ..balancers import TargetHealth
from ..state import Item
from . import addresses, selector
from .call import Call
from .errors import ApiError, invalid_field, not_found, refused
from .fields import Fields

KIND = "load_balancer"
TYPES = ("server", "label_selector", "ip")
MAX_SELECTOR = 1000  # characters
_FIELDS = ("type", "server", "label_selector", "ip", "use_private_ip")

Items = Callable[[str], Mapping[int, Item]]


def network_of(balancer: Item) -> int | None:
    """Return the id of the network that a balancer is in or about to join, or None."""
    return next((entry["network"] for entry in balancer["private"] if entry["status"] != "detaching"), None)


def _private_address(balancer: Item, server: Item) -> str | None:
    network_id = network_of(balancer)
    entries = (entry for entry in server["private"] if entry["network"] == network_id)
    return next((entry["ip"] for entry in entries if entry["status"] not in ("attaching", "detaching")), None)


def _public_address(items: Items, server: Item) -> str | None:
    address = items("primary_ip").get(server["ipv4"] or 0)
    return address["ip"] if address else None


def address_of(items: Items, balancer: Item, target: Item, server: Item) -> str | None:
    """Return where traffic for a server of this target goes, or None when there is no way to it."""
    if target["use_private_ip"]:
        return _private_address(balancer, server)
    return target["ip"] or _public_address(items, server)


def servers_of(items: Items, target: Item) -> list[Item]:
    """Return the servers that a target stands for."""
    ids = [target["server"]] if target["type"] == "server" else target["servers"]
    found = (items("server").get(server_id) for server_id in ids)
    return [server for server in found if server is not None]


def all_addresses(items: Items, balancer: Item) -> list[str]:
    """Return where a balancer sends traffic to, each address once."""
    found: list[str | None] = []
    for target in balancer["targets"]:
        if target["type"] == "ip":
            found.append(target["ip"])
        found += [address_of(items, balancer, target, server) for server in servers_of(items, target)]
    return [address for address in dict.fromkeys(found) if address is not None]


def resolved(items: Items, balancer: Item) -> Item:
    """Return the balancer as it should be now: selectors looked at, servers that are gone or out of reach left out."""
    targets = []
    for target in balancer["targets"]:
        if target["type"] == "label_selector":
            wanted = selector.parse(target["selector"])
            ids = [server["id"] for server in items("server").values() if wanted.matches(server["labels"])]
            new = {**target, "servers": ids}
            reachable = [s["id"] for s in servers_of(items, new) if _usable(items, balancer, new, s)]
            targets.append({**new, "servers": reachable})
        elif target["type"] == "ip" or any(_usable(items, balancer, target, s) for s in servers_of(items, target)):
            targets.append(target)
    return {**balancer, "targets": targets}


def _usable(items: Items, balancer: Item, target: Item, server: Item) -> bool:
    return server["status"] != "deleting" and address_of(items, balancer, target, server) is not None


def uses_public_address(items: Items, server_id: int) -> bool:
    """Say whether a balancer sends traffic to a server's public IPv4 address."""
    return any(
        not target["use_private_ip"] and not target["ip"] and server_id in (target["server"], *target["servers"])
        for balancer in items(KIND).values()
        for target in balancer["targets"]
    )


def balancers_of(items: Items, server_id: int) -> list[int]:
    """Return the balancers that have a server among their targets."""
    return [
        balancer["id"]
        for balancer in items(KIND).values()
        if any(server_id in (target["server"], *target["servers"]) for target in balancer["targets"])
    ]


def leave_network(call: Call, balancer_id: int) -> None:
    """Drop the targets that were reached through the network, as the vendor does, and make that so."""
    balancer = call.find(KIND, balancer_id)
    kept = [target for target in balancer["targets"] if not target["use_private_ip"]]
    call.put(KIND, {**balancer, "targets": kept})
    call.cloud.runner.begin(
        call.project.name, "lab_balance", [(KIND, balancer_id)], {"balancer": balancer_id}, seconds=0, hidden=True
    )


# reading of requests


def _server_id(call: Call, fields: Fields) -> tuple[int, str | None]:
    body = fields.object("server")
    server_id, ip = body.get("id"), body.get("ip")
    if isinstance(server_id, bool) or not isinstance(server_id, int):
        raise invalid_field("server", "must have an id")
    if call.items("server").get(server_id) is None:
        raise not_found("server", server_id)
    return server_id, ip


def _selector(fields: Fields) -> str:
    text = fields.object("label_selector").get("selector")
    if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_SELECTOR:
        raise invalid_field("label_selector", f"must have a selector of at most {MAX_SELECTOR} characters")
    try:
        selector.parse(text)
    except selector.SelectorError as error:
        raise invalid_field("label_selector", str(error)) from error
    return text


def _ip(fields: Fields) -> str:
    text = fields.object("ip").get("ip")
    try:
        return str(ip_address(text if isinstance(text, str) else ""))
    except ValueError:
        raise invalid_field("ip", "must be an IP address") from None


def parse(call: Call, body: dict[str, Any], prefix: str = "") -> Item:
    """Read a target of a request; whether a balancer can have it is asked by `check`."""
    fields = Fields(body, _FIELDS, prefix)
    kind = fields.text("type", required=True, choices=TYPES)
    use_private_ip = fields.flag("use_private_ip", False)
    fields.check()
    target: Item = {
        "type": kind,
        "server": None,
        "ip": None,
        "selector": None,
        "servers": [],
        "use_private_ip": use_private_ip,
    }
    if kind == "server":
        target["server"], target["ip"] = _server_id(call, fields)
        _check_own_ip(call, target)
    elif kind == "label_selector":
        target["selector"] = _selector(fields)
    else:
        target["ip"] = _ip(fields)
        if use_private_ip:
            raise invalid_field("use_private_ip", "is not for targets of type ip")
    return target


def _check_own_ip(call: Call, target: Item) -> None:
    """Raise when the address named beside a server is none of its public ones."""
    if target["ip"] is None:
        return
    if target["use_private_ip"]:
        raise invalid_field("server", "an ip is only for public targets")
    server = call.find("server", target["server"])
    own = [call.items("primary_ip").get(server[kind] or 0) for kind in ("ipv4", "ipv6")]
    try:
        wanted = ip_address(target["ip"])
    except ValueError:
        raise invalid_field("server", "ip must be an IP address") from None
    if not any(address is not None and wanted in ip_network(address["ip"]) for address in own):
        raise refused("ip_not_assigned_to_server", f"{wanted} is no public address of server {server['name']}")


def same(one: Item, other: Item) -> bool:
    """Say whether two targets are of the same thing, by whatever way it is reached."""
    if one["type"] != other["type"]:
        return False
    key = {"server": "server", "label_selector": "selector", "ip": "ip"}[one["type"]]
    return bool(one[key] == other[key])


def check(call: Call, balancer: Item, target: Item) -> None:
    """Raise when a balancer cannot have this target."""
    if any(same(target, other) for other in balancer["targets"]):
        raise refused("target_already_defined", "the load balancer has this target already")
    if target["use_private_ip"]:
        if network_of(balancer) is None:
            raise refused("load_balancer_not_attached_to_network", "the load balancer is in no network")
    elif not balancer["public"]:
        raise refused("load_balancer_public_interface_disabled", "a public target needs the public interface")
    if target["type"] == "server":
        _check_server(call, balancer, target)
    elif target["type"] == "ip":
        _check_ip(call, balancer, target["ip"])


def _check_server(call: Call, balancer: Item, target: Item) -> None:
    server = call.find("server", target["server"])
    if address_of(call.items, balancer, target, server) is not None:
        return
    if target["use_private_ip"]:
        raise refused(
            "resolve_cloud_private_targets_error", f"server {server['name']} is not in the load balancer's network"
        )
    raise refused("resolve_cloud_public_targets_error", f"server {server['name']} has no public IPv4 address")


def _check_ip(call: Call, balancer: Item, text: str) -> None:
    """A private address needs a vSwitch; a public one must not be the cloud's own. Who owns others, the lab does not ask."""
    address = ip_address(text)
    if isinstance(address, IPv4Address) and any(address in private for private in addresses.PRIVATE_RANGES):
        network = call.items("network").get(network_of(balancer) or 0)
        if network is None:
            raise refused("load_balancer_not_attached_to_network", "the load balancer is in no network")
        switched = [ip_network(s["ip_range"]) for s in network["subnets"] if s["type"] == "vswitch"]
        if not switched:
            raise refused("network_has_no_vswitch_subnet", "the load balancer's network has no vSwitch subnet")
        if not any(address in subnet for subnet in switched):
            raise refused("ip_not_in_vswitch_subnet", f"{text} is in no vSwitch subnet of the network")
    if any(address in ip_network(own["ip"]) for own in call.items("primary_ip").values()):
        raise refused("ip_not_owned", f"{text} belongs to a resource of the cloud; name that as the target")


def find(balancer: Item, target: Item) -> Item:
    """Return the balancer's target that is of the same thing. Raises 404."""
    found: Item | None = next((other for other in balancer["targets"] if same(target, other)), None)
    if found is None:
        raise ApiError(404, "not_found", "the load balancer does not have this target")
    return found


def parse_for_removal(body: dict[str, Any]) -> Item:
    """Read a target that is to go; what it stands for may be gone already."""
    fields = Fields(body, _FIELDS)
    kind = fields.text("type", required=True, choices=TYPES)
    fields.check()
    return {
        "type": kind,
        "server": fields.object("server").get("id"),
        "selector": fields.object("label_selector").get("selector"),
        "ip": _ip(fields) if kind == "ip" else None,
    }


# public form


def _health(health: Iterable[tuple[int, TargetHealth]]) -> list[Item]:
    found = []
    for listen_port, known in health:
        entry: Item = {"listen_port": listen_port, "status": known.status}
        if known.detail is not None:
            entry["detail"] = known.detail
        if known.http_status_code is not None:
            entry["http_status_code"] = known.http_status_code
        found.append(entry)
    return found


HealthOf = Callable[[str, "Item | None"], Iterable[tuple[int, TargetHealth]]]


def as_json(items: Items, balancer: Item, target: Item, health_of: HealthOf) -> Item:
    """Return the public form; `health_of` takes an address and its server (None outside the cloud)."""

    def of_server(server: Item) -> Item:
        address = address_of(items, balancer, target, server) or ""
        return {
            "type": "server",
            "server": {"id": server["id"], "ip": address},
            "health_status": _health(health_of(address, server)),
            "use_private_ip": target["use_private_ip"],
        }

    if target["type"] == "ip":
        return {"type": "ip", "ip": {"ip": target["ip"]}, "health_status": _health(health_of(target["ip"], None))}
    if target["type"] == "label_selector":
        return {
            "type": "label_selector",
            "label_selector": {"selector": target["selector"]},
            "use_private_ip": target["use_private_ip"],
            "targets": [of_server(server) for server in servers_of(items, target)],
        }
    return of_server(items("server")[target["server"]])
