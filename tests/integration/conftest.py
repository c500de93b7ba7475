# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the real lab share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import docker
import pytest

from tests.integration.playbook import ROOT, run_playbook

KNOWN_HOSTS = ROOT / "inventory" / "lab" / "known_hosts.txt"
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


@pytest.fixture(scope="module")
def empty_lab() -> Iterator[None]:
    """A lab without servers, whatever was there before, and nothing of it afterwards."""
    KNOWN_HOSTS.unlink(missing_ok=True)
    up = run_playbook("playbooks/lab.yml", "-e", "lab_state=reset")
    assert up.returncode == 0, up.stdout + up.stderr
    yield
    down = run_playbook("playbooks/lab.yml", "-e", "lab_state=absent", "-e", "lab_keep_images=true")
    assert down.returncode == 0, down.stdout + down.stderr
    assert docker_objects() == []
