# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP exchange, and how long to wait before the next one; shared by the clients of all providers.

Nothing here knows a provider: a provider's client decides which answers are errors and which errors may be
repeated, and asks Backoff for the pause.
"""

from __future__ import annotations

import json as json_module
import random
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Callable
from urllib.parse import urlsplit, urlunsplit

REQUESTS_IMPORT_ERROR: str | None
try:
    import requests
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
else:
    REQUESTS_IMPORT_ERROR = None

COLLECTION_VERSION = "1.0.0"
USER_AGENT = f"frontdesk.platform/{COLLECTION_VERSION}"

# Establishing a connection takes milliseconds or does not happen; only answers deserve the long timeout.
CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Answer:
    """What the server said: status code, headers (case-insensitive mapping) and the body as text."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        """The decoded body, or None when it is not JSON (an HTML page of a gateway, an empty body)."""
        try:
            return json_module.loads(self.text)
        except ValueError:
            return None


class TransportError(Exception):
    """No answer came."""

    def __init__(self, message: str, sent: bool, permanent: bool = False) -> None:
        """sent: False when the request surely never reached the server, so that even a write may be repeated.

        permanent: True when repeating cannot help (broken certificate, impossible URL).
        """
        super().__init__(message)
        self.sent = sent
        self.permanent = permanent


@dataclass(frozen=True)
class Clock:
    """Time and chance, replaceable by tests. Seconds everywhere."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float, float], float] = random.uniform


@dataclass
class Backoff:
    """Full-jitter exponential pauses that never exceed a total.

    Full jitter (a uniform pause between 0 and the exponential bound) spreads parallel clients best, see
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    clock: Clock
    base: float = 1.0
    cap: float = 20.0
    attempt: int = 0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        """The total counts from here."""
        self.started = self.clock.monotonic()

    def pause(self, total: float, hint: float | None = None) -> bool:
        """Sleep before the next attempt; False, without sleeping, when that would end after `total` seconds.

        hint: the provider's own wish in seconds; the pause is never shorter.
        """
        bound = min(self.cap, self.base * 2.0**self.attempt)
        wait = self.clock.jitter(0.0, bound) + (hint or 0.0)
        self.attempt += 1
        if self.clock.monotonic() + wait - self.started > total:
            return False
        self.clock.sleep(wait)
        return True


def provider_hint(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the provider asks to wait, or None.

    Retry-After (RFC 9110 section 10.2.3: seconds or a date) is taken as it is. RateLimit-Reset is the unix time when
    the allowance is FULL again; one request is free much earlier, so the time is divided by the missing requests.
    """
    retry_after = headers.get("Retry-After")
    if retry_after:
        try:
            return max(0.0, float(retry_after))
        except ValueError:
            try:
                return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
            except (TypeError, ValueError):
                return None
    try:
        until_full = float(headers["RateLimit-Reset"]) - now
        missing = float(headers.get("RateLimit-Limit", "1")) - float(headers.get("RateLimit-Remaining", "0"))
    except (KeyError, ValueError):
        return None
    return max(0.0, until_full) / max(1.0, missing)


def without_credentials(url: str) -> str:
    """The URL as it may be shown: no user name, no password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


class HttpClient:
    """Exchanges with one base URL, from any number of threads (requests.Session is not thread-safe: one each)."""

    def __init__(self, base_url: str, token: str, timeout: float) -> None:
        """timeout: seconds without a byte. Raises ValueError with a sentence that does not show the token."""
        if urlsplit(base_url).scheme not in ("http", "https"):
            raise ValueError(f"the endpoint {without_credentials(base_url)!r} must start with https:// or http://")
        # requests quotes a header that it refuses, and with it the token: refuse it first, without the value.
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError(
                "the API token is empty or has characters that no token has (blanks, line ends, non-ASCII)"
            )
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.calls = 0
        self._token = token
        self._lock = threading.Lock()
        self._local = threading.local()

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.headers["User-Agent"] = USER_AGENT
            session.headers["Accept"] = "application/json"
            # As `auth` and not as a header: a ~/.netrc entry for the host would replace the header.
            session.auth = self._authorise
            self._local.session = session
        return session

    def _authorise(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def redact(self, text: str) -> str:
        """The text without the token, for everything that leaves this class."""
        return text.replace(self._token, "********")

    def exchange(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, json: Any | None = None
    ) -> Answer:
        """One request, one answer of any status. Raises TransportError when there is no answer."""
        with self._lock:
            self.calls += 1
        try:
            response = self._session().request(
                method,
                self.base_url + path,
                params=params,
                json=json,
                timeout=(min(CONNECT_TIMEOUT, self.timeout), self.timeout),
                allow_redirects=False,
            )
            return Answer(response.status_code, response.headers, response.text)
        except requests.exceptions.RequestException as error:
            raise self._transport_error(error) from None

    def _transport_error(self, error: Exception) -> TransportError:
        shown = without_credentials(self.base_url)
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return TransportError(
                f"no connection to {shown} within {min(CONNECT_TIMEOUT, self.timeout):g} s", sent=False
            )
        if isinstance(error, requests.exceptions.Timeout):
            return TransportError(f"no answer from {shown} within {self.timeout:g} s", sent=True)
        if isinstance(error, requests.exceptions.SSLError):
            return TransportError(
                f"the TLS connection to {shown} failed, {self.redact(root_cause(error))}", sent=False, permanent=True
            )
        if isinstance(error, requests.exceptions.ConnectionError):
            sent = not any(type(cause).__name__ in _NEVER_SENT for cause in _causes(error))
            what = "the connection to {0} broke" if sent else "no connection to {0}"
            return TransportError(f"{what.format(shown)}, {self.redact(root_cause(error))}", sent=sent)
        if isinstance(error, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
            return TransportError(f"the answer of {shown} was cut off", sent=True)
        return TransportError(f"{shown} cannot be asked, {self.redact(str(error))}", sent=False, permanent=True)


# urllib3's classes for a connection that never came up.
_NEVER_SENT = frozenset({"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"})


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it wraps: requests and urllib3 nest by argument, by `reason` and by context."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, BaseException) or any(item is known for known in seen):
            continue
        seen.append(item)
        waiting.extend([*item.args, getattr(item, "reason", None), item.__cause__, item.__context__])
    return seen


def root_cause(error: BaseException) -> str:
    """The operating system's own words, without the libraries' wrapping."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror[:1].lower() + cause.strerror[1:]
    deepest = _causes(error)[-1]
    return str(deepest) or type(deepest).__name__
