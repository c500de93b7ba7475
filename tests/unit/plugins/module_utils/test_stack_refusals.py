# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What swarm_stack refuses before any write: every fault with its sentence, and all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fake_swarm import Json, StackRuns, node


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> StackRuns:
    return StackRuns(monkeypatch)


def service(name: str = "web", **options: Any) -> Json:
    return {"name": name, "image": "trial/good:1", **options}


def port(published: int, **options: Any) -> Json:
    return {"target": 80, "published": published, **options}


def services(*items: Json, **others: Any) -> Json:
    return {"services": list(items), **others}


REFUSALS: dict[str, tuple[Json, str]] = {
    "stack": ({"name": "my stack"}, "name: 'my stack' is no name of a stack"),
    "service name": (services(service("we b")), "services[we b]: 'app_we b' is no name of a service"),
    "service length": (services(service("w" * 60)), "it has 64 characters; Swarm takes 63, so shorten it by 1."),
    "secret name": ({"secrets": [{"name": "a b", "content": "x"}]}, "secrets[a b]: 'app_a b' is no name of a secret"),
    "secret length": (
        {"secrets": [{"name": "s" * 48, "content": "x"}]},
        "it has 65 characters; Swarm takes 64, so shorten it by 1.",
    ),
    "config length": ({"configs": [{"name": "s" * 50, "content": "x"}]}, "so shorten it by 3."),
    "config size": (
        {"configs": [{"name": "c", "content": "x" * 512_000}]},
        "configs[c] has 512000 bytes; Swarm takes less than 512000 (500 kB).",
    ),
    "secret size": ({"secrets": [{"name": "s", "content": "x" * 600_000}]}, "secrets[s] has 600000 bytes"),
    "bytes, not characters": ({"configs": [{"name": "c", "content": "ä" * 256_000}]}, "configs[c] has 512000 bytes"),
    "empty content": (
        {"configs": [{"name": "c", "content": ""}]},
        "configs[c] has no content; set content, or external=true",
    ),
    "no content": ({"secrets": [{"name": "s"}]}, "secrets[s] has no content"),
    "content and external": (
        {"secrets": [{"name": "s", "content": "one-secret", "external": True}]},
        "has content and is external",
    ),
    "hash key": ({"hash_key": None, "secrets": [{"name": "s", "content": "x"}]}, "hash_key is needed for secrets"),
    "short hash key": ({"hash_key": "0123456789"}, "hash_key is too short; give at least 16 characters"),
    "twice": (services(service(), service()), "services[web] is there 2 times; names must be different."),
    "network twice": ({"networks": [{"name": "n"}, {"name": "n"}]}, "networks[n] is there 2 times"),
    "network name": ({"networks": [{"name": "a.b"}]}, "networks[a.b]: 'app_a.b' is no name of a network"),
    "mtu": ({"networks": [{"name": "n", "mtu": 100}]}, "networks[n].mtu: 100 is no MTU of a link between nodes"),
    "keep": ({"keep_versions": -1}, "keep_versions must not be negative."),
    "time": ({"wait_timeout": 0}, "wait_timeout must be at least one second."),
    "network reference": (
        services(service(networks=[{"name": "n"}])),
        "services[web].networks names 'n', which is not listed in networks of the stack; add it there.",
    ),
    "secret reference": (
        services(service(secrets=[{"source": "s"}])),
        "services[web].secrets names 's', which is not listed in secrets",
    ),
    "config reference": (services(service(configs=[{"source": "c"}])), "services[web].configs names 'c'"),
    "volume reference": (
        services(service(volumes=[{"source": "v", "target": "/v"}])),
        "services[web].volumes names 'v'",
    ),
    "external network": (
        {"networks": [{"name": "edge", "external": True}]},
        "networks[edge] is external, but the swarm has no network of that name; create it first.",
    ),
    "external secret": (
        {"secrets": [{"name": "s", "external": True}]},
        "secrets[s] is external, but the swarm has no secret",
    ),
    "external config": (
        {"configs": [{"name": "c", "external": True}]},
        "configs[c] is external, but the swarm has no config",
    ),
    "port twice": (
        services(service(ports=[port(80)]), service("two", ports=[port(80)])),
        "The port 80/tcp of the service app_web is published by the service app_two, too",
    ),
    "port twice in one": (
        services(service(ports=[port(80), {**port(80), "target": 81}])),
        "is published by another port of the same service, too",
    ),
    "same port twice": (
        services(service(ports=[port(80), port(80)])),
        "services[web].ports: the port 80:80/tcp is there twice.",
    ),
    "port number": (services(service(ports=[port(70000)])), "services[web].ports: 70000 is no port"),
    "ingress": (
        services(service(ports=[port(80, mode="ingress")])),
        "services[web].ports: mode ingress needs deploy.endpoint_mode=vip",
    ),
    "start-first": (
        services(service(ports=[port(80)], deploy={"mode": "global", "update_config": {"order": "start-first"}})),
        "start-first cannot work, because the old task on each node holds the published port",
    ),
    "global with replicas": (
        services(service(deploy={"mode": "global", "replicas": 2})),
        "services[web].deploy.replicas: the mode global has one task per node",
    ),
    "negative replicas": (
        services(service(deploy={"replicas": -1})),
        "services[web].deploy.replicas: -1 is less than 0.",
    ),
    "job with update": (
        services(service(deploy={"mode": "global-job", "update_config": {"parallelism": 1}})),
        "services[web].deploy.update_config: a job exchanges no tasks",
    ),
    "job with any": (
        services(service(deploy={"mode": "replicated-job", "restart_policy": {"condition": "any"}})),
        "a job ends, so it is on-failure or none.",
    ),
    "health check": (
        services(service(healthcheck={"test": "true", "disable": True})),
        "services[web].healthcheck: disable and test exclude each other.",
    ),
    "health check's list": (
        services(service(healthcheck={"test": ["curl", "x"]})),
        "services[web].healthcheck.test: ['curl', 'x'] is no health check",
    ),
    "health check's time": (
        services(service(healthcheck={"interval": "10us"})),
        "is shorter than the engine accepts (1ms)",
    ),
    "duration": (services(service(stop_grace_period="10")), "services[web].stop_grace_period: '10' is no duration"),
    "size": (
        services(service(deploy={"resources": {"limits": {"memory": "lots"}}})),
        "services[web].deploy.resources.limits.memory: 'lots' is no size",
    ),
    "little memory": (
        services(service(deploy={"resources": {"limits": {"memory": "1M"}}})),
        "'1M' is less memory than the engine accepts (4M)",
    ),
    "cpus": (services(service(deploy={"resources": {"limits": {"cpus": "-1"}}})), "'-1' is no number of CPUs"),
    "ratio": (
        services(service(deploy={"update_config": {"max_failure_ratio": 2}})),
        "2.0 is no ratio between 0 and 1.",
    ),
    "constraint": (
        services(service(deploy={"placement": {"constraints": ["node.role=manager"]}})),
        "'node.role=manager' is no placement constraint",
    ),
    "image": (services(service(image="a b")), "services[web].image: 'a b' is no reference to an image"),
    "environment": (services(service(environment={"A": None})), "services[web].environment: A has no value"),
    "environment's name": (services(service(environment={"A=": "1"})), "'A=' is no name of an environment variable"),
    "environment's value": (
        services(service(environment={"A": {"b": 1}})),
        "services[web].environment: a dict is no text.",
    ),
    "command": (services(service(command="echo 'open")), 'services[web].command: "echo \'open" is no command'),
    "command's type": (services(service(command={"a": 1})), "is neither a command nor a list of words"),
    "extra host": (services(service(extra_hosts=["nobody"])), "'nobody' is no extra host; write host=address"),
    "ulimit": (services(service(ulimits={"nofile": {"soft": 1}})), "the limit nofile needs a number, or soft and hard"),
    "mount twice": (
        services(service(volumes=[{"target": "/a"}, {"target": "/a", "type": "tmpfs"}])),
        "services[web].volumes: '/a' is the target of two mounts.",
    ),
    "mount target": (services(service(volumes=[{"target": "a"}])), "the target 'a' of a mount is not absolute"),
    "bind source": (
        services(service(volumes=[{"type": "bind", "source": "a", "target": "/a"}])),
        "the bind mount at '/a' needs an absolute source",
    ),
    "tmpfs source": (
        services(service(volumes=[{"type": "tmpfs", "source": "/a", "target": "/a"}])),
        "the tmpfs mount at '/a' has a source",
    ),
    "mount option": (
        services(service(volumes=[{"type": "bind", "source": "/a", "target": "/a", "size": "1M"}])),
        "the bind mount at '/a' has size, which other types of mounts take",
    ),
    "file twice": (
        services(service(configs=[{"source": "a"}, {"source": "a"}]), configs=[{"name": "a", "content": "x"}]),
        "services[web].configs: '/a' is the target of two files.",
    ),
    "file mode": (
        services(service(configs=[{"source": "a", "mode": 444}]), configs=[{"name": "a", "content": "x"}]),
        "services[web].configs: 444 is no file mode; write it in octal and in quotes",
    ),
    "attached twice": (
        services(service(networks=[{"name": "n"}, {"name": "n"}]), networks=[{"name": "n"}]),
        "services[web].networks: the network 'app_n' is there twice.",
    ),
}


