# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes in hetzner_infrastructure, against the lab cloud's Hetzner."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.modules import hetzner_infrastructure
from tests.hetzner_runs import (
    NOTHING,
    Case,
    Project,
    assert_changed_once,
    leaves,
    setting,
    triples,
    wanted_project,
    without,
)

CREATED = [("create", "volume", "data")]
UPDATED = [("update", "volume", "data")]
NAMED = {"replace": ["volume/data"]}
FORGOTTEN = {"delete_protected": ["volume/data"]}


def stored(**options: Any) -> dict[str, Any]:
    """Two servers, and a volume at the first."""
    wanted = wanted_project(2)
    volume = {
        "name": "data",
        "size": 10,
        "location": "fsn1",
        "server": "web-1",
        "format": "ext4",
        "labels": {"tier": "data"},
        "delete_protection": True,
    }
    wanted["volumes"] = [{**volume, **options}]
    return wanted


def unformatted() -> dict[str, Any]:
    """The same, but the volume may be anywhere and has no file system."""
    wanted: dict[str, Any] = without(without(stored(), ["volumes", "location"]), ["volumes", "format"])
    return wanted


def place(project: Project) -> tuple[int | None, str]:
    """The server's number and the location of the volume."""
    live = project.live("volumes", "data")
    return live["server"], live["location"]["name"]


def number_of(project: Project, server: str) -> int:
    number: int = project.live("servers", server)["id"]
    return number


def _volume(name: str, value: Any) -> Any:
    return setting("volumes", 0, name, value=value)


CASES = {
    "volumes.size": Case(_volume("size", 20), UPDATED),
    "volumes.server": Case(_volume("server", "web-2"), UPDATED, NAMED),
    "volumes.labels": Case(_volume("labels", {"tier": "other"}), UPDATED),
    "volumes.delete_protection": Case(_volume("delete_protection", False), UPDATED),
}
# A name selects; the others cannot change, see TestImpossible.
NOT_CHANGED = {"volumes.name", "volumes.location", "volumes.format"}
NEEDED = {"volumes.name"}
SPEC = {"volumes": hetzner_infrastructure.argument_spec()["volumes"]}


class TestEveryOption:
    def test_has_a_case(self) -> None:
        assert set(leaves(SPEC)) == set(CASES) | NOT_CHANGED

    @pytest.mark.parametrize("name", sorted(CASES))
    def test_is_changed_once(self, name: str, project: Project) -> None:
        changed = stored()
        CASES[name].change(changed)
        assert_changed_once(project, stored(), changed, CASES[name])

    def test_all_are_set_by_a_creation(self, project: Project) -> None:
        told = project.run(stored(), check_mode=True)
        done = project.run(stored())
        assert triples(told) == triples(done)
        assert CREATED[0] in triples(done)
        assert project.run(stored())["changes"] == []
        live = project.live("volumes", "data")
        assert (live["size"], live["format"], live["labels"]["tier"]) == (10, "ext4", "data")
        assert live["protection"] == {"delete": True}
        assert place(project) == (number_of(project, "web-1"), "fsn1")

    def test_is_left_alone_when_unset(self, project: Project) -> None:
        project.run(stored())
        unset = {name: without(stored(), name.split(".")) for name in set(leaves(SPEC)) - NEEDED}
        assert {name for name, less in unset.items() if project.run(less, check_mode=True)["changes"]} == set()


