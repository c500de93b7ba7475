# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of the running platform, as an application and an operator meet it; its secrets are nowhere to be seen."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import ClassVar

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import LAB_MASTER_KEY, derive
from tests.integration.cloud import succeeded
from tests.integration.platform import on_server
from tests.integration.playbook import PlaybookRun, run_playbook
from tests.swarm_nodes import Swarm, eventually

pytestmark = pytest.mark.lab

POSTGRES_SECRETS = ("superuser", "replication", "rewind", "rest")
REDIS_SECRETS = {"password": "redis", "admin_password": "redis_admin", "check_password": "redis_check"}
SHOP = {"postgres_roles": [{"name": "shop", "password": "shop-example-password"}]}
WANTED = {**SHOP, "postgres_databases": [{"name": "shop", "owner": "shop", "extensions": ["vector"]}]}
GONE = {
    "postgres_roles": [{"name": "shop", "state": "absent"}],
    "postgres_databases": [{"name": "shop", "state": "absent"}],
}
# Everything that somebody on a server can look at without asking for a secret.
LOOK = """
journalctl --no-pager; ps axww -o args
docker inspect $(docker ps -aq)
for id in $(docker ps -aq); do docker logs $id 2>&1; done
for kind in service config secret; do docker $kind ls -q | xargs -r docker $kind inspect; done
cat /var/log/*.log /root/.ansible/tmp/* 2> /dev/null
"""


def platform_secret(name: str) -> str:
    return derive(LAB_MASTER_KEY, "lab", name)


def in_container(swarm: Swarm, service: str, *words: str) -> str:
    node, container = swarm.container(service)
    return node.docker("exec", container, *words)


@pytest.fixture
def application(swarm: Swarm):
    """A container on the applications' network that has PostgreSQL's client, and the authority's certificate."""
    image = json.loads(on_server("lab-1", "docker service inspect postgres_pg-lab-1"))[0]["Spec"]["TaskTemplate"]
    image = image["ContainerSpec"]["Image"]
    authority = in_container(swarm, "postgres_pg-lab-1", "cat", "/etc/frontdesk/authority.crt")
    on_server(
        "lab-1",
        f"docker config rm shop-authority; printf %s '{authority}' | docker config create shop-authority -",
        False,
    )
    options = (
        "--network data --endpoint-mode dnsrr --config source=shop-authority,target=/authority.crt --entrypoint sleep"
    )
    on_server("lab-1", f"docker service create --quiet --detach --name shop {options} {image} infinity")
    yield lambda *words: in_container(swarm, "shop", *words)
    on_server("lab-1", "docker service rm shop; docker config rm shop-authority", check=False)


def connection(user: str, port: int = 5432, database: str = "shop", password: str = "") -> str:
    parts = f"host=postgres port={port} dbname={database} user={user} sslmode=verify-full sslrootcert=/authority.crt connect_timeout=5"
    return f"{parts} password={password}" if password else parts


def test_check_mode_names_the_objects_of_an_application_and_the_run_makes_those(swarm: Swarm):
    expected = [("create", "database", "shop"), ("create", "extension", "shop/vector"), ("create", "role", "shop")]
    checked = succeeded(run_playbook("playbooks/data.yml", "--check", "-e", json.dumps(WANTED)))
    assert checked.changes == expected
    assert succeeded(run_playbook("playbooks/data.yml", "-e", json.dumps(WANTED))).changes == expected
    again = succeeded(run_playbook("playbooks/data.yml", "-e", json.dumps(WANTED)))
    assert again.changed == 0


def test_an_application_reaches_writer_and_reader_through_the_one_address(application):
    def ask(sql: str, port: int = 5432) -> str:
        return application("psql", connection("shop", port, password="shop-example-password"), "-Atc", sql)

    eventually(lambda: application("getent", "hosts", "postgres"), "the name is known", 30)
    ask("create table if not exists visits (id int primary key, place vector(3))")
    ask("insert into visits values (1, '[1,2,3]') on conflict do nothing")
    assert ask("select pg_is_in_recovery(), count(*) from visits") == "f|1"
    eventually(lambda: ask("select pg_is_in_recovery(), count(*) from visits", 5433) == "t|1", "a replica has it", 20)
    assert ask("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()") == "t|TLSv1.3"


