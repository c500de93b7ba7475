# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host keys of servers: what the known_hosts file says, what the servers' labels say, and what is to be done.

The format is that of sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT; the comment at the end of a line says which server
it belongs to. Lines without such a comment are somebody else's and stay as they are.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import UNKNOWN, Change
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import labels_of
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import HOST_KEY_LABEL, host_key_digest

KEY_TYPE = "ssh-ed25519"
COMMENT = "frontdesk.platform"
SSH_PORT = 22
OUR_LINE = re.compile(
    rf"(?P<hosts>\S+) {KEY_TYPE} (?P<key>\S+) {re.escape(COMMENT)} server=(?P<identity>\S+) scope=(?P<scope>\S+)"
)
UNSCANNED = "(known when the server has answered)"


@dataclass(frozen=True)
class Entry:
    """One line of ours. identity: number and time of creation of the server, since numbers alone may come again.

    scope: owner or label selector of the call that wrote it. key: base64 text.
    """

    hosts: tuple[str, ...]
    key: str
    identity: str
    scope: str

    @property
    def digest(self) -> str:
        """The value that the server's label must have."""
        return host_key_digest(base64.b64decode(self.key))

    def line(self) -> str:
        """The line as it stands in the file."""
        comment = f"{COMMENT} server={self.identity} scope={quote(self.scope, safe='')}"
        return f"{','.join(self.hosts)} {KEY_TYPE} {self.key} {comment}"


@dataclass
class KnownHosts:
    """A file: other people's lines in their order, then ours."""

    others: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def text(self) -> str:
        """The whole file, our lines sorted."""
        lines = [*self.others, *(entry.line() for entry in sorted(self.entries, key=_order))]
        return "".join(f"{line}\n" for line in lines)


def _order(entry: Entry) -> tuple[str, ...]:
    return (entry.hosts[-1], *entry.hosts)


def parse_known_hosts(text: str) -> KnownHosts:
    """Read a file. Whatever is not exactly a line of ours is kept as it is."""
    found = KnownHosts()
    for line in text.splitlines():
        entry = _parse_line(line)
        if entry is None:
            found.others.append(line)
        else:
            found.entries.append(entry)
    return found


def _parse_line(line: str) -> Entry | None:
    match = OUR_LINE.fullmatch(line)
    if match is None:
        return None
    try:
        base64.b64decode(match["key"], validate=True)
    except binascii.Error:
        return None
    return Entry(tuple(match["hosts"].split(",")), match["key"], match["identity"], unquote(match["scope"]))


def identity_of(server: Mapping[str, Any]) -> str:
    """Number and time of creation: what tells a server from any other that ever had its number or address."""
    return f"{server['id']}@{server['created']}"


def address_of(server: Mapping[str, Any], which: str) -> str | None:
    """The address by which the server is reached. which: public (IPv4 before IPv6) or private (of the first network)."""
    if which == "private":
        networks = server.get("private_net") or []
        return str(networks[0]["ip"]) if networks else None
    public = server["public_net"]
    ipv4 = (public.get("ipv4") or {}).get("ip")
    if ipv4:
        return str(ipv4)
    ipv6 = (public.get("ipv6") or {}).get("ip")
    # Hetzner gives a /64; cloud-init configures its first address.
    return str(ipaddress.IPv6Network(ipv6)[1]) if ipv6 else None


def host_names(address: str, name: str, port: int) -> tuple[str, ...]:
    """The first field of a line: sshd(8) wants [host]:port for other ports than 22."""
    return tuple(host if port == SSH_PORT else f"[{host}]:{port}" for host in (address, name))


@dataclass(frozen=True)
class Unrecorded:
    """A server whose key must be asked for. expected: digest that the key must have, None for a new server."""

    server: Json
    address: str
    expected: str | None
    expected_from: str


