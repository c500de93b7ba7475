# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build context of an image, and the tag that says everything that it is built from."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.image_errors import ImageError

DOCKERFILE = "Dockerfile"
# Sixteen hexadecimal digits: two images of one name never meet by chance, and the tag stays readable.
_TAG_LENGTH = 16
# Another number gives every image another tag, should what is built from the same input ever differ.
_FORMAT = 1


def unpack(context: str) -> bytes:
    """Return the tar, compressed or not, that a context in Base64 holds. Raises ImageError."""
    try:
        archive = base64.b64decode(context, validate=True)
        names = _contents(archive)
    except (ValueError, OSError, EOFError, tarfile.TarError) as error:
        raise ImageError(
            f"The option context is no tar in Base64 ({error}); fill it by the lookup frontdesk.platform.build_context."
        ) from error
    if DOCKERFILE not in names:
        raise ImageError("The build context has no Dockerfile; add one to its folder.")
    return archive


def tag_of(archive: bytes, inputs: Mapping[str, Any]) -> str:
    """Return the tag of what is built from these files and further inputs.

    Files count by name, content and executable bit: not by how the tar was written.
    """
    digest = hashlib.sha256(json.dumps({"format": _FORMAT, **inputs}, sort_keys=True).encode())
    for name, (mode, content) in sorted(_contents(archive).items()):
        digest.update(f"{len(name)}:{name}:{mode:o}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()[:_TAG_LENGTH]


def _contents(archive: bytes) -> dict[str, tuple[int, bytes]]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                found[member.name] = (member.mode & 0o111, file.read())
    return found
