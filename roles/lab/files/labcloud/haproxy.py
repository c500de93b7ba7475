# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer as a configuration of HAProxy, and what HAProxy says of its targets in the vendor's words.

One `listen` section is one service. A target's name there is its address and port, so that what is known of a
target's health stays valid over a reload as long as the target is the same.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable

from .balancers import (
    HEALTHY,
    UNHEALTHY,
    UNKNOWN,
    BalancerService,
    BalancerSpec,
    HealthCheck,
    HttpCheck,
    TargetHealth,
)

CONFIGURATION = "haproxy.cfg"
STATE = "servers.state"
STATS_SOCKET = "stats.sock"
MASTER_SOCKET = "master.sock"
# What the runtime interface is asked for.
SHOW_HEALTH = "show stat -1 4 -1"  # every section, targets only
SHOW_STATE = "show servers state"
RELOAD = "reload"
RELOADED = "Success=1"
# Connections of a former configuration get this long to end by themselves. Seconds.
HARD_STOP = 600
CONNECT_TIMEOUT = 5
# First checks of all targets begin within this time, not spread over the whole interval. Milliseconds.
CHECK_SPREAD = 500

_DETAILS = {
    "SOCKERR": "layer4_no_connection",
    "L4CON": "layer4_no_connection",
    "L4TOUT": "layer4_timeout",
    "L6TOUT": "layer7_timeout",
    "L7TOUT": "layer7_timeout",
    "L7STS": "unexpected_http_status",
    "L7RSP": "unexpected_http_content",
}


def _quoted(text: str) -> str:
    """Quote a text so that HAProxy takes it as it is: https://docs.haproxy.org/3.0/configuration.html#2.2."""
    escaped = re.sub(r'([\\"$])', r"\\\1", text)
    return f'"{escaped}"'


def _status_pattern(codes: Iterable[str]) -> str:
    patterns = (code.replace("?", ".").replace("*", ".*") for code in codes)
    return f"^({'|'.join(patterns)})$"


def _http_check(check: HttpCheck) -> list[str]:
    send = f"http-check send meth GET uri {_quoted(check.path)}"
    # A request without a Host header is only valid in version 1.0.
    send += f" ver HTTP/1.1 hdr Host {_quoted(check.domain)} hdr Connection close" if check.domain else " ver HTTP/1.0"
    lines = ["option httpchk", send, f"http-check expect rstatus {_quoted(_status_pattern(check.status_codes))}"]
    if check.response:
        lines.append(f"http-check expect string {_quoted(check.response)}")
    return lines


def _check_words(check: HealthCheck, proxy_protocol: bool) -> str:
    words = f"check port {check.port} inter {check.interval}s fall {check.retries} rise {check.retries}"
    if proxy_protocol:
        words += " check-send-proxy"
    if check.http is not None and check.http.tls:
        words += " check-ssl verify none"
        if check.http.domain:
            words += f" check-sni {_quoted(check.http.domain)}"
    return words


def _target(service: BalancerService, address: str) -> str:
    place = f"{address}:{service.destination_port}"
    line = f"server {place} {place} {_check_words(service.check, service.proxy_protocol)}"
    if service.proxy_protocol:
        line += " send-proxy-v2"
    if service.cookie is not None:
        line += f" cookie {address.replace('.', '-')}"
    return line


def _mode(service: BalancerService) -> list[str]:
    if not service.http:
        return ["mode tcp"]
    lines = [
        "mode http",
        # A kept connection is told about a reload by its next answer and not cut in between.
        "option idle-close-on-response",
        "option forwardfor",
        "http-request set-header X-Forwarded-Proto http",
        "http-request set-header X-Forwarded-Port %[dst_port]",
    ]
    if service.cookie is not None:
        name, lifetime = service.cookie.name, service.cookie.lifetime
        lines.append(f'cookie {_quoted(name)} insert indirect nocache httponly attr "Max-Age={lifetime}"')
    return lines


def _service(service: BalancerService, spec: BalancerSpec) -> list[str]:
    lines = [
        f"bind :{service.listen_port}",
        *_mode(service),
        f"balance {'leastconn' if spec.least_connections else 'roundrobin'}",
        f"timeout client {service.idle_seconds}s",
        f"timeout server {service.idle_seconds}s",
        f"timeout check {service.check.timeout}s",
    ]
    if service.check.http is not None:
        lines += _http_check(service.check.http)
    lines += [_target(service, address) for address in spec.targets]
    return ["", f"listen service_{service.listen_port}", *(f"    {line}" for line in lines)]


def _redirect(service: BalancerService) -> list[str]:
    return [
        "",
        f"frontend redirect_{service.listen_port}",
        f"    bind :{service.redirect_port}",
        "    mode http",
        f"    timeout client {service.idle_seconds}s",
        "    http-request redirect scheme https code 301",
    ]


def render(spec: BalancerSpec, folder: str) -> str:
    """Return the configuration of a balancer whose sockets and state lie in `folder`."""
    lines = [
        "global",
        f"    maxconn {spec.max_connections}",
        "    user haproxy",
        "    group haproxy",
        f"    stats socket {folder}/{STATS_SOCKET} mode 600 level admin expose-fd listeners",
        f"    server-state-file {folder}/{STATE}",
        f"    hard-stop-after {HARD_STOP}s",
        f"    max-spread-checks {CHECK_SPREAD}",
        # The engine may allow fewer open files than so many connections need; then there are fewer.
        "    no strict-limits",
        "",
        "defaults",
        f"    timeout connect {CONNECT_TIMEOUT}s",
        "    timeout http-request 10s",
        "    load-server-state-from-file global",
    ]
    for service in spec.services:
        lines += _service(service, spec)
        if service.redirect_port is not None:
            lines += _redirect(service)
    return "\n".join([*lines, ""])


def parse_health(text: str) -> dict[tuple[int, str], TargetHealth]:
    """Read the answer to SHOW_HEALTH: the health by listening port and address."""
    found = {}
    for row in csv.DictReader(text.lstrip("# ").splitlines()):
        section, _under, port = (row.get("# pxname") or row.get("pxname") or "").rpartition("_")
        if section == "service":
            address = row["svname"].rpartition(":")[0]
            found[(int(port), address)] = _health(row["status"], row["check_status"], row["check_code"])
    return found


def _health(status: str, check_status: str, check_code: str) -> TargetHealth:
    """A target is up and healthy until a check says otherwise; before the first one nothing is known."""
    # A star marks a check that is under way, before it stands the result of the last one.
    last = check_status.removeprefix("* ")
    if status.startswith("UP"):
        return TargetHealth(UNKNOWN if last in ("", "INI", "UNK") else HEALTHY)
    if not status.startswith("DOWN"):
        return TargetHealth(UNKNOWN)
    detail = _DETAILS.get(last, "unspecified")
    code = int(check_code) if detail == "unexpected_http_status" and check_code.isdigit() else None
    return TargetHealth(UNHEALTHY, detail, code)
