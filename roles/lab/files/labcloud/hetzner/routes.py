# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which call goes to which handler. Paths are written as in the vendor's document."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from . import (
    actions,
    catalogue_calls,
    firewalls,
    load_balancer_actions,
    load_balancers,
    networks,
    placement_groups,
    primary_ips,
    server_actions,
    servers,
    ssh_keys,
    volumes,
)
from .call import Answer, Call
from .errors import ApiError

Handler = Callable[[Call], Answer]


def _action_reads(kind: str) -> dict[tuple[str, str], Handler]:
    base = f"/{kind}s"
    return {
        ("GET", f"{base}/actions"): partial(actions.all_of_kind, kind=kind),
        ("GET", f"{base}/actions/{{id}}"): partial(actions.one_of_kind, kind=kind),
        ("GET", f"{base}/{{id}}/actions"): partial(actions.all_of_item, kind=kind),
        ("GET", f"{base}/{{id}}/actions/{{action_id}}"): partial(actions.one_of_item, kind=kind),
    }


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "/actions"): actions.several,
    ("GET", "/actions/{id}"): actions.one,
    ("GET", "/datacenters"): catalogue_calls.datacenters,
    ("GET", "/datacenters/{id}"): catalogue_calls.datacenters,
    ("GET", "/locations"): catalogue_calls.locations,
    ("GET", "/locations/{id}"): catalogue_calls.location,
    ("GET", "/server_types"): catalogue_calls.server_types,
    ("GET", "/server_types/{id}"): catalogue_calls.server_type,
    ("GET", "/images"): catalogue_calls.images,
    ("GET", "/images/{id}"): catalogue_calls.image,
    ("GET", "/pricing"): catalogue_calls.pricing,
    **_action_reads("server"),
    ("GET", "/servers"): servers.listed,
    ("POST", "/servers"): servers.create,
    ("GET", "/servers/{id}"): servers.one,
    ("PUT", "/servers/{id}"): servers.update,
    ("DELETE", "/servers/{id}"): servers.delete,
    ("POST", "/servers/{id}/actions/poweron"): server_actions.poweron,
    ("POST", "/servers/{id}/actions/poweroff"): server_actions.poweroff,
    ("POST", "/servers/{id}/actions/shutdown"): server_actions.shutdown,
    ("POST", "/servers/{id}/actions/reboot"): server_actions.reboot,
    ("POST", "/servers/{id}/actions/reset"): server_actions.reset,
    ("POST", "/servers/{id}/actions/attach_to_network"): server_actions.attach_to_network,
    ("POST", "/servers/{id}/actions/detach_from_network"): server_actions.detach_from_network,
    ("POST", "/servers/{id}/actions/change_alias_ips"): server_actions.change_alias_ips,
    ("POST", "/servers/{id}/actions/add_to_placement_group"): server_actions.add_to_placement_group,
    ("POST", "/servers/{id}/actions/remove_from_placement_group"): server_actions.remove_from_placement_group,
    ("POST", "/servers/{id}/actions/change_protection"): server_actions.change_protection,
    ("POST", "/servers/{id}/actions/change_type"): server_actions.change_type,
    ("POST", "/servers/{id}/actions/rebuild"): server_actions.rebuild,
    ("POST", "/servers/{id}/actions/enable_backup"): server_actions.enable_backup,
    ("POST", "/servers/{id}/actions/disable_backup"): server_actions.disable_backup,
    ("POST", "/servers/{id}/actions/change_dns_ptr"): server_actions.change_dns_ptr,
    **_action_reads("network"),
    ("GET", "/networks"): networks.listed,
    ("POST", "/networks"): networks.create,
    ("GET", "/networks/{id}"): networks.one,
    ("PUT", "/networks/{id}"): networks.update,
    ("DELETE", "/networks/{id}"): networks.delete,
    ("GET", "/networks/{id}/members"): networks.member_list,
    ("POST", "/networks/{id}/actions/add_subnet"): networks.add_subnet,
    ("POST", "/networks/{id}/actions/delete_subnet"): networks.delete_subnet,
    ("POST", "/networks/{id}/actions/add_route"): networks.add_route,
    ("POST", "/networks/{id}/actions/delete_route"): networks.delete_route,
    ("POST", "/networks/{id}/actions/change_ip_range"): networks.change_ip_range,
    ("POST", "/networks/{id}/actions/change_protection"): networks.change_protection,
    ("GET", "/load_balancer_types"): catalogue_calls.load_balancer_types,
    ("GET", "/load_balancer_types/{id}"): catalogue_calls.load_balancer_type,
    **_action_reads("load_balancer"),
    ("GET", "/load_balancers"): load_balancers.listed,
    ("POST", "/load_balancers"): load_balancers.create,
    ("GET", "/load_balancers/{id}"): load_balancers.one,
    ("PUT", "/load_balancers/{id}"): load_balancers.update,
    ("DELETE", "/load_balancers/{id}"): load_balancers.delete,
    **{
        ("POST", f"/load_balancers/{{id}}/actions/{handler.__name__}"): handler
        for handler in (
            load_balancer_actions.add_service,
            load_balancer_actions.update_service,
            load_balancer_actions.delete_service,
            load_balancer_actions.add_target,
            load_balancer_actions.remove_target,
            load_balancer_actions.attach_to_network,
            load_balancer_actions.detach_from_network,
            load_balancer_actions.enable_public_interface,
            load_balancer_actions.disable_public_interface,
            load_balancer_actions.change_algorithm,
            load_balancer_actions.change_type,
            load_balancer_actions.change_protection,
            load_balancer_actions.change_dns_ptr,
        )
    },
    **_action_reads("volume"),
    ("GET", "/volumes"): volumes.listed,
    ("POST", "/volumes"): volumes.create,
    ("GET", "/volumes/{id}"): volumes.one,
    ("PUT", "/volumes/{id}"): volumes.update,
    ("DELETE", "/volumes/{id}"): volumes.delete,
    ("POST", "/volumes/{id}/actions/attach"): volumes.attach,
    ("POST", "/volumes/{id}/actions/detach"): volumes.detach,
    ("POST", "/volumes/{id}/actions/resize"): volumes.resize,
    ("POST", "/volumes/{id}/actions/change_protection"): volumes.change_protection,
    **_action_reads("firewall"),
    ("GET", "/firewalls"): firewalls.listed,
    ("POST", "/firewalls"): firewalls.create,
    ("GET", "/firewalls/{id}"): firewalls.one,
    ("PUT", "/firewalls/{id}"): firewalls.update,
    ("DELETE", "/firewalls/{id}"): firewalls.delete,
    ("POST", "/firewalls/{id}/actions/set_rules"): firewalls.set_rules,
    ("POST", "/firewalls/{id}/actions/apply_to_resources"): firewalls.apply_to_resources,
    ("POST", "/firewalls/{id}/actions/remove_from_resources"): firewalls.remove_from_resources,
    ("GET", "/ssh_keys"): ssh_keys.listed,
    ("POST", "/ssh_keys"): ssh_keys.create,
    ("GET", "/ssh_keys/{id}"): ssh_keys.one,
    ("PUT", "/ssh_keys/{id}"): ssh_keys.update,
    ("DELETE", "/ssh_keys/{id}"): ssh_keys.delete,
    ("GET", "/placement_groups"): placement_groups.listed,
    ("POST", "/placement_groups"): placement_groups.create,
    ("GET", "/placement_groups/{id}"): placement_groups.one,
    ("PUT", "/placement_groups/{id}"): placement_groups.update,
    ("DELETE", "/placement_groups/{id}"): placement_groups.delete,
    **_action_reads("primary_ip"),
    ("GET", "/primary_ips"): primary_ips.listed,
    ("POST", "/primary_ips"): primary_ips.create,
    ("GET", "/primary_ips/{id}"): primary_ips.one,
    ("PUT", "/primary_ips/{id}"): primary_ips.update,
    ("DELETE", "/primary_ips/{id}"): primary_ips.delete,
    ("POST", "/primary_ips/{id}/actions/assign"): primary_ips.assign,
    ("POST", "/primary_ips/{id}/actions/unassign"): primary_ips.unassign,
    ("POST", "/primary_ips/{id}/actions/change_dns_ptr"): primary_ips.change_dns_ptr,
    ("POST", "/primary_ips/{id}/actions/change_protection"): primary_ips.change_protection,
}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]{1,15})", path))


_PATTERNS: dict[str, tuple[re.Pattern[str], dict[str, Handler]]] = {}
for (_method, _path), _handler in ROUTES.items():
    _PATTERNS.setdefault(_path, (_pattern(_path), {}))[1][_method] = _handler


def find(method: str, path: str) -> tuple[Handler, dict[str, int]]:
    """Return the handler of a call and the ids in its path. Raises 404 for no such path, 405 for no such method."""
    for pattern, handlers in _PATTERNS.values():
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if method not in handlers:
            raise ApiError(405, "method_not_allowed", f"method {method} is not allowed for {path}")
        return handlers[method], {name: int(text) for name, text in match.groupdict().items()}
    raise ApiError(404, "not_found", f"no such path: {path}")
