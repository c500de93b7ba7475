# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup plugin frontdesk.platform.certificate; see DOCUMENTATION below."""

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate
short_description: Derives TLS certificates of a private authority from the platform's master key
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Makes a certificate with its key for each name, signed by a private authority, all of it derived from one master key. Nothing has to
    be stored, and every run on every machine gets the same texts.
  - Certificates belong to windows of 180 days. Within a window nothing changes, and the first run in the next one gets new certificates,
    while the former ones are valid for up to 180 days more.
  - Made for traffic inside a cluster. What visitors meet needs certificates of an authority that their browsers know.
options:
  _terms:
    description: Common names, such as the DNS names of services. Without any, only the authority's certificate is returned.
    type: list
    elements: str
  authority:
    description:
      - Name of the authority, 1 to 63 lower case letters, digits and underscores.
      - Its entry in O(generations) makes another authority, with other keys.
    type: str
    required: true
  names:
    description: Further names or IP addresses that each certificate is valid for.
    type: list
    elements: str
    default: []
  master_key:
    description: The master key, 32 bytes or more. Its value never appears in a message of this plugin.
    # raw: a wrong type is reported by the plugin, without the value.
    type: raw
    vars:
      - name: frontdesk_master_key
  environment:
    description: Name of the environment, 1 to 32 lower case letters, digits and dashes.
    type: raw
    vars:
      - name: frontdesk_environment
  generations:
    description: Generation by name of authority, a dictionary.
    type: raw
    vars:
      - name: frontdesk_generations
"""

EXAMPLES = r"""
- name: Show until when a server's certificate is valid
  ansible.builtin.debug:
    msg: "{{ (lookup('frontdesk.platform.certificate', 'pg-web-1', authority='postgres')).certificate }}"

- name: Show the authority's certificate
  ansible.builtin.debug:
    msg: "{{ (lookup('frontdesk.platform.certificate', authority='postgres')).authority }}"
"""

RETURN = r"""
_raw:
  description:
    - One dictionary for each name, with the PEM texts C(certificate), C(key) and C(authority).
    - Without a name, one dictionary with C(authority) alone.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.frontdesk.platform.plugins.plugin_utils.authority import HAS_CRYPTOGRAPHY, Authority
from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import SecretError


class LookupModule(LookupBase):
    """Derives certificates of one authority."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[dict[str, str]]:
        """Return the certificates, or the authority's alone."""
        if not HAS_CRYPTOGRAPHY:
            raise AnsibleLookupError(
                "The lookup frontdesk.platform.certificate needs the Python library cryptography on the controller."
            )
        self.set_options(var_options=variables, direct=kwargs)
        try:
            authority = self._authority()
            if not terms:
                return [{"authority": authority.certificate()}]
            names = self.get_option("names")
            return [dict(authority.issue(str(term), names)._asdict()) for term in terms]
        except SecretError as error:
            # "from None": a chained error would be shown with its source line, which may hold the key.
            raise AnsibleLookupError(str(error)) from None

    def _authority(self) -> Authority:
        name = self.get_option("authority")
        generations = self._value("generations") or {}
        if not isinstance(generations, dict):
            raise SecretError("frontdesk_generations is no dictionary; write it as {name of a secret: generation}.")
        return Authority(self._master_key(), self._value("environment"), name, generations.get(name, 1))

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
