# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that remembers what it is told, and answers as Patroni and etcd do: for the tests of module patroni_cluster."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Outcome
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_clock import Clock

Json = dict[str, Any]
IDENTIFIER = "7711337643374682187"


def setting(name: str, value: str, context: str = "user", **more: Any) -> Json:
    """A row of pg_settings."""
    row = {"setting": value, "unit": None, "vartype": "integer", "context": context, "boot_val": value}
    return {**row, "min_val": "1", "max_val": "262143", "enumvals": None, **more}


class FakeClock(Clock):
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class FakeCluster:
    """Runs the member's program. log: what changed something; slow: looks until a member is back."""

    names: Sequence[str] = ("pg-a", "pg-b", "pg-c")
    begun: bool = True
    leader: str = "pg-a"
    config: Json = field(default_factory=dict)
    rows: dict[str, Json] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    silent: bool = False
    appears: bool = False

    def run(self, kind: str, words: Sequence[str], stdin: str = "") -> Outcome:
        """As LocalRunner."""
        if self.silent:
            return Outcome(75, "", "etcd does not answer (refused).\n")
        if words[0] != "state" and words[0] != "psql":
            self.log.append(" ".join([*words, stdin] if words[0] == "rest" else words))
        return getattr(self, f"_{words[0]}")(list(words[1:]), stdin)

    def _state(self, words: Sequence[str], stdin: str) -> Outcome:
        members = [self._member(name) for name in self.names] if self.begun else []
        answer = {
            "begun": self.begun,
            "identifier": IDENTIFIER if self.begun else "",
            "recorded": self.recorded,
            "cluster": {"members": members},
            "config": copy.deepcopy(self.config) if self.begun else None,
        }
        self.begun = self.begun or self.appears
        return self._said(answer)

    def _member(self, name: str) -> Json:
        leads = name == self.leader
        state = "stopped" if name in self.down else "running" if leads else "streaming"
        role = "leader" if leads else "quorum_standby" if self.config.get("synchronous_mode") else "replica"
        return {
            "name": name,
            "role": role,
            "state": state,
            "lag": 0,
            "timeline": 1,
            "pending_restart": name in self.pending,
        }

    def _permit(self, words: Sequence[str], stdin: str) -> Outcome:
        self.begun, self.config = True, json.loads(stdin)
        return self._said({})

    def _forget(self, words: Sequence[str], stdin: str) -> Outcome:
        del self.recorded[words[0]]
        self.down.discard(words[0])
        return self._said({})

    def _rest(self, words: Sequence[str], stdin: str) -> Outcome:
        _method, member, path = words
        body = json.loads(stdin)
        if path == "/config":
            self._merge(self.config, body)
            for name, value in (body.get("postgresql") or {}).get("parameters", {}).items():
                self._set(name, value)
        elif path == "/restart":
            self._restarted(member)
        elif path == "/switchover":
            former, self.leader = self.leader, body["candidate"]
            self._restarted(former)
        else:
            return self._said({"status": 503, "text": "no"})
        return self._said({"status": 200, "text": "done"})

    def _merge(self, into: Json, changes: Mapping[str, Any]) -> None:
        for name, value in changes.items():
            if isinstance(value, dict):
                self._merge(into.setdefault(name, {}), value)
            elif value is None:
                into.pop(name, None)
            else:
                into[name] = value

    def _set(self, name: str, value: Any) -> None:
        row = self.rows[name]
        row["wanted"] = row["boot_val"] if value is None else str(value)
        if row["context"] == "postmaster":
            self.pending |= set(self.names)
        elif name not in self.ignored:
            row["setting"] = row["wanted"]

    def _restarted(self, member: str) -> None:
        self.pending.discard(member)
        if not self.pending:
            for name, row in self.rows.items():
                if name not in self.ignored:
                    row["setting"] = row.get("wanted", row["setting"])

    def _psql(self, words: Sequence[str], stdin: str) -> Outcome:
        return self._said({name: row for name, row in self.rows.items() if f"'{name}'" in stdin})

    @staticmethod
    def _said(answer: Any) -> Outcome:
        return Outcome(0, json.dumps(answer), "")


class FakeConfigs:
    """The part of the engine that keeps configs."""

    def __init__(self, identifier: str = "") -> None:
        self.kept = {"postgres.identity": identifier} if identifier else {}

    def get(self, path: str, query: Any = None) -> list[Json]:
        data = {
            name: base64.b64encode(json.dumps({"identifier": text}).encode()).decode()
            for name, text in self.kept.items()
        }
        return [{"Spec": {"Name": "postgres.identity-of-another", "Data": ""}}] + [
            {"Spec": {"Name": name, "Data": text}} for name, text in data.items()
        ]

    def post(self, path: str, body: Json) -> Json:
        self.kept[body["Name"]] = json.loads(base64.b64decode(body["Data"]))["identifier"]
        return {}
