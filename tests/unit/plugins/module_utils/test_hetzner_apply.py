# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applier's decisions when an answer is lost, late, odd or bad; the longer stories are in the integration tests."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import hetzner_apply
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_actions import ActionPoller, actions_in
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerError
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kinds import KINDS
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import Kind, World
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_read import read_kinds, settle
from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import Clock
from tests.hetzner_runs import NOTHING, Project, triples, wanted_project, whole_project


def fault(project: Project, effect: str, **fields: Any) -> None:
    project.lab.fault(effect=effect, token=project.token, **fields)


class TestLostAnswers:
    def test_of_creations_are_found_by_name(self, project: Project) -> None:
        for kind in ("servers", "networks", "ssh_keys"):
            fault(project, "drop_after", method="POST", path=f"^/{kind}$")
        done = project.run(wanted_project(1))
        assert len(triples(done)) == 5
        assert all(change["action"] == "create" for change in done["changes"])
        assert not project.run(wanted_project(1))["changed"]

    def test_of_creations_that_never_happened_are_sent_again(self, project: Project) -> None:
        fault(project, "drop_before", method="POST", path="^/servers$", times=2)
        project.run(wanted_project(1))
        assert project.creations().count("/servers") == 1

    def test_end_after_some_tries(self, project: Project) -> None:
        fault(project, "drop_before", method="POST", path="^/servers$", times=None)
        result = project.try_run(wanted_project(1))
        assert "lost_answer" in result["msg"]
        assert "run again" in result["msg"]
        assert project.requests().count(("POST", "/servers")) == hetzner_apply.LOST_TRIES

    def test_of_actions_are_seen_at_the_object(self, project: Project) -> None:
        fault(project, "drop_after", method="POST", path="attach_to_network$")
        project.run(wanted_project(1))
        calls = [path for method, path in project.writes() if path.endswith("attach_to_network")]
        assert len(calls) == 1

    def test_of_actions_that_never_happened_are_sent_again(self, project: Project) -> None:
        fault(project, "drop_before", method="POST", path="attach_to_network$")
        project.run(wanted_project(1))
        assert project.live("servers", "web-1")["private_net"]

    def test_of_actions_end_after_some_tries(self, project: Project) -> None:
        fault(project, "drop_before", method="POST", path="attach_to_network$", times=None)
        assert "attach server web-1" in project.try_run(wanted_project(1))["msg"]

    def test_of_deletions(self, project: Project) -> None:
        project.run(wanted_project(1))
        fault(project, "drop_after", method="DELETE", times=2)
        project.run(NOTHING, prune=True)
        assert project.all("servers") == []


class TestOthers:
    def test_what_another_run_made_meanwhile_is_finished_and_not_claimed(self, project: Project) -> None:
        body = {"name": "main", "ip_range": "10.0.0.0/16", "labels": {"frontdesk.platform/owner": "test"}}
        # The list is read, then the other run creates, then ours is refused.
        wanted = {"networks": wanted_project(0)["networks"]}
        empty = read_kinds

        def late(client: Any, kinds: Any) -> Any:
            found = empty(client, kinds)
            if not project.creations():
                project.api("POST", "/networks", body)
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_read.read_kinds", late)
            result = project.run(wanted)
        assert triples(result) == [("update", "network", "main")]
        assert [subnet["ip_range"] for subnet in project.live("networks", "main")["subnets"]] == ["10.0.1.0/24"]

    def test_what_somebody_else_made_meanwhile_is_an_error(self, project: Project) -> None:
        empty = read_kinds

        def late(client: Any, kinds: Any) -> Any:
            found = empty(client, kinds)
            project.api("POST", "/networks", {"name": "main", "ip_range": "10.0.0.0/16"})
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_read.read_kinds", late)
            result = project.try_run({"networks": wanted_project(0)["networks"]})
        assert "uniqueness_error" in result["msg"]
        assert result["changes"] == []


class TestDoneMeanwhile:
    """What the list did not show yet, as when a run was killed and its last action went on."""

    def planned_before(self, project: Project, write: Any) -> Any:
        """A run whose first reading is followed by a write of another one."""
        real, writes = read_kinds, [write]

        def late(client: Any, kinds: Any) -> Any:
            found = real(client, kinds)
            if writes:
                writes.pop()()
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_read.read_kinds", late)
            return project.try_run(whole_project(1))

    def undo_and_do(self, project: Project, kind: str, undo: str, do: str, body: Any) -> Any:
        project.run(whole_project(1))
        path = f"/{kind}/{project.all(kind)[0]['id']}/actions"
        network = project.live("networks", "main")["id"]
        undone = {"network": network} if "network" in undo else {}
        project.api("POST", f"{path}/{undo}", {**undone, **({"listen_port": 443} if "service" in undo else {})})
        return self.planned_before(project, lambda: project.api("POST", f"{path}/{do}", body(project)))

    @pytest.mark.parametrize(
        ("kind", "undo", "do", "body"),
        [
            ("volumes", "detach", "attach", lambda project: {"server": project.live("servers", "web-1")["id"]}),
            (
                "load_balancers",
                "delete_service",
                "add_service",
                lambda project: {
                    "listen_port": 443,
                    "protocol": "tcp",
                    "destination_port": 443,
                    "proxyprotocol": True,
                    "health_check": project.live("load_balancers", "edge")["services"][0]["health_check"],
                },
            ),
            (
                "load_balancers",
                "detach_from_network",
                "attach_to_network",
                lambda project: {"network": project.live("networks", "main")["id"], "ip": "10.0.1.5"},
            ),
        ],
    )
    def test_is_no_failure(self, kind: str, undo: str, do: str, body: Any, project: Project) -> None:
        result = self.undo_and_do(project, kind, undo, do, body)
        assert not result.get("failed"), result["msg"]
        assert not project.run(whole_project(1))["changed"]

    def test_another_effect_is_one(self, project: Project) -> None:
        def elsewhere(project: Project) -> Any:
            return {"network": project.live("networks", "main")["id"], "ip": "10.0.1.77"}

        result = self.undo_and_do(project, "load_balancers", "detach_from_network", "attach_to_network", elsewhere)
        assert "load_balancer_already_attached" in result["msg"]


