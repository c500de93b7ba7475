# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What touches the machine, on this one: programs, files below a temporary folder."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import (
    Answer,
    Entry,
    HostError,
    Machine,
    octal,
)

ME = pwd.getpwuid(os.getuid()).pw_name
MINE = grp.getgrgid(os.getgid()).gr_name


def real_machine() -> Machine:
    """This machine, with the run_command that modules have."""
    with patch_module_args({}):
        return Machine(AnsibleModule(argument_spec={}).run_command)


MACHINE = real_machine()


def test_programs_get_text_and_answer_in_english(tmp_path: Path) -> None:
    answer = MACHINE.run(
        ["sh", "-c", "cat; echo $LC_ALL $MORE; echo bad >&2; exit 3"], text="in\n", environment={"MORE": "x"}
    )
    assert answer == Answer(3, "in\nC.UTF-8 x\n", "bad\n")
    assert MACHINE.run(["no-such-program"]) == Answer(127, "", "no-such-program: not found")
    assert (MACHINE.has_program("sh"), MACHINE.has_program("no-such-program")) == (True, False)


def test_reasons_are_one_line() -> None:
    assert Answer(1, "out", "a\n\nb\nc\nd\n").reason() == "a; b; c"
    assert Answer(1, "out\n").reason() == "out"
    assert Answer(9).reason() == "exit code 9"


def test_files_are_written_whole_with_their_attributes(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    assert MACHINE.look(path) is None
    MACHINE.write(path, b"one", ME, MINE, 0o640)
    assert MACHINE.look(path) == Entry("file", ME, MINE, 0o640, b"one")
    MACHINE.write(path, b"two", str(os.getuid()), str(os.getgid()), 0o600)
    assert MACHINE.look(path) == Entry("file", ME, MINE, 0o600, b"two")
    assert MACHINE.children(str(tmp_path)) == ["a"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    MACHINE.write(path, b"one", ME, MINE, 0o640)
    with pytest.raises(HostError, match="There is no user nobody-here on this machine"):
        MACHINE.write(path, b"two", "nobody-here", MINE, 0o640)
    with pytest.raises(HostError, match="There is no group nobody-here on this machine"):
        MACHINE.write(path, b"two", ME, "nobody-here", 0o640)
    assert MACHINE.children(str(tmp_path)) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"one"


def test_kinds_of_entries(tmp_path: Path) -> None:
    MACHINE.make_directory(str(tmp_path / "d/e"), ME, MINE, 0o750)
    (tmp_path / "l").symlink_to("d")
    os.mkfifo(tmp_path / "p")
    kinds = {name: entry.kind for name in ("d/e", "l", "p") if (entry := MACHINE.look(str(tmp_path / name)))}
    assert kinds == {"d/e": "directory", "l": "link", "p": "other"}
    assert MACHINE.look(str(tmp_path / "d/e")) == Entry("directory", ME, MINE, 0o750)
    assert MACHINE.look(str(tmp_path / "p/x")) is None
    assert MACHINE.children(str(tmp_path / "p")) == []
    assert MACHINE.resolve(str(tmp_path / "l")) == str((tmp_path / "d").resolve())
    for name in ("l", "p", "d/e", "d"):
        MACHINE.remove(str(tmp_path / name))
    assert MACHINE.children(str(tmp_path)) == []


def test_names_and_numbers_of_users_are_the_same() -> None:
    assert (MACHINE.user_name("0"), MACHINE.user_name("root"), MACHINE.group_name("0")) == ("root", "root", "root")
    assert (MACHINE.user_name("4000000"), MACHINE.group_name("4000000")) == ("4000000", "4000000")


def test_kernel_settings_are_files(tmp_path: Path) -> None:
    path = str(tmp_path / "setting")
    assert MACHINE.read_setting(path) is None
    MACHINE.write_setting(path, "1")
    assert MACHINE.read_setting(path) == "1"


def test_permissions_are_octal() -> None:
    assert octal("0640") == 0o640
    with pytest.raises(ValueError, match="its mode 8 is not octal, like 0644"):
        octal("8")
