# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values against argument specifications."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.plugin_utils.specs import (
    check_value,
    is_secret,
    missing,
    purpose,
    secret_parts,
    unknown,
)

SERVERS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True, "description": "Host name. More."},
        "groups": {"type": "list", "elements": "str", "choices": ["managers", "workers"]},
        "key": {"type": "str", "no_log": True},
        "size": {"type": "int"},
    },
}


def lines(path: str, value: Any, option: dict[str, Any]) -> list[str]:
    return [fault.line() for fault in check_value(path, value, option)]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("str", ["", "x", "1"], [1, 1.5, True, ["x"], {}]),
        ("path", ["~/x"], [1]),
        ("int", [0, -5, "17", " 3 "], [1.5, True, "x", "1.5", "", [1]]),
        ("float", [0, 1.5, "1.5", "2"], [True, "x", "1e", []]),
        ("bool", [True, False, "yes", "No", "1", "off"], [1, 0, "maybe", "", []]),
        ("list", [[], [1], ("a",)], ["a,b", {}, 1]),
        ("dict", [{}, {"a": 1}], ["a=b", [], 1]),
        ("raw", ["x", 1, [], {}], []),
    ],
)
def test_types(kind: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert lines("a", value, {"type": kind}) == []
    for value in bad:
        (line,) = lines("a", value, {"type": kind})
        assert line.startswith("a = ")


@given(
    st.sampled_from(["str", "int", "float", "bool", "list", "dict"]),
    st.one_of(
        st.text(max_size=5),
        st.integers(),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.lists(st.text(max_size=3), max_size=2),
        st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    ),
)
def test_what_passes_here_passes_ansibles_own_check(kind: str, value: Any) -> None:
    if not lines("a", value, {"type": kind}):
        assert ArgumentSpecValidator({"a": {"type": kind}}).validate({"a": value}).error_messages == []


def test_type_is_text_unless_said() -> None:
    assert lines("a", 5, {}) == ["a = 5: give text, in quotes when it looks like a number or a truth value"]


def test_null_is_no_value() -> None:
    (line,) = lines("a", None, {"type": "str"})
    assert line.startswith("a = null: nothing stands after the colon")
    assert lines("a", None, {"type": "raw"}) == []


def test_list_given_as_text_shows_the_form_for_the_command_line() -> None:
    (line,) = lines("frontdesk_locations", "fsn1,nbg1", {"type": "list"})
    assert line == (
        'frontdesk_locations = "fsn1,nbg1": give a list, on the command line as JSON: '
        "-e '{\"frontdesk_locations\": [...]}'"
    )


def test_all_faults_in_all_depths() -> None:
    value = [{"groups": ["manager", "workers"], "nmae": "a"}, "x", {"name": "b", "size": "big"}]
    assert lines("servers", value, SERVERS) == [
        'servers[0].groups[0] = "manager": give one of managers, workers; did you mean managers?',
        'servers[0].nmae = "a": no such option; remove it, the options are groups, key, name, size',
        "servers[0].name is not set: set it (Host name)",
        # A part of it may be a secret.
        "servers[1] (secret, not shown): give a dictionary, on the command line as JSON: -e '{\"servers\": {...}}'",
        'servers[2].size = "big": give a whole number',
    ]


def test_secrets_are_not_shown() -> None:
    assert lines("a", ["hunter2"], {"type": "str", "no_log": True})[0].startswith("a (secret, not shown): give text")
    assert lines("servers", [{"name": "a", "key": 17}], SERVERS)[0].startswith("servers[0].key (secret, not shown)")
    assert lines("servers", "hunter2", SERVERS)[0].startswith("servers (secret, not shown): give a list")
    assert is_secret(SERVERS)
    assert not is_secret({"type": "str"})


def test_values_of_unknown_names_near_a_secret_are_not_shown() -> None:
    known = ["hetzner_api_token", "hetzner_owner"]
    assert unknown("hetzner_api_tokne", "hunter2", known).line() == (
        "hetzner_api_tokne (secret, not shown): no such option; did you mean hetzner_api_token?"
    )
    assert unknown("hetzner_zzz", 1, known).line() == (
        "hetzner_zzz = 1: no such variable; remove it, or rename it if it is not meant for this collection"
    )
    assert "hunter2" not in unknown("hetzner_password", "hunter2", known).line()


def test_purpose_is_the_first_sentence_without_markup() -> None:
    assert purpose({"description": ["Part of O(a), for example V(x.example). More.", "Even more"]}) == (
        "Part of a, for example x.example"
    )
    assert missing("frontdesk_domain", {"description": "DNS name."}).line() == (
        "frontdesk_domain is not set: set it in group_vars/frontdesk/ (DNS name)"
    )


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ([{"name": "one", "key": "k1"}, {"name": "two", "key": "k2"}, {"name": "three"}], ["k1", "k2"]),
        ({"name": "one", "key": "k1"}, ["k1"]),
        ("k1", ["k1"]),
        (["k1"], ["k1"]),
        ([], []),
    ],
)
def test_only_the_secret_parts_of_a_value_are_secret(value, secrets):
    assert list(secret_parts(value, SERVERS)) == secrets


def test_all_of_a_secret_is_secret():
    assert list(secret_parts({"a": "b"}, {"type": "dict", "no_log": True})) == [{"a": "b"}]
