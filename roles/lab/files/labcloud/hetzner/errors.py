# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the vendor's form: https://docs.hetzner.cloud, section Errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        """See the document's table of error codes."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        """Return the answer's JSON."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


def invalid(faults: Mapping[str, Sequence[str]]) -> ApiError:
    """422 for fields with what is wrong with each."""
    named = ", ".join(f"'{name}': {', '.join(messages)}" for name, messages in faults.items())
    fields = [{"name": name, "messages": list(messages)} for name, messages in faults.items()]
    return ApiError(
        422, "invalid_input", f"invalid input in field{'s' if len(fields) > 1 else ''} {named}", {"fields": fields}
    )


def invalid_field(name: str, message: str) -> ApiError:
    """422 for one field."""
    return invalid({name: [message]})


def not_found(what: str, item_id: object) -> ApiError:
    """404 for an item."""
    return ApiError(404, "not_found", f"{what} with ID '{item_id}' not found")


def not_unique(field: str, message: str) -> ApiError:
    """409 for a field whose value another item has."""
    return ApiError(409, "uniqueness_error", message, {"fields": [{"name": field}]})


def conflict(message: str) -> ApiError:
    """409 while another change runs."""
    return ApiError(409, "conflict", message)


def locked(what: str) -> ApiError:
    """423 while an action runs on the item."""
    return ApiError(423, "locked", f"{what} is locked: an action is running on it")


def protected(what: str, protection: str) -> ApiError:
    """423 for an item with protection."""
    return ApiError(423, "protected", f"{what} {protection} protection is enabled")


def limit_exceeded(name: str, message: str) -> ApiError:
    """403 for a limit of the account or the product."""
    return ApiError(403, "resource_limit_exceeded", message, {"limits": [{"name": name}]})


def refused(code: str, message: str) -> ApiError:
    """422 with a code of the operation itself."""
    return ApiError(422, code, message)
