# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the members and Sentinels of a Redis cluster say of it, and what keeps it from being whole.

The form of the answers: https://redis.io/docs/latest/commands/info/ (section replication),
https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ (SENTINEL MASTER) and
https://redis.io/docs/latest/commands/acl-list/. Valkey's are the same.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PRIMARY, REPLICA, SILENT = "primary", "replica", "silent"

_ROLES = {"master": PRIMARY, "slave": REPLICA}


@dataclass(frozen=True)
class Member:
    """One member. offset: bytes of changes that it has. following: whom it copies; streaming: whether it really does."""

    name: str
    role: str = SILENT
    following: str = ""
    streaming: bool = False
    offset: int = 0

    def as_result(self) -> dict[str, Any]:
        """The form for a module's result."""
        return {
            "name": self.name,
            "role": self.role,
            "following": self.following,
            "streaming": self.streaming,
            "offset": self.offset,
        }


@dataclass(frozen=True)
class Sentinel:
    """One Sentinel: whom it calls the primary (nobody when it is silent), and how many others it knows."""

    name: str
    primary: str = ""
    sentinels: int = 0
    replicas: int = 0

    def as_result(self) -> dict[str, Any]:
        """The form for a module's result."""
        return {"name": self.name, "primary": self.primary, "sentinels": self.sentinels, "replicas": self.replicas}


@dataclass(frozen=True)
class View:
    """One look at a cluster."""

    members: Sequence[Member] = ()
    sentinels: Sequence[Sentinel] = field(default_factory=tuple)

    @property
    def primary(self) -> str:
        """The member that more than half of the Sentinels name; without Sentinels the one that is one. Empty for nobody."""
        if not self.sentinels:
            names = [member.name for member in self.members if member.role == PRIMARY]
            return names[0] if len(names) == 1 else ""
        named = Counter(sentinel.primary for sentinel in self.sentinels if sentinel.primary)
        name, votes = named.most_common(1)[0] if named else ("", 0)
        return name if votes > len(self.sentinels) // 2 else ""

    @property
    def order(self) -> list[str]:
        """All members in the order of a change: replicas before the primary."""
        return sorted((member.name for member in self.members), key=lambda name: (name == self.primary, name))

    def problems(self) -> list[str]:
        """What keeps the cluster from being whole, one sentence each."""
        if not self.members:
            return ["No member has been asked."]
        found = [f"{member.name} does not answer." for member in self.members if member.role == SILENT]
        found += [f"{sentinel.name} does not answer." for sentinel in self.sentinels if not sentinel.primary]
        primary = self.primary
        if not primary:
            return [*found, "There is no member that more than half call the primary."]
        for member in self.members:
            found += _member_problems(member, primary)
        for sentinel in self.sentinels:
            found += _sentinel_problems(sentinel, primary, len(self.sentinels) - 1, len(self.members) - 1)
        return found


def _member_problems(member: Member, primary: str) -> list[str]:
    if member.role == SILENT:
        return []
    if member.name == primary:
        return [] if member.role == PRIMARY else [f"{member.name} is named the primary and is a replica."]
    if member.role == PRIMARY:
        return [f"{member.name} is a primary beside {primary}."]
    if member.following != primary:
        return [f"{member.name} follows {member.following} and not {primary}."]
    return [] if member.streaming else [f"{member.name} has no connection to {primary} yet."]


def _sentinel_problems(sentinel: Sentinel, primary: str, sentinels: int, replicas: int) -> list[str]:
    if not sentinel.primary:
        return []
    if sentinel.primary != primary:
        return [f"{sentinel.name} calls {sentinel.primary} the primary."]
    found = []
    if sentinel.sentinels != sentinels:
        found.append(f"{sentinel.name} knows {sentinel.sentinels} of {sentinels} other Sentinels.")
    if sentinel.replicas != replicas:
        found.append(f"{sentinel.name} knows {sentinel.replicas} of {replicas} replicas.")
    return found


def parse_look(text: str) -> View:
    """The answers of all servers, as the function `look` in roles/redis/files/common.sh prints them."""
    members: list[Member] = []
    sentinels: list[Sentinel] = []
    for block in text.replace("\r", "").split("@")[1:]:
        head, _line, answer = block.partition("\n")
        kind, _blank, name = head.partition(" ")
        if kind == "member":
            members.append(_member(name, dict(_pair(line) for line in answer.splitlines() if ":" in line)))
        elif kind == "sentinel":
            words = answer.splitlines()
            sentinels.append(_sentinel(name, dict(zip(words[::2], words[1::2]))))
    return View(members, sentinels)


def parse_users(text: str) -> dict[str, dict[str, set[str]]]:
    """The users of each member that answered: member, user, and the hashes (SHA-256) of the passwords that it takes.

    text: for each member a line `@member NAME` and then its answer to ACL LIST, a line `user NAME RULE...` for each user.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for block in text.replace("\r", "").split("@member ")[1:]:
        name, _line, answer = block.partition("\n")
        rules = [line.split() for line in answer.splitlines() if line.startswith("user ")]
        if rules:
            found[name] = {words[1]: {word[1:] for word in words[2:] if word.startswith("#")} for words in rules}
    return found


def other_passwords(users: Mapping[str, Mapping[str, set[str]]], passwords: Mapping[str, str]) -> list[str]:
    """Users that have a password in a member, and another one than that given, by name."""
    hashes = {name: hashlib.sha256(password.encode()).hexdigest() for name, password in passwords.items()}
    return sorted(
        name
        for name, wanted in hashes.items()
        if any(kept.get(name) and wanted not in kept[name] for kept in users.values())
    )


def _pair(line: str) -> tuple[str, str]:
    name, _colon, value = line.partition(":")
    return name, value


def _member(name: str, values: Mapping[str, str]) -> Member:
    role = _ROLES.get(values.get("role", ""), SILENT)
    if role != REPLICA:
        return Member(name, role, offset=_number(values, "master_repl_offset"))
    streaming = values.get("master_link_status") == "up" and values.get("master_sync_in_progress", "0") == "0"
    return Member(name, role, values.get("master_host", ""), streaming, _number(values, "slave_repl_offset"))


def _sentinel(name: str, values: Mapping[str, str]) -> Sentinel:
    # A failover that is under way, or a primary that is thought dead: not settled, so it has named nobody.
    settled = values.get("flags", "") == "master"
    return Sentinel(
        name,
        values.get("ip", "") if settled else "",
        _number(values, "num-other-sentinels"),
        _number(values, "num-slaves"),
    )


def _number(values: Mapping[str, str], name: str) -> int:
    text = values.get(name, "")
    return int(text) if text.isdigit() else 0


def await_whole(
    look: Callable[[], View], timeout: float, now: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[View, list[str]]:
    """Look until nothing is wrong or the time is over; the last view and its problems. timeout: seconds, 0 for one look."""
    end = now() + timeout
    while True:
        view = look()
        problems = view.problems()
        if not problems or now() >= end:
            return view, problems
        sleep(1.0)
