# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a cluster of PostgreSQL under Patroni to the wanted state: begins it once, sets, restarts one member after the other."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Containers, Outcome
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_model import (
    ClusterError,
    Json,
    View,
    cluster_change,
    leader_change,
    lowers_for_replicas,
    patch_of,
    problems,
    restart_change,
    restart_changes,
    restarts,
    setting_changes,
    setting_problems,
    settings_change,
    successor,
    view_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_settings import (
    PARAMETERS,
    same_value,
    tuned,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_clock import Clock

PROGRAM = "postgres-member"
# How long a permission to begin holds, in seconds: long enough for members that are just starting.
PERMISSION = 120
PAUSE = 1.0
# A cluster whose etcd was lost writes its state anew within a few of Patroni's loops.
RECOVERY = 60.0
# A reload takes a loop as well.
IN_FORCE = 30.0

SETTINGS_QUERY = """
select coalesce(json_object_agg(name, json_build_object('setting', setting, 'unit', unit, 'vartype', vartype, 'context', context,
  'min_val', min_val, 'max_val', max_val, 'enumvals', enumvals, 'boot_val', boot_val)), '{}')
from pg_settings where name = any(%s)
"""


class Runner(Protocol):
    """Runs a program in one of the cluster's containers."""

    def run(self, kind: str, words: Sequence[str], stdin: str = "") -> Outcome:
        """kind: pg or etcd. Raises ClusterError when there is no such container."""


@dataclass
class LocalRunner:
    """The containers on this node."""

    containers: Containers
    stack: str
    server: str

    def run(self, kind: str, words: Sequence[str], stdin: str = "") -> Outcome:
        """Run the member's program with these words."""
        service = f"{self.stack}_{kind}-{self.server}"
        container = self.containers.find(service)
        if not container:
            raise ClusterError(
                f"No container of service {service} runs on {self.server}: look at 'docker service ps --no-trunc {service}', and run this "
                "on a server that has a member of the cluster."
            )
        return self.containers.run(container, [PROGRAM, *words], stdin)


@dataclass
class Cluster:
    """One cluster, as seen from this node. Methods raise ClusterError."""

    runner: Runner

    def look(self) -> View:
        """The cluster now."""
        return view_of(json.loads(self._done(self.runner.run("etcd", ["state"]), "Looking at the cluster")))

    def permit(self, settings: Mapping[str, Any]) -> None:
        """Let the members begin a cluster."""
        self._done(
            self.runner.run("etcd", ["permit", str(PERMISSION)], json.dumps(settings)), "Permitting a new cluster"
        )

    def forget(self, member: str) -> None:
        """Let a member copy the data of the others."""
        self._done(self.runner.run("etcd", ["forget", member]), f"Forgetting the data of {member}")

    def patch(self, body: Json) -> None:
        """Change Patroni's settings."""
        self._rest("PATCH", "localhost", "/config", body)

    def restart(self, member: str) -> None:
        """Restart PostgreSQL in a member, and wait for it."""
        self._rest("POST", member, "/restart", {})

    def hand_over(self, leader: str, candidate: str) -> None:
        """Make another member the leader."""
        self._rest("POST", leader, "/switchover", {"leader": leader, "candidate": candidate})

    def query(self, sql: str, database: str = "postgres") -> str:
        """What one statement returns, on the leader, unaligned and without titles."""
        return self._done(
            self.runner.run("pg", ["psql", database, "--tuples-only", "--no-align"], sql), "A query"
        ).strip()

    def settings(self, names: Iterable[str]) -> dict[str, Json]:
        """The rows of pg_settings on the leader, by name."""
        listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
        return dict(json.loads(self.query(SETTINGS_QUERY % f"array[{listed}]::text[]")))

    def _rest(self, method: str, member: str, path: str, body: Json) -> None:
        text = self._done(self.runner.run("pg", ["rest", method, member, path], json.dumps(body)), f"{method} {path}")
        answer = json.loads(text)
        if answer["status"] not in (200, 202):
            raise ClusterError(
                f"Patroni refused {method} {path} of {member} ({answer['status']}: {answer['text'].strip()})."
            )

    @staticmethod
    def _done(outcome: Outcome, what: str) -> str:
        if outcome.code:
            said = " / ".join(line for line in outcome.stderr.strip().splitlines()[-3:]) or f"exit code {outcome.code}"
            raise ClusterError(f"{what} failed: {said.rstrip('.')}.")
        return outcome.stdout


class Identity:
    """The identifier of the cluster, which Swarm keeps: a cluster that is known here is never made a second time."""

    def __init__(self, engine: DockerEngine, name: str) -> None:
        """name: of the config that holds it."""
        self._engine, self.name = engine, name

    def read(self) -> str:
        """The identifier; empty when no cluster is known. Raises EngineError."""
        found = self._engine.get("/configs", {"filters": {"name": [self.name]}})
        for config in found:
            if config["Spec"]["Name"] == self.name:
                return str(json.loads(base64.b64decode(config["Spec"]["Data"]))["identifier"])
        return ""

    def write(self, identifier: str) -> None:
        """Keep it. Raises EngineError."""
        data = base64.b64encode(json.dumps({"identifier": identifier}).encode()).decode()
        self._engine.post(
            "/configs/create", {"Name": self.name, "Data": data, "Labels": {"frontdesk.cluster": identifier}}
        )

    def change(self, identifier: str) -> Change:
        """What is reported."""
        return Change("create", "identity", self.name, None, {"identifier": identifier})


@dataclass(frozen=True)
class Wanted:
    """What a cluster should be. members: names; avoid: those that must not lead; rebuild: those that may copy again."""

    name: str
    members: tuple[str, ...]
    settings: Json
    rebuild: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    restart: bool = True
    wait: bool = True
    timeout: float = 300.0


@dataclass
class Task:
    """One run of the module."""

    cluster: Cluster
    identity: Identity
    wanted: Wanted
    check_mode: bool
    clock: Clock = field(default_factory=Clock)
    changes: list[Change] = field(default_factory=list)

    def run(self) -> View:
        """Do everything; the cluster at the end. Raises ClusterError, EngineError."""
        view, known = self._first_look(), self.identity.read()
        if view is None or not view.begun:
            view = self._begin(view, known)
            if view is None:
                return View()
        self._compare_identity(view, known)
        self._rebuild(view)
        if not self.wanted.wait:
            return view
        if not self.check_mode and problems(view, self.wanted.members):
            view = self._whole()
        view = self._set(view)
        view = self._avoid(view)
        return self._whole() if problems(view, self.wanted.members) and not self.check_mode else view

    def _first_look(self) -> View | None:
        try:
            return self.cluster.look()
        except ClusterError:
            if self.check_mode:
                return None
            return self._until(_anything, "itself")

    def _begin(self, view: View | None, known: str) -> View | None:
        """A cluster that has not begun. None in check mode, when there is nothing to look at."""
        if known:
            if self.check_mode:
                return None
            # Its members have the data, and tell etcd about it when theirs was lost.
            try:
                return self._until(lambda now: now.begun, "its state", RECOVERY)
            except ClusterError as error:
                raise ClusterError(
                    f"The cluster {self.wanted.name} was made before (identifier {known}), and now no member has its data and etcd does not "
                    "know it: nothing is made in its place. Look whether the right volumes are mounted, or restore a backup; to give "
                    f"the former data up, remove the config with 'docker config rm {self.identity.name}'."
                ) from error
        self.changes.append(cluster_change(self.wanted.name, self.wanted.members))
        if self.check_mode:
            return None
        self.cluster.permit(self.wanted.settings)
        return self._until(lambda now: bool(now.identifier and now.leader), "a leader")

    def _compare_identity(self, view: View, known: str) -> None:
        if known and view.identifier and known != view.identifier:
            raise ClusterError(
                f"The cluster {self.wanted.name} has the identifier {view.identifier}, and this swarm knows it as {known}: it is another one. "
                "Bring the former volumes back; when it was restored on purpose, remove the config with "
                f"'docker config rm {self.identity.name}'."
            )
        if not known and view.identifier:
            self.changes.append(self.identity.change(view.identifier))
            if not self.check_mode:
                self.identity.write(view.identifier)

    def _rebuild(self, view: View) -> None:
        """Only members that do not run: a name that stays in the list does nothing afterwards."""
        running = {member.name for member in view.members if member.state in ("running", "streaming")}
        for member in self.wanted.rebuild:
            if view.recorded.get(member) and member not in running:
                identifier = view.recorded[member]
                self.changes.append(Change("update", "member", member, {"data": identifier}, {"data": None}))
                if not self.check_mode:
                    self.cluster.forget(member)

    def _set(self, view: View) -> View:
        changes = setting_changes(view.config, self.wanted.settings)
        known: Mapping[str, Json] = {}
        if changes:
            known = self._known(changes)
            self.changes.append(settings_change(self.wanted.name, view.config, changes))
        due = restarts(view, changes, known) if self.wanted.restart else []
        leader_first = lowers_for_replicas(changes, known)
        if self.check_mode:
            self.changes.extend(restart_changes(self.wanted.name, view, due, leader_first))
            return view
        if changes:
            self.cluster.patch(patch_of(changes))
            view = self._until(lambda now: not setting_changes(now.config, self.wanted.settings), "the settings")
            # Each member sees them in its own loop.
            view = self._until(lambda now: set(due) <= set(now.pending), "what waits for a restart", quiet=True)
        view = self._roll(view, due, leader_first)
        if changes and self.wanted.restart:
            self._verify(changes)
        return view

    def _known(self, changes: Mapping[str, Any]) -> dict[str, Json]:
        """What PostgreSQL knows about the parameters that change; refuses what it would not take."""
        parameters = {path[len(PARAMETERS) :]: value for path, value in changes.items() if path.startswith(PARAMETERS)}
        if not parameters:
            return {}
        known = self.cluster.settings(parameters)
        faults = setting_problems({name: value for name, value in parameters.items() if value is not None}, known)
        if faults:
            raise ClusterError(f"Nothing was set. {' '.join(faults)}")
        return known

    def _verify(self, changes: Mapping[str, Any]) -> None:
        """Patroni leaves out what it does not like, and PostgreSQL what it cannot read: look at what is in force."""
        parameters = {
            path[len(PARAMETERS) :]: value
            for path, value in changes.items()
            if path.startswith(PARAMETERS) and value is not None
        }
        end = self.clock.now() + IN_FORCE
        while parameters:
            rows = self.cluster.settings(parameters)
            wrong = [
                f"{name} is {row['setting']}{row['unit'] or ''} and not {parameters[name]}"
                for name, row in rows.items()
                if not same_value(parameters[name], row["setting"], row["unit"], row["vartype"])
            ]
            if not wrong:
                return
            if self.clock.now() >= end:
                raise ClusterError(
                    f"Written, but not in force: {', '.join(wrong)}. Something else fixes these settings."
                )
            self.clock.sleep(PAUSE)

    def _roll(self, view: View, due: Sequence[str], leader_first: bool) -> View:
        """Restart these, never two at the same time, the leader after a hand-over."""
        former = view.leader
        candidate = successor(view, ())
        if former in due and (leader_first or not candidate):
            view = self._restart(former)
        for name in (name for name in due if name != former):
            view = self._restart(name)
        if former in due and candidate and not leader_first:
            view = self._hand_over(view, candidate)
            # It has become a replica by a start, mostly with the new settings.
            if former in view.pending:
                self.cluster.restart(former)
                view = self._whole(lambda now: former not in now.pending)
            self.changes.append(restart_change(former))
        return view

    def _restart(self, member: str) -> View:
        self.cluster.restart(member)
        self.changes.append(restart_change(member))
        return self._whole(lambda view: member not in view.pending)

    def _avoid(self, view: View) -> View:
        if not view.leader or view.leader not in self.wanted.avoid:
            return view
        candidate = successor(view, self.wanted.avoid)
        if not candidate:
            # A single member has nobody to hand over to.
            return view
        if self.check_mode:
            self.changes.append(leader_change(self.wanted.name, view.leader, candidate))
            return view
        return self._hand_over(view, candidate)

    def _hand_over(self, view: View, candidate: str) -> View:
        self.cluster.hand_over(view.leader, candidate)
        self.changes.append(leader_change(self.wanted.name, view.leader, candidate))
        return self._whole(lambda now: now.leader == candidate)

    def _whole(self, more: Callable[[View], bool] | None = None) -> View:
        """Wait until everybody is there and in the quorum."""
        wanted = self.wanted.members
        return self._until(lambda view: not problems(view, wanted) and (more is None or more(view)), "all members")

    def _until(
        self, done: Callable[[View], bool], what: str, seconds: float | None = None, quiet: bool = False
    ) -> View:
        """Look again and again. quiet: not seeing it within ten seconds is fine."""
        limit = 10.0 if quiet else self.wanted.timeout if seconds is None else seconds
        end = self.clock.now() + limit
        view, reason = View(), ""
        while True:
            try:
                view, reason = self.cluster.look(), ""
                if done(view):
                    return view
            except (ClusterError, EngineError) as error:
                reason = str(error)
            if self.clock.now() >= end:
                if quiet:
                    return view
                shown = (
                    reason.rstrip(".")
                    or "; ".join(problems(view, self.wanted.members))
                    or "its settings are not taken over"
                )
                raise ClusterError(f"The cluster {self.wanted.name} did not show {what} within {limit:.0f} s: {shown}.")
            self.clock.sleep(PAUSE)


def _anything(_view: View) -> bool:
    return True


def smallest_memory(engine: DockerEngine, servers: Iterable[str]) -> int:
    """Bytes of memory of the smallest of these nodes; 0 when none is known. Raises EngineError."""
    wanted = set(servers)
    sizes = [
        int(((node.get("Description") or {}).get("Resources") or {}).get("MemoryBytes") or 0)
        for node in engine.get("/nodes")
        if (node.get("Description") or {}).get("Hostname") in wanted
    ]
    return min(sizes) if sizes else 0


def with_tuning(settings: Mapping[str, Any], memory: int) -> Json:
    """The settings, and below them those that follow from the memory (bytes; 0 for none)."""
    if not memory:
        return dict(settings)
    postgresql = dict(settings.get("postgresql") or {})
    parameters = dict(postgresql.get("parameters") or {})
    connections = int(parameters.get("max_connections") or 100)
    postgresql["parameters"] = {**tuned(memory, connections), **parameters}
    return {**settings, "postgresql": postgresql}
