# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private networks with subnets and routes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    PASSING,
    WAVE_BASE,
    WAVE_CLEAR,
    WAVE_TARGET,
    Difference,
    Kind,
    Ref,
    Staying,
    Step,
    World,
    labels_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import (
    canonical_address,
    canonical_network,
)


class Network(Kind):
    """https://docs.hetzner.cloud/#networks."""

    name = "network"
    option = "networks"
    path = "/networks"
    delete_retry_codes = PASSING

    def normalise(self, spec: Mapping[str, Any]) -> Json:
        wanted = super().normalise(spec)
        if "ip_range" in wanted:
            wanted["ip_range"] = canonical_network(wanted["ip_range"])
        if "subnets" in wanted:
            wanted["subnets"] = [canonical_subnet(subnet) for subnet in wanted["subnets"]]
        if "routes" in wanted:
            wanted["routes"] = [canonical_route(route) for route in wanted["routes"]]
        return wanted

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        found = []
        if spec.get("ip_range", live["ip_range"]) != live["ip_range"]:
            found.append(self._range_difference(spec, live))
        if "subnets" in spec:
            found.extend(self._subnet_difference(spec, live))
        if "routes" in spec:
            found.extend(self._route_difference(spec, live))
        return [*found, *self.protection_difference(spec, live, WAVE_BASE)]

    def _range_difference(self, spec: Json, live: Json) -> Difference:
        old = ipaddress.ip_network(live["ip_range"])
        new = ipaddress.ip_network(spec["ip_range"])
        if new.network_address != old.network_address or new.prefixlen > old.prefixlen:
            why = "a network's range keeps its first address and can only grow"
            return Difference("ip_range", str(old), str(new), guard="replace", why=why)
        step = self._action(spec["name"], "change_ip_range", {"ip_range": str(new)}, f"grow network {spec['name']}")
        return Difference("ip_range", str(old), str(new), (step,))

    def _subnet_difference(self, spec: Json, live: Json) -> list[Difference]:
        have = [canonical_subnet(subnet) for subnet in live["subnets"]]
        want = spec["subnets"]
        extra = [subnet for subnet in have if subnet not in want]
        missing = [subnet for subnet in want if subnet not in have]
        if not extra and not missing:
            return []
        steps = [self._remove_subnet(spec["name"], subnet["ip_range"], missing) for subnet in extra]
        steps.extend(self._add_subnet(spec["name"], subnet) for subnet in missing)
        return [Difference("subnets", have, want, tuple(steps))]

    def _add_subnet(self, network: str, subnet: Json) -> Step:
        return self._action(
            network,
            "add_subnet",
            subnet,
            f"add subnet {subnet['ip_range']} to network {network}",
            lambda live, _ids: subnet in [canonical_subnet(entry) for entry in live["subnets"]],
        )

    def _remove_subnet(self, network: str, ip_range: str, missing: Sequence[Json]) -> Step:
        # Servers leave a subnet before it goes; only where a new one takes its range it must go first.
        removed = ipaddress.ip_network(ip_range)
        collides = any(removed.overlaps(ipaddress.ip_network(subnet["ip_range"])) for subnet in missing)
        return self._action(
            network,
            "delete_subnet",
            {"ip_range": ip_range},
            f"remove subnet {ip_range} from network {network}",
            lambda live, _ids: all(entry["ip_range"] != ip_range for entry in live["subnets"]),
            WAVE_CLEAR if collides else WAVE_TARGET,
        )

    def _route_difference(self, spec: Json, live: Json) -> list[Difference]:
        have = [canonical_route(route) for route in live["routes"]]
        want = spec["routes"]
        extra = [route for route in have if route not in want]
        missing = [route for route in want if route not in have]
        if not extra and not missing:
            return []
        name = spec["name"]
        steps = [self._route_step(name, "delete_route", "remove", "from", route) for route in extra]
        steps.extend(self._route_step(name, "add_route", "add", "to", route) for route in missing)
        return [Difference("routes", have, want, tuple(steps))]

    def _route_step(self, network: str, action: str, verb: str, side: str, route: Json) -> Step:
        return self._action(
            network,
            action,
            route,
            f"{verb} route {route['destination']} {side} network {network}",
            lambda live, _ids: (route in [canonical_route(entry) for entry in live["routes"]]) == (verb == "add"),
        )

    def _action(
        self,
        network: str,
        action: str,
        body: Json,
        words: str,
        satisfied: Callable[[Json, Callable[[Ref], int]], bool] | None = None,
        wave: int = WAVE_BASE,
    ) -> Step:
        return Step(
            wave,
            "action",
            f"/networks/{{id}}/actions/{action}",
            words,
            body=body,
            retry_codes=PASSING,
            satisfied=satisfied,
            serial=Ref("network", network),
        )

    def payload(self, spec: Json, world: World) -> Json:
        optional = {key: spec[key] for key in ("subnets", "routes") if spec.get(key)}
        return {**super().payload(spec, world), "ip_range": spec["ip_range"], **optional}

    def create(self, spec: Json, world: World) -> list[Step]:
        steps = super().create(spec, world)
        if spec.get("delete_protection"):
            steps.append(self.protection_step(spec["name"], WAVE_BASE, on=True))
        return steps

    def summary(self, live: Json, world: World) -> Json:
        return {**self.resource(live, world), "delete_protection": self.protected(live)}

    def resource(self, live: Json, world: World) -> Json:
        return {
            "id": live["id"],
            "labels": labels_of(live),
            "ip_range": live["ip_range"],
            "subnets": [canonical_subnet(subnet) for subnet in live["subnets"]],
            "routes": [canonical_route(route) for route in live["routes"]],
        }

    def in_use(self, live: Json, world: World, staying: Sequence[Staying]) -> str | None:
        for number in live.get("load_balancers") or []:
            if world.by_id("load_balancer", number) is None:
                return f"load balancer {number} is attached to it"
        for holder in staying:
            attached = any(entry["network"] == live["id"] for entry in holder.live.get("private_net") or [])
            # One whose networks are listed leaves the others; one without a list is left alone.
            leaves = holder.spec is not None and "networks" in holder.spec
            if attached and not leaves:
                return f"{holder.kind.title} {holder.live['name']} is attached to it"
        return None


def canonical_subnet(subnet: Mapping[str, Any]) -> Json:
    """A subnet as the API takes it. The type `server` is the old name of `cloud`."""
    kind = subnet.get("type") or "cloud"
    found = {
        "type": "cloud" if kind == "server" else kind,
        "network_zone": subnet["network_zone"],
        "ip_range": canonical_network(subnet["ip_range"]),
    }
    if subnet.get("vswitch_id"):
        found["vswitch_id"] = subnet["vswitch_id"]
    return found


def canonical_route(route: Mapping[str, Any]) -> Json:
    """A route as the API takes it."""
    return {
        "destination": canonical_network(route["destination"]),
        "gateway": canonical_address(route["gateway"]),
    }