@pytest.mark.parametrize("case", sorted(REFUSALS))
def test_refused(case: str, runs: StackRuns) -> None:
    params, sentence = REFUSALS[case]
    result = runs.try_run(**params)
    assert result["failed"]
    assert sentence in result["msg"]
    assert len(result["errors"]) == 1, result["errors"]
    assert (result["api_writes"], result["changes"]) == (0, [])


def test_all_faults_come_at_once(runs: StackRuns) -> None:
    result = runs.try_run(
        services=[
            service(stop_grace_period="10", networks=[{"name": "n"}]),
            service("two", image="trial/nope:1", deploy={"mode": "global", "replicas": 2}),
        ],
        networks=[{"name": "edge", "external": True}],
    )
    assert len(result["errors"]) == 5
    assert all(error in result["msg"] for error in result["errors"])


@pytest.mark.parametrize("option", ["privileged", "depends_on", "container_name", "restart", "build", "network_mode"])
def test_what_swarm_ignores_is_no_option(option: str, runs: StackRuns) -> None:
    result = runs.try_run(services=[service(**{option: True})])
    assert "Unsupported parameters" in result["msg"]


class TestPorts:
    def foreign(self, runs: StackRuns, mode: str = "host", *constraints: str) -> None:
        template: Json = {"ContainerSpec": {"Image": "x"}, "Placement": {"Constraints": list(constraints)}}
        ports = [{"PublishedPort": 80, "TargetPort": 80, "PublishMode": mode}]
        runs.swarm.add_service(
            {
                "Name": "foreign",
                "TaskTemplate": template,
                "Mode": {"Replicated": {"Replicas": 1}},
                "EndpointSpec": {"Ports": ports},
            }
        )

    def test_of_another_stack(self, runs: StackRuns) -> None:
        self.foreign(runs)
        result = runs.try_run(services=[service(ports=[port(80)])])
        assert "The port 80/tcp of the service app_web is published by the service foreign, too" in result["msg"]
        assert result["api_writes"] == 0

    def test_of_another_protocol(self, runs: StackRuns) -> None:
        self.foreign(runs)
        assert runs.run(services=[service(ports=[port(80, protocol="udp")])])["changed"]

    def test_on_other_nodes(self, runs: StackRuns) -> None:
        runs.swarm.nodes = [node(1, tier="a"), node(2, tier="b")]
        self.foreign(runs, "host", "node.labels.tier==a")
        elsewhere = {"placement": {"constraints": ["node.labels.tier==b"]}}
        assert runs.run(services=[service(ports=[port(80)], deploy=elsewhere)])["changed"]

    def test_the_routing_mesh_is_everywhere(self, runs: StackRuns) -> None:
        runs.swarm.nodes = [node(1, tier="a"), node(2, tier="b")]
        self.foreign(runs, "ingress", "node.labels.tier==a")
        elsewhere = {"placement": {"constraints": ["node.labels.tier==b"]}}
        assert runs.try_run(services=[service(ports=[port(80)], deploy=elsewhere)])["failed"]

    def test_of_two_foreign_services_is_none_of_ours(self, runs: StackRuns) -> None:
        self.foreign(runs)
        runs.swarm.objects["services"]["another"] = {
            **runs.swarm.objects["services"]["foreign"],
            "Spec": {**runs.swarm.objects["services"]["foreign"]["Spec"], "Name": "another"},
        }
        assert runs.run(services=[service()])["changed"]

    def test_chosen_by_swarm(self, runs: StackRuns) -> None:
        ports = {"ports": [{"target": 80}]}
        assert runs.run(services=[service(**ports), service("two", **ports)])["changed"]


