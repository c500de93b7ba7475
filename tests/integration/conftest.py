# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the real lab share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import docker
import pytest

from tests.integration.platform import Platform
from tests.integration.playbook import KNOWN_HOSTS, run_playbook
from tests.swarm_nodes import Swarm

LAB = {"label": "frontdesk.lab=true"}


def docker_objects() -> list[str]:
    """Names of all containers, networks and volumes of the lab."""
    with contextlib.closing(docker.from_env()) as engine:
        groups = (
            engine.containers.list(all=True, filters=LAB),
            engine.networks.list(filters=LAB),
            engine.volumes.list(filters=LAB),
        )
        return [item.name for group in groups for item in group]


ORDER = ("test_lab_machines", "test_provision", "test_site", "test_data", "test_edge", "test_swarm_stack")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what needs an empty lab first and what needs the running platform after the story that builds it."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return next((number for number, start in enumerate(ORDER) if name.startswith(start)), len(ORDER))

    items.sort(key=place)


@pytest.fixture(scope="session")
def platform(lab_removed_at_the_end: None) -> Platform:
    """The platform of `site.yml` in the lab, built unless it stands. It stays: what builds anew begins with an empty lab."""
    for playbook in ("playbooks/lab.yml", "site.yml"):
        run = run_playbook(playbook)
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-3000:]
    return Platform()


@pytest.fixture(scope="session")
def swarm(platform: Platform, swarm: Swarm) -> Swarm:
    """The Swarm of the running platform."""
    return swarm


@pytest.fixture(scope="session")
def lab_removed_at_the_end() -> Iterator[None]:
    """After the last test nothing of the lab is left but its images; FRONTDESK_KEEP_LAB=1 keeps it to look at."""
    yield
    if os.environ.get("FRONTDESK_KEEP_LAB"):
        return
    down = run_playbook("playbooks/lab.yml", "-e", "lab_state=absent", "-e", "lab_keep_images=true")
    assert down.returncode == 0, down.stdout + down.stderr
    assert docker_objects() == []


@pytest.fixture(scope="module")
def empty_lab(lab_removed_at_the_end: None) -> None:
    """A lab without servers, whatever was there before."""
    KNOWN_HOSTS.unlink(missing_ok=True)
    up = run_playbook("playbooks/lab.yml", "-e", "lab_state=reset")
    assert up.returncode == 0, up.stdout + up.stderr
