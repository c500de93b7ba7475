# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of image_build with its real arguments, against an engine in memory and a registry on a socket."""

from __future__ import annotations

import base64
import io
import tarfile
import threading
from collections.abc import Collection, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils import image_registry
from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.modules import image_build
from tests.hetzner_runs import run_module

Json = dict[str, Any]
BASE_DIGEST = "sha256:" + "b" * 64
PUSHED = "sha256:" + "d" * 64


class Registry(ThreadingHTTPServer):
    """Answers HEAD as `status` says, or by what was pushed; keeps who was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tags: dict[str, str] = {}
        self.status = 0
        self.asked: list[tuple[str, str]] = []
        self.silent = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def log_message(self, *_arguments: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.server.asked.append((self.command, self.path))
        assert "application/vnd.oci.image.manifest.v1+json" in self.headers["Accept"]
        if self.server.status == -1:
            self.server.silent.wait(5)
        _empty, _v2, *repository, _manifests, tag = self.path.split("/")
        digest = self.server.tags.get(f"{'/'.join(repository)}:{tag}", "")
        self.send_response(self.server.status or (200 if digest else 404))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()


class FakeEngine:
    """Builds and pushes as far as the module can see."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.images: dict[str, Json] = {}
        self.calls: list[tuple[str, Json]] = []
        # By path: the messages, or the error, in place of a success.
        self.answers: dict[str, list[Json] | EngineError] = {}
        self.sent = b""

    def get(self, path: str, query: Mapping[str, Any] | None = None, *, absent: Collection[int] = ()) -> Any:
        name = path.removeprefix("/images/").removesuffix("/json")
        if name not in self.images and 404 not in absent:
            raise EngineError(f"No such image: {name}", 404)
        return self.images.get(name)

    def messages(
        self, path: str, query: Json, *, content: bytes = b"", headers: Mapping[str, str], timeout: float
    ) -> list[Json]:
        assert timeout == 900
        self.calls.append((path, query))
        answer = self.answers.get(path)
        if isinstance(answer, EngineError):
            raise answer
        if answer is not None:
            return answer
        if path == "/images/create":
            name = f"{query['fromImage']}{'@' if query['tag'].startswith('sha256') else ':'}{query['tag']}"
            digests = [f"other/{query['fromImage']}@{PUSHED}", f"{query['fromImage']}@{BASE_DIGEST}"]
            self.images[name] = {"RepoDigests": digests}
            return [{"status": "Pulling"}]
        if path == "/build":
            assert headers == {"Content-Type": "application/x-tar"}
            self.sent = content
            self.images[query["t"]] = {}
            return [{"stream": "Step 1/2 : ARG BASE\n"}, {"aux": {"ID": "sha256:1"}}]
        assert headers["X-Registry-Auth"]
        repository = path.removeprefix("/images/").removesuffix("/push")
        assert f"{repository}:{query['tag']}" in self.images
        self.registry.tags[f"{repository.partition('/')[2]}:{query['tag']}"] = PUSHED
        return [{"status": "Pushed"}, {"progressDetail": {}, "aux": {"Tag": query["tag"], "Digest": PUSHED, "Size": 9}}]


def context(files: Mapping[str, str], compression: str = "", mode: int = 0o644) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text), mode
            archive.addfile(member, io.BytesIO(text.encode()))
    return base64.b64encode(buffer.getvalue()).decode()


FILES = {"Dockerfile": "ARG BASE\nFROM ${BASE}\n", "entrypoint.sh": "exec true\n"}


