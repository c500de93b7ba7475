# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen to the data plane, with the bounds that must hold. One description for `make chaos` and `make test`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.chaos.machines import (
    container,
    cut_off,
    engine_killed,
    frozen,
    inside,
    on,
    powered_off,
    programs_frozen,
    services_stopped,
)
from tests.integration.cloud import SERVERS

Fault = Callable[[str], AbstractContextManager[None]]
BACK = 120.0


@dataclass(frozen=True)
class Case:
    """Something that happens to the server of the leader, or of Redis' primary.

    gap: the longest time without an acknowledged write, in seconds. hold: how long it lasts. writers_inside: whether the
    writers are on that server. short: whether `make test` has it, too.
    """

    name: str
    kind: str
    fault: Fault
    gap: float
    hold: float = 0.0
    writers_inside: bool = False
    short: bool = False


def at_once(action: Callable[[str], object]) -> Fault:
    """Something that needs no mending."""

    @contextmanager
    def fault(server: str) -> Iterator[None]:
        action(server)
        yield

    return fault


def kill_postmaster(server: str) -> None:
    """PostgreSQL's first process."""
    file = "/var/lib/postgresql/data/postmaster.pid"
    inside(server, f"postgres_pg-{server}", f"kill -KILL $(head -n 1 {file})")


def kill_patroni(server: str) -> None:
    """Patroni itself; the container ends with it, and PostgreSQL in it."""
    own = (
        "for folder in /proc/[0-9]*; do"
        ' if [ "$(cat $folder/comm)" = patroni ] && [ $folder != /proc/1 ]; then kill -KILL ${folder#/proc/} && exit; fi;'
        " done; exit 1"
    )
    inside(server, f"postgres_pg-{server}", own)


def kill_task(service: str) -> Callable[[str], None]:
    """The container of a service's task, with everything in it."""

    def kill(server: str) -> None:
        name = f"{service}-{server}"
        on(server, f"docker kill {container(server, name)}")

    return kill


def etcd_frozen(_server: str) -> AbstractContextManager[None]:
    """All of etcd hangs."""
    return programs_frozen(SERVERS, "etcd")


def etcd_stopped(_server: str) -> AbstractContextManager[None]:
    """All of etcd is stopped, and started again."""
    return services_stopped(SERVERS, "postgres_etcd")


POSTGRES = (
    Case("PostgreSQL's server process killed", "postgres", at_once(kill_postmaster), gap=20, short=True),
    Case("Patroni killed", "postgres", at_once(kill_patroni), gap=40),
    Case("leader's container killed", "postgres", at_once(kill_task("postgres_pg")), gap=40, short=True),
    Case("leader's server lost, back after 25 s", "postgres", powered_off, gap=40, hold=25, short=True),
    Case("leader's server hangs for 60 s", "postgres", frozen, gap=40, hold=60),
    Case("leader's server cut off for 50 s", "postgres", cut_off, gap=40, hold=50),
    # Nobody inside can write until the cut is mended, plus the time to find the new leader.
    Case("leader's server cut off, applications on it", "postgres", cut_off, gap=50 + 20, hold=50, writers_inside=True),
    # As long as all members answer the leader it goes on without etcd (failsafe_mode).
    Case("all of etcd hangs for 40 s", "postgres", etcd_frozen, gap=5, hold=40),
    Case("all of etcd stopped for 40 s", "postgres", etcd_stopped, gap=5, hold=40),
    # No gap while the engine is away; when it is back it replaces the tasks that it does not know.
    Case("engine of the leader's server killed for 45 s", "postgres", engine_killed, gap=40, hold=45),
)
REDIS = (
    Case("primary's container killed", "redis", at_once(kill_task("redis_redis")), gap=30, short=True),
    Case("primary's server lost, back after 25 s", "redis", powered_off, gap=30, hold=25),
    Case("primary's server cut off for 50 s", "redis", cut_off, gap=30, hold=50),
    Case("primary's server cut off, applications on it", "redis", cut_off, gap=50 + 20, hold=50, writers_inside=True),
)