@pytest.mark.parametrize(
    ("user", "password", "reason"),
    [
        ("shop", "another-password", "password authentication failed"),
        ("postgres", platform_secret("postgres_superuser"), "certificate"),
        ("replicator", platform_secret("postgres_replication"), "rejects connection"),
    ],
)
def test_nobody_else_comes_in_through_it(application, user, password, reason):
    words = ["sh", "-c", f"psql '{connection(user, password=password)}' -c 'select 1' 2>&1 || true"]
    assert reason in application(*words)


@pytest.mark.parametrize(
    ("playbook", "variables", "told"),
    [
        ("data", {"frontdesk_generations": {"postgres_superuser": 2}}, "postgres has another password"),
        ("data", {"frontdesk_generations": {"redis": 2}}, "redis_password of the running cluster"),
        ("swarm", {"frontdesk_master_key": LAB_MASTER_KEY[::-1]}, "made with another master key"),
    ],
    ids=["a password of PostgreSQL", "a password of Redis", "the master key"],
)
def test_what_would_replace_a_password_in_use_is_refused_and_changes_nothing(swarm: Swarm, playbook, variables, told):
    before = swarm.objects()
    for mode in (["--check"], []):
        run = run_playbook(f"playbooks/{playbook}.yml", *mode, "-e", json.dumps(variables))
        assert run.returncode != 0
        assert told in run.messages, run.messages[-2000:]
    assert swarm.objects() == before


def test_the_platforms_passwords_are_in_their_files_and_nowhere_else(swarm: Swarm):
    secrets = {f"postgres_{name}": platform_secret(f"postgres_{name}") for name in POSTGRES_SECRETS}
    secrets |= {file: platform_secret(name) for file, name in REDIS_SECRETS.items()}
    for name in POSTGRES_SECRETS:
        shown = in_container(swarm, "postgres_pg-lab-1", "cat", f"/run/secrets/{name}")
        assert shown == secrets[f"postgres_{name}"], "the platform uses another password than this test looks for"
    for file in REDIS_SECRETS:
        assert in_container(swarm, "redis_redis-lab-1", "cat", f"/run/secrets/{file}") == secrets[file]
    key = in_container(swarm, "postgres_pg-lab-1", "cat", "/run/secrets/server.key").splitlines()[1]
    run = succeeded(run_playbook("playbooks/data.yml", "-vvv", "--diff", "-e", json.dumps(WANTED)))
    places = {node.name: node.run(LOOK, check=False) for node in swarm.managers}
    places["the controller's output"] = run.stdout + run.stderr
    assert all("postgres-member" in text or "PostgreSQL" in text for text in places.values()), "nothing was looked at"
    values = {**secrets, "server.key": key, "an application's": "shop-example-password"}
    assert [(place, name) for place, text in places.items() for name, value in values.items() if value in text] == []


def test_the_objects_of_an_application_go_again(swarm: Swarm):
    expected = [("delete", "database", "shop"), ("delete", "role", "shop")]
    assert succeeded(run_playbook("playbooks/data.yml", "--check", "-e", json.dumps(GONE))).changes == expected
    assert succeeded(run_playbook("playbooks/data.yml", "-e", json.dumps(GONE))).changes == expected
    assert succeeded(run_playbook("playbooks/data.yml", "-e", json.dumps(GONE))).changed == 0


