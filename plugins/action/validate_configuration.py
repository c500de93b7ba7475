# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the variables of the platform on the controller; the module of the same name holds the documentation."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

from ansible.errors import AnsibleError
from ansible.parsing.vault import EncryptedString
from ansible.plugins.action import ActionBase

from ansible_collections.frontdesk.platform.plugins.plugin_utils.catalog import Catalog, read_catalog
from ansible_collections.frontdesk.platform.plugins.plugin_utils.configuration import (
    Check,
    SourceIndex,
    localhost_faults,
    misplaced,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.faults import UNSET, Fault, Report
from ansible_collections.frontdesk.platform.plugins.plugin_utils.templates import Templates

GROUP = "frontdesk"
CONTROLLER = "localhost"
COLLECTION = pathlib.Path(__file__).resolve().parents[2]

Variables = dict[str, t.Any]


class ActionModule(ActionBase):
    """Checks all variables of the collection on all hosts of its inventory."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: Variables | None = None) -> dict[str, t.Any]:
        """Return the faults as one message, and fail when there are any."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        catalog = read_catalog(COLLECTION, self._load)
        report = Report()
        inventory = _Inventory(self._task.get_variable_manager(), variables, self._loader)
        report.add(inventory.faults(catalog))
        classes = _classes(catalog, inventory)
        base: Check | None = None
        for found in classes:
            changed = _differences(found, classes[0])
            check = Check(
                catalog, Templates(self._templar), found.variables, inventory.sources, base=base, changed=changed
            )
            report.add(check.run(), [] if CONTROLLER in found.hosts else found.hosts)
            report.hide(check.secrets)
            report.hide([_decrypted(found.variables[name]) for name in found.texts if name in found.variables])
            base = base or check
        return {**result, **_result(report, inventory, classes)}

    def _load(self, path: pathlib.Path) -> t.Any:
        return self._loader.load_from_file(str(path), cache="all", trusted_as_template=True)


class _Inventory:
    """What the check reads from Ansible: variables by host, and the places they were set in."""

    def __init__(self, manager: t.Any, task_vars: Variables, loader: t.Any) -> None:
        self.sources = SourceIndex()
        self._manager = manager
        self._loader = loader
        self._hostvars = task_vars["hostvars"]
        self._groups: dict[str, list[str]] = task_vars["groups"]
        self._paths: list[str] = list(task_vars.get("ansible_inventory_sources") or [])
        self._task_vars = task_vars
        self.explicit = CONTROLLER in self._groups.get("all", [])
        self.in_group = CONTROLLER in self._groups.get(GROUP, [])

    @property
    def hosts(self) -> list[str]:
        """The controller, then the servers."""
        return [CONTROLLER] + [name for name in self._groups.get(GROUP, []) if name != CONTROLLER]

    def variables(self, host: str, catalog: Catalog) -> Variables:
        """The variables of a host, not evaluated."""
        found: Variables = dict(self._hostvars.raw_get(host))
        for name in self._results(host):
            if name not in catalog.options:
                found.pop(name, None)
        if host == CONTROLLER and not self.in_group:
            # A fault that is reported; the others are found as if it were mended.
            found.setdefault("inventory_dir", next(iter(self._folders()), "."))
            found.update(self._group_files(GROUP))
            found.update(self._manager.extra_vars)
        return found

    def _results(self, host: str) -> set[str]:
        """Names that tasks of this run have set (register, set_fact). They are no configuration."""
        # Ansible has no public way to tell them from variables of the inventory.
        return {*self._manager._vars_cache.get(host, ()), *self._manager._nonpersistent_fact_cache.get(host, ())}

    def play_variables(self, catalog: Catalog) -> Variables:
        """What the play sets (vars of an import_playbook, for example): it counts for every host."""
        controller = self._hostvars.raw_get(CONTROLLER)
        return {
            name: value
            for name, value in self._task_vars.items()
            if catalog.claims(name)
            and (name not in controller or (controller[name] is not value and controller[name] != value))
        }

    def shared(self) -> Variables:
        """Variables that are the same for every host and that only the task has."""
        return {"hostvars": self._hostvars, "groups": self._groups}

    def faults(self, catalog: Catalog) -> list[Fault]:
        """Faults of the inventory itself: the controller's entry, and variables in places that lose."""
        controller = self._hostvars.raw_get(CONTROLLER)
        return [
            *localhost_faults(
                self.explicit,
                self.in_group,
                controller.get("ansible_connection"),
                controller.get("ansible_python_interpreter", UNSET),
            ),
            *self._in_group_vars_all(catalog),
            *self._inline(catalog),
        ]

    def _in_group_vars_all(self, catalog: Catalog) -> t.Iterator[Fault]:
        for path in self._variable_files("all"):
            yield from misplaced(self._read(path), catalog, min(path, os.path.relpath(path), key=len))

    def _inline(self, catalog: Catalog) -> t.Iterator[Fault]:
        # Ansible has no public way to the variables that an inventory source gives to a group.
        for name, group in self._manager._inventory.groups.items():
            yield from misplaced(group.vars, catalog, f"the vars of group {name} in an inventory file")

    def _group_files(self, group: str) -> Variables:
        found: Variables = {}
        for path in self._variable_files(group):
            found.update(self._read(path))
        return found

    def _variable_files(self, group: str) -> t.Iterator[str]:
        """The files that Ansible's own plugin for group_vars reads beside the inventory sources."""
        for folder in map(pathlib.Path, self._folders()):
            if (folder / "group_vars").is_dir():
                yield from self._loader.find_vars_files(str(folder / "group_vars"), group)

    def _folders(self) -> list[str]:
        """The folders of the inventory sources."""
        sources = [path for path in map(pathlib.Path, self._paths) if path.exists()]
        return list(dict.fromkeys(str(path if path.is_dir() else path.parent) for path in sources))

    def _read(self, path: str) -> Variables:
        return self._loader.load_from_file(path, cache="all", unsafe=True, trusted_as_template=True) or {}


@dataclasses.dataclass
class _Class:
    """Hosts that a check cannot tell apart.

    texts: the values of the collection's variables, and of all that their templates may read, as text
    """

    hosts: list[str]
    variables: Variables
    texts: dict[str, str]


def _classes(catalog: Catalog, inventory: _Inventory) -> list[_Class]:
    """Return the hosts by equal variables, the controller's first, so that 1,500 equal servers are checked once."""
    play, shared = inventory.play_variables(catalog), inventory.shared()
    spelling = _Texts()
    classes: dict[t.Any, _Class] = {}
    for host in inventory.hosts:
        variables = {**shared, **inventory.variables(host, catalog), **play}
        known = {**catalog.defaults, **variables}
        names = inventory.sources.closure(filter(catalog.claims, known), known) - set(shared)
        texts = {name: spelling.text(known[name]) for name in sorted(names) if not _is_identity(name)}
        classes.setdefault(tuple(texts.items()), _Class([], variables, texts)).hosts.append(host)
    return list(classes.values())


def _is_identity(name: str) -> bool:
    """Whether a variable says which host this is: set by Ansible or by the inventory plugin, not by the user.

    What the wiring makes of it differs on every host and is no user's mistake.
    """
    return name in {"inventory_hostname", "inventory_hostname_short", "group_names"} or name.startswith("hcloud_")


def _differences(one: _Class, other: _Class) -> set[str]:
    """Names of the variables that only one of them has, or that differ."""
    return {name for name, _text in one.texts.items() ^ other.texts.items()}


class _Texts:
    """The text of values for comparison; most are the very same object on every host, and are spelled once."""

    def __init__(self) -> None:
        # The value itself is kept too: a number of a freed object may come again.
        self._texts: dict[int, tuple[t.Any, str]] = {}

    def text(self, value: t.Any) -> str:
        known = self._texts.get(id(value))
        if known is None:
            known = self._texts[id(value)] = (value, f"text {value}" if isinstance(value, str) else repr(value))
        return known[1]


def _decrypted(value: t.Any) -> list[str]:
    """The plain text of every single value that is encrypted in a file, whatever variable holds it."""
    if isinstance(value, EncryptedString):
        try:
            return [str(value)]
        except AnsibleError:  # reported where the value is used
            return []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    return [text for part in parts for text in _decrypted(part)]


def _result(report: Report, inventory: _Inventory, classes: list[_Class]) -> dict[str, t.Any]:
    counts = {"changed": False, "hosts": len(inventory.hosts), "distinct": len(classes)}
    lines = report.lines()
    if not lines:
        return {**counts, "msg": f"The configuration is valid on {len(inventory.hosts)} host(s)."}
    faults = "1 fault" if len(lines) == 1 else f"{len(lines)} faults"
    return {**counts, "failed": True, "msg": "\n".join([f"The configuration has {faults}:", *lines])}
