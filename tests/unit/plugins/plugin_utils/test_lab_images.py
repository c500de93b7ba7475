# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images are built, found, replaced and removed, on an engine that exists only in memory."""

from __future__ import annotations

import fcntl
import io
import itertools
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils import lab_images
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_base import BuildError
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_images import LabImages, Wanted

BUILT = "frontdesk-lab/base:built-"
PULLED = "frontdesk-lab/base:pulled-0123456789ab"


class FakeEngine:
    """The part of docker-py that LabImages uses. `tags` maps a full name to an id."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.untagged: set[str] = set()
        self.in_use: set[str] = set()
        self.build_containers: list[dict[str, Any]] = []
        # What a registry serves: everything, or only these repositories.
        self.answers_pull = False
        self.serves: set[str] | None = None
        self.build_messages: list[dict[str, Any]] = [
            {"stream": "Step 1/1 : FROM x"},
            {"stream": " ---> 1"},
            {"stream": "hello"},
        ]
        self.passing_faults: list[list[dict[str, str]]] = []
        self.builds: list[tuple[str, str, list[str]]] = []
        self.options: dict[str, dict[str, Any]] = {}
        self.pulls: list[str] = []
        self.pruned: list[Any] = []
        self._ids = itertools.count()
        self.api = self
        self.images_high = SimpleNamespace(pull=self._pull, prune=self._prune)

    # docker-py has `client.images.pull` and `client.api.images(...)`: one attribute cannot be both.
    @property
    def client(self) -> Any:
        return SimpleNamespace(api=self, images=self.images_high)

    def images(self, name: str | None = None, all: bool = False, filters: Any = None) -> list[dict[str, Any]]:  # noqa: A002 - the SDK calls it so
        if name is not None:
            return [{"Id": "x"}] if name in self.tags else []
        if filters and "reference" in filters:
            assert filters["reference"] == "frontdesk-lab/*"
            shown = {tag: number for tag, number in self.tags.items() if tag.startswith("frontdesk-lab/")}
        else:
            shown = self.tags
        tagged = [
            {"Id": number, "RepoTags": [tag for tag in shown if shown[tag] == number]}
            for number in sorted(set(shown.values()))
        ]
        if filters and "label" in filters:
            tagged += [{"Id": number, "RepoTags": ["<none>:<none>"]} for number in self.untagged]
        return tagged

    def _prune(self, filters: Any) -> None:
        self.pruned.append(filters)

    def _pull(self, repository: str, tag: str, platform: str) -> Any:
        self.pulls.append(f"{repository}:{tag}")
        if not self.answers_pull or repository not in (self.serves or {repository}):
            raise docker.errors.APIError("no such host", explanation="no such host")
        self.tags[f"{repository}:{tag}"] = "official"
        return SimpleNamespace(
            id="sha256:0123456789abcdef", tag=lambda name, tag: self.tags.update({f"{name}:{tag}": "official"})
        )

    def import_image_from_file(self, path: str, repository: str, tag: str, changes: list[str]) -> None:
        assert Path(path).read_text() == "base"
        assert "LABEL frontdesk.lab=true" in changes
        self.tags[f"{repository}:{tag}"] = f"id{next(self._ids)}"

    def build(self, fileobj: Any, tag: str, buildargs: dict[str, str], **options: Any) -> list[dict[str, Any]]:
        self.options[tag] = {**options, "buildargs": buildargs}
        with tarfile.open(fileobj=io.BytesIO(fileobj.read())) as archive:
            self.builds.append((tag, buildargs["BASE"], sorted(archive.getnames())))
        messages = self.passing_faults.pop() if self.passing_faults else self.build_messages
        if not any("error" in message for message in messages):
            self.tags[tag] = f"id{next(self._ids)}"
        return messages

    def remove_image(self, name: str, noprune: bool = False) -> None:
        if name in self.in_use:
            raise docker.errors.APIError(
                "in use", response=SimpleNamespace(status_code=409, reason="", url="", text="")
            )
        if name not in self.tags and name not in self.untagged:
            raise docker.errors.ImageNotFound("gone")
        self.tags.pop(name, None)
        self.untagged.discard(name)

    def containers(self, all: bool, filters: Any) -> list[dict[str, Any]]:  # noqa: A002 - the SDK calls it so
        return list(self.build_containers)

    def remove_container(self, number: str, v: bool, force: bool) -> None:
        self.build_containers = [found for found in self.build_containers if found["Id"] != number]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """mmdebstrap and pip, which are tested elsewhere."""

    def build_base(cache: Path, progress: Any) -> Path:
        folder = cache / "base-1"
        folder.mkdir()
        (folder / "base.tar").write_text("base")
        return folder / "base.tar"

    def fetch_packages(requirements: Path, name: str, cache: Path, progress: Any) -> Path:
        folder = cache / f"site-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "package.py").write_text("")
        return folder

    monkeypatch.setattr(lab_images, "build_base", build_base)
    monkeypatch.setattr(lab_images, "fetch_packages", fetch_packages)


@pytest.fixture
def wanted(tmp_path) -> list[Wanted]:
    for name in ("server", "services"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(f"FROM x # {name}")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("1")
    (tmp_path / "services" / "requirements.txt").write_text("a==1")
    return [
        Wanted("server", tmp_path / "server"),
        Wanted("services", tmp_path / "services", {"code": tmp_path / "code"}),
    ]


class FakeRegistry:
    """The part of LabRegistry that LabImages uses. `holds` maps an official name to the engine's name of the image."""

    def __init__(self) -> None:
        self.holds: dict[str, str] = {}
        self.pushed: list[str] = []

    def lacking(self, wanted: dict[str, str]) -> list[str]:
        return [official for official, reference in wanted.items() if self.holds.get(official) != reference]

    def push(self, official: str, reference: str, progress: Any) -> None:
        progress.step(f"pushing {official}")
        self.pushed.append(official)
        self.holds[official] = reference


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def official(tmp_path) -> list[Wanted]:
    """An image that others publish too, and two of our own from one context."""
    for name in ("traefik", "echo"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(f"FROM x # {name}")
    return [
        Wanted("traefik", tmp_path / "traefik", publish="traefik:v3"),
        *(
            Wanted(f"echo-{n}", tmp_path / "echo", arguments={"VERSION": n}, publish=f"frontdesk-lab/echo:{n}")
            for n in "12"
        ),
    ]


def images(
    engine: FakeEngine, tmp_path: Path, said: list[str], source: str = "auto", registry: Any = None
) -> LabImages:
    return LabImages(engine.client, source, tmp_path / "cache", said.append, registry)


def test_from_nothing_without_a_registry(engine, programs, wanted, tmp_path, said):
    lab = images(engine, tmp_path, said)
    assert lab.missing(wanted) == ["frontdesk-lab/base", "frontdesk-lab/server", "frontdesk-lab/services"]
    references = lab.ensure(wanted)
    base = next(tag for tag in engine.tags if tag.startswith(BUILT))
    assert set(engine.tags) == {base, *references.values()}
    assert {built[1] for built in engine.builds} == {base}
    assert sorted(built[2] for built in engine.builds) == [
        ["Dockerfile"],
        ["Dockerfile", "code/main.py", "requirements.txt", "site/package.py"],
    ]
    assert lab.missing(wanted) == []
    assert not list((tmp_path / "cache").glob("base-*"))
    assert any("no registry answers" in line for line in said)
    assert any(line == "lab image server: Step 1/1 : FROM x" for line in said)


def test_a_second_run_builds_nothing(engine, programs, wanted, tmp_path, said):
    first = images(engine, tmp_path, said).ensure(wanted)
    del engine.builds[:], said[:]
    assert images(engine, tmp_path, said).ensure(wanted) == first
    assert (engine.builds, said) == ([], [])


@pytest.mark.parametrize("change", ["server/Dockerfile", "code/main.py", "services/requirements.txt"])
def test_what_an_image_is_made_from_decides_its_name(engine, programs, wanted, tmp_path, said, change):
    before = images(engine, tmp_path, said).ensure(wanted)
    (tmp_path / change).write_text("changed")
    after = images(engine, tmp_path, said).ensure(wanted)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"server" if change.startswith("server") else "services"}
    # What was replaced is gone, and so are the layers that nothing uses any more.
    assert set(after.values()) == {tag for tag in engine.tags if not tag.startswith(BUILT)}
    assert engine.pruned[-1] == {"dangling": True, "label": ["frontdesk.lab=true"]}


