# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of the platform and of role hetzner: what breaks it, and what the fault says. In one process, with Ansible's own engine."""

from __future__ import annotations

import base64
import copy
import functools
import itertools
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.frontdesk.platform.plugins.plugin_utils.catalog import Catalog, read_catalog
from ansible_collections.frontdesk.platform.plugins.plugin_utils.configuration import Check, SourceIndex
from ansible_collections.frontdesk.platform.plugins.plugin_utils.rules import apply_rule
from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import LAB_MASTER_KEY
from ansible_collections.frontdesk.platform.plugins.plugin_utils.templates import Templates

ROOT = Path(__file__).resolve().parents[2]
KEY = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"


def ssh_key(number: int) -> str:
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + bytes([number]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} somebody@example.com"


def server(number: int, *groups: str, **more: Any) -> dict[str, Any]:
    return {"name": f"acme-{number}", "groups": list(groups), "private_ip": f"10.20.0.{10 + number}", **more}


ALL = ("swarm_managers", "postgres", "redis", "edge")
SERVERS = [server(1, *ALL), server(2, *ALL), server(3, *ALL), server(4, "swarm_workers")]
VALID: dict[str, Any] = {
    "frontdesk_environment": "acme",
    "frontdesk_domain": "acme.example",
    "frontdesk_master_key": KEY,
    "frontdesk_ssh_keys": [{"name": "one", "public_key": ssh_key(1)}],
    "frontdesk_servers": SERVERS,
    "hetzner_api_token": "token",
    "registry_s3_endpoint": "https://acme.r2.cloudflarestorage.com",
    "registry_s3_access_key": "access",
    "registry_s3_secret_key": "secret",
    "frontdesk_certificates": [{"name": "acme", "certificate": "", "key": ""}],
    "inventory_dir": "/somewhere",
    "inventory_hostname": "acme-1",
}


@functools.cache
def catalog() -> Catalog:
    return read_catalog(ROOT, lambda path: DataLoader().load_from_file(str(path), trusted_as_template=True))


def templates() -> Templates:
    return Templates(Templar(loader=DataLoader(), variables={}))


