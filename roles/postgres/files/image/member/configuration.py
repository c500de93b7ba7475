# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patroni's configuration, made of the role's description, the secrets and the network that the container is on."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable

from .description import AUTHORITY, CERTIFICATE, DATA, KEY, RUN, Description

ROUTES = Path("/proc/net/route")
# Stands for the network of the cluster in the lines of pg_hba.conf.
NETWORK = "@network@"


def cluster_networks(routes: str) -> list[str]:
    """The networks of the interfaces that do not lead outside, from the kernel's table of routes.

    A task has its overlay network, and a bridge of its node that carries the default route. What comes over the bridge is
    the node itself, and has no business here.
    """
    rows = [line.split() for line in routes.splitlines()[1:] if line.strip()]
    outside = {row[0] for row in rows if int(row[1], 16) == 0}
    return [
        str(ipaddress.ip_network(f"{_address(row[1])}/{_address(row[7])}"))
        for row in rows
        if row[0] not in outside and int(row[1], 16) != 0
    ]


def _address(text: str) -> str:
    # Numbers of four bytes, the first one last.
    return socket.inet_ntoa(struct.pack("<L", int(text, 16)))


def hba_lines(lines: Iterable[str], networks: Iterable[str]) -> list[str]:
    """The lines of pg_hba.conf, those for the cluster's network once for each."""
    listed = list(networks)
    written = []
    for line in lines:
        written.extend([line.replace(NETWORK, network) for network in listed] if NETWORK in line else [line])
    return written


def compose(
    description: Description,
    password: Callable[[str], str],
    networks: Iterable[str],
    settings: dict[str, Any] | None,
) -> dict[str, Any]:
    """The whole configuration. settings: what a new cluster begins with; None where a cluster is already there."""
    member, given = description.member, description.patroni
    tls = {"sslmode": "verify-full", "sslrootcert": str(AUTHORITY), "sslcert": str(CERTIFICATE), "sslkey": str(KEY)}
    users = {kind: {"username": name, "password": password(kind), **tls} for kind, name in given["users"].items()}
    rest = {"username": "patroni", "password": password("rest")}
    files = {"certfile": str(CERTIFICATE), "keyfile": str(KEY)}
    bootstrap = {"initdb": given["initdb"], "dcs": settings or {}}
    return {
        "scope": description.cluster,
        "name": member,
        "log": {"level": "INFO", "format": "%(levelname)s: %(message)s"},
        "etcd3": {
            "hosts": [f"{host}:2379" for host in description.etcd_hosts],
            "protocol": "https",
            "cacert": str(AUTHORITY),
            "cert": str(CERTIFICATE),
            "key": str(KEY),
        },
        "restapi": {
            "listen": "0.0.0.0:8008",
            "connect_address": f"{member}:8008",
            "cafile": str(AUTHORITY),
            # Reading is open to the proxy's checks; whoever wants to change something shows a certificate.
            "verify_client": "optional",
            "authentication": rest,
            **files,
        },
        "ctl": {"cacert": str(AUTHORITY), "authentication": rest, **files},
        "bootstrap": bootstrap,
        "postgresql": {
            "listen": "0.0.0.0:5432",
            "connect_address": f"{member}:5432",
            "data_dir": str(DATA),
            "bin_dir": given["bin_dir"],
            "pgpass": str(RUN / "pgpass"),
            "use_unix_socket": True,
            "use_unix_socket_repl": True,
            "authentication": users,
            "pg_hba": hba_lines(description.hba, networks),
            "parameters": {
                "unix_socket_directories": str(RUN),
                "ssl": "on",
                "ssl_cert_file": str(CERTIFICATE),
                "ssl_key_file": str(KEY),
                "ssl_ca_file": str(AUTHORITY),
                **given["parameters"],
            },
            "callbacks": {"on_start": "postgres-member record"},
            "create_replica_methods": ["basebackup"],
            "basebackup": [{"checkpoint": "fast"}],
            # The acknowledged writes are on the leader: a former leader that cannot rewind copies them.
            "remove_data_directory_on_rewind_failure": True,
            "remove_data_directory_on_diverged_timelines": True,
        },
    }
