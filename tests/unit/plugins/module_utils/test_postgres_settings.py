# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of PostgreSQL's settings: equal in other words, and tuned from memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_settings import (
    amount,
    flat,
    nested,
    same_value,
    size_of,
    tuned,
)


@pytest.mark.parametrize(
    ("wanted", "setting", "unit", "kind", "same"),
    [
        ("128MB", "16384", "8kB", "integer", True),
        ("131072kB", "16384", "8kB", "integer", True),
        ("129MB", "16384", "8kB", "integer", False),
        (16384, "16384", "8kB", "integer", True),
        ("15min", "900", "s", "integer", True),
        ("1h", "3600000", "ms", "integer", True),
        (-1, "-1", "kB", "integer", True),
        ("0.90", "0.9", None, "real", True),
        ("many", "5", None, "integer", False),
        (True, "on", None, "bool", True),
        ("FALSE", "off", None, "bool", True),
        ("on", "off", None, "bool", False),
        ("Replica", "replica", None, "enum", True),
        ("true", "on", None, "enum", True),
        ("lz4", "on", None, "enum", False),
        ("a,b", "a, b", None, "string", True),
        ("a", "b", None, "string", False),
    ],
)
def test_same_value(wanted: Any, setting: str, unit: str, kind: str, same: bool) -> None:
    assert same_value(wanted, setting, unit, kind) is same


def test_an_unknown_unit_is_no_amount() -> None:
    assert amount("5 parsecs", "kB") is None


@pytest.mark.parametrize(("text", "size"), [("2G", 2 << 30), ("512MB", 512 << 20), ("100", 100), ("1 TiB", 1 << 40)])
def test_size_of(text: str, size: int) -> None:
    assert size_of(text) == size


def test_no_size() -> None:
    with pytest.raises(ValueError, match="write it as 2GB"):
        size_of("plenty")


@given(memory=st.integers(min_value=64 << 20, max_value=1 << 40), connections=st.integers(min_value=1, max_value=2000))
def test_tuning_stays_within_what_is_given(memory: int, connections: int) -> None:
    found = {name: size_of(value) for name, value in tuned(memory, connections).items()}
    assert found["shared_buffers"] <= max(memory // 4, 32 << 20)
    assert found["min_wal_size"] < found["max_wal_size"]
    assert 4 << 20 <= found["work_mem"] <= 64 << 20


def test_tuning_of_a_small_server() -> None:
    found = tuned(2 << 30, 100)
    assert (found["shared_buffers"], found["effective_cache_size"], found["work_mem"]) == ("512MB", "1536MB", "5MB")


def test_tuning_does_not_follow_small_differences() -> None:
    assert tuned((2 << 30) + (5 << 20), 100) == tuned((2 << 30) + (9 << 20), 100)


def test_paths_keep_the_points_of_extensions() -> None:
    settings = {"ttl": 20, "postgresql": {"use_slots": True, "parameters": {"pg_stat_statements.track": "all"}}}
    paths = flat(settings)
    assert paths["postgresql.parameters.pg_stat_statements.track"] == "all"
    assert nested(paths) == settings
