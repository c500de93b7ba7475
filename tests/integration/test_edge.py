# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Visitors of the running platform: who they are to it, and that none of them notices an update or a new server."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Iterator

import docker
import pytest

from tests.integration.cloud import cloud_objects, succeeded
from tests.integration.platform import CA, PAGE, Platform, on_server
from tests.integration.playbook import run_playbook
from tests.load import Count, load

pytestmark = pytest.mark.lab

ECHO = "echo.frontdesk.test"
ECHO_LABELS = {
    "traefik.enable": "true",
    "traefik.swarm.network": "edge",
    "traefik.http.routers.echo.rule": f"Host(`{ECHO}`)",
    "traefik.http.routers.echo.entrypoints": "websecure",
    "traefik.http.routers.echo.tls": "true",
    "traefik.http.services.echo.loadbalancer.server.port": "8080",
}
ECHO_SERVICE = [
    *("docker", "service", "create", "--quiet", "--name", "echo", "--replicas", "2", "--endpoint-mode", "dnsrr"),
    *("--network", "edge", "--stop-grace-period", "30s"),
    *(part for name, value in ECHO_LABELS.items() for part in ("--label", f"{name}={value}")),
    "frontdesk-lab/echo:1",
]


@pytest.fixture(scope="module")
def echo(platform: Platform) -> Iterator[Platform]:
    """The platform with a service beside its own that shows what reaches it and keeps websockets."""
    on_server("lab-1", "docker service rm echo", check=False)
    on_server("lab-1", shlex.join(ECHO_SERVICE))
    deadline = time.monotonic() + 30
    while platform.get(f"https://{ECHO}/").status != 200:
        assert time.monotonic() < deadline, "Traefik does not know the echo service"
        time.sleep(0.2)
    yield platform
    on_server("lab-1", "docker service rm echo")


def visitors(platform: Platform) -> dict[str, str]:
    """The load: requests to the page, a websocket to the echo service."""
    return {"address": platform.address, "url": PAGE, "ca": str(CA), "websocket": f"wss://{ECHO}/ws"}


def nobody_noticed(count: Count, least_seconds: float = 0) -> None:
    """No failed request, and a websocket that was always there."""
    print(
        f"{count.requests} requests in {count.seconds} s, slowest {count.slowest} s, {count.failed} failed; websocket reopened {count.websocket_reopened} times"
    )
    assert count.failed == 0, count.moments
    assert count.websocket_failed == 0, count.moments
    assert count.requests >= 19 * count.seconds, "the load was not 20 requests a second"
    assert count.websocket_messages > 0
    assert count.seconds >= least_seconds


class TestVisitorsAddress:
    def test_it_arrives(self, echo):
        answer = echo.get(f"https://{ECHO}/").json()
        mine = address_of_this_machine(echo)
        assert answer["headers"]["x-real-ip"] == mine
        assert answer["headers"]["x-forwarded-for"] == mine

    def test_it_cannot_be_spoofed(self, echo):
        forged = {
            "X-Forwarded-For": "203.0.113.66",
            "X-Real-Ip": "203.0.113.66",
            "Forwarded": "for=203.0.113.66",
            "CF-Connecting-IP": "203.0.113.66",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "evil.example",
        }
        headers = echo.get(f"https://{ECHO}/", headers=forged).json()["headers"]
        mine = address_of_this_machine(echo)
        assert (headers["x-real-ip"], headers["x-forwarded-for"]) == (mine, mine)
        assert headers["x-forwarded-proto"] == "https"
        assert headers["x-forwarded-host"] in (ECHO, f"{ECHO}:443")

    def test_two_visitors_are_limited_apart(self, echo):
        statuses = echo.get_until(f"https://{ECHO}/", 429, tries=5000)
        assert 429 in statuses, "this visitor was never limited"
        assert statuses.index(429) >= 300, "the limit came before its burst"
        # Each Traefik counts for itself, and the balancer takes them in turn: the second visitor meets all of them.
        assert ask_from_elsewhere(echo.address, times=6) == [200] * 6, "another visitor was limited with this one"


def address_of_this_machine(platform: Platform) -> str:
    """The address that the load balancer sees this machine by."""
    route = subprocess.run(
        ["ip", "-json", "route", "get", platform.address], capture_output=True, text=True, check=True
    )
    return json.loads(route.stdout)[0]["prefsrc"]


