# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m resolver`: serve DNS on UDP and TCP.

Environment: RESOLVER_ZONES (JSON: zone -> name -> address, `@` for the zone itself), RESOLVER_HOST, RESOLVER_PORT,
RESOLVER_UPSTREAM (host:port; the first name server of /etc/resolv.conf when empty).
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path

from dnslib.server import DNSLogger, DNSServer

from .answers import LabResolver, Upstream, parse_zones

RESOLV_CONF = Path("/etc/resolv.conf")


def upstream_of(environment: Mapping[str, str], resolv_conf: str) -> Upstream:
    """Return the address of the name server that knows the rest of the world."""
    configured = environment.get("RESOLVER_UPSTREAM", "")
    if configured:
        host, port = configured.rsplit(":", 1)
        return host, int(port)
    servers = [line.split()[1] for line in resolv_conf.splitlines() if line.startswith("nameserver ")]
    return servers[0], 53


def main() -> None:
    """Serve until SIGTERM."""
    zones = parse_zones(json.loads(os.environ.get("RESOLVER_ZONES", "{}")))
    resolver = LabResolver(zones, upstream_of(os.environ, RESOLV_CONF.read_text(encoding="utf-8")))
    host = os.environ.get("RESOLVER_HOST", "0.0.0.0")  # noqa: S104 - the lab's servers ask it
    port = int(os.environ.get("RESOLVER_PORT", "53"))
    quiet = DNSLogger("-request,-reply,-truncated,-data")
    servers = [DNSServer(resolver, address=host, port=port, tcp=tcp, logger=quiet) for tcp in (False, True)]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    for server in servers:
        server.start_thread()
    stop.wait()
    for server in servers:
        server.stop()


if __name__ == "__main__":
    main()
