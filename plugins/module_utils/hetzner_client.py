# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client of the Hetzner Cloud API: errors, retries, pages, actions.

Source of the rules: https://docs.hetzner.cloud (errors, rate limiting, pagination, actions).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import (
    Answer,
    Backoff,
    Clock,
    HttpClient,
    TransportError,
    provider_hint,
)

# A decoded JSON object, and a list of them.
Json = dict[str, Any]
Records = list[Json]

DEFAULT_ENDPOINT = "https://api.hetzner.cloud/v1"

# The largest page, and the number of ids that one GET /actions takes (more are dropped without a word).
PAGE_SIZE = 50
ACTIONS_PER_CALL = 25
PAGE_THREADS = 8
# An action that the API does not list this many times in a row is gone (its resource was deleted).
MISSED_LOOKS = 3

# Seconds that a request may take including its repetitions: when the API does not work ...
OUTAGE_PATIENCE = 30.0
# ... and when it works but asks to wait (rate limit, an action running on the same resource).
BUSY_PATIENCE = 300.0

# The API says that it did nothing: any request may be repeated.
BUSY_CODES = frozenset({"rate_limit_exceeded", "conflict", "locked"})
# The API did not say what it did: only what is idempotent may be repeated.
UNCERTAIN_STATUS = frozenset({500, 502, 503, 504})
# Codes of ours, for what the API itself has no word for.
LOST = "lost_answer"
UNREACHABLE = "unreachable"

REMEDIES = {
    "unauthorized": "check the API token",
    "forbidden": "use a token of this project that may read and write",
    "token_readonly": "use a token that may write",
    "maintenance": "run again later",
    "resource_limit_exceeded": "ask Hetzner to raise the account's limit or remove something",
    "uniqueness_error": "choose another name or remove the other resource",
    "conflict": "run again when the other change is finished",
    "deprecated_api_endpoint": "upgrade the collection",
    "resource_unavailable": "list further server types or locations, or run again later",
    "placement_error": "list further locations, or leave the placement group",
    "invalid_input": "correct the named field",
    "locked": "run again when the running action is finished",
    "protected": "name it in delete_protected to lift its protection",
    "rate_limit_exceeded": "run again in some minutes, or use fewer programs with this project at the same time",
    "ip_not_available": "choose a free address inside the subnet",
    "no_subnet_available": "add a subnet with free addresses to the network",
    "no_space_left_in_location": "run again later, or choose another location",
    "source_port_already_used": "give every service a listen_port of its own; redirect_http listens on port 80",
    "load_balancer_not_attached_to_network": "name a network in the load balancer's networks",
    "resolve_cloud_private_targets_error": "attach the servers to the load balancer's network",
    "resolve_cloud_public_targets_error": "give the servers a public IPv4 address, or set use_private_ip",
    "targets_without_use_private_ip": "set use_private_ip for every target",
    "load_balancer_public_interface_disabled": "set use_private_ip for every target, or public_interface",
    "invalid_load_balancer_type": "choose a type that takes all services and targets",
    "networks_overlap": "give the networks ranges that do not overlap",
    "invalid_server_type": "choose a type of the same architecture with a disk that is not smaller",
    "resource_in_use": "detach what uses it first",
    LOST: "run again: the next run finds out what was done and goes on",
    UNREACHABLE: "check the endpoint and the network",
}
DEFAULT_REMEDY = "run again later, and give Hetzner the correlation id if it stays"


