# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers with their services and targets. One that was left half made differs in them and is finished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import UNKNOWN
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_balancer_service import (
    canonical_service,
    changed_body,
    merged_service,
    service_body,
    wanted_services,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_balancer_target import (
    IP,
    SERVER,
    Targets,
    addition,
    health,
    live_targets,
    removal,
    shown_targets,
    target_body,
    wanted_targets,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    PASSING,
    WAVE_BALANCE,
    WAVE_FREE,
    Difference,
    Kind,
    Ref,
    Step,
    World,
    labels_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import canonical_address


class LoadBalancer(Kind):
    """https://docs.hetzner.cloud/#load-balancers."""

    name = "load_balancer"
    option = "load_balancers"
    path = "/load_balancers"
    references = ("network", "server")
    paid = True
    delete_wave = WAVE_FREE
    # The new one is made at once, so that visitors wait as short as may be.
    replace_wave = WAVE_BALANCE

    def normalise(self, spec: Mapping[str, Any]) -> Json:
        wanted = super().normalise(spec)
        if "networks" in wanted:
            wanted["networks"] = [_attachment(entry) for entry in wanted["networks"]]
            if len(wanted["networks"]) > 1:
                raise ValueError("it is in more than one network, and Hetzner attaches a load balancer to one")
        if "services" in wanted:
            wanted["services"] = wanted_services(wanted["services"])
        if "targets" in wanted:
            wanted["targets"] = wanted_targets(wanted["targets"])
        self._check(wanted)
        return wanted

    def _check(self, wanted: Json) -> None:
        targets: Targets = wanted.get("targets", {})
        private = [target for target, use in targets.items() if use]
        if private and wanted.get("networks") == []:
            raise ValueError(f"the target {private[0]} has use_private_ip, which needs one of the networks")
        if wanted.get("public_interface") is False:
            if wanted.get("networks") == []:
                raise ValueError("it needs public_interface or a network")
            public = [target for target, use in targets.items() if not use and target.kind != IP]
            if public:
                raise ValueError(f"it has no public_interface, so the target {public[0]} needs use_private_ip")

    def used(self, spec: Mapping[str, Any]) -> list[Ref]:
        found = [Ref("network", entry["name"]) for entry in spec.get("networks", [])]
        found.extend(Ref(SERVER, target.value) for target in spec.get("targets", {}) if target.kind == SERVER)
        return found

    # --- what differs, in the order in which it can be changed

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        grows, shrinks = self._type_difference(spec, live, world)
        opens, closes = self._public_difference(spec, live)
        self._check_limits(spec, live, world)
        return [
            *self._place_difference(spec, live),
            *grows,
            *self._algorithm_difference(spec, live),
            *opens,
            *self._network_difference(spec, live, world),
            *self._target_difference(spec, live, world),
            *self._service_difference(spec, live, world),
            *closes,
            *shrinks,
            *self.protection_difference(spec, live, WAVE_BALANCE),
        ]

    def _place_difference(self, spec: Json, live: Json) -> list[Difference]:
        location = live["location"]
        why = "a load balancer cannot move; the new one has other addresses"
        for field, have in (("location", location["name"]), ("network_zone", location["network_zone"])):
            if spec.get(field, have) != have:
                return [Difference(field, have, spec[field], guard="replace", why=why)]
        return []

    def _type_difference(self, spec: Json, live: Json, world: World) -> tuple[list[Difference], list[Difference]]:
        """What comes before and what comes after a change of services and targets."""
        have = live["load_balancer_type"]
        want = spec.get("type", have["name"])
        if want == have["name"]:
            return [], []
        step = self._action(
            spec["name"],
            "change_type",
            {"load_balancer_type": want},
            f"change load balancer {spec['name']} to type {want}",
        )
        found = [Difference("type", have["name"], want, (step,))]
        grows = _type(want, world)["max_targets"] >= have["max_targets"]
        return (found, []) if grows else ([], found)

    def _algorithm_difference(self, spec: Json, live: Json) -> list[Difference]:
        have = live["algorithm"]["type"]
        want = spec.get("algorithm", have)
        if want == have:
            return []
        words = f"change the algorithm of load balancer {spec['name']}"
        return [
            Difference(
                "algorithm", have, want, (self._action(spec["name"], "change_algorithm", {"type": want}, words),)
            )
        ]

    def _public_difference(self, spec: Json, live: Json) -> tuple[list[Difference], list[Difference]]:
        """What comes before and what comes after a change of network and targets."""
        have = live["public_net"]["enabled"]
        want = spec.get("public_interface", have)
        if want == have:
            return [], []
        verb = "enable" if want else "disable"
        words = f"{verb} the public interface of load balancer {spec['name']}"
        step = self._action(spec["name"], f"{verb}_public_interface", {}, words)
        if want:
            return [Difference("public_interface", have, want, (step,))], []
        return [], [Difference("public_interface", have, want, (step,))]

    # --- network: private targets are reached through it, so they are taken out for a change and put back

    def _network_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        leaving, joining = self._moves(spec, live, world)
        if not leaving and joining is None:
            return []
        name = spec["name"]
        targets = live_targets(live, world) if leaving else {}
        private = [target for target, use in targets.items() if use]
        # A network that is made again is left before it goes.
        renewed = any(world.id_of("network", world.name_of("network", number)) != number for number in leaving)
        wave = WAVE_FREE if renewed else WAVE_BALANCE
        steps = [removal(live, target, wave) for target in private]
        steps.extend(self._detach(name, number, wave, world) for number in leaving)
        if joining is not None:
            steps.append(self._attach(name, joining))
            # A target that is to be public from now on comes back with the other targets' changes.
            wanted: Targets = spec.get("targets", targets)
            back = [target for target in private if target in wanted and wanted[target] is not False]
            steps.extend(addition(name, target, private=True) for target in back)
        before = [_shown_attachment(entry, world) for entry in live.get("private_net") or []]
        guard, why = "", ""
        if private and not renewed:
            guard, why = "disrupt", "it reaches no private target while it changes networks"
        return [Difference("networks", before, spec["networks"], tuple(steps), guard, why)]

    def _moves(self, spec: Json, live: Json, world: World) -> tuple[list[int], Json | None]:
        """Numbers of the networks to leave, and the wanted attachment that is not there."""
        if "networks" not in spec:
            return [], None
        attached = {int(entry["network"]): entry for entry in live.get("private_net") or []}
        leaving = list(attached)
        for wanted in spec["networks"]:
            number = world.id_of("network", wanted["name"])
            if number is None or number not in attached or wanted.get("ip") not in (None, attached[number]["ip"]):
                return leaving, wanted
            leaving.remove(number)
        return leaving, None

    def _attach(self, name: str, wanted: Json) -> Step:
        network = Ref("network", wanted["name"])
        fixed = {"ip": wanted["ip"]} if wanted.get("ip") else {}
        where = f" with {wanted['ip']}" if fixed else ""
        return Step(
            WAVE_BALANCE,
            "action",
            "/load_balancers/{id}/actions/attach_to_network",
            f"attach load balancer {name} to network {wanted['name']}{where}",
            body={"network": network, **fixed},
            retry_codes=PASSING,
            satisfied=lambda live, ids: any(
                entry["network"] == ids(network) and wanted.get("ip") in (None, entry["ip"])
                for entry in live["private_net"]
            ),
            serial=network,
        )

    def _detach(self, name: str, number: int, wave: int, world: World) -> Step:
        network = world.name_of("network", number)
        return Step(
            wave,
            "action",
            "/load_balancers/{id}/actions/detach_from_network",
            f"detach load balancer {name} from network {network}",
            body={"network": number},
            retry_codes=PASSING,
            satisfied=lambda live, _ids: all(entry["network"] != number for entry in live["private_net"]),
            serial=Ref("network", network),
        )

    # --- targets

    def _target_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        if "targets" not in spec:
            return []
        have, want = live_targets(live, world), spec["targets"]
        moved = bool(self._moves(spec, live, world)[0])
        steps = []
        for target, private in want.items():
            if target not in have:
                steps.append(addition(spec["name"], target, private))
            elif private not in (None, have[target]):
                # There is no change in place; a private one is out already when the network changes.
                leaves = [] if moved and have[target] else [removal(live, target)]
                steps.extend([*leaves, addition(spec["name"], target, private)])
        steps.extend(
            removal(live, target) for target, private in have.items() if target not in want and not (moved and private)
        )
        changed = steps or set(have) != set(want)
        if not changed:
            return []
        known = {target: have.get(target, bool(use)) if use is None else use for target, use in want.items()}
        return [Difference("targets", shown_targets(have), shown_targets(known), tuple(steps))]

    # --- services: what goes frees its port for what comes

    def _service_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        if "services" not in spec:
            return []
        name = spec["name"]
        raw = {service["listen_port"]: service for service in live.get("services") or []}
        have = {port: canonical_service(service) for port, service in raw.items()}
        want = {port: merged_service(service, raw.get(port), world) for port, service in spec["services"].items()}
        steps = [
            self._action(
                name, "delete_service", {"listen_port": port}, f"remove service {port} from load balancer {name}",
                lambda live, _ids, port=port: port not in _ports(live),
            )
            for port in have
            if port not in want
        ]  # fmt: skip
        steps.extend(
            self._action(
                name,
                "update_service",
                changed_body(service, have[port]),
                f"change service {port} of load balancer {name}",
            )
            for port, service in want.items()
            if port in have and service != have[port]
        )
        steps.extend(
            self._action(
                name, "add_service", service_body(service), f"add service {port} to load balancer {name}",
                lambda live, _ids, port=port: port in _ports(live),
            )
            for port, service in want.items()
            if port not in have
        )  # fmt: skip
        return [Difference("services", _in_order(have), _in_order(want), tuple(steps))] if steps else []

    def _check_limits(self, spec: Json, live: Json | None, world: World) -> None:
        """A type takes so many services, targets and certificates. Raises ValueError with a sentence."""
        same = live and spec.get("type", live["load_balancer_type"]["name"]) == live["load_balancer_type"]["name"]
        limits = live["load_balancer_type"] if live and same else _type(spec["type"], world)
        services = spec.get("services", {})
        certificates = {
            name for service in services.values() for name in service.get("http", {}).get("certificates", [])
        }
        listed = {"services": services, "targets": spec.get("targets", {}), "assigned_certificates": certificates}
        for field, entries in listed.items():
            most = limits[f"max_{field}"]
            if len(entries) > most:
                what = field.replace("_", " ")
                raise ValueError(
                    f"it has {len(entries)} {what}, and a load balancer of type {limits['name']} takes {most}"
                )

    def _action(self, name: str, action: str, body: Json, words: str, satisfied: Any = None) -> Step:
        return Step(
            WAVE_BALANCE,
            "action",
            f"/load_balancers/{{id}}/actions/{action}",
            words,
            body=body,
            retry_codes=PASSING,
            satisfied=satisfied,
            serial=Ref("load_balancer", name),
        )

    # --- creation

    def payload(self, spec: Json, world: World) -> Json:
        body: Json = {**super().payload(spec, world), "load_balancer_type": spec["type"]}
        body.update({field: spec[field] for field in ("location", "network_zone") if field in spec})
        if "algorithm" in spec:
            body["algorithm"] = {"type": spec["algorithm"]}
        if spec.get("services"):
            body["services"] = [
                service_body(merged_service(service, None, world)) for service in spec["services"].values()
            ]
        # A creation cannot set a private address: what needs the network comes after it.
        fixed = any(entry.get("ip") for entry in spec.get("networks", []))
        if spec.get("networks") and not fixed:
            body["network"] = Ref("network", spec["networks"][0]["name"])
        if "public_interface" in spec and not fixed:
            body["public_interface"] = spec["public_interface"]
        targets = [
            target_body(target, private)
            for target, private in spec.get("targets", {}).items()
            if not (fixed and private)
        ]
        if targets:
            body["targets"] = targets
        return body

    def create(self, spec: Json, world: World) -> list[Step]:
        self._check_creation(spec)
        self._check_limits(spec, None, world)
        name = spec["name"]
        return [
            Step(WAVE_BALANCE, "create", self.path, f"create load balancer {name}", body=self.payload(spec, world)),
            Step(WAVE_BALANCE, "reconcile", self.path, f"finish load balancer {name}"),
        ]

    def _check_creation(self, spec: Json) -> None:
        if not spec.get("type"):
            raise ValueError("it does not exist, and its creation needs type")
        if not spec.get("location") and not spec.get("network_zone"):
            raise ValueError("it does not exist, and its creation needs location or network_zone")
        if spec.get("networks"):
            return
        if spec.get("public_interface") is False:
            raise ValueError("it needs public_interface or a network")
        private = [target for target, use in spec.get("targets", {}).items() if use]
        if private:
            raise ValueError(f"the target {private[0]} has use_private_ip, which needs one of the networks")

    def shown(self, spec: Json, world: World) -> Json:
        found = {"location": UNKNOWN, **super().shown(spec, world)}
        if "services" in spec:
            found["services"] = _in_order(
                {port: merged_service(service, None, world) for port, service in spec["services"].items()}
            )
        if "targets" in spec:
            found["targets"] = shown_targets({target: bool(use) for target, use in spec["targets"].items()})
        return found

    def known(self, created: Mapping[str, Any]) -> Json:
        return {"id": created["id"], "location": created["location"]["name"]}

    # --- results

    def summary(self, live: Json, world: World) -> Json:
        found = self.resource(live, world)
        del found["health"]
        return found

    def resource(self, live: Json, world: World) -> Json:
        public = live["public_net"]
        services = {service["listen_port"]: canonical_service(service) for service in live.get("services") or []}
        return {
            "id": live["id"],
            "labels": labels_of(live),
            "type": live["load_balancer_type"]["name"],
            "location": live["location"]["name"],
            "network_zone": live["location"]["network_zone"],
            "algorithm": live["algorithm"]["type"],
            "public_interface": public["enabled"],
            "public_ipv4": (public.get("ipv4") or {}).get("ip"),
            "public_ipv6": (public.get("ipv6") or {}).get("ip"),
            "networks": [_shown_attachment(entry, world) for entry in live.get("private_net") or []],
            "services": _in_order(services),
            "targets": shown_targets(live_targets(live, world)),
            "health": health(live, world),
            "delete_protection": self.protected(live),
        }


def _type(name: str, world: World) -> Json:
    found = world.catalogue("load_balancer_types").get(name)
    if found is None:
        raise ValueError(f"Hetzner has no load balancer type {name}")
    return found


def _attachment(entry: Mapping[str, Any]) -> Json:
    """A wanted attachment: {name, ip?}."""
    fixed = {"ip": canonical_address(entry["ip"])} if entry.get("ip") else {}
    return {"name": entry["name"], **fixed}


def _shown_attachment(entry: Mapping[str, Any], world: World) -> Json:
    """A live attachment in the form of the option."""
    return {"name": world.name_of("network", int(entry["network"])), "ip": entry["ip"]}


def _ports(live: Mapping[str, Any]) -> set[int]:
    return {service["listen_port"] for service in live.get("services") or []}


def _in_order(services: Mapping[int, Json]) -> list[Json]:
    return [services[port] for port in sorted(services)]
