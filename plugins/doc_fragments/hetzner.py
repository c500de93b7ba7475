# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that the modules for Hetzner Cloud share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_token:
    description:
      - Token of the Hetzner Cloud project.
      - Read from the environment variable E(HCLOUD_TOKEN) unless set.
    type: str
    required: true
  api_endpoint:
    description:
      - Address of the API.
      - Read from the environment variable E(HCLOUD_ENDPOINT) unless set.
    type: str
    default: https://api.hetzner.cloud/v1
attributes:
  action_group:
    description: Use C(group/frontdesk.platform.frontdesk) in C(module_defaults) to set defaults for all modules.
    support: full
    membership:
      - frontdesk.platform.frontdesk
requirements:
  - requests >= 2.25
notes:
  - Runs on the controller, so use it with C(hosts=localhost) or C(delegate_to=localhost).
  - Repeats a request while the API is unreachable (30 seconds at most), while its rate limit is used up, and while
    another action runs on the same resource (5 minutes at most).
seealso:
  - name: Hetzner Cloud API
    description: The vendor's documentation.
    link: https://docs.hetzner.cloud
"""
