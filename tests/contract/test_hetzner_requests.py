# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every request of our modules over a whole life of a project is one that Hetzner's document knows."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.modules import hetzner_info
from tests.contract.openapi import Recorder, hetzner_document
from tests.hetzner_runs import (
    NOTHING,
    OTHER_KEY,
    Project,
    balancer,
    run_module,
    server,
    use_quick_clock,
    wanted_project,
)
from tests.lab_cloud import running_lab_cloud

# What our modules can call. An operation that they stop using is taken out here, and one that they begin to use is
# put into the life below.
USED = {
    ("GET", path)
    for path in (
        "/actions",
        "/firewalls",
        "/firewalls/{id}",
        "/load_balancer_types",
        "/load_balancers",
        "/load_balancers/{id}",
        "/locations",
        "/networks",
        "/networks/{id}",
        "/placement_groups",
        "/placement_groups/{id}",
        "/pricing",
        "/server_types",
        "/servers",
        "/servers/{id}",
        "/ssh_keys",
        "/ssh_keys/{id}",
        "/volumes",
        "/volumes/{id}",
    )
} | {
    (method, path)
    for kind in (
        "firewalls",
        "load_balancers",
        "networks",
        "placement_groups",
        "servers",
        "ssh_keys",
        "volumes",
    )
    for method, path in (("POST", f"/{kind}"), ("PUT", f"/{kind}/{{id}}"), ("DELETE", f"/{kind}/{{id}}"))
} | {
    ("POST", f"/{kind}/{{id}}/actions/{action}")
    for kind, actions in {
        "firewalls": ("apply_to_resources", "remove_from_resources", "set_rules"),
        "load_balancers": (
            "add_service",
            "add_target",
            "attach_to_network",
            "change_algorithm",
            "change_protection",
            "change_type",
            "delete_service",
            "detach_from_network",
            "disable_public_interface",
            "enable_public_interface",
            "remove_target",
            "update_service",
        ),
        "networks": (
            "add_route",
            "add_subnet",
            "change_ip_range",
            "change_protection",
            "delete_route",
            "delete_subnet",
        ),
        "servers": (
            "add_to_placement_group",
            "attach_to_network",
            "change_alias_ips",
            "change_protection",
            "change_type",
            "detach_from_network",
            "disable_backup",
            "enable_backup",
            "poweron",
            "remove_from_placement_group",
            "shutdown",
        ),
        "volumes": ("attach", "change_protection", "detach", "resize"),
    }.items()
    for action in actions
}  # fmt: skip


def _full_project() -> dict[str, Any]:
    wanted = wanted_project(2)
    wanted["networks"][0] |= {
        "labels": {"tier": "web"},
        "delete_protection": True,
        "routes": [{"destination": "10.100.0.0/16", "gateway": "10.0.1.11"}],
    }
    wanted["networks"][0]["subnets"].append({"ip_range": "10.0.2.0/24", "network_zone": "eu-central"})
    rules = wanted["firewalls"][0]["rules"]
    rules[0]["description"] = "HTTPS"
    rules.append({"direction": "out", "protocol": "udp", "port": "any", "destination_ips": ["2001:DB8::/32"]})
    wanted["firewalls"][0]["apply_to"] = [{"label_selector": "tier=web"}]
    wanted["servers"][0] |= {"labels": {"tier": "web"}, "backups": True, "delete_protection": True}
    wanted["servers"].append(
        server("plain", 0, networks=[{"name": "main"}], public_ipv4=True, public_ipv6=False, placement_group=None)
    )
    wanted["volumes"] = [
        {"name": "data", "size": 10, "server": "web-1", "format": "ext4", "delete_protection": True},
        {"name": "spare", "size": 10, "location": "nbg1"},
    ]
    wanted["load_balancers"] = [
        balancer(delete_protection=True, public_interface=False),
        {
            "name": "zone",
            "type": "lb11",
            "network_zone": "eu-central",
            "algorithm": "least_connections",
            "networks": [{"name": "main"}],
            "targets": [{"server": "web-2"}, {"label_selector": "tier=web", "use_private_ip": True}],
            "services": [
                {"listen_port": 80},
                {"listen_port": 81, "protocol": "http", "health_check": {"http": {"domain": "example.com"}}},
                {"listen_port": 443, "protocol": "https"},
            ],
        },
    ]
    return wanted


