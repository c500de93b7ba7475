# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine is asked to make for a server and a network."""

from __future__ import annotations

import io
import ipaddress
import json
import tarfile
from dataclasses import replace

import pytest

from labcloud.docker_engine import tar_of
from labcloud.docker_machines import (
    Settings,
    container_body,
    find_overlap,
    network_body,
    parse_routes,
    seed_files,
)
from labcloud.docker_networks import network_name
from labcloud.machine_specs import MachineError, MachineSpec, PrivateAddress

ENVIRONMENT = {
    "LABCLOUD_SERVER_IMAGE": "frontdesk-lab/server:1",
    "LABCLOUD_PUBLIC_NETWORK_NAME": "frontdesk-lab-a-public",
    "LABCLOUD_PUBLIC_NETWORK": "198.18.3.0/24",
    "LABCLOUD_RESOLVER": "198.18.3.4",
    "LABCLOUD_FIREWALL_CONTAINER": "frontdesk-lab-firewall",
    "LABCLOUD_SERVICES_IMAGE": "frontdesk-lab/services:1",
    "LABCLOUD_BALANCER_VOLUME": "frontdesk-lab-balancers",
    "LABCLOUD_BALANCER_FOLDER": "/var/lib/balancers",
}
SETTINGS = Settings.from_environment(ENVIRONMENT)
SPEC = MachineSpec(
    server_id=42,
    name="web-1",
    public_ipv4="198.18.3.10",
    private=(PrivateAddress(5, "10.0.0.2", ()),),
    ssh_public_keys=("ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"),
    user_data="#!/bin/sh\ntrue\n",
    image="debian-13",
    cores=4,
    memory_gb=8.0,
)
ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "tun0\t0000140A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_setting_is_named(name):
    with pytest.raises(MachineError, match=name):
        Settings.from_environment({key: value for key, value in ENVIRONMENT.items() if key != name})


def test_the_services_range_lies_below_the_servers():
    assert SETTINGS.services == "198.18.3.2-198.18.3.9"


def test_the_public_network_sorts_before_every_private_one():
    names = [SETTINGS.public_network, network_name(1), network_name(999999)]
    assert sorted(names)[0] == SETTINGS.public_network


def test_control_groups_version_1_need_two_words_and_the_machines_tree():
    body = container_body(SPEC, SETTINGS, "1")
    assert body["Cmd"] == ["systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]
    assert body["HostConfig"]["CgroupnsMode"] == "host"
    assert "/sys/fs/cgroup:/sys/fs/cgroup:rw" in body["HostConfig"]["Binds"]


def test_control_groups_version_2_stay_private():
    body = container_body(SPEC, SETTINGS, "2")
    assert body["Cmd"] == []
    assert body["HostConfig"]["CgroupnsMode"] == "private"
    assert body["HostConfig"]["Binds"] == ["frontdesk-lab-server-42-docker:/var/lib/docker"]


def test_a_server_is_limited_named_and_labelled():
    body = container_body(SPEC, SETTINGS, "2")
    assert body["Hostname"] == "web-1"
    assert body["HostConfig"]["Memory"] == 8 * 1024**3
    assert body["Labels"] == {"frontdesk.lab": "true", "frontdesk.lab.server": "42"}
    assert "LAB_RESOLVER=198.18.3.4" in body["Env"]
    endpoints = body["NetworkingConfig"]["EndpointsConfig"]
    assert endpoints == {"frontdesk-lab-a-public": {"IPAMConfig": {"IPv4Address": "198.18.3.10"}}}
    assert "Privileged" not in body["HostConfig"]


def test_a_server_without_public_address_has_no_public_network():
    body = container_body(replace(SPEC, public_ipv4=None), SETTINGS, "2")
    assert body["HostConfig"]["NetworkMode"] == "none"
    assert "NetworkingConfig" not in body


def test_the_seed_is_what_cloud_init_reads():
    files = {path.rpartition("/")[2]: text for path, text in seed_files(SPEC).items()}
    assert json.loads(files["meta-data"]) == {
        "instance-id": "42",
        "local-hostname": "web-1",
        "public-keys": ["ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two"],
    }
    assert files["user-data"] == SPEC.user_data
    assert files["network-config"] == "network:\n  config: disabled\n"


def test_a_server_without_user_data_gets_an_empty_file():
    # cloud-init wants the file, and calls an empty "#cloud-config" a fault.
    assert seed_files(replace(SPEC, user_data=""))["/var/lib/cloud/seed/nocloud/user-data"] == ""


def test_seed_files_are_for_root_alone():
    with tarfile.open(fileobj=io.BytesIO(tar_of({"/var/lib/x/user-data": "ä"}))) as archive:
        member = archive.getmembers()[0]
        assert (member.name, member.mode, member.uid) == ("var/lib/x/user-data", 0o600, 0)
        content = archive.extractfile(member)
        assert content is not None
        assert content.read().decode() == "ä"


def test_a_private_network_has_no_way_out_and_hetzners_packet_size():
    body = network_body(5, "10.0.0.0/16")
    assert body["Internal"] is True
    assert body["Options"] == {"com.docker.network.driver.mtu": "1450"}
    assert body["IPAM"] == {"Config": [{"Subnet": "10.0.0.0/16"}]}


def test_routes_are_read_without_the_default_one():
    assert parse_routes(ROUTES) == [ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("10.20.0.0/16")]


@pytest.mark.parametrize(
    ("ip_range", "sentence"),
    [
        ("10.20.5.0/24", "the range 10.20.5.0/24 overlaps 10.20.0.0/16, to which this machine already has a route"),
        (
            "172.16.0.0/12",
            "the range 172.16.0.0/12 overlaps 172.17.0.0/16 of the Docker network bridge on this machine",
        ),
        ("10.21.0.0/16", None),
    ],
)
def test_an_overlap_is_told_in_one_sentence(ip_range, sentence):
    networks = [
        {"Name": "host", "IPAM": {"Config": None}},
        {"Name": "bridge", "IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": "172.17.0.0/16"}]}},
    ]
    assert find_overlap(ip_range, networks, parse_routes(ROUTES)) == sentence
