# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions on a server: power, networks, placement group, protection, type, rebuild, backups, reverse DNS."""

from __future__ import annotations

import secrets

from ..state import Item
from . import addresses, catalogue, networks, placement_groups, primary_ips
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import invalid_field, not_found, protected, refused
from .servers import KIND, MAX_USER_DATA, check_overlaps, check_type, find_image, unlocked

BACKUP_WINDOW = "22-02"  # UTC hours; the vendor picks one


def _begin(
    call: Call, server: Item, command: str, arguments: Item | None = None, network_id: int | None = None
) -> Answer:
    resources = [(KIND, server["id"])] + ([(networks.KIND, network_id)] if network_id else [])
    everything = {"server": server["id"], **(arguments or {})}
    action = call.cloud.runner.begin(call.project.name, command, resources, everything, locks=[server["id"]])
    return Answer(201, {"action": action_json(action)})


def _at_once(call: Call, server: Item, command: str) -> Answer:
    call.put(KIND, server)
    action = call.cloud.runner.at_once(call.project.name, command, [(KIND, server["id"])])
    return Answer(201, {"action": action_json(action)})


def _stopped(call: Call) -> Item:
    server = unlocked(call)
    if server["status"] != "off":
        raise refused("server_not_stopped", f"server {server['name']} must be powered off")
    return server


def poweron(call: Call) -> Answer:
    """POST /servers/{id}/actions/poweron."""
    server = unlocked(call)
    if server["status"] != "running":
        call.put(KIND, {**server, "status": "starting"})
    return _begin(call, server, "start_server")


def poweroff(call: Call) -> Answer:
    """POST /servers/{id}/actions/poweroff."""
    server = unlocked(call)
    if server["status"] != "off":
        call.put(KIND, {**server, "status": "stopping"})
    return _begin(call, server, "stop_server")


def shutdown(call: Call) -> Answer:
    """POST /servers/{id}/actions/shutdown: success means only that the ACPI signal was sent."""
    return _begin(call, unlocked(call), "shutdown_server")


def reboot(call: Call) -> Answer:
    """POST /servers/{id}/actions/reboot."""
    return _begin(call, unlocked(call), "reboot_server")


def reset(call: Call) -> Answer:
    """POST /servers/{id}/actions/reset."""
    return _begin(call, unlocked(call), "reset_server")


def _entry(server: Item, network_id: int) -> Item | None:
    return next((entry for entry in server["private"] if entry["network"] == network_id), None)


def attach_to_network(call: Call) -> Answer:
    """POST /servers/{id}/actions/attach_to_network."""
    server = unlocked(call)
    fields = call.fields()
    network_id = fields.integer("network", required=True)
    ip, ip_range = fields.text("ip"), fields.text("ip_range")
    alias_ips = fields.texts("alias_ips")
    fields.check()
    network = call.find(networks.KIND, network_id or 0)
    if _entry(server, network["id"]) is not None:
        raise refused("server_already_attached", f"server {server['name']} is attached to the network already")
    others = [call.find(networks.KIND, entry["network"]) for entry in server["private"]]
    check_overlaps([*others, network])
    if ip is not None and ip_range is not None and not addresses.lies_in(ip, ip_range):
        raise invalid_field("ip", f"is not in ip_range {ip_range}")
    zone = catalogue.LOCATION_BY_NAME[server["location"]]["network_zone"]
    address = networks.place(call, network, zone, ip, ip_range)
    networks.check_aliases(call, network, alias_ips, None, address)
    entry = {
        "network": network["id"],
        "ip": address,
        "alias_ips": alias_ips,
        "mac_address": addresses.mac(server["id"], network["id"]),
        "status": "attaching",
    }
    server = {**server, "private": [*server["private"], entry]}
    call.put(KIND, server)
    return _begin(call, server, "attach_to_network", {"network": network["id"]}, network["id"])


def _attached(call: Call, server: Item, network_id: int | None) -> tuple[Item, Item]:
    network = call.find(networks.KIND, network_id or 0)
    entry = _entry(server, network["id"])
    if entry is None:
        raise not_found("network of the server", network["id"])
    return network, entry


def _with_entry(server: Item, entry: Item) -> Item:
    private = [entry if other["network"] == entry["network"] else other for other in server["private"]]
    return {**server, "private": private}


def detach_from_network(call: Call) -> Answer:
    """POST /servers/{id}/actions/detach_from_network."""
    server = unlocked(call)
    fields = call.fields()
    network_id = fields.integer("network", required=True)
    fields.check()
    network, entry = _attached(call, server, network_id)
    server = _with_entry(server, {**entry, "status": "detaching"})
    call.put(KIND, server)
    return _begin(call, server, "detach_from_network", {"network": network["id"]}, network["id"])


