# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table between Compose's options of a service and the engine's ServiceSpec.

ServiceSpec: https://docs.docker.com/reference/api/engine/version/v1.44/#tag/Service/operation/ServiceCreate
Swarm's defaults: swarmkit, api/defaults/service.go. What differs from them is a `default` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_fields import (
    Field,
    Names,
    any_order,
    duration,
    in_order,
    mapping,
    not_negative,
    number,
    option_at,
    plain,
    switch,
    text,
    words,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import is_job
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_parts import PART_FIELDS
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import (
    ValueProblem,
    cpus_from_nano,
    cpus_to_nano,
    duration_from_ns,
    duration_to_ns,
    size_from_bytes,
    size_to_bytes,
    text_of,
)

# Modes whose tasks end. They are services of Swarm's ordinary modes that restart on failure only, with a label. Swarm's own
# jobs are of no use: a manager that lost the leadership goes on starting them, so that a job that has ended runs again and
# again (https://github.com/moby/moby/issues/53632, open; seen with engine 26.1: 30 runs in 12 seconds).
JOBS = ("replicated-job", "global-job")
_JOB_ENDING = "-job"
_MODE_KEYS = {"replicated": "Replicated", "global": "Global"}
_CONTAINER = "TaskTemplate.ContainerSpec"
# Retries of a job when the user sets no number. Swarm would repeat a failing job for ever.
_JOB_ATTEMPTS = 2


def mode_of(options: Mapping[str, Any]) -> str:
    """The mode that a service's options ask for."""
    return str(option_at(options, "deploy.mode") or "replicated")


def live_mode(spec: Mapping[str, Any]) -> str:
    """The mode in a specification; of Swarm's own jobs the engine's word (ReplicatedJob, GlobalJob)."""
    key = next((key for key, value in (spec.get("Mode") or {}).items() if value is not None), "Replicated")
    name = next((name for name, known in _MODE_KEYS.items() if known == key), key)
    return name + _JOB_ENDING if is_job(spec) else name


def _is_job(options: Mapping[str, Any]) -> bool:
    return mode_of(options) in JOBS


# Mode and replicas share a place in the specification.


def _write_mode(spec: Json, mode: str, _names: Names) -> None:
    spec["Mode"] = {_MODE_KEYS[mode.removesuffix(_JOB_ENDING)]: {}}


def _default_replicas(options: Json) -> int | None:
    return None if mode_of(options).startswith("global") else 1


def _read_replicas(spec: Json, _names: Names) -> int | None:
    mode = spec.get("Mode") or {}
    if mode.get("Replicated") is None:
        return None
    return int(mode["Replicated"].get("Replicas", 1))


def _write_replicas(spec: Json, replicas: int | None, _names: Names) -> None:
    if replicas is not None:
        spec["Mode"] = {"Replicated": {"Replicas": replicas}}


# What needs more than a value in its place.


def _parse_environment(value: Mapping[str, Any]) -> dict[str, str] | None:
    for key, entry in value.items():
        if entry is None:
            raise ValueProblem(f"{key} has no value; Swarm cannot take one from a shell")
        if "=" in str(key) or not str(key):
            raise ValueProblem(f"{str(key)!r} is no name of an environment variable")
    return {str(key): text_of(entry) for key, entry in value.items()} or None


def _decode_environment(entries: list[str]) -> dict[str, str]:
    return {key: value for key, _equals, value in (entry.partition("=") for entry in entries)}


def _encode_environment(value: Mapping[str, str]) -> list[str]:
    return [f"{key}={entry}" for key, entry in sorted(value.items())]


def _capability(name: str) -> str:
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"


def _host(entry: str) -> str:
    """Canonical is HOST=ADDRESS; Compose also takes HOST:ADDRESS."""
    name, separator, address = entry.partition("=") if "=" in entry else entry.partition(":")
    if not separator or not name or not address:
        raise ValueProblem(f"{entry!r} is no extra host; write host=address")
    return f"{name.strip()}={address.strip().strip('[]')}"


def _parse_hosts(value: list[str]) -> list[str] | None:
    return sorted({_host(entry) for entry in value}) or None


def _decode_hosts(entries: list[str]) -> list[str]:
    # The engine's form is that of /etc/hosts.
    return sorted({f"{name}={entry.split()[0]}" for entry in entries for name in entry.split()[1:]})


def _encode_hosts(value: list[str]) -> list[str]:
    return [f"{address} {name}" for name, address in (entry.split("=", 1) for entry in value)]


def _parse_ulimits(value: Mapping[str, Any]) -> dict[str, Json] | None:
    limits = {}
    for name, limit in value.items():
        pair = limit if isinstance(limit, Mapping) else {"soft": limit, "hard": limit}
        try:
            limits[str(name)] = {"soft": int(pair["soft"]), "hard": int(pair["hard"])}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueProblem(f"the limit {name} needs a number, or soft and hard") from error
    return limits or None


