#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_bucket_check
short_description: See from a host that an S3 bucket can be used
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Lists the bucket, stores a small object, reads it again and deletes it. What does not work fails the task with one sentence
    that names the remedy (no such bucket, a wrong key, a missing permission, a wrong clock, no way to the endpoint).
  - Run it on the host that will use the bucket, before something is set up that does.
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
    details:
      - Lists only, and so does not find a permission to write that is missing.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - Leaves nothing behind.
options:
  endpoint:
    description: Address of the S3 API. The bucket's name is put into the path.
    type: str
    required: true
  region:
    description: Region that requests are signed for. Cloudflare R2 takes V(auto).
    type: str
    default: auto
  bucket:
    description: Name of the bucket.
    type: str
    required: true
  access_key:
    description: Access key ID.
    type: str
    required: true
  secret_key:
    description: Secret access key.
    type: str
    required: true
  prefix:
    description: Folder in the bucket that will be used.
    type: str
    required: true
  write:
    description: Whether to try writing.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: See that the bucket of the registry can be used
  frontdesk.platform.s3_bucket_check:
    endpoint: https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com
    bucket: acme-registry
    access_key: "{{ registry_access_key }}"
    secret_key: "{{ registry_secret_key }}"
    prefix: registry
"""

RETURN = r"""
bucket:
  description: The bucket that was asked.
  returned: success
  type: str
  sample: acme-registry
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.s3_check import bucket_fault
from ansible_collections.frontdesk.platform.plugins.module_utils.s3_client import S3Bucket


def argument_spec():
    """The options."""
    required = {"type": "str", "required": True}
    return {
        "endpoint": required,
        "region": {"type": "str", "default": "auto"},
        "bucket": required,
        "access_key": {**required, "no_log": True},
        "secret_key": {**required, "no_log": True},
        "prefix": required,
        "write": {"type": "bool", "default": True},
    }


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    names = ("endpoint", "region", "bucket", "access_key", "secret_key")
    bucket = S3Bucket(**{name: module.params[name] for name in names})
    fault = bucket_fault(bucket, module.params["prefix"], module.params["write"] and not module.check_mode)
    if fault:
        module.fail_json(msg=fault)
    module.exit_json(changed=False, bucket=bucket.bucket)


if __name__ == "__main__":
    main()
