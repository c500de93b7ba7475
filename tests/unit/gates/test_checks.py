# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks: what they report, and what their report file says."""

from __future__ import annotations

import threading
from xml.etree import ElementTree

import pytest

from tests.gates import checks
from tests.gates.checks import Check, CheckFailed, CheckSkipped, perform, program


@pytest.fixture
def reports(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "REPORTS", tmp_path)
    return tmp_path


def good() -> None:
    """Pass."""


def bad() -> None:
    raise CheckFailed("a \x1b[31mred\x1b[0m fault\nand more")


def absent() -> None:
    raise CheckSkipped("no such program")


def broken() -> None:
    raise KeyError("oops")


def states(path) -> dict[str, str]:
    return {
        case.get("name"): case[0].tag if len(case) else "passed" for case in ElementTree.parse(path).iter("testcase")
    }


def test_report_tells_the_state_of_every_check(reports, capsys):
    wanted = [Check("a", good), Check("b", bad), Check("c", absent), Check("d", broken)]
    assert perform("lint", wanted, at_once=2) == 1
    assert states(reports / "lint.xml") == {"a": "passed", "b": "failure", "c": "skipped", "d": "failure"}
    output = capsys.readouterr().out
    assert "no such program" in output
    assert "KeyError('oops')" in output


def test_a_skip_is_no_failure(reports):
    assert perform("lint", [Check("c", absent)]) == 0


def test_nothing_runs_when_what_it_stands_on_failed(reports):
    ran = []
    assert perform("importer", [Check("later", lambda: ran.append(1))], first=[Check("build", bad)]) == 1
    assert ran == []
    assert states(reports / "importer.xml") == {"build": "failure"}


def test_checks_run_at_the_same_time(reports):
    together = threading.Barrier(2, timeout=10)
    assert perform("lint", [Check("a", together.wait), Check("b", together.wait)], at_once=2) == 0


def test_program_returns_standard_output_alone():
    assert program("sh", "-c", "echo out; echo err >&2") == "out\n"


def test_program_tells_all_output_of_a_failure():
    with pytest.raises(CheckFailed) as caught:
        program("sh", "-c", "echo out; echo err >&2; exit 3")
    assert "out\nerr\n(exit code 3)" in str(caught.value)


def test_program_that_hangs_is_a_failure():
    with pytest.raises(CheckFailed, match="no end after"):
        program("sleep", "60", timeout=0.1)


def test_program_that_is_not_there_says_what_to_do():
    with pytest.raises(CheckFailed, match=r"scripts/setup\.sh"):
        program("/nowhere/tool")
