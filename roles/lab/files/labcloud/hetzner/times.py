# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time as the vendor writes them."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """Return this moment in RFC 3339 form, UTC, whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_past(moment: str) -> bool:
    """Say whether an RFC 3339 moment in UTC is over."""
    return moment <= now()
