# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m echo`: serve HTTP and websockets.

Environment: ECHO_PORT (8080), ECHO_VERSION, ECHO_DRAIN (how many seconds it still serves after SIGTERM, 5),
ECHO_FAIL (`start`: exit at once with code 1; `health`: serve, but be unhealthy).
"""

from __future__ import annotations

import os
import sys
import threading
from types import FrameType

import uvicorn

from .app import create_app


class DrainingServer(uvicorn.Server):
    """Serves on for a while after the first signal, until no proxy sends requests any more; a second signal ends that."""

    def __init__(self, config: uvicorn.Config, drain: float) -> None:
        """Use `drain` seconds."""
        super().__init__(config)
        self._drain = drain
        self._draining = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or stop now when that has begun."""
        if self._draining:
            self.should_exit = True
            return
        self._draining = True
        timer = threading.Timer(self._drain, setattr, (self, "should_exit", True))
        timer.daemon = True
        timer.start()


def main() -> int:
    """Serve until SIGTERM and the time to drain are over; return the exit code."""
    if os.environ.get("ECHO_FAIL") == "start":
        sys.stderr.write("echo: failing at start, as ECHO_FAIL says\n")
        return 1
    config = uvicorn.Config(
        create_app(os.environ),
        host="0.0.0.0",  # noqa: S104 - it runs in a container
        port=int(os.environ.get("ECHO_PORT", "8080")),
        log_level="warning",
        # The peer is who connected, whatever a header says.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    DrainingServer(config, float(os.environ.get("ECHO_DRAIN", "5"))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
