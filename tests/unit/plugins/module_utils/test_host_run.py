# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of host_system on a machine made of dictionaries: the prediction, the effect, the second run, drift, and every place to be cut."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Answer, HostError
from ansible_collections.frontdesk.platform.plugins.module_utils.host_run import Run, RunError, Settings, parse
from tests.fake_machine import Cut, Disk, FakeMachine, notes

KEY = "ssh-ed25519 AAAA anna@example.com"
DOCKER_JSON = "/etc/docker/daemon.json"
SSHD = "/etc/ssh/sshd_config.d/00.conf"
SERVICE = "/etc/systemd/system/filter.service"


def file(path: str, content: str | None = None, **more: Any) -> dict[str, Any]:
    given = {"path": path, "state": "file", "content": content, "owner": "root", "group": "root", "mode": None}
    return {**given, "validate": None, "restart": None, "reload": None, "guard": False, **more}


def package(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": "present", "version": None, "hold": None, "restart": None, **more}


def unit(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "enabled": None, "masked": None, "state": None, "defer": False, **more}


def user(name: str, **more: Any) -> dict[str, Any]:
    given = {"name": name, "state": "present", "comment": None, "shell": None, "groups": None}
    return {**given, "authorized_keys": None, "password_locked": None, **more}


def table(**more: Any) -> dict[str, Any]:
    given = {"family": "inet", "name": "own", "path": "/etc/own.nft", "rules": "chain input {\n\taccept\n}"}
    return {**given, "state": "present", "guard": True, **more}


def volume(**more: Any) -> dict[str, Any]:
    given = {"device": "/dev/disk/by-id/one", "path": "/srv/data", "filesystem": "ext4", "label": None, "options": None}
    return {**given, "owner": None, "group": None, "mode": None, **more}


WANTED: dict[str, Any] = {
    "apt_keys": [],
    "packages": [package("docker", hold=True, restart=["docker.service"])],
    "users": [user("anna", comment="Anna", groups=["docker"], authorized_keys=[KEY], password_locked=True)],
    "files": [
        file("/etc/apt/sources.list.d/x.sources", "Types: deb\n"),
        file("/etc/frontdesk", state="directory"),
        file(SERVICE, "[Unit]\n"),
        file(DOCKER_JSON, "{}\n", restart=["docker.service"]),
        file(SSHD, "PasswordAuthentication no\n", reload=["ssh.service"], guard=True),
    ],
    "tables": [table()],
    "sysctl": {"net.ipv4.ip_forward": 1},
    "sysctl_file": "/etc/sysctl.d/99.conf",
    "volumes": [volume()],
    "units": [
        unit("filter.service", enabled=True, state="started"),
        unit("nftables.service", masked=True),
        unit("docker.service", enabled=True, state="started", defer=True),
    ],
}


def bare_machine() -> FakeMachine:
    machine = FakeMachine()
    machine.archive = {"docker": "26.1"}
    machine.settings["/proc/sys/net/ipv4/ip_forward"] = "0\n"
    machine.disk("/dev/sdb", Disk(size=10 << 30), link="/dev/disk/by-id/one")
    machine.put("/etc/fstab", "# none\n")
    machine.put("/root/.ssh/authorized_keys", "ssh-ed25519 OLD\n", mode=0o600)
    machine.start("ssh.service")
    machine.units["nftables.service"] = copy.copy(machine.units["ssh.service"])
    machine.units["nftables.service"].running = False
    return machine


def run(
    machine: FakeMachine, wanted: dict[str, Any] | None = None, check: bool = False, rollback: int = 60
) -> dict[str, Any]:
    settings = Settings("/var/lib/frontdesk/host", rollback, check)
    return Run(machine, parse(wanted or WANTED), settings, lambda url: b"").converge()


def names(result: dict[str, Any]) -> list[str]:
    return [f"{item['action']} {item['kind']} {item['name']}" for item in result["changes"]]


@pytest.fixture
def machine() -> FakeMachine:
    machine = bare_machine()
    run(machine)
    machine.units["frontdesk-rollback.timer"].running = False  # confirmed
    machine.writes.clear()
    return machine


FROM_NOTHING = [
    "create file /etc/apt/sources.list.d/x.sources",
    "create package docker",
    "create user anna",
    "create authorized_keys anna",
    "create directory /etc/frontdesk",
    f"create file {SERVICE}",
    f"create file {DOCKER_JSON}",
    f"create file {SSHD}",
    "create file /etc/sysctl.d/99.conf",
    "create nftables inet own",
    "update sysctl net.ipv4.ip_forward",
    "create volume /srv/data",
    "update unit filter.service",
    "update unit nftables.service",
    "update unit docker.service",
    "update unit ssh.service",
]


def test_prediction_is_the_effect_and_check_mode_writes_nothing() -> None:
    machine = bare_machine()
    before = copy.deepcopy(machine.state())
    told = run(machine, check=True)
    assert (machine.writes, machine.state()) == ([], before)
    assert names(told) == FROM_NOTHING
    assert run(machine)["changes"] == told["changes"]


def test_a_second_run_writes_nothing(machine: FakeMachine) -> None:
    result = run(machine)
    assert (result["changes"], result["changed"], result["diff"], result["deferred"], machine.writes) == (
        [],
        False,
        [],
        [],
        [],
    )


def test_packages_come_without_their_services_and_these_start_with_their_files(machine: FakeMachine) -> None:
    assert machine.units["docker.service"].running
    assert machine.units["docker.service"].runs_with[DOCKER_JSON] == b"{}\n"
    assert machine.installed == {"docker": ("26.1", True)}
    assert machine.tables == {"inet own": "table inet own {\nchain input {\naccept\n}\n}\n"}
    assert machine.mounts == {"/srv/data": "/dev/sdb"}


def drift(machine: FakeMachine, what: str) -> None:
    """What somebody does by hand."""
    if what == "kernel setting":
        machine.settings["/proc/sys/net/ipv4/ip_forward"] = "0\n"
    elif what == "rule":
        machine.tables["inet own"] += "tcp dport 9999 accept\n"
    elif what == "file":
        machine.put(SSHD, "PasswordAuthentication yes\n")
    elif what == "permissions":
        machine.put(DOCKER_JSON, "{}\n", mode=0o666)
    elif what == "unit":
        machine.units["filter.service"].running = False
    elif what == "hold":
        machine.installed["docker"] = ("26.1", False)
    elif what == "key":
        machine.put("/home/anna/.ssh/authorized_keys", "ssh-rsa FOREIGN\n", owner="anna", mode=0o600)
    elif what == "unmounted":
        machine.mounts.clear()
    elif what == "masked":
        machine.units["nftables.service"].masked = False
    else:
        machine.disks["/dev/sdb"].size *= 2


DRIFTS = {
    "kernel setting": ["update sysctl net.ipv4.ip_forward"],
    "rule": ["update nftables inet own"],
    "file": [f"update file {SSHD}", "update unit ssh.service"],
    "permissions": [f"update file {DOCKER_JSON}"],
    "unit": ["update unit filter.service"],
    "hold": ["update package docker"],
    "key": ["update authorized_keys anna"],
    "unmounted": ["update volume /srv/data"],
    "masked": ["update unit nftables.service"],
    "grown": ["update volume /srv/data"],
}


@pytest.mark.parametrize("what", DRIFTS)
def test_drift_is_found_and_repaired_by_nothing_but_its_writes(machine: FakeMachine, what: str) -> None:
    good = copy.deepcopy(machine.state())
    drift(machine, what)
    told = run(machine, check=True)
    assert names(told) == DRIFTS[what]
    assert run(machine)["changes"] == told["changes"]
    assert machine.state() == good
    machine.units["frontdesk-rollback.timer"].running = False
    assert names(run(machine)) == []


CHANGED: dict[str, Any] = {
    **WANTED,
    "files": [
        *WANTED["files"][:3],
        file(DOCKER_JSON, '{"debug": true}\n', restart=["docker.service"]),
        file(SSHD, "PasswordAuthentication no\nMaxAuthTries 3\n", reload=["ssh.service"], guard=True),
    ],
    "tables": [table(rules="chain input {\n\tdrop\n}")],
    "units": [unit("filter.service", enabled=True, state="started"), unit("docker.service", state="started")],
}


@pytest.mark.parametrize("cut_at", range(45))
@pytest.mark.parametrize("start", ["bare", "changed"])
def test_a_run_that_is_cut_anywhere_is_finished_by_the_next(start: str, cut_at: int) -> None:
    """Nothing runs with an old file in the end, and the end is the same as without the cut."""
    machine, wanted = bare_machine(), WANTED
    if start == "changed":
        run(machine)
        wanted = CHANGED
    whole = copy.deepcopy(machine)
    run(whole, wanted)
    machine.writes.clear()
    machine.cut_at = cut_at
    try:
        run(machine, wanted)
    except Cut:
        machine.cut_at = None
        run(machine, wanted)
    assert machine.state() == whole.state()
    for name, path in (("docker.service", DOCKER_JSON), ("ssh.service", SSHD)):
        assert machine.units[name].runs_with[path] == machine.entries[path].content
    assert names(run(machine, wanted)) == []


def test_a_restart_that_is_left_to_the_caller_stays_due_until_somebody_does_it(machine: FakeMachine) -> None:
    wanted = {**WANTED, "files": [*WANTED["files"][:3], CHANGED["files"][3], WANTED["files"][4]]}
    for _again in range(2):
        result = run(machine, wanted)
        assert result["deferred"] == [{"unit": "docker.service", "reason": f"because of {DOCKER_JSON}"}]
        assert names(result)[-1] == "update unit docker.service"
    assert names(result) == ["update unit docker.service"]
    assert "systemctl restart docker.service" not in machine.writes
    machine.start("docker.service")
    result = run(machine, wanted)
    assert (result["changes"], result["deferred"]) == ([], [])


def test_a_new_version_of_a_package_restarts_its_unit_and_a_stopped_unit_takes_it_in_when_it_starts(
    machine: FakeMachine,
) -> None:
    wanted = {**WANTED, "packages": [package("docker", version="27.*", hold=True, restart=["docker.service"])]}
    assert names(run(machine, wanted)) == ["update package docker", "update unit docker.service"]
    machine.units["docker.service"].running, machine.units["docker.service"].invocation = False, ""
    result = run(machine, wanted)
    assert result["changes"][0]["after"] == {"state": "started"}
    assert result["deferred"] == []


def test_the_old_state_comes_back_unless_somebody_confirms() -> None:
    machine = bare_machine()
    run(machine)
    result = run(machine, CHANGED)
    assert result["rollback"] == {"timer": "frontdesk-rollback.timer", "seconds": 60}
    script = machine.text("/var/lib/frontdesk/host/rollback/back.sh")
    saved = "/var/lib/frontdesk/host/rollback"
    assert f"cp -a -- {saved}/0 {SSHD}" in script
    assert machine.text(f"{saved}/0") == "PasswordAuthentication no\n"
    assert f"cp -a -- {saved}/1 /etc/own.nft" in script
    assert machine.text(f"{saved}/2").endswith("table inet own {\nchain input {\naccept\n}\n}\n")
    assert script.endswith("systemctl try-reload-or-restart ssh.service\n")
    # A later run without changes tells of it again, as long as nobody has confirmed.
    assert run(machine, CHANGED)["rollback"]
    machine.units["frontdesk-rollback.timer"].running = False
    assert run(machine, CHANGED)["rollback"] is None


def test_what_was_not_there_is_removed_when_nobody_confirms() -> None:
    machine = bare_machine()
    run(machine)
    script = machine.text("/var/lib/frontdesk/host/rollback/back.sh")
    assert f"rm -f -- {SSHD}" in script
    assert "nft delete table inet own" in script


def test_without_a_way_back_nothing_is_changed() -> None:
    machine = bare_machine()
    machine.refusals["systemd-run"] = Answer(1, err="no bus")
    with pytest.raises(RunError, match="The way back cannot be prepared, so nothing was changed: no bus"):
        run(machine)
    assert machine.installed == {}
    assert SSHD not in machine.entries


def test_no_guard_when_it_is_switched_off() -> None:
    machine = bare_machine()
    assert run(machine, rollback=0)["rollback"] is None
    assert not any("systemd-run" in write for write in machine.writes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"tables": [table(rules="bogus")]},
            "The rules of the table inet own are not valid, and nothing was changed: line 5:2-6",
        ),
        ({"volumes": [volume(device="/dev/none")]}, "there is no device /dev/none; attach the volume"),
        ({"files": [file("/srv", "x")]}, "/srv is a directory, and a file is wanted there"),
        ({"files": [file("/srv", state="absent")]}, "The directory /srv is not removed, because it holds other"),
        (
            {"files": [file("/x", "y", validate=["nft", "-c", "%s"])]},
            "/x was not written, because nft refuses the new content: /x:1 bad",
        ),
    ],
    ids=["rules", "device", "directory", "full directory", "content"],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(change: dict[str, Any], said: str) -> None:
    machine = bare_machine()
    machine.directory("/srv")
    machine.put("/srv/other", "")

    def nft(arguments: list[str], *_rest: object) -> Answer:
        if "-c" in arguments:
            return Answer(1, err=f"{arguments[-1]}:1 bad\n")
        return FakeMachine._nft(machine, arguments)

    machine._nft = nft  # type: ignore[method-assign]
    with pytest.raises(HostError, match=r"^[^\n]*$") as caught:
        run(machine, {**WANTED, **change})
    assert said in str(caught.value)
    assert machine.writes == []


