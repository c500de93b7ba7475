# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks HTTP endpoints how they are, many at the same time, as a visitor would: with TLS that is really checked.

The address may be given apart from the name, so that a platform can be asked before its name is in the DNS.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

# More of a page than any of the wanted words needs, and no endless stream.
BODY_LIMIT = 1024 * 1024
SECONDS_OF_A_DAY = 86400.0
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Probe:
    """One question.

    address: where to connect; empty = what the DNS says about the name in the URL.
    statuses: the answers that count as healthy. contains: words that the body must hold; empty = any.
    ca: certificate authorities in PEM that are trusted instead of the machine's own; empty = the machine's own.
    least_days: a certificate that is valid for fewer days makes the endpoint unhealthy.
    timeout: seconds for the connection and for each silence of the server.
    """

    name: str
    url: str
    address: str = ""
    statuses: tuple[int, ...] = (200,)
    contains: str = ""
    ca: str = ""
    least_days: float = 0.0
    timeout: float = 10.0


@dataclass(frozen=True)
class Finding:
    """What came of it. `error` is one sentence without a period, empty when the endpoint is healthy."""

    name: str
    url: str
    error: str = ""
    status: int | None = None
    seconds: float = 0.0
    certificate_days: float | None = None

    def as_result(self) -> dict[str, Any]:
        """The form in a module's result."""
        days = self.certificate_days
        return {
            "name": self.name,
            "url": self.url,
            "healthy": not self.error,
            "error": self.error,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "certificate_days": None if days is None else int(days),
        }


class _Connection(http.client.HTTPConnection):
    """A connection to an address that may differ from the URL's name, with TLS for the name."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address or host
        self._context = context

    def connect(self) -> None:
        """Connect to the address and prove the name."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def days_of_certificate(self, now: float) -> float | None:
        """Return how many days the shown certificate is still valid; None without TLS."""
        if not isinstance(self.sock, ssl.SSLSocket):
            return None
        end = (self.sock.getpeercert() or {}).get("notAfter")
        return (ssl.cert_time_to_seconds(str(end)) - now) / SECONDS_OF_A_DAY if end else None


def ask(probe: Probe, now: Callable[[], float] = time.time) -> Finding:
    """Send one request and judge the answer. Never raises."""
    started = time.monotonic()
    try:
        finding = _answer(probe, now())
    except ssl.SSLCertVerificationError as error:
        finding = Finding(probe.name, probe.url, f"its certificate is not accepted: {error.verify_message}")
    except socket.timeout:
        finding = Finding(probe.name, probe.url, f"no answer within {probe.timeout:g} s")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        finding = Finding(probe.name, probe.url, f"no answer: {reason}")
    except ValueError as error:
        finding = Finding(probe.name, probe.url, str(error))
    return replace(finding, seconds=time.monotonic() - started)


def _answer(probe: Probe, now: float) -> Finding:
    url = urlsplit(probe.url)
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        raise ValueError(f"{probe.url} is no http or https address")
    context = ssl.create_default_context(cadata=probe.ca or None) if url.scheme == "https" else None
    port = url.port or DEFAULT_PORTS[url.scheme]
    connection = _Connection(url.hostname, port, probe.address, context, probe.timeout)
    try:
        connection.connect()
        days = connection.days_of_certificate(now)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("GET", path, headers={"User-Agent": "frontdesk.platform", "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(BODY_LIMIT).decode(errors="replace")
    finally:
        connection.close()
    return Finding(probe.name, probe.url, fault(probe, answer.status, body, days), answer.status, certificate_days=days)


def fault(probe: Probe, status: int, body: str, days: float | None) -> str:
    """Say what is wrong with an answer; empty when nothing is."""
    if status not in probe.statuses:
        wanted = " or ".join(str(code) for code in probe.statuses)
        return f"it answered {status} and not {wanted}"
    if probe.contains and probe.contains not in body:
        return f"its page does not hold {probe.contains!r}"
    if days is not None and days < probe.least_days:
        return f"its certificate is valid for {days:.1f} days only, fewer than {probe.least_days:g}"
    return ""


def ask_all(probes: Sequence[Probe], wait: float, pause: float = 1.0) -> list[Finding]:
    """Ask all, and those that are unhealthy again and again until all are healthy or `wait` seconds are over."""
    deadline = time.monotonic() + wait
    findings: dict[int, Finding] = {}
    open_ones = dict(enumerate(probes))
    with ThreadPoolExecutor(max_workers=max(1, min(len(probes), 16))) as pool:
        while open_ones:
            findings.update(zip(open_ones, pool.map(ask, open_ones.values())))
            open_ones = {number: probe for number, probe in open_ones.items() if findings[number].error}
            if time.monotonic() + pause > deadline:
                break
            if open_ones:
                time.sleep(pause)
    return [findings[number] for number in range(len(probes))]


def probe_of(options: Mapping[str, Any]) -> Probe:
    """Turn the options of one endpoint, as a module got them, into a question."""
    given = {name: value for name, value in options.items() if value is not None}
    given["statuses"] = tuple(given.pop("status", None) or (200,))
    return Probe(**given)
