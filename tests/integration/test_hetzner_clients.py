# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that know nothing of us work against the lab cloud: hcloud for Python, and the collection hetzner.hcloud.

Their requests and the lab's answers are checked against the vendor's document on the way, where it is there.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcloud
import pytest
import yaml
from hcloud.actions import ActionFailedException
from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector, FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.networks import NetworkRoute, NetworkSubnet
from hcloud.server_types import ServerType
from hcloud.servers import ServerCreatePublicNetwork

from tests.contract.openapi import Recorder, hetzner_document, specs_folder
from tests.integration.playbook import ROOT, run_playbook
from tests.lab_cloud import LabCloud, running_lab_cloud

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ0lT6eHnZBTbJbmuFpTSFAZ1iYrHXQvKCXzdzzkMya frontdesk"
ZONE = "eu-central"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LabCloud]:
    recorder = Recorder(hetzner_document()) if specs_folder().is_dir() else None
    with running_lab_cloud(tmp_path, observer=recorder) as running:
        yield running
    if recorder is not None:
        recorder.check()


@pytest.fixture
def client(lab: LabCloud) -> hcloud.Client:
    return hcloud.Client(token=lab.token, api_endpoint=lab.endpoint, poll_interval=0.02, timeout=20)


def _network(client: hcloud.Client, name: str = "private") -> Any:
    subnet = NetworkSubnet(ip_range="10.0.1.0/24", type="cloud", network_zone=ZONE)
    return client.networks.create(name, "10.0.0.0/16", subnets=[subnet])


def _server(client: hcloud.Client, name: str = "node", **options: Any) -> Any:
    created = client.servers.create(name, ServerType("cx23"), Image(name="debian-13"), **options)
    for action in (created.action, *created.next_actions):
        action.wait_until_finished()
    return client.servers.get_by_id(created.server.id)


def test_hcloud_reads_the_catalogue(client: hcloud.Client) -> None:
    assert {place.name for place in client.locations.get_all()} == {"fsn1", "nbg1", "hel1", "ash", "hil", "sin"}
    fsn1 = client.locations.get_by_name("fsn1")
    assert client.locations.get_by_id(fsn1.id).network_zone == ZONE
    cx23 = client.server_types.get_by_name("cx23")
    assert (cx23.cores, cx23.memory, cx23.disk, cx23.architecture) == (2, 4, 40, "x86")
    assert all(place.available for place in client.server_types.get_by_id(cx23.id).locations)
    images = client.images.get_all(architecture=["x86"], include_deprecated=True, type=["system"], sort="name:desc")
    old = next(image for image in images if image.name == "ubuntu-22.04")
    assert old.deprecation.unavailable_after > old.deprecation.announced
    debian = client.images.get_by_name_and_architecture("debian-13", "arm")
    assert client.images.get_by_id(debian.id).architecture == "arm"


def test_hcloud_manages_ssh_keys(client: hcloud.Client) -> None:
    key = client.ssh_keys.create("admin", KEY, labels={"a": "b"})
    assert client.ssh_keys.get_by_fingerprint(key.fingerprint).id == key.id
    assert client.ssh_keys.get_by_name("admin").data_model.public_key == KEY
    assert key.update(name="root", labels={"c": ""}).name == "root"
    assert client.ssh_keys.get_by_id(key.id).labels == {"c": ""}
    with pytest.raises(hcloud.APIException) as caught:
        client.ssh_keys.create("again", KEY)
    assert caught.value.code == "uniqueness_error"
    assert caught.value.correlation_id
    assert key.delete()
    assert client.ssh_keys.get_all() == []


