# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: the table of services and the line of figures."""

from __future__ import annotations

from types import SimpleNamespace

from ansible_collections.frontdesk.platform.plugins.callback.summary import SERVICES, run_line
from ansible_collections.frontdesk.platform.plugins.plugin_utils.table import render_table


def stats(changed=None, failures=None, dark=None):
    return SimpleNamespace(changed=changed or {}, failures=failures or {}, dark=dark or {})


def test_the_table_aligns_its_columns_and_leaves_out_an_empty_one():
    rows = [
        {"service": "lab-1", "url": "198.18.0.10", "health": "ok", "login": "root"},
        {"service": "Lab cloud", "url": "http://127.0.0.1:8480", "health": "DOWN"},
    ]
    assert render_table(rows, SERVICES) == [
        "SERVICE    WHERE                  HEALTH  LOG IN",
        "---------  ---------------------  ------  ------",
        "lab-1      198.18.0.10            ok      root",
        "Lab cloud  http://127.0.0.1:8480  DOWN    -",
    ]


def test_the_last_line_counts_changes_over_all_hosts():
    assert run_line(stats(changed={"localhost": 2, "lab-1": 1}), 12.4) == "ok, changed=3, 12 s"


def test_the_last_line_names_failed_and_unreachable_hosts_once():
    line = run_line(stats(failures={"lab-2": 1}, dark={"lab-1": 1, "lab-2": 1}), 3.0)
    assert line == "FAILED on lab-1, lab-2, changed=0, 3 s"