def test_status_tells_who_leads(swarm: Swarm, tmp_path: Path):
    file = tmp_path / "status.json"
    succeeded(run_playbook("playbooks/status.yml", "-e", f"frontdesk_status_file={file}"))
    status = json.loads(file.read_text())
    assert status["postgres"]["leader"] in {"pg-lab-1", "pg-lab-2", "pg-lab-3"}
    assert sorted(member["role"] for member in status["postgres"]["members"]) == ["leader", *["quorum_standby"] * 2]
    assert sorted(member["role"] for member in status["redis"]["members"]) == ["primary", "replica", "replica"]
    assert status["redis"]["primary"] in {"redis-lab-1", "redis-lab-2", "redis-lab-3"}


class TestTheGuardOfTheVolume:
    """A mount that was forgotten or mixed up: the member refuses, and nothing is written over what is there."""

    replica: ClassVar[str] = ""

    @staticmethod
    def run_playbook(**variables: object) -> PlaybookRun:
        return run_playbook("playbooks/data.yml", "--tags", "postgres", "-e", json.dumps(variables))

    def service(self) -> str:
        return f"postgres_pg-{self.replica}"

    def while_it_is_stopped(self, change: str) -> None:
        """Change what the member's volume holds."""
        label = f"label=com.docker.swarm.service.name={self.service()}"
        on_server("lab-1", f"docker service scale --detach {self.service()}=0")
        stopped = f'until [ -z "$(docker ps -q --filter {label})" ]; do sleep 0.2; done'
        on_server(self.replica, f"timeout 110 bash -c {shlex.quote(stopped)}")
        on_server(self.replica, f"cd /var/lib/docker/volumes/{self.service()}/_data && {change}")
        on_server("lab-1", f"docker service scale --detach {self.service()}=1")

    def says(self, text: str) -> bool:
        newest = f"docker ps -aq --latest --filter label=com.docker.swarm.service.name={self.service()}"
        return text in on_server(self.replica, f"docker logs $({newest}) 2>&1", check=False)

    def held(self, pattern: str) -> list[str]:
        folder = f"/var/lib/docker/volumes/{self.service()}/_data"
        return on_server(self.replica, f"cd {folder} && ls -d {pattern} 2> /dev/null", check=False).split()

    def test_an_empty_volume_is_refused(self, swarm: Swarm):
        state = json.loads(in_container(swarm, "postgres_etcd-lab-1", "postgres-member", "state"))
        names = [member["name"] for member in state["cluster"]["members"] if member["role"] != "leader"]
        TestTheGuardOfTheVolume.replica = names[0].removeprefix("pg-")
        self.while_it_is_stopped("mkdir ../aside && ls -A | xargs -I {} mv {} ../aside/")
        eventually(lambda: self.says("is empty, though this member has had data"), "it refuses", 90)
        assert self.held("data") == []

    def test_a_run_tells_what_the_member_says(self, swarm: Swarm):
        run = self.run_playbook(postgres_wait_timeout=20)
        assert run.returncode != 0
        assert "is empty, though this member has had data" in run.messages

    def test_data_of_another_cluster_are_refused_and_stay_as_they_are(self, swarm: Swarm):
        image = json.loads(on_server("lab-1", f"docker service inspect {self.service()}"))[0]["Spec"]["TaskTemplate"]
        image = image["ContainerSpec"]["Image"]
        make = "docker run --rm --user 999:999 --entrypoint initdb --volume"
        target = "/var/lib/postgresql"
        self.while_it_is_stopped(f"{make} {self.service()}:{target} {image} --pgdata {target}/data")
        eventually(lambda: self.says("no member of a cluster put there"), "it refuses", 90)
        assert self.held("data/postmaster.*") == []

    def test_a_member_whose_data_is_given_up_copies_that_of_the_others(self, swarm: Swarm):
        self.while_it_is_stopped("rm -rf data ../aside")
        succeeded(self.run_playbook(postgres_rebuild=[self.replica]))
        state = json.loads(in_container(swarm, "postgres_etcd-lab-1", "postgres-member", "state"))
        roles = sorted(member["role"] for member in state["cluster"]["members"])
        assert roles == ["leader", "quorum_standby", "quorum_standby"]
        assert succeeded(self.run_playbook()).changed == 0
