#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module postgresql_objects."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_objects
short_description: Roles, databases, extensions and rights of a PostgreSQL cluster as one document
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Reads everything that the document names in one go, compares it, and writes what differs as one script on the leader.
  - Runs on a server that has a member of the cluster of role C(frontdesk.platform.postgres), and works inside of that member's
    container.
  - What the document does not name is left alone. Everybody else than those in O(databases[].access), the owner and the cluster's own users is
    kept out of a database.
  - Passwords are compared with what the server keeps, and written as its verifiers, so that they are in no statement and no log.
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Never shows a password.
  idempotent:
    support: full
options:
  stack:
    description: Name of the stack that the cluster runs in.
    type: str
    required: true
  server:
    description: Name of this server in the swarm, which has a member.
    type: str
    required: true
  roles:
    description: Roles.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name, 1 to 63 letters, digits, underscores, points and dashes.
        type: str
        required: true
      state:
        description: Whether it is there. V(absent) fails while something belongs to the role.
        type: str
        choices: [present, absent]
        default: present
      password:
        description: Password of printable ASCII. Without one, a password that is there stays.
        type: str
      login:
        description: Whether it may log in.
        type: bool
        default: true
      connection_limit:
        description: Connections that it may have, V(-1) for any number.
        type: int
        default: -1
      member_of:
        description: Roles whose rights it has, such as V(pg_monitor). Others that it has stay.
        type: list
        elements: str
        default: []
  databases:
    description: Databases.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      state:
        description: Whether it is there. V(absent) removes it with all its data, and ends its connections.
        type: str
        choices: [present, absent]
        default: present
      owner:
        description: Role that owns it and makes its tables. Required for one that is present.
        type: str
      connection_limit:
        description: Connections that all roles together may have, V(-1) for any number.
        type: int
        default: -1
      extensions:
        description: Extensions. Those that are older than what the server has are updated.
        type: list
        elements: str
        default: []
      access:
        description: Other roles that may use the tables of its schema C(public), now and later.
        type: list
        elements: dict
        default: []
        suboptions:
          role:
            description: Name of the role.
            type: str
            required: true
          access:
            description: What it may do.
            type: str
            choices: [read, write]
            default: read
  rotate:
    description:
      - Roles that exist and whose passwords may change. Another password of any other role that has one is refused before anything is
        written. Unless set, all may change.
    type: list
    elements: str
  cluster_passwords:
    description:
      - Passwords that the cluster's own users are expected to have, by user. They are never written. When a user has another one, the
        module fails before anything is written.
    type: dict
  optional:
    description: Whether to end well, with RV(reached) false, when no leader of the cluster can be asked.
    type: bool
    default: false
  wait_timeout:
    description: With O(optional), seconds to wait for a leader, such as one that is being elected.
    type: int
    default: 0
  docker_socket:
    description: The engine's socket.
    type: path
    default: /var/run/docker.sock
seealso:
  - module: frontdesk.platform.patroni_cluster
"""

EXAMPLES = r"""
- name: A database with its application and a reader
  frontdesk.platform.postgresql_objects:
    stack: postgres
    server: db-1
    roles:
      - name: shop
        password: "{{ shop_password }}"
      - name: reports
        password: "{{ reports_password }}"
        connection_limit: 5
    databases:
      - name: shop
        owner: shop
        extensions: [vector, pg_stat_statements]
        access:
          - role: reports
            access: read
"""

RETURN = r"""
changes:
  description: What was, or would be, changed. C(kind) is role, database, extension or access.
  returned: always
  type: list
  elements: dict
  sample:
    - {action: create, kind: extension, name: shop/vector, before: null, after: {}}
reached:
  description: Whether the leader was asked.
  returned: success
  type: bool
"""

import time

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Containers
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_model import ClusterError
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_run import Cluster, LocalRunner
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_objects import (
    parse,
    plan,
    problems,
    reading_script,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_passwords import refusal
from ansible_collections.frontdesk.platform.plugins.module_utils.quiet_module import AnsibleModule
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import connect, engine_arguments, explain


def argument_spec():
    """The options."""
    state = {"type": "str", "choices": ["present", "absent"], "default": "present"}
    role = {
        "name": {"type": "str", "required": True},
        "state": state,
        "password": {"type": "str", "no_log": True},
        "login": {"type": "bool", "default": True},
        "connection_limit": {"type": "int", "default": -1},
        "member_of": {"type": "list", "elements": "str", "default": []},
    }
    access = {
        "role": {"type": "str", "required": True},
        "access": {"type": "str", "choices": ["read", "write"], "default": "read"},
    }
    database = {
        "name": {"type": "str", "required": True},
        "state": state,
        "owner": {"type": "str"},
        "connection_limit": {"type": "int", "default": -1},
        "extensions": {"type": "list", "elements": "str", "default": []},
        "access": {"type": "list", "elements": "dict", "default": [], "options": access},
    }
    return {
        "stack": {"type": "str", "required": True},
        "server": {"type": "str", "required": True},
        "roles": {"type": "list", "elements": "dict", "default": [], "options": role},
        "databases": {"type": "list", "elements": "dict", "default": [], "options": database},
        "rotate": {"type": "list", "elements": "str"},
        "cluster_passwords": {"type": "dict", "no_log": True},
        "optional": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 0},
        **engine_arguments(),
    }


def is_away(error):
    """Whether an error says that there is nobody to ask: no leader, or a container that has just ended."""
    return not isinstance(error, EngineError) or error.status in (404, 409)


def answers(cluster):
    """Whether a leader takes statements at all."""
    try:
        cluster.query("select 1")
    except (ClusterError, EngineError) as error:
        if not is_away(error):
            raise
        return False
    return True


def answers_within(cluster, seconds):
    """Whether a leader takes statements, now or within these seconds."""
    end = time.monotonic() + seconds
    while not answers(cluster):
        if time.monotonic() >= end:
            return False
        time.sleep(1)
    return True


def look(cluster, script, optional, seconds):
    """What is there; None when there is nobody to ask within these seconds, and that is allowed."""
    try:
        return parse(cluster.query(script))
    except (ClusterError, EngineError) as error:
        if not optional or not is_away(error):
            raise
    if not answers_within(cluster, seconds):
        return None
    return parse(cluster.query(script))


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    roles, databases = params["roles"], params["databases"]
    cluster_passwords = params["cluster_passwords"] or {}
    faults = problems(roles, databases)
    if faults:
        module.fail_json(msg=" ".join(faults))
    changes = []
    try:
        runner = LocalRunner(Containers(connect(module), params["docker_socket"]), params["stack"], params["server"])
        cluster = Cluster(runner)
        live = look(
            cluster, reading_script(roles, databases, cluster_passwords), params["optional"], params["wait_timeout"]
        )
        if live is None:
            module.exit_json(changed=False, changes=[], reached=False)
        refused = refusal(live.roles, cluster_passwords, roles, params["rotate"])
        if refused:
            module.fail_json(msg=refused, changes=[])
        wanted = plan(live, roles, databases)
        changes = [change.as_result() for change in wanted.changes]
        if changes and not module.check_mode:
            cluster.query(wanted.script())
    except EngineError as error:
        module.fail_json(msg=explain(error), changes=changes)
    except ClusterError as error:
        module.fail_json(msg=str(error), changes=changes)
    module.exit_json(changed=bool(changes), changes=changes, reached=True, diff=render_diff(wanted.changes))


if __name__ == "__main__":
    main()
