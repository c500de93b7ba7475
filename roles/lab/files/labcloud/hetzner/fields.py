# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading of a request's JSON: every fault is collected, then told at once."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from . import labels as label_rules
from .errors import invalid

_MISSING = object()


class Fields:
    """The body of a request.

    The readers return None (or the given default) for an absent or wrong field; `check` raises 422 invalid_input
    when anything was wrong. `closed` names the only fields there may be.
    """

    def __init__(self, body: dict[str, Any], closed: Collection[str] | None = None, prefix: str = "") -> None:
        """`prefix` is put before the names in faults (`rules[0].`)."""
        self._body = body
        self._prefix = prefix
        self.faults: dict[str, list[str]] = {}
        for name in body:
            if closed is not None and name not in closed:
                self.fault(name, "unknown field")

    def __contains__(self, name: str) -> bool:
        """Say whether the body has a field."""
        return name in self._body

    def has_null(self, name: str) -> bool:
        """Say whether a field is there and null."""
        return name in self._body and self._body[name] is None

    def fault(self, name: str, message: str) -> None:
        """Add what is wrong with a field."""
        self.faults.setdefault(self._prefix + name, []).append(message)

    def check(self) -> None:
        """Raise when something was wrong."""
        if self.faults:
            raise invalid(self.faults)

    def _value(self, name: str, required: bool) -> Any:
        value = self._body.get(name, _MISSING)
        if value is _MISSING and required:
            self.fault(name, "missing data for required field")
        return value

    def text(
        self,
        name: str,
        required: bool = False,
        maximum: int | None = None,
        pattern: re.Pattern[str] | None = None,
        choices: Collection[str] | None = None,
    ) -> str | None:
        """Read a string."""
        value = self._value(name, required)
        if value is _MISSING:
            return None
        if not isinstance(value, str):
            self.fault(name, "must be a string")
            return None
        if required and not value:
            self.fault(name, "must not be empty")
        elif maximum is not None and len(value) > maximum:
            self.fault(name, f"is too long: at most {maximum} characters")
        elif pattern is not None and not pattern.fullmatch(value):
            self.fault(name, "has an invalid format")
        elif choices is not None and value not in choices:
            self.fault(name, f"must be one of {', '.join(sorted(choices))}")
        else:
            return value
        return None

    def integer(
        self, name: str, required: bool = False, minimum: int | None = None, maximum: int | None = None
    ) -> int | None:
        """Read a whole number."""
        value = self._value(name, required)
        if value is _MISSING or (value is None and not required):
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(name, "must be an integer")
            return None
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            self.fault(name, f"must be within {minimum} and {maximum}")
            return None
        return value

    def flag(self, name: str, default: bool, required: bool = False) -> bool:
        """Read a boolean."""
        value = self._value(name, required)
        if value is _MISSING:
            return default
        if not isinstance(value, bool):
            self.fault(name, "must be a boolean")
            return default
        return value

    def reference(self, name: str, required: bool = False) -> str | None:
        """Read an id or a name; an id comes back as its digits."""
        value = self._value(name, required)
        if value is _MISSING or (value is None and not required):
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
            self.fault(name, "must be an id or a name")
            return None
        return str(value)

    def objects(self, name: str, required: bool = False, maximum: int | None = None) -> list[dict[str, Any]]:
        """Read a list of objects."""
        value = self._value(name, required)
        if value is _MISSING:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.fault(name, "must be a list of objects")
            return []
        if maximum is not None and len(value) > maximum:
            self.fault(name, f"has too many entries: at most {maximum}")
            return []
        return value

    def object(self, name: str) -> dict[str, Any]:
        """Read an object; absent is empty."""
        value = self._value(name, False)
        if value is _MISSING or value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(name, "must be an object")
            return {}
        return value

    def texts(self, name: str, required: bool = False, maximum: int | None = None) -> list[str]:
        """Read a list of strings."""
        value = self._value(name, required)
        if value is _MISSING:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            self.fault(name, "must be a list of strings")
            return []
        if maximum is not None and len(value) > maximum:
            self.fault(name, f"has too many entries: at most {maximum}")
            return []
        return value

    def references(self, name: str) -> list[str]:
        """Read a list of ids or names."""
        value = self._value(name, False)
        if value is _MISSING:
            return []
        if not isinstance(value, list) or not all(
            isinstance(entry, (str, int)) and not isinstance(entry, bool) for entry in value
        ):
            self.fault(name, "must be a list of ids or names")
            return []
        return [str(entry) for entry in value]

    def integers(self, name: str) -> list[int]:
        """Read a list of whole numbers."""
        value = self._value(name, False)
        if value is _MISSING:
            return []
        if not isinstance(value, list) or not all(
            isinstance(entry, int) and not isinstance(entry, bool) for entry in value
        ):
            self.fault(name, "must be a list of integers")
            return []
        return value

    def labels(self) -> dict[str, str] | None:
        """Read the labels."""
        if "labels" not in self._body:
            return None
        found = label_rules.faults(self._body["labels"])
        for fault in found:
            self.fault("labels", fault)
        return None if found else dict(self._body["labels"])
