# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate is a list of checks. Their outcomes go to the terminal and, as JUnit XML, to build/reports.

JUnit XML is what pytest writes as well, so the runner of all layers counts every layer in one way.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional
from xml.etree import ElementTree

from .environment import CHECKOUT, REPORTS, environment

#: Characters that XML 1.0 cannot hold; tools write them for colours.
_NOT_XML = {code: None for code in range(32) if chr(code) not in "\t\n\r"}


class CheckFailed(Exception):
    """The check found a fault; the text says which."""


class CheckSkipped(Exception):
    """The check cannot run here; the text says why."""


@dataclass(frozen=True)
class Check:
    """A named function that returns normally or raises CheckFailed or CheckSkipped."""

    name: str
    run: Callable[[], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a check: state is passed, failed or skipped."""

    name: str
    state: str
    seconds: float
    text: str


def program(
    *command: str | Path,
    env: Optional[Mapping[str, str]] = None,
    cwd: Path = CHECKOUT,
    timeout: float = 1200.0,
) -> str:
    """Run a program and return its standard output; raise CheckFailed with all it printed when it exits non-zero."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=dict(env) if env is not None else environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise CheckFailed(f"{command[0]}: not found; run scripts/setup.sh") from error
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"{command[0]}: no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        raise CheckFailed(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}(exit code {done.returncode})")
    return done.stdout


def tool(name: str, *command: str | Path) -> Check:
    """The check that a program exits with 0."""

    def run() -> None:
        program(*command)

    return Check(name, run)


def _perform(check: Check) -> Outcome:
    start = time.monotonic()
    state, text = "passed", ""
    try:
        check.run()
    except CheckFailed as error:
        state, text = "failed", str(error)
    except CheckSkipped as error:
        state, text = "skipped", str(error)
    except Exception as error:  # noqa: BLE001 - a fault of a check is a failed check, not the end of the others
        state, text = "failed", f"the check itself broke: {error!r}"
    return Outcome(check.name, state, time.monotonic() - start, text)


def report(outcome: Outcome) -> None:
    """Print one outcome, with the text where there is one."""
    mark = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}[outcome.state]
    print(f"{mark:8}{outcome.name}  {outcome.seconds:.1f} s", flush=True)
    if outcome.state == "failed":
        print(outcome.text.rstrip(), flush=True)
    elif outcome.state == "skipped":
        print(f"        {outcome.text}", flush=True)


def write_junit(layer: str, outcomes: Sequence[Outcome]) -> Path:
    """Write build/reports/<layer>.xml and return its path."""
    suite = ElementTree.Element("testsuite", name=layer, tests=str(len(outcomes)))
    for outcome in outcomes:
        case = ElementTree.SubElement(
            suite, "testcase", classname=layer, name=outcome.name, time=f"{outcome.seconds:.3f}"
        )
        if outcome.state != "passed":
            kind = "failure" if outcome.state == "failed" else "skipped"
            text = outcome.text.translate(_NOT_XML)
            # The first line may be the command; what it said is the better summary.
            lines = [line for line in text.splitlines() if line.strip() and not line.startswith("$ ")]
            ElementTree.SubElement(case, kind, message=(lines or [""])[0]).text = text
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / f"{layer}.xml"
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    return path


def perform(layer: str, checks: Sequence[Check], at_once: int = 1, first: Sequence[Check] = ()) -> int:
    """Run the checks, at most `at_once` together, and report them.

    Args:
        layer: Name of the gate, and of its file in build/reports.
        checks: What to run.
        at_once: How many of them may run together.
        first: Checks that the others stand on, run one after the other; when one fails nothing else is run.

    Returns:
        The exit code: 1 when a check failed, else 0.
    """
    outcomes: list[Outcome] = []

    def keep(outcome: Outcome) -> None:
        report(outcome)
        outcomes.append(outcome)

    def failed() -> bool:
        return any(outcome.state == "failed" for outcome in outcomes)

    for check in first:
        if not failed():
            keep(_perform(check))
    if not failed():
        with ThreadPoolExecutor(at_once) as pool:
            for future in as_completed([pool.submit(_perform, check) for check in checks]):
                keep(future.result())
    write_junit(layer, outcomes)
    return int(failed())
