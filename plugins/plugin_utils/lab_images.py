# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's container images: which exist, which are missing, making those, removing what they replace.

All lie under names of their own (`frontdesk-lab/...`). Those built here carry the label `frontdesk.lab=true`, also the
untagged layers of a build that was killed. The tag is a hash of everything the image is made from, so an image that
exists is known to be right by its name alone. An image that a registry serves under the name that the lab's registry
shall serve it under is pulled and has that name's tag; it is not built.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

try:
    import docker
    import docker.errors
except ImportError:
    # The action plugin says it in a sentence.
    pass

from ansible_collections.frontdesk.platform.plugins.plugin_utils.build_context import collect, content_hash, write_tar
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_base import (
    BuildError,
    build_base,
    fetch_packages,
    recipe_hash,
    remove_leftovers,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_progress import Progress
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_registry import LabRegistry

PREFIX = "frontdesk-lab/"
LABEL = "frontdesk.lab=true"
# Says what it is: not the official image, but one that was made on this machine.
BUILT_HERE = {"frontdesk.lab.built": "here"}
BASE = f"{PREFIX}base"
OFFICIAL_BASE = "debian:trixie-slim"
# Registries on this machine. Names that begin so were given to push an image there.
LOOPBACK = "127.0.0.1:"
PULLED, BUILT = "pulled-", "built-"
# A pull that no registry answers must not hold up the lab for the engine's own, much longer patience. Seconds.
ENGINE_TIMEOUT = 600
CONFLICT = 409
# The engine lists the machine's interfaces before it gives a build step its network, and stumbles over one that goes
# away in that moment. The next try finds the layers made so far.
PASSING_FAULT = "no such network interface"
BUILD_TRIES = 4
# More builds at once would only wait for each other's packages and disk.
PARALLEL = 4
REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Wanted:
    """One image: its name below the prefix, its context, files from elsewhere, build arguments, and its official name.

    The packages of the context's requirements.txt, if it has one, lie under `site/` in the context.
    """

    name: str
    context: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    publish: str = ""

    @property
    def repository(self) -> str:
        """Return the image's name without tag."""
        return f"{PREFIX}{self.name}"

    @property
    def requirements(self) -> Path | None:
        """Return the requirements file, if there is one."""
        path = self.context / REQUIREMENTS
        return path if path.is_file() else None

    def built(self, base: str) -> str:
        """Return the full name of the image when it is built on this base."""
        arguments = [json.dumps(self.arguments, sort_keys=True)] if self.arguments else []
        return f"{self.repository}:{content_hash(collect(self.context, self.files), base, *arguments)}"

    @property
    def pulled(self) -> str:
        """Return the full name of the image when it comes from a registry; empty when no registry but ours has it."""
        if not self.publish or self.publish.startswith(PREFIX):
            return ""
        return f"{self.repository}:{PULLED}{self.publish.rpartition(':')[2]}"


class LabImages:
    """The images on one engine. `say` prints a line for the user while a build runs."""

    def __init__(
        self, client: Any, source: str, cache: Path, say: Callable[[str], None], registry: LabRegistry | None = None
    ) -> None:
        """Use a docker.DockerClient; `source` is auto, pull or build; `cache` is a folder that may not exist yet.

        Images with an official name are pushed to the registry under it.
        """
        self._client = client
        self._source = source
        self._cache = cache
        self._say = say
        self._registry = registry

    # -- what is there ---------------------------------------------------------------------------------------

    def existing(self) -> set[str]:
        """Return the full names of the lab's images on the engine; one call."""
        found = self._client.api.images(filters={"reference": f"{PREFIX}*"})
        return {tag for image in found for tag in image.get("RepoTags") or []}

    def base_of(self, existing: set[str]) -> str | None:
        """Return the base that an earlier run made and that the chosen source allows, if there is one."""
        built = f"{BASE}:{BUILT}{recipe_hash()}"
        pulled = sorted(name for name in existing if name.startswith(f"{BASE}:{PULLED}"))
        allowed = {"pull": pulled, "build": [built], "auto": [*pulled, built]}[self._source]
        return next((name for name in allowed if name in existing), None)

    def missing(self, wanted: Sequence[Wanted]) -> list[str]:
        """Return the names that would be made; without a base their tags cannot be known yet."""
        existing = self.existing()
        base = self.base_of(existing)
        if base is None:
            return [BASE, *(image.repository for image in wanted)]
        return [
            image.pulled if image.pulled and self._pulls(base) else image.built(base)
            for image in wanted
            if not self._found(image, base, existing)
        ]

    def unpublished(self, wanted: Sequence[Wanted]) -> list[str]:
        """Return the official names under which the registry does not have the image that it should."""
        if self._registry is None:
            return []
        existing = self.existing()
        base = self.base_of(existing)
        found = {image.publish: self._found(image, base, existing) if base else "" for image in wanted if image.publish}
        return self._registry.lacking(found)

    def _found(self, image: Wanted, base: str, existing: set[str]) -> str:
        """Return the full name of the image that is there and that the chosen source allows, if there is one."""
        built = image.built(base)
        allowed = {"pull": [image.pulled or built], "build": [built], "auto": [image.pulled, built]}[self._source]
        return next((name for name in allowed if name in existing), "")

    def _pulls(self, base: str) -> bool:
        """Tell whether to ask a registry: where the base had to be built none answered, and waiting again costs time."""
        return self._source == "pull" or (self._source == "auto" and base.startswith(f"{BASE}:{PULLED}"))

    # -- making them -----------------------------------------------------------------------------------------

    def ensure(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Make what is missing, publish it, remove what it replaces, and return {name: full name}.

        Raises BuildError.
        """
        with self._only_one():
            base = self.base_of(self.existing()) or self._make_base()
            existing = self.existing()
            references = {image.name: self._found(image, base, existing) for image in wanted}
            todo = [image for image in wanted if not references[image.name]]
            references.update(self._make_all(todo, base))
            self._publish({image.publish: references[image.name] for image in wanted if image.publish})
            self._remove_replaced({base, *references.values()}, {BASE, *(image.repository for image in wanted)})
            return references

    def _make_all(self, todo: Sequence[Wanted], base: str) -> dict[str, str]:
        """Make images in parallel, those of one context one after the other: they have most layers in common."""

        def make(images: list[Wanted]) -> dict[str, str]:
            return {image.name: self._make(image, base) for image in images}

        groups = itertools.groupby(sorted(todo, key=lambda image: image.context), key=lambda image: image.context)
        # An interrupted build must not leave a half of its parallel jobs unseen: wait for all, then raise.
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            jobs = [pool.submit(make, list(images)) for _context, images in groups]
        return {name: reference for job in jobs for name, reference in job.result().items()}

    def _make(self, image: Wanted, base: str) -> str:
        """Pull or build one image and return its full name."""
        with Progress(self._say, f"lab image {image.name}") as progress:
            if image.pulled and self._pulls(base):
                pulled = self._pull(image.publish, image.repository, progress, image.pulled.rpartition(":")[2])
                if pulled:
                    return pulled
            return self._build(image, base, progress)

    def _publish(self, images: Mapping[str, str]) -> None:
        if self._registry is None:
            return
        registry = self._registry

        def push(official: str) -> None:
            with Progress(self._say, f"lab image {official}") as progress:
                registry.push(official, images[official], progress)

        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            jobs = [pool.submit(push, official) for official in registry.lacking(images)]
        for job in jobs:
            job.result()

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        """Let one build run at a time on this machine; the lock goes with the process that holds it."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "build.lock").open("w", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with Progress(self._say, "lab images") as progress:
                    progress.step("another run is building them; waiting for it")
                    fcntl.flock(lock, fcntl.LOCK_EX)
            remove_leftovers(self._cache)
            self._remove_build_containers()
            yield

    def _remove_build_containers(self) -> None:
        """Remove containers in which builds ran whose engine was killed. The lab's own have names that say so."""
        for container in self._client.api.containers(all=True, filters={"label": [LABEL]}):
            if not any(name.startswith(f"/{PREFIX.rstrip('/')}-") for name in container.get("Names") or []):
                self._client.api.remove_container(container["Id"], v=True, force=True)

    def _make_base(self) -> str:
        with Progress(self._say, "lab image base") as progress:
            if self._source != "build":
                pulled = self._pull(OFFICIAL_BASE, BASE, progress)
                if pulled:
                    return pulled
            return self._build_base(progress)

    def _pull(self, official: str, keep_as: str, progress: Progress, tag: str = "") -> str | None:
        """Pull an official image and keep it under a name of our own, so that removing ours leaves the user's.

        Without a tag the name follows the image's id.
        """
        progress.step(f"pulling {official}")
        was_there = bool(self._client.api.images(name=official))
        repository, _colon, official_tag = official.rpartition(":")
        try:
            image = self._client.images.pull(repository, tag=official_tag, platform="linux/amd64")
        except docker.errors.APIError as error:
            if self._source == "pull":
                raise BuildError(
                    f"{official} could not be pulled ({error.explanation or error}); make a container registry reachable, "
                    "or set FRONTDESK_LAB_IMAGES=build"
                ) from error
            progress.step("no registry answers; building it instead")
            return None
        tag = tag or f"{PULLED}{image.id.rpartition(':')[2][:12]}"
        image.tag(keep_as, tag=tag)
        if not was_there:
            self._client.api.remove_image(official, noprune=True)
        return f"{keep_as}:{tag}"

    def _build_base(self, progress: Progress) -> str:
        tar = build_base(self._cache, progress)
        progress.step("importing it")
        tag = f"{BUILT}{recipe_hash()}"
        changes = [
            f"LABEL {LABEL}",
            *(f"LABEL {name}={value}" for name, value in BUILT_HERE.items()),
            'CMD ["/bin/bash"]',
        ]
        self._client.api.import_image_from_file(str(tar), repository=BASE, tag=tag, changes=changes)
        shutil.rmtree(tar.parent, ignore_errors=True)
        return f"{BASE}:{tag}"

    def _build(self, image: Wanted, base: str, progress: Progress) -> str:
        reference = image.built(base)
        files = collect(image.context, image.files)
        if image.requirements:
            packages = fetch_packages(image.requirements, image.context.name, self._cache, progress)
            files.update(_below("site", collect(packages, {})))
        with tempfile.TemporaryFile() as context:
            write_tar(files, context)
            for tries_left in reversed(range(BUILD_TRIES)):
                context.seek(0)
                stream = self._client.api.build(
                    fileobj=context,
                    custom_context=True,
                    tag=reference,
                    buildargs={"BASE": base, **image.arguments},
                    # Also on an official base the image itself is not the official one.
                    labels=BUILT_HERE,
                    rm=True,
                    forcerm=True,
                    decode=True,
                    platform="linux/amd64",
                )
                try:
                    _follow(stream, image, progress)
                except BuildError as fault:
                    if PASSING_FAULT not in str(fault) or not tries_left:
                        raise
                    progress.step("trying again (the engine lost a network interface)")
                else:
                    break
        return reference

    # -- removing them ---------------------------------------------------------------------------------------

    def _remove_replaced(self, current: set[str], repositories: set[str]) -> None:
        for name in self.existing() - current:
            if name.rpartition(":")[0] in repositories:
                self._remove(name)
        self._client.images.prune(filters={"dangling": True, "label": [LABEL]})

    def _remove(self, name: str) -> None:
        try:
            self._client.api.remove_image(name)
        except docker.errors.NotFound:
            pass
        except docker.errors.APIError as error:
            # In use by a server that was made from it; the next build removes it when that server is gone.
            if error.status_code != CONFLICT:
                raise

    def everything(self) -> set[str]:
        """Return all images of the lab, by name or, for the remains of killed builds, by id."""
        labelled = self._client.api.images(all=True, filters={"label": [LABEL]})
        untagged = {
            image["Id"] for image in labelled if not [tag for tag in image.get("RepoTags") or [] if "<none>" not in tag]
        }
        return self.existing() | self._names_for_pushing() | untagged

    def _names_for_pushing(self) -> set[str]:
        """Return what our images are called besides, because a run was killed while it pushed them."""
        tags = [image.get("RepoTags") or [] for image in self._client.api.images()]
        ours = [names for names in tags if any(name.startswith(PREFIX) for name in names)]
        return {name for names in ours for name in names if name.startswith(LOOPBACK)}

    def remove_all(self) -> None:
        """Remove every image of the lab; what a container still uses stays."""
        for name in self._names_for_pushing() | self.existing():
            self._remove(name)
        # Layers of killed builds hang below each other: each round frees the next.
        remaining = self.everything()
        while remaining:
            for identifier in remaining:
                self._remove(identifier)
            before, remaining = remaining, self.everything()
            if remaining == before:
                return


def _below(folder: str, files: Mapping[str, Path]) -> dict[str, Path]:
    return {f"{folder}/{name}": path for name, path in files.items()}


def _follow(stream: Iterator[dict[str, Any]], image: Wanted, progress: Progress) -> None:
    """Report the engine's build output; raises BuildError with its last lines when a step fails."""
    last: list[str] = []
    for message in stream:
        if "error" in message:
            raise BuildError(
                f"building the lab image {image.name} failed: {' '.join(message['error'].split())}; "
                f"the last lines were: {' / '.join(last) or 'none'}"
            )
        text = message.get("stream", "").strip()
        if text.startswith("Step "):
            progress.step(text)
        elif text and not text.startswith("--->"):
            progress.detail(text.splitlines()[-1])
            last = [*last[-2:], text.splitlines()[-1].strip()]
