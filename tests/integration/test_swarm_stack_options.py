# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth table of swarm_stack on a real Swarm: each key of its argument spec created, unchanged, changed, removed.

The list of keys comes from the module itself, so a key without a line in the table fails here.
"""

from __future__ import annotations

import importlib
import itertools
import re
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.stack_arguments import argument_spec
from tests.integration.swarm_stack_runs import Stack, stack_of, triples
from tests.integration.swarm_stack_samples import (
    SAMPLES,
    STACK,
    TESTED_ALONE,
    argument_keys,
    differing,
    sample_parts,
    service_name,
    shown_at,
)
from tests.swarm_nodes import Json, Swarm

pytestmark = pytest.mark.lab

COLUMNS = ("created", "changed", "removed")
SPEC = argument_spec()
KEYS = sorted(key for key in argument_keys(SPEC) if key in SAMPLES)


@dataclass
class Column:
    """A column of the table: what check mode said, what was done, what a further run did, and the live services."""

    predicted: Json
    done: Json
    again: Json
    specs: dict[str, Json] = field(default_factory=dict)


@dataclass
class Table:
    """The whole story of one stack."""

    columns: dict[str, Column]
    absent: Column
    left: dict[str, list[str]]
    seconds: float


def stack_parts(column: str) -> Json:
    """The stack of a column."""
    parts: Json = {
        "services": [],
        "networks": [{"name": "shared"}, {"name": "other"}],
        "secrets": [{"name": "shared", "content": "a secret"}, {"name": "other", "content": "another secret"}],
        "configs": [{"name": "shared", "content": "a"}, {"name": "other", "content": "b"}],
        "volumes": [{"name": "plain"}, {"name": "other"}],
    }
    for key in KEYS:
        for kind, items in sample_parts(SPEC, key, column).items():
            parts[kind] += items
    return parts


def named(stack: Stack, spec: Json, networks: dict[str, str]) -> Json:
    """A service's specification with the stack's own names in place of ids, hashes and full names."""
    for network in spec["TaskTemplate"].get("Networks", []):
        network["Target"] = networks[network["Target"]].removeprefix(f"{stack.name}_")
    container = spec["TaskTemplate"]["ContainerSpec"]
    for kind in ("Secret", "Config"):
        for reference in container.get(f"{kind}s", []):
            del reference[f"{kind}ID"]
            version = re.fullmatch(rf"{stack.name}_(.+)_[0-9a-f]{{12}}", reference[f"{kind}Name"])
            assert version, reference
            reference[f"{kind}Name"] = version[1]
    return spec


def live_specs(stack: Stack) -> dict[str, Json]:
    """What the CLI shows of each service, by its key."""
    manager = stack.swarm.manager
    lines = manager.lines("network", "ls", "--no-trunc", "--format={{.ID}} {{.Name}}")
    networks = dict(line.split() for line in lines)
    shown = [item["Spec"] for item in manager.inspect("service", *stack.names("service"))]
    found = {spec["Name"]: named(stack, spec, networks) for spec in shown}
    return {key: found[f"{stack.name}_{service_name(key)}"] for key in KEYS}


def run_column(stack: Stack, **parts: Any) -> Column:
    return Column(
        predicted=stack.apply(check_mode=True, **parts),
        done=stack.apply(**parts),
        again=stack.apply(**parts),
    )


@pytest.fixture(scope="module")
def table(swarm: Swarm) -> Table:
    started = time.monotonic()
    columns = {}
    with stack_of(swarm, STACK) as stack:
        for name in COLUMNS:
            columns[name] = run_column(stack, **stack_parts(name))
            columns[name].specs = live_specs(stack)
        absent = run_column(stack, state="absent")
        left = swarm.of_stack(STACK)
    seconds = time.monotonic() - started
    print(f"truth table: {seconds:.1f} s")
    return Table(columns, absent, left, seconds)


def test_every_key_of_the_argument_spec_has_a_line_in_the_table():
    keys = set(argument_keys(SPEC))
    lines = {*SAMPLES, *TESTED_ALONE}
    assert sorted(keys - lines) == [], "keys without a line"
    assert sorted(lines - keys) == [], "lines without a key"
    assert not set(TESTED_ALONE) & set(SAMPLES)


def test_the_walk_goes_into_every_option_and_names_what_takes_a_value():
    deepest = {"type": "dict", "options": {"c": {"type": "str"}}}
    spec = {"a": {"type": "list", "elements": "dict", "options": {"b": deepest, "d": {"type": "dict"}}}, "e": {}}
    assert list(argument_keys(spec)) == ["a.b.c", "a.d", "e"]
    assert len(list(argument_keys(SPEC))) > 100


@pytest.mark.parametrize("key", sorted(TESTED_ALONE))
def test_a_key_outside_the_table_has_its_own_test(key: str):
    file, *names = TESTED_ALONE[key].split("::")
    found: Any = importlib.import_module(f"tests.integration.{file}")
    for name in names:
        found = getattr(found, name)
    assert callable(found)


@pytest.mark.parametrize("column", COLUMNS)
def test_check_mode_predicts_exactly_what_is_done(table: Table, column: str):
    found = table.columns[column]
    assert found.predicted["changed"] is True
    assert found.predicted["api_writes"] == 0
    assert found.done["changes"] == found.predicted["changes"]
    assert found.done["diff"] == found.predicted["diff"]


@pytest.mark.parametrize("column", [*COLUMNS, "absent"])
def test_a_further_run_changes_and_writes_nothing(table: Table, column: str):
    again = (table.absent if column == "absent" else table.columns[column]).again
    assert (again["changed"], again["changes"], again["api_writes"]) == (False, [], 0)


def differs(key: str, column: str) -> bool:
    """Whether the engine shows something else than in the column before."""
    if column == "created":
        return True
    sample = SAMPLES[key]
    return sample.expected(COLUMNS[COLUMNS.index(column) - 1]) != sample.expected(column)


@pytest.mark.parametrize("column", COLUMNS)
def test_exactly_the_services_that_differ_are_written(table: Table, column: str):
    action = "create" if column == "created" else "update"
    wanted = [(action, "service", f"{STACK}_{service_name(key)}") for key in KEYS if differs(key, column)]
    assert [triple for triple in triples(table.columns[column].done) if triple[1] == "service"] == sorted(wanted)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_created_changed_and_removed_alone(table: Table, key: str):
    sample = SAMPLES[key]
    specs = {column: table.columns[column].specs[key] for column in COLUMNS}
    assert {column: shown_at(spec, sample.at) for column, spec in specs.items()} == {
        column: sample.expected(column) for column in COLUMNS
    }
    for before, after in itertools.pairwise(specs.values()):
        beside = [place for place in differing(before, after) if not place.startswith((sample.at, *sample.also))]
        assert beside == []


FOLLOWING = {"healthcheck.disable": "healthcheck.test", "deploy.update_config.order": "deploy.rollback_config.order"}
"""Fields that follow another key."""


def field_of(key: str) -> str:
    """The field of a service by which a change names a key: for those of a list's elements the list."""
    if key.startswith("volumes."):
        return "volumes"
    path, options = [], SPEC
    for name in key.split("."):
        path.append(name)
        if len(path) > 1 and options[name].get("elements") == "dict":
            break
        options = options[name].get("options", {})
    return ".".join(path[1:])


@pytest.mark.parametrize("key", [key for key in KEYS if differs(key, "changed")])
def test_a_change_names_the_key(table: Table, key: str):
    done = table.columns["changed"].done
    change = next(item for item in done["changes"] if item["name"] == f"{STACK}_{service_name(key)}")
    assert change["before"] != change["after"]
    fields = (field_of(key), FOLLOWING.get(key.removeprefix("services.")))
    shown = {*change["before"], *change["after"]}
    assert shown
    assert [name for name in shown if not any(f"{name}.".startswith(f"{field}.") for field in fields)] == []


def test_the_removed_stack_leaves_nothing(table: Table):
    assert table.absent.done["changes"] == table.absent.predicted["changes"]
    assert {triple[0] for triple in triples(table.absent.done)} == {"delete"}
    assert table.left == {"service": [], "secret": [], "config": [], "network": []}


def test_the_table_is_quick(table: Table):
    assert table.seconds < 240, f"{table.seconds:.0f} s"
