# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: what a test can make go wrong, and how often.

A fault is a JSON object, given to `POST /lab/faults`:

| key | meaning |
|---|---|
| `effect` | `latency`, `status`, `drop_before`, `drop_after`, `action_error` or `revoked` |
| `provider` | which API, such as `hetzner`; default: every one |
| `method` | HTTP method; default: every one |
| `path` | regular expression, searched in the path below the provider's base (`/servers/42`); default: every path |
| `token` | only calls with this token; default: every token |
| `times` | how many matching calls it acts on; null = until removed (the default for `revoked`); default 1 |
| `skip` | how many matching calls pass before it acts; default 0 |
| `seconds` | latency: seconds added to the call |
| `status`, `code`, `message` | status: HTTP status, error code and sentence; a 502 with no code is an HTML page, as proxies send it |
| `headers` | status: extra headers, such as `Retry-After` |
| `command`, `code`, `message` | action_error: the command (`create_server`, empty = any) whose next action ends in this error, without its work |

`drop_before` closes the connection before anything is done; `drop_after` does the work and loses the answer;
`revoked` answers like an unknown token. Faults live in memory: a restart of the service forgets them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

EFFECTS = ("latency", "status", "drop_before", "drop_after", "action_error", "revoked")


@dataclass
class Fault:
    """One fault; see the module's text for the fields. `hits` counts how often it has acted."""

    effect: str
    provider: str = ""
    method: str = ""
    path: str = ""
    token: str = ""
    times: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    status: int = 500
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    id: int = 0
    hits: int = 0

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Fault:
        """Make a fault from JSON. Raises ValueError with one sentence."""
        settable = set(cls.__dataclass_fields__) - {"id", "hits"}
        unknown = sorted(set(body) - settable)
        if unknown:
            raise ValueError(f"a fault has no field {', '.join(unknown)}; there are: {', '.join(sorted(settable))}")
        if body.get("effect") not in EFFECTS:
            raise ValueError(f"effect must be one of {', '.join(EFFECTS)}")
        # A revoked token stays revoked; everything else acts once unless told otherwise.
        fault = cls(**{"times": None if body["effect"] == "revoked" else 1, **body})
        try:
            re.compile(fault.path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from error
        return fault

    def as_json(self) -> dict[str, Any]:
        """Return the fault as `GET /lab/faults` shows it."""
        return asdict(self)

    def _uses_one(self) -> bool:
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    def takes_call(self, provider: str, method: str, path: str, token: str) -> bool:
        """Say whether the fault acts on this call, and count it."""
        return (
            self.effect != "action_error"
            and self.provider in ("", provider)
            and self.method.upper() in ("", method)
            and self.token in ("", token)
            and re.search(self.path, path) is not None
            and self._uses_one()
        )

    def takes_action(self, provider: str, command: str) -> bool:
        """Say whether the fault acts on this action, and count it."""
        return (
            self.effect == "action_error"
            and self.provider in ("", provider)
            and self.command in ("", command)
            and self._uses_one()
        )


class Faults:
    """The faults that are set now."""

    def __init__(self) -> None:
        """Start without any."""
        self._faults: dict[int, Fault] = {}
        self._last = 0

    def add(self, fault: Fault) -> Fault:
        """Set a fault and give it its id."""
        self._last += 1
        fault.id = self._last
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: int) -> bool:
        """Remove one fault; False if there is none."""
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def all(self) -> list[Fault]:
        """Return the faults, used-up ones too (their hits are worth reading)."""
        return list(self._faults.values())

    def for_call(self, provider: str, method: str, path: str, token: str) -> list[Fault]:
        """Return the faults that act on this call, in the order they were set, and count them."""
        return [fault for fault in self._faults.values() if fault.takes_call(provider, method, path, token)]

    def for_action(self, provider: str, command: str) -> Fault | None:
        """Return the fault that makes this action fail, if any, and count it."""
        return next((fault for fault in self._faults.values() if fault.takes_action(provider, command)), None)
