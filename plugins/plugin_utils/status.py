# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs where and how it is: one document from the cluster's view, the view from outside and the cloud's."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import COLLECTION_VERSION

Json = t.Mapping[str, t.Any]
CERTIFICATE_DAYS = 21
"""With fewer days left, the renewal has failed more than once and somebody has to look."""


def endpoints(services: t.Iterable[Json], *, address: str, ca: str) -> list[dict[str, t.Any]]:
    """Return what module http_check asks. Services of the platform itself are asked at its entry, with its CA."""
    return [
        {
            "name": service["service"],
            "url": service["health_url"],
            "status": service.get("health_status") or [200],
            **({"address": address, **({"ca": ca} if ca else {})} if service.get("entry") else {}),
        }
        for service in services
    ]


def service_rows(services: t.Iterable[Json], answers: t.Iterable[Json]) -> list[dict[str, t.Any]]:
    """Return the services with their health, for the table at the end of a run and the document."""
    found = {answer["name"]: answer for answer in answers}
    rows = []
    for service in services:
        answer = found.get(service["service"])
        health = {} if answer is None else {"health": "ok" if answer["healthy"] else "DOWN", "error": answer["error"]}
        days = {} if answer is None else {"certificate_days": answer["certificate_days"]}
        rows.append({**{key: value for key, value in service.items() if key != "entry"}, **health, **days})
    return rows


def platform_status(
    cluster: Json | None,
    *,
    environment: str,
    services: t.Sequence[Json],
    targets: t.Sequence[Json],
    postgres: t.Sequence[Json] = (),
    redis: t.Sequence[Json] = (),
    now: str = "",
) -> dict[str, t.Any]:
    """Return the whole document.

    `cluster` is what swarm_info returned, empty when no manager answered; `services` are rows with their health;
    `targets` are those of the load balancer with their health, as hetzner_info returns them; `postgres` and `redis` are what
    patroni_cluster and redis_cluster_info returned on each server that was asked, none without a cluster. `healthy` is whether
    `problems` is empty.
    """
    databases = {"PostgreSQL": _first_answer(postgres), "Redis": _first_answer(redis)}
    nodes = list((cluster or {}).get("nodes") or [])
    running = list((cluster or {}).get("services") or [])
    problems = [
        *([] if cluster else ["no manager of the cluster answers"]),
        *(_node_problem(node) for node in nodes if _node_problem(node)),
        *(_service_problem(service) for service in running if _service_problem(service)),
        *(_endpoint_problem(row) for row in services if _endpoint_problem(row)),
        *(_target_problem(target) for target in targets if target.get("status") == "unhealthy"),
        *(
            f"{name}: {problem.rstrip('.')}"
            for name, answer in databases.items()
            for problem in answer.get("problems") or []
        ),
    ]
    return {
        "environment": environment,
        "time": now or datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "healthy": not problems,
        "problems": problems,
        "versions": {
            "frontdesk.platform": COLLECTION_VERSION,
            "engine": sorted({node["engine_version"] for node in nodes if node.get("engine_version")}),
        },
        "cluster": {key: value for key, value in ((cluster or {}).get("cluster") or {}).items() if key != "updated"},
        "nodes": nodes,
        "services": running,
        "endpoints": list(services),
        "targets": list(targets),
        "postgres": _parts(databases["PostgreSQL"], "leader", "identifier", "members"),
        "redis": _parts(databases["Redis"], "primary", "members", "sentinels"),
    }


def _first_answer(answers: t.Sequence[Json]) -> Json:
    """The first server's word that tells the members; that nobody can tell them is the problem then."""
    for answer in answers:
        if answer.get("members"):
            return answer
    return {"problems": [answers[0].get("msg") or "no server tells its members"]} if answers else {}


def _parts(answer: Json, *names: str) -> dict[str, t.Any]:
    return {name: answer.get(name) for name in names} if answer.get("members") else {}


def _node_problem(node: Json) -> str:
    if node["state"] != "ready":
        return f"node {node['name']} is {node['state']}"
    if node["role"] == "manager" and node.get("reachable") is False:
        return f"manager {node['name']} is not reachable by the others"
    if node["availability"] != "active":
        return f"node {node['name']} takes no tasks, it is set to {node['availability']}"
    return ""


def _service_problem(service: Json) -> str:
    update = str(service.get("update") or "")
    if update.startswith("rollback") or update == "paused":
        return f"the last update of service {service['name']} failed ({service.get('update_message') or update})"
    if service["running"] < service["wanted"]:
        reason = f": {service['error']}" if service.get("error") else ""
        return f"of service {service['name']} {service['running']} of {service['wanted']} tasks run{reason}"
    return ""


def _endpoint_problem(row: Json) -> str:
    if row.get("health") == "DOWN":
        return f"{row['service']} at {row.get('url') or row.get('health_url')}: {row['error']}"
    days = row.get("certificate_days")
    if days is not None and days < CERTIFICATE_DAYS:
        return f"the certificate of {row['service']} ends in {days} days"
    return ""


def _target_problem(target: Json) -> str:
    who = target.get("server") or target.get("ip")
    detail = f" ({target['detail']})" if target.get("detail") else ""
    return f"the load balancer sends no visitors to {who} on port {target.get('listen_port')}{detail}"
