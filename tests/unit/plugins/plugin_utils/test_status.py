# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document of what runs where: which deviations it names, and how services are asked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils.status import endpoints, platform_status, service_rows

NODE = {
    "name": "acme-1",
    "role": "manager",
    "state": "ready",
    "availability": "active",
    "reachable": True,
    "engine_version": "26.1.5",
}
SERVICE = {
    "name": "traefik_traefik",
    "wanted": 3,
    "running": 3,
    "update": "completed",
    "update_message": "update completed",
    "error": None,
}
ROW = {"service": "Status page", "url": "https://x/", "health": "ok", "error": "", "certificate_days": 89}
TARGET = {"server": "acme-1", "listen_port": 443, "status": "healthy"}


def problems(
    node: dict[str, Any] | None = None,
    service: dict[str, Any] | None = None,
    row: dict[str, Any] | None = None,
    target: dict[str, Any] | None = None,
) -> list[str]:
    cluster = {
        "cluster": {"id": "x", "updated": "now"},
        "nodes": [{**NODE, **(node or {})}],
        "services": [{**SERVICE, **(service or {})}],
    }
    document = platform_status(
        cluster,
        environment="acme",
        services=[{**ROW, **(row or {})}],
        targets=[{**TARGET, **(target or {})}],
        now="now",
    )
    assert document["healthy"] == (not document["problems"])
    assert document["versions"]["engine"] == ["26.1.5"]
    assert document["cluster"] == {"id": "x"}, "a time that changes by itself would make every document differ"
    return document["problems"]


def test_a_platform_that_is_well_has_no_problem():
    assert problems() == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"node": {"state": "down"}}, "node acme-1 is down"),
        ({"node": {"reachable": False}}, "manager acme-1 is not reachable by the others"),
        ({"node": {"availability": "drain"}}, "node acme-1 takes no tasks, it is set to drain"),
        (
            {"service": {"running": 2, "error": "No such image: x"}},
            "of service traefik_traefik 2 of 3 tasks run: No such image: x",
        ),
        ({"service": {"running": 2}}, "of service traefik_traefik 2 of 3 tasks run"),
        (
            {"service": {"update": "rollback_completed", "update_message": "rollback completed"}},
            "the last update of service traefik_traefik failed (rollback completed)",
        ),
        (
            {"service": {"update": "paused", "update_message": None}},
            "the last update of service traefik_traefik failed (paused)",
        ),
        (
            {"row": {"health": "DOWN", "error": "it answered 502 and not 200"}},
            "Status page at https://x/: it answered 502 and not 200",
        ),
        ({"row": {"certificate_days": 20}}, "the certificate of Status page ends in 20 days"),
        (
            {"target": {"status": "unhealthy", "detail": "layer4_timeout"}},
            "the load balancer sends no visitors to acme-1 on port 443 (layer4_timeout)",
        ),
    ],
)
def test_each_deviation_is_named(changes, sentence):
    assert problems(**changes) == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {"node": {"role": "worker", "reachable": None}},
        {"service": {"update": "updating"}},
        {"service": {"update": None}},
        {"row": {"certificate_days": None}},
        {"row": {"certificate_days": 21}},
        {"target": {"status": "unknown"}},
    ],
)
def test_what_is_no_deviation(changes):
    assert problems(**changes) == []


def test_a_cluster_that_does_not_answer_is_the_problem():
    document = platform_status({}, environment="acme", services=[], targets=[])
    assert document["problems"] == ["no manager of the cluster answers"]
    assert document["time"].endswith("+00:00")


SERVICES = [
    {"service": "Status page", "health_url": "https://status.example.com/", "entry": True},
    {"service": "S3", "health_url": "http://192.0.2.1/", "health_status": [403]},
]


def test_only_the_platforms_own_services_are_asked_at_its_entry():
    assert endpoints(SERVICES, address="203.0.113.7", ca="PEM") == [
        {
            "name": "Status page",
            "url": "https://status.example.com/",
            "status": [200],
            "address": "203.0.113.7",
            "ca": "PEM",
        },
        {"name": "S3", "url": "http://192.0.2.1/", "status": [403]},
    ]
    assert "ca" not in endpoints(SERVICES, address="203.0.113.7", ca="")[0], "without one the machine's own count"


def test_answers_stand_beside_their_services():
    answers = [
        {"name": "Status page", "healthy": False, "error": "gone", "certificate_days": None},
        {"name": "S3", "healthy": True, "error": "", "certificate_days": None},
    ]
    rows = service_rows([*SERVICES, {"service": "Resolver"}], answers)
    assert [(row["service"], row.get("health")) for row in rows] == [
        ("Status page", "DOWN"),
        ("S3", "ok"),
        ("Resolver", None),
    ]
    assert rows[0]["error"] == "gone"
    assert "entry" not in rows[0]


def test_databases_are_part_of_the_document() -> None:
    failed = {"msg": "etcd does not answer.", "failed": True}
    found = {
        "leader": "pg-a",
        "identifier": "1",
        "members": [{"name": "pg-a"}],
        "problems": ["pg-b is stopped"],
        "changed": False,
    }
    redis = {"primary": "redis-a", "members": [{"name": "redis-a"}], "sentinels": [], "problems": ["redis-b is away."]}
    document = platform_status(
        {}, environment="acme", services=[], targets=[], postgres=[failed, found], redis=[redis, redis]
    )
    assert document["postgres"] == {"leader": "pg-a", "identifier": "1", "members": [{"name": "pg-a"}]}
    assert document["redis"] == {"primary": "redis-a", "members": [{"name": "redis-a"}], "sentinels": []}
    assert document["problems"][-2:] == ["PostgreSQL: pg-b is stopped", "Redis: redis-b is away"]


def test_a_database_whose_members_nobody_tells_is_a_problem() -> None:
    failed = {"msg": "etcd does not answer.", "failed": True}
    document = platform_status({}, environment="acme", services=[], targets=[], postgres=[failed, failed], redis=[{}])
    assert document["problems"][-2:] == ["PostgreSQL: etcd does not answer", "Redis: no server tells its members"]
    assert (document["postgres"], document["redis"]) == ({}, {})


def test_without_databases_there_is_nothing_to_tell() -> None:
    document = platform_status({}, environment="acme", services=[], targets=[])
    assert (document["postgres"], document["redis"]) == ({}, {})
    assert len(document["problems"]) == 1