def _changed_project() -> dict[str, Any]:
    wanted = _full_project()
    wanted["networks"][0] |= {
        "ip_range": "10.0.0.0/15",
        "labels": {"tier": "db"},
        "delete_protection": False,
        "routes": [{"destination": "10.101.0.0/16", "gateway": "10.0.1.11"}],
    }
    wanted["networks"][0]["subnets"][1]["ip_range"] = "10.0.3.0/24"
    wanted["networks"][0]["subnets"].append({"ip_range": "10.0.4.0/24", "network_zone": "eu-central"})
    wanted["firewalls"][0] |= {"labels": {"tier": "db"}, "apply_to": [{"label_selector": "tier=db"}]}
    wanted["firewalls"][0]["rules"].pop()
    wanted["firewalls"].append({"name": "admin", "rules": []})
    wanted["placement_groups"][0]["labels"] = {"tier": "db"}
    wanted["placement_groups"].append({"name": "other"})
    wanted["ssh_keys"][0]["labels"] = {"who": "me"}
    wanted["ssh_keys"].append({"name": "second", "public_key": OTHER_KEY})
    first, second, third = wanted["servers"]
    first |= {"labels": {"tier": "db"}, "backups": False, "delete_protection": False, "firewalls": ["admin"]}
    first |= {"networks": [{"name": "main", "ip": "10.0.1.99", "alias_ips": ["10.0.1.80"]}], "placement_group": "other"}
    second |= {"networks": [{"name": "main", "ip": "10.0.1.12", "alias_ips": ["10.0.1.81"]}], "running": False}
    third |= {"server_types": ["cpx22"], "image": "debian-13"}
    data, spare = wanted["volumes"]
    data |= {"size": 20, "server": "web-2", "delete_protection": False, "labels": {"tier": "db"}}
    spare |= {"size": 20, "labels": {"tier": "db"}}
    edge, zone = wanted["load_balancers"]
    edge |= {"networks": [{"name": "main", "ip": "10.0.1.6"}], "delete_protection": False, "public_interface": True}
    edge |= {"type": "lb21", "labels": {"tier": "db"}, "algorithm": "least_connections"}
    edge["targets"] = [{"server": "plain", "use_private_ip": True}, {"ip": "203.0.113.7"}]
    http = {"path": "/ok", "domain": "", "response": "ok", "tls": True}
    edge["services"] = [
        {"listen_port": 80, "protocol": "https", "http": {"sticky_sessions": True}, "health_check": {"http": http}},
        {"listen_port": 8443, "protocol": "http", "http": {"timeout_idle": 90}},
    ]
    zone["services"][0] = {"listen_port": 9000}
    return wanted


def _record_host_keys(project: Project, folder: Path, patch: pytest.MonkeyPatch) -> None:
    key = base64.b64encode(b"key").decode()
    program = folder / "ssh-keyscan"
    program.write_text(f'#!/bin/sh\nfor host; do echo "$host ssh-ed25519 {key}"; done\n')
    program.chmod(0o755)
    patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    params = {**project.connection, "owner": "test", "path": str(folder / "known_hosts")}
    result = run_module("hetzner_known_hosts", params)
    assert not result.get("failed"), result["msg"]


def test_all_requests_of_a_projects_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(hetzner_document(), all_requests=True)
    use_quick_clock(monkeypatch)
    with running_lab_cloud(tmp_path, observer=recorder) as lab:
        project = Project(lab, "life")
        project.run(_full_project())
        assert not project.run(_full_project())["changed"]
        _record_host_keys(project, tmp_path, monkeypatch)
        # A lost answer of an action is looked up by a reading of the object.
        for path in ("/networks/.*/actions/add_subnet", "/load_balancers/.*/actions/add_service", "/volumes/.*/resize"):
            lab.fault(effect="drop_after", method="POST", path=path, token=project.token)
        allowed = ["web-1", "web-2", "plain", "volume/data", "load_balancer/edge"]
        project.run(_changed_project(), replace=allowed)
        assert not project.run(_changed_project())["changed"]
        kinds = hetzner_info.argument_spec()["kinds"]["choices"]
        assert not run_module("hetzner_info", {**project.connection, "kinds": kinds}).get("failed")
        project.run(NOTHING, prune=True, delete_protected=["volume/data", "volume/spare"])
        assert [project.all(kind) for kind in NOTHING] == [[]] * len(NOTHING)
    recorder.check()
    with capsys.disabled():
        print(f"\n{recorder.summary('our requests')}")
    assert sorted(recorder.covered) == sorted(USED)