def variables(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {**catalog().wiring, **copy.deepcopy(VALID), **changes}


def lines(changes: Mapping[str, Any]) -> list[str]:
    """The faults of the valid variables with these changes, by the whole check."""
    return [fault.line() for fault in Check(catalog(), templates(), variables(changes), SourceIndex()).run()]


@functools.cache
def valid() -> tuple[Check, SourceIndex]:
    sources = SourceIndex()
    check = Check(catalog(), templates(), variables({}), sources)
    assert check.run() == []
    return check, sources


def lines_of_changes(changes: Mapping[str, Any]) -> list[str]:
    """The same as `lines`, in a fraction of the time: only what the changes reach is checked, as for a second host."""
    base, sources = valid()
    check = Check(catalog(), templates(), variables(changes), sources, base=base, changed=set(changes))
    return [fault.line() for fault in check.run()]


def with_server(position: int, **changes: Any) -> dict[str, Any]:
    """The valid servers with one of them changed. None removes a part."""
    servers = copy.deepcopy(SERVERS)
    servers[position] = {key: value for key, value in {**servers[position], **changes}.items() if value is not None}
    return {"frontdesk_servers": servers}


def many(count: int, *groups: str) -> list[dict[str, Any]]:
    return [
        {"name": f"many-{number}", "groups": list(groups), "private_ip": f"10.20.0.{20 + number}"}
        for number in range(count)
    ]


LAB = {"frontdesk_master_key": LAB_MASTER_KEY, "frontdesk_environment": "lab"}
HETZNER = {"name": "a", "server_types": ["cx33"], "locations": ["fsn1"], "image": "debian-13"}
NETWORK = {"name": "n", "ip_range": "10.20.0.0/16"}
TCP = {"direction": "in", "protocol": "tcp", "port": "80"}
PAIR = {"name": "web", "certificate": "", "key": ""}
COMPONENT: dict[str, Any] = {"name": "web", "check": {"host": "web", "port": 80}}
VOLUME = {"name": "v", "size": 10, "location": "fsn1"}
BALANCER = {"name": "b", "type": "lb11", "location": "fsn1"}


def balancer(**more: Any) -> dict[str, Any]:
    return {"hetzner_load_balancers": [{**BALANCER, **more}]}


LISTENER = {
    "name": "web",
    "port": 1024,
    "servers": ["a"],
    "server_port": 80,
    "check": "http",
    "path": "/",
    "check_port": 80,
}


def listeners(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"haproxy_listeners": [{**LISTENER, **change} for change in changes]}


# What is changed, and the beginning and a part of each fault that this makes.
CASES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"frontdesk_environment": "Acme 1"}, [('frontdesk_environment = "Acme 1"', "lower case letters")]),
    ({"frontdesk_environment": "a" * 33}, [("frontdesk_environment =", "1 to 32")]),
    ({"frontdesk_domain": "https://acme.example"}, [('frontdesk_domain = "https://', "no https://")]),
    ({"frontdesk_domain": "localhost"}, [('frontdesk_domain = "localhost"', "at least two parts")]),
    ({"frontdesk_certificates": []}, [("frontdesk_certificates is empty", "covers the names of all services")]),
    ({"frontdesk_profile": "sinlge"}, [('frontdesk_profile = "sinlge"', "did you mean single?")]),
    (
        {"frontdesk_profile": "single"},
        [('frontdesk_profile = "single"', "puts 3 servers in swarm_managers")],
    ),
    (
        {"frontdesk_servers": [server(1, *ALL)]},
        [
            ('frontdesk_profile = "ha"', "needs 3 servers in swarm_managers"),
            ('frontdesk_servers = ["acme-1"]', "needs 3 servers in postgres"),
            ('frontdesk_servers = ["acme-1"]', "needs 3 servers in redis"),
        ],
    ),
    (with_server(0, name="x" * 64), [('frontdesk_servers[0].name = "xxx', "at most 63 characters (64 here)")]),
    (with_server(0, name="Acme_1"), [('frontdesk_servers[0].name = "Acme_1"', "lower case")]),
    (with_server(1, name="acme-1"), [('frontdesk_servers = ["acme-1"]', "more than one server has this name")]),
    (with_server(0, labels={"x": "y" * 64}), [('frontdesk_servers[0].labels = {"x"', "at most 63 letters")]),
    (with_server(0, labels={"a b": "c"}), [("frontdesk_servers[0].labels", "with a letter or digit at both ends")]),
    (
        with_server(0, labels={"group.frontdesk.platform/x": "true"}),
        [("frontdesk_servers[0].labels", "are reserved")],
    ),
    (
        {"frontdesk_load_balancer_ip": "10.21.0.5"},
        [('frontdesk_load_balancer_ip = "10.21.0.5"', "inside frontdesk_private_subnet (10.20.0.0/24)")],
    ),
    (
        {"frontdesk_load_balancer_ip": "10.20.0.11"},
        [('frontdesk_load_balancer_ip = "10.20.0.11"', "that no server has")],
    ),
    ({"frontdesk_master_key": "short"}, [("frontdesk_master_key (secret, not shown)", "32 bytes or more")]),
    ({"frontdesk_master_key": ""}, [("frontdesk_master_key is empty", "openssl rand -hex 32")]),
    ({"frontdesk_master_key": LAB_MASTER_KEY}, [("frontdesk_master_key (secret, not shown)", "everybody knows")]),
    (
        {**LAB, "hetzner_api_endpoint": "https://api.hetzner.cloud/v1"},
        [("frontdesk_master_key (secret, not shown)", "everybody knows")],
    ),
    (
        {**LAB, "hetzner_api_endpoint": "http://127.0.0.1.evil.example/v1"},
        [("frontdesk_master_key (secret, not shown)", "everybody knows")],
    ),
    ({"frontdesk_generations": {"redis": 0}}, [("frontdesk_generations =", "whole number from 1")]),
    ({"frontdesk_generations": {"Red is": 2}}, [("frontdesk_generations =", "whole number from 1")]),
    (
        {"frontdesk_servers": []},
        [
            ('frontdesk_profile = "ha"', "needs 3"),
            ("frontdesk_servers = []", "at least one server"),
            ("frontdesk_servers = []", "in postgres"),
            ("frontdesk_servers = []", "in redis"),
            ("frontdesk_servers = []", "no server is in edge"),
        ],
    ),
    (
        with_server(3, groups=["swarm_managers"]),
        [('frontdesk_servers = ["acme-1", "acme-2", "acme-3", "acme-4"]', "4 servers are in swarm_managers; an even")],
    ),
    (
        {"frontdesk_servers": SERVERS + many(6, "swarm_managers")},
        [("frontdesk_servers = [", "more than 7 managers")],
    ),
    (
        {
            "frontdesk_servers": SERVERS
            + many(4, "swarm_managers")
            + [
                dict(s, name=f"w{s['name']}", private_ip=f"10.20.0.{60 + i}")
                for i, s in enumerate(many(4, "swarm_workers"))
            ]
        },
        [],
    ),
    (
        {
            "frontdesk_servers": [
                *[{**s, "groups": ["swarm_managers", "edge"]} for s in SERVERS[:3]],
                *[
                    dict(s, groups=["swarm_workers", "postgres" if i < 3 else "redis"])
                    for i, s in enumerate(many(6, "x"))
                ],
                *[
                    dict(s, name=f"m{s['name']}", private_ip=f"10.20.0.{60 + i}")
                    for i, s in enumerate(many(2, "swarm_managers"))
                ],
            ]
        },
        [("frontdesk_servers = [", "takes 10 servers")],
    ),
    (
        with_server(0, groups=["swarm_managers", "swarm_workers", "postgres", "redis", "edge"]),
        [("frontdesk_servers[0].groups = [", "not in both")],
    ),
    (with_server(3, groups=[]), [("frontdesk_servers[3].groups = []", "add swarm_managers or swarm_workers")]),
    (
        with_server(0, groups=["swarm_managers", "edge"]),
        [
            ('frontdesk_servers = ["acme-2", "acme-3"]', "2 servers are in postgres"),
            ('frontdesk_servers = ["acme-2", "acme-3"]', "2 servers are in redis"),
        ],
    ),
    (
        {"frontdesk_servers": [{**s, "groups": [g for g in s["groups"] if g != "edge"]} for s in SERVERS]},
        [("frontdesk_servers = [", "no server is in edge")],
    ),
    (
        {"frontdesk_servers": SERVERS + many(97, "swarm_workers")},
        [("frontdesk_servers = [", "holds 100 servers, and 101 are listed")],
    ),
    (
        with_server(3, groups=["swarm_worker"]),
        [
            ('frontdesk_servers[3].groups[0] = "swarm_worker"', "did you mean swarm_workers?"),
            ("frontdesk_servers[3].groups", "add swarm_managers or swarm_workers"),
        ],
    ),
    (with_server(3, private_ip=None), [("frontdesk_servers[3].private_ip is not set", "set it")]),
    (
        with_server(3, privat_ip="10.20.0.14", private_ip=None),
        [
            ('frontdesk_servers[3].privat_ip = "10.20.0.14"', "did you mean private_ip?"),
            ("frontdesk_servers[3].private_ip is not set", "set it"),
        ],
    ),
    ({"frontdesk_server_types": []}, [("frontdesk_server_types = []", "at least one server type")]),
    (with_server(0, types=[]), [("frontdesk_servers[0].types = []", "at least one server type")]),
    ({"frontdesk_locations": []}, [("frontdesk_locations = []", "at least one location")]),
    (with_server(0, locations=[]), [("frontdesk_servers[0].locations = []", "at least one location")]),
    ({"frontdesk_locations": "fsn1,nbg1"}, [('frontdesk_locations = "fsn1,nbg1"', "give a list")]),
    ({"frontdesk_locations": ["fsn1", "ash"]}, [('frontdesk_locations[1] = "ash"', "zone eu-central")]),
    (
        {"frontdesk_network_zone": "us-west"},
        [(f'frontdesk_locations[{i}] = "{name}"', "zone us-west") for i, name in enumerate(("fsn1", "nbg1", "hel1"))],
    ),
    (with_server(0, locations=["sin"]), [('frontdesk_servers[0].locations = ["sin"]', "zone eu-central")]),
    ({"frontdesk_locations": ["new9"]}, []),
    ({"frontdesk_private_network": "10.20.0.1/16"}, [("frontdesk_private_network =", "no bit set beyond")]),
    (
        {"frontdesk_private_network": "8.8.0.0/16"},
        [("frontdesk_private_network =", "RFC 1918"), ("frontdesk_private_subnet =", "does not lie inside")],
    ),
    (
        {"frontdesk_private_network": "10.20.0.0/25", "frontdesk_private_subnet": "10.20.0.0/26"},
        [("frontdesk_private_network =", "/24 or larger")],
    ),
    (
        {
            "frontdesk_private_network": "172.16.0.0/12",
            "frontdesk_private_subnet": "172.20.0.0/24",
            "frontdesk_servers": [{**s, "private_ip": s["private_ip"].replace("10.20", "172.20")} for s in SERVERS],
        },
        [("frontdesk_private_network =", "overlaps with 172.17.0.0/16")],
    ),
    ({"frontdesk_private_subnet": "nonsense"}, [("frontdesk_private_subnet =", "range in CIDR notation")]),
    (
        {"frontdesk_private_subnet": "10.21.0.0/24"},
        [
            ("frontdesk_private_subnet =", "does not lie inside frontdesk_private_network (10.20.0.0/16)"),
            *[
                (f"frontdesk_servers[{n}].private_ip", "inside frontdesk_private_subnet (10.21.0.0/24)")
                for n in range(4)
            ],
        ],
    ),
    (
        {"frontdesk_private_subnet": "10.20.0.11/32"},
        [
            ("frontdesk_private_subnet =", "/30 or larger"),
            ("frontdesk_servers[0].private_ip", "first and last of a subnet"),
            *[(f"frontdesk_servers[{number}].private_ip", "inside") for number in (1, 2, 3)],
        ],
    ),
    (with_server(0, private_ip="10.20.1.11"), [('frontdesk_servers[0].private_ip = "10.20.1.11"', "inside")]),
    (with_server(0, private_ip="10.20.0.11/32"), [("frontdesk_servers[0].private_ip", "give an address inside")]),
    (with_server(0, private_ip="10.20.0.1"), [('frontdesk_servers[0].private_ip = "10.20.0.1"', "its gateway")]),
    (
        with_server(1, private_ip="10.20.0.11"),
        [('frontdesk_servers = ["10.20.0.11"]', "more than one server has this private_ip")],
    ),
    ({"frontdesk_admin_networks": []}, [("frontdesk_admin_networks = []", "nobody could reach")]),
    (
        {"frontdesk_admin_networks": [f"10.0.{number}.0/24" for number in range(101)]},
        [("frontdesk_admin_networks =", "100 networks, and 101")],
    ),
    (
        {"frontdesk_admin_networks": ["1.2.3.4/24", "10.0.0.1", "::/0"]},
        [('frontdesk_admin_networks[0] = "1.2.3.4/24"', "CIDR"), ("frontdesk_admin_networks[1]", "CIDR")],
    ),
    ({"frontdesk_ssh_keys": []}, [("frontdesk_ssh_keys = []", "at least one SSH key")]),
    (
        {"frontdesk_ssh_keys": [{"name": "a", "public_key": "ssh-ed25519 EXAMPLE"}]},
        [("frontdesk_ssh_keys[0].public_key =", ".pub file")],
    ),
    (
        {"frontdesk_ssh_keys": [{"name": "a", "public_key": ssh_key(n)} for n in (1, 2)]},
        [('frontdesk_ssh_keys = ["a"]', "more than one key has this name")],
    ),
    (
        {"frontdesk_ssh_keys": [{"name": n, "public_key": f"{ssh_key(1)} {n}"} for n in ("a", "b")]},
        [("frontdesk_ssh_keys = [", "takes a key once")],
    ),
    (
        {"frontdesk_ssh_keys": [{"name": "", "public_key": ssh_key(1)}]},
        [('frontdesk_ssh_keys[0].name = ""', "give the key a name")],
    ),
    ({"hetzner_api_token": ""}, [("hetzner_api_token is empty", "HCLOUD_TOKEN")]),
    ({"hetzner_api_token": "to ken"}, [("hetzner_api_token (secret, not shown)", "white space")]),
    ({"hetzner_api_endpoint": "api.hetzner.cloud"}, [("hetzner_api_endpoint =", "https://")]),
    ({"hetzner_owner": "x y"}, [('hetzner_owner = "x y"', "label's value")]),
    ({"hetzner_prune": "maybe"}, [('hetzner_prune = "maybe"', "true or false")]),
    (
        {"hetzner_networks": [{**NETWORK, "name": ""}], "hetzner_servers": [], "hetzner_load_balancers": []},
        [('hetzner_networks[0].name = ""', "1 to 128")],
    ),
    (
        {
            "hetzner_networks": [{**NETWORK, "ip_range": "10.0.0.0/25"}],
            "hetzner_servers": [],
            "hetzner_load_balancers": [],
        },
        [("hetzner_networks[0].ip_range =", "/24 or larger")],
    ),
    (
        {
            "hetzner_networks": [{**NETWORK, "subnets": [{"ip_range": "10.9.0.0/24", "network_zone": "eu-central"}]}],
            "hetzner_servers": [],
            "hetzner_load_balancers": [],
        },
        [("hetzner_networks[0].subnets =", "inside the network (10.20.0.0/16)")],
    ),
    (
        {
            "hetzner_networks": [
                {
                    **NETWORK,
                    "subnets": [
                        {"ip_range": "10.20.0.0/24", "network_zone": "eu-central"},
                        {"ip_range": "10.20.1.0/24", "network_zone": "us-east"},
                    ],
                }
            ],
            "hetzner_servers": [],
            "hetzner_load_balancers": [],
        },
        [("hetzner_networks[0].subnets =", "one network zone")],
    ),
    (
        {"hetzner_firewalls": [{"name": "x" * 129}], "hetzner_servers": []},
        [("hetzner_firewalls[0].name =", "1 to 128 characters (129 here)")],
    ),
    (
        {"hetzner_firewalls": [{"name": "x", "rules": [TCP] * 51}], "hetzner_servers": []},
        [("hetzner_firewalls[0].rules =", "50 rules a firewall, and 51")],
    ),
    (
        {"hetzner_firewalls": [{"name": "x", "rules": [{**TCP, "protocol": "icmp"}]}], "hetzner_servers": []},
        [("hetzner_firewalls[0].rules =", "need a port")],
    ),
    ({"hetzner_servers": [{**HETZNER, "name": "x" * 64}]}, [("hetzner_servers[0].name =", "(64 here)")]),
    ({"hetzner_servers": [HETZNER, HETZNER]}, [('hetzner_servers = ["a"]', "more than one server")]),
    ({"hetzner_servers": [{**HETZNER, "server_types": []}]}, [("hetzner_servers[0].server_types", "server type")]),
    ({"hetzner_servers": [{**HETZNER, "locations": []}]}, [("hetzner_servers[0].locations", "location")]),
    (
        {"hetzner_servers": [{**HETZNER, "networks": [{"name": "x"}]}]},
        [("hetzner_servers[0].networks", "not in hetzner_networks")],
    ),
    (
        {"hetzner_servers": [{**HETZNER, "firewalls": ["x"]}]},
        [("hetzner_servers[0].firewalls", "not in hetzner_firewalls")],
    ),
    (
        {"hetzner_servers": [{**HETZNER, "placement_group": "x"}]},
        [("hetzner_servers[0].placement_group", "not in hetzner_placement_groups")],
    ),
    (
        {"hetzner_servers": [{**HETZNER, "name": f"a{number}", "placement_group": "acme"} for number in range(11)]},
        [('hetzner_placement_groups[0].name = "acme"', "takes 10 servers")],
    ),
    ({"hetzner_servers": [{**HETZNER, "user_data": "ö" * 16385}]}, [("hetzner_servers[0].user_data", "32 KiB")]),
    ({"traefik_stack": "Edge"}, [('traefik_stack = "Edge"', "lower case")]),
    (
        {"traefik_certificates": [PAIR], "traefik_hash_key": "short"},
        [("traefik_hash_key (secret, not shown)", "16 characters")],
    ),
    ({"traefik_certificates": [{**PAIR, "name": "A b"}]}, [("traefik_certificates[0].name", "lower case")]),
    ({"traefik_certificates": [PAIR, PAIR]}, [("traefik_certificates (secret", "more than one")]),
    (
        {"traefik_certificates": [{**PAIR, "certificate": "text"}]},
        [("traefik_certificates (secret, not shown)", "is not a certificate in PEM form")],
    ),
    ({"traefik_proxy_protocol_trusted": ["0.0.0.0/0"]}, [("traefik_proxy_protocol_trusted[0]", "own address")]),
    ({"traefik_forwarded_headers_trusted": ["proxy"]}, [("traefik_forwarded_headers_trusted[0]", "pretend")]),
    ({"traefik_rate_limit_average": -1}, [("traefik_rate_limit_average = -1", "0 for no limit")]),
    ({"traefik_rate_limit_period": 0}, [("traefik_rate_limit_period = 0", "from 1 on")]),
    ({"traefik_rate_limit_burst": 0}, [("traefik_rate_limit_burst = 0", "every request would be refused")]),
    ({"traefik_in_flight_limit": -1}, [("traefik_in_flight_limit = -1", "0 for no limit")]),
    ({"traefik_retry_attempts": 0}, [("traefik_retry_attempts = 0", "from 1 to 10")]),
    ({"traefik_refresh_seconds": 60}, [("traefik_refresh_seconds = 60", "1 to 15")]),
    ({"traefik_balancer_interval": -1}, [("traefik_balancer_interval = -1", "no balancer")]),
    ({"traefik_balancer_timeout": 0}, [("traefik_balancer_timeout = 0", "from 1 on")]),
    ({"traefik_balancer_retries": -1}, [("traefik_balancer_retries = -1", "number of checks")]),
    ({"traefik_drain_seconds": -1}, [("traefik_drain_seconds = -1", "number of seconds")]),
    ({"status_page_stack": "x" * 22}, [("status_page_stack =", "1 to 21")]),
    ({"status_page_host": "https://status.acme.example"}, [("status_page_host =", "nothing around it")]),
    ({"status_page_replicas": 0}, [("status_page_replicas = 0", "from 1 on")]),
    ({"status_page_check_interval": 0}, [("status_page_check_interval = 0", "from 1 on")]),
    ({"status_page_drain_seconds": 1}, [("status_page_drain_seconds = 1", "2 seconds or more")]),
    (
        {"status_page_components": [{**COMPONENT, "name": f"c{number}"} for number in range(26)]},
        [("status_page_components = 26", "room for 25")],
    ),
    ({"status_page_components": [COMPONENT, COMPONENT]}, [('status_page_components = ["web"]', "more than one")]),
    ({"status_page_components": [{**COMPONENT, "name": ""}]}, [("status_page_components[0].name", "1 to 60")]),
    (
        {"status_page_components": [{**COMPONENT, "description": "x" * 201}]},
        [("status_page_components[0].description", "(201 here)")],
    ),
    (
        {"status_page_components": [{**COMPONENT, "url": "javascript:alert(1)"}]},
        [("status_page_components[0].url", "https://")],
    ),
    (
        {"status_page_components": [{**COMPONENT, "check": {"host": "a b", "port": 80}}]},
        [("status_page_components[0].check", "as host")],
    ),
    (
        {"status_page_components": [{**COMPONENT, "check": {**COMPONENT["check"], "path": "/a b"}}]},
        [("status_page_components[0].check", "begins with a slash")],
    ),
    (
        {"status_page_components": [{**COMPONENT, "check": {**COMPONENT["check"], "host_header": "a b"}}]},
        [("status_page_components[0].check", "host_header is a host name")],
    ),
    ({"registry_s3_endpoint": ""}, [('registry_s3_endpoint = ""', "address of the S3 API")]),
    ({"registry_s3_endpoint": "https://a.example/bucket"}, [("registry_s3_endpoint =", "without a path")]),
    ({"registry_s3_bucket": "A_b"}, [('registry_s3_bucket = "A_b"', "3 to 63")]),
    ({"registry_s3_region": "EU"}, [('registry_s3_region = "EU"', "lower case")]),
    ({"registry_s3_folder": "/images/"}, [("registry_s3_folder =", "without a slash")]),
    ({"registry_s3_access_key": ""}, [("registry_s3_access_key is empty", "access key")]),
    ({"registry_s3_secret_key": "two words"}, [("registry_s3_secret_key (secret, not shown)", "nothing around it")]),
    ({"registry_state": "absent", "registry_s3_endpoint": "", "registry_s3_access_key": ""}, []),
    ({"registry_port": 0}, [("registry_port = 0", "from 1 to 65535")]),
    ({"registry_debug_port": 5000}, [("registry_debug_port = 5000", "not registry_port")]),
    ({"registry_check_interval": 1}, [("registry_check_interval = 1", "5 seconds or more")]),
    ({"swarm_managers": ["a", "b"]}, [("swarm_managers =", "2 managers survive no more failures")]),
    ({"swarm_managers": ["a", "a", "b"]}, [('swarm_managers = ["a"]', "more than once")]),
    ({"swarm_advertise_address": "203.0.113.7"}, [('swarm_advertise_address = "203.0.113.7"', "private IPv4")]),
    ({"swarm_address_pools": []}, [("swarm_address_pools = []", "10.0.0.0/8")]),
    ({"swarm_address_pools": ["192.0.2.0/24"]}, [('swarm_address_pools[0] = "192.0.2.0/24"', "RFC 1918")]),
    ({"swarm_address_pools": ["10.200.0.0/25"]}, [("swarm_address_pools[0] =", "size /24 does not fit")]),
    ({"swarm_address_pools": ["172.20.0.0/16"]}, [("swarm_address_pools[0] =", "172.16.0.0/12")]),
    (
        {"swarm_address_pools": ["10.16.0.0/12"], "swarm_private_networks": ["10.20.0.0/16"]},
        [("swarm_address_pools[0] =", "overlaps with the network of the servers (10.20.0.0/16)")],
    ),
    ({"swarm_subnet_size": 30}, [("swarm_subnet_size = 30", "16 to 29")]),
    ({"swarm_data_path_port": 80}, [("swarm_data_path_port = 80", "1024 to 49151")]),
    ({"swarm_mtu": 145}, [("swarm_mtu = 145", "1450 at Hetzner")]),
    ({"swarm_node_labels": {"a b": "c"}}, [("swarm_node_labels =", "names of labels")]),
    ({"swarm_label_prefix": ""}, [('swarm_label_prefix = ""', "every label would be ours")]),
    ({"swarm_networks": [{"name": "ingress"}]}, [("swarm_networks[0].name =", "named otherwise")]),
    ({"swarm_networks": [{"name": "a"}, {"name": "a"}]}, [('swarm_networks = ["a"]', "more than once")]),
    ({"swarm_task_history_limit": -1}, [("swarm_task_history_limit = -1", "from 0")]),
    ({"swarm_node_certificate_days": 0}, [("swarm_node_certificate_days = 0", "from 1")]),
    ({"swarm_wait_timeout": 0}, [("swarm_wait_timeout = 0", "give seconds")]),
    ({"hetzner_volumes": [{**VOLUME, "name": "-v"}]}, [('hetzner_volumes[0].name = "-v"', "at both ends")]),
    ({"hetzner_volumes": [VOLUME, VOLUME]}, [('hetzner_volumes = ["v"]', "more than one volume")]),
    ({"hetzner_volumes": [{**VOLUME, "size": 9}]}, [("hetzner_volumes[0].size = 9", "10 to 10240")]),
    ({"hetzner_volumes": [{"name": "v", "size": 10}]}, [("hetzner_volumes[0].name", "by server or location")]),
    ({"hetzner_volumes": [{**VOLUME, "server": "x"}]}, [("hetzner_volumes[0].server", "not in hetzner_servers")]),
    (balancer(name=""), [("hetzner_load_balancers[0].name", "1 to 128")]),
    ({"hetzner_load_balancers": [BALANCER] * 2}, [("hetzner_load_balancers =", "more than one load balancer")]),
    (balancer(network_zone="eu-central"), [("hetzner_load_balancers[0].name", "not by both")]),
    (balancer(networks=[{"name": "x"}]), [("hetzner_load_balancers[0].networks", "in one at most")]),
    (balancer(targets=[{}]), [("hetzner_load_balancers[0].targets", "one of them only")]),
    (balancer(targets=[{"server": "x"}]), [("hetzner_load_balancers[0].targets", "not in hetzner_servers")]),
    (
        balancer(targets=[{"label_selector": "a=b", "use_private_ip": True}]),
        [("hetzner_load_balancers[0].targets", "needs one of the networks")],
    ),
    (balancer(services=[{"listen_port": 80}] * 2), [("hetzner_load_balancers[0].services", "this listen_port")]),
    (
        balancer(services=[{"listen_port": 80, "health_check": {"interval": 2, "timeout": 1, "retries": 1}}]),
        [("hetzner_load_balancers[0].services", "3 to 60 seconds")],
    ),
    ({"host_users": [{"name": "root", "ssh_keys": [ssh_key(1)]}]}, [("host_users[0].name", "root's keys are in")]),
    ({"host_users": [{"name": "Anna", "ssh_keys": [ssh_key(1)]}]}, [("host_users[0].name", "lower case letters")]),
    (
        {"host_users": [{"name": "anna", "ssh_keys": [ssh_key(1)]}] * 2},
        [('host_users = ["anna"]', "more than one account")],
    ),
    ({"host_users": [{"name": "anna", "ssh_keys": ["x"]}]}, [("host_users[0].ssh_keys", "no SSH public key")]),
    ({"host_users": [{"name": "anna"}]}, [("host_users[0].ssh_keys", "without a key cannot be used")]),
    ({"host_users": [{"name": "anna", "state": "absent"}]}, []),
    ({"host_root_ssh_keys": ["ssh-rsa"]}, [('host_root_ssh_keys = ["ssh-rsa"]', "no SSH public key")]),
    ({"host_ssh_sources": []}, [("host_ssh_sources = []", "at least one network")]),
    ({"host_ssh_sources": ["home"]}, [('host_ssh_sources = ["home"]', "CIDR notation")]),
    ({"host_rollback_seconds": 0}, [("host_rollback_seconds = 0", "15 or more")]),
    ({"host_private_address": "fd00::1/64"}, [("host_private_address =", "IPv4 address, or nothing")]),
    ({"host_cluster_addresses": ["web-1"]}, [("host_cluster_addresses =", "IPv4 addresses")]),
    ({"host_public_ports": [{"port": "70000"}]}, [("host_public_ports[0].port", "1 to 65535")]),
    ({"host_public_ports": [{"port": "90-80"}]}, [("host_public_ports[0].port", "1 to 65535")]),
    ({"host_public_ports": [{"port": "80", "sources": []}]}, [("host_public_ports[0].sources", "CIDR notation")]),
    ({"host_private_ports": [{"port": "http"}]}, [("host_private_ports[0].port", "1 to 65535")]),
    ({"host_private_ports": [{"port": "80", "sources": ["x"]}]}, [("host_private_ports[0].sources", "CIDR notation")]),
    ({"host_reboot_window": "3:00"}, [("host_reboot_window =", "time of day between quotes")]),
    ({"host_reboot_slot": 24}, [("host_reboot_slot = 24", "a day has 24")]),
    (
        {"host_engine_repository_fingerprint": "9DC8"},
        [("host_engine_repository_fingerprint =", "40 hexadecimal digits")],
    ),
    ({"host_volumes": [{"path": "/srv/a"}]}, [("host_volumes[0].path", "either by id or by device")]),
    (
        {"host_volumes": [{"id": "1", "path": "/srv/a"}, {"id": "2", "path": "/srv/a"}]},
        [('host_volumes = ["/srv/a"]', "more than one volume is mounted here")],
    ),
    ({"postgres_stack": "Post_gres"}, [('postgres_stack = "Post_gres"', "lower case letters")]),
    ({"postgres_cluster": "a b"}, [('postgres_cluster = "a b"', "lower case letters")]),
    ({"postgres_servers": ["acme-1", "acme-2"]}, [("postgres_servers =", "one, three or five")]),
    ({"postgres_servers": ["acme-1", "acme-1", "acme-2"]}, [("postgres_servers =", "more than one member")]),
    ({"postgres_servers": ["a" * 31]}, [("postgres_servers[0] =", "1 to 30 lower case")]),
    ({"postgres_rebuild": ["elsewhere"]}, [("postgres_rebuild[0] =", "name a server of postgres_servers")]),
    ({"postgres_rotate": ["postgres"]}, [("postgres_rotate[0] =", "name a role of postgres_roles")]),
    ({"postgres_hash_key": "short"}, [("postgres_hash_key (secret, not shown)", "16 characters")]),
    (
        {"postgres_certificates": [{"name": "acme-1", "certificate": "", "key": ""}]},
        [("postgres_certificates (secret, not shown)", "have no certificate")],
    ),
    ({"postgres_memory": "lots"}, [('postgres_memory = "lots"', "a size such as 2G")]),
    ({"postgres_memory_percent": 95}, [("postgres_memory_percent = 95", "between 5 and 80")]),
    ({"postgres_max_connections": 5}, [("postgres_max_connections = 5", "20 to 2000")]),
    ({"postgres_etcd_heartbeat_ms": 1}, [("postgres_etcd_heartbeat_ms = 1", "50 to 1000")]),
    ({"postgres_parameters": {"ssl_ciphers": "x"}}, [("postgres_parameters =", "are set by the role")]),
    (
        {"postgres_roles": [{"name": "a"}, {"name": "a"}]},
        [("postgres_roles (secret, not shown)", "more than one role")],
    ),
    ({"postgres_roles": [{"name": "rewinder"}]}, [("postgres_roles[0].name (secret, not shown)", "none of postgres")]),
    (
        {"postgres_databases": [{"name": "a", "owner": "o"}, {"name": "a", "owner": "o"}]},
        [("postgres_databases =", "more than one database")],
    ),
    ({"postgres_databases": [{"name": "a"}]}, [("postgres_databases[0].name =", "name the owner")]),
    ({"redis_stack": "Re_dis"}, [('redis_stack = "Re_dis"', "lower case letters")]),
    ({"redis_cluster": "a b"}, [('redis_cluster = "a b"', "lower case letters")]),
    ({"redis_servers": ["acme-1", "acme-2"]}, [("redis_servers =", "three, five or seven")]),
    ({"redis_servers": ["acme-1", "acme-1", "acme-2"]}, [("redis_servers =", "more than one member")]),
    ({"redis_servers": ["a" * 31]}, [("redis_servers[0] =", "1 to 30 lower case")]),
    ({"redis_hash_key": "short"}, [("redis_hash_key (secret, not shown)", "16 characters")]),
    ({"redis_password": "has a space in it"}, [("redis_password (secret, not shown)", "16 to 128 letters")]),
    ({"redis_admin_password": "short"}, [("redis_admin_password (secret, not shown)", "16 to 128 letters")]),
    (
        {"redis_check_password": "a" * 20, "redis_password": "a" * 20},
        [("redis_check_password (secret, not shown)", "other than those")],
    ),
    ({"redis_max_memory": "much"}, [('redis_max_memory = "much"', "a size such as 256mb")]),
    ({"redis_backlog": ""}, [('redis_backlog = ""', "a size such as 16mb")]),
    (
        {"redis_backlog": "16mb", "redis_max_memory": "63mb"},
        [('redis_backlog = "16mb"', "a quarter of redis_max_memory")],
    ),
    ({"redis_backlog": "16mb", "redis_max_memory": "64mb"}, []),
    ({"redis_max_lag": 0, "redis_down_after": 9000}, [("redis_max_lag = 0", "1 to 60 seconds")]),
    ({"redis_down_after": 4000}, [("redis_down_after = 4000", "5000 milliseconds or more")]),
    ({"redis_failover_timeout": 1}, [("redis_failover_timeout = 1", "5000 milliseconds")]),
    ({"redis_settings": {"maxmemory-policy": "allkeys-lru"}}, [("redis_settings =", "the role sets")]),
    ({"redis_limits": {"memory": "a lot"}}, [("redis_limits =", "whole number with a unit")]),
    ({"redis_state": "absent", "redis_password": ""}, []),
    ({"haproxy_stack": "Ha_proxy"}, [('haproxy_stack = "Ha_proxy"', "lower case letters")]),
    (
        listeners({"name": "a"}, {"name": "a", "port": 2000}),
        [("haproxy_listeners =", "more than one listener has this name")],
    ),
    (listeners({"name": "a"}, {"name": "b"}), [("haproxy_listeners =", "more than one listener has this port")]),
    (listeners({"name": "health"}), [("haproxy_listeners[0].name =", "neither metrics nor health")]),
    (listeners({"port": 8404}), [("haproxy_listeners[0].port = 8404", "from 1024 to 65535")]),
    (listeners({"servers": []}), [("haproxy_listeners[0].servers = []", "name each server once")]),
    (listeners({"path": "primary"}), [("haproxy_listeners[0] =", "begins with a slash")]),
    (listeners({"authority": "PRIVATE KEY"}), [("haproxy_listeners[0] =", "without any key")]),
    ({"haproxy_redis_password": ""}, [("haproxy_redis_password is empty", "a check of Redis needs it")]),
    ({"haproxy_hash_key": ""}, [("haproxy_hash_key is empty", "the password of Redis needs it")]),
    ({"haproxy_networks": [{"name": "a"}, {"name": "a"}]}, [("haproxy_networks =", "more than once")]),
    ({"haproxy_check_interval": 10}, [("haproxy_check_interval = 10", "200 to 60000")]),
    ({"haproxy_check_fall": 0}, [("haproxy_check_fall = 0", "1 to 20")]),
    ({"haproxy_connect_timeout": 0}, [("haproxy_connect_timeout = 0", "1 to 60")]),
    ({"haproxy_idle_timeout": 0}, [("haproxy_idle_timeout = 0", "minutes")]),
    ({"haproxy_drain_seconds": 0}, [("haproxy_drain_seconds = 0", "1 to 600")]),
    ({"haproxy_max_connections": 1}, [("haproxy_max_connections = 1", "100 to 100000")]),
]


