# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: formatted once, never again; refused when they hold something else; grown in place."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import host_volumes
from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import Answer, Entry, HostError
from ansible_collections.frontdesk.platform.plugins.module_utils.host_volumes import (
    VolumeSpec,
    filesystem_bytes,
    from_options,
    parse_mounts,
    updated_fstab,
)
from tests.fake_machine import Disk, FakeMachine

GIB = 1 << 30
LINE = "/dev/disk/by-id/one /srv/data ext4 defaults,nofail,x-systemd.device-timeout=30s 0 2"


def spec(**changes: Any) -> VolumeSpec:
    given = {"device": "/dev/disk/by-id/one", "path": "/srv/data", "filesystem": "ext4", "label": None, "options": None}
    return from_options({**given, "owner": None, "group": None, "mode": None, **changes})


@pytest.fixture
def machine() -> FakeMachine:
    machine = FakeMachine()
    machine.put("/etc/fstab", "UUID=1 / ext4 defaults 0 1\n# /srv/data is for data\n")
    machine.disk("/dev/sdb", Disk(10 * GIB), link="/dev/disk/by-id/one")
    return machine


def apply(machine: FakeMachine, *specs: VolumeSpec) -> list[dict[str, Any]]:
    steps = host_volumes.plan(machine, specs)
    for step in steps:
        step.write()
    return [change.as_result() for step in steps for change in step.changes]


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_a_blank_volume_is_formatted_once_mounted_and_owned(machine: FakeMachine, filesystem: str) -> None:
    wanted = spec(filesystem=filesystem, owner="999", group="999", mode="0700")
    (change,) = apply(machine, wanted)
    assert (change["action"], change["kind"], change["name"], change["before"]) == (
        "create",
        "volume",
        "/srv/data",
        None,
    )
    assert change["after"]["filesystem"] == filesystem
    assert (machine.disks["/dev/sdb"].kind, machine.disks["/dev/sdb"].label) == (filesystem, "data")
    assert machine.mounts == {"/srv/data": "/dev/sdb"}
    assert machine.entries["/srv/data"] == Entry("directory", "postgres", "postgres", 0o700)
    machine.writes.clear()
    assert apply(machine, wanted) == []
    assert machine.writes == []


@pytest.mark.parametrize("filesystem", ["ext4", "xfs"])
def test_it_grows_with_its_device_and_is_not_formatted_again(machine: FakeMachine, filesystem: str) -> None:
    apply(machine, spec(filesystem=filesystem))
    machine.disks["/dev/sdb"].size = 20 * GIB
    machine.writes.clear()
    (change,) = apply(machine, spec(filesystem=filesystem))
    assert (change["before"], change["after"]) == ({"bytes": 10 * GIB}, {"bytes": 20 * GIB})
    assert not any("mkfs" in write for write in machine.writes)
    assert apply(machine, spec(filesystem=filesystem)) == []


def test_a_rest_too_small_for_a_group_of_blocks_is_left(machine: FakeMachine) -> None:
    apply(machine, spec())
    machine.disks["/dev/sdb"].size += 32 * 1024 * 1024
    assert apply(machine, spec()) == []


def test_where_a_mounted_ext4_cannot_grow_it_is_unmounted_for_it(machine: FakeMachine) -> None:
    apply(machine, spec())
    machine.disks["/dev/sdb"].size = 20 * GIB
    grow = machine._resize2fs

    def resize2fs(arguments: list[str], *rest: object) -> Answer:
        if machine.mounts:
            return Answer(1, err="resize2fs: Permission denied to resize filesystem")
        return grow(arguments, *rest)

    machine._resize2fs = resize2fs  # type: ignore[method-assign]
    apply(machine, spec())
    assert (machine.disks["/dev/sdb"].used, machine.mounts) == (20 * GIB, {"/srv/data": "/dev/sdb"})
    machine.disks["/dev/sdb"].size = 30 * GIB
    machine.refusals["umount"] = Answer(32, err="umount: /srv/data: target is busy.")
    with pytest.raises(HostError, match=r"cannot be grown: its kernel refuses it .* target is busy"):
        apply(machine, spec())
    machine.refusals = {"resize2fs": Answer(1, err="resize2fs: out of luck")}
    with pytest.raises(HostError, match="cannot be grown: resize2fs: out of luck"):
        apply(machine, spec())


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (Disk(GIB, kind="xfs"), "holds a file system of type xfs, wanted is ext4; it is not formatted anew"),
        (Disk(GIB, kind="LVM2_member"), "holds a file system of type LVM2_member"),
        (Disk(GIB, kind="swap"), "holds a file system of type swap"),
        (
            Disk(GIB, kind="ext4", label="other", used=GIB),
            "carries the label other, wanted is data; it may belong elsewhere",
        ),
        (Disk(GIB, partitions="gpt"), r"holds a partition table \(gpt\), gpt and is not formatted"),
    ],
    ids=["other type", "lvm", "swap", "label", "partitions"],
)
def test_what_holds_something_else_is_refused(machine: FakeMachine, disk: Disk, said: str) -> None:
    machine.disks["/dev/sdb"] = disk
    with pytest.raises(HostError, match=f"^The volume for /srv/data: /dev/disk/by-id/one {said}[^\n]*\\.$"):
        host_volumes.plan(machine, [spec()])
    assert machine.writes == []


