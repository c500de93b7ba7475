# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for a Swarm as Ansible runs them: options in, result or one sentence out, no token anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import swarm_common
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_leftovers import Leftovers
from ansible_collections.frontdesk.platform.plugins.modules import swarm_node
from tests.hetzner_runs import Result, run_module
from tests.swarm_engine import NO_LEADER, FakeEngine, node, overlay, use_quick_clock

TOKEN = "SWMTKN-1-worker-secret"
JOIN = {"join_token": TOKEN, "remote_addresses": ["10.0.0.1"], "advertise_address": "10.0.0.4"}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    return use(monkeypatch, FakeEngine(node("web-1"), networks=(overlay("edge"),)))


def use(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> FakeEngine:
    use_quick_clock(monkeypatch)
    monkeypatch.setattr(swarm_common, "DockerEngine", lambda *arguments: engine)
    # Not this machine's own interfaces and sockets.
    nowhere = Path("/nowhere")
    monkeypatch.setattr(swarm_node, "Leftovers", lambda run: Leftovers(run, nowhere, nowhere, nowhere))
    return engine


def run(name: str, check_mode: bool = False, **options: Any) -> Result:
    result = run_module(name, options, check_mode)
    assert TOKEN not in str(result)
    return result


# -- swarm_node --------------------------------------------------------------------------


def test_node_tells_what_it_is(engine: FakeEngine) -> None:
    result = run("swarm_node", advertise_address="10.0.0.1")
    assert (result["changed"], result["changes"], result["api_writes"]) == (False, [], 0)
    assert (result["node"]["role"], result["node"]["id"]) == ("manager", "id-web-1")


@pytest.mark.parametrize("check_mode", [True, False])
def test_node_joins_without_showing_the_token(monkeypatch: pytest.MonkeyPatch, check_mode: bool) -> None:
    engine = use(monkeypatch, FakeEngine(name="web-4"))
    result = run("swarm_node", check_mode, **JOIN)
    assert result["changed"]
    assert result["diff"]["after"] == {"membership web-4": {"role": "worker", "address": "10.0.0.4"}}
    assert len(engine.log) == (0 if check_mode else 1)


def test_node_fails_with_one_sentence_and_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(monkeypatch, FakeEngine(name="web-4"))
    engine.refuse("POST", "/swarm/join", f"A valid join token is necessary to join this cluster: {TOKEN}", 500)
    result = run("swarm_node", **JOIN)
    assert result["failed"]
    assert "refused the join token" in result["msg"]
    assert result["changes"][0]["kind"] == "membership"


def test_node_says_how_to_start_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = use(monkeypatch, FakeEngine())
    engine.refuse("GET", "/swarm", "the Docker engine cannot be reached at /x.sock (No such file or directory)", 0)
    assert run("swarm_node")["msg"] == (
        "The Docker engine cannot be reached at /x.sock (No such file or directory); start it with 'systemctl start docker'."
    )


def test_node_warns_of_a_bridge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, FakeEngine(node("web-1"), networks=({"Id": "b", "Name": "docker_gwbridge", "Driver": "bridge"},)))
    result = run("swarm_node", mtu=1450)
    # The newest core hands warnings over apart from the result.
    assert "1500 bytes" in f"{result}{capsys.readouterr().err}"


def test_node_installs_and_removes_hooks(engine: FakeEngine, tmp_path: Path) -> None:
    options = {"reboot_hooks_directory": str(tmp_path), "reboot_hook": "#!/bin/sh\n"}
    assert [change["kind"] for change in run("swarm_node", **options)["changes"]] == ["reboot_hook"] * 2
    assert not run("swarm_node", **options)["changed"]
    result = run("swarm_node", state="absent", force=True, reboot_hooks_directory=str(tmp_path))
    assert [change["kind"] for change in result["changes"]] == ["reboot_hook", "reboot_hook", "membership"]


def test_node_wants_the_text_of_the_hook(engine: FakeEngine, tmp_path: Path) -> None:
    assert "reboot_hook is not" in run("swarm_node", reboot_hooks_directory=str(tmp_path))["msg"]


def test_node_says_which_file_it_cannot_write(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "before.d").write_text("a file in place of the folder")
    result = run("swarm_node", reboot_hooks_directory=str(tmp_path), reboot_hook="x")
    assert result["msg"].startswith(f"Cannot write {tmp_path}/before.d")


# -- swarm_cluster -------------------------------------------------------------------------


@pytest.mark.parametrize("check_mode", [True, False])
def test_cluster_writes_what_differs(engine: FakeEngine, check_mode: bool) -> None:
    nodes = [{"name": "web-1", "role": "manager", "labels": {"frontdesk.edge": True}}]
    result = run("swarm_cluster", check_mode, nodes=nodes, networks=[{"name": "edge", "mtu": 1450}])
    assert result["diff"] == {
        "before": {"node web-1": {"labels": {}}},
        "after": {"node web-1": {"labels": {"frontdesk.edge": "true"}}},
    }
    assert engine.writes == (0 if check_mode else 1)


def test_cluster_fails_with_what_was_done(engine: FakeEngine) -> None:
    engine.refuse("POST", "/networks/create", "no address left in the pool", 500)
    result = run("swarm_cluster", task_history_limit=1, networks=[{"name": "new"}])
    assert result["msg"] == "No address left in the pool."
    assert [change["kind"] for change in result["changes"]] == ["cluster"]


def test_cluster_without_a_leader_says_what_that_means(engine: FakeEngine) -> None:
    engine.refuse("GET", "/nodes", NO_LEADER, 503)
    assert run("swarm_cluster")["msg"].startswith(
        "The cluster has no leader, because half of its managers or more do not answer"
    )


def test_cluster_refuses_before_any_write(engine: FakeEngine) -> None:
    result = run("swarm_cluster", networks=[{"name": "edge", "mtu": 1400}])
    assert "mtu 1450 and not 1400" in result["msg"]
    assert engine.writes == 0


# -- swarm_info --------------------------------------------------------------------------


def test_info(engine: FakeEngine) -> None:
    result = run("swarm_info")
    assert (result["changed"], result["nodes"][0]["name"], result["networks"][0]["container_mtu"]) == (
        False,
        "web-1",
        1400,
    )


def test_info_on_a_node_that_is_no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeEngine())
    assert "not a swarm manager" in run("swarm_info")["msg"]
