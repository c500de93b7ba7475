# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One poller for the actions of all threads: 50 servers in creation cost two calls a look, not fifty."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import (
    MISSED_LOOKS,
    HetznerClient,
    HetznerError,
    Json,
    action_error,
    poll_interval,
    timeout_error,
)


class ActionPoller:
    """Waits for actions on behalf of many threads."""

    def __init__(self, client: HetznerClient, timeout: float) -> None:
        """timeout: seconds that one action may take."""
        self._client = client
        self._timeout = timeout
        self._changed = threading.Condition()
        self._since: dict[int, float] = {}
        self._missed: dict[int, int] = {}
        self._ended: dict[int, Json] = {}
        self._failure: HetznerError | None = None
        self._thread: threading.Thread | None = None

    def wait(self, body: Mapping[str, Any], attempted: str, correlation_id: str | None) -> None:
        """Return when every action in an answer has ended well.

        body: the answer with `action`, `actions` or `next_actions`. attempted: words after "could not".
        Raises HetznerError for the first action that failed, vanished or took too long.
        """
        actions = actions_in(body)
        running = [int(action["id"]) for action in actions if action["status"] == "running"]
        ended = [action for action in actions if action["status"] != "running"]
        ended.extend(self._wait_for(running))
        for action in ended:
            if action["status"] == "error":
                raise action_error(action, attempted, correlation_id)

    def _wait_for(self, ids: Iterable[int]) -> list[Json]:
        wanted = list(ids)
        if not wanted:
            return []
        with self._changed:
            for number in wanted:
                self._since.setdefault(number, self._client.clock.monotonic())
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._poll, name="hetzner-actions", daemon=True)
                self._thread.start()
            while any(number not in self._ended for number in wanted):
                if self._failure:
                    raise self._failure
                self._changed.wait(1.0)
            return [self._ended[number] for number in wanted]

    def _poll(self) -> None:
        while True:
            with self._changed:
                running = [number for number in self._since if number not in self._ended]
                if not running:
                    self._thread = None
                    return
                youngest = max(self._since[number] for number in running)
            self._client.clock.sleep(poll_interval(self._client.clock.monotonic() - youngest))
            try:
                found = self._client.actions(running)
                failure = None
            except HetznerError as error:
                failure = error
            with self._changed:
                if failure:
                    self._failure = failure
                    self._thread = None
                    self._changed.notify_all()
                    return
                for number in running:
                    self._note(number, found.get(number))
                self._changed.notify_all()

    def _note(self, number: int, action: Json | None) -> None:
        self._missed[number] = 0 if action else self._missed.get(number, 0) + 1
        if action and action["status"] != "running":
            self._ended[number] = action
        elif self._missed[number] >= MISSED_LOOKS:
            self._ended[number] = _synthetic(number, "not_found", "the action is gone, as if its resource was deleted")
        elif self._client.clock.monotonic() - self._since[number] >= self._timeout:
            self._ended[number] = _synthetic(number, "timeout", timeout_error([number], self._timeout).message)


def actions_in(body: Mapping[str, Any]) -> list[Json]:
    """All actions that an answer names."""
    found = [body["action"]] if body.get("action") else []
    return [*found, *(body.get("actions") or []), *(body.get("next_actions") or [])]


def _synthetic(number: int, code: str, message: str) -> Json:
    error = {"code": code, "message": message}
    return {"id": number, "command": str(number), "status": "error", "error": error}
