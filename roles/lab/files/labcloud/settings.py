# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the service, from the environment (LABCLOUD_*)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as handed to an observer.

    `provider` is the first segment of the path, `path` what follows the provider's base, `body` and `answer` are
    parsed JSON (None when there is none or when it is no JSON).
    """

    provider: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: Any
    status: int
    headers: Mapping[str, str]
    answer: Any


Observer = Callable[[Exchange], None]


@dataclass(frozen=True)
class Settings:
    """What a start of the service can choose.

    `state_folder` holds the database. `machines` is `none` or `docker`. Servers of the default project get addresses
    of `public_network` from .10 on. `action_seconds` is the least time an action takes, `label_seconds` the delay
    until a changed label moves a firewall, `poll_seconds` how often the state of real machines is read.
    """

    state_folder: Path
    host: str = "127.0.0.1"
    port: int = 8480
    machines: str = "none"
    public_network: str = "198.18.0.0/24"
    hetzner_token: str = "lab-hetzner-token"  # noqa: S105 - an example that opens nothing but a lab
    action_seconds: float = 0.5
    label_seconds: float = 2.0
    poll_seconds: float = 2.0
    observer: Observer | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Raise ValueError for what no lab can be started with."""
        if self.machines not in ("none", "docker"):
            raise ValueError(f"LABCLOUD_MACHINES is {self.machines!r}: it must be none or docker")
        ipaddress.IPv4Network(self.public_network)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read LABCLOUD_HOST, _PORT, _STATE, _MACHINES, _PUBLIC_NETWORK, _HETZNER_TOKEN and the _SECONDS."""
        known: dict[str, Any] = {"state_folder": Path(environ.get("LABCLOUD_STATE", "/var/lib/labcloud"))}
        for name, convert in (
            ("host", str),
            ("port", int),
            ("machines", str),
            ("public_network", str),
            ("hetzner_token", str),
            ("action_seconds", float),
            ("label_seconds", float),
            ("poll_seconds", float),
        ):
            value = environ.get(f"LABCLOUD_{name.upper()}", "")
            if value:
                known[name] = convert(value)
        return cls(**known)
