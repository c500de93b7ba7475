# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_objects: what it refuses before it writes, and what it does when nobody can be asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_model import ClusterError
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_scram import verifier
from ansible_collections.frontdesk.platform.plugins.modules import postgresql_objects

SECRETS = ("super-one", "super-two", "cart-one", "cart-two")
SHOP = {"login": True, "connection_limit": -1, "powers": [], "member_of": []}


class Cluster:
    """Stands for the cluster: what it keeps, what it was told, and what it does not answer."""

    def __init__(self) -> None:
        self.kept = {
            "postgres": {"password": verifier("super-one")},
            "shop": {"password": verifier("cart-one"), **SHOP},
        }
        self.told: list[str] = []
        self.silent: tuple[str, ...] = ()

    def query(self, sql: str) -> str:
        self.told.append(sql)
        if any(part in sql for part in self.silent):
            raise ClusterError("A query failed: no leader.")
        return json.dumps({"roles": self.kept}) if "pg_authid" in sql else ""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(postgresql_objects, "connect", lambda module: None)
    monkeypatch.setattr(postgresql_objects, "Cluster", lambda runner: made)
    return made


def run(capsys: pytest.CaptureFixture[str], password: str = "cart-one", **params: Any) -> dict[str, Any]:
    options = {"stack": "postgres", "server": "a", "roles": [{"name": "shop", "password": password}], **params}
    with patch_module_args(options), pytest.raises(SystemExit):
        postgresql_objects.main()
    text = capsys.readouterr().out
    result: dict[str, Any] = json.loads(text)
    result.pop("invocation", None)
    assert not [secret for secret in SECRETS if secret in text]
    return result


def test_an_equal_document_writes_nothing(cluster, capsys):
    result = run(capsys, cluster_passwords={"postgres": "super-one"}, rotate=[])
    assert (result["changed"], result["reached"], len(cluster.told)) == (False, True, 1)
    assert "'postgres', 'shop'" in cluster.told[0]


@pytest.mark.parametrize("check_mode", [False, True])
def test_another_password_of_the_cluster_is_refused(cluster, capsys, check_mode):
    result = run(capsys, cluster_passwords={"postgres": "super-two"}, _ansible_check_mode=check_mode)
    assert result["msg"].startswith("postgres has another password in the running cluster")
    assert (result["changes"], len(cluster.told)) == ([], 1)


def test_another_password_of_a_role_is_refused_unless_it_may_change(cluster, capsys):
    assert "name shop in postgres_rotate" in run(capsys, "cart-two", rotate=[])["msg"]
    assert len(cluster.told) == 1
    result = run(capsys, "cart-two", rotate=["shop"])
    assert result["changes"][0]["after"] == {"password": "(given)"}
    assert "alter role" in cluster.told[-1]


def test_roles_change_their_passwords_where_nothing_is_said(cluster, capsys):
    assert run(capsys, "cart-two")["changed"] is True


def test_nobody_to_ask_is_no_failure_where_that_is_allowed(cluster, capsys):
    cluster.silent = ("select",)
    result = run(capsys, "cart-two", rotate=[], optional=True)
    assert (result["changed"], result["reached"], result["changes"]) == (False, False, [])
    assert "no leader" in run(capsys)["msg"]


@pytest.mark.parametrize(("status", "reached"), [(409, False), (404, False), (500, None)])
def test_a_container_that_has_just_ended_is_nobody_to_ask(cluster, capsys, monkeypatch, status, reached):
    def ended(_sql):
        raise EngineError("container is not running", status)

    monkeypatch.setattr(cluster, "query", ended)
    assert run(capsys, optional=True).get("reached") is reached
    assert run(capsys)["failed"] is True


def test_it_waits_for_a_leader_that_is_being_elected(cluster, capsys, monkeypatch):
    ticks = []

    def pass_time(seconds):
        ticks.append(seconds)
        cluster.silent = () if len(ticks) == 3 else cluster.silent

    monkeypatch.setattr(postgresql_objects.time, "sleep", pass_time)
    cluster.silent = ("select",)
    refused = run(capsys, "cart-two", rotate=[], optional=True, wait_timeout=40)
    assert "name shop in postgres_rotate" in refused["msg"]
    assert len(ticks) == 3


def test_a_leader_that_answers_has_to_answer_the_question(cluster, capsys):
    cluster.silent = ("pg_authid",)
    assert "A query failed" in run(capsys, optional=True)["msg"]
