# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of Swarm says about itself. States: https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json

_OVER = frozenset({"complete", "failed", "rejected", "shutdown", "remove", "orphaned"})
_FAILED = frozenset({"failed", "rejected"})
_TO_RUN = frozenset({"new", "ready", "accepted", "running", "complete"})


def state_of(task: Mapping[str, Any]) -> str:
    """The state that the node reported."""
    return str(task["Status"]["State"])


def error_of(task: Mapping[str, Any]) -> str:
    """What went wrong, in the engine's words; empty when nothing did."""
    return " ".join(str(task["Status"].get("Err") or "").split())


def is_over(task: Mapping[str, Any]) -> bool:
    """Will the task never run again?"""
    return state_of(task) in _OVER


def has_failed(task: Mapping[str, Any]) -> bool:
    """Did the task end badly?"""
    return state_of(task) in _FAILED


def is_meant_to_run(task: Mapping[str, Any]) -> bool:
    """Does Swarm want the task to run, now or after a delay?"""
    return task["DesiredState"] in _TO_RUN


def is_alive(task: Mapping[str, Any]) -> bool:
    """Is it on its way to run, or does it run?"""
    return is_meant_to_run(task) and not is_over(task)


def runs(task: Mapping[str, Any]) -> bool:
    """Does it run, and is it meant to? With a health check Swarm says so only when the check passed."""
    return is_meant_to_run(task) and state_of(task) == "running"


def place_of(task: Mapping[str, Any], per_node: bool) -> str:
    """What at most one task at a time fills: a slot, or a node of a global service."""
    return str(task.get("NodeID", "") if per_node else task.get("Slot", 0))


def last_runs(tasks: Iterable[Json], template: Mapping[str, Any], per_node: bool) -> list[Json]:
    """The newest task of a job at each place, where it was made from this template: the others are former runs."""
    at_place = {place_of(task, per_node): task for task in reversed(newest(tasks))}
    return [task for task in at_place.values() if made_from(task, template)]


def made_from(task: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    """Was the task made from this template?

    Where it may run does not count: Swarm keeps a task whose node still suits it (swarmkit, orchestrator.IsTaskDirty).
    """
    return _essence(task.get("Spec") or {}) == _essence(template)


def _essence(template: Mapping[str, Any]) -> Json:
    # Tasks do not repeat the runtime.
    return {key: value for key, value in template.items() if key not in ("Placement", "Runtime")}


def newest(tasks: Iterable[Json]) -> list[Json]:
    """The tasks, the newest first."""
    return sorted(tasks, key=lambda task: str(task["CreatedAt"]), reverse=True)


def seconds_in_state(task: Mapping[str, Any], now: float | None = None) -> float:
    """Seconds since the node reported the state; negative when the node's clock is ahead."""
    return (time.time() if now is None else now) - timestamp(str(task["Status"]["Timestamp"]))


def timestamp(text: str) -> float:
    """Seconds since 1970 of the engine's times, which have nanoseconds that Python does not read."""
    whole, _point, rest = text.rstrip("Z").partition(".")
    seconds = datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return seconds + (float(f"0.{rest}") if rest else 0.0)
