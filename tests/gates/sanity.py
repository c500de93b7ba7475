# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer sanity: `ansible-test sanity` on the built artifact, for the newest or for all supported cores.

ansible-test makes a virtual environment for each of its tests and each Python below HOME. Here each core has a
HOME of its own in the cache, so the second run finds them all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import artifact
from .checks import CheckFailed, Outcome, program, report, write_junit
from .environment import BIN, CHECKOUT, COLLECTION, cache, tools

#: The cores that meta/runtime.yml admits, each with the newest release and the Python it runs with.
CORES = ("2.21.5", "2.20.10", "2.19.14")

#: Pythons that ansible-test may look for: those of the controller and of the nodes.
_PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

#: What ansible-test downloads to put pip into a virtual environment that has none. The download is out of reach
#: on many machines, and Python brings a pip of its own.
_GET_PIP = "import ensurepip\n\nensurepip.bootstrap(default_pip=True)\n"

_RUNNING = re.compile(r'^Running sanity test "(?P<test>[^"]+)"(?: on Python (?P<python>[\d.]+))?')
_NOT_RUN = re.compile(r"^WARNING: (?P<reason>(?:Skipping sanity test|Required program|Skipping tests|Sanity test).*)")


@dataclass(frozen=True)
class Core:
    """One release of ansible-core with an environment of its own."""

    version: str

    @property
    def root(self) -> Path:
        """The folder in the cache; kept short, because it ends up in `#!` lines, which may have 127 characters."""
        return cache() / "sanity" / self.version

    @property
    def bin(self) -> Path:
        """The programs of this core."""
        return self.root / "venv/bin"

    def prepare(self) -> None:
        """Install this core alone, and what ansible-test would otherwise download."""
        marker = self.root / "complete"
        if not marker.is_file():
            shutil.rmtree(self.root, ignore_errors=True)
            self.root.mkdir(parents=True)
            # 3.13 and 3.12 are the Pythons that all supported cores run with.
            python = _python("3.13") or _python("3.12") or BIN / "python"
            program(python, "-m", "venv", self.root / "venv")
            program(self.bin / "python", "-m", "pip", "install", "--quiet", f"ansible-core=={self.version}")
            marker.touch()
        folder = self.root / "home/.ansible/test/cache"
        folder.mkdir(parents=True, exist_ok=True)
        for name in self._get_pip_names():
            (folder / name).write_text(_GET_PIP, encoding="utf-8")
        self._link_pythons()

    def _get_pip_names(self) -> Iterator[str]:
        """The file names under which this core's ansible-test looks for get-pip: its source names the pip version."""
        source = next(self.root.glob("venv/lib/python*/site-packages/ansible_test/_internal/python_requirements.py"))
        versions = set(re.findall(r"""pip=['"]([\d.]+)['"]""", source.read_text(encoding="utf-8")))
        if not versions:
            raise CheckFailed(f"{source} names no pip version; look there how ansible-test bootstraps pip now")
        return (f"get_pip_{version.replace('.', '_')}.py" for version in versions)

    def _link_pythons(self) -> None:
        """Collect the machine's Pythons in one folder, so that ansible-test finds those of pyenv as well."""
        folder = self.root / "pythons"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for version in _PYTHONS:
            found = _python(version)
            if found:
                (folder / f"python{version}").symlink_to(found)

    def run(self, collection: Path, *arguments: str) -> Iterator[str]:
        """Run ansible-test sanity in the collection; yield its lines, the last one being its exit code."""
        path = [self.bin, self.root / "pythons", tools(), "/usr/local/bin", "/usr/bin", "/bin"]
        env = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("ANSIBLE_", "PYTHON", "PYENV"))
            },
            "HOME": str(self.root / "home"),
            "PATH": os.pathsep.join(map(str, path)),
        }
        for name in ("VIRTUAL_ENV", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            env.pop(name, None)
        command = [str(self.bin / "ansible-test"), "sanity", "--local", "--truncate", "0", "--color", "no", *arguments]
        with subprocess.Popen(
            command,
            cwd=collection,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None  # because of stdout=PIPE
            yield from process.stdout
            process.wait()
            yield str(process.returncode)


def _python(version: str) -> Path | None:
    """A working interpreter of that version: on PATH, or pyenv's, whose shims work only for the chosen version."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = shutil.which(f"python{version}")
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    for candidate in candidates:
        probe = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
        try:
            done = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


def _unpacked(core: Core) -> Path:
    """The artifact where ansible-test wants it, with the git repository that it asks for the list of files."""
    folder = core.root / "ansible_collections" / COLLECTION.replace(".", "/")
    artifact.unpack(artifact.build(), folder)
    # The artifact has no tests; this file of theirs says which Pythons the modules support.
    (folder / "tests").mkdir()
    shutil.copy(CHECKOUT / "tests/config.yml", folder / "tests")
    program("git", "init", "--quiet", folder)
    program("git", "-C", folder, "add", "--all", "--force")
    return folder


class _Run:
    """Turns ansible-test's lines into outcomes: one per test and Python."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.outcomes: list[Outcome] = []
        self._name = ""
        self._since = time.monotonic()
        self._lines: list[str] = []

    def line(self, line: str) -> None:
        """Take one line of output."""
        started = _RUNNING.match(line)
        if started:
            self.finish()
            self._name = f"{started['test']}" + (f" (Python {started['python']})" if started["python"] else "")
        not_run = _NOT_RUN.match(line)
        if not_run:
            self._not_run(not_run["reason"])
        self._lines.append(line)

    def _not_run(self, reason: str) -> None:
        """A test that ansible-test passes over; "Required program" is said about the one that just started."""
        if reason.startswith("Required program"):
            label, self._name = self._name, ""
        else:
            self.finish()
            test, python = re.search(r'"([^"]+)"', reason), re.search(r"on Python ([\d.]+\d)", reason)
            label = (test[1] if test else reason) + (f" (Python {python[1]})" if python else "")
        self._keep(label, "skipped", 0.0, reason)

    def finish(self) -> None:
        """Close the test that ran last."""
        now = time.monotonic()
        if self._name:
            faults = [line for line in self._lines if line.startswith("ERROR:")]
            self._keep(self._name, "failed" if faults else "passed", now - self._since, "".join(faults))
        self._name, self._since, self._lines = "", now, []

    def end(self, code: str) -> None:
        """Close the run; a failure that belongs to no test is one of its own."""
        rest = "".join(self._lines[-20:])
        self.finish()
        if code != "0" and not any(outcome.state == "failed" for outcome in self.outcomes):
            self._keep("ansible-test", "failed", 0.0, f"ansible-test ended with {code}\n{rest}")

    def _keep(self, name: str, state: str, seconds: float, text: str) -> None:
        # ansible-test repeats its warnings at the end, and with them what it did not run.
        if state == "skipped" and any(known.text == text for known in self.outcomes):
            return
        self.outcomes.append(Outcome(f"core {self.core.version}: {name}", state, seconds, text))
        report(self.outcomes[-1])


def test(core: Core) -> list[Outcome]:
    """All sanity tests of one core."""
    core.prepare()
    run, code = _Run(core), ""
    for code in core.run(_unpacked(core)):
        run.line(code)
    run.end(code.strip())
    return run.outcomes


def main(arguments: Sequence[str]) -> int:
    """Test with the newest core, with `all`, or with the releases that are named."""
    cores = CORES if "all" in arguments else arguments or CORES[:1]
    outcomes: list[Outcome] = []
    for version in cores:
        try:
            found = test(Core(version))
        except CheckFailed as error:
            found = [Outcome(f"core {version}: set-up", "failed", 0.0, str(error))]
            report(found[0])
        outcomes += found
    write_junit("sanity", outcomes)
    return int(any(outcome.state == "failed" for outcome in outcomes))
