# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja tests for the rules in the roles' meta/rules.yml."""

from __future__ import annotations

import typing as t

from ansible_collections.frontdesk.platform.plugins.plugin_utils.networks import is_inside, is_network, overlaps
from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import (
    SecretError,
    check_master_key,
    is_lab_only_key,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.ssh_keys import is_ssh_public_key


def _is_master_key(value: object) -> bool:
    try:
        check_master_key(value)
    except SecretError:
        return False
    return True


class TestModule:
    """What the rules need beyond Ansible's own tests."""

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        """The tests by short name."""
        return {
            "ip_network": is_network,
            "inside_network": is_inside,
            "overlapping_network": overlaps,
            "ssh_public_key": is_ssh_public_key,
            "master_key": _is_master_key,
            "published_master_key": is_lab_only_key,
        }
