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
        self.answers_pull = False
        self.build_messages: list[dict[str, Any]] = [
            {"stream": "Step 1/1 : FROM x"},
            {"stream": " ---> 1"},
            {"stream": "hello"},
        ]
        self.passing_faults: list[list[dict[str, str]]] = []
        self.builds: list[tuple[str, str, list[str]]] = []
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
        tagged = [
            {"Id": number, "RepoTags": [tag]} for tag, number in self.tags.items() if tag.startswith("frontdesk-lab/")
        ]
        if "label" in filters:
            tagged += [{"Id": number, "RepoTags": ["<none>:<none>"]} for number in self.untagged]
        return tagged

    def _prune(self, filters: Any) -> None:
        self.pruned.append(filters)

    def _pull(self, repository: str, tag: str, platform: str) -> Any:
        if not self.answers_pull:
            raise docker.errors.APIError("no such host", explanation="no such host")
        self.tags[f"{repository}:{tag}"] = "official"
        return SimpleNamespace(
            id="sha256:0123456789abcdef", tag=lambda name, tag: self.tags.update({f"{name}:{tag}": "official"})
        )

    def import_image_from_file(self, path: str, repository: str, tag: str, changes: list[str]) -> None:
        assert Path(path).read_text() == "base"
        assert "LABEL frontdesk.lab=true" in changes
        self.tags[f"{repository}:{tag}"] = f"id{next(self._ids)}"

    def build(self, fileobj: Any, tag: str, buildargs: dict[str, str], **_options: Any) -> list[dict[str, Any]]:
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

    def fetch_packages(requirements: Path, cache: Path, progress: Any) -> Path:
        folder = cache / "site-1"
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
    (tmp_path / "requirements.txt").write_text("a==1")
    return [
        Wanted("server", tmp_path / "server"),
        Wanted("services", tmp_path / "services", {"code": tmp_path / "code"}, tmp_path / "requirements.txt"),
    ]


def images(engine: FakeEngine, tmp_path: Path, said: list[str], source: str = "auto") -> LabImages:
    return LabImages(engine.client, source, tmp_path / "cache", said.append)


def test_from_nothing_without_a_registry(engine, programs, wanted, tmp_path, said):
    lab = images(engine, tmp_path, said)
    assert lab.missing(wanted) == ["frontdesk-lab/base", "frontdesk-lab/server", "frontdesk-lab/services"]
    references = lab.ensure(wanted)
    base = next(tag for tag in engine.tags if tag.startswith(BUILT))
    assert set(engine.tags) == {base, *references.values()}
    assert {built[1] for built in engine.builds} == {base}
    assert sorted(built[2] for built in engine.builds) == [
        ["Dockerfile"],
        ["Dockerfile", "code/main.py", "site/package.py"],
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


@pytest.mark.parametrize("change", ["server/Dockerfile", "code/main.py", "requirements.txt"])
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
