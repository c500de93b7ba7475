# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge that joins a node's containers to the outside: docker_gwbridge.

The engine makes it when a node enters a cluster, with packets of 1500 bytes, unless it is there already; so it is made before.
https://docs.docker.com/engine/swarm/networking/#customize-the-docker_gwbridge
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import is_there_already, wait_until

BRIDGE = "docker_gwbridge"
MTU = "com.docker.network.driver.mtu"
DEFAULT_MTU = 1500
# What is ours among the engine's networks.
LABEL = "frontdesk.platform/role"
_PREFIX = "com.docker.network.bridge."


@dataclass(frozen=True)
class Bridge:
    """The bridge as it should be. mtu: in bytes."""

    mtu: int

    @staticmethod
    def mtu_of(network: Mapping[str, Any]) -> int:
        """The MTU of one of the engine's networks."""
        return int((network.get("Options") or {}).get(MTU) or DEFAULT_MTU)

    def same_mtu(self, network: Mapping[str, Any]) -> bool:
        """Whether a network has the wanted MTU."""
        return self.mtu_of(network) == self.mtu

    def prepare(self, engine: DockerEngine, found: Mapping[str, Any] | None, check_mode: bool) -> list[Change]:
        """Make it, or make it anew. Only for a node outside of a cluster, where nothing uses it. Raises EngineError."""
        if found and self.same_mtu(found):
            return []
        before = {"mtu": self.mtu_of(found)} if found else None
        change = Change("replace" if found else "create", "network", BRIDGE, before, {"mtu": self.mtu})
        if check_mode:
            return [change]
        if found:
            engine.delete(f"/networks/{BRIDGE}")
        try:
            engine.post("/networks/create", self._body())
        except EngineError as error:
            # Another run was faster; it wanted the same.
            if not is_there_already(error):
                raise
        return [change]

    def _body(self) -> Json:
        return {
            "Name": BRIDGE,
            "Driver": "bridge",
            "CheckDuplicate": True,
            "Labels": {LABEL: "swarm"},
            "Options": {
                MTU: str(self.mtu),
                f"{_PREFIX}name": BRIDGE,
                # As the engine makes it: containers of one node reach each other by their own networks alone.
                f"{_PREFIX}enable_icc": "false",
                f"{_PREFIX}enable_ip_masquerade": "true",
            },
        }


def wanted_bridge(mtu: int) -> Bridge:
    """The bridge with this MTU in bytes."""
    return Bridge(mtu)


def remove_bridge(engine: DockerEngine, check_mode: bool, seconds: float = 20) -> list[Change]:
    """Remove the bridge from a node that has left, if it was made here. Raises EngineError."""
    found = engine.get(f"/networks/{BRIDGE}", absent=(404,))
    if not found or LABEL not in (found.get("Labels") or {}):
        return []
    change = Change("delete", "network", BRIDGE, {"mtu": Bridge.mtu_of(found)}, None)
    if check_mode:
        return [change]
    refusal: list[EngineError] = []

    def removed() -> bool:
        try:
            engine.delete(f"/networks/{BRIDGE}")
        except EngineError as error:
            # The containers of the cluster's tasks are still being stopped.
            if "active endpoints" not in str(error):
                raise
            refusal[:] = [error]
            return False
        return True

    if not wait_until(removed, seconds, every=0.5):
        raise refusal[0]
    return [change]
