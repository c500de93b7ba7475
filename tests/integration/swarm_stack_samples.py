# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The truth table of swarm_stack: for every key of its argument spec two values, and where the engine shows them.

Each key of a service has a service of its own in one stack, so a whole column of the table is one call of the module.
No service has tasks unless a key is about them: what the engine keeps is the question here.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.swarm_nodes import IMAGE, Json

CONTAINER = "TaskTemplate/ContainerSpec"
STACK = "tt"
STACK_LABELS = {"com.docker.stack.namespace": STACK}
SERVICE_LABELS = {**STACK_LABELS, "com.docker.stack.image": IMAGE}
"""What `docker stack deploy` writes as well, so that its other commands know the stack."""
SECOND = 1_000_000_000
MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """Two values of a key, and what `docker service inspect` shows of them.

    at: the place in the service's specification, below which nothing else differs between the two.
    shown: what is there with the first and with the second value; the values themselves when left out.
    default: what is there without the key. within: what the service has in each case.
    also: other places that follow the value.
    """

    first: Any
    second: Any
    at: str
    shown: tuple[Any, Any] | None = None
    default: Any = None
    within: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()

    def expected(self, column: str) -> Any:
        """What the engine shows in a column of the table."""
        if column == "removed":
            return self.default
        return (self.shown or (self.first, self.second))[column == "changed"]


