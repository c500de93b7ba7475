# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane as its own programs describe it: who leads, and whether everything is whole."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.machines import inside, on
from tests.integration.cloud import SERVERS

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "chaos"
PATIENCE = 300.0

_REDIS = (
    'REDISCLI_AUTH=$(cat /run/secrets/admin_password) timeout 3 "$(command -v valkey-cli || command -v redis-cli)" '
    "--user admin --raw"
)


def postgres_state(server: str) -> dict[str, Any]:
    """What etcd and Patroni know, asked on that server."""
    state: dict[str, Any] = json.loads(inside(server, f"postgres_etcd-{server}", "postgres-member state"))
    return state


def sql(server: str, text: str, database: str = "postgres") -> str:
    """Run statements on the leader as the superuser, from a server's member."""
    program = f"postgres-member psql {database} --tuples-only --no-align"
    return inside(server, f"postgres_pg-{server}", program, text, timeout=120)


def own_sql(server: str, text: str) -> str:
    """Ask the member on that server itself."""
    program = "psql --no-psqlrc --host=/run/postgresql --username=postgres --tuples-only --no-align postgres"
    return inside(server, f"postgres_pg-{server}", program, text)


def redis(server: str, command: str) -> str:
    """Run a command of Redis as the administrator, on the member of that server; several lines of shell are fine."""
    return inside(server, f"redis_redis-{server}", f'redis() {{ {_REDIS} "$@"; }}; {command}')


def redis_views(server: str) -> tuple[dict[str, dict[str, str]], set[str]]:
    """What every member of Redis says about replication, and which primaries the Sentinels name; asked on one server.

    Those that do not answer say nothing.
    """
    asked = "".join(
        f"echo @{name}; redis -h redis-{name} INFO replication; "
        f"echo named:$(redis -h sentinel-{name} -p 26379 --user default SENTINEL GET-MASTER-ADDR-BY-NAME redis | head -n 1); "
        for name in SERVERS
    )
    views: dict[str, dict[str, str]] = {}
    for block in redis(server, f"{{ {asked} }} 2> /dev/null || :").split("@")[1:]:
        name, _end, text = block.partition("\n")
        lines = (line.partition(":") for line in text.splitlines())
        views[name] = {key: value.strip() for key, _colon, value in lines if value.strip()}
    return views, {view["named"] for view in views.values() if "named" in view}


def postgres_leader() -> str:
    """The server whose member leads PostgreSQL."""
    members = postgres_state(SERVERS[0])["cluster"]["members"]
    return next(str(member["name"]) for member in members if member["role"] == "leader").removeprefix("pg-")


def redis_primary() -> str:
    """The server whose member is the primary of Redis."""
    views, _named = redis_views(SERVERS[0])
    return next(server for server, view in views.items() if view.get("role") == "master")


# -- whole ---------------------------------------------------------------------------------------------------


def swarm_problems(server: str, away: tuple[str, ...] = ()) -> list[str]:
    """Nodes and services that are not as wanted. `away`: servers that are missing on purpose."""
    nodes = on(server, "docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'", timeout=30)
    wanted = {"Ready Reachable", "Ready Leader"}
    rows = (line.split(" ", 1) for line in nodes.splitlines())
    found = [f"node {name}: {state}" for name, state in rows if state not in wanted and name not in away]
    for line in on(server, "docker service ls --format '{{.Name}} {{.Replicas}}'", timeout=30).splitlines():
        name, replicas = line.split()[:2]
        running, _slash, planned = replicas.partition("/")
        # Of a service on all servers the Swarm goes on to count the missing ones.
        enough = running != "0" if away and not name.endswith(tuple(SERVERS)) else running == planned
        if not enough and not name.endswith(away or ("nothing",)):
            found.append(f"service {name}: {replicas}")
    return found


def postgres_problems(server: str, away: tuple[str, ...] = ()) -> list[str]:
    """What keeps PostgreSQL from being whole."""
    cluster = postgres_state(server)["cluster"] or {"members": []}
    expected = {f"pg-{name}" for name in SERVERS if name not in away}
    members = {member["name"]: member for member in cluster["members"] if member["name"] in expected}
    found = [f"{name} is not in the cluster" for name in sorted(expected - set(members))]
    roles = sorted((str(member["role"]), str(member["state"])) for member in members.values())
    if roles != [("leader", "running"), *[("quorum_standby", "streaming")] * (len(expected) - 1)]:
        found.append(f"roles {roles}")
    return found


def redis_problems(server: str, away: tuple[str, ...] = ()) -> list[str]:
    """What keeps Redis from being whole."""
    views, named = redis_views(server)
    present = [name for name in SERVERS if name not in away]
    primaries = [name for name in SERVERS if views[name].get("role") == "master"]
    if len(primaries) != 1:
        return [f"primaries of Redis: {primaries}"]
    found = []
    for name in present:
        of = (views[name].get("master_host"), views[name].get("master_link_status"))
        if name not in primaries and of != (f"redis-{primaries[0]}", "up"):
            found.append(f"redis-{name} follows {of}")
    if named != {f"redis-{primaries[0]}"}:
        found.append(f"the Sentinels name {sorted(named)}")
    return found


def problems(away: tuple[str, ...] = ()) -> list[str]:
    """Everything that is not as it should be; empty when the data plane is whole."""
    server = next(name for name in SERVERS if name not in away)
    checks: tuple[Callable[[str, tuple[str, ...]], list[str]], ...] = (
        swarm_problems,
        postgres_problems,
        redis_problems,
    )
    found: list[str] = []
    for check in checks:
        try:
            found += check(server, away)
        except (AssertionError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            found.append(f"{check.__name__}: {str(error)[:300]}")
        if found:
            break  # the rest would only tell the same
    return found


def wait_until_whole(steady: float = 0.0, away: tuple[str, ...] = (), seconds: float = PATIENCE) -> None:
    """Wait until everything is as it should be, and has been so for some seconds."""
    deadline = time.monotonic() + seconds
    since = None
    while since is None or time.monotonic() - since < steady:
        found = problems(away)
        now = time.monotonic()
        since = None if found else since or now
        assert now < deadline, f"not whole within {seconds:.0f} s: {'; '.join(found)}"
        time.sleep(0.5 if found else 0.2)


def keep_evidence(name: str) -> Path:
    """Write down how everything is and what the members said last; return the file."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{name}.txt"
    commands = [
        "docker node ls",
        "docker service ls",
        "for stack in postgres redis haproxy; do docker stack ps --no-trunc --format '{{.Name}} {{.DesiredState}} {{.CurrentState}} {{.Error}}' $stack; done",
    ]
    own = (
        "for id in $(docker ps --all --quiet --filter label=com.docker.swarm.service.name); do "
        "echo; docker inspect --format '== {{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.State.FinishedAt}}' $id; "
        "docker logs --timestamps --tail 60 $id 2>&1; done"
    )
    with path.open("w", encoding="utf-8") as file:
        for server in SERVERS:
            for command in [*(commands if server == SERVERS[0] else []), own]:
                text = ""
                with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                    text = on(server, command, check=False)
                file.write(f"#### {server}: {command}\n{text}\n\n")
    return path
