# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control endpoint: projects and servers in bulk, health, reset, the log of calls."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from tests.lab_cloud import LabCloud
from tests.unit.labcloud.lab_helpers import ORDER, make


def _all(lab: LabCloud, kind: str, token: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    number: int | None = 1
    while number:
        answer = lab.api("GET", f"/{kind}?per_page=50&page={number}", token=token)[1]
        found += answer[kind]
        number = answer["meta"]["pagination"]["next_page"]
    return found


def test_fifteen_hundred_servers_in_three_projects(lab: LabCloud) -> None:
    odd = {
        "no_public_ipv4": 3,
        "ipv6_only": 3,
        "private_only": 3,
        "no_image": 3,
        "deleting": 3,
        "off": 3,
        "alias_ips": 3,
    }
    for name in ("a", "b", "c"):
        options = {"count": 500, "prefix": name, "groups": ["web", "db"], "labels": {"env": name}, "odd": odd}
        lab.project(name, f"token-{name}", servers=options)
    servers = [server for name in ("a", "b", "c") for server in _all(lab, "servers", f"token-{name}")]
    assert len({server["id"] for server in servers}) == 1500
    assert len({server["name"] for server in servers}) == 1500
    public = [server["public_net"]["ipv4"]["ip"] for server in servers if server["public_net"]["ipv4"]]
    assert len(set(public)) == len(public) == 1500 - 3 * 9
    assert all(ipaddress.ip_address(ip) in ipaddress.ip_network("198.19.0.0/16") for ip in public)
    private = [(net["network"], net["ip"]) for server in servers for net in server["private_net"]]
    assert len(set(private)) == len(private) == 1500 - 3 * 3
    assert sum(server["image"] is None for server in servers) == 9
    assert sum(server["status"] == "deleting" for server in servers) == 9
    assert sum(server["status"] == "off" for server in servers) == 9
    assert sum(bool(net["alias_ips"]) for server in servers for net in server["private_net"]) == 9
    no_ipv4 = [server for server in servers if server["public_net"]["ipv4"] is None]
    assert sum(not server["private_net"] for server in no_ipv4) == 9
    assert sum(server["public_net"]["ipv6"] is None for server in no_ipv4) == 9
    assert sum(server["labels"].get("group.frontdesk.platform/web") == "true" for server in servers) == 750
    assert all(len(network["servers"]) <= 100 for network in _all(lab, "networks", "token-a"))
    counts = {project["name"]: project["servers"] for project in lab.call("GET", "/projects")["projects"]}
    assert counts == {"default": 0, "a": 500, "b": 500, "c": 500}


def test_servers_made_in_bulk_are_servers_like_any_other(lab: LabCloud) -> None:
    lab.project("p", "token", servers={"count": 2, "networks": 0, "server_types": ["cax11"], "locations": ["hel1"]})
    first, second = lab.api("GET", "/servers", token="token")[1]["servers"]
    assert (first["server_type"]["name"], first["location"]["name"]) == ("cax11", "hel1")
    assert lab.api("POST", f"/servers/{first['id']}/actions/poweroff", token="token")[0] == 201
    assert lab.api("DELETE", f"/servers/{second['id']}", token="token")[0] == 200
    lab.idle()
    left = lab.api("GET", "/servers", token="token")[1]["servers"]
    assert [(server["id"], server["status"]) for server in left] == [(first["id"], "off")]
    # The freed address is the lowest free one.
    again = make(lab, "/servers", ORDER, token="token")
    assert again["public_net"]["ipv4"]["ip"] == second["public_net"]["ipv4"]["ip"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "p"},
        {"name": "p", "token": "lab-hetzner-token"},
        {"name": "default", "token": "lab-hetzner-token", "servers": {"count": 1}},
        {"name": "p", "token": "t", "servers": {"size": 1}},
        {"name": "p", "token": "t", "servers": {"count": 1, "odd": {"strange": 1}}},
        {"name": "p", "token": "t", "servers": {"count": 101, "networks": 1}},
        {"name": "p", "token": "t", "servers": {"count": 1, "server_types": ["cx99"]}},
        {"name": "p", "token": "t", "servers": {"count": 1, "locations": ["mars"]}},
    ],
)
def test_projects_that_cannot_be_made(lab: LabCloud, body: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="error"):
        lab.call("POST", "/projects", body)
    assert [project["name"] for project in lab.call("GET", "/projects")["projects"]] == ["default"]


def test_health_says_what_is_real(lab: LabCloud) -> None:
    health = lab.call("GET", "/health")
    assert health["status"] == "ok"
    assert health["version"]
    assert health["providers"]["hetzner"]["real"] is False
    assert health["providers"]["hetzner"]["summary"].endswith(".")


def test_the_log_counts_calls_by_project(lab: LabCloud) -> None:
    lab.project("p", "token")
    lab.api("GET", "/servers?per_page=1", token="token")
    lab.api("GET", "/nowhere")
    lab.api("GET", "/servers", token="unknown")
    assert lab.requests("p") == [
        {
            "provider": "hetzner",
            "project": "p",
            "method": "GET",
            "path": "/servers",
            "query": [["per_page", "1"]],
            "status": 200,
        }
    ]
    assert [(call["project"], call["status"]) for call in lab.requests()] == [("p", 200), ("default", 404), (None, 401)]
    lab.forget_requests()
    assert lab.requests() == []


def test_a_reset_empties_one_project_or_everything(lab: LabCloud) -> None:
    lab.project("p", "token", servers={"count": 3})
    make(lab, "/servers", ORDER)
    lab.fault(effect="status")
    lab.stock("cx23", "fsn1", False)
    with pytest.raises(RuntimeError, match="no project"):
        lab.call("POST", "/reset", {"project": "q"})
    lab.call("POST", "/reset", {"project": "p"})
    lab.clear_faults()
    assert lab.api("GET", "/servers", token="token")[1]["servers"] == []
    assert len(lab.api("GET", "/servers")[1]["servers"]) == 1
    lab.fault(effect="status")
    lab.call("POST", "/reset")
    assert lab.call("GET", "/faults")["faults"] == []
    assert lab.api("GET", "/servers", token="token")[0] == 401
    assert lab.api("GET", "/servers")[1]["servers"] == []
    assert make(lab, "/servers", {**ORDER, "location": "fsn1"})["public_net"]["ipv4"]["ip"] == "198.18.0.10"


def test_stock_knows_its_types_and_locations(lab: LabCloud) -> None:
    for body in ({"server_type": "cx99", "location": "fsn1", "available": True}, {"server_type": "cx23"}):
        with pytest.raises(RuntimeError, match="error"):
            lab.call("PUT", "/stock", body)
