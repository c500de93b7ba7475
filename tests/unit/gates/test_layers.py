# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of all layers: CI believes its last line and its exit code."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from tests.gates import layers

JUNIT = """<testsuites><testsuite>{cases}</testsuite></testsuites>"""
PASSED = '<testcase classname="tests.unit.test_a" name="test_fine" time="0.5"/>'
SLOW = '<testcase classname="tests.unit.test_a" name="test_slow" time="7.25"/>'
FAILED = '<testcase classname="tests.unit.test_a" name="test_bad" time="1"><failure message="assert 1 == 2">…</failure></testcase>'
SKIPPED = (
    '<testcase classname="tests.unit.test_a" name="test_not_here" time="0"><skipped message="no documents"/></testcase>'
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch, capsys):
    """Run layers given as {name: (report or None, shell command)}; return (exit code, lines of output)."""

    def _run(wanted: dict[str, tuple[str | None, str]], minutes: float = 1) -> tuple[int, list[str]]:
        recipes = []
        for name, (report, command) in wanted.items():
            source = tmp_path / f"{name}.report"
            source.write_text(JUNIT.format(cases=report or ""), encoding="utf-8")
            copy = f"@cp {source} build/reports/{name}.xml\n\t" if report is not None else ""
            recipes.append(f"{name}:\n\t{copy}@{command}\n")
        (tmp_path / "Makefile").write_text("\n".join(recipes), encoding="utf-8")
        monkeypatch.setattr(layers, "CHECKOUT", tmp_path)
        monkeypatch.setattr(layers, "LOGS", tmp_path / "build/logs")
        monkeypatch.setattr(layers, "REPORTS", tmp_path / "build/reports")
        monkeypatch.setattr(layers, "TEST", dict.fromkeys(wanted, minutes))
        code = layers.main([])
        return code, capsys.readouterr().out.splitlines()

    return _run


def ends(process: int) -> bool:
    """Whether the process is gone, or goes within ten seconds."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


def test_counts_all_layers_and_succeeds(run):
    code, lines = run({"setup": (None, "true"), "unit": (PASSED + SLOW + SKIPPED, "true"), "lint": (PASSED, "true")})
    assert code == 0
    assert lines[-1] == "frontdesk: 4 passed, 0 failed, 1 skipped"


def test_says_why_a_test_was_skipped_and_which_are_slow(run):
    _, lines = run({"unit": (PASSED + SLOW + SKIPPED, "true")})
    assert "  unit: test_a: test_not_here: no documents" in lines
    slowest = lines[lines.index("slowest tests:") + 1]
    assert slowest.strip() == "7.2 s  unit: test_a: test_slow"


def test_goes_on_after_a_failure_and_shows_the_end_of_the_log(run):
    code, lines = run(
        {"lint": (FAILED, "for i in $$(seq 100); do echo line $$i; done; exit 1"), "unit": (PASSED, "true")}
    )
    assert code == 1
    assert lines[-1] == "frontdesk: 1 passed, 1 failed, 0 skipped"
    assert "line 100" in lines
    assert "line 1" not in lines
    assert any(line.startswith("ok      unit") for line in lines)


def test_a_layer_that_fails_without_a_failed_test_counts(run):
    code, lines = run({"unit": (PASSED, "echo coverage too low; exit 2")})
    assert code == 1
    assert lines[-1] == "frontdesk: 1 passed, 1 failed, 0 skipped"


def test_a_layer_that_breaks_before_its_report_counts(run):
    code, lines = run({"unit": (None, "exit 3")})
    assert code == 1
    assert lines[-1] == "frontdesk: 0 passed, 1 failed, 0 skipped"


def test_a_failed_test_counts_even_if_the_layer_exits_with_0(run):
    code, lines = run({"unit": (FAILED, "true")})
    assert code == 1
    assert lines[-1] == "frontdesk: 0 passed, 1 failed, 0 skipped"


def test_nothing_runs_without_the_setup(run):
    code, lines = run({"setup": (None, "exit 1"), "unit": (PASSED, "true")})
    assert code == 1
    assert lines[-1] == "frontdesk: 0 passed, 1 failed, 0 skipped"


def test_a_layer_that_hangs_is_ended_with_its_children(run, tmp_path):
    code, lines = run({"e2e": (None, f"sh -c 'echo $$$$ > {tmp_path}/child; exec sleep 600'")}, minutes=0.02)
    assert code == 1
    assert lines[-1] == "frontdesk: 0 passed, 1 failed, 0 skipped"
    child = int((tmp_path / "child").read_text())
    assert ends(child), "a child of the layer outlived it"


def test_reports_of_an_earlier_run_do_not_count(run, tmp_path):
    (tmp_path / "build/reports").mkdir(parents=True)
    (tmp_path / "build/reports/unit.xml").write_text(JUNIT.format(cases=FAILED), encoding="utf-8")
    code, lines = run({"unit": (None, "true")})
    assert code == 0
    assert lines[-1] == "frontdesk: 1 passed, 0 failed, 0 skipped"


def test_reports_of_programs_that_a_layer_ran_count_with_it(run):
    code, lines = run({"molecule": (PASSED, "cp build/reports/molecule.xml build/reports/molecule-host.xml")})
    assert code == 0
    assert lines[-1] == "frontdesk: 2 passed, 0 failed, 0 skipped"


@pytest.mark.parametrize("name", [*layers.TEST, *layers.TEST_ALL])
def test_every_layer_is_a_target(name, checkout):
    assert f"\n{name}:" in (checkout / "Makefile").read_text(encoding="utf-8")
