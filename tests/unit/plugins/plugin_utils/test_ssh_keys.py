# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of public keys."""

from __future__ import annotations

import base64
import struct

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils.ssh_keys import is_ssh_public_key

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIJqG2ku3UR8lHFYyIyWyYY1nmcbnQxvlRBaqkbBHRk5u"


def blob(kind: bytes, rest: bytes = b"key") -> str:
    return base64.b64encode(struct.pack(">I", len(kind)) + kind + rest).decode()


@pytest.mark.parametrize(
    "key",
    [
        f"ssh-ed25519 {ED25519}",
        f"ssh-ed25519 {ED25519} me@example.com and more\n",
        f"ssh-rsa {blob(b'ssh-rsa')}",
        f"sk-ssh-ed25519@openssh.com {blob(b'sk-ssh-ed25519@openssh.com')}",
    ],
)
def test_keys(key: str) -> None:
    assert is_ssh_public_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        None,
        5,
        "ssh-ed25519",
        "ssh-ed25519 EXAMPLE operator@example.com",
        "ssh-ed25519 AAAA me",
        f"ssh-dss {blob(b'ssh-dss')}",
        f"ssh-rsa {ED25519}",
        f"ssh-ed25519 {blob(b'ssh-ed25519', b'')}",
        f"ssh-ed25519 {ED25519}\nssh-ed25519 {ED25519}",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_no_keys(key: object) -> None:
    assert not is_ssh_public_key(key)
