# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole check of one host's variables: unknown names, types, required values, rules across fields."""

from __future__ import annotations

import typing as t

from ansible_collections.frontdesk.platform.plugins.plugin_utils.catalog import Catalog
from ansible_collections.frontdesk.platform.plugins.plugin_utils.faults import UNSET, Fault, shown
from ansible_collections.frontdesk.platform.plugins.plugin_utils.rules import (
    EvaluationError,
    Evaluator,
    Outcome,
    Rule,
    apply_rule,
    identifiers,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.specs import (
    Option,
    check_value,
    is_secret,
    missing,
    secret_parts,
    unknown,
)

Variables = t.Mapping[str, t.Any]


class SourceIndex:
    """Which variables a value is made from, found by the words in its templates. Remembers every value it has seen."""

    def __init__(self) -> None:
        """Start without any value seen."""
        # The value itself is kept too: a number of a freed object may come again.
        self._words: dict[int, tuple[t.Any, frozenset[str]]] = {}

    def words(self, value: t.Any) -> frozenset[str]:
        """Every word in the templates of a value."""
        known = self._words.get(id(value))
        if known is None:
            known = self._words[id(value)] = (value, frozenset(_words(value)))
        return known[1]

    def closure(self, names: t.Iterable[str], variables: Variables) -> set[str]:
        """The names, and all variables that they are made from, directly or not."""
        seen: set[str] = set()
        left = [name for name in names if name in variables]
        while left:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                left += [word for word in self.words(variables[name]) if word in variables and word not in seen]
        return seen

    def affected(self, changed: t.AbstractSet[str], variables: Variables) -> set[str]:
        """The changed names, and all variables whose templates read them, directly or not."""
        found = set(changed)
        left = [(name, words) for name, words in ((key, self.words(variables[key])) for key in variables) if words]
        while True:
            hit = [name for name, words in left if words & found]
            if not hit:
                return found
            found.update(hit)
            left = [(name, words) for name, words in left if name not in found]


def _words(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        # A template of one expression has its delimiters in every case, {{ or {%.
        if "{{" in value or "{%" in value:
            yield from identifiers(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _words(key)
            yield from _words(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _words(item)


class Check:
    """Checks the variables of one host. After `run`, `faults` and the values of secrets are there.

    With a `base`, the check of another host, only what differs from that host's variables is checked: `changed` names the
    variables that do. The faults of the rest are the base's.
    """

    def __init__(
        self,
        catalog: Catalog,
        evaluator: Evaluator,
        variables: Variables,
        sources: SourceIndex,
        *,
        base: Check | None = None,
        changed: t.AbstractSet[str] = frozenset(),
    ) -> None:
        """Take the variables of one host, not evaluated."""
        self._catalog = catalog
        self._evaluator = evaluator
        self._given = variables
        self._raw: dict[str, t.Any] = {**catalog.defaults, **variables}
        self._variables = dict(self._raw)
        self._sources = sources
        self._unusable: set[str] = set()
        self._scope: set[str] | None = None
        self.faults: list[Fault] = []
        self.secrets: list[t.Any] = []
        if base is not None:
            self._start_from(base, changed)

    def _start_from(self, base: Check, changed: t.AbstractSet[str]) -> None:
        self._scope = scope = self._sources.affected(changed, self._raw)
        kept = [name for name in self._catalog.options if name not in scope and name in base._variables]
        self._variables.update((name, base._variables[name]) for name in kept)
        self._unusable = base._unusable - scope
        self.faults = [fault for fault in base.faults if fault.root not in scope]

    def run(self) -> list[Fault]:
        """Return all faults."""
        self._find_unknown()
        self._check_options()
        self._check_rules()
        self.faults = self._without_consequences(self.faults)
        return self.faults

    def _in_scope(self, names: t.Iterable[str]) -> bool:
        return self._scope is None or not self._scope.isdisjoint(names)

    def _find_unknown(self) -> None:
        for name in sorted(self._given if self._scope is None else self._scope & self._given.keys()):
            if self._catalog.claims(name) and name not in self._catalog.options:
                self.faults.append(unknown(name, self._quietly(name), self._catalog.options))

    def _quietly(self, name: str) -> t.Any:
        try:
            return self._evaluator.resolve(self._given[name], self._variables)
        except EvaluationError:
            return "a template that cannot be evaluated"

    def _check_options(self) -> None:
        values: dict[str, t.Any] = {}
        for name, option in self._catalog.options.items():
            if self._in_scope([name]):
                self._check_option(name, option, values)
        # Evaluated once; the rules read the result.
        self._variables.update(values)

    def _check_option(self, name: str, option: Option, values: dict[str, t.Any]) -> None:
        if name not in self._variables:
            if name in self._catalog.required:
                self._unusable.add(name)
                self.faults.append(missing(name, option))
            return
        try:
            value = values[name] = self._evaluator.resolve(self._variables[name], self._variables)
        except EvaluationError as error:
            self._unusable.add(name)
            self.faults.append(Fault(name, "cannot be evaluated", f"{error}; correct its template"))
            return
        self.secrets.extend(secret_parts(value, option))
        faults = check_value(name, value, option)
        if any(fault.variable == name for fault in faults):
            self._unusable.add(name)
        self.faults += faults

    def _check_rules(self) -> None:
        rules = [rule for rule in self._catalog.rules if self._in_scope(rule.names) and not self._blocked(rule.names)]
        outcomes = self._outcomes(rule for rule in rules if not self._is_derived(rule.variable))
        # Only now, when it is known which values they are made from have faults.
        faulty = self._faulty()
        sound = [rule for rule in rules if not faulty & (self._origins(rule.names) - {rule.variable})]
        outcomes += self._outcomes(rule for rule in sound if self._is_derived(rule.variable))
        faulty = self._faulty()
        for outcome in outcomes:
            rule = outcome.rule
            if outcome.problem and not faulty & self._origins(rule.names):
                self.faults.append(
                    Fault(rule.variable, "cannot be checked", f"{outcome.problem}; the rule is {rule.that}")
                )

    def _outcomes(self, rules: t.Iterable[Rule]) -> list[Outcome]:
        outcomes = [self._apply(rule) for rule in rules]
        known = set(self.faults)  # of the base
        self.faults += [fault for outcome in outcomes for fault in outcome.faults if fault not in known]
        return outcomes

    def _faulty(self) -> set[str]:
        return {fault.root for fault in self.faults}

    def _apply(self, rule: Rule) -> Outcome:
        secret = is_secret(self._catalog.options.get(rule.variable, {}))
        return apply_rule(rule, self._evaluator, self._variables, secret)

    def _blocked(self, names: t.Iterable[str]) -> bool:
        """Whether a rule reads a value that is missing, of the wrong type, or made from such a value."""
        return bool(self._unusable) and bool(self._unusable & self._origins(names))

    def _origins(self, names: t.Iterable[str]) -> set[str]:
        """The names, and every name that their values are made from, set or not."""
        found = set(names) | self._sources.closure(names, self._raw)
        return found.union(*(self._sources.words(self._raw[name]) for name in found if name in self._raw))

    def _without_consequences(self, faults: list[Fault]) -> list[Fault]:
        """Drop the faults of values that the wiring or a role's defaults made from another faulty value."""
        faulty = self._faulty()
        return [
            fault
            for fault in faults
            if not self._is_derived(fault.root) or not faulty & (self._origins([fault.root]) - {fault.root})
        ]

    def _is_derived(self, name: str) -> bool:
        made = self._catalog.wiring.get(name, self._catalog.defaults.get(name, UNSET))
        return made is not UNSET and bool(self._sources.words(made)) and self._given.get(name, made) == made


def misplaced(names: t.Iterable[str], catalog: Catalog, place: str) -> list[Fault]:
    """Faults of variables of the collection in a place of the inventory where the wiring wins over them."""
    return [
        Fault(
            name, f"in {place}", "the wiring of the collection wins over this place; move it to group_vars/frontdesk/"
        )
        for name in sorted(names)
        if catalog.claims(name)
    ]


def localhost_faults(explicit: bool, in_group: bool, connection: t.Any, interpreter: t.Any) -> list[Fault]:
    """Faults of the inventory's entry for the controller."""
    if not explicit or not in_group:
        what = "is not in the group frontdesk of the inventory" if explicit else "is not named in the inventory"
        return [
            Fault(
                "localhost",
                what,
                "add it to the hosts of the group frontdesk with ansible_connection: local and "
                'ansible_python_interpreter: "{{ ansible_playbook_python }}"; without it group_vars/frontdesk/ does '
                "not count for what runs on the controller",
            )
        ]
    faults = []
    if connection != "local":
        faults.append(Fault("localhost.ansible_connection", shown(connection), "set it to local in the inventory"))
    if interpreter is UNSET:
        faults.append(
            Fault(
                "localhost.ansible_python_interpreter",
                shown(UNSET),
                'set it to "{{ ansible_playbook_python }}" in the inventory, so that the modules find their libraries',
            )
        )
    return faults
