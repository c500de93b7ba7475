# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as role host leaves it, seen from inside, from its neighbours and from outside."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator

import pytest

# Directories of the server itself, so that a container needs no image from anywhere.
CONTAINER = (
    "docker run --detach --rm --name scenario-hand --publish 8888:8888 --publish 8890:8888 --volume /usr:/usr:ro frontdesk-scenario/links "
    "/usr/bin/python3 -m http.server 8888 --directory /usr/share/doc/docker.io"
)


def addresses(host) -> list[dict]:
    return [
        {"link": link["ifname"], "mtu": link["mtu"], "address": entry["local"]}
        for link in json.loads(host.check_output("ip -json -4 address show"))
        for entry in link["addr_info"]
        if not link["ifname"].startswith(("lo", "docker", "br-", "veth"))
    ]


@pytest.fixture
def private(host) -> dict:
    """The interface on the provider's private network."""
    rules = host.check_output("cat /etc/frontdesk/firewall.nft")
    return next(item for item in addresses(host) if f"ip daddr {item['address']} goto private" in rules)


@pytest.fixture
def public(host, private) -> str:
    return next(item["address"] for item in addresses(host) if item != private)


@pytest.fixture
def neighbour(host, private) -> str:
    """The private address of another server."""
    rules = host.check_output("cat /etc/frontdesk/firewall.nft")
    listed = rules.split("elements = {")[1].split("}")[0].split(",")
    return next(address.strip() for address in listed if address.strip() != private["address"])


def answers(address: str, port: int) -> str:
    """What a connection from here meets: open, refused (it got through, nobody listens) or nothing."""
    try:
        socket.create_connection((address, port), timeout=2).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "nothing"
    return "open"


def answers_from(host, address: str, port: int) -> str:
    """The same from a server."""
    program = (
        "import socket, sys\n"
        f"try: socket.create_connection(('{address}', {port}), timeout=2)\n"
        "except ConnectionRefusedError: print('refused')\n"
        "except TimeoutError: print('nothing')\n"
        "else: print('open')"
    )
    return host.check_output("python3 -c %s", program)


def engine_tables(host) -> str:
    """The engine's rules, without the numbers that traffic changes."""
    return host.check_output("nft --stateless list table ip nat && nft --stateless list table ip filter")


@pytest.fixture
def published(host) -> Iterator[None]:
    """A container that somebody publishes by hand."""
    host.check_output("docker rm --force scenario-hand")
    host.check_output("tar --create --directory / bin lib lib64 | docker import - frontdesk-scenario/links")
    host.check_output(CONTAINER)
    host.check_output("curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8888/")
    yield
    host.check_output("docker rm --force scenario-hand && docker rmi frontdesk-scenario/links")


class TestSystem:
    def test_the_first_boot_is_finished(self, host):
        status = json.loads(host.check_output("cloud-init status --format json"))
        assert status["status"] == "done"
        assert status["errors"] == []

    def test_systemd_has_no_failed_unit(self, host):
        assert host.check_output("systemctl --failed --no-legend --plain") == ""

    def test_the_private_interface_has_the_providers_mtu(self, private):
        assert private["mtu"] == 1450, "Hetzner's private networks carry 1450 bytes"

    def test_kernel_settings_are_in_force_and_stay(self, host):
        kept = host.check_output("cat /etc/sysctl.d/99-zz-frontdesk.conf").splitlines()[1:]
        assert len(kept) > 15
        for line in kept:
            name, value = line.split(" = ")
            assert host.check_output("sysctl --values %s", name).split() == value.split(), name

    def test_the_journal_is_bounded(self, host):
        assert "SystemMaxUse=1G" in host.check_output("systemd-analyze cat-config systemd/journald.conf")


