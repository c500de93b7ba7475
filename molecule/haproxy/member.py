# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for a member of PostgreSQL: says its name on port 5432, and answers on 8008 as Patroni does.

Its role is what /tmp/role says, or the environment variable ROLE.
"""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import threading
from pathlib import Path


class Patroni(http.server.BaseHTTPRequestHandler):
    """200 on the path of the own role, 503 on others."""

    def do_OPTIONS(self) -> None:
        """Answer a check."""
        file = Path("/tmp/role")
        role = file.read_text().strip() if file.exists() else os.environ["ROLE"]
        self.send_response(200 if self.path.partition("?")[0] == f"/{role}" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def talk(connection: socket.socket) -> None:
    """Say the own name, and again after each line."""
    with connection:
        connection.sendall(os.environ["NAME"].encode() + b"\n")
        while connection.recv(100):
            connection.sendall(os.environ["NAME"].encode() + b"\n")


def main() -> None:
    """Serve."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/run/secrets/certificate")
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8008), Patroni)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.create_server(("0.0.0.0", 5432)) as listener:
        while True:
            threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()
