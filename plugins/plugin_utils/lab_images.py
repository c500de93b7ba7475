# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's container images: which exist, which are missing, building those, removing what they replace.

All lie under names of their own (`frontdesk-lab/...`) and carry the label `frontdesk.lab=true`, also the untagged
layers of a build that was killed. The tag is a hash of everything the image is made from, so an image that
exists is known to be right by its name alone.
"""

from __future__ import annotations

import contextlib
import fcntl
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

from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_base import (
    BuildError,
    build_base,
    fetch_packages,
    recipe_hash,
    remove_leftovers,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_context import collect, content_hash, write_tar
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_progress import Progress

PREFIX = "frontdesk-lab/"
LABEL = "frontdesk.lab=true"
BASE = f"{PREFIX}base"
OFFICIAL_BASE = ("debian", "trixie-slim")
PULLED, BUILT = "pulled-", "built-"
# A pull that no registry answers must not hold up the lab for the engine's own, much longer patience. Seconds.
ENGINE_TIMEOUT = 600
CONFLICT = 409
# The engine lists the machine's interfaces before it gives a build step its network, and stumbles over one that goes
# away in that moment. The next try finds the layers made so far.
PASSING_FAULT = "no such network interface"
BUILD_TRIES = 4


@dataclass(frozen=True)
class Wanted:
    """One image: its name below the prefix, its context, files from elsewhere, and the packages under `site/`."""

    name: str
    context: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    requirements: Path | None = None

    @property
    def repository(self) -> str:
        """Return the image's name without tag."""
        return f"{PREFIX}{self.name}"

    def reference(self, base: str) -> str:
        """Return the full name on this base."""
        others = [base, self.requirements.read_text(encoding="utf-8") if self.requirements else ""]
        return f"{self.repository}:{content_hash(collect(self.context, self.files), *others)}"


class LabImages:
    """The images on one engine. `say` prints a line for the user while a build runs."""

    def __init__(self, client: Any, source: str, cache: Path, say: Callable[[str], None]) -> None:
        """Use a docker.DockerClient; `source` is auto, pull or build; `cache` is a folder that may not exist yet."""
        self._client = client
        self._source = source
        self._cache = cache
        self._say = say

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
        """Return the names that a build would make; without a base their tags cannot be known yet."""
        existing = self.existing()
        base = self.base_of(existing)
        if base is None:
            return [BASE, *(image.repository for image in wanted)]
        return [name for name in (image.reference(base) for image in wanted) if name not in existing]

    # -- making them -----------------------------------------------------------------------------------------

    def ensure(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Make what is missing, remove what it replaces, and return {name: full name}.

        Raises BuildError.
        """
        with self._only_one():
            base = self.base_of(self.existing()) or self._make_base()
            existing = self.existing()
            references = {image.name: image.reference(base) for image in wanted}
            todo = [image for image in wanted if references[image.name] not in existing]
            # An interrupted build must not leave a half of its parallel jobs unseen: wait for all, then raise.
            with ThreadPoolExecutor(max_workers=max(len(todo), 1)) as pool:
                jobs = [pool.submit(self._build, image, base, references[image.name]) for image in todo]
            for job in jobs:
                job.result()
            self._remove_replaced({base, *references.values()}, {BASE, *(image.repository for image in wanted)})
            return references

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
                pulled = self._pull(progress)
                if pulled:
                    return pulled
            return self._build_base(progress)

    def _pull(self, progress: Progress) -> str | None:
        """Pull the official base and keep it under a name of our own, so that removing ours leaves the user's."""
        repository, tag = OFFICIAL_BASE
        progress.step(f"pulling {repository}:{tag}")
        was_there = bool(self._client.api.images(name=f"{repository}:{tag}"))
        try:
            image = self._client.images.pull(repository, tag=tag, platform="linux/amd64")
        except docker.errors.APIError as error:
            if self._source == "pull":
                raise BuildError(
                    f"{repository}:{tag} could not be pulled ({error.explanation or error}); make a container registry reachable, "
                    "or set FRONTDESK_LAB_IMAGES=build"
                ) from error
            progress.step("no registry answers; building the base instead")
            return None
        key = image.id.rpartition(":")[2][:12]
        image.tag(BASE, tag=f"{PULLED}{key}")
        if not was_there:
            self._client.api.remove_image(f"{repository}:{tag}", noprune=True)
        return f"{BASE}:{PULLED}{key}"

    def _build_base(self, progress: Progress) -> str:
        tar = build_base(self._cache, progress)
        progress.step("importing it")
        tag = f"{BUILT}{recipe_hash()}"
        # Says what it is: not the official image, but one that was made on this machine.
        changes = [f"LABEL {LABEL}", "LABEL frontdesk.lab.built=here", 'CMD ["/bin/bash"]']
        self._client.api.import_image_from_file(str(tar), repository=BASE, tag=tag, changes=changes)
        shutil.rmtree(tar.parent, ignore_errors=True)
        return f"{BASE}:{tag}"

    def _build(self, image: Wanted, base: str, reference: str) -> None:
        with Progress(self._say, f"lab image {image.name}") as progress:
            files = collect(image.context, image.files)
            if image.requirements:
                packages = fetch_packages(image.requirements, self._cache, progress)
                files.update(_below("site", collect(packages, {})))
            with tempfile.TemporaryFile() as context:
                write_tar(files, context)
                for tries_left in reversed(range(BUILD_TRIES)):
                    context.seek(0)
                    stream = self._client.api.build(
                        fileobj=context,
                        custom_context=True,
                        tag=reference,
                        buildargs={"BASE": base},
                        rm=True,
                        forcerm=True,
                        decode=True,
                        platform="linux/amd64",
                    )
                    try:
                        _follow(stream, image, progress)
                        return
                    except BuildError as fault:
                        if PASSING_FAULT not in str(fault) or not tries_left:
                            raise
                        progress.step("trying again (the engine lost a network interface)")

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
        return self.existing() | untagged

    def remove_all(self) -> None:
        """Remove every image of the lab; what a container still uses stays."""
        for name in self.existing():
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
