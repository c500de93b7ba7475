# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of PostgreSQL's settings: what is the same in other words, and which ones fit a server's memory. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

# PostgreSQL's units (https://www.postgresql.org/docs/17/config-setting.html), memory in bytes and time in microseconds.
_MEMORY = {"B": 1, "kB": 1 << 10, "8kB": 8 << 10, "MB": 1 << 20, "16MB": 16 << 20, "GB": 1 << 30, "TB": 1 << 40}
_TIME = {"us": 1, "ms": 10**3, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_NUMBER = re.compile(r"\s*([+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)\s*")
_TRUE, _FALSE = {"on", "true", "yes", "1"}, {"off", "false", "no", "0"}


def same_value(wanted: object, setting: str, unit: Optional[str] = None, kind: str = "") -> bool:
    """Whether a wanted value is what pg_settings shows. setting, unit, kind: its columns setting, unit and vartype."""
    text = written(wanted)
    if text == setting:
        return True
    if kind == "bool":
        return text.lower() in (_TRUE if setting == "on" else _FALSE)
    if kind in ("integer", "real"):
        amounts = amount(text, unit), amount(setting, unit)
        return None not in amounts and amounts[0] == amounts[1]
    if kind == "enum":
        return text.lower() == setting.lower() or (
            setting in ("on", "off") and same_value(wanted, setting, kind="bool")
        )
    # A list of names may be written with or without blanks.
    return re.sub(r"\s*,\s*", ",", text) == re.sub(r"\s*,\s*", ",", setting)


def amount(text: str, unit: Optional[str]) -> Optional[float]:
    """A number with or without a unit, in bytes, microseconds or as it is; None when it is none. unit: of a bare number."""
    match = _NUMBER.fullmatch(text)
    if not match:
        return None
    number, given = float(match.group(1)), match.group(2) or unit or ""
    if not given:
        return number
    # -1 and 0 switch something off; they have no unit.
    factor = _MEMORY.get(given) or _TIME.get(given)
    return None if factor is None else number * (factor if number > 0 else 1)


def written(value: object) -> str:
    """A value as PostgreSQL and Patroni write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def size_of(text: str) -> int:
    """Bytes of a size such as 2GB or 512M. Raises ValueError."""
    match = re.fullmatch(r"\s*([0-9]+)\s*([kKMGT]?)i?[bB]?\s*", text)
    if not match:
        raise ValueError(f"{text!r} is no size; write it as 2GB")
    return int(match.group(1)) << {"": 0, "k": 10, "K": 10, "M": 20, "G": 30, "T": 40}[match.group(2)]


def tuned(memory: int, connections: int) -> dict[str, str]:
    """Settings for a server that gives PostgreSQL so many bytes, and so many connections.

    The shares are those that PostgreSQL's documentation and the usual calculators give for a small server beside other services.
    """
    shared = _step(memory // 4, 32)
    return {
        "shared_buffers": _megabytes(shared),
        "effective_cache_size": _megabytes(_step(memory * 3 // 4, 64)),
        "maintenance_work_mem": _megabytes(min(_step(memory // 16, 16), 1024)),
        "work_mem": _megabytes(max(4, min(64, shared // max(connections, 1)))),
        "max_wal_size": _megabytes(max(512, min(8192, _step(memory // 2, 256)))),
        "min_wal_size": _megabytes(max(128, min(1024, _step(memory // 8, 64)))),
        # A replica that stays away must not fill the leader's disk with what is kept for it.
        "max_slot_wal_keep_size": _megabytes(max(1024, min(16384, _step(memory, 256)))),
    }


def _step(memory: int, step: int) -> int:
    """Megabytes, down to a multiple of step: two readings of a node's memory that differ by a little give the same."""
    return max(step, (memory >> 20) // step * step)


def _megabytes(number: int) -> str:
    return f"{number}MB"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Patroni's nested settings by their path, such as postgresql.parameters.work_mem. A parameter's own name may hold a point."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and prefix != PARAMETERS:
            found.update(flat(value, f"{path}."))
        else:
            found[path] = value
    return found


PARAMETERS = "postgresql.parameters."


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a PATCH, of values by their path; None removes one."""
    body: dict[str, Any] = {}
    for path, value in changes.items():
        names = (
            [*PARAMETERS.rstrip(".").split("."), path[len(PARAMETERS) :]]
            if path.startswith(PARAMETERS)
            else path.split(".")
        )
        place = body
        for name in names[:-1]:
            place = place.setdefault(name, {})
        place[names[-1]] = value
    return body