class TestPlace:
    def test_a_new_volume_is_made_where_its_new_server_got(self, project: Project) -> None:
        # The server goes to the second location because the first has none of its types.
        for server_type in ("cx23", "cpx22"):
            project.lab.stock(server_type, "fsn1", False)
        try:
            project.run(without(stored(), ["volumes", "location"]))
        finally:
            for server_type in ("cx23", "cpx22"):
                project.lab.stock(server_type, "fsn1", True)
        assert place(project) == (number_of(project, "web-1"), "nbg1")

    def test_a_new_server_is_made_where_its_volume_is(self, project: Project) -> None:
        project.run({"volumes": [{"name": "data", "size": 10, "location": "nbg1"}]})
        project.run(unformatted())
        assert place(project) == (number_of(project, "web-1"), "nbg1")
        assert project.live("servers", "web-2")["location"]["name"] == "fsn1"

    def test_a_new_server_cannot_be_elsewhere(self, project: Project) -> None:
        project.run({"volumes": [{"name": "data", "size": 10, "location": "hel1"}]})
        writes = project.writes()
        result = project.try_run(unformatted())
        assert "server web-1: it is wanted in fsn1, nbg1, but volume data is in hel1" in result["msg"]
        assert project.writes() == writes

    def test_without_a_server_it_lies_where_it_is_told(self, project: Project) -> None:
        project.run({"volumes": [{"name": "data", "size": 10, "location": "hel1"}]})
        assert place(project) == (None, "hel1")

    def test_detached_and_attached_again(self, project: Project) -> None:
        project.run(stored())
        assert triples(project.run(stored(server=""), **NAMED)) == UPDATED
        assert place(project) == (None, "fsn1")
        assert project.run(stored(server=""))["changes"] == []
        assert triples(project.run(stored())) == UPDATED
        assert place(project)[0] == number_of(project, "web-1")


class TestResult:
    def test_tells_how_to_mount(self, project: Project) -> None:
        found = project.run(stored())["resources"]["volume"]["data"]
        assert found["linux_device"] == f"/dev/disk/by-id/scsi-0HC_Volume_{found['id']}"
        assert (found["server"], found["size"], found["format"], found["location"]) == ("web-1", 10, "ext4", "fsn1")
        assert project.run(stored())["resources"]["volume"]["data"] == found

    def test_the_change_tells_what_the_creation_told(self, project: Project) -> None:
        told = project.run(stored(), check_mode=True)["changes"][-1]
        assert told["after"]["linux_device"] == told["after"]["id"] == "(known after creation)"
        done = project.run(stored())["changes"][-1]
        assert done["after"]["linux_device"].endswith(str(done["after"]["id"]))


class TestImpossible:
    """Refused before any write, whatever the user allows: a volume holds data and is never made again."""

    @pytest.mark.parametrize(
        ("option", "value", "words"),
        [
            ("size", 10, "size 20 -> 10 is impossible: a volume only grows"),
            ("location", "nbg1", "location fsn1 -> nbg1 is impossible: a volume cannot move"),
            ("format", "xfs", "format ext4 -> xfs is impossible: Hetzner formats a volume when it makes it"),
        ],
    )
    def test_change(self, option: str, value: Any, words: str, project: Project) -> None:
        project.run(stored(size=20))
        writes = project.writes()
        changed: dict[str, Any] = {"size": 20, option: value}
        result = project.try_run(stored(**changed), replace=["volume/data", "data"], **FORGOTTEN)
        assert words in result["msg"]
        assert project.writes() == writes

    def test_server_elsewhere(self, project: Project) -> None:
        wanted = stored()
        wanted["servers"][1]["locations"] = ["nbg1"]
        project.run(wanted)
        wanted["volumes"][0]["server"] = "web-2"
        result = project.try_run(wanted, **NAMED)
        assert "server web-2 is in nbg1, and a volume in fsn1 can be attached only there" in result["msg"]

    def test_new_volume_and_its_server_apart(self, project: Project) -> None:
        wanted = stored()
        project.run({key: value for key, value in wanted.items() if key != "volumes"})
        wanted["volumes"][0]["location"] = "hel1"
        assert "server web-1 is in fsn1" in project.try_run(wanted)["msg"]

    @pytest.mark.parametrize(
        ("volume", "words"),
        [
            ({"size": 9, "location": "fsn1"}, "its size is 9, and a volume has 10 to 10240 GB"),
            ({"location": "fsn1"}, "its creation needs size"),
            ({"size": 10}, "its creation needs a location or a server"),
            ({"size": 10, "server": ""}, "its creation needs a location or a server"),
            ({"size": 10, "server": "nowhere"}, "server nowhere, which is neither listed nor there"),
        ],
    )
    def test_creation(self, volume: dict[str, Any], words: str, project: Project) -> None:
        result = project.try_run({"volumes": [{"name": "data", **volume}]})
        assert words in result["msg"]
        assert project.writes() == []


