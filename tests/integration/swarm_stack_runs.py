# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks of the tests on a real Swarm: runs of swarm_stack, and what the Docker CLI shows of their objects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.swarm_nodes import IMAGE, Json, Node, Swarm, eventually

HASH_KEY = "hash-key-of-the-tests-0123456789abcdef"
Triple = tuple[str, str, str]


# How long Swarm, and so the module, watches a task without a health check.
MONITOR = {"update_config": {"monitor": "1s"}}


def service(name: str, deploy: Json | None = None, **options: Any) -> Json:
    """A service that runs until it is told to stop, and then stops at once."""
    runs = {"command": ["sleep", "infinity"], "deploy": {"replicas": 1, **MONITOR, **(deploy or {})}}
    return {"name": name, "image": IMAGE, **runs, **options}


def shell(script: str) -> Json:
    """The options of a service that runs a script."""
    return {"entrypoint": ["sh", "-c", script], "command": []}


def triples(result: Json) -> list[Triple]:
    """The changes by action, kind and name."""
    return sorted((change["action"], change["kind"], change["name"]) for change in result["changes"])


class Stack:
    """One stack, and runs of the module on it."""

    def __init__(self, swarm: Swarm, name: str) -> None:
        self.swarm = swarm
        self.name = name

    def params(self, **options: Any) -> Json:
        return {"name": self.name, "hash_key": HASH_KEY, "wait_timeout": 120, **options}

    def run(self, check_mode: bool = False, on: Node | None = None, **options: Any) -> Json:
        """The module, which may fail."""
        return (on or self.swarm.manager).module("swarm_stack", self.params(**options), check_mode)

    def apply(self, check_mode: bool = False, **options: Any) -> Json:
        """The module, which must succeed."""
        result = self.run(check_mode, **options)
        assert not result.get("failed"), result
        return result

    def refused(self, **options: Any) -> str:
        """The sentence by which the module, and its check mode in the same words, refuses; neither writes anything."""
        before = self.swarm.objects()
        results = [self.run(check_mode, **options) for check_mode in (True, False)]
        assert [result.get("failed") for result in results] == [True, True], results
        assert self.swarm.objects() == before, "something was written"
        assert results[0]["msg"] == results[1]["msg"]
        sentence: str = results[0]["msg"]
        assert sentence.endswith("."), sentence
        return sentence

    def spec(self, name: str) -> Json:
        """A service's specification as the CLI shows it."""
        found: Json = self.swarm.manager.inspect("service", f"{self.name}_{name}")[0]["Spec"]
        return found

    def tasks(self, name: str) -> list[str]:
        """Ids of a service's tasks that run."""
        return self.swarm.running(f"{self.name}_{name}")

    def inside(self, name: str, command: str) -> str:
        """What a shell command prints in a container of a service."""
        node, container = self.swarm.container(f"{self.name}_{name}")
        return node.docker("exec", container, "sh", "-c", command)

    def names(self, kind: str) -> list[str]:
        """Names of the stack's objects of a kind (service, secret, config, network)."""
        return self.swarm.of_stack(self.name)[kind]

    def remove(self) -> None:
        """Remove all that is called like a part of the stack, without our code."""
        for kind, names in self.swarm.of_stack(self.name).items():
            if names:
                # A network is in use until the last container on it is gone.
                def gone(kind: str = kind, names: list[str] = names) -> bool:
                    self.swarm.manager.docker(kind, "rm", *names, check=False)
                    return not self.swarm.of_stack(self.name)[kind]

                eventually(gone, f"{kind}s of {self.name} are removed")


@contextlib.contextmanager
def stack_of(swarm: Swarm, name: str) -> Iterator[Stack]:
    """A stack of that name, with nothing of it before and nothing afterwards."""
    stack = Stack(swarm, name)
    stack.remove()
    try:
        yield stack
    finally:
        stack.remove()