class TestFailures:
    def test_an_action_error_tells_what_was_done(self, project: Project) -> None:
        fault(project, "action_error", command="attach_to_network", code="action_failed", message="no luck")
        result = project.try_run(wanted_project(1))
        assert "no luck" in result["msg"]
        assert ("create", "server", "web-1") in triples(result)
        assert project.run(wanted_project(1))["changed"]

    def test_several_errors_are_counted(self, project: Project) -> None:
        fault(project, "status", status=422, code="invalid_input", method="POST", path="^/servers$", times=None)
        result = project.try_run(wanted_project(3))
        assert len(result["errors"]) == 3
        assert "And 2 more" in result["msg"]

    def test_an_answer_of_another_form(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Kind, "known", lambda self, created: created["a-field-that-is-not-there"])
        assert "another form than documented" in project.try_run(wanted_project(0))["msg"]

    def test_a_system_that_does_not_stop_is_switched_off(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.run(wanted_project(1))
        monkeypatch.setattr(hetzner_apply, "SHUTDOWN_GRACE", -1.0)
        wanted = wanted_project(1)
        wanted["servers"][0]["running"] = False
        project.run(wanted)
        assert any(path.endswith("/poweroff") for _method, path in project.writes())
        assert project.live("servers", "web-1")["status"] == "off"

    def test_deleted_under_our_hands(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        project.run(wanted_project(1))
        wanted = wanted_project(1)
        wanted["servers"][0]["labels"] = {"tier": "web"}
        monkeypatch.setattr(hetzner_apply, "read_one", lambda *_arguments: None)
        assert "deleted meanwhile" in project.try_run(wanted)["msg"]


class FakeClient:
    """Actions that change at every look; each look is what the test says."""

    def __init__(self, *looks: Any) -> None:
        self.looks = list(looks)
        self.now = 0.0
        self.clock = Clock(monotonic=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def actions(self, ids: list[int]) -> dict[int, Any]:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, Exception):
            raise look
        return {
            number: {"id": number, "command": "do", "error": None, **look[number]} for number in ids if number in look
        }

    def request(self, method: str, path: str, attempted: str = "") -> Any:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(look, Exception):
            raise look
        return {"server": look}


def _wait(*looks: Any, timeout: float = 60) -> None:
    running = {"id": 7, "status": "running", "command": "do", "error": None}
    poller = ActionPoller(FakeClient(*looks), timeout)  # type: ignore[arg-type]
    poller.wait({"action": running}, "do it", "corr-1")


class TestPoller:
    def test_waits(self) -> None:
        _wait({7: {"status": "running"}}, {7: {"status": "success"}})

    def test_what_has_ended_needs_no_look(self) -> None:
        poller = ActionPoller(FakeClient(AssertionError("a look")), 60)  # type: ignore[arg-type]
        poller.wait({"actions": [{"id": 1, "status": "success"}], "next_actions": None}, "do it", None)

    @pytest.mark.parametrize(
        ("looks", "words"),
        [
            ([{7: {"status": "error", "error": {"code": "c", "message": "bad"}}}], "bad"),
            ([{}], "is gone"),
            ([{7: {"status": "running"}}], "still running after 60 s"),
            ([HetznerError("unauthorized", "no", "look")], "unauthorized"),
        ],
    )
    def test_bad_ends(self, looks: list[Any], words: str) -> None:
        with pytest.raises(HetznerError, match=words):
            _wait(*looks)

    def test_an_action_that_is_missed_once_is_not_gone(self) -> None:
        _wait({}, {}, {7: {"status": "running"}}, {}, {}, {7: {"status": "success"}})

    def test_all_actions_of_an_answer(self) -> None:
        body = {"action": {"id": 1}, "actions": [{"id": 2}], "next_actions": [{"id": 3}]}
        assert [action["id"] for action in actions_in(body)] == [1, 2, 3]


class TestSettle:
    def server(self, status: str) -> dict[str, Any]:
        return {"id": 1, "name": "a", "status": status, "labels": {"frontdesk.platform/owner": "test"}}

    def settled(self, *looks: Any, timeout: float = 60) -> World:
        world = World("test", {"server": [self.server("initializing")]})
        settle(FakeClient(*looks), world, KINDS, timeout)  # type: ignore[arg-type]
        return world

    def test_waits_until_a_half_made_server_rests(self) -> None:
        world = self.settled(self.server("initializing"), self.server("off"))
        assert world.all("server")["a"]["status"] == "off"

    def test_a_server_that_is_deleted_is_gone(self) -> None:
        assert self.settled(self.server("deleting"), HetznerError("not_found", "", "")).all("server") == {}

    def test_not_for_ever(self) -> None:
        with pytest.raises(HetznerError, match="still initializing after 60 s"):
            self.settled(self.server("initializing"))

    def test_errors(self) -> None:
        with pytest.raises(HetznerError, match="unauthorized"):
            self.settled(HetznerError("unauthorized", "", ""))

    def test_servers_of_others_are_their_affair(self) -> None:
        world = World("me", {"server": [self.server("initializing")]})
        settle(FakeClient(AssertionError("a look")), world, KINDS, 60)  # type: ignore[arg-type]
