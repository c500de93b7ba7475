# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine in memory, in place of the socket: what the modules for a Swarm ask and write, and no more."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import swarm_common
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError, Json

NO_LEADER = "The swarm does not have a leader. It's possible that too few managers are online"
NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm'
)
CLUSTER = "cluster-1"
DAY = 86_400_000_000_000


class QuickClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def use_quick_clock(monkeypatch: pytest.MonkeyPatch) -> QuickClock:
    """Let waiting take no time; the clock tells how long it was."""
    clock = QuickClock()
    monkeypatch.setattr(swarm_common, "time", clock)
    return clock


def node(name: str, role: str = "manager", **more: Any) -> Json:
    """A node as GET /nodes tells it; its number is `id-` and the name."""
    document: Json = {
        "ID": f"id-{name}",
        "Version": {"Index": 10},
        "Spec": {"Labels": {}, "Role": role, "Availability": "active"},
        "Description": {"Hostname": name, "Engine": {"EngineVersion": "26.1.5"}},
        "Status": {"State": "ready", "Addr": f"10.0.0.{name[-1]}"},
    }
    if role == "manager":
        document["ManagerStatus"] = {"Reachability": "reachable", "Addr": f"10.0.0.{name[-1]}:2377"}
    document["Spec"].update(more.pop("spec", {}))
    document.update(more)
    return document


def overlay(name: str, mtu: int | None = 1450, **more: Any) -> Json:
    """An overlay network as GET /networks tells it."""
    options = {} if mtu is None else {"com.docker.network.driver.mtu": str(mtu)}
    return {
        "Id": f"net-{name}",
        "Name": name,
        "Driver": "overlay",
        "Scope": "swarm",
        "Attachable": False,
        "Internal": False,
        "Ingress": False,
        "Options": {**options, "com.docker.network.driver.overlay.vxlanid_list": "4097"},
        **more,
    }


def service(name: str, replicas: int | None = 2, **spec: Any) -> Json:
    """A service as GET /services tells it; replicas None: a global one."""
    mode = {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}}
    template = {"ContainerSpec": {"Image": f"{name}:1"}}
    return {"ID": f"svc-{name}", "Spec": {"Name": name, "Mode": mode, "TaskTemplate": template, **spec}}


def task(of: str, on: str, state: str = "running", desired: str = "running", error: str = "") -> Json:
    """A task as GET /tasks tells it."""
    status: Json = {"State": state, "Timestamp": "2026-01-01T00:00:00Z"}
    if error:
        status["Err"] = error
    return {"ServiceID": f"svc-{of}", "NodeID": f"id-{on}" if on else "", "Status": status, "DesiredState": desired}


