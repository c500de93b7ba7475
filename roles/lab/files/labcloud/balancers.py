# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between load balancers of the Hetzner API and the real things behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .machine_specs import PrivateAddress

HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class HttpCheck:
    """What a health check asks for and what it accepts.

    `domain` is the Host header, empty = none is sent; `response` must be in the answer, empty = anything may be;
    in `status_codes` a `?` stands for one character and a `*` for any number of them.
    """

    path: str
    domain: str
    response: str
    status_codes: tuple[str, ...]
    tls: bool


@dataclass(frozen=True)
class HealthCheck:
    """How a target is found to be able to serve: by a connection to `port`, or by what it answers to `http`.

    `interval` and `timeout` are in seconds; after `retries` checks that differ from before the target changes sides.
    """

    port: int
    interval: int
    timeout: int
    retries: int
    http: HttpCheck | None


@dataclass(frozen=True)
class StickyCookie:
    """The cookie that keeps a visitor on one target; `lifetime` is in seconds."""

    name: str
    lifetime: int


@dataclass(frozen=True)
class BalancerService:
    """One service.

    Without `http` bytes are passed on as they are. `idle_seconds` is how long a connection may be silent;
    `redirect_port` is where visitors are sent to https from, None = nowhere.
    """

    listen_port: int
    destination_port: int
    http: bool
    proxy_protocol: bool
    check: HealthCheck
    idle_seconds: int
    cookie: StickyCookie | None = None
    redirect_port: int | None = None


@dataclass(frozen=True)
class BalancerSpec:
    """Everything a load balancer is made from.

    `public_ipv4` is None while the public interface is off; `targets` are the IPv4 addresses of all targets.
    """

    balancer_id: int
    name: str
    public_ipv4: str | None
    private: tuple[PrivateAddress, ...]
    least_connections: bool
    max_connections: int
    services: tuple[BalancerService, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class TargetHealth:
    """What a balancer thinks of a target: `healthy`, `unhealthy` or `unknown`, and why it is unhealthy.

    `detail` is one of the vendor's words; `http_status_code` belongs to `unexpected_http_status`.
    """

    status: str
    detail: str | None = None
    http_status_code: int | None = None


# By the listening port of the service and the address of the target.
Health = Mapping[tuple[int, str], TargetHealth]


class Balancers(Protocol):
    """What a lab needs from real load balancers. Every method is idempotent and raises MachineError when it fails."""

    async def put(self, spec: BalancerSpec) -> None:
        """Make a balancer, or make one that exists what the spec says, without a failed request."""

    async def delete(self, balancer_id: int) -> None:
        """Remove a balancer; absent is fine."""

    async def health(self, balancer_id: int) -> Health:
        """Return what the balancer thinks of its targets now."""


class NoBalancers:
    """Balancers that exist only in the database."""

    async def put(self, _spec: BalancerSpec) -> None:
        """Do nothing."""

    async def delete(self, _balancer_id: int) -> None:
        """Do nothing."""

    async def health(self, _balancer_id: int) -> Health:
        """Know nothing."""
        return {}
