# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's real side, through the doors that users have: Hetzner's API, SSH, packets, devices, DNS, images, S3."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import docker
import docker.errors
import hcloud
import pytest
import requests
from dnslib import QTYPE, RCODE, DNSRecord
from hcloud.actions import ActionFailedException
from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    BoundLoadBalancer,
    LoadBalancerAlgorithm,
    LoadBalancerHealthCheck,
    LoadBalancerHealthCheckHttp,
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetHealthStatus,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import Network, NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer
from hcloud.volumes import BoundVolume

pytestmark = pytest.mark.lab

CONTROL = "http://127.0.0.1:8480/lab"
ENDPOINT = "http://127.0.0.1:8480/hetzner/v1"
TOKEN = "lab-hetzner-token"
REGISTRY = "127.0.0.1:8481"
PUBLIC_NETWORK = "frontdesk-lab-a-public"
KEY = Path.home() / ".cache" / "frontdesk" / "lab" / "id_ed25519"
# Beside the platform's own range, so that these tests can run while it stands.
PRIVATE_RANGE = "10.99.0.0/16"
PRIVATE_SUBNET = "10.99.1.0/24"
WEB = 8080
LISTENER = Path(__file__).with_name("proxy_listener.py")
LISTENER_PORT = 8443
ANYWHERE = ["0.0.0.0/0"]
USER_DATA = """#cloud-config
write_files:
  - path: /etc/lab-test
    content: from user data
    permissions: "0640"
runcmd:
  - [sh, -c, "echo ran >> /root/lab-test"]
"""


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for a condition; the lab has no event for most of what these tests look at."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s: {what}"
        time.sleep(0.1)


