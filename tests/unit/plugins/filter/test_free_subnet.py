# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter free_subnet."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.frontdesk.platform.plugins.filter.free_subnet import FilterModule, free_subnet

HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
DEFAULT = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
VPN = "tun0\t000112C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"  # 198.18.1.0/24


def network(name: str, *subnets: str) -> dict:
    return {"Name": name, "IPAM": {"Config": [{"Subnet": subnet} for subnet in subnets] or None}}


@pytest.mark.parametrize(
    ("networks", "routes", "expected"),
    [
        ([], "", "198.18.0.0/24"),
        ([], HEADER + DEFAULT, "198.18.0.0/24"),
        ([network("host"), network("six", "fd00::/8"), network("other", "198.18.0.128/25")], "", "198.18.1.0/24"),
        ([network("other", "198.18.0.0/24")], HEADER + DEFAULT + VPN, "198.18.2.0/24"),
    ],
)
def test_the_first_range_that_nothing_uses(networks, routes, expected):
    assert free_subnet("198.18.0.0/15", 24, networks, routes) == expected


@pytest.mark.parametrize(
    ("networks", "routes", "owner"),
    [
        ([network("other", "198.16.0.0/12")], "", r"the Docker network other \(198\.16\.0\.0/12\) is in the way"),
        ([], HEADER + VPN, r"a route over tun0 \(198\.18\.1\.0/24\) is in the way"),
    ],
)
def test_what_is_in_the_way_is_named(networks, routes, owner):
    with pytest.raises(AnsibleFilterError, match=owner):
        free_subnet("198.18.1.0/24", 24, networks, routes)


@pytest.mark.parametrize(("pool", "prefix"), [("198.18.1.0/24", 16), ("198.18.1.1/24", 24), ("no range", 24)])
def test_a_range_that_cannot_be_divided_is_refused(pool, prefix):
    with pytest.raises(AnsibleFilterError, match="is not an IPv4 range that has"):
        free_subnet(pool, prefix, [])


def test_ansible_finds_it():
    assert FilterModule().filters() == {"free_subnet": free_subnet}
