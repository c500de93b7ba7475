# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the collection's artifact: what Galaxy gets, and what sanity and the importer look at."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from .checks import CheckFailed, program
from .environment import BIN, BUILD, CHECKOUT, environment


def path() -> Path:
    """Where the artifact lies once it is built; galaxy.yml determines its name."""
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))
    return BUILD / f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"


def build() -> Path:
    """Build the artifact into build/ from the files that git knows or would add, and return its path.

    Building in the work tree would put into the artifact whatever happens to lie there: notes, caches, secrets.
    """
    with tempfile.TemporaryDirectory(prefix="frontdesk-build-") as folder:
        copy = Path(folder) / "platform"
        listed = program("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in filter(None, listed.split("\0")):
            source = CHECKOUT / name
            if source.is_file():
                target = copy / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        program(BIN / "ansible-galaxy", "collection", "build", "--force", "--output-path", folder, cwd=copy)
        built = Path(folder) / path().name
        if not built.is_file():
            raise CheckFailed(f"ansible-galaxy built no {built.name}")
        BUILD.mkdir(exist_ok=True)
        # A rename is atomic: two layers may build at the same time.
        partial = BUILD / f"{built.name}.{Path(folder).name}"
        shutil.copy2(built, partial)
        partial.replace(BUILD / built.name)
    return path()


def names(artifact: Path) -> list[str]:
    """The files in the artifact, sorted."""
    with tarfile.open(artifact) as archive:
        return sorted(member.name for member in archive.getmembers() if not member.isdir())


def unpack(artifact: Path, folder: Path) -> None:
    """Unpack the artifact into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(artifact) as archive:
        archive.extractall(folder, filter="data")


def empty_home(folder: Path) -> dict[str, str]:
    """The environment of a user who has nothing but the programs: an empty HOME and no settings of ours."""
    result = environment(HOME=str(folder), ANSIBLE_HOME=str(folder / ".ansible"))
    for name in ("ANSIBLE_CONFIG", "VIRTUAL_ENV", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        result.pop(name, None)
    return result


def main(_arguments: Sequence[str]) -> int:
    """Build the artifact and say where it lies and how large it is."""
    try:
        artifact = build()
    except CheckFailed as error:
        print(error)
        return 1
    count = len(names(artifact))
    print(f"{artifact.relative_to(CHECKOUT)}: {artifact.stat().st_size / 1024:.0f} KiB, {count} files")
    return 0