class Runs:
    def __init__(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        self.registry = registry
        self.engine = FakeEngine(registry)
        monkeypatch.setattr(image_build, "DockerEngine", lambda _socket: self.engine)

    def run(self, check_mode: bool = False, **options: Any) -> Json:
        given = {"name": "shop/web", "base": "debian:trixie-slim", "context": context(FILES)}
        given["registry"] = self.registry.address
        return run_module("image_build", {**given, **options}, check_mode=check_mode)

    @property
    def paths(self) -> list[str]:
        return [path for path, _query in self.engine.calls]


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.silent.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def runs(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(registry, monkeypatch)


def test_it_is_built_on_the_digest_of_its_base_and_pushed(runs: Runs) -> None:
    told = runs.run(check_mode=True)
    assert runs.engine.calls == []
    result = runs.run()
    assert result["changes"] == told["changes"]
    assert (told["changed"], told["digest"], told["image"]) == (True, "", result["image"].partition("@")[0])
    assert result["image"] == f"{runs.registry.address}/shop/web:{result['tag']}@{PUSHED}"
    assert result["changes"] == [
        {
            "action": "create",
            "kind": "image",
            "name": f"{result['repository']}:{result['tag']}",
            "before": None,
            "after": {"base": "debian:trixie-slim"},
        }
    ]
    assert runs.paths == ["/images/create", "/build", f"/images/{runs.registry.address}/shop/web/push"]
    query = runs.engine.calls[1][1]
    assert query["buildargs"] == {"BASE": f"debian@{BASE_DIGEST}"}
    assert query["labels"] == {
        "org.opencontainers.image.base.name": "debian:trixie-slim",
        "org.opencontainers.image.base.digest": BASE_DIGEST,
    }
    assert query["nocache"] is False
    assert runs.engine.sent == base64.b64decode(context(FILES))


def test_what_the_registry_has_costs_one_request(runs: Runs) -> None:
    first = runs.run()
    runs.engine.calls.clear()
    runs.registry.asked.clear()
    again = runs.run()
    assert (again["changed"], again["changes"], again["image"]) == (False, [], first["image"])
    assert runs.run(check_mode=True)["image"] == first["image"]
    assert runs.engine.calls == []
    assert runs.registry.asked == [("HEAD", f"/v2/shop/web/manifests/{first['tag']}")] * 2


def test_a_registry_that_lost_it_gets_the_same_again(runs: Runs) -> None:
    runs.run()
    runs.registry.tags.clear()
    runs.engine.calls.clear()
    assert runs.run()["changed"]
    assert runs.paths == [f"/images/{runs.registry.address}/shop/web/push"]


def test_everything_that_it_is_built_from_is_in_the_tag(runs: Runs) -> None:
    variants: list[Json] = [
        {},
        {"context": context({**FILES, "entrypoint.sh": "exec false\n"})},
        {"context": context({"Dockerfile": FILES["Dockerfile"], "other.sh": FILES["entrypoint.sh"]})},
        {"context": context(FILES, mode=0o755)},
        {"base": "debian:trixie"},
        {"base": f"debian@{BASE_DIGEST}"},
        {"arguments": {"VERSION": 1}},
        {"revision": "2026-05"},
    ]
    tags = [runs.run(check_mode=True, **variant)["tag"] for variant in variants]
    assert len(set(tags)) == len(variants)
    # Neither how the tar was written nor where it goes.
    assert runs.run(check_mode=True, context=context(dict(reversed(FILES.items())), "gz"))["tag"] == tags[0]
    assert runs.run(check_mode=True, base="docker.io/library/debian:trixie-slim")["tag"] == tags[0]
    assert runs.run(check_mode=True, name="other/name")["tag"] == tags[0]


def test_another_revision_asks_for_the_newest_packages(runs: Runs) -> None:
    result = runs.run(revision="2026-05")
    assert runs.engine.calls[1][1]["nocache"] is True
    assert result["changes"][0]["after"] == {"base": "debian:trixie-slim", "revision": "2026-05"}


def test_a_base_with_a_digest_is_taken_by_it(runs: Runs) -> None:
    runs.run(base=f"debian:trixie-slim@{BASE_DIGEST}")
    assert runs.engine.calls[0][1] == {"fromImage": "debian", "tag": BASE_DIGEST}
    assert runs.engine.calls[1][1]["buildargs"] == {"BASE": f"debian@{BASE_DIGEST}"}


def test_a_base_without_a_digest_is_named_as_it_is(runs: Runs) -> None:
    runs.engine.answers["/images/create"] = [{"status": "there"}]
    runs.engine.images["debian:trixie-slim"] = {"RepoDigests": None}
    runs.run()
    query = runs.engine.calls[1][1]
    assert (query["buildargs"], len(query["labels"])) == ({"BASE": "debian:trixie-slim"}, 1)


@pytest.mark.parametrize(
    ("path", "answer", "fault"),
    [
        (
            "/build",
            [
                {"stream": "Step 2/2 : RUN apt-get   update\n"},
                {"stream": " ---> Running in 1\n"},
                {"stream": "E: no network\n"},
                {"error": "The command returned a non-zero code: 100"},
            ],
            "failed at `Step 2/2 : RUN apt-get update`: The command returned a non-zero code: 100. Its last lines: E: no network",
        ),
        ("/build", [{"error": "broken"}], "failed: broken."),
        ("/build", EngineError("parse error"), "did not build"),
        (
            "/images/create",
            [{"error": "manifest unknown"}],
            "The base image debian:trixie-slim cannot be pulled: manifest",
        ),
        ("/images/create", EngineError("no route"), "cannot be pulled: no route"),
        ("push", [{"error": "500 Internal Server Error"}], "was built and could not be pushed: 500"),
        ("push", [{"status": "Pushed"}], "the engine told no digest"),
        ("push", EngineError("gone"), "did not push"),
    ],
)
def test_what_fails_is_said_with_its_reason(runs: Runs, path: str, answer: Any, fault: str) -> None:
    where = f"/images/{runs.registry.address}/shop/web/push" if path == "push" else path
    runs.engine.answers[where] = answer
    result = runs.run()
    assert result["failed"]
    assert fault in result["msg"]


def test_an_engine_that_does_not_answer_is_said(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise EngineError("the Docker engine cannot be reached")

    monkeypatch.setattr(runs.engine, "get", refuse)
    assert "does not tell whether it has" in runs.run()["msg"]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"context": "no Base64!"}, "is no tar in Base64"),
        ({"context": base64.b64encode(b"no tar").decode()}, "is no tar in Base64"),
        ({"context": context({"entrypoint.sh": ""})}, "has no Dockerfile"),
        ({"base": "Debian:trixie"}, "base: 'Debian:trixie' is no reference"),
        ({"name": "Shop"}, "name: "),
        ({"arguments": {"BASE": "x"}}, "leave it out of arguments"),
    ],
)
def test_what_makes_no_image_is_refused_before_anybody_is_asked(runs: Runs, options: Json, fault: str) -> None:
    result = runs.run(**options)
    assert fault in result["msg"]
    assert (runs.registry.asked, runs.engine.calls) == ([], [])


class TestRegistry:
    def test_one_that_is_not_there_yet_is_an_empty_one_in_check_mode(
        self, runs: Runs, capsys: pytest.CaptureFixture[str]
    ) -> None:
        nobody = {"registry": "127.0.0.1:1"}
        result = runs.run(**nobody)
        assert "127.0.0.1:1 does not answer (Connection refused); apply the role registry" in result["msg"]
        assert runs.run(check_mode=True, **nobody)["changed"]
        assert "The prediction is that it does not have the image" in capsys.readouterr().err

    def test_one_without_its_storage_is_a_fault_always(self, runs: Runs) -> None:
        runs.registry.status = 503
        for check_mode in (False, True):
            assert "answered 503 for shop/web:" in runs.run(check_mode=check_mode)["msg"]

    def test_one_that_says_nothing_is_a_fault_always(self, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
        runs.registry.status = -1
        monkeypatch.setattr(image_build, "digest_of", lambda *place: image_registry.digest_of(*place, timeout=0.2))
        assert "within 0.2 s" in runs.run(check_mode=True)["msg"]

    def test_something_else_is_no_registry(self, runs: Runs) -> None:
        runs.registry.status = 200
        assert "so it is no registry" in runs.run()["msg"]
