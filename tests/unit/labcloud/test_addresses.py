# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses there are and who gets which."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labcloud.hetzner import addresses


@pytest.mark.parametrize(
    ("network", "subnet", "first"),
    [
        ("10.0.0.0/16", "10.0.0.0/24", "10.0.0.2"),  # .1 is the gateway of the whole network
        ("10.0.0.0/16", "10.0.1.0/24", "10.0.1.1"),  # here .1 is an address like any other
        ("10.0.0.0/16", "10.0.0.0/30", "10.0.0.2"),
        ("172.16.0.0/12", "172.31.1.0/29", "172.31.1.2"),  # 172.31.1.1 is every server's public gateway
    ],
)
def test_the_first_address_of_a_subnet(network: str, subnet: str, first: str) -> None:
    assert addresses.free_address(IPv4Network(subnet), network, set()) == first


@given(st.integers(27, 30), st.integers(0, 40))
def test_a_subnet_gives_every_address_once_and_then_none(prefix: int, skipped: int) -> None:
    subnet = IPv4Network(f"10.0.0.0/{prefix}")
    taken = {str(subnet.network_address + 2 + skipped)}
    given_out: list[str] = []
    while (address := addresses.free_address(subnet, "10.0.0.0/16", taken)) is not None:
        assert address not in taken
        taken.add(address)
        given_out.append(address)
    usable = subnet.num_addresses - 3  # without network, gateway and broadcast
    assert len(given_out) == usable - (str(subnet.network_address + 2 + skipped) in map(str, list(subnet)[2:-1]))
    assert given_out == sorted(given_out, key=IPv4Address)


def test_public_addresses_start_at_ten_and_fill_gaps() -> None:
    pool = IPv4Network("198.18.0.0/28")
    taken: set[str] = set()
    found = []
    while (address := addresses.free_public_ipv4(pool, taken)) is not None:
        taken.add(address)
        found.append(address)
    assert found == [f"198.18.0.{number}" for number in range(10, 15)]
    assert addresses.free_public_ipv4(pool, taken - {"198.18.0.12"}) == "198.18.0.12"


def test_ipv6_networks_are_documentation_addresses_and_differ() -> None:
    found = {addresses.public_ipv6(number) for number in (1, 2, 65535, 65536, 10**6)}
    assert len(found) == 5
    assert all(addresses.IPv6Network(network).subnet_of(addresses.IPV6_POOL) for network in found)
    assert all(network.endswith("/64") for network in found)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2001:DB8:0:0::/64", "2001:db8::/64"),
        ("2001:0db8:9a3b:ee58:5ca:990c:8bc9:c03b/128", "2001:db8:9a3b:ee58:5ca:990c:8bc9:c03b/128"),
        ("::/0", "::/0"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1/8", None),
        ("10.0.0.1", None),
        ("fd00::1/64", None),
        ("all", None),
    ],
)
def test_cidr_blocks_of_firewalls_are_canonical(text: str, canonical: str | None) -> None:
    assert addresses.canonical_cidr(text) == canonical


def test_a_free_subnet_avoids_all_others() -> None:
    network = IPv4Network("10.0.0.0/22")
    used = [IPv4Network("10.0.0.0/24"), IPv4Network("10.0.1.128/25")]
    assert addresses.free_subnet(network, used) == IPv4Network("10.0.2.0/24")
    assert addresses.free_subnet(network, [IPv4Network("10.0.0.0/8")]) is None
