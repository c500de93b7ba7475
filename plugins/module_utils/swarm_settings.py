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
# A label of the cluster itself, which only managers see.
FINGERPRINT_LABEL = "frontdesk.fingerprint"
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
    if options.get("fingerprint"):
        wanted["Labels"] = {**(wanted.get("Labels") or {}), FINGERPRINT_LABEL: options["fingerprint"]}
    return wanted


def fingerprint_of(cluster: Mapping[str, Any]) -> str:
    """What the cluster (GET /swarm) keeps as its fingerprint; empty when it keeps none."""
    return str(((cluster.get("Spec") or {}).get("Labels") or {}).get(FINGERPRINT_LABEL) or "")


def fingerprint_fault(kept: str, wanted: str) -> str:
    """The sentence for a run that does not belong to the cluster; empty when it does, or when one of the two is empty."""
    if not kept or not wanted or kept == wanted:
        return ""
    return (
        f"The cluster was made with another master key or another name of the environment (it keeps the fingerprint {kept}, and that of "
        f"this run is {wanted}): bring the former ones back, because everything that is derived from them would change."
    )


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
    fingerprint, kept = options.get("fingerprint"), fingerprint_of({"Spec": spec})
    if fingerprint and kept != fingerprint:
        before["fingerprint"] = kept
        after["fingerprint"] = fingerprint
    return Change("update", "cluster", "settings", before, after) if after else None


def fixed_faults(cluster: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """A sentence for each setting that is not as wanted and cannot be changed."""
    foreign = fingerprint_fault(fingerprint_of(cluster), options.get("fingerprint") or "")
    found = [foreign] if foreign else []
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
