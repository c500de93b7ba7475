#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_build
short_description: Have a container image in a registry, built from a folder of the controller
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - The image's tag is a hash of everything it is built from, that is O(context), O(base), O(arguments) and O(revision). So the registry is asked
    for this tag, by one request, and when it has it nothing else happens.
  - Otherwise the engine of this host pulls the base, builds the image with its classic builder and pushes it. The image is
    then the same for all nodes, by the digest in RV(image).
  - A base that moved on, and newer packages, do not by themselves lead to another image, because that would restart what runs from
    it in the middle of an unrelated run. Ask for them by another O(revision), or by a O(base) with its digest.
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
    details:
      - Predicts the tag. The digest of an image that is not built yet is not known, so RV(image) has none then.
      - A registry that does not listen yet is taken for an empty one, with a warning.
  diff_mode:
    support: full
  idempotent:
    support: full
requirements:
  - Docker Engine >= 20.10 on the target. Nothing else, no Python packages.
options:
  name:
    description: Path of the image in the registry, in lower case, such as V(frontdesk/postgres).
    type: str
    required: true
  context:
    description:
      - The build context, a tar in Base64, compressed or not, as P(frontdesk.platform.build_context#lookup) makes it.
      - Its C(Dockerfile) begins with C(ARG BASE) and C(FROM ${BASE}).
    type: str
    required: true
  base:
    description:
      - Image that it is built on, with a tag or a digest. The C(Dockerfile) gets it as the build argument C(BASE), with the digest
        that it has at that time.
    type: str
    required: true
  arguments:
    description: Further build arguments. No secrets, because everybody who has the image sees them.
    type: dict
    default: {}
  revision:
    description:
      - Any text, such as a date. With another one the image is built again, without the engine's layers of before, and so with
        the newest base and packages.
    type: str
    default: ""
  registry:
    description: Address of the registry, as host and port. The engine has to trust it, as it does those on the loopback address, without TLS.
    type: str
    default: 127.0.0.1:5000
  timeout:
    description: Seconds that a step of the build, pull or push may stay silent.
    type: int
    default: 900
  docker_socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
notes:
  - Run it on one host, as with C(run_once=true). Former images stay in the registry.
seealso:
  - plugin: frontdesk.platform.build_context
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Have the image of the shop
  frontdesk.platform.image_build:
    name: shop/web
    base: debian:trixie-slim
    context: "{{ lookup('frontdesk.platform.build_context', 'image') }}"
    revision: 2026-05
  register: shop_image

- name: Run it
  frontdesk.platform.swarm_stack:
    name: shop
    # In check mode there is no digest yet to look up.
    resolve_images: "{{ 'changed' if shop_image.digest else 'never' }}"
    services:
      - name: web
        image: "{{ shop_image.image }}"
"""

RETURN = r"""
image:
  description: The reference to use, with tag and digest; without the digest when check mode predicts that it would be built.
  returned: success
  type: str
  sample: 127.0.0.1:5000/shop/web:3b1f0c5d9e7a2468@sha256:0f6f...
repository:
  description: Its name with the registry, without a tag.
  returned: success
  type: str
  sample: 127.0.0.1:5000/shop/web
tag:
  description: Its tag.
  returned: success
  type: str
  sample: 3b1f0c5d9e7a2468
digest:
  description: Its digest, empty when check mode predicts that it would be built.
  returned: success
  type: str
  sample: sha256:0f6f...
changes:
  description: The creation of the image, or nothing; in check mode what would be done.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create).
      type: str
      sample: create
    kind:
      description: V(image).
      type: str
      sample: image
    name:
      description: The reference without the digest.
      type: str
      sample: 127.0.0.1:5000/shop/web:3b1f0c5d9e7a2468
    before:
      description: Always null.
      type: dict
    after:
      description: What it is built on.
      type: dict
      sample: {"base": "debian:trixie-slim", "revision": "2026-05"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DEFAULT_SOCKET, DockerEngine
from ansible_collections.frontdesk.platform.plugins.module_utils.image_build import ensure_image
from ansible_collections.frontdesk.platform.plugins.module_utils.image_errors import ImageError
from ansible_collections.frontdesk.platform.plugins.module_utils.image_registry import digest_of


def argument_spec():
    """The options."""
    return {
        "name": {"type": "str", "required": True},
        # No secret, but nobody wants all of it in the host's log.
        "context": {"type": "str", "required": True, "no_log": True},
        "base": {"type": "str", "required": True},
        "arguments": {"type": "dict", "default": {}},
        "revision": {"type": "str", "default": ""},
        "registry": {"type": "str", "default": "127.0.0.1:5000"},
        "timeout": {"type": "int", "default": 900},
        "docker_socket": {"type": "path", "default": DEFAULT_SOCKET},
    }


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        engine = DockerEngine(module.params["docker_socket"])
        result, warnings = ensure_image(engine, module.params, module.check_mode, digest_of)
    except ImageError as error:
        module.fail_json(msg=str(error), changes=[])
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
