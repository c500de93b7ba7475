#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module swarm_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_info
short_description: Reads the state of a Docker Swarm
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Reads cluster, nodes, services and overlay networks on one of the managers, at the same time. Never returns join tokens.
extends_documentation_fragment:
  - frontdesk.platform.attributes
  - frontdesk.platform.attributes.reading
options:
  docker_socket:
    description: The engine's socket.
    type: path
    default: /var/run/docker.sock
seealso:
  - module: frontdesk.platform.swarm_cluster
  - module: frontdesk.platform.swarm_node
"""

EXAMPLES = r"""
- name: Read the cluster
  frontdesk.platform.swarm_info:
  register: swarm

- name: Stop when a service runs too few tasks
  ansible.builtin.assert:
    that: item.running >= item.wanted
  loop: "{{ swarm.services }}"
"""

RETURN = r"""
cluster:
  description: The cluster.
  returned: success
  type: dict
  contains:
    id:
      description: Number.
      type: str
      sample: u1tlfagtl86olribz3hjsqlgv
    created:
      description: When it was made, ISO 8601.
      type: str
      sample: "2026-11-23T07:48:54.473030675Z"
    updated:
      description: When its settings were last changed, ISO 8601.
      type: str
      sample: "2026-11-23T07:48:54.582132861Z"
    address_pools:
      description: Ranges from which its networks are taken.
      type: list
      elements: str
      sample: [10.200.0.0/16]
    subnet_size:
      description: Prefix length of a network.
      type: int
      sample: 24
    data_path_port:
      description: UDP port of the traffic between containers.
      type: int
      sample: 4789
    task_history_limit:
      description: Ended tasks that are kept for each slot of a service.
      type: int
      sample: 5
    node_certificate_days:
      description: Days that a node's certificate is valid.
      type: float
      sample: 90.0
    autolock:
      description: Whether a manager needs the unlock key after a start.
      type: bool
    ca_expires:
      description: When the cluster's own certificate authority ends, ISO 8601.
      type: str
      sample: "2046-11-18T07:44:00+00:00"
nodes:
  description: The nodes by name.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 7l6qisg2dlxjgw7d8ir1zfjv2
      name: web-1
      role: manager
      availability: active
      state: ready
      leader: true
      reachable: true
      address: 10.20.0.11
      engine_version: 26.1.5
      labels: {frontdesk.edge: "true"}
      tasks: 3
services:
  description:
    - The services by name. C(error) is what the newest failed task says, while fewer run than are wanted.
  returned: success
  type: list
  elements: dict
  sample:
    - name: edge_traefik
      image: traefik:v3.7
      mode: global
      wanted: 3
      running: 3
      update: completed
      update_message: update completed
      nodes: [web-1, web-2, web-3]
      error: null
networks:
  description: The overlay networks by name. C(mtu) is that of the network below, C(container_mtu) what containers see.
  returned: success
  type: list
  elements: dict
  sample:
    - name: edge
      id: h9b7k3l97iba7yop80edbaoye
      mtu: 1450
      container_mtu: 1400
      attachable: false
      internal: false
      encrypted: false
      ingress: false
      subnets: [10.200.1.0/24]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_common import connect, engine_arguments, explain
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_report import read


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=engine_arguments(), supports_check_mode=True)
    try:
        module.exit_json(changed=False, **read(connect(module)))
    except EngineError as error:
        module.fail_json(msg=explain(error))


if __name__ == "__main__":
    main()
