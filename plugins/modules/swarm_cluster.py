#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module swarm_cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_cluster
short_description: Nodes, networks and settings of a Docker Swarm
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Brings a cluster to the wanted state in one call on one of its managers. Reads nodes, networks and settings once, at the same
    time, compares, and writes what differs. Nodes, labels, networks and settings that are not mentioned survive.
  - Everything that cannot be done is refused before the first write.
  - A change of roles never leaves fewer managers than the majority needs.
  - Nodes are taken out in two steps. O(evacuate) drains them, waits until their tasks run elsewhere and makes them workers; then
    they leave by M(frontdesk.platform.swarm_node) with O(frontdesk.platform.swarm_node#module:state=absent); then O(remove) removes
    their entries.
  - Within one call the order is O(stale), O(evacuate), O(remove), settings, nodes, networks, O(rotate_tokens).
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Every run with O(rotate_tokens) makes new tokens.
options:
  nodes:
    description: Nodes that are to be as described. Others are not touched.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in the results, and the host name by which the node is found when O(nodes[].id) is not set.
        type: str
        required: true
      id:
        description: The node's number.
        type: str
      role:
        description: Whether it is a manager. Managers become workers last, one after the other.
        type: str
        choices: [manager, worker]
      availability:
        description:
          - Whether it takes tasks. A node that the reboot hook has drained keeps that for an hour.
        type: str
        choices: [active, pause, drain]
      labels:
        description: Labels. Others that begin with O(label_prefix) are removed, the rest stays.
        type: dict
      planned:
        description: Whether the node is not there yet, in check mode, because a task before would have made it join.
        type: bool
        default: false
  label_prefix:
    description: What the names of our labels begin with.
    type: str
    default: frontdesk.
  networks:
    description: Overlay networks. Others are not touched.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
      mtu:
        description:
          - Bytes of a packet on the network that carries it, such as V(1450) on a private network at Hetzner. Containers see 50 less,
            and with encryption 76 less. O(mtu) unless set.
        type: int
      attachable:
        description: Whether containers that are no service may join it.
        type: bool
        default: false
      internal:
        description: Whether it has no way to the outside.
        type: bool
        default: false
      encrypted:
        description: Whether its traffic between nodes is encrypted (IPsec).
        type: bool
        default: false
  mtu:
    description: MTU of networks that say none of their own. The engine's 1500 unless set.
    type: int
  ingress:
    description:
      - The network of the routing mesh, which opens a published port on every node. V(absent) removes it, V(present) gives it O(mtu),
        V(ignored) leaves it.
    type: str
    choices: [absent, present, ignored]
    default: ignored
  replace:
    description: Names of networks that may be removed and made again, where they differ. Only when nothing uses them.
    type: list
    elements: str
    default: []
  address_pools:
    description: Ranges that the cluster has to have been made with. Not looked at unless set.
    type: list
    elements: str
    default: []
  subnet_size:
    description: Prefix length that the cluster has to have been made with.
    type: int
  data_path_port:
    description: UDP port that the cluster has to have been made with.
    type: int
  task_history_limit:
    description: Ended tasks that are kept for each slot of a service.
    type: int
  node_certificate_days:
    description: Days that a node's certificate is valid. The cluster renews it by itself.
    type: int
  autolock:
    description:
      - Whether a manager's engine needs the unlock key after each start (C(docker swarm unlock-key) shows it).
        Without somebody who gives it, no manager comes back after a reboot.
    type: bool
  fingerprint:
    description:
      - A text that tells what the cluster is derived from, such as the one that P(frontdesk.platform.secret#lookup) gives. The cluster keeps the
        first one, and another one is refused before anything is written. Not looked at when empty.
    type: str
  rotate_tokens:
    description: Join tokens that are made anew; the old ones count no more. Members are not concerned.
    type: list
    elements: str
    choices: [manager, worker]
    default: []
  join_tokens:
    description: Whether to return the join tokens. Use C(no_log) on the task.
    type: bool
    default: false
  stale:
    description:
      - Host names of servers whose engine is in no cluster. Entries of nodes with such a name, other than those in O(nodes) and
        O(known), are left from a former life of the server, and are removed.
    type: list
    elements: str
    default: []
  known:
    description: Numbers of nodes whose servers answered, so that they are not O(stale) whatever their host name.
    type: list
    elements: str
    default: []
  evacuate:
    description: Host names of nodes that are to leave. Those that are not in the cluster count as done.
    type: list
    elements: str
    default: []
  remove:
    description: Host names of nodes that have left, and whose entries are removed.
    type: list
    elements: str
    default: []
  unreachable:
    description: Those in O(evacuate) and O(remove) on which nothing answers. Refused without O(remove_dead).
    type: list
    elements: str
    default: []
  remove_dead:
    description: Whether the entries of O(unreachable) nodes are removed by force.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for the effect of a write, such as tasks that move to other nodes.
    type: int
    default: 300
  docker_socket:
    description: The engine's socket.
    type: path
    default: /var/run/docker.sock
seealso:
  - module: frontdesk.platform.swarm_node
  - module: frontdesk.platform.swarm_info
  - module: frontdesk.platform.swarm_stack
"""

EXAMPLES = r"""
- name: Label nodes, and make a network for packets of 1450 bytes
  frontdesk.platform.swarm_cluster:
    nodes:
      - name: web-1
        role: manager
        availability: active
        labels: {frontdesk.edge: "true"}
      - name: web-2
        role: worker
        labels: {}
    networks:
      - name: edge
        mtu: 1450
    ingress: absent

- name: Take a node out, until only its own leaving is left
  frontdesk.platform.swarm_cluster:
    evacuate: [web-2]

- name: Make new join tokens
  frontdesk.platform.swarm_cluster:
    rotate_tokens: [manager, worker]
"""

RETURN = r"""
cluster_id:
  description: The cluster's number.
  returned: success
  type: str
  sample: u1tlfagtl86olribz3hjsqlgv
join_tokens:
  description: The tokens by role. Secrets.
  returned: with O(join_tokens)
  type: dict
changes:
  description: The writes, in their order; in check mode those that would be made. After a failure those that were made.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: What is done.
      type: str
      sample: update
    kind:
      description: V(cluster), V(node), V(network) or V(join_token).
      type: str
      sample: node
    name:
      description: Name of the object.
      type: str
      sample: web-1
    before:
      description: The fields that differ, as they were; null for a creation.
      type: dict
      sample: {"availability": "drain"}
    after:
      description: The fields that differ, as they are to be; null for a deletion.
      type: dict
      sample: {"availability": "active"}
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

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import (
    SwarmError,
    connect,
    engine_arguments,
    explain,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_run import ClusterRun

NAMES = {"type": "list", "elements": "str", "default": []}
ROLES = ["manager", "worker"]
NODE = {
    "name": {"type": "str", "required": True},
    "id": {"type": "str"},
    "role": {"type": "str", "choices": ROLES},
    "availability": {"type": "str", "choices": ["active", "pause", "drain"]},
    "labels": {"type": "dict"},
    "planned": {"type": "bool", "default": False},
}
NETWORK = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "mtu": {"type": "int"},
    "attachable": {"type": "bool", "default": False},
    "internal": {"type": "bool", "default": False},
    "encrypted": {"type": "bool", "default": False},
}


def argument_spec():
    """The options."""
    return {
        **engine_arguments(),
        "nodes": {"type": "list", "elements": "dict", "options": NODE},
        "label_prefix": {"type": "str", "default": "frontdesk."},
        "networks": {"type": "list", "elements": "dict", "options": NETWORK},
        "mtu": {"type": "int"},
        "ingress": {"type": "str", "choices": ["absent", "present", "ignored"], "default": "ignored"},
        "replace": NAMES,
        "address_pools": NAMES,
        "subnet_size": {"type": "int"},
        "data_path_port": {"type": "int"},
        "task_history_limit": {"type": "int"},
        "node_certificate_days": {"type": "int"},
        "autolock": {"type": "bool"},
        "fingerprint": {"type": "str"},
        "rotate_tokens": {"type": "list", "elements": "str", "choices": ROLES, "default": [], "no_log": False},
        "join_tokens": {"type": "bool", "default": False, "no_log": False},
        "stale": NAMES,
        "known": NAMES,
        "evacuate": NAMES,
        "remove": NAMES,
        "unreachable": NAMES,
        "remove_dead": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 300},
    }


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run = ClusterRun(connect(module), module.params, module.check_mode)
    try:
        result = run.run()
    except SwarmError as error:
        module.fail_json(msg=str(error), **run.result())
    except EngineError as error:
        module.fail_json(msg=explain(error), **run.result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
