# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What wins over the wiring in playbooks/group_vars/all, for every variable in it, on a server and on the controller.

The real playbooks run, with no task of theirs selected: a callback notes each host's variables when a play starts, which is
after Ansible has found the group_vars for that play. Variables that one run can show together are set together.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".venv/.ansible/collections"
WIRED: dict[str, Any] = {
    name: value
    for path in sorted((ROOT / "playbooks/group_vars/all").glob("*.yml"))
    for name, value in yaml.safe_load(path.read_text(encoding="utf-8")).items()
}
USERS = {name: f"the user's {name}" for name in WIRED}
HOSTS = {"localhost", "server-1"}


@dataclass
class Inventory:
    """Where a user sets his variables."""

    in_file_group: dict[str, Any] = field(default_factory=dict)
    in_file_host: dict[str, Any] = field(default_factory=dict)
    group_vars: dict[str, dict[str, Any]] = field(default_factory=dict)
    host_vars: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        hosts: dict[str, dict[str, Any]] = {
            "localhost": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "server-1": {"ansible_host": "192.0.2.1"},
        }
        groups = {
            "frontdesk": {"hosts": {name: {**own, **self.in_file_host} for name, own in hosts.items()}},
            "postgres": {"hosts": dict.fromkeys(hosts)},
        }
        groups["frontdesk"]["vars"] = self.in_file_group
        _write(folder / "hosts.yml", {"all": {"vars": self.in_file_group, "children": groups}})
        for group, variables in self.group_vars.items():
            _write(folder / "group_vars" / group / "mine.yml", variables)
        for host in hosts:
            _write(folder / "host_vars" / f"{host}.yml", self.host_vars)
        return folder


def _write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data), encoding="utf-8")


def recorded(tmp_path: Path, playbook: str | Path, inventory: Inventory, *arguments: str) -> list[dict[str, Any]]:
    """Every {play, host, values} of a run that starts all plays of the playbook and no task."""
    record = tmp_path / "record.jsonl"
    command = ["ansible-playbook", "-i", inventory.write(tmp_path / "inventory"), playbook]
    subprocess.run(
        [*command, "--tags", "nothing_has_this_tag", "--skip-tags", "always", *arguments],
        # Away from the checkout, unless the playbook is given by a path in it.
        cwd=ROOT if isinstance(playbook, str) and playbook.endswith(".yml") else tmp_path,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "record_variables",
            "RECORD_VARIABLES_FILE": str(record),
            "RECORD_VARIABLES_NAMES": json.dumps(sorted(WIRED)),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
    found = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    assert len({entry["play"] for entry in found}) > 2, "the whole of site.yml has to be seen"
    assert {entry["host"] for entry in found} == HOSTS
    return found


def differing(found: list[dict[str, Any]], expected: dict[str, Any]) -> list[str]:
    """Where a play saw something else, as 'play, host: variable'."""
    return [
        f"{entry['play']}, {entry['host']}: {name} is {entry['values'].get(name)}"
        for entry in found
        for name, value in expected.items()
        if entry["values"].get(name) != repr(value)
    ]


def imported(tmp_path: Path, what: str, **play_vars: Any) -> Path:
    """A playbook of the user's own, in a folder with group_vars of its own, that imports one of ours."""
    entry = {"name": "Import", "ansible.builtin.import_playbook": what}
    _write(tmp_path / "own" / "own.yml", [{**entry, "vars": play_vars} if play_vars else entry])
    _write(tmp_path / "own" / "group_vars" / "all.yml", {"own": True})
    return tmp_path / "own" / "own.yml"


WAYS = ["site.yml", "playbooks/site.yml", "frontdesk.platform.site", "import by name", "import by path"]


@pytest.mark.parametrize("way", WAYS)
def test_group_vars_of_group_frontdesk_win(tmp_path: Path, way: str) -> None:
    names = {"import by name": "frontdesk.platform.site", "import by path": str(ROOT / "playbooks/site.yml")}
    playbook = imported(tmp_path, names[way]) if way in names else way
    found = recorded(tmp_path, playbook, Inventory(group_vars={"frontdesk": USERS}))
    assert not differing(found, USERS)


def test_the_wiring_counts_where_the_user_sets_nothing(tmp_path: Path) -> None:
    assert not differing(recorded(tmp_path, "site.yml", Inventory()), WIRED)


@pytest.mark.parametrize(
    "inventory",
    [Inventory(group_vars={"all": USERS}), Inventory(in_file_group=USERS)],
    ids=["group_vars/all", "vars of a group in an inventory file"],
)
def test_places_that_lose(tmp_path: Path, inventory: Inventory) -> None:
    """If this fails, Ansible's order has changed: `validate` need not refuse these places any more."""
    assert not differing(recorded(tmp_path, "site.yml", inventory), WIRED)


@pytest.mark.parametrize(
    "inventory",
    [
        Inventory(group_vars={"frontdesk": WIRED, "postgres": USERS}),
        Inventory(group_vars={"frontdesk": WIRED}, in_file_host=USERS),
        Inventory(group_vars={"frontdesk": WIRED}, host_vars=USERS),
    ],
    ids=["group_vars of a special group", "host in an inventory file", "host_vars"],
)
def test_places_that_win(tmp_path: Path, inventory: Inventory) -> None:
    assert not differing(recorded(tmp_path, "site.yml", inventory), USERS)


def test_vars_of_an_import_win(tmp_path: Path) -> None:
    playbook = imported(tmp_path, "frontdesk.platform.site", **USERS)
    assert not differing(recorded(tmp_path, playbook, Inventory(group_vars={"frontdesk": WIRED})), USERS)


def test_the_command_line_wins(tmp_path: Path) -> None:
    inventory = Inventory(group_vars={"frontdesk": WIRED}, host_vars=WIRED)
    assert not differing(recorded(tmp_path, "site.yml", inventory, "-e", json.dumps(USERS)), USERS)
