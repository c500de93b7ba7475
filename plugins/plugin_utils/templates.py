# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's template engine behind the interface of the rules."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleError
from ansible.template import trust_as_template

from ansible_collections.frontdesk.platform.plugins.plugin_utils.rules import EvaluationError


class Templates:
    """Ansible's template engine behind the interface of the rules."""

    def __init__(self, templar: t.Any) -> None:
        self._templar = templar.copy_with_new_env()

    def render(self, template: str, variables: t.Mapping[str, t.Any]) -> t.Any:
        return self.resolve(trust_as_template(template), variables)

    def resolve(self, value: t.Any, variables: t.Mapping[str, t.Any]) -> t.Any:
        if self._templar.available_variables is not variables:
            self._templar.available_variables = variables
        try:
            return self._templar.template(value)
        except AnsibleError as error:
            raise EvaluationError(_reason(error)) from None


def _reason(error: BaseException) -> str:
    """Why a template failed, without Ansible's quotation of the source line, which may hold a secret."""
    text = " ".join(str(error).split())
    undefined = re.search(r"'[^']{1,80}' is undefined|has no attribute '[^']{1,80}'", text)
    if undefined:
        return undefined.group(0)
    if "ault" in type(error).__name__ or "ecrypt" in text:
        return "it cannot be decrypted; give the vault password with --vault-id"
    return f"it raises {type(error).__name__}"
