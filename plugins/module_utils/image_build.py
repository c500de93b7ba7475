# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of image_build: ask the registry for the tag, and build and push when it does not have it.

The engine's classic builder does the work (every engine has it; BuildKit is a program of its own). Its API:
https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change, render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.image_context import tag_of, unpack
from ansible_collections.frontdesk.platform.plugins.module_utils.image_errors import ImageError
from ansible_collections.frontdesk.platform.plugins.module_utils.image_registry import RegistryUnreachable
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import Image, ValueProblem, parse_image

# https://github.com/opencontainers/image-spec/blob/main/annotations.md
_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"
# The build argument that names the base, with its digest.
BASE_ARGUMENT = "BASE"
# An empty set of credentials: the engine demands the header, and a registry on this machine none.
_NO_CREDENTIALS = {"X-Registry-Auth": "e30="}
_TAR = {"Content-Type": "application/x-tar"}
# https://distribution.github.io/distribution/spec/api/
_COMPONENT = "[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_PATH = re.compile(f"{_COMPONENT}(?:/{_COMPONENT})*")
# How many of a build's last lines an error shows.
_ERROR_LINES = 4

# Address, repository and tag to the digest, empty when it is not there. Raises ImageError.
DigestOf = Callable[[str, str, str], str]


def ensure_image(
    engine: DockerEngine, params: Mapping[str, Any], check_mode: bool, digest_of: DigestOf
) -> tuple[Json, list[str]]:
    """Have the image in the registry; the module's result, and warnings. Raises ImageError."""
    archive = unpack(params["context"])
    wanted = Wanted(params, archive)
    warnings = []
    try:
        digest = digest_of(wanted.registry, wanted.repository, wanted.tag)
    except RegistryUnreachable as error:
        # Before the first real run there is none yet.
        if not check_mode:
            raise
        warnings.append(f"{error} The prediction is that it does not have the image.")
        digest = ""
    if digest or check_mode:
        return wanted.result(digest, [] if digest else [wanted.creation]), warnings
    if not _is_here(engine, wanted.reference):
        _build(engine, wanted, archive, params["timeout"])
    digest = _push(engine, wanted, params["timeout"])
    return wanted.result(digest, [wanted.creation]), warnings


class Wanted:
    """The image as the options describe it."""

    def __init__(self, params: Mapping[str, Any], archive: bytes) -> None:
        """Raise ImageError when the options make no image."""
        self.registry = str(params["registry"])
        self.repository = str(params["name"])
        self.base = _parsed("base", params["base"])
        self.arguments = {name: str(value) for name, value in (params["arguments"] or {}).items()}
        self.revision = str(params["revision"])
        if not _PATH.fullmatch(self.repository):
            raise ImageError(
                f"name: {self.repository!r} is no path of an image; use lower case, such as frontdesk/postgres."
            )
        if BASE_ARGUMENT in self.arguments:
            raise ImageError(
                f"The build argument {BASE_ARGUMENT} is what the option base says; leave it out of arguments."
            )
        inputs = {"base": str(self.base), "arguments": self.arguments, "revision": self.revision}
        self.tag = tag_of(archive, inputs)
        self.reference = f"{self.registry}/{self.repository}:{self.tag}"

    @property
    def creation(self) -> Change:
        """The one change that there can be."""
        after = {"base": str(self.base), **({"revision": self.revision} if self.revision else {})}
        return Change("create", "image", self.reference, None, after)

    def result(self, digest: str, changes: Sequence[Change]) -> Json:
        """The module's result."""
        return {
            "changed": bool(changes),
            "changes": [change.as_result() for change in changes],
            "diff": render_diff(changes),
            "image": f"{self.reference}@{digest}" if digest else self.reference,
            "repository": f"{self.registry}/{self.repository}",
            "tag": self.tag,
            "digest": digest,
        }


def _parsed(option: str, reference: str) -> Image:
    try:
        return parse_image(reference)
    except ValueProblem as problem:
        raise ImageError(f"{option}: {problem}.") from problem


