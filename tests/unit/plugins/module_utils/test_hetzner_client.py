# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Retries, errors, pages and actions of the client, against a scripted exchange."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import (
    BUSY_PATIENCE,
    LOST,
    OUTAGE_PATIENCE,
    UNREACHABLE,
    HetznerClient,
    HetznerError,
    action_error,
    poll_interval,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import Answer, Clock, TransportError

TOKEN = "a-token-that-nobody-may-see"
NOW = 1_800_000_000.0
Script = Callable[..., HetznerClient]


class Scripted:
    """Gives the answers in turn, the last one for ever; the clock moves only by sleeping."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any, Any]] = []
        self.slept: list[float] = []
        self.now = 0.0

    def exchange(self, method: str, path: str, params: Any = None, json: Any = None) -> Answer:
        self.asked.append((method, path, params, json))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(params) if callable(answer) else answer

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def client(self) -> HetznerClient:
        clock = Clock(
            monotonic=lambda: self.now,
            wall=lambda: NOW + self.now,
            sleep=self.sleep,
            jitter=lambda low, high: high,
        )
        client = HetznerClient(TOKEN, clock=clock)
        client._http.exchange = self.exchange  # type: ignore[method-assign]
        return client


def good(body: Any = None) -> Answer:
    return Answer(200, {}, json.dumps(body if body is not None else {"fine": True}))


def bad(status: int, code: str | None = None, headers: dict[str, str] | None = None, **error: Any) -> Answer:
    body = {"error": {"code": code, "message": f"about {code}", "details": None, **error}} if code else None
    text = json.dumps(body) if body else "<html>Bad Gateway</html>"
    return Answer(status, {"X-Correlation-Id": "corr-1", **(headers or {})}, text)


def _error(scripted: Scripted, method: str = "GET", **options: Any) -> HetznerError:
    with pytest.raises(HetznerError) as caught:
        scripted.client().request(method, "/servers", **options)
    return caught.value


BROKEN = TransportError("the connection broke", sent=True)
REFUSED = TransportError("connection refused", sent=False)


class TestRetry:
    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
    @pytest.mark.parametrize("answer", [bad(429, "rate_limit_exceeded"), bad(409, "conflict"), bad(423, "locked")])
    def test_what_was_refused_for_now_is_repeated(self, method: str, answer: Answer) -> None:
        scripted = Scripted(answer, answer, good())
        assert scripted.client().request(method, "/servers") == {"fine": True}
        assert len(scripted.asked) == 3

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    @pytest.mark.parametrize("failure", [bad(500, "server_error"), bad(502), bad(503, "unavailable"), bad(504), BROKEN])
    def test_what_is_idempotent_is_repeated(self, method: str, failure: Any) -> None:
        scripted = Scripted(failure, good())
        assert scripted.client().request(method, "/servers") == {"fine": True}

    @pytest.mark.parametrize("failure", [bad(500, "server_error"), bad(502), bad(503, "unavailable"), bad(504), BROKEN])
    def test_a_creation_with_an_uncertain_end_is_not(self, failure: Any) -> None:
        scripted = Scripted(failure, good())
        assert _error(scripted, "POST").code == LOST
        assert len(scripted.asked) == 1

    def test_a_creation_that_never_left_is_repeated(self) -> None:
        scripted = Scripted(REFUSED, good())
        assert scripted.client().request("POST", "/servers") == {"fine": True}

    def test_an_action_may_be_declared_idempotent(self) -> None:
        scripted = Scripted(BROKEN, good())
        assert scripted.client().request("POST", "/servers/1/actions/poweron", idempotent=True) == {"fine": True}

    def test_further_codes_by_call(self) -> None:
        scripted = Scripted(bad(422, "service_error"), good())
        assert scripted.client().request("POST", "/x", retry_codes={"service_error"}) == {"fine": True}
        assert _error(Scripted(bad(422, "service_error")), "POST").code == "service_error"

    @pytest.mark.parametrize(
        "code", ["unauthorized", "invalid_input", "resource_unavailable", "protected", "not_found"]
    )
    def test_the_rest_is_not(self, code: str) -> None:
        scripted = Scripted(bad(422, code))
        assert _error(scripted).code == code
        assert len(scripted.asked) == 1

    def test_an_outage_ends(self) -> None:
        scripted = Scripted(REFUSED)
        assert _error(scripted).code == UNREACHABLE
        assert scripted.now <= OUTAGE_PATIENCE
        assert len(scripted.asked) > 3

    def test_a_broken_certificate_is_told_at_once(self) -> None:
        scripted = Scripted(TransportError("certificate expired", sent=False, permanent=True))
        assert "certificate expired" in str(_error(scripted))
        assert scripted.slept == []

    def test_a_storm_of_429_ends(self) -> None:
        scripted = Scripted(bad(429, "rate_limit_exceeded"))
        assert _error(scripted).code == "rate_limit_exceeded"
        assert OUTAGE_PATIENCE < scripted.now <= BUSY_PATIENCE

    def test_retry_after_is_the_least_pause(self) -> None:
        scripted = Scripted(bad(429, "rate_limit_exceeded", {"Retry-After": "17"}), good())
        scripted.client().request("GET", "/servers")
        assert scripted.slept == [18.0]

    def test_reset_is_when_the_allowance_is_full_again(self) -> None:
        headers = {"RateLimit-Limit": "3600", "RateLimit-Remaining": "0", "RateLimit-Reset": str(NOW + 7200)}
        scripted = Scripted(bad(429, "rate_limit_exceeded", headers), good())
        scripted.client().request("GET", "/servers")
        # One request every two seconds comes free, and a second of backoff.
        assert scripted.slept == [3.0]

    def test_pauses_grow(self) -> None:
        scripted = Scripted(bad(423, "locked"), bad(423, "locked"), bad(423, "locked"), good())
        scripted.client().request("GET", "/servers")
        assert scripted.slept == [1.0, 2.0, 4.0]


class TestSentence:
    def test_names_everything_once(self) -> None:
        error = _error(Scripted(bad(412, "resource_unavailable", message="no stock.")), attempted="create server a")
        assert str(error) == (
            "Could not create server a at Hetzner: no stock (resource_unavailable, HTTP 412, correlation id corr-1); "
            "list further server types or locations, or run again later."
        )

    def test_fields_and_limits(self) -> None:
        fields = [{"name": "ip_range", "messages": ["is too small", "is not private"]}, {"name": "name"}]
        error = _error(Scripted(bad(422, "invalid_input", details={"fields": fields})))
        assert "[ip_range: is too small, is not private; name]" in str(error)
        error = _error(Scripted(bad(403, "resource_limit_exceeded", details={"limits": [{"name": "server_limit"}]})))
        assert "[server_limit]" in str(error)
        error = _error(Scripted(bad(410, "deprecated_api_endpoint", details={"announcement": "https://x.invalid"})))
        assert "https://x.invalid" in str(error)

    def test_a_page_of_a_gateway(self) -> None:
        error = _error(Scripted(bad(502)))
        assert (error.code, error.status, error.correlation_id) == ("bad_gateway", 502, "corr-1")
        assert "<html>" not in str(error)

    def test_an_unknown_status(self) -> None:
        assert _error(Scripted(bad(418))).code == "http_418"

    def test_something_else_that_says_200(self) -> None:
        error = _error(Scripted(Answer(200, {}, "<html>hello</html>")))
        assert "not the API" in str(error)

    def test_the_token_is_not_in_it(self) -> None:
        error = _error(Scripted(bad(401, "unauthorized", message=f"bad token {TOKEN}")))
        assert TOKEN not in str(error)
        assert "check the API token" in str(error)

    def test_an_action(self) -> None:
        action = {"command": "create_server", "error": {"code": "action_failed", "message": "no luck"}}
        sentence = str(action_error(action, "create server a", "corr-9"))
        for part in ("create server a", "create_server", "no luck", "action_failed", "corr-9"):
            assert part in sentence

    def test_no_message(self) -> None:
        assert "no reason given" in str(HetznerError("code", "", "do it"))

    def test_an_empty_answer(self) -> None:
        assert Scripted(Answer(204, {}, "")).client().request("DELETE", "/x") == {}


def _page(
    numbers: list[int], page: int, last: int | None, following: int | None = None, total: int | None = 0
) -> Answer:
    pagination = {"page": page, "per_page": 50, "next_page": following, "last_page": last, "total_entries": total}
    return good({"servers": [{"id": number} for number in numbers], "meta": {"pagination": pagination}})


class TestPages:
    def test_one(self) -> None:
        scripted = Scripted(_page([1, 2], 1, 1, total=2))
        assert scripted.client().list("/servers", "servers", {"name": "x"}) == [{"id": 1}, {"id": 2}]
        assert scripted.asked == [("GET", "/servers", {"name": "x", "page": 1, "per_page": 50}, None)]

    def test_the_others_in_their_order_without_repetitions(self) -> None:
        pages = {1: [1, 2], 2: [2, 3], 3: [4]}
        scripted = Scripted(lambda params: _page(pages[params["page"]], params["page"], 3, total=4))
        assert [item["id"] for item in scripted.client().list("/servers", "servers")] == [1, 2, 3, 4]
        assert len(scripted.asked) == 3

    def test_without_a_last_page(self) -> None:
        scripted = Scripted(_page([1], 1, None, 2, None), _page([2], 2, None, 3, None), _page([3], 3, None, None, None))
        assert [item["id"] for item in scripted.client().list("/servers", "servers")] == [1, 2, 3]

    def test_a_gap_is_read_again(self) -> None:
        # Something was deleted on page 1 after it was read: an entry moved there from page 2.
        first = [_page([1, 2], 1, 2, total=4), _page([4], 2, 2, total=4)]
        second = [_page([2, 3], 1, 2, total=3), _page([4], 2, 2, total=3)]
        scripted = Scripted(*first, *second)
        assert [item["id"] for item in scripted.client().list("/servers", "servers")] == [2, 3, 4]

    def test_without_pagination(self) -> None:
        scripted = Scripted(good({"servers": [{"id": 1}]}))
        assert scripted.client().list("/servers", "servers") == [{"id": 1}]

    def test_error_names_what_was_read(self) -> None:
        with pytest.raises(HetznerError, match="Could not list placement groups"):
            Scripted(bad(401, "unauthorized")).client().list("/placement_groups", "placement_groups")


def _actions(**status: str) -> Answer:
    return good({"actions": [{"id": int(name[1:]), "status": value} for name, value in status.items()]})


class TestActions:
    def test_25_a_call(self) -> None:
        scripted = Scripted(good({"actions": []}))
        scripted.client().actions(list(range(60)))
        assert [len(params["id"]) for _method, _path, params, _json in scripted.asked] == [25, 25, 10]

    def test_waits_until_all_have_ended(self) -> None:
        scripted = Scripted(_actions(_1="running", _2="success"), _actions(_1="error"))
        ended = scripted.client().wait_for_actions([1, 2, 1], timeout=60)
        assert {number: action["status"] for number, action in ended.items()} == {1: "error", 2: "success"}
        assert scripted.asked[1][2]["id"] == [1]

    def test_not_for_ever(self) -> None:
        scripted = Scripted(_actions(_1="running"))
        with pytest.raises(HetznerError, match="still running after 60 s"):
            scripted.client().wait_for_actions([1], timeout=60)
        assert scripted.now == pytest.approx(60, abs=0.01)

    def test_not_for_what_is_gone(self) -> None:
        scripted = Scripted(good({"actions": []}))
        with pytest.raises(HetznerError, match="does not know it"):
            scripted.client().wait_for_actions([1], timeout=60)
        assert len(scripted.asked) == 3

    def test_slow_actions_are_looked_at_rarely(self) -> None:
        assert (poll_interval(0), poll_interval(4), poll_interval(600)) == (0.25, 1.0, 2.0)
