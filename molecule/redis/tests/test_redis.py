# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as it is: whole, closed to everybody who should not come in, full memory fails writes, no secret in the open."""

from __future__ import annotations

import json
import re

import pytest

STACK = "redistest"
PASSWORD = "molecule-example-application-password"
SECRETS = [PASSWORD, "molecule-example-admin-password", "molecule-example-check-password"]


class Member:
    """The member on a server."""

    def __init__(self, host, container):
        self.host, self.container = host, container

    def shell(self, script, stdin=""):
        return self.host.run("printf %%s %s | docker exec -i %s sh -c %s", stdin, self.container, script)

    def say(self, *words):
        """The answer to a command of the user admin."""
        return self.shell(". /etc/frontdesk/common.sh; ask 127.0.0.1 6379 " + " ".join(words)).stdout.strip()

    def roles(self):
        """What every member says that it is: master or slave, in Redis' words."""
        text = self.shell(". /etc/frontdesk/common.sh; look").stdout
        return dict(re.findall(r"^@member (\S+)\r?\n(?:[^@]*\n)?role:(\w+)", text, re.MULTILINE))

    def primary(self):
        (name,) = [name for name, role in self.roles().items() if role == "master"]
        return name

    def as_application(self, commands, where="127.0.0.1", source="cat"):
        """The answers to commands of an application, one a line. source: a program in the container that says them."""
        program = '"$(command -v valkey-cli || command -v redis-cli)"'
        script = f"{source} | REDISCLI_AUTH=$(cat /run/secrets/password) {program} -h {where} --raw"
        return self.shell(script, commands).stdout.splitlines()


@pytest.fixture
def member(host):
    name = host.check_output("hostname")
    container = host.check_output(
        f"docker ps --quiet --filter label=com.docker.swarm.service.name={STACK}_redis-{name}"
    )
    if not container:
        pytest.skip("no member on this server")
    return Member(host, container)


def test_the_cluster_is_whole(member):
    roles = member.roles()
    assert sorted(roles.values()) == ["master"] + ["slave"] * (len(roles) - 1)
    if len(roles) > 1:
        named = member.shell(". /etc/frontdesk/common.sh; named_primary").stdout.strip()
        assert named == member.primary()
    assert member.say("INFO replication").count("state=online") in (0, len(roles) - 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("maxmemory-policy", "noeviction"),
        ("maxmemory", str(16 << 20)),
        ("appendonly", "yes"),
        ("min-replicas-max-lag", "3"),
    ],
)
def test_settings_are_in_force(member, name, value):
    assert member.say("CONFIG GET", name).splitlines() == [name, value]


def test_a_primary_needs_a_replica_when_there_are_some(member):
    several = len(member.roles()) > 1
    assert member.say("CONFIG GET min-replicas-to-write").splitlines()[1] == str(int(several))


def test_a_replica_takes_no_writes(member):
    replica = next((name for name, role in member.roles().items() if role == "slave"), None)
    if replica is None:
        pytest.skip("a single member")
    assert member.as_application("SET a b\n", replica)[0].startswith("READONLY")


def test_full_memory_fails_writes_and_evicts_nothing(member):
    primary = member.primary()
    keys = [f"molecule-{number}" for number in range(200)]
    # awk has no texts of that length everywhere.
    write = (
        "{ text=$(head -c 100000 /dev/zero | tr '\\0' x);"
        ' for number in $(seq 0 199); do echo "SET molecule-$number $text"; done; }'
    )
    answers = member.as_application("", primary, source=write)
    answers = [answer for answer in answers if answer]
    written = answers.count("OK")
    assert 20 < written < len(keys)
    assert all(answer.startswith("OOM") for answer in answers[written:])
    try:
        assert member.as_application(f"EXISTS {' '.join(keys)}\n", primary)[0] == str(written)
        stats = member.shell(f". /etc/frontdesk/common.sh; ask {primary} 6379 INFO stats").stdout
        assert "evicted_keys:0" in stats
    finally:
        assert member.as_application(f"DEL {' '.join(keys)}\n", primary)[0] == str(written)


@pytest.mark.parametrize("command", ["CONFIG GET *", "FLUSHALL", "SHUTDOWN", "REPLICAOF NO ONE", "BGSAVE", "ACL LIST"])
def test_an_application_does_not_administer(member, command):
    assert member.as_application(f"{command}\n")[0].startswith("NOPERM")


def test_nobody_comes_without_a_password(member):
    answer = member.shell('"$(command -v valkey-cli || command -v redis-cli)" --raw GET a').stdout
    assert answer.startswith("NOAUTH")


def test_health_checks_may_only_ask(member):
    program = '"$(command -v valkey-cli || command -v redis-cli)"'
    script = f"REDISCLI_AUTH=$(cat /run/secrets/check_password) {program} --user check --raw "
    assert member.shell(script + "PING").stdout.strip() == "PONG"
    assert member.shell(script + "GET a").stdout.startswith("NOPERM")


def test_the_volume_says_whose_it_is(member):
    assert member.shell("cat /data/cluster /data/complete").stdout.split() == [STACK, STACK]


def test_two_servers_cannot_use_one_volume(member):
    assert member.shell("flock -n /data/.lock true").rc != 0


def containers(host):
    return host.check_output(f"docker ps --quiet --filter label=com.docker.stack.namespace={STACK}").split()


def test_the_containers_are_locked_up_and_publish_nothing(host):
    for container in containers(host):
        inspected = json.loads(host.check_output("docker inspect %s", container))[0]
        settings = inspected["HostConfig"]
        assert settings["ReadonlyRootfs"] is True
        assert not settings["CapAdd"]
        assert settings["Memory"] > 0
        assert not settings["PortBindings"]
        assert inspected["Config"]["User"] == "999:999"
        status = host.check_output(f"cat /proc/{inspected['State']['Pid']}/status")
        capabilities = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
        assert {int(capabilities[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd")} == {0}


def test_passwords_are_in_no_output_of_the_engine(host):
    shown = host.check_output(
        "docker inspect $(docker ps -q); for kind in service config secret; do"
        " docker $kind inspect $(docker $kind ls -q) 2>/dev/null; done;"
        f" for id in $(docker ps -aq --filter label=com.docker.stack.namespace={STACK}); do docker logs $id 2>&1; done;"
        " ps axww -o args; echo"
    )
    assert not [secret for secret in SECRETS if secret in shown]