def ssh(server: BoundServer, command: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    address = server.public_net.ipv4.ip
    options = [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        "ConnectTimeout=1",
        "BatchMode=yes",
    ]
    arguments = [part for option in options for part in ("-o", option)]
    program = ["ssh", "-i", str(KEY), *arguments, f"root@{address}", command]
    return subprocess.run(program, input=stdin or b"", capture_output=True, check=False, timeout=120)


def on(server: BoundServer, command: str) -> str:
    """Run a command on a server as root; it must succeed."""
    result = ssh(server, command)
    assert result.returncode == 0, f"{command}: {result.stdout.decode()}{result.stderr.decode()}"
    return result.stdout.decode().strip()


def wait_for_ssh(server: BoundServer) -> None:
    wait_until(
        lambda: ssh(server, "systemctl is-system-running --wait").returncode == 0,
        f"{server.name} has no healthy system",
    )


def fetch_from_controller(address: str) -> bool:
    try:
        return requests.get(f"http://{address}:{WEB}/", timeout=1).ok
    except requests.RequestException:
        return False


def start_unit(server: BoundServer, name: str, command: str) -> None:
    """Have a program running on a server until its next restart."""
    on(server, f"systemctl is-active -q {name} || systemd-run --quiet --collect --unit={name} {command}")


def start_web(server: BoundServer) -> None:
    start_unit(server, "web", f"python3 -m http.server {WEB} --directory /usr/share")


@dataclass
class World:
    """Two servers in one private network."""

    cloud: hcloud.Client
    network: Network
    one: BoundServer
    two: BoundServer

    def private_ip(self, server: BoundServer) -> str:
        return self.cloud.servers.get_by_id(server.id).private_net[0].ip


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def cloud(empty_lab: None) -> hcloud.Client:
    return hcloud.Client(token=TOKEN, api_endpoint=ENDPOINT, poll_interval=0.2)


def resource_of(server: BoundServer) -> FirewallResource:
    return FirewallResource(type=FirewallResource.TYPE_SERVER, server=server)


def finish(*actions: Any) -> None:
    for action in actions:
        action.wait_until_finished()


def create_server(cloud: hcloud.Client, name: str, **more: Any) -> BoundServer:
    key = cloud.ssh_keys.get_by_name("machines-test")
    created = cloud.servers.create(name, ServerType("cx33"), Image(name="debian-13"), ssh_keys=[key], **more)
    finish(created.action, *created.next_actions)
    return cloud.servers.get_by_id(created.server.id)


def remove_everything(cloud: hcloud.Client) -> None:
    """Remove what these tests, or a run of them that was killed, made."""
    for group in (cloud.load_balancers, cloud.servers):
        for item in group.get_all():
            if item.name.startswith("machines-test"):
                deletion = item.delete()
                finish(getattr(deletion, "action", deletion))
    for group in (cloud.volumes, cloud.firewalls, cloud.networks, cloud.ssh_keys):
        for item in group.get_all():
            if item.name.startswith("machines-test"):
                item.delete()


@pytest.fixture(scope="module")
def world(cloud: hcloud.Client) -> Iterator[World]:
    remove_everything(cloud)
    cloud.ssh_keys.create("machines-test", KEY.with_suffix(".pub").read_text())
    network = cloud.networks.create(
        "machines-test", PRIVATE_RANGE, subnets=[NetworkSubnet(PRIVATE_SUBNET, "cloud", "eu-central")]
    )
    one, two = (
        create_server(cloud, f"machines-test-{number}", networks=[network], user_data=USER_DATA) for number in (1, 2)
    )
    for server in (one, two):
        wait_for_ssh(server)
        start_web(server)
        wait_until(
            lambda server=server: fetch_from_controller(server.public_net.ipv4.ip), "the web server does not start"
        )
    yield World(cloud, network, one, two)
    remove_everything(cloud)


@pytest.fixture(scope="module")
def bystander(engine: docker.DockerClient, world: World) -> Iterator[Callable[[str], bool]]:
    """Another container on the public network: says whether it can fetch from an address."""
    image = engine.containers.get("frontdesk-lab-registry").image
    container = engine.containers.run(
        image, "sleep infinity", detach=True, network=PUBLIC_NETWORK, labels={"frontdesk.lab": "true"}, init=True
    )

    def fetch(address: str) -> bool:
        program = f"import urllib.request as u; u.urlopen('http://{address}:{WEB}/', timeout=1)"
        return container.exec_run(["python3", "-c", program]).exit_code == 0

    yield fetch
    container.remove(force=True, v=True)


@pytest.fixture
def firewall(world: World) -> Iterator[Callable[[BoundServer, list[FirewallRule]], None]]:
    """Put a server behind a firewall with these rules; everything is open again after the test."""
    made = []

    def protect(server: BoundServer, rules: list[FirewallRule]) -> None:
        created = world.cloud.firewalls.create(f"machines-test-{len(made)}", rules=rules)
        made.append((created.firewall, server))
        finish(*created.firewall.apply_to_resources([resource_of(server)]))

    yield protect
    for wall, server in made:
        finish(*wall.remove_from_resources([resource_of(server)]))
        wall.delete()


SSH_ONLY = [FirewallRule("in", "tcp", ANYWHERE, port="22")]


# -- servers -------------------------------------------------------------------------------------------------


def test_user_data_is_applied_and_root_gets_the_key(world: World) -> None:
    on(world.one, "cloud-init status --wait")
    assert on(world.one, "hostname") == "machines-test-1"
    assert on(world.one, "cat /etc/lab-test && stat -c %a /etc/lab-test") == "from user data640"
    assert on(world.one, "cat /root/lab-test") == "ran"
    people = [line for line in on(world.one, "getent passwd").splitlines() if 1000 <= int(line.split(":")[2]) < 60000]
    assert people == []
    assert KEY.with_suffix(".pub").read_text().split()[1] in on(world.one, "cat /root/.ssh/authorized_keys")


def test_every_server_has_an_identity_of_its_own(world: World) -> None:
    for file in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        first, second = on(world.one, f"cat {file}"), on(world.two, f"cat {file}")
        assert first
        assert second
        assert first != second


def test_a_server_is_as_healthy_as_a_rented_one(world: World) -> None:
    assert on(world.one, "systemctl is-system-running") == "running"
    assert on(world.one, "systemctl --failed --no-legend") == ""


def test_packet_sizes_and_private_way(world: World) -> None:
    links = json.loads(on(world.one, "ip -json address"))
    sizes = {
        address["local"]: link["mtu"] for link in links for address in link["addr_info"] if address["family"] == "inet"
    }
    private = world.private_ip(world.one)
    assert sizes[private] == 1450
    assert sizes[world.one.public_net.ipv4.ip] == 1500
    # 28 bytes of headers: the largest packet passes, one byte more would have to be cut.
    peer = world.private_ip(world.two)
    on(world.one, f"ping -c 1 -W 2 -M do -s 1422 {peer}")
    assert ssh(world.one, f"ping -c 1 -W 2 -M do -s 1423 {peer}").returncode != 0
    assert f"src {world.one.public_net.ipv4.ip} " in on(world.one, "ip -4 route get 192.0.2.77")


def test_memory_is_limited_to_the_server_type(world: World, engine: docker.DockerClient) -> None:
    container = engine.containers.get("frontdesk-lab-server-machines-test-1")
    assert container.attrs["HostConfig"]["Memory"] == world.one.server_type.memory * 1024**3


# -- firewall ------------------------------------------------------------------------------------------------


def test_firewall_closes_the_public_side_only(world: World, firewall: Any, bystander: Any) -> None:
    public, private = world.one.public_net.ipv4.ip, world.private_ip(world.one)
    assert bystander(public)
    firewall(world.one, SSH_ONLY)
    assert not fetch_from_controller(public)
    assert not bystander(public)
    assert ssh(world.two, f"curl -sf -m 1 http://{public}:{WEB}/").returncode != 0
    on(world.two, f"curl -sf -m 1 http://{private}:{WEB}/")
    on(world.one, "true")
    # What the server itself begins gets its answers.
    on(world.one, f"curl -sf -m 1 http://{world.two.public_net.ipv4.ip}:{WEB}/")


def test_firewall_opens_a_port_to_the_named_networks(world: World, firewall: Any, bystander: Any) -> None:
    public = world.one.public_net.ipv4.ip
    firewall(world.one, [*SSH_ONLY, FirewallRule("in", "tcp", [f"{world.two.public_net.ipv4.ip}/32"], port=str(WEB))])
    on(world.two, f"curl -sf -m 1 http://{public}:{WEB}/")
    assert not bystander(public)
    assert not fetch_from_controller(public)
    assert ssh(world.two, f"ping -c 1 -W 1 {public}").returncode != 0


def test_firewall_opens_port_ranges_and_icmp(world: World, firewall: Any) -> None:
    public = world.one.public_net.ipv4.ip
    firewall(
        world.one,
        [*SSH_ONLY, FirewallRule("in", "tcp", ANYWHERE, port="8000-8100"), FirewallRule("in", "icmp", ANYWHERE)],
    )
    assert fetch_from_controller(public)
    on(world.two, f"ping -c 1 -W 1 {public}")


def test_firewall_limits_what_goes_out(world: World, firewall: Any) -> None:
    target = world.two.public_net.ipv4.ip
    firewall(world.one, [*SSH_ONLY, FirewallRule("out", "tcp", [], destination_ips=ANYWHERE, port="22")])
    assert ssh(world.one, f"curl -sf -m 1 http://{target}:{WEB}/").returncode != 0
    on(world.one, f"bash -c 'read -t 2 < /dev/tcp/{target}/22'")
    # The lab's own services stay within reach, and so do private networks.
    on(world.one, "getent hosts s3.lab.frontdesk.test")
    on(world.one, f"curl -sf -m 1 http://{world.private_ip(world.two)}:{WEB}/")


def test_root_inside_cannot_open_the_firewall(world: World, firewall: Any) -> None:
    firewall(world.one, SSH_ONLY)
    on(world.one, "nft flush ruleset")
    assert not fetch_from_controller(world.one.public_net.ipv4.ip)
    # Debian's own nftables.conf begins with a flush; nothing that a server needs may go with it.
    on(world.one, "getent hosts s3.lab.frontdesk.test")


# -- restarts ------------------------------------------------------------------------------------------------


def booted_at(server: BoundServer) -> str:
    return on(server, "systemctl show --property=UserspaceTimestampMonotonic --property=UserspaceTimestamp")


def wait_for_lab_cloud() -> None:
    def healthy() -> bool:
        try:
            return requests.get(f"{CONTROL}/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    wait_until(healthy, "the lab cloud does not come back")


def wait_for_status(world: World, server: BoundServer, status: str) -> None:
    wait_until(
        lambda: world.cloud.servers.get_by_id(server.id).status == status, f"{server.name} does not become {status}"
    )


def test_a_restart_of_the_lab_cloud_keeps_everything(world: World, firewall: Any, engine: docker.DockerClient) -> None:
    firewall(world.one, SSH_ONLY)
    before = booted_at(world.one), booted_at(world.two)
    leftover = engine.containers.create(
        engine.containers.get("frontdesk-lab-registry").image,
        labels={"frontdesk.lab": "true", "frontdesk.lab.server": "987654321"},
    )
    engine.containers.get("frontdesk-lab-labcloud").restart()
    wait_for_lab_cloud()
    assert (booted_at(world.one), booted_at(world.two)) == before
    assert world.cloud.servers.get_by_id(world.one.id).status == "running"
    assert not fetch_from_controller(world.one.public_net.ipv4.ip)
    on(world.one, f"curl -sf -m 1 http://{world.private_ip(world.two)}:{WEB}/")
    # A server that the records do not know is what a killed run has left.
    with pytest.raises(docker.errors.NotFound):
        leftover.reload()


def test_a_restart_of_a_server_keeps_its_networks_and_firewall(
    world: World, firewall: Any, engine: docker.DockerClient
) -> None:
    firewall(world.two, SSH_ONLY)
    host_key = on(world.two, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    engine.containers.get("frontdesk-lab-server-machines-test-2").restart()
    wait_for_ssh(world.two)
    start_web(world.two)
    wait_until(
        lambda: ssh(world.one, f"curl -sf -m 1 http://{world.private_ip(world.two)}:{WEB}/").returncode == 0,
        "no private way",
    )
    assert not fetch_from_controller(world.two.public_net.ipv4.ip)
    assert on(world.two, "cat /root/lab-test") == "ran"
    assert on(world.two, "cat /etc/ssh/ssh_host_ed25519_key.pub") == host_key


def test_reboot_and_poweroff_from_inside(world: World, engine: docker.DockerClient) -> None:
    container = engine.containers.get("frontdesk-lab-server-machines-test-2")
    started = container.attrs["State"]["StartedAt"]
    ssh(world.two, "systemctl reboot")

    def restarted() -> bool:
        container.reload()
        return bool(container.attrs["State"]["Running"]) and container.attrs["State"]["StartedAt"] != started

    wait_until(restarted, "the server does not come back from its reboot")
    wait_for_ssh(world.two)
    ssh(world.two, "systemctl poweroff")
    wait_for_status(world, world.two, "off")
    finish(world.two.power_on())
    wait_for_ssh(world.two)
    assert world.cloud.servers.get_by_id(world.two.id).status == "running"


def test_power_through_the_api(world: World) -> None:
    finish(world.two.power_off())
    assert world.cloud.servers.get_by_id(world.two.id).status == "off"
    assert ssh(world.two, "true").returncode != 0
    finish(world.two.power_on())
    wait_for_ssh(world.two)
    finish(world.two.shutdown())
    wait_for_status(world, world.two, "off")
    finish(world.two.power_on())
    wait_for_ssh(world.two)
    finish(world.two.reboot())
    wait_for_ssh(world.two)


# -- load balancers ------------------------------------------------------------------------------------------

CHECK = LoadBalancerHealthCheck("tcp", port=LISTENER_PORT, interval=3, timeout=1, retries=1)
PROXIED = LoadBalancerService("tcp", 443, LISTENER_PORT, proxyprotocol=True, health_check=CHECK)
BY_LABEL = LoadBalancerTarget(
    "label_selector", label_selector=LoadBalancerTargetLabelSelector("machines-test=edge"), use_private_ip=True
)


@dataclass
class Balancer:
    """A load balancer in the servers' network. It has the servers that carry the label, by their private addresses."""

    world: World
    id: int
    container: str = "frontdesk-lab-balancer-machines-test"

    @property
    def now(self) -> BoundLoadBalancer:
        return self.world.cloud.load_balancers.get_by_id(self.id)

    @property
    def address(self) -> str:
        return self.now.public_net.ipv4.ip

    def health(self, port: int = 443) -> dict[int, LoadBalancerTargetHealthStatus]:
        """What it says of its targets, by server."""
        return {
            target.server.id: status
            for target in self.now.targets[0].targets
            for status in target.health_status
            if status.listen_port == port
        }

    def wait_for_health(self, port: int = 443, **wanted: str) -> None:
        """Wait until each server of the world (`one`, `two`) has this status."""
        expected = {getattr(self.world, name).id: status for name, status in wanted.items()}
        wait_until(
            lambda: {number: status.status for number, status in self.health(port).items()} == expected,
            f"the targets do not become {wanted}",
        )

    def ask(self, address: str | None = None) -> tuple[str, str]:
        """Ask through it: which server answers, and which client it saw."""
        answer = requests.get(f"http://{address or self.address}:443/", timeout=5).text
        name, client = answer.split()
        return name, client


def put_label(server: BoundServer, wanted: bool) -> None:
    server.update(labels={"machines-test": "edge"} if wanted else {})


def start_listener(server: BoundServer) -> None:
    start_unit(server, "listener", "python3 /root/proxy_listener.py")


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    for server in (world.one, world.two):
        assert ssh(server, "cat > /root/proxy_listener.py", LISTENER.read_bytes()).returncode == 0
    created = world.cloud.load_balancers.create(
        "machines-test",
        LoadBalancerType("lb11"),
        location=Location("fsn1"),
        network=world.network,
        services=[PROXIED],
        targets=[BY_LABEL],
    )
    finish(created.action)
    yield Balancer(world, created.load_balancer.id)
    finish(world.cloud.load_balancers.get_by_id(created.load_balancer.id).delete().action)


@pytest.fixture
def both(balancer: Balancer) -> Balancer:
    """The balancer with both servers behind it, healthy."""
    for server in (balancer.world.one, balancer.world.two):
        put_label(server, True)
        start_listener(server)
    balancer.wait_for_health(one="healthy", two="healthy")
    return balancer


def test_visitors_addresses_arrive_by_proxy_protocol(both: Balancer, engine: docker.DockerClient) -> None:
    gateway = engine.networks.get(PUBLIC_NETWORK).attrs["IPAM"]["Config"][0]["Gateway"]
    assert {both.ask() for _n in range(4)} == {("machines-test-1", gateway), ("machines-test-2", gateway)}
    visitor = both.world.two
    name_and_client = on(visitor, f"curl -sf -m 5 http://{both.address}:443/").split()
    assert name_and_client[1] == visitor.public_net.ipv4.ip
    private = both.now.private_net[0].ip
    seen = {on(visitor, f"curl -sf -m 5 http://{private}:443/").split()[1]}
    assert seen == {both.world.private_ip(visitor)}


def test_targets_follow_a_label(both: Balancer) -> None:
    put_label(both.world.two, False)
    both.wait_for_health(one="healthy")
    assert {both.ask()[0] for _n in range(4)} == {"machines-test-1"}
    put_label(both.world.two, True)
    both.wait_for_health(one="healthy", two="healthy")
    assert {both.ask()[0] for _n in range(4)} == {"machines-test-1", "machines-test-2"}


def test_health_follows_the_listener(both: Balancer) -> None:
    on(both.world.one, "systemctl stop listener")
    both.wait_for_health(one="unhealthy", two="healthy")
    assert both.health()[both.world.one.id].detail == "layer4_no_connection"
    assert {both.ask()[0] for _n in range(4)} == {"machines-test-2"}
    start_listener(both.world.one)
    both.wait_for_health(one="healthy", two="healthy")


def test_http_checks_read_the_answer(both: Balancer) -> None:
    for server in (both.world.one, both.world.two):
        start_web(server)
    http_check = LoadBalancerHealthCheckHttp(path="/", domain="lab.test", status_codes=["2??"], response="dict")
    check = LoadBalancerHealthCheck("http", port=WEB, interval=3, timeout=1, retries=1, http=http_check)
    service = LoadBalancerService("http", 80, WEB, proxyprotocol=False, health_check=check)
    finish(both.now.add_service(service))
    try:
        # /usr/share, which the servers' web server shows, has a folder `dict` and certainly no `dict-of-the-moon`.
        both.wait_for_health(80, one="healthy", two="healthy")
        assert requests.get(f"http://{both.address}/", timeout=5).ok
        http_check.response = "dict-of-the-moon"
        finish(both.now.update_service(service))
        both.wait_for_health(80, one="unhealthy", two="unhealthy")
        assert {status.detail for status in both.health(80).values()} == {"unexpected_http_content"}
        http_check.path = "/nothing-here"
        finish(both.now.update_service(service))
        wait_until(
            lambda: {status.http_status_code for status in both.health(80).values()} == {404},
            "the status code does not show",
        )
        assert {status.detail for status in both.health(80).values()} == {"unexpected_http_status"}
    finally:
        finish(both.now.delete_service(service))


class Load:
    """Requests without a pause, on new connections and on one that is kept, until the block ends."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answered = 0
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(kept,)) for kept in (False, False, True)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, kept: bool) -> None:
        connection = http.client.HTTPConnection(self.address, 443, timeout=5)
        while not self._stop.is_set():
            try:
                connection.request("GET", "/")
                connection.getresponse().read()
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{'kept' if kept else 'new'}: {error!r}")
                connection.close()
            if not kept:
                connection.close()


def test_changes_under_load_fail_no_request(both: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    changes = 0
    with Load(both.address) as load:
        for round_ in range(3):
            extra = LoadBalancerService("tcp", 9000 + round_, LISTENER_PORT, proxyprotocol=True, health_check=CHECK)
            algorithm = ("least_connections", "round_robin")[round_ % 2]
            finish(both.now.add_service(extra))
            finish(both.now.change_algorithm(LoadBalancerAlgorithm(algorithm)))
            put_label(both.world.two, False)
            both.wait_for_health(one="healthy")
            put_label(both.world.two, True)
            both.wait_for_health(one="healthy", two="healthy")
            finish(both.now.delete_service(extra))
            changes += 5
    assert load.failed == []
    assert load.answered > 500
    with capsys.disabled():
        print(f"\n{changes} changes of a load balancer: {load.answered} requests, {len(load.failed)} failed")


def test_without_public_interface_only_the_network_reaches_it(both: Balancer) -> None:
    public, private = both.address, both.now.private_net[0].ip
    finish(both.now.disable_public_interface())
    with pytest.raises(requests.RequestException):
        both.ask(public)
    on(both.world.two, f"curl -sf -m 5 http://{private}:443/")
    finish(both.now.enable_public_interface())
    assert both.ask(public)


def test_a_balancer_outlives_restarts(both: Balancer, engine: docker.DockerClient) -> None:
    with Load(both.address) as load:
        engine.containers.get("frontdesk-lab-labcloud").restart()
        wait_for_lab_cloud()
    assert load.failed == []
    both.wait_for_health(one="healthy", two="healthy")
    container = engine.containers.get(both.container)
    assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    container.restart()

    def both_answer() -> bool:
        try:
            return len({both.ask()[0] for _n in range(4)}) == 2
        except requests.RequestException:
            return False

    wait_until(both_answer, "the balancer does not come back")


def test_a_deleted_balancer_leaves_nothing(world: World, engine: docker.DockerClient) -> None:
    created = world.cloud.load_balancers.create(
        "machines-test-other", LoadBalancerType("lb11"), location=Location("fsn1"), services=[PROXIED]
    )
    finish(created.action)
    container = engine.containers.get("frontdesk-lab-balancer-machines-test-other")
    finish(created.load_balancer.delete().action)
    with pytest.raises(docker.errors.NotFound):
        container.reload()
    left = (
        engine.containers.get("frontdesk-lab-labcloud").exec_run(["ls", "/var/lib/balancers"]).output.decode().split()
    )
    assert str(created.load_balancer.id) not in left


# -- volumes -------------------------------------------------------------------------------------------------


def loop_files() -> list[str]:
    """The files of this machine's loop devices that belong to volumes of the lab."""
    files = (path.read_text().strip() for path in Path("/sys/block").glob("loop*/loop/backing_file"))
    return [file for file in files if "frontdesk-lab-volume-" in file]


def mount(server: BoundServer, volume: BoundVolume) -> None:
    on(server, f"mkdir -p /mnt/data && mount {volume.linux_device} /mnt/data")


def bytes_of(server: BoundServer, volume: BoundVolume) -> int:
    return int(on(server, f"blockdev --getsize64 {volume.linux_device}"))


@pytest.fixture
def volume(world: World) -> Iterator[Callable[..., BoundVolume]]:
    """Make a volume of 10 GB at the first server; it is gone after the test."""
    made = []
    numbers = itertools.count(1)

    def make(file_system: str | None = "ext4") -> BoundVolume:
        created = world.cloud.volumes.create(10, f"machines-test-{next(numbers)}", server=world.one, format=file_system)
        finish(created.action, *created.next_actions)
        made.append(created.volume.id)
        return world.cloud.volumes.get_by_id(created.volume.id)

    yield make
    for volume_id in made:
        found = world.cloud.volumes.get_by_id(volume_id)
        if found.server is not None:
            finish(found.detach())
        found.delete()
    wait_until(lambda: loop_files() == [], "devices of deleted volumes are left")


@pytest.mark.parametrize("file_system", ["ext4", "xfs"])
def test_a_volume_takes_its_content_along(world: World, volume: Any, file_system: str) -> None:
    data = volume(file_system)
    mount(world.one, data)
    assert on(world.one, "findmnt -n -o FSTYPE /mnt/data") == file_system
    on(world.one, "echo kept > /mnt/data/file")
    # Nobody has unmounted it: what was written is there all the same.
    finish(data.detach())
    assert ssh(world.one, f"test -e {data.linux_device}").returncode != 0
    assert ssh(world.one, "findmnt /mnt/data").returncode != 0
    finish(data.attach(world.two))
    mount(world.two, data)
    assert on(world.two, "cat /mnt/data/file") == "kept"


def test_a_volume_grows_in_place(world: World, volume: Any) -> None:
    # ext4 would do, too, where the machine's root has CAP_SYS_RESOURCE; without it ext4 grows only while unmounted.
    data = volume("xfs")
    mount(world.one, data)
    on(world.one, "echo kept > /mnt/data/file")
    assert bytes_of(world.one, data) == 10 * 1024**3
    finish(data.resize(12))
    assert bytes_of(world.one, data) == 12 * 1024**3
    on(world.one, "xfs_growfs /mnt/data")
    assert int(on(world.one, "df --output=size -B1G /mnt/data | tail -n 1")) >= 11
    assert on(world.one, "cat /mnt/data/file") == "kept"


def test_a_volume_is_there_after_every_kind_of_start(world: World, volume: Any, engine: docker.DockerClient) -> None:
    data = volume()
    mount(world.one, data)
    on(world.one, "echo kept > /mnt/data/file && sync")

    def off_and_on() -> None:
        finish(world.one.power_off())
        finish(world.one.power_on())

    starts: dict[str, Callable[[], object]] = {
        "reboot through the API": lambda: finish(world.one.reboot()),
        "off and on": off_and_on,
        "from outside": lambda: engine.containers.get("frontdesk-lab-server-machines-test-1").restart(),
        "restart of the lab cloud": lambda: engine.containers.get("frontdesk-lab-labcloud").restart(),
    }
    for name, start in starts.items():
        start()
        wait_for_lab_cloud()
        wait_for_ssh(world.one)
        if name != "restart of the lab cloud":
            mount(world.one, data)
        assert on(world.one, "cat /mnt/data/file") == "kept", name
        assert bytes_of(world.one, data) == 10 * 1024**3, name


def test_a_rebuilt_server_has_its_volume(world: World, volume: Any) -> None:
    data = volume()
    finish(world.one.rebuild(Image(name="debian-13")).action)
    wait_for_ssh(world.one)
    mount(world.one, data)


# -- life of servers and networks ----------------------------------------------------------------------------


def test_private_networks_can_be_left_and_joined(world: World) -> None:
    address = world.private_ip(world.two)
    finish(world.two.detach_from_network(world.network))
    assert address not in on(world.two, "ip -4 address")
    finish(world.two.attach_to_network(world.network, ip=address))
    assert address in on(world.two, "ip -4 address")
    on(world.one, f"ping -c 1 -W 2 {address}")
    on(world.two, "getent hosts s3.lab.frontdesk.test")


def test_a_deleted_server_leaves_nothing(world: World, engine: docker.DockerClient) -> None:
    server = create_server(world.cloud, "machines-test-3")
    names = f"frontdesk-lab-server-{server.id}-docker", "frontdesk-lab-server-machines-test-3"
    assert engine.volumes.get(names[0])
    assert engine.containers.get(names[1])
    wait_for_ssh(server)
    # Without user data the first boot is without complaint as well.
    on(server, "cloud-init status --wait")
    finish(server.delete())
    with pytest.raises(docker.errors.NotFound):
        engine.volumes.get(names[0])
    with pytest.raises(docker.errors.NotFound):
        engine.containers.get(names[1])


def test_a_range_in_use_on_this_machine_is_refused_in_one_sentence(world: World, engine: docker.DockerClient) -> None:
    taken = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]
    subnet = NetworkSubnet(taken, "cloud", "eu-central")
    network = world.cloud.networks.create("machines-test-overlap", taken, subnets=[subnet])
    with pytest.raises(
        ActionFailedException, match=f"the range {taken} overlaps .* Docker network bridge on this machine"
    ):
        create_server(world.cloud, "machines-test-overlap", networks=[network])


# -- services ------------------------------------------------------------------------------------------------


def test_resolver_answers_for_the_lab_and_asks_the_world(world: World, engine: docker.DockerClient) -> None:
    networks = engine.containers.get("frontdesk-lab-resolver").attrs["NetworkSettings"]["Networks"]
    resolver = networks[PUBLIC_NETWORK]["IPAddress"]
    s3 = engine.containers.get("frontdesk-lab-s3").attrs["NetworkSettings"]["Networks"][PUBLIC_NETWORK]["IPAddress"]

    def ask(name: str, kind: str, tcp: bool) -> DNSRecord:
        return DNSRecord.parse(DNSRecord.question(name, kind).send(resolver, 53, tcp=tcp, timeout=10))

    for tcp in (False, True):
        assert [str(record.rdata) for record in ask("S3.lab.frontdesk.test", "A", tcp).rr] == [s3]
        empty = ask("s3.lab.frontdesk.test", "AAAA", tcp)
        assert (empty.header.rcode, empty.rr, empty.auth[0].rtype) == (RCODE.NOERROR, [], QTYPE.SOA)
        assert ask("nobody.lab.frontdesk.test", "A", tcp).header.rcode == RCODE.NXDOMAIN
    assert on(world.one, "getent hosts s3.lab.frontdesk.test").split()[0] == s3
    # Names of other containers are no names at all on a rented server.
    assert ssh(world.one, "getent hosts frontdesk-lab-s3").returncode != 0
    # Package mirrors are the world's names; without them no server could install anything.
    mirror = "apt-get indextargets --format '$(SITE)' | head -n 1 | cut -d / -f 3"
    assert on(world.one, f"getent ahosts $({mirror})")


def test_servers_pull_official_names_from_the_lab_registry(world: World, engine: docker.DockerClient) -> None:
    """An image pushed by the controller runs in a server's own engine under a name that Docker Hub would have."""
    files = "/usr/bin/true /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6"
    tar = ssh(world.one, f"tar --create --dereference --absolute-names {files}").stdout
    name = f"{REGISTRY}/library/machines-test"
    engine.api.import_image_from_data(tar, repository=name, tag="1", changes=['ENTRYPOINT ["/usr/bin/true"]'])
    try:
        pushed = engine.images.push(name, tag="1")
        assert "error" not in pushed, pushed
    finally:
        engine.images.remove(f"{name}:1")
    networks = engine.containers.get("frontdesk-lab-registry").attrs["NetworkSettings"]["Networks"]
    mirror = json.dumps({"registry-mirrors": [f"http://{networks[PUBLIC_NETWORK]['IPAddress']}:5000"]})
    on(world.one, f"mkdir -p /etc/docker && echo '{mirror}' > /etc/docker/daemon.json && systemctl start docker")
    on(world.one, "docker run --rm machines-test:1")
    assert on(world.one, "docker info --format '{{.Driver}}'") == "overlay2"


def test_s3_behaves_as_r2_does(world: World, engine: docker.DockerClient) -> None:
    networks = engine.containers.get("frontdesk-lab-s3").attrs["NetworkSettings"]["Networks"]

    def client(secret: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"http://{networks[PUBLIC_NETWORK]['IPAddress']}:8333",
            aws_access_key_id="lab-access-key",
            aws_secret_access_key=secret,
            region_name="auto",
        )

    def code(call: Callable[..., Any], **arguments: Any) -> str:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            call(**arguments)
        return error.value.response["Error"]["Code"]

    s3 = client("lab-secret-key")
    assert code(s3.put_object, Bucket="machines-test-none", Key="a", Body=b"") == "NoSuchBucket"
    s3.create_bucket(Bucket="machines-test")
    try:
        s3.put_object(Bucket="machines-test", Key="a/ä b", Body=b"content")
        assert s3.get_object(Bucket="machines-test", Key="a/ä b")["Body"].read() == b"content"
        assert code(s3.delete_bucket, Bucket="machines-test") == "BucketNotEmpty"
        assert code(client("wrong").list_buckets) == "SignatureDoesNotMatch"
    finally:
        s3.delete_object(Bucket="machines-test", Key="a/ä b")
        s3.delete_bucket(Bucket="machines-test")
