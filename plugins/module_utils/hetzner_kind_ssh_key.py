# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH keys: only name and labels change in place, and a key may be in a project once, under one name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    WAVE_CLEAR,
    Difference,
    Kind,
    World,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import key_fingerprint


class SshKey(Kind):
    """https://docs.hetzner.cloud/#ssh-keys."""

    name = "ssh_key"
    option = "ssh_keys"
    path = "/ssh_keys"
    # A key that is renamed by a new entry must be gone before the entry is made.
    delete_wave = WAVE_CLEAR

    def normalise(self, spec: Mapping[str, Any]) -> Json:
        wanted = super().normalise(spec)
        if "public_key" in wanted:
            wanted["public_key"] = wanted["public_key"].strip()
            wanted["fingerprint"] = key_fingerprint(wanted["public_key"])
        return wanted

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        # The comment is no part of the key, so the fingerprints are compared.
        if "fingerprint" not in spec or spec["fingerprint"] == live["fingerprint"]:
            return []
        why = "the API cannot change a key; servers that exist keep the old one"
        return [Difference("public_key", live["public_key"], spec["public_key"], guard="replace", why=why)]

    def payload(self, spec: Json, world: World) -> Json:
        return {**super().payload(spec, world), "public_key": spec["public_key"]}

    def summary(self, live: Json, world: World) -> Json:
        return {**super().summary(live, world), "fingerprint": live["fingerprint"]}

    def resource(self, live: Json, world: World) -> Json:
        return {**super().resource(live, world), "fingerprint": live["fingerprint"], "public_key": live["public_key"]}
