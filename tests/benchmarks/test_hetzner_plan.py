# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan for 100 servers that changes nothing, against hetzner.hcloud's modules in loops."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import LATENCY, PEER, PLAYS, Measurement, Row, Timed, timed
from tests.lab_cloud import LabCloud, running_lab_cloud

OURS = "frontdesk_platform.yml"
THEIRS = "hetzner_hcloud.yml"

SERVERS = 100
RUNS = 5

PEER_RUNS = 1
"""One of the peer's runs takes minutes."""
MAX_CALLS = 10
MAX_RATIO = 1 / 20

ANYWHERE = ["0.0.0.0/0", "::/0"]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm2ZcJkXv4Xw0h4pQmVbqT6m3yGk1Zc0u8N5rVQe2Jd bench"


def wanted() -> dict[str, Any]:
    """The variables of both plays, in the terms of hetzner_infrastructure."""
    return {
        "networks": [
            {
                "name": "internal",
                "ip_range": "10.0.0.0/16",
                "subnets": [{"ip_range": "10.0.0.0/24", "network_zone": "eu-central", "type": "cloud"}],
            }
        ],
        "firewalls": [
            {
                "name": "nodes",
                "rules": [
                    {"direction": "in", "protocol": "tcp", "port": port, "source_ips": ANYWHERE}
                    for port in ("22", "443")
                ],
            }
        ],
        "ssh_keys": [{"name": "bench", "public_key": PUBLIC_KEY}],
        # A placement group takes ten servers.
        "placement_groups": [{"name": f"spread-{number}", "type": "spread"} for number in range(SERVERS // 10)],
        "servers": [
            {
                "name": f"node-{number:03d}",
                "server_types": ["cx23"],
                "locations": [("fsn1", "nbg1", "hel1")[number // 10 % 3]],
                "image": "debian-13",
                "ssh_keys": ["bench"],
                "placement_group": f"spread-{number // 10}",
                "networks": [{"name": "internal"}],
                "firewalls": ["nodes"],
                "labels": {"tier": ("web", "data")[number % 2]},
            }
            for number in range(SERVERS)
        ],
    }


def changed(run: Timed) -> int:
    """The number in Ansible's recap."""
    found = re.search(r"changed=(\d+)", run.stdout)
    assert found, run.stdout
    return int(found[1])


def play(lab: LabCloud, name: str, variables: Path) -> Timed:
    """Run one of the plays on the controller."""
    return timed(
        "ansible-playbook",
        "--inventory=localhost,",
        "--connection=local",
        "--extra-vars=ansible_python_interpreter={{ ansible_playbook_python }}",
        f"--extra-vars=@{variables}",
        str(PLAYS / name),
        HCLOUD_TOKEN="bench-token",
        HCLOUD_ENDPOINT=lab.endpoint,
    )


def measure(lab: LabCloud, name: str, variables: Path, measurement: Measurement) -> None:
    """Run a play that finds everything as wanted; note the time and the calls."""
    lab.forget_requests()
    run = play(lab, name, variables)
    assert changed(run) == 0, run.stdout[-4000:]
    measurement.add(run.seconds, len(lab.requests()))


def test_hetzner_plan(tmp_path, report):
    variables = tmp_path / "wanted.json"
    variables.write_text(json.dumps(wanted()))
    ours, peer = Measurement(), Measurement()
    with running_lab_cloud(tmp_path) as lab:
        lab.project("bench", "bench-token", rate_limit=1_000_000)
        assert changed(play(lab, OURS, variables)) == 1
        lab.idle()
        lab.fault(effect="latency", seconds=LATENCY, provider="hetzner", times=None)
        for number in range(RUNS):
            measure(lab, OURS, variables, ours)
            if number < PEER_RUNS:
                measure(lab, THEIRS, variables, peer)
    ratio, calls = ours.median / peer.median, max(ours.calls)
    executions = SERVERS + SERVERS // 10 + 4
    report(
        Row(
            f"plan without changes, {SERVERS} servers",
            str(ours),
            str(peer),
            f"ratio {ratio:.3f}, {calls} calls",
            f"ratio ≤ {MAX_RATIO:.2f}, ≤ {MAX_CALLS} calls",
            ratio <= MAX_RATIO and calls <= MAX_CALLS,
        ),
        f"{PEER} has a module for each kind of object, so a network with a subnet, a firewall, a key, {SERVERS // 10} "
        f"placement groups and {SERVERS} servers take {executions} executions. Fixed private addresses would take "
        f"{SERVERS} more. It takes minutes and so has fewer runs.",
    )