def test_a_write_that_fails_tells_what_was_done_before() -> None:
    machine = bare_machine()
    machine.settings["/proc/sys/net/ipv4/ip_forward"] = "read-only"
    with pytest.raises(RunError) as caught:
        run(machine)
    assert str(caught.value).startswith("The kernel does not take net.ipv4.ip_forward = 1: Permission denied; ")
    done = [f"{item.kind} {item.name}" for item in caught.value.changes]
    assert "package docker" in done
    assert "sysctl net.ipv4.ip_forward" not in done


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = bare_machine()

    def full(path: str, *_rest: object) -> None:
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(machine, "write", full)
    with pytest.raises(RunError, match=r"^/\S+: No space left on device\.$"):
        run(machine)


def test_all_faults_of_the_document_are_told_at_once() -> None:
    wanted = {
        **WANTED,
        "packages": [
            package("Docker"),
            package("x1", state="absent", version="1"),
            package("x2", state="latest", version="1"),
        ],
        "files": [
            file("relative", "x"),
            file("/a", None),
            file("/b", "x", mode="rw"),
            file("/c", "x"),
            file("/c", "x"),
        ],
        "units": [unit("docker"), unit("a.service", masked=True, state="started")],
        "users": [user("Anna"), user("root", state="absent"), user("bob", authorized_keys=["nokey"])],
        "tables": [table(name="a b"), table(name="e", rules=None)],
        "volumes": [volume(path="/srv/a b"), volume(label="x" * 13, path="/v"), volume(path="/w", mode="x")],
    }
    with pytest.raises(HostError) as caught:
        parse(wanted)
    said = str(caught.value)
    for part in (
        "package Docker: a package's name has",
        "package x1: a package that shall be absent",
        "package x2: give either",
        "file relative: its path has to be absolute",
        "file /a: a file needs content",
        "file /b: its mode rw is not octal",
        "file /c is listed twice",
        "unit docker: a unit's name ends",
        "unit a.service: a masked unit",
        "user Anna: a user's name",
        "user root: root cannot be removed",
        "user bob: each SSH key",
        "table a b: a table's name",
        "table e: a table needs rules",
        "volume /srv/a b: its path has to be",
        "volume /v: its label has more than 12",
        "volume /w: its mode x is not octal",
    ):
        assert part in said
    with pytest.raises(HostError, match="root without any SSH key could never be reached"):
        parse({**WANTED, "users": [user("root", authorized_keys=[])]})


