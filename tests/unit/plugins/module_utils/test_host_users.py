# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and their SSH keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import host_users
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Answer, Entry, HostError
from ansible_collections.frontdesk.platform.plugins.module_utils.host_users import (
    UserSpec,
    keys_content,
    parse_accounts,
)
from tests.fake_machine import FakeMachine

KEY = "ssh-ed25519 AAAA anna@example.com"
ANNA = UserSpec("anna", comment="Anna", shell="/bin/sh", groups=("docker", "sudo"), keys=(KEY,), password_locked=True)


def apply(machine: FakeMachine, *specs: UserSpec) -> list[Any]:
    steps = host_users.plan(machine, list(specs))
    for step in steps:
        step.write()
    return [(change.action, change.kind, change.before, change.after) for step in steps for change in step.changes]


@pytest.fixture
def machine() -> FakeMachine:
    machine = FakeMachine()
    apply(machine, ANNA)
    return machine


def test_a_new_account_has_groups_keys_and_no_password(machine: FakeMachine) -> None:
    (anna,) = host_users.read(machine, ["anna"]).values()
    assert (anna.shell, anna.comment, anna.groups, anna.locked) == ("/bin/sh", "Anna", {"docker", "sudo"}, True)
    assert anna.keys == Entry("file", "anna", "anna", 0o600, keys_content([KEY]))
    assert anna.folder == Entry("directory", "anna", "anna", 0o700)
    assert apply(machine, ANNA) == []


def test_fields_that_differ_are_changed_and_the_others_left(machine: FakeMachine) -> None:
    changed = replace(ANNA, groups=("docker",), shell=None, comment=None)
    assert apply(machine, changed) == [("update", "user", {"groups": ["docker", "sudo"]}, {"groups": ["docker"]})]
    assert apply(machine, replace(ANNA, groups=())) == [("update", "user", {"groups": ["docker"]}, {"groups": []})]


def test_a_password_set_by_hand_is_locked_again(machine: FakeMachine) -> None:
    machine.put("/etc/shadow", "root:*:1::::::\nanna:$y$secret:1::::::\n")
    assert apply(machine, ANNA) == [("update", "user", {"password_locked": False}, {"password_locked": True})]
    assert any("--lock" in write for write in machine.writes)


def test_foreign_keys_are_removed_and_loose_permissions_mended(machine: FakeMachine) -> None:
    path = "/home/anna/.ssh/authorized_keys"
    machine.put(path, f"{KEY}\n# comment\n\nssh-rsa FOREIGN\n", owner="anna", mode=0o600)
    assert apply(machine, ANNA) == [("update", "authorized_keys", {"keys": 2}, {"keys": 1})]
    machine.put(path, keys_content([KEY]).decode(), owner="anna", mode=0o666)
    assert len(apply(machine, ANNA)) == 1
    assert machine.entries[path].mode == 0o600


@pytest.mark.parametrize("where", ["/home/anna/.ssh", "/home/anna/.ssh/authorized_keys"])
def test_a_link_in_the_way_is_not_followed(machine: FakeMachine, where: str) -> None:
    machine.entries[where] = Entry("link", "anna", "anna", 0o777)
    with pytest.raises(HostError, match=f"{where} is a link, which is not followed"):
        apply(machine, ANNA)


def test_keys_of_an_account_that_is_there_are_guarded(machine: FakeMachine) -> None:
    machine.put("/root/.ssh/authorized_keys", "ssh-rsa OLD\n", mode=0o600)
    machine.directory("/root/.ssh", 0o700)
    (step,) = host_users.plan(machine, [UserSpec("root", keys=(KEY,))])
    assert [item.path for item in step.guarded] == ["/root/.ssh/authorized_keys"]
    (created, keys) = host_users.plan(machine, [UserSpec("bob", keys=(KEY,))])
    assert (created.guarded, keys.guarded) == ((), ())


def test_unset_fields_are_not_touched(machine: FakeMachine) -> None:
    assert apply(machine, UserSpec("anna"), UserSpec("root")) == []


def test_a_program_that_fails_is_one_sentence(machine: FakeMachine) -> None:
    machine.refusals["useradd"] = Answer(6, err="useradd: group 'x' does not exist")
    with pytest.raises(HostError, match="The account bob cannot be changed: useradd: group 'x' does not exist"):
        apply(machine, UserSpec("bob", groups=("x",)))


def test_accounts_are_parsed() -> None:
    passwd = "anna:x:1000:1001:Anna,Room 5:/home/anna:/bin/bash\nbroken\n"
    found = parse_accounts(passwd, "staff:x:1001:\nsudo:x:27:bob,anna\n", "anna:!$y$:1::::::\n")
    assert found == {
        "anna": {
            "comment": "Anna",
            "group": "staff",
            "home": "/home/anna",
            "shell": "/bin/bash",
            "groups": frozenset({"sudo"}),
            "locked": True,
        }
    }
