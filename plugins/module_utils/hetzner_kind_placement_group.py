# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placement groups: servers of one group run on different physical hosts."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import Difference, Kind, Staying, World


class PlacementGroup(Kind):
    """https://docs.hetzner.cloud/#placement-groups."""

    name = "placement_group"
    option = "placement_groups"
    path = "/placement_groups"
    delete_retry_codes = frozenset({"resource_in_use"})

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        if spec.get("type", live["type"]) == live["type"]:
            return []
        why = "a placement group keeps its type"
        return [Difference("type", live["type"], spec["type"], guard="replace", why=why)]

    def payload(self, spec: Json, world: World) -> Json:
        return {**super().payload(spec, world), "type": spec.get("type", "spread")}

    def summary(self, live: Json, world: World) -> Json:
        return {**super().summary(live, world), "type": live["type"]}

    def resource(self, live: Json, world: World) -> Json:
        return {**super().resource(live, world), "type": live["type"], "servers": sorted(live.get("servers") or [])}

    def in_use(self, live: Json, world: World, staying: Sequence[Staying]) -> str | None:
        for server in staying:
            group = server.live.get("placement_group") or {}
            leaves = server.spec is not None and server.spec.get("placement_group", live["name"]) != live["name"]
            if group.get("id") == live["id"] and not leaves:
                return f"server {server.live['name']} is in it"
        return None
