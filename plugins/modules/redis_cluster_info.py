#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module redis_cluster_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_cluster_info
short_description: Who is the primary of a Redis cluster, and whether all others follow
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Asks all members and Sentinels of the cluster of role C(frontdesk.platform.redis), from a node of the swarm that has one of them.
  - Can wait until the cluster is whole, which is when one member is the primary in the eyes of all Sentinels, all others stream from it,
    and all Sentinels know each other.
  - Works inside the container through the engine's socket. No password passes through it; O(passwords) are compared by their hashes.
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
    details:
      - Looks once, because what an earlier task would have changed never comes.
  diff_mode:
    support: none
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
  wait_timeout:
    description:
      - Seconds to wait until the cluster is whole. When it is not by then, the module fails and says why.
      - V(0) looks once and does not fail.
    type: int
    default: 0
  passwords:
    description:
      - Passwords by user, such as V(default) and V(admin), to compare with those that the members have.
    type: dict
  docker_socket:
    description: The engine's socket.
    type: path
    default: /var/run/docker.sock
seealso:
  - module: frontdesk.platform.swarm_stack
"""

EXAMPLES = r"""
- name: Wait until all replicas stream
  frontdesk.platform.redis_cluster_info:
    stack: redis
    server: node-1
    wait_timeout: 60
"""

RETURN = r"""
primary:
  description: Name of the primary, empty when there is none.
  returned: always
  type: str
  sample: redis-node-1
order:
  description: All members in the order of a change, replicas first.
  returned: always
  type: list
  elements: str
  sample: [redis-node-2, redis-node-3, redis-node-1]
members:
  description: The members. C(offset) counts the bytes of changes that a member has.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: redis-node-2, role: replica, following: redis-node-1, streaming: true, offset: 1204}
sentinels:
  description: The Sentinels, with whom they call the primary, and how many other Sentinels and replicas they know.
  returned: always
  type: list
  elements: dict
  sample:
    - {name: sentinel-node-1, primary: redis-node-1, sentinels: 2, replicas: 2}
compared:
  description: Members whose passwords were compared; those that do not answer are not among them.
  returned: with O(passwords)
  type: list
  elements: str
  sample: [redis-node-1, redis-node-2, redis-node-3]
other_passwords:
  description: Users of O(passwords) that have another password in one of these members.
  returned: with O(passwords)
  type: list
  elements: str
  sample: []
problems:
  description: What keeps the cluster from being whole.
  returned: always
  type: list
  elements: str
  sample: [redis-node-3 has no connection to redis-node-1 yet.]
"""

import time

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Containers
from ansible_collections.frontdesk.platform.plugins.module_utils.quiet_module import AnsibleModule
from ansible_collections.frontdesk.platform.plugins.module_utils.redis_cluster import (
    await_whole,
    other_passwords,
    parse_look,
    parse_users,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import connect, engine_arguments, explain

SHELL = ("/bin/sh", "-c")
LOOK = (*SHELL, ". /etc/frontdesk/common.sh && look")
# A program of its own, for members of an older release as well.
USERS = (
    *SHELL,
    '. /etc/frontdesk/common.sh && for member in $REDIS_MEMBERS; do echo "@member $member"; ask "$member" 6379 ACL LIST || :; done',
)


def argument_spec():
    """The options."""
    return {
        "stack": {"type": "str", "required": True},
        "server": {"type": "str", "required": True},
        "wait_timeout": {"type": "int", "default": 0},
        "passwords": {"type": "dict", "no_log": True},
        **engine_arguments(),
    }


def ask(containers, stack, server, program):
    """What a program says in the member on this node, or in the Sentinel when the member does not run."""
    for kind in ("redis", "sentinel"):
        container = containers.find(f"{stack}_{kind}-{server}")
        if container:
            return containers.run(container, program).stdout
    return ""


def look(containers, stack, server):
    """One look."""
    return parse_look(ask(containers, stack, server, LOOK))


def compare(containers, params):
    """The part of the result about passwords."""
    if params["passwords"] is None:
        return {}
    users = parse_users(ask(containers, params["stack"], params["server"], USERS))
    return {"compared": sorted(users), "other_passwords": other_passwords(users, params["passwords"])}


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    timeout = 0 if module.check_mode else params["wait_timeout"]
    containers = Containers(connect(module), params["docker_socket"])
    try:
        view, problems = await_whole(
            lambda: look(containers, params["stack"], params["server"]), timeout, time.monotonic, time.sleep
        )
        compared = compare(containers, params)
    except EngineError as error:
        module.fail_json(msg=explain(error))
    result = {
        "primary": view.primary,
        "order": view.order,
        "members": [member.as_result() for member in view.members],
        "sentinels": [sentinel.as_result() for sentinel in view.sentinels],
        "problems": problems,
        **compared,
    }
    if problems and timeout:
        module.fail_json(msg=f"Redis is not whole after {timeout} s: {' '.join(problems)}", **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
