# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's module class for modules that take secrets inside of lists and dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils import basic


class AnsibleModule(basic.AnsibleModule):  # type: ignore[misc]
    """Writes no option that holds secrets to the host's log.

    Ansible logs each option as the text of its value, and removes secrets from that text as they are. In a list or a
    dictionary the text of a secret of several lines, such as a private key, has escapes in place of its line breaks, so it
    is not found there, and stays in the journal.
    """

    argument_spec: dict[str, Any]

    def _log_invocation(self) -> None:
        spec: dict[str, Any] = self.argument_spec
        self.argument_spec = {
            name: {**option, "no_log": True} if holds_secrets(option) else option for name, option in spec.items()
        }
        try:
            super()._log_invocation()
        finally:
            self.argument_spec = spec


def holds_secrets(option: Mapping[str, Any]) -> bool:
    """Whether one of the option's suboptions, however deep, is a secret."""
    return any(part.get("no_log") or holds_secrets(part) for part in (option.get("options") or {}).values())