class HetznerError(Exception):
    """A request or an action that failed; str() is one sentence with cause, code, correlation id and remedy."""

    def __init__(
        self,
        code: str,
        message: str,
        attempted: str,
        status: int | None = None,
        correlation_id: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """attempted: what was tried, in words that follow "could not" ("create server web-1").

        status: HTTP status, None when no answer came or an action failed later.
        """
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.attempted = attempted
        self.status = status
        self.correlation_id = correlation_id
        self.details = dict(details or {})

    def __str__(self) -> str:
        """The sentence."""
        facts = [self.code]
        if self.status is not None:
            facts.append(f"HTTP {self.status}")
        if self.correlation_id:
            facts.append(f"correlation id {self.correlation_id}")
        message = " ".join(self.message.split()).rstrip(".") or "no reason given"
        remedy = REMEDIES.get(self.code, DEFAULT_REMEDY)
        return f"Could not {self.attempted} at Hetzner: {message}{self._fields()} ({', '.join(facts)}); {remedy}."

    def _fields(self) -> str:
        """What the API says about single fields or limits, as ', name: reason'."""
        parts = []
        for entry in self.details.get("fields") or []:
            reasons = ", ".join(entry.get("messages") or [])
            parts.append(f"{entry.get('name')}: {reasons}" if reasons else str(entry.get("name")))
        parts.extend(str(entry.get("name")) for entry in self.details.get("limits") or [])
        if self.details.get("announcement"):
            parts.append(str(self.details["announcement"]))
        return f" [{'; '.join(parts)}]" if parts else ""


class HetznerClient:
    """Requests to one project. Safe for use by several threads."""

    def __init__(
        self, token: str, endpoint: str = DEFAULT_ENDPOINT, timeout: float = 30.0, clock: Clock | None = None
    ) -> None:
        """token: the project's API token; it never appears in an error.

        timeout: seconds without a byte from the server until one try counts as failed.
        Raises ValueError with a sentence when token or endpoint cannot be used.
        """
        self._http = HttpClient(endpoint, token, timeout)
        self.clock = clock or Clock()
        self.outage_patience = OUTAGE_PATIENCE
        self.busy_patience = BUSY_PATIENCE

    @property
    def calls(self) -> int:
        """Number of HTTP requests sent so far, repetitions included."""
        return self._http.calls

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        *,
        attempted: str | None = None,
        retry_codes: Iterable[str] = (),
        idempotent: bool | None = None,
    ) -> Json:
        """One call, repeated while that is safe and promising; the decoded body ({} when there is none).

        attempted: what the call does, in words that follow "could not" ("create server web-1").
        retry_codes: further codes that pass by themselves for this call (service_error, resource_in_use).
        idempotent: may the call be repeated when its answer was lost? Default: everything but POST.
        Raises HetznerError; its code is LOST when the call may or may not have been carried out.
        """
        body, _correlation_id = self.request_with_id(
            method, path, params, json, attempted=attempted, retry_codes=retry_codes, idempotent=idempotent
        )
        return body

    def request_with_id(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        *,
        attempted: str | None = None,
        retry_codes: Iterable[str] = (),
        idempotent: bool | None = None,
    ) -> tuple[Json, str | None]:
        """Like request(), and the answer's correlation id: an action that fails later is known to Hetzner by it."""
        retry = BUSY_CODES | frozenset(retry_codes)
        safe = method != "POST" if idempotent is None else idempotent
        what = attempted or f"{method} {path}"
        backoff = Backoff(self.clock)
        while True:
            hint = None
            try:
                answer = self._http.exchange(method, path, params=params, json=json)
            except TransportError as failure:
                lost = failure.sent and method != "GET"
                error = HetznerError(LOST if lost else UNREACHABLE, str(failure), what)
                promising = not failure.permanent and (safe or not failure.sent)
                patience = self.outage_patience
            else:
                if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                    return self._body(answer, what), answer.headers.get("X-Correlation-Id")
                error = self._error(answer, what)
                limited = answer.status == HTTPStatus.TOO_MANY_REQUESTS
                busy = error.code in retry or limited
                promising = busy or (answer.status in UNCERTAIN_STATUS and safe)
                patience = self.busy_patience if busy else self.outage_patience
                hint = provider_hint(answer.headers, self.clock.wall()) if limited else None
                if answer.status in UNCERTAIN_STATUS and not safe and not busy:
                    error.code, error.message = LOST, f"{error.message} [{error.code}]"
            if not promising or not backoff.pause(patience, hint):
                raise error

    def _body(self, answer: Answer, what: str) -> Json:
        if not answer.text:
            return {}
        body = answer.json()
        if not isinstance(body, dict):
            raise HetznerError("not_json", "the answer is not JSON, so this is not the API", what, status=answer.status)
        return body

    def _error(self, answer: Answer, what: str) -> HetznerError:
        body = answer.json()
        given = body.get("error") if isinstance(body, dict) else None
        given = given if isinstance(given, dict) else {}
        code = str(given.get("code") or _CODE_OF_STATUS.get(answer.status, f"http_{answer.status}"))
        message = self._http.redact(str(given.get("message") or "the answer carries no error of the API"))
        details = given.get("details")
        return HetznerError(
            code,
            message,
            what,
            status=answer.status,
            correlation_id=answer.headers.get("X-Correlation-Id"),
            details=details if isinstance(details, dict) else None,
        )

    def list(self, path: str, key: str, params: Mapping[str, Any] | None = None) -> Records:
        """All entries of a list, in the API's order: page 1 first, then the others in parallel.

        A list is no snapshot: entries move between pages while others create and delete. An entry seen twice counts
        once; when fewer came than the API counts, the list is read once more.
        """
        items, total = self._pages(path, key, params)
        if len(items) < total:
            items, total = self._pages(path, key, params)
        return items

    def _pages(self, path: str, key: str, params: Mapping[str, Any] | None) -> tuple[Records, int]:
        def page(number: int) -> Json:
            wanted = {**(params or {}), "page": number, "per_page": PAGE_SIZE}
            return self.request("GET", path, params=wanted, attempted=f"list {key.replace('_', ' ')}")

        bodies = [page(1)]
        pagination = _pagination(bodies[0])
        last = pagination.get("last_page")
        if last is not None and last > 1:
            with ThreadPoolExecutor(max_workers=PAGE_THREADS) as pool:
                bodies.extend(pool.map(page, range(2, last + 1)))
        elif last is None:
            # last_page may be null for expensive counts: follow next_page.
            while _pagination(bodies[-1]).get("next_page"):
                bodies.append(page(_pagination(bodies[-1])["next_page"]))
        unique: dict[Any, Json] = {}
        for body in bodies:
            for item in body.get(key) or []:
                unique.setdefault(item["id"], item)
        return list(unique.values()), _pagination(bodies[-1]).get("total_entries") or 0

    def actions(self, ids: Sequence[int]) -> dict[int, Json]:
        """The present state of actions by id, 25 a call; an id that the API does not know is missing."""
        found: dict[int, Json] = {}
        for start in range(0, len(ids), ACTIONS_PER_CALL):
            batch = list(ids[start : start + ACTIONS_PER_CALL])
            body = self.request("GET", "/actions", params={"id": batch})
            found.update({action["id"]: action for action in body.get("actions") or []})
        return found

    def wait_for_actions(self, ids: Iterable[int], timeout: float) -> dict[int, Json]:
        """Poll until all actions have ended; {id: action} with status success or error.

        timeout: seconds. Raises HetznerError with code "timeout" when some still run, "not_found" when one vanished.
        """
        waiting = list(dict.fromkeys(ids))
        ended: dict[int, Json] = {}
        missed: dict[int, int] = {}
        started = self.clock.monotonic()
        while waiting:
            found = self.actions(waiting)
            ended.update({number: action for number, action in found.items() if action["status"] != "running"})
            missed = {number: missed.get(number, 0) + 1 for number in waiting if number not in found}
            gone = [number for number, looks in missed.items() if looks >= MISSED_LOOKS]
            if gone:
                raise HetznerError("not_found", "the API does not know it", f"wait for action {gone[0]}")
            waiting = [number for number in waiting if number not in ended]
            if not waiting:
                break
            elapsed = self.clock.monotonic() - started
            if elapsed >= timeout:
                raise timeout_error(waiting, timeout)
            self.clock.sleep(min(poll_interval(elapsed), max(0.0, timeout - elapsed)))
        return ended


def poll_interval(age: float) -> float:
    """Seconds until the next look at actions of which the youngest is `age` seconds old.

    Quick ones are seen quickly, slow ones (a server takes a minute) do not eat the rate limit.
    """
    return min(2.0, max(0.25, age / 4.0))


def timeout_error(ids: Sequence[int], timeout: float) -> HetznerError:
    """The error for actions that did not end within `timeout` seconds."""
    numbers = ", ".join(str(number) for number in ids)
    return HetznerError("timeout", f"still running after {timeout:g} s", f"finish action {numbers}")


def action_error(action: Mapping[str, Any], attempted: str, correlation_id: str | None) -> HetznerError:
    """The error for an action that ended in status error. correlation_id: of the request that started the action."""
    error = action.get("error") or {}
    message = f"action {action['command']} ended with '{error.get('message')}'"
    return HetznerError(str(error.get("code")), message, attempted, correlation_id=correlation_id)


def _pagination(body: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = body.get("meta") or {}
    return meta.get("pagination") or {}


_CODE_OF_STATUS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    410: "deprecated_api_endpoint",
    423: "locked",
    429: "rate_limit_exceeded",
    500: "server_error",
    502: "bad_gateway",
    503: "unavailable",
    504: "timeout",
}