@pytest.mark.parametrize(
    ("changes", "expected"), CASES, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_case(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = lines_of_changes(changes)
    rest = list(found)
    for start, part in expected:
        match = next((line for line in rest if line.startswith(start) and part in line), None)
        assert match, f"no fault {start!r} ... {part!r} among:\n" + "\n".join(found)
        rest.remove(match)
    assert not rest, "more faults than expected:\n" + "\n".join(rest)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"frontdesk_servers": catalog().wiring["frontdesk_servers"]},
        {"frontdesk_servers": catalog().wiring["frontdesk_servers"], "frontdesk_profile": "single"},
        {"frontdesk_servers": [*SERVERS, *many(20, "swarm_workers")]},
        {**LAB, "hetzner_api_endpoint": "http://127.0.0.1:8480/hetzner/v1"},
        {"hetzner_prune": "true", "frontdesk_generations": {"redis": "2"}},
    ],
    ids=["as given", "profile ha", "profile single", "many workers", "lab", "text from the command line"],
)
def test_valid(changes: dict[str, Any]) -> None:
    assert lines(changes) == []


@pytest.mark.parametrize("changes", [changes for changes, _expected in CASES[::9]], ids="-".join)
def test_a_second_host_is_checked_as_the_first(changes: dict[str, Any]) -> None:
    assert sorted(lines_of_changes(changes)) == sorted(lines(changes))


