# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the platform's servers to the cloud's."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils.hetzner_wiring import (
    hetzner_servers,
    hetzner_volumes,
    host_volumes,
)

GENERAL: dict[str, Any] = {
    "server_types": ["cx33"],
    "locations": ["fsn1", "nbg1"],
    "image": "debian-13",
    "network": "acme",
    "firewalls": ["acme"],
    "ssh_keys": ["operator"],
    "placement_group": "acme",
}


def test_server_with_data() -> None:
    server = {"name": "a", "groups": ["swarm_managers", "postgres"], "private_ip": "10.20.0.11", "labels": {"x": "y"}}
    assert hetzner_servers([server], **GENERAL) == [
        {
            "name": "a",
            "server_types": ["cx33"],
            "locations": ["fsn1", "nbg1"],
            "image": "debian-13",
            "ssh_keys": ["operator"],
            "networks": [{"name": "acme", "ip": "10.20.0.11"}],
            "firewalls": ["acme"],
            "labels": {
                "x": "y",
                "group.frontdesk.platform/postgres": "true",
                "group.frontdesk.platform/swarm_managers": "true",
            },
            "delete_protection": True,
            "rebuild_protection": True,
            "placement_group": "acme",
        }
    ]


def test_worker_without_data_is_neither_protected_nor_placed() -> None:
    server = {"name": "b", "groups": ["swarm_workers"], "private_ip": "10.20.0.14", "types": ["cx43"]}
    (found,) = hetzner_servers([{**server, "locations": ["hel1"]}], **GENERAL)
    assert not found["delete_protection"]
    assert not found["rebuild_protection"]
    assert "placement_group" not in found
    assert found["server_types"] == ["cx43"]
    assert found["locations"] == ["hel1"]


class TestVolumes:
    SERVERS: ClassVar[list[dict[str, Any]]] = [
        {"name": "a", "volumes": [{"name": "data", "size": 50, "path": "/srv/data"}]},
        {"name": "b", "volumes": [{"name": "data", "size": 20, "path": "/srv/data", "filesystem": "xfs"}]},
        {"name": "c"},
    ]

    def test_the_cloud_gets_one_for_each_server_under_a_name_of_its_own(self) -> None:
        assert hetzner_volumes(self.SERVERS) == [
            {"name": "a-data", "size": 50, "server": "a", "delete_protection": True},
            {"name": "b-data", "size": 20, "server": "b", "delete_protection": True},
        ]

    def test_a_server_mounts_its_own_by_the_device_that_the_cloud_names(self) -> None:
        attached = [
            {"name": "b-data", "linux_device": "/dev/disk/by-id/x"},
            {"name": "foreign", "linux_device": "/dev/y"},
        ]
        assert host_volumes(self.SERVERS, name="b", attached=attached) == [
            {"device": "/dev/disk/by-id/x", "path": "/srv/data", "filesystem": "xfs"}
        ]
        assert host_volumes(self.SERVERS, name="c", attached=attached) == []

    def test_a_volume_that_is_not_attached_is_named(self) -> None:
        with pytest.raises(ValueError, match="volume a-data is not attached to server a"):
            host_volumes(self.SERVERS, name="a", attached=[])