@dataclass
class RecordPlan:
    """What is to be done. entries: the lines that stay or change without asking a server."""

    entries: list[Entry] = field(default_factory=list)
    unrecorded: list[Unrecorded] = field(default_factory=list)
    labels: list[tuple[Json, str | None]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    passed_over: list[dict[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RecordOptions:
    """scope: owner or selector. which: public or private. prune: forget servers that are gone."""

    scope: str
    which: str
    port: int
    prune: bool


def plan_records(servers: Iterable[Json], known: KnownHosts, options: RecordOptions) -> RecordPlan:
    """Compare the live servers with the file. Servers with a line that agrees with their label need nothing."""
    plan = RecordPlan()
    by_identity = {entry.identity: entry for entry in known.entries}
    taken: set[str] = set()
    current: set[str] = set()
    for server in sorted(servers, key=lambda item: str(item["name"])):
        identity = identity_of(server)
        current.add(identity)
        entry = by_identity.get(identity)
        address = address_of(server, options.which)
        if entry is not None:
            _recorded(plan, server, entry, address, options)
        elif address is None or server["status"] == "off":
            reason = f"has no {options.which} address" if address is None else "is switched off"
            plan.passed_over.append({"name": server["name"], "reason": reason})
            continue
        else:
            _unrecorded(plan, server, address)
        if address is not None:
            taken.update(host_names(address, server["name"], options.port))
    for entry in known.entries:
        if entry.identity in current:
            continue
        # Its address or name has a new owner, or its server is gone: a key that nobody has any more.
        reused = taken.intersection(entry.hosts)
        if reused or (options.prune and entry.scope == options.scope):
            plan.changes.append(Change("delete", "known_host", entry.hosts[-1], _shown(entry), None))
        else:
            plan.entries.append(entry)
    return plan


def _recorded(plan: RecordPlan, server: Json, entry: Entry, address: str | None, options: RecordOptions) -> None:
    name = server["name"]
    label = labels_of(server).get(HOST_KEY_LABEL)
    if label is not None and label != entry.digest:
        plan.problems.append(
            f"The host key of server {name} in the file is not the one in its label {HOST_KEY_LABEL}: somebody changed "
            "one of them; find out who, then remove the wrong one."
        )
        return
    if label is None:
        # The label went missing; only the server itself can say whether the line is still right.
        if address is not None and server["status"] != "off":
            plan.unrecorded.append(Unrecorded(server, address, entry.digest, "the file"))
            plan.changes.append(_label_change(name, entry.digest))
            plan.entries.append(entry)
            return
        plan.passed_over.append({"name": name, "reason": "cannot be asked now, and its label is missing"})
    hosts = host_names(address, name, options.port) if address else entry.hosts
    renewed = Entry(hosts, entry.key, entry.identity, entry.scope)
    plan.entries.append(renewed)
    if renewed != entry:
        plan.changes.append(Change("update", "known_host", name, _shown(entry), _shown(renewed)))


def _unrecorded(plan: RecordPlan, server: Json, address: str) -> None:
    label = labels_of(server).get(HOST_KEY_LABEL)
    plan.unrecorded.append(Unrecorded(server, address, label, f"the label {HOST_KEY_LABEL}"))
    if label is None:
        plan.changes.append(_label_change(server["name"], UNSCANNED))
    after = {"hosts": [address, server["name"]], "digest": label or UNSCANNED}
    plan.changes.append(Change("create", "known_host", server["name"], None, after))


def expect_records(plan: RecordPlan, names: Iterable[str]) -> None:
    """Enter what recording will do for servers that do not exist yet; only a prediction can need it."""
    for name in sorted(names):
        plan.changes.append(_label_change(name, UNSCANNED))
        plan.changes.append(Change("create", "known_host", name, None, {"hosts": [UNKNOWN, name], "digest": UNSCANNED}))


def _label_change(name: str, digest: str) -> Change:
    return Change("update", "server", name, {"labels": {}}, {"labels": {HOST_KEY_LABEL: digest}})


def _shown(entry: Entry) -> dict[str, Any]:
    return {"hosts": list(entry.hosts), "digest": entry.digest}


def mismatch(item: Unrecorded, key: str) -> str | None:
    """The sentence when a server answered with another key than it must have, or None."""
    if item.expected is None or host_key_digest(base64.b64decode(key)) == item.expected:
        return None
    return (
        f"Server {item.server['name']} ({item.address}) shows another host key than {item.expected_from} says: "
        "somebody answers in its place, or its key was changed; nothing was recorded."
    )


def scanned_keys(output: str) -> dict[str, str]:
    """The output of ssh-keyscan as {host: base64 key}; [host]:port without its port."""
    found = {}
    for line in output.splitlines():
        host, kind, key, *_rest = [*line.split(), "", "", ""]
        if kind == KEY_TYPE and key:
            found[host[1:].partition("]")[0] if host.startswith("[") else host] = key
    return found
