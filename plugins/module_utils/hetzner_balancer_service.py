# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of a load balancer: what the user set, laid over what is there or over the API's defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import World

# https://docs.hetzner.cloud/#load-balancers-create-a-load-balancer
LIMITS = {
    "listen_port": (1, 65535),
    "destination_port": (1, 65535),
    "health_check.port": (1, 65535),
    "health_check.interval": (3, 60),
    "health_check.timeout": (1, 60),
    "health_check.retries": (1, 5),
    "http.cookie_lifetime": (30, 86400),
    "http.timeout_idle": (30, 300),
}
# The API knows no defaults for these; its console offers them.
CHECK_DEFAULTS = {"interval": 15, "timeout": 10, "retries": 3}
HTTP_CHECK_DEFAULTS: Json = {"domain": "", "path": "/", "response": "", "status_codes": ["2??", "3??"], "tls": False}
HTTP_DEFAULTS: Json = {
    "cookie_name": "HCLBSTICKY",
    "cookie_lifetime": 300,
    "timeout_idle": 50,
    "sticky_sessions": False,
}
HTTPS_DEFAULTS: Json = {**HTTP_DEFAULTS, "certificates": [], "redirect_http": False}


def wanted_service(entry: Mapping[str, Any]) -> Json:
    """What the user set, without what he did not. Raises ValueError with a sentence."""
    wanted = _set(entry)
    for field, (least, most) in LIMITS.items():
        group, _dot, name = field.rpartition(".")
        value = (wanted.get(group, {}) if group else wanted).get(name)
        if value is not None and not least <= value <= most:
            raise ValueError(
                f"{field} of service {wanted['listen_port']} is {value}, and Hetzner takes {least} to {most}"
            )
    check = wanted.get("health_check", {})
    if check.get("protocol") == "tcp" and check.get("http"):
        raise ValueError(f"health_check of service {wanted['listen_port']} has http, which is not for protocol tcp")
    return wanted


def _set(entry: Mapping[str, Any]) -> Json:
    """The options that are set, at all depths."""
    return {
        key: _set(value) if isinstance(value, Mapping) else value for key, value in entry.items() if value is not None
    }


def wanted_services(entries: Iterable[Mapping[str, Any]]) -> dict[int, Json]:
    """The services that the user listed, by listen port. Raises ValueError with a sentence."""
    found: dict[int, Json] = {}
    for entry in entries:
        service = wanted_service(entry)
        if service["listen_port"] in found:
            raise ValueError(f"service {service['listen_port']} is listed twice")
        found[service["listen_port"]] = service
    return found


def canonical_service(live: Mapping[str, Any]) -> Json:
    """A live service in one form, without what its protocols have no use for."""
    found = {key: live[key] for key in ("protocol", "listen_port", "destination_port", "proxyprotocol")}
    check = live["health_check"]
    found["health_check"] = {key: check[key] for key in ("protocol", "port", "interval", "timeout", "retries")}
    if check["protocol"] == "http":
        found["health_check"]["http"] = _filled(HTTP_CHECK_DEFAULTS, check.get("http"))
    if live["protocol"] != "tcp":
        found["http"] = _filled(_http_defaults(live["protocol"]), live.get("http"))
    return found


def _http_defaults(protocol: str) -> Json:
    return HTTPS_DEFAULTS if protocol == "https" else HTTP_DEFAULTS


def _filled(defaults: Mapping[str, Any], given: Mapping[str, Any] | None) -> Json:
    """The fields of `defaults`; what is missing or null in `given` is as there. Lists have no order."""
    found = {key: value if (given or {}).get(key) is None else (given or {})[key] for key, value in defaults.items()}
    return {key: sorted(value) if isinstance(value, list) else value for key, value in found.items()}


def merged_service(wanted: Mapping[str, Any], live: Mapping[str, Any] | None, world: World) -> Json:
    """The service as it is to be, canonical: what is set, else what is there, else the defaults.

    Raises ValueError when something does not fit together or a certificate does not exist.
    """
    have: Mapping[str, Any] = canonical_service(live) if live else {}
    protocol = wanted.get("protocol") or have.get("protocol") or "tcp"
    _check_protocol(protocol, wanted)
    port = wanted.get("destination_port") or have.get("destination_port") or wanted["listen_port"]
    found: Json = {
        "protocol": protocol,
        "listen_port": wanted["listen_port"],
        "destination_port": port,
        "proxyprotocol": wanted.get("proxyprotocol", have.get("proxyprotocol", False)),
        "health_check": _merged_check(wanted.get("health_check") or {}, have.get("health_check") or {}, port),
    }
    if protocol != "tcp":
        http = {**(have.get("http") or {}), **(wanted.get("http") or {})}
        if wanted.get("http", {}).get("certificates") is not None:
            http["certificates"] = certificate_ids(wanted["http"]["certificates"], world)
        found["http"] = _filled(_http_defaults(protocol), http)
    return found


def _check_protocol(protocol: str, wanted: Mapping[str, Any]) -> None:
    http = wanted.get("http") or {}
    port = wanted["listen_port"]
    if protocol == "tcp" and http:
        raise ValueError(f"service {port} has http, and its protocol is tcp")
    if protocol == "http" and (http.get("certificates") or http.get("redirect_http")):
        raise ValueError(f"service {port} has certificates or redirect_http, and its protocol is http, not https")


def _merged_check(wanted: Mapping[str, Any], have: Mapping[str, Any], port: int) -> Json:
    """The health check; a new one asks the port that visitors come to, by HTTP when the user says how."""
    protocol = wanted.get("protocol") or ("http" if wanted.get("http") else have.get("protocol") or "tcp")
    found: Json = {**CHECK_DEFAULTS, "port": port, **have, **wanted, "protocol": protocol}
    found.pop("http", None)
    if protocol == "http":
        found["http"] = _filled(HTTP_CHECK_DEFAULTS, {**(have.get("http") or {}), **(wanted.get("http") or {})})
    return found


def certificate_ids(names: Iterable[str], world: World) -> list[int]:
    """Ids of certificates that exist, given by name or id. Raises ValueError with a sentence."""
    found = []
    for name in names:
        if name.isdigit():
            found.append(int(name))
        elif name in world.catalogue("certificates"):
            found.append(int(world.catalogue("certificates")[name]["id"]))
        else:
            raise ValueError(f"it names certificate {name}, which is not there")
    return found


def service_body(service: Mapping[str, Any]) -> Json:
    """A new service as the API takes it."""
    return {key: _check_body(value) if key == "health_check" else value for key, value in service.items()}


def _check_body(check: Mapping[str, Any]) -> Json:
    http = check.get("http")
    # Without a host header the domain is null.
    return {**check, "http": {**http, "domain": http["domain"] or None}} if http else dict(check)


def changed_body(service: Mapping[str, Any], have: Mapping[str, Any]) -> Json:
    """What an update must send: the port, and the parts that differ, each whole."""
    body = service_body(service)
    return {key: value for key, value in body.items() if key == "listen_port" or service[key] != have.get(key)}
