# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers with their attachments. A server that was left half made differs in its attachments and is finished."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import UNKNOWN
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_balancer_target import (
    direct_servers,
    removal_of_server,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_firewall import (
    applied_servers,
    server_target,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    PASSING,
    WAVE_DETACH,
    WAVE_FREE,
    WAVE_SERVER,
    Difference,
    Kind,
    Ref,
    Step,
    World,
    labels_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_stock import (
    Offer,
    fitting_type,
    in_stock,
    trial_order,
    unknown_types,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import (
    USER_DATA_LABEL,
    canonical_address,
    user_data_digest,
)

OFF = "off"
RUNNING = "running"
NEEDED_TO_CREATE = ("server_types", "locations", "image")


class Server(Kind):
    """https://docs.hetzner.cloud/#servers."""

    name = "server"
    option = "servers"
    path = "/servers"
    references = ("network", "firewall", "ssh_key", "placement_group")
    holds = references
    paid = True
    delete_wave = WAVE_FREE
    replace_wave = WAVE_FREE

    def normalise(self, spec: Mapping[str, Any]) -> Json:
        # A server that is created switched off, to be attached first, must be known to be wanted on.
        wanted = {"running": True, **super().normalise(spec)}
        if "networks" in wanted:
            wanted["networks"] = [canonical_attachment(entry) for entry in wanted["networks"]]
        self._check(wanted)
        return wanted

    def _check(self, wanted: Json) -> None:
        protections = {wanted.get("delete_protection"), wanted.get("rebuild_protection")} - {None}
        if len(protections) > 1:
            raise ValueError("delete_protection and rebuild_protection must be equal, the API knows them only together")
        if wanted.get("public_ipv4") is False and wanted.get("public_ipv6") is False:
            if not wanted.get("networks"):
                raise ValueError("it needs public_ipv4, public_ipv6 or a network")
            if wanted.get("firewalls"):
                raise ValueError("firewalls filter public interfaces only, and it has none")

    def used(self, spec: Mapping[str, Any]) -> list[Ref]:
        found = [Ref("network", entry["name"]) for entry in spec.get("networks", [])]
        found.extend(Ref("firewall", name) for name in spec.get("firewalls", []))
        found.extend(Ref("ssh_key", name) for name in spec.get("ssh_keys", []))
        if spec.get("placement_group"):
            found.append(Ref("placement_group", spec["placement_group"]))
        return found

    # --- what differs

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        return [
            *self._rebuilt(spec, live, world),
            *self._network_difference(spec, live, world),
            *self._firewall_difference(spec, live, world),
            *self._group_difference(spec, live, world),
            *self._type_difference(spec, live, world),
            *self._backup_difference(spec, live),
            *self._protection_difference(spec, live),
            *self._power_difference(spec, live),
        ]

    def _rebuilt(self, spec: Json, live: Json, world: World) -> list[Difference]:
        """What only a new server has."""
        found = []
        image = live.get("image")
        if "image" in spec and image and spec["image"] not in (image.get("name"), str(image["id"])):
            before = image.get("name") or str(image["id"])
            found.append(Difference("image", before, spec["image"], guard="replace", why="the image is the disk"))
        location = live["location"]["name"]
        if spec.get("locations") and location not in spec["locations"]:
            why = "a server cannot move"
            found.append(Difference("location", location, spec["locations"], guard="replace", why=why))
        for field in ("public_ipv4", "public_ipv6"):
            if spec.get(field, has_public(live, field)) != has_public(live, field):
                why = "public addresses are chosen at creation"
                found.append(Difference(field, has_public(live, field), spec[field], guard="replace", why=why))
        # Without the label the server was not made here, and nobody knows its user data.
        digest = labels_of(live).get(USER_DATA_LABEL)
        if "user_data" in spec and digest:
            wanted = user_data_digest(world.owner, spec["name"], spec["user_data"])
            if digest != wanted:
                why = "user data run at the first boot only"
                found.append(Difference("user_data", f"hash {digest}", f"hash {wanted}", guard="replace", why=why))
        return found

    def _network_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        if "networks" not in spec:
            return []
        attached = {entry["network"]: entry for entry in live.get("private_net") or []}
        steps: list[Step] = []
        wanted_ids = set()
        for entry in spec["networks"]:
            number = world.id_of("network", entry["name"])
            if number is not None:
                wanted_ids.add(number)
            steps.extend(self._attachment(spec["name"], entry, attached.get(number) if number else None))
        for number in attached:
            network = world.by_id("network", number)
            if number in wanted_ids or network is None or not world.owned(network):
                continue
            if world.id_of("network", network["name"]) is not None:
                steps.insert(0, self._detach(spec["name"], network["name"]))
        if not steps:
            return []
        before = [shown_attachment(world.name_of("network", number), entry) for number, entry in attached.items()]
        return [Difference("networks", before, spec["networks"], tuple(steps))]

    def _attachment(self, server: str, wanted: Json, have: Json | None) -> list[Step]:
        if have is None:
            return [self._attach(server, wanted)]
        if wanted.get("ip") not in (None, have["ip"]):
            return [self._detach(server, wanted["name"]), self._attach(server, wanted)]
        aliases = wanted.get("alias_ips")
        if aliases is not None and set(aliases) != set(have.get("alias_ips") or []):
            return [self._change_aliases(server, wanted["name"], aliases)]
        return []

    def _attach(self, server: str, wanted: Json) -> Step:
        network = Ref("network", wanted["name"])
        optional = {key: wanted[key] for key in ("ip", "alias_ips") if wanted.get(key)}
        where = f" with {wanted['ip']}" if wanted.get("ip") else ""
        return Step(
            WAVE_SERVER,
            "action",
            "/servers/{id}/actions/attach_to_network",
            f"attach server {server} to network {wanted['name']}{where}",
            body={"network": network, **optional},
            done_codes=frozenset({"server_already_attached"}),
            retry_codes=PASSING,
            satisfied=lambda live, ids: any(entry["network"] == ids(network) for entry in live["private_net"]),
            serial=network,
        )

    def _detach(self, server: str, name: str) -> Step:
        network = Ref("network", name)
        return Step(
            WAVE_DETACH,
            "action",
            "/servers/{id}/actions/detach_from_network",
            f"detach server {server} from network {name}",
            body={"network": network},
            retry_codes=PASSING,
            satisfied=lambda live, ids: all(entry["network"] != ids(network) for entry in live["private_net"]),
            serial=network,
        )

    def _change_aliases(self, server: str, name: str, aliases: Sequence[str]) -> Step:
        return Step(
            WAVE_SERVER,
            "action",
            "/servers/{id}/actions/change_alias_ips",
            f"set the alias addresses of server {server} in network {name}",
            body={"network": Ref("network", name), "alias_ips": list(aliases)},
            retry_codes=PASSING,
            serial=Ref("network", name),
        )

    def _firewall_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        wanted = [*spec.get("firewalls", []), *spec.get("also_firewalls", [])]
        if not wanted and "firewalls" not in spec:
            return []
        name = spec["name"]
        applied = [entry["id"] for entry in (live["public_net"].get("firewalls") or [])]
        steps = [
            self._apply_firewall(name, firewall)
            for firewall in dict.fromkeys(wanted)
            if world.id_of("firewall", firewall) not in applied
        ]
        leaving = [
            firewall["name"]
            for firewall in (world.by_id("firewall", number) for number in applied)
            # One that is not ours, or comes by a label selector, is not this server's affair.
            if firewall is not None
            and "firewalls" in spec
            and firewall["name"] not in wanted
            and world.owned(firewall)
            and live["id"] in applied_servers(firewall)
        ]
        steps.extend(self._remove_firewall(name, firewall) for firewall in leaving)
        if not steps:
            return []
        before = sorted(world.name_of("firewall", number) for number in applied)
        after = sorted({*wanted, *before} - set(leaving))
        return [Difference("firewalls", before, after, tuple(steps))]

    def _apply_firewall(self, server: str, name: str) -> Step:
        firewall = Ref("firewall", name)
        return Step(
            WAVE_SERVER,
            "action",
            "/firewalls/{target}/actions/apply_to_resources",
            f"apply firewall {name} to server {server}",
            body={"apply_to": [server_target(Ref("server", server))]},
            target=firewall,
            done_codes=frozenset({"firewall_already_applied"}),
            retry_codes=PASSING,
            serial=firewall,
        )

    def _remove_firewall(self, server: str, name: str) -> Step:
        firewall = Ref("firewall", name)
        return Step(
            WAVE_SERVER,
            "action",
            "/firewalls/{target}/actions/remove_from_resources",
            f"remove firewall {name} from server {server}",
            body={"remove_from": [server_target(Ref("server", server))]},
            target=firewall,
            done_codes=frozenset({"firewall_resource_not_found"}),
            retry_codes=PASSING,
            serial=firewall,
        )

    def _group_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        if "placement_group" not in spec:
            return []
        have = live.get("placement_group") or {}
        name = spec["placement_group"]
        wanted_id = world.id_of("placement_group", name) if name else None
        # A wanted group that does not exist yet has no id; that is a difference, too.
        if have.get("id") == wanted_id and (wanted_id is not None or not name):
            return []
        steps = []
        if have and world.name_of("placement_group", have["id"]) != name:
            words = f"take server {spec['name']} out of placement group {have['name']}"
            steps.append(Step(WAVE_SERVER, "action", "/servers/{id}/actions/remove_from_placement_group", words))
        if name:
            group = Ref("placement_group", name)
            steps.append(
                Step(
                    WAVE_SERVER,
                    "action",
                    "/servers/{id}/actions/add_to_placement_group",
                    f"put server {spec['name']} into placement group {name}",
                    body={"placement_group": group},
                    done_codes=frozenset({"already_in_placement_group"}),
                )
            )
        cycle = bool(name) and live["status"] != OFF
        guard, why = ("disrupt", "the server is powered off and on") if cycle else ("", "")
        return [
            Difference("placement_group", have.get("name"), name or None, tuple(steps), guard, why, offline=bool(name))
        ]

    def _type_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        have = live["server_type"]["name"]
        if not spec.get("server_types") or have in spec["server_types"]:
            return []
        new = fitting_type(spec["server_types"], live, world.catalogue("server_types"), now())
        if new is None:
            offered = ", ".join(spec["server_types"])
            why = f"none of {offered} is in stock in {live['location']['name']} with this architecture and disk"
            return [Difference("server_type", have, spec["server_types"], guard="impossible", why=why)]
        step = Step(
            WAVE_SERVER,
            "action",
            "/servers/{id}/actions/change_type",
            f"change server {spec['name']} to type {new}",
            # The disk keeps its size, so that the server may become smaller again.
            body={"server_type": new, "upgrade_disk": False},
            satisfied=lambda live, _ids: live["server_type"]["name"] == new,
        )
        why = "the server is powered off and on, its disk stays"
        return [Difference("server_type", have, new, (step,), "disrupt", why, offline=True)]

    def _backup_difference(self, spec: Json, live: Json) -> list[Difference]:
        have = bool(live.get("backup_window"))
        want = spec.get("backups", have)
        if want == have:
            return []
        verb = "enable" if want else "disable"
        words = f"{verb} the backups of server {spec['name']}"
        step = Step(WAVE_SERVER, "action", f"/servers/{{id}}/actions/{verb}_backup", words)
        guard, why = ("", "") if want else ("disrupt", "Hetzner deletes the server's backups at once")
        return [Difference("backups", have, want, (step,), guard, why)]

    def _protection_difference(self, spec: Json, live: Json) -> list[Difference]:
        want = wanted_protection(spec)
        if want is None or want == self.protected(live):
            return []
        step = self.protection_step(spec["name"], WAVE_SERVER, want)
        return [Difference("delete_protection", not want, want, (step,))]

    def protection_step(self, name: str, wave: int, on: bool) -> Step:
        step = super().protection_step(name, wave, on)
        return Step(step.wave, step.call, step.path, step.words, body={"delete": on, "rebuild": on})

    def _power_difference(self, spec: Json, live: Json) -> list[Difference]:
        want = spec.get("running")
        if want is None or (live["status"] != OFF) == want:
            return []
        step = power_on(spec["name"]) if want else shut_down(spec["name"])
        return [Difference("running", not want, want, (step,))]

    def compose(self, spec: Json, live: Json, differences: Sequence[Difference]) -> list[Step]:
        online = [step for item in differences if not item.offline and item.field != "running" for step in item.steps]
        offline = [step for item in differences if item.offline for step in item.steps]
        power = [step for item in differences if item.field == "running" for step in item.steps]
        if not offline or live["status"] == OFF:
            return [*online, *offline, *power]
        restart = [] if spec.get("running") is False else [power_on(spec["name"])]
        return [*online, shut_down(spec["name"]), *offline, *restart]

    # --- creation

    def offers(self, spec: Json, world: World) -> list[Offer]:
        """What may be ordered for this server, best first. Raises ValueError with a sentence when there is nothing."""
        missing = [field for field in NEEDED_TO_CREATE if not spec.get(field)]
        if missing:
            raise ValueError(f"it does not exist, and its creation needs {', '.join(missing)}")
        unknown = unknown_types(spec["server_types"], world.catalogue("server_types"))
        if unknown:
            raise ValueError(f"Hetzner has no server type {', '.join(unknown)}")
        wanted = trial_order(spec["server_types"], spec["locations"])
        wanted = [offer for offer in wanted if offer.location in self._places(spec, world)]
        offers = in_stock(wanted, world.catalogue("server_types"), now())
        if not offers:
            tried = ", ".join(str(offer) for offer in wanted)
            raise ValueError(f"Hetzner has no stock of {tried}; list further server_types or locations")
        return offers

    def _places(self, spec: Json, world: World) -> list[str]:
        """The wanted locations, or the one of them where the server's volumes are, which cannot move."""
        homes: dict[str, str] = {}
        for name, location in spec.get("volumes", {}).items():
            live = world.get("volume", name)
            home = live["location"]["name"] if live else location
            if home:
                homes[home] = f"volume {name} is in {home}"
        if self._kept_volumes(spec, world):
            home = world.all("server")[spec["name"]]["location"]["name"]
            homes[home] = f"it has volumes in {home}"
        places = [place for place in spec["locations"] if not homes or set(homes) == {place}]
        if not places:
            wanted = ", ".join(spec["locations"])
            raise ValueError(f"it is wanted in {wanted}, but {' and '.join(homes.values())}, and volumes cannot move")
        return places

    def _kept_volumes(self, spec: Json, world: World) -> list[int]:
        """Volumes of a server that is made again, of which this call says nothing: they come back to it."""
        live = world.get(self.name, spec["name"]) or {}
        placed = spec.get("placed_volumes", [])
        return [number for number in live.get("volumes") or [] if world.name_of("volume", number) not in placed]

    def payload(self, spec: Json, world: World) -> Json:
        fixed = any(entry.get("ip") or entry.get("alias_ips") for entry in spec.get("networks", []))
        networks = spec.get("networks", [])
        # A creation cannot set a private address: attach first, start then.
        start = not fixed and spec.get("running") is not False
        body: Json = {
            **super().payload(spec, world),
            "image": spec["image"],
            "start_after_create": start,
        }
        body["labels"][USER_DATA_LABEL] = user_data_digest(world.owner, spec["name"], spec.get("user_data", ""))
        if networks and not fixed:
            body["networks"] = [Ref("network", entry["name"]) for entry in networks]
        firewalls = [*spec.get("firewalls", []), *spec.get("also_firewalls", [])]
        if firewalls:
            body["firewalls"] = [{"firewall": Ref("firewall", name)} for name in dict.fromkeys(firewalls)]
        if spec.get("placement_group"):
            body["placement_group"] = Ref("placement_group", spec["placement_group"])
        if spec.get("ssh_keys"):
            body["ssh_keys"] = list(spec["ssh_keys"])
        if spec.get("user_data"):
            body["user_data"] = spec["user_data"]
        volumes = self._kept_volumes(spec, world)
        if volumes:
            body |= {"volumes": volumes, "automount": False}
        public = {f"enable_{field[7:]}": spec[field] for field in ("public_ipv4", "public_ipv6") if field in spec}
        if public:
            body["public_net"] = public
        return body

    def create(self, spec: Json, world: World) -> list[Step]:
        offers = self.offers(spec, world)
        body = {**self.payload(spec, world), "offers": offers}
        words = f"create server {spec['name']}"
        return [
            Step(WAVE_SERVER, "create_server", self.path, words, body=body),
            Step(WAVE_SERVER, "reconcile", self.path, f"finish server {spec['name']}"),
        ]

    def shown(self, spec: Json, world: World) -> Json:
        found = {**super().shown(spec, world), "id": UNKNOWN}
        for field in ("server_types", "locations", "also_firewalls", "volumes", "placed_volumes"):
            found.pop(field, None)
        offer = self.offers(spec, world)[0]
        found.update(server_type=offer.server_type, location=offer.location)
        if "user_data" in spec:
            found["user_data"] = f"hash {user_data_digest(world.owner, spec['name'], spec['user_data'])}"
        return found

    def known(self, created: Mapping[str, Any]) -> Json:
        return {
            "id": created["id"],
            "server_type": created["server_type"]["name"],
            "location": created["location"]["name"],
        }

    def release(self, live: Json, wave: int, world: World) -> list[Step]:
        """Visitors are led away first; then what is not yet written gets onto the volumes, which are taken off."""
        name = live["name"]
        steps = [
            removal_of_server(balancer, live, wave)
            for balancer in world.all("load_balancer").values()
            if world.owned(balancer)
            and ("load_balancer", balancer["name"]) not in world.leaving
            and world.id_of("load_balancer", balancer["name"]) is not None
            and live["id"] in direct_servers(balancer)
        ]
        volumes = live.get("volumes") or []
        if volumes and live["status"] != OFF:
            step = shut_down(name)
            steps.append(dataclasses.replace(step, wave=wave))
        steps.extend(self._take_volume(name, number, wave, world) for number in volumes)
        return steps

    def _take_volume(self, server: str, number: int, wave: int, world: World) -> Step:
        return Step(
            wave,
            "action",
            f"/volumes/{number}/actions/detach",
            f"detach volume {world.name_of('volume', number)} from server {server}",
            satisfied=lambda live, _ids: number not in (live.get("volumes") or []),
        )

    def summary(self, live: Json, world: World) -> Json:
        return self.resource(live, world)

    def resource(self, live: Json, world: World) -> Json:
        public = live["public_net"]
        group = live.get("placement_group") or {}
        image = live.get("image") or {}
        return {
            "id": live["id"],
            "labels": labels_of(live),
            "status": live["status"],
            "server_type": live["server_type"]["name"],
            "location": live["location"]["name"],
            "image": image.get("name") or (str(image["id"]) if image else None),
            "public_ipv4": (public.get("ipv4") or {}).get("ip"),
            "public_ipv6": (public.get("ipv6") or {}).get("ip"),
            "networks": [
                shown_attachment(world.name_of("network", entry["network"]), entry)
                for entry in live.get("private_net") or []
            ],
            "firewalls": sorted(world.name_of("firewall", entry["id"]) for entry in public.get("firewalls") or []),
            "placement_group": group.get("name"),
            "backups": bool(live.get("backup_window")),
            "delete_protection": self.protected(live),
        }


def now() -> datetime.datetime:
    """The present time, with its zone."""
    return datetime.datetime.now(datetime.timezone.utc)


def has_public(live: Mapping[str, Any], field: str) -> bool:
    """Has the server that public address? field: public_ipv4 or public_ipv6."""
    entry = live["public_net"].get(field[len("public_") :])
    return bool(entry and entry.get("ip"))


def wanted_protection(spec: Mapping[str, Any]) -> bool | None:
    """The one protection that the API has for servers; None when the user said nothing."""
    value = spec.get("delete_protection", spec.get("rebuild_protection"))
    return None if value is None else bool(value)


def canonical_attachment(entry: Mapping[str, Any]) -> Json:
    """A wanted attachment: {name, ip?, alias_ips?}."""
    found: Json = {"name": entry["name"]}
    if entry.get("ip"):
        found["ip"] = canonical_address(entry["ip"])
    if entry.get("alias_ips") is not None:
        found["alias_ips"] = sorted(canonical_address(address) for address in entry["alias_ips"])
    return found


def shown_attachment(name: str, entry: Mapping[str, Any]) -> Json:
    """A live attachment in the form of the option."""
    return {"name": name, "ip": entry["ip"], "alias_ips": sorted(entry.get("alias_ips") or [])}


def power_on(server: str) -> Step:
    """Start a server; starting a running one does no harm."""
    return Step(WAVE_SERVER, "action", "/servers/{id}/actions/poweron", f"start server {server}")


def shut_down(server: str) -> Step:
    """Stop a server: by its operating system, and by force when that does not answer."""
    return Step(WAVE_SERVER, "shutdown", "/servers/{id}", f"shut down server {server}")
