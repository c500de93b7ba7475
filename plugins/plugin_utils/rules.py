# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules across fields: Jinja conditions kept beside a role's argument specification, in meta/rules.yml.

A rule is a dictionary of
  variable  the option that the fault is reported for
  that      condition that has to hold
  remedy    what to do when it does not; a template
  when      condition under which the rule counts at all (optional)
  each      expression of a list; the rule then holds for every `item`, and the fault names its position (optional)
  field     with `each`: the part of the item that is shown (optional)
  show      without `each`: expression of what is shown instead of the variable's whole value (optional)
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

from ansible_collections.frontdesk.platform.plugins.plugin_utils.faults import UNSET, Fault, shown

KEYS = frozenset(("variable", "that", "remedy", "when", "each", "field", "show"))
_SEPARATOR = "\x1e"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class RuleError(ValueError):
    """A file of rules is not written as this module wants it: a fault of the collection, not of the user."""


class EvaluationError(Exception):
    """An expression cannot be evaluated with the values at hand. The text is short and holds no secret."""


class Evaluator(t.Protocol):
    """Evaluates Jinja with the variables of one host. Both methods raise EvaluationError."""

    def render(self, template: str, variables: t.Mapping[str, t.Any]) -> t.Any:
        """Return the value of a template that the collection itself wrote."""

    def resolve(self, value: t.Any, variables: t.Mapping[str, t.Any]) -> t.Any:
        """Return a variable's value with the templates in it evaluated, as far as Ansible trusts its source."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule; see the text at the top of the file."""

    variable: str
    that: str
    remedy: str
    when: str = "true"
    each: str = ""
    field: str = ""
    show: str = ""

    # Asked once for every host that differs.
    @functools.cached_property
    def names(self) -> frozenset[str]:
        """Every word that may be the name of a variable the rule reads."""
        return identifiers(" ".join((self.that, self.when, self.each))) | {self.variable}


def identifiers(text: str) -> frozenset[str]:
    """Every word in a template that may be a variable's name. Words inside strings count, because lookups take them."""
    return frozenset(_IDENTIFIER.findall(text))


def parse_rules(source: str, data: t.Any) -> list[Rule]:
    """Return the rules in a loaded file. Raises RuleError naming `source`."""
    if not isinstance(data, list):
        raise RuleError(f"{source} has to be a list of rules.")
    rules = []
    for index, entry in enumerate(data):
        if not isinstance(entry, dict) or set(entry) - KEYS or not {"variable", "that", "remedy"} <= set(entry):
            raise RuleError(
                f"{source}: rule {index + 1} needs variable, that, remedy, and takes when, each, field and show."
            )
        rules.append(Rule(**{str(key): str(value) for key, value in entry.items()}))
    return rules


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a rule: its faults, or the reason why it could not be evaluated."""

    rule: Rule
    faults: tuple[Fault, ...] = ()
    problem: str = ""


def apply_rule(rule: Rule, evaluator: Evaluator, variables: t.Mapping[str, t.Any], secret: bool) -> Outcome:
    """Evaluate one rule with the variables of one host."""
    try:
        faults = _each(rule, evaluator, variables, secret) if rule.each else _once(rule, evaluator, variables, secret)
        return Outcome(rule, tuple(faults))
    except EvaluationError as error:
        return Outcome(rule, problem=str(error))


def _holds(condition: str) -> str:
    """A template of one character for a condition, so that many conditions give one string."""
    return "{{ '1' if (" + condition + ") else '0' }}"


def _once(rule: Rule, evaluator: Evaluator, variables: t.Mapping[str, t.Any], secret: bool) -> list[Fault]:
    if evaluator.render(_holds(f"not ({rule.when}) or ({rule.that})"), variables) == "1":
        return []
    value = evaluator.render("{{ " + rule.show + " }}", variables) if rule.show else variables.get(rule.variable, UNSET)
    return [Fault(rule.variable, shown(value, secret), str(evaluator.render(rule.remedy, variables)))]


def _each(rule: Rule, evaluator: Evaluator, variables: t.Mapping[str, t.Any], secret: bool) -> list[Fault]:
    items = evaluator.render("{{ " + rule.each + " }}", variables)
    failing = [(index, items[index]) for index in _failing(rule, evaluator, variables, items)]
    # One evaluation for all remedies, as for all conditions.
    loop = "{% for index, item in __failing %}" + rule.remedy + _SEPARATOR + "{% endfor %}"
    remedies = str(evaluator.render(loop, {**variables, "__failing": failing})).split(_SEPARATOR) if failing else []
    faults = []
    for (index, item), remedy in zip(failing, remedies):
        path, value = f"{rule.variable}[{index}]", item
        if rule.field:
            path, value = f"{path}.{rule.field}", item.get(rule.field, UNSET)
        faults.append(Fault(path, shown(value, secret), remedy))
    return faults


def _failing(rule: Rule, evaluator: Evaluator, variables: t.Mapping[str, t.Any], items: t.Sequence[t.Any]) -> list[int]:
    """Positions of the items that break the rule. An item for which it cannot be evaluated is passed over when others can."""
    condition = f"not ({rule.when}) or ({rule.that})"
    loop = "x{% for item in __items %}{% set index = loop.index0 %}" + _holds(condition) + "{% endfor %}"
    try:
        # One evaluation for the whole list: 1,500 servers would take seconds one by one.
        marks = str(evaluator.render(loop, {**variables, "__items": items}))[1:]
        return [index for index, mark in enumerate(marks) if mark == "0"]
    except EvaluationError:
        return _failing_one_by_one(condition, evaluator, variables, items)


def _failing_one_by_one(
    condition: str, evaluator: Evaluator, variables: t.Mapping[str, t.Any], items: t.Sequence[t.Any]
) -> list[int]:
    marks = [_mark(condition, evaluator, {**variables, "item": item, "index": i}) for i, item in enumerate(items)]
    failing = [index for index, mark in enumerate(marks) if mark == "0"]
    problems = [mark for mark in marks if isinstance(mark, EvaluationError)]
    if problems and not failing:
        raise problems[0]
    return failing


def _mark(condition: str, evaluator: Evaluator, variables: t.Mapping[str, t.Any]) -> str | EvaluationError:
    try:
        return str(evaluator.render(_holds(condition), variables))
    except EvaluationError as error:
        return error
