# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one address from an application's network: who answers behind each port, and how the containers are locked up."""

from __future__ import annotations

import json
import time

import pytest

STACK = "haproxytest"
# Connects to a port some times and prints the first line of each.
NAMES = (
    "import socket, sys; print([socket.create_connection(('postgres', int(sys.argv[1])), 3).recv(100).decode().strip()"
    " for _ in range(int(sys.argv[2]))])"
)
TALK = (
    "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3); s.settimeout(3);"
    " s.sendall(sys.stdin.buffer.read()); print(s.makefile().readline().strip())"
)


def container(host, service):
    found = host.check_output(f"docker ps --quiet --filter label=com.docker.swarm.service.name={service}").split()
    assert len(found) == 1, f"{service}: {found}"
    return found[0]


def python(host, program, *words, stdin=""):
    """Run a program in the application's container."""
    client = container(host, "behindtest_client")
    more = " ".join(str(word) for word in words)
    answer = host.run("printf %%b %s | docker exec -i %s python3 -c %s " + more, stdin, client, program)
    assert answer.rc == 0, answer.stderr
    return answer.stdout.strip()


def names(host, port, times=9):
    return json.loads(python(host, NAMES, port, times).replace("'", '"'))


def eventually(question, seconds=20):
    """Roles have just been given back."""
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end
        time.sleep(0.5)


def test_the_writer_is_the_primary_alone(host):
    eventually(lambda: len(set(names(host, 5432))) == 1)


def test_readers_are_the_others(host):
    (writer,) = set(names(host, 5432))
    readers = set(names(host, 5433, 20))
    assert readers
    assert writer not in readers


def test_redis_is_a_primary(host):
    sent = r"AUTH molecule-example-check-password\r\n"
    assert python(host, TALK, "redis", 6379, stdin=sent).startswith("-WRONGPASS")
    sent = r"AUTH check molecule-example-check-password\r\n"
    assert python(host, TALK, "redis", 6379, stdin=sent) == "+OK"


def metrics(host):
    proxy = container(host, f"{STACK}_haproxy")
    pid = json.loads(host.check_output("docker inspect %s", proxy))[0]["State"]["Pid"]
    return host.check_output(
        f"nsenter --target {pid} --net python3 -c "
        "'import urllib.request; print(urllib.request.urlopen(\"http://127.0.0.1:8404/metrics\").read().decode())'"
    )


@pytest.mark.parametrize("listener", ["postgres-writer", "redis"])
def test_exactly_one_server_is_up_behind_a_writer(host, listener):
    mark = f'haproxy_backend_active_servers{{proxy="{listener}"}}'
    eventually(lambda: [line.split()[1] for line in metrics(host).splitlines() if line.startswith(mark)] == ["1"], 30)


def test_the_container_is_locked_up_and_publishes_nothing(host):
    inspected = json.loads(host.check_output("docker inspect %s", container(host, f"{STACK}_haproxy")))[0]
    settings = inspected["HostConfig"]
    assert settings["ReadonlyRootfs"] is True
    assert not settings["CapAdd"]
    assert settings["Memory"] > 0
    assert not settings["PortBindings"]
    status = host.check_output(f"cat /proc/{inspected['State']['Pid']}/status")
    capabilities = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    assert {int(capabilities[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd")} == {0}


def test_it_holds_no_password_but_that_of_the_check(host):
    shown = host.check_output(
        "docker inspect $(docker ps -q); for kind in service config secret; do"
        " docker $kind inspect $(docker $kind ls -q) 2>/dev/null; done;"
        f" for id in $(docker ps -aq --filter label=com.docker.stack.namespace={STACK}); do docker logs $id 2>&1; done;"
        " ps axww -o args; echo"
    )
    assert "molecule-example-check-password" not in shown
    inside = host.check_output("docker exec %s cat /run/secrets/environment.cfg", container(host, f"{STACK}_haproxy"))
    assert "molecule-example-check-password" in inside
    assert "molecule-example-application-password" not in inside
