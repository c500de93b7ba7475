# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry on each server, and an image that one of them built."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def image(host) -> str:
    return host.check_output("cat /var/tmp/molecule-image")


def test_it_listens_on_the_loopback_address_alone(host):
    lines = host.check_output("ss --no-header --listening --numeric --tcp 'sport = 5000 or sport = 5001'").splitlines()
    assert sorted(line.split()[3] for line in lines) == ["127.0.0.1:5000", "127.0.0.1:5001"]


def test_it_finds_itself_healthy(host):
    assert host.check_output("curl --silent --fail http://127.0.0.1:5001/debug/health") == "{}"
    assert "registry_storage" in host.check_output("curl --silent --fail http://127.0.0.1:5001/metrics")


def test_it_starts_at_boot_before_the_engine(host):
    assert host.service("docker-registry").is_enabled
    assert "docker.service" in host.check_output("systemctl show --property Before docker-registry.service")


def test_every_server_pulls_what_one_has_built(host, image):
    assert image.startswith("127.0.0.1:5000/molecule/links:")
    host.run("docker image rm --force %s", image)
    assert host.check_output("docker run --rm --network none %s", image) == "hello from the bucket"


def test_the_image_says_what_it_is_based_on(host, image):
    labels = json.loads(host.check_output("docker image inspect %s --format '{{json .Config.Labels}}'", image))
    assert labels["org.opencontainers.image.base.name"] == "debian:trixie-slim"
    assert labels["org.opencontainers.image.base.digest"].startswith("sha256:")


def test_the_keys_are_root_s_alone_and_in_no_log(host):
    file = host.file("/etc/docker/registry/frontdesk.env")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)
    assert host.run("runuser -u nobody -- cat %s", file.path).rc != 0
    secret = "lab-secret" + "-key"
    assert host.run("journalctl --quiet --no-pager | grep --count -e %s", secret).stdout.strip() == "0"
    assert secret not in host.check_output("systemctl show docker-registry.service")
    assert secret not in host.check_output("cat /etc/docker/registry/frontdesk.yml")
