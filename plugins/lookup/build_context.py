# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lookup plugin frontdesk.platform.build_context; see DOCUMENTATION below."""

from __future__ import annotations

DOCUMENTATION = r"""
name: build_context
short_description: Packs a folder of the controller as the build context of a container image
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Returns the files of a folder as a compressed tar in Base64, the form that M(frontdesk.platform.image_build) takes.
  - It depends on nothing but the names, contents and executable bits of the files, so every machine gets the same image from the
    same role. Folders C(__pycache__) are left out, and so are empty folders. There is no C(.dockerignore).
options:
  _terms:
    description:
      - Folders, absolute, or relative to the role's or playbook's C(files).
      - The packed context may have 1 MB, because it travels as an option of a module. What is larger is fetched by the C(Dockerfile).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Build the image that lies in the role's folder files/image
  frontdesk.platform.image_build:
    name: shop/web
    base: debian:trixie-slim
    context: "{{ lookup('frontdesk.platform.build_context', 'image') }}"
"""

RETURN = r"""
_raw:
  description: The packed contexts, one for each term.
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.frontdesk.platform.plugins.plugin_utils.build_context import ContextError, packed


class LookupModule(LookupBase):
    """Packs folders."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Return one packed context for each term."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [packed(self._folder(str(term), variables)) for term in terms]
        except ContextError as error:
            raise AnsibleLookupError(str(error)) from None

    def _folder(self, term: str, variables: dict[str, t.Any] | None) -> Path:
        return Path(self.find_file_in_search_path(variables, "files", term, ignore_missing=True) or term)