def test_every_rule_is_broken_by_a_case() -> None:
    """A rule that no case breaks may never fire at all."""
    left = list(catalog().rules)
    for changes, expected in CASES:
        roots = {start.split(" ")[0].split("[")[0] for start, _part in expected}
        tried = [rule for rule in left if rule.variable in roots]
        known = {**catalog().defaults, **variables(changes)}
        engine = templates()
        broken = [rule for rule in tried if apply_rule(rule, engine, known, secret=False).faults]
        left = [rule for rule in left if rule not in broken]
    assert [f"{rule.variable}: {rule.that}" for rule in left] == []


def test_many_faults_at_once_are_all_found() -> None:
    """Faults of different variables do not hide each other."""
    independent = [
        {"frontdesk_domain": "x"},
        {"frontdesk_environment": "X"},
        {"frontdesk_master_key": "short"},
        {"frontdesk_admin_networks": []},
        {"frontdesk_server_types": []},
        {"frontdesk_locations": ["ash"]},
        {"frontdesk_ssh_keys": []},
        {"hetzner_api_token": ""},
        {"hetzner_prune": "maybe"},
        {"frontdesk_private_network": "172.17.0.0/16"},
        with_server(1, name="acme-1"),
        {"frontdesk_nmae": 1},
    ]
    together = lines(dict(itertools.chain.from_iterable(changes.items() for changes in independent)))
    for changes in independent:
        for line in lines_of_changes(changes):
            assert line.split(" ")[0] in {found.split(" ")[0] for found in together}
