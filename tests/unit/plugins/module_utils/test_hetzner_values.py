# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical forms: whatever the spelling, the same meaning is equal, and another meaning is not."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change, render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import (
    canonical_address,
    canonical_network,
    canonical_port,
    canonical_rule,
    host_key_digest,
    key_fingerprint,
    left_groups,
    merged_labels,
    rule_payload,
    sorted_networks,
    user_data_digest,
)
from tests.hetzner_runs import KEY, OTHER_KEY

NETWORKS = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
)
LABELS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xyz"), max_size=4)


@given(NETWORKS)
def test_networks_are_as_rfc_5952_writes_them(network: tuple[ipaddress.IPv4Address, int]) -> None:
    address, length = network
    canonical = canonical_network(f"{address}/{length}")
    assert canonical == canonical_network(canonical)
    assert canonical == canonical_network(f" {address.exploded.upper()}/{length} ")
    assert address in ipaddress.ip_network(canonical)
    assert canonical == canonical.lower()


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("10.0.0.5/24", "10.0.0.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1/128"),
        ("2001:db8::7/32", "2001:db8::/32"),
        ("0:0::/0", "::/0"),
    ],
)
def test_networks(given_text: str, canonical: str) -> None:
    assert canonical_network(given_text) == canonical


@pytest.mark.parametrize("text", ["", "ten", "10.0.0.0/33", "10.0.0.256", "::/129"])
def test_no_networks(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        canonical_network(text)


def test_address() -> None:
    assert canonical_address(" 2001:DB8::0:1 ") == "2001:db8::1"


@pytest.mark.parametrize(
    ("given_port", "canonical"),
    [
        ("80", "80"),
        ("80-80", "80"),
        ("80 - 85", "80-85"),
        ("any", "1-65535"),
        ("Any", "1-65535"),
        (None, None),
        (80, "80"),
    ],
)
def test_ports(given_port: str | None, canonical: str | None) -> None:
    assert canonical_port(given_port) == canonical


@given(st.lists(NETWORKS, min_size=1, max_size=6), st.sampled_from(["in", "out"]), st.randoms())
def test_a_rule_is_the_same_in_any_order_and_spelling(
    networks: list[tuple[ipaddress.IPv4Address, int]], direction: str, chance: random.Random
) -> None:
    texts = [f"{address}/{length}" for address, length in networks]
    shuffled = [f"{address.exploded}/{length}" for address, length in networks]
    chance.shuffle(shuffled)
    side = "source_ips" if direction == "in" else "destination_ips"
    one = canonical_rule({"direction": direction, "protocol": "tcp", "port": "80", side: texts})
    two = canonical_rule({"direction": direction, "protocol": "tcp", "port": "80-80", side: [*shuffled, texts[0]]})
    assert one == two
    # What we send is read back as what we meant.
    assert canonical_rule(rule_payload(one, None)) == one


def test_the_other_sides_networks_play_no_part() -> None:
    rule = canonical_rule(
        {"direction": "in", "protocol": "icmp", "source_ips": ["::/0"], "destination_ips": ["10.0.0.0/8"]}
    )
    assert rule.networks == {"::/0"}
    assert "port" not in rule_payload(rule, None)
    assert rule_payload(rule, "text")["description"] == "text"


def test_networks_are_sorted_by_number() -> None:
    assert sorted_networks(["::/0", "10.0.0.0/8", "9.0.0.0/8"]) == ["9.0.0.0/8", "10.0.0.0/8", "::/0"]


def test_fingerprint_is_that_of_the_key_alone() -> None:
    blob = base64.b64decode(KEY.split()[1])
    plain = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    assert key_fingerprint(KEY).replace(":", "") == plain
    assert key_fingerprint(KEY) == key_fingerprint(" ".join(KEY.split()[:2]))
    assert key_fingerprint(KEY) != key_fingerprint(OTHER_KEY)


def test_host_key_digest_fits_in_a_label() -> None:
    digest = host_key_digest(b"key")
    padded = digest.upper() + "=" * (-len(digest) % 8)
    assert base64.b32decode(padded) == hashlib.sha256(b"key").digest()
    assert len(digest) == 52
    assert digest.isalnum()


@given(st.text(), st.text())
def test_user_data_digest_tells_data_servers_and_owners_apart(one: str, two: str) -> None:
    digest = user_data_digest("me", "web-1", one)
    assert digest == user_data_digest("me", "web-1", one)
    assert (digest == user_data_digest("me", "web-1", two)) == (one == two)
    assert digest != user_data_digest("me", "web-2", one)
    assert digest != user_data_digest("you", "web-1", one)
    assert one == "" or len(one) < 4 or one not in digest


def test_user_data_digest_is_frozen() -> None:
    # Another value would re-create every server.
    assert user_data_digest("production", "web-1", "#cloud-config\n") == "f68c0d6174ee9fded3f3"


@given(LABELS, LABELS)
def test_labels_of_others_survive(live: dict[str, str], wanted: dict[str, str]) -> None:
    merged = merged_labels(live, wanted)
    assert all(merged[key] == value for key, value in wanted.items())
    assert all(merged[key] == value for key, value in live.items() if key not in wanted)
    assert set(merged) == set(live) | set(wanted)
    assert merged_labels(merged, wanted) == merged


def test_left_groups() -> None:
    live = {"group.frontdesk.platform/web": "true", "group.frontdesk.platform/db": "true", "other": "1"}
    assert left_groups(live, {"group.frontdesk.platform/db": "true"}) == ["group.frontdesk.platform/web"]
    assert "group.frontdesk.platform/web" not in merged_labels(live, {}, ["group.frontdesk.platform/web", "missing"])


def test_diff_has_both_sides() -> None:
    changes = [
        Change("create", "network", "a", None, {"id": 1}),
        Change("delete", "network", "b", {"id": 2}, None),
        Change("update", "network", "c", {"x": 1}, {"x": 2}),
    ]
    assert render_diff(changes) == {
        "before": {"network b": {"id": 2}, "network c": {"x": 1}},
        "after": {"network a": {"id": 1}, "network c": {"x": 2}},
    }
    assert changes[0].as_result()["before"] is None
