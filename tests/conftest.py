# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the collection and the lab cloud importable, and every run of the tests the same as the one before."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

# Before Ansible is imported: it reads its configuration at import. Programs that tests start see the same.
os.environ["ANSIBLE_CONFIG"] = str(CHECKOUT / "ansible.cfg")
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
# What somebody exported for his own cloud must never reach a test.
for name in [name for name in os.environ if name.startswith(("HCLOUD_", "ANSIBLE_VAULT", "LABCLOUD_"))]:
    del os.environ[name]

from ansible.plugins.loader import init_plugin_loader  # noqa: E402 - needs the environment above

# Ansible's own import machinery, so that a module imported by a test and the one that Ansible loads are the same.
init_plugin_loader([str(CHECKOUT / ".venv/.ansible/collections")])
sys.path.insert(0, str(CHECKOUT / "roles/lab/files"))

from tests.hetzner_runs import Project, use_quick_clock  # noqa: E402 - needs the import machinery above
from tests.lab_cloud import LabCloud, running_lab_cloud  # noqa: E402 - needs the path above
from tests.swarm_nodes import INVENTORY, Swarm, push_images, swarm_of  # noqa: E402 - needs the import machinery above

PROJECTS = itertools.count(1)

hypothesis.settings.register_profile(
    "ci",
    derandomize=True,  # the same examples in every run
    database=None,
    deadline=None,  # two cores shared with other layers: time says nothing about correctness
    print_blob=True,
)
hypothesis.settings.register_profile("explore", max_examples=1000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("FRONTDESK_HYPOTHESIS", "ci"))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this repository."""
    return CHECKOUT


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """A lab cloud without servers behind its API, for the tests of one file."""
    with running_lab_cloud(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def project(lab: LabCloud, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Project]:
    """An empty Hetzner project of its own in that lab cloud."""
    use_quick_clock(monkeypatch)
    yield Project(lab, f"{request.module.__name__.rsplit('.', 1)[-1]}-{next(PROJECTS)}")
    lab.clear_faults()
    lab.idle()


@pytest.fixture(scope="session")
def swarm() -> Iterator[Swarm]:
    """The Swarm on the servers of the lab, and images for tests in the lab's registry."""
    push_images()
    with swarm_of(INVENTORY) as found:
        yield found