def test_hcloud_manages_networks(client: hcloud.Client) -> None:
    network = _network(client)
    second = NetworkSubnet(ip_range="10.0.2.0/24", type="cloud", network_zone=ZONE)
    route = NetworkRoute(destination="0.0.0.0/0", gateway="10.0.1.9")
    for action in (network.add_subnet(second), network.add_route(route), network.change_ip_range("10.0.0.0/12")):
        action.wait_until_finished()
    network.reload()
    assert [(subnet.ip_range, subnet.gateway) for subnet in network.subnets] == [
        ("10.0.1.0/24", "10.0.0.1"),
        ("10.0.2.0/24", "10.0.0.1"),
    ]
    assert [entry.gateway for entry in network.routes] == ["10.0.1.9"]
    network.delete_subnet(second).wait_until_finished()
    network.delete_route(route).wait_until_finished()
    network.change_protection(delete=True).wait_until_finished()
    with pytest.raises(hcloud.APIException, match="protected"):
        network.delete()
    network.change_protection(delete=False).wait_until_finished()
    assert network.update(name="renamed", labels={"a": "b"}).name == "renamed"
    assert client.networks.get_all(label_selector="a==b")[0].id == network.id
    assert [action.command for action in network.get_actions()][:2] == ["add_subnet", "add_route"]
    assert network.delete()
    assert client.networks.get_by_name("renamed") is None


def test_hcloud_manages_placement_groups(client: hcloud.Client) -> None:
    group = client.placement_groups.create("spread", "spread", labels={"a": "b"}).placement_group
    node = _server(client, placement_group=group)
    assert client.placement_groups.get_by_id(group.id).servers == [node.id]
    assert node.placement_group.id == group.id
    assert group.update(name="wide").name == "wide"
    with pytest.raises(hcloud.APIException, match="server_not_stopped"):
        node.add_to_placement_group(group)
    node.power_off().wait_until_finished()
    node.remove_from_placement_group().wait_until_finished()
    node.add_to_placement_group(group).wait_until_finished()
    node.delete().wait_until_finished()
    assert group.delete()


def test_hcloud_manages_firewalls(client: hcloud.Client) -> None:
    rules = [FirewallRule(direction="in", protocol="tcp", port="22", source_ips=["0.0.0.0/0", "2001:DB8::0/32"])]
    by_label = FirewallResource(
        type="label_selector", label_selector=FirewallResourceLabelSelector(selector="role=edge")
    )
    node = _server(client)
    by_id = FirewallResource(type="server", server=node)
    created = client.firewalls.create("edge", rules=rules, resources=[by_label])
    firewall = created.firewall
    assert firewall.rules[0].source_ips == ["0.0.0.0/0", "2001:db8::/32"]
    for action in firewall.apply_to_resources([by_id]):
        action.wait_until_finished()
    node.reload()
    assert node.public_net.firewalls[0].status == "applied"
    for action in firewall.set_rules([]):
        action.wait_until_finished()
    assert firewall.update(name="edge-2", labels={"a": "b"}).name == "edge-2"
    with pytest.raises(hcloud.APIException, match="resource_in_use"):
        firewall.delete()
    for action in firewall.remove_from_resources([by_id, by_label]):
        action.wait_until_finished()
    assert "apply_firewall" in [action.command for action in firewall.get_actions()]
    assert firewall.delete()


def test_hcloud_manages_servers_with_a_fixed_private_address(client: hcloud.Client) -> None:
    network, key = _network(client), client.ssh_keys.create("admin", KEY)
    node = _server(
        client,
        location=Location("nbg1"),
        ssh_keys=[key],
        labels={"role": "node"},
        user_data="#cloud-config\n",
        start_after_create=False,
        public_net=ServerCreatePublicNetwork(enable_ipv4=True, enable_ipv6=False),
    )
    assert (node.status, node.public_net.ipv6) == ("off", None)
    node.attach_to_network(network, ip="10.0.1.5", alias_ips=["10.0.1.6"]).wait_until_finished()
    node.power_on().wait_until_finished()
    node.reload()
    assert (node.status, node.private_net[0].ip, node.private_net[0].alias_ips) == ("running", "10.0.1.5", ["10.0.1.6"])
    member = client.networks.get_member_all(network, type=["server"], status=["ok"])[0]
    assert (member.id, member.subnet) == (node.id, "10.0.1.0/24")
    node.change_alias_ips(network, ["10.0.1.7"]).wait_until_finished()
    for command in (node.reboot, node.reset, node.shutdown, node.power_off, node.enable_backup, node.disable_backup):
        command().wait_until_finished()
    node.change_type(ServerType("cx33"), upgrade_disk=False).wait_until_finished()
    node.reload()
    assert (node.server_type.name, node.primary_disk_size, node.status) == ("cx33", 40, "running")
    node.rebuild(Image(name="ubuntu-24.04")).action.wait_until_finished()
    node.change_protection(delete=True, rebuild=True).wait_until_finished()
    with pytest.raises(hcloud.APIException, match="protected"):
        node.delete()
    node.change_protection(delete=False, rebuild=False).wait_until_finished()
    node.change_dns_ptr(node.public_net.ipv4.ip, "node.example.com").wait_until_finished()
    assert client.servers.get_by_id(node.id).public_net.ipv4.dns_ptr == "node.example.com"
    assert node.update(name="node-2", labels={"role": "other"}).labels == {"role": "other"}
    assert [found.id for found in client.servers.get_all(status=["running"], label_selector="role in (other)")] == [
        node.id
    ]
    node.detach_from_network(network).wait_until_finished()
    assert client.servers.get_by_id(node.id).private_net == []
    node.delete().wait_until_finished()
    assert client.servers.get_all() == []


