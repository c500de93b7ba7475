# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that sign package archives: fetched once, and taken only when the fingerprint is the expected one.

The fingerprint of a version 4 key is the SHA-1 of its public key packet (RFC 4880, 12.2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_step import Step, change

_ARMOUR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----[^\n]*\n(?:[^\n:]+: [^\n]*\n)*\s*\n(.+?)\n(?:=\S{4}\s*\n)?-----END PGP",
    re.DOTALL,
)
PUBLIC_KEY_PACKET = 6


@dataclass(frozen=True)
class KeySpec:
    """A wanted key. fingerprint: 40 hexadecimal digits, upper case."""

    path: str
    url: str
    fingerprint: str


def from_options(given: Mapping[str, Any]) -> KeySpec:
    """The spec for one entry of the module's option. Raises ValueError."""
    wanted = re.sub(r"\s", "", given["fingerprint"]).upper()
    if not re.fullmatch(r"[0-9A-F]{40}", wanted):
        raise ValueError("its fingerprint has to be 40 hexadecimal digits")
    return KeySpec(given["path"], given["url"], wanted)


def fingerprint(content: bytes) -> str | None:
    """The fingerprint of the first key in an armoured block; None when there is none."""
    found = _ARMOUR.search(content.decode("ascii", "replace").replace("\r\n", "\n"))
    if not found:
        return None
    try:
        raw = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error:
        return None
    packet = _public_key_packet(raw)
    if packet is None or packet[:1] != b"\x04":
        return None
    digest = hashlib.sha1(b"\x99" + len(packet).to_bytes(2, "big") + packet)  # noqa: S324 - RFC 4880 says SHA-1
    return digest.hexdigest().upper()


def _public_key_packet(raw: bytes) -> bytes | None:
    """The body of the first packet, when it is a public key in the old format with a length of two bytes."""
    if len(raw) < 3 or raw[0] != 0x80 | PUBLIC_KEY_PACKET << 2 | 1:
        return None
    body = raw[3 : 3 + int.from_bytes(raw[1:3], "big")]
    return body or None


def plan(machine: Machine, specs: Iterable[KeySpec], fetch: Callable[[str], bytes]) -> list[Step]:
    """A step for every key that is missing or another one."""
    steps = []
    for spec in specs:
        live = machine.look(spec.path)
        there = None if live is None else fingerprint(live.content)
        if there != spec.fingerprint:
            before: dict[str, object] | None = None if live is None else {"fingerprint": there}
            steps.append(
                Step(
                    changes=(change("apt_key", spec.path, before, {"fingerprint": spec.fingerprint}),),
                    write=_writer(machine, spec, fetch),
                )
            )
    return steps


def _writer(machine: Machine, spec: KeySpec, fetch: Callable[[str], bytes]) -> Callable[[], None]:
    def write() -> None:
        try:
            content = fetch(spec.url)
        except OSError as error:
            raise HostError(f"The key of the package archive cannot be fetched from {spec.url}: {error}.") from error
        found = fingerprint(content)
        if found != spec.fingerprint:
            raise HostError(
                f"{spec.url} does not hold the expected key: its fingerprint is {found}, wanted is {spec.fingerprint}; "
                "nothing was written."
            )
        machine.write(spec.path, content, "root", "root", 0o644)

    return write
