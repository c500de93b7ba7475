# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack as the user describes it, and the names that its parts have in the cluster."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import KEYED_KINDS

Options = Mapping[str, Any]

# Networks of the nodes that Swarm can attach a service to by name.
PREDEFINED_NETWORKS = ("host", "bridge")
# The option of a service's entry that names what is listed in the stack, by kind.
REFERENCES = {"networks": "name", "secrets": "source", "configs": "source", "volumes": "source"}


class Definition:
    """A stack in the words of its user.

    services, networks, secrets, configs, volumes: the options as listed. A name that is there twice is the last one
    in the look-ups; stack_check.py refuses it.
    """

    def __init__(self, params: Options) -> None:
        """params: the module's parameters."""
        self.stack = str(params["name"])
        self.lists: dict[str, Sequence[Options]] = {
            kind: params.get(kind) or [] for kind in ("services", "networks", "secrets", "configs", "volumes")
        }
        self._params = params
        self._key = (params.get("hash_key") or "").encode()
        self._by_name = {kind: {item["name"]: item for item in items} for kind, items in self.lists.items()}
        self._file_names = {
            kind: {item["name"]: self._file_name(kind, item) for item in self.lists[kind]} for kind in KEYED_KINDS
        }

    @property
    def services(self) -> Sequence[Options]:
        """The services as listed."""
        return self.lists["services"]

    def narrowed(self, names: Collection[str]) -> Definition:
        """The same stack with these services alone, and what they name."""
        services = [service for service in self.services if service["name"] in names]
        lists = {"services": services, **{kind: self._named_by(services, kind) for kind in REFERENCES}}
        return Definition({**self._params, **lists})

    def _named_by(self, services: Sequence[Options], kind: str) -> list[Options]:
        names = {item.get(REFERENCES[kind]) for service in services for item in service.get(kind) or []}
        return [item for item in self.lists[kind] if item["name"] in names]

    def find(self, kind: str, name: str) -> Options | None:
        """The options of a network, secret, config or volume."""
        return self._by_name[kind].get(name)

    def own(self, kind: str) -> dict[str, Options]:
        """The options of what the stack itself has of a kind, by name in the cluster."""
        listed = [item for item in self._by_name[kind].values() if not item.get("external")]
        return {self.cluster_name(kind, item["name"]): item for item in listed}

    def full(self, name: str) -> str:
        """The name in the cluster of something that only this stack has."""
        return f"{self.stack}_{name}"

    def cluster_name(self, kind: str, name: str) -> str:
        """The name in the cluster of a listed network, secret, config or volume."""
        if kind in KEYED_KINDS:
            return self._file_names[kind][name]
        item = self.find(kind, name)
        return name if item and item.get("external") else self.full(name)

    def _file_name(self, kind: str, item: Options) -> str:
        """Secrets and configs cannot be changed, so their names carry a hash of the content.

        The hash has a key, because a bare one of a weak password could be guessed from its name.
        """
        if item.get("external"):
            return str(item["name"])
        text = f"{KEYED_KINDS[kind]}|{item['name']}|".encode() + content_of(item)
        return f"{self.full(item['name'])}_{hmac.new(self._key, text, hashlib.sha256).hexdigest()[:12]}"


def content_of(item: Options) -> bytes:
    """The content of a secret or config."""
    return str(item.get("content") or "").encode()
