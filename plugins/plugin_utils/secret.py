# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords derived from one master key.

A service password is HMAC-SHA256(master key, "environment/name/generation"), rendered in one fixed shape:
six groups of six letters and digits, joined by dashes, 41 characters, about 209 bits:

    Xx0xxx-xxxxxx-xxxxxx-xxxxxx-xxxxxx-xxxxxx    X upper case, x any letter or digit after the first two, 0 digit

The shape is what all components accept at once. Chatwoot's own users need an upper and a lower case letter, a
digit, a special character and 6 to 128 characters; bcrypt reads 72 bytes; the dash needs no escape in a URL, a
shell, an env file, SQL, Redis's and pgBackRest's configuration; a letter in front is no option of a command and no
number in YAML. Where nothing but letters and digits may stand (Chatwoot's SECRET_KEY_BASE) the dashes are left out.

FROZEN: any change here changes every password of every installation. tests/unit holds the vectors.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import string

MINIMUM_KEY_BYTES = 32
MINIMUM_DIFFERENT_CHARACTERS = 8
"""32 random hex digits have fewer than 8 different ones about once in ten million keys."""

LAB_MASTER_KEY = "lab-example-master-key-0123456789abcdef-for-the-lab-only"
"""Published with the collection, so no secret. `is_lab_only_key` tells where it may be used."""

_UPPER = string.ascii_uppercase
_LOWER = string.ascii_lowercase
_DIGITS = string.digits
_ALL = _UPPER + _LOWER + _DIGITS
_GROUPS = 6
_GROUP_LENGTH = 6

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# The environment is also a label value and a part of host names: RFC 1123, and short enough for suffixes.
_ENVIRONMENT = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")


class SecretError(ValueError):
    """An input of the derivation breaks a rule; the text is one sentence with the remedy and never holds the key."""


def check_master_key(master_key: object) -> bytes:
    """Return the key's bytes (UTF-8), or raise SecretError."""
    if not isinstance(master_key, str):
        raise SecretError(
            f"frontdesk_master_key is of type {_plain_type_name(master_key)}; it has to be a string: put it in quotes."
        )
    key = master_key.encode("utf-8")
    if not key:
        raise SecretError(
            "frontdesk_master_key is not set; make one with 'openssl rand -hex 32', keep it safe, and give it in an "
            "encrypted variable file or in the environment variable FRONTDESK_MASTER_KEY."
        )
    if master_key != master_key.strip():
        raise SecretError("frontdesk_master_key begins or ends with white space; remove it.")
    if len(key) < MINIMUM_KEY_BYTES:
        raise SecretError(
            f"frontdesk_master_key has {len(key)} bytes and needs {MINIMUM_KEY_BYTES} or more; "
            "make one with 'openssl rand -hex 32'."
        )
    if len(set(master_key)) < MINIMUM_DIFFERENT_CHARACTERS:
        raise SecretError(
            "frontdesk_master_key repeats too few different characters to be random; "
            "make one with 'openssl rand -hex 32'."
        )
    return key


def check_environment(environment: object) -> str:
    """Return the environment's name, or raise SecretError."""
    if not isinstance(environment, str) or not _ENVIRONMENT.fullmatch(environment):
        raise SecretError(
            f"frontdesk_environment is {_shown(environment)}; it has to be 1 to 32 lower case letters, digits and "
            "dashes, with a letter first and no dash last."
        )
    return environment


def check_name(name: object) -> str:
    """Return the secret's name, or raise SecretError."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SecretError(
            f"{_shown(name)} is no name of a secret; use 1 to 63 lower case letters, digits and underscores, "
            "with a letter first."
        )
    return name


def check_generation(generation: object, name: str) -> int:
    """Return the generation as a whole number from 1, or raise SecretError. Digits in a string are a number, too."""
    if isinstance(generation, str) and re.fullmatch(r"[0-9]{1,9}", generation):
        generation = int(generation)
    if isinstance(generation, bool) or not isinstance(generation, int) or generation < 1:
        raise SecretError(
            f"the generation of secret {name} is {_shown(generation)}; frontdesk_generations takes whole numbers from 1."
        )
    return int(generation)


def derive(master_key: object, environment: object, name: object, generation: object = 1, dashes: bool = True) -> str:
    """Return the password of `name`: 41 characters, or 36 letters and digits without the dashes. Raises SecretError."""
    checked_name = check_name(name)
    checked_generation = check_generation(generation, checked_name)
    message = f"{check_environment(environment)}/{checked_name}/{checked_generation}"
    digest = hmac.new(check_master_key(master_key), message.encode("ascii"), hashlib.sha256).digest()
    return ("-" if dashes else "").join(_render(digest))


def fingerprint(master_key: object, environment: object) -> str:
    """Return 32 hex digits that tell this key and environment from others and give neither away. Raises SecretError.

    The blank keeps the message apart from every message of `derive`.
    """
    message = f"frontdesk fingerprint/{check_environment(environment)}"
    return hmac.new(check_master_key(master_key), message.encode("ascii"), hashlib.sha256).hexdigest()[:32]


def is_lab_only_key(master_key: object) -> bool:
    """Tell whether this is the key that the collection publishes for its lab."""
    return isinstance(master_key, str) and hmac.compare_digest(
        master_key.strip().encode("utf-8"), LAB_MASTER_KEY.encode("utf-8")
    )


def _render(digest: bytes) -> list[str]:
    """Spell the digest, read as one big-endian number, as groups of characters.

    The 36 characters use 2**209 of 2**256 values, so the remainders are uniform up to 2**-47.
    """
    number = int.from_bytes(digest, "big")
    alphabets = [_UPPER, _LOWER, _DIGITS] + [_ALL] * (_GROUPS * _GROUP_LENGTH - 3)
    characters = []
    for alphabet in alphabets:
        number, position = divmod(number, len(alphabet))
        characters.append(alphabet[position])
    text = "".join(characters)
    return [text[start : start + _GROUP_LENGTH] for start in range(0, len(text), _GROUP_LENGTH)]


def _shown(value: object) -> str:
    """A value that is no secret, short enough for one line."""
    if isinstance(value, str):
        return repr(str(value[:80]))
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    return f"a {_plain_type_name(value)}"


def _plain_type_name(value: object) -> str:
    """The built-in type behind the types that Ansible wraps values in."""
    for plain in (bool, int, float, str, list, tuple, dict):
        if isinstance(value, plain):
            return plain.__name__
    return "null" if value is None else type(value).__name__
