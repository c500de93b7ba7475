# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine is asked to make for a volume, and how its device is found again."""

from __future__ import annotations

from labcloud.docker_volumes import file_of, helper_body, parse_devices


def test_the_helper_may_touch_loop_devices_and_no_others():
    body = helper_body("services:1", {"frontdesk.lab": "true"}, ("script", "sh", "a"), 42)
    host = body["HostConfig"]
    assert host["DeviceCgroupRules"] == ["b 7:* rwm", "c 10:237 rwm"]
    assert host["CapAdd"] == ["SYS_ADMIN"]
    assert host["NetworkMode"] == "none"
    assert host["Mounts"] == [{"Type": "volume", "Source": "frontdesk-lab-volume-42", "Target": "/volume"}]
    assert "Privileged" not in host
    assert body["Cmd"] == ["sh", "-c", "script", "sh", "a"]


def test_a_release_needs_no_file():
    assert helper_body("services:1", {}, ("script",), None)["HostConfig"]["Mounts"] == []


def test_devices_are_known_by_their_file_and_strangers_are_left_alone():
    # The kernel writes a file's path as its own container sees it, and says so when it is gone.
    files = {
        "loop0": "/srv/image.iso\n",
        "loop3": f"{file_of(42)}\n",
        "loop10": "/frontdesk-lab-volume-43.img (deleted)\n",
        "loop11": "/frontdesk-lab-volume-43.img\n",
        "loop12": "/frontdesk-lab-volume-x.img\n",
    }
    assert parse_devices(files) == {42: [3], 43: [10, 11]}
