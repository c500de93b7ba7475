# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hooks around a reboot: one program under two names, in the folders that the reboot runs through."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json

NAMES = ("before.d/20-swarm-drain", "after.d/20-swarm-active")
MODE = 0o755


def install_hooks(directory: str, program: str, check_mode: bool) -> list[Change]:
    """Write what is missing or differs; the folders are made when they are not there. Raises OSError."""
    changes = []
    for name in NAMES:
        path = Path(directory, name)
        before, after = _found(path), _wanted(program)
        if before == after:
            continue
        changes.append(Change("create" if before is None else "update", "reboot_hook", str(path), before, after))
        if not check_mode:
            _write(path, program)
    return changes


def remove_hooks(directory: str, check_mode: bool) -> list[Change]:
    """Remove the hooks; the folders belong to somebody else. Raises OSError."""
    changes = []
    for name in NAMES:
        path = Path(directory, name)
        before = _found(path)
        if before is None:
            continue
        changes.append(Change("delete", "reboot_hook", str(path), before, None))
        if not check_mode:
            path.unlink()
    return changes


def _wanted(program: str) -> Json:
    return {"digest": _digest(program.encode()), "mode": f"{MODE:04o}"}


def _found(path: Path) -> Json | None:
    try:
        return {"digest": _digest(path.read_bytes()), "mode": f"{path.stat().st_mode & 0o7777:04o}"}
    except FileNotFoundError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _write(path: Path, program: str) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # A reboot may read it at any moment: it is there whole, or not at all.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(program)
        Path(temporary).chmod(MODE)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink()
        raise
