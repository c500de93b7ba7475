# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""stack_values: durations, sizes, CPUs, modes and images, their readings and their one spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import (
    Image,
    ValueProblem,
    cpus_from_nano,
    cpus_to_nano,
    duration_from_ns,
    duration_to_ns,
    mode_from_int,
    mode_to_int,
    parse_image,
    size_from_bytes,
    size_to_bytes,
    text_of,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("word", "nanoseconds"),
    [
        ("10s", 10**10),
        ("1m30s", 9 * 10**10),
        ("1h", 3600 * 10**9),
        ("1.5s", 15 * 10**8),
        ("100ms", 10**8),
        ("5us", 5000),
        ("0s", 0),
    ],
)
def test_durations(word: str, nanoseconds: int) -> None:
    assert duration_to_ns(word) == nanoseconds


@pytest.mark.parametrize("word", ["", "10", "s", "10 s", "-1s", "1d", "1s1", "ten"])
def test_what_is_no_duration(word: str) -> None:
    with pytest.raises(ValueProblem, match="is no duration; write numbers with units"):
        duration_to_ns(word)


@given(st.integers(min_value=0, max_value=10**18).map(lambda number: number // 1000 * 1000))
def test_a_duration_is_what_its_spelling_says(nanoseconds: int) -> None:
    word = duration_from_ns(nanoseconds)
    assert duration_to_ns(word) == nanoseconds
    assert duration_from_ns(duration_to_ns(word)) == word


@given(st.lists(st.tuples(st.integers(0, 9999), st.sampled_from(["h", "m", "s", "ms", "us"])), min_size=1, max_size=4))
def test_the_parts_of_a_duration_add_up(parts: list[tuple[int, str]]) -> None:
    word = "".join(f"{number}{unit}" for number, unit in parts)
    assert duration_to_ns(word) == sum(duration_to_ns(f"{number}{unit}") for number, unit in parts)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("1024", 1024),
        ("1k", 1024),
        ("1kb", 1024),
        ("1KiB", 1024),
        ("1.5G", 3 * 2**29),
        ("512M", 2**29),
        ("1b", 1),
        (7, 7),
        ("2 T", 2**41),
    ],
)
def test_sizes(word: str | int, count: int) -> None:
    assert size_to_bytes(word) == count


@pytest.mark.parametrize("word", ["", "M", "-1M", "1X", "1MM", "many"])
def test_what_is_no_size(word: str) -> None:
    with pytest.raises(ValueProblem, match="is no size"):
        size_to_bytes(word)


@given(st.integers(min_value=0, max_value=2**60))
def test_a_size_is_what_its_spelling_says(count: int) -> None:
    assert size_to_bytes(size_from_bytes(count)) == count


@pytest.mark.parametrize(("word", "nano"), [("0.5", 5 * 10**8), (2, 2 * 10**9), ("1.50", 15 * 10**8)])
def test_cpus(word: str | int, nano: int) -> None:
    assert cpus_to_nano(word) == nano


@pytest.mark.parametrize("word", ["", "0", "-1", "half", "nan", "inf", "0.0000000001"])
def test_what_is_no_number_of_cpus(word: str) -> None:
    with pytest.raises(ValueProblem, match="is no number of CPUs"):
        cpus_to_nano(word)


@given(st.integers(min_value=1, max_value=10**13))
def test_cpus_are_what_their_spelling_says(nano: int) -> None:
    word = cpus_from_nano(nano)
    assert cpus_to_nano(word) == nano
    assert "E" not in word


def test_modes() -> None:
    assert mode_to_int("0440") == mode_to_int("440") == 0o440
    assert mode_from_int(0o440) == "0440"
    assert mode_from_int(0o1777) == "1777"


@pytest.mark.parametrize("word", [440, 0o440, "0488", "rw", "", "44"])
def test_what_is_no_mode(word: object) -> None:
    with pytest.raises(ValueProblem, match="in octal and in quotes"):
        mode_to_int(word)


def test_texts_of_scalars() -> None:
    assert [text_of(value) for value in ("a", 1, 1.5, True, False)] == ["a", "1", "1.5", "true", "false"]
    with pytest.raises(ValueProblem, match="a dict is no text"):
        text_of({})


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("traefik:v3", Image("traefik", "v3", "")),
        ("traefik", Image("traefik", "latest", "")),
        ("docker.io/library/traefik:v3", Image("traefik", "v3", "")),
        ("docker.io/chatwoot/chatwoot:v4", Image("chatwoot/chatwoot", "v4", "")),
        ("127.0.0.1:5000/app:1", Image("127.0.0.1:5000/app", "1", "")),
        ("127.0.0.1:5000/app", Image("127.0.0.1:5000/app", "latest", "")),
        (f"app@{DIGEST}", Image("app", "", DIGEST)),
        (f"registry.test/a/b:1@{DIGEST}", Image("registry.test/a/b", "1", DIGEST)),
    ],
)
def test_images(reference: str, image: Image) -> None:
    assert parse_image(reference) == image
    assert parse_image(str(image)) == image


@pytest.mark.parametrize("reference", ["", ":1", "app:", "app@", "app@sha256:short", "app:1:2", "-app", "app/", "a b"])
def test_what_is_no_image(reference: str) -> None:
    with pytest.raises(ValueProblem, match="is no reference to an image"):
        parse_image(reference)
