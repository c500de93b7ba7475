# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults as lines of text: short, one line, no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.plugin_utils.faults import (
    UNSET,
    Fault,
    Report,
    shown,
    shown_hosts,
    sounds_secret,
)


@pytest.mark.parametrize(
    ("value", "secret", "text"),
    [
        (UNSET, False, "is not set"),
        (UNSET, True, "is not set"),
        ("", True, "is empty"),
        ("hunter2", True, "(secret, not shown)"),
        (["hunter2"], True, "(secret, not shown)"),
        ("ö", False, '= "ö"'),
        ([1, None, True], False, "= [1, null, true]"),
        ("x" * 500, False, '= "' + "x" * 115 + " ..."),
    ],
)
def test_shown(value: object, secret: bool, text: str) -> None:
    assert shown(value, secret) == text


@given(st.text(), st.text(), st.lists(st.text(min_size=1)))
def test_a_fault_is_always_one_line(value: str, remedy: str, hosts: list[str]) -> None:
    assert len(Fault("a", shown(value), remedy).line(hosts).splitlines()) == 1


def test_a_few_of_many_hosts_are_named() -> None:
    assert shown_hosts(["b", "a"]) == "a, b"
    assert shown_hosts([f"h{number}" for number in range(9)]) == "h0, h1, h2, h3, h4 and 4 more"


def test_root_is_the_variable() -> None:
    assert [Fault(path, "", "").root for path in ("a", "a[0].b", "a.b[1]")] == ["a", "a", "a"]


def test_one_fault_of_many_hosts_is_reported_once() -> None:
    report = Report()
    fault = Fault("a", "= 1", "change it")
    report.add([fault], ["h2"])
    report.add([fault], ["h1"])
    assert report.lines() == ["a = 1: change it (on h1, h2)"]
    report.add([fault])
    report.add([fault], ["h3"])
    assert report.lines() == ["a = 1: change it"]


def test_lines_are_in_natural_order() -> None:
    report = Report()
    report.add(Fault(f"a[{number}]", "= 1", "x") for number in (10, 9, 1))
    assert [line.split()[0] for line in report.lines()] == ["a[1]", "a[9]", "a[10]"]


def test_secrets_are_blanked_out_wherever_they_turn_up() -> None:
    report = Report()
    report.add([Fault("a", shown('x hunter2"s pässword y'), 'not hunter2"s pässword')])
    report.hide({"list": ['hunter2"s pässword', 7, None]})
    (line,) = report.lines()
    assert "hunter2" not in line
    assert line == 'a = "x ******** y": not ********'


def test_short_secrets_do_not_blank_out_words() -> None:
    report = Report()
    report.add([Fault("a", "= 1", "set it")])
    report.hide(["", "set"])
    assert report.lines() == ["a = 1: set it"]


def test_names_of_secrets() -> None:
    assert all(map(sounds_secret, ["hetzner_api_tokne_token", "x_password", "MASTER_KEY", "aws_credentials"]))
    assert not any(map(sounds_secret, ["frontdesk_domain", "private_ip"]))
