# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords in use that must not change: whoever holds the old one could not log in any more. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_scram import fits
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import enumerate_words

Json = dict[str, Any]


def replaced(kept: Mapping[str, Json], passwords: Mapping[str, str]) -> list[str]:
    """The users that have a password, and another one than that given, by name.

    kept: roles as they are in the cluster, `password` being the verifier. passwords: by user.
    """
    return sorted(
        name
        for name, password in passwords.items()
        if (kept.get(name) or {}).get("password") and not fits(password, kept[name]["password"])
    )


def refusal(
    kept: Mapping[str, Json],
    cluster_passwords: Mapping[str, str],
    roles: Sequence[Json],
    rotate: Optional[Sequence[str]],
) -> str:
    """Why this must not be written; empty when it may.

    cluster_passwords: of the cluster's own users. roles: those of the document. rotate: names of roles whose passwords may change, None
    for all.
    """
    own = replaced(kept, cluster_passwords)
    given = {role["name"]: role["password"] for role in roles if role["state"] == "present" and role.get("password")}
    others = [] if rotate is None else [name for name in replaced(kept, given) if name not in rotate]
    names = own + others
    if not names:
        return ""
    many = len(names) > 1
    text = (
        f"{enumerate_words(names)} {'have other passwords' if many else 'has another password'} in the running cluster than this run would "
        f"give {'them' if many else 'it'}, and one that is in use is not replaced, so nothing was changed: put the former "
        f"{'ones' if many else 'one'} back (the generation in frontdesk_generations, or the variable)"
    )
    return f"{text}, or name {enumerate_words(others)} in postgres_rotate." if others else f"{text}."
