# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the output of ansible-test sanity."""

from __future__ import annotations

from tests.gates.sanity import Core, _Run

OUTPUT = """\
Running sanity test "action-plugin-docs"
ERROR: Found 1 action-plugin-docs issue(s) which need to be resolved:
ERROR: plugins/action/x.py:0:0: action plugin has no matching module to provide documentation
See documentation for help: ...
Running sanity test "compile" on Python 3.9
Running sanity test "compile" on Python 3.10
WARNING: Skipping sanity test "compile" on Python 3.14 because it could not be found.
Running sanity test "pslint"
Running sanity test "shellcheck"
WARNING: Required program "shellcheck" not found.
Running sanity test "symlinks"
"""


def outcomes(text: str, code: str) -> dict[str, str]:
    run = _Run(Core("2.21.5"))
    for line in text.splitlines(keepends=True):
        run.line(line)
    run.end(code)
    return {outcome.name.removeprefix("core 2.21.5: "): outcome.state for outcome in run.outcomes}


def test_every_test_and_python_is_an_outcome():
    assert outcomes(OUTPUT, "1") == {
        "action-plugin-docs": "failed",
        "compile (Python 3.9)": "passed",
        "compile (Python 3.10)": "passed",
        "compile (Python 3.14)": "skipped",
        "pslint": "passed",
        "shellcheck": "skipped",
        "symlinks": "passed",
    }


def test_a_failure_that_belongs_to_no_test_is_not_lost():
    text = 'Running sanity test "compile" on Python 3.9\nFATAL: no space left\n'
    assert outcomes(text, "1") == {"compile (Python 3.9)": "passed", "ansible-test": "failed"}


def test_what_was_not_run_counts_once_though_it_is_said_twice():
    run = _Run(Core("2.21.5"))
    for line in [*OUTPUT.splitlines(keepends=True), 'WARNING: Required program "shellcheck" not found.\n']:
        run.line(line)
    run.end("1")
    assert [outcome.state for outcome in run.outcomes].count("skipped") == 2
