# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of an OpenSSH public key (RFC 4253, section 6.6)."""

from __future__ import annotations

import base64
import binascii
import struct

TYPES = frozenset(
    (
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    )
)


def is_ssh_public_key(value: object) -> bool:
    """Whether the value is one line `type base64 [comment]` whose base64 part names the same type."""
    if not isinstance(value, str) or "\n" in value.strip():
        return False
    kind, _blank, rest = value.strip().partition(" ")
    if kind not in TYPES:
        return False
    try:
        blob = base64.b64decode("".join(rest.split()[:1]), validate=True)
    except (binascii.Error, ValueError):
        return False
    # A string of RFC 4251: its length in four bytes, then its bytes. The key itself follows.
    head = struct.pack(">I", len(kind)) + kind.encode("ascii")
    return blob.startswith(head) and len(blob) > len(head)
