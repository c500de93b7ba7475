# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth table of swarm_stack: what each option, found by a walk through the argument spec, does in each kind of run.

Created with a value, run again, changed to another value, left out: the specification in the swarm, the changes that are
told (and were foretold in check mode), and the return to the default.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.stack_arguments import argument_spec
from tests.fake_swarm import StackRuns, triples

Json = dict[str, Any]

# Options of the call, not of the stack. What they do is tested in test_swarm_stack.py, one by one.
CALL = {
    "name",
    "state",
    "hash_key",
    "resolve_images",
    "keep_versions",
    "replace",
    "limit",
    "wait",
    "wait_timeout",
    "docker_socket",
}

# Around an element of a list, what it cannot do without.
ELEMENTS: dict[str, Json] = {
    "networks": {"name": "net"},
    "ports": {"target": 80},
    "volumes": {"target": "/data"},
    "secrets": {"source": "password"},
    "configs": {"source": "settings"},
    "deploy.placement.preferences": {"spread": "node.labels.rack"},
}


@dataclass(frozen=True)
class Sample:
    """Two values of an option that differ from its default.

    spec: where the engine's specification shows them (dotted, list elements by number), and as what; "" when it is
    only checked that the runs agree. around: options that it needs beside it, inside its own dictionary (`.`) or the
    service's. required: it cannot be left out.
    """

    one: Any
    two: Any
    spec: str = ""
    shown: tuple[Any, Any] | None = None
    around: Json = field(default_factory=dict)
    beside: Json = field(default_factory=dict)
    required: bool = False


C = "TaskTemplate.ContainerSpec."
SECOND = 1_000_000_000
TMPFS = {"type": "tmpfs", "target": "/run", "source": None}

