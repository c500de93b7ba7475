# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What survives: the database after a crash, and a service that takes running actions up again."""

from __future__ import annotations

from pathlib import Path

import pytest

from labcloud.settings import Settings
from labcloud.state import Project, State, Token
from tests.lab_cloud import running_lab_cloud
from tests.unit.labcloud.lab_helpers import ORDER, RememberingMachines, make, make_network, server


def _state(tmp_path: Path) -> State:
    return State(tmp_path / "state.sqlite3")


def test_what_is_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    state = _state(tmp_path)
    state.put_project(Project("p", api_only=True, rate_limit=7))
    state.put_token(Token("t", "p", read_only=True))
    state.put("p", "server", {"id": state.next_id(), "name": "a"})
    state.put_stock("cx23", "fsn1", False)
    state.commit()
    last = state.next_id()
    state.put("p", "server", {"id": last, "name": "not committed"})
    state.close()
    again = _state(tmp_path)
    assert again.projects["p"] == Project("p", True, 7)
    assert again.tokens["t"] == Token("t", "p", True)
    assert again.stock == {("cx23", "fsn1"): False}
    assert [item["name"] for item in again.items("p", "server").values()] == ["a"]
    assert again.next_id() == last
    again.close()


def test_a_rollback_forgets_in_memory_too(tmp_path: Path) -> None:
    state = _state(tmp_path)
    state.put("p", "server", {"id": 1, "name": "a"})
    state.commit()
    state.put("p", "server", {"id": 1, "name": "b"})
    state.remove("p", "server", 1)
    state.rollback()
    assert state.items("p", "server") == {1: {"id": 1, "name": "a"}}
    state.close()


def test_removing_a_project_removes_all_of_it_and_nothing_else(tmp_path: Path) -> None:
    state = _state(tmp_path)
    for name in ("p", "q"):
        state.put_project(Project(name))
        state.put_token(Token(f"token-{name}", name))
        state.put(name, "server", {"id": state.next_id(), "name": name})
    state.remove_project("p")
    state.commit()
    state.close()
    again = _state(tmp_path)
    assert list(again.projects) == ["q"]
    assert list(again.tokens) == ["token-q"]
    assert again.items("p", "server") == {}
    assert len(again.items("q", "server")) == 1
    again.close()


def test_a_running_creation_is_taken_up_again(tmp_path: Path) -> None:
    machines = RememberingMachines()
    with running_lab_cloud(tmp_path, machines, action_seconds=1.0) as lab:
        network = make_network(lab)
        machines.calls.clear()
        _status, answer = lab.api("POST", "/servers", {**ORDER, "networks": [network["id"]]})
        lab.restart()
        assert "create" not in machines.names(), "the restart came too late to prove anything"
        assert server(lab, answer["server"]["id"])["locked"] is True
        lab.idle()
        node = server(lab, answer["server"]["id"])
        assert (node["status"], node["private_net"][0]["ip"]) == ("running", "10.0.1.1")
        for action in [answer["action"], *answer["next_actions"]]:
            assert lab.api("GET", f"/actions/{action['id']}")[1]["action"]["status"] == "success"
        assert [name for name in machines.names() if name in ("create", "attach", "power_on")] == [
            "create",
            "attach",
            "power_on",
        ]


def test_at_its_start_the_service_tells_the_machines_everything(tmp_path: Path) -> None:
    machines = RememberingMachines()
    with running_lab_cloud(tmp_path, machines) as lab:
        network = make_network(lab)
        rule = {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["0.0.0.0/0"]}
        firewall = make(lab, "/firewalls", {"name": "f", "rules": [rule]})
        order = {**ORDER, "networks": [network["id"]], "firewalls": [{"firewall": firewall["id"]}]}
        node = make(lab, "/servers", {**order, "user_data": "#cloud-config\n"})
        off = make(lab, "/servers", {**ORDER, "name": "off", "start_after_create": False})
        lab.restart()
        wanted = machines.started_with
        assert [(spec.server_id, spec.name) for spec in wanted.servers] == [(node["id"], "node"), (off["id"], "off")]
        assert wanted.servers[0].public_ipv4 == "198.18.0.10"
        assert wanted.servers[0].private[0].ip == "10.0.1.1"
        assert wanted.servers[0].user_data == "#cloud-config\n"
        assert (wanted.servers[0].image, wanted.servers[0].cores, wanted.servers[0].memory_gb) == ("debian-13", 2, 4.0)
        assert wanted.networks == {network["id"]: "10.0.0.0/16"}
        assert [rule.port for rule in wanted.firewalls[node["id"]] or ()] == ["22"]
        assert wanted.firewalls[off["id"]] is None
        assert wanted.running == {node["id"]}


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {"LABCLOUD_STATE": str(tmp_path), "LABCLOUD_PORT": "9000", "LABCLOUD_ACTION_SECONDS": "0.1"}
    )
    assert settings == Settings(state_folder=tmp_path, port=9000, action_seconds=0.1)
    assert Settings.from_environment({}) == Settings(state_folder=Path("/var/lib/labcloud"))
    with pytest.raises(ValueError, match="LABCLOUD_MACHINES"):
        Settings.from_environment({"LABCLOUD_MACHINES": "vmware"})
    with pytest.raises(ValueError, match="Expected 4 octets"):
        Settings.from_environment({"LABCLOUD_PUBLIC_NETWORK": "10.0.0"})
