# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hetzner_infrastructure when things go wrong: nothing is made twice, one sentence says what happened, the next run ends right."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerClient
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_run import RunError, converge
from tests.hetzner_runs import (
    NOTHING,
    Project,
    in_parallel,
    quick_clock,
    run_module,
    triples,
    use_quick_clock,
    wanted_project,
    whole_project,
)
from tests.integration.playbook import ANSIBLE_PLAYBOOK, ROOT
from tests.lab_cloud import running_lab_cloud

KINDS = ("servers", "networks", "firewalls", "ssh_keys", "placement_groups", "volumes", "load_balancers")
OBJECTS = 9
ALLOWED = {"owner": "test", "prune": False, "replace": [], "adopt": [], "delete_protected": [], "cost_confirmed": True}
CORRELATION = re.compile(r"correlation id \w+")


def fault(project: Project, **fields: Any) -> None:
    project.lab.fault(token=project.token, **fields)


def assert_right(project: Project, servers: int = 3) -> None:
    """Everything is there once, as wanted, and nothing is left to do."""
    project.lab.clear_faults()
    project.lab.idle()
    assert project.run(whole_project(servers))["changes"] == []
    counts = {kind: len(project.all(kind)) for kind in KINDS}
    assert counts == {**dict.fromkeys(KINDS, 1), "servers": servers}
    for number in range(1, servers + 1):
        live = project.live("servers", f"web-{number}")
        assert live["private_net"][0]["ip"] == f"10.0.1.{10 + number}"
        assert live["status"] == "running"
    volume, balancer = project.live("volumes", "data"), project.live("load_balancers", "edge")
    first = project.live("servers", "web-1")["id"]
    assert (volume["server"], volume["protection"]["delete"]) == (first, True)
    assert balancer["private_net"][0]["ip"] == "10.0.1.5"
    assert [target["server"]["id"] for target in balancer["targets"]] == [first]
    assert [service["listen_port"] for service in balancer["services"]] == [80, 443]


def assert_one_sentence(text: str) -> None:
    assert text.endswith(".")
    assert "\n" not in text
    assert "Traceback" not in text


