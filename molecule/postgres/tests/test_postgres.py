# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as it is: whole, in quorum, closed to everybody who should not come in, and without a secret in the open."""

from __future__ import annotations

import json

import pytest

STACK = "pgtest"
NETWORK_CONNECTION = "host=pg-{server} dbname={database} user={user} connect_timeout=5 sslmode={mode} sslrootcert=/etc/frontdesk/authority.crt"


def run(host, kind, *words, stdin=""):
    """Run a program in this server's container of a kind; None where the server has none."""
    service = f"{STACK}_{kind}-{host.check_output('hostname')}"
    container = host.check_output(f"docker ps --quiet --filter label=com.docker.swarm.service.name={service}")
    if not container:
        pytest.skip("no member on this server")
    given = f"printf %s {json.dumps(stdin)} | " if stdin else ""
    return host.run(f"{given}docker exec -i {container} " + " ".join(words))


def query(host, sql, database="postgres"):
    answer = run(host, "pg", "postgres-member", "psql", database, "--tuples-only", "--no-align", stdin=sql)
    assert answer.rc == 0, answer.stderr
    return answer.stdout.strip()


def test_the_cluster_is_whole_and_in_quorum(host):
    state = json.loads(run(host, "etcd", "postgres-member", "state").stdout)
    members = state["cluster"]["members"]
    roles = sorted(member["role"] for member in members)
    assert roles == ["leader", *["quorum_standby"] * (len(members) - 1)]
    assert state["config"]["synchronous_mode_strict"] is True
    assert set(state["recorded"].values()) == {state["identifier"]}


def test_the_leader_waits_for_one_of_the_others(host):
    assert query(host, "show synchronous_standby_names").startswith("ANY 1 (")


@pytest.mark.parametrize(("name", "value"), [("shared_buffers", "128MB"), ("data_checksums", "on"), ("jit", "off")])
def test_settings_are_in_force(host, name, value):
    assert query(host, f"show {name}") == value


def test_passwords_are_kept_as_scram(host):
    kinds = query(
        host, "select distinct split_part(rolpassword, chr(36), 1) from pg_authid where rolpassword is not null"
    )
    assert kinds == "SCRAM-SHA-256"


def test_extensions_are_there(host):
    assert (
        query(host, "select count(*) from pg_extension where extname in ('vector', 'pg_stat_statements')", "shop")
        == "2"
    )


@pytest.mark.parametrize(
    ("user", "mode", "reason"),
    [
        ("shop", "disable", "no encryption"),
        ("shop", "verify-full", "password authentication failed"),
        ("postgres", "verify-full", "valid client certificate"),
        ("replicator", "verify-full", "pg_hba.conf rejects connection"),
    ],
)
def test_who_is_refused(host, user, mode, reason):
    target = NETWORK_CONNECTION.format(server=host.check_output("hostname"), database="shop", user=user, mode=mode)
    answer = run(host, "etcd", "env", "PGPASSWORD=wrong", "psql", f"'{target}'", "-c", "'select 1'")
    assert answer.rc != 0
    assert reason in answer.stderr


def test_the_clusters_network_is_the_only_one(host):
    lines = run(host, "pg", "cat", "/var/lib/postgresql/data/pg_hba.conf").stdout.splitlines()
    networks = {line.split()[3] for line in lines if line.startswith("hostssl")}
    assert len(networks) == 1
    assert networks.pop().startswith("10.")


def test_no_password_is_in_the_open(host):
    """Neither in what the engine shows of the containers, nor in their command lines, nor in their logs."""
    service = f"{STACK}_pg-{host.check_output('hostname')}"
    container = host.check_output(f"docker ps --quiet --filter label=com.docker.swarm.service.name={service}")
    if not container:
        pytest.skip("no member on this server")
    for name in ("superuser", "replication", "rewind", "rest"):
        password = host.check_output(f"docker exec {container} cat /run/secrets/{name}")
        for look in (f"docker inspect {container}", f"docker top {container}", f"docker logs {container}"):
            assert password not in host.run(f"{look} 2>&1").stdout


def test_the_container_has_no_capability_and_a_root_that_it_cannot_write(host):
    answer = run(host, "pg", "grep", "CapBnd", "/proc/1/status")
    assert answer.stdout.split()[1].strip("0") == ""
    assert run(host, "pg", "touch", "/usr/x").rc != 0
