# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on the controller that the lab's images need: mmdebstrap for the base, pip for the services' wheels."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_progress import Progress

# Debian trixie's Python and C library, which the services' image has.
PIP_TARGET = (
    "--python-version=3.13",
    "--implementation=cp",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux2014_x86_64",
    "--only-binary=:all:",
)
RECIPE = ("--variant=minbase", "--architectures=amd64")
SUITE = "trixie"
# On Ubuntu the archive's keys are not among those that apt trusts.
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# How many of a program's last lines an error shows.
ERROR_LINES = 3


class BuildError(Exception):
    """A build cannot go on. The text is one sentence with the cause and the remedy."""


def run(command: Sequence[str], progress: Progress, variables: Mapping[str, str] | None = None) -> None:
    """Run a program to its end, its output as the progress's details.

    Raises BuildError with its last lines when it fails.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", **(variables or {})}
    lines: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            if line.strip():
                progress.detail(line)
                lines = [*lines[1 - ERROR_LINES :], line.strip()]
    if process.returncode != 0:
        raise BuildError(f"{Path(command[0]).name} failed: {' / '.join(lines) or f'exit code {process.returncode}'}")


def _is_debian() -> bool:
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(
        line.startswith(("ID=", "ID_LIKE=")) and ("debian" in line or "ubuntu" in line) for line in text.splitlines()
    )


def _require_mmdebstrap(progress: Progress) -> None:
    if shutil.which("mmdebstrap"):
        return
    if os.geteuid() != 0 or not _is_debian():
        raise BuildError(
            "the lab's base image can neither be pulled nor built: mmdebstrap is missing, and only root on Debian or Ubuntu "
            "can install it here; install it ('apt install mmdebstrap') or make a container registry reachable"
        )
    progress.step("installing mmdebstrap from the distribution")
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"]
    try:
        run(install, progress)
    except BuildError:
        # The package lists at hand are too old, or there are none yet.
        run(["apt-get", "update", "-q"], progress)
        run(install, progress)


def recipe_hash() -> str:
    """Return the name part of a base built here: the same recipe is not built again."""
    return hashlib.sha256(" ".join([*RECIPE, SUITE]).encode()).hexdigest()[:12]


def build_base(cache: Path, progress: Progress) -> Path:
    """Make a minimal Debian as a tar file below the cache and return its path; the caller removes it."""
    _require_mmdebstrap(progress)
    target = Path(tempfile.mkdtemp(prefix="base-", dir=cache)) / "base.tar"
    progress.step(f"making a minimal Debian {SUITE} with mmdebstrap")
    keyring = [f"--keyring={KEYRING}"] if Path(KEYRING).exists() else []
    # In a user namespace (without root) the work folder must be one that everybody can enter.
    work = {"TMPDIR": str(target.parent)} if os.geteuid() == 0 else {}
    run(["mmdebstrap", *RECIPE, *keyring, SUITE, str(target)], progress, work)
    return target


def remove_leftovers(cache: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Remove what builds that were killed left in the cache. Call it only while no other build runs.

    A folder below which something is still mounted stays: removing it would reach into the machine's own files.
    """
    mounted = mounts.read_text(encoding="utf-8")
    for pattern in ("base-*", "site.*"):
        for path in cache.glob(pattern):
            if str(path) not in mounted:
                shutil.rmtree(path, ignore_errors=True)


def fetch_packages(requirements: Path, name: str, cache: Path, progress: Progress) -> Path:
    """Fetch the pinned wheels of a requirements file for the images' Python, unpacked, and return their folder.

    They replace what was fetched before under this name. A second call with the same file needs no network.
    """
    folder = cache / f"site-{name}" / hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    if folder.is_dir():
        return folder
    progress.step(f"fetching the packages of {requirements.name}")
    half_made = Path(tempfile.mkdtemp(prefix="site.", dir=cache))
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-compile"]
    command += ["--no-deps", "--require-hashes", *PIP_TARGET, f"--target={half_made}", f"--requirement={requirements}"]
    run(command, progress)
    half_made.chmod(0o755)
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.parent.mkdir()
    half_made.rename(folder)
    return folder
