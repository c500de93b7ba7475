# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All files that speak of variables say the same: specifications, defaults, wiring, rules, playbooks, role pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, nodes

from ansible_collections.frontdesk.platform.plugins.plugin_utils.catalog import Catalog, read_catalog

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
WIRING = sorted((ROOT / "playbooks/group_vars/all").glob("*.yml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(ROOT, load)


def spec(role: Path) -> dict[str, Any]:
    return load(role / "meta/argument_specs.yml")["argument_specs"]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_specification_are_the_same(role: Path) -> None:
    """Same names, same values: the page shows the one, the role uses the other."""
    path = role / "defaults/main.yml"
    defaults = (load(path) or {}) if path.exists() else {}
    options = {name: option for entry in spec(role).values() for name, option in (entry.get("options") or {}).items()}
    assert {name: option["default"] for name, option in options.items() if "default" in option} == defaults
    assert not [name for name, option in options.items() if option.get("required") and "default" in option]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_names_begin_with_the_roles_name(role: Path) -> None:
    names = [name for entry in spec(role).values() for name in entry.get("options") or {}]
    assert not [name for name in names if not name.startswith(f"{role.name}_")]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_secret_options_are_plain_text_without_choices(role: Path) -> None:
    """Ansible's own check prints the value of an option with another type, or with choices."""

    def bad(options: dict[str, Any]) -> list[str]:
        found = [
            name
            for name, option in options.items()
            if option.get("no_log") and (option.get("type", "str") != "str" or "choices" in option)
        ]
        return found + [name for option in options.values() for name in bad(option.get("options") or {})]

    assert not [name for entry in spec(role).values() for name in bad(entry.get("options") or {})]


def test_platform_defaults_are_those_of_the_wiring(catalog: Catalog) -> None:
    platform = load(ROOT / "roles/validate/meta/platform_specs.yml")["argument_specs"]["platform"]["options"]
    specified = {name: option["default"] for name, option in platform.items() if "default" in option}
    wired = {name: value for name, value in catalog.wiring.items() if name.startswith("frontdesk_")}
    assert wired == specified
    assert not [name for name in catalog.required if name in catalog.wiring]


def test_every_wired_variable_is_specified(catalog: Catalog) -> None:
    assert not [name for name in catalog.wiring if catalog.claims(name) and name not in catalog.options]


def test_no_variable_is_wired_twice() -> None:
    names = [name for path in WIRING for name in load(path)]
    assert sorted(names) == sorted(set(names))


def test_rules_are_about_variables_that_exist(catalog: Catalog) -> None:
    assert not [rule.variable for rule in catalog.rules if rule.variable not in catalog.options]
    expressions = [text for rule in catalog.rules for text in (rule.that, rule.when, rule.each) if text]
    read = {name.name for text in expressions for name in Environment().parse(f"{{{{ {text} }}}}").find_all(nodes.Name)}
    assert read, "no expression was understood"
    assert not [name for name in read if catalog.claims(name) and name not in catalog.options]


def test_every_platform_variable_in_a_playbook_is_specified(catalog: Catalog) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").rglob("*.yml"))
    names = set(re.findall(r"(?<![\w./])(frontdesk_[a-z0-9_]+)", text))
    assert not sorted(names - set(catalog.options))


def test_a_role_reads_no_variable_of_another_role_and_no_platform_variable(catalog: Catalog) -> None:
    """Roles talk to each other only through the wiring."""
    # A message may name a variable of another role; a template or a condition may not.
    code = re.compile(
        r"\{\{.*?\}\}|\{%.*?%\}|^\s*(?:- )?(?:when|that|until|changed_when|failed_when):[^\n]*",
        re.DOTALL | re.MULTILINE,
    )
    found = []
    for role in ROLES:
        others = [name for name in catalog.options if not name.startswith(f"{role.name}_")]
        for path in [*role.glob("tasks/**/*.yml"), *role.glob("handlers/*.yml"), *role.glob("defaults/*.yml")]:
            words = set(re.findall(r"\w+", " ".join(code.findall(path.read_text(encoding="utf-8")))))
            found += [f"{path.relative_to(ROOT)}: {name}" for name in others if name in words]
    assert not found


def test_every_platform_variable_has_a_line_in_the_guide(catalog: Catalog) -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert not [name for name in catalog.options if name.startswith("frontdesk_") and f"`{name}`" not in text]


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_variable_is_on_its_roles_page(role: Path) -> None:
    text = (role / "README.md").read_text(encoding="utf-8")
    names = [name for entry in spec(role).values() for name in entry.get("options") or {}]
    assert not [name for name in names if f"`{name}`" not in text]
