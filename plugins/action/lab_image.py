# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs C(lab_image) on the controller, in Ansible's own process, so that a build can report its steps as it runs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_base import BuildError
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_images import ENGINE_TIMEOUT, LabImages, Wanted
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_registry import LabRegistry

try:
    import docker
    import docker.errors
    import requests.exceptions

    MISSING_LIBRARY: ImportError | None = None
except ImportError as error:
    MISSING_LIBRARY = error

display = Display()

IMAGE_SPEC = {
    "name": {"type": "str", "required": True},
    "context": {"type": "path", "required": True},
    "files": {"type": "dict", "default": {}},
    "arguments": {"type": "dict", "default": {}},
    "publish": {"type": "str", "default": ""},
}
ARGUMENT_SPEC = {
    "images": {"type": "list", "elements": "dict", "default": [], "options": IMAGE_SPEC},
    "source": {"type": "str", "default": "auto", "choices": ["auto", "pull", "build"]},
    "cache": {"type": "path", "required": True},
    "registry": {"type": "str"},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
}


class ActionModule(ActionBase):
    """See the documentation of the module of the same name."""

    _supports_check_mode = True
    _supports_diff = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return changed, images (name: full name) and, for what was or would be done, built, published or removed."""
        super().run(tmp, task_vars)
        if MISSING_LIBRARY is not None:
            raise AnsibleActionFail(
                f"The Python package docker is missing in Ansible's own environment ({MISSING_LIBRARY}); "
                "install the collection's requirements.txt."
            )
        options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)[1]
        try:
            with contextlib.closing(docker.from_env(version="auto", timeout=ENGINE_TIMEOUT)) as client:
                cache = Path(options["cache"])
                registry = LabRegistry(client, options["registry"], cache) if options["registry"] else None
                images = LabImages(client, options["source"], cache, display.display, registry)
                return (
                    self._absent(images) if options["state"] == "absent" else self._present(images, options["images"])
                )
        except BuildError as error:
            raise AnsibleActionFail(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise AnsibleActionFail(
                f"The Docker engine refused or does not answer: {error}; 'docker version' shows whether it runs."
            ) from None

    def _present(self, images: LabImages, options: list[dict[str, Any]]) -> dict[str, Any]:
        wanted = [_wanted(option) for option in options]
        missing, unpublished = images.missing(wanted), images.unpublished(wanted)
        result = {"changed": bool(missing or unpublished), "built": missing, "published": unpublished}
        if result["changed"] and self._task.check_mode:
            return {**result, "images": {image.name: "" for image in wanted}}
        return {**result, "images": images.ensure(wanted)}

    def _absent(self, images: LabImages) -> dict[str, Any]:
        found = sorted(images.everything())
        if found and not self._task.check_mode:
            images.remove_all()
        return {"changed": bool(found), "removed": found, "images": {}}


def _wanted(option: dict[str, Any]) -> Wanted:
    return Wanted(
        name=option["name"],
        context=Path(option["context"]),
        files={target: Path(source) for target, source in option["files"].items()},
        arguments={name: str(value) for name, value in option["arguments"].items()},
        publish=option["publish"],
    )