class TestRunningServer:
    def test_gives_no_volume_away_unasked(self, project: Project) -> None:
        project.run(stored())
        writes = project.writes()
        result = project.try_run(stored(server="web-2"))
        assert (
            "volume data: server web-1 -> web-2 (server web-1 runs, and loses what it has not written yet"
            in result["msg"]
        )
        assert "as in load_balancer/NAME" in result["msg"]
        assert project.writes() == writes
        # A server's name does not stand for a volume.
        assert project.try_run(stored(server="web-2"), replace=["data"])["failed"]

    def test_a_stopped_one_does(self, project: Project) -> None:
        stopped = stored()
        stopped["servers"][0]["running"] = False
        project.run(stopped)
        stopped["volumes"][0]["server"] = "web-2"
        assert triples(project.run(stopped)) == UPDATED
        assert place(project)[0] == number_of(project, "web-2")


class TestServerGoes:
    def test_it_stops_and_gives_the_volume_back_first(self, project: Project) -> None:
        project.run(stored())
        server, volume = number_of(project, "web-1"), project.live("volumes", "data")["id"]
        writes = len(project.writes())
        wanted = stored()
        del wanted["servers"][0], wanted["volumes"][0]
        result = project.run(wanted, prune=True)
        assert triples(result) == [("delete", "server", "web-1")]
        assert [item["name"] for item in result["kept"]] == ["data"]
        assert project.writes()[writes:] == [
            ("POST", f"/servers/{server}/actions/shutdown"),
            ("POST", f"/volumes/{volume}/actions/detach"),
            ("DELETE", f"/servers/{server}"),
        ]
        assert place(project) == (None, "fsn1")

    @pytest.mark.parametrize("listed", [True, False], ids=["listed", "not looked at"])
    def test_a_server_that_is_made_again_has_it_again(self, listed: bool, project: Project) -> None:
        project.run(stored())
        old = number_of(project, "web-1")
        wanted = stored()
        wanted["servers"][0]["image"] = "ubuntu-24.04"
        if not listed:
            del wanted["volumes"]
        project.run(wanted, replace=["web-1"])
        new = number_of(project, "web-1")
        assert new != old
        assert place(project) == (new, "fsn1")
        assert project.run(wanted)["changes"] == []

    def test_a_server_cannot_be_made_again_elsewhere(self, project: Project) -> None:
        project.run(stored())
        writes = project.writes()
        wanted = stored()
        wanted["servers"][0]["locations"] = ["nbg1"]
        assert "volume data is in fsn1" in project.try_run(wanted, replace=["web-1"])["msg"]
        del wanted["volumes"]
        assert "it has volumes in fsn1" in project.try_run(wanted, replace=["web-1"])["msg"]
        assert project.writes() == writes

    def test_a_volume_cannot_want_a_server_that_goes(self, project: Project) -> None:
        project.run(stored())
        wanted = stored()
        del wanted["servers"][0]
        result = project.try_run(wanted, prune=True)
        assert "volume data names server web-1, which is not listed and would be pruned" in result["msg"]


