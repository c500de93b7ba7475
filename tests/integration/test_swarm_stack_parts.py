# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack has beside the values of its services, on a real Swarm: networks, volumes, modes, jobs, the wait."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.integration.swarm_stack_runs import Stack, service, shell, stack_of, triples
from tests.swarm_nodes import Json, Swarm, eventually

pytestmark = pytest.mark.lab

MTU = "com.docker.network.driver.mtu"
NETWORKS: dict[str, tuple[Json, Json]] = {
    "plain": ({}, {"Driver": "overlay", "Internal": False, "Attachable": False}),
    "mtu": ({"mtu": 1400}, {"Options": {MTU: "1400"}}),
    "driver-opts": ({"driver_opts": {"a": "1"}}, {"Options": {"a": "1"}}),
    "internal": ({"internal": True}, {"Internal": True}),
    "attachable": ({"attachable": True}, {"Attachable": True}),
    "encrypted": ({"encrypted": True}, {"Options": {"encrypted": ""}}),
    "labels": ({"labels": {"a": "1"}}, {"Labels": {"a": "1", "com.docker.stack.namespace": "parts"}}),
    "subnet": ({"subnet": "10.99.1.0/24"}, {"IPAM": {"Config": [{"Subnet": "10.99.1.0/24", "Gateway": "10.99.1.1"}]}}),
}
"""The keys of a network and what `docker network inspect` shows of them."""


@pytest.fixture
def stack(swarm: Swarm) -> Iterator[Stack]:
    with stack_of(swarm, "parts") as made:
        yield made


