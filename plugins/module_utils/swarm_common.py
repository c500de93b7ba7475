# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for a Docker Swarm have in common: the options for the engine, its connection, words of errors, waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import (
    DEFAULT_SOCKET,
    DockerEngine,
    EngineError,
)

# The engine gives up on a cluster without a leader after 20 s; a little more, so that its sentence arrives.
TIMEOUT = 25.0
# How the engine says that more than half of the managers are not there.
_NO_LEADER = ("does not have a leader", "DeadlineExceeded", "context deadline exceeded")


class SwarmError(Exception):
    """Something that stops a module. The text is one sentence or more, each with its full stop."""


def engine_arguments() -> dict[str, Any]:
    """The options that all modules for a swarm take."""
    return {"docker_socket": {"type": "path", "default": DEFAULT_SOCKET}}


def connect(module: AnsibleModule) -> DockerEngine:
    """The engine of the module's options."""
    return DockerEngine(module.params["docker_socket"], TIMEOUT)


def says_no_leader(text: str) -> bool:
    """Whether the engine's words mean that the managers have no majority."""
    return any(words in text for words in _NO_LEADER)


def is_there_already(error: EngineError) -> bool:
    """Whether the name of a network is taken, which the engine and the cluster's store say each in their own words."""
    return "already exists" in str(error) or "conflicts with an existing object" in str(error)


def explain(error: EngineError) -> str:
    """The engine's refusal as a sentence with its remedy."""
    text = str(error)
    if says_no_leader(text):
        return (
            "The cluster has no leader, because half of its managers or more do not answer: services keep running, and nothing "
            "can be changed. Start the engines of the other managers and run again."
        )
    if "cannot be reached at" in text:
        return f"{text[0].upper()}{text[1:]}; start it with 'systemctl start docker'."
    return f"{text[0].upper()}{text[1:]}."


def wait_until(done: Callable[[], bool], seconds: float, every: float = 0.25) -> bool:
    """Ask again and again until the answer is yes; False when it was not within these seconds."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= end:
            return False
        time.sleep(every)
    return True


def pause(seconds: float) -> None:
    """Let a busy moment pass."""
    time.sleep(seconds)


def enumerate_words(words: Iterable[str]) -> str:
    """Names as text: a, b and c."""
    listed = list(words)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
