# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's part of the platform, from nothing to nothing, as one story: each test goes on where the last one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.integration.cloud import (
    DESTROY_EVERYTHING,
    PLATFORM,
    SERVERS,
    client,
    cloud_objects,
    destroy_everything,
    succeeded,
)
from tests.integration.playbook import ANSIBLE_PLAYBOOK, KNOWN_HOSTS, ROOT, run_in_terminal, run_playbook

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("empty_lab")]

PROVISION = "playbooks/provision.yml"


class TestStory:
    def test_nothing_is_bought_without_a_yes(self):
        run = run_playbook(PROVISION, "-e", '{"hetzner_cost_confirmed": false}')
        assert run.returncode != 0
        assert "EUR a month were not confirmed" in run.messages
        exit_code, shown = run_in_terminal(
            PROVISION, "-e", '{"hetzner_cost_confirmed": false}', prompt="Type yes to create them", answer="no"
        )
        assert exit_code != 0
        assert "Nothing was created" in shown
        assert cloud_objects() == []

    def test_a_yes_in_the_terminal_is_enough(self):
        exit_code, shown = run_in_terminal(
            PROVISION, "-e", '{"hetzner_cost_confirmed": false}', prompt="Type yes to create them", answer="yes"
        )
        assert exit_code == 0, shown
        assert cloud_objects() == PLATFORM

    def test_a_run_killed_half_way_is_finished_by_the_next_one(self):
        destroy_everything()
        cloud = client()
        run = subprocess.Popen(
            [str(ANSIBLE_PLAYBOOK), PROVISION],
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
        succeeded(run_playbook(PROVISION))
        assert cloud_objects() == PLATFORM
        assert succeeded(run_playbook(PROVISION)).changed == 0

    def test_a_changed_host_key_stops_the_run(self):
        original = KNOWN_HOSTS.read_text()
        blob = original.split("ssh-ed25519 ")[1].split()[0]
        tampered = blob[:-8] + ("AAAAAAAA" if not blob.endswith("AAAAAAAA") else "BBBBBBBB")
        KNOWN_HOSTS.write_text(original.replace(blob, tampered))
        try:
            run = run_playbook(PROVISION)
        finally:
            KNOWN_HOSTS.write_text(original)
        assert run.returncode != 0
        assert "host key" in run.messages.lower()

    def test_another_machine_verifies_the_keys_instead_of_trusting_them(self):
        original = KNOWN_HOSTS.read_text()
        KNOWN_HOSTS.unlink()
        succeeded(run_playbook(PROVISION))
        assert KNOWN_HOSTS.read_text() == original

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

    def test_destroy_with_the_servers_named_leaves_nothing(self):
        succeeded(run_playbook("playbooks/destroy.yml", *DESTROY_EVERYTHING))
        assert cloud_objects() == []
        assert not KNOWN_HOSTS.exists() or "ssh-ed25519" not in KNOWN_HOSTS.read_text()
