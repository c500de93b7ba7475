#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module http_check."""

from __future__ import annotations

DOCUMENTATION = r"""
module: http_check
short_description: Asks many HTTP endpoints at once how they are
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Sends one request to each endpoint, all at the same time, and judges status, content and certificate as a visitor's
    browser would.
  - Endpoints that are unhealthy are asked again until O(wait) seconds are over.
  - Does not follow redirects, so that a redirect can be what is asked for.
extends_documentation_fragment:
  - frontdesk.platform.attributes
  - frontdesk.platform.attributes.reading
options:
  endpoints:
    description: What is asked.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the endpoint is called in the result.
        type: str
        required: true
      url:
        description: The address, of scheme http or https.
        type: str
        required: true
      address:
        description:
          - Where to connect, when that is not what the DNS says about the name in O(endpoints[].url), for example because the
            name is not in the DNS yet. The certificate must still be valid for the name.
        type: str
      status:
        description: The status codes that count as healthy.
        type: list
        elements: int
        default: [200]
      contains:
        description: Words that the page must hold.
        type: str
      ca:
        description: Certificate authorities, in PEM, that are trusted instead of the machine's own.
        type: str
      least_days:
        description: The fewest days for which the certificate must still be valid.
        type: float
        default: 0
      timeout:
        description: Seconds for the connection, and for each silence after it.
        type: float
        default: 10
  wait:
    description: Seconds in which all endpoints must have become healthy.
    type: float
    default: 0
  fail:
    description: Whether an unhealthy endpoint makes the module fail.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: See that the shop answers, before its name is in the DNS
  frontdesk.platform.http_check:
    wait: 30
    endpoints:
      - name: shop
        url: https://shop.example.com/
        address: 203.0.113.7
        contains: Welcome
        least_days: 14
      - name: redirect
        url: http://shop.example.com/
        address: 203.0.113.7
        status: [301, 308]
  delegate_to: localhost
"""

RETURN = r"""
endpoints:
  description: What came of each, in the given order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The endpoint's name.
      type: str
      sample: shop
    url:
      description: Its address.
      type: str
      sample: https://shop.example.com/
    healthy:
      description: Whether everything was as wanted.
      type: bool
      sample: true
    error:
      description: What was wrong; empty when nothing was.
      type: str
      sample: it answered 502 and not 200
    status:
      description: The status code; null when no answer came.
      type: int
      sample: 200
    seconds:
      description: How long the last try took.
      type: float
      sample: 0.041
    certificate_days:
      description: Full days for which the certificate is still valid; null without TLS or without an answer.
      type: int
      sample: 89
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.http_probe import ask_all, probe_of


def argument_spec():
    """The options."""
    endpoint = {
        "name": {"type": "str", "required": True},
        "url": {"type": "str", "required": True},
        "address": {"type": "str"},
        "status": {"type": "list", "elements": "int", "default": [200]},
        "contains": {"type": "str"},
        "ca": {"type": "str"},
        "least_days": {"type": "float", "default": 0},
        "timeout": {"type": "float", "default": 10},
    }
    return {
        "endpoints": {"type": "list", "elements": "dict", "required": True, "options": endpoint},
        "wait": {"type": "float", "default": 0},
        "fail": {"type": "bool", "default": True},
    }


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    probes = [probe_of(options) for options in module.params["endpoints"]]
    findings = ask_all(probes, module.params["wait"])
    result = {"changed": False, "endpoints": [finding.as_result() for finding in findings]}
    unhealthy = [f"{finding.name} ({finding.url}): {finding.error}" for finding in findings if finding.error]
    if unhealthy and module.params["fail"]:
        module.fail_json(msg=f"{'; '.join(unhealthy)}.", **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
