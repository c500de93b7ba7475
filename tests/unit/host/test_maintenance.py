# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that reboots a server, with its hooks, below a temporary root."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/host/files/maintenance.py"
POSTPONED = 75


class Server:
    """Hooks and a root in a folder; `log` is what ran, in its order."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hooks = root / "hooks"
        self.note = root / "var/lib/frontdesk/maintenance/reboot"
        for folder in ("hooks/before.d", "hooks/after.d", "run", "var/run", "bin"):
            (root / folder).mkdir(parents=True)
        self.program("bin/systemctl", "systemctl $*")

    def program(self, name: str, say: str, code: int = 0) -> None:
        path = self.root / name
        path.write_text(f"#!/bin/sh\necho {say} >> {self.root}/log\necho {say}\nexit {code}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(PROGRAM), "--hooks", str(self.hooks), "--root", str(self.root), *arguments],
            env={"PATH": f"{self.root}/bin:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def server(tmp_path: Path) -> Server:
    server = Server(tmp_path)
    server.program("hooks/before.d/10-drain", "drain")
    server.program("hooks/before.d/20-stop", "stop")
    server.program("hooks/after.d/10-active", "active")
    return server


def test_a_reboot_runs_the_hooks_before_it_and_leaves_a_note(server: Server) -> None:
    done = server.run("reboot")
    assert (done.returncode, server.log) == (0, ["drain", "stop", "systemctl reboot"])
    assert server.note.exists()
    assert server.run("finish").returncode == 0
    assert server.log[3:] == ["active"]
    assert not server.note.exists()


def test_after_a_reboot_that_was_not_ours_nothing_runs(server: Server) -> None:
    assert server.run("finish").returncode == 0
    assert server.log == []


@pytest.mark.parametrize("where", ["run", "var/run"])
def test_a_reboot_only_when_an_update_asks_for_it(server: Server, where: str) -> None:
    assert server.run("reboot", "--if-required").stdout == "no installed update asks for a reboot\n"
    assert server.log == []
    (server.root / where / "reboot-required").touch()
    server.run("reboot", "--if-required")
    assert server.log[-1] == "systemctl reboot"


@pytest.mark.parametrize("verb", [["reboot"], ["prepare"], ["around", "systemctl", "restart", "x"]])
def test_a_hook_that_fails_postpones_and_what_was_done_is_undone(server: Server, verb: list[str]) -> None:
    server.program("hooks/before.d/20-stop", "no quorum without me", 1)
    done = server.run(*verb)
    assert (done.returncode, done.stderr) == (POSTPONED, "postponed: before.d/20-stop: no quorum without me\n")
    assert server.log == ["drain", "no quorum without me", "active"]
    assert not server.note.exists()


def test_the_note_stays_until_the_hooks_after_it_work(server: Server) -> None:
    server.run("prepare")
    server.program("hooks/after.d/05-first", "not yet", 1)
    done = server.run("finish")
    assert (done.returncode, done.stderr) == (1, "after.d/05-first: not yet\n")
    assert server.note.exists()
    assert server.log[-1] == "active", "the other hooks run all the same"
    server.program("hooks/after.d/05-first", "now")
    assert server.run("finish").returncode == 0
    assert not server.note.exists()


def test_around_a_command_the_hooks_after_it_run_whatever_becomes_of_it(server: Server) -> None:
    assert server.run("around", "systemctl", "restart", "docker.service").returncode == 0
    assert server.log == ["drain", "stop", "systemctl restart docker.service", "active"]
    server.program("bin/systemctl", "broken", 5)
    done = server.run("around", "systemctl", "restart", "docker.service")
    assert (done.returncode, done.stderr) == (1, "systemctl restart docker.service ended with 5\n")
    assert server.log[-2:] == ["broken", "active"]


def test_only_one_maintenance_at_a_time(server: Server) -> None:
    (server.hooks / "before.d/15-slow").write_text(
        "#!/bin/sh\ntouch $0.started\nwhile [ ! -e $0.go ]; do sleep 0.05; done\n"
    )
    (server.hooks / "before.d/15-slow").chmod(0o755)
    first = threading.Thread(target=server.run, args=("prepare",))
    first.start()
    end = time.monotonic() + 30
    while not (server.hooks / "before.d/15-slow.started").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    done = server.run("reboot")
    (server.hooks / "before.d/15-slow.go").touch()
    first.join()
    assert (done.returncode, done.stderr) == (POSTPONED, "postponed: another maintenance is going on\n")
    assert server.log == ["drain", "stop"]


def test_only_programs_with_plain_names_are_hooks(server: Server) -> None:
    server.program("hooks/before.d/30-old.dpkg-old", "old")
    server.program("hooks/before.d/40-off", "off")
    (server.hooks / "before.d/40-off").chmod(0o644)
    (server.hooks / "before.d/50-folder").mkdir()
    server.run("prepare")
    assert server.log == ["drain", "stop"]


def test_a_hook_that_cannot_run_postpones(server: Server) -> None:
    (server.hooks / "before.d/30-broken").write_text("#!/no/such/shell\n", encoding="utf-8")
    (server.hooks / "before.d/30-broken").chmod(0o755)
    assert server.run("prepare").stderr == "postponed: before.d/30-broken: No such file or directory\n"


def test_waiting_ends_with_the_note_or_with_its_time(server: Server) -> None:
    assert server.run("wait", "0").returncode == 0
    server.run("prepare")
    done = server.run("wait", "0.1")
    assert (done.returncode, done.stderr) == (1, "the hooks after the reboot are not through after 0.1 s\n")


def test_without_hooks_a_reboot_just_happens(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.hooks = tmp_path / "none"
    assert server.run("reboot").returncode == 0
    assert server.log == ["systemctl reboot"]
