# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which passwords in use must not change."""

from __future__ import annotations

from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_passwords import refusal, replaced
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_scram import verifier

KEPT: dict[str, dict[str, Any]] = {
    "postgres": {"password": verifier("super")},
    "replicator": {"password": verifier("copy")},
    "shop": {"password": verifier("cart")},
    "reports": {"password": verifier("chart")},
    "nobody": {"password": None},
    "old": {"password": "md5d41d8cd98f00b204e9800998ecf8427e"},
}
SAME = {"postgres": "super", "replicator": "copy"}


def role(name: str, password: str | None = None, state: str = "present") -> dict[str, Any]:
    return {"name": name, "password": password, "state": state}


def test_the_same_passwords_are_fine() -> None:
    assert replaced(KEPT, SAME) == []
    assert refusal(KEPT, SAME, [role("shop", "cart"), role("reports")], []) == ""


def test_what_has_no_password_may_get_one() -> None:
    assert replaced(KEPT, {"nobody": "x", "new": "x"}) == []


def test_a_verifier_of_another_kind_counts_as_another_password() -> None:
    assert replaced(KEPT, {"old": ""}) == ["old"]


def test_another_password_of_the_cluster_is_refused_whatever_may_rotate() -> None:
    text = refusal(KEPT, {**SAME, "postgres": "new-secret"}, [], None)
    assert text.startswith("postgres has another password in the running cluster than this run would give it")
    assert text.endswith("put the former one back (the generation in frontdesk_generations, or the variable).")
    assert "new-secret" not in text


def test_all_of_them_are_named_in_one_sentence() -> None:
    text = refusal(KEPT, {"postgres": "x", "replicator": "y"}, [role("shop", "z"), role("reports", "z")], ["reports"])
    assert text.startswith("postgres, replicator and shop have other passwords")
    assert text.endswith("or name shop in postgres_rotate.")


def test_roles_change_when_nothing_keeps_them() -> None:
    assert refusal(KEPT, SAME, [role("shop", "z")], None) == ""
    assert refusal(KEPT, SAME, [role("shop", "z")], ["shop"]) == ""
    assert refusal(KEPT, SAME, [role("shop", "z", "absent")], []) == ""
