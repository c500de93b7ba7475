# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of late, so that tests can count them."""

from __future__ import annotations

from collections import deque
from typing import Any

KEPT = 20000


class RequestLog:
    """The last calls of all providers, in memory. Status 0 = the connection was broken by a fault."""

    def __init__(self) -> None:
        """Start empty."""
        self._calls: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def add(
        self,
        provider: str,
        project: str | None,
        *,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...],
        status: int,
    ) -> None:
        """Note one call; `project` is None when no project was known by the token."""
        self._calls.append(
            {
                "provider": provider,
                "project": project,
                "method": method,
                "path": path,
                "query": [list(pair) for pair in query],
                "status": status,
            }
        )

    def calls(self, project: str | None = None) -> list[dict[str, Any]]:
        """Return the calls, oldest first, of one project or of all."""
        return [call for call in self._calls if project in (None, call["project"])]

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
