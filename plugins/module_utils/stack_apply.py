# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan: stage after stage, everything inside a stage in parallel.

Another run, or a person, may write at the same time. So a conflict, and an answer that was lost, is looked up: what is
there as wanted is fine, and what is still as it was planned from is written again. Everything else is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_clock import Clock
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_compare import (
    created_spec,
    differing,
    network_difference,
    updated_spec,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import (
    KEYED_KINDS,
    Cluster,
    StackError,
    id_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_plan import Plan, PlannedService, names_in
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_read import (
    ELECTION,
    explained,
    is_cluster_trouble,
    is_election,
    patiently,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_wait import await_end
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_watch import Watch

_PARALLEL = 8
# Seconds after which a network that was just left is still in use only if something else uses it.
_RELEASE = 30.0
_PAUSE = 0.5
# A change of these exchanges the tasks, although their template stays as it is.
_RENEWING = {"ports", "deploy.endpoint_mode"}
_PLACEMENT = "deploy.placement."


# Looks something up within so many seconds.
_Look = Callable[[Optional[float]], Optional[Json]]


@dataclass
class Outcome:
    """What was done. changes: in the order of the plan. errors: one sentence each."""

    changes: list[Change] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Write:
    """One write. run: returns whether it was this run that did it. Raises EngineError or StackError."""

    kind: str
    name: str
    run: Callable[[], bool]


class Applier:
    """Carries out one plan."""

    def __init__(self, engine: DockerEngine, cluster: Cluster, plan: Plan, timeout: float, clock: Clock) -> None:
        """timeout: seconds that tasks may take to end."""
        self._engine = engine
        self._cluster = cluster
        self._plan = plan
        self._timeout = timeout
        self._clock = clock
        self._done: set[tuple[str, str]] = set()
        self._written: dict[str, tuple[Json, float]] = {}
        self.errors: list[str] = []

    @property
    def outcome(self) -> Outcome:
        """What was done up to now."""
        done = [change for change in self._plan.changes if (change.kind, change.name) in self._done]
        return Outcome(done, list(self.errors))

    def build(self) -> bool:
        """Everything up to the services, and these; False when something failed."""
        plan = self._plan
        return (
            self._remove_services(plan.leaving_first)
            and self._stage(_Write("network", name, self._network_remover(name)) for name in plan.networks_out)
            and self._stage(_Write("network", body["Name"], self._network_maker(body)) for body in plan.networks)
            and self._stage(
                _Write(KEYED_KINDS[kind], body["Name"], self._file_maker(kind, body)) for kind, body in plan.files
            )
            and self._stage(_Write("service", item.name, self._service_writer(item)) for item in plan.written)
        )

    def clean(self) -> bool:
        """What nobody needs any more, when the services stand; False when something failed."""
        plan = self._plan
        return (
            self._remove_services(plan.leaving_last)
            and self._stage(
                _Write(KEYED_KINDS[kind], name, self._remover(f"/{kind}", kind, name))
                for kind, name in plan.versions.removed
            )
            and self._stage(_Write("network", name, self._network_remover(name)) for name in plan.networks_last)
        )

    def watches(self) -> list[Watch]:
        """One for each wanted service that is there."""
        found = []
        for planned in self._plan.services:
            tasks = [] if planned.live is None else self._tasks_of(planned.live)
            if planned.name in self._written:
                service, written_at = self._written[planned.name]
                paths = {item.path for item in planned.changed}
                found.append(
                    Watch(
                        service,
                        tasks,
                        written_at=written_at,
                        renewed=planned.action == "update" and bool(paths & _RENEWING),
                        moved=any(path.startswith(_PLACEMENT) for path in paths),
                    )
                )
            elif planned.name in self._cluster.services:
                found.append(Watch(self._cluster.services[planned.name], tasks))
        return found

    def roll_back(self, watch: Watch) -> None:
        """Make Swarm go back to a service's former version. Raises EngineError."""
        service = self._engine.get(f"/services/{watch.identity}")
        query = {"version": service["Version"]["Index"], "rollback": "previous"}
        self._engine.post(f"/services/{watch.identity}/update", service["Spec"], query)

    # Stages.

    def _stage(self, writes: Iterable[_Write]) -> bool:
        items = list(writes)
        if not items:
            return True
        with ThreadPoolExecutor(max_workers=min(_PARALLEL, len(items))) as pool:
            failed = [text for text in pool.map(self._attempt, items) if text]
        self.errors += failed
        return not failed

    def _attempt(self, write: _Write) -> str:
        try:
            if write.run():
                self._done.add((write.kind, write.name))
        except StackError as error:
            return str(error)
        except EngineError as error:
            if not is_cluster_trouble(error):
                return f"The {write.kind} {write.name} could not be written: {error}."
            late = " It may still be written when the managers are back." if _is_unclear(error) else ""
            return f"The {write.kind} {write.name} could not be written: {explained(error)}{late}"
        return ""

    def _remove_services(self, names: Sequence[str]) -> bool:
        if not names:
            return True
        ids = {id_of(self._cluster.services[name]) for name in names}
        if not self._stage(_Write("service", name, self._remover("/services", "services", name)) for name in names):
            return False
        try:
            left = await_end(self._engine, self._cluster.stack, ids, self._timeout, self._clock)
        except StackError as error:
            self.errors += error.problems
            return False
        if left:
            self.errors.append(
                f"{len(left)} tasks of {', '.join(sorted(names))} still run {self._timeout:.0f} s after the removal; look at "
                "`docker ps` on their nodes, and run this again."
            )
        return not left

    # Removal.

    def _remover(self, path: str, kind: str, name: str) -> Callable[[], bool]:
        def remove() -> bool:
            self._engine.delete(f"{path}/{id_of(self._cluster.by_kind[kind][name])}")
            return True

        return remove

    def _network_remover(self, name: str) -> Callable[[], bool]:
        remove = self._remover("/networks", "networks", name)

        def when_released() -> bool:
            deadline = self._clock.now() + _RELEASE
            while True:
                try:
                    return remove()
                except EngineError as error:
                    # Nodes let go of a network some moments after the last task on it ended.
                    used = "in use" in str(error) or "active endpoints" in str(error)
                    if not used or self._clock.now() >= deadline:
                        raise
                    self._clock.sleep(_PAUSE)

        return when_released

    # Networks, secrets, configs: immutable, so what is there under the name either is it or is not.

    def _create(self, path: str, body: Json, look: _Look) -> tuple[Json, Json | None]:
        """Create something: the engine's answer, or what was there already. Raises EngineError."""
        attempts = _Attempts(self._clock)
        while True:
            try:
                return self._engine.post(f"{path}/create", body, timeout=attempts.timeout), None
            except EngineError as error:
                taken = error.status == 409
                if not taken:
                    attempts.bear(error)
                live = attempts.look_up(look)
                if live:
                    return {}, live
                if taken:
                    raise
                self._clock.sleep(_PAUSE)

    def _network_maker(self, body: Json) -> Callable[[], bool]:
        def look(timeout: float | None) -> Json | None:
            path, query = f"/networks/{body['Name']}", {"scope": "swarm"}
            found: Json | None = self._engine.get(path, query, absent=(404,), timeout=timeout)
            return found

        def make() -> bool:
            answer, live = self._create("/networks", body, look)
            if live and (not self._cluster.owns(live) or network_difference(live, body)[0]):
                raise _overtaken("network", body["Name"])
            self._cluster.put("networks", live or {**body, "Id": answer["Id"]})
            return live is None

        return make

    def _file_maker(self, kind: str, body: Json) -> Callable[[], bool]:
        def look(timeout: float | None) -> Json | None:
            found: Json | None = self._engine.get(f"/{kind}/{body['Name']}", absent=(404,), timeout=timeout)
            return found

        def make() -> bool:
            answer, live = self._create(f"/{kind}", body, look)
            # The name carries the hash of the content.
            if live and not self._cluster.owns(live):
                raise _overtaken(KEYED_KINDS[kind], body["Name"])
            spec = {"Name": body["Name"], "Labels": body["Labels"]}
            self._cluster.put(kind, live or {"ID": answer["ID"], "Spec": spec})
            return live is None

        return make

    # Services.

    def _service_writer(self, planned: PlannedService) -> Callable[[], bool]:
        if planned.action == "update":
            return lambda: self._update_service(planned)
        return lambda: self._create_service(planned)

    def _create_service(self, planned: PlannedService) -> bool:
        spec = created_spec(planned.name, planned.wanted, names_in(self._cluster))
        _answer, live = self._create("/services", spec, lambda timeout: self._read(planned.name, timeout))
        if live and not self._is_as_wanted(live, planned):
            raise _overtaken("service", planned.name)
        self._remember(planned.name)
        return live is None

    def _update_service(self, planned: PlannedService) -> bool:
        live = planned.live or {}
        version = live["Version"]["Index"]
        spec = self._spec_of_update(planned)
        attempts = _Attempts(self._clock)
        path = f"/services/{id_of(live)}/update"
        while True:
            try:
                self._engine.post(path, spec, {"version": version}, timeout=attempts.timeout)
                break
            except EngineError as error:
                overtaken = "out of sequence" in str(error)
                if not overtaken:
                    attempts.bear(error)
                now = attempts.look_up(lambda timeout: self._read(id_of(live), timeout))
                if now and not planned.again and self._is_as_wanted(now, planned):
                    self._remember(planned.name)
                    return not overtaken
                if not now or now["Spec"] != live["Spec"]:
                    raise _overtaken("service", planned.name) from error
                # Only Swarm's own notes about the service have changed.
                version = now["Version"]["Index"]
                self._clock.sleep(_PAUSE)
        self._remember(planned.name)
        return True

    def _spec_of_update(self, planned: PlannedService) -> Json:
        live_spec = (planned.live or {})["Spec"]
        spec = updated_spec(live_spec, planned.wanted, planned.changed, names_in(self._cluster))
        if planned.again == "failed":
            template = spec["TaskTemplate"]
            template["ForceUpdate"] = int(template.get("ForceUpdate", 0)) + 1
        return spec

    def _is_as_wanted(self, live: Json, planned: PlannedService) -> bool:
        return self._cluster.owns(live) and not differing(live["Spec"], planned.wanted, names_in(self._cluster))

    def _read(self, name: str, timeout: float | None = None) -> Json | None:
        found: Json | None = self._engine.get(f"/services/{name}", absent=(404,), timeout=timeout)
        return found

    def _remember(self, name: str) -> None:
        """Read back what Swarm made of the write: its versions and times are the measure for its tasks."""
        service = patiently(lambda: self._read(name), self._clock)
        if service is None:
            raise StackError([f"The service {name} was removed by somebody else during the run; run this again."])
        self._cluster.put("services", service)
        self._written[name] = (service, self._clock.now())

    def _tasks_of(self, service: Json) -> list[Json]:
        return [task for task in self._cluster.tasks if task["ServiceID"] == id_of(service)]


class _Attempts:
    """Attempts at one write while the managers elect a leader. All of them end at about the same time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._first: EngineError | None = None
        self._deadline = clock.now() + ELECTION

    @property
    def timeout(self) -> float | None:
        """Seconds that the next request may take; None for the engine's own time."""
        return max(1.0, self._deadline - self._clock.now()) if self._first else None

    def bear(self, error: EngineError) -> None:
        """Raise the error, unless it may pass."""
        # The first one says more than the end of our patience with a later one.
        impatient = self._first is not None and error.status == 0
        if impatient or not _is_unclear(error) or self._clock.now() >= self._deadline:
            raise self._first or error
        self._first = self._first or error

    def look_up(self, look: _Look) -> Json | None:
        """What there is now. Raises EngineError."""
        try:
            return patiently(lambda: look(self.timeout), self._clock, self._deadline)
        except EngineError as error:
            raise self._first or error from error


def _is_unclear(error: EngineError) -> bool:
    """May the write have happened although there was no good answer?"""
    return error.status == 0 or is_election(error)


def _overtaken(kind: str, name: str) -> StackError:
    return StackError(
        [f"The {kind} {name} was written by somebody else during the run, and not as wanted; run this again."]
    )