class TestPrune:
    @pytest.mark.parametrize("options", [{}, {"delete_protected": ["data"]}], ids=["unnamed", "named like a server"])
    @pytest.mark.parametrize("protected", [True, False])
    def test_keeps_data(self, options: dict[str, Any], protected: bool, project: Project) -> None:
        project.run({"volumes": [{"name": "data", "size": 10, "location": "fsn1", "delete_protection": protected}]})
        result = project.run({"volumes": []}, prune=True, **options)
        assert result["changes"] == []
        reason = "it holds data, name it as volume/data in delete_protected to delete it"
        assert result["kept"] == [{"kind": "volume", "name": "data", "reason": reason}]

    @pytest.mark.parametrize("protected", [True, False])
    def test_deletes_what_is_named(self, protected: bool, project: Project) -> None:
        project.run({"volumes": [{"name": "data", "size": 10, "location": "fsn1", "delete_protection": protected}]})
        told = project.run({"volumes": []}, check_mode=True, prune=True, **FORGOTTEN)
        assert triples(told) == [("delete", "volume", "data")]
        assert triples(project.run({"volumes": []}, prune=True, **FORGOTTEN)) == triples(told)
        assert project.all("volumes") == []

    def test_keeps_what_a_server_uses_that_stays(self, project: Project) -> None:
        project.run(stored())
        result = project.run({**stored(), "volumes": []}, prune=True, **FORGOTTEN)
        assert result["changes"] == []
        assert "server web-1 uses it" in result["kept"][0]["reason"]

    def test_everything_at_once(self, project: Project) -> None:
        project.run(stored())
        project.run(NOTHING, prune=True, **FORGOTTEN)
        assert [project.all(kind) for kind in ("servers", "volumes")] == [[], []]

    def test_leaves_volumes_of_others(self, project: Project) -> None:
        project.api("POST", "/volumes", {"name": "theirs", "size": 10, "location": "fsn1"})
        result = project.run({"volumes": []}, prune=True, delete_protected=["volume/theirs"])
        assert (result["changes"], result["kept"]) == ([], [])
        assert "Not ours" in project.try_run({"volumes": [{"name": "theirs", "size": 20}]})["msg"]
        done = project.run({"volumes": [{"name": "theirs", "size": 20}]}, adopt=["volume/theirs"])
        assert triples(done) == [("update", "volume", "theirs")]
        assert project.live("volumes", "theirs")["size"] == 20


class TestCost:
    def test_is_told_by_size(self, project: Project) -> None:
        # 0.044 EUR for a GB and a month.
        wanted = {"volumes": [{"name": "data", "size": 100, "location": "fsn1"}]}
        asked = project.run(wanted, cost_confirmed=False)
        assert (asked["confirmation_needed"], asked["cost"]["monthly_after"]) == (True, 4.4)
        assert "1 volume would cost 4.40 EUR" in asked["msg"]
        assert project.writes() == []
        project.run(wanted)
        wanted["volumes"][0]["size"] = 200
        cost = project.run(wanted, check_mode=True)["cost"]
        assert (cost["monthly_before"], cost["monthly_after"]) == (4.4, 8.8)


class TestHalfMade:
    def test_a_volume_whose_attachment_failed_is_attached_by_the_next_run(self, project: Project) -> None:
        project.lab.fault(effect="action_error", command="attach_volume", message="no luck", token=project.token)
        assert "no luck" in project.try_run(stored())["msg"]
        project.run(stored())
        assert place(project)[0] == number_of(project, "web-1")
        assert project.live("volumes", "data")["protection"]["delete"] is True
        assert project.creations().count("/volumes") == 1
        assert project.run(stored())["changes"] == []

    @pytest.mark.parametrize("call", ["^/volumes$", "/actions/attach$", "/actions/detach$", "/actions/resize$"])
    @pytest.mark.parametrize("effect", ["drop_before", "drop_after"])
    def test_lost_answers(self, effect: str, call: str, project: Project) -> None:
        project.lab.fault(effect=effect, method="POST", path=call, token=project.token)
        project.run(stored())
        moved = stored(server="web-2", size=20)
        project.run(moved, **NAMED)
        assert place(project)[0] == number_of(project, "web-2")
        assert project.run(moved)["changes"] == []
        assert len(project.all("volumes")) == 1
