# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages: one call of apt-get, waiting for locks, finishing what was cut, removing nothing unasked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Answer, HostError
from ansible_collections.frontdesk.platform.plugins.module_utils.host_packages import (
    Packages,
    PackageSpec,
    PackageState,
    differing,
    parse_candidates,
    parse_installed,
)
from tests.fake_machine import FakeMachine


@pytest.fixture
def machine() -> FakeMachine:
    machine = FakeMachine()
    machine.archive = {"a": "1", "b": "1", "ce": "5:28.5"}
    return machine


def apply(machine: FakeMachine, *specs: PackageSpec, **more: Any) -> list[str]:
    pauses: list[float] = more.setdefault("pauses", [])
    steps = Packages(machine, specs, pauses.append).plan(refresh=True)
    for step in steps:
        step.write()
    return [f"{change.action} {change.name}" for step in steps for change in step.changes]


def test_all_that_differs_is_installed_by_one_call(machine: FakeMachine) -> None:
    assert apply(machine, PackageSpec("a"), PackageSpec("b", hold=True)) == ["create a", "create b"]
    assert [write for write in machine.writes if "install" in write] == ["apt-get install a b"]
    assert machine.installed == {"a": ("1", False), "b": ("1", True)}
    assert apply(machine, PackageSpec("a"), PackageSpec("b", hold=False)) == ["update b"]
    assert machine.writes[-1] == "apt-mark unhold b"


def test_a_version_is_reached_and_kept(machine: FakeMachine) -> None:
    machine.installed["ce"] = ("5:27.1", True)
    assert apply(machine, PackageSpec("ce", version="5:28.*", hold=True)) == ["update ce"]
    assert "apt-get install ce=5:28.*" in machine.writes
    assert apply(machine, PackageSpec("ce", version="5:28.*", hold=True)) == []


def test_latest_looks_for_newer_versions_and_check_mode_does_not_fetch_them(machine: FakeMachine) -> None:
    machine.installed["a"] = ("0", False)
    assert apply(machine, PackageSpec("a", state="latest")) == ["update a"]
    assert machine.writes[0] == "apt-get update"
    machine.writes.clear()
    assert Packages(machine, [PackageSpec("a", state="latest")]).plan(refresh=False) == []
    assert machine.writes == []


def test_missing_lists_are_fetched(machine: FakeMachine) -> None:
    machine.lists = set()
    assert apply(machine, PackageSpec("a")) == ["create a"]
    assert machine.writes == ["apt-get update", "apt-get install a"]


def test_new_sources_are_read_before_anything_is_installed(machine: FakeMachine) -> None:
    packages = Packages(machine, [PackageSpec("a")])
    packages.sources_changed = True
    packages.plan(refresh=False)[0].write()
    assert machine.writes == ["apt-get update", "apt-get install a"]


def test_lists_older_than_the_mirror_are_fetched_again(machine: FakeMachine) -> None:
    install, answers = machine._apt_get, [Answer(100, err="E: Failed to fetch http://x 404  Not Found\n")]

    def apt_get(arguments: list[str], *rest: Any) -> Answer:
        return (
            answers.pop() if "install" in arguments and "-s" not in arguments and answers else install(arguments, *rest)
        )

    machine._apt_get = apt_get  # type: ignore[method-assign]
    apply(machine, PackageSpec("a"))
    assert machine.writes == ["apt-get update", "apt-get install a"]


def test_what_is_nowhere_is_one_sentence(machine: FakeMachine) -> None:
    with pytest.raises(HostError, match=r"^nowhere cannot be installed: Unable to locate package nowhere\.$"):
        apply(machine, PackageSpec("nowhere"))


def test_a_lock_is_waited_for(machine: FakeMachine) -> None:
    install, pauses = machine._apt_get, [0.0]

    def apt_get(arguments: list[str], *rest: Any) -> Answer:
        if len(pauses) < 4:
            return Answer(100, err="E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1\n")
        return install(arguments, *rest)

    machine._apt_get = apt_get  # type: ignore[method-assign]
    apply(machine, PackageSpec("a"), pauses=pauses)
    assert pauses == [0.0, 3, 3, 3]
    assert "a" in machine.installed


def test_a_lock_is_not_waited_for_without_end(machine: FakeMachine) -> None:
    machine.refusals["apt-get"] = Answer(100, err="E: Unable to lock directory /var/lib/apt/lists/\n")
    pauses: list[float] = []
    with pytest.raises(HostError, match="Unable to lock directory"):
        apply(machine, PackageSpec("a"), pauses=pauses)
    assert sum(pauses) == 600


def test_an_installation_that_was_cut_is_finished_first(machine: FakeMachine) -> None:
    machine.refusals["apt-get"] = Answer(
        100, err="E: dpkg was interrupted, you must manually run 'dpkg --configure -a'\n"
    )
    apply(machine, PackageSpec("a"))
    assert "a" in machine.installed
    assert any(run[0] == "dpkg" for run in machine.runs)


def test_nothing_is_removed_unasked(machine: FakeMachine) -> None:
    machine.installed = {"docker.io": ("26", True), "runc": ("1", False)}
    machine.removes["ce"] = ["docker.io", "runc"]
    with pytest.raises(
        HostError,
        match=r"ce would remove docker\.io, runc; nothing was installed\. List what may go with state absent.",
    ):
        apply(machine, PackageSpec("ce"))
    assert "apt-get install ce" not in machine.writes
    gone = [PackageSpec(name, state="absent") for name in ("docker.io", "runc", "never")]
    assert apply(machine, PackageSpec("ce"), *gone) == ["create ce", "delete docker.io", "delete runc"]
    assert list(machine.installed) == ["ce"]


def test_programs_that_fail_are_one_sentence(machine: FakeMachine) -> None:
    machine.refusals["dpkg-query"] = Answer(2, err="dpkg-query: error: no database")
    with pytest.raises(HostError, match="The installed packages cannot be read: dpkg-query: error: no database"):
        apply(machine, PackageSpec("a"))
    machine.refusals = {"apt-mark": Answer(1, err="E: no")}
    with pytest.raises(HostError, match="a cannot be put on hold: no"):
        apply(machine, PackageSpec("a", hold=True))


def test_only_complete_installations_count() -> None:
    text = "a\tii \t1\nb\thi \t2\nc\trc \t3\nd\tiU \t4\ne\tun \t\n"
    assert parse_installed(text) == {"a": PackageState("1"), "b": PackageState("2", hold=True)}


def test_candidates_are_read() -> None:
    text = "a:\n  Installed: 1\n  Candidate: 2\n  Version table:\n     2 500\nb:\n  Candidate: (none)\n"
    assert parse_candidates(text) == {"a": "2"}


@pytest.mark.parametrize(
    ("spec", "live", "expected"),
    [
        (PackageSpec("a"), None, (None, {"version": "the newest"})),
        (PackageSpec("a", version="1", hold=True), None, (None, {"version": "1", "hold": True})),
        (PackageSpec("a"), PackageState("1"), None),
        (PackageSpec("a", version="1.*"), PackageState("1.9"), None),
        (PackageSpec("a", version="1.*"), PackageState("2.9"), ({"version": "2.9"}, {"version": "1.*"})),
        (PackageSpec("a", hold=False), PackageState("1", hold=True), ({"hold": True}, {"hold": False})),
        (PackageSpec("a", state="absent"), PackageState("1"), ({"version": "1"}, None)),
        (PackageSpec("a", state="absent"), None, None),
    ],
)
def test_what_differs(spec: PackageSpec, live: PackageState | None, expected: object) -> None:
    assert differing(spec, live, None) == expected
