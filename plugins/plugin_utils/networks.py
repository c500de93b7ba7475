# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address arithmetic for templates: strings in CIDR notation in, answers out."""

from __future__ import annotations

import ipaddress
import typing as t

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

_PRIVATE = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
"""RFC 1918."""


def parse_network(value: object) -> Network:
    """Return the network of a string like 10.0.0.0/24 or 10.0.0.1. Raises ValueError, also for bits beyond the prefix."""
    # A number would pass for an address: 1 is 0.0.0.1.
    return ipaddress.ip_network(value if isinstance(value, str) else "no string")


def is_network(value: object, private: bool = False) -> bool:
    """Whether the value is a network in CIDR notation without bits beyond its prefix; `private`: one of RFC 1918."""
    try:
        network = parse_network(value)
    except ValueError:
        return False
    return not private or any(_contains(outer, network) for outer in _PRIVATE)


def is_inside(inner: object, outer: object) -> bool:
    """Whether an address or network lies in another network. Raises ValueError when one is neither."""
    return _contains(parse_network(outer), parse_network(inner))


def overlaps(one: object, other: object) -> bool:
    """Whether two networks share an address. Raises ValueError when one is no network."""
    first, second = parse_network(one), parse_network(other)
    return first.version == second.version and first.overlaps(second)


def nth_address(network: object, number: int) -> str:
    """Return the address `number` places after the first of the network; -1 is the last. Raises ValueError outside."""
    parsed = parse_network(network)
    if not -parsed.num_addresses <= number < parsed.num_addresses:
        raise ValueError(f"network {parsed} has no address number {number}")
    return str(parsed[number])


def _contains(outer: Network, inner: Network) -> bool:
    # mypy cannot see that both are of one version.
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]
