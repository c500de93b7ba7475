# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a configuration: collected over all hosts, shown as one line each."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

MAXIMUM_VALUE_LENGTH = 120
MAXIMUM_HOSTS_NAMED = 5
MINIMUM_SECRET_LENGTH = 6
"""Shorter secrets would blank out parts of ordinary words; such a short one is a fault by itself."""

UNSET = object()
"""Stands for the value of a variable that is not set."""

_SECRET_WORDS = re.compile(r"(?i)(pass|secret|token|key|credential|auth)")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: a variable or a path in it (`frontdesk_servers[2].name`), its value as shown, and what to do."""

    variable: str
    value: str
    remedy: str

    @property
    def root(self) -> str:
        """Name of the variable without the path."""
        return re.split(r"[.\[]", self.variable, maxsplit=1)[0]

    def line(self, hosts: t.Sequence[str] = ()) -> str:
        """The fault as one line. `hosts` is given when it is not a fault of the whole configuration."""
        where = f" (on {shown_hosts(hosts)})" if hosts else ""
        return " ".join(f"{self.variable} {self.value}: {self.remedy}{where}".split())


def shown(value: object, secret: bool = False) -> str:
    """A value for a line of text: `= JSON`, cut; never the value of a secret."""
    if value is UNSET:
        return "is not set"
    if secret:
        return "is empty" if value in ("", [], {}) else "(secret, not shown)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > MAXIMUM_VALUE_LENGTH:
        text = text[: MAXIMUM_VALUE_LENGTH - 4] + " ..."
    return f"= {text}"


def shown_hosts(hosts: t.Sequence[str]) -> str:
    """Names of hosts for a line of text, a few of them when there are many."""
    named = sorted(hosts)[:MAXIMUM_HOSTS_NAMED]
    more = len(hosts) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def sounds_secret(name: str) -> bool:
    """Whether a name that no specification knows may belong to a secret."""
    return bool(_SECRET_WORDS.search(name))


class Report:
    """All faults of a run, each with the hosts that have it."""

    def __init__(self) -> None:
        """Start without faults."""
        self._hosts: dict[Fault, list[str]] = {}
        self._secrets: set[str] = set()

    def add(self, faults: t.Iterable[Fault], hosts: t.Sequence[str] = ()) -> None:
        """Add faults of these hosts; without hosts they belong to the whole configuration."""
        for fault in faults:
            if fault not in self._hosts:
                self._hosts[fault] = list(hosts)
            elif not hosts or not self._hosts[fault]:
                self._hosts[fault] = []
            else:
                self._hosts[fault].extend(hosts)

    def hide(self, value: object) -> None:
        """Blank out every string in `value` wherever it turns up in a line."""
        if isinstance(value, str) and len(value) >= MINIMUM_SECRET_LENGTH:
            self._secrets.add(str(value))
            # As JSON shows it, and as one line: both forms may stand in a line.
            self._secrets.add(json.dumps(value, ensure_ascii=False)[1:-1])
            self._secrets.add(" ".join(value.split()))
        elif isinstance(value, dict):
            for item in value.values():
                self.hide(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.hide(item)

    def lines(self) -> list[str]:
        """One line for each fault, in order of variable and remedy."""
        in_order = sorted(self._hosts.items(), key=lambda item: _natural(item[0]))
        return [self._blank(fault.line(hosts)) for fault, hosts in in_order]

    def _blank(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            if len(secret) >= MINIMUM_SECRET_LENGTH:
                text = text.replace(secret, "********")
        return text


def _natural(fault: Fault) -> tuple[list[t.Any], str]:
    """Sort key that puts servers[2] before servers[10]."""
    parts = re.split(r"(\d+)", fault.variable)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts], fault.remedy