def test_everything_can_be_taken_away(machine: FakeMachine) -> None:
    gone = {
        "files": [
            file(path, state="absent")
            for path in (SSHD, SERVICE, "/etc/frontdesk/hooks", "/etc/frontdesk", "/etc/never-there")
        ],
        "tables": [table(state="absent")],
        "users": [user("anna", state="absent"), user("never", state="absent")],
        "packages": [package("docker", state="absent")],
        "units": [unit("filter.service", enabled=False, state="stopped"), unit("nftables.service", masked=False)],
    }
    machine.directory("/etc/frontdesk/hooks")
    told = run(machine, gone, check=True)
    assert names(told) == [
        "delete package docker",
        "delete user anna",
        f"delete file {SSHD}",
        f"delete file {SERVICE}",
        "delete directory /etc/frontdesk/hooks",
        "delete directory /etc/frontdesk",
        "delete nftables inet own",
        "update unit filter.service",
        "update unit nftables.service",
    ]
    assert run(machine, gone)["changes"] == told["changes"]
    assert (machine.tables, machine.installed) == ({}, {})
    assert names(run(machine, gone)) == []


def test_texts_are_shown_as_a_diff(machine: FakeMachine) -> None:
    drift(machine, "rule")
    drift(machine, "file")
    drift(machine, "kernel setting")
    shown = run(machine, check=True)["diff"]
    assert [item["after_header"] for item in shown] == [
        SSHD,
        "table inet own",
        "sysctl net.ipv4.ip_forward",
        "unit ssh.service",
    ]
    assert (shown[0]["before"], shown[0]["after"]) == ("PasswordAuthentication yes\n", "PasswordAuthentication no\n")
    assert "tcp dport 9999 accept" in shown[1]["before"]
    assert "tcp dport 9999 accept" not in shown[1]["after"]
    assert (shown[2]["before"], shown[2]["after"]) == ({"value": "0"}, {"value": "1"})


