# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""swarm_stack's option limit: a part of a stack is written, the rest is left as it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.fake_swarm import Json, StackRuns, triples


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> StackRuns:
    return StackRuns(monkeypatch)


def members(settings: str = "one", image: str = "trial/good:1", **options: Any) -> Json:
    """Three members with one config and one secret."""
    return {
        "networks": [{"name": "net"}],
        "secrets": [{"name": "password", "content": "a-secret-word"}],
        "configs": [{"name": "settings", "content": settings}],
        "services": [
            {
                "name": f"member-{number}",
                "image": image,
                "networks": [{"name": "net"}],
                "secrets": [{"source": "password"}],
                "configs": [{"source": "settings"}],
            }
            for number in (1, 2, 3)
        ],
        **options,
    }


def services_of(result: Json) -> list[str]:
    return [service["name"] for service in result["services"]]


def versions(runs: StackRuns) -> dict[str, Any]:
    return {name: item["Version"] for name, item in runs.swarm.objects["services"].items()}


def test_only_the_named_service_is_created_with_what_it_names(runs: StackRuns) -> None:
    stack = members()
    stack["services"].append({"name": "other", "image": "trial/good:1", "secrets": [{"source": "unused"}]})
    stack["secrets"].append({"name": "unused", "content": "another-secret-word"})
    stack["networks"].append({"name": "unused"})
    result = runs.run(**stack, limit=["member-2"])
    assert [(action, kind) for action, kind, _name in triples(result)] == [
        ("create", "network"),
        ("create", "secret"),
        ("create", "config"),
        ("create", "service"),
    ]
    assert (sorted(runs.swarm.objects["services"]), services_of(result)) == (["app_member-2"], ["app_member-2"])
    assert sorted(runs.swarm.objects["networks"]) == ["app_net"]


def test_members_are_rolled_one_after_the_other_and_the_last_call_cleans_up(runs: StackRuns) -> None:
    runs.run(**members())
    runs.run(**members("two"))
    told = runs.run(**members("three"), check_mode=True, keep_versions=0)
    assert [name for _action, kind, name in triples(told) if kind == "service"] == [
        "app_member-1",
        "app_member-2",
        "app_member-3",
    ]
    for number in (3, 2, 1):
        before = versions(runs)
        result = runs.run(**members("three"), limit=[f"member-{number}"], keep_versions=0)
        changed = {name for name, version in versions(runs).items() if before[name] != version}
        assert changed == {f"app_member-{number}"}
        assert not [change for change in triples(result) if change[0] == "delete"]
    last = runs.run(**members("three"), keep_versions=0)
    assert [action for action, _kind, _name in triples(last)] == ["delete"]
    assert last["removed_versions"] == told["removed_versions"]


def test_what_is_not_listed_any_more_stays(runs: StackRuns) -> None:
    runs.run(**members())
    shorter = members("two")
    shorter["services"].pop()
    shorter["networks"].append({"name": "new"})
    runs.run(**shorter, limit=["member-1"])
    assert "app_member-3" in runs.swarm.objects["services"]
    assert sorted(runs.swarm.objects["networks"]) == ["app_net"]


def test_a_network_that_differs_is_left_as_it_is(runs: StackRuns) -> None:
    runs.run(**members())
    result = runs.run(
        **members("two", networks=[{"name": "net", "internal": True}]), limit=["member-1"], replace=["net"]
    )
    assert {kind for _action, kind, _name in triples(result)} == {"config", "service"}


def test_a_service_that_fails_beside_it_is_not_waited_for(runs: StackRuns) -> None:
    stack = members()
    stack["services"][2]["image"] = "trial/crash:1@sha256:" + "3" * 64
    assert runs.try_run(**stack)["failed"]
    began = runs.swarm.time
    stack["configs"][0]["content"] = "two"
    assert services_of(runs.run(**stack, limit=["member-1"])) == ["app_member-1"]
    assert runs.swarm.time - began < 30


def test_the_limited_service_itself_is_waited_for(runs: StackRuns) -> None:
    runs.run(**members())
    stack = members()
    stack["services"][0]["image"] = "trial/crash:1@sha256:" + "3" * 64
    result = runs.try_run(**stack, limit=["member-1"])
    assert [failure["service"] for failure in result["failures"]] == ["app_member-1"]


def test_a_mode_is_changed_only_with_leave(runs: StackRuns) -> None:
    runs.run(**members())
    stack = members()
    stack["services"][0]["deploy"] = {"mode": "global"}
    assert "replace: [service/member-1]" in runs.try_run(**stack, limit=["member-1"])["msg"]
    assert not runs.run(**stack, limit=["member-2"])["changed"]
    result = runs.run(**stack, limit=["member-1"], replace=["member-1"])
    assert triples(result) == [("replace", "service", "app_member-1")]


def test_an_empty_limit_is_no_service(runs: StackRuns) -> None:
    result = runs.run(**members(), limit=[])
    assert (result["changed"], result["services"], runs.swarm.objects["services"]) == (False, [], {})


def test_unchanged_costs_no_write_and_no_look_at_the_nodes(runs: StackRuns) -> None:
    runs.run(**members())
    result = runs.run(**members(), limit=["member-1"])
    assert (result["changed"], result["api_writes"], result["api_reads"]) == (False, 0, 5)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({**members(), "limit": ["member-4", "app_member-1"]}, "limit names 'app_member-1', which is no service"),
        ({"state": "absent", "limit": ["member-1"]}, "limit is for state=present"),
    ],
)
def test_a_limit_without_sense_is_refused(runs: StackRuns, options: Json, fault: str) -> None:
    before = copy.deepcopy(runs.swarm.objects)
    result = runs.try_run(**options)
    assert fault in result["msg"]
    assert runs.swarm.objects == before


def test_a_fault_of_another_service_is_told_all_the_same(runs: StackRuns) -> None:
    stack = members()
    stack["services"][2]["networks"] = [{"name": "nowhere"}]
    assert "services[member-3].networks names 'nowhere'" in runs.try_run(**stack, limit=["member-1"])["msg"]
