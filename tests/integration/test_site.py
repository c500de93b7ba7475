# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole platform in the lab, from nothing, as one story: each test goes on where the last one ended."""

from __future__ import annotations

import json
import subprocess
from typing import ClassVar

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import LAB_MASTER_KEY
from tests.integration.cloud import PLATFORM, TOKEN, client, cloud_objects, created, succeeded
from tests.integration.platform import LAB, PAGE, Platform, on_server
from tests.integration.playbook import ROOT, run_playbook

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("empty_lab")]

FIREWALL_TABLE = "inet frontdesk"


class TestStory:
    predicted: ClassVar[list[tuple[str, str, str]]] = []

    def test_check_mode_on_the_empty_lab_predicts_the_objects_and_names_later_stages(self):
        run = succeeded(run_playbook("site.yml", "--check"))
        TestStory.predicted = run.changes
        assert created(run) == PLATFORM
        assert cloud_objects() == [], "check mode wrote something"
        stages = [line for line in run.messages.splitlines() if "not predictable until the servers exist" in line]
        assert [stage.split(":")[0] for stage in stages] == ["host", "swarm", "registry", "data", "edge", "verify"]

    def test_site_builds_the_platform_and_makes_in_the_cloud_exactly_what_check_mode_predicted(self):
        run = succeeded(run_playbook("site.yml"))
        assert [change for change in run.changes if change in self.predicted] == self.predicted
        assert cloud_objects() == PLATFORM
        print(f"cold site.yml, images present: {run.seconds:.1f} s")
        assert run.seconds <= 360, "DESIGN 10: a cold run"

    def test_the_page_answers_over_https_from_outside(self):
        answer = Platform().get(PAGE)
        assert answer.status == 200
        assert "<html" in answer.text

    def test_the_cluster_has_three_managers_and_traefik_runs_on_each(self):
        nodes = on_server("lab-1", "docker node ls --format '{{.Hostname}} {{.Status}} {{.ManagerStatus}}'").split("\n")
        assert sorted(line.split()[0] for line in nodes) == ["lab-1", "lab-2", "lab-3"]
        assert all(line.split()[1:] in (["Ready", "Leader"], ["Ready", "Reachable"]) for line in nodes), nodes
        tasks = on_server(
            "lab-1", "docker service ps traefik_traefik --filter desired-state=running --format '{{.Node}}'"
        )
        assert sorted(tasks.split()) == ["lab-1", "lab-2", "lab-3"]

    def test_second_run_changes_nothing_and_shows_no_secret(self):
        run = succeeded(run_playbook("site.yml", "-vvv"))
        assert run.changed == 0, [(task, host) for task, host, result in run.results if result.get("changed")]
        key = (LAB / "ca/frontdesk.test.key").read_text().splitlines()[1]
        for secret in (TOKEN, LAB_MASTER_KEY, "lab-secret-key", key):
            assert secret not in run.stdout + run.stderr
        quiet = succeeded(run_playbook("site.yml"))
        assert quiet.changed == 0
        print(f"no-change site.yml: {quiet.seconds:.1f} s")
        assert quiet.seconds <= 45, "DESIGN 10: a no-change run"

    def test_check_mode_after_the_run_predicts_nothing(self):
        run = succeeded(run_playbook("site.yml", "--check"))
        assert run.changes == []
        assert run.changed == 0

    def test_hand_made_drift_is_listed_exactly_and_repaired_by_those_writes(self):
        cloud = client()
        server = cloud.servers.get_by_name("lab-2")
        server.update(labels={**server.labels, "group.frontdesk.platform/postgres": "false", "team": "night-shift"})
        firewall = cloud.firewalls.get_all()[0]
        rules = firewall.rules
        # The SSH rule stays: without it nobody could repair the servers in the same run.
        cloud.firewalls.set_rules(firewall, [rule for rule in rules if rule.protocol == "tcp"])[0].wait_until_finished()
        on_server("lab-1", "sysctl -qw net.core.somaxconn=128")
        on_server(
            "lab-2",
            f"nft add rule {FIREWALL_TABLE} $(nft list table {FIREWALL_TABLE} | awk '/chain/ {{print $2; exit}}') accept",
        )
        on_server("lab-1", "docker node update --label-rm frontdesk.redis lab-3")
        on_server("lab-1", "docker service scale --detach status_page=1")
        on_server("lab-2", "echo '# by hand' >> /etc/docker/registry/frontdesk.yml")
        member = "docker exec -i $(docker ps -q --filter label=com.docker.swarm.service.name=postgres_pg-lab-3)"
        on_server("lab-3", f"echo '{{\"ttl\": 30}}' | {member} postgres-member rest PATCH localhost /config")
        drift = [
            ("update", "file", "/etc/docker/registry/frontdesk.yml"),
            ("update", "firewall", firewall.name),
            ("update", "nftables", "inet frontdesk"),
            ("update", "node", "lab-3"),
            ("update", "server", "lab-2"),
            ("update", "service", "status_page"),
            ("update", "settings", "postgres"),
            ("update", "sysctl", "net.core.somaxconn"),
            ("update", "unit", "docker-registry.service"),
        ]
        checked = succeeded(run_playbook("site.yml", "--check"))
        assert checked.changes == drift
        repaired = succeeded(run_playbook("site.yml"))
        assert repaired.changes == drift
        assert cloud.servers.get_by_name("lab-2").labels["team"] == "night-shift", "a foreign label was lost"
        assert len(cloud.firewalls.get_by_name(firewall.name).rules) == len(rules)
        assert succeeded(run_playbook("site.yml")).changed == 0

    def test_status_tells_in_text_and_json(self, tmp_path):
        file = tmp_path / "status.json"
        run = subprocess.run(
            [
                str(ROOT / ".venv/bin/ansible-playbook"),
                "-i",
                "inventory/lab",
                "playbooks/status.yml",
                "-e",
                f"frontdesk_status_file={file}",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        status = json.loads(file.read_text())
        assert status["healthy"], status["problems"]
        assert [node["name"] for node in status["nodes"]] == ["lab-1", "lab-2", "lab-3"]
        assert {service["name"] for service in status["services"]} >= {"traefik_traefik", "postgres_pg-lab-1"}
        assert min(row["certificate_days"] for row in status["endpoints"] if row.get("certificate_days")) >= 30
        assert len(status["targets"]) == 6
        for word in ("lab-1", "traefik_traefik", "3/3", "quorum_standby", "everything is as it should be"):
            assert word in run.stdout
