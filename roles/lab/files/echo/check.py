# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container's health check: succeeds when the server beside it answers /healthz with 200."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    """Return the exit code."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("ECHO_PORT", "8080")), timeout=2)
    try:
        connection.request("GET", "/healthz")
        return int(connection.getresponse().status != http.client.OK)
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
