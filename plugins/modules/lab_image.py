#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_image
short_description: Build or pull the lab's container images, publish them, and show the progress
version_added: 1.0.0
description:
  - Builds the container images of the lab on a Debian base, each under the name C(frontdesk-lab/NAME) with a hash of
    everything it is made from as its tag, and removes the images that they replace.
  - Pushes those that servers pull to the lab's registry under their official names. Such an image is pulled instead of
    built when a registry serves it under that name.
  - Images that exist are recognised by their name with one call to the Docker engine.
  - While a build runs, every step is reported as it begins, with its elapsed seconds while it lasts.
  - A build that was killed leaves nothing that the next one cannot go on with.
options:
  images:
    description: The images to have. All are built on the same base, which they get as the build argument C(BASE).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The image's name below C(frontdesk-lab/).
        type: str
        required: true
      context:
        description:
          - A folder on the controller with a C(Dockerfile), whose first instruction after C(FROM) is
            C(LABEL frontdesk.lab=true).
          - When it has a C(requirements.txt), with versions and hashes as pip understands them, its packages are fetched on
            the controller for Python 3.13 on x86_64 and lie in the folder C(site) of the build context.
        type: path
        required: true
      files:
        description: More files and folders for the build context. A key is the path in the context, its value the path on the
          controller.
        type: dict
        default: {}
      arguments:
        description: Build arguments beside C(BASE).
        type: dict
        default: {}
      publish:
        description: The official name with its tag, under which the registry shall serve the image, such as C(traefik:v3.7.15).
          Names below C(frontdesk-lab/) are the lab's own and never pulled.
        type: str
        default: ""
  source:
    description:
      - Where the base and the images with an official name come from.
      - V(pull) pulls C(debian:trixie-slim), V(build) makes it with C(mmdebstrap), which is installed when it is missing (root on
        Debian and Ubuntu only), V(auto) builds it when it cannot be pulled. With V(auto) an image with an official name is
        pulled where the base was, and built where it cannot be.
    type: str
    choices: [auto, pull, build]
    default: auto
  cache:
    description: A folder on the controller for fetched packages and work files.
    type: path
    required: true
  registry:
    description:
      - Host and port of the registry to which the images with an official name are pushed, without credentials.
      - One request per image tells whether it is there. An image is pushed when the registry has another one or none under
        its name.
    type: str
  state:
    description: V(absent) removes all images of the lab, also the remains of killed builds.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode and say what would change.
    support: full
  diff_mode:
    description: Shows before and after.
    support: none
    details: An image is named by the hash of its content; the result lists the names.
  idempotent:
    description: A second run changes nothing.
    support: full
  action:
    description: Runs on the controller, whatever host the play names.
    support: full
requirements:
  - docker (Python)
notes:
  - The environment variable E(DOCKER_HOST) chooses the engine, as for the C(docker) command.
  - The engine's classic builder is used, which every engine since 20.10 has.
author:
  - The frontdesk.platform authors (@frontdesk-platform)
"""

EXAMPLES = r"""
- name: Have the server image
  frontdesk.platform.lab_image:
    images:
      - name: server
        context: "{{ role_path }}/files/images/server"
        files:
          ca-bundle.crt: /etc/ssl/certs/ca-certificates.crt
    cache: ~/.cache/frontdesk/lab/images
  register: lab_images

- name: Serve Traefik from the lab's registry
  frontdesk.platform.lab_image:
    images:
      - name: traefik
        context: "{{ role_path }}/files/images/traefik"
        publish: traefik:v3.7.15
    registry: 127.0.0.1:8481
    cache: ~/.cache/frontdesk/lab/images

- name: Remove all images of the lab
  frontdesk.platform.lab_image:
    cache: ~/.cache/frontdesk/lab/images
    state: absent
"""

RETURN = r"""
images:
  description: The full name of each image. In check mode, when something would change, the names are empty.
  returned: success
  type: dict
  sample:
    server: frontdesk-lab/server:4f1d5c2a9be0
built:
  description: The images that were built or pulled, or would be in check mode.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [frontdesk-lab/base, frontdesk-lab/server]
published:
  description: The official names that were pushed to the registry, or would be in check mode.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [traefik:v3.7.15]
removed:
  description: The images that were removed, or would be in check mode.
  returned: when O(state=absent)
  type: list
  elements: str
  sample: [frontdesk-lab/base:built-0c6b9f3b1f2a]
"""

# The work is done by the action plugin of the same name; this file is its documentation.
