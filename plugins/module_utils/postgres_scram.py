# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords as PostgreSQL keeps them (RFC 5802, RFC 7677): whether one fits, and a new one. Pure but for the salt."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re

ITERATIONS = 4096
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_SALT_LENGTH = 16


def is_plain(password: str) -> bool:
    """Whether the password is the same to every client: printable ASCII, which SASLprep leaves alone (RFC 4013)."""
    return bool(password) and all(" " <= character <= "~" for character in password)


def verifier(password: str, salt: bytes = b"") -> str:
    """What PostgreSQL keeps of a password, so that the password itself appears in no statement. salt: a new one unless given."""
    salt = salt or os.urandom(_SALT_LENGTH)
    stored, server = _keys(password, salt, ITERATIONS)
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def fits(password: str, kept: str) -> bool:
    """Whether a password is the one that was kept; False for anything that is no verifier."""
    match = _VERIFIER.fullmatch(kept or "")
    if not match:
        return False
    try:
        salt = base64.b64decode(match.group(2))
    except binascii.Error:
        return False
    stored, server = _keys(password, salt, int(match.group(1)))
    return hmac.compare_digest(_text(stored), match.group(3)) and hmac.compare_digest(_text(server), match.group(4))


def _keys(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    return hashlib.sha256(client).digest(), hmac.new(salted, b"Server Key", hashlib.sha256).digest()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
