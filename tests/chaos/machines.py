# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's servers from behind: commands that need neither SSH nor the server's engine, and faults that mend themselves."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections.abc import Iterable, Iterator

from tests.integration.cloud import SERVERS, client

TABLE = "frontdesk_chaos"
"""The table of nftables that cuts a server off."""

_SIGNAL = r"""
for folder in /proc/[0-9]*; do
    [ "$(cat $folder/comm 2> /dev/null)" != {program} ] || kill -{signal} ${{folder#/proc/}}
done
"""


def enter(server: str) -> list[str]:
    """The command that runs a program on a server."""
    return ["docker", "exec", "-i", f"frontdesk-lab-server-{server}"]


def on(server: str, command: str, given: str = "", check: bool = True, timeout: float = 60) -> str:
    """Run a shell command on a server and return what it printed."""
    done = subprocess.run(
        [*enter(server), "bash", "-c", command],
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0 or not check, f"{server}: {command}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def container(server: str, service: str) -> str:
    """The container of a service's task on a server; empty when there is none."""
    label = f"label=com.docker.swarm.service.name={service}"
    return on(server, f"docker ps --quiet --filter {label} | head -n 1")


def inside(server: str, service: str, command: str, given: str = "", timeout: float = 60) -> str:
    """Run a shell command in the container of a service's task."""
    label = f"label=com.docker.swarm.service.name={service}"
    find = f"id=$(docker ps --quiet --filter {label} | head -n 1); [ -n \"$id\" ] || {{ echo 'no container of {service}'; exit 1; }}"
    return on(server, f"{find}; docker exec -i $id sh -c {shlex.quote(command)}", given, timeout=timeout)


def others(server: str) -> list[str]:
    """The other servers."""
    return [name for name in SERVERS if name != server]


# -- faults --------------------------------------------------------------------------------------------------


def signal_programs(server: str, program: str, signal: str) -> None:
    """Send a signal to all processes of that name, those in containers included."""
    on(server, _SIGNAL.format(program=program, signal=signal))


def power(server: str, wanted: bool) -> None:
    """Switch a server on, or off without a warning."""
    machine = client().servers.get_by_name(server)
    assert machine is not None
    action = machine.power_on() if wanted else machine.power_off()
    action.wait_until_finished()


@contextlib.contextmanager
def powered_off(server: str) -> Iterator[None]:
    """A server that has lost its power."""
    power(server, False)
    try:
        yield
    finally:
        power(server, True)


@contextlib.contextmanager
def frozen(server: str) -> Iterator[None]:
    """A server whose kernel answers, and nothing else: all processes but the first one are stopped."""
    on(server, "kill -STOP -1")
    try:
        yield
    finally:
        on(server, "kill -CONT -1")


@contextlib.contextmanager
def programs_frozen(servers: Iterable[str], program: str) -> Iterator[None]:
    """A program that hangs on these servers."""
    names = list(servers)
    try:
        for server in names:
            signal_programs(server, program, "STOP")
        yield
    finally:
        for server in names:
            signal_programs(server, program, "CONT")


@contextlib.contextmanager
def services_stopped(servers: Iterable[str], service: str) -> Iterator[None]:
    """A service of each server that has been stopped: no task, no container, no name."""
    names = [f"{service}-{server}" for server in servers]
    try:
        _scale(names, 0)
        yield
    finally:
        _scale(names, 1)


def _scale(services: Iterable[str], replicas: int) -> None:
    # Swarm answers when the tasks are stopped, or run and are healthy.
    on(SERVERS[0], f"docker service scale {' '.join(f'{name}={replicas}' for name in services)}", timeout=120)


@contextlib.contextmanager
def cut_off(server: str) -> Iterator[None]:
    """A server that no other one reaches: nothing comes or goes over its private network."""
    find = "ip -o -4 address | awk -v address=$(docker info --format '{{.Swarm.NodeAddr}}') 'index($4, address \"/\") == 1 { print $2 }'"
    interface = on(server, find)
    assert interface, f"{server}: no interface has the address that the swarm uses"
    rules = f"""
        table inet {TABLE} {{
            chain arriving {{ type filter hook prerouting priority -500; iifname "{interface}" drop; }}
            chain leaving {{ type filter hook output priority -500; oifname "{interface}" drop; }}
            chain passing {{ type filter hook forward priority -500; oifname "{interface}" drop; }}
        }}
    """
    on(server, "nft -f -", rules)
    try:
        yield
    finally:
        join(server)


def join(server: str) -> None:
    """End the cut."""
    on(server, f"! nft list table inet {TABLE} > /dev/null 2>&1 || nft delete table inet {TABLE}")


@contextlib.contextmanager
def engine_killed(server: str) -> Iterator[None]:
    """A server without its engine; containers go on."""
    try:
        # systemd starts it again after two seconds; a stop in between takes that back.
        on(
            server,
            "systemctl kill --signal=KILL --kill-whom=main docker.service; systemctl stop docker.socket docker.service",
        )
        yield
    finally:
        on(server, "systemctl start docker.socket docker.service", timeout=120)


def mend(server: str) -> None:
    """Take back everything that a run that was killed may have left."""
    machine = client().servers.get_by_name(server)
    assert machine is not None, f"the lab has no {server}: run `make site` first"
    if machine.status != "running":
        power(server, True)
    deadline = time.monotonic() + 60
    while on(server, "echo there", check=False) != "there":
        assert time.monotonic() < deadline, f"{server} does not start"
        time.sleep(0.5)
    on(server, "kill -CONT -1")
    join(server)
    on(server, "systemctl start docker.socket docker.service", timeout=120)