def test_an_image_that_a_server_uses_stays(engine, programs, wanted, tmp_path, said):
    before = images(engine, tmp_path, said).ensure(wanted)
    engine.in_use = {before["server"]}
    (tmp_path / "server" / "Dockerfile").write_text("changed")
    images(engine, tmp_path, said).ensure(wanted)
    assert before["server"] in engine.tags


def test_the_official_base_is_kept_under_a_name_of_our_own(engine, programs, wanted, tmp_path, said):
    engine.answers_pull = True
    images(engine, tmp_path, said).ensure(wanted)
    assert PULLED in engine.tags
    assert "debian:trixie-slim" not in engine.tags
    assert {built[1] for built in engine.builds} == {PULLED}


def test_an_official_base_that_was_there_stays(engine, programs, wanted, tmp_path, said):
    engine.answers_pull = True
    engine.tags["debian:trixie-slim"] = "official"
    images(engine, tmp_path, said, "pull").ensure(wanted)
    assert "debian:trixie-slim" in engine.tags


def test_pull_needs_a_registry(engine, programs, wanted, tmp_path, said):
    with pytest.raises(BuildError, match=r"could not be pulled \(no such host\).*FRONTDESK_LAB_IMAGES=build"):
        images(engine, tmp_path, said, "pull").ensure(wanted)


