# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty applications that write through the one address: a service of the Swarm with the program `programs/clients.py`.

What they note lies in a volume on the server that they run on, which outlives their tasks, the engine and the server.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_scram import verifier
from tests.chaos.cluster import redis, redis_primary, sql
from tests.chaos.machines import on, others
from tests.integration.cloud import SERVERS

PROGRAM = Path(__file__).with_name("programs") / "clients.py"
FOLDER = "/var/lib/postgresql"
"""Where the image lets its user write; a new volume takes the owner from there."""
NAME = "chaos"
LABEL = "frontdesk.chaos=true"


def service_of(name: str) -> dict[str, Any]:
    """The specification of a service's container, and of its task around it."""
    spec: dict[str, Any] = json.loads(on(SERVERS[0], f"docker service inspect {name}"))[0]["Spec"]["TaskTemplate"]
    return spec


def mounted(parts: list[dict[str, Any]], kind: str, target: str) -> str:
    """The name of the secret or config that a service has at a target."""
    return next(str(part[f"{kind}Name"]) for part in parts if part["File"]["Name"] == target)


def create(kind: str, name: str, content: str) -> None:
    """Make a secret or a config."""
    on(SERVERS[0], f"docker {kind} create --label {LABEL} {name} -", content)


class Clients:
    """The writers of one kind."""

    def __init__(self, kind: str, mounts: list[str]) -> None:
        """mounts: options of `docker service create` for secrets and configs."""
        self._kind = kind
        self._mounts = mounts
        self._service = f"{NAME}-{kind}"
        self._place: str | None = ""

    def at(self, server: str | None, manager: str = SERVERS[0]) -> None:
        """Have them write from that server, from wherever the Swarm likes with None, and wait for the first acknowledged write."""
        if self._place == server:
            since = time.time()
        else:
            on(manager, f"docker service rm {self._service}", check=False)
            since = time.time()
            on(manager, shlex.join(self._command(server)))
            self._place = server
        self.wait_for_writes(since)

    def _command(self, server: str | None) -> list[str]:
        image = service_of(f"postgres_pg-{SERVERS[0]}")["ContainerSpec"]["Image"]
        return [
            *("docker", "service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", self._service),
            *("--label", LABEL, "--network", "data", "--endpoint-mode", "dnsrr", "--user", "999:999", "--read-only"),
            *("--cap-drop", "ALL", "--limit-memory", "256M", "--stop-grace-period", "1s", "--restart-delay", "500ms"),
            *(("--constraint", f"node.hostname=={server}") if server else ()),
            *("--mount", f"type=volume,source={self._service},target={FOLDER},volume-label={LABEL}"),
            *("--config", f"source={NAME}-clients,target=/etc/chaos/clients.py,mode=0444"),
            *self._mounts,
            *("--entrypoint", "python3", image, "/etc/chaos/clients.py", self._kind),
        ]

    def _lines(self, result: str, servers: list[str]) -> Iterator[tuple[float, str]]:
        """(time, text) of what the writers noted."""
        for server in servers:
            text = on(
                server,
                f"cat /var/lib/docker/volumes/{self._service}/_data/*.log 2> /dev/null",
                check=False,
                timeout=120,
            )
            for line in text.splitlines():
                words = line.split(" ", 2)
                if len(words) == 3 and words[0] == result:
                    yield float(words[1]), words[2]

    def acknowledged(self, away: tuple[str, ...] = ()) -> dict[str, float]:
        """The time of each acknowledged id since the writers were first there."""
        present = [server for server in SERVERS if server not in away]
        return {name: moment for moment, name in self._lines("ok", present)}

    def failures(self, start: float) -> list[str]:
        """What went wrong since a time, each reason once with its number."""
        counts: dict[str, int] = {}
        for moment, text in self._lines("no", SERVERS):
            if moment >= start:
                reason = text[:120]
                counts[reason] = counts.get(reason, 0) + 1
        return [f"{number} x {reason}" for reason, number in sorted(counts.items(), key=lambda pair: -pair[1])]

    def wait_for_writes(self, since: float, seconds: float = 60.0, away: tuple[str, ...] = ()) -> float:
        """Wait for a write that was acknowledged after a time; return when that was."""
        deadline = time.monotonic() + seconds
        latest = "tail -qn 50 /var/lib/docker/volumes/{}/_data/*.log 2> /dev/null | grep ^ok | sort -k 2 | tail -n 1"
        while True:
            for server in (self._place,) if self._place else [name for name in SERVERS if name not in away]:
                line = on(server, latest.format(self._service), check=False).split(" ")
                if len(line) == 3 and line[0] == "ok" and float(line[1]) > since:
                    return float(line[1])
            assert time.monotonic() < deadline, (
                f"no write of {self._kind} was acknowledged within {seconds:.0f} s; last: {self.failures(since)[:5]}"
            )
            time.sleep(0.3)

    def remove(self) -> None:
        """Remove the service; what it noted goes with its volume."""
        on(SERVERS[0], f"docker service rm {self._service}", check=False)
        self._place = ""


