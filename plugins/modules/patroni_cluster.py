#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module patroni_cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_cluster
short_description: A PostgreSQL cluster under Patroni, begun once, set, restarted member by member and waited for
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Brings the cluster of role C(frontdesk.platform.postgres) to the wanted state, from a manager that has one of its members.
  - Lets a cluster begin when this swarm has never known one, and keeps its system identifier as a Swarm config. A cluster that is known
    is never begun a second time.
  - Compares Patroni's settings with O(settings) over its REST interface, refuses values that PostgreSQL would not take before anything is
    written, restarts only members that a setting needs, replicas first and the leader after a hand-over, waits for the quorum between them,
    and looks whether the values are in force.
  - Works inside the containers through the engine's socket. No password passes through it.
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  stack:
    description: Name of the stack that it runs in.
    type: str
    required: true
  server:
    description: Name of this server in the swarm, which has a member.
    type: str
    required: true
  servers:
    description: All servers with a member.
    type: list
    elements: str
    required: true
  settings:
    description:
      - Patroni's dynamic settings. What is not named stays as it is, except for C(postgresql.parameters), of which those that are not named
        are removed.
    type: dict
    default: {}
  memory:
    description:
      - Memory for PostgreSQL on each server, such as V(2G), from which parameters follow that O(settings) does not name.
      - V(auto) is O(memory_percent) of the smallest server's memory, V(none) sets nothing.
    type: str
    default: none
  memory_percent:
    description: Share of a server's memory with O(memory=auto).
    type: int
    default: 25
  rebuild:
    description: Servers whose member lost its data and may copy that of the others. Those that run are left alone.
    type: list
    elements: str
    default: []
  avoid_leader:
    description: Servers whose member must not lead; when it does, another one takes over.
    type: list
    elements: str
    default: []
  restart:
    description: Whether members are restarted for settings that need it.
    type: bool
    default: true
  wait:
    description: Whether to wait until all members are there, and to set and restart. Without it only O(rebuild) is done.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for each step.
    type: int
    default: 300
  docker_socket:
    description: The engine's socket.
    type: path
    default: /var/run/docker.sock
seealso:
  - module: frontdesk.platform.postgresql_objects
  - module: frontdesk.platform.swarm_stack
"""

EXAMPLES = r"""
- name: Set and wait
  frontdesk.platform.patroni_cluster:
    name: postgres
    stack: postgres
    server: db-1
    servers: [db-1, db-2, db-3]
    memory: auto
    settings:
      ttl: 20
      loop_wait: 5
      retry_timeout: 5
      postgresql:
        parameters:
          max_connections: 150
"""

RETURN = r"""
changes:
  description: What was, or would be, changed. C(kind) is cluster, identity, settings, member or leader.
  returned: always
  type: list
  elements: dict
  sample:
    - {action: update, kind: member, name: pg-db-2, before: {pending_restart: true}, after: {pending_restart: false}}
leader:
  description: Name of the leader, empty when there is none.
  returned: success
  type: str
  sample: pg-db-1
members:
  description: The members by name.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: pg-db-1, role: leader, state: running, lag: null, timeline: 3, pending_restart: false}
identifier:
  description: PostgreSQL's system identifier of the cluster, empty before it has begun.
  returned: success
  type: str
  sample: "7711337643374682187"
problems:
  description: What keeps the cluster from being whole.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Containers
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_model import ClusterError, problems
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_run import (
    Cluster,
    Identity,
    LocalRunner,
    Task,
    Wanted,
    smallest_memory,
    with_tuning,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_settings import size_of
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import connect, engine_arguments, explain

NOT_BEGUN = "the cluster has not begun, or etcd does not answer"


def argument_spec():
    """The options."""
    names = {"type": "list", "elements": "str", "default": []}
    return {
        "name": {"type": "str", "required": True},
        "stack": {"type": "str", "required": True},
        "server": {"type": "str", "required": True},
        "servers": {"type": "list", "elements": "str", "required": True},
        "settings": {"type": "dict", "default": {}},
        "memory": {"type": "str", "default": "none"},
        "memory_percent": {"type": "int", "default": 25},
        "rebuild": names,
        "avoid_leader": names,
        "restart": {"type": "bool", "default": True},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
        **engine_arguments(),
    }


def member_names(servers):
    """Names of the members of servers."""
    return tuple(f"pg-{server}" for server in servers)


def memory_of(module, engine):
    """Bytes for PostgreSQL on each server; 0 for no tuning."""
    given = module.params["memory"]
    if given == "none":
        return 0
    if given == "auto":
        return smallest_memory(engine, module.params["servers"]) * module.params["memory_percent"] // 100
    return size_of(given)


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    engine = connect(module)
    task = None
    try:
        containers = Containers(engine, params["docker_socket"])
        wanted = Wanted(
            name=params["name"],
            members=member_names(params["servers"]),
            settings=with_tuning(params["settings"], memory_of(module, engine)),
            rebuild=member_names(params["rebuild"]),
            avoid=member_names(params["avoid_leader"]),
            restart=params["restart"],
            wait=params["wait"],
            timeout=float(params["wait_timeout"]),
        )
        cluster = Cluster(LocalRunner(containers, params["stack"], params["server"]))
        task = Task(cluster, Identity(engine, f"{params['stack']}.identity"), wanted, module.check_mode)
        view = task.run()
    except (ClusterError, EngineError, ValueError) as error:
        done = [change.as_result() for change in task.changes] if task else []
        text = explain(error) if isinstance(error, EngineError) else str(error)
        module.fail_json(msg=text, changes=done, changed=bool(done) and not module.check_mode)
    module.exit_json(
        changed=bool(task.changes),
        changes=[change.as_result() for change in task.changes],
        diff=render_diff(task.changes),
        leader=view.leader,
        members=[member.as_result() for member in view.members],
        identifier=view.identifier,
        problems=problems(view, wanted.members) if view.begun else [NOT_BEGUN],
    )


if __name__ == "__main__":
    main()
