# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One member of etcd: how it starts, and how it comes back after its volume was lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .description import AUTHORITY, CERTIFICATE, ETCD_VOLUME, KEY, Description


def peer_url(server: str) -> str:
    """Where the other members of etcd reach this one."""
    return f"https://etcd-{server}:2380"


def arguments(description: Description, state: str, servers: tuple[str, ...]) -> list[str]:
    """The command line of etcd. state: new, or existing for a member that joins again."""
    own = f"etcd-{description.server}"
    members = ",".join(f"etcd-{server}={peer_url(server)}" for server in servers)
    options: dict[str, Any] = {
        "name": own,
        "data-dir": ETCD_VOLUME / "data",
        "listen-peer-urls": "https://0.0.0.0:2380",
        "listen-client-urls": "https://0.0.0.0:2379",
        # The health check asks here: everything else waits for the majority, whose names appear only after it.
        "listen-metrics-urls": "http://127.0.0.1:2381",
        "initial-advertise-peer-urls": peer_url(description.server),
        "advertise-client-urls": f"https://{own}:2379",
        "initial-cluster": members,
        "initial-cluster-token": description.cluster,
        "initial-cluster-state": state,
        "trusted-ca-file": AUTHORITY,
        "cert-file": CERTIFICATE,
        "key-file": KEY,
        "client-cert-auth": "true",
        "peer-trusted-ca-file": AUTHORITY,
        "peer-cert-file": CERTIFICATE,
        "peer-key-file": KEY,
        "peer-client-cert-auth": "true",
        # Addresses change with every start of a task.
        "experimental-peer-skip-client-san-verification": "true",
        "auto-compaction-retention": "1h",
        "log-level": "warn",
        **description.etcd,
    }
    return ["etcd", *(f"--{name}={value}" for name, value in options.items())]


def control(description: Description, *words: str) -> Any:
    """Run etcdctl against the others; its parsed answer, or None when none of them could."""
    others = ",".join(f"https://etcd-{server}:2379" for server in description.servers if server != description.server)
    program = ["etcdctl", f"--endpoints={others}", f"--cacert={AUTHORITY}", f"--cert={CERTIFICATE}", f"--key={KEY}"]
    limits = ["--dial-timeout=3s", "--command-timeout=8s", "--write-out=json"]
    answer = subprocess.run([*program, *limits, *words], capture_output=True, text=True, check=False)
    return json.loads(answer.stdout) if answer.returncode == 0 and answer.stdout.strip() else None


def lost_member(listed: dict[str, Any] | None, server: str) -> str:
    """The identifier (hexadecimal) under which this member has run before; empty when it has not.

    A member that never ran has told nobody where clients reach it.
    """
    for member in (listed or {}).get("members", []):
        if member.get("name") == f"etcd-{server}" and member.get("clientURLs"):
            return f"{member['ID']:x}"
    return ""


def is_waiting(listed: dict[str, Any] | None, server: str) -> bool:
    """Whether the others have a place for this member that it has never taken."""
    return any(
        peer_url(server) in member.get("peerURLs", []) and not member.get("name")
        for member in (listed or {}).get("members", [])
    )


def command(description: Description, data: Path = ETCD_VOLUME / "data") -> list[str]:
    """How to start: as one of a new cluster (ignored where there is data), or again as a new member of an old one."""
    servers = description.servers
    if (data / "member").exists() or len(servers) == 1:
        return arguments(description, "new", servers)
    listed = control(description, "member", "list")
    lost = lost_member(listed, description.server)
    if not lost and not is_waiting(listed, description.server):
        return arguments(description, "new", servers)
    if lost:
        # etcd must never start with an empty log under an identifier that has voted before.
        control(description, "member", "remove", lost)
        control(
            description, "member", "add", f"etcd-{description.server}", f"--peer-urls={peer_url(description.server)}"
        )
    return arguments(description, "existing", servers)
