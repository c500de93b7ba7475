# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a definition and the cluster as it is to the writes that make them agree. Nothing here talks to the engine."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_compare import (
    differing,
    network_difference,
    shown,
    shown_difference,
    shown_network,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_conflicts import Wanted
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_definition import Definition, content_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_fields import Field, Names
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import (
    KEYED_KINDS,
    NAMESPACE_LABEL,
    VERSION_LABEL,
    Cluster,
    id_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_parts import split_port
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_resolve import network_body
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_service import FIELDS, JOBS, live_mode
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_tasks import (
    has_failed,
    last_runs,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_versions import (
    Versions,
    former_versions,
    used_by,
)


@dataclass(frozen=True)
class PlannedService:
    """A wanted service.

    action: create, update, replace, or empty. again: an update without a difference that makes Swarm try again.
    """

    name: str
    action: str
    wanted: Mapping[str, Any]
    live: Json | None
    changed: Sequence[Field] = ()
    again: str = ""


@dataclass
class Plan:
    """The writes, in the order of these attributes.

    leaving_first: services to remove before the others are written, because they hold a port or a network, or are
    replaced. networks_out: networks to remove before the new ones are made. leaving_last, versions, networks_last: what
    nobody needs any more when all services stand.
    """

    leaving_first: list[str] = field(default_factory=list)
    networks_out: list[str] = field(default_factory=list)
    networks: list[Json] = field(default_factory=list)
    files: list[tuple[str, Json]] = field(default_factory=list)
    services: list[PlannedService] = field(default_factory=list)
    leaving_last: list[str] = field(default_factory=list)
    versions: Versions = field(default_factory=Versions)
    networks_last: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def written(self) -> list[PlannedService]:
        """The services that the plan writes."""
        return [service for service in self.services if service.action]


def names_in(cluster: Cluster) -> Names:
    """The names and ids of the cluster."""
    return Names(cluster.network_name, {kind: cluster.ids(kind) for kind in ("networks", *KEYED_KINDS)})


def make_plan(
    definition: Definition,
    cluster: Cluster,
    wanted: Wanted,
    allowed: Sequence[str],
    keep_versions: int,
    partial: bool = False,
) -> Plan:
    """Plan the writes. allowed: the option `replace`. What is not allowed is in `problems`.

    partial: the definition and `wanted` are only a part of the stack, so what they do not name stays as it is.
    """
    plan = Plan()
    names = names_in(cluster)
    replaced_networks = _plan_networks(plan, definition, cluster, allowed, partial)
    gone = [] if partial else [name for name in sorted(cluster.owned("services")) if name not in wanted]
    for name, values in wanted.items():
        plan.services.append(_plan_service(plan, cluster, name, values, names, replaced_networks, allowed))
    _plan_leaving(plan, cluster, wanted, gone, replaced_networks)
    _plan_files(plan, definition, cluster)
    if not partial:
        plan.versions = _plan_versions(plan, definition, cluster, gone, keep_versions)
    plan.changes = [*plan.changes, *_changes_of_services(plan, cluster, names), *_changes_at_the_end(plan, cluster)]
    return plan


# Networks.


def _plan_networks(
    plan: Plan, definition: Definition, cluster: Cluster, allowed: Sequence[str], partial: bool
) -> set[str]:
    replaced = set()
    for name, options in definition.own("networks").items():
        body = network_body(definition, options)
        live = cluster.networks.get(name)
        if live is None:
            plan.networks.append(body)
            plan.changes.append(Change("create", "network", name, None, shown_network(body)))
            continue
        # Another network would be made again with all services on it, not only with a part of them.
        if partial:
            continue
        before, after = network_difference(live, body)
        if not before or not cluster.owns(live):
            continue
        if not _is_allowed(allowed, "network", name, options["name"]):
            plan.problems.append(_network_refusal(name, options["name"], before))
        plan.problems.extend(_foreign_users(cluster, name, "cannot be made again"))
        replaced.add(name)
        plan.networks_out.append(name)
        plan.networks.append(body)
        plan.changes.append(Change("replace", "network", name, before, after))
    if partial:
        return replaced
    wanted = definition.own("networks")
    plan.networks_last = [name for name in sorted(cluster.owned("networks")) if name not in wanted]
    for name in plan.networks_last:
        plan.problems.extend(_foreign_users(cluster, name, "cannot be removed"))
    return replaced


def _network_refusal(name: str, short: str, before: Mapping[str, Any]) -> str:
    return (
        f"The network {name} differs in {', '.join(before)}, and Swarm cannot change a network: allow it to be made again, "
        f"with an interruption of all services on it, by replace: [network/{short}]."
    )


def _foreign_users(cluster: Cluster, network: str, what: str) -> list[str]:
    foreign = [
        name
        for name, service in cluster.services.items()
        if not cluster.owns(service) and network in attached_networks(service, cluster)
    ]
    if not foreign:
        return []
    return [f"The network {network} {what}: {', '.join(sorted(foreign))} of other stacks use it; detach them first."]


def attached_networks(service: Json, cluster: Cluster) -> set[str]:
    """The names of the networks that a live service is attached to."""
    spec = service["Spec"]
    attached = spec["TaskTemplate"].get("Networks") or spec.get("Networks") or []
    return {cluster.network_name(item["Target"]) for item in attached}


def _is_allowed(allowed: Sequence[str], kind: str, full: str, short: str) -> bool:
    return bool({full, short, f"{kind}/{full}", f"{kind}/{short}"} & set(allowed))


# Services.


def _plan_service(
    plan: Plan,
    cluster: Cluster,
    name: str,
    wanted: Mapping[str, Any],
    names: Names,
    replaced_networks: set[str],
    allowed: Sequence[str],
) -> PlannedService:
    live = cluster.services.get(name)
    if live is None:
        return PlannedService(name, "create", wanted, None)
    mode = live_mode(live["Spec"])
    if mode != wanted["deploy.mode"]:
        short = name[len(cluster.stack) + 1 :]
        if not _is_allowed(allowed, "service", name, short):
            plan.problems.append(
                f"The service {name} has the mode {mode}, and it cannot become {wanted['deploy.mode']} in place: allow it to be "
                f"made again, with an interruption, by replace: [service/{short}]."
            )
        return PlannedService(name, "replace", wanted, live, differing(live["Spec"], wanted, names))
    changed = differing(live["Spec"], wanted, names)
    if replaced_networks & attached_networks(live, cluster):
        return PlannedService(name, "replace", wanted, live, changed)
    again = "" if changed else _to_try_again(live, mode, cluster.tasks)
    return PlannedService(name, "update" if changed or again else "", wanted, live, changed, again)


def _to_try_again(live: Json, mode: str, tasks: Sequence[Json]) -> str:
    """Why a service that is as wanted must be written all the same: Swarm gave up on it."""
    if (live.get("UpdateStatus") or {}).get("State") == "paused":
        return "paused"
    if mode not in JOBS:
        return ""
    own = [task for task in tasks if task["ServiceID"] == id_of(live)]
    runs = last_runs(own, live["Spec"]["TaskTemplate"], mode.startswith("global"))
    return "failed" if any(has_failed(task) for task in runs) else ""


def _plan_leaving(
    plan: Plan, cluster: Cluster, wanted: Wanted, gone: Sequence[str], replaced_networks: set[str]
) -> None:
    taken = {
        split_port(key)[0::2] for values in wanted.values() for key in values.get("ports") or {} if split_port(key)[0]
    }
    plan.leaving_first = [service.name for service in plan.services if service.action == "replace"]
    for name in gone:
        live = cluster.services[name]
        ports = (live["Spec"].get("EndpointSpec") or {}).get("Ports") or []
        in_the_way = taken & {(port.get("PublishedPort"), port.get("Protocol") or "tcp") for port in ports}
        first = in_the_way or replaced_networks & attached_networks(live, cluster)
        (plan.leaving_first if first else plan.leaving_last).append(name)


def _changes_of_services(plan: Plan, cluster: Cluster, names: Names) -> list[Change]:
    changes = [
        Change("delete", "service", name, _summary(cluster.services[name]), None)
        for name in plan.leaving_first
        if all(service.name != name for service in plan.services)
    ]
    for service in plan.written:
        if service.live is None:
            changes.append(Change("create", "service", service.name, None, shown(FIELDS, service.wanted)))
            continue
        before, after = shown_difference(service.live["Spec"], service.wanted, service.changed, names)
        if service.again:
            before, after = {"state": service.again}, {"state": "running"}
        changes.append(Change(service.action, "service", service.name, before, after))
    return changes


def _summary(service: Json) -> Json:
    return {"image": service["Spec"]["TaskTemplate"].get("ContainerSpec", {}).get("Image")}


# Secrets and configs.


def _plan_files(plan: Plan, definition: Definition, cluster: Cluster) -> None:
    for kind, singular in KEYED_KINDS.items():
        for name, item in sorted(definition.own(kind).items()):
            if name in cluster.by_kind[kind]:
                continue
            labels = {NAMESPACE_LABEL: definition.stack, VERSION_LABEL: item["name"]}
            data = base64.b64encode(content_of(item)).decode()
            plan.files.append((kind, {"Name": name, "Labels": labels, "Data": data}))
            plan.changes.append(Change("create", singular, name, None, {"version_of": item["name"]}))


def _plan_versions(
    plan: Plan, definition: Definition, cluster: Cluster, gone: Sequence[str], keep_versions: int
) -> Versions:
    current = {kind: definition.own(kind) for kind in KEYED_KINDS}
    planned = {service.name: service for service in plan.services}
    used: dict[str, dict[str, str]] = {kind: {} for kind in KEYED_KINDS}
    for kind in KEYED_KINDS:
        for name, live in cluster.services.items():
            if name in gone:
                continue
            for needed in _needed_after(kind, live, planned.get(name)):
                used[kind].setdefault(needed, name)
    return former_versions(cluster, current, used, keep_versions)


def _needed_after(kind: str, live: Json, planned: PlannedService | None) -> set[str]:
    """The versions that a live service and its rollback need when the plan is carried out."""
    action = planned.action if planned else ""
    if action == "replace":
        return set()
    if action == "update":
        return used_by(kind, live["Spec"])
    return used_by(kind, live["Spec"]) | used_by(kind, live.get("PreviousSpec"))


# What goes last.


def _changes_at_the_end(plan: Plan, cluster: Cluster) -> list[Change]:
    services = [Change("delete", "service", n, _summary(cluster.services[n]), None) for n in plan.leaving_last]
    versions = [Change("delete", KEYED_KINDS[kind], name, {}, None) for kind, name in plan.versions.removed]
    networks = [Change("delete", "network", name, {}, None) for name in plan.networks_last]
    return [*services, *versions, *networks]


def plan_removal(cluster: Cluster) -> Plan:
    """Plan the removal of the whole stack."""
    plan = Plan()
    plan.leaving_last = sorted(cluster.owned("services"))
    plan.versions.removed = [(kind, name) for kind in KEYED_KINDS for name in sorted(cluster.owned(kind))]
    plan.networks_last = sorted(cluster.owned("networks"))
    for name in plan.networks_last:
        plan.problems.extend(_foreign_users(cluster, name, "cannot be removed"))
    for kind, name in plan.versions.removed:
        users = [
            s for s, item in cluster.services.items() if not cluster.owns(item) and name in used_by(kind, item["Spec"])
        ]
        if users:
            plan.problems.append(
                f"The {KEYED_KINDS[kind]} {name} cannot be removed: {', '.join(sorted(users))} of other stacks use it; change them first."
            )
    plan.changes = _changes_at_the_end(plan, cluster)
    return plan
