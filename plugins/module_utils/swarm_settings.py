# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a cluster: those that can be changed, and those that are chosen when it is made."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json

NANOSECONDS_A_DAY = 86_400_000_000_000
# Option, section and field of the engine's ClusterSpec, and the factor from the one to the other.
_FIELDS = (
    ("task_history_limit", "Orchestration", "TaskHistoryRetentionLimit", 1),
    ("node_certificate_days", "CAConfig", "NodeCertExpiry", NANOSECONDS_A_DAY),
    ("autolock", "EncryptionConfig", "AutoLockManagers", None),
)
# Option and field of GET /swarm.
_FIXED = (
    ("address_pools", "DefaultAddrPool"),
    ("subnet_size", "SubnetSize"),
    ("data_path_port", "DataPathPort"),
)


def cluster_spec(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Json:
    """The spec with what the options set; everything else stays."""
    wanted = copy.deepcopy(dict(spec))
    for option, section, field, factor in _FIELDS:
        value = options.get(option)
        if value is not None:
            part = dict(wanted.get(section) or {})
            part[field] = value if factor is None else int(value) * factor
            wanted[section] = part
    return wanted


def spec_change(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Change | None:
    """The change from a spec to what the options set; None when they agree."""
    before: Json = {}
    after: Json = {}
    for option, section, field, factor in _FIELDS:
        value = options.get(option)
        found = (spec.get(section) or {}).get(field) or 0
        current = bool(found) if factor is None else found / factor
        if value is not None and current != value:
            before[option] = int(current) if factor and current == int(current) else current
            after[option] = value
    return Change("update", "cluster", "settings", before, after) if after else None


def fixed_faults(cluster: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """A sentence for each setting that is not as wanted and cannot be changed."""
    found = []
    for option, field in _FIXED:
        value = options.get(option)
        current = cluster.get(field)
        if value and current and value != current:
            found.append(
                f"The cluster has {option} {_text(current)}, not {_text(value)}, and that cannot be changed after it is made: "
                "write down what it has, or build a new cluster."
            )
    return found


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
