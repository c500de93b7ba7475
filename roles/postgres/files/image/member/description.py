# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie in the container, and what the role says about the cluster."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECRETS = Path("/run/secrets")
DESCRIPTION = Path("/etc/frontdesk/member.json")
VOLUME = Path("/var/lib/postgresql")
DATA = VOLUME / "data"
ETCD_VOLUME = Path("/var/lib/etcd")
RUN = Path("/run/postgresql")
PATRONI_FILE = RUN / "patroni.yml"
# While it is there, the member waits for a word and is well.
WAITING_FILE = RUN / "waiting"
LOCK_FILE = VOLUME / "member.lock"
MARKER_FILE = VOLUME / "member.json"

AUTHORITY = DESCRIPTION.with_name("authority.crt")
CERTIFICATE = DESCRIPTION.with_name("server.crt")
KEY = SECRETS / "server.key"


class Refusal(Exception):
    """Why this container must not go on. One sentence, with what to do."""


@dataclass(frozen=True)
class Description:
    """The cluster as the role describes it. server: where this container runs; servers: all that have a member."""

    cluster: str
    server: str
    servers: tuple[str, ...]
    patroni: dict[str, Any]
    etcd: dict[str, Any]
    hba: tuple[str, ...]

    @property
    def member(self) -> str:
        """This member's name, which is also its service's and its DNS name."""
        return f"pg-{self.server}"

    @property
    def etcd_hosts(self) -> tuple[str, ...]:
        """The members of etcd; the one beside this container first."""
        ordered = sorted(self.servers, key=lambda server: server != self.server)
        return tuple(f"etcd-{server}" for server in ordered)


def read_description(path: Path = DESCRIPTION) -> Description:
    """Read the description and this container's server (environment variable SERVER)."""
    given = json.loads(path.read_text())
    return Description(
        cluster=given["cluster"],
        server=os.environ["SERVER"],
        servers=tuple(given["servers"]),
        patroni=given["patroni"],
        etcd=given["etcd"],
        hba=tuple(given["hba"]),
    )


def secret(name: str) -> str:
    """The password of a user: superuser, replication, rewind or rest."""
    return (SECRETS / name).read_text().strip()
