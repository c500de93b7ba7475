# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs on the controller that images are made with, their stand-ins being small shell scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils import lab_base
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_base import BuildError
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_progress import Progress


@pytest.fixture
def progress() -> Progress:
    return Progress(lambda _line: None, "test")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a script of this name first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(name: str, body: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return make


def test_a_failing_program_is_told_with_its_last_lines(progress):
    with pytest.raises(BuildError, match=r"^sh failed: two / three / four$"):
        lab_base.run(["sh", "-c", "echo one; echo two; echo; echo three; echo four >&2; exit 3"], progress)


def test_a_silent_failure_tells_its_code(progress):
    with pytest.raises(BuildError, match="sh failed: exit code 3"):
        lab_base.run(["sh", "-c", "exit 3"], progress)


def test_the_base_is_made_with_the_recipe(program, progress, tmp_path):
    program("mmdebstrap", f'echo "$@" > {tmp_path}/arguments; for last; do :; done; echo tar > "$last"')
    path = lab_base.build_base(tmp_path, progress)
    assert path.read_text() == "tar\n"
    assert path.parent.parent == tmp_path
    arguments = (tmp_path / "arguments").read_text()
    assert "--variant=minbase" in arguments
    assert arguments.split()[-2:] == ["trixie", str(path)]


@pytest.mark.parametrize(("user", "debian"), [(1000, True), (0, False)])
def test_a_missing_mmdebstrap_is_told(program, progress, tmp_path, monkeypatch, user, debian):
    monkeypatch.setattr(lab_base.shutil, "which", lambda _name: None)
    monkeypatch.setattr(lab_base.os, "geteuid", lambda: user)
    monkeypatch.setattr(lab_base, "_is_debian", lambda: debian)
    with pytest.raises(BuildError, match=r"mmdebstrap is missing.*apt install mmdebstrap"):
        lab_base.build_base(tmp_path, progress)


def test_mmdebstrap_is_installed_after_an_update_of_old_package_lists(program, progress, tmp_path, monkeypatch):
    """apt-get knows the package only after an update; installing it puts the program in place."""
    folder = program("unused", "true").parent
    log = tmp_path / "log"
    program(
        "apt-get",
        f'echo "$1" >> {log}\n'
        f'[ "$1" = update ] && touch {tmp_path}/updated && exit 0\n'
        f"[ -e {tmp_path}/updated ] || exit 100\n"
        f"printf '#!/bin/sh\\nfor last; do :; done; echo tar > \"$last\"\\n' > {folder}/mmdebstrap; chmod +x {folder}/mmdebstrap",
    )
    found: Any = lab_base.shutil.which
    monkeypatch.setattr(lab_base.shutil, "which", lambda name: found(name, path=str(folder)))
    monkeypatch.setattr(lab_base.os, "geteuid", lambda: 0)
    monkeypatch.setattr(lab_base, "_is_debian", lambda: True)
    assert lab_base.build_base(tmp_path, progress).read_text() == "tar\n"
    assert log.read_text().split() == ["install", "update", "install"]


def test_packages_are_fetched_once(program, progress, tmp_path, monkeypatch):
    pip = program(
        "python", 'for word; do case $word in --target=*) echo x > "${word#--target=}/module.py";; esac; done'
    )
    monkeypatch.setattr(lab_base.sys, "executable", str(pip))
    (tmp_path / "requirements.txt").write_text("a==1 --hash=sha256:00")
    cache = tmp_path / "cache"
    for other in ("site-echo/0123456789ab", "site-traefik/0123456789ab"):
        (cache / other).mkdir(parents=True)
    folder = lab_base.fetch_packages(tmp_path / "requirements.txt", "echo", cache, progress)
    assert [path.name for path in folder.iterdir()] == ["module.py"]
    # It replaces those of the same name and no others.
    assert sorted(cache.glob("*/*")) == [folder, cache / "site-traefik/0123456789ab"]
    pip.unlink()
    assert lab_base.fetch_packages(tmp_path / "requirements.txt", "echo", cache, progress) == folder


def test_leftovers_of_killed_builds_are_removed(tmp_path):
    for name in ("base-killed", "base-mounted", "site.killed", "site-whole"):
        (tmp_path / name).mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"proc {tmp_path}/base-mounted/chroot/proc proc rw 0 0\n")
    lab_base.remove_leftovers(tmp_path, mounts)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["base-mounted", "site-whole"]