def holds(shown: object, wanted: object) -> bool:
    """Whether what is wanted is among what is shown."""
    if isinstance(wanted, dict):
        return isinstance(shown, dict) and all(holds(shown.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(shown, list) and all(holds(*pair) for pair in zip(shown, wanted, strict=True))
    return shown == wanted


def test_networks(stack: Stack):
    wanted = {"networks": [{"name": name, **options} for name, (options, _shown) in NETWORKS.items()]}
    predicted = stack.apply(check_mode=True, **wanted)
    assert stack.names("network") == []
    assert stack.apply(**wanted)["changes"] == predicted["changes"]
    again = stack.apply(**wanted)
    assert (again["changes"], again["api_writes"]) == ([], 0)
    for name, (_options, shown) in NETWORKS.items():
        live = stack.swarm.manager.inspect("network", f"{stack.name}_{name}")[0]
        assert holds(live, shown), (name, live)
        mtu = "1400" if name == "mtu" else "1450"
        assert live["Options"][MTU] == mtu, "Hetzner's private networks carry 1450 bytes"
    # Networks that are not wanted any more go, and no other.
    fewer = {"networks": [{"name": "plain"}]}
    predicted = stack.apply(check_mode=True, **fewer)
    assert stack.apply(**fewer)["changes"] == predicted["changes"]
    assert stack.names("network") == [f"{stack.name}_plain"]


def test_a_network_is_replaced_only_when_named(stack: Stack):
    """A network cannot be changed: it is made anew, and so are the services on it."""

    def wanted(changed: bool) -> Json:
        return {
            "networks": [
                {"name": name, **(options if changed else {})} for name, (options, _shown) in NETWORKS.items()
            ],
            "services": [service(name, {"replicas": 0}, networks=[{"name": name}]) for name in NETWORKS],
        }

    names = [name for name in NETWORKS if name != "plain"]
    stack.apply(**wanted(changed=False))
    message = stack.refused(**wanted(changed=True))
    assert "replace" in message
    assert [name for name in names if name not in message] == []
    before = stack.swarm.manager.inspect("network", f"{stack.name}_plain")
    predicted = stack.apply(check_mode=True, replace=names, **wanted(changed=True))
    result = stack.apply(replace=names, **wanted(changed=True))
    assert result["changes"] == predicted["changes"]
    replaced = [triple for triple in triples(result) if triple[:2] == ("replace", "network")]
    assert replaced == [("replace", "network", f"{stack.name}_{name}") for name in sorted(names)]
    for name, (_options, shown) in NETWORKS.items():
        live = stack.swarm.manager.inspect("network", f"{stack.name}_{name}")[0]
        assert holds(live, shown), (name, live)
        assert stack.spec(name)["TaskTemplate"]["Networks"][0]["Target"] == live["Id"]
    assert stack.swarm.manager.inspect("network", f"{stack.name}_plain") == before
    assert not stack.apply(**wanted(changed=True))["changed"]


def test_the_mode_of_a_service_is_replaced_only_when_named(stack: Stack):
    def wanted(mode: str) -> list[Json]:
        deploy = {"mode": mode, "replicas": None, "placement": {"constraints": ["node.role == manager"]}}
        return [service("web", deploy=deploy), service("other")]

    modes = {"replicated": "Replicated", "global": "Global"}
    stack.apply(services=wanted("replicated"))
    other = stack.tasks("other")
    for mode in ("global", "replicated"):
        assert "replace" in stack.refused(services=wanted(mode))
        predicted = stack.apply(check_mode=True, services=wanted(mode), replace=["web"])
        result = stack.apply(services=wanted(mode), replace=["web"])
        assert result["changes"] == predicted["changes"]
        assert triples(result) == [("replace", "service", f"{stack.name}_web")]
        assert list(stack.spec("web")["Mode"]) == [modes[mode]]
        assert len(stack.tasks("web")) == (len(stack.swarm.managers) if mode == "global" else 1)
        assert not stack.apply(services=wanted(mode))["changed"]
    assert stack.tasks("other") == other


def test_the_mode_of_a_port(stack: Stack):
    def wanted(mode: str) -> list[Json]:
        port = {"target": 80, "published": 18084, "mode": mode}
        return [service("web", {"replicas": 0, "endpoint_mode": "vip"}, ports=[port])]

    def modes() -> list[str]:
        return [port["PublishMode"] for port in stack.spec("web")["EndpointSpec"]["Ports"]]

    stack.apply(services=wanted("host"))
    assert modes() == ["host"]
    if "ingress" in stack.swarm.manager.lines("network", "ls", "--format={{.Name}}"):
        stack.apply(services=wanted("ingress"))
        assert modes() == ["ingress"]
        assert not stack.apply(services=wanted("ingress"))["changed"]
    else:
        # The platform's own Swarm has none: it would hide the visitor's address.
        result = stack.run(services=wanted("ingress"))
        assert result.get("failed")
        assert "ingress network" in result["msg"]
    stack.apply(services=wanted("host"))
    assert modes() == ["host"]


def test_a_service_with_another_name_is_another_service(stack: Stack):
    stack.apply(services=[service("one"), service("kept")])
    kept = stack.tasks("kept")
    predicted = stack.apply(check_mode=True, services=[service("two"), service("kept")])
    result = stack.apply(services=[service("two"), service("kept")])
    assert result["changes"] == predicted["changes"]
    assert triples(result) == [("create", "service", f"{stack.name}_two"), ("delete", "service", f"{stack.name}_one")]
    assert stack.names("service") == [f"{stack.name}_kept", f"{stack.name}_two"]
    assert stack.tasks("kept") == kept


def test_a_limit_changes_the_named_services_and_removes_nothing(stack: Stack):
    stack.apply(services=[service(name) for name in ("one", "two", "gone")])
    others = {name: stack.tasks(name) for name in ("two", "gone")}
    wanted = [service(name, environment={"A": "1"}) for name in ("one", "two")]
    predicted = stack.apply(check_mode=True, limit=["one"], services=wanted)
    result = stack.apply(limit=["one"], services=wanted)
    assert result["changes"] == predicted["changes"]
    assert triples(result) == [("update", "service", f"{stack.name}_one")]
    assert {name: stack.tasks(name) for name in others} == others
    assert not stack.apply(limit=["one"], services=wanted)["changed"]
    # Without a limit the rest follows.
    rest = [("delete", "service", f"{stack.name}_gone"), ("update", "service", f"{stack.name}_two")]
    assert triples(stack.apply(services=wanted)) == rest
    assert "nowhere" in stack.refused(limit=["nowhere"], services=wanted)


def test_what_is_external_is_used_and_left_alone(stack: Stack):
    with stack_of(stack.swarm, "theirs"):
        manager = stack.swarm.manager
        manager.docker("network", "create", "-d", "overlay", "theirs_net")
        manager.docker("secret", "create", "theirs_password", "-", given="their secret")
        manager.docker("config", "create", "theirs_settings", "-", given="their config")
        parts = {
            "networks": [{"name": "theirs_net", "external": True}],
            "secrets": [{"name": "theirs_password", "external": True}],
            "configs": [{"name": "theirs_settings", "external": True}],
        }
        web = service(
            "web",
            networks=[{"name": "theirs_net"}],
            secrets=[{"source": "theirs_password", "target": "password"}],
            configs=[{"source": "theirs_settings", "target": "/settings"}],
        )
        before = stack.swarm.of_stack("theirs")
        stack.apply(services=[web], **parts)
        assert stack.inside("web", "cat /run/secrets/password /settings") == "their secrettheir config"
        assert not stack.apply(services=[web], **parts)["changed"]
        stack.apply(state="absent")
        assert stack.swarm.of_stack("theirs") == before


def test_a_volume_keeps_its_content(stack: Stack):
    def wanted(**more: object) -> Json:
        here = {"constraints": [f"node.hostname == {stack.swarm.manager.name}"]}
        mounts = [{"type": "volume", "source": "data", "target": "/data"}]
        deploy = {"replicas": 1, "placement": here}
        return {"volumes": [{"name": "data"}], "services": [service("db", volumes=mounts, deploy=deploy, **more)]}

    try:
        stack.apply(**wanted())
        stack.inside("db", "echo kept > /data/file")
        stack.apply(**wanted(hostname="another"))
        assert stack.inside("db", "cat /data/file; hostname") == "kept\nanother"
        assert f"{stack.name}_data" in stack.swarm.manager.lines("volume", "ls", "--format={{.Name}}")
        stack.apply(state="absent")
        assert f"{stack.name}_data" in stack.swarm.manager.lines("volume", "ls", "--format={{.Name}}"), (
            "data was deleted"
        )
    finally:
        stack.remove()
        remove = ["volume", "rm", "-f", f"{stack.name}_data"]
        # The engine holds it until the last container is removed.
        eventually(lambda: "Error" not in stack.swarm.manager.docker(*remove, check=False), "the volume is removed")


def job(script: str, **deploy: object) -> Json:
    """A job that runs a script."""
    once = {"restart_policy": {"condition": "none"}}
    return {
        "name": "migrate",
        "image": service("x")["image"],
        **shell(script),
        "deploy": {"mode": "replicated-job", **once, **deploy},
    }


class TestJobs:
    def test_a_job_has_run_when_the_module_returns_and_runs_again_only_when_it_changes(self, stack: Stack):
        stack.apply(services=[job("echo migrated")])
        assert "migrated" in self.logs(stack)
        ran = self.task_ids(stack)
        unchanged = stack.apply(services=[job("echo migrated")])
        assert (unchanged["changed"], unchanged["api_writes"]) == (False, 0)
        assert self.task_ids(stack) == ran, stack.swarm.manager.docker(
            "service", "ps", "--no-trunc", f"{stack.name}_migrate"
        )
        result = stack.apply(services=[job("echo migrated again")])
        assert triples(result) == [("update", "service", f"{stack.name}_migrate")]
        assert "migrated again" in self.logs(stack)

    def test_a_job_that_comes_back_runs_again(self, stack: Stack):
        for script in ("echo one; sleep 2", "echo two", "echo one; sleep 2"):
            before = self.completed(stack)
            result = stack.apply(services=[job(script)])
            assert result["services"][0]["replicas"] == {"wanted": 1, "running": 1}
            assert len(self.completed(stack)) == len(before) + 1

    def test_a_job_runs_once_whoever_leads_and_stays_after_a_node_is_drained(self, stack: Stack):
        """A manager that lost the leadership goes on starting Swarm's own jobs: moby issue 53632."""
        stack.apply(services=[job("echo once")])
        ran = self.completed(stack)
        assert len(ran) == 1
        leader = stack.swarm.manager.docker("node", "ls", "--format={{.Hostname}} {{.ManagerStatus}}")
        name = next(line.split()[0] for line in leader.splitlines() if line.endswith("Leader"))
        other = next(node for node in stack.swarm.managers if node.name != name)
        stack.swarm.node(name).run("systemctl restart docker")
        eventually(lambda: "Leader" in other.docker("node", "ls", check=False), "another manager leads")
        for node in stack.swarm.managers:
            for availability in ("drain", "active"):
                update = ("node", "update", f"--availability={availability}", node.name)
                eventually(lambda update=update: other.docker(*update, check=False) == update[-1], " ".join(update))
        assert not stack.apply(services=[job("echo once")])["changed"]
        assert self.completed(stack) == ran

    def test_a_job_that_fails_fails_the_module_with_its_last_words(self, stack: Stack):
        result = stack.run(services=[job("echo column desk.id is missing; exit 4")], wait_timeout=60)
        assert result.get("failed"), result
        assert "non-zero exit (4)" in result["msg"]
        assert "column desk.id is missing" in result["msg"]

    def test_a_global_job_runs_on_every_node(self, stack: Stack):
        stack.apply(services=[job("echo here", mode="global-job")])
        nodes = stack.swarm.manager.lines(
            "service", "ps", "--format={{.Node}} {{.CurrentState}}", f"{stack.name}_migrate"
        )
        assert {line.split()[1] for line in nodes} == {"Complete"}
        assert len({line.split()[0] for line in nodes}) == len(stack.swarm.manager.lines("node", "ls", "-q"))

    def completed(self, stack: Stack) -> list[str]:
        """Ids of the runs that ended well."""
        if not stack.names("service"):
            return []
        shown = "--format={{.ID}} {{.CurrentState}}"
        lines = stack.swarm.manager.lines("service", "ps", "--no-trunc", shown, f"{stack.name}_migrate")
        return [line.split()[0] for line in lines if line.split()[1] == "Complete"]

    def logs(self, stack: Stack) -> str:
        return stack.swarm.manager.docker("service", "logs", f"{stack.name}_migrate")

    def task_ids(self, stack: Stack) -> list[str]:
        return stack.swarm.manager.lines("service", "ps", "-q", "--no-trunc", f"{stack.name}_migrate")


SLOW = {"test": ["CMD-SHELL", "test -e /tmp/ready"], "interval": "1s", "retries": 30}


def test_the_module_returns_when_the_services_are_healthy(stack: Stack):
    stack.apply(services=[service("web", healthcheck=SLOW, **shell("sleep 4; touch /tmp/ready; sleep infinity"))])
    node, container = stack.swarm.container(f"{stack.name}_web")
    assert node.docker("inspect", "--format={{.State.Health.Status}}", container) == "healthy"


def test_without_waiting_the_module_returns_before_the_services_run(stack: Stack):
    result = stack.apply(services=[service("web", healthcheck=SLOW, **shell("sleep infinity"))], wait=False)
    assert result["changed"]
    assert stack.tasks("web") == []
    assert [item["state"] for item in result["services"]] != ["converged"]


def test_the_wait_has_an_end(stack: Stack):
    started = time.monotonic()
    result = stack.run(
        services=[service("web", healthcheck={**SLOW, "retries": 300}, **shell("sleep infinity"))], wait_timeout=5
    )
    seconds = time.monotonic() - started
    assert result.get("failed")
    assert f"{stack.name}_web" in result["msg"]
    told = re.search(r" after (\d+) s", result["msg"])
    assert told
    # The time that it really waited, its last look included.
    assert 5 <= int(told[1]) <= seconds < 30


def test_a_service_scaled_to_nothing_converges(stack: Stack):
    stack.apply(services=[service("web", deploy={"replicas": 2})])
    assert len(stack.tasks("web")) == 2
    stack.apply(services=[service("web", deploy={"replicas": 0})])
    eventually(lambda: not stack.tasks("web"), "the tasks are gone")


def test_drift_made_by_hand_is_found_and_repaired(stack: Stack):
    stack.apply(services=[service("web", environment={"A": "1"})])
    name = f"{stack.name}_web"
    stack.swarm.manager.docker(
        "service", "update", "-q", "-d", "--env-add=B=2", "--limit-memory=64M", "--replicas=0", name
    )
    predicted = stack.apply(check_mode=True, services=[service("web", environment={"A": "1"})])
    result = stack.apply(services=[service("web", environment={"A": "1"})])
    assert result["changes"] == predicted["changes"]
    assert triples(result) == [("update", "service", name)]
    assert stack.spec("web")["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]
    assert len(stack.tasks("web")) == 1
    assert not stack.apply(services=[service("web", environment={"A": "1"})])["changed"]


def test_a_running_container_is_as_the_options_say(stack: Stack):
    """The table shows that the engine has the values; this, that they are those which have the effect."""
    options = {
        "hostname": "desk",
        "user": "1000:1000",
        "working_dir": "/var/tmp",
        "environment": {"GREETING": "good morning"},
        "read_only": True,
        "cap_drop": ["ALL"],
        "cap_add": ["NET_BIND_SERVICE"],
        "sysctls": {"net.core.somaxconn": "512"},
        "ulimits": {"nofile": {"soft": 1024, "hard": 2048}},
        "dns_search": ["example.com"],
        "extra_hosts": ["db.test:192.0.2.1"],
        "networks": [{"name": "inner", "aliases": ["front"]}],
        "volumes": [{"type": "tmpfs", "target": "/scratch", "size": "16M", "tmpfs_mode": "1777"}],
        "secrets": [{"source": "password", "uid": "1000", "mode": "0400"}],
        "stop_signal": "SIGINT",
        "deploy": {"replicas": 1, "resources": {"limits": {"cpus": "0.5", "memory": "64M", "pids": 50}}},
    }
    stack.apply(
        services=[service("web", **options)],
        networks=[{"name": "inner"}],
        secrets=[{"name": "password", "content": "a password"}],
    )
    questions = {
        "hostname": "desk",
        "id -u": "1000",
        "pwd": "/var/tmp",
        "echo $GREETING": "good morning",
        "touch /file 2>/dev/null || echo refused": "refused",
        "grep -o 'CapBnd.*' /proc/self/status": "CapBnd:\t0000000000000400",
        "cat /proc/sys/net/core/somaxconn": "512",
        "ulimit -S -n": "1024",
        "grep -c '^search example.com' /etc/resolv.conf": "1",
        "getent hosts db.test": "192.0.2.1       db.test",
        "getent hosts front web parts_web | wc -l": "3",
        "df -k --output=size /scratch | tail -1": "16384",
        "stat -c '%a %u' /run/secrets/password": "400 1000",
        "cat /proc/1/comm": "docker-init",
        "cat /sys/class/net/eth0/mtu": "1400",
    }
    for question, answer in questions.items():
        assert stack.inside("web", question).strip() == answer, question
    node, container = stack.swarm.container(f"{stack.name}_web")
    host = node.inspect("container", container)[0]
    assert host["HostConfig"]["Memory"] == 64 << 20
    assert host["HostConfig"]["NanoCpus"] == 500_000_000
    assert host["HostConfig"]["PidsLimit"] == 50
    assert host["Config"]["StopSignal"] == "SIGINT"
