# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a server of the lab: answers HTTP on port 8443 to clients that come with a PROXY header of version 2.

Every answer is the server's name and the client's address as the header told it. What comes without one is cut off.
"""

from __future__ import annotations

import socket
import threading

PORT = 8443
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PROXIED_IPV4 = b"\x21\x11"  # version 2, a proxied connection, TCP over IPv4
LOCAL = b"\x20\x00"  # version 2, the balancer speaks for itself: a health check


def client_of(connection: socket.socket) -> str | None:
    """Read the header; None when there is none."""
    start = connection.recv(16, socket.MSG_WAITALL)
    if len(start) < 16 or not start.startswith(SIGNATURE):
        return None
    size = int.from_bytes(start[14:16], "big")
    addresses = connection.recv(size, socket.MSG_WAITALL) if size else b""
    if start[12:14] == PROXIED_IPV4:
        return socket.inet_ntoa(addresses[:4])
    return "local" if start[12:14] == LOCAL else None


def serve(connection: socket.socket) -> None:
    """Answer the requests of one connection until the client ends it."""
    with connection:
        client = client_of(connection)
        if client is None:
            return
        body = f"{socket.gethostname()} {client}".encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        request = b""
        while part := connection.recv(4096):
            request += part
            if b"\r\n\r\n" in request:
                connection.sendall(answer)
                request = b""


def main() -> None:
    """Serve for ever."""
    with socket.create_server(("", PORT), backlog=200) as listener:
        while True:
            connection, _peer = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
