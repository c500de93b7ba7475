# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What swarm_stack says and leaves behind when a stack cannot be as wanted, on a real Swarm."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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


def checked(**options: object) -> Json:
    """A service whose health check passes once its program has made a file."""
    return service("web", healthcheck=QUICK_CHECK, deploy=DEPLOY, **options)


def still_served_by(stack: Stack, tasks: list[str], spec: Json) -> None:
    """The former version serves: its tasks were never replaced, and the service is what it was."""
    assert tasks
    assert stack.tasks("web") == tasks
    now = stack.spec("web")
    assert now["TaskTemplate"]["ContainerSpec"] == spec["TaskTemplate"]["ContainerSpec"]


class TestWhatCannotConverge:
    def test_an_image_that_does_not_exist(self, stack: Stack):
        message = stack.run(services=[service("web", image=MISSING)])
        assert message.get("failed")
        assert MISSING in message["msg"]

    def test_an_update_to_an_image_that_does_not_exist_leaves_the_old_version(self, stack: Stack):
        stack.apply(services=[service("web")])
        tasks, spec = stack.tasks("web"), stack.spec("web")
        result = stack.run(services=[service("web", image=MISSING)])
        assert result.get("failed")
        assert MISSING in result["msg"]
        still_served_by(stack, tasks, spec)

    def test_an_image_that_only_the_nodes_find_missing(self, stack: Stack):
        # The registry is not asked, so the tasks are rejected on the nodes.
        options = {"resolve_images": "never", "services": [service("web", image=MISSING, deploy=DEPLOY)]}
        stack.apply(services=[service("web", deploy=DEPLOY)])
        tasks, spec = stack.tasks("web"), stack.spec("web")
        result = stack.run(**options)
        assert result.get("failed")
        assert "No such image" in result["msg"]
        assert MISSING in result["msg"]
        still_served_by(stack, tasks, spec)

    def test_a_health_check_that_fails_after_an_update(self, stack: Stack):
        stack.apply(services=[checked(**shell("touch /tmp/ready; sleep infinity"))])
        tasks, spec = stack.tasks("web"), stack.spec("web")
        broken = shell("echo starting; echo cannot open the database >&2; sleep infinity")
        started = time.monotonic()
        result = stack.run(services=[checked(**broken)])
        assert result.get("failed"), result
        assert "unhealthy" in result["msg"]
        assert "cannot open the database" in result["msg"]
        assert f"{stack.name}_web" in result["msg"]
        assert time.monotonic() - started < 100, "the time limit ended it, not the failure"
        still_served_by(stack, tasks, spec)
        # The next run tries again, and says the same: a failure is never taken for the wanted state.
        again = stack.apply(check_mode=True, services=[checked(**broken)])
        assert triples(again) == [("update", "service", f"{stack.name}_web")]

    def test_a_program_that_fails_at_its_first_start(self, stack: Stack):
        broken = shell("for n in 1 2 3 4 5; do echo line $n; done; echo no such database: desk >&2; exit 3")
        result = stack.run(services=[service("web", **broken, deploy=DEPLOY), service("other")], wait_timeout=60)
        assert result.get("failed")
        assert f"{stack.name}_web" in result["msg"]
        assert "non-zero exit (3)" in result["msg"]
        assert "no such database: desk" in result["msg"]
        assert f"{stack.name}_other" not in result["msg"]

    def test_no_node_that_fits(self, stack: Stack):
        placement = {"constraints": ["node.labels.there == nowhere"]}
        result = stack.run(services=[service("web", deploy={"replicas": 1, "placement": placement})], wait_timeout=15)
        assert result.get("failed")
        assert "no suitable node" in result["msg"]
        assert "scheduling constraints not satisfied" in result["msg"]

    def test_a_host_port_that_a_foreign_service_has(self, stack: Stack):
        with stack_of(stack.swarm, "strangers") as strangers:
            command = [
                "service",
                "create",
                "-q",
                "-d",
                "--mode=global",
                "--endpoint-mode=dnsrr",
                "--name=strangers_web",
            ]
            stack.swarm.manager.docker(*command, "--publish", f"mode=host,target=80,published={PORT}", IMAGE)
            message = stack.refused(services=[service("web", ports=[{"target": 80, "published": PORT}])])
            assert strangers.names("service") == ["strangers_web"]
        assert "strangers_web" in message
        assert str(PORT) in message

    def test_a_host_port_that_another_program_has(self, stack: Stack):
        manager = stack.swarm.manager
        script = f"import socket; s = socket.create_server(('0.0.0.0', {PORT + 1})); print('up', flush=True); input()"
        listener = manager.start(f'python3 -c "{script}"')
        try:
            assert listener.stdout
            assert listener.stdout.readline() == "up\n"
            deploy = {**DEPLOY, "placement": {"constraints": [f"node.hostname == {manager.name}"]}}
            ports = [{"target": 80, "published": PORT + 1}]
            result = stack.run(services=[service("web", ports=ports, deploy=deploy)], wait_timeout=60)
        finally:
            listener.communicate("\n", timeout=20)
        assert result.get("failed")
        assert "address already in use" in result["msg"]
        assert str(PORT + 1) in result["msg"]


class TestRefusedBeforeAnyWrite:
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
    return len(shown) >= 3 and all(line in ("Ready Leader", "Ready Reachable", "Ready ") for line in shown)


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
        others = swarm.managers[1:3]
        assert len(others) == 2, "a Swarm of three managers is needed"
        try:
            for node in others:
                docker_down(node)
            results, seconds = [], []
            for check_mode in (False, True):
                started = time.monotonic()
                results.append(stack.run(check_mode, services=[service("web", hostname="other")]))
                seconds.append(time.monotonic() - started)
        finally:
            for node in others:
                docker_up(node)
            eventually(lambda: all_managers_ready(swarm), "the managers are back", 120)
        for result in results:
            assert "leader" in one_sentence(result)
        assert max(seconds) <= 30
        # Raft may still carry out what was asked when the managers were gone; wanted is wanted.
        stack.apply(services=[service("web", hostname="other")])
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
        # An engine of its own on the manager, reached by its socket.
        script = """
        d=$(mktemp -d /run/frontdesk-test.XXXXXX)
        dockerd --data-root $d/data --exec-root $d/exec --pidfile $d/pid --host unix://$d/docker.sock \
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
