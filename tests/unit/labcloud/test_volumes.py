# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes over HTTP: who has one, what can be done to it when, and what the real side is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labcloud.volumes import VolumeSpec
from tests.lab_cloud import LabCloud, running_lab_cloud
from tests.unit.labcloud.lab_helpers import ORDER, RememberingMachines, make, refusal, server

VOLUME = {"name": "data", "size": 10, "location": "fsn1"}


@pytest.fixture
def machines() -> RememberingMachines:
    return RememberingMachines()


@pytest.fixture
def real_lab(tmp_path: Path, machines: RememberingMachines) -> Iterator[LabCloud]:
    with running_lab_cloud(tmp_path, machines, machines="docker") as lab:
        yield lab


def _volume(lab: LabCloud, volume_id: int) -> dict[str, Any]:
    found: dict[str, Any] = lab.api("GET", f"/volumes/{volume_id}")[1]["volume"]
    return found


def _act(lab: LabCloud, volume_id: int, action: str, body: Any = None) -> dict[str, Any]:
    status, answer = lab.api("POST", f"/volumes/{volume_id}/actions/{action}", body)
    assert status == 201, answer
    lab.idle()
    found: dict[str, Any] = lab.api("GET", f"/actions/{answer['action']['id']}")[1]["action"]
    return found


def test_a_new_volume_is_creating_and_locked(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, action_seconds=60) as lab:
        _status, answer = lab.api("POST", "/volumes", VOLUME)
        volume = answer["volume"]
        assert (volume["status"], answer["next_actions"]) == ("creating", [])
        assert volume["linux_device"] == f"/dev/disk/by-id/scsi-0HC_Volume_{volume['id']}"
        assert refusal(lab, "POST", f"/volumes/{volume['id']}/actions/resize", {"size": 11}) == (423, "locked")
        assert lab.api("GET", "/volumes?status=creating")[1]["volumes"]
        assert lab.api("GET", "/volumes?status=available")[1]["volumes"] == []


def test_a_server_has_it_when_the_action_is_done(tmp_path: Path) -> None:
    with running_lab_cloud(tmp_path, action_seconds=1.0) as lab:
        node, volume = make(lab, "/servers", ORDER), make(lab, "/volumes", VOLUME)
        path = f"/volumes/{volume['id']}/actions/attach"
        _status, answer = lab.api("POST", path, {"server": node["id"]})
        assert answer["action"]["resources"] == [
            {"id": node["id"], "type": "server"},
            {"id": volume["id"], "type": "volume"},
        ]
        assert (_volume(lab, volume["id"])["server"], server(lab, node["id"])["volumes"]) == (None, [])
        # As at the vendor: a server takes one volume after the other.
        other = {**VOLUME, "name": "other"}
        assert refusal(lab, "POST", "/volumes", {**other, "server": node["id"]}) == (422, "invalid_input")
        del other["location"]
        assert refusal(lab, "POST", "/volumes", {**other, "server": node["id"]}) == (423, "locked")
        lab.idle()
        assert (_volume(lab, volume["id"])["server"], _volume(lab, volume["id"])["status"]) == (node["id"], "available")
        assert server(lab, node["id"])["volumes"] == [volume["id"]]
        _act(lab, volume["id"], "detach")
        assert (_volume(lab, volume["id"])["server"], server(lab, node["id"])["volumes"]) == (None, [])


def test_the_location_binds(lab: LabCloud) -> None:
    node = make(lab, "/servers", {**ORDER, "location": "nbg1"})
    volume = make(lab, "/volumes", VOLUME)
    path = f"/volumes/{volume['id']}/actions/attach"
    assert refusal(lab, "POST", path, {"server": node["id"]}) == (422, "invalid_input")
    created = make(lab, "/volumes", {"name": "near", "size": 10, "server": node["id"]})
    assert _volume(lab, created["id"])["location"]["name"] == "nbg1"
    order = {**ORDER, "name": "far", "location": "hel1", "volumes": [volume["id"]]}
    assert refusal(lab, "POST", "/servers", order) == (422, "invalid_input")


def test_a_server_can_be_ordered_with_volumes(lab: LabCloud) -> None:
    volumes = [make(lab, "/volumes", {**VOLUME, "name": name})["id"] for name in ("a", "b")]
    _status, answer = lab.api("POST", "/servers", {**ORDER, "volumes": volumes, "automount": False})
    commands = [action["command"] for action in answer["next_actions"]]
    assert commands == ["attach_volume", "attach_volume", "start_server"]
    lab.idle()
    assert server(lab, answer["server"]["id"])["volumes"] == volumes


