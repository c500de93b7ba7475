# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure parts of the inventory plugin hetzner, where the input is a language."""

from __future__ import annotations

import ipaddress
import re

import pytest
from ansible.plugins.inventory import to_safe_group_name
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.plugin_utils.hetzner_inventory import (
    cache_key,
    first_address,
    free_name,
    label_groups,
    some_names,
)

# https://docs.hetzner.cloud/reference/cloud#description/labels
LABEL_NAME = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")
PREFIX = "group.frontdesk.platform/"


@given(LABEL_NAME, st.one_of(st.just(""), LABEL_NAME))
def test_every_legal_label_makes_a_legal_group(name, value):
    found = label_groups({PREFIX + name: value, "other/" + name: value, name: value}, PREFIX)
    assert found == ([] if value == "false" else [name])
    for group in found:
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", to_safe_group_name(group))


def test_a_label_that_is_only_the_prefix_makes_no_group():
    assert label_groups({PREFIX: "true"}, PREFIX) == []


NAMES = st.text("ab-1", min_size=1, max_size=6)


@given(st.lists(NAMES, max_size=40), st.sets(NAMES), st.sampled_from([None, "a", "b"]))
def test_names_stay_different(wanted, reserved, project):
    used: list[str] = []
    for number, name in enumerate(wanted):
        used.append(free_name(name, {"id": number}, project, lambda name: name in used or name in reserved))
    assert len(set(used)) == len(wanted)
    assert not set(used) & reserved


def test_the_cache_key_hides_the_token_and_ignores_order():
    one = cache_key("p", "https://a/v1", "secret", "env=x", ["off", "running"])
    assert one == cache_key("p", "https://a/v1", "secret", "env=x", ["running", "off"])
    assert re.fullmatch(r"p_[0-9a-f]{32}", one)


@given(st.integers(0, 2**128 - 1), st.integers(48, 128))
def test_first_address_is_inside_the_network(number, length):
    network = ipaddress.IPv6Network((number, length), strict=False)
    assert ipaddress.IPv6Address(first_address(str(network))) in network


@pytest.mark.parametrize(
    ("count", "text"), [(1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (9, "0, 1, 2 and 6 more")]
)
def test_some_names(count, text):
    assert some_names([str(number) for number in range(count)], limit=3) == text
