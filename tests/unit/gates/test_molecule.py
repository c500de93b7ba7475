# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer molecule: which programs it starts, in which order, and what it demands of a scenario."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gates import checks, molecule

COMPLETE = ("molecule.yml", "converge.yml", "side_effect.yml", "absent.yml", "tests/test_behaviour.py")


@pytest.fixture
def started(tmp_path, monkeypatch) -> list[str]:
    """The command lines that the layer starts, in a project without scenarios."""
    commands = []

    def program(*command: object, **_options: object) -> str:
        commands.append(" ".join([Path(str(command[0])).name, *map(str, command[1:])]))
        return json.dumps({"_meta": {"hostvars": {"localhost": {}, "lab-2": {}, "lab-1": {}}}})

    monkeypatch.setattr(molecule, "CHECKOUT", tmp_path)
    monkeypatch.setattr(molecule, "_BASE", Path("base.yml"))
    monkeypatch.setattr(molecule, "program", program)
    monkeypatch.setattr(checks, "REPORTS", tmp_path / "reports")
    return commands


def scenario(project: Path, name: str, files: tuple[str, ...] = COMPLETE) -> None:
    for file in files:
        path = project / "molecule" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


LAB = [
    "ansible-playbook -i inventory/lab playbooks/lab.yml",
    f"ansible-playbook -i inventory/lab playbooks/provision.yml -e {json.dumps(molecule._BARE)}",
]


def test_scenarios_share_the_servers(started, tmp_path):
    scenario(tmp_path, "host")
    scenario(tmp_path, "swarm")
    assert molecule.main([]) == 0
    assert started == [
        *LAB,
        "molecule -c base.yml reset -s host",
        "molecule -c base.yml test -s host --destroy=never",
        "molecule -c base.yml reset -s swarm",
        "molecule -c base.yml test -s swarm --destroy=never",
    ]


def test_the_short_run_leaves_out_what_e2e_applies_and_breaks(started, tmp_path):
    for name in ("host", "postgres", "redis"):
        scenario(tmp_path, name)
    assert molecule.main(["short"]) == 0
    assert [line for line in started if " test -s " in line] == ["molecule -c base.yml test -s host --destroy=never"]


def test_alone_each_scenario_starts_on_bare_servers(started, tmp_path):
    scenario(tmp_path, "host")
    assert molecule.main(["alone"]) == 0
    destroyed = json.loads(started[3].partition(" -e ")[2])
    assert started[3].startswith("ansible-playbook -i inventory/lab playbooks/destroy.yml")
    assert destroyed == {"frontdesk_destroy": "lab", "frontdesk_destroy_data": ["lab-1", "lab-2"]}
    assert started[4] == LAB[1]


def test_nothing_stands_between_the_tests_and_the_servers(started, tmp_path):
    scenario(tmp_path, "host")
    molecule.main([])
    given = json.loads(started[1].partition(" -e ")[2])
    assert given["frontdesk_load_balancer"] is False
    rules = given["hetzner_firewalls"][0]["rules"]
    assert {(rule["protocol"], rule.get("port")) for rule in rules} == {("tcp", "any"), ("udp", "any"), ("icmp", None)}


def test_one_scenario_by_name(started, tmp_path):
    scenario(tmp_path, "host")
    scenario(tmp_path, "swarm")
    molecule.main(["swarm"])
    assert not [command for command in started if "-s host" in command]


@pytest.mark.parametrize("missing", ["converge.yml", "side_effect.yml", "absent.yml", "tests/test_behaviour.py"])
def test_scenario_that_lacks_a_part_fails_before_anything_starts(started, tmp_path, missing, capsys):
    scenario(tmp_path, "host", tuple(file for file in COMPLETE if file != missing))
    assert molecule.main([]) == 1
    assert started == []
    assert f"molecule/host lacks {missing.replace('behaviour', '*')}" in capsys.readouterr().out


def test_no_scenario_at_all_fails(started):
    assert molecule.main([]) == 1
    assert started == []
