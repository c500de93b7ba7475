# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address arithmetic."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.plugin_utils.networks import (
    is_inside,
    is_network,
    nth_address,
    overlaps,
)

networks = st.one_of(
    st.builds(
        lambda address, prefix: str(ipaddress.ip_network((int(address), prefix), strict=False)),
        st.ip_addresses(v=version),
        st.integers(0, 32 if version == 4 else 128),
    )
    for version in (4, 6)
)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.1", "0.0.0.0/0", "::/0", "2001:db8::/32"])
def test_networks(text: str) -> None:
    assert is_network(text)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "", "x", "10.0.0", 1, None, ["10.0.0.0/8"]])
def test_no_networks(text: object) -> None:
    assert not is_network(text)


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("10.20.0.0/16", True),
        ("172.31.0.0/16", True),
        ("192.168.0.0/24", True),
        ("10.0.0.0/7", False),
        ("172.32.0.0/16", False),
        ("192.0.2.0/24", False),
        ("fd00::/8", False),
    ],
)
def test_private_ranges_are_those_of_rfc_1918(text: str, private: bool) -> None:
    assert is_network(text, private=True) == private


@given(networks, networks)
def test_overlap_is_symmetric_and_means_containment(one: str, other: str) -> None:
    assert overlaps(one, other) == overlaps(other, one) == (is_inside(one, other) or is_inside(other, one))
    assert is_inside(one, one)


def test_versions_never_meet() -> None:
    assert not overlaps("0.0.0.0/0", "::/0")
    assert not is_inside("10.0.0.1", "::/0")


def test_nth_address() -> None:
    assert nth_address("10.20.0.0/24", 11) == "10.20.0.11"
    assert nth_address("10.20.0.0/24", 0) == "10.20.0.0"
    assert nth_address("10.20.0.0/24", -1) == "10.20.0.255"
    for number in (256, -257):
        with pytest.raises(ValueError, match="has no address number"):
            nth_address("10.20.0.0/24", number)
    with pytest.raises(ValueError, match="does not appear to be"):
        nth_address("x", 1)
