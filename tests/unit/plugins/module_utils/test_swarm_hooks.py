# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the reboot hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_hooks import NAMES, install_hooks, remove_hooks


def actions(changes: list) -> list[str]:
    return [change.action for change in changes]


def test_hooks_are_installed_mended_and_removed(tmp_path: Path) -> None:
    directory = tmp_path / "reboot"
    predicted = install_hooks(str(directory), "one\n", check_mode=True)
    assert actions(predicted) == ["create", "create"]
    assert not directory.exists()
    assert install_hooks(str(directory), "one\n", check_mode=False) == predicted
    assert install_hooks(str(directory), "one\n", check_mode=False) == []
    for name in NAMES:
        assert (directory / name).read_text(encoding="utf-8") == "one\n"
        assert (directory / name).stat().st_mode & 0o777 == 0o755
    (directory / NAMES[0]).chmod(0o600)
    assert actions(install_hooks(str(directory), "one\n", check_mode=False)) == ["update"]
    assert actions(install_hooks(str(directory), "two\n", check_mode=False)) == ["update", "update"]
    assert actions(remove_hooks(str(directory), check_mode=True)) == ["delete", "delete"]
    assert actions(remove_hooks(str(directory), check_mode=False)) == ["delete", "delete"]
    assert remove_hooks(str(directory), check_mode=False) == []
    assert [path.name for path in directory.glob("*/*")] == []


def test_a_half_written_hook_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        install_hooks(str(tmp_path), "one\n", check_mode=False)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
