# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: block storage that outlives servers. It grows, moves between servers of its location, and is never replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import UNKNOWN
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    WAVE_BASE,
    WAVE_TARGET,
    Difference,
    Kind,
    Ref,
    Staying,
    Step,
    World,
    labels_of,
)

# GB, https://docs.hetzner.cloud/#volumes-create-a-volume
SMALLEST = 10
LARGEST = 10240


class Volume(Kind):
    """https://docs.hetzner.cloud/#volumes."""

    name = "volume"
    option = "volumes"
    path = "/volumes"
    references = ("server",)
    paid = True
    holds_data = True

    def normalise(self, spec: Mapping[str, Any]) -> Json:
        wanted = super().normalise(spec)
        if not SMALLEST <= wanted.get("size", SMALLEST) <= LARGEST:
            raise ValueError(f"its size is {wanted['size']}, and a volume has {SMALLEST} to {LARGEST} GB")
        return wanted

    def used(self, spec: Mapping[str, Any]) -> list[Ref]:
        return [Ref("server", spec["server"])] if spec.get("server") else []

    # --- what differs

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        return [
            *self._fixed(spec, live),
            *self._size_difference(spec, live),
            *self._server_difference(spec, live, world),
            *self.protection_difference(spec, live, WAVE_BASE),
        ]

    def _fixed(self, spec: Json, live: Json) -> list[Difference]:
        """What a volume keeps for ever. It is not made again for that, because it holds data."""
        found = []
        location = live["location"]["name"]
        if spec.get("location", location) != location:
            why = "a volume cannot move; make one of another name there and copy the data"
            found.append(Difference("location", location, spec["location"], guard="impossible", why=why))
        if spec.get("format", live.get("format")) != live.get("format"):
            why = "Hetzner formats a volume when it makes it, and never again; leave the format out"
            found.append(Difference("format", live.get("format"), spec["format"], guard="impossible", why=why))
        return found

    def _size_difference(self, spec: Json, live: Json) -> list[Difference]:
        have, want = int(live["size"]), spec.get("size")
        if want in (None, have):
            return []
        if want < have:
            why = "a volume only grows; for a smaller one make another and copy the data"
            return [Difference("size", have, want, guard="impossible", why=why)]
        step = Step(
            WAVE_TARGET,
            "action",
            "/volumes/{id}/actions/resize",
            f"grow volume {spec['name']} to {want} GB",
            body={"size": want},
            satisfied=lambda live, _ids: int(live["size"]) >= want,
        )
        return [Difference("size", have, want, (step,))]

    def _server_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        want = spec.get("server")
        if want is None:
            return []
        holder = live.get("server")
        target = world.id_of("server", want) if want else None
        if holder == target and (target is not None or not want):
            return []
        before = world.name_of("server", holder) if holder else None
        fault = _apart(live["location"]["name"], want, world)
        if fault:
            return [Difference("server", before, want, guard="impossible", why=fault)]
        steps = [self._detach(spec["name"], before)] if holder else []
        if want:
            steps.append(self._attach(spec["name"], want))
        guard, why = "", ""
        if holder and _runs(holder, world):
            guard = "disrupt"
            why = f"server {before} runs, and loses what it has not written yet; unmount the volume or stop the server"
        return [Difference("server", before, want or None, tuple(steps), guard, why)]

    def _attach(self, volume: str, server: str) -> Step:
        target = Ref("server", server)
        return Step(
            WAVE_TARGET,
            "action",
            "/volumes/{id}/actions/attach",
            f"attach volume {volume} to server {server}",
            body={"server": target, "automount": False},
            satisfied=lambda live, ids: live.get("server") == ids(target),
            serial=target,
        )

    def _detach(self, volume: str, server: str | None) -> Step:
        return Step(
            WAVE_TARGET,
            "action",
            "/volumes/{id}/actions/detach",
            f"detach volume {volume} from server {server}",
            satisfied=lambda live, _ids: live.get("server") is None,
            # A server that goes takes its volumes off itself, before this step.
            look_first=True,
        )

    # --- creation and deletion

    def payload(self, spec: Json, world: World) -> Json:
        body = {**super().payload(spec, world), "size": spec["size"]}
        if "format" in spec:
            body["format"] = spec["format"]
        if spec.get("server"):
            # The API makes it where the server is, which may be known only when the server is there.
            return {**body, "server": Ref("server", spec["server"]), "automount": False}
        return {**body, "location": spec["location"]}

    def create(self, spec: Json, world: World) -> list[Step]:
        name, server = spec["name"], spec.get("server")
        if "size" not in spec:
            raise ValueError("it does not exist, and its creation needs size")
        if not server and not spec.get("location"):
            raise ValueError("it does not exist, and its creation needs a location or a server")
        fault = _apart(spec.get("location"), server, world)
        if fault:
            raise ValueError(fault)
        serial = Ref("server", server) if server else None
        wave = WAVE_TARGET if server else WAVE_BASE
        words = f"create volume {name}"
        steps = [Step(wave, "create", self.path, words, body=self.payload(spec, world), serial=serial)]
        if spec.get("delete_protection"):
            steps.append(self.protection_step(name, wave, on=True))
        return steps

    def shown(self, spec: Json, world: World) -> Json:
        live = world.get("server", spec["server"]) if spec.get("server") else None
        home = live["location"]["name"] if live and world.id_of("server", live["name"]) else UNKNOWN
        return {
            **super().shown(spec, world),
            "location": spec.get("location", home),
            "linux_device": UNKNOWN,
        }

    def known(self, created: Mapping[str, Any]) -> Json:
        return {
            "id": created["id"],
            "location": created["location"]["name"],
            "linux_device": created["linux_device"],
        }

    def release(self, live: Json, wave: int, world: World) -> list[Step]:
        """A volume that is attached cannot be deleted."""
        holder = live.get("server")
        if not holder:
            return []
        step = self._detach(live["name"], world.name_of("server", holder))
        return [Step(wave, step.call, step.path, step.words, satisfied=step.satisfied, look_first=True)]

    def in_use(self, live: Json, world: World, staying: Sequence[Staying]) -> str | None:
        for server in staying:
            if server.kind.name == "server" and server.live["id"] == live.get("server"):
                return f"server {server.live['name']} uses it; detach it first, with an empty server"
        return None

    # --- results

    def summary(self, live: Json, world: World) -> Json:
        return self.resource(live, world)

    def resource(self, live: Json, world: World) -> Json:
        holder = live.get("server")
        return {
            "id": live["id"],
            "labels": labels_of(live),
            "status": live["status"],
            "size": int(live["size"]),
            "location": live["location"]["name"],
            "server": world.name_of("server", holder) if holder else None,
            "linux_device": live["linux_device"],
            "format": live.get("format"),
            "delete_protection": self.protected(live),
        }


def _apart(location: str | None, server: str | None, world: World) -> str | None:
    """Why a volume in a location cannot be attached to an existing server that stays, or None."""
    live = world.get("server", server) if server else None
    if not live or not location or world.id_of("server", live["name"]) is None:
        return None
    home = live["location"]["name"]
    if home == location:
        return None
    return f"server {server} is in {home}, and a volume in {location} can be attached only there"


def _runs(server: int, world: World) -> bool:
    live = world.by_id("server", server)
    # A server that this plan makes again is stopped before its volumes are taken off.
    return live is not None and live["status"] != "off" and world.id_of("server", live["name"]) is not None
