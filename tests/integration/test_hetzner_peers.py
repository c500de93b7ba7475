# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers and volumes as clients see them that know nothing of us: hcloud for Python, and hetzner.hcloud.

What our module made they find as they would have made it, and what they made our module finds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcloud
import pytest
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerAlgorithm,
    LoadBalancerHealthCheck,
    LoadBalancerHealthCheckHttp,
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import NetworkSubnet

from tests.contract.openapi import Recorder, hetzner_document, specs_folder
from tests.hetzner_runs import Project, run_module, triples, use_quick_clock, whole_project
from tests.integration.playbook import ROOT, run_playbook
from tests.lab_cloud import LabCloud, running_lab_cloud


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabCloud]:
    recorder = Recorder(hetzner_document()) if specs_folder().is_dir() else None
    with running_lab_cloud(tmp_path, observer=recorder) as running:
        yield running
    if recorder is not None:
        recorder.check()


@pytest.fixture
def project(lab: LabCloud, monkeypatch: pytest.MonkeyPatch) -> Project:
    use_quick_clock(monkeypatch)
    return Project(lab, "peers")


@pytest.fixture
def client(project: Project) -> hcloud.Client:
    return hcloud.Client(token=project.token, api_endpoint=project.lab.endpoint, poll_interval=0.02, timeout=20)


def test_hcloud_sees_what_our_module_made(project: Project, client: hcloud.Client) -> None:
    made = project.run(whole_project(1))["resources"]
    edge = client.load_balancers.get_by_name("edge")
    assert (edge.id, edge.load_balancer_type.name) == (made["load_balancer"]["edge"]["id"], "lb11")
    assert [(entry.network.name, entry.ip) for entry in edge.private_net] == [("main", "10.0.1.5")]
    assert [(target.server.name, target.use_private_ip) for target in edge.targets] == [("web-1", True)]
    first, second = edge.services
    assert (first.listen_port, second.listen_port, first.proxyprotocol) == (80, 443, True)
    assert (second.health_check.port, second.health_check.http.path) == (80, "/ping")
    assert second.health_check.http.status_codes == ["200"]
    health = {(entry["server"], entry["listen_port"]): entry["status"] for entry in _look(project, "edge")["health"]}
    assert health == {
        ("web-1", status.listen_port): status.status for target in edge.targets for status in target.health_status
    }
    volume = client.volumes.get_by_name("data")
    found = made["volume"]["data"]
    assert (volume.id, volume.linux_device, volume.size) == (found["id"], found["linux_device"], found["size"])
    assert (volume.server.name, volume.protection["delete"]) == ("web-1", True)


def _look(project: Project, name: str) -> dict[str, Any]:
    result = run_module("hetzner_info", {**project.connection, "kinds": ["load_balancer"]})
    found: dict[str, Any] = result["resources"]["load_balancer"][name]
    return found


def _ended(*actions: Any) -> None:
    for action in actions:
        action.wait_until_finished()


