# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""redis_cluster_info: which container it asks, what it returns, when it fails."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Outcome
from ansible_collections.frontdesk.platform.plugins.modules import redis_cluster_info

WHOLE = "@member redis-a\nrole:master\nmaster_repl_offset:7\n"
EMPTY = "@member redis-a\n"


class Containers:
    """Stands for the containers of a node: names of services that run, and what they answer."""

    running: tuple[str, ...] = ("redis_redis-a",)
    answers: list[str]
    asked: list[str]
    users = ""
    error: EngineError | None = None

    def __init__(self, *_arguments: Any) -> None:
        pass

    def find(self, service: str) -> str:
        if self.error:
            raise self.error
        return f"id-{service}" if service in self.running else ""

    def run(self, container: str, command: tuple[str, ...]) -> Outcome:
        assert command[:2] == ("/bin/sh", "-c")
        assert command[2].startswith(". /etc/frontdesk/common.sh && ")
        self.asked.append(container)
        if command[2].endswith("ACL LIST || :; done"):
            return Outcome(0, self.users, "")
        return Outcome(0, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0], "")


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> type[Containers]:
    class Node(Containers):
        answers = [WHOLE]  # noqa: RUF012 - each test has a class of its own
        asked: list[str] = []  # noqa: RUF012 - as above

    monkeypatch.setattr(redis_cluster_info, "Containers", Node)
    monkeypatch.setattr(redis_cluster_info.time, "sleep", lambda _seconds: None)
    return Node


def run(capsys: pytest.CaptureFixture[str], **params: Any) -> dict[str, Any]:
    with patch_module_args({"stack": "redis", "server": "a", **params}), pytest.raises(SystemExit):
        redis_cluster_info.main()
    return json.loads(capsys.readouterr().out)


def test_it_asks_the_member(node, capsys):
    result = run(capsys)
    assert node.asked == ["id-redis_redis-a"]
    assert (result["changed"], result["primary"], result["order"], result["problems"]) == (
        False,
        "redis-a",
        ["redis-a"],
        [],
    )
    assert result["members"] == [
        {"name": "redis-a", "role": "primary", "following": "", "streaming": False, "offset": 7}
    ]
    assert result["sentinels"] == []


def test_it_asks_the_sentinel_while_the_member_is_away(node, capsys):
    node.running = ("redis_sentinel-a",)
    run(capsys)
    assert node.asked == ["id-redis_sentinel-a"]


def test_it_waits(node, capsys):
    node.answers = [EMPTY, EMPTY, WHOLE]
    assert run(capsys, wait_timeout=60)["primary"] == "redis-a"
    assert len(node.asked) == 3


def test_one_look_does_not_fail(node, capsys):
    node.running = ()
    result = run(capsys)
    assert "failed" not in result
    assert result["problems"] == ["No member has been asked."]


def test_it_says_what_is_wrong(node, capsys, monkeypatch):
    node.answers = [EMPTY]
    ticks = iter(range(100))
    monkeypatch.setattr(redis_cluster_info.time, "monotonic", lambda: next(ticks))
    result = run(capsys, wait_timeout=3)
    assert result["failed"] is True
    assert result["msg"].startswith("Redis is not whole after 3 s: redis-a does not answer.")


def test_check_mode_looks_once(node, capsys):
    node.answers = [EMPTY]
    assert "failed" not in run(capsys, wait_timeout=60, _ansible_check_mode=True)
    assert len(node.asked) == 1


USERS = "@member redis-a\r\nuser default on #{default} ~* +@all\nuser admin on #{admin} +@all\n@member redis-b\n"


def test_passwords_are_compared_by_their_hashes(node, capsys):
    node.users = USERS.format(
        **{name: hashlib.sha256(f"{name}-one".encode()).hexdigest() for name in ("default", "admin")}
    )
    result = run(capsys, passwords={"default": "default-one", "admin": "admin-two", "check": "check-one"})
    assert (result["compared"], result["other_passwords"]) == (["redis-a"], ["admin"])
    assert not [word for word in ("-one", "-two") if word in json.dumps(result)]


def test_nothing_is_compared_where_nobody_answers(node, capsys):
    node.running = ()
    result = run(capsys, passwords={"default": "x"})
    assert (result["compared"], result["other_passwords"]) == ([], [])
    assert "compared" not in run(capsys)


def test_an_engine_that_is_away_is_said(node, capsys):
    node.error = EngineError("the Docker engine cannot be reached at /var/run/docker.sock (No such file)")
    assert "systemctl start docker" in run(capsys)["msg"]
