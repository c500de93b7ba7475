# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a stack by itself, without a look at the cluster: one sentence per fault."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.stack_definition import (
    Definition,
    Options,
    content_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_fields import option_at
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import KEYED_KINDS
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_service import JOBS, mode_of

# Swarm's own limits (swarmkit, manager/controlapi): a service is a DNS label; secrets and configs.
_SERVICE_NAME = re.compile(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")
_SERVICE_LENGTH = 63
_FILE_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?")
_FILE_LENGTH = 64
# Documented for both; newer engines take larger configs, so the smaller one holds everywhere.
_FILE_SIZE = 500 * 1024
_KEY_LENGTH = 16
# A version adds an underscore and twelve digits to the name.
_VERSION_LENGTH = 13


def definition_problems(definition: Definition, params: Mapping[str, Any]) -> list[str]:
    """All faults of the stack's definition."""
    return [
        *_number_problems(params),
        *_limit_problems(definition, params.get("limit")),
        *_stack_name_problems(definition.stack),
        *_duplicate_problems(definition),
        *_file_problems(definition, params.get("hash_key")),
        *_network_problems(definition),
        *(problem for service in definition.services for problem in _service_problems(definition, service)),
    ]


def _number_problems(params: Mapping[str, Any]) -> Iterator[str]:
    if params["keep_versions"] < 0:
        yield "keep_versions must not be negative."
    if params["wait_timeout"] < 1:
        yield "wait_timeout must be at least one second."


def _limit_problems(definition: Definition, limit: Iterable[str] | None) -> Iterator[str]:
    listed = {service["name"] for service in definition.services}
    for name in sorted(set(limit or []) - listed):
        yield f"limit names {name!r}, which is no service of the stack; use the names in services, without the stack's."


def _stack_name_problems(name: str) -> Iterator[str]:
    if not _SERVICE_NAME.fullmatch(name):
        yield f"name: {name!r} is no name of a stack; use letters, digits, hyphens and underscores, the first and last a letter or digit."


def _duplicate_problems(definition: Definition) -> Iterator[str]:
    for kind, items in definition.lists.items():
        for name, count in Counter(item["name"] for item in items).items():
            if count > 1:
                yield f"{kind}[{name}] is there {count} times; names must be different."


# Secrets and configs.


def _file_problems(definition: Definition, hash_key: str | None) -> Iterator[str]:
    own_secrets = False
    for kind, singular in KEYED_KINDS.items():
        for item in definition.lists[kind]:
            yield from _content_problems(f"{kind}[{item['name']}]", item)
            if not item.get("external"):
                own_secrets |= kind == "secrets"
                yield from _file_name_problems(definition, kind, singular, item["name"])
    if hash_key and len(hash_key) < _KEY_LENGTH:
        # It is also blackened in every output, which a short text would make unreadable.
        yield f"hash_key is too short; give at least {_KEY_LENGTH} characters that nobody can guess."
    if own_secrets and not hash_key:
        yield "hash_key is needed for secrets with content: their names carry a keyed hash of it; give any text that stays the same."


def _content_problems(where: str, item: Options) -> Iterator[str]:
    if item.get("external"):
        if item.get("content") is not None:
            yield f"{where} has content and is external; leave one of them out."
        return
    size = len(content_of(item))
    if not size:
        yield f"{where} has no content; set content, or external=true when it was made elsewhere."
    elif size >= _FILE_SIZE:
        yield f"{where} has {size} bytes; Swarm takes less than {_FILE_SIZE} (500 kB)."


def _file_name_problems(definition: Definition, kind: str, singular: str, name: str) -> Iterator[str]:
    full = definition.full(name)
    if not _FILE_NAME.fullmatch(full):
        yield f"{kind}[{name}]: {full!r} is no name of a {singular}; use letters, digits, hyphens, underscores and points."
    if len(full) + _VERSION_LENGTH > _FILE_LENGTH:
        yield (
            f"{kind}[{name}]: with the stack's name and a hash it has {len(full) + _VERSION_LENGTH} characters; Swarm takes "
            f"{_FILE_LENGTH}, so shorten it by {len(full) + _VERSION_LENGTH - _FILE_LENGTH}."
        )


# Networks.


def _network_problems(definition: Definition) -> Iterator[str]:
    for name, options in definition.own("networks").items():
        if not _SERVICE_NAME.fullmatch(name) or len(name) > _SERVICE_LENGTH:
            yield f"networks[{options['name']}]: {name!r} is no name of a network; use up to {_SERVICE_LENGTH} letters, digits, hyphens and underscores."
        # The smallest IPv6 link and the overlay's and Ethernet's largest frame.
        if not 1280 <= options["mtu"] <= 9000:
            yield f"networks[{options['name']}].mtu: {options['mtu']} is no MTU of a link between nodes; use 1280 to 9000."


# Services.


def _service_problems(definition: Definition, service: Options) -> Iterator[str]:
    where = f"services[{service['name']}]"
    full = definition.full(service["name"])
    if not _SERVICE_NAME.fullmatch(full):
        yield f"{where}: {full!r} is no name of a service; use letters, digits, hyphens and underscores."
    if len(full) > _SERVICE_LENGTH:
        yield f"{where}: with the stack's name it has {len(full)} characters; Swarm takes {_SERVICE_LENGTH}, so shorten it by {len(full) - _SERVICE_LENGTH}."
    yield from _reference_problems(definition, service, where)
    yield from _mode_problems(service, where)
    yield from _port_problems(service, where)
    healthcheck = service.get("healthcheck") or {}
    if healthcheck.get("disable") and healthcheck.get("test"):
        yield f"{where}.healthcheck: disable and test exclude each other."


def _reference_problems(definition: Definition, service: Options, where: str) -> Iterator[str]:
    references = {
        "networks": [item["name"] for item in service.get("networks") or []],
        "secrets": [item["source"] for item in service.get("secrets") or []],
        "configs": [item["source"] for item in service.get("configs") or []],
        "volumes": [
            item["source"] for item in service.get("volumes") or [] if item["type"] == "volume" and item.get("source")
        ],
    }
    for kind, names in references.items():
        for name in names:
            if not definition.find(kind, name):
                yield f"{where}.{kind} names {name!r}, which is not listed in {kind} of the stack; add it there."


def _mode_problems(service: Options, where: str) -> Iterator[str]:
    mode = mode_of(service)
    if mode.startswith("global") and option_at(service, "deploy.replicas") is not None:
        yield f"{where}.deploy.replicas: the mode {mode} has one task per node; leave it out."
    if mode in JOBS:
        for option in ("update_config", "rollback_config"):
            if option_at(service, f"deploy.{option}") is not None:
                yield f"{where}.deploy.{option}: a job exchanges no tasks; leave it out."
        if option_at(service, "deploy.restart_policy.condition") == "any":
            yield f"{where}.deploy.restart_policy.condition: a job ends, so it is on-failure or none."


def _port_problems(service: Options, where: str) -> Iterator[str]:
    ports = service.get("ports") or []
    endpoint_mode = option_at(service, "deploy.endpoint_mode") or "dnsrr"
    if endpoint_mode == "dnsrr" and any(port["mode"] == "ingress" for port in ports):
        yield f"{where}.ports: mode ingress needs deploy.endpoint_mode=vip; publish with mode host instead."
    start_first = option_at(service, "deploy.update_config.order") == "start-first"
    if start_first and mode_of(service) == "global" and _fixed_host_ports(ports):
        yield f"{where}.deploy.update_config.order: start-first cannot work, because the old task on each node holds the published port; use stop-first."


def _fixed_host_ports(ports: Iterable[Options]) -> bool:
    return any(port["mode"] == "host" and port.get("published") for port in ports)