def test_hcloud_manages_primary_ips(client: hcloud.Client) -> None:
    address = client.primary_ips.create(type="ipv4", name="stable", location=Location("fsn1")).primary_ip
    assert (address.assignee_type, address.assignee_id) == ("unassigned", None)
    public = ServerCreatePublicNetwork(ipv4=address, enable_ipv6=False)
    node = _server(client, location=Location("fsn1"), public_net=public)
    assert node.public_net.ipv4.ip == address.ip
    with pytest.raises(hcloud.APIException, match="must_be_unassigned"):
        address.delete()
    node.delete().wait_until_finished()
    address.reload()
    assert address.assignee_id is None
    address.change_dns_ptr(address.ip, "stable.example.com").wait_until_finished()
    assert address.update(name="kept", labels={}).name == "kept"
    assert address.delete()


def test_hcloud_sees_a_failed_action_as_one(client: hcloud.Client, lab: LabCloud) -> None:
    lab.fault(effect="action_error", command="create_server", message="no luck")
    created = client.servers.create("node", ServerType("cx23"), Image(name="debian-13"))
    with pytest.raises(ActionFailedException, match="no luck"):
        created.action.wait_until_finished()


def test_hcloud_reads_all_pages(client: hcloud.Client, lab: LabCloud) -> None:
    lab.project("many", "many", servers={"count": 120})
    many = hcloud.Client(token="many", api_endpoint=lab.endpoint, timeout=20)
    assert len({node.id for node in many.servers.get_all()}) == 120


PLAY = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/hetzner.hcloud.all:
      api_token: "{{ lookup('ansible.builtin.env', 'HCLOUD_TOKEN') }}"
      api_endpoint: "{{ lookup('ansible.builtin.env', 'HCLOUD_ENDPOINT') }}"
  tasks:
    - name: Network
      hetzner.hcloud.network: {name: private, ip_range: 10.0.0.0/16, labels: {a: b}, state: "{{ wanted }}"}
      when: wanted == 'present'
    - name: Subnetwork
      hetzner.hcloud.subnetwork:
        {network: private, ip_range: 10.0.1.0/24, network_zone: eu-central, type: cloud, state: present}
      when: wanted == 'present'
    - name: Key
      hetzner.hcloud.ssh_key: {name: admin, public_key: "{{ key }}", state: "{{ wanted }}"}
    - name: Group
      hetzner.hcloud.placement_group: {name: spread, type: spread, state: present}
      when: wanted == 'present'
    - name: Firewall
      hetzner.hcloud.firewall:
        name: edge
        rules:
          - {direction: in, protocol: tcp, port: "22", source_ips: ["0.0.0.0/0", "::/0"], description: SSH}
        state: present
      when: wanted == 'present'
    - name: Server
      hetzner.hcloud.server:
        name: node
        server_type: cx23
        image: debian-13
        location: fsn1
        ssh_keys: [admin]
        placement_group: spread
        firewalls: [edge]
        labels: {role: node}
        state: "{{ wanted }}"
    - name: Attachment
      hetzner.hcloud.server_network: {network: private, server: node, ip: 10.0.1.5, state: present}
      when: wanted == 'present'
    - name: Info
      hetzner.hcloud.server_info: {label_selector: role=node}
    - name: Firewall goes
      hetzner.hcloud.firewall: {name: edge, state: absent}
      when: wanted == 'absent'
    - name: Group goes
      hetzner.hcloud.placement_group: {name: spread, state: absent}
      when: wanted == 'absent'
    - name: Subnetwork goes
      hetzner.hcloud.subnetwork:
        {network: private, ip_range: 10.0.1.0/24, network_zone: eu-central, type: cloud, state: absent}
      when: wanted == 'absent'
    - name: Network goes
      hetzner.hcloud.network: {name: private, state: absent}
      when: wanted == 'absent'
