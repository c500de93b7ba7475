#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module frontdesk.platform.validate_configuration; see DOCUMENTATION below."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_configuration
short_description: Checks all variables of the platform and reports all faults at once
version_added: 1.0.0
description:
  - Checks the variables of the controller and of every host of the group C(frontdesk) against the argument
    specifications of all roles of this collection, the specification of the platform's own variables, and the rules across
    variables that each role keeps beside its specification.
  - Finds unknown names in the roles' namespaces, wrong types, missing and impossible values, variables in places of the
    inventory that lose against the collection's wiring, and an inventory without an explicit C(localhost).
  - Fails once, with one line for each fault, saying the variable, its value and what to do.
  - Values of secrets never appear in the result.
  - Runs on the controller alone. No host is touched, no API is asked, no facts are needed. Hosts with equal variables are
    checked once.
author:
  - The frontdesk.platform authors (@frontdesk-platform)
attributes:
  check_mode:
    description: Can run in check mode and give the same result.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
  action:
    description: Runs on the controller, whatever host the play names.
    support: full
seealso:
  - plugin: frontdesk.platform.secret
    plugin_type: lookup
    description: What the master key is for.
"""

EXAMPLES = r"""
- name: Stop when the configuration has faults
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Check all variables
      frontdesk.platform.validate_configuration:
"""

RETURN = r"""
msg:
  description: How many faults there are, then one line for each with variable, value and remedy, and the hosts when the
    controller does not have it.
  returned: always
  type: str
  sample: |-
    The configuration has 2 faults:
    frontdesk_domain is not set: set it (DNS name that the platform's services lie under, for example V(example.com))
    frontdesk_profile = "sinlge": give one of single, ha; did you mean single?
hosts:
  description: How many hosts were looked at, with the controller.
  returned: always
  type: int
  sample: 4
distinct:
  description: How many of them differ in the variables of the collection.
  returned: always
  type: int
  sample: 1
"""

# The work is done by the action plugin of the same name; this file is its documentation.
