#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module swarm_node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_node
short_description: This node's membership in a Docker Swarm
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Brings the node on which it runs into a cluster or out of it, and tells what it is.
  - Without O(init) and O(join_token) it changes no membership; it looks, and refuses what cannot stay as it is.
  - A node that is in its cluster already is left alone, whatever O(role) says. The role of a member, its labels and its
    availability belong to M(frontdesk.platform.swarm_cluster), which runs on a manager.
  - Before a node enters a cluster, what a former one left on it is removed (containers of tasks, interfaces, network namespaces),
    because it bars the networks of the next. An engine that still gossips with a former cluster is restarted.
  - Two runs at the same moment do no harm. The one that comes second finds the node where it is wanted.
  - Needs an engine of version 20.10 or newer, and nothing else; it uses the engine's socket.
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
  state:
    description: V(absent) leaves the cluster. What the node runs of the cluster stops with it.
    type: str
    choices: [present, absent]
    default: present
  init:
    description: Whether to begin a new cluster with this node, when it is in none.
    type: bool
    default: false
  join_token:
    description: Token of the cluster to join, when the node is in none. It decides about the role.
    type: str
  remote_addresses:
    description: Addresses of managers of that cluster, with or without their port.
    type: list
    elements: str
    default: []
  role:
    description: The role that O(join_token) gives; for the result in check mode.
    type: str
    choices: [manager, worker]
    default: worker
  availability:
    description: Availability with which the node joins.
    type: str
    choices: [active, pause, drain]
    default: active
  cluster_id:
    description: The cluster in which a manager has to be, if it is in one.
    type: str
  advertise_address:
    description:
      - This node's private address, at which the others reach it. Needed to begin or join a cluster.
      - Chosen at the join. A member with another address is refused.
    type: str
  data_path_address:
    description: Address for the traffic of containers. O(advertise_address) unless set.
    type: str
  listen_address:
    description: Address at which a manager listens. O(advertise_address) unless set.
    type: str
  address_pools:
    description: With O(init), ranges from which the cluster's networks are taken. Cannot be changed later.
    type: list
    elements: str
    default: []
  subnet_size:
    description: With O(init), prefix length of a network. Cannot be changed later.
    type: int
    default: 24
  data_path_port:
    description: With O(init), UDP port of the traffic between containers (VXLAN). Cannot be changed later.
    type: int
    default: 4789
  task_history_limit:
    description: With O(init), ended tasks that are kept for each slot of a service.
    type: int
  node_certificate_days:
    description: With O(init), days that a node's certificate is valid. The cluster renews it by itself.
    type: int
  fingerprint:
    description: With O(init), the text that the cluster keeps for O(frontdesk.platform.swarm_cluster#module:fingerprint).
    type: str
  mtu:
    description:
      - Bytes of a packet on the bridge C(docker_gwbridge). The engine makes it with 1500 when a node joins, so it is made before.
      - A member whose bridge has another MTU gets a warning.
    type: int
  force:
    description:
      - With O(state=absent), leave as a manager too. The other managers take it for one that is down, and the last one gives up the
        cluster with all services, secrets and configs.
    type: bool
    default: false
  reboot_hooks_directory:
    description:
      - Folder whose C(before.d) and C(after.d) are run through around a reboot. O(reboot_hook) is installed into both, as
        C(20-swarm-drain) and C(20-swarm-active); with O(state=absent) it is removed.
    type: path
  reboot_hook:
    description: Text of the program that is installed.
    type: str
  wait_timeout:
    description: Seconds to wait for the cluster to take the node, or to let it go.
    type: int
    default: 60
  docker_socket:
    description: The engine's socket.
    type: path
    default: /var/run/docker.sock
seealso:
  - module: frontdesk.platform.swarm_cluster
  - module: frontdesk.platform.swarm_info
"""

EXAMPLES = r"""
- name: Begin a cluster
  frontdesk.platform.swarm_node:
    init: true
    role: manager
    advertise_address: 10.20.0.11
    address_pools: [10.200.0.0/16]
    mtu: 1450

- name: Join it
  frontdesk.platform.swarm_node:
    join_token: "{{ swarm_tokens.join_tokens.worker }}"
    remote_addresses: [10.20.0.11]
    advertise_address: 10.20.0.14
    mtu: 1450

- name: Leave it
  frontdesk.platform.swarm_node:
    state: absent
"""

RETURN = r"""
node:
  description: What the node is, after the run; in check mode what it would be.
  returned: success
  type: dict
  contains:
    name:
      description: Its host name.
      type: str
      sample: web-1
    id:
      description: Its number in the cluster; empty in none, and for a manager while its cluster has no leader.
      type: str
      sample: 7l6qisg2dlxjgw7d8ir1zfjv2
    member:
      description: Whether it is in a cluster.
      type: bool
    state:
      description: The engine's word, V(inactive), V(pending), V(active), V(error) or V(locked).
      type: str
      sample: active
    role:
      description: V(manager) or V(worker); null in no cluster.
      type: str
      sample: manager
    address:
      description: Address at which the others reach it.
      type: str
      sample: 10.20.0.11
    cluster_id:
      description: The cluster, which only managers know.
      type: str
      sample: u1tlfagtl86olribz3hjsqlgv
    leader:
      description: V(false) on a manager whose cluster has no leader.
      type: bool
    managers:
      description: Addresses of the managers that it knows.
      type: list
      elements: str
      sample: ["10.20.0.11:2377"]
    engine_version:
      description: Version of its engine.
      type: str
      sample: 26.1.5
    fingerprint:
      description: What the cluster keeps for O(frontdesk.platform.swarm_cluster#module:fingerprint), which only managers know.
      type: str
      sample: 3d0c6dd3a8e1b9f7c2a4e6f81b0d5c97
    planned:
      description: Whether it would only be so, in check mode.
      type: bool
changes:
  description: The writes; in check mode those that would be made.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: What is done.
      type: str
      sample: create
    kind:
      description: V(cluster), V(membership), V(network), V(leftover), V(engine) or V(reboot_hook).
      type: str
      sample: membership
    name:
      description: Name of the node, the network or the file.
      type: str
      sample: web-1
    before:
      description: The fields that differ, as they were; null for a creation.
      type: dict
    after:
      description: The fields that differ, as they are to be; null for a deletion.
      type: dict
      sample: {"role": "worker", "address": "10.20.0.14"}
api_reads:
  description: Number of questions to the engine.
  returned: always
  type: int
  sample: 3
api_writes:
  description: Number of writes to the engine.
  returned: always
  type: int
  sample: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import (
    SwarmError,
    connect,
    engine_arguments,
    explain,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_hooks import install_hooks, remove_hooks
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_join import NodeRun
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_leftovers import Leftovers


def argument_spec():
    """The options."""
    return {
        **engine_arguments(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "init": {"type": "bool", "default": False},
        "join_token": {"type": "str", "no_log": True},
        "remote_addresses": {"type": "list", "elements": "str", "default": []},
        "role": {"type": "str", "choices": ["manager", "worker"], "default": "worker"},
        "availability": {"type": "str", "choices": ["active", "pause", "drain"], "default": "active"},
        "cluster_id": {"type": "str"},
        "advertise_address": {"type": "str"},
        "data_path_address": {"type": "str"},
        "listen_address": {"type": "str"},
        "address_pools": {"type": "list", "elements": "str", "default": []},
        "subnet_size": {"type": "int", "default": 24},
        "data_path_port": {"type": "int", "default": 4789},
        "task_history_limit": {"type": "int"},
        "node_certificate_days": {"type": "int"},
        "fingerprint": {"type": "str"},
        "mtu": {"type": "int"},
        "force": {"type": "bool", "default": False},
        "reboot_hooks_directory": {"type": "path"},
        "reboot_hook": {"type": "str"},
        "wait_timeout": {"type": "int", "default": 60},
    }


def hooks(options, check_mode):
    """Install or remove the reboot hooks; the changes."""
    if not options["reboot_hooks_directory"]:
        return []
    if options["state"] == "absent":
        return remove_hooks(options["reboot_hooks_directory"], check_mode)
    return install_hooks(options["reboot_hooks_directory"], options["reboot_hook"], check_mode)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        mutually_exclusive=[("init", "join_token")],
    )
    options = module.params
    if options["state"] == "present" and options["reboot_hooks_directory"] and not options["reboot_hook"]:
        module.fail_json(msg="reboot_hooks_directory is set and reboot_hook is not; give the text of the program.")
    engine = connect(module)
    leftovers = Leftovers(module.run_command)
    run = NodeRun(engine, options, module.check_mode, leftovers)
    text = None
    node = None
    try:
        run.changes += hooks(options, module.check_mode)
        node = run.present() if options["state"] == "present" else run.absent()
    except SwarmError as error:
        text = str(error)
    except EngineError as error:
        text = explain(error)
    except OSError as error:
        text = f"Cannot write {error.filename}: {error.strerror}."
    result = {
        "changed": bool(run.changes),
        "changes": [change.as_result() for change in run.changes],
        "diff": render_diff(run.changes),
        "api_reads": engine.reads,
        "api_writes": engine.writes,
    }
    if text:
        module.fail_json(msg=text, **result)
    for warning in run.warnings:
        module.warn(warning)
    module.exit_json(node=node, **result)


if __name__ == "__main__":
    main()
