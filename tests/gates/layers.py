# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs all layers of tests in their order, whatever fails, and ends with one line of counts.

Each layer is a target of the Makefile. Its output goes to build/logs/<layer>.log; the end of it is shown when the
layer fails. Uses the standard library only: the first layer is the set-up that makes the virtual environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from .environment import CHECKOUT, LOGS, REPORTS

#: The layers of `make test` in order, with the minutes after which a layer is taken to hang and is ended.
TEST = {
    "setup": 10,
    "lint": 10,
    "unit": 10,
    "contract": 10,
    "sanity": 15,
    "importer": 10,
    "integration": 15,
    "e2e": 60,
    "molecule-short": 45,
}

#: What `make test-all` runs instead or in addition.
TEST_ALL = {**TEST, "sanity-all": 45, "molecule-alone": 60, "examples": 20, "chaos": 75, "bench": 60}
del TEST_ALL["sanity"], TEST_ALL["molecule-short"]

_TAIL = 60
_SLOWEST = 10


@dataclass(frozen=True)
class Test:
    """One test of a layer, as its JUnit report tells it."""

    name: str
    state: str
    seconds: float
    text: str


@dataclass
class Layer:
    """A layer that has run."""

    name: str
    code: int
    seconds: float
    tests: list[Test] = field(default_factory=list)

    def count(self, state: str) -> int:
        """How many tests ended that way."""
        return sum(test.state == state for test in self.tests)


def _tests(report: Path) -> Iterator[Test]:
    """Read a JUnit report; pytest and checks.py write it."""
    for case in ElementTree.parse(report).iter("testcase"):
        state, text = "passed", ""
        for child in case:
            if child.tag in ("failure", "error"):
                state, text = "failed", child.get("message") or ""
            elif child.tag == "skipped":
                state, text = "skipped", child.get("message") or ""
        # pytest gives the dotted path of the file and the class; the file says enough.
        owner = (case.get("classname") or "").rpartition(".")[2]
        name = str(case.get("name"))
        yield Test(f"{owner}: {name}" if owner != report.stem else name, state, float(case.get("time") or 0), text)


def _reports(layer: str) -> list[Path]:
    """A layer's own report, and those of programs that it ran."""
    base = layer.partition("-")[0]
    return sorted({REPORTS / f"{base}.xml", *REPORTS.glob(f"{base}-*.xml")} & set(REPORTS.glob("*.xml")))


def _run(layer: str, minutes: int) -> Layer:
    """Run `make <layer>`; end it with all its children when it takes too long."""
    start = time.monotonic()
    with (LOGS / f"{layer}.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "--no-print-directory", layer],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(minutes * 60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = 124
            log.write(f"\nended: no end after {minutes} minutes\n".encode())
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
    ran = Layer(layer, code, time.monotonic() - start)
    for report in _reports(layer):
        try:
            ran.tests += _tests(report)
        except ElementTree.ParseError as error:  # the layer was ended while it wrote
            ran.tests.append(Test(report.name, "failed", 0.0, str(error)))
    if not ran.tests:
        # A layer without a report, such as the set-up, is one test.
        ran.tests.append(Test(layer, "failed" if code else "passed", ran.seconds, f"exit code {code}"))
    elif code and not ran.count("failed"):
        # For example coverage that is too low: no test failed, and yet the layer did.
        ran.tests.append(Test(f"{layer} as a whole", "failed", 0.0, f"exit code {code}"))
    return ran


def _show(layer: Layer) -> None:
    counts = f"{layer.count('passed')} passed, {layer.count('failed')} failed, {layer.count('skipped')} skipped"
    mark = "FAILED" if layer.code else "ok"
    print(f"{mark:8}{layer.name:16}{layer.seconds:7.1f} s   {counts}", flush=True)
    if layer.code:
        log = LOGS / f"{layer.name}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"----- the last {min(_TAIL, len(lines))} lines of {log.relative_to(CHECKOUT)} -----")
        print("\n".join(lines[-_TAIL:]))
        print("-----", flush=True)


def _summary(layers: Sequence[Layer]) -> None:
    """The slowest tests, why something was skipped, and what failed."""
    tests = [(layer.name, test) for layer in layers for test in layer.tests]
    print("\nslowest tests:")
    for name, test in sorted(tests, key=lambda pair: -pair[1].seconds)[:_SLOWEST]:
        print(f"{test.seconds:8.1f} s  {name}: {test.name}")
    for title, state in (("skipped", "skipped"), ("failed", "failed")):
        chosen = [(name, test) for name, test in tests if test.state == state]
        if chosen:
            print(f"\n{title}:")
            for name, test in chosen:
                print(f"  {name}: {test.name}: {(test.text.splitlines() or [''])[0]}")


def main(arguments: Sequence[str]) -> int:
    """Run the layers of `make test`, or of `make test-all` with the argument `all`."""
    start = time.monotonic()
    layers = []
    for folder in (REPORTS, LOGS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, minutes in (TEST_ALL if "all" in arguments else TEST).items():
        print(f"        {name} ...", end="\r" if sys.stdout.isatty() else "\n", flush=True)
        layers.append(_run(name, minutes))
        _show(layers[-1])
        if name == "setup" and layers[-1].code:
            break  # nothing else can run
    _summary(layers)
    total = {state: sum(layer.count(state) for layer in layers) for state in ("passed", "failed", "skipped")}
    print(f"\n{(time.monotonic() - start) / 60:.1f} minutes; logs in build/logs, reports in build/reports")
    print(f"frontdesk: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    return int(total["failed"] > 0)
