# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hook around a reboot, on an engine in memory."""

from __future__ import annotations

import http.server
import importlib.util
import socketserver
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError, Json
from tests.swarm_engine import NO_LEADER, FakeEngine, QuickClock, node, service, task

SOURCE = Path(__file__).resolve().parents[3] / "roles/swarm/files/reboot_hook.py"
TIED = "no suitable node (scheduling constraints not satisfied on 2 nodes)"


class Clock(QuickClock):
    def time(self) -> float:
        return 1_000_000 + self.now


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("reboot_hook", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "MARKER", tmp_path / "state" / "swarm-drained")
    monkeypatch.setattr(module, "time", Clock())
    return module


def attach(hook: ModuleType, engine: FakeEngine) -> FakeEngine:
    def ask(method: str, path: str, body: Any = None, **query: Any) -> Any:
        try:
            if method == "GET":
                return engine.get(path, query)
            return engine.post(path, body, {**query, "version": int(query["version"])})
        except EngineError as error:
            raise hook.Refusal(str(error)) from error

    hook.ask = ask
    return engine


def three() -> FakeEngine:
    engine = FakeEngine(node("web-1"), node("web-2"), node("web-3"))
    engine.services = [service("page", 2), service("tied", 1), service("agent", None)]
    engine.tasks = [task("page", "web-1"), task("page", "web-2"), task("tied", "web-1"), task("agent", "web-1")]

    def move(method: str, path: str, body: Any) -> None:
        if path == "/nodes/id-web-1/update" and body["Availability"] == "drain":
            engine.tasks = [task("page", "web-3"), task("page", "web-2"), task("tied", "", "pending", error=TIED)]

    engine.after = move
    return engine


def spec(engine: FakeEngine, name: str = "web-1") -> Json:
    return engine.nodes[f"id-{name}"]["Spec"]


def drain(hook: ModuleType) -> int:
    return hook.main("/etc/x/before.d/20-swarm-drain")


def active(hook: ModuleType) -> int:
    return hook.main("/etc/x/after.d/20-swarm-active")


