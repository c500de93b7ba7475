# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the wiring in playbooks/group_vars/all and of the rules in the roles' meta/rules.yml."""

from __future__ import annotations

import collections
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.frontdesk.platform.plugins.plugin_utils import hetzner_wiring, status
from ansible_collections.frontdesk.platform.plugins.plugin_utils.networks import nth_address


def duplicates(values: t.Iterable[t.Hashable]) -> list[t.Hashable]:
    """Return every value that occurs more than once, once, in order of first occurrence."""
    counts = collections.Counter(values)
    return [value for value, count in counts.items() if count > 1]


def host_volumes(*arguments: t.Any, **options: t.Any) -> list[dict[str, t.Any]]:
    """Return what role host mounts on one server; see hetzner_wiring.host_volumes."""
    try:
        return hetzner_wiring.host_volumes(*arguments, **options)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What the wiring and the rules need beyond Ansible's own filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by short name."""
        return {
            "duplicates": duplicates,
            "endpoints": status.endpoints,
            "hetzner_servers": hetzner_wiring.hetzner_servers,
            "hetzner_volumes": hetzner_wiring.hetzner_volumes,
            "host_volumes": host_volumes,
            "nth_address": nth_address,
            "platform_status": status.platform_status,
            "service_rows": status.service_rows,
        }
