# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a member may start with what its volume holds.

The volume carries a marker beside the data folder: whose it is, and the system identifier that PostgreSQL gave the
cluster. etcd says which members are known to have data. A folder that is empty where data is expected means a wrong mount or a lost
disk, and nothing may be written over it before somebody has looked.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .description import Refusal

_IDENTIFIER = re.compile(r"^Database system identifier:\s+(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """What the volume holds. data: whether the data folder has anything in it; identifier: of that data, when it has one."""

    data: bool
    identifier: str
    marker: dict[str, str] | None


def look(data: Path, marker: Path) -> Found:
    """Read the volume."""
    there = data.is_dir() and any(data.iterdir())
    try:
        known: dict[str, str] | None = json.loads(marker.read_text())
    except FileNotFoundError:
        known = None
    return Found(there, identifier_of(data) if (data / "global/pg_control").exists() else "", known)


def identifier_of(data: Path) -> str:
    """The system identifier of a data folder; empty when the control file cannot be read."""
    answer = subprocess.run(["pg_controldata", str(data)], capture_output=True, text=True, check=False)
    match = _IDENTIFIER.search(answer.stdout)
    return match.group(1) if match else ""


def set_aside_incomplete(found: Found, data: Path) -> bool:
    """Move a copy away that did not end; whether there was one. The control file is what a copy gets last."""
    if found.marker is None or not found.data or (data / "global/pg_control").exists():
        return False
    aside = data.with_name("data.incomplete")
    shutil.rmtree(aside, ignore_errors=True)
    data.rename(aside)
    return True


def check_volume(found: Found, cluster: str, member: str) -> None:
    """Refuse a volume that is another's, without a look at etcd. Raises Refusal."""
    if found.marker is None:
        if found.data:
            raise Refusal(
                f"The volume of {member} holds data that no member of a cluster put there: it has no marker. Give it the volume "
                "that is its own, or an empty one."
            )
        return
    owner = (found.marker.get("cluster", ""), found.marker.get("member", ""))
    if owner != (cluster, member):
        raise Refusal(
            f"The volume of {member} in cluster {cluster} belongs to {owner[1]} in cluster {owner[0]}: give it its own volume."
        )
    expected = found.marker.get("identifier", "")
    if expected and found.identifier and expected != found.identifier:
        raise Refusal(
            f"The data folder of {member} has the system identifier {found.identifier}, and its volume is marked with {expected}: "
            "somebody exchanged the data. Bring the former data back, or empty the volume."
        )


def check_cluster(found: Found, member: str, recorded: str, identifier: str) -> None:
    """Compare the volume with what etcd knows. recorded: of this member; identifier: of the cluster. Raises Refusal."""
    if found.identifier and identifier and found.identifier != identifier:
        raise Refusal(
            f"The data of {member} has the system identifier {found.identifier}, and the cluster has {identifier}: it is an old or "
            "foreign folder. Give it the volume that is its own, or an empty one."
        )
    # The marker proves that the volume is the right one: then it was a copy that did not end.
    if recorded and not found.data and found.marker is None:
        raise Refusal(
            f"The volume of {member} is empty, though this member has had data: look whether the right disk is mounted. When the data "
            "is really lost, name its server in postgres_rebuild, and it copies the data of the others."
        )
