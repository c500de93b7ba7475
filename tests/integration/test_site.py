# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's life in the lab, from nothing to nothing, as one story: each test goes on where the last one ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import ClassVar

import hcloud
import pytest
import requests

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import LAB_MASTER_KEY
from tests.integration.conftest import KNOWN_HOSTS
from tests.integration.playbook import ANSIBLE_PLAYBOOK, ROOT, PlaybookRun, run_in_terminal, run_playbook

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("empty_lab")]

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
}


@pytest.fixture(scope="module")
def cloud() -> hcloud.Client:
    return hcloud.Client(token=TOKEN, api_endpoint=ENDPOINT)


def cloud_objects() -> list[tuple[str, str]]:
    """Every object in the lab's project as sorted (kind, name), read without our own client."""
    found = []
    for kind, path in KINDS.items():
        answer = requests.get(f"{ENDPOINT}/{path}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        found += [(kind, item["name"]) for item in answer.json()[path]]
    return sorted(found)


def created(run: PlaybookRun) -> list[tuple[str, str]]:
    """The cloud objects that a run created, or would: sorted (kind, name)."""
    return [(kind, name) for action, kind, name in run.changes if action == "create" and kind in KINDS]


def succeeded(run: PlaybookRun) -> PlaybookRun:
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-3000:]
    return run