"""


def _run(playbook: Path, lab: LabCloud, wanted: str) -> dict[str, dict[str, Any]]:
    """Run the play; return the results by task."""
    run = run_playbook(
        str(playbook),
        "-e",
        json.dumps({"wanted": wanted, "key": KEY}),
        inventory="localhost,",
        HCLOUD_TOKEN=lab.token,
        HCLOUD_ENDPOINT=lab.endpoint,
        ANSIBLE_CALLBACKS_ENABLED="ansible.posix.json",
        ANSIBLE_PYTHON_INTERPRETER=str(ROOT / ".venv" / "bin" / "python"),
        ANSIBLE_DEPRECATION_WARNINGS="false",
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {task: result for task, _host, result in run.results}


def test_the_modules_of_hetzner_hcloud_converge_and_are_idempotent(lab: LabCloud, tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY.replace("gather_facts: false", "gather_facts: false\n  connection: local"))
    first = _run(playbook, lab, "present")
    writes = ("Network", "Subnetwork", "Key", "Group", "Firewall", "Server", "Attachment")
    assert [task for task in writes if first[task]["changed"]] == list(writes)
    again = _run(playbook, lab, "present")
    assert [task for task in writes if again[task]["changed"]] == []
    info = again["Info"]["hcloud_server_info"][0]
    assert (info["name"], info["status"], info["location"]) == ("node", "running", "fsn1")
    assert info["private_networks_info"] == [{"name": "private", "ip": "10.0.1.5"}]
    gone = _run(playbook, lab, "absent")
    goings = ("Server", "Key", "Firewall goes", "Group goes", "Subnetwork goes", "Network goes")
    assert [task for task in goings if gone[task]["changed"]] == list(goings)
    for kind in ("servers", "networks", "firewalls", "ssh_keys", "placement_groups", "primary_ips"):
        assert lab.api("GET", f"/{kind}")[1][kind] == []


def test_the_inventory_of_hetzner_hcloud_finds_the_servers(lab: LabCloud, tmp_path: Path) -> None:
    lab.project("p", "inventory", servers={"count": 60, "groups": ["web"], "odd": {"no_image": 1, "ipv6_only": 1}})
    source = tmp_path / "hcloud.yml"
    options = {"plugin": "hetzner.hcloud.hcloud", "keyed_groups": [{"key": "hcloud_location", "prefix": "at"}]}
    source.write_text(yaml.safe_dump(options))
    process = subprocess.run(
        [str(ROOT / ".venv" / "bin" / "ansible-inventory"), "-i", str(source), "--list"],
        env={**os.environ, "HCLOUD_TOKEN": "inventory", "HCLOUD_ENDPOINT": lab.endpoint},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    inventory = json.loads(process.stdout)
    hosts = inventory["_meta"]["hostvars"]
    assert len(hosts) == 60
    assert hosts["server-0003"]["ansible_host"] == hosts["server-0003"]["hcloud_ipv4"]
    # ansible-inventory marks names from outside as unsafe, in a way that differs between versions.
    assert "net-1" in json.dumps(hosts["server-0003"]["hcloud_private_networks"])
    assert hosts["server-0003"]["hcloud_datacenter"] is None  # gone since 2026-10-01, that plugin still reads it
    assert len(inventory["at_fsn1"]["hosts"]) == 20
    assert "hcloud_ipv4" not in hosts["server-0001"]
    assert "hcloud_image_id" not in hosts["server-0002"]