class TestReplace:
    def test_a_mode_is_changed_only_when_allowed(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        wanted = {"services": [service(deploy={"mode": "global"})]}
        result = runs.try_run(**wanted)
        assert result["msg"] == (
            "The service app_web has the mode replicated, and it cannot become global in place: allow it to be made "
            "again, with an interruption, by replace: [service/web]."
        )
        assert result["api_writes"] == 0
        assert runs.try_run(**wanted, replace=["network/web", "worker"])["failed"]

    @pytest.mark.parametrize("name", ["web", "app_web", "service/web", "service/app_web"])
    def test_names_that_allow_it(self, runs: StackRuns, name: str) -> None:
        runs.run(services=[service()])
        result = runs.run(services=[service(deploy={"mode": "global"})], replace=[name])
        change = result["changes"][0]
        assert (change["action"], change["before"]["deploy.mode"]) == ("replace", "replicated")
        assert runs.service("app_web")["Spec"]["Mode"] == {"Global": {}}

    def test_a_network_of_a_foreign_service_is_never_made_again(self, runs: StackRuns) -> None:
        runs.run(services=[service()], networks=[{"name": "n"}])
        identity = runs.swarm.objects["networks"]["app_n"]["Id"]
        template = {"ContainerSpec": {"Image": "x"}, "Networks": [{"Target": identity}]}
        runs.swarm.add_service({"Name": "foreign", "TaskTemplate": template, "Mode": {"Replicated": {"Replicas": 1}}})
        result = runs.try_run(services=[service()], networks=[{"name": "n", "internal": True}], replace=["n"])
        assert "The network app_n cannot be made again: foreign of other stacks use it" in result["msg"]

    def test_an_unlisted_service_on_a_network_that_is_made_again_goes_first(self, runs: StackRuns) -> None:
        attached = {"networks": [{"name": "n"}]}
        runs.run(services=[service(**attached), service("old", **attached)], networks=[{"name": "n"}])
        result = runs.run(services=[service(**attached)], networks=[{"name": "n", "internal": True}], replace=["n"])
        done = [(change["action"], change["name"]) for change in result["changes"]]
        assert done == [("replace", "app_n"), ("delete", "app_old"), ("replace", "app_web")]
