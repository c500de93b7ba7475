# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compose's words for durations, sizes, shares of CPUs, file modes and images, and the engine's numbers for them.

Every kind has a reader (word to number) and a writer (number to the one canonical word), so two words that mean the
same compare as equal. Forms: https://github.com/compose-spec/compose-spec/blob/main/11-extension.md (durations, byte
values) and the engine's API (nanoseconds, bytes, billionths of a CPU).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_UNITS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000, "ms": 1_000_000, "us": 1_000}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|us|m|s))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|m|s)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_SIZES = ("", "K", "M", "G", "T", "P")
_MODE = re.compile(r"0?[0-7]{3,4}")
_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{32,}")
_REFERENCE = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class ValueProblem(ValueError):
    """A value that cannot be used. The text begins with the value and says what it should be."""


def duration_to_ns(word: str) -> int:
    """Nanoseconds of a duration such as 1m30s. Raises ValueProblem."""
    text = word.strip()
    if not _DURATION.fullmatch(text):
        raise ValueProblem(f"{word!r} is no duration; write numbers with units, such as 10s or 1m30s")
    return int(sum(Decimal(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text)))


def duration_from_ns(nanoseconds: int) -> str:
    """The duration in the largest units that divide it; below a microsecond it is rounded down."""
    left, words = nanoseconds, []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"


def size_to_bytes(word: Any) -> int:
    """Bytes of a size such as 512M; units are powers of 1024. Raises ValueProblem."""
    match = _SIZE.fullmatch(str(word).strip())
    if not match:
        raise ValueProblem(f"{word!r} is no size; write a number with a unit, such as 512M or 1G")
    return int(Decimal(match.group(1)) * 1024 ** _SIZES.index(match.group(2).upper()))


def size_from_bytes(count: int) -> str:
    """The size in the largest unit that divides it."""
    power = 0
    while count and count % 1024 == 0 and power < len(_SIZES) - 1:
        count //= 1024
        power += 1
    return f"{count}{_SIZES[power]}"


def cpus_to_nano(word: Any) -> int:
    """Billionths of a CPU of a number such as 0.5. Raises ValueProblem."""
    try:
        nano = Decimal(str(word).strip()) * 10**9
    except InvalidOperation as error:
        raise ValueProblem(f"{word!r} is no number of CPUs, such as 0.5") from error
    if not nano.is_finite() or nano <= 0 or nano != nano.to_integral_value():
        raise ValueProblem(f"{word!r} is no number of CPUs, such as 0.5")
    return int(nano)


def cpus_from_nano(nano: int) -> str:
    """The number of CPUs without trailing zeros."""
    return f"{(Decimal(nano) / 10**9).normalize():f}"


def mode_to_int(word: Any) -> int:
    """Permission bits of an octal word such as "0440". A bare number is refused: YAML may have read it as octal or not."""
    if not isinstance(word, str) or not _MODE.fullmatch(word):
        raise ValueProblem(f"{word!r} is no file mode; write it in octal and in quotes, such as '0440'")
    return int(word, 8)


def mode_from_int(mode: int) -> str:
    """The file mode in octal."""
    return f"{mode:04o}"


def text_of(value: Any) -> str:
    """A scalar of YAML as the text that was meant: true instead of Python's True. Raises ValueProblem."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ValueProblem(f"a {type(value).__name__} is no text")


@dataclass(frozen=True)
class Image:
    """A reference to an image: a name with registry and path, a tag, a digest; either of the last may be empty."""

    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        """The reference in the form that `docker` shows."""
        return self.tagged + (f"@{self.digest}" if self.digest else "")

    @property
    def tagged(self) -> str:
        """The reference without its digest."""
        return self.name + (f":{self.tag}" if self.tag else "")

    def pinned(self, digest: str) -> Image:
        """The same image with a digest."""
        return Image(self.name, self.tag, digest)


def parse_image(reference: str) -> Image:
    """Take a reference apart; the registry and folder that Docker adds by itself are left out. Raises ValueProblem."""
    rest, _at, digest = reference.strip().partition("@")
    path, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    name = _familiar(path + slash + last)
    wrong = not last or not _REFERENCE.fullmatch(name) or (colon and not _TAG.fullmatch(tag))
    if wrong or ("@" in reference and not _DIGEST.fullmatch(digest)):
        raise ValueProblem(
            f"{reference!r} is no reference to an image, such as traefik:v3.7 or registry:5000/app@sha256:..."
        )
    # Without both, Docker means the tag "latest".
    return Image(name, tag or ("" if digest else "latest"), digest)


def _familiar(name: str) -> str:
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name
