# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of PostgreSQL under Patroni as its members tell it, and what follows from that. Pure.

https://patroni.readthedocs.io/en/latest/rest_api.html and .../dynamic_configuration.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_settings import (
    PARAMETERS,
    amount,
    flat,
    nested,
    same_value,
    written,
)

Json = dict[str, Any]
_IN_QUORUM = ("quorum_standby", "sync_standby")
_LEADERS = ("leader", "standby_leader")
# A replica that has to be restarted with a smaller value than the leader runs with refuses, until the leader has it
# (https://www.postgresql.org/docs/17/hot-standby.html#HOT-STANDBY-ADMIN).
LEADER_FIRST = {
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
}


class ClusterError(Exception):
    """Something that stops a module. The text is one sentence or more, each with its full stop."""


@dataclass(frozen=True)
class Member:
    """One member. lag: bytes it is behind, None when unknown; pending: whether a setting waits for its restart."""

    name: str
    role: str
    state: str
    lag: Optional[int]
    timeline: Optional[int]
    pending: bool

    def as_result(self) -> Json:
        """The form in a module's result."""
        return {
            "name": self.name,
            "role": self.role,
            "state": self.state,
            "lag": self.lag,
            "timeline": self.timeline,
            "pending_restart": self.pending,
        }


@dataclass(frozen=True)
class View:
    """The cluster at one moment. identifier: PostgreSQL's, empty before the first start; recorded: members known to have data."""

    begun: bool = False
    identifier: str = ""
    members: tuple[Member, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    recorded: Mapping[str, str] = field(default_factory=dict)

    @property
    def leader(self) -> str:
        """Name of the leader; empty when there is none."""
        return next((member.name for member in self.members if member.role in _LEADERS), "")

    @property
    def replicas(self) -> list[Member]:
        """The others, by name."""
        return [member for member in self.members if member.role not in _LEADERS]

    @property
    def pending(self) -> list[str]:
        """Members whose settings wait for a restart, the leader last."""
        return [member.name for member in self.in_order if member.pending]

    @property
    def in_order(self) -> list[Member]:
        """The members in the order in which they may be restarted: the leader last."""
        return sorted(self.members, key=lambda member: (member.role in _LEADERS, member.name))


def view_of(answer: Mapping[str, Any]) -> View:
    """What the verb `state` of the member's program printed."""
    listed = (answer.get("cluster") or {}).get("members") or []
    return View(
        begun=bool(answer["begun"]),
        identifier=answer.get("identifier") or "",
        members=tuple(sorted((_member(item) for item in listed), key=lambda member: member.name)),
        config=answer.get("config") or {},
        recorded=answer.get("recorded") or {},
    )


def _member(item: Mapping[str, Any]) -> Member:
    lag = item.get("lag")
    return Member(
        name=item["name"],
        role=item["role"],
        state=item["state"],
        lag=lag if isinstance(lag, int) else None,
        timeline=item.get("timeline"),
        pending=bool(item.get("pending_restart")),
    )


def problems(view: View, wanted: Sequence[str]) -> list[str]:
    """What keeps the cluster from being whole, as parts of a sentence. wanted: names of its members."""
    found = [] if view.leader else ["there is no leader"]
    known = {member.name: member for member in view.members}
    synchronous = bool(view.config.get("synchronous_mode")) and len(wanted) > 1
    for name in wanted:
        member = known.get(name)
        if member is None:
            found.append(f"{name} is not in the cluster")
        elif member.role in _LEADERS:
            found.extend([] if member.state == "running" else [f"the leader {name} is {member.state}"])
        elif member.state != "streaming":
            found.append(f"{name} is {member.state}")
        elif synchronous and member.role not in _IN_QUORUM:
            found.append(f"{name} streams and is not in the quorum yet")
    return found


# Settings.


def setting_changes(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a PATCH has to set, by path; None for parameters of PostgreSQL that nobody wants any more.

    Numbers that are written as texts are the same to Patroni. Other settings of Patroni than the wanted ones stay.
    """
    have, want = flat(live), flat(wanted)
    changes = {path: value for path, value in want.items() if path not in have or written(have[path]) != written(value)}
    # A call that names none of the parameters is about something else.
    complete = any(path.startswith(PARAMETERS) for path in want)
    gone = {path: None for path in have if complete and path.startswith(PARAMETERS) and path not in want}
    return {**changes, **gone}


def setting_problems(parameters: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Values that PostgreSQL would not take, one sentence each. known: by name, the columns of pg_settings."""
    return [
        text for name, value in parameters.items() for text in _value_problem(name, written(value), known.get(name))
    ]


def _value_problem(name: str, value: str, row: Optional[Mapping[str, Any]]) -> list[str]:
    if row is None:
        # A name with a point belongs to an extension that may not be loaded yet.
        return [] if "." in name else [f"PostgreSQL knows no setting {name}."]
    if row["vartype"] in ("integer", "real"):
        return _number_problem(name, value, row)
    choices = {"enum": row["enumvals"] or [], "bool": ["on", "off"]}.get(row["vartype"])
    if choices is None or value.lower() in choices:
        return []
    if {"on", "off"} <= set(choices) and value.lower() in ("true", "false", "yes", "no", "1", "0"):
        return []
    return [f"{name} is {value}; it takes {', '.join(choices)}."]


def _number_problem(name: str, value: str, row: Mapping[str, Any]) -> list[str]:
    unit = row["unit"]
    number, low, high = (amount(text, unit) for text in (value, row["min_val"], row["max_val"]))
    if number is None:
        return [f"{name} is {value}, which is no number{f' with a unit such as {unit}' if unit else ''}."]
    if low is not None and high is not None and not low <= number <= high:
        return [f"{name} is {value}; it takes {row['min_val']} to {row['max_val']}{f' times {unit}' if unit else ''}."]
    return []


def restarts(view: View, changes: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Members that have to be restarted for these changes, and for former ones, the leader last."""
    for path, value in changes.items():
        row = known.get(path[len(PARAMETERS) :]) if path.startswith(PARAMETERS) else None
        if row is not None and row["context"] == "postmaster":
            target = row["boot_val"] if value is None else value
            if not same_value(target, row["setting"], row["unit"], row["vartype"]):
                return [member.name for member in view.in_order]
    return view.pending


def lowers_for_replicas(changes: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the leader has to be restarted before its replicas, because a value becomes smaller that they must not fall below."""
    for path, value in changes.items():
        name = path[len(PARAMETERS) :]
        row = known.get(name)
        if name in LEADER_FIRST and row is not None:
            wanted = amount(written(row.get("boot_val") if value is None else value), row["unit"])
            now = amount(row["setting"], row["unit"])
            if wanted is not None and now is not None and wanted < now:
                return True
    return False


def patch_of(changes: Mapping[str, Any]) -> Json:
    """The body of the PATCH."""
    return nested(changes)


# What is reported.


def cluster_change(name: str, members: Iterable[str]) -> Change:
    """A cluster that begins."""
    return Change("create", "cluster", name, None, {"members": list(members)})


def settings_change(name: str, live: Mapping[str, Any], changes: Mapping[str, Any]) -> Change:
    """Settings by their path, before and after."""
    have = flat(live)
    before = {path: have[path] for path in changes if path in have}
    return Change(
        "update", "settings", name, before, {path: value for path, value in changes.items() if value is not None}
    )


def restart_change(member: str) -> Change:
    """A restart of PostgreSQL in a member."""
    return Change("update", "member", member, {"pending_restart": True}, {"pending_restart": False})


def restart_changes(cluster: str, view: View, due: Sequence[str], leader_first: bool) -> list[Change]:
    """What restarting these members will be, the leader's after a hand-over to the one that is fit for it now."""
    candidate = successor(view, ())
    replicas = [restart_change(name) for name in due if name != view.leader]
    if view.leader not in due:
        return replicas
    if leader_first or not candidate:
        return [restart_change(view.leader), *replicas]
    return [*replicas, leader_change(cluster, view.leader, candidate), restart_change(view.leader)]


def leader_change(name: str, before: str, after: str) -> Change:
    """A hand-over."""
    return Change("update", "leader", name, {"leader": before}, {"leader": after})


def successor(view: View, avoided: Iterable[str]) -> str:
    """The replica that takes over: in the quorum, and of the least lag; empty when there is none."""
    able = [member for member in view.replicas if member.state == "streaming" and member.name not in set(avoided)]
    ranked = sorted(able, key=lambda member: (member.role not in _IN_QUORUM, member.lag or 0, member.name))
    return ranked[0].name if ranked else ""
