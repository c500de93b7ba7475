# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes as Ansible's diff. A new version of a config is shown against the former one; secrets never are."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change, render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_definition import Definition, content_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import VERSION_LABEL, Cluster, labels_of


def stack_diff(changes: Sequence[Change], definition: Definition, cluster: Cluster, with_contents: bool) -> Json:
    """The diff. with_contents: show what is in configs, by lines."""
    contents = definition.own("configs") if with_contents else {}
    diff: dict[str, Any] = render_diff(c for c in changes if not (c.kind == "config" and c.name in contents))
    for change in changes:
        if change.kind != "config" or change.name not in contents:
            continue
        options = contents[change.name]
        title = f"config {definition.full(options['name'])}"
        former = _former(cluster, options["name"], change.name)
        if former:
            data = base64.b64decode(former["Spec"].get("Data") or "").decode(errors="replace")
            diff["before"][title] = {"name": former["Spec"]["Name"], "content": data.splitlines()}
        diff["after"][title] = {"name": change.name, "content": content_of(options).decode().splitlines()}
    return diff


def _former(cluster: Cluster, base: str, current: str) -> Json | None:
    versions = [
        item
        for name, item in cluster.owned("configs").items()
        if name != current and labels_of(item).get(VERSION_LABEL) == base and item.get("CreatedAt")
    ]
    return max(versions, key=lambda item: str(item["CreatedAt"]), default=None)
