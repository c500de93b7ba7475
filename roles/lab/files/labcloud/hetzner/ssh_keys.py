# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH keys."""

from __future__ import annotations

import base64
import binascii
import hashlib

from ..state import Item
from . import paging, times
from .call import Answer, Call

KIND = "ssh_key"
SORTABLE = ("id", "name")
_TYPES = ("ssh-ed25519", "ssh-rsa", "ssh-dss", "ecdsa-sha2-", "sk-ssh-ed25519", "sk-ecdsa-sha2-")
_FIELDS = ("id", "name", "fingerprint", "public_key", "labels", "created")


def fingerprint(public_key: str) -> str | None:
    """Return the MD5 fingerprint of a key in authorized_keys form, or None when it is no key.

    MD5 is what the vendor's API shows; nothing relies on its strength.
    """
    parts = public_key.split()
    if len(parts) < 2 or not parts[0].startswith(_TYPES):
        return None
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        return None
    # A key blob begins with its own type (RFC 4253, section 6.6).
    if blob[4 : 4 + int.from_bytes(blob[:4], "big")] != parts[0].encode():
        return None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def as_json(key: Item) -> Item:
    """Return the public form."""
    return {name: key[name] for name in _FIELDS}


def listed(call: Call) -> Answer:
    """GET /ssh_keys."""
    wanted = paging.first(call.query, "fingerprint")
    found = [key for key in call.items(KIND).values() if wanted in (None, key["fingerprint"])]
    found = paging.by_labels(paging.by_name(found, call.query), call.query)
    return call.page("ssh_keys", paging.in_order(found, call.query, SORTABLE), as_json)


def one(call: Call) -> Answer:
    """GET /ssh_keys/{id}."""
    return Answer(200, {"ssh_key": as_json(call.item(KIND))})


def create(call: Call) -> Answer:
    """POST /ssh_keys: unique by name and by key."""
    fields = call.fields()
    name = fields.text("name", required=True, maximum=128)
    public_key = fields.text("public_key", required=True)
    labels = fields.labels()
    digest = fingerprint(public_key) if public_key else None
    if public_key and digest is None:
        fields.fault("public_key", "is no SSH public key")
    fields.check()
    call.unique_name(KIND, str(name))
    for key in call.items(KIND).values():
        if key["fingerprint"] == digest:
            call.unique(KIND, "public_key", key["public_key"], "SSH key with the same fingerprint already exists")
    key = {
        "id": call.cloud.state.next_id(),
        "name": name,
        "fingerprint": digest,
        "public_key": str(public_key).strip(),
        "labels": labels or {},
        "created": times.now(),
    }
    call.put(KIND, key)
    return Answer(201, {"ssh_key": as_json(key)})


def update(call: Call) -> Answer:
    """PUT /ssh_keys/{id}: name and labels."""
    key = dict(call.item(KIND))
    call.rename(KIND, key, call.fields())
    call.put(KIND, key)
    return Answer(200, {"ssh_key": as_json(key)})


def delete(call: Call) -> Answer:
    """DELETE /ssh_keys/{id}: servers keep what they were made with."""
    call.remove(KIND, call.item(KIND)["id"])
    return Answer(204)
