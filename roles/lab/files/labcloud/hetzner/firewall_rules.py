# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of firewalls: checking of a request's rules and what a server's machine gets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..machine_specs import FirewallRule
from ..state import Item
from . import addresses
from .fields import Fields

MAX_RULES = 50
MAX_CIDRS = 100
_FIELDS = ("description", "direction", "source_ips", "destination_ips", "protocol", "port")
_PROTOCOLS = ("tcp", "udp", "icmp", "esp", "gre")
_WITH_PORT = ("tcp", "udp")
_PORT = re.compile(r"any|([0-9]{1,5})(?:-([0-9]{1,5}))?")
_LAST_PORT = 65535


def _port_fault(port: str) -> str | None:
    match = _PORT.fullmatch(port)
    if match is None:
        return "must be a port, a range such as 1024-5000, or any"
    first = int(match[1] or 1)
    last = int(match[2] or first)
    return None if 1 <= first <= last <= _LAST_PORT else f"must be within 1 and {_LAST_PORT}, the lower bound first"


def _networks(fields: Fields, name: str, wanted: bool) -> list[str]:
    texts = fields.texts(name, maximum=MAX_CIDRS)
    if wanted and not texts:
        fields.fault(name, "must have at least one entry for this direction")
    if texts and not wanted:
        fields.fault(name, "must be empty for this direction")
    found = [addresses.canonical_cidr(text) for text in texts]
    for text, canonical in zip(texts, found):
        if canonical is None:
            fields.fault(name, f"{text!r} is no CIDR block without host bits")
    return [canonical for canonical in found if canonical is not None]


def _rule(body: dict[str, Any], faults: dict[str, list[str]], prefix: str) -> Item:
    fields = Fields(body, _FIELDS, prefix)
    direction = fields.text("direction", required=True, choices=("in", "out"))
    protocol = fields.text("protocol", required=True, choices=_PROTOCOLS)
    description = None if body.get("description") is None else fields.text("description", maximum=255)
    port = None if body.get("port") is None else fields.text("port")
    if protocol in _WITH_PORT and port is None:
        fields.fault("port", f"is required for protocol {protocol}")
    elif port is not None and protocol not in _WITH_PORT:
        fields.fault("port", f"is not allowed for protocol {protocol}")
    elif port is not None and (port_fault := _port_fault(port)):
        fields.fault("port", port_fault)
    rule = {
        "description": description,
        "direction": direction,
        "source_ips": _networks(fields, "source_ips", direction == "in"),
        "destination_ips": _networks(fields, "destination_ips", direction == "out"),
        "protocol": protocol,
        "port": port,
    }
    faults.update(fields.faults)
    return rule


def parse(fields: Fields, required: bool) -> list[Item]:
    """Read `rules` of a request; what is wrong goes to the request's faults."""
    bodies = fields.objects("rules", required=required, maximum=MAX_RULES)
    return [_rule(body, fields.faults, f"rules[{index}].") for index, body in enumerate(bodies)]


def for_machine(rules: Iterable[Item]) -> tuple[FirewallRule, ...]:
    """Return rules as a machine takes them."""
    return tuple(
        FirewallRule(
            rule["direction"], rule["protocol"], rule["port"], tuple(rule["source_ips"] or rule["destination_ips"])
        )
        for rule in rules
    )
