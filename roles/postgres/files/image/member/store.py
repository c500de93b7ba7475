# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys in etcd that Patroni does not know: who has data, and whether a cluster may begin.

Over etcd's JSON gateway (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/), where keys and values are Base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

from .web import Unreachable, exchange

PORT = 2379
PATRONI = "/service/"


class StoreError(Exception):
    """No member of etcd could answer."""


class Store:
    """The keys of one cluster."""

    def __init__(self, hosts: Iterable[str], cluster: str, send: Callable[..., tuple[int, str]] = exchange) -> None:
        """hosts: members of etcd, asked in this order until one answers."""
        self._hosts = tuple(hosts)
        self._send = send
        self._prefix = f"/frontdesk/{cluster}/"
        self._patroni = f"{PATRONI}{cluster}/"

    def system_identifier(self) -> str:
        """What Patroni wrote when the cluster was initialised; empty when it was not, or is at it."""
        return self._get(self._patroni + "initialize")

    def is_begun(self) -> bool:
        """Whether the cluster was initialised or is at it: then Patroni never makes another one."""
        return self._find(self._patroni + "initialize") is not None

    def recorded(self, member: str) -> str:
        """The identifier of the data that a member is known to have; empty when it is not known to have any."""
        return self._get(self._prefix + "members/" + member)

    def record(self, member: str, identifier: str) -> None:
        """Note that a member has data."""
        self._put(self._prefix + "members/" + member, identifier)

    def forget(self, member: str) -> None:
        """Let a member with an empty volume copy the data of the others."""
        self._ask("kv/deleterange", {"key": _encode(self._prefix + "members/" + member)})

    def permission(self) -> dict[str, Any] | None:
        """The settings with which a cluster may begin now; None when it may not."""
        found = self._find(self._prefix + "bootstrap")
        return None if found is None else dict(json.loads(found))

    def permit(self, settings: dict[str, Any], seconds: int) -> None:
        """Let a cluster begin with these settings, within so many seconds."""
        lease = self._ask("lease/grant", {"TTL": str(seconds)})["ID"]
        self._put(self._prefix + "bootstrap", json.dumps(settings), lease)

    def _get(self, key: str) -> str:
        return self._find(key) or ""

    def _find(self, key: str) -> str | None:
        found = self._ask("kv/range", {"key": _encode(key)}).get("kvs") or []
        return _decode(found[0].get("value", "")) if found else None

    def _put(self, key: str, value: str, lease: str | None = None) -> None:
        more = {} if lease is None else {"lease": lease}
        self._ask("kv/put", {"key": _encode(key), "value": _encode(value), **more})

    def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        reasons = []
        for host in self._hosts:
            try:
                status, text = self._send("POST", host, PORT, f"/v3/{path}", json.dumps(body))
            except Unreachable as error:
                reasons.append(f"{host}: {error}")
                continue
            if status == 200:
                return dict(json.loads(text))
            reasons.append(f"{host}: status {status}, {text.strip()[:200]}")
        raise StoreError("; ".join(reasons))


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decode(text: str) -> str:
    return base64.b64decode(text).decode()