SAMPLES: dict[str, Sample] = {
    "image": Sample("trial/good:1", "trial/good:2", required=True),
    "command": Sample(["run", "it"], "run 'it again'", C + "Args", (["run", "it"], ["run", "it again"])),
    "entrypoint": Sample("/bin/one -x", ["/bin/two"], C + "Command", (["/bin/one", "-x"], ["/bin/two"])),
    "environment": Sample({"A": 1, "B": True}, {"A": 2, "B": True}, C + "Env", (["A=1", "B=true"], ["A=2", "B=true"])),
    "hostname": Sample("one", "two", C + "Hostname"),
    "user": Sample("1000", "1000:1000", C + "User"),
    "group_add": Sample(["20", "10"], ["10"], C + "Groups", (["10", "20"], ["10"])),
    "working_dir": Sample("/one", "/two", C + "Dir"),
    "labels": Sample({"a": "1", "b": None}, {"a": "2", "b": None}),
    # The default is true; both values differ from the engine's own.
    "init": Sample(False, True, C + "Init"),
    "read_only": Sample(True, False, C + "ReadOnly", (True, None)),
    "stop_signal": Sample("SIGQUIT", "SIGUSR1", C + "StopSignal"),
    "stop_grace_period": Sample("1m30s", "45s", C + "StopGracePeriod", (90 * SECOND, 45 * SECOND)),
    "cap_add": Sample(
        ["net_admin", "CAP_CHOWN"], ["ALL"], C + "CapabilityAdd", (["CAP_CHOWN", "CAP_NET_ADMIN"], ["ALL"])
    ),
    "cap_drop": Sample(["ALL"], ["mknod"], C + "CapabilityDrop", (["ALL"], ["CAP_MKNOD"])),
    "sysctls": Sample(
        {"net.core.somaxconn": 1}, {"net.core.somaxconn": 2}, C + "Sysctls.net\\.core\\.somaxconn", ("1", "2")
    ),
    "ulimits": Sample(
        {"nofile": 100},
        {"nofile": {"soft": 100, "hard": 200}},
        C + "Ulimits.0",
        ({"Name": "nofile", "Soft": 100, "Hard": 100}, {"Name": "nofile", "Soft": 100, "Hard": 200}),
    ),
    "dns": Sample(["192.0.2.2", "192.0.2.1"], ["192.0.2.1"], C + "DNSConfig.Nameservers"),
    "dns_search": Sample(["one.test"], ["two.test"], C + "DNSConfig.Search"),
    "extra_hosts": Sample(
        ["db=192.0.2.1", "six:[2001:db8::1]"],
        ["db:192.0.2.2"],
        C + "Hosts",
        (["192.0.2.1 db", "2001:db8::1 six"], ["192.0.2.2 db"]),
    ),
    "tty": Sample(True, False, C + "TTY", (True, None)),
    "stdin_open": Sample(True, False, C + "OpenStdin", (True, None)),
    "healthcheck.test": Sample(
        "true", ["CMD", "true"], C + "Healthcheck.Test", (["CMD-SHELL", "true"], ["CMD", "true"])
    ),
    "healthcheck.interval": Sample("5s", "1m", C + "Healthcheck.Interval", (5 * SECOND, 60 * SECOND)),
    "healthcheck.timeout": Sample("2s", "3s", C + "Healthcheck.Timeout", (2 * SECOND, 3 * SECOND)),
    "healthcheck.retries": Sample(5, 7, C + "Healthcheck.Retries"),
    "healthcheck.start_period": Sample("10s", "20s", C + "Healthcheck.StartPeriod", (10 * SECOND, 20 * SECOND)),
    "healthcheck.start_interval": Sample("1s", "2s", C + "Healthcheck.StartInterval", (SECOND, 2 * SECOND)),
    "healthcheck.disable": Sample(True, False, C + "Healthcheck.Test", (["NONE"], None)),
    "logging.driver": Sample("local", "json-file", "TaskTemplate.LogDriver.Name"),
    "logging.options": Sample(
        {"max-size": "1m"},
        {"max-size": "2m"},
        "TaskTemplate.LogDriver.Options.max-size",
        ("1m", "2m"),
        around={"driver": "local"},
    ),
    "networks.name": Sample("net", "other", required=True),
    "networks.aliases": Sample(
        ["db", "app"], ["db"], "TaskTemplate.Networks.0.Aliases", (["app", "db", "web"], ["db", "web"])
    ),
    "ports.target": Sample(80, 81, "EndpointSpec.Ports.0.TargetPort", required=True),
    "ports.published": Sample(8080, 8081, "EndpointSpec.Ports.0.PublishedPort"),
    "ports.protocol": Sample("udp", "sctp", "EndpointSpec.Ports.0.Protocol"),
    "ports.mode": Sample(
        "ingress", "host", "EndpointSpec.Ports.0.PublishMode", beside={"deploy": {"endpoint_mode": "vip"}}
    ),
    "volumes.type": Sample(
        "bind",
        "volume",
        C + "Mounts.0.Type",
        around={"source": "/data"},
        beside={"_volumes": [{"name": "/data", "external": True}]},
    ),
    "volumes.source": Sample("data", "other", C + "Mounts.0.Source", ("app_data", "app_other")),
    "volumes.target": Sample("/one", "/two", C + "Mounts.0.Target", required=True),
    "volumes.read_only": Sample(True, False, C + "Mounts.0.ReadOnly", (True, None)),
    "volumes.nocopy": Sample(True, False, C + "Mounts.0.VolumeOptions.NoCopy", (True, None)),
    "volumes.labels": Sample({"a": "1"}, {"a": "2"}, C + "Mounts.0.VolumeOptions.Labels.a", ("1", "2")),
    "volumes.driver": Sample("one", "two", C + "Mounts.0.VolumeOptions.DriverConfig.Name"),
    "volumes.driver_opts": Sample(
        {"o": "bind"}, {"o": "rw"}, C + "Mounts.0.VolumeOptions.DriverConfig.Options.o", ("bind", "rw")
    ),
    "volumes.propagation": Sample(
        "rslave", "shared", C + "Mounts.0.BindOptions.Propagation", around={"type": "bind", "source": "/data"}
    ),
    "volumes.size": Sample("64M", "1G", C + "Mounts.0.TmpfsOptions.SizeBytes", (64 * 2**20, 2**30), around=TMPFS),
    "volumes.tmpfs_mode": Sample("1777", "0700", C + "Mounts.0.TmpfsOptions.Mode", (0o1777, 0o700), around=TMPFS),
    "secrets.source": Sample("password", "token", C + "Secrets.0.File.Name", required=True),
    "secrets.target": Sample("one", "/two", C + "Secrets.0.File.Name"),
    "secrets.uid": Sample("1000", "1001", C + "Secrets.0.File.UID"),
    "secrets.gid": Sample("1000", "1001", C + "Secrets.0.File.GID"),
    "secrets.mode": Sample("0400", "440", C + "Secrets.0.File.Mode", (0o400, 0o440)),
    "configs.source": Sample("settings", "theme", C + "Configs.0.File.Name", ("/settings", "/theme"), required=True),
    "configs.target": Sample("/etc/one", "/etc/two", C + "Configs.0.File.Name"),
    "configs.uid": Sample("1000", "1001", C + "Configs.0.File.UID"),
    "configs.gid": Sample("1000", "1001", C + "Configs.0.File.GID"),
    "configs.mode": Sample("0400", "0440", C + "Configs.0.File.Mode", (0o400, 0o440)),
    "deploy.mode": Sample("global", "replicated", "Mode", ({"Global": {}}, {"Replicated": {"Replicas": 1}})),
    "deploy.replicas": Sample(2, 3, "Mode.Replicated.Replicas"),
    "deploy.endpoint_mode": Sample("vip", "dnsrr", "EndpointSpec.Mode", (None, "dnsrr")),
    "deploy.labels": Sample(
        {"traefik.enable": True}, {"traefik.enable": False}, "Labels.traefik\\.enable", ("true", "false")
    ),
    "deploy.placement.constraints": Sample(
        ["node.labels.a == 1"],
        ["node.labels.a==2"],
        "TaskTemplate.Placement.Constraints",
        (["node.labels.a==1"], ["node.labels.a==2"]),
    ),
    "deploy.placement.preferences.spread": Sample(
        "node.labels.a", "node.labels.b", "TaskTemplate.Placement.Preferences.0.Spread.SpreadDescriptor", required=True
    ),
    "deploy.placement.max_replicas_per_node": Sample(1, 2, "TaskTemplate.Placement.MaxReplicas"),
    "deploy.resources.limits.cpus": Sample(
        "0.5", 2, "TaskTemplate.Resources.Limits.NanoCPUs", (500_000_000, 2 * SECOND)
    ),
    "deploy.resources.limits.memory": Sample("512M", "1g", "TaskTemplate.Resources.Limits.MemoryBytes", (2**29, 2**30)),
    "deploy.resources.limits.pids": Sample(100, 200, "TaskTemplate.Resources.Limits.Pids"),
    "deploy.resources.reservations.cpus": Sample(
        "0.1", "0.2", "TaskTemplate.Resources.Reservations.NanoCPUs", (10**8, 2 * 10**8)
    ),
    "deploy.resources.reservations.memory": Sample(
        "64M", "32mb", "TaskTemplate.Resources.Reservations.MemoryBytes", (2**26, 2**25)
    ),
    "deploy.restart_policy.condition": Sample("on-failure", "none", "TaskTemplate.RestartPolicy.Condition"),
    "deploy.restart_policy.delay": Sample("1s", "2s", "TaskTemplate.RestartPolicy.Delay", (SECOND, 2 * SECOND)),
    "deploy.restart_policy.max_attempts": Sample(3, 4, "TaskTemplate.RestartPolicy.MaxAttempts"),
    "deploy.restart_policy.window": Sample(
        "1m", "2m", "TaskTemplate.RestartPolicy.Window", (60 * SECOND, 120 * SECOND)
    ),
    "deploy.update_config.parallelism": Sample(0, 2, "UpdateConfig.Parallelism"),
    "deploy.update_config.delay": Sample("1s", "2s", "UpdateConfig.Delay", (SECOND, 2 * SECOND)),
    "deploy.update_config.order": Sample("start-first", "stop-first", "UpdateConfig.Order"),
    "deploy.update_config.failure_action": Sample("pause", "continue", "UpdateConfig.FailureAction"),
    "deploy.update_config.monitor": Sample("1s", "2s", "UpdateConfig.Monitor", (SECOND, 2 * SECOND)),
    "deploy.update_config.max_failure_ratio": Sample(0.3, 0.5, "UpdateConfig.MaxFailureRatio"),
    "deploy.rollback_config.parallelism": Sample(0, 2, "RollbackConfig.Parallelism"),
    "deploy.rollback_config.delay": Sample("1s", "2s", "RollbackConfig.Delay", (SECOND, 2 * SECOND)),
    "deploy.rollback_config.order": Sample("start-first", "stop-first", "RollbackConfig.Order"),
    "deploy.rollback_config.failure_action": Sample("continue", "pause", "RollbackConfig.FailureAction"),
    "deploy.rollback_config.monitor": Sample("1s", "2s", "RollbackConfig.Monitor", (SECOND, 2 * SECOND)),
    "deploy.rollback_config.max_failure_ratio": Sample(0.3, 0.5, "RollbackConfig.MaxFailureRatio"),
}

