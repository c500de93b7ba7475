# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The label selector language: https://docs.hetzner.cloud, section Label Selector.

    selector    = requirement *("," requirement)          ; all must hold
    requirement = key | "!" key | key ("=" | "==" | "!=") value | key ("in" | "notin") "(" value *("," value) ")"

Blanks are free around every sign. `k!=v`, `!k` and `k notin (v)` also hold for an item without `k`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import labels as label_rules

_REQUIREMENT = re.compile(
    r"""\s*(?:
        !\s*(?P<absent>[^\s!=,()]+)
      | (?P<set_key>[^\s!=,()]+)\s+(?P<set_sign>in|notin)\s*\((?P<values>[^()]*)\)
      | (?P<key>[^\s!=,()]+)\s*(?P<sign>==|!=|=)\s*(?P<value>[^\s!=,()]*)
      | (?P<present>[^\s!=,()]+)
    )\s*(?P<end>,|\Z)""",
    re.VERBOSE,
)


class SelectorError(ValueError):
    """A text that is no selector; says what is wrong with it."""


@dataclass(frozen=True)
class Requirement:
    """One condition: the key's value is among `values` (or there is any, when `values` is None), or the opposite."""

    key: str
    wanted: bool
    values: frozenset[str] | None

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Say whether these labels fulfil it."""
        found = self.key in labels and (self.values is None or labels[self.key] in self.values)
        return found is self.wanted


@dataclass(frozen=True)
class Selector:
    """A parsed selector; no requirement selects everything."""

    requirements: tuple[Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether these labels fulfil every requirement."""
        return all(requirement.holds(labels) for requirement in self.requirements)


def _checked(requirement: Requirement) -> Requirement:
    # A selector may ask for reserved keys, so only their form matters here.
    if not requirement.key.startswith(label_rules.RESERVED_PREFIX + "/"):
        fault = label_rules.key_fault(requirement.key)
        if fault:
            raise SelectorError(fault)
    for value in sorted(requirement.values or ()):
        fault = label_rules.value_fault(value)
        if fault:
            raise SelectorError(fault)
    return requirement


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent"], False, None)
    if match["set_key"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Requirement(match["set_key"], match["set_sign"] == "in", values)
    if match["key"]:
        return Requirement(match["key"], match["sign"] != "!=", frozenset([match["value"]]))
    return Requirement(match["present"], True, None)


def parse(text: str) -> Selector:
    """Parse a selector. Raises SelectorError with one sentence."""
    if not text.strip():
        return Selector(())
    requirements = []
    position = 0
    end = ","
    while end == ",":
        match = _REQUIREMENT.match(text, position)
        if match is None:
            raise SelectorError(f"label selector {text!r} cannot be read from character {position + 1} on")
        requirements.append(_checked(_requirement(match)))
        position = match.end()
        end = match["end"]
    return Selector(tuple(requirements))
