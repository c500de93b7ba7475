# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's registry: which images it holds under their official names, and pushing what it lacks.

The registry is the truth: one request per image tells the digest that a pull would get. A note beside the fetched
packages says which digest an image had when it was pushed. Without the note everything is pushed once more, which
costs little, because the registry has the layers.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_base import BuildError
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_progress import Progress

NOTE = "published.json"
# Seconds; it listens on this machine.
TIMEOUT = 5
# What an engine stores and pushes: one image, or a list of images for several platforms.
# https://distribution.github.io/distribution/spec/manifest-v2-2/, https://github.com/opencontainers/image-spec
MANIFESTS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)


def split_name(name: str) -> tuple[str, str]:
    """Return the path in a registry and the tag of an image of docker.io, whose own images lie below `library`."""
    repository, _colon, tag = name.rpartition(":")
    return (repository if "/" in repository else f"library/{repository}"), tag


class LabRegistry:
    """A registry at `address` (host:port), to which the engine of this docker.DockerClient pushes."""

    def __init__(self, client: Any, address: str, cache: Path) -> None:
        """Keep the note in the folder `cache`, which may not exist yet."""
        self._client = client
        self._address = address
        self._note = cache / NOTE
        self._writing = threading.Lock()
        self._digests: dict[str, str] = {}

    def lacking(self, images: Mapping[str, str]) -> list[str]:
        """Return which of these official names (-> the engine's own name) do not hold what was pushed from there."""
        noted = self._noted()
        current = self._current(images)
        return [
            official
            for official, reference in images.items()
            if noted.get(official) != {"image": reference, "digest": current.get(official)}
        ]

    def push(self, official: str, reference: str, progress: Progress) -> None:
        """Push the engine's image under its official name.

        Raises BuildError.
        """
        progress.step(f"pushing {official} to the lab's registry")
        path, tag = split_name(official)
        with self._named(reference, f"{self._address}/{path}", tag) as repository:
            # No credentials: those that the user keeps for other registries are none of the lab's business.
            stream = self._client.api.push(repository, tag=tag, stream=True, decode=True, auth_config={})
            digest = _follow(stream, official, progress)
        self._digests[official] = digest
        with self._writing:
            self._write({**self._noted(), official: {"image": reference, "digest": digest}})

    @contextlib.contextmanager
    def _named(self, reference: str, repository: str, tag: str) -> Iterator[str]:
        """Give an image the name that says where it is pushed to, for that time only."""
        self._client.api.tag(reference, repository, tag=tag)
        try:
            yield repository
        finally:
            self._client.api.remove_image(f"{repository}:{tag}", noprune=True)

    # -- what it has -----------------------------------------------------------------------------------------

    def _current(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return the digest of each name; each is asked for once. Without an answer there is none."""
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            for name in names:
                if name not in self._digests:
                    self._digests[name] = _digest(connection, *split_name(name))
        return self._digests

    # -- what was pushed -------------------------------------------------------------------------------------

    def _noted(self) -> dict[str, dict[str, str]]:
        try:
            found = json.loads(self._note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, noted: Mapping[str, Any]) -> None:
        half_written = self._note.with_suffix(".new")
        half_written.write_text(json.dumps(noted, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        half_written.replace(self._note)


def _digest(connection: http.client.HTTPConnection, path: str, tag: str) -> str:
    connection.request("HEAD", f"/v2/{path}/manifests/{tag}", headers={"Accept": MANIFESTS})
    response = connection.getresponse()
    response.read()
    return response.getheader("Docker-Content-Digest", "") if response.status == http.client.OK else ""


def _follow(stream: Iterator[dict[str, Any]], official: str, progress: Progress) -> str:
    """Report the engine's push; return the digest that the registry gave. Raises BuildError when it fails."""
    digest = ""
    for message in stream:
        if "error" in message:
            raise BuildError(
                f"pushing {official} to the lab's registry failed: {' '.join(str(message['error']).split())}"
            )
        digest = message.get("aux", {}).get("Digest", digest)
        progress.detail(f"{message.get('id', '')} {message.get('status', '')} {message.get('progress', '')}")
    if not digest:
        raise BuildError(f"the engine ended the push of {official} to the lab's registry without a digest")
    return digest