FAULTS: dict[str, list[dict[str, Any]]] = {
    "storm of 429": [{"effect": "status", "status": 429, "code": "rate_limit_exceeded", "times": 12}],
    "429 with Retry-After": [
        {"effect": "status", "status": 429, "code": "rate_limit_exceeded", "times": 2, "headers": {"Retry-After": "2"}}
    ],
    "500 on readings": [{"effect": "status", "status": 500, "code": "server_error", "method": "GET", "times": 4}],
    "pages of a gateway": [{"effect": "status", "status": 502, "method": "GET", "times": 4}],
    "503 on writes": [{"effect": "status", "status": 503, "code": "unavailable", "method": "POST", "times": 3}],
    "504 on writes": [{"effect": "status", "status": 504, "method": "POST", "times": 3}],
    "locked": [{"effect": "status", "status": 423, "code": "locked", "path": "/actions/", "times": 5}],
    "conflict": [{"effect": "status", "status": 409, "code": "conflict", "method": "POST", "times": 5}],
    "connections closed before any work": [{"effect": "drop_before", "times": 6}],
    "answers of all creations lost": [
        {"effect": "drop_after", "method": "POST", "path": f"^/{kind}$", "times": 3} for kind in KINDS
    ],
    "answers of all actions lost": [{"effect": "drop_after", "method": "POST", "path": "/actions/", "times": 6}],
    "passing errors of the network service": [
        {"effect": "status", "status": 422, "code": "service_error", "path": "attach_to_network", "times": 3}
    ],
    "everything": [
        {"effect": "drop_after", "method": "POST", "times": 3},
        {"effect": "status", "status": 502, "times": 5, "skip": 3},
        {"effect": "drop_before", "times": 5, "skip": 7},
        {"effect": "status", "status": 429, "code": "rate_limit_exceeded", "times": 5, "skip": 11},
    ],
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_run_gets_through(name: str, project: Project) -> None:
    for fields in FAULTS[name]:
        fault(project, **fields)
    done = project.run(whole_project())
    assert len(done["changes"]) == OBJECTS
    assert len(project.creations()) <= OBJECTS
    assert_right(project)


@pytest.mark.parametrize(
    "action", ["delete_subnet", "add_subnet", "set_rules", "change_alias_ips", "detach_from_network"]
)
def test_lost_answers_of_changes(action: str, project: Project) -> None:
    project.run(wanted_project(1))
    changed = wanted_project(1)
    changed["networks"][0]["subnets"] += [{"ip_range": "10.0.2.0/24", "network_zone": "eu-central"}]
    changed["firewalls"][0]["rules"].pop()
    changed["servers"][0]["networks"][0] |= {"ip": "10.0.1.50", "alias_ips": ["10.0.1.60"]}
    more = wanted_project(1)
    more["networks"][0]["subnets"] += [{"ip_range": "10.0.3.0/24", "network_zone": "eu-central"}]
    more["servers"][0]["networks"][0] |= {"ip": "10.0.1.50", "alias_ips": ["10.0.1.61"]}
    fault(project, effect="drop_after", method="POST", path=action)
    for wanted in (changed, more):
        assert project.run(wanted)["changes"]
        assert project.run(wanted)["changes"] == []
    assert project.lab.call("GET", "/faults")["faults"] == [] or all(
        item["hits"] == 1 for item in project.lab.call("GET", "/faults")["faults"]
    )


def test_lost_answers_of_deletions(project: Project) -> None:
    project.run(whole_project())
    fault(project, effect="drop_after", method="DELETE", times=4)
    gone = project.run(NOTHING, prune=True, delete_protected=["volume/data"])
    assert len(gone["changes"]) == OBJECTS
    assert all(project.all(kind) == [] for kind in KINDS)


@pytest.mark.parametrize("command", ["create_server", "attach_to_network", "start_server"])
def test_an_action_that_fails(command: str, project: Project) -> None:
    fault(project, effect="action_error", command=command, code="action_failed", message="no luck today")
    result = project.try_run(wanted_project())
    assert result["failed"]
    assert_one_sentence(result["msg"])
    for words in ("no luck today", "action_failed", "web-"):
        assert words in result["msg"]
    assert CORRELATION.search(result["msg"])
    # What was made beside it is told: the three servers exist, and so do the objects before them.
    assert {change[2] for change in triples(result)} >= {"main", "web", "operator", "spread"}
    assert len([change for change in triples(result) if change[1] == "server"]) == 3


@pytest.mark.parametrize(
    "command",
    ["attach_to_network", "start_server", "create_volume", "attach_volume", "create_load_balancer", "add_target"],
)
def test_the_next_run_finishes(command: str, project: Project) -> None:
    fault(project, effect="action_error", command=command, code="action_failed")
    assert project.try_run(whole_project())["failed"]
    project.run(whole_project())
    assert_right(project)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": 401, "code": "unauthorized"}, "unauthorized"),
        ({"status": 403, "code": "forbidden"}, "forbidden"),
        ({"status": 403, "code": "maintenance"}, "maintenance"),
        ({"status": 403, "code": "resource_limit_exceeded"}, "resource_limit_exceeded"),
        ({"status": 410, "code": "deprecated_api_endpoint"}, "deprecated_api_endpoint"),
        ({"status": 422, "code": "invalid_input"}, "invalid_input"),
    ],
)
def test_what_cannot_be_helped_is_one_sentence(fields: dict[str, Any], code: str, project: Project) -> None:
    fault(project, effect="status", times=None, method="POST", path="^/servers$", **fields)
    result = project.try_run(wanted_project(1))
    assert_one_sentence(result["msg"])
    assert code in result["msg"]
    assert "server web-1" in result["msg"]
    assert CORRELATION.search(result["msg"])
    assert project.requests().count(("POST", "/servers")) == 1


