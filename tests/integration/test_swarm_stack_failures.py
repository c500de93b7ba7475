# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What swarm_stack says and leaves behind when a stack cannot be as wanted, on a real Swarm."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.swarm_stack_runs import Stack, service, shell, stack_of, triples
from tests.swarm_nodes import IMAGE, Json, Node, Swarm, eventually, module_input

pytestmark = pytest.mark.lab

PORT = 18999
MISSING = "frontdesk-test/missing:1"
QUICK_CHECK = {"test": ["CMD-SHELL", "test -e /tmp/ready"], "interval": "1s", "timeout": "5s", "retries": 2}
"""Bounds that a loaded machine keeps, and a failure that is seen in seconds."""
DEPLOY = {"replicas": 1, "restart_policy": {"delay": "1s"}, "update_config": {"monitor": "10s", "order": "start-first"}}


@pytest.fixture
def stack(swarm: Swarm) -> Iterator[Stack]:
    with stack_of(swarm, "failures") as made:
        yield made


class Failed:
    """A run that failed, and what it says of each service."""

    def __init__(self, stack: Stack, result: Json) -> None:
        assert result.get("failed"), result
        self.stack = stack
        self.result = result
        self.failures = {item["service"].removeprefix(f"{stack.name}_"): item for item in result["failures"]}

    def of(self, name: str) -> str:
        """The sentences about a service; they are among the errors, of which msg gives the first."""
        message: str = self.failures[name]["message"]
        assert message in self.result["errors"]
        assert self.result["msg"].startswith(self.result["errors"][0])
        assert f"{self.stack.name}_{name} " in message
        return message


@contextlib.contextmanager
def port_taken(node: Node, port: int) -> Iterator[None]:
    """A program on the node that listens on a port."""
    script = f"import socket; s = socket.create_server(('0.0.0.0', {port})); print('up', flush=True); input()"
    listener = node.start(shlex.join(["python3", "-c", script]))
    assert listener.stdout
    assert listener.stdout.readline() == "up\n"
    try:
        yield
    finally:
        listener.communicate("\n", timeout=20)


