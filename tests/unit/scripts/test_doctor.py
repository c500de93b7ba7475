# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor names everything that is missing at once, and only asks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# What bash itself, the doctor and the scripts that it calls cannot do without.
NEEDED = ("bash", "dirname", "sha256sum", "cut", "uname", "tail", "tr", "df", "id", "grep", "cat", "timeout")


@pytest.fixture
def doctor(tmp_path, checkout):
    """Run the doctor with nothing on PATH but the given programs."""

    def run(*programs: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in programs:
            (folder / name).symlink_to(shutil.which(name) or name)
        return subprocess.run(
            [shutil.which("bash"), str(checkout / "scripts/doctor.sh")],
            env={"PATH": str(folder), "HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_names_everything_that_is_missing(doctor):
    done = doctor(*NEEDED, "awk")
    missing = {line.split()[1] for line in done.stdout.splitlines() if line.split()[:1] == ["MISSING"]}
    assert {"git", "make", "ssh", "python", "python3"} <= missing
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == f"{len([x for x in done.stdout.splitlines() if 'MISSING' in x])} missing."


def test_every_missing_thing_has_a_remedy(doctor):
    for line in doctor(*NEEDED, "awk").stdout.splitlines():
        if line.split()[:1] == ["MISSING"]:
            assert any(word in line for word in ("install", "use ", "free ", "start ", "run ", "need")), line


def test_changes_nothing(doctor, tmp_path):
    doctor(*NEEDED, "awk")
    assert not Path(tmp_path / "home").exists()


def test_is_content_with_a_machine_that_runs_the_tests(checkout, tmp_path):
    done = subprocess.run(
        [str(checkout / "scripts/doctor.sh")], env=os.environ, capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stdout.splitlines() if line.split()[:1] == ["MISSING"]]
    # The machine's size and its engine are not the doctor's doing; that it finds what is there, is.
    assert [line for line in complaints if line.split()[1] not in ("docker", "disk", "memory", "cgroups")] == []
    assert done.returncode == (1 if complaints else 0)