def test_build_does_not_use_a_base_that_was_pulled(engine, programs, wanted, tmp_path, said):
    engine.tags[PULLED] = "official"
    images(engine, tmp_path, said, "build").ensure(wanted)
    assert all(built[1].startswith(BUILT) for built in engine.builds)


def test_a_failed_step_is_told_with_its_last_lines(engine, programs, wanted, tmp_path, said):
    engine.build_messages = [{"stream": "E: no such package\n"}, {"error": "returned a\n non-zero code: 100"}]
    expected = (
        "building the lab image server failed: returned a non-zero code: 100; the last lines were: E: no such package"
    )
    with pytest.raises(BuildError, match=expected):
        images(engine, tmp_path, said).ensure(wanted[:1])


def test_a_step_that_meets_a_vanishing_interface_is_tried_again(engine, programs, wanted, tmp_path, said):
    engine.passing_faults = [[{"error": "route ip+net: no such network interface"}]] * 2
    references = LabImages(engine.client, "build", tmp_path, said.append).ensure(wanted)
    assert set(references.values()) <= set(engine.tags)
    assert len(engine.builds) == len(wanted) + 2
    assert any("trying again" in line for line in said)


def test_a_fault_that_stays_is_told(engine, programs, wanted, tmp_path, said):
    engine.passing_faults = [[{"error": "route ip+net: no such network interface"}]] * 20
    with pytest.raises(BuildError, match="no such network interface"):
        LabImages(engine.client, "build", tmp_path, said.append).ensure(wanted)
    assert len(engine.builds) <= 4 * len(wanted)


def test_containers_of_killed_builds_are_removed_and_the_labs_own_are_not(engine, programs, wanted, tmp_path, said):
    engine.build_containers = [{"Id": "1", "Names": ["/adoring_mccarthy"]}, {"Id": "2", "Names": ["/frontdesk-lab-s3"]}]
    images(engine, tmp_path, said).ensure(wanted)
    assert [container["Id"] for container in engine.build_containers] == ["2"]


