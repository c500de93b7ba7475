# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the specifications of all roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.frontdesk.platform.plugins.plugin_utils.catalog import read_catalog
from ansible_collections.frontdesk.platform.plugins.plugin_utils.rules import RuleError


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data))


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    main = {"options": {"new_size": {"type": "int", "required": True}}}
    restore = {"options": {"new_target": {"type": "str", "required": True}, "new_size": {"type": "str"}}}
    write(tmp_path / "roles/new/meta/argument_specs.yml", {"argument_specs": {"main": main, "restore": restore}})
    write(tmp_path / "roles/new/defaults/main.yml", {"new_size": 3})
    write(tmp_path / "roles/new/meta/rules.yml", [{"variable": "new_size", "that": "true", "remedy": "x"}])
    (tmp_path / "roles/bare").mkdir()
    (tmp_path / "roles/README.md").touch()
    write(tmp_path / "playbooks/group_vars/all/new.yml", {"new_size": 5})
    return tmp_path


def test_a_new_role_is_covered_by_its_files(collection: Path) -> None:
    catalog = read_catalog(collection, load)
    assert catalog.options["new_size"]["type"] == "int"
    assert set(catalog.options) == {"new_size", "new_target"}
    assert catalog.required == ("new_size",)  # what another entry point needs is given to that one alone
    assert [rule.variable for rule in catalog.rules] == ["new_size"]
    assert catalog.defaults == {"new_size": 3}
    assert catalog.wiring == {"new_size": 5}
    assert [
        catalog.claims(name) for name in ("new_x", "bare_x", "frontdesk_x", "newer", "__new_x", "ansible_new_x")
    ] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_wrong_rules_name_their_file(collection: Path) -> None:
    write(collection / "roles/bare/meta/rules.yml", {"x": 1})
    with pytest.raises(RuleError, match=r"roles/bare/meta/rules.yml has to be a list"):
        read_catalog(collection, load)
