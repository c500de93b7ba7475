# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks as a user does, and reads what they did from Ansible's JSON output."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect

ROOT = Path(__file__).resolve().parents[2]
KNOWN_HOSTS = ROOT / "inventory" / "lab" / "known_hosts.txt"
ANSIBLE_PLAYBOOK = ROOT / ".venv" / "bin" / "ansible-playbook"


@dataclass(frozen=True)
class PlaybookRun:
    """What one ``ansible-playbook`` did. ``stdout`` and ``stderr`` are kept whole, to be searched for secrets."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """Ansible's JSON document; anything that ``-v`` prints before it is passed over."""
        start = self.stdout.index("\n{" if not self.stdout.startswith("{") else "{")
        return json.JSONDecoder().raw_decode(self.stdout[start:].lstrip())[0]

    @property
    def results(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Every result as (task, host, result)."""
        for play in self.document["plays"]:
            for task in play["tasks"]:
                for host, result in task["hosts"].items():
                    yield task["task"]["name"], host, result

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(host["changed"] for host in self.document["stats"].values())

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """The writes that modules named, as sorted (action, kind, name)."""
        return sorted((change["action"], change["kind"], change["name"]) for change in self.writes)

    @property
    def writes(self) -> list[dict[str, Any]]:
        """The writes that modules named, in the order of the tasks. A task that only looks names what another one will do."""
        told = (result for _task, _host, result in self.results if result.get("changed") or result.get("failed"))
        return [change for result in told for change in result.get("changes", [])]

    @property
    def messages(self) -> str:
        """All messages that tasks gave, one text; an item of a list is a line."""
        given = [result["msg"] for _task, _host, result in self.results if "msg" in result]
        return "\n".join(str(line) for msg in given for line in (msg if isinstance(msg, list) else [msg]))


def run_playbook(playbook: str, *arguments: str, inventory: str = "inventory/lab", **environment: str) -> PlaybookRun:
    """Run a playbook of the checkout with the lab's inventory and return what it did, failed or not."""
    command = [str(ANSIBLE_PLAYBOOK), "-i", inventory, playbook, *arguments]
    started = time.monotonic()
    process = subprocess.run(
        command,
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    return PlaybookRun(process.returncode, process.stdout, process.stderr, time.monotonic() - started)


def run_in_terminal(playbook: str, *arguments: str, prompt: str, answer: str) -> tuple[int, str]:
    """Run a playbook in a terminal, answer its prompt once, and return its exit code and all that the terminal showed."""
    command = [str(ANSIBLE_PLAYBOOK), "-i", "inventory/lab", playbook, *arguments]
    terminal = pexpect.spawn(command[0], command[1:], cwd=str(ROOT), encoding="utf-8", timeout=120)
    terminal.logfile_read = shown = io.StringIO()
    terminal.expect_exact(prompt)
    terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.exitstatus, shown.getvalue()