def test_it_grows_and_never_shrinks(lab: LabCloud) -> None:
    volume = make(lab, "/volumes", VOLUME)
    path = f"/volumes/{volume['id']}/actions/resize"
    for size in (9, 10, 10241):
        assert refusal(lab, "POST", path, {"size": size}) == (422, "invalid_input")
    _act(lab, volume["id"], "resize", {"size": 12})
    assert _volume(lab, volume["id"])["size"] == 12


def test_deletion_waits_for_nobody_and_spares_what_is_in_use(lab: LabCloud) -> None:
    node = make(lab, "/servers", ORDER)
    volume = make(lab, "/volumes", {"name": "data", "size": 10, "server": node["id"]})
    status, answer = lab.api("DELETE", f"/volumes/{volume['id']}")
    assert (status, answer["error"]["code"]) == (422, "service_error")
    assert answer["error"]["message"] == f"volume with ID '{volume['id']}' is still attached to a server"
    lab.api("DELETE", f"/servers/{node['id']}")
    lab.idle()
    assert _volume(lab, volume["id"])["server"] is None
    _act(lab, volume["id"], "change_protection", {"delete": True})
    assert refusal(lab, "DELETE", f"/volumes/{volume['id']}") == (423, "protected")
    _act(lab, volume["id"], "change_protection", {"delete": False})
    assert lab.api("DELETE", f"/volumes/{volume['id']}")[0] == 204
    assert refusal(lab, "GET", f"/volumes/{volume['id']}") == (404, "not_found")


@pytest.mark.parametrize("name", ["", "-a", "a b", "x" * 65, "a/b"])
def test_names_that_are_none(lab: LabCloud, name: str) -> None:
    assert refusal(lab, "POST", "/volumes", {**VOLUME, "name": name}) == (422, "invalid_input")


def test_at_most_sixteen_at_a_server(lab: LabCloud) -> None:
    volumes = [make(lab, "/volumes", {**VOLUME, "name": f"v{number}"})["id"] for number in range(17)]
    assert refusal(lab, "POST", "/servers", {**ORDER, "volumes": volumes}) == (422, "invalid_input")
    node = make(lab, "/servers", {**ORDER, "volumes": volumes[:16]})
    path = f"/volumes/{volumes[16]}/actions/attach"
    assert refusal(lab, "POST", path, {"server": node["id"]}) == (403, "resource_limit_exceeded")


def test_the_real_side_is_told_everything(real_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = real_lab
    node = make(lab, "/servers", ORDER)
    volume = make(lab, "/volumes", {"name": "data", "size": 10, "server": node["id"], "format": "ext4"})
    assert ("create_volume", VolumeSpec(volume["id"], 10, "ext4")) in machines.calls
    assert machines.volumes.servers == {volume["id"]: node["id"]}
    _act(lab, volume["id"], "resize", {"size": 20})
    assert machines.volumes.sizes == {volume["id"]: 20}
    lab.restart()
    assert machines.started_with.volumes == [VolumeSpec(volume["id"], 20, "ext4", node["id"])]
    machines.calls.clear()
    lab.api("DELETE", f"/servers/{node['id']}")
    lab.idle()
    assert machines.names() == ["detach_volume", "delete"], "a volume is saved before its server goes"
    lab.api("DELETE", f"/volumes/{volume['id']}")
    lab.idle()
    assert machines.volumes.sizes == {}


def test_what_cannot_be_made_is_an_action_error_and_leaves_nothing(
    real_lab: LabCloud, machines: RememberingMachines
) -> None:
    lab = real_lab
    machines.broken["create_volume"] = "the kernel has no loop devices"
    node = make(lab, "/servers", ORDER)
    _status, answer = lab.api("POST", "/volumes", {"name": "data", "size": 10, "server": node["id"]})
    lab.idle()
    action = lab.api("GET", f"/actions/{answer['action']['id']}")[1]["action"]
    assert action["error"]["message"] == "the kernel has no loop devices"
    assert lab.api("GET", "/volumes")[1]["volumes"] == []
    machines.broken.clear()
    volume = make(lab, "/volumes", VOLUME)
    machines.broken["attach_volume"] = "no place for a device"
    assert _act(lab, volume["id"], "attach", {"server": node["id"]})["status"] == "error"
    assert _volume(lab, volume["id"])["server"] is None
    machines.broken["resize_volume"] = "the disk is full"
    assert _act(lab, volume["id"], "resize", {"size": 20})["status"] == "error"
    assert _volume(lab, volume["id"])["size"] == 10