# Two values of the options of a network, and what the engine's network shows.
NETWORKS: dict[str, tuple[Any, Any, str, Any, Any]] = {
    "driver_opts": ({"x": 1}, {"x": 2}, "Options.x", "1", "2"),
    "mtu": (1500, 1400, "Options.com\\.docker\\.network\\.driver\\.mtu", "1500", "1400"),
    "internal": (True, False, "Internal", True, False),
    "attachable": (True, False, "Attachable", True, False),
    "encrypted": (True, False, "Options.encrypted", "", None),
    "labels": ({"a": "1"}, {"a": "2"}, "Labels.a", "1", "2"),
    "subnet": ("10.9.0.0/24", "10.8.0.0/24", "IPAM.Config.0.Subnet", "10.9.0.0/24", "10.8.0.0/24"),
}

VOLUMES: dict[str, tuple[Any, Any, str, Any, Any]] = {
    "external": (True, False, "Source", "data", "app_data"),
    "driver": ("one", "two", "VolumeOptions.DriverConfig.Name", "one", "two"),
    "driver_opts": ({"o": "bind"}, {"o": "rw"}, "VolumeOptions.DriverConfig.Options.o", "bind", "rw"),
    "labels": ({"a": "1"}, {"a": "2"}, "VolumeOptions.Labels.a", "1", "2"),
}


