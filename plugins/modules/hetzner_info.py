#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module hetzner_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hetzner_info
short_description: Reads objects of a Hetzner Cloud project
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Reads several kinds of objects at the same time and returns them in a flat form, with names in place of numbers.
extends_documentation_fragment:
  - frontdesk.platform.hetzner
  - frontdesk.platform.attributes
  - frontdesk.platform.attributes.reading
options:
  kinds:
    description: What to read. V(server_type), V(load_balancer_type) and V(location) are Hetzner's catalogue.
    type: list
    elements: str
    choices:
      - server
      - volume
      - load_balancer
      - network
      - firewall
      - ssh_key
      - placement_group
      - server_type
      - load_balancer_type
      - location
    default: [server]
  names:
    description: Only objects with one of these names.
    type: list
    elements: str
    default: []
  label_selector:
    description: Only objects whose labels match, such as V(frontdesk.platform/owner==production). Not for the catalogue.
    type: str
seealso:
  - module: frontdesk.platform.hetzner_infrastructure
"""

EXAMPLES = r"""
- name: Read servers and networks of one environment
  frontdesk.platform.hetzner_info:
    kinds: [server, network]
    label_selector: frontdesk.platform/owner==production
  register: found

- name: Show the private addresses of a server
  ansible.builtin.debug:
    msg: "{{ found.resources.server['web-1'].networks | map(attribute='ip') | list }}"

- name: Read the load balancers
  frontdesk.platform.hetzner_info:
    kinds: [load_balancer]
  register: found

- name: Show the targets that get no visitors, with the reason where the API tells it
  ansible.builtin.debug:
    msg: "{{ found.resources.load_balancer.edge.health | selectattr('status', 'eq', 'unhealthy') | list }}"
"""

RETURN = r"""
resources:
  description:
    - The objects by kind and name.
    - A volume has its C(id), the C(linux_device) by which its server mounts it, and the name of that C(server), or null.
    - A load balancer has in C(health) one entry for every target and service, also for each server that a label selector
      matches, with C(server) or C(ip), C(listen_port), C(status) (V(healthy), V(unhealthy) or V(unknown)) and, where the API
      tells them, C(detail) and C(http_status_code).
  returned: success
  type: dict
  sample: {"server": {"web-1": {"name": "web-1", "id": 42, "status": "running", "public_ipv4": "192.0.2.7"}}}
api_calls:
  description: Number of requests sent.
  returned: always
  type: int
  sample: 3
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerError
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_look import look
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_module import connect, connection_arguments


def argument_spec():
    """The options."""
    kinds = [
        "server",
        "volume",
        "load_balancer",
        "network",
        "firewall",
        "ssh_key",
        "placement_group",
        "server_type",
        "load_balancer_type",
        "location",
    ]
    return {
        **connection_arguments(),
        "kinds": {"type": "list", "elements": "str", "choices": kinds, "default": ["server"]},
        "names": {"type": "list", "elements": "str", "default": []},
        "label_selector": {"type": "str"},
    }


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    client = connect(module)
    options = module.params
    try:
        resources = look(client, list(dict.fromkeys(options["kinds"])), options["names"], options["label_selector"])
    except HetznerError as error:
        module.fail_json(msg=str(error), api_calls=client.calls)
    module.exit_json(changed=False, resources=resources, api_calls=client.calls)


if __name__ == "__main__":
    main()
