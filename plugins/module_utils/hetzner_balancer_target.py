# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets of a load balancer: servers by name, label selectors, addresses of dedicated servers; and their health."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    PASSING,
    WAVE_BALANCE,
    Ref,
    Step,
    World,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import canonical_address

SERVER = "server"
SELECTOR = "label_selector"
IP = "ip"


class Target(NamedTuple):
    """kind: server, label_selector or ip. value: the server's name, the selector, the address."""

    kind: str
    value: str

    def __str__(self) -> str:
        """For sentences."""
        return f"{self.kind.replace('_', ' ')} {self.value}"


# A target and whether it is reached by its private address; None when the user did not say.
Targets = dict[Target, "bool | None"]


def wanted_targets(entries: Iterable[Mapping[str, Any]]) -> Targets:
    """The targets that the user listed. Raises ValueError with a sentence."""
    found: Targets = {}
    for entry in entries:
        if entry.get(SERVER):
            target = Target(SERVER, entry[SERVER])
        elif entry.get(SELECTOR):
            target = Target(SELECTOR, entry[SELECTOR].strip())
        else:
            target = Target(IP, canonical_address(entry[IP]))
        private = entry.get("use_private_ip")
        if target in found:
            raise ValueError(f"the target {target} is listed twice")
        if target.kind == IP and private:
            raise ValueError(f"use_private_ip is for servers and label selectors, not for {target}")
        found[target] = private
    return found


def live_targets(live: Mapping[str, Any], world: World) -> Targets:
    """The targets that the load balancer has; without servers that are going to be made again."""
    found: Targets = {}
    for entry in live.get("targets") or []:
        private = bool(entry.get("use_private_ip"))
        if entry["type"] == SERVER:
            number = int(entry[SERVER]["id"])
            name = world.name_of(SERVER, number)
            server = world.by_id(SERVER, number)
            if server is None or world.id_of(SERVER, name) == number:
                found[Target(SERVER, name)] = private
        elif entry["type"] == SELECTOR:
            found[Target(SELECTOR, entry[SELECTOR]["selector"])] = private
        else:
            found[Target(IP, canonical_address(entry[IP]["ip"]))] = False
    return found


def direct_servers(live: Mapping[str, Any]) -> list[int]:
    """Ids of the servers that are targets by themselves, not by a label."""
    return [int(entry[SERVER]["id"]) for entry in live.get("targets") or [] if entry["type"] == SERVER]


def _where(target: Target, live: Mapping[str, Any] | None) -> Json:
    """A target as the API names it. live: where a server that cannot be found by its name is still listed."""
    if target.kind != SERVER:
        key = "selector" if target.kind == SELECTOR else "ip"
        return {"type": target.kind, target.kind: {key: target.value}}
    if live is not None and target.value.isdigit() and int(target.value) in direct_servers(live):
        return {"type": SERVER, SERVER: {"id": int(target.value)}}
    return {"type": SERVER, SERVER: {"id": Ref(SERVER, target.value)}}


def target_body(target: Target, private: bool | None) -> Json:
    """A new target as the API takes it."""
    body = _where(target, None)
    return body if target.kind == IP else {**body, "use_private_ip": bool(private)}


def addition(balancer: str, target: Target, private: bool | None, wave: int = WAVE_BALANCE) -> Step:
    """Lead visitors to a target, too."""
    return Step(
        wave,
        "action",
        "/load_balancers/{id}/actions/add_target",
        f"add {target} to load balancer {balancer}",
        body=target_body(target, private),
        done_codes=frozenset({"target_already_defined"}),
        retry_codes=PASSING,
        serial=Ref("load_balancer", balancer),
    )


def removal(balancer: Mapping[str, Any], target: Target, wave: int = WAVE_BALANCE) -> Step:
    """Lead no visitor to a target any more."""
    body = _where(target, balancer)
    identity = {"type": target.kind, target.kind: body[target.kind]}

    def gone(live: Json, ids: Any) -> bool:
        wanted = identity[target.kind]
        number = wanted.get("id")
        number = ids(number) if isinstance(number, Ref) else number
        return all(
            entry["type"] != target.kind
            or (entry[SERVER]["id"] != number if target.kind == SERVER else entry[target.kind] != wanted)
            for entry in live.get("targets") or []
        )

    return Step(
        wave,
        "action",
        "/load_balancers/{id}/actions/remove_target",
        f"remove {target} from load balancer {balancer['name']}",
        body=body,
        retry_codes=PASSING,
        satisfied=gone,
        serial=Ref("load_balancer", balancer["name"]),
        precedes=Ref(SERVER, target.value) if target.kind == SERVER else None,
    )


def removal_of_server(balancer: Mapping[str, Any], server: Mapping[str, Any], wave: int) -> Step:
    """The same as a step of the server, which is about to go; nothing when the load balancer has done it itself."""
    return Step(
        wave,
        "action",
        f"/load_balancers/{balancer['id']}/actions/remove_target",
        f"remove server {server['name']} from load balancer {balancer['name']}",
        body={"type": SERVER, SERVER: {"id": server["id"]}},
        done_codes=frozenset({"not_found"}),
        retry_codes=PASSING,
        satisfied=lambda live, _ids: balancer["id"] not in (live.get("load_balancers") or []),
        look_first=True,
        serial=Ref("load_balancer", balancer["name"]),
    )


def shown_targets(targets: Targets) -> list[Json]:
    """Targets in the form of the option, in a fixed order."""
    return [
        {target.kind: target.value, **({} if targets[target] is None else {"use_private_ip": targets[target]})}
        for target in sorted(targets)
    ]


def health(live: Mapping[str, Any], world: World) -> list[Json]:
    """One entry for every target and service: {server or ip, listen_port, status}, and why it is unhealthy.

    Servers that a label selector matches are told one by one.
    """
    found = []
    for entry in live.get("targets") or []:
        for target in entry.get("targets") or [] if entry["type"] == SELECTOR else [entry]:
            kind = target["type"]
            name = target[IP]["ip"] if kind == IP else world.name_of(SERVER, int(target[SERVER]["id"]))
            for status in target.get("health_status") or []:
                reason = {key: status[key] for key in ("detail", "http_status_code") if status.get(key)}
                found.append({kind: name, "listen_port": status["listen_port"], "status": status["status"], **reason})
    return sorted(found, key=lambda entry: (str(entry.get(SERVER) or entry.get(IP)), entry["listen_port"]))
