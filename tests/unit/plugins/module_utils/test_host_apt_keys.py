# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of package archives: the fingerprint decides."""

from __future__ import annotations

import base64
import hashlib

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import host_apt_keys
from ansible_collections.frontdesk.platform.plugins.module_utils.host_apt_keys import KeySpec, fingerprint, from_options
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError
from tests.fake_machine import FakeMachine


def armour(packet: bytes, first: int = 0x99, head: str = "") -> bytes:
    """A key block whose first packet is this one."""
    raw = bytes([first]) + len(packet).to_bytes(2, "big") + packet + b"\xb4\x01x"
    body = base64.encodebytes(raw).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n{head}\n{body}=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n".encode()


PACKET = b"\x04" + bytes(range(200))
FINGERPRINT = hashlib.sha1(b"\x99" + len(PACKET).to_bytes(2, "big") + PACKET).hexdigest().upper()
SPEC = KeySpec("/etc/apt/keyrings/docker.asc", "https://example.com/gpg", FINGERPRINT)


def test_fingerprint_of_a_block_with_and_without_headers() -> None:
    assert fingerprint(armour(PACKET)) == FINGERPRINT
    assert fingerprint(armour(PACKET, head="Version: GnuPG v2\nComment: x\n")) == FINGERPRINT
    assert fingerprint(armour(PACKET).replace(b"\n", b"\r\n")) == FINGERPRINT


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        armour(b"\x03abc"),
        armour(PACKET, first=0xC6),
        armour(b""),
        armour(PACKET).replace(b"mQ", b"m!", 1),
    ],
    ids=["empty", "page", "version 3", "other packet", "no body", "no base64"],
)
def test_what_is_no_key_has_no_fingerprint(content: bytes) -> None:
    assert fingerprint(content) is None


def test_a_key_is_fetched_once() -> None:
    machine, asked = FakeMachine(), []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return armour(PACKET)

    (step,) = host_apt_keys.plan(machine, [SPEC], fetch)
    assert asked == []
    step.write()
    assert (asked, machine.entries[SPEC.path].content) == ([SPEC.url], armour(PACKET))
    assert host_apt_keys.plan(machine, [SPEC], fetch) == []


def test_another_key_is_refused_and_the_old_one_stays() -> None:
    machine = FakeMachine()
    machine.put(SPEC.path, "old")
    (step,) = host_apt_keys.plan(machine, [SPEC], lambda url: armour(b"\x04other"))
    with pytest.raises(
        HostError, match=f"does not hold the expected key: .* wanted is {FINGERPRINT}; nothing was written"
    ):
        step.write()
    assert machine.text(SPEC.path) == "old"


def test_an_archive_that_does_not_answer_is_one_sentence() -> None:
    def fetch(url: str) -> bytes:
        raise OSError("timed out")

    (step,) = host_apt_keys.plan(FakeMachine(), [SPEC], fetch)
    with pytest.raises(HostError, match=r"cannot be fetched from https://example\.com/gpg: timed out"):
        step.write()


def test_a_fingerprint_may_be_written_in_groups() -> None:
    grouped = " ".join(FINGERPRINT[start : start + 4] for start in range(0, 40, 4)).lower()
    assert from_options({"path": "/a", "url": "u", "fingerprint": grouped}).fingerprint == FINGERPRINT
    with pytest.raises(ValueError, match="40 hexadecimal digits"):
        from_options({"path": "/a", "url": "u", "fingerprint": "12"})
