# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's real side, through the doors that users have: servers from the Hetzner API, SSH, packets, DNS, images, S3."""

from __future__ import annotations

import json
import subprocess
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
from hcloud.networks import Network, NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer

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
    finish(*(server.delete() for server in cloud.servers.get_all() if server.name.startswith("machines-test")))
    for group in (cloud.firewalls, cloud.networks, cloud.ssh_keys):
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
        on(server, f"systemd-run --quiet --unit=web python3 -m http.server {WEB} --directory /usr/share")
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
    on(world.two, f"systemd-run --quiet --unit=web python3 -m http.server {WEB} --directory /usr/share")
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
