# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker_engine against a server on a socket that answers as the engine does."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError

Answer = tuple[int, bytes]


class Engine(socketserver.ThreadingUnixStreamServer):
    """Answers each path as the test says, and keeps what was asked."""

    daemon_threads = True
    # Several threads of a test connect at once.
    request_queue_size = 64

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.silent = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Engine

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_arguments: Any) -> None:
        pass

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        path = self.path.split("?")[0]
        if path.endswith("/silent"):
            self.server.silent.wait(10)
            return
        status, content = self.server.answers.get(path, (404, b'{"message":"page not found"}'))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that the library calls


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Engine]:
    with Engine(str(tmp_path / "docker.sock")) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.silent.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def engine(server: Engine) -> DockerEngine:
    return DockerEngine(str(server.server_address), timeout=5)


def refusal(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


def test_an_answer_is_parsed_and_counted(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/services"] = (200, b'[{"ID": "a"}]')
    assert engine.get("/services", {"status": True, "filters": {"label": ["a=b"]}}) == [{"ID": "a"}]
    assert server.requests[0][1] == "/v1.44/services?status=true&filters=%7B%22label%22%3A+%5B%22a%3Db%22%5D%7D"
    assert (engine.reads, engine.writes) == (1, 0)


def test_a_body_is_sent_as_json(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/services/create"] = (201, b'{"ID": "a"}')
    assert engine.post("/services/create", {"Name": "x"}, {"version": 7}, headers={"X-Registry-Auth": "t"}) == {
        "ID": "a"
    }
    method, path, headers, body = server.requests[0]
    assert (method, path, json.loads(body)) == ("POST", "/v1.44/services/create?version=7", {"Name": "x"})
    assert (headers["Content-Type"], headers["X-Registry-Auth"]) == ("application/json", "t")
    assert engine.writes == 1


def test_an_answer_without_content_is_none(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/secrets/a"] = (204, b"")
    assert engine.delete("/secrets/a") is None


def test_names_are_quoted(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/distribution/127.0.0.1%3A5000/a%40sha256%3A1/json"] = (200, b"{}")
    assert engine.get("/distribution/127.0.0.1:5000/a@sha256:1/json") == {}


def test_an_absence_that_is_expected(engine: DockerEngine) -> None:
    assert engine.get("/services/none", absent=(404,)) is None
    assert engine.delete("/services/none") is None
    assert engine.post("/services/none", absent=(404,)) is None
    with pytest.raises(EngineError) as caught:
        engine.get("/services/none")
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (refusal("rpc error: code = Unknown desc = update out of sequence"), "update out of sequence"),
        (refusal("no such thing.\n"), "no such thing"),
        (b"plain text", "plain text"),
        (b"", "the Docker engine answered with status 500"),
        (b"[]", "[]"),
    ],
)
def test_the_engines_words(server: Engine, engine: DockerEngine, content: bytes, text: str) -> None:
    server.answers["/v1.44/x"] = (500, content)
    for call in (lambda: engine.get("/x"), lambda: engine.raw("/x"), lambda: engine.post("/x")):
        with pytest.raises(EngineError) as caught:
            call()
        assert (str(caught.value), caught.value.status) == (text, 500)


def test_raw_bytes(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/tasks/a/logs"] = (200, b"\x01\0\0\0\0\0\0\x02hi")
    assert engine.raw("/tasks/a/logs", {"tail": 10}) == b"\x01\0\0\0\0\0\0\x02hi"


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ("client version 1.44 is too old. Minimum supported API version is 1.52, please upgrade your client", "1.52"),
        ("client version 1.44 is too new. Maximum supported API version is 1.41", "1.41"),
    ],
)
def test_another_engine_gets_the_version_that_it_names(
    server: Engine, engine: DockerEngine, words: str, version: str
) -> None:
    server.answers = {"/v1.44/info": (400, refusal(words)), f"/v{version}/info": (200, b'{"a": 1}')}
    assert [engine.get("/info"), engine.get("/info")] == [{"a": 1}, {"a": 1}]
    assert [path for _method, path, *_rest in server.requests] == ["/v1.44/info", *[f"/v{version}/info"] * 2]
    assert engine.version == version
    assert [engine.speaks(asked) for asked in ("1.41", "1.44", "1.100")] == [True, version == "1.52", False]


def test_other_bad_requests_are_told(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/x"] = (400, refusal("invalid filter"))
    with pytest.raises(EngineError, match="invalid filter"):
        engine.get("/x")
    assert len(server.requests) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "none.sock")
    with pytest.raises(EngineError) as caught:
        DockerEngine(path).get("/info")
    assert caught.value.status == 0
    assert str(caught.value) == f"the Docker engine cannot be reached at {path} (No such file or directory)"


@pytest.mark.usefixtures("server")
def test_silence_ends(engine: DockerEngine) -> None:
    for call in (lambda: engine.get("/silent", timeout=0.05), lambda: engine.raw("/silent", timeout=0.05)):
        with pytest.raises(EngineError, match="did not answer GET /silent within 0 s") as caught:
            call()
        assert caught.value.status == 0


def test_threads_are_all_counted(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/x"] = (200, b"1")
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _number: engine.get("/x"), range(64))) == 64
    assert engine.reads == 64


def test_messages_of_a_long_step_are_told_at_its_end(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/build"] = (200, b'{"stream":"Step 1/1"}\r\n{"aux":{"ID":"sha256:1"}}\r\n')
    headers = {"Content-Type": "application/x-tar"}
    found = engine.messages("/build", {"t": "a:1", "labels": {"x": "y"}, "rm": True}, content=b"tar", headers=headers)
    assert found == [{"stream": "Step 1/1"}, {"aux": {"ID": "sha256:1"}}]
    _method, path, sent, body = server.requests[0]
    assert (body, sent["Content-Type"]) == (b"tar", "application/x-tar")
    assert "rm=true" in path
    assert engine.writes == 1


def test_a_step_that_is_refused_is_an_error(server: Engine, engine: DockerEngine) -> None:
    server.answers["/v1.44/build"] = (400, refusal("dockerfile parse error"))
    with pytest.raises(EngineError, match="dockerfile parse error"):
        engine.messages("/build")