def change_alias_ips(call: Call) -> Answer:
    """POST /servers/{id}/actions/change_alias_ips: replaces all."""
    server = unlocked(call)
    fields = call.fields()
    network_id = fields.integer("network", required=True)
    alias_ips = fields.texts("alias_ips", required=True)
    fields.check()
    network, entry = _attached(call, server, network_id)
    networks.check_aliases(call, network, alias_ips, entry, entry["ip"])
    server = _with_entry(server, {**entry, "alias_ips": alias_ips, "status": "updating"})
    call.put(KIND, server)
    return _begin(call, server, "change_alias_ips", {"network": network["id"]}, network["id"])


def add_to_placement_group(call: Call) -> Answer:
    """POST /servers/{id}/actions/add_to_placement_group."""
    server = _stopped(call)
    fields = call.fields()
    group_id = fields.integer("placement_group", required=True)
    fields.check()
    group = call.find(placement_groups.KIND, group_id or 0)
    if server["placement_group"] is not None:
        raise refused("already_in_placement_group", f"server {server['name']} is in a placement group already")
    placement_groups.check_room(call, group)
    call.put(KIND, {**server, "placement_group": group["id"]})
    return _begin(call, server, "add_to_placement_group")


def remove_from_placement_group(call: Call) -> Answer:
    """POST /servers/{id}/actions/remove_from_placement_group."""
    server = unlocked(call)
    if server["placement_group"] is None:
        raise invalid_field("placement_group", f"server {server['name']} is in no placement group")
    return _at_once(call, {**server, "placement_group": None}, "remove_from_placement_group")


def change_protection(call: Call) -> Answer:
    """POST /servers/{id}/actions/change_protection: both must have the same value, says the document."""
    server = unlocked(call)
    fields = call.fields()
    wanted = {name: fields.flag(name, server["protection"][name]) for name in ("delete", "rebuild")}
    fields.check()
    if wanted["delete"] != wanted["rebuild"]:
        raise invalid_field("rebuild", "delete and rebuild protection must have the same value")
    return _at_once(call, {**server, "protection": wanted}, "change_protection")


def change_type(call: Call) -> Answer:
    """POST /servers/{id}/actions/change_type: the server is started afterwards, as the document says."""
    server = _stopped(call)
    fields = call.fields()
    reference = fields.reference("server_type", required=True)
    upgrade_disk = fields.flag("upgrade_disk", False, required=True)
    fields.check()
    server_type = catalogue.server_type(str(reference))
    present = catalogue.SERVER_TYPE_BY_NAME[server["server_type"]]
    if server_type is None:
        raise invalid_field("server_type", f"server type {reference} not found")
    if (
        server_type["name"] == present["name"]
        or server_type["architecture"] != present["architecture"]
        or server_type["disk"] < server["disk"]
    ):
        raise refused("invalid_server_type", f"server type {server_type['name']} does not fit the server")
    check_type(server_type, server["location"], call.cloud.state.stock)
    call.put(KIND, {**server, "status": "migrating"})
    arguments = {"server_type": server_type["name"], "upgrade_disk": upgrade_disk}
    return _begin(call, server, "change_server_type", arguments)


def rebuild(call: Call) -> Answer:
    """POST /servers/{id}/actions/rebuild: a new instance on the same addresses, running afterwards."""
    server = unlocked(call)
    if server["protection"]["rebuild"]:
        raise protected("server", "rebuild")
    fields = call.fields()
    reference = fields.reference("image", required=True)
    user_data = fields.text("user_data")
    if user_data and len(user_data.encode()) > MAX_USER_DATA:
        fields.fault("user_data", f"is too long: at most {MAX_USER_DATA} bytes")
    fields.check()
    image = find_image(str(reference), catalogue.SERVER_TYPE_BY_NAME[server["server_type"]]["architecture"])
    kept = server["user_data"] if user_data is None else user_data
    call.put(KIND, {**server, "status": "rebuilding", "image": image["id"], "user_data": kept})
    answer = _begin(call, server, "rebuild_server")
    password = None if server["ssh_public_keys"] else secrets.token_urlsafe(15)
    return Answer(201, {**answer.body, "root_password": password})


def enable_backup(call: Call) -> Answer:
    """POST /servers/{id}/actions/enable_backup."""
    return _at_once(call, {**unlocked(call), "backup_window": BACKUP_WINDOW}, "enable_backup")


def disable_backup(call: Call) -> Answer:
    """POST /servers/{id}/actions/disable_backup."""
    return _at_once(call, {**unlocked(call), "backup_window": None}, "disable_backup")


def change_dns_ptr(call: Call) -> Answer:
    """POST /servers/{id}/actions/change_dns_ptr."""
    server = unlocked(call)
    fields = call.fields()
    ip = fields.text("ip", required=True)
    fields.check()
    own = [call.items(primary_ips.KIND).get(server[kind] or 0) for kind in primary_ips.TYPES]
    address = next((item for item in own if item is not None and primary_ips.covers(item, str(ip))), None)
    if address is None:
        raise invalid_field("ip", "is no public address of the server")
    primary_ips.set_pointer(call, address, fields)
    return _at_once(call, server, "change_dns_ptr")
