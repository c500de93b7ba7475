# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical forms of the values that Hetzner's API gives back in another spelling than it took."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

OWNER_LABEL = "frontdesk.platform/owner"
USER_DATA_LABEL = "frontdesk.platform/user-data"
HOST_KEY_LABEL = "frontdesk.platform/ssh-host-key"
# Membership labels say which groups a server is in, so one that is not wanted any more must go.
GROUP_LABEL_PREFIX = "group.frontdesk.platform/"

ALL_PORTS = "1-65535"


class Rule(NamedTuple):
    """A firewall rule without its description, comparable: canonical networks, in any order."""

    direction: str
    protocol: str
    port: str | None
    networks: frozenset[str]


def canonical_network(value: str) -> str:
    """A network or address as the API gives it back: CIDR, host bits cleared, IPv6 as RFC 5952 section 4.

    Raises ValueError with a sentence.
    """
    return str(ipaddress.ip_network(value.strip(), strict=False))


def canonical_address(value: str) -> str:
    """An address in its canonical spelling. Raises ValueError with a sentence."""
    return str(ipaddress.ip_address(value.strip()))


def canonical_port(value: str | None) -> str | None:
    """A port or range in its shortest form: "80-80" is "80", "any" is all of them."""
    if value is None:
        return None
    text = str(value).replace(" ", "")
    if text.lower() == "any":
        return ALL_PORTS
    low, dash, high = text.partition("-")
    return low if dash and low == high else text


def canonical_rule(rule: Mapping[str, Any]) -> Rule:
    """A rule from options or from the API. Raises ValueError with a sentence."""
    networks = rule.get("source_ips" if rule["direction"] == "in" else "destination_ips") or []
    return Rule(
        rule["direction"],
        rule["protocol"],
        canonical_port(rule.get("port")),
        frozenset(canonical_network(network) for network in networks),
    )


def sorted_networks(networks: Iterable[str]) -> list[str]:
    """Canonical networks in an order that people expect: IPv4 first, then by number."""
    return [
        str(network)
        for network in sorted(
            (ipaddress.ip_network(network) for network in networks),
            key=lambda network: (network.version, int(network.network_address), network.prefixlen),
        )
    ]


def rule_payload(rule: Rule, description: str | None) -> dict[str, Any]:
    """The rule as the API takes it."""
    payload: dict[str, Any] = {"direction": rule.direction, "protocol": rule.protocol}
    if description is not None:
        payload["description"] = description
    if rule.port is not None:
        payload["port"] = rule.port
    payload["source_ips" if rule.direction == "in" else "destination_ips"] = sorted_networks(rule.networks)
    return payload


def key_blob(public_key: str) -> bytes:
    """The binary key of an OpenSSH public key line. Raises ValueError with a sentence."""
    _type, text, *_comment = [*public_key.split(), "", ""]
    if not text:
        raise ValueError("it is no OpenSSH public key (type, base64 text, comment)")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("the second word of the public key is not base64") from None


def key_fingerprint(public_key: str) -> str:
    """The MD5 fingerprint by which the API tells SSH keys apart (colon-separated hex)."""
    digest = hashlib.new("md5", key_blob(public_key), usedforsecurity=False).hexdigest()
    return ":".join(digest[index : index + 2] for index in range(0, len(digest), 2))


def host_key_digest(blob: bytes) -> str:
    """The value of the host key label: SHA-256 in base32, lower case, unpadded (52 characters, fits in a label)."""
    return base64.b32encode(hashlib.sha256(blob).digest()).decode().rstrip("=").lower()


def user_data_digest(owner: str, server: str, user_data: str) -> str:
    """A short keyed hash by which changed user data are noticed: the API never gives user data back.

    The key separates owners and servers, so equal user data cannot be seen from equal labels. It is no secret:
    user data are readable by every process of the server and must hold none.
    """
    key = f"{USER_DATA_LABEL}\0{owner}\0{server}".encode()
    return hmac.new(key, user_data.encode(), hashlib.sha256).hexdigest()[:20]


def merged_labels(live: Mapping[str, str], wanted: Mapping[str, str], dropped: Iterable[str] = ()) -> dict[str, str]:
    """The whole map that a PUT must send: foreign labels survive, wanted ones win, dropped ones go."""
    merged = {**live, **wanted}
    for key in dropped:
        merged.pop(key, None)
    return merged


def left_groups(live: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Membership labels of groups that the server is no longer in."""
    return sorted(key for key in live if key.startswith(GROUP_LABEL_PREFIX) and key not in wanted)
