# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a service did not converge: its task's own error and last log lines, in one sentence and in detail."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_nodes import hostname_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_watch import (
    WAITING,
    Verdict,
    Watch,
    culprits_error,
)

LOG_LINES = 10
_LINES_IN_MESSAGE = 3
# Seconds; the engine waits for the node's answer, and a node that is lost gives none.
_LOG_TIMEOUT = 10.0
_LINE_LENGTH = 500
_HIDDEN = "********"
# Shorter secrets would blacken half of every text.
_SHORTEST_SECRET = 4
# Control characters of a terminal that programs colour their logs with.
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def explain(
    engine: DockerEngine,
    watch: Watch,
    verdict: Verdict,
    nodes: Sequence[Json],
    secrets: Iterable[str],
    seconds: float,
) -> Json:
    """What is known about a service that did not converge; `message` is one sentence or two.

    seconds: how long it was waited for.
    """
    task = verdict.culprit
    node = next((hostname_of(item) for item in nodes if task and item["ID"] == task.get("NodeID")), "")
    hide = _hider(secrets)
    log = [hide(line) for line in _log_lines(engine, task)]
    failure: Json = {
        "service": watch.name,
        "error": hide(culprits_error(verdict)),
        "task": _task_name(watch, task),
        "node": node,
        "log": log,
        "health": hide(_health(engine, task)),
        "update_state": watch.update_state,
    }
    return {**failure, "message": _message(watch, verdict, failure, seconds)}


def _message(watch: Watch, verdict: Verdict, failure: Mapping[str, Any], seconds: float) -> str:
    reason = verdict.reason
    if verdict.state == WAITING:
        reason = f"{verdict.running} of {verdict.wanted} tasks after {seconds:.0f} s, {reason}"
    where = f" ({failure['task']}" + (f" on {failure['node']})" if failure["node"] else ")") if failure["error"] else ""
    error = f": {failure['error']}" if failure["error"] else ""
    sentences = [
        f"The service {watch.name} did not converge, {reason}{where}{error}.",
        _aftermath(watch),
        f"Its health check said: {failure['health']}." if failure["health"] else "",
        f"Its last log lines: {' / '.join(failure['log'][-_LINES_IN_MESSAGE:])}" if failure["log"] else "",
    ]
    return " ".join(text for text in sentences if text)


def _aftermath(watch: Watch) -> str:
    return {
        "rollback_completed": "It was rolled back: the former version serves.",
        "rollback_started": "It is being rolled back to the former version.",
        "rollback_paused": "The rollback failed, too: look at `docker service ps`.",
        "paused": "The update is paused: some tasks have the former version, the next run tries again.",
    }.get(watch.update_state if watch.written or watch.update_state == "paused" else "", "")


def _task_name(watch: Watch, task: Json | None) -> str:
    if task is None:
        return ""
    place = task.get("NodeID", "") if watch.per_node else task.get("Slot", 0)
    return f"{watch.name}.{place}"


def _log_lines(engine: DockerEngine, task: Json | None) -> list[str]:
    """The last log lines of a task; none when it never started or its node does not answer."""
    if task is None or not (task["Status"].get("ContainerStatus") or {}).get("ContainerID"):
        return []
    # The engine sends one stream after the other; only the times tell what came last.
    query = {"stdout": True, "stderr": True, "timestamps": True, "tail": LOG_LINES}
    try:
        content = engine.raw(f"/tasks/{task['ID']}/logs", query, timeout=_LOG_TIMEOUT)
    except EngineError:
        return []
    text = _COLOURS.sub("", unframed(content).decode(errors="replace"))
    entries = sorted((line.partition(" ")[::2] for line in text.split("\n")), key=lambda entry: entry[0])
    lines = [line.rstrip()[:_LINE_LENGTH] for _time, line in entries if line.strip()]
    return lines[-LOG_LINES:]


def unframed(content: bytes) -> bytes:
    """The log without the headers that the engine puts before each piece; a terminal's log has none.

    https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach, "Stream format".
    """
    pieces, rest = [], content
    while len(rest) >= 8 and rest[0] in (0, 1, 2) and rest[1:4] == b"\0\0\0":
        (length,) = struct.unpack(">I", rest[4:8])
        pieces.append(rest[8 : 8 + length])
        rest = rest[8 + length :]
    return b"".join([*pieces, rest])


def _health(engine: DockerEngine, task: Json | None) -> str:
    """What the health check printed last; only the task's own node knows."""
    container = (task or {}).get("Status", {}).get("ContainerStatus", {}).get("ContainerID")
    if not container:
        return ""
    try:
        found = engine.get(f"/containers/{container}/json", absent=(404,)) or {}
    except EngineError:
        return ""
    log = ((found.get("State") or {}).get("Health") or {}).get("Log") or []
    failed = [entry for entry in log if entry.get("ExitCode")]
    return " ".join(str(failed[-1].get("Output") or "").split())[:_LINE_LENGTH].rstrip(".") if failed else ""


def _hider(secrets: Iterable[str]) -> Any:
    """Hides the secrets' contents, and each of their lines, from a text."""
    parts = {part.strip() for secret in secrets for part in (secret, *secret.splitlines())}
    hidden = sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)

    def hide(text: str) -> str:
        for part in hidden:
            text = text.replace(part, _HIDDEN)
        return text

    return hide
