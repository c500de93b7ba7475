# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords as PostgreSQL keeps them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_scram import fits, is_plain, verifier

SALT = bytes(range(16))


def test_known_answer() -> None:
    """RFC 7677, section 3: user "user", password "pencil"; the server's signature key follows from its salt and iterations."""
    kept = verifier("pencil", SALT)
    assert kept.startswith("SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$")
    assert kept == verifier("pencil", SALT)
    assert fits("pencil", kept)
    assert not fits("Pencil", kept)


@given(password=st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_every_password_fits_its_own_verifier(password: str) -> None:
    assert fits(password, verifier(password))


def test_two_verifiers_of_one_password_differ() -> None:
    assert verifier("pencil") != verifier("pencil")


@pytest.mark.parametrize("kept", ["", "md5abc", "SCRAM-SHA-256$4096:A$AAAA:AAAA"])
def test_what_is_no_verifier_fits_nothing(kept: str) -> None:
    assert not fits("pencil", kept)


@pytest.mark.parametrize(("password", "plain"), [("a b~", True), ("", False), ("ä", False), ("a\n", False)])
def test_plain_passwords(password: str, plain: bool) -> None:
    assert is_plain(password) is plain
