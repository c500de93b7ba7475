# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs actions: each waits for the ones before it, takes its time, does its work and ends in success or error.

What an action has to do is in its record, so a restarted service takes running ones up again. Work is idempotent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..faults import Faults
from ..machine_specs import MachineError
from ..state import Item, State
from . import action_record

Effect = Callable[[str, Item], Awaitable[None]]

LOG = logging.getLogger("labcloud.hetzner")


class WorkError(Exception):
    """The work of an action failed in a way that the user of the API is to see."""


class Runner:
    """The running actions of all projects."""

    def __init__(self, state: State, faults: Faults, effects: dict[str, Effect], seconds: float) -> None:
        """`effects` maps a command to its work; `seconds` is the least time an action takes."""
        self._state = state
        self._faults = faults
        self._effects = effects
        self._seconds = seconds
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._done: dict[int, asyncio.Event] = {}
        self._active: dict[str, set[int]] = {}

    def begin(
        self,
        project: str,
        command: str,
        resources: list[tuple[str, int]],
        arguments: Item | None = None,
        *,
        locks: list[int] | None = None,
        after: list[int] | None = None,
        seconds: float | None = None,
        hidden: bool = False,
    ) -> Item:
        """Write a new action down and start it; see action_record.record for the arguments."""
        action = action_record.record(
            self._state.next_id(),
            command,
            resources,
            arguments=arguments or {},
            locks=locks or [],
            after=after or [],
            seconds=self._seconds if seconds is None else seconds,
            hidden=hidden,
        )
        self._state.put(project, action_record.KIND, action)
        self._start(project, action["id"])
        return action

    def at_once(self, project: str, command: str, resources: list[tuple[str, int]]) -> Item:
        """Write an action down that is already done."""
        action = action_record.record(
            self._state.next_id(), command, resources, arguments={}, locks=[], after=[], seconds=0, hidden=False
        )
        action_record.finish(action)
        self._state.put(project, action_record.KIND, action)
        return action

    def locks(self, project: str, item_id: int) -> bool:
        """Say whether a running action locks this item."""
        return any(item_id in action["locks"] for action in self._running(project))

    def resume(self) -> None:
        """Start what was running when the service stopped."""
        for project in list(self._state.projects):
            for action in self._state.items(project, action_record.KIND).values():
                if action["status"] == "running":
                    self._start(project, action["id"])

    async def idle(self) -> None:
        """Wait until no action is running."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def stop(self) -> None:
        """Drop the tasks; the records stay as they are, for `resume`."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def _running(self, project: str) -> list[Item]:
        found = (self._state.get(project, action_record.KIND, action_id) for action_id in self._active.get(project, ()))
        return [action for action in found if action is not None and action["status"] == "running"]

    def _start(self, project: str, action_id: int) -> None:
        self._active.setdefault(project, set()).add(action_id)
        self._done.setdefault(action_id, asyncio.Event())
        task = asyncio.get_running_loop().create_task(self._run(project, action_id))
        self._tasks[action_id] = task
        task.add_done_callback(lambda _task: self._tasks.pop(action_id, None))

    async def _run(self, project: str, action_id: int) -> None:
        action = self._state.get(project, action_record.KIND, action_id)
        if action is None:
            return
        error = await self._outcome(project, action)
        action = self._state.get(project, action_record.KIND, action_id)
        if action is not None:  # a reset may have taken it away
            action_record.finish(action, error)
            self._state.put(project, action_record.KIND, action)
            self._state.commit()
        self._active[project].discard(action_id)
        self._done.pop(action_id, asyncio.Event()).set()

    async def _outcome(self, project: str, action: Item) -> Item | None:
        for earlier in action["after"]:
            if earlier in self._done:
                await self._done[earlier].wait()
            before = self._state.get(project, action_record.KIND, earlier)
            if before is not None and before["status"] == "error":
                await self._undo(project, action)
                return {"code": "action_failed", "message": f"Action {before['command']} failed before this one"}
        await asyncio.sleep(action["seconds"])
        fault = self._faults.for_action("hetzner", action["command"])
        if fault is not None:
            await self._undo(project, action)
            return {"code": fault.code or "action_failed", "message": fault.message or "Action failed"}
        try:
            await self._effects[action["command"]](project, action)
        except (MachineError, WorkError) as failure:
            LOG.warning("action %s (%s) failed: %s", action["id"], action["command"], failure)
            await self._undo(project, action)
            return {"code": "action_failed", "message": str(failure)}
        except Exception:
            # A mistake in the lab must end the action, or every client would wait for it forever.
            LOG.exception("action %s (%s)", action["id"], action["command"])
            return {"code": "server_error", "message": "the lab has made a mistake, see its log"}
        return None

    async def _undo(self, project: str, action: Item) -> None:
        # A failed attach must not keep the address, a failed start not the status "starting".
        effect = self._effects.get("failed:" + action["command"])
        if effect is not None:
            await effect(project, action)
