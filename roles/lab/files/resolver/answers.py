# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which answer a question gets: the lab's own zones with authority, everything else from the name server above."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from dnslib import AAAA, QTYPE, RCODE, RR, SOA, A, DNSError, DNSRecord
from dnslib.server import BaseResolver

Upstream = tuple[str, int]
Zones = Mapping[str, Mapping[str, str]]

# Short, because a lab's records change within a test run. Seconds.
TTL = 5
# The world's answer may take this long before the asker gets SERVFAIL. Seconds.
UPSTREAM_TIMEOUT = 5


def parse_zones(raw: Any) -> Zones:
    """Check {zone: {name: address}} and return it with lower-case absolute names without the final dot.

    Raises ValueError with the faulty entry.
    """
    zones: dict[str, dict[str, str]] = {}
    for zone, records in raw.items():
        apex = str(zone).strip(".").lower()
        zones[apex] = {}
        for name, address in records.items():
            try:
                ipaddress.ip_address(address)
            except ValueError as error:
                raise ValueError(f"zone {zone}: record {name}: {error}") from error
            zones[apex][apex if name == "@" else f"{name.lower()}.{apex}"] = address
    return zones


def find_address(records: Mapping[str, str], name: str) -> str | None:
    """Return the address of a name, or of the closest wildcard above it (RFC 4592)."""
    if name in records:
        return records[name]
    parts = name.split(".")
    for cut in range(1, len(parts)):
        wildcard = ".".join(["*", *parts[cut:]])
        if wildcard in records:
            return records[wildcard]
    return None


class LabResolver(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    """Answers every question that the two servers (UDP and TCP) hand over."""

    def __init__(self, zones: Zones, upstream: Upstream) -> None:
        self._zones = zones
        self._upstream = upstream

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        """Return the reply to one question; never raises."""
        name = str(request.q.qname).rstrip(".").lower()
        zone = self._zone_of(name)
        if zone is not None:
            return self._answer(request, zone, name)
        if "." not in name and name:
            # The engine's own resolver, which is asked for the world's names, knows containers by such names. No
            # server in a data centre does, and a play must not pass by accident.
            reply = request.reply()
            reply.header.rcode = RCODE.NXDOMAIN
            return reply
        return self._forward(request, handler.protocol)

    def _zone_of(self, name: str) -> str | None:
        owners = [zone for zone in self._zones if name == zone or name.endswith(f".{zone}")]
        return max(owners, key=len, default=None)

    def _answer(self, request: DNSRecord, zone: str, name: str) -> DNSRecord:
        reply = request.reply()
        address = find_address(self._zones[zone], name)
        if address is not None:
            kind, data = ("A", A) if ipaddress.ip_address(address).version == 4 else ("AAAA", AAAA)
            if QTYPE[request.q.qtype] in (kind, "ANY"):
                reply.add_answer(RR(request.q.qname, getattr(QTYPE, kind), rdata=data(address), ttl=TTL))
                return reply
        elif name != zone:
            reply.header.rcode = RCODE.NXDOMAIN
        # The zone's SOA tells for how long a "no" may be kept (RFC 2308).
        start = SOA(f"ns.{zone}", f"hostmaster.{zone}", (1, TTL, TTL, TTL, TTL))
        reply.add_auth(RR(zone, QTYPE.SOA, rdata=start, ttl=TTL))
        return reply

    def _forward(self, request: DNSRecord, protocol: str) -> DNSRecord:
        """Ask by UDP, which every name server answers, and again by TCP when the answer did not fit."""
        try:
            answer = self._ask(request, tcp=False)
            return self._ask(request, tcp=True) if answer.header.tc and protocol == "tcp" else answer
        except (OSError, DNSError, ValueError):
            reply = request.reply()
            reply.header.rcode = RCODE.SERVFAIL
            return reply

    def _ask(self, request: DNSRecord, *, tcp: bool) -> DNSRecord:
        return DNSRecord.parse(request.send(*self._upstream, tcp=tcp, timeout=UPSTREAM_TIMEOUT))