def leaves(options: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted paths of all options that have no options of their own."""
    for name, option in options.items():
        if "options" in option:
            yield from leaves(option["options"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_the_table_has_every_option() -> None:
    spec = argument_spec()
    assert {name for name, option in spec.items() if "options" not in option} == CALL
    assert set(SAMPLES) == set(leaves(spec["services"]["options"])) - {"name"}
    assert {"name", "external", *NETWORKS} == set(leaves(spec["networks"]["options"]))
    assert {"name", *VOLUMES} == set(leaves(spec["volumes"]["options"]))
    # They have tests of their own in test_swarm_stack.py.
    for kind in ("secrets", "configs"):
        assert set(leaves(spec[kind]["options"])) == {"name", "content", "external"}


def at(item: Any, path: str) -> Any:
    """What lies at a dotted path; None when nothing does. A backslash before a dot keeps it in a name."""
    for key in path.replace("\\.", "\0").split("."):
        if item is None:
            return None
        name = key.replace("\0", ".")
        item = (item[int(name)] if len(item) > int(name) else None) if isinstance(item, list) else item.get(name)
    return item


def set_at(options: Json, path: str, value: Any) -> None:
    """Set an option of a service; lists get one element with what it cannot do without."""
    *outer, last = path.split(".")
    where = ""
    for key in outer:
        where = f"{where}.{key}".lstrip(".")
        if where in ELEMENTS:
            options = options.setdefault(key, [copy.deepcopy(ELEMENTS[where])])[0]
        else:
            options = options.setdefault(key, {})
    options[last] = value


def stack(path: str, sample: Sample, value: Any) -> Json:
    """The parameters with that option; without it when the value is None."""
    service: Json = {"name": "web", "image": "trial/good:1", **copy.deepcopy(sample.beside)}
    volumes = service.pop("_volumes", [])
    group = path.rpartition(".")[0]
    for name, entry in sample.around.items():
        set_at(service, f"{group}.{name}", entry)
    if value is not None:
        set_at(service, path, value)
    elif group in ELEMENTS and not sample.required:
        service.setdefault(group, [copy.deepcopy(ELEMENTS[group])])
    return {
        "services": [service],
        "networks": [{"name": "net"}, {"name": "other"}],
        "volumes": [{"name": "data"}, {"name": "other"}, *volumes],
        "secrets": [{"name": "password", "content": "one-secret"}, {"name": "token", "content": "another-secret"}],
        "configs": [{"name": "settings", "content": "a"}, {"name": "theme", "content": "b"}],
    }


def option_of(path: str) -> str:
    """The beginning of the paths in the changes."""
    for group in ELEMENTS:
        if path.startswith(f"{group}."):
            return group
    return {"healthcheck.disable": "healthcheck.test"}.get(path, path)


# Options that also set what is derived from them.
DERIVED = {
    "image": {"image", "deploy.labels.com.docker.stack.image"},
    "deploy.update_config.order": {"deploy.update_config.order", "deploy.rollback_config.order"},
    "deploy.mode": {"deploy.mode", "deploy.replicas"},
}


def assert_only(change: Json, path: str) -> None:
    """The change tells this option and no other."""
    told = set(change["before"]) | set(change["after"])
    expected = DERIVED.get(path)
    assert told == expected if expected else all(entry.startswith(option_of(path)) for entry in told), told
    assert all(change["before"].get(entry) != change["after"].get(entry) for entry in told)


@pytest.mark.parametrize("path", sorted(SAMPLES))
def test_create_nothing_change_remove(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = SAMPLES[path]
    runs = StackRuns(monkeypatch)
    # Tasks that end or find no node are not the point here; what is written is.
    options: Json = {"wait": False, "replace": ["web"]}
    one, two = sample.shown or (sample.one, sample.two)

    # run() holds every real run against its check mode, and demands that the next one finds nothing.
    created = runs.run(**stack(path, sample, sample.one), **options)
    assert ("create", "service", "app_web") in triples(created)
    first = copy.deepcopy(runs.service("app_web")["Spec"])
    if sample.spec:
        assert at(first, sample.spec) == one

    changed = runs.run(**stack(path, sample, sample.two), **options)
    action = "replace" if path == "deploy.mode" else "update"
    assert triples(changed) == [(action, "service", "app_web")]
    assert_only(changed["changes"][0], path)
    if sample.spec:
        assert at(runs.service("app_web")["Spec"], sample.spec) == two

    runs.run(**stack(path, sample, sample.one), **options)
    if sample.required and path.rpartition(".")[0] not in ELEMENTS:
        return
    removed = runs.run(**stack(path, sample, None), **options)
    assert triples(removed) == [(action, "service", "app_web")]
    left = copy.deepcopy(runs.service("app_web")["Spec"])

    never = StackRuns(monkeypatch)
    never.run(**stack(path, sample, None), **options)
    assert without_ids(left) == without_ids(never.service("app_web")["Spec"]), "it is not as if it had never been set"


def without_ids(spec: Json) -> Json:
    """The specification without what differs from swarm to swarm."""
    container = spec["TaskTemplate"]["ContainerSpec"]
    for key in ("Secrets", "Configs"):
        for item in container.get(key) or []:
            item.pop(f"{key[:-1]}ID")
    for item in spec["TaskTemplate"].get("Networks") or []:
        item.pop("Target")
    return spec


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_network_is_made_again_only_when_allowed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, path, shown_one, shown_two = NETWORKS[name]
    runs = StackRuns(monkeypatch)
    service = {"name": "web", "image": "trial/good:1", "networks": [{"name": "net"}]}
    other = {"name": "other", "image": "trial/good:1"}

    def wanted(value: Any) -> Json:
        network = {"name": "net", **({} if value is None else {name: value})}
        return {"services": [service, other], "networks": [network]}

    runs.run(**wanted(one))
    assert at(runs.swarm.objects["networks"]["app_net"], path) == shown_one
    identity = runs.service("app_other")["ID"]

    refused = runs.try_run(**wanted(two))
    assert "app_net differs in" in refused["msg"]
    assert "replace: [network/net]" in refused["msg"]
    assert refused["api_writes"] == 0

    changed = runs.run(**wanted(two), replace=["network/net"])
    assert triples(changed) == [("replace", "network", "app_net"), ("replace", "service", "app_web")]
    assert all(entry.startswith(name) for entry in changed["changes"][0]["before"])
    assert at(runs.swarm.objects["networks"]["app_net"], path) == shown_two
    assert runs.service("app_other")["ID"] == identity


@pytest.mark.parametrize("name", sorted(VOLUMES))
def test_a_volumes_options_are_those_of_its_mounts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, path, shown_one, shown_two = VOLUMES[name]
    runs = StackRuns(monkeypatch)
    service = {"name": "web", "image": "trial/good:1", "volumes": [{"source": "data", "target": "/data"}]}

    def wanted(value: Any) -> Json:
        return {"services": [service], "volumes": [{"name": "data", **({} if value is None else {name: value})}]}

    def mount() -> Json:
        mounts: list[Json] = runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"]
        return mounts[0]

    runs.run(**wanted(one))
    assert at(mount(), path) == shown_one
    changed = runs.run(**wanted(two))
    assert triples(changed) == [("update", "service", "app_web")]
    assert set(changed["changes"][0]["before"]) == {"volumes./data"}
    assert at(mount(), path) == shown_two
    runs.run(**wanted(None))
    labels = {"com.docker.stack.namespace": "app"}
    assert mount() == {"Type": "volume", "Source": "app_data", "Target": "/data", "VolumeOptions": {"Labels": labels}}
