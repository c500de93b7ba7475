# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of load balancers: what a request may say, what is filled in, and what the real balancer gets.

Defaults are those of the document; for what it gives none, those of the vendor's console: checks of the destination
port every 15 seconds, with 10 seconds of patience and 3 retries, and the usual ports of http and https.
"""

from __future__ import annotations

import re
from typing import Any

from ..balancers import BalancerService, HealthCheck, HttpCheck, StickyCookie
from ..state import Item
from .fields import Fields

PROTOCOLS = ("tcp", "http", "https")
LAST_PORT = 65535
REDIRECTED_PORT = 80  # where `redirect_http` listens
DEFAULT_STATUS_CODES = ["2??", "3??"]
# How long a silent connection of a tcp service lives; the document gives no number, so one that disturbs nobody. Seconds.
TCP_IDLE_SECONDS = 3600
_PORTS = {"tcp": (None, None), "http": (80, 80), "https": (443, 80)}
_FIELDS = ("protocol", "listen_port", "destination_port", "proxyprotocol", "health_check", "http")
_CHECK_FIELDS = ("protocol", "port", "interval", "timeout", "retries", "http")
_HTTP_CHECK_FIELDS = ("domain", "path", "response", "status_codes", "tls")
_HTTP_FIELDS = (
    "cookie_name",
    "cookie_lifetime",
    "timeout_idle",
    "certificates",
    "redirect_http",
    "sticky_sessions",
)
# No blanks, no control characters: what goes into a request line or a header.
_PATH = re.compile(r"/[!-~]*")
_DOMAIN = re.compile(r"[^\s%\\\x00-\x1f\x7f]*")
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]*")
_COOKIE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS_CODE = re.compile(r"[0-9?*]{1,3}")


def _part(fields: Fields, name: str, closed: tuple[str, ...], prefix: str) -> Fields:
    return Fields(fields.object(name), closed, f"{prefix}{name}.")


def _port(fields: Fields, name: str, default: int | None) -> int | None:
    port = fields.integer(name, required=default is None, minimum=1, maximum=LAST_PORT)
    return default if port is None else port


def _number(fields: Fields, name: str, default: int, lowest: int, highest: int) -> int:
    found = fields.integer(name, minimum=lowest, maximum=highest)
    return default if found is None else found


def _http_check(fields: Fields) -> Item:
    domain = None if fields.has_null("domain") else fields.text("domain", maximum=128, pattern=_DOMAIN) or ""
    codes = fields.texts("status_codes", maximum=20)
    for code in codes:
        if not _STATUS_CODE.fullmatch(code):
            fields.fault("status_codes", f"{code!r} must consist of digits and the wildcards ? and *")
    return {
        "domain": domain,
        "path": fields.text("path", maximum=256, pattern=_PATH) or "/",
        "response": fields.text("response", maximum=256, pattern=_PRINTABLE) or "",
        "status_codes": codes or DEFAULT_STATUS_CODES,
        "tls": fields.flag("tls", False),
    }


def _health_check(fields: Fields, prefix: str, protocol: str, destination_port: int | None) -> Item:
    part = _part(fields, "health_check", _CHECK_FIELDS, prefix)
    kind = part.text("protocol", choices=("tcp", "http")) or ("tcp" if protocol == "tcp" else "http")
    check: Item = {
        "protocol": kind,
        "port": _port(part, "port", destination_port or 1),
        "interval": _number(part, "interval", 15, 3, 60),
        "timeout": _number(part, "timeout", 10, 1, 60),
        "retries": _number(part, "retries", 3, 1, 5),
    }
    if kind == "http":
        inner = _part(part, "http", _HTTP_CHECK_FIELDS, f"{prefix}health_check.")
        check["http"] = _http_check(inner)
        part.faults.update(inner.faults)
    fields.faults.update(part.faults)
    return check


def _http(fields: Fields, prefix: str, protocol: str) -> Item:
    part = _part(fields, "http", _HTTP_FIELDS, prefix)
    found: Item = {
        "cookie_name": part.text("cookie_name", maximum=100, pattern=_COOKIE) or "HCLBSTICKY",
        "cookie_lifetime": _number(part, "cookie_lifetime", 300, 30, 86400),
        "timeout_idle": _number(part, "timeout_idle", 50, 30, 300),
        "certificates": part.integers("certificates"),
        "redirect_http": part.flag("redirect_http", False),
        "sticky_sessions": part.flag("sticky_sessions", False),
    }
    if protocol == "http":
        for name in ("certificates", "redirect_http"):
            if found[name]:
                part.fault(name, "is only for protocol https")
    if found["certificates"]:
        part.fault("certificates", f"certificate {found['certificates'][0]} not found: the lab has no certificates")
    fields.faults.update(part.faults)
    return found


def parse(body: dict[str, Any], prefix: str = "") -> Item:
    """Read a whole service and fill in what is not said. Raises 422 invalid_input."""
    fields = Fields(body, _FIELDS, prefix)
    protocol = fields.text("protocol", required=True, choices=PROTOCOLS)
    fields.check()
    listen_default, destination_default = _PORTS[str(protocol)]
    service: Item = {
        "protocol": protocol,
        "listen_port": _port(fields, "listen_port", listen_default),
        "destination_port": _port(fields, "destination_port", destination_default),
        "proxyprotocol": fields.flag("proxyprotocol", False),
    }
    service["health_check"] = _health_check(fields, prefix, str(protocol), service["destination_port"])
    if protocol != "tcp":
        service["http"] = _http(fields, prefix, str(protocol))
    elif fields.object("http"):
        fields.fault("http", "is only for protocols http and https")
    fields.check()
    return service


def updated(present: Item, body: dict[str, Any]) -> Item:
    """Return a service with the changes of a request; what it does not name stays."""
    fields = Fields(body, _FIELDS)
    changes, check = fields.object("http"), fields.object("health_check")
    merged = {**present, **body}
    if merged.get("protocol") == "tcp" and not changes:
        merged.pop("http", None)
    elif changes:
        merged["http"] = {**present.get("http", {}), **changes}
    if check:
        merged["health_check"] = _merged_check(present["health_check"], check)
    fields.check()
    return parse(merged)


def _merged_check(present: Item, changes: dict[str, Any]) -> Item:
    merged = {**present, **changes}
    if merged["protocol"] == "tcp":
        merged.pop("http", None)
    elif isinstance(changes.get("http"), dict):
        merged["http"] = {**present.get("http", {}), **changes["http"]}
    return merged


def ports(service: Item) -> list[int]:
    """Return every port that a service listens on."""
    redirects = service["protocol"] == "https" and service["http"]["redirect_http"]
    return [service["listen_port"], *([REDIRECTED_PORT] if redirects else [])]


def for_balancer(service: Item) -> BalancerService:
    """Return a service as a balancer takes it; https without certificates is passed through as it is."""
    http: Item = service.get("http", {})
    check = service["health_check"]
    is_http = service["protocol"] == "http"
    sticky = is_http and http["sticky_sessions"]
    return BalancerService(
        listen_port=service["listen_port"],
        destination_port=service["destination_port"],
        http=is_http,
        proxy_protocol=service["proxyprotocol"],
        check=HealthCheck(
            port=check["port"],
            interval=check["interval"],
            timeout=check["timeout"],
            retries=check["retries"],
            http=_http_check_for_balancer(check["http"]) if check["protocol"] == "http" else None,
        ),
        idle_seconds=http.get("timeout_idle", TCP_IDLE_SECONDS),
        cookie=StickyCookie(http["cookie_name"], http["cookie_lifetime"]) if sticky else None,
        redirect_port=next(iter(ports(service)[1:]), None),
    )


def _http_check_for_balancer(check: Item) -> HttpCheck:
    return HttpCheck(
        path=check["path"],
        domain=check["domain"] or "",
        response=check["response"],
        status_codes=tuple(check["status_codes"]),
        tls=check["tls"],
    )
