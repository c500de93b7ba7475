# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of one host's variables, with Ansible's own template engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.frontdesk.platform.plugins.plugin_utils.catalog import Catalog
from ansible_collections.frontdesk.platform.plugins.plugin_utils.configuration import (
    Check,
    SourceIndex,
    localhost_faults,
    misplaced,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.faults import UNSET
from ansible_collections.frontdesk.platform.plugins.plugin_utils.rules import parse_rules
from ansible_collections.frontdesk.platform.plugins.plugin_utils.templates import Templates

OPTIONS: dict[str, Any] = {
    "frontdesk_name": {"type": "str", "description": "Name."},
    "frontdesk_size": {"type": "int"},
    "frontdesk_items": {"type": "list", "elements": "dict", "options": {"id": {"type": "int", "required": True}}},
    "frontdesk_key": {"type": "str", "no_log": True},
    "role_name": {"type": "str"},
    "role_size": {"type": "int"},
}


class Counting(Templates):
    """Counts what it evaluates."""

    def __init__(self) -> None:
        super().__init__(Templar(loader=DataLoader(), variables={}))
        self.count = 0

    def resolve(self, value: Any, variables: Mapping[str, Any]) -> Any:
        self.count += 1
        return super().resolve(value, variables)


def catalog(*rules: dict[str, str], required: tuple[str, ...] = (), **wiring: Any) -> Catalog:
    return Catalog(
        options=OPTIONS,
        required=required,
        rules=tuple(parse_rules("test", list(rules))),
        defaults={"role_name": "role", "role_size": 1},
        wiring=wiring,
        prefixes=("frontdesk_", "role_"),
    )


def lines(what: Catalog, variables: dict[str, Any]) -> list[str]:
    return [fault.line() for fault in Check(what, Counting(), variables, SourceIndex()).run()]


def template(text: str) -> str:
    return trust_as_template(text)


def test_valid() -> None:
    rule = {"variable": "frontdesk_size", "that": "frontdesk_size | int > role_size", "remedy": "raise it"}
    assert lines(catalog(rule), {"frontdesk_size": "2", "frontdesk_name": template("{{ 'a' }}")}) == []


def test_unknown_names_in_the_namespaces_only() -> None:
    variables = {"frontdesk_nmae": 1, "__role_x": 1, "ansible_x": 1, "hcloud_id": 1, "other": 1, "role_nome": 2}
    assert lines(catalog(), variables) == [
        "frontdesk_nmae = 1: no such option; did you mean frontdesk_name?",
        "role_nome = 2: no such option; did you mean role_name?",
    ]


def test_unknown_name_with_a_broken_template() -> None:
    (line,) = lines(catalog(), {"frontdesk_zzzzzz": template("{{ nowhere }}")})
    assert "a template that cannot be evaluated" in line


def test_required() -> None:
    assert lines(catalog(required=("frontdesk_name",)), {}) == [
        "frontdesk_name is not set: set it in group_vars/frontdesk/ (Name)"
    ]


def test_template_that_cannot_be_evaluated() -> None:
    assert lines(catalog(), {"frontdesk_name": template("{{ nowhere }}")}) == [
        "frontdesk_name cannot be evaluated: 'nowhere' is undefined; correct its template"
    ]


def test_untrusted_text_is_no_template() -> None:
    assert lines(catalog(), {"frontdesk_name": "{{ nowhere }}"}) == []


def test_rule_with_a_condition_of_its_own_and_something_to_show() -> None:
    rule = {
        "variable": "frontdesk_size",
        "when": "frontdesk_name == 'x'",
        "that": "frontdesk_size > 5",
        "show": "[frontdesk_size, 5]",
        "remedy": "make it more than {{ 2 + 3 }}",
    }
    assert lines(catalog(rule), {"frontdesk_size": 3, "frontdesk_name": "y"}) == []
    assert lines(catalog(rule), {"frontdesk_size": 3, "frontdesk_name": "x"}) == [
        "frontdesk_size = [3, 5]: make it more than 5"
    ]


EACH = {
    "variable": "frontdesk_items",
    "each": "frontdesk_items",
    "field": "id",
    "that": "item.id > index",
    "remedy": "position {{ index }} needs more than {{ item.id }}",
}


def test_rule_for_each_item() -> None:
    assert lines(catalog(EACH), {"frontdesk_items": [{"id": 1}, {"id": 1}, {"id": 9}, {"id": 0}]}) == [
        "frontdesk_items[1].id = 1: position 1 needs more than 1",
        "frontdesk_items[3].id = 0: position 3 needs more than 0",
    ]


def test_a_broken_item_does_not_hide_the_faults_of_the_others() -> None:
    found = lines(catalog(EACH), {"frontdesk_items": [{"id": 1}, {}, {"id": "x"}, {"id": 0}]})
    assert found == [
        "frontdesk_items[1].id is not set: set it (no description)",
        'frontdesk_items[2].id = "x": give a whole number',
        "frontdesk_items[3].id = 0: position 3 needs more than 0",
    ]


def test_a_rule_over_a_broken_value_is_left_out() -> None:
    assert lines(catalog(EACH), {"frontdesk_items": "x"}) == [
        'frontdesk_items = "x": give a list, on the command line as JSON: -e \'{"frontdesk_items": [...]}\''
    ]


def test_a_rule_over_a_value_made_from_a_broken_one_is_left_out() -> None:
    rule = {"variable": "role_size", "that": "role_size < 5", "remedy": "x"}
    variables = {"frontdesk_size": ["x"], "role_size": template("{{ frontdesk_size | length + 9 }}")}
    assert lines(catalog(rule), variables) == ['frontdesk_size = ["x"]: give a whole number']


def test_a_rule_that_fails_without_another_fault_is_a_fault() -> None:
    rule = {"variable": "frontdesk_size", "that": "frontdesk_size.nope > 1", "remedy": "x"}
    assert lines(catalog(rule), {"frontdesk_size": 1}) == [
        "frontdesk_size cannot be checked: has no attribute 'nope'; the rule is frontdesk_size.nope > 1"
    ]


def test_all_rules_are_tried() -> None:
    rules = [{"variable": "frontdesk_size", "that": f"frontdesk_size > {n}", "remedy": f"over {n}"} for n in (1, 2, 3)]
    assert len(lines(catalog(*rules), {"frontdesk_size": 2})) == 2


def test_faults_of_wired_values_are_those_of_their_source() -> None:
    wired = template("{{ frontdesk_name }}")
    rules = [
        {"variable": "frontdesk_name", "that": "frontdesk_name | length < 3", "remedy": "shorten"},
        {"variable": "role_name", "that": "role_name | length < 3", "remedy": "shorten"},
    ]
    assert lines(catalog(*rules, role_name=wired), {"frontdesk_name": "long", "role_name": wired}) == [
        'frontdesk_name = "long": shorten'
    ]
    # What the user wrote himself is his fault.
    own = template("{{ frontdesk_name }}x")
    assert len(lines(catalog(*rules, role_name=wired), {"frontdesk_name": "long", "role_name": own})) == 2


def test_secrets_are_kept_for_blanking_and_not_shown() -> None:
    rule = {"variable": "frontdesk_key", "that": "frontdesk_key | length > 9", "remedy": "longer"}
    check = Check(catalog(rule), Counting(), {"frontdesk_key": template("{{ 'hun' ~ 'ter2' }}")}, SourceIndex())
    assert [fault.line() for fault in check.run()] == ["frontdesk_key (secret, not shown): longer"]
    assert check.secrets == ["hunter2"]


def test_only_what_differs_from_the_base_is_evaluated_again() -> None:
    rules = [
        {"variable": "role_size", "that": "role_size < 5", "remedy": "shrink"},
        {"variable": "frontdesk_size", "that": "frontdesk_size < 5", "remedy": "shrink"},
    ]
    what = catalog(*rules)
    variables = {"frontdesk_size": 9, "frontdesk_name": "a", "role_name": template("{{ other }}"), "other": "b"}
    sources = SourceIndex()
    base = Check(what, Counting(), variables, sources)
    base.run()
    templates = Counting()
    host = Check(what, templates, {**variables, "role_size": 7}, sources, base=base, changed={"role_size"})
    assert [fault.line() for fault in host.run()] == ["frontdesk_size = 9: shrink", "role_size = 7: shrink"]
    assert templates.count == 3  # the value, its rule, the remedy
    # A name that a template reads counts as a change of what it makes.
    host = Check(what, Counting(), {**variables, "other": 5}, sources, base=base, changed={"other"})
    assert "role_name = 5: give text" in "\n".join(fault.line() for fault in host.run())


def test_source_index_follows_templates_in_any_depth() -> None:
    variables = {"a": [{"k": "{{ b }}"}], "b": "{% if c %}x{% endif %}", "c": "no template d", "d": 1, "e": 2}
    assert SourceIndex().closure(["a", "missing"], variables) == {"a", "b", "c"}
    assert SourceIndex().affected({"c"}, variables) == {"a", "b", "c"}


def test_misplaced() -> None:
    found = misplaced(["frontdesk_name", "other", "__role_x"], catalog(), "group_vars/all.yml")
    (line,) = [fault.line() for fault in found]
    assert line.startswith("frontdesk_name in group_vars/all.yml: the wiring of the collection wins over this place")
    assert line.endswith("move it to group_vars/frontdesk/")


def test_entry_of_the_controller() -> None:
    assert localhost_faults(True, True, "local", "/usr/bin/python3") == []
    assert "is not named in the inventory" in localhost_faults(False, False, None, UNSET)[0].line()
    assert "is not in the group frontdesk" in localhost_faults(True, False, "local", "x")[0].line()
    assert [fault.variable for fault in localhost_faults(True, True, "ssh", UNSET)] == [
        "localhost.ansible_connection",
        "localhost.ansible_python_interpreter",
    ]
