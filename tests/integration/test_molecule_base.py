# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base that all molecule scenarios share, on a scenario for localhost that copies a file."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.gates.environment import BIN, CHECKOUT, environment

INVENTORY = """\
all:
  children:
    frontdesk:
      hosts:
        localhost:
          ansible_connection: local
          ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""
MOLECULE = """\
ansible:
  executor:
    args:
      ansible_playbook: ["--inventory=${MOLECULE_SCENARIO_DIRECTORY}/inventory.yml"]
"""
PLAY = """\
- name: Play
  hosts: frontdesk
  gather_facts: false
  tasks:
    - name: Do it
      %s
"""
COPY = 'ansible.builtin.copy: {content: "%s", dest: "%s/made", mode: "0644"}'
REMOVE = 'ansible.builtin.file: {path: "%s/made", state: absent}'
TEST = """\
def test_made(host):
    assert host.file("%s/made").content_string == "right"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the base and one scenario."""
    scenario = tmp_path / "molecule/trivial"
    (scenario / "tests").mkdir(parents=True)
    for base in (CHECKOUT / "molecule").glob("*.yml"):
        shutil.copy(base, scenario.parent)
    for name in ("ansible.cfg", ".venv"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    files = {
        "inventory.yml": INVENTORY,
        "molecule.yml": MOLECULE,
        "converge.yml": PLAY % COPY % ("right", tmp_path),
        "side_effect.yml": PLAY % "ansible.builtin.debug: {msg: side effect}",
        "absent.yml": PLAY % REMOVE % tmp_path,
        "tests/test_made.py": TEST % tmp_path,
    }
    for name, text in files.items():
        (scenario / name).write_text(text, encoding="utf-8")
    return tmp_path


def molecule(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "molecule"), "-c", "molecule/config.yml", *arguments],
        cwd=project,
        env=environment(MOLECULE_EPHEMERAL_DIRECTORY=str(project / "ephemeral")),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def steps(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    """The steps that ran, with how each ended."""
    return re.findall(r"\[trivial > (\w+)\] (?:\x1b\[\d+m)?Executed: (\w+)", done.stderr)


def test_sequence_goes_from_a_clean_host_to_a_clean_host(project):
    done = molecule(project, "test", "-s", "trivial", "--destroy=never")
    assert done.returncode == 0, done.stdout + done.stderr
    assert steps(done) == [
        ("prepare", "Missing"),
        ("syntax", "Successful"),
        ("check", "Successful"),
        ("converge", "Successful"),
        ("verify", "Successful"),  # unchanged.yml
        ("idempotence", "Successful"),
        ("verify", "Successful"),
        ("side_effect", "Successful"),
        ("verify", "Successful"),
        ("cleanup", "Successful"),
    ]
    assert not (project / "made").exists()
    assert "1 passed" in done.stdout
    assert (project / "build/reports/molecule-trivial.xml").is_file()


def test_change_predicted_after_converge_fails(project):
    always = "ansible.builtin.command: {cmd: 'true'}\n      check_mode: false\n      changed_when: ansible_check_mode"
    (project / "molecule/trivial/converge.yml").write_text(PLAY % always, encoding="utf-8")
    done = molecule(project, "test", "-s", "trivial", "--destroy=never")
    assert done.returncode != 0
    assert ("verify", "Failed") in steps(done), "the fault was not found by unchanged.yml"
    assert "idempotence" not in dict(steps(done))
    assert "check mode after converge predicts changes" in done.stdout


def test_failed_test_fails_the_scenario_and_is_shown(project):
    (project / "molecule/trivial/converge.yml").write_text(PLAY % COPY % ("wrong", project), encoding="utf-8")
    assert molecule(project, "converge", "-s", "trivial").returncode == 0
    done = molecule(project, "verify", "-s", "trivial")
    assert done.returncode != 0
    assert "trivial/tests/test_made.py F" in done.stdout
    report = (project / "build/reports/molecule-trivial.xml").read_text(encoding="utf-8")
    assert "assert 'wrong' == 'right'" in html.unescape(report)


def test_scenarios_use_the_checkout_and_no_copy_of_it(project):
    listing = "{{ lookup('ansible.builtin.pipe', 'ansible-galaxy collection list frontdesk.platform --format json') }}"
    play = PLAY % "ansible.builtin.copy: {content: \"%s\", dest: %s/made, mode: '0644'}" % (listing, project)
    (project / "molecule/trivial/converge.yml").write_text(play, encoding="utf-8")
    done = molecule(project, "converge", "-s", "trivial")
    assert done.returncode == 0, done.stdout + done.stderr
    folders = json.loads((project / "made").read_text(encoding="utf-8"))
    assert [Path(folder, "frontdesk/platform").resolve() for folder in folders] == [CHECKOUT]
