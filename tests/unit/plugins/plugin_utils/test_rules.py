# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of rules across fields. How they are evaluated: test_configuration.py."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils.rules import RuleError, identifiers, parse_rules

RULE = {"variable": "a", "that": "a > b", "remedy": "x"}


def test_rule_knows_the_names_it_reads() -> None:
    (rule,) = parse_rules("f", [{**RULE, "when": "c is defined", "each": "d['e']"}])
    assert {"a", "b", "c", "d", "e"} <= rule.names


@pytest.mark.parametrize(
    "data", [{}, "x", ["x"], [{"variable": "a", "that": "b"}], [{**RULE, "whne": "x"}], [RULE, {"that": "x"}]]
)
def test_wrong_file_is_a_fault_of_the_collection(data: Any) -> None:
    with pytest.raises(RuleError, match=r"^meta/rules.yml"):
        parse_rules("meta/rules.yml", data)


def test_words_inside_strings_count() -> None:
    assert {"lookup", "vars", "some_name"} <= identifiers("{{ lookup('vars', 'some_name') }}")