def test_a_signature_that_only_one_program_sees_is_enough_to_refuse(machine: FakeMachine) -> None:
    machine.refusals["wipefs"] = Answer(0, "linux_raid_member\n")
    with pytest.raises(HostError, match="holds linux_raid_member and is not formatted"):
        host_volumes.plan(machine, [spec()])


@pytest.mark.parametrize("label", ["data", ""])
def test_an_old_file_system_with_the_right_label_or_none_is_taken_over(machine: FakeMachine, label: str) -> None:
    machine.disks["/dev/sdb"] = Disk(GIB, kind="ext4", label=label, used=GIB)
    (change,) = apply(machine, spec())
    assert (change["action"], change["after"]) == ("update", {"mounted": True, "fstab": LINE})
    assert machine.disks["/dev/sdb"].label == label


@pytest.mark.parametrize(
    ("program", "answer", "said"),
    [
        (
            "blkid",
            Answer(8, err="ambivalent result"),
            "blkid cannot tell what /dev/disk/by-id/one holds: ambivalent result",
        ),
        ("wipefs", Answer(1, err="input/output error"), "wipefs cannot read /dev/disk/by-id/one: input/output error"),
        ("mkfs.ext4", Answer(1, err="device is busy"), "cannot be formatted: device is busy"),
        ("mount", Answer(32, err="wrong fs type"), "cannot be mounted: wrong fs type"),
    ],
)
def test_a_program_that_fails_is_one_sentence(machine: FakeMachine, program: str, answer: Answer, said: str) -> None:
    machine.refusals[program] = answer
    with pytest.raises(HostError, match=said):
        apply(machine, spec())


def test_what_is_no_block_device_is_refused(machine: FakeMachine) -> None:
    machine.put("/dev/sdb", "")
    with pytest.raises(HostError, match="/dev/disk/by-id/one is no block device"):
        host_volumes.plan(machine, [spec()])


def test_nothing_is_hidden_by_a_mount(machine: FakeMachine) -> None:
    machine.directory("/srv/data")
    machine.put("/srv/data/important", "")
    with pytest.raises(HostError, match=r"the directory is not empty \(important\), and mounting would hide"):
        host_volumes.plan(machine, [spec()])
    machine.entries = {path: entry for path, entry in machine.entries.items() if not path.startswith("/srv")}
    machine.put("/srv/data", "")
    with pytest.raises(HostError, match="there is a file at this path"):
        host_volumes.plan(machine, [spec()])


def test_a_volume_that_is_mounted_elsewhere_is_refused(machine: FakeMachine) -> None:
    machine.disks["/dev/sdb"] = Disk(GIB, kind="ext4", used=GIB)
    machine.mounts["/mnt"] = "/dev/sdb"
    with pytest.raises(HostError, match="is mounted at /mnt; unmount it first"):
        host_volumes.plan(machine, [spec()])


def test_nobody_writes_by_accident_where_nothing_is_mounted(machine: FakeMachine) -> None:
    machine.refusals["mount"] = Answer(32, err="no")
    with pytest.raises(HostError):
        apply(machine, spec())
    assert machine.entries["/srv/data"].mode == 0


def test_fstab_keeps_what_is_not_ours() -> None:
    before = "UUID=1 / ext4 defaults 0 1\n/dev/disk/by-id/one /old ext4 defaults 0 0\n# /srv/data\n/dev/sdz /srv/data xfs defaults 0 0\n\n"
    after = updated_fstab(before, spec())
    assert after == f"UUID=1 / ext4 defaults 0 1\n{LINE}\n# /srv/data\n\n"
    assert updated_fstab(after, spec()) == after
    assert updated_fstab("", spec()) == f"{LINE}\n"


def test_options_always_let_a_server_boot_without_the_volume() -> None:
    assert (
        spec(options="noatime,nofail,x-systemd.device-timeout=5s").options
        == "noatime,nofail,x-systemd.device-timeout=5s"
    )
    assert spec(options="noatime").options == "noatime,nofail,x-systemd.device-timeout=30s"


def test_mounts_are_read_with_blanks_in_their_names() -> None:
    text = "36 35 98:0 / /srv/my\\040data rw,noatime master:1 - ext4 /dev/sdb rw\n37 35 0:5 / /dev rw - devtmpfs udev rw\nnonsense\n"
    assert parse_mounts(text) == [("/dev/sdb", "/srv/my data"), ("udev", "/dev")]


def test_sizes_that_are_not_understood_are_unknown() -> None:
    assert filesystem_bytes("ext4", "Block count:  256\nBlock size:  4096\n") == 1 << 20
    xfs = "meta-data=/dev/x isize=512 agcount=4, agsize=4 blks\ndata     =    bsize=4096   blocks=16, imaxpct=25\nlog      =internal bsize=4096 blocks=9\n"
    assert filesystem_bytes("xfs", xfs) == 1 << 16
    assert filesystem_bytes("xfs", "") is None