def test_one_build_at_a_time(engine, programs, wanted, tmp_path, said):
    (tmp_path / "cache").mkdir()
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if "another run" in line:
            waiting.set()

    with (tmp_path / "cache" / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(
            target=LabImages(engine.client, "build", tmp_path / "cache", say).ensure, args=[wanted]
        )
        thread.start()
        assert waiting.wait(10)
        assert engine.builds == []
        fcntl.flock(lock, fcntl.LOCK_UN)
        thread.join(10)
    assert len(engine.builds) == 2


def test_everything_is_removed_also_the_layers_of_killed_builds(engine, programs, wanted, tmp_path, said):
    lab = images(engine, tmp_path, said)
    lab.ensure(wanted)
    engine.untagged = {"sha256:1", "sha256:2"}
    assert len(lab.everything()) == 5
    lab.remove_all()
    assert (engine.tags, engine.untagged) == ({}, set())


def test_removal_ends_when_something_is_in_use(engine, tmp_path, said):
    engine.untagged = engine.in_use = {"sha256:1"}
    images(engine, tmp_path, said).remove_all()
    assert engine.untagged == {"sha256:1"}


def test_images_with_an_official_name_are_published_once(engine, programs, official, registry, tmp_path, said):
    lab = images(engine, tmp_path, said, registry=registry)
    assert lab.unpublished(official) == ["traefik:v3", "frontdesk-lab/echo:1", "frontdesk-lab/echo:2"]
    references = lab.ensure(official)
    assert registry.holds == {image.publish: references[image.name] for image in official}
    assert lab.unpublished(official) == []
    del registry.pushed[:], said[:]
    assert lab.ensure(official) == references
    assert (registry.pushed, said) == ([], [])


def test_what_the_registry_lost_is_pushed_and_not_built_again(engine, programs, official, registry, tmp_path, said):
    lab = images(engine, tmp_path, said, registry=registry)
    lab.ensure(official)
    del registry.holds["traefik:v3"], registry.pushed[:], engine.builds[:]
    assert (lab.missing(official), lab.unpublished(official)) == ([], ["traefik:v3"])
    lab.ensure(official)
    assert (registry.pushed, engine.builds) == (["traefik:v3"], [])


def test_without_a_registry_nothing_is_published(engine, programs, official, tmp_path, said):
    lab = images(engine, tmp_path, said)
    lab.ensure(official)
    assert lab.unpublished(official) == []


def test_a_changed_image_replaces_the_published_one(engine, programs, official, registry, tmp_path, said):
    lab = images(engine, tmp_path, said, registry=registry)
    before = lab.ensure(official)
    (tmp_path / "traefik" / "Dockerfile").write_text("changed")
    assert lab.unpublished(official) == ["traefik:v3"]
    after = lab.ensure(official)
    assert registry.holds["traefik:v3"] == after["traefik"] != before["traefik"]
    assert before["traefik"] not in engine.tags
    assert after["echo-1"] == before["echo-1"]


def test_what_is_built_here_says_so_and_gets_its_arguments(engine, programs, official, tmp_path, said):
    references = images(engine, tmp_path, said).ensure(official)
    base = next(tag for tag in engine.tags if tag.startswith(BUILT))
    assert all(engine.options[name]["labels"] == {"frontdesk.lab.built": "here"} for name in references.values())
    assert engine.options[references["echo-2"]]["buildargs"] == {"BASE": base, "VERSION": "2"}
    assert references["echo-1"].rpartition(":")[2] != references["echo-2"].rpartition(":")[2]


def test_images_of_one_context_are_built_one_after_the_other(engine, programs, official, tmp_path, said):
    """So that the second finds the layers of the first; those of other contexts need not wait."""
    in_echo = threading.Semaphore()
    others = threading.Event()
    build = engine.build

    def slow_build(**options: Any) -> list[dict[str, Any]]:
        if "traefik" in options["tag"]:
            others.set()
            return build(**options)
        assert in_echo.acquire(blocking=False), "two builds of one context at once"
        assert others.wait(10), "a build of another context waits"
        messages = build(**options)
        in_echo.release()
        return messages

    engine.build = slow_build
    images(engine, tmp_path, said).ensure(official)
    assert len(engine.builds) == 3


def test_an_image_that_a_registry_serves_is_not_built(engine, programs, official, registry, tmp_path, said):
    engine.answers_pull = True
    lab = images(engine, tmp_path, said, registry=registry)
    references = lab.ensure(official)
    assert references["traefik"] == "frontdesk-lab/traefik:pulled-v3"
    assert registry.holds["traefik:v3"] == references["traefik"]
    assert "traefik:v3" not in engine.tags
    # Somebody else may own these names there.
    assert engine.pulls == ["debian:trixie-slim", "traefik:v3"]
    assert (lab.missing(official), lab.unpublished(official)) == ([], [])
    # A change of what it would be built from changes nothing; a change of its version does.
    (tmp_path / "traefik" / "Dockerfile").write_text("changed")
    assert lab.missing(official) == []
    newer = [Wanted("traefik", tmp_path / "traefik", publish="traefik:v4"), *official[1:]]
    assert lab.missing(newer) == ["frontdesk-lab/traefik:pulled-v4"]
    lab.ensure(newer)
    assert "frontdesk-lab/traefik:pulled-v3" not in engine.tags


def test_an_image_that_no_registry_serves_is_built_on_the_pulled_base(engine, programs, official, tmp_path, said):
    engine.answers_pull, engine.serves = True, {"debian"}
    lab = images(engine, tmp_path, said)
    references = lab.ensure(official)
    assert (references["traefik"], PULLED) in [built[:2] for built in engine.builds]
    assert lab.missing(official) == []


def test_an_official_image_must_be_pulled_when_that_is_wanted(engine, programs, official, tmp_path, said):
    engine.answers_pull, engine.serves = True, {"debian"}
    with pytest.raises(BuildError, match="traefik:v3 could not be pulled"):
        images(engine, tmp_path, said, "pull").ensure(official)


def test_where_the_base_had_to_be_built_no_registry_is_asked_again(engine, programs, official, tmp_path, said):
    images(engine, tmp_path, said).ensure(official)
    assert engine.pulls == ["debian:trixie-slim"]


def test_build_does_not_use_an_image_that_was_pulled(engine, programs, official, registry, tmp_path, said):
    engine.answers_pull = True
    images(engine, tmp_path, said, registry=registry).ensure(official)
    lab = images(engine, tmp_path, said, "build", registry)
    references = lab.ensure(official)
    assert references["traefik"] in [built[0] for built in engine.builds]
    assert registry.holds["traefik:v3"] == references["traefik"]


def test_the_name_that_a_killed_push_left_is_removed(engine, programs, official, tmp_path, said):
    lab = images(engine, tmp_path, said)
    references = lab.ensure(official)
    engine.tags["127.0.0.1:8481/library/traefik:v3"] = engine.tags[references["traefik"]]
    engine.tags["127.0.0.1:5000/somebody/else:1"] = "another"
    assert "127.0.0.1:8481/library/traefik:v3" in lab.everything()
    lab.remove_all()
    assert set(engine.tags) == {"127.0.0.1:5000/somebody/else:1"}
