# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which former versions of secrets and configs go, and which stay.

Swarm itself guards only what a service uses now. `docker service rollback` also needs what the former specification
names, so that stays, and of the rest a number that the user chose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import (
    KEYED_KINDS,
    VERSION_LABEL,
    Cluster,
    labels_of,
    name_of,
)

_KEYS = {"secrets": ("Secrets", "SecretName"), "configs": ("Configs", "ConfigName")}


@dataclass
class Versions:
    """removed: plural kind and name. kept: kind, name and reason, as in the result."""

    removed: list[tuple[str, str]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)


def used_by(kind: str, spec: Mapping[str, Json] | None) -> set[str]:
    """The names of the secrets or configs that a service's specification names."""
    list_key, name_key = _KEYS[kind]
    container = ((spec or {}).get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return {item[name_key] for item in container.get(list_key) or []}


def former_versions(
    cluster: Cluster,
    current: Mapping[str, Iterable[str]],
    used: Mapping[str, Mapping[str, str]],
    keep: int,
) -> Versions:
    """Sort the versions of the stack that the definition does not name.

    current: names by kind that the definition has. used: by kind and name the service that needs a version after the
    run. keep: how many further versions of each thing that is still listed stay, the newest first.
    """
    result = Versions()
    for kind, singular in KEYED_KINDS.items():
        names = set(current[kind])
        owned = cluster.owned(kind)
        listed = {name.rsplit("_", 1)[0] for name in names}
        former = [item for name, item in owned.items() if name not in names and VERSION_LABEL in labels_of(item)]
        left: dict[str, int] = {}
        for item in sorted(former, key=lambda item: (item["CreatedAt"], name_of(item)), reverse=True):
            name = name_of(item)
            thing = name.rsplit("_", 1)[0]
            reason = ""
            if name in used[kind]:
                reason = f"a rollback of {used[kind][name]} needs it"
            elif thing in listed and left.get(thing, 0) < keep:
                left[thing] = left.get(thing, 0) + 1
                reason = "it is one of the former versions that keep_versions asks for"
            if reason:
                result.kept.append({"kind": singular, "name": name, "reason": reason})
            else:
                result.removed.append((kind, name))
    result.removed.sort()
    result.kept.sort(key=lambda item: (item["kind"], item["name"]))
    return result
