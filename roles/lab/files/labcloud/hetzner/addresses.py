# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address rules and allocation: https://docs.hetzner.cloud, Networks, and docs.hetzner.com/networking/networks/faq."""

from __future__ import annotations

from collections.abc import Iterator, Set
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Network, NetmaskValueError, ip_network

PRIVATE_RANGES = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
ANYWHERE = IPv4Network("0.0.0.0/0")
# The gateway of the public interface of every server: never an address, gateway or destination in a network.
PUBLIC_GATEWAY = IPv4Address("172.31.1.1")
# API-only projects: nothing listens there (RFC 2544). The default project's range is a setting.
API_ONLY_PUBLIC_NETWORK = IPv4Network("198.19.0.0/16")
FIRST_PUBLIC_HOST = 10
# Documentation addresses (RFC 3849): IPv6 is answered by the API and not routed in the lab.
IPV6_POOL = IPv6Network("2001:db8::/32")


def network_of(text: str) -> IPv4Network | None:
    """Parse a CIDR with empty host bits; None when it is none."""
    try:
        return IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError):
        return None


def address_of(text: str) -> IPv4Address | None:
    """Parse an IPv4 address; None when it is none."""
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def is_private(network: IPv4Network) -> bool:
    """Say whether a network lies in an RFC 1918 range."""
    return any(network.subnet_of(private) for private in PRIVATE_RANGES)


def lies_in(ip: str, ip_range: str) -> bool:
    """Say whether an address lies in a network, both as texts of a request."""
    address, network = address_of(ip), network_of(ip_range)
    return address is not None and network is not None and address in network


def gateway(network_range: str) -> IPv4Address:
    """Return the gateway of a network: the first address of the whole range, for every subnet in it."""
    return IPv4Network(network_range)[1]


def is_usable(address: IPv4Address, subnet: IPv4Network, network_range: str) -> bool:
    """Say whether a member of the subnet may have this address."""
    return (
        address in subnet
        and address not in (subnet.network_address, subnet.broadcast_address)
        and address not in (gateway(network_range), PUBLIC_GATEWAY)
    )


def free_address(subnet: IPv4Network, network_range: str, taken: Set[str]) -> str | None:
    """Return the lowest free address of a subnet, or None."""
    return next(
        (str(host) for host in subnet.hosts() if is_usable(host, subnet, network_range) and str(host) not in taken),
        None,
    )


def free_subnet(network: IPv4Network, used: list[IPv4Network]) -> IPv4Network | None:
    """Return the first /24 of a network that overlaps with nothing, or None."""
    candidates: Iterator[IPv4Network] = network.subnets(new_prefix=24)
    return next((found for found in candidates if not any(found.overlaps(other) for other in used)), None)


def free_public_ipv4(pool: IPv4Network, taken: Set[str]) -> str | None:
    """Return the lowest free public address, from .10 on."""
    first = int(pool.network_address) + FIRST_PUBLIC_HOST
    last = int(pool.broadcast_address) - 1
    return next((str(IPv4Address(n)) for n in range(first, last + 1) if str(IPv4Address(n)) not in taken), None)


def public_ipv6(item_id: int) -> str:
    """Return the /64 that belongs to an id; ids are unique, so the networks are."""
    return str(IPv6Network((int(IPV6_POOL.network_address) + (item_id << 64), 64)))


def mac(server_id: int, network_id: int) -> str:
    """Return the MAC address of a server's interface in a network, in the vendor's style."""
    digits = f"{server_id & 0xFFFF:04x}{network_id & 0xFFFF:04x}"
    return ":".join(["86", "00", *(digits[i : i + 2] for i in range(0, 8, 2))])


def canonical_cidr(text: str) -> str | None:
    """Return a CIDR block as the firewall keeps it: IPv6 in RFC 5952 form; None when it is none or has host bits.

    A bare address is refused: the document demands CIDR notation.
    """
    if "/" not in text:
        return None
    try:
        return str(ip_network(text))
    except ValueError:
        return None
