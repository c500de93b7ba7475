# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A swarm in memory, as far as swarm_stack sees it, and runs of the module against it.

It keeps the engine's documented behaviours: one counter of versions and "update out of sequence", immutable secrets and
configs that cannot go while a service uses them, conflicts of names, PreviousSpec, UpdateStatus, rollbacks. Time passes
only while somebody sleeps: each pause is one turn of the orchestrator.
What a service's tasks do is said by its image: `trial/good:1` runs, see BEHAVIOURS for others.
"""

from __future__ import annotations

import base64
import copy
import struct
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.modules import swarm_stack
from tests.hetzner_runs import run_module

Json = dict[str, Any]

# By a word in the image: the state that its tasks end in, and the error.
BEHAVIOURS = {
    "crash": ("failed", "task: non-zero exit (1)"),
    "missing": ("rejected", "No such image: trial/missing:1"),
    "homeless": ("pending", "no suitable node (scheduling constraints not satisfied on 3 nodes)"),
    "slow": ("starting", ""),
    "done": ("complete", ""),
    # Runs at once, and fails later.
    "late": ("running", ""),
}
KEY = "a-key-of-a-test-that-is-long"
# Turns that an update takes after its last task runs: Swarm goes on watching it.
MONITOR = 2


class FakeClock:
    """Time that passes only in pauses, in which the swarm works."""

    def __init__(self, swarm: FakeSwarm) -> None:
        self.swarm = swarm
        self.pauses = 0

    def now(self) -> float:
        return self.swarm.time

    def sleep(self, seconds: float) -> None:
        self.pauses += 1
        assert self.pauses < 5000, "the module waits for ever"
        self.swarm.pass_time(seconds)


class FakeSwarm:
    """The state of the managers, and their orchestrator."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        # Of the API, as far as the module asks for them.
        self.versions = ["1.41", "1.44"]
        self.index = 10
        self.objects: dict[str, dict[str, Json]] = {kind: {} for kind in ("services", "secrets", "configs", "networks")}
        self.tasks: dict[str, Json] = {}
        self.nodes = [node(number) for number in (1, 2, 3)]
        self.digests = {"trial/good:1": "sha256:" + "1" * 64, "trial/good:2": "sha256:" + "2" * 64}
        self.logs: dict[str, bytes] = {}
        self.health: dict[str, str] = {}
        # What happens instead of the next answer, by "METHOD /path" prefix: errors, once each, or always when kept.
        self.faults: list[tuple[str, EngineError, bool]] = []
        # Called before the next write, once: somebody else is faster.
        self.interloper: Callable[[], None] | None = None
        self._settled_turns: dict[str, int] = {}
        self._serial = 0

    # Times and versions.

    def stamp(self) -> str:
        """The time as the engine writes it, different each time."""
        self._serial += 1
        whole = datetime.fromtimestamp(int(self.time), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{whole}.{self._serial:09d}Z"

    def identity(self, prefix: str) -> str:
        self._serial += 1
        return f"{prefix}{self._serial:08d}"

    def touch(self, item: Json) -> None:
        self.index += 1
        item["Version"] = {"Index": self.index}
        item["UpdatedAt"] = self.stamp()

    # Objects.

    def add(self, kind: str, spec: Json) -> Json:
        name = spec["Name"]
        if name in self.objects[kind]:
            raise EngineError(f"{kind[:-1]} {name} already exists", 409)
        item: Json = {"ID": self.identity(kind[:3]), "CreatedAt": self.stamp(), "Spec": copy.deepcopy(spec)}
        self.touch(item)
        self.objects[kind][name] = item
        return item

    def add_network(self, body: Json) -> Json:
        name = body["Name"]
        if name in self.objects["networks"]:
            raise EngineError(f"network with name {name} already exists", 409)
        subnet = ((body.get("IPAM") or {}).get("Config") or [{"Subnet": "10.201.1.0/24"}])[0]["Subnet"]
        item = {
            "Id": self.identity("net"),
            "Name": name,
            "Scope": "swarm",
            "Driver": body["Driver"],
            "Internal": body.get("Internal", False),
            "Attachable": body.get("Attachable", False),
            "Options": {**(body.get("Options") or {}), "com.docker.network.driver.overlay.vxlanid_list": "4097"},
            "Labels": body.get("Labels"),
            "IPAM": {"Driver": "default", "Config": [{"Subnet": subnet, "Gateway": "10.201.1.1"}]},
        }
        self.objects["networks"][name] = item
        return item

    def add_service(self, spec: Json) -> Json:
        if spec["Name"] in self.objects["services"]:
            raise EngineError(f"name conflicts with an existing object: service {spec['Name']} already exists", 409)
        return self.add("services", self.stored(spec))

    def stored(self, spec: Json) -> Json:
        """What the engine makes of a specification before it keeps it."""
        spec = copy.deepcopy(spec)
        spec.setdefault("Labels", {})
        template = spec["TaskTemplate"]
        template["ContainerSpec"].setdefault("Isolation", "default")
        template.setdefault("ForceUpdate", 0)
        template["Runtime"] = "container"
        names = {name: item["Id"] for name, item in self.objects["networks"].items()}
        for attachment in template.get("Networks") or []:
            attachment["Target"] = names.get(attachment["Target"], attachment["Target"])
        for key in ("UpdateConfig", "RollbackConfig"):
            for entry in ("Delay", "MaxFailureRatio"):
                if entry in spec.get(key, {}) and not spec[key][entry] and entry == "Delay":
                    del spec[key][entry]
        for key in ("Secrets", "Configs"):
            for reference in template["ContainerSpec"].get(key) or []:
                name, identity = reference[f"{key[:-1]}Name"], reference[f"{key[:-1]}ID"]
                known = self.objects[key.lower()].get(name)
                if not known or known["ID"] != identity:
                    raise EngineError(f"{key[:-1].lower()} {name} not found", 400)
        return spec

    def update_service(self, identity: str, spec: Json, query: Mapping[str, Any]) -> None:
        service = self.find("services", identity)
        if service["Version"]["Index"] != query["version"]:
            raise EngineError("update out of sequence", 500)
        if query.get("rollback") == "previous":
            self.roll_back(service)
            return
        if set(spec["Mode"]) != set(service["Spec"]["Mode"]):
            raise EngineError("service mode change is not allowed", 501)
        service["PreviousSpec"], service["Spec"] = service["Spec"], self.stored(spec)
        service.pop("UpdateStatus", None)
        self._settled_turns[service["ID"]] = 0
        self.touch(service)

    def roll_back(self, service: Json) -> None:
        service["Spec"] = service.pop("PreviousSpec")
        service["UpdateStatus"] = {"State": "rollback_started"}
        self._settled_turns[service["ID"]] = 0
        self.touch(service)

    def find(self, kind: str, name: str) -> Json:
        for key, item in self.objects[kind].items():
            if name in (key, item.get("ID"), item.get("Id")):
                return item
        raise EngineError(f"{kind[:-1]} {name} not found", 404)

    def remove(self, kind: str, name: str) -> None:
        item = self.find(kind, name)
        users = [service for service in self.objects["services"].values() if self.uses(service, kind, item)]
        if users:
            raise EngineError(
                f"{kind[:-1]} '{name}' is in use by the following service: {users[0]['Spec']['Name']}", 400
            )
        del self.objects[kind][item["Name"] if kind == "networks" else item["Spec"]["Name"]]
        if kind == "services":
            for task in self.tasks_of(item):
                task["DesiredState"] = "remove"

    @staticmethod
    def uses(service: Json, kind: str, item: Json) -> bool:
        template = service["Spec"]["TaskTemplate"]
        if kind == "networks":
            return any(entry["Target"] == item["Id"] for entry in template.get("Networks") or [])
        key = kind.capitalize()
        if key == "Services":
            return False
        references = template["ContainerSpec"].get(key) or []
        return any(reference[f"{key[:-1]}ID"] == item["ID"] for reference in references)

    # The orchestrator.

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        for task in [task for task in self.tasks.values() if task["DesiredState"] in ("remove", "shutdown")]:
            if task["DesiredState"] == "remove":
                del self.tasks[task["ID"]]
            elif task["Status"]["State"] not in ("failed", "rejected", "complete"):
                task["Status"]["State"] = "shutdown"
        for service in self.objects["services"].values():
            self.orchestrate(service)

    def tasks_of(self, service: Json) -> list[Json]:
        return [task for task in self.tasks.values() if task["ServiceID"] == service["ID"]]

    def places(self, service: Json) -> list[Json]:
        mode = service["Spec"]["Mode"]
        if "Global" in mode:
            ready = [item for item in self.nodes if item["Spec"]["Availability"] == "active"]
            wanted = (service["Spec"]["TaskTemplate"].get("Placement") or {}).get("Constraints") or []
            labels = [entry.removeprefix("node.labels.").split("==") for entry in wanted]
            return [{"NodeID": n["ID"]} for n in ready if all(n["Spec"]["Labels"].get(k) == v for k, v in labels)]
        return [{"Slot": number + 1} for number in range(mode["Replicated"]["Replicas"])]

    def orchestrate(self, service: Json) -> None:
        """One turn: every place gets a task of the current template; then the update's state."""
        places = self.places(service)
        dirty = False
        for place in places:
            own = [task for task in self.tasks_of(service) if self.is_at(task, place)]
            if own and own[-1]["Spec"] == self.template(service) and own[-1]["Status"]["State"] == "complete":
                continue
            current = [
                task for task in own if task["Spec"] == self.template(service) and task["DesiredState"] != "shutdown"
            ]
            for task in own:
                if task not in current and task["DesiredState"] == "running":
                    task["DesiredState"] = "shutdown"
                    dirty = True
            dirty |= self.advance(service, place, current)
        for task in self.tasks_of(service):
            if task["DesiredState"] == "running" and not any(self.is_at(task, place) for place in places):
                task["DesiredState"] = "shutdown"
        self.follow_update(service, dirty)

    @staticmethod
    def is_at(task: Json, place: Json) -> bool:
        return (
            (task.get("Slot") == place.get("Slot")) if "NodeID" not in place else task.get("NodeID") == place["NodeID"]
        )

    @staticmethod
    def template(service: Json) -> Json:
        return {key: value for key, value in service["Spec"]["TaskTemplate"].items() if key != "Runtime"}

    def advance(self, service: Json, place: Json, current: list[Json]) -> bool:
        """Make or move on the task of a place; whether it was made."""
        state, error = self.behaviour(service)
        alive = [task for task in current if task["Status"]["State"] in ("preparing", "running", "starting", "pending")]
        if alive:
            task = alive[0]
            if task["Status"]["State"] == "preparing":
                task["Status"].update(State=state, Timestamp=self.stamp(), **({"Err": error} if error else {}))
                if state in ("failed", "rejected", "complete"):
                    task["DesiredState"] = "shutdown"
            return False
        policy = service["Spec"]["TaskTemplate"].get("RestartPolicy") or {}
        failed = [
            task
            for task in self.tasks_of(service)
            if self.is_at(task, place)
            and task["Status"]["State"] in ("failed", "rejected")
            and task["Spec"] == self.template(service)
        ]
        if policy.get("Condition") == "none" and failed:
            return False
        if policy.get("MaxAttempts") and len(failed) > policy["MaxAttempts"]:
            return False
        task = {
            "ID": self.identity("task"),
            "CreatedAt": self.stamp(),
            "ServiceID": service["ID"],
            "Spec": self.template(service),
            "NodeID": "" if state == "pending" else self.nodes[0]["ID"],
            **place,
            "DesiredState": "running",
            "Labels": {},
            "Status": {
                "State": "preparing",
                "Timestamp": self.stamp(),
                "ContainerStatus": {"ContainerID": self.identity("c")},
            },
        }
        self.tasks[task["ID"]] = task
        return True

    def behaviour(self, service: Json) -> tuple[str, str]:
        image = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        return next((found for word, found in BEHAVIOURS.items() if word in image), ("running", ""))

    def follow_update(self, service: Json, dirty: bool) -> None:
        state = (service.get("UpdateStatus") or {}).get("State", "")
        if "PreviousSpec" not in service and not state.startswith("rollback"):
            return
        if not state and dirty and self._settled_turns.get(service["ID"]) == 0:
            state = "updating"
        current = [task for task in self.tasks_of(service) if task["Spec"] == self.template(service)]
        action = (service["Spec"].get("UpdateConfig") or {}).get("FailureAction", "pause")
        if state == "updating" and any(task["Status"]["State"] in ("failed", "rejected") for task in current):
            if action == "rollback":
                self.roll_back(service)
                return
            state = "paused" if action == "pause" else state
        elif (
            state in ("updating", "rollback_started")
            and not dirty
            and all(task["Status"]["State"] == "running" for task in current if task["DesiredState"] == "running")
        ):
            turns = self._settled_turns.get(service["ID"], 0) + 1
            self._settled_turns[service["ID"]] = turns
            if turns > MONITOR:
                state = "completed" if state == "updating" else "rollback_completed"
        if state and state != (service.get("UpdateStatus") or {}).get("State"):
            service["UpdateStatus"] = {"State": state}
            self.touch(service)


class FakeEngine:
    """The engine of one manager: DockerEngine's methods on a FakeSwarm."""

    def __init__(self, swarm: FakeSwarm) -> None:
        self.swarm = swarm
        self.reads = 0
        self.writes = 0
        self.calls: list[tuple[str, str]] = []

    def speaks(self, version: str) -> bool:
        return version in self.swarm.versions

    def get(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        absent: Collection[int] = (),
        timeout: float | None = None,
    ) -> Any:
        self.reads += 1
        return self._answer("GET", path, absent, lambda: copy.deepcopy(self._get(path, query or {})))

    def post(
        self,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        *,
        absent: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Any:
        self.writes += 1
        return self._answer("POST", path, absent, lambda: self._post(path, body, query or {}))

    def delete(self, path: str, query: Mapping[str, Any] | None = None, *, absent: Collection[int] = (404,)) -> Any:
        self.writes += 1
        _empty, kind, name = path.split("/")
        return self._answer("DELETE", path, absent, lambda: self.swarm.remove(kind, name))

    def raw(self, path: str, query: Mapping[str, Any] | None = None, *, timeout: float | None = None) -> bytes:
        self.reads += 1
        return self._answer("GET", path, (), lambda: self.swarm.logs.get(path.split("/")[2], b""))

    def _answer(self, method: str, path: str, absent: Collection[int], call: Callable[[], Any]) -> Any:
        self.calls.append((method, path))
        if method != "GET" and self.swarm.interloper:
            interloper, self.swarm.interloper = self.swarm.interloper, None
            interloper()
        for fault in list(self.swarm.faults):
            prefix, error, lasts = fault
            if f"{method} {path}".startswith(prefix):
                if not lasts:
                    self.swarm.faults.remove(fault)
                if str(error) == "after the write":
                    call()
                raise error
        try:
            return call()
        except EngineError as error:
            if error.status in absent:
                return None
            raise

    def _get(self, path: str, query: Mapping[str, Any]) -> Any:
        parts = path.split("/")[1:]
        if parts[0] == "distribution":
            image = "/".join(parts[1:-1])
            if image not in self.swarm.digests:
                raise EngineError("manifest unknown: manifest unknown", 404)
            platforms = [{"architecture": "amd64", "os": "linux"}, {"architecture": "unknown", "os": "unknown"}]
            return {"Descriptor": {"digest": self.swarm.digests[image]}, "Platforms": platforms}
        if parts[0] == "nodes":
            return self.swarm.nodes
        if parts[0] == "containers":
            log = [{"ExitCode": 1, "Output": self.swarm.health[parts[1]]}] if parts[1] in self.swarm.health else []
            return {"State": {"Health": {"Log": log}}}
        if parts[0] == "tasks":
            return self._filtered_tasks(query)
        if len(parts) > 1:
            return self.swarm.find(parts[0], parts[1])
        items = list(self.swarm.objects[parts[0]].values())
        if "filters" in query:
            items = [item for item in items if _has_labels(item, query["filters"]["label"])]
        if parts[0] == "secrets":
            items = [{**item, "Spec": {k: v for k, v in item["Spec"].items() if k != "Data"}} for item in items]
        return items

    def _filtered_tasks(self, query: Mapping[str, Any]) -> list[Json]:
        # Tasks carry the labels of their service, also after its end.
        known = getattr(self.swarm, "labels", {})
        for service in self.swarm.objects["services"].values():
            known[service["ID"]] = service
        self.swarm.labels = known  # type: ignore[attr-defined]
        wanted = query["filters"]["label"]
        return [task for task in self.swarm.tasks.values() if _has_labels(known[task["ServiceID"]], wanted)]

    def _post(self, path: str, body: Any, query: Mapping[str, Any]) -> Any:
        parts = path.split("/")[1:]
        if parts[0] == "services" and parts[-1] == "update":
            return self.swarm.update_service(parts[1], body, query)
        if parts[0] == "networks":
            return {"Id": self.swarm.add_network(body)["Id"]}
        if parts[0] == "services":
            return {"ID": self.swarm.add_service(body)["ID"]}
        if not 0 < len(base64.b64decode(body["Data"])) < 500 * 1024:
            raise EngineError(f"{parts[0][:-1]} data must be larger than 0 and less than 512000 bytes", 400)
        return {"ID": self.swarm.add(parts[0], body)["ID"]}


def _has_labels(item: Json, wanted: list[str]) -> bool:
    labels = (item.get("Spec") or item).get("Labels") or {}
    return all(labels.get(entry.split("=")[0]) == entry.split("=")[1] for entry in wanted)


def node(number: int, **labels: str) -> Json:
    """A manager as the engine shows it."""
    return {
        "ID": f"node{number}",
        "Spec": {"Role": "manager", "Availability": "active", "Labels": labels},
        "Description": {"Hostname": f"host-{number}", "Platform": {"OS": "linux", "Architecture": "x86_64"}},
        "Status": {"State": "ready", "Addr": f"10.0.0.{number}"},
    }


def framed(text: str, stream: int = 1) -> bytes:
    """A piece of a log as the engine sends it."""
    data = text.encode()
    return struct.pack(">BxxxI", stream, len(data)) + data


class StackRuns:
    """Runs of swarm_stack, with its real arguments, on one swarm."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.swarm = FakeSwarm()
        self.engine = FakeEngine(self.swarm)
        monkeypatch.setattr(swarm_stack, "DockerEngine", self._new_engine)
        monkeypatch.setattr(swarm_stack, "Clock", lambda: FakeClock(self.swarm))
        monkeypatch.setattr("time.time", lambda: self.swarm.time)

    def _new_engine(self, _socket: str, timeout: float) -> FakeEngine:
        assert timeout <= 30
        self.engine = FakeEngine(self.swarm)
        return self.engine

    def try_run(self, check_mode: bool = False, diff: bool = True, **params: Any) -> Json:
        """A run that may fail."""
        wanted = {"name": "app", "hash_key": KEY, **params}
        before = copy.deepcopy(self.swarm.objects)
        result = run_module("swarm_stack", wanted, check_mode=check_mode, diff=diff)
        if check_mode:
            assert self.swarm.objects == before, "check mode wrote"
        return result

    def run(self, check_mode: bool = False, **params: Any) -> Json:
        """A run that must succeed; a real one is told before by check mode, exactly."""
        told = self.try_run(check_mode=True, **params)
        assert not told.get("failed"), told["msg"]
        if check_mode:
            return told
        result = self.try_run(**params)
        assert not result.get("failed"), result["msg"]
        assert result["changes"] == told["changes"]
        assert result["changed"] == bool(told["changes"])
        assert result["removed_versions"] == told["removed_versions"]
        assert result["kept_versions"] == told["kept_versions"]
        # What was written is what is wanted: the next run finds nothing.
        again = self.try_run(**params)
        assert (again["changed"], again["api_writes"]) == (False, 0), again["changes"]
        return result

    def service(self, name: str) -> Json:
        """A service as the swarm has it."""
        return self.swarm.objects["services"][name]


def triples(result: Json) -> list[tuple[str, str, str]]:
    """(action, kind, name) of the changes."""
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]