class FakeEngine:
    """One engine. With nodes it is a manager of their cluster, without it is in none.

    log:      method and path of every write, in order.
    refusals: by method and beginning of the path, what is raised in place of an answer, one after the other.
    after:    called after every write with method, path and body, so that a test can let something happen.
    """

    def __init__(self, *nodes: Json, networks: tuple[Json, ...] = (), name: str = "web-1") -> None:
        self.name = name
        self.nodes = {item["ID"]: item for item in nodes}
        self.networks = {item["Id"]: item for item in networks}
        self.services: list[Json] = []
        self.tasks: list[Json] = []
        self.containers: list[Json] = []
        self.swarm: Json | None = None
        self.state = "inactive"
        self.error = ""
        self.role = "worker"
        self.address = ""
        self.reads = self.writes = 0
        self.log: list[str] = []
        self.bodies: list[tuple[str, Any, Any]] = []
        self.refusals: dict[tuple[str, str], list[EngineError]] = {}
        self.after: Callable[[str, str, Any], None] = lambda method, path, body: None
        if nodes:
            self.enter("manager", "10.0.0.1")

    def enter(self, role: str, address: str) -> None:
        self.state, self.role, self.address = "active", role, address
        if role == "manager" and self.swarm is None:
            self.swarm = {
                "ID": CLUSTER,
                "CreatedAt": "2026-01-01T00:00:00Z",
                "UpdatedAt": "2026-01-02T00:00:00Z",
                "Version": {"Index": 5},
                "Spec": {
                    "Name": "default",
                    "Orchestration": {"TaskHistoryRetentionLimit": 5},
                    "CAConfig": {"NodeCertExpiry": 90 * DAY},
                },
                "DefaultAddrPool": ["10.200.0.0/16"],
                "SubnetSize": 24,
                "DataPathPort": 4789,
                "JoinTokens": {"Worker": "SWMTKN-worker", "Manager": "SWMTKN-manager"},
            }

    def refuse(self, method: str, path: str, text: str, status: int = 500, times: int = 1) -> None:
        self.refusals.setdefault((method, path), []).extend([EngineError(text, status)] * times)

    # -- the interface of DockerEngine --------------------------------------

    def get(self, path: str, query: Any = None, *, absent: Any = (), timeout: float | None = None) -> Any:
        self.reads += 1
        self._check("GET", path)
        found = self._answer(path, (query or {}).get("filters") or {})
        if found is None:
            if 404 in absent:
                return None
            raise EngineError(f"{path} not found", 404)
        return copy.deepcopy(found)

    def post(self, path: str, body: Any = None, query: Any = None, *, absent: Any = ()) -> Any:
        self._write("POST", path, body, query)
        if path == "/swarm/init":
            self.nodes[f"id-{self.name}"] = node(self.name)
            self.enter("manager", body["AdvertiseAddr"])
        elif path == "/swarm/join":
            self.nodes[f"id-{self.name}"] = node(self.name, "worker")
            self.enter("manager" if "manager" in body["JoinToken"] else "worker", body["AdvertiseAddr"])
        elif path == "/swarm/leave":
            self.state, self.nodes, self.swarm = "inactive", {}, None
        elif path == "/swarm/update":
            self._update_swarm(body, query)
        elif path == "/networks/create":
            self.networks[f"net-{body['Name']}"] = {"Id": f"net-{body['Name']}", **body}
        elif path.startswith("/nodes/"):
            self._update_node(self.nodes[path.split("/")[2]], body, query)
        self.after("POST", path, body)

    def delete(self, path: str, query: Any = None, *, absent: Any = (404,)) -> Any:
        self._write("DELETE", path, None, query)
        kind, identity = path.split("/")[1:3]
        self.containers = [item for item in self.containers if item["Id"] != identity]
        store = self.nodes if kind == "nodes" else self.networks
        for key in [key for key, item in store.items() if identity in (key, item.get("Name"))]:
            del store[key]
        self.after("DELETE", path, None)

    # -- inside -------------------------------------------------------------

    def _check(self, method: str, path: str) -> None:
        for (verb, start), errors in self.refusals.items():
            if verb == method and path.startswith(start) and errors:
                raise errors.pop(0)

    def _write(self, method: str, path: str, body: Any, query: Any) -> None:
        self.writes += 1
        self._check(method, path)
        self.log.append(f"{method} {path}")
        self.bodies.append((path, copy.deepcopy(body), query))

    def _answer(self, path: str, filters: Json) -> Any:
        if path == "/info":
            return self._info()
        if path.startswith("/networks"):
            return self._networks(path)
        if path == "/containers/json":
            return self.containers
        if path != "/version" and (self.state == "inactive" or self.role != "manager"):
            raise EngineError(NO_MANAGER, 503)
        answers: Json = {
            "/version": {"Version": "26.1.5"},
            "/swarm": self.swarm,
            "/nodes": list(self.nodes.values()),
            "/services": self.services,
            "/tasks": list(self._tasks(filters)),
        }
        return answers[path] if path in answers else self.nodes.get(path.split("/")[2])

    def _networks(self, path: str) -> Any:
        if path == "/networks":
            return list(self.networks.values())
        wanted = path.split("/")[2]
        return next((item for key, item in self.networks.items() if wanted in (key, item["Name"])), None)

    def _tasks(self, filters: Json) -> Iterator[Json]:
        for item in self.tasks:
            if "node" in filters and item["NodeID"] not in filters["node"]:
                continue
            if "desired-state" in filters and item["DesiredState"] not in filters["desired-state"]:
                continue
            yield item

    def _info(self) -> Json:
        member = self.state != "inactive"
        manager = member and self.role == "manager"
        swarm: Json = {
            "NodeID": f"id-{self.name}" if member else "",
            "NodeAddr": self.address if member else "",
            "LocalNodeState": self.state,
            "ControlAvailable": manager,
            "Error": self.error,
            "RemoteManagers": [{"NodeID": "id-web-1", "Addr": "10.0.0.1:2377"}] if member else None,
        }
        if manager:
            swarm["Cluster"] = self.swarm
        return {"Name": self.name, "ServerVersion": "26.1.5", "Swarm": swarm}

    def _update_swarm(self, body: Json, query: Json) -> None:
        assert self.swarm is not None
        if query["version"] != self.swarm["Version"]["Index"]:
            raise EngineError("update out of sequence", 500)
        self.swarm["Spec"] = body
        self.swarm["Version"]["Index"] += 1
        for role in ("Worker", "Manager"):
            if query.get(f"rotate{role}Token"):
                self.swarm["JoinTokens"][role] += "-new"

    def _update_node(self, found: Json, body: Json, query: Json) -> None:
        if query["version"] != found["Version"]["Index"]:
            raise EngineError("update out of sequence", 500)
        found["Spec"] = copy.deepcopy(body)
        found["Version"]["Index"] += 1
        if body["Role"] == "manager":
            found.setdefault("ManagerStatus", {"Reachability": "reachable"})
        else:
            found.pop("ManagerStatus", None)