class TestStory:
    predicted: ClassVar[list[tuple[str, str, str]]] = []

    def test_check_mode_on_the_empty_lab_predicts_the_objects_and_names_later_stages(self):
        run = succeeded(run_playbook("site.yml", "--check"))
        TestStory.predicted = run.changes
        assert created(run) == [
            ("firewall", "lab"),
            ("network", "lab"),
            ("placement_group", "lab"),
            *(("server", name) for name in SERVERS),
            ("ssh_key", "lab-operator"),
        ]
        assert cloud_objects() == [], "check mode wrote something"
        stages = [line for line in run.messages.splitlines() if "not predictable until the servers exist" in line]
        assert [stage.split(":")[0] for stage in stages] == ["host", "verify"]

    def test_nothing_is_bought_without_a_yes(self):
        run = run_playbook("site.yml", "-e", '{"hetzner_cost_confirmed": false}')
        assert run.returncode != 0
        assert "EUR a month were not confirmed" in run.messages
        exit_code, shown = run_in_terminal(
            "site.yml", "-e", '{"hetzner_cost_confirmed": false}', prompt="Type yes to create them", answer="no"
        )
        assert exit_code != 0
        assert "Nothing was created" in shown
        assert cloud_objects() == []

    def test_site_creates_exactly_what_check_mode_predicted(self):
        run = succeeded(run_playbook("site.yml"))
        assert run.changes == self.predicted
        assert cloud_objects() == created(run)
        print(f"cold site.yml, images present: {run.seconds:.1f} s")

    def test_second_run_changes_nothing_and_shows_no_secret(self):
        run = succeeded(run_playbook("site.yml", "-vvv"))
        assert run.changed == 0
        for secret in (TOKEN, LAB_MASTER_KEY, "lab-secret-key"):
            assert secret not in run.stdout + run.stderr
        quiet = succeeded(run_playbook("site.yml"))
        assert quiet.changed == 0
        print(f"no-change site.yml: {quiet.seconds:.1f} s")
        assert quiet.seconds <= 45, "DESIGN 10: a no-change run"

    def test_check_mode_after_the_run_predicts_nothing(self):
        run = succeeded(run_playbook("site.yml", "--check"))
        assert run.changes == []
        assert run.changed == 0

    def test_hand_made_drift_is_listed_exactly_and_repaired_by_those_writes(self, cloud):
        server = cloud.servers.get_by_name("lab-2")
        server.update(labels={**server.labels, "group.frontdesk.platform/edge": "false", "team": "night-shift"})
        firewall = cloud.firewalls.get_all()[0]
        firewall_rules = firewall.rules
        cloud.firewalls.set_rules(firewall, firewall_rules[1:])[0].wait_until_finished()
        cloud.servers.get_by_name("lab-3").power_off().wait_until_finished()
        drift = [("update", "firewall", firewall.name), ("update", "server", "lab-2"), ("update", "server", "lab-3")]

        checked = succeeded(run_playbook("site.yml", "--check", "--tags", "provision"))
        assert checked.changes == drift
        repaired = succeeded(run_playbook("site.yml"))
        assert repaired.changes == drift
        assert cloud.servers.get_by_name("lab-2").labels["team"] == "night-shift", "a foreign label was lost"
        assert len(cloud.firewalls.get_by_name(firewall.name).rules) == len(firewall_rules)
        assert succeeded(run_playbook("site.yml")).changed == 0

    def test_a_changed_host_key_stops_the_run(self):
        original = KNOWN_HOSTS.read_text()
        blob = original.split("ssh-ed25519 ")[1].split()[0]
        tampered = blob[:-8] + ("AAAAAAAA" if not blob.endswith("AAAAAAAA") else "BBBBBBBB")
        KNOWN_HOSTS.write_text(original.replace(blob, tampered))
        try:
            run = run_playbook("site.yml")
        finally:
            KNOWN_HOSTS.write_text(original)
        assert run.returncode != 0
        assert "host key" in run.messages.lower()

    def test_another_machine_verifies_the_keys_instead_of_trusting_them(self):
        original = KNOWN_HOSTS.read_text()
        KNOWN_HOSTS.unlink()
        succeeded(run_playbook("site.yml"))
        assert KNOWN_HOSTS.read_text() == original

    def test_a_run_killed_half_way_is_finished_by_the_next_one(self, cloud):
        succeeded(run_playbook("playbooks/destroy.yml", *DESTROY_EVERYTHING))
        run = subprocess.Popen(
            [str(ANSIBLE_PLAYBOOK), "site.yml"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 90
        while not cloud.servers.get_all():
            assert time.monotonic() < deadline, "no server was made in time"
            assert run.poll() is None, "the run ended before it made a server"
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        succeeded(run_playbook("site.yml"))
        assert {name for kind, name in cloud_objects() if kind == "server"} == set(SERVERS)
        assert len(cloud_objects()) == len(KINDS) + 2
        assert succeeded(run_playbook("site.yml")).changed == 0

    def test_a_yes_in_the_terminal_is_enough(self):
        succeeded(run_playbook("playbooks/destroy.yml", *DESTROY_EVERYTHING))
        exit_code, shown = run_in_terminal(
            "site.yml", "-e", '{"hetzner_cost_confirmed": false}', prompt="Type yes to create them", answer="yes"
        )
        assert exit_code == 0, shown
        assert {name for kind, name in cloud_objects() if kind == "server"} == set(SERVERS)

    def test_destroy_wants_the_name(self):
        before = cloud_objects()
        for wrong in ([], ["-e", "frontdesk_destroy=production"]):
            run = run_playbook("playbooks/destroy.yml", *wrong)
            assert run.returncode != 0
            assert "frontdesk_destroy=lab" in run.messages
        assert cloud_objects() == before

    def test_destroy_keeps_what_holds_data_unless_named(self):
        run = succeeded(run_playbook("playbooks/destroy.yml", "-e", "frontdesk_destroy=lab"))
        kept = [name for kind, name in cloud_objects() if kind == "server"]
        assert kept == SERVERS, "servers with databases were deleted without being named"
        assert "lab-1" in run.messages
        assert succeeded(run_playbook("site.yml")).returncode == 0

    def test_destroy_with_the_servers_named_leaves_nothing(self):
        succeeded(run_playbook("playbooks/destroy.yml", *DESTROY_EVERYTHING))
        assert cloud_objects() == []
        assert not KNOWN_HOSTS.exists() or "ssh-ed25519" not in KNOWN_HOSTS.read_text()
