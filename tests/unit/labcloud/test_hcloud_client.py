# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hetzner's own client makes, changes and removes load balancers and volumes in the lab."""

from __future__ import annotations

from typing import Any

import hcloud
import pytest
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    BoundLoadBalancer,
    LoadBalancerAlgorithm,
    LoadBalancerHealthCheck,
    LoadBalancerHealthCheckHttp,
    LoadBalancerService,
    LoadBalancerServiceHttp,
    LoadBalancerTarget,
    LoadBalancerTargetIP,
    LoadBalancerTargetLabelSelector,
)
from hcloud.load_balancers.domain import LoadBalancerCreatePublicNetwork
from hcloud.locations import Location
from hcloud.networks import BoundNetwork, NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer

from tests.lab_cloud import LabCloud

CHECK = LoadBalancerHealthCheck("http", 8080, 5, 3, 2, LoadBalancerHealthCheckHttp(path="/ping", status_codes=["200"]))


@pytest.fixture
def client(lab: LabCloud) -> hcloud.Client:
    return hcloud.Client(token=lab.token, api_endpoint=lab.endpoint, poll_interval=0.02)


@pytest.fixture
def network(client: hcloud.Client) -> BoundNetwork:
    return client.networks.create("main", "10.0.0.0/16", [NetworkSubnet("10.0.1.0/24", "cloud", "eu-central")])


@pytest.fixture
def node(client: hcloud.Client, network: BoundNetwork) -> BoundServer:
    created = client.servers.create(
        "node", ServerType("cx23"), Image(name="debian-13"), networks=[network], labels={"edge": "true"}
    )
    _finish(created.action, *created.next_actions)
    return client.servers.get_by_id(created.server.id)


def _finish(*actions: Any) -> None:
    for action in actions:
        action.wait_until_finished()


def test_life_of_a_load_balancer(client: hcloud.Client, network: BoundNetwork, node: BoundServer) -> None:
    address = client.primary_ips.create(type="ipv4", name="stable", location=Location("fsn1")).primary_ip
    created = client.load_balancers.create(
        "edge",
        LoadBalancerType("lb11"),
        location=Location("fsn1"),
        network=network,
        public_net=LoadBalancerCreatePublicNetwork(ipv4=address),
        labels={"a": "b"},
        algorithm=LoadBalancerAlgorithm("round_robin"),
        services=[LoadBalancerService("tcp", 443, 8443, True, CHECK)],
        targets=[
            LoadBalancerTarget(
                "label_selector", label_selector=LoadBalancerTargetLabelSelector("edge=true"), use_private_ip=True
            )
        ],
    )
    _finish(created.action)

    def now() -> BoundLoadBalancer:
        return client.load_balancers.get_by_id(created.load_balancer.id)

    balancer = now()
    assert balancer.public_net.ipv4.primary_ip.id == address.id
    assert balancer.private_net_for(network).ip == "10.0.1.2"
    chosen = balancer.targets[0].targets[0]
    assert (chosen.server.id, chosen.health_status[0].status) == (node.id, "healthy")
    assert balancer.services[0].health_check.http.status_codes == ["200"]
    http = LoadBalancerService("http", 80, 8080, False, CHECK, LoadBalancerServiceHttp(sticky_sessions=True))
    _finish(balancer.add_service(http))
    http.http.timeout_idle = 60
    _finish(balancer.update_service(http))
    assert (now().services[1].http.timeout_idle, now().services[1].http.sticky_sessions) == (60, True)
    _finish(balancer.delete_service(http))
    outside = LoadBalancerTarget("ip", ip=LoadBalancerTargetIP("203.0.113.7"))
    server = LoadBalancerTarget("server", server=node, use_private_ip=True)
    for target in (outside, server):
        _finish(balancer.add_target(target))
    assert [target.type for target in now().targets] == ["label_selector", "ip", "server"]
    for target in (outside, server):
        _finish(balancer.remove_target(target))
    _finish(balancer.disable_public_interface(), balancer.change_algorithm(LoadBalancerAlgorithm("least_connections")))
    _finish(balancer.enable_public_interface(), balancer.change_type(LoadBalancerType("lb21")))
    _finish(balancer.change_protection(delete=True), balancer.change_protection(delete=False))
    _finish(balancer.change_dns_ptr(address.ip, "edge.example.com"))
    _finish(balancer.detach_from_network(network))
    _finish(balancer.attach_to_network(network, ip="10.0.1.50"))
    balancer.update(name="edge-2", labels={})
    after = client.load_balancers.get_by_name("edge-2")
    assert (after.load_balancer_type.name, after.algorithm.type) == ("lb21", "least_connections")
    assert (after.private_net[0].ip, after.public_net.ipv4.dns_ptr) == ("10.0.1.50", "edge.example.com")
    _finish(after.delete().action)
    assert client.load_balancers.get_all() == []
    assert {kind.name for kind in client.load_balancer_types.get_all()} == {"lb11", "lb21", "lb31"}


def test_life_of_a_volume(client: hcloud.Client, node: BoundServer) -> None:
    created = client.volumes.create(10, "data", server=node, format="ext4", automount=False)
    _finish(created.action, *created.next_actions)
    volume = client.volumes.get_by_name("data")
    assert (volume.server.id, volume.status, volume.format) == (node.id, "available", "ext4")
    assert volume.linux_device.endswith(f"scsi-0HC_Volume_{volume.id}")
    assert [item.id for item in client.servers.get_by_id(node.id).volumes] == [volume.id]
    _finish(volume.resize(20))
    _finish(volume.detach())
    _finish(volume.attach(node))
    _finish(volume.detach())
    _finish(volume.change_protection(delete=True), volume.change_protection(delete=False))
    volume.update(name="data-2", labels={"a": "b"})
    after = client.volumes.get_by_id(volume.id)
    assert (after.name, after.labels, after.size, after.server) == ("data-2", {"a": "b"}, 20, None)
    after.delete()
    assert client.volumes.get_all() == []
