# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a label may look like: https://docs.hetzner.cloud, section Labels."""

from __future__ import annotations

import re

RESERVED_PREFIX = "hetzner.cloud"
MAX_PREFIX = 253
_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_DNS_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")


def key_fault(key: str) -> str | None:
    """Return what is wrong with a key, or None."""
    prefix, slash, name = key.rpartition("/")
    if slash:
        if len(prefix) > MAX_PREFIX or not all(_DNS_LABEL.fullmatch(part) for part in prefix.split(".")):
            return f"label key {key!r}: the prefix must be a DNS subdomain of at most {MAX_PREFIX} characters"
        if prefix.lower() == RESERVED_PREFIX:
            return f"label key {key!r}: the prefix {RESERVED_PREFIX}/ is reserved"
    if not _NAME.fullmatch(name):
        return (
            f"label key {key!r}: the name must have 1 to 63 characters, begin and end with a letter or digit, "
            "with - _ . between"
        )
    return None


def value_fault(value: object) -> str | None:
    """Return what is wrong with a value, or None."""
    if not isinstance(value, str):
        return "label values must be strings"
    if value and not _NAME.fullmatch(value):
        return (
            f"label value {value!r}: it must be empty or have at most 63 characters, begin and end with a letter or "
            "digit, with - _ . between"
        )
    return None


def faults(labels: object) -> list[str]:
    """Return everything that is wrong with a map of labels."""
    if not isinstance(labels, dict):
        return ["must be an object of strings"]
    found = [key_fault(str(key)) for key in labels] + [value_fault(value) for value in labels.values()]
    return [fault for fault in found if fault]
