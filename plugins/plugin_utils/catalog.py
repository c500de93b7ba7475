# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection knows about its variables: specifications, rules and defaults of every role, and the wiring."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

from ansible_collections.frontdesk.platform.plugins.plugin_utils.rules import Rule, parse_rules
from ansible_collections.frontdesk.platform.plugins.plugin_utils.specs import Options

PLATFORM_PREFIX = "frontdesk_"
INTERNAL_PREFIXES = ("_", "ansible_")

Loader = t.Callable[[pathlib.Path], t.Any]
"""Returns the content of a YAML file, its strings trusted as templates where they stand for variables."""


@dataclasses.dataclass(frozen=True)
class Catalog:
    """All specifications of a collection.

    options:  option by name of variable, of all entry points of all roles and of the platform
    required: names that have to be set: of the platform and of the roles' entry point main
    rules:    all rules across fields
    defaults: the roles' default values, not evaluated
    wiring:   the values in playbooks/group_vars/all, not evaluated
    prefixes: what names in a namespace of the collection begin with
    """

    options: Options
    required: tuple[str, ...]
    rules: tuple[Rule, ...]
    defaults: t.Mapping[str, t.Any]
    wiring: t.Mapping[str, t.Any]
    prefixes: tuple[str, ...]

    def claims(self, name: str) -> bool:
        """Whether a variable's name lies in a namespace of the collection."""
        return name.startswith(self.prefixes) and not name.startswith(INTERNAL_PREFIXES)


def read_catalog(collection: pathlib.Path, load: Loader) -> Catalog:
    """Read every role of the collection at this path; a new role is covered by its files alone."""
    options: dict[str, t.Any] = {}
    required: list[str] = []
    rules: list[Rule] = []
    defaults: dict[str, t.Any] = {}
    prefixes = [PLATFORM_PREFIX]
    for role in sorted(path for path in (collection / "roles").iterdir() if path.is_dir()):
        prefixes.append(f"{role.name}_")
        defaults.update(_mapping(role / "defaults" / "main.yml", load))
        for entry_points in _entry_points(role, load):
            for name, entry_point in entry_points.items():
                found = entry_point.get("options") or {}
                for variable, option in found.items():
                    options.setdefault(variable, option)
                if name in ("main", "platform"):
                    required += [variable for variable, option in found.items() if option.get("required")]
        rules += _rules(role / "meta" / "rules.yml", load)
    wiring: dict[str, t.Any] = {}
    for path in sorted((collection / "playbooks" / "group_vars" / "all").glob("*.yml")):
        wiring.update(_mapping(path, load))
    return Catalog(options, tuple(required), tuple(rules), defaults, wiring, tuple(prefixes))


def _entry_points(role: pathlib.Path, load: Loader) -> t.Iterator[dict[str, t.Any]]:
    # The platform's variables belong to no role. Their specification lies beside that of the role that checks them, but
    # not in argument_specs.yml: Ansible itself would check it when the role starts, stop at the first fault and print
    # values.
    for name in ("argument_specs.yml", "platform_specs.yml"):
        yield _mapping(role / "meta" / name, load).get("argument_specs") or {}


def _rules(path: pathlib.Path, load: Loader) -> list[Rule]:
    return parse_rules(str(path), load(path)) if path.exists() else []


def _mapping(path: pathlib.Path, load: Loader) -> dict[str, t.Any]:
    return (load(path) or {}) if path.exists() else {}
