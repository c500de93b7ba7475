# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's metadata agrees with itself, with the modules and with the tests."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.gates.sanity import CORES
from tests.unit.consistency.repository import CHECKOUT, text, tracked

GALAXY = yaml.safe_load(text(Path("galaxy.yml")))
RUNTIME = yaml.safe_load(text(Path("meta/runtime.yml")))
MODULES = sorted(path.stem for path in tracked() if path.parent == Path("plugins/modules") and path.suffix == ".py")
# https://docs.ansible.com/ansible/latest/dev_guide/collections_galaxy_meta.html and Galaxy's importer
GALAXY_TAGS = {
    "application", "cloud", "database", "eda", "infrastructure", "linux", "monitoring", "networking", "security",
    "storage", "tools", "windows",
}  # fmt: skip
FOLDERS = {
    "action", "become", "cache", "callback", "cliconf", "connection", "doc_fragments", "filter", "httpapi", "inventory",
    "lookup", "module_utils", "modules", "netconf", "plugin_utils", "shell", "strategy", "terminal", "test", "vars",
}  # fmt: skip


def requirements(path: str) -> dict[str, Requirement]:
    lines = (line.partition("#")[0].strip() for line in text(Path(path)).splitlines())
    parsed = (Requirement(line) for line in lines if line and not line.startswith("-"))
    return {requirement.name.lower(): requirement for requirement in parsed}


@pytest.fixture(scope="module")
def documentation() -> dict[str, dict]:
    """What ansible-doc says about each module, the shared fragments included."""
    command = ["ansible-doc", "--metadata-dump", "frontdesk.platform"]
    dumped = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert dumped.returncode == 0, dumped.stderr
    modules = json.loads(dumped.stdout)["all"]["module"]
    return {name.rpartition(".")[2]: document for name, document in modules.items()}


def test_every_module_is_documented(documentation):
    assert sorted(documentation) == MODULES


def test_action_group_lists_the_modules_that_take_its_options(documentation):
    group = RUNTIME["action_groups"]["frontdesk"]
    assert group == sorted(group)
    for name, document in documentation.items():
        membership = document["doc"]["attributes"].get("action_group", {}).get("membership", [])
        assert (name in group) == ("frontdesk.platform.frontdesk" in membership), name
        assert name in group or "api_token" not in document["doc"].get("options", {}), name


@pytest.mark.parametrize("module", MODULES)
def test_module_says_what_it_supports(module, documentation):
    document = documentation[module]
    attributes = document["doc"]["attributes"]
    assert {"check_mode", "diff_mode", "idempotent"} <= set(attributes)
    assert attributes["check_mode"]["support"] == "full"
    assert document["doc"]["version_added"] == "1.0.0"
    assert document["examples"].lstrip().startswith("- name: ")
    assert document["return"] is not None


def test_galaxy_metadata_meets_galaxys_rules():
    assert re.fullmatch(r"[1-9]\d*\.\d+\.\d+", GALAXY["version"])
    assert GALAXY_TAGS & set(GALAXY["tags"])
    assert len(GALAXY["tags"]) <= 20
    assert all(re.fullmatch(r"[a-z][a-z0-9]{0,63}", tag) for tag in GALAXY["tags"])
    assert all(len(author) <= 64 for author in GALAXY["authors"])
    assert {"repository", "documentation", "homepage", "issues"} <= set(GALAXY)


def test_dependencies_are_bounded_on_both_sides_and_the_same_everywhere():
    for version in GALAXY["dependencies"].values():
        assert re.fullmatch(r">=[1-9]\d*\.\d+\.\d+,<\d+\.\d+\.\d+", version)
    listed = yaml.safe_load(text(Path("requirements.yml")))["collections"]
    assert {item["name"]: item["version"] for item in listed} == GALAXY["dependencies"]


def test_supported_cores_are_those_that_sanity_runs():
    admitted = SpecifierSet(RUNTIME["requires_ansible"])
    assert all(admitted.contains(core) for core in CORES)
    oldest = min(CORES, key=lambda core: [int(part) for part in core.split(".")])
    assert RUNTIME["requires_ansible"] == f">={oldest.rpartition('.')[0]}.0"
    readme = text(Path("README.md"))
    for core in CORES:
        assert core.rpartition(".")[0] in readme


def test_newest_core_is_the_one_that_the_setup_installs():
    assert str(requirements("requirements.txt")["ansible-core"].specifier) == f"=={CORES[0]}"


@pytest.mark.parametrize("path", ["requirements.txt", "requirements-dev.txt"])
def test_python_packages_are_pinned(path):
    loose = [str(item) for item in requirements(path).values() if not re.fullmatch(r"==[^*,]+", str(item.specifier))]
    assert not loose, "\n".join(loose)


def test_execution_environment_asks_for_what_the_controller_needs():
    environment = yaml.safe_load(text(Path("meta/execution-environment.yml")))
    assert all((CHECKOUT / path).is_file() for path in environment["dependencies"].values())
    pinned = requirements("requirements.txt")
    ranges = requirements(environment["dependencies"]["python"])
    assert set(ranges) == set(pinned) - {"ansible-core"}
    for name, requirement in ranges.items():
        assert requirement.specifier.contains(next(iter(pinned[name].specifier)).version)


def test_plugins_lie_only_where_core_looks_for_them():
    used = {path.parts[1] for path in tracked() if path.parts[0] == "plugins" and len(path.parts) > 2}
    assert used <= FOLDERS


def test_every_link_in_galaxy_yml_is_https():
    assert all(GALAXY[key].startswith("https://") for key in ("repository", "documentation", "homepage", "issues"))
