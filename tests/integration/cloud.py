# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's cloud project, read without our own client, and how to empty it."""

from __future__ import annotations

import json

import hcloud
import requests

from tests.integration.playbook import PlaybookRun, run_playbook

ENDPOINT = "http://127.0.0.1:8480/hetzner/v1"
TOKEN = "lab-hetzner-token"
SERVERS = ["lab-1", "lab-2", "lab-3"]
DESTROY_EVERYTHING = ["-e", json.dumps({"frontdesk_destroy": "lab", "frontdesk_destroy_data": SERVERS})]
KINDS = {
    "network": "networks",
    "firewall": "firewalls",
    "ssh_key": "ssh_keys",
    "placement_group": "placement_groups",
    "server": "servers",
    "load_balancer": "load_balancers",
    "volume": "volumes",
}
# What `site.yml` makes in the lab's cloud.
PLATFORM = [
    ("firewall", "lab"),
    ("load_balancer", "lab"),
    ("network", "lab"),
    ("placement_group", "lab"),
    *(("server", name) for name in SERVERS),
    ("ssh_key", "lab-operator"),
]


def client() -> hcloud.Client:
    """Hetzner's own client for the lab's project."""
    return hcloud.Client(token=TOKEN, api_endpoint=ENDPOINT)


def cloud_objects() -> list[tuple[str, str]]:
    """Every object in the project as sorted (kind, name)."""
    found = []
    for kind, path in KINDS.items():
        answer = requests.get(f"{ENDPOINT}/{path}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        found += [(kind, item["name"]) for item in answer.json()[path]]
    return sorted(found)


def created(run: PlaybookRun) -> list[tuple[str, str]]:
    """The cloud objects that a run created, or would: sorted (kind, name)."""
    return [(kind, name) for action, kind, name in run.changes if action == "create" and kind in KINDS]


def succeeded(run: PlaybookRun) -> PlaybookRun:
    """The run, which must have ended well."""
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-3000:]
    return run


def destroy_everything() -> None:
    """Remove the platform from the lab's cloud."""
    succeeded(run_playbook("playbooks/destroy.yml", *DESTROY_EVERYTHING))