def remove_everything() -> None:
    """Remove what these tests made, those of a run that was killed as well."""
    manager = SERVERS[0]
    on(manager, f"docker service ls --quiet --filter label={LABEL} | xargs --no-run-if-empty docker service rm")
    for kind in ("secret", "config"):
        on(
            manager,
            f"for try in 1 2 3 4 5; do docker {kind} ls --quiet --filter label={LABEL} | xargs --no-run-if-empty docker {kind} rm && break; sleep 1; done",
        )
    for server in SERVERS:
        volumes = f"docker volume ls --quiet --filter label={LABEL} | xargs --no-run-if-empty docker volume rm"
        on(server, f"for try in 1 2 3 4 5 6 7 8 9 10; do {volumes} && break; sleep 1; done", check=False)
    sql(manager, f"drop database if exists {NAME} with (force); drop role if exists {NAME};".replace("; ", ";\n"))
    redis(redis_primary(), "redis DEL chaos:writes chaos:sample")


@contextmanager
def all_clients() -> Iterator[Mapping[str, Clients]]:
    """The writers of both kinds, with what they need: a role and a database of their own, and Redis' own user."""
    remove_everything()
    password = secrets.token_urlsafe(24)
    sql(
        SERVERS[0], f"create role {NAME} login password '{verifier(password)}';\ncreate database {NAME} owner {NAME};\n"
    )
    sql(SERVERS[0], f"create table writes (id text primary key);\nalter table writes owner to {NAME};\n", NAME)
    create("secret", f"{NAME}-password", password)
    create("config", f"{NAME}-clients", PROGRAM.read_text(encoding="utf-8"))
    postgres = service_of(f"postgres_pg-{SERVERS[0]}")["ContainerSpec"]["Configs"]
    authority = mounted(postgres, "Config", "/etc/frontdesk/authority.crt")
    redis_password = mounted(service_of(f"redis_redis-{SERVERS[0]}")["ContainerSpec"]["Secrets"], "Secret", "password")
    secret = "source={},target=password,uid=999,gid=999,mode=0400"
    try:
        yield {
            "postgres": Clients(
                "postgres",
                [
                    *("--secret", secret.format(f"{NAME}-password")),
                    *("--config", f"source={authority},target=/etc/chaos/authority.crt,mode=0444"),
                ],
            ),
            "redis": Clients("redis", ["--secret", secret.format(redis_password)]),
        }
    finally:
        remove_everything()


def rows() -> set[str]:
    """The ids in the table."""
    return set(sql(SERVERS[0], "select id from writes;", NAME).split())


def elements() -> set[str]:
    """The ids in the list of Redis."""
    return set(redis(redis_primary(), "redis LRANGE chaos:writes 0 -1").split())


PRESENT = {"postgres": rows, "redis": elements}
"""What is there of each kind."""


def elsewhere(server: str) -> str:
    """A server for writers that must not be on that one."""
    return others(server)[-1]
