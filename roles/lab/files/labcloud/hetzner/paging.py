# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages, order and filters of lists: https://docs.hetzner.cloud, sections Pagination, Sorting, Label Selector."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import urlencode

from ..state import Item
from . import selector
from .errors import invalid_field

DEFAULT_PER_PAGE = 25
MAX_PER_PAGE = 50

Query = Sequence[tuple[str, str]]


def values(query: Query, name: str) -> list[str]:
    """Return all values of a repeatable parameter."""
    return [value for key, value in query if key == name]


def first(query: Query, name: str) -> str | None:
    """Return the first value of a parameter, or None."""
    return next(iter(values(query, name)), None)


def _number(query: Query, name: str, default: int) -> int:
    text = first(query, name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise invalid_field(name, "must be a whole number from 1 on")
    return int(text)


def chosen(query: Query, name: str, choices: Collection[str]) -> list[str]:
    """Return the values of a filter, each one of `choices`."""
    found = values(query, name)
    for value in found:
        if value not in choices:
            raise invalid_field(name, f"must be one of {', '.join(sorted(choices))}")
    return found


def flag(query: Query, name: str) -> bool:
    """Return a boolean parameter; absent is false. hcloud for Python writes `True`, and the vendor takes it."""
    text = first(query, name)
    if text is None:
        return False
    if text.lower() not in ("true", "false"):
        raise invalid_field(name, "must be true or false")
    return text.lower() == "true"


def by_name(items: list[Item], query: Query) -> list[Item]:
    """Filter by exact name."""
    name = first(query, "name")
    return items if name is None else [item for item in items if item["name"] == name]


def by_labels(items: list[Item], query: Query) -> list[Item]:
    """Filter by label selector."""
    text = first(query, "label_selector")
    if text is None:
        return items
    try:
        wanted = selector.parse(text)
    except selector.SelectorError as error:
        raise invalid_field("label_selector", str(error)) from error
    return [item for item in items if wanted.matches(item["labels"])]


def in_order(items: list[Item], query: Query, sortable: Collection[str]) -> list[Item]:
    """Sort by the `sort` parameters; the first one counts most. Without any: by id."""
    for text in reversed(values(query, "sort")):
        field, _colon, direction = text.partition(":")
        if field not in sortable or direction not in ("", "asc", "desc"):
            raise invalid_field("sort", f"cannot sort by {text!r}: there are {', '.join(sorted(sortable))}")
        items = sorted(items, key=lambda item: (item[field] is not None, item[field]), reverse=direction == "desc")
    return items


def page(items: list[Any], query: Query, url: str) -> tuple[list[Any], dict[str, Any], dict[str, str]]:
    """Cut one page. Returns the entries, the `meta` object and the Link header."""
    number = _number(query, "page", 1)
    size = min(_number(query, "per_page", DEFAULT_PER_PAGE), MAX_PER_PAGE)
    last = max(1, -(-len(items) // size))
    previous_page = number - 1 if 1 < number <= last + 1 else None
    next_page = number + 1 if number < last else None
    meta = {
        "pagination": {
            "page": number,
            "per_page": size,
            "previous_page": previous_page,
            "next_page": next_page,
            "last_page": last,
            "total_entries": len(items),
        }
    }
    links = [("prev", previous_page), ("next", next_page), ("last", last)]
    kept = [(key, value) for key, value in query if key not in ("page", "per_page")]
    header = ", ".join(
        f'<{url}?{urlencode([*kept, ("page", target), ("per_page", size)])}>; rel="{relation}"'
        for relation, target in links
        if target is not None
    )
    return items[(number - 1) * size : number * size], meta, {"Link": header}
