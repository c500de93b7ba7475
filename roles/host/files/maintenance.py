# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reboot this server, or run a command that interrupts it, with the hooks of its services around it.

The programs in HOOKS/before.d run before it, in the order of their names; one that fails postpones everything, and what
it wrote is the reason. Those in HOOKS/after.d run afterwards, and after a postponement, too.

  reboot [--if-required]   before.d, then a reboot; after it the unit frontdesk-after-reboot runs `finish`
  prepare                  before.d, and the note that a reboot was planned, which somebody else does
  finish                   after.d, and the note goes away
  wait SECONDS             until `finish` is through
  around COMMAND...        before.d, the command, after.d

Exit codes: 0 done, 75 postponed by a hook or because another maintenance is going on, 1 anything else.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

POSTPONED = 75
HOOK_SECONDS = 1800
# The names that run-parts(8) takes.
HOOK_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Postponed(Exception):
    """Why nothing is done now."""


class Failed(Exception):
    """Why it did not work."""


class Maintenance:
    """Hooks, the note of a planned reboot, and the lock. root: where absolute paths begin, for tests."""

    def __init__(self, hooks: Path, root: Path) -> None:
        self.hooks = hooks
        self.note = root / "var/lib/frontdesk/maintenance/reboot"
        self.required = [root / "run/reboot-required", root / "var/run/reboot-required"]
        self.lock = root / "run/frontdesk-maintenance.lock"

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Only one maintenance at a time."""
        with self.lock.open("w", encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Postponed("another maintenance is going on") from None
            yield

    def reboot_required(self) -> bool:
        """Whether an update asked for it."""
        return any(path.exists() for path in self.required)

    def before(self) -> None:
        """Run the hooks before; when one fails, those after, so that what the others did is undone."""
        try:
            self._run("before.d")
        except Failed as reason:
            with contextlib.suppress(Failed):
                self._run("after.d")
            raise Postponed(str(reason)) from None

    def after(self) -> None:
        """Run the hooks after. All of them run; the first failure is told."""
        self._run("after.d", all_of_them=True)

    def _run(self, folder: str, all_of_them: bool = False) -> None:
        failures = []
        for hook in self._hooks(folder):
            tell(f"{folder}/{hook.name}")
            reason = call(hook)
            if reason:
                failures.append(f"{folder}/{hook.name}: {reason}")
                if not all_of_them:
                    break
        if failures:
            raise Failed("; ".join(failures))

    def _hooks(self, folder: str) -> list[Path]:
        path = self.hooks / folder
        if not path.is_dir():
            return []
        return sorted(
            hook
            for hook in path.iterdir()
            if HOOK_NAME.fullmatch(hook.name) and os.access(hook, os.X_OK) and hook.is_file()
        )

    def plan_reboot(self) -> None:
        """Run the hooks and leave the note; it is on the disk before the reboot begins."""
        self.before()
        self.note.parent.mkdir(parents=True, exist_ok=True)
        with self.note.open("w", encoding="utf-8") as stream:
            stream.write(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))
            stream.flush()
            os.fsync(stream.fileno())

    def finish(self) -> None:
        """Run the hooks after a planned reboot; the note stays until they work."""
        if not self.note.exists():
            return
        self.after()
        self.note.unlink(missing_ok=True)

    def wait(self, seconds: float) -> None:
        """Wait until the note is gone."""
        end = time.monotonic() + seconds
        while self.note.exists():
            if time.monotonic() >= end:
                raise Failed(f"the hooks after the reboot are not through after {seconds:g} s")
            time.sleep(0.5)


def tell(text: str) -> None:
    """One line for the journal or the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def call(hook: Path) -> str:
    """Run one hook; the reason when it failed."""
    try:
        done = subprocess.run(
            [str(hook)], capture_output=True, text=True, errors="replace", timeout=HOOK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not through after {HOOK_SECONDS} s"
    except OSError as error:
        return str(error.strerror)
    said = (done.stdout + done.stderr).strip()
    if said:
        tell(said)
    return "" if done.returncode == 0 else (said.splitlines() or [f"exit code {done.returncode}"])[-1]


def reboot(maintenance: Maintenance, if_required: bool) -> None:
    """Reboot, if need be only when an update asks for it."""
    if if_required and not maintenance.reboot_required():
        tell("no installed update asks for a reboot")
        return
    with maintenance.alone():
        maintenance.plan_reboot()
        command(["systemctl", "reboot"])


def around(maintenance: Maintenance, argv: list[str]) -> None:
    """Run a command between the hooks; those after run whatever becomes of it."""
    with maintenance.alone():
        maintenance.before()
        try:
            command(argv)
        finally:
            maintenance.after()


def command(argv: list[str]) -> None:
    """Run a command that must work."""
    done = subprocess.run(argv, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)} ended with {done.returncode}")


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hooks", type=Path, default=Path("/etc/frontdesk/reboot"))
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("reboot").add_argument("--if-required", action="store_true")
    verbs.add_parser("prepare")
    verbs.add_parser("finish")
    verbs.add_parser("wait").add_argument("seconds", type=float)
    verbs.add_parser("around").add_argument("command", nargs="+")
    return parser.parse_args(argv)


def run(given: argparse.Namespace) -> None:
    """Do what the command line says."""
    maintenance = Maintenance(given.hooks, given.root)
    if given.verb == "reboot":
        reboot(maintenance, given.if_required)
    elif given.verb == "prepare":
        with maintenance.alone():
            maintenance.plan_reboot()
    elif given.verb == "finish":
        with maintenance.alone():
            maintenance.finish()
    elif given.verb == "wait":
        maintenance.wait(given.seconds)
    else:
        around(maintenance, given.command)


def main(argv: list[str]) -> int:
    """The program."""
    try:
        run(arguments(argv))
    except Postponed as reason:
        sys.stderr.write(f"postponed: {reason}\n")
        return POSTPONED
    except Failed as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