def ask_from_elsewhere(address: str, times: int) -> list[int]:
    """The statuses that a second visitor gets, from a container of the lab with an address of its own."""
    program = f"""
import http.client, socket, ssl
tls = ssl._create_unverified_context()
for _try in range({times}):
    connection = http.client.HTTPSConnection("{ECHO}", context=tls)
    connection.sock = tls.wrap_socket(socket.create_connection(("{address}", 443), 10), server_hostname="{ECHO}")
    connection.request("GET", "/")
    print(connection.getresponse().status)
"""
    with contextlib.closing(docker.from_env()) as engine:
        code, output = engine.containers.get("frontdesk-lab-resolver").exec_run(["python3", "-c", program])
    assert code == 0, output.decode()
    return [int(line) for line in output.split()]


class TestNobodyNotices:
    def test_an_update_of_the_page(self, echo):
        with load(**visitors(echo)) as count:
            run = succeeded(run_playbook("playbooks/edge.yml", "-e", "status_page_title=News", "--tags", "status_page"))
        assert ("update", "service", "status_page") in run.changes
        assert "News" in echo.get(PAGE).text
        nobody_noticed(count)

    def test_an_update_of_traefik_on_every_node(self, echo):
        before = running_tasks("traefik_traefik")
        with load(**visitors(echo)) as count:
            run = succeeded(run_playbook("playbooks/edge.yml", "-e", "traefik_log_level=INFO", "--tags", "traefik"))
        assert ("update", "service", "traefik_traefik") in run.changes
        assert not running_tasks("traefik_traefik") & before, "an instance of before is still running"
        nobody_noticed(count)

    @pytest.mark.parametrize(
        ("image", "reason"),
        [("frontdesk-lab/none:1", "frontdesk-lab/none:1"), ("frontdesk-lab/echo:1", "status_page")],
        ids=["an image that is nowhere", "an image that never becomes healthy"],
    )
    def test_a_failing_image(self, echo, image, reason):
        before = running_tasks("status_page")
        with load(**visitors(echo)) as count:
            run = run_playbook("playbooks/edge.yml", "-e", f"status_page_image={image}", "--tags", "status_page")
        assert run.returncode != 0
        assert reason in run.messages
        assert running_tasks("status_page") >= before or len(running_tasks("status_page")) == len(before)
        assert echo.get(PAGE).status == 200
        nobody_noticed(count)

    def test_a_fourth_server_comes_and_goes(self, echo):
        more = ["-e", json.dumps({"frontdesk_servers": three_and_one()})]
        with load(**visitors(echo)) as count:
            # It also brings back what the tests before have changed and broken.
            succeeded(run_playbook("site.yml", *more))
            node = on_server(
                "lab-1", "docker node inspect lab-4 --format '{{.Spec.Role}} {{.Spec.Availability}} {{.Status.State}}'"
            )
            assert node == "worker active ready"
            assert succeeded(run_playbook("site.yml", *more)).changed == 0
            # Room for more tasks than the three have taken: the new one takes some.
            on_server("lab-1", "docker service scale --detach=false echo=8")
            assert "lab-4" in running_nodes("echo")
            removal = succeeded(run_playbook("site.yml", "-e", '{"hetzner_prune": true}'))
        steps = [(write["action"], write["kind"]) for write in removal.writes if write["name"] == "lab-4"]
        in_order = [("update", "node"), ("delete", "membership"), ("delete", "node"), ("delete", "server")]
        assert [step for step in steps if step in in_order] == in_order, removal.writes
        assert ("server", "lab-4") not in cloud_objects()
        assert "lab-4" not in on_server("lab-1", "docker node ls --format '{{.Hostname}}'")
        assert len(running_nodes("echo")) == 3
        nobody_noticed(count)
        assert succeeded(run_playbook("site.yml")).changed == 0


def three_and_one() -> list[dict[str, object]]:
    """The servers of the profile, and a worker: what a user writes as one more line."""
    groups = ["swarm_managers", "postgres", "redis", "edge"]
    three = [{"name": f"lab-{number}", "groups": groups, "private_ip": f"10.20.0.1{number}"} for number in (1, 2, 3)]
    return [*three, {"name": "lab-4", "groups": ["swarm_workers"], "private_ip": "10.20.0.14"}]


def running_tasks(service: str) -> set[str]:
    """Numbers of a service's running tasks."""
    return set(on_server("lab-1", f"docker service ps {service} -q --filter desired-state=running").split())


def running_nodes(service: str) -> set[str]:
    """Names of the nodes that run a service's tasks."""
    shown = on_server("lab-1", f"docker service ps {service} --filter desired-state=running --format '{{{{.Node}}}}'")
    return set(shown.split())