class TestACreationThatFails:
    """Services that cannot start, all in one stack: each is told with its own reason, and does not hold up the others."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, swarm: Swarm) -> Iterator[Failed]:
        here = {"constraints": [f"node.hostname == {swarm.manager.name}"]}
        nowhere = {"constraints": ["node.labels.there == nowhere"]}
        talks = shell("for n in 1 2 3 4 5; do echo line $n; done; sleep 1; echo no such database: desk >&2; exit 3")
        services = [
            service("image", image=MISSING, deploy=DEPLOY),
            service("program", **talks, deploy=DEPLOY),
            service("nowhere", deploy={**DEPLOY, "placement": nowhere}),
            service("port", ports=[{"target": 80, "published": PORT}], deploy={**DEPLOY, "placement": here}),
            service("health", healthcheck=QUICK_CHECK, deploy=DEPLOY),
            service("other"),
        ]
        with stack_of(swarm, "failures") as stack, port_taken(swarm.manager, PORT):
            # The registry is not asked, so it is the nodes that find no image.
            yield Failed(stack, stack.run(services=services, resolve_images="never"))

    def test_an_image_that_does_not_exist(self, run: Failed):
        assert f"No such image: {MISSING}" in run.of("image")

    def test_a_program_that_fails(self, run: Failed):
        assert "non-zero exit (3)" in run.of("program")
        assert "no such database: desk" in run.of("program")
        assert {f"line {number}" for number in range(1, 6)} < set(run.failures["program"]["log"])

    def test_no_node_that_fits(self, run: Failed):
        assert "no suitable node (scheduling constraints not satisfied" in run.of("nowhere")

    def test_a_host_port_that_another_program_has(self, run: Failed):
        assert "address already in use" in run.of("port")
        assert str(PORT) in run.of("port")

    def test_a_health_check_that_never_passes(self, run: Failed):
        assert "unhealthy container" in run.of("health")

    def test_the_others_run(self, run: Failed):
        assert set(run.failures) == {"image", "program", "nowhere", "port", "health"}
        assert len(run.stack.tasks("other")) == 1
        states = {item["name"].removeprefix(f"{run.stack.name}_"): item["state"] for item in run.result["services"]}
        assert [name for name, state in states.items() if state == "converged"] == ["other"]


def versions(program: str, image: str) -> list[Json]:
    """Services whose next versions can fail: two by their health check, one by its image."""
    stop_first = {**DEPLOY, "update_config": {"monitor": "10s", "order": "stop-first"}}
    return [
        service("health", healthcheck=QUICK_CHECK, deploy=DEPLOY, **shell(program)),
        service("stopping", healthcheck=QUICK_CHECK, deploy=stop_first, **shell(program)),
        service("image", image=image, deploy=DEPLOY),
    ]


class TestAnUpdateThatFails:
    good = versions("touch /tmp/ready; sleep infinity", IMAGE)
    bad = versions("echo starting; sleep 1; echo cannot open the database >&2; sleep infinity", MISSING)

    @pytest.fixture(scope="class")
    @classmethod
    def before(cls, swarm: Swarm) -> Iterator[tuple[Stack, dict[str, tuple[list[str], Json]]]]:
        with stack_of(swarm, "failures") as stack:
            stack.apply(services=cls.good, resolve_images="never")
            yield stack, {item["name"]: (stack.tasks(item["name"]), stack.spec(item["name"])) for item in cls.good}

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, before: tuple[Stack, dict[str, Any]]) -> Failed:
        stack, _live = before
        started = time.monotonic()
        failed = Failed(stack, stack.run(services=cls.bad, resolve_images="never"))
        assert time.monotonic() - started < 100, "the time limit ended it, not the failures"
        return failed

    @pytest.mark.parametrize("name", ["health", "stopping"])
    def test_a_health_check_that_fails(self, run: Failed, name: str):
        assert "unhealthy container" in run.of(name)
        assert "cannot open the database" in run.of(name)
        assert "rolled back" in run.of(name)

    def test_an_image_that_only_the_nodes_find_missing(self, run: Failed):
        assert f"No such image: {MISSING}" in run.of("image")
        assert "rolled back" in run.of("image")

    def test_the_former_version_serves(self, run: Failed, before: tuple[Stack, dict[str, tuple[list[str], Json]]]):
        stack, live = before
        for name, (tasks, spec) in live.items():
            assert stack.spec(name)["TaskTemplate"]["ContainerSpec"] == spec["TaskTemplate"]["ContainerSpec"]
            now = stack.tasks(name)
            assert len(now) == len(tasks) == 1
            assert now == tasks or name == "stopping", f"the old task of {name} was ended"

    def test_the_next_run_does_not_take_it_for_done(self, run: Failed):
        predicted = run.stack.apply(check_mode=True, services=self.bad, resolve_images="never")
        assert triples(predicted) == [
            ("update", "service", f"failures_{name}") for name in ("health", "image", "stopping")
        ]
        back = run.stack.apply(services=self.good, resolve_images="never")
        assert not back["changed"], "Swarm went back to the former version already"


class TestAnImageThatTheRegistryDoesNotHave:
    def test_it_is_refused_before_any_write(self, stack: Stack):
        assert MISSING in stack.refused(services=[service("web", image=MISSING)])

    def test_the_old_version_serves(self, stack: Stack):
        stack.apply(services=[service("web")])
        tasks = stack.tasks("web")
        assert MISSING in stack.refused(services=[service("web", image=MISSING)])
        assert stack.tasks("web") == tasks


class TestRefusedBeforeAnyWrite:
    def test_a_host_port_that_a_foreign_service_has(self, stack: Stack):
        create = ["service", "create", "-q", "-d", "--mode=global", "--endpoint-mode=dnsrr", "--name=strangers_web"]
        with stack_of(stack.swarm, "strangers"):
            stack.swarm.manager.docker(*create, "--publish", f"mode=host,target=80,published={PORT}", IMAGE)
            message = stack.refused(services=[service("web", ports=[{"target": 80, "published": PORT}])])
        assert "strangers_web" in message
        assert str(PORT) in message

    def test_an_external_secret_that_is_missing(self, stack: Stack):
        message = stack.refused(
            services=[service("web", secrets=[{"source": "elsewhere"}])],
            secrets=[{"name": "elsewhere", "external": True}],
        )
        assert "elsewhere" in message

    def test_a_secret_that_nothing_declares(self, stack: Stack):
        message = stack.refused(services=[service("web", secrets=[{"source": "undeclared"}])])
        assert "undeclared" in message
        assert "web" in message

    def test_a_network_that_is_gone(self, stack: Stack):
        manager = stack.swarm.manager
        name = "failures-network"
        wanted = {
            "services": [service("web", networks=[{"name": name}], deploy={"replicas": 0})],
            "networks": [{"name": name, "external": True}],
        }
        manager.docker("network", "create", "-d", "overlay", name)
        stack.apply(**wanted)
        stack.remove()
        manager.docker("network", "rm", name)
        eventually(lambda: name not in manager.lines("network", "ls", "--format={{.Name}}"), "the network is gone")
        assert name in stack.refused(**wanted)

    @pytest.mark.parametrize("length", [64, 200])
    def test_a_service_name_that_is_too_long(self, stack: Stack, length: int):
        # The engine's limit for the whole name, which becomes a DNS name, is 63.
        name = "w" * (length - len(stack.name) - 1)
        message = stack.refused(services=[service("first"), service(name)])
        assert "63" in message

    def test_a_config_over_the_limit(self, stack: Stack):
        message = stack.refused(
            services=[service("web", configs=[{"source": "big", "target": "/big"}])],
            configs=[{"name": "big", "content": "x" * 512_001}],
        )
        assert "big" in message
        assert "500" in message

    def test_a_port_published_twice(self, stack: Stack):
        ports = [{"target": 80, "published": PORT, "mode": "host"}]
        message = stack.refused(services=[service("web", ports=ports), service("api", ports=ports)])
        assert str(PORT) in message

    def test_several_faults_are_told_in_one_sentence_or_the_first_is(self, stack: Stack):
        stack.refused(services=[service("web", networks=[{"name": "unknown"}], configs=[{"source": "unknown"}])])


def docker_down(node: Node) -> None:
    node.run("systemctl stop docker.socket docker.service")


def docker_up(node: Node) -> None:
    node.run("systemctl start docker.socket docker.service")


def all_managers_ready(swarm: Swarm) -> bool:
    shown = swarm.manager.docker("node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}", check=False).splitlines()
    return len(shown) >= 3 and all(line.strip() in ("Ready Leader", "Ready Reachable", "Ready") for line in shown)


def one_sentence(result: Json) -> str:
    assert result.get("failed"), result
    message: str = result["msg"]
    assert "\n" not in message
    assert "Traceback" not in message
    assert message.endswith((".", "see errors.)"))
    return message


class TestLostManagers:
    def test_a_lost_quorum_is_told_within_half_a_minute(self, swarm: Swarm, stack: Stack):
        stack.apply(services=[service("web")])
        wanted = {"services": [service("web", hostname="other")]}
        # The leader still answers reads for some seconds: the worst case.
        leader = swarm.manager.docker(
            "node", "ls", "--filter=role=manager", "--format={{.Hostname}} {{.ManagerStatus}}"
        )
        asked = swarm.node(next(line.split()[0] for line in leader.splitlines() if line.endswith(" Leader")))
        others = [node for node in swarm.managers if node != asked]
        assert len(others) == 2, "a Swarm of three managers is needed"
        try:
            for node in others:
                docker_down(node)
            results, seconds = [], []
            for check_mode in (False, True):
                started = time.monotonic()
                results.append(stack.run(check_mode, on=asked, **wanted))
                seconds.append(time.monotonic() - started)
        finally:
            for node in others:
                docker_up(node)
            eventually(lambda: all_managers_ready(swarm), "the managers are back", 120)
        for result in results:
            assert "leader" in one_sentence(result)
        assert max(seconds) <= 30
        # Raft may still carry out what was asked when the managers were gone; wanted is wanted.
        stack.apply(**wanted)
        assert stack.inside("web", "hostname") == "other"

    def test_a_stopped_engine(self, swarm: Swarm, stack: Stack):
        node = swarm.managers[2]
        try:
            docker_down(node)
            result = stack.run(on=node, services=[service("web")])
        finally:
            docker_up(node)
            eventually(lambda: all_managers_ready(swarm), "the manager is back", 120)
        assert "Docker engine" in one_sentence(result)

    def test_a_worker(self, swarm: Swarm, stack: Stack):
        node = swarm.managers[2]
        is_manager = "{{.Swarm.ControlAvailable}}"
        try:
            swarm.manager.docker("node", "demote", node.name)
            eventually(lambda: node.docker("info", "-f", is_manager, check=False) == "false", "the manager is a worker")
            result = stack.run(on=node, services=[service("web")])
        finally:
            # The node's own reports come between: "update out of sequence".
            promote = ["node", "promote", node.name]
            eventually(lambda: "Error" not in swarm.manager.docker(*promote, check=False), "the worker is promoted")
            eventually(lambda: node.docker("info", "-f", is_manager, check=False) == "true", "it knows", 120)
            eventually(lambda: all_managers_ready(swarm), "the managers are back", 120)
        assert "manager" in one_sentence(result)

    def test_an_engine_outside_any_swarm(self, swarm: Swarm, stack: Stack):
        # An engine of its own on the manager, reached by its socket; in a network of its own, because it would take the
        # bridge away from the other.
        script = """
        d=$(mktemp -d /run/frontdesk-test.XXXXXX)
        echo {} >$d/config.json
        unshare --net dockerd --config-file $d/config.json --data-root $d/data --exec-root $d/exec --pidfile $d/pid --host unix://$d/docker.sock \
            --bridge=none --iptables=false --ip6tables=false >$d/log 2>&1 &
        echo $d; read answer; kill $!; wait $!; rm -rf $d
        """
        process = swarm.manager.start(script)
        assert process.stdout
        socket = f"{process.stdout.readline().strip()}/docker.sock"
        try:
            eventually(
                lambda: "Server Version" in swarm.manager.docker("-H", f"unix://{socket}", "info", check=False),
                "the second engine answers",
            )
            result = stack.run(docker_socket=socket, services=[service("web")])
        finally:
            process.communicate("\n", timeout=60)
        assert "manager" in one_sentence(result)


def many(number: int) -> list[Json]:
    return [service(f"part-{index:02d}", deploy={"replicas": 0}) for index in range(number)]


class TestRunsThatMeet:
    def test_two_runs_at_once_end_in_the_wanted_state(self, swarm: Swarm, stack: Stack):
        parts = {"services": [*many(6), service("web")], "configs": [{"name": "settings", "content": "a"}]}
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(stack.run, on=node, **parts) for node in swarm.managers[:2]]
            results = [run.result() for run in runs]
        for result in results:
            assert not result.get("failed"), result["msg"]
        assert len(stack.names("service")) == 7
        assert len(stack.tasks("web")) == 1
        assert not stack.apply(**parts)["changed"]

    def test_two_different_updates_at_once_end_in_one_of_them(self, swarm: Swarm, stack: Stack):
        stack.apply(services=many(6))
        wanted = [[{**part, "hostname": name} for part in many(6)] for name in ("one", "two")]
        with ThreadPoolExecutor(2) as pool:
            runs = [
                pool.submit(stack.run, on=node, services=parts)
                for node, parts in zip(swarm.managers[:2], wanted, strict=True)
            ]
            results = [run.result() for run in runs]
        for result in results:
            if result.get("failed"):
                one_sentence(result)
        for part in many(6):
            assert stack.spec(part["name"])["TaskTemplate"]["ContainerSpec"]["Hostname"] in ("one", "two")
        stack.apply(services=wanted[0])
        assert not stack.apply(services=wanted[0])["changed"]

    def test_a_killed_run_is_finished_by_the_next(self, swarm: Swarm, stack: Stack):
        wanted = 41
        parts = {
            "services": [
                *many(wanted - 1),
                service("web", secrets=[{"source": "password"}], networks=[{"name": "inner"}]),
            ],
            "secrets": [{"name": "password", "content": "a password"}],
            "networks": [{"name": "inner"}],
        }
        script = f"""
        ({swarm.manager.module_command("swarm_stack")}) <&0 >/dev/null &
        until [ "$(docker service ls -q --filter name={stack.name}_ | wc -l)" -ge 3 ]; do kill -0 $! || exit 1; done
        kill -KILL $!; wait $!
        """
        swarm.manager.run(script, module_input(stack.params(**parts)), check=False)
        made = len(stack.names("service"))
        assert 0 < made < wanted, f"{made} of {wanted} services: the kill came too late or too early"
        result = stack.apply(**parts)
        created = [triple for triple in triples(result) if triple[:2] == ("create", "service")]
        assert len(created) == wanted - made
        assert len(stack.names("service")) == wanted
        assert len(stack.names("secret")) == 1
        assert len(stack.tasks("web")) == 1
        assert not stack.apply(**parts)["changed"]
