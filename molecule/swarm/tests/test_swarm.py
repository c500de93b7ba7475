# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three managers over the private network, and what role swarm promises about them."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

PROBE = "mtu-probe"


def engine(host, path):
    return json.loads(host.check_output(f"curl --silent --unix-socket /var/run/docker.sock 'http://docker{path}'"))


@pytest.fixture(scope="module")
def private_address(host):
    addresses = json.loads(host.check_output("ip -json -4 address show"))
    return next(
        entry["local"] for link in addresses for entry in link["addr_info"] if entry["local"].startswith("10.20.0.")
    )


def test_the_node_is_a_manager_under_its_private_address(host, private_address):
    swarm = engine(host, "/info")["Swarm"]
    assert (swarm["LocalNodeState"], swarm["ControlAvailable"], swarm["Error"]) == ("active", True, "")
    assert swarm["NodeAddr"] == private_address


def test_all_managers_vote_and_one_leads(host):
    nodes = engine(host, "/nodes")
    assert [node["Status"]["State"] for node in nodes] == ["ready"] * 3
    assert [node["ManagerStatus"]["Reachability"] for node in nodes] == ["reachable"] * 3
    assert sum(node["ManagerStatus"].get("Leader", False) for node in nodes) == 1
    assert all(node["ManagerStatus"]["Addr"].startswith("10.20.0.") for node in nodes)


@pytest.mark.parametrize(("protocol", "port"), [("tcp", 2377), ("tcp", 7946), ("udp", 7946)])
def test_the_cluster_listens_on_the_private_address_alone(host, private_address, protocol, port):
    lines = host.check_output(f"ss --no-header --listening --numeric --{protocol} 'sport = {port}'").splitlines()
    column = 3
    assert [line.split()[column] for line in lines] == [f"{private_address}:{port}"]


def test_the_pools_and_settings_are_those_of_the_inventory(host):
    cluster = engine(host, "/swarm")
    assert (cluster["DefaultAddrPool"], cluster["SubnetSize"], cluster["DataPathPort"]) == (["10.200.0.0/16"], 24, 4789)
    assert cluster["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"] == 3
    assert cluster["Spec"]["Labels"] == {"frontdesk.fingerprint": "0123456789abcdef0123456789abcdef"}


def test_nodes_have_their_labels(host):
    for node in engine(host, "/nodes"):
        ours = {key: value for key, value in node["Spec"]["Labels"].items() if key.startswith("frontdesk.")}
        assert ours == {"frontdesk.edge": "true", "frontdesk.server": node["Description"]["Hostname"]}
        assert node["Spec"]["Availability"] == "active"


def test_there_is_no_routing_mesh(host):
    assert [network["Name"] for network in engine(host, "/networks") if network["Ingress"]] == []


def test_every_network_is_made_for_the_private_networks_packets(host):
    networks = {network["Name"]: network for network in engine(host, "/networks")}
    for name in ("edge", "tools", "docker_gwbridge"):
        assert networks[name]["Options"]["com.docker.network.driver.mtu"] == "1450", name
    assert (networks["edge"]["Attachable"], networks["tools"]["Attachable"]) == (False, True)
    assert all(networks[name]["IPAM"]["Config"][0]["Subnet"].startswith("10.200.") for name in ("edge", "tools"))


@pytest.fixture(scope="module")
def probes(host):
    """A container on every node, in the network `edge`; this node's process, and the others' addresses."""
    # Whichever server's tests come first makes it; it goes with the cluster.
    host.run(
        f"docker service create --quiet --detach --name {PROBE} --mode global --network edge --endpoint-mode dnsrr frontdesk-lab/echo:1"
    )
    wanted = f"/tasks?filters={quote(json.dumps({'service': [PROBE], 'desired-state': ['running']}))}"
    end = time.monotonic() + 180
    while True:
        tasks = engine(host, wanted)
        states = [task["Status"]["State"] for task in tasks]
        if states == ["running"] * 3:
            break
        assert time.monotonic() < end, states
        time.sleep(0.5)
    mine = engine(host, "/info")["Swarm"]["NodeID"]
    own = next(task for task in tasks if task["NodeID"] == mine)
    peers = [
        attachment["Addresses"][0].split("/")[0]
        for task in tasks
        if task["NodeID"] != mine
        for attachment in task["NetworksAttachments"]
        if attachment["Network"]["Spec"]["Name"] == "edge"
    ]
    assert len(peers) == 2
    return engine(host, f"/containers/{own['Status']['ContainerStatus']['ContainerID']}/json")["State"]["Pid"], peers


def test_containers_reach_other_nodes_with_packets_of_1400_bytes_and_no_more(host, probes):
    process, peers = probes
    inside = f"nsenter --target {process} --net"
    links = json.loads(host.check_output(f"{inside} ip -json -4 address show"))
    overlay = [link["mtu"] for link in links for entry in link["addr_info"] if entry["local"].startswith("10.200.")]
    assert overlay == [1400]
    for peer in peers:
        # 28 bytes are the headers of IP and ICMP.
        fits = host.run(f"{inside} ping -c 3 -i 0.2 -W 5 -M do -s 1372 {peer}")
        assert fits.rc == 0, fits.stdout
        assert host.run(f"{inside} ping -c 1 -W 5 -M do -s 1373 {peer}").rc != 0


@pytest.mark.parametrize("name", ["before.d/20-swarm-drain", "after.d/20-swarm-active"])
def test_the_hooks_around_a_reboot_are_there(host, name):
    hook = host.file(f"/etc/frontdesk/reboot/{name}")
    assert (hook.user, oct(hook.mode)) == ("root", "0o755")


def test_a_node_that_was_not_drained_for_a_reboot_is_left_alone(host):
    assert "was not drained" in host.check_output("/etc/frontdesk/reboot/after.d/20-swarm-active")


def test_no_join_token_is_in_the_journal(host):
    assert host.run("journalctl --quiet --no-pager | grep --count SWMTKN-1-").stdout.strip() == "0"
