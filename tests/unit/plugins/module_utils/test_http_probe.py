# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to real servers on the loopback address, with and without TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.http_probe import (
    Finding,
    Probe,
    ask,
    ask_all,
    probe_of,
)
from tests.certificates import Authority

NAME = "shop.frontdesk.test"


class Handler(BaseHTTPRequestHandler):
    answers: list[int]

    def do_GET(self) -> None:
        answers = self.server.answers  # type: ignore[attr-defined]
        self.server.asked.append((self.headers["Host"], self.path))  # type: ignore[attr-defined]
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.end_headers()
        self.wfile.write(b"Welcome to the shop")

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def server(*answers: int, tls: ssl.SSLContext | None = None) -> Iterator[HTTPServer]:
    """A server that gives these answers in order, the last one for ever."""
    http = HTTPServer(("127.0.0.1", 0), Handler)
    http.answers = list(answers)  # type: ignore[attr-defined]
    http.asked = []  # type: ignore[attr-defined]
    if tls:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def tls_of(folder: Path, certificate: str, key: str) -> ssl.SSLContext:
    (folder / "certificate.pem").write_text(certificate)
    (folder / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def probe(http: HTTPServer, scheme: str = "http", path: str = "/", **options: object) -> Probe:
    url = f"{scheme}://{NAME}:{http.server_port}{path}"
    return Probe("shop", url, address="127.0.0.1", **options)  # type: ignore[arg-type]


def test_a_healthy_endpoint_is_asked_by_its_name_at_the_given_address():
    with server(200) as http:
        finding = ask(probe(http, path="/a?b=c", contains="Welcome"))
    assert (finding.error, finding.status, finding.certificate_days) == ("", 200, None)
    assert http.asked == [(f"{NAME}:{http.server_port}", "/a?b=c")]


@pytest.mark.parametrize(
    ("status", "options", "error"),
    [
        (502, {}, "it answered 502 and not 200"),
        (200, {"statuses": (301, 308)}, "it answered 200 and not 301 or 308"),
        (200, {"contains": "Goodbye"}, "its page does not hold 'Goodbye'"),
    ],
)
def test_what_is_wrong_is_said(status, options, error):
    with server(status) as http:
        assert ask(probe(http, **options)).error == error


def test_a_redirect_is_not_followed():
    with server(301) as http:
        assert ask(probe(http, statuses=(301,))).error == ""
    assert len(http.asked) == 1


class TestTls:
    def test_a_valid_certificate_is_accepted_and_its_days_are_told(self, tmp_path):
        authority = Authority()
        with server(200, tls=tls_of(tmp_path, *authority.issue(NAME, days=40.5))) as http:
            finding = ask(probe(http, "https", ca=authority.pem))
            soon = ask(probe(http, "https", ca=authority.pem, least_days=41))
        assert finding.error == ""
        assert finding.as_result()["certificate_days"] == 40
        assert soon.error == "its certificate is valid for 40.5 days only, fewer than 41"

    @pytest.mark.parametrize(
        ("names", "days", "trusted", "word"),
        [
            (("other.frontdesk.test",), 40, True, "mismatch"),
            ((NAME,), -1, True, "expired"),
            ((NAME,), 40, False, "unable to get"),
        ],
    )
    def test_a_certificate_that_a_browser_would_refuse_is_refused(self, tmp_path, names, days, trusted, word):
        authority = Authority()
        with server(200, tls=tls_of(tmp_path, *authority.issue(*names, days=days))) as http:
            finding = ask(probe(http, "https", ca=authority.pem if trusted else Authority("another").pem))
        assert finding.error.startswith("its certificate is not accepted: ")
        assert word in finding.error


class TestSilence:
    def test_a_closed_port(self):
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port
            finding = ask(Probe("shop", f"http://127.0.0.1:{reserved.getsockname()[1]}/"))
        assert finding.error == "no answer: Connection refused"
        assert finding.status is None

    def test_a_server_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            finding = ask(Probe("shop", f"http://127.0.0.1:{mute.getsockname()[1]}/", timeout=0.2))
        assert finding.error == "no answer within 0.2 s"

    def test_a_server_that_speaks_something_else(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                with listener.accept()[0] as connection:
                    connection.recv(1000)
                    connection.sendall(b"220 mail.example.com ESMTP\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            finding = ask(Probe("shop", f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=5))
            thread.join()
        assert "220 mail.example.com" in finding.error

    def test_what_is_no_address(self):
        assert ask(Probe("shop", "ftp://example.com/")).error == "ftp://example.com/ is no http or https address"


def test_the_unhealthy_are_asked_again_until_they_are_well():
    with server(503, 503, 200) as ill, server(200) as well:
        findings = ask_all([probe(ill), probe(well)], wait=20, pause=0.01)
    assert [finding.error for finding in findings] == ["", ""]
    assert (len(ill.asked), len(well.asked)) == (3, 1), "only the unhealthy one is asked again"


def test_the_waiting_ends():
    with server(503) as http:
        findings = ask_all([probe(http)], wait=0.2, pause=0.05)
    assert findings[0].error == "it answered 503 and not 200"
    assert 2 <= len(http.asked) <= 6


def test_the_options_of_a_module_become_a_question():
    given = {"name": "shop", "url": "http://x/", "address": None, "status": [200, 204], "contains": None, "ca": None}
    assert probe_of(given) == Probe("shop", "http://x/", statuses=(200, 204))


def test_the_result_of_one_without_answer():
    finding = Finding("shop", "https://x/", error="no answer: gone", seconds=0.12345)
    assert finding.as_result() == {
        "name": "shop",
        "url": "https://x/",
        "healthy": False,
        "error": "no answer: gone",
        "status": None,
        "seconds": 0.123,
        "certificate_days": None,
    }
