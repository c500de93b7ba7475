# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages, order and the Link header; and the request limit with its refill."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labcloud.hetzner import paging
from labcloud.hetzner.errors import ApiError
from labcloud.hetzner.ratelimit import Bucket

URL = "http://lab/hetzner/v1/servers"


def _items(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"n{number % 3}", "labels": {}} for number in range(1, count + 1)]


@given(st.integers(0, 230), st.integers(1, 60))
def test_all_pages_together_are_all_items_in_order(count: int, per_page: int) -> None:
    seen: list[int] = []
    number: int | None = 1
    while number is not None:
        query = (("page", str(number)), ("per_page", str(per_page)))
        cut, meta, _headers = paging.page(_items(count), query, URL)
        pagination = meta["pagination"]
        assert pagination["per_page"] == min(per_page, 50)
        assert pagination["total_entries"] == count
        assert len(cut) <= 50
        seen += [item["id"] for item in cut]
        assert pagination["next_page"] in (None, number + 1)
        assert number <= pagination["last_page"]
        number = pagination["next_page"]
    assert seen == list(range(1, count + 1))


def test_the_link_header_keeps_the_filters() -> None:
    query = (("label_selector", "a=b"), ("page", "2"), ("per_page", "5"))
    _cut, meta, headers = paging.page(_items(20), query, URL)
    assert meta["pagination"] == {
        "page": 2,
        "per_page": 5,
        "previous_page": 1,
        "next_page": 3,
        "last_page": 4,
        "total_entries": 20,
    }
    assert headers["Link"] == ", ".join(
        f'<{URL}?label_selector=a%3Db&page={page}&per_page=5>; rel="{relation}"'
        for page, relation in ((1, "prev"), (3, "next"), (4, "last"))
    )


def test_a_page_behind_the_last_is_empty() -> None:
    cut, meta, _headers = paging.page(_items(3), (("page", "9"),), URL)
    assert cut == []
    assert meta["pagination"]["next_page"] is None


@pytest.mark.parametrize(("name", "value"), [("page", "0"), ("page", "-1"), ("per_page", "x"), ("per_page", "")])
def test_numbers_that_are_none_are_refused(name: str, value: str) -> None:
    with pytest.raises(ApiError) as caught:
        paging.page(_items(3), ((name, value),), URL)
    assert caught.value.code == "invalid_input"
    assert caught.value.details == {"fields": [{"name": name, "messages": ["must be a whole number from 1 on"]}]}


def test_the_first_sort_counts_most() -> None:
    found = paging.in_order(_items(6), (("sort", "name:desc"), ("sort", "id:desc")), ("id", "name"))
    assert [item["id"] for item in found] == [5, 2, 4, 1, 6, 3]
    with pytest.raises(ApiError):
        paging.in_order(_items(2), (("sort", "size"),), ("id", "name"))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_the_limit_refills_one_a_second() -> None:
    clock = Clock()
    bucket = Bucket(3600, clock)
    assert all(bucket.take() for _n in range(3600))
    assert not bucket.take()
    assert bucket.headers() == {
        "RateLimit-Limit": "3600",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": str(1_000_000 + 3600),
    }
    clock.now += 2
    assert bucket.take()
    assert bucket.take()
    assert not bucket.take()
    clock.now += 10_000
    assert bucket.headers()["RateLimit-Remaining"] == "3600"
    assert bucket.headers()["RateLimit-Reset"] == str(int(clock.now))


@given(st.integers(1, 5000), st.lists(st.floats(0, 100), max_size=30))
def test_nobody_gets_more_than_the_limit_and_its_refill(limit: int, pauses: list[float]) -> None:
    clock = Clock()
    bucket = Bucket(limit, clock)
    start = clock.now
    taken = sum(bucket.take() for _n in range(limit + 1))
    for pause in pauses:
        clock.now += pause
        while bucket.take():
            taken += 1
    assert taken <= limit + (clock.now - start) * limit / 3600 + 1e-6
