# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules with secrets inside of lists write to the host's log."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.frontdesk.platform.plugins.module_utils.quiet_module import AnsibleModule, holds_secrets

SECRET = "-----BEGIN PRIVATE KEY-----\nMIIE'\"\n-----END PRIVATE KEY-----\n"
DEEP = {
    "type": "dict",
    "options": {"parts": {"type": "list", "elements": "dict", "options": {"key": {"no_log": True}}}},
}
SPEC: dict[str, Any] = {
    "name": {"type": "str"},
    "files": {"type": "list", "elements": "dict", "options": {"path": {}, "secret": {"type": "str", "no_log": True}}},
    "deep": DEEP,
}


def test_a_secret_of_several_lines_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, text, log_args=None: logged.append(f"{text} {log_args}"))
    files = [{"path": "/etc/key", "secret": SECRET}]
    with patch_module_args({"name": "web", "files": files, "deep": {"parts": [{"key": SECRET}]}}):
        module = AnsibleModule(argument_spec=SPEC)
    assert "web" in logged[0]
    assert "MIIE" not in logged[0]
    assert module.params["files"] == files
    assert module.argument_spec["files"] == SPEC["files"]
    assert SECRET in module.no_log_values


def test_secrets_are_found_at_any_depth() -> None:
    assert holds_secrets(SPEC["files"])
    assert holds_secrets(DEEP)
    assert not holds_secrets(SPEC["name"])
    assert not holds_secrets({"options": {"path": {}}})
