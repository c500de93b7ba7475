# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter swarm_formation: how hosts form one Docker Swarm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.frontdesk.platform.plugins.plugin_utils.swarm_formation import formation

DOCUMENTATION = r"""
name: swarm_formation
short_description: Who begins a cluster, who joins it, whom to ask
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Decides from what M(frontdesk.platform.swarm_node) told about each host. Never lets a second cluster begin while it is not known
    of every host that it is in none.
positional: managers, hosts, fingerprint
options:
  _input:
    description: RV(frontdesk.platform.swarm_node#module:node) of each host that answered, by host.
    type: dict
    required: true
  managers:
    description: Hosts that are to be managers, in the order in which they are preferred.
    type: list
    elements: str
    required: true
  hosts:
    description: All hosts that belong to the cluster, with those that did not answer.
    type: list
    elements: str
    default: []
  fingerprint:
    description: Fingerprint that the cluster has to have, if it keeps one. Another one is a fault.
    type: str
    default: ""
seealso:
  - plugin: frontdesk.platform.swarm_node
    plugin_type: module
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    formation: "{{ reports | frontdesk.platform.swarm_formation(['web-1', 'web-2', 'web-3']) }}"
"""

RETURN = r"""
_value:
  description:
    - C(fault), a sentence that says what forbids all, or an empty text; C(speaker), the manager to talk to; C(init), the host that begins the
      cluster, or an empty text; C(missing), hosts that are in none;
      C(joining), those of them that do not begin it; C(known), numbers of the nodes that are in it; C(managers), addresses to join at; C(cluster_id).
  type: dict
"""


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By short name."""
        return {"swarm_formation": formation}
