#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module hetzner_known_hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hetzner_known_hosts
short_description: Records the SSH host keys of Hetzner Cloud servers once
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Asks each new server for its ED25519 host key, writes the key into a known_hosts file, and a digest of it into the
    server's label C(frontdesk.platform/ssh-host-key).
  - The first answer of a server is trusted. From then on the label is the reference for every operator and every machine.
    A server that shows another key, or a file that has another one, stops the run.
  - Does not ask servers that are recorded. Then it costs one request to the API.
  - Lines of other programs in the file stay as they are. Lines of this module have a comment that names their server.
  - Servers that are switched off, or have no address of the wanted sort, are skipped and returned in RV(passed_over).
extends_documentation_fragment:
  - frontdesk.platform.hetzner
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
    details:
      - Does not ask the servers, so the keys are unknown in it.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  owner:
    description: Only servers with this value of the label C(frontdesk.platform/owner).
    type: str
  label_selector:
    description: Only servers whose labels match.
    type: str
  path:
    description: The known_hosts file. Created with mode 0600.
    type: path
    required: true
  address:
    description:
      - Which address is asked and recorded, V(public) (IPv4, else IPv6) or V(private) (in the server's first network).
    type: str
    choices: [public, private]
    default: public
  port:
    description: Port of the SSH server.
    type: int
    default: 22
  wait_timeout:
    description: Seconds in which all new servers must have answered.
    type: int
    default: 300
  prune:
    description:
      - Whether to remove the lines of servers that are gone, of the same O(owner) or O(label_selector).
      - A line whose address or name belongs to a new server is removed in any case.
    type: bool
    default: false
  planned:
    description:
      - The RV(frontdesk.platform.hetzner_infrastructure#module:changes) of the task before, for check mode alone.
        The servers that they would create or delete are not there or still there, and the prediction takes them into account.
    type: list
    elements: dict
    default: []
seealso:
  - module: frontdesk.platform.hetzner_infrastructure
"""

EXAMPLES = r"""
- name: Record the host keys of an environment
  frontdesk.platform.hetzner_known_hosts:
    owner: production
    path: "{{ inventory_dir }}/known_hosts.txt"
    prune: true
"""

RETURN = r"""
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
      description: V(known_host) for a line of the file, V(server) for a label.
      type: str
      sample: known_host
    name:
      description: Name of the server.
      type: str
      sample: web-1
    before:
      description: What was there; null for a creation.
      type: dict
      sample: {"labels": {}}
    after:
      description: What is there now; null for a deletion.
      type: dict
      sample: {"hosts": ["192.0.2.7", "web-1"], "digest": "mzxw6ytb"}
passed_over:
  description: Servers that could not be asked, with the reason.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "web-9", "reason": "is switched off"}]
api_calls:
  description: Number of requests sent.
  returned: always
  type: int
  sample: 1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerError
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_host_keys import scanned_keys
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_module import connect, connection_arguments
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_record import RecordError, record

# Seconds for one connection; a server that is up answers in milliseconds.
SCAN_TIMEOUT = 5


def argument_spec():
    """The options."""
    return {
        **connection_arguments(),
        "owner": {"type": "str"},
        "label_selector": {"type": "str"},
        "path": {"type": "path", "required": True},
        "address": {"type": "str", "choices": ["public", "private"], "default": "public"},
        "port": {"type": "int", "default": 22},
        "wait_timeout": {"type": "int", "default": 300},
        "prune": {"type": "bool", "default": False},
        "planned": {"type": "list", "elements": "dict", "default": []},
    }


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        mutually_exclusive=[("owner", "label_selector")],
        required_one_of=[("owner", "label_selector")],
    )
    client = connect(module)
    options = module.params
    if not options["owner"] and not options["label_selector"]:
        # An empty value would select the servers of everybody.
        module.fail_json(msg="owner or label_selector must not be empty.")

    def scan(addresses):
        # One process asks all addresses at the same time. Servers that do not answer make it fail; that is expected.
        program = module.get_bin_path("ssh-keyscan", required=True)
        command = [program, "-T", str(SCAN_TIMEOUT), "-t", "ed25519", "-p", str(options["port"]), *addresses]
        _code, output, _errors = module.run_command(command)
        return scanned_keys(output)

    try:
        result = record(client, options, scan, module.check_mode)
    except HetznerError as error:
        module.fail_json(msg=str(error), changes=[], api_calls=client.calls)
    except RecordError as error:
        module.fail_json(msg=str(error), **error.result)
    except OSError as error:
        module.fail_json(msg=f"Cannot use {options['path']}: {error.strerror}.", changes=[], api_calls=client.calls)
    for server in result["passed_over"]:
        module.warn(f"The host key of {server['name']} is not recorded: the server {server['reason']}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
