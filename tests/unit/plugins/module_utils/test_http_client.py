# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One exchange: what is sent, and what is said when nothing comes back. The other side is a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from email.utils import formatdate
from pathlib import Path

import pytest
import yaml

from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import (
    COLLECTION_VERSION,
    Backoff,
    Clock,
    HttpClient,
    TransportError,
    provider_hint,
    without_credentials,
)

TOKEN = "a-token-that-nobody-may-see"
Serve = Callable[[bytes], str]


class Server:
    """Takes connections, keeps what was asked, answers with fixed bytes (none: it closes)."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            connection, _address = self._socket.accept()
            with closing(connection):
                data = connection.recv(65536)
                if data == b"stop":
                    return
                self.asked.append(data.decode(errors="replace"))
                with suppress(OSError):  # the client may have gone
                    connection.sendall(self.answer)

    def stop(self) -> None:
        with closing(self._socket), closing(socket.create_connection(self._socket.getsockname())) as last:
            last.sendall(b"stop")
            self._thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], Server]]:
    servers: list[Server] = []

    def start(answer: bytes) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def _reply(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


def _failure(url: str, timeout: float = 0.3) -> TransportError:
    with pytest.raises(TransportError) as caught:
        HttpClient(url, TOKEN, timeout).exchange("POST", "/servers", json={})
    assert TOKEN not in str(caught.value)
    return caught.value


class TestExchange:
    def test_request(self, serve: Callable[[bytes], Server]) -> None:
        server = serve(_reply("201 Created", '{"a": 1}', "X-Correlation-Id: c"))
        client = HttpClient(server.url + "/v1/", TOKEN, 5)
        answer = client.exchange("POST", "/servers", params={"id": [1, 2]}, json={"name": "x"})
        assert (answer.status, answer.json(), answer.headers["x-correlation-id"]) == (201, {"a": 1}, "c")
        asked = server.asked[0]
        assert asked.startswith("POST /v1/servers?id=1&id=2 HTTP/1.1")
        assert f"Authorization: Bearer {TOKEN}" in asked
        assert f"User-Agent: frontdesk.platform/{COLLECTION_VERSION}" in asked
        assert client.calls == 1

    def test_a_netrc_entry_does_not_replace_the_token(
        self, serve: Callable[[bytes], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password mine\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        server = serve(_reply("200 OK", "{}"))
        HttpClient(server.url, TOKEN, 5).exchange("GET", "/")
        assert f"Bearer {TOKEN}" in server.asked[0]

    def test_a_redirection_is_not_followed_with_the_token(self, serve: Callable[[bytes], Server]) -> None:
        other = serve(_reply("200 OK", "{}"))
        server = serve(_reply("302 Found", "", f"Location: {other.url}/"))
        assert HttpClient(server.url, TOKEN, 5).exchange("GET", "/").status == 302
        assert other.asked == []

    def test_what_is_no_json(self, serve: Callable[[bytes], Server]) -> None:
        server = serve(_reply("502 Bad Gateway", "<html>"))
        assert HttpClient(server.url, TOKEN, 5).exchange("GET", "/").json() is None

    def test_connection_refused(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        failure = _failure(url)
        assert (failure.sent, failure.permanent) == (False, False)
        assert "connection refused" in str(failure)

    def test_unknown_host(self) -> None:
        failure = _failure("http://host.invalid")
        assert not failure.sent
        assert "host.invalid" in str(failure)

    def test_closed_without_an_answer(self, serve: Callable[[bytes], Server]) -> None:
        failure = _failure(serve(b"").url)
        assert failure.sent
        assert "broke" in str(failure)

    def test_cut_off(self, serve: Callable[[bytes], Server]) -> None:
        failure = _failure(serve(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").url)
        assert failure.sent

    def test_silent(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listening:
            failure = _failure(f"http://127.0.0.1:{listening.getsockname()[1]}")
        assert failure.sent
        assert "no answer" in str(failure)

    def test_no_tls(self, serve: Callable[[bytes], Server]) -> None:
        failure = _failure(serve(b"hello").url.replace("http:", "https:"))
        assert failure.permanent
        assert "TLS" in str(failure)

    def test_impossible_url(self) -> None:
        assert _failure("http://host:port/").permanent


@pytest.mark.parametrize("token", ["", "two words", "line\n", "umläut"])
def test_impossible_tokens(token: str) -> None:
    with pytest.raises(ValueError, match="API token") as caught:
        HttpClient("https://x.invalid", token, 5)
    assert not token or token not in str(caught.value)


def test_impossible_endpoint() -> None:
    with pytest.raises(ValueError, match="must start with https"):
        HttpClient("api.hetzner.cloud", TOKEN, 5)


def test_credentials_are_not_shown() -> None:
    assert without_credentials("https://me:secret@host:1/v1?x=y") == "https://host:1/v1"


def test_redact() -> None:
    assert HttpClient("https://x.invalid", TOKEN, 5).redact(f"a {TOKEN} b") == "a ******** b"


class TestHint:
    def test_seconds(self) -> None:
        assert provider_hint({"Retry-After": "1.5"}, 0) == 1.5

    def test_date(self) -> None:
        assert provider_hint({"Retry-After": formatdate(1000, usegmt=True)}, 990) == 10

    def test_nonsense(self) -> None:
        assert provider_hint({"Retry-After": "soon"}, 0) is None
        assert provider_hint({"RateLimit-Reset": "soon"}, 0) is None

    def test_nothing(self) -> None:
        assert provider_hint({}, 0) is None

    def test_reset_in_the_past(self) -> None:
        assert provider_hint({"RateLimit-Reset": "5"}, 10) == 0


def test_backoff_stays_below_its_total() -> None:
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    backoff = Backoff(Clock(monotonic=lambda: now[0], sleep=sleep, jitter=lambda low, high: high))
    while backoff.pause(100):
        pass
    assert slept[:5] == [1, 2, 4, 8, 16]
    assert max(slept) == 20
    assert sum(slept) <= 100


def test_the_user_agent_has_the_collections_version(checkout: Path) -> None:
    assert yaml.safe_load((checkout / "galaxy.yml").read_text())["version"] == COLLECTION_VERSION