def _decode_ulimits(entries: list[Json]) -> dict[str, Json]:
    return {item["Name"]: {"soft": item.get("Soft", 0), "hard": item.get("Hard", 0)} for item in entries}


def _encode_ulimits(value: Mapping[str, Json]) -> list[Json]:
    return [{"Name": name, "Soft": pair["soft"], "Hard": pair["hard"]} for name, pair in sorted(value.items())]


def _parse_test(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return ["CMD-SHELL", value] if value else None
    if not isinstance(value, list) or (value and value[0] not in ("CMD", "CMD-SHELL", "NONE")):
        raise ValueProblem(
            f"{value!r} is no health check; write a command, or a list that begins with CMD, CMD-SHELL or NONE"
        )
    return [text_of(word) for word in value] or None


def _default_test(options: Json) -> list[str] | None:
    return ["NONE"] if option_at(options, "healthcheck.disable") else None


def _constraint(value: str) -> str:
    for operator in ("==", "!="):
        key, found, wanted = value.partition(operator)
        if found and key.strip() and wanted.strip():
            return f"{key.strip()}{operator}{wanted.strip()}"
    raise ValueProblem(f"{value!r} is no placement constraint; write KEY==VALUE or KEY!=VALUE")


def _constraint_list(value: list[str]) -> list[str] | None:
    return sorted({_constraint(entry) for entry in value}) or None


def _parse_preferences(value: list[Json]) -> list[str] | None:
    return [entry["spread"] for entry in value] or None


def _decode_preferences(value: list[Json]) -> list[str]:
    return [(entry.get("Spread") or {}).get("SpreadDescriptor", "") for entry in value]


def _encode_preferences(value: list[str]) -> list[Json]:
    return [{"Spread": {"SpreadDescriptor": entry}} for entry in value]


def _parse_ratio(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueProblem(f"{value} is no ratio between 0 and 1")
    return value


def _nothing_for_zero(decode: Any) -> Any:
    """Zero means that nothing is set: the image or no limit decides."""
    return lambda raw: decode(raw) if raw else None


def _memory(path: str, keys: str) -> Field:
    def parse(value: Any) -> str:
        count = size_to_bytes(value)
        if count < 4 * 1024**2:
            raise ValueProblem(f"{value!r} is less memory than the engine accepts (4M)")
        return size_from_bytes(count)

    return plain(path, keys, parse, _nothing_for_zero(size_from_bytes), size_to_bytes)


def _cpus(path: str, keys: str) -> Field:
    def parse(value: Any) -> str:
        return cpus_from_nano(cpus_to_nano(value))

    return plain(path, keys, parse, _nothing_for_zero(cpus_from_nano), cpus_to_nano)


def _image_decides(path: str, keys: str, **more: Any) -> Field:
    """A duration of the health check. more: further attributes of Field."""

    def parse(value: str) -> str | None:
        nanoseconds = duration_to_ns(value)
        # The engine's rule, daemon/container.go.
        if 0 < nanoseconds < 1_000_000:
            raise ValueProblem(f"{value!r} is shorter than the engine accepts (1ms)")
        return duration_from_ns(nanoseconds) if nanoseconds else None

    return plain(path, keys, parse, _nothing_for_zero(duration_from_ns), duration_to_ns, **more)


def _rollout(option: str, key: str, failure_action: str, order: Any) -> tuple[Field, ...]:
    """The fields of update_config or rollback_config: written whole."""
    same: Json = {"group": key}
    action = f"deploy.{option}.failure_action"

    # The changed tasks of a job all run, each with its attempts, whatever becomes of the others.
    def at_once(options: Json) -> int | None:
        return 0 if _is_job(options) else None

    def on_failure(options: Json) -> str:
        return "continue" if _is_job(options) else failure_action

    return (
        number(f"deploy.{option}.parallelism", f"{key}.Parallelism", unset=1, default=at_once, **same),
        duration(f"deploy.{option}.delay", f"{key}.Delay", unset="0s", **same),
        text(action, f"{key}.FailureAction", unset="pause", default=on_failure, **same),
        duration(f"deploy.{option}.monitor", f"{key}.Monitor", unset="5s", **same),
        plain(f"deploy.{option}.max_failure_ratio", f"{key}.MaxFailureRatio", _parse_ratio, unset=0, **same),
        text(f"deploy.{option}.order", f"{key}.Order", unset="stop-first", default=order, **same),
    )


FIELDS: tuple[Field, ...] = (
    # The mode comes first, because replicas are written into it.
    Field("deploy.mode", str, lambda spec, _names: live_mode(spec), _write_mode, default=lambda _options: "replicated"),
    Field("deploy.replicas", not_negative, _read_replicas, _write_replicas, default=_default_replicas),
    text("image", f"{_CONTAINER}.Image"),
    plain("platforms", "TaskTemplate.Placement.Platforms", lambda value: value or None),
    words("command", f"{_CONTAINER}.Args"),
    words("entrypoint", f"{_CONTAINER}.Command"),
    plain("environment", f"{_CONTAINER}.Env", _parse_environment, _decode_environment, _encode_environment),
    text("hostname", f"{_CONTAINER}.Hostname"),
    text("user", f"{_CONTAINER}.User"),
    any_order("group_add", f"{_CONTAINER}.Groups"),
    text("working_dir", f"{_CONTAINER}.Dir"),
    mapping("labels", f"{_CONTAINER}.Labels"),
    plain("init", f"{_CONTAINER}.Init", bool, default=lambda _options: True),
    switch("read_only", f"{_CONTAINER}.ReadOnly"),
    text("stop_signal", f"{_CONTAINER}.StopSignal"),
    duration("stop_grace_period", f"{_CONTAINER}.StopGracePeriod", unset="10s"),
    any_order("cap_add", f"{_CONTAINER}.CapabilityAdd", _capability),
    any_order("cap_drop", f"{_CONTAINER}.CapabilityDrop", _capability),
    mapping("sysctls", f"{_CONTAINER}.Sysctls"),
    plain("ulimits", f"{_CONTAINER}.Ulimits", _parse_ulimits, _decode_ulimits, _encode_ulimits),
    in_order("dns", f"{_CONTAINER}.DNSConfig.Nameservers"),
    in_order("dns_search", f"{_CONTAINER}.DNSConfig.Search"),
    plain("extra_hosts", f"{_CONTAINER}.Hosts", _parse_hosts, _decode_hosts, _encode_hosts),
    switch("tty", f"{_CONTAINER}.TTY"),
    switch("stdin_open", f"{_CONTAINER}.OpenStdin"),
    plain("healthcheck.test", f"{_CONTAINER}.Healthcheck.Test", _parse_test, list, list, default=_default_test),
    _image_decides("healthcheck.interval", f"{_CONTAINER}.Healthcheck.Interval"),
    _image_decides("healthcheck.timeout", f"{_CONTAINER}.Healthcheck.Timeout"),
    number("healthcheck.retries", f"{_CONTAINER}.Healthcheck.Retries", unset=0),
    _image_decides("healthcheck.start_period", f"{_CONTAINER}.Healthcheck.StartPeriod"),
    _image_decides("healthcheck.start_interval", f"{_CONTAINER}.Healthcheck.StartInterval", since="1.44"),
    text("logging.driver", "TaskTemplate.LogDriver.Name"),
    mapping("logging.options", "TaskTemplate.LogDriver.Options"),
    *PART_FIELDS,
    text("deploy.endpoint_mode", "EndpointSpec.Mode", unset="vip", default=lambda _options: "dnsrr"),
    mapping("deploy.labels", "Labels"),
    plain(
        "deploy.placement.constraints",
        "TaskTemplate.Placement.Constraints",
        _constraint_list,
        _constraint_list,
        list,
    ),
    plain(
        "deploy.placement.preferences",
        "TaskTemplate.Placement.Preferences",
        _parse_preferences,
        _decode_preferences,
        _encode_preferences,
    ),
    number("deploy.placement.max_replicas_per_node", "TaskTemplate.Placement.MaxReplicas", unset=0),
    _cpus("deploy.resources.limits.cpus", "TaskTemplate.Resources.Limits.NanoCPUs"),
    _memory("deploy.resources.limits.memory", "TaskTemplate.Resources.Limits.MemoryBytes"),
    number("deploy.resources.limits.pids", "TaskTemplate.Resources.Limits.Pids", unset=0),
    _cpus("deploy.resources.reservations.cpus", "TaskTemplate.Resources.Reservations.NanoCPUs"),
    _memory("deploy.resources.reservations.memory", "TaskTemplate.Resources.Reservations.MemoryBytes"),
    text(
        "deploy.restart_policy.condition",
        "TaskTemplate.RestartPolicy.Condition",
        unset="any",
        default=lambda options: "on-failure" if _is_job(options) else None,
    ),
    duration("deploy.restart_policy.delay", "TaskTemplate.RestartPolicy.Delay", unset="5s"),
    number(
        "deploy.restart_policy.max_attempts",
        "TaskTemplate.RestartPolicy.MaxAttempts",
        unset=0,
        default=lambda options: _JOB_ATTEMPTS if _is_job(options) else None,
    ),
    duration("deploy.restart_policy.window", "TaskTemplate.RestartPolicy.Window", unset="0s"),
    *_rollout("update_config", "UpdateConfig", "rollback", None),
    *_rollout(
        "rollback_config",
        "RollbackConfig",
        "pause",
        # A service that starts first in an update would be interrupted by a rollback that stops first.
        lambda options: option_at(options, "deploy.update_config.order"),
    ),
)