def test_a_reboot_that_an_update_asks_for_is_told(machine: FakeMachine) -> None:
    assert run(machine)["reboot_required"] is False
    machine.put("/run/reboot-required", "")
    assert run(machine)["reboot_required"] is True


def test_a_damaged_note_costs_nothing(machine: FakeMachine) -> None:
    machine.put("/var/lib/frontdesk/host/pending.json", "{")
    assert names(run(machine)) == []
    drift(machine, "file")
    run(machine)
    assert notes(machine) == {}


def test_systemd_that_does_not_answer_is_one_sentence(machine: FakeMachine) -> None:
    machine.refusals["systemctl show"] = Answer(1, err="Failed to connect to bus")
    with pytest.raises(HostError, match="systemd cannot be asked for its units: Failed to connect to bus"):
        run(machine)


def test_a_unit_that_does_not_start_says_its_last_words(machine: FakeMachine) -> None:
    drift(machine, "unit")
    machine.refusals["systemctl start"] = Answer(1, err="Job for filter.service failed.\nSee journalctl.")
    with pytest.raises(RunError) as caught:
        run(machine)
    assert (
        str(caught.value)
        == "systemctl start filter.service failed: Job for filter.service failed. Its last words: it broke."
    )


def test_units_that_cannot_be_read_again_are_one_sentence(machine: FakeMachine) -> None:
    machine.put(SERVICE, "[Unit]\n# by hand\n")
    machine.refusals["systemctl daemon-reload"] = Answer(1, err="denied")
    with pytest.raises(RunError, match="systemd cannot read its units again: denied"):
        run(machine)


def test_a_secret_content_is_shown_nowhere() -> None:
    machine = FakeMachine()
    path, former, wanted = "/etc/app/keys.env", "KEY=former-word\n", "KEY=another-word\n"
    for content, before in ((former, None), (wanted, former)):
        predicted = run(machine, {"files": [file(path, secret=content, mode="0600")]}, check=True)
        result = run(machine, {"files": [file(path, secret=content, mode="0600")]})
        assert result["changes"] == predicted["changes"]
        assert machine.entries[path].content == content.encode()
        assert result["changes"][0]["after"]["content"] == "(not shown)"
        assert (result["changes"][0]["before"] is None) == (before is None)
        assert "-word" not in str(result)
        assert "sha256" not in str(result["changes"])
    assert not run(machine, {"files": [file(path, secret=wanted, mode="0600")]})["changed"]
    removed = run(machine, {"files": [file(path, state="absent", secret="")]})
    assert removed["changed"]
    assert "-word" not in str(removed)


def test_content_and_secret_exclude_each_other() -> None:
    with pytest.raises(HostError, match="content and secret exclude each other"):
        run(FakeMachine(), {"files": [file("/x", "a", secret="b")]})
