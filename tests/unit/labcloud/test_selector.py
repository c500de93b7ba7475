# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The label selector language and the form of labels, with generated input."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labcloud.hetzner import labels as rules
from labcloud.hetzner import selector

ENDS = string.ascii_letters + string.digits
NAMES = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,20}[a-zA-Z0-9])?", fullmatch=True)
KEYS = NAMES | st.builds("{}/{}".format, st.sampled_from(["example.com", "frontdesk.platform", "a-b.c"]), NAMES)
VALUES = st.just("") | NAMES
BLANKS = st.sampled_from(["", " ", "  "])
LABELS = st.dictionaries(KEYS, VALUES, max_size=4)


@st.composite
def requirements(draw: st.DrawFn) -> tuple[str, str, str, tuple[str, ...]]:
    """A requirement as (text, key, sign, values)."""
    key = draw(KEYS.filter(lambda text: text not in ("in", "notin")))
    sign = draw(st.sampled_from(["=", "==", "!=", "present", "absent", "in", "notin"]))
    blank = draw(BLANKS)
    values = tuple(draw(st.lists(VALUES, min_size=1, max_size=3)))
    if sign in ("=", "==", "!="):
        return f"{blank}{key}{blank}{sign}{blank}{values[0]}{blank}", key, sign, values[:1]
    if sign in ("present", "absent"):
        return (f"{blank}{key}" if sign == "present" else f"{blank}!{blank}{key}"), key, sign, ()
    return f"{key} {sign}{blank}({blank}{f'{blank},{blank}'.join(values)}{blank})", key, sign, values


def _holds(labels: dict[str, str], key: str, sign: str, values: tuple[str, ...]) -> bool:
    """The table of the document, written down once more and independently."""
    if sign in ("=", "=="):
        return labels.get(key) == values[0]
    if sign == "!=":
        return labels.get(key) != values[0]
    if sign == "present":
        return key in labels
    if sign == "absent":
        return key not in labels
    return (labels.get(key) in values) == (sign == "in")


@given(st.lists(requirements(), min_size=1, max_size=4), LABELS)
def test_a_selector_means_what_the_document_says(
    wanted: list[tuple[str, str, str, tuple[str, ...]]], labels: dict[str, str]
) -> None:
    text = ",".join(requirement for requirement, *_rest in wanted)
    expected = all(_holds(labels, key, sign, values) for _text, key, sign, values in wanted)
    assert selector.parse(text).matches(labels) is expected


@given(requirements())
def test_a_requirement_also_sees_the_labels_it_names(wanted: tuple[str, str, str, tuple[str, ...]]) -> None:
    """Random labels rarely carry the key: these do, with the first value and with another."""
    text, key, sign, values = wanted
    for labels in ({key: values[0] if values else ""}, {key: "another-value"}, {}):
        assert selector.parse(text).matches(labels) is _holds(labels, key, sign, values)


@given(st.text(alphabet=ENDS + "=!,() ._-/", max_size=25))
def test_any_text_is_either_read_or_refused_in_one_sentence(text: str) -> None:
    sentence = ""
    try:
        assert selector.parse(text).matches({}) in (True, False)
    except selector.SelectorError as error:
        sentence = str(error)
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "text",
    [
        "a===b",
        "a=b,",
        ",a",
        "a b",
        "a in b",
        "a in (b",
        "a notin",
        "!",
        "a=b=c",
        "a==-b",
        "-a",
        "a!",
        "a in ((b))",
        "a/b/c=d",
        "a=" + "x" * 64,
    ],
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(selector.SelectorError):
        selector.parse(text)


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("env=production,type!=database", {"env": "production"}, {"env": "production", "type": "database"}),
        ("env in (testing,staging)", {"env": "staging"}, {"env": "production"}),
        ("!type", {"env": "x"}, {"type": ""}),
        ("k1==v,!k2", {"k1": "v"}, {"k1": "v", "k2": "x"}),
        ("k notin (v1,v2,v3)", {}, {"k": "v2"}),
        ("just-a-key", {"just-a-key": ""}, {}),
        ("example.com/my=label", {"example.com/my": "label"}, {"my": "label"}),
    ],
)
def test_the_examples_of_the_document(text: str, matching: dict[str, str], other: dict[str, str]) -> None:
    assert selector.parse(text).matches(matching)
    assert not selector.parse(text).matches(other)


@given(KEYS, VALUES)
def test_labels_by_the_rules_are_accepted(key: str, value: str) -> None:
    assert rules.faults({key: value}) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", "a"),
        ("a b", "a"),
        ("-a", "a"),
        ("a-", "a"),
        ("x" * 64, "a"),
        ("hetzner.cloud/a", "a"),
        ("/a", "a"),
        ("a/", "a"),
        ("a_b/c", "a"),
        (("x" * 60 + ".") * 5 + "de/a", "a"),
        ("a", "a b"),
        ("a", "10.0.0.0/8"),
        ("a", "x" * 64),
        ("a", ".a"),
        ("a", 1),
        ("a", None),
        ("ü", "a"),
    ],
)
def test_labels_against_the_rules_are_refused(key: str, value: object) -> None:
    assert rules.faults({key: value}) != []


def test_labels_at_their_limits_are_accepted() -> None:
    prefix = ".".join(["x" * 62] * 4)[:253]
    assert rules.faults({"x" * 63: "y" * 63, f"{prefix}/a": "", "a.b_c-d": "A.b_c-9"}) == []
    assert rules.faults(["a"]) == ["must be an object of strings"]
