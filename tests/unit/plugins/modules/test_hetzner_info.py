# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of hetzner_info against the lab cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.modules import hetzner_info
from tests.hetzner_runs import Project, Result, balancer, run_module, use_quick_clock, whole_project
from tests.lab_cloud import running_lab_cloud


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with pytest.MonkeyPatch.context() as patch, running_lab_cloud(tmp_path_factory.mktemp("lab")) as lab:
        use_quick_clock(patch)
        made = Project(lab, "made")
        targets = [{"server": "web-1", "use_private_ip": True}, {"label_selector": "tier=web", "use_private_ip": True}]
        wanted = {**whole_project(2), "load_balancers": [balancer(targets=targets)]}
        wanted["servers"][1] |= {"labels": {"tier": "web"}, "running": False}
        made.run(wanted)
        made.api("POST", "/networks", {"name": "theirs", "ip_range": "10.50.0.0/16"})
        yield made


def look(project: Project, check_mode: bool = False, **options: Any) -> Result:
    result = run_module("hetzner_info", {**project.connection, **options}, check_mode)
    assert not result.get("failed"), result["msg"]
    assert result["changed"] is False
    return result


@pytest.mark.parametrize("check_mode", [True, False])
def test_servers_are_the_default_and_name_their_networks(project: Project, check_mode: bool) -> None:
    found = look(project, check_mode)["resources"]
    assert list(found) == ["server"]
    assert list(found["server"]) == ["web-1", "web-2"]
    first = found["server"]["web-1"]
    assert first["name"] == "web-1"
    assert first["networks"] == [{"name": "main", "ip": "10.0.1.11", "alias_ips": []}]
    assert first["firewalls"] == ["web"]


def test_all_kinds(project: Project) -> None:
    kinds = hetzner_info.argument_spec()["kinds"]["choices"]
    result = look(project, kinds=kinds)
    found = result["resources"]
    assert list(found) == kinds
    assert found["network"]["main"]["subnets"][0]["ip_range"] == "10.0.1.0/24"
    assert found["firewall"]["web"]["apply_to"] == [{"server": "web-1"}, {"server": "web-2"}]
    assert found["ssh_key"]["operator"]["public_key"].startswith("ssh-ed25519 ")
    assert len(found["placement_group"]["spread"]["servers"]) == 2
    assert found["server_type"]["cx23"]["locations"]["fsn1"] == {"available": True, "monthly": 3.49}
    assert found["location"]["fsn1"]["network_zone"] == "eu-central"
    assert found["load_balancer_type"]["lb11"]["max_services"] == 5
    assert found["load_balancer_type"]["lb11"]["monthly"]["fsn1"] == 5.39
    assert result["api_calls"] == len(kinds)


def test_a_volume_tells_who_has_it_and_by_which_path(project: Project) -> None:
    result = look(project, kinds=["volume"])
    found = result["resources"]["volume"]["data"]
    assert (found["server"], found["status"], found["size"]) == ("web-1", "available", 10)
    assert found["linux_device"] == f"/dev/disk/by-id/scsi-0HC_Volume_{found['id']}"
    assert result["api_calls"] == 2


def test_a_load_balancer_tells_the_health_of_its_targets(project: Project) -> None:
    result = look(project, kinds=["load_balancer"])
    found = result["resources"]["load_balancer"]["edge"]
    assert found["networks"] == [{"name": "main", "ip": "10.0.1.5"}]
    assert found["targets"] == [
        {"label_selector": "tier=web", "use_private_ip": True},
        {"server": "web-1", "use_private_ip": True},
    ]
    # The second one is switched off, and found by its label.
    assert found["health"] == [
        {"server": "web-1", "listen_port": 80, "status": "healthy"},
        {"server": "web-1", "listen_port": 443, "status": "healthy"},
        {"server": "web-2", "listen_port": 80, "status": "unhealthy", "detail": "layer4_timeout"},
        {"server": "web-2", "listen_port": 443, "status": "unhealthy", "detail": "layer4_timeout"},
    ]
    assert result["api_calls"] == 3


def test_selector(project: Project) -> None:
    found = look(project, kinds=["network", "location"], label_selector="frontdesk.platform/owner==test")["resources"]
    assert list(found["network"]) == ["main"]
    assert "fsn1" in found["location"]


@pytest.mark.parametrize(
    ("names", "expected"), [(["theirs"], ["theirs"]), (["theirs", "main", "none"], ["main", "theirs"])]
)
def test_names(project: Project, names: list[str], expected: list[str]) -> None:
    assert list(look(project, kinds=["network"], names=names)["resources"]["network"]) == expected


def test_a_firewall_alone_names_its_servers(project: Project) -> None:
    found = look(project, kinds=["firewall"], names=["web"])["resources"]
    assert found["firewall"]["web"]["apply_to"] == [{"server": "web-1"}, {"server": "web-2"}]


def test_error(project: Project) -> None:
    result = run_module("hetzner_info", {**project.connection, "api_token": "wrong-token"})
    assert result["failed"]
    assert "unauthorized" in result["msg"]
