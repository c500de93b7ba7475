# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup plugin frontdesk.platform.secret; see DOCUMENTATION below."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
short_description: Derives a service password from the platform's master key
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Derives the password of a service by HMAC-SHA256 from one master key, so that nothing has to be stored and every run
    on every machine gets the same value.
  - The result has one fixed shape, six groups of six letters and digits joined by dashes, for example
    C(Kq7d3F-9sKzQ1-...), 41 characters in all. It holds upper case, lower case, a digit and a special character, needs
    no escape in URLs, shells, SQL or configuration files, and begins with a letter.
  - The derivation is frozen. The same key, environment, name and generation give the same value in every release.
  - A field that takes only hexadecimal digits or a UUID gets one by a filter, for example P(ansible.builtin.hash#filter)
    or P(ansible.builtin.to_uuid#filter).
options:
  _terms:
    description:
      - Names of the secrets, each 1 to 63 lower case letters, digits and underscores with a letter first.
      - Required unless O(fingerprint=true), which takes none.
    type: list
    elements: str
  master_key:
    description:
      - The master key, 32 bytes or more.
      - Its value never appears in a message of this plugin.
    # raw: a wrong type is reported by the plugin, without the value.
    type: raw
    vars:
      - name: frontdesk_master_key
  environment:
    description:
      - Name of the environment, 1 to 32 lower case letters, digits and dashes.
    type: raw
    vars:
      - name: frontdesk_environment
  generation:
    description:
      - Generation of the secrets, a whole number from 1. A raised number gives another value.
      - Without it, the entry of the secret's name in O(generations) counts, else 1.
    type: raw
  generations:
    description:
      - Generation by name of secret, a dictionary.
    type: raw
    vars:
      - name: frontdesk_generations
  alphanumeric:
    description:
      - Leaves out the dashes, for a field that takes nothing but letters and digits. 36 characters remain.
    type: bool
    default: false
  fingerprint:
    description:
      - Returns one fingerprint of master key and environment instead, 32 hexadecimal digits. It does not lead back to the key.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show how long the derived password is
  ansible.builtin.debug:
    msg: "{{ lookup('frontdesk.platform.secret', 'postgres_superuser') | length }}"

- name: Keep a password in a variable of the wiring
  ansible.builtin.set_fact:
    app_secret_key_base: "{{ lookup('frontdesk.platform.secret', 'secret_key_base', alphanumeric=true) }}"
  no_log: true

- name: Compare the fingerprint with the one that the cluster keeps
  ansible.builtin.assert:
    that: known_fingerprint == lookup('frontdesk.platform.secret', fingerprint=true)
"""

RETURN = r"""
_raw:
  description: The derived values, one for each term, or the one fingerprint.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import (
    SecretError,
    check_name,
    derive,
    fingerprint,
)


class LookupModule(LookupBase):
    """Derives passwords, or a fingerprint of what they are derived from."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Return one value for each term, or the fingerprint."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            if self.get_option("fingerprint"):
                return [self._fingerprint(terms)]
            return self._derive(terms)
        except SecretError as error:
            # "from None": a chained error would be shown with its source line, which may hold the key.
            raise AnsibleLookupError(str(error)) from None

    def _value(self, option: str) -> t.Any:
        """The option's value; one that comes from a variable is still a template."""
        return self._templar.template(self.get_option(option))

    def _master_key(self) -> t.Any:
        try:
            return self._value("master_key")
        except AnsibleError as error:
            # Ansible would show the line of the file that holds the key.
            raise SecretError(
                f"the value of frontdesk_master_key cannot be read ({type(error).__name__}); "
                "check its template, or the password of its encrypted file."
            ) from None

    def _fingerprint(self, terms: list[t.Any]) -> str:
        if terms:
            raise SecretError("a fingerprint belongs to the master key and the environment; give no name with it.")
        return fingerprint(self._master_key(), self._value("environment"))

    def _derive(self, names: list[t.Any]) -> list[str]:
        if not names:
            raise SecretError("the lookup needs the name of a secret, for example 'postgres_superuser'.")
        master_key = self._master_key()
        environment, generation = self._value("environment"), self._value("generation")
        generations = {} if generation is not None else self._value("generations") or {}
        if not isinstance(generations, dict):
            raise SecretError("frontdesk_generations is no dictionary; write it as {name of a secret: generation}.")
        return [
            derive(
                master_key,
                environment,
                check_name(name),
                generations.get(name, 1) if generation is None else generation,
                dashes=not self.get_option("alphanumeric"),
            )
            for name in names
        ]