class TestSsh:
    def test_only_keys_count(self, host):
        effective = dict(line.split(" ", 1) for line in host.check_output("sshd -T").splitlines() if " " in line)
        wanted = {
            "passwordauthentication": "no",
            "kbdinteractiveauthentication": "no",
            "authenticationmethods": "publickey",
            "permitrootlogin": "without-password",
            "x11forwarding": "no",
            "allowtcpforwarding": "local",
            "maxauthtries": "5",
        }
        assert {name: effective[name] for name in wanted} == wanted

    def test_a_password_is_not_even_asked_for(self, public):
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "PubkeyAuthentication=no",
            "BatchMode=yes",
        ]
        command = ["ssh", "-F", "none", *(part for option in options for part in ("-o", option)), f"root@{public}"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert "Permission denied (publickey)" in refused.stderr

    def test_an_operator_is_root_by_sudo_and_has_no_password(self, host):
        assert host.check_output("runuser -u anna -- sudo -n id -un") == "root"
        assert set(host.user("anna").groups) == {"anna", "docker"}
        assert host.user("anna").password.startswith("!")
        keys = host.file("/home/anna/.ssh/authorized_keys")
        assert (keys.user, keys.mode, len(keys.content_string.splitlines())) == ("anna", 0o600, 2)


class TestPacketFilter:
    def test_it_is_loaded_at_boot_before_the_engine(self, host):
        assert host.service("frontdesk-firewall.service").is_enabled
        assert "frontdesk-firewall.service" in host.check_output("systemctl show docker.service --property After")
        assert host.check_output("systemctl is-enabled nftables.service || true") == "masked", (
            "it flushes the engine's tables"
        )

    def test_the_engine_does_not_start_without_it(self, host):
        checks = host.check_output("systemctl cat docker.service")
        assert "ExecStartPre=/bin/sh -c 'nft list table inet frontdesk" in checks

    def test_what_is_listed_is_open_and_the_rest_is_not(self, host, public):
        host.check_output("systemd-run --quiet --collect --unit=scenario-open python3 -m http.server 8890")
        host.check_output("systemd-run --quiet --collect --unit=scenario-shut python3 -m http.server 8891")
        host.check_output("systemd-run --quiet --collect --unit=scenario-some python3 -m http.server 8892")
        try:
            for port in (8890, 8891, 8892):
                host.check_output(
                    f"curl --silent --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:{port}/"
                )
            assert [answers(public, port) for port in (22, 8890, 8891, 8892)] == ["open", "open", "nothing", "nothing"]
        finally:
            host.check_output("systemctl stop scenario-open scenario-shut scenario-some")

    def test_swarms_ports_are_open_between_the_servers_and_to_nobody_else(self, host, neighbour, public):
        assert [answers_from(host, neighbour, port) for port in (2377, 7946)] == ["refused", "refused"]
        assert [answers_from(host, neighbour, port) for port in (22, 2376, 8890)] == ["open", "nothing", "nothing"]
        assert [answers(public, port) for port in (2377, 7946)] == ["nothing", "nothing"]

    def test_the_network_tells_of_trouble(self, host, neighbour):
        assert " 0% packet loss" in host.check_output("ping -c 1 -W 2 %s", neighbour)

    def test_a_port_published_by_hand_is_not_reachable_from_outside(self, host, published, public):
        assert "0.0.0.0:8888->8888/tcp" in host.check_output("docker ps --format '{{.Names}} {{.Ports}}'")
        assert answers(public, 8888) == "nothing"
        assert answers(public, 8890) == "open", "what is listed is open for containers, too"

    def test_containers_reach_their_own_server(self, host, published, public):
        host.check_output("systemd-run --quiet --collect --unit=scenario-inside python3 -m http.server 8893")
        try:
            host.check_output("curl --silent --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8893/")
            program = f"import urllib.request; print(urllib.request.urlopen('http://{public}:8893', timeout=5).status)"
            assert host.check_output("docker exec scenario-hand /usr/bin/python3 -c %s", program) == "200"
            assert answers(public, 8893) == "nothing"
        finally:
            host.check_output("systemctl stop scenario-inside")

    def test_a_reload_leaves_the_engines_tables_alone(self, host, published, public):
        before = engine_tables(host)
        assert "8888" in before
        host.check_output("systemctl reload frontdesk-firewall.service")
        assert engine_tables(host) == before
        assert answers(public, 8888) == "nothing"
        host.check_output("curl --silent --fail http://127.0.0.1:8888/")


class TestUpdates:
    def test_only_security_updates_and_never_the_engine(self, host):
        settings = host.check_output("apt-config dump")
        origins = [line for line in settings.splitlines() if line.startswith("Unattended-Upgrade::Origins-Pattern::")]
        assert len(origins) == 2
        assert all("label=Debian-Security" in line for line in origins)
        assert '"^docker\\.io$"' in settings
        assert 'APT::Periodic::Unattended-Upgrade "1"' in settings
        assert {"docker.io", "docker-cli"} <= set(host.check_output("apt-mark showhold").split())
        for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
            assert host.service(timer).is_running

    def test_unattended_upgrades_understands_its_settings(self, host):
        said = host.run("unattended-upgrade --dry-run --verbose")
        assert said.rc == 0, said.stderr
        assert "label=Debian-Security" in said.stdout
        assert "label=Debian," not in said.stdout

    def test_every_server_has_its_own_hour_for_a_reboot(self, host, private):
        hour = 3 + int(private["address"].rsplit(".", 1)[1]) - 11
        calendar = host.check_output("systemctl show frontdesk-reboot.timer --property TimersCalendar --value")
        assert f"OnCalendar=*-*-* {hour:02d}:00:00 " in calendar
        assert host.service("frontdesk-reboot.timer").is_enabled

    def test_a_hook_postpones_a_reboot_and_says_why(self, host):
        hook = "/etc/frontdesk/reboot/before.d/90-scenario"
        host.check_output(
            f"printf '#!/bin/sh\\necho not tonight\\nexit 1\\n' > {hook} && chmod 0755 {hook} && touch /run/reboot-required"
        )
        try:
            since = host.check_output("date '+%F %T'")
            host.check_output("systemctl start frontdesk-reboot.service")
            told = host.check_output("journalctl --unit frontdesk-reboot.service --output cat --since %s", since)
            assert "postponed: before.d/90-scenario: not tonight" in told
            assert host.check_output("systemctl is-failed frontdesk-reboot.service || true") == "inactive"
        finally:
            host.check_output(f"rm -f {hook} /run/reboot-required")


class TestEngine:
    def test_it_answers_and_has_its_settings(self, host):
        info = json.loads(host.check_output("docker info --format '{{json .}}'"))
        assert info["LoggingDriver"] == "local"
        assert info["DefaultAddressPools"] == [{"Base": "172.20.0.0/14", "Size": 24}]
        assert not info["LiveRestoreEnabled"]
        assert host.service("docker.service").is_enabled

    def test_its_first_network_lies_in_its_own_pool(self, host):
        networks = json.loads(host.check_output("docker network inspect bridge"))
        assert networks[0]["IPAM"]["Config"][0]["Subnet"].startswith(("172.20.", "172.21.", "172.22.", "172.23."))
        assert networks[0]["Options"]["com.docker.network.driver.mtu"] == "1450"

    def test_a_container_cannot_gain_rights(self, host, published):
        said = host.check_output("docker exec scenario-hand /usr/bin/grep NoNewPrivs /proc/1/status")
        assert said.split() == ["NoNewPrivs:", "1"]

    def test_it_waits_for_the_private_address(self, host, private):
        assert f"show to {private['address']} " in host.check_output("systemctl cat docker.service")
