# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for Hetzner Cloud have in common: connection options, and the client made of them."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import DEFAULT_ENDPOINT, HetznerClient
from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import REQUESTS_IMPORT_ERROR


def connection_arguments() -> dict[str, Any]:
    """The options of doc fragment `hetzner`."""
    return {
        "api_token": {
            "type": "str",
            "required": True,
            "no_log": True,
            "fallback": (env_fallback, ["HCLOUD_TOKEN"]),
        },
        "api_endpoint": {
            "type": "str",
            "default": DEFAULT_ENDPOINT,
            "fallback": (env_fallback, ["HCLOUD_ENDPOINT"]),
        },
    }


def connect(module: AnsibleModule) -> HetznerClient:
    """The client for the module's options; fails the module when that cannot be."""
    if REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=REQUESTS_IMPORT_ERROR)
    try:
        return HetznerClient(module.params["api_token"], module.params["api_endpoint"])
    except ValueError as fault:
        module.fail_json(msg=f"Cannot use the Hetzner API: {fault}.")
        raise