def test_a_dead_api_is_one_sentence_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_clock(monkeypatch)
    with closing(create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    params = {"api_token": "x", "api_endpoint": f"http://127.0.0.1:{port}/v1", "owner": "test", **wanted_project(1)}
    started = time.monotonic()
    result = run_module("hetzner_infrastructure", params)
    # Thirty seconds, on a clock that goes fifty times as fast; the rest is for a busy machine.
    assert time.monotonic() - started < 10
    assert_one_sentence(result["msg"])
    assert "connection refused" in result["msg"]
    assert f"127.0.0.1:{port}" in result["msg"]


def test_two_runs_at_once_make_nothing_twice(project: Project) -> None:
    def run() -> Any:
        client = HetznerClient(project.token, project.lab.endpoint, clock=quick_clock())
        options = {**ALLOWED, "wait_timeout": 900, **whole_project()}
        try:
            return converge(client, options, check_mode=False)
        except RunError as error:
            return error

    results = in_parallel(run, run, run)
    assert [str(result) for result in results if isinstance(result, Exception)] == []
    assert len(project.creations()) == OBJECTS
    created = [
        (change["kind"], change["name"])
        for result in results
        for change in result["changes"]
        if change["action"] == "create"
    ]
    assert len(created) == len(set(created)) == OBJECTS
    assert_right(project)


RUNNER = """
import json, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([sys.argv[1]])
from ansible.module_utils.testing import patch_module_args
from ansible_collections.frontdesk.platform.plugins.modules import hetzner_infrastructure as module
with patch_module_args(json.load(sys.stdin)):
    module.main()
"""


def _start(project: Project) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(ROOT / ".venv/.ansible/collections")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin
    json.dump({**project.connection, "owner": "test", "cost_confirmed": True, **whole_project()}, process.stdin)
    process.stdin.close()
    return process


def _posted(suffix: str, count: int = 1) -> Callable[[list[tuple[str, str]]], bool]:
    return lambda calls: sum(method == "POST" and path.endswith(suffix) for method, path in calls) >= count


MOMENTS = {
    "the first write": lambda calls: any(method == "POST" for method, _path in calls),
    "the network": _posted("/networks"),
    "the first server": _posted("/servers"),
    "all servers": _posted("/servers", 3),
    "the first attachment": _posted("/attach_to_network"),
    "the last attachment": _posted("/attach_to_network", 3),
    "the first start": _posted("/poweron"),
    "the volume": _posted("/volumes"),
    "the load balancer": _posted("/load_balancers"),
    "its attachment": lambda calls: any(
        "/load_balancers/" in path and path.endswith("/attach_to_network") for _method, path in calls
    ),
    "its target": _posted("/add_target"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_after(moment: str, project: Project) -> None:
    process = _start(project)
    deadline = time.monotonic() + 60
    while not MOMENTS[moment](project.requests()):
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    project.run(whole_project())
    assert len(project.creations()) == OBJECTS
    assert_right(project)


def test_the_api_restarts_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_clock(monkeypatch)
    with running_lab_cloud(tmp_path) as lab:
        project = Project(lab, "restart")
        process = _start(project)
        while not _posted("/servers")(project.requests()):
            assert process.poll() is None
            time.sleep(0.005)
        lab.restart()
        assert process.wait(60) == 0
        assert_right(project)


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Make the project
      frontdesk.platform.hetzner_infrastructure: "{{ wanted }}"
"""


def test_secrets_are_in_no_output_of_a_play(project: Project, tmp_path: Path) -> None:
    mark = "user-data-mark-4711"
    wanted = wanted_project(1)
    wanted["servers"][0]["user_data"] = f"#cloud-config\n# {mark}\n"
    (tmp_path / "play.yml").write_text(PLAY)
    play = json.dumps({"wanted": {"owner": "test", "cost_confirmed": True, **wanted}})
    (tmp_path / "wanted.json").write_text(play)
    environment = {
        **os.environ,
        "HCLOUD_TOKEN": project.token,
        "HCLOUD_ENDPOINT": project.lab.endpoint,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    outputs = []
    for options in (["--check"], [], []):
        process = subprocess.run(
            [ANSIBLE_PLAYBOOK, "-i", "localhost,", "-vvv", "--diff", "-e", f"@{tmp_path / 'wanted.json'}", *options,
             str(tmp_path / "play.yml")],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert process.returncode == 0, process.stdout
        outputs.append(process.stdout + process.stderr)
    text = "\n".join(outputs)
    assert project.token not in text
    assert mark not in text
    assert "server web-1" in text, "the diff is shown"
    assert "changed=0" in outputs[2]
