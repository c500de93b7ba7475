# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""host_system as Ansible runs it: options in, result or one sentence out."""

from __future__ import annotations

import urllib.error
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.modules import host_system
from tests.fake_machine import FakeMachine
from tests.hetzner_runs import Result, run_module

OPTIONS: dict[str, Any] = {
    "files": [{"path": "/etc/app.conf", "content": "a = 1\n", "restart": ["app.service"]}],
    "sysctl": {"vm.swappiness": 10},
    "sysctl_file": "/etc/sysctl.d/99.conf",
    "units": [{"name": "app.service", "enabled": True, "state": "started"}],
}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    machine = FakeMachine()
    machine.settings["/proc/sys/vm/swappiness"] = "60\n"
    monkeypatch.setattr(host_system, "Machine", lambda _run_command: machine)
    return machine


def run(check_mode: bool = False, **options: Any) -> Result:
    return run_module("host_system", {**OPTIONS, **options}, check_mode)


def test_check_mode_tells_what_the_run_then_does(machine: FakeMachine) -> None:
    told = run(check_mode=True)
    assert machine.writes == []
    done = run()
    assert (told["changes"], told["changed"]) == (done["changes"], True)
    assert [change["name"] for change in done["changes"]] == [
        "/etc/app.conf",
        "/etc/sysctl.d/99.conf",
        "vm.swappiness",
        "app.service",
    ]
    assert machine.text("/etc/sysctl.d/99.conf").endswith("\nvm.swappiness = 10\n")
    again = run()
    assert (again["changed"], again["changes"]) == (False, [])


def test_a_fault_before_any_write_is_one_sentence(machine: FakeMachine) -> None:
    result = run(units=[{"name": "app"}])
    assert result["failed"]
    assert result["msg"] == "unit app: a unit's name ends in its type, like .service or .timer."
    assert machine.writes == []


def test_a_fault_on_the_way_tells_what_was_done(machine: FakeMachine) -> None:
    machine.settings["/proc/sys/vm/swappiness"] = "read-only"
    result = run()
    assert result["failed"]
    assert result["changed"]
    assert [change["name"] for change in result["changes"]] == ["/etc/app.conf", "/etc/sysctl.d/99.conf"]
    assert "The kernel does not take vm.swappiness = 10" in result["msg"]


def test_a_key_comes_from_its_address(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"path": "/etc/apt/keyrings/x.asc", "url": "https://example.com/gpg", "fingerprint": "A" * 40}

    def open_url(url: str, timeout: int) -> Any:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(host_system, "open_url", open_url)
    assert "cannot be fetched from https://example.com/gpg: <urlopen error no route>" in run(apt_keys=[key])["msg"]

    def broken(url: str, timeout: int) -> Any:
        raise host_system.FetchError("bad certificate")

    monkeypatch.setattr(host_system, "open_url", broken)
    assert "cannot be fetched from https://example.com/gpg: bad certificate" in run(apt_keys=[key])["msg"]