def argument_keys(spec: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every key of an argument spec that takes a value, as `services.deploy.mode`."""
    for name, option in spec.items():
        path = f"{prefix}.{name}" if prefix else name
        if option.get("options"):
            yield from argument_keys(option["options"], path)
        else:
            yield path


def _durations(first: str, second: str) -> tuple[int, int]:
    return int(float(first[:-1]) * SECOND), int(float(second[:-1]) * SECOND)


def _duration(at: str, within: Mapping[str, Any] | None = None, default: Any = None) -> Sample:
    return Sample("11s", "22s", at, _durations("11s", "22s"), default, within or {})


def _labels(at: str, beside: Mapping[str, str], within: Mapping[str, Any] | None = None) -> Sample:
    """Labels, which stand beside those of the stack."""
    first, second = {"a": "1"}, {"a": "2", "b": "3"}
    return Sample(first, second, at, ({**first, **beside}, {**second, **beside}), dict(beside), within or {})


def _one(**keys: Any) -> list[dict[str, Any]]:
    return [keys]


def _file_keys(kind: str, default_target: str) -> dict[str, Sample]:
    """The keys of services.secrets and services.configs, which are alike."""
    singular = kind[:-1].title()
    references = f"{CONTAINER}/{singular}s"
    source, target = {kind: _one(source="shared")}, {kind: _one(target="fixed")}
    return {
        f"{kind}.source": Sample(
            "shared", "other", f"{references}/0/{singular}Name", within=target, also=(references,)
        ),
        f"{kind}.target": Sample("first", "/tmp/second", f"{references}/0/File/Name", None, default_target, source),
        f"{kind}.uid": Sample("1000", "1001", f"{references}/0/File/UID", None, "0", source),
        f"{kind}.gid": Sample("1000", "1001", f"{references}/0/File/GID", None, "0", source),
        f"{kind}.mode": Sample("0400", "0440", f"{references}/0/File/Mode", (0o400, 0o440), 0o444, source),
    }


def _update_keys(kind: str, place: str, failure_action: str, beside: tuple[str, Any]) -> dict[str, Sample]:
    """The keys of deploy.update_config and deploy.rollback_config, which are alike.

    beside: a key that is there in every column, because without any of them the engine has no such section.
    """
    samples = {
        "parallelism": Sample(2, 3, f"{place}/Parallelism", default=1),
        "delay": _duration(f"{place}/Delay"),
        "order": Sample("start-first", "stop-first", f"{place}/Order", default="stop-first", also=("RollbackConfig",)),
        "failure_action": Sample("continue", "pause", f"{place}/FailureAction", default=failure_action),
        "monitor": _duration(f"{place}/Monitor", default=5 * SECOND),
        "max_failure_ratio": Sample(0.25, 0.5, f"{place}/MaxFailureRatio", default=0),
    }
    other = {True: ("delay", "1s"), False: beside}
    return {
        f"deploy.{kind}.{key}": replace(sample, within={"deploy": {kind: dict([other[key == beside[0]]])}})
        for key, sample in samples.items()
    }


NETWORK = "TaskTemplate/Networks/0"
MOUNT = f"{CONTAINER}/Mounts/0"
BIND = {"volumes": _one(type="bind", source="/tmp", target="/mnt")}
VOLUME = {"volumes": _one(type="volume", source="plain", target="/mnt")}
TMPFS = {"volumes": _one(type="tmpfs", target="/mnt")}
CHECK = {"healthcheck": {"test": ["CMD", "true"]}}
PORT = {"ports": _one(target=8080)}

SERVICE_SAMPLES: dict[str, Sample] = {
    "command": Sample(["sleep", "1000"], ["sleep", "2000"], f"{CONTAINER}/Args"),
    "entrypoint": Sample(["sleep"], ["/bin/sleep", "1"], f"{CONTAINER}/Command"),
    "environment": Sample(
        {"A": "1", "B": "two words"},
        {"A": "1", "B": "x=y"},
        f"{CONTAINER}/Env",
        (["A=1", "B=two words"], ["A=1", "B=x=y"]),
    ),
    "hostname": Sample("one", "{{.Node.Hostname}}", f"{CONTAINER}/Hostname"),
    "user": Sample("1000:1000", "nobody", f"{CONTAINER}/User"),
    "group_add": Sample(["100"], ["100", "staff"], f"{CONTAINER}/Groups"),
    "working_dir": Sample("/tmp", "/var/tmp", f"{CONTAINER}/Dir"),
    "labels": _labels(f"{CONTAINER}/Labels", STACK_LABELS),
    "init": Sample(False, True, f"{CONTAINER}/Init", default=True),
    "read_only": Sample(True, False, f"{CONTAINER}/ReadOnly", (True, None)),
    "stop_signal": Sample("SIGUSR1", "SIGINT", f"{CONTAINER}/StopSignal"),
    "stop_grace_period": Sample(
        "30s", "1m30s", f"{CONTAINER}/StopGracePeriod", (30 * SECOND, 90 * SECOND), default=10 * SECOND
    ),
    "cap_add": Sample(
        ["NET_ADMIN"],
        ["NET_ADMIN", "SYS_NICE"],
        f"{CONTAINER}/CapabilityAdd",
        (["CAP_NET_ADMIN"], ["CAP_NET_ADMIN", "CAP_SYS_NICE"]),
    ),
    "cap_drop": Sample(["ALL"], ["NET_RAW"], f"{CONTAINER}/CapabilityDrop", (["ALL"], ["CAP_NET_RAW"])),
    "sysctls": Sample({"net.core.somaxconn": "512"}, {"net.core.somaxconn": "1024"}, f"{CONTAINER}/Sysctls"),
    "ulimits": Sample(
        {"nofile": {"soft": 1024, "hard": 2048}},
        {"nofile": {"soft": 1024, "hard": 4096}},
        f"{CONTAINER}/Ulimits",
        ([{"Name": "nofile", "Soft": 1024, "Hard": 2048}], [{"Name": "nofile", "Soft": 1024, "Hard": 4096}]),
    ),
    "dns": Sample(["192.0.2.53"], ["192.0.2.54", "192.0.2.53"], f"{CONTAINER}/DNSConfig/Nameservers"),
    "dns_search": Sample(["example.com"], ["example.org"], f"{CONTAINER}/DNSConfig/Search"),
    "extra_hosts": Sample(
        ["db.test:192.0.2.1"],
        ["db.test:192.0.2.2"],
        f"{CONTAINER}/Hosts",
        (["192.0.2.1 db.test"], ["192.0.2.2 db.test"]),
    ),
    "tty": Sample(True, False, f"{CONTAINER}/TTY", (True, None)),
    "stdin_open": Sample(True, False, f"{CONTAINER}/OpenStdin", (True, None)),
    "healthcheck.test": Sample(["CMD", "true"], ["CMD-SHELL", "true"], f"{CONTAINER}/Healthcheck/Test"),
    "healthcheck.interval": _duration(f"{CONTAINER}/Healthcheck/Interval", CHECK),
    "healthcheck.timeout": _duration(f"{CONTAINER}/Healthcheck/Timeout", CHECK),
    "healthcheck.retries": Sample(4, 5, f"{CONTAINER}/Healthcheck/Retries", within=CHECK),
    "healthcheck.start_period": _duration(f"{CONTAINER}/Healthcheck/StartPeriod", CHECK),
    "healthcheck.start_interval": _duration(f"{CONTAINER}/Healthcheck/StartInterval", CHECK),
    "healthcheck.disable": Sample(True, False, f"{CONTAINER}/Healthcheck/Test", (["NONE"], None)),
    "logging.driver": Sample("json-file", "local", "TaskTemplate/LogDriver/Name"),
    "logging.options": Sample(
        {"max-size": "1m"},
        {"max-size": "2m", "max-file": "3"},
        "TaskTemplate/LogDriver/Options",
        within={"logging": {"driver": "local"}},
    ),
    "networks.name": Sample("shared", "other", f"{NETWORK}/Target", also=(NETWORK,)),
    # Within its networks a service is also known by its name in the stack.
    "networks.aliases": Sample(
        ["db"],
        ["db", "cache"],
        f"{NETWORK}/Aliases",
        (["db", "the-networks-aliases"], ["cache", "db", "the-networks-aliases"]),
        ["the-networks-aliases"],
        {"networks": _one(name="shared")},
    ),
    "ports.target": Sample(8080, 9090, "EndpointSpec/Ports/0/TargetPort", also=("EndpointSpec/Ports",)),
    "ports.published": Sample(18081, 18082, "EndpointSpec/Ports/0/PublishedPort", within=PORT),
    "ports.protocol": Sample(
        "udp",
        "sctp",
        "EndpointSpec/Ports/0/Protocol",
        default="tcp",
        within={"ports": _one(target=8080, published=18083)},
    ),
    "volumes.type": Sample(
        "volume", "tmpfs", f"{MOUNT}/Type", default="volume", within={"volumes": _one(target="/mnt")}
    ),
    "volumes.source": Sample(
        "plain",
        "other",
        f"{MOUNT}/Source",
        (f"{STACK}_plain", f"{STACK}_other"),
        within={"volumes": _one(type="volume", target="/mnt")},
        also=(f"{MOUNT}/VolumeOptions",),
    ),
    "volumes.target": Sample(
        "/mnt", "/media", f"{MOUNT}/Target", within={"volumes": _one(type="tmpfs")}, also=(MOUNT,)
    ),
    "volumes.read_only": Sample(True, False, f"{MOUNT}/ReadOnly", (True, None), within=VOLUME),
    "volumes.nocopy": Sample(True, False, f"{MOUNT}/VolumeOptions/NoCopy", (True, None), within=VOLUME),
    "volumes.labels": _labels(f"{MOUNT}/VolumeOptions/Labels", STACK_LABELS, VOLUME),
    "volumes.driver": Sample("local", "other", f"{MOUNT}/VolumeOptions/DriverConfig/Name", within=VOLUME),
    "volumes.driver_opts": Sample(
        {"type": "tmpfs", "device": "tmpfs"},
        {"type": "tmpfs", "device": "x"},
        f"{MOUNT}/VolumeOptions/DriverConfig/Options",
        within={"volumes": _one(type="volume", source="plain", target="/mnt", driver="local")},
    ),
    "volumes.propagation": Sample("rshared", "rslave", f"{MOUNT}/BindOptions/Propagation", within=BIND),
    "volumes.size": Sample("16M", "32M", f"{MOUNT}/TmpfsOptions/SizeBytes", (16 * MIB, 32 * MIB), within=TMPFS),
    "volumes.tmpfs_mode": Sample("0700", "1777", f"{MOUNT}/TmpfsOptions/Mode", (0o700, 0o1777), within=TMPFS),
    **_file_keys("secrets", "shared"),
    **_file_keys("configs", "/shared"),
    "deploy.replicas": Sample(2, 0, "Mode/Replicated/Replicas", default=1),
    "deploy.endpoint_mode": Sample("vip", "dnsrr", "EndpointSpec/Mode", (None, "dnsrr"), default="dnsrr"),
    "deploy.labels": _labels("Labels", SERVICE_LABELS),
    "deploy.placement.constraints": Sample(
        ["node.role == manager"],
        ["node.role == manager", "node.labels.zone != a"],
        "TaskTemplate/Placement/Constraints",
        (["node.role==manager"], ["node.labels.zone!=a", "node.role==manager"]),
    ),
    "deploy.placement.preferences.spread": Sample(
        "node.labels.zone",
        "node.labels.rack",
        "TaskTemplate/Placement/Preferences",
        (
            [{"Spread": {"SpreadDescriptor": "node.labels.zone"}}],
            [{"Spread": {"SpreadDescriptor": "node.labels.rack"}}],
        ),
    ),
    "deploy.placement.max_replicas_per_node": Sample(2, 3, "TaskTemplate/Placement/MaxReplicas"),
    "deploy.resources.limits.cpus": Sample(
        "0.5", "1.25", "TaskTemplate/Resources/Limits/NanoCPUs", (SECOND // 2, SECOND * 5 // 4)
    ),
    "deploy.resources.limits.memory": Sample(
        "64M", "1G", "TaskTemplate/Resources/Limits/MemoryBytes", (64 * MIB, 1024 * MIB)
    ),
    "deploy.resources.limits.pids": Sample(50, 100, "TaskTemplate/Resources/Limits/Pids"),
    "deploy.resources.reservations.cpus": Sample(
        "0.01", "0.02", "TaskTemplate/Resources/Reservations/NanoCPUs", (SECOND // 100, SECOND // 50)
    ),
    "deploy.resources.reservations.memory": Sample(
        "8M", "16M", "TaskTemplate/Resources/Reservations/MemoryBytes", (8 * MIB, 16 * MIB)
    ),
    "deploy.restart_policy.condition": Sample(
        "on-failure", "none", "TaskTemplate/RestartPolicy/Condition", default="any"
    ),
    "deploy.restart_policy.delay": _duration("TaskTemplate/RestartPolicy/Delay", default=5 * SECOND),
    "deploy.restart_policy.max_attempts": Sample(3, 4, "TaskTemplate/RestartPolicy/MaxAttempts", default=0),
    "deploy.restart_policy.window": _duration("TaskTemplate/RestartPolicy/Window"),
    **_update_keys("update_config", "UpdateConfig", "rollback", ("parallelism", 4)),
    **_update_keys("rollback_config", "RollbackConfig", "pause", ("parallelism", 4)),
}

# Of the stack's volumes: a service mounts the volume, and its tasks make it as said here.
VOLUME_SAMPLES: dict[str, Sample] = {
    "external": Sample(
        True,
        False,
        f"{MOUNT}/Source",
        ("volumes-external", f"{STACK}_volumes-external"),
        f"{STACK}_volumes-external",
        also=(MOUNT,),
    ),
    "driver": Sample("local", "other", f"{MOUNT}/VolumeOptions/DriverConfig/Name"),
    "driver_opts": Sample(
        {"type": "tmpfs", "device": "tmpfs"},
        {"type": "tmpfs", "device": "other"},
        f"{MOUNT}/VolumeOptions/DriverConfig/Options",
        within={"driver": "local"},
    ),
    "labels": _labels(f"{MOUNT}/VolumeOptions/Labels", STACK_LABELS),
}

SAMPLES: dict[str, Sample] = {
    **{f"services.{key}": sample for key, sample in SERVICE_SAMPLES.items()},
    **{f"volumes.{key}": sample for key, sample in VOLUME_SAMPLES.items()},
}


_PARTS = "test_swarm_stack_parts"
_VERSIONS = "test_swarm_stack_versions"
_FAILURES = "test_swarm_stack_failures"

# Keys that are no value of a service, and the test of each.
TESTED_ALONE: dict[str, str] = {
    "name": f"{_VERSIONS}::test_what_others_made_is_never_touched",
    "state": f"{_VERSIONS}::test_what_others_made_is_never_touched",
    "hash_key": f"{_VERSIONS}::test_nobody_can_guess_a_secret_from_its_name",
    "resolve_images": f"{_VERSIONS}::test_an_image_is_pinned_when_its_reference_changes_and_not_looked_up_otherwise",
    "keep_versions": f"{_VERSIONS}::test_old_versions_are_removed_and_those_of_a_rollback_kept",
    "replace": f"{_PARTS}::test_a_network_is_replaced_only_when_named",
    "limit": f"{_PARTS}::test_a_limit_changes_the_named_services_and_removes_nothing",
    "wait": f"{_PARTS}::test_without_waiting_the_module_returns_before_the_services_run",
    "wait_timeout": f"{_PARTS}::test_the_wait_has_an_end",
    "docker_socket": f"{_FAILURES}::TestLostManagers::test_an_engine_outside_any_swarm",
    "services.name": f"{_PARTS}::test_a_service_with_another_name_is_another_service",
    "services.image": f"{_VERSIONS}::test_an_image_is_pinned_when_its_reference_changes_and_not_looked_up_otherwise",
    "services.deploy.mode": f"{_PARTS}::test_the_mode_of_a_service_is_replaced_only_when_named",
    "services.ports.mode": f"{_PARTS}::test_the_mode_of_a_port",
    "secrets.name": f"{_VERSIONS}::test_a_changed_secret_or_config_rolls_only_its_users",
    "secrets.content": f"{_VERSIONS}::test_a_changed_secret_or_config_rolls_only_its_users",
    "secrets.external": f"{_PARTS}::test_what_is_external_is_used_and_left_alone",
    "configs.name": f"{_VERSIONS}::test_a_changed_secret_or_config_rolls_only_its_users",
    "configs.content": f"{_VERSIONS}::test_a_changed_secret_or_config_rolls_only_its_users",
    "configs.external": f"{_PARTS}::test_what_is_external_is_used_and_left_alone",
    "networks.external": f"{_PARTS}::test_what_is_external_is_used_and_left_alone",
    **{
        f"networks.{key}": f"{_PARTS}::test_networks"
        for key in ("name", "driver_opts", "mtu", "internal", "attachable", "encrypted", "labels", "subnet")
    },
    "volumes.name": f"{_PARTS}::test_a_volume_keeps_its_content",
}


def service_name(key: str) -> str:
    """The name of the service that shows a key."""
    return key.replace("services.", "the.", 1).replace(".", "-").replace("_", "")


def _set(place: Any, spec: Mapping[str, Any], names: list[str], value: Any) -> None:
    """Set a key below the services; of a list of objects the first one, which is made when there is none."""
    name, *rest = names
    if not rest:
        place[name] = value
        return
    many = spec[name].get("elements") == "dict"
    inner = place.setdefault(name, [{}] if many else {})
    _set(inner[0] if many else inner, spec[name]["options"], rest, value)


def _without(part: Json, spec: Mapping[str, Any], names: list[str]) -> None:
    """Leave out a key; where it is what its object cannot be without, the object."""
    name, *rest = names
    if name not in part or not rest:
        return
    inner = spec[name]["options"]
    if len(rest) == 1 and inner[rest[0]].get("required"):
        del part[name]
    elif isinstance(part[name], dict):
        _without(part[name], inner, rest)


def sample_parts(spec: Mapping[str, Any], key: str, column: str) -> Json:
    """The service of a key in a column of the table (created, changed or removed), and its volume if it has one."""
    sample = SAMPLES[key]
    kind, *names = key.split(".")
    name, options = service_name(key), spec[kind]["options"]
    part: Json = {"name": name, **copy.deepcopy(dict(sample.within))}
    if column == "removed":
        _without(part, options, names)
    else:
        _set(part, options, names, copy.deepcopy(sample.second if column == "changed" else sample.first))
    if kind == "volumes":
        mounts = [{"type": "volume", "source": name, "target": "/mnt"}]
        user = {"name": name, "image": IMAGE, "deploy": {"replicas": 0}, "volumes": mounts}
        return {"volumes": [part], "services": [user]}
    if key != "services.deploy.replicas":
        part.setdefault("deploy", {})["replicas"] = 0
    return {"services": [{"image": IMAGE, **part}]}


def shown_at(spec: Any, place: str) -> Any:
    """What a specification of the engine has at a place; None when there is nothing."""
    for name in place.split("/"):
        if isinstance(spec, list):
            spec = spec[int(name)] if len(spec) > int(name) else None
        elif isinstance(spec, dict):
            spec = spec.get(name)
        if spec is None:
            return None
    return spec


def differing(left: Any, right: Any, place: str = "") -> Iterator[str]:
    """The places where two specifications differ."""
    # What is not there is compared as empty, so that the places within the other are told.
    for empty in ({}, []):
        left = empty if left is None and isinstance(right, type(empty)) else left
        right = empty if right is None and isinstance(left, type(empty)) else right
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted({*left, *right}):
            yield from differing(left.get(name), right.get(name), f"{place}/{name}" if place else name)
    elif isinstance(left, list) and isinstance(right, list):
        for number, pair in enumerate(itertools.zip_longest(left, right)):
            yield from differing(*pair, f"{place}/{number}")
    elif left != right and not (not left and not right):
        yield place
