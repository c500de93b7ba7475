# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The derivation of passwords: frozen values, one shape for all, and no key in any message."""

from __future__ import annotations

import re
import urllib.parse

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import (
    LAB_MASTER_KEY,
    SecretError,
    check_environment,
    check_master_key,
    derive,
    fingerprint,
    is_lab_only_key,
)

KEY = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
UMLAUT_KEY = "Schlüssel-für-den-Prüfstand-äöüß"

# A change of one of these values changes the passwords of every installation: never adapt them.
VECTORS = [
    (KEY, "production", "postgres_superuser", 1, "Vp0OJs-3OrhXO-WubfVh-CojYtH-6BDKF5-9uAS3l"),
    (KEY, "production", "postgres_superuser", 2, "Kv55Rf-5LfFt4-kjEDUk-uT1dwe-MtG4p5-gOHAYE"),
    (KEY, "production", "redis", 1, "Sm0CPB-VtdkQQ-QX4aBY-xAuAAZ-hoXTho-i5Gfsf"),
    (KEY, "staging", "redis", 1, "Wn2HoZ-Df9D7t-KmIx8q-Re5CGR-JCt01R-opDMFa"),
    (UMLAUT_KEY, "lab", "a", 1, "Se726G-MfgzRV-h6jkfV-sDinES-KokNVk-gAZaTr"),
    (LAB_MASTER_KEY, "lab", "chatwoot_secret_key_base", 1, "Dz96jR-2omhTb-vPBSjp-Ol2rgU-Fhmlv5-925ukW"),
]
FINGERPRINTS = [
    (KEY, "production", "5a92f335448ff31ac4b8d8d655032887"),
    (KEY, "staging", "5620075e99e5857856215d9d81bfcedd"),
    (UMLAUT_KEY, "lab", "bf1724da38614ebbe96882c1a123f4e6"),
]

keys = st.text(st.characters(exclude_categories=("Cs", "Z", "C")), min_size=32, max_size=80).filter(
    lambda key: len(set(key)) >= 8 and key == key.strip()
)
environments = st.from_regex(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
names = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)
generations = st.integers(min_value=1, max_value=10**9)
inputs = st.tuples(keys, environments, names, generations)


@pytest.mark.parametrize(("key", "environment", "name", "generation", "expected"), VECTORS)
def test_vector(key: str, environment: str, name: str, generation: int, expected: str) -> None:
    assert derive(key, environment, name, generation) == expected
    assert derive(key, environment, name, generation, dashes=False) == expected.replace("-", "")


@pytest.mark.parametrize(("key", "environment", "expected"), FINGERPRINTS)
def test_fingerprint_vector(key: str, environment: str, expected: str) -> None:
    assert fingerprint(key, environment) == expected


@given(inputs)
def test_shape_fits_every_component(values: tuple[str, str, str, int]) -> None:
    password = derive(*values)
    assert re.fullmatch(r"[A-Z][a-z][0-9][A-Za-z0-9]{3}(-[A-Za-z0-9]{6}){5}", password)
    # Chatwoot's users: 6 to 128 characters with all four classes.
    assert 6 <= len(password) <= 128
    assert all(re.search(found, password) for found in ("[A-Z]", "[a-z]", "[0-9]", r"[!@#$%^&*()_+\-=]"))
    assert len(password.encode()) <= 72  # bcrypt
    assert urllib.parse.quote(password, safe="") == password
    assert yaml.safe_load(password) == password
    assert re.fullmatch(r"[A-Za-z0-9]{36}", derive(*values, dashes=False))


@given(inputs, inputs)
def test_different_inputs_give_different_passwords(
    one: tuple[str, str, str, int], other: tuple[str, str, str, int]
) -> None:
    assert (derive(*one) == derive(*other)) == (one == other)


@given(keys, environments, environments)
def test_fingerprint_tells_environments_apart(key: str, one: str, other: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", fingerprint(key, one))
    assert (fingerprint(key, one) == fingerprint(key, other)) == (one == other)


def test_generation_may_be_text_of_digits() -> None:
    assert derive(KEY, "production", "redis", "2") == derive(KEY, "production", "redis", 2)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "is not set; make one with 'openssl rand -hex 32'"),
        ("hunter2-Geheim", "has 14 bytes and needs 32 or more"),
        (" " + KEY, "begins or ends with white space; remove it"),
        (KEY + "\n", "begins or ends with white space; remove it"),
        ("abcdefg" * 8, "too few different characters"),
        (12345678901234567890123456789012345, "of type int; it has to be a string"),
        (["hunter2-Geheim"], "of type list; it has to be a string"),
        (None, "of type null; it has to be a string"),
    ],
)
def test_bad_master_key_is_one_sentence_without_the_key(key: object, said: str) -> None:
    with pytest.raises(SecretError) as raised:
        check_master_key(key)
    message = str(raised.value)
    assert said in message
    assert message.startswith("frontdesk_master_key ")
    assert message.endswith(".")
    assert "\n" not in message
    for secret in ("hunter2", "1234567890", KEY, "abcdefg"):
        assert secret not in message


def test_length_of_the_key_is_counted_in_bytes() -> None:
    assert len(UMLAUT_KEY) == 32
    assert check_master_key("äöüÄÖÜß€" * 2 + "12345678")  # 24 characters, 42 bytes


@pytest.mark.parametrize("environment", ["", "Lab", "1a", "a-", "a_b", "a/b", "a" * 33, None, 5, "a\n"])
def test_bad_environment(environment: object) -> None:
    with pytest.raises(SecretError, match=r"^frontdesk_environment is .*; it has to be 1 to 32 lower case"):
        check_environment(environment)


@pytest.mark.parametrize("name", ["", "Redis", "a-b", "a/b", "1a", "a" * 64, None, "a\n"])
def test_bad_name(name: object) -> None:
    with pytest.raises(SecretError, match="is no name of a secret; use 1 to 63"):
        derive(KEY, "lab", name)


@pytest.mark.parametrize("generation", [0, -1, 1.5, True, "x", "", None, [1]])
def test_bad_generation(generation: object) -> None:
    with pytest.raises(SecretError, match=r"the generation of secret redis is .*whole numbers from 1"):
        derive(KEY, "lab", "redis", generation)


def test_only_the_published_key_is_the_labs() -> None:
    assert is_lab_only_key(LAB_MASTER_KEY)
    assert is_lab_only_key(LAB_MASTER_KEY + "\n")
    assert not is_lab_only_key(KEY)
    assert not is_lab_only_key(None)
    assert check_master_key(LAB_MASTER_KEY)
