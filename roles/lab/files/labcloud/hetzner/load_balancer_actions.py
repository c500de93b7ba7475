# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions on a load balancer: services, targets, network, public interface, algorithm, type, protection, reverse DNS.

A change shows at once; its action says when the balancer works that way.
"""

from __future__ import annotations

from ..state import Item
from . import addresses, catalogue, load_balancer_services, load_balancer_targets, networks, primary_ips
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import ApiError, invalid_field, not_found, refused
from .load_balancers import KIND, check_limits, check_ports, private_entry, read_algorithm, unlocked


def _begin(call: Call, balancer: Item, command: str, network_id: int | None = None) -> Answer:
    """Write the change and start the action that brings it to the balancer."""
    call.put(KIND, balancer)
    resources = [(KIND, balancer["id"])] + ([(networks.KIND, network_id)] if network_id else [])
    arguments = {"balancer": balancer["id"], "network": network_id}
    action = call.cloud.runner.begin(call.project.name, command, resources, arguments, locks=[balancer["id"]])
    return Answer(201, {"action": action_json(action)})


def _at_once(call: Call, balancer: Item, command: str) -> Answer:
    call.put(KIND, balancer)
    action = call.cloud.runner.at_once(call.project.name, command, [(KIND, balancer["id"])])
    return Answer(201, {"action": action_json(action)})


def _service(balancer: Item, listen_port: int | None) -> Item:
    services: list[Item] = balancer["services"]
    found = next((service for service in services if service["listen_port"] == listen_port), None)
    if found is None:
        raise ApiError(404, "not_found", f"the load balancer has no service on port {listen_port}")
    return found


def add_service(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/add_service."""
    balancer = unlocked(call)
    services = [*balancer["services"], load_balancer_services.parse(call.body)]
    check_ports(services, 412)
    balancer = {**balancer, "services": services}
    check_limits(balancer, balancer["type"])
    return _begin(call, balancer, "add_service")


def update_service(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/update_service: the listening port says which one."""
    balancer = unlocked(call)
    fields = call.fields()
    listen_port = fields.integer("listen_port", required=True)
    fields.check()
    present = _service(balancer, listen_port)
    new = load_balancer_services.updated(present, call.body)
    services = [new if service is present else service for service in balancer["services"]]
    check_ports(services, 422)
    return _begin(call, {**balancer, "services": services}, "update_service")


def delete_service(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/delete_service."""
    balancer = unlocked(call)
    fields = call.fields(("listen_port",))
    listen_port = fields.integer("listen_port", required=True)
    fields.check()
    present = _service(balancer, listen_port)
    kept = [service for service in balancer["services"] if service is not present]
    return _begin(call, {**balancer, "services": kept}, "delete_service")


def add_target(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/add_target."""
    balancer = unlocked(call)
    target = load_balancer_targets.parse(call, call.body)
    load_balancer_targets.check(call, balancer, target)
    balancer = {**balancer, "targets": [*balancer["targets"], target]}
    check_limits(balancer, balancer["type"])
    return _begin(call, load_balancer_targets.resolved(call.items, balancer), "add_target")


def remove_target(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/remove_target."""
    balancer = unlocked(call)
    present = load_balancer_targets.find(balancer, load_balancer_targets.parse_for_removal(call.body))
    kept = [target for target in balancer["targets"] if target is not present]
    return _begin(call, {**balancer, "targets": kept}, "remove_target")


def attach_to_network(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/attach_to_network: one network at most."""
    balancer = unlocked(call)
    fields = call.fields(("network", "ip", "ip_range"))
    network_id = fields.integer("network", required=True)
    ip, ip_range = fields.text("ip"), fields.text("ip_range")
    fields.check()
    network = call.find(networks.KIND, network_id or 0)
    if balancer["private"]:
        raise refused("load_balancer_already_attached", "the load balancer is attached to a network already")
    if ip is not None and ip_range is not None and not addresses.lies_in(ip, ip_range):
        raise invalid_field("ip", f"is not in ip_range {ip_range}")
    entry = private_entry(call, balancer, network, ip, ip_range)
    return _begin(call, {**balancer, "private": [entry]}, "attach_to_network", network["id"])


def detach_from_network(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/detach_from_network: targets that were reached through it go with it."""
    balancer = unlocked(call)
    fields = call.fields(("network",))
    network_id = fields.integer("network", required=True)
    fields.check()
    network = call.find(networks.KIND, network_id or 0)
    if load_balancer_targets.network_of(balancer) != network["id"]:
        raise not_found("network of the load balancer", network["id"])
    private = [{**entry, "status": "detaching"} for entry in balancer["private"]]
    kept = [target for target in balancer["targets"] if not target["use_private_ip"]]
    return _begin(call, {**balancer, "private": private, "targets": kept}, "detach_from_network", network["id"])


def enable_public_interface(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/enable_public_interface."""
    return _begin(call, {**unlocked(call), "public": True}, "enable_public_interface")


def disable_public_interface(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/disable_public_interface."""
    balancer = unlocked(call)
    if load_balancer_targets.network_of(balancer) is None:
        raise refused("load_balancer_not_attached_to_network", "without public interface a network is needed")
    if not all(target["use_private_ip"] for target in balancer["targets"]):
        raise refused("targets_without_use_private_ip", "a target is reached by its public address")
    return _begin(call, {**balancer, "public": False}, "disable_public_interface")


def change_algorithm(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/change_algorithm."""
    balancer = unlocked(call)
    fields = call.fields(("type",))
    algorithm = read_algorithm(fields, required=True)
    fields.check()
    return _begin(call, {**balancer, "algorithm": algorithm}, "change_algorithm")


def change_type(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/change_type."""
    balancer = unlocked(call)
    fields = call.fields(("load_balancer_type",))
    reference = fields.reference("load_balancer_type", required=True)
    fields.check()
    kind = catalogue.load_balancer_type(str(reference))
    if kind is None:
        raise invalid_field("load_balancer_type", f"load balancer type {reference} not found")
    if len(balancer["services"]) > kind["max_services"] or len(balancer["targets"]) > kind["max_targets"]:
        raise refused("invalid_load_balancer_type", f"type {kind['name']} is too small for the load balancer")
    return _begin(call, {**balancer, "type": kind["name"]}, "change_load_balancer_type")


def change_protection(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/change_protection."""
    balancer = unlocked(call)
    fields = call.fields(("delete",))
    delete_protection = fields.flag("delete", balancer["protection"]["delete"])
    fields.check()
    return _at_once(call, {**balancer, "protection": {"delete": delete_protection}}, "change_protection")


def change_dns_ptr(call: Call) -> Answer:
    """POST /load_balancers/{id}/actions/change_dns_ptr."""
    balancer = unlocked(call)
    fields = call.fields(("ip", "dns_ptr"))
    ip = fields.text("ip", required=True)
    fields.check()
    own = [call.find(primary_ips.KIND, balancer[kind]) for kind in primary_ips.TYPES]
    address = next((item for item in own if primary_ips.covers(item, str(ip))), None)
    if address is None:
        raise invalid_field("ip", "is no public address of the load balancer")
    primary_ips.set_pointer(call, address, fields)
    return _at_once(call, balancer, "change_dns_ptr")