def test_our_module_finds_what_hcloud_made(project: Project, client: hcloud.Client) -> None:
    labels = {"frontdesk.platform/owner": "test"}
    subnet = NetworkSubnet(ip_range="10.0.1.0/24", type="cloud", network_zone="eu-central")
    network = client.networks.create("main", "10.0.0.0/16", subnets=[subnet], labels=labels)
    check = LoadBalancerHealthCheck(
        protocol="http",
        port=80,
        interval=15,
        timeout=10,
        retries=3,
        http=LoadBalancerHealthCheckHttp(domain="", path="/ping", status_codes=["200"]),
    )
    selector = LoadBalancerTargetLabelSelector(selector="tier=web")
    created = client.load_balancers.create(
        "edge",
        LoadBalancerType(name="lb11"),
        location=Location(name="fsn1"),
        labels=labels,
        algorithm=LoadBalancerAlgorithm(type="round_robin"),
        services=[
            LoadBalancerService(
                protocol="tcp", listen_port=80, destination_port=80, proxyprotocol=True, health_check=check
            )
        ],
    )
    _ended(created.action)
    edge = created.load_balancer
    _ended(edge.attach_to_network(network, ip="10.0.1.5"))
    target = LoadBalancerTarget(type="label_selector", label_selector=selector, use_private_ip=True)
    _ended(edge.add_target(target))
    _ended(edge.disable_public_interface())
    volume = client.volumes.create(10, "data", location=Location(name="fsn1"), format="xfs", labels=labels)
    _ended(volume.action, *volume.next_actions)
    wanted = {
        "networks": [
            {
                "name": "main",
                "ip_range": "10.0.0.0/16",
                "subnets": [{"ip_range": "10.0.1.0/24", "network_zone": "eu-central"}],
            }
        ],
        "volumes": [{"name": "data", "size": 10, "location": "fsn1", "format": "xfs", "server": ""}],
        "load_balancers": [
            {
                "name": "edge",
                "type": "lb11",
                "location": "fsn1",
                "algorithm": "round_robin",
                "public_interface": False,
                "networks": [{"name": "main", "ip": "10.0.1.5"}],
                "targets": [{"label_selector": "tier=web", "use_private_ip": True}],
                "services": [
                    {
                        "listen_port": 80,
                        "protocol": "tcp",
                        "proxyprotocol": True,
                        "health_check": {"http": {"path": "/ping", "status_codes": ["200"], "domain": ""}},
                    }
                ],
            }
        ],
    }
    assert project.run(wanted)["changes"] == []
    _ended(edge.update_service(LoadBalancerService(listen_port=80, proxyprotocol=False)))
    _ended(edge.remove_target(target))
    _ended(volume.volume.resize(20))
    wanted["volumes"][0]["size"] = 20
    assert triples(project.run(wanted)) == [("update", "load_balancer", "edge")]
    edge.reload()
    assert edge.services[0].proxyprotocol is True
    assert edge.targets[0].label_selector.selector == "tier=web"


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/hetzner.hcloud.all:
      api_token: "{{ lookup('ansible.builtin.env', 'HCLOUD_TOKEN') }}"
      api_endpoint: "{{ lookup('ansible.builtin.env', 'HCLOUD_ENDPOINT') }}"
  tasks:
    - name: Balancer
      hetzner.hcloud.load_balancer:
        {name: edge, load_balancer_type: lb11, location: fsn1, algorithm: round_robin, state: present}
    - name: Attachment
      hetzner.hcloud.load_balancer_network: {load_balancer: edge, network: main, ip: 10.0.1.5, state: present}
    - name: Target
      hetzner.hcloud.load_balancer_target:
        {load_balancer: edge, type: server, server: web-1, use_private_ip: true, state: present}
    - name: Service
      hetzner.hcloud.load_balancer_service:
        load_balancer: edge
        protocol: tcp
        listen_port: "{{ item }}"
        destination_port: "{{ item }}"
        proxyprotocol: true
        health_check: "{{ check | default(omit) }}"
        state: present
      loop: [80, 443]
    - name: Volume
      hetzner.hcloud.volume: {name: data, size: 10, server: web-1, delete_protection: true, state: present}
    - name: Balancers
      hetzner.hcloud.load_balancer_info: {name: edge}
    - name: Volumes
      hetzner.hcloud.volume_info: {name: data}
"""


CHECK = {
    "protocol": "http",
    "port": 80,
    "interval": 15,
    "timeout": 10,
    "retries": 3,
    "http": {"domain": "", "path": "/ping", "status_codes": ["200"]},
}


def _play(playbook: Path, project: Project, **variables: Any) -> dict[str, dict[str, Any]]:
    playbook.write_text(PLAY)
    run = run_playbook(
        str(playbook),
        "-e",
        json.dumps(variables),
        inventory="localhost,",
        HCLOUD_TOKEN=project.token,
        HCLOUD_ENDPOINT=project.lab.endpoint,
        ANSIBLE_CALLBACKS_ENABLED="ansible.posix.json",
        ANSIBLE_PYTHON_INTERPRETER=str(ROOT / ".venv" / "bin" / "python"),
        ANSIBLE_DEPRECATION_WARNINGS="false",
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {task: result for task, _host, result in run.results}


TASKS = ("Balancer", "Attachment", "Target", "Service", "Volume")


def test_hetzner_hcloud_finds_nothing_to_do_after_our_module(project: Project, tmp_path: Path) -> None:
    made = project.run(whole_project(1))["resources"]
    # Without a health check: with one, hetzner.hcloud 6.12 reports a change on every run (its issue 415).
    results = _play(tmp_path / "play.yml", project)
    assert [task for task in TASKS if results[task]["changed"]] == []
    theirs = results["Balancers"]["hcloud_load_balancer_info"][0]
    assert theirs["ipv4_address"] == made["load_balancer"]["edge"]["public_ipv4"]
    device = results["Volumes"]["hcloud_volume_info"][0]["linux_device"]
    assert device == made["volume"]["data"]["linux_device"]


def test_our_module_finds_nothing_to_do_after_hetzner_hcloud(project: Project, tmp_path: Path) -> None:
    wanted = whole_project(1)
    project.run({key: value for key, value in wanted.items() if key not in ("volumes", "load_balancers")})
    results = _play(tmp_path / "play.yml", project, check=CHECK)
    assert [task for task in TASKS if results[task]["changed"]] == list(TASKS)
    # They are not ours until we are told to take them over, and then they lack our label only.
    told = project.run(wanted, check_mode=True, adopt=["load_balancer/edge", "volume/data"])
    assert [(change["name"], list(change["after"])) for change in told["changes"]] == [
        ("data", ["labels"]),
        ("edge", ["labels"]),
    ], json.dumps(told["changes"])