def _is_here(engine: DockerEngine, reference: str) -> bool:
    """Was it built on this machine before? Then a push is enough, for a registry that lost its content."""
    try:
        return engine.get(f"/images/{reference}/json", absent=(404,)) is not None
    except EngineError as error:
        raise ImageError(f"The Docker engine does not tell whether it has {reference}: {error}.") from error


def _build(engine: DockerEngine, wanted: Wanted, archive: bytes, timeout: float) -> None:
    base_digest = _pull_base(engine, wanted.base, timeout)
    # By its digest: what is built on is what the label says, whatever the tag says by then.
    base = Image(wanted.base.name, "", base_digest) if base_digest else wanted.base
    query = {
        "t": wanted.reference,
        "buildargs": {**wanted.arguments, BASE_ARGUMENT: str(base)},
        "labels": {_BASE_NAME: str(wanted.base), **({_BASE_DIGEST: base_digest} if base_digest else {})},
        "rm": True,
        "forcerm": True,
        # A raised revision asks for the newest packages, and the engine's layers are those of before.
        "nocache": bool(wanted.revision),
    }
    try:
        messages = engine.messages("/build", query, content=archive, headers=_TAR, timeout=timeout)
    except EngineError as error:
        raise ImageError(f"The Docker engine did not build {wanted.reference}: {error}.") from error
    fault = _error_of(messages)
    if fault:
        raise ImageError(build_failure(wanted.reference, fault, messages))


def _pull_base(engine: DockerEngine, base: Image, timeout: float) -> str:
    """Pull the base and return its digest; empty for one that was only ever made on this machine."""
    query = {"fromImage": base.name, "tag": base.digest or base.tag}
    try:
        fault = _error_of(engine.messages("/images/create", query, headers=_NO_CREDENTIALS, timeout=timeout))
        found = {} if fault or base.digest else engine.get(f"/images/{base}/json")
    except EngineError as error:
        fault = str(error)
    if fault:
        raise ImageError(f"The base image {base} cannot be pulled: {fault}; check the option base and the registries.")
    if base.digest:
        return base.digest
    return digest_in(found.get("RepoDigests") or [], base.name)


def digest_in(repo_digests: Sequence[str], name: str) -> str:
    """The digest that an image has under a name, of the forms that the engine knows it by; empty when it has none."""
    for text in repo_digests:
        image = parse_image(text)
        if image.name == name:
            return image.digest
    return ""


def _push(engine: DockerEngine, wanted: Wanted, timeout: float) -> str:
    path = f"/images/{wanted.registry}/{wanted.repository}/push"
    try:
        messages = engine.messages(path, {"tag": wanted.tag}, headers=_NO_CREDENTIALS, timeout=timeout)
    except EngineError as error:
        raise ImageError(f"The Docker engine did not push {wanted.reference}: {error}.") from error
    fault = _error_of(messages)
    digest = next((str(found["Digest"]) for found in _details(messages) if "Digest" in found), "")
    if fault or not digest:
        raise ImageError(
            f"{wanted.reference} was built and could not be pushed: {fault or 'the engine told no digest'}; see "
            "`journalctl -u docker-registry`, and run this again."
        )
    return digest


def _details(messages: Sequence[Json]) -> list[Json]:
    return [message["aux"] for message in reversed(messages) if isinstance(message.get("aux"), dict)]


def _error_of(messages: Sequence[Json]) -> str:
    for message in messages:
        if "error" in message:
            return " ".join(str(message["error"]).split()).rstrip(".")
    return ""


def build_failure(reference: str, fault: str, messages: Sequence[Json]) -> str:
    """A failed build as sentences: the step that failed, and its last lines."""
    lines = [
        line.strip() for message in messages for line in str(message.get("stream", "")).splitlines() if line.strip()
    ]
    step = next((line for line in reversed(lines) if line.startswith("Step ")), "")
    # The arrows tell ids of layers and containers.
    said_last = [line for line in lines if not line.startswith(("Step ", "--->"))][-_ERROR_LINES:]
    at = f" at `{' '.join(step.split())[:200]}`" if step else ""
    said = f" Its last lines: {' / '.join(said_last)}" if said_last else ""
    return f"The build of {reference} failed{at}: {fault}.{said}"
