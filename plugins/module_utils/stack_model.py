# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of swarm_stack speak about: labels, errors, the cluster as it was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json

# The labels of `docker stack deploy`, so that its other commands know our stacks, and a stack of its can be taken over.
NAMESPACE_LABEL = "com.docker.stack.namespace"
IMAGE_LABEL = "com.docker.stack.image"
# The name of a secret or config without stack and hash: versions of one thing share it.
VERSION_LABEL = "frontdesk.platform/version-of"

# Marks a service whose tasks end; see stack_service.JOBS.
JOB_LABEL = "frontdesk.platform/job"

# Plural, as in the options and in the engine's paths, to the singular of messages and changes.
KEYED_KINDS = {"secrets": "secret", "configs": "config"}


class StackError(Exception):
    """The stack cannot be read or must not be changed as asked; nothing was written."""

    def __init__(self, problems: Iterable[str]) -> None:
        """problems: one sentence each."""
        self.problems = list(problems)
        super().__init__(" ".join(self.problems))


class RunError(Exception):
    """Some writes failed, or the services did not converge."""

    def __init__(self, errors: Sequence[str], result: Mapping[str, Any]) -> None:
        """errors: one sentence each. result: tells what was done before and beside them."""
        further = f" (And {len(errors) - 1} more, see errors.)" if len(errors) > 1 else ""
        super().__init__(errors[0] + further)
        self.errors = list(errors)
        self.result = dict(result)


def labels_of(item: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a service, secret or config (in its Spec) or of a network; the engine may omit them."""
    spec = item.get("Spec", item)
    return dict(spec.get("Labels") or {})


def is_job(service: Mapping[str, Any]) -> bool:
    """Do the service's tasks end?"""
    return JOB_LABEL in labels_of(service)


def name_of(item: Mapping[str, Any]) -> str:
    """The name of a service, secret or config (in its Spec) or of a network."""
    return str(item["Spec"]["Name"] if "Spec" in item else item["Name"])


def id_of(item: Mapping[str, Any]) -> str:
    """The engine writes Id for networks and ID for the rest."""
    return str(item["ID"] if "ID" in item else item["Id"])


class Cluster:
    """The cluster's objects as they were read: all of them, and which belong to the stack.

    services, secrets, configs, networks: by name. tasks: those of the stack. Nodes are read when somebody asks.
    """

    def __init__(
        self,
        stack: str,
        objects: Mapping[str, Iterable[Json]],
        tasks: Sequence[Json],
        read_nodes: Callable[[], Sequence[Json]],
    ) -> None:
        """objects: lists as the engine answers them, by the plural of their kind."""
        self.stack = stack
        self.by_kind = {kind: {name_of(item): item for item in items} for kind, items in objects.items()}
        self.tasks = tasks
        self._read_nodes = read_nodes
        self._nodes: Sequence[Json] | None = None

    @property
    def services(self) -> dict[str, Json]:
        """All services by name."""
        return self.by_kind["services"]

    @property
    def networks(self) -> dict[str, Json]:
        """All networks of the cluster by name."""
        return self.by_kind["networks"]

    @property
    def nodes(self) -> Sequence[Json]:
        """All nodes."""
        if self._nodes is None:
            self._nodes = self._read_nodes()
        return self._nodes

    def owns(self, item: Mapping[str, Any]) -> bool:
        """Does the object belong to this stack?"""
        return labels_of(item).get(NAMESPACE_LABEL) == self.stack

    def owned(self, kind: str) -> dict[str, Json]:
        """The stack's objects of a kind by name."""
        return {name: item for name, item in self.by_kind[kind].items() if self.owns(item)}

    def put(self, kind: str, item: Json) -> None:
        """Enter an object that was created or read again."""
        self.by_kind[kind][name_of(item)] = item

    def ids(self, kind: str) -> dict[str, str]:
        """The ids of all objects of a kind by name."""
        return {name: id_of(item) for name, item in self.by_kind[kind].items()}

    def network_name(self, identity: str) -> str:
        """The name of the network that a service's specification names by id."""
        for name, item in self.networks.items():
            if id_of(item) == identity:
                return name
        return identity
