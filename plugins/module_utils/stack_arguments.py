# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of swarm_stack: Compose's names and nesting, as far as Swarm has an effect for them.

What Swarm ignores (container_name, depends_on, privileged ...) is not there, so Ansible refuses it. Defaults that are
Swarm's own are not set here: an option that is left out is not written (see stack_fields.py).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DEFAULT_SOCKET

Spec = dict[str, Any]

TEXT: Spec = {"type": "str"}
NUMBER: Spec = {"type": "int"}
MAP: Spec = {"type": "dict"}
OFF: Spec = {"type": "bool", "default": False}
STRINGS: Spec = {"type": "list", "elements": "str"}
NAME: Spec = {"type": "str", "required": True}
# A word or a list of words: Ansible would cut a text at its commas if this were a list.
WORDS: Spec = {"type": "raw"}
# Octal text: a bare number is refused by our own check, because nobody knows how YAML read it.
FILE_MODE: Spec = {"type": "raw"}


def objects(**options: Spec) -> Spec:
    """A list of dictionaries with these options."""
    return {"type": "list", "elements": "dict", "options": options}


def group(**options: Spec) -> Spec:
    """A dictionary with these options."""
    return {"type": "dict", "options": options}


def choice(*values: str, default: str | None = None) -> Spec:
    """One of the values."""
    return {"type": "str", "choices": list(values), **({} if default is None else {"default": default})}


HEALTHCHECK = group(
    test=WORDS,
    interval=TEXT,
    timeout=TEXT,
    retries=NUMBER,
    start_period=TEXT,
    start_interval=TEXT,
    disable=OFF,
)
LOGGING = {**group(driver=TEXT, options=MAP), "required_by": {"options": ["driver"]}}
PORTS = objects(
    target={"type": "int", "required": True},
    published=NUMBER,
    protocol=choice("tcp", "udp", "sctp", default="tcp"),
    mode=choice("host", "ingress", default="host"),
)
MOUNTS = objects(
    type=choice("volume", "bind", "tmpfs", default="volume"),
    source=TEXT,
    target=NAME,
    read_only=OFF,
    nocopy=OFF,
    labels=MAP,
    driver=TEXT,
    driver_opts=MAP,
    propagation=choice("private", "rprivate", "shared", "rshared", "slave", "rslave"),
    size=TEXT,
    tmpfs_mode=FILE_MODE,
)
FILES = objects(source=NAME, target=TEXT, uid=TEXT, gid=TEXT, mode=FILE_MODE)
PLACEMENT = group(
    constraints=STRINGS,
    preferences=objects(spread=NAME),
    max_replicas_per_node=NUMBER,
)
RESOURCES = group(
    limits=group(cpus=TEXT, memory=TEXT, pids=NUMBER),
    reservations=group(cpus=TEXT, memory=TEXT),
)
RESTART_POLICY = group(
    condition=choice("none", "on-failure", "any"),
    delay=TEXT,
    max_attempts=NUMBER,
    window=TEXT,
)


def rollout(*failure_actions: str) -> Spec:
    """How tasks are exchanged, in an update or a rollback."""
    return group(
        parallelism=NUMBER,
        delay=TEXT,
        order=choice("stop-first", "start-first"),
        failure_action=choice(*failure_actions),
        monitor=TEXT,
        max_failure_ratio={"type": "float"},
    )


DEPLOY = group(
    mode=choice("replicated", "global", "replicated-job", "global-job", default="replicated"),
    replicas=NUMBER,
    endpoint_mode=choice("dnsrr", "vip", default="dnsrr"),
    labels=MAP,
    placement=PLACEMENT,
    resources=RESOURCES,
    restart_policy=RESTART_POLICY,
    update_config=rollout("rollback", "pause", "continue"),
    rollback_config=rollout("pause", "continue"),
)
SERVICES = objects(
    name=NAME,
    image=NAME,
    command=WORDS,
    entrypoint=WORDS,
    environment=MAP,
    hostname=TEXT,
    user=TEXT,
    group_add=STRINGS,
    working_dir=TEXT,
    labels=MAP,
    init={"type": "bool", "default": True},
    read_only=OFF,
    stop_signal=TEXT,
    stop_grace_period=TEXT,
    cap_add=STRINGS,
    cap_drop=STRINGS,
    sysctls=MAP,
    ulimits=MAP,
    dns=STRINGS,
    dns_search=STRINGS,
    extra_hosts=STRINGS,
    tty=OFF,
    stdin_open=OFF,
    healthcheck=HEALTHCHECK,
    logging=LOGGING,
    networks=objects(name=NAME, aliases=STRINGS),
    ports=PORTS,
    volumes=MOUNTS,
    # The names of secrets are no secrets.
    secrets={**FILES, "no_log": False},
    configs=FILES,
    deploy=DEPLOY,
)
NETWORKS = objects(
    name=NAME,
    external=OFF,
    driver_opts=MAP,
    mtu={"type": "int", "default": 1450},
    internal=OFF,
    attachable=OFF,
    encrypted=OFF,
    labels=MAP,
    subnet=TEXT,
)
SECRETS = objects(name=NAME, content={"type": "str", "no_log": True}, external=OFF)
CONFIGS = objects(name=NAME, content=TEXT, external=OFF)
VOLUMES = objects(name=NAME, external=OFF, driver=TEXT, driver_opts=MAP, labels=MAP)


def argument_spec() -> Spec:
    """The options of the module."""
    return {
        "name": NAME,
        "state": choice("present", "absent", default="present"),
        "hash_key": {"type": "str", "no_log": True},
        "services": SERVICES,
        "networks": NETWORKS,
        "secrets": {**SECRETS, "no_log": False},
        "configs": CONFIGS,
        "volumes": VOLUMES,
        "resolve_images": choice("changed", "always", "never", default="changed"),
        "keep_versions": {"type": "int", "default": 1},
        "replace": {**STRINGS, "default": []},
        # Not set is all services; an empty list is none of them.
        "limit": STRINGS,
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
        "docker_socket": {"type": "path", "default": DEFAULT_SOCKET},
    }
