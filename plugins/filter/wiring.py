# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the wiring in playbooks/group_vars/all and of the rules in the roles' meta/rules.yml."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.frontdesk.platform.plugins.plugin_utils.hetzner_wiring import hetzner_servers
from ansible_collections.frontdesk.platform.plugins.plugin_utils.networks import nth_address


def duplicates(values: t.Iterable[t.Hashable]) -> list[t.Hashable]:
    """Return every value that occurs more than once, once, in order of first occurrence."""
    counts = collections.Counter(values)
    return [value for value, count in counts.items() if count > 1]


class FilterModule:
    """What the wiring and the rules need beyond Ansible's own filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by short name."""
        return {"hetzner_servers": hetzner_servers, "nth_address": nth_address, "duplicates": duplicates}