def test_a_manager_is_drained_and_takes_tasks_again(hook: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    engine = attach(hook, three())
    spec(engine)["Labels"] = {"zone": "a"}
    assert drain(hook) == 0
    assert spec(engine) == {
        "Role": "manager",
        "Availability": "drain",
        "Labels": {"zone": "a", "frontdesk-reboot": "1000000"},
    }
    assert hook.MARKER.exists()
    assert active(hook) == 0
    assert spec(engine) == {"Role": "manager", "Availability": "active", "Labels": {"zone": "a"}}
    assert not hook.MARKER.exists()
    assert "drained" in capsys.readouterr().out


def test_a_service_that_is_tied_to_the_node_is_not_awaited(hook: ModuleType) -> None:
    attach(hook, three())
    assert drain(hook) == 0
    assert hook.time.now == 0


def test_nothing_is_undone_that_the_hook_has_not_done(hook: ModuleType) -> None:
    engine = attach(hook, three())
    spec(engine)["Availability"] = "drain"
    assert drain(hook) == 0
    assert active(hook) == 0
    assert (spec(engine)["Availability"], engine.log) == ("drain", [])


def test_a_drain_by_somebody_during_the_reboot_stays(hook: ModuleType) -> None:
    engine = attach(hook, three())
    assert drain(hook) == 0
    spec(engine)["Labels"] = {}
    assert active(hook) == 0
    assert spec(engine)["Availability"] == "drain"


@pytest.mark.parametrize("role", ["worker", "none", "only", "stopped"])
def test_who_cannot_drain_leaves_it_to_the_engine(hook: ModuleType, role: str) -> None:
    engine = attach(hook, FakeEngine(node("web-1"), node("web-2", "worker")) if role == "only" else FakeEngine())
    if role == "worker":
        engine.enter("worker", "10.0.0.4")
    if role == "stopped":

        def ask(*arguments: Any, **query: Any) -> Any:
            raise FileNotFoundError(2, "No such file or directory")

        hook.ask = ask
    assert drain(hook) == 0
    assert engine.log == []
    assert not hook.MARKER.exists()


@pytest.mark.parametrize(
    ("others", "allowed"),
    [
        (["reachable", "reachable"], True),
        (["reachable", "unreachable"], False),
        (["reachable"], True),
        (["unreachable"], False),
        (["reachable", "reachable", "reachable", "unreachable"], True),
        (["reachable", "reachable", "unreachable", "unreachable"], False),
    ],
)
def test_the_managers_that_stay_keep_their_majority(
    hook: ModuleType, capsys: pytest.CaptureFixture[str], others: list[str], allowed: bool
) -> None:
    nodes = [node(f"web-{n}", ManagerStatus={"Reachability": word}) for n, word in enumerate(others, start=2)]
    engine = attach(hook, FakeEngine(node("web-1"), *nodes))
    assert drain(hook) == (0 if allowed else 1)
    if not allowed:
        assert "lose their majority" in capsys.readouterr().err
        assert engine.log == []


def test_a_cluster_without_a_leader_refuses(hook: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    attach(hook, three()).refuse("GET", "/nodes", NO_LEADER, 503)
    assert drain(hook) == 1
    assert "does not have a leader" in capsys.readouterr().err


def test_one_after_the_other(hook: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    engine = attach(hook, three())
    spec(engine, "web-2").update(Availability="drain", Labels={"frontdesk-reboot": "999990"})
    assert drain(hook) == 1
    assert "web-2 is being drained or rebooted" in capsys.readouterr().err
    spec(engine, "web-2")["Labels"] = {}
    assert drain(hook) == 1, "its task still runs"
    engine.tasks = [task("page", "web-3")]
    assert drain(hook) == 0, "a node that is drained for good bars nobody"


def test_a_reboot_that_was_forgotten_bars_nobody(hook: ModuleType) -> None:
    engine = attach(hook, three())
    spec(engine, "web-2")["Labels"] = {"frontdesk-reboot": str(1_000_000 - hook.FORGOTTEN - 1)}
    assert drain(hook) == 0


@pytest.mark.parametrize(("since", "first"), [("999999", False), ("1000000", True), ("1000001", True)])
def test_of_two_at_the_same_moment_one_goes_on(hook: ModuleType, since: str, first: bool) -> None:
    engine = attach(hook, three())
    inner = engine.after

    def other(method: str, path: str, body: Any) -> None:
        inner(method, path, body)
        spec(engine, "web-2")["Labels"] = {"frontdesk-reboot": since}

    engine.after = other
    assert drain(hook) == (0 if first else 1)
    assert spec(engine)["Availability"] == ("drain" if first else "active")
    assert hook.MARKER.exists() == first


def test_tasks_that_do_not_move_stop_the_reboot(hook: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    engine = attach(hook, three())
    engine.after = lambda *arguments: None
    assert drain(hook) == 1
    assert "did not move within 300 s: 3 tasks still run here" in capsys.readouterr().err
    assert spec(engine) == {"Role": "manager", "Availability": "active", "Labels": {}}
    assert not hook.MARKER.exists()


def test_a_service_that_runs_too_few_elsewhere_stops_the_reboot(
    hook: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = attach(hook, three())

    def stop(method: str, path: str, body: Any) -> None:
        engine.tasks = [task("page", "web-2"), task("page", "web-3", "starting")]

    engine.after = stop
    assert drain(hook) == 1
    assert "page runs 1 of 2, tied runs 0 of 1" in capsys.readouterr().err


def test_a_drain_that_was_interrupted_is_continued(hook: ModuleType) -> None:
    engine = attach(hook, three())
    spec(engine).update(Availability="drain", Labels={"frontdesk-reboot": "999990"})
    engine.tasks = []
    assert drain(hook) == 0
    assert spec(engine)["Labels"] == {"frontdesk-reboot": "999990"}


def test_after_the_boot_the_engine_gets_time(hook: ModuleType) -> None:
    engine = attach(hook, three())
    assert drain(hook) == 0
    engine.refuse("GET", "/info", "no such socket", 0, times=2)
    engine.refuse("GET", "/nodes/", NO_LEADER, 503, times=2)
    engine.nodes["id-web-1"]["Status"]["State"] = "down"
    inner = engine._info

    def info() -> Any:
        if hook.time.now > 6:
            engine.nodes["id-web-1"]["Status"]["State"] = "ready"
        return inner()

    engine._info = info  # type: ignore[method-assign]
    assert active(hook) == 0
    assert spec(engine)["Availability"] == "active"


@pytest.mark.parametrize("case", ["pending", "worker"])
def test_a_node_that_does_not_come_back_says_so(
    hook: ModuleType, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    engine = attach(hook, three())
    assert drain(hook) == 0
    if case == "pending":
        engine.state = "pending"
    else:
        engine.role = "worker"
    assert active(hook) == 1
    assert ("state is pending" if case == "pending" else "no manager any more") in capsys.readouterr().err
    assert hook.MARKER.exists(), "the next boot tries again"


def test_a_write_of_somebody_else_in_between_is_kept(hook: ModuleType) -> None:
    engine = attach(hook, three())
    engine.refuse("POST", "/nodes/", "update out of sequence", times=2)
    assert drain(hook) == 0
    engine.refuse("POST", "/nodes/", "update out of sequence", times=5)
    assert active(hook) == 1


def test_the_engine_is_asked_over_its_socket(hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (
                b'{"message": "rpc error: code = Unknown desc = refused"}'
                if "bad" in self.path
                else b'{"path": "%s"}' % self.path.encode()
            )
            self.send_response(503 if "bad" in self.path else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "socket"

        def log_message(self, *arguments: Any) -> None:
            """Keep quiet."""

    path = str(tmp_path / "s.sock")
    with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(hook, "SOCKET", path)
        assert hook.ask("GET", "/tasks", filters={"node": ["a"]}) == {
            "path": "/tasks?filters=%7B%22node%22%3A%20%5B%22a%22%5D%7D"
        }
        with pytest.raises(hook.Refusal, match=r"^refused$"):
            hook.ask("GET", "/bad")
        server.shutdown()
