# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an image is pushed to the lab's registry: on a registry over real HTTP, and an engine in memory that pushes to it."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_base import BuildError
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_progress import Progress
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_registry import LabRegistry, split_name

TRAEFIK = {"traefik:v3": "frontdesk-lab/traefik:0123456789ab"}


class FakeRegistry(http.server.ThreadingHTTPServer):
    """Answers HEAD for manifests. `manifests` maps path:tag to a digest."""

    def __init__(self) -> None:
        self.manifests: dict[str, str] = {}
        self.asked: list[str] = []
        self.connections = 0
        self.failing = False
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeRegistry

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_HEAD(self) -> None:
        assert "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]
        path, _slash, tag = self.path.removeprefix("/v2/").partition("/manifests/")
        name = f"{path}:{tag}"
        self.server.asked.append(name)
        digest = self.server.manifests.get(name)
        self.send_response(500 if self.server.failing else 200 if digest else 404)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


class FakeEngine:
    """Pushes to the registry; a manifest's digest follows from the image's name. `tags` maps a name to an image."""

    def __init__(self, registry: FakeRegistry) -> None:
        self.tags: dict[str, str] = {}
        self.error = ""
        self.sends_digest = True
        self.credentials: list[Any] = []
        self.api = self
        self._registry = registry

    def tag(self, image: str, repository: str, tag: str) -> None:
        self.tags[f"{repository}:{tag}"] = image

    def remove_image(self, name: str, noprune: bool) -> None:
        assert noprune, "the image itself stays"
        del self.tags[name]

    def push(self, repository: str, tag: str, stream: bool, decode: bool, auth_config: Any) -> Iterator[dict[str, Any]]:
        self.credentials.append(auth_config)
        yield {"status": "Preparing", "id": "0123"}
        if self.error:
            yield {"error": self.error}
            return
        address, _slash, path = repository.partition("/")
        assert address == self._registry.address
        digest = f"sha256:{hashlib.sha256(self.tags[f'{repository}:{tag}'].encode()).hexdigest()}"
        self._registry.manifests[f"{path}:{tag}"] = digest
        if self.sends_digest:
            yield {"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": 1}}


@pytest.fixture
def server() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def engine(server) -> FakeEngine:
    return FakeEngine(server)


@pytest.fixture
def progress() -> Progress:
    return Progress(lambda _line: None, "test")


@pytest.fixture
def registry(server, engine, tmp_path):
    """Make what a run has: each run looks anew."""
    return lambda: LabRegistry(SimpleNamespace(api=engine), server.address, tmp_path)


def publish(registry: LabRegistry, images: dict[str, str], progress: Progress) -> None:
    for official in registry.lacking(images):
        registry.push(official, images[official], progress)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("traefik:v3", ("library/traefik", "v3")),
        ("chatwoot/chatwoot:v4.16-ce", ("chatwoot/chatwoot", "v4.16-ce")),
        ("frontdesk-lab/echo:1", ("frontdesk-lab/echo", "1")),
    ],
)
def test_where_a_mirror_of_docker_io_has_an_image(name, path):
    assert split_name(name) == path


def test_an_image_is_pushed_once(server, engine, registry, progress):
    assert registry().lacking(TRAEFIK) == ["traefik:v3"]
    publish(registry(), TRAEFIK, progress)
    assert list(server.manifests) == ["library/traefik:v3"]
    # The name for pushing was there for the push alone, and nobody's credentials were sent.
    assert (engine.tags, engine.credentials) == ({}, [{}])
    assert registry().lacking(TRAEFIK) == []


def test_an_unchanged_run_asks_once_per_image_over_one_connection(server, registry, progress):
    wanted = {f"image:{number}": f"frontdesk-lab/image:{number}" for number in range(5)}
    publish(registry(), wanted, progress)
    server.asked.clear()
    server.connections = 0
    run = registry()
    assert (run.lacking(wanted), run.lacking(wanted)) == ([], [])
    assert server.asked == [f"library/image:{number}" for number in range(5)]
    assert server.connections == 1


@pytest.mark.parametrize("digest", [None, "sha256:pushed-by-somebody-else"])
def test_what_the_registry_lost_or_got_from_elsewhere_is_pushed(server, registry, progress, digest):
    publish(registry(), TRAEFIK, progress)
    ours = dict(server.manifests)
    server.manifests = {"library/traefik:v3": digest} if digest else {}
    assert registry().lacking(TRAEFIK) == ["traefik:v3"]
    publish(registry(), TRAEFIK, progress)
    assert server.manifests == ours


def test_another_image_under_the_same_name_is_pushed(registry, progress):
    publish(registry(), TRAEFIK, progress)
    changed = {"traefik:v3": "frontdesk-lab/traefik:ba9876543210"}
    assert registry().lacking(changed) == ["traefik:v3"]
    publish(registry(), changed, progress)
    assert registry().lacking(changed) == []


@pytest.mark.parametrize("note", [None, "", "[]", '{"traefik:v3": 1}'])
def test_a_lost_or_damaged_note_costs_one_push(tmp_path, registry, progress, note):
    publish(registry(), TRAEFIK, progress)
    if note is None:
        (tmp_path / "published.json").unlink()
    else:
        (tmp_path / "published.json").write_text(note)
    assert registry().lacking(TRAEFIK) == ["traefik:v3"]
    publish(registry(), TRAEFIK, progress)
    assert registry().lacking(TRAEFIK) == []


def test_images_that_are_pushed_at_the_same_time_are_all_noted(registry, progress):
    wanted = {f"image:{number}": f"frontdesk-lab/image:{number}" for number in range(20)}
    run = registry()
    threads = [threading.Thread(target=run.push, args=(*item, progress)) for item in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry().lacking(wanted) == []


def test_a_registry_that_is_not_there_or_fails_has_nothing(server, engine, registry, progress, tmp_path):
    nobody = LabRegistry(SimpleNamespace(api=engine), "127.0.0.1:1", tmp_path)
    assert nobody.lacking(TRAEFIK) == ["traefik:v3"]
    publish(registry(), TRAEFIK, progress)
    server.failing = True
    assert registry().lacking(TRAEFIK) == ["traefik:v3"]


def test_a_refused_push_is_told_and_not_noted(server, engine, registry, progress):
    engine.error = "connection\n refused"
    with pytest.raises(BuildError, match=r"^pushing traefik:v3 to the lab's registry failed: connection refused$"):
        publish(registry(), TRAEFIK, progress)
    assert engine.tags == {}
    engine.error, engine.sends_digest = "", False
    with pytest.raises(BuildError, match="without a digest"):
        publish(registry(), TRAEFIK, progress)
    assert registry().lacking(TRAEFIK) == ["traefik:v3"]
