# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of swarm_stack: read, check, plan, write, wait, clean up, tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_apply import Applier
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_check import definition_problems
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_clock import Clock
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_conflicts import Wanted, cluster_problems
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_definition import Definition
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_diff import stack_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_failure import explain
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_images import pinned_images, registry_lookup
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import (
    KEYED_KINDS,
    Cluster,
    RunError,
    StackError,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_plan import Plan, make_plan, plan_removal
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_read import read_cluster
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_resolve import resolve, wanted_values
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_wait import await_convergence
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_watch import CONVERGED, Verdict, Watch

_PARALLEL = 8


def converge(
    engine: DockerEngine, params: Mapping[str, Any], check_mode: bool, with_contents: bool, clock: Clock
) -> Json:
    """Make the stack as the parameters say; the module's result.

    with_contents: show the contents of configs in the diff. Raises StackError before any write, RunError after.
    """
    run = _Run(engine, params, clock)
    plan = run.plan()
    result = run.result(plan, plan.changes, with_contents)
    if check_mode:
        return result
    applier = Applier(engine, run.cluster, plan, params["wait_timeout"], clock)
    try:
        failures = run.carry_out(plan, applier)
    except StackError as error:
        applier.errors += error.problems
        failures = []
    outcome = applier.outcome
    result = run.result(plan, outcome.changes, with_contents)
    errors = [failure["message"] for failure in failures] + outcome.errors
    if errors:
        raise RunError(errors, {**result, "failures": failures})
    return result


class _Run:
    def __init__(self, engine: DockerEngine, params: Mapping[str, Any], clock: Clock) -> None:
        self._engine = engine
        self._params = params
        self._clock = clock
        self._definition = Definition(params)
        self._present = params["state"] == "present"
        self.cluster: Cluster = read_cluster(engine, self._definition.stack, clock)
        self._verdicts: dict[str, Verdict] = {}
        self._updates: dict[str, str] = {}

    # Plan.

    def plan(self) -> Plan:
        """The plan. Raises StackError with everything that forbids it."""
        if not self._present and self._params["limit"] is not None:
            # Removing a part is what a shorter list of services does.
            raise StackError(["limit is for state=present; state=absent removes the whole stack, so leave it out."])
        plan, problems = self._plan_present() if self._present else (plan_removal(self.cluster), [])
        problems += plan.problems
        if problems:
            raise StackError(problems)
        self._look_once(plan)
        return plan

    def _plan_present(self) -> tuple[Plan, list[str]]:
        definition, cluster, limit = self._definition, self.cluster, self._params["limit"]
        problems = definition_problems(definition, self._params)
        if limit is not None:
            definition = definition.narrowed(limit)
        images, faults = pinned_images(
            definition.services,
            lambda name: self._own_service(definition.full(name)),
            self._params["resolve_images"],
            registry_lookup(self._engine),
        )
        problems += faults
        wanted: Wanted = {}
        for service in definition.services:
            options = {**resolve(definition, service), **images.get(service["name"], {})}
            values, faults = wanted_values(options, self._engine.speaks)
            problems += faults
            wanted = {**wanted, definition.full(service["name"]): values}
        problems += cluster_problems(definition, cluster, wanted)
        if problems:
            # The rest of the plan needs whole values.
            return Plan(), problems
        replace, keep = self._params["replace"], self._params["keep_versions"]
        return make_plan(definition, cluster, wanted, replace, keep, partial=limit is not None), []

    def _own_service(self, name: str) -> Json | None:
        return self.cluster.owned("services").get(name)

    # Carry out.

    def carry_out(self, plan: Plan, applier: Applier) -> list[Json]:
        """Write, wait, clean up; what did not converge. Errors of writes are the applier's."""
        if not applier.build():
            return []
        failures = self._wait(plan, applier) if self._params["wait"] else []
        if not failures:
            applier.clean()
        return failures

    def _look_once(self, plan: Plan) -> None:
        """Judge the services that the plan leaves alone by what was read already."""
        watches = [Watch(service.live, self.cluster.tasks) for service in plan.services if service.live]
        self._judge(watches)

    def _judge(self, watches: Sequence[Watch]) -> None:
        nodes = self.cluster.nodes if any(watch.per_node for watch in watches) else []
        for watch in watches:
            self._verdicts[watch.name] = watch.look(watch.service, self.cluster.tasks, nodes, self._clock.now())
            self._updates[watch.name] = watch.update_state

    def _wait(self, plan: Plan, applier: Applier) -> list[Json]:
        if not plan.written and all(verdict.state == CONVERGED for verdict in self._verdicts.values()):
            return []
        watches = applier.watches()
        began = self._clock.now()
        verdicts = await_convergence(
            self._engine,
            self._definition.stack,
            watches,
            self._params["wait_timeout"],
            self._clock,
            applier.roll_back,
        )
        self._verdicts.update(verdicts)
        self._updates.update({watch.name: watch.update_state for watch in watches})
        failed = [watch for watch in watches if verdicts[watch.name].state != CONVERGED]
        return self._explain(failed, verdicts, self._clock.now() - began)

    def _explain(self, failed: Sequence[Watch], verdicts: Mapping[str, Verdict], seconds: float) -> list[Json]:
        if not failed:
            return []
        nodes = self.cluster.nodes
        secrets = [str(item["content"]) for item in self._definition.lists["secrets"] if item.get("content")]
        with ThreadPoolExecutor(max_workers=min(_PARALLEL, len(failed))) as pool:
            return list(pool.map(lambda w: explain(self._engine, w, verdicts[w.name], nodes, secrets, seconds), failed))

    # Tell.

    def result(self, plan: Plan, changes: Sequence[Change], with_contents: bool) -> Json:
        """The module's result for these changes."""
        deleted = {(change.kind, change.name) for change in changes if change.action == "delete"}
        removed = [(KEYED_KINDS[kind], name) for kind, name in plan.versions.removed]
        return {
            "changed": bool(changes),
            "changes": [change.as_result() for change in changes],
            "diff": stack_diff(changes, self._definition, self.cluster, with_contents),
            "services": [self._row(service.name, service.wanted["image"]) for service in plan.services],
            "kept_versions": plan.versions.kept,
            "removed_versions": [{"kind": k, "name": n} for k, n in removed if (k, n) in deleted],
            "api_reads": self._engine.reads,
            "api_writes": self._engine.writes,
        }

    def _row(self, name: str, image: str) -> Json:
        verdict = self._verdicts.get(name)
        return {
            "name": name,
            "image": image,
            "replicas": {
                "wanted": verdict.wanted if verdict else None,
                "running": verdict.running if verdict else 0,
            },
            "state": verdict.state if verdict else "absent",
            "update_state": self._updates.get(name, ""),
        }
