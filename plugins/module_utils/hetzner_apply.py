# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out: waves in order, writes of a wave in parallel, nothing made twice when an answer is lost."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_actions import ActionPoller
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import (
    LOST,
    HetznerClient,
    HetznerError,
    Json,
    poll_interval,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kinds import BY_NAME
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import Ref, Step, World, labels_of
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_plan import Plan, PlannedChange
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_read import IN_MOTION, read_one
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_stock import Offer
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import merged_labels

WORKERS = 8
# How often a write whose answer was lost is looked for and sent again.
LOST_TRIES = 4
# Seconds for an operating system to stop by itself before the power is cut.
SHUTDOWN_GRACE = 60.0
# Answers to a write that may be due to its effect being there already.
REFUSALS = frozenset({404, 409, 412, 422})
# There is no such server now, but perhaps of another type or in another place.
SOLD_OUT = frozenset({"resource_unavailable", "placement_error", "no_space_left_in_location"})


@dataclass
class Outcome:
    """What was done: changes of which at least one write was accepted; errors: one sentence each."""

    changes: list[Change] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Applier:
    """Carries out one plan."""

    def __init__(self, client: HetznerClient, world: World, plan: Plan, wait_timeout: float) -> None:
        """wait_timeout: seconds that one action may take."""
        self._client = client
        self._world = world
        self._plan = plan
        self._timeout = wait_timeout
        self._poller = ActionPoller(client, wait_timeout)
        self._locks: dict[Ref, threading.Lock] = defaultdict(threading.Lock)
        self._written: dict[int, Change] = {}
        self._sold_out: set[Offer] = set()
        self._taken: set[int] = set()
        self._calls: dict[str, Callable[[_Unit, Step], None]] = {
            "create": self._create,
            "create_server": self._create_server,
            "reconcile": self._reconcile,
            "action": self._action,
            "labels": self._labels,
            "delete": self._delete,
            "shutdown": self._shutdown,
        }

    def run(self) -> Outcome:
        """All waves, up to the first in which a write fails; that wave is finished all the same."""
        waves: dict[int, list[_Unit]] = defaultdict(list)
        for position, item in enumerate(self._plan.changes):
            by_wave: dict[int, list[Step]] = defaultdict(list)
            for step in item.steps:
                by_wave[step.wave].append(step)
            for wave, steps in by_wave.items():
                waves[wave].append(_Unit(position, item, steps))
        errors: list[str] = []
        for wave in sorted(waves):
            with ThreadPoolExecutor(max_workers=WORKERS) as pool:
                errors = [error for error in pool.map(self._run_unit, waves[wave]) if error]
            if errors:
                break
        return Outcome([self._written[position] for position in sorted(self._written)], errors)

    def _run_unit(self, unit: _Unit) -> str | None:
        try:
            for step in unit.steps:
                self._run_step(unit, step)
        except HetznerError as error:
            return str(error)
        except (KeyError, TypeError, ValueError) as error:
            fault = f"an answer has another form than documented ({type(error).__name__}: {error})"
            return str(HetznerError("unexpected_answer", fault, unit.item.steps[0].words))
        return None

    def _run_step(self, unit: _Unit, step: Step) -> None:
        lock: AbstractContextManager[Any] = self._locks[step.serial] if step.serial else nullcontext()
        with lock:
            self._calls[step.call](unit, step)

    def _wrote(self, unit: _Unit, **known: Any) -> None:
        """Note that a write of this change was accepted, and what is known now."""
        change = self._written.get(unit.position, unit.item.change)
        if unit.position in self._taken:
            # Another run made the object, this one has finished it.
            change = replace(change, action="update", before=change.before or {})
        if known and change.after is not None:
            change = replace(change, after={**change.after, **known})
        self._written[unit.position] = change

    # --- one function per call of a step

    def _create(self, unit: _Unit, step: Step) -> None:
        self._post_new(unit, step, self._resolve(step.body))

    def _create_server(self, unit: _Unit, step: Step) -> None:
        body = dict(step.body)
        offers: Sequence[Offer] = body.pop("offers")
        body = self._resolve(body)
        refusal: HetznerError | None = None
        for offer in offers:
            if offer not in self._sold_out:
                refusal = self._order(unit, step, body, offer)
                if refusal is None:
                    return
        tried = ", ".join(str(offer) for offer in offers)
        if refusal is None:
            raise HetznerError("resource_unavailable", f"out of stock: {tried}", step.words)
        refusal.message = f"{refusal.message.rstrip('.')}, tried {tried}"
        raise refusal

    def _order(self, unit: _Unit, step: Step, body: Mapping[str, Any], offer: Offer) -> HetznerError | None:
        """Create the server as offered; the error when there is no such server now."""
        try:
            self._post_new(unit, step, {**body, **offer._asdict()})
        except HetznerError as error:
            if error.code not in SOLD_OUT:
                raise
            if error.code == "resource_unavailable":
                self._sold_out.add(offer)
            return error
        return None

    def _post_new(self, unit: _Unit, step: Step, body: Mapping[str, Any]) -> None:
        """Create an object exactly once.

        A lost answer or a name that is taken says that it may exist: it is looked for by its name, and taken when
        it carries our label. Names are unique, so sending again can never make a second one.
        """
        lost: HetznerError | None = None
        for _try in range(LOST_TRIES):
            lost = self._post_once(unit, step, body, lost)
            if lost is None:
                return
        if lost:
            raise lost

    def _post_once(
        self, unit: _Unit, step: Step, body: Mapping[str, Any], lost: HetznerError | None
    ) -> HetznerError | None:
        """One try; the error when its answer was lost and nothing was made. lost: the same of the try before."""
        try:
            answer, correlation = self._client.request_with_id(
                "POST", step.path, json=body, attempted=step.words, retry_codes=step.retry_codes
            )
        except HetznerError as error:
            if error.code not in (LOST, "uniqueness_error"):
                raise
            found = self._find(unit)
            if found is not None and self._world.owned(found):
                self._take(unit, found, ours=error.code == LOST or lost is not None)
                return None
            if error.code == "uniqueness_error":
                raise
            return error
        created: Json = answer[unit.kind.name]
        self._world.put(unit.kind.name, created)
        self._wrote(unit, **unit.kind.known(created))
        self._poller.wait(answer, step.words, correlation)
        return None

    def _find(self, unit: _Unit) -> Json | None:
        kind = unit.kind
        found = self._client.list(kind.path, kind.path[1:], {"name": unit.name})
        return next((item for item in found if item["name"] == unit.name), None)

    def _take(self, unit: _Unit, found: Json, ours: bool) -> None:
        """Go on with an object that a lost call of ours, or another run at the same time, has made."""
        self._world.put(unit.kind.name, found)
        if ours:
            self._wrote(unit, **unit.kind.known(found))
        else:
            self._taken.add(unit.position)
        self._finish(unit)

    def _reconcile(self, unit: _Unit, _step: Step) -> None:
        self._finish(unit)

    def _finish(self, unit: _Unit) -> None:
        """Do to an existing object whatever it still lacks."""
        live = self._at_rest(unit)
        differences = [item for item in unit.kind.compare(unit.spec, live, self._world) if not item.guard]
        for step in unit.kind.compose(unit.spec, live, differences):
            self._run_step(unit, step)

    def _at_rest(self, unit: _Unit) -> Json:
        """The object as it is now, once nothing changes it any more."""
        started = self._client.clock.monotonic()
        while True:
            live = read_one(self._client, unit.kind.path, unit.kind.name, self._own_id(unit))
            if live is None:
                raise HetznerError("not_found", "it was deleted meanwhile", f"finish {unit.kind.title} {unit.name}")
            self._world.put(unit.kind.name, live)
            if live.get("status") not in IN_MOTION and not live.get("locked"):
                return live
            elapsed = self._client.clock.monotonic() - started
            if elapsed >= self._timeout:
                fault = f"still {live.get('status')} after {self._timeout:g} s"
                raise HetznerError("timeout", fault, f"finish {unit.kind.title} {unit.name}")
            self._client.clock.sleep(poll_interval(elapsed))

    def _action(self, unit: _Unit, step: Step) -> None:
        if step.look_first and self._satisfied(unit, step):
            return
        lost: HetznerError | None = None
        for _try in range(LOST_TRIES):
            lost = self._act_once(unit, step)
            if lost is None:
                return
        if lost:
            raise lost

    def _act_once(self, unit: _Unit, step: Step) -> HetznerError | None:
        """One try; the error when its answer was lost and the object does not show the effect."""
        try:
            answer, correlation = self._client.request_with_id(
                "POST",
                self._path(unit, step),
                json=self._resolve(step.body),
                attempted=step.words,
                retry_codes=step.retry_codes,
                idempotent=step.satisfied is None,
            )
        except HetznerError as error:
            if error.code in step.done_codes:
                return None
            lost = error.code == LOST
            if step.satisfied is None or not (lost or error.status in REFUSALS):
                raise
            done = self._satisfied(unit, step)
            if not lost:
                # Not our write: a run that was killed left it running, or somebody else was faster.
                if done:
                    return None
                raise
            if not done:
                return error
            answer, correlation = {}, None
        self._wrote(unit)
        self._poller.wait(answer, step.words, correlation)
        return None

    def _satisfied(self, unit: _Unit, step: Step) -> bool:
        """Does the live object show the step's effect? False where the step cannot tell."""
        return step.satisfied is not None and step.satisfied(self._at_rest(unit), self._id)

    def _labels(self, unit: _Unit, step: Step) -> None:
        live = read_one(self._client, unit.kind.path, unit.kind.name, self._own_id(unit))
        if live is None:
            raise HetznerError("not_found", "it was deleted meanwhile", step.words)
        # PUT replaces the map, and others may have written since the plan was made.
        merged = merged_labels(labels_of(live), step.body["labels"], step.body["dropped"])
        self._client.request("PUT", self._path(unit, step), json={"labels": merged}, attempted=step.words)
        self._wrote(unit)

    def _delete(self, unit: _Unit, step: Step) -> None:
        try:
            answer, correlation = self._client.request_with_id(
                "DELETE", self._path(unit, step), attempted=step.words, retry_codes=step.retry_codes
            )
        except HetznerError as error:
            if error.code != "not_found":
                raise
            answer, correlation = {}, None
        self._wrote(unit)
        self._poller.wait(answer, step.words, correlation)

    def _shutdown(self, unit: _Unit, step: Step) -> None:
        """The operating system is asked first; the API's answer says only that it was asked."""
        self._action(unit, replace(step, path=f"{step.path}/actions/shutdown"))
        started = self._client.clock.monotonic()
        while self._client.clock.monotonic() - started < SHUTDOWN_GRACE:
            live = read_one(self._client, unit.kind.path, unit.kind.name, self._own_id(unit))
            if live is None or live["status"] == "off":
                return
            self._client.clock.sleep(poll_interval(self._client.clock.monotonic() - started))
        self._action(unit, replace(step, path=f"{step.path}/actions/poweroff"))

    # --- references

    def _own_id(self, unit: _Unit) -> int:
        live = self._world.get(unit.kind.name, unit.name)
        if live is None:
            raise HetznerError("not_found", "it does not exist", f"change {unit.kind.title} {unit.name}")
        return int(live["id"])

    def _id(self, reference: Ref) -> int:
        number = self._world.id_of(*reference)
        if number is None:
            title = BY_NAME[reference.kind].title
            raise HetznerError("not_found", "it does not exist", f"use {title} {reference.name}")
        return number

    def _path(self, unit: _Unit, step: Step) -> str:
        target = self._id(step.target) if step.target else ""
        own = self._own_id(unit) if "{id}" in step.path else ""
        return step.path.format(id=own, target=target)

    def _resolve(self, value: Any) -> Any:
        """The JSON with ids in place of references."""
        if isinstance(value, Ref):
            return self._id(value)
        if isinstance(value, Mapping):
            return {key: self._resolve(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._resolve(entry) for entry in value]
        return value


@dataclass(frozen=True)
class _Unit:
    """The steps of one change in one wave."""

    position: int
    item: PlannedChange
    steps: Sequence[Step]

    @property
    def kind(self) -> Any:
        return BY_NAME[self.item.change.kind]

    @property
    def name(self) -> str:
        return self.item.change.name

    @property
    def spec(self) -> Json:
        return self.item.spec or {}
