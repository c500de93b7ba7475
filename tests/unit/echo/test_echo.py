# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small server of other tests: what it tells, how it fails, and that it serves on while it drains."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from websockets.sync.client import connect

from echo import check


@pytest.fixture(scope="module")
def port(checkout) -> Iterator[int]:
    """Where one runs for the tests that only ask it."""
    with running(checkout, ECHO_VERSION="2") as (_process, free_port):
        yield free_port


def ask(port: int, method: str, target: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with closing(connection):
        connection.request(method, target, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_it_tells_what_arrived(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            b"POST /some/path?x=1 HTTP/1.1\r\nHost: chat.example\r\nX-Twice: a\r\nX-Twice: b\r\n"
            b"X-Forwarded-For: 203.0.113.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        answer = json.loads(connection.makefile().read().partition("\n\n")[2])
    assert (answer["version"], answer["hostname"]) == ("2", socket.gethostname())
    assert (answer["method"], answer["path"]) == ("POST", "/some/path")
    assert (answer["headers"]["host"], answer["headers"]["x-twice"]) == ("chat.example", "a, b")
    # Who connected, and not who a header says did.
    assert (answer["peer"], answer["headers"]["x-forwarded-for"]) == ("127.0.0.1", "203.0.113.1")


def test_a_slow_answer_takes_its_time(port):
    started = time.monotonic()
    assert ask(port, "GET", "/slow?seconds=0.3")[0] == 200
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("seconds", ["", "x", "-1", "nan", "inf", "301"])
def test_seconds_that_are_none_are_refused(port, seconds):
    assert ask(port, "GET", f"/slow?seconds={seconds}")[0] == 400


def test_a_websocket_gets_its_texts_back(port):
    with connect(f"ws://127.0.0.1:{port}/ws", proxy=None) as websocket:
        for text in ("one", "zwei ü"):
            websocket.send(text)
            assert websocket.recv(timeout=10) == text


@contextmanager
def running(checkout, **environment: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """Start it on a free port and wait until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {**os.environ, "PYTHONPATH": str(checkout / "roles/lab/files"), "ECHO_PORT": str(port), **environment}
    process = subprocess.Popen([sys.executable, "-m", "echo"], env=variables, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while process.poll() is None and not answers(port):
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)
        yield process, port
    finally:
        process.kill()
        process.communicate()


def answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/")[0] == 200
    except OSError:
        return False


def test_it_serves_on_after_sigterm_and_then_ends_well(checkout):
    with running(checkout, ECHO_DRAIN="1.5") as (process, port):
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        served = 0
        while time.monotonic() - started < 1.2:
            assert answers(port)
            served += 1
        assert served
        assert process.wait(10) == 0
        assert time.monotonic() - started >= 1.5


def test_a_second_signal_ends_it_at_once(checkout):
    with running(checkout, ECHO_DRAIN="60") as (process, _port):
        process.send_signal(signal.SIGTERM)
        # Signals of one kind that come together are one; this is another.
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_it_can_fail_at_start(checkout):
    with running(checkout, ECHO_FAIL="start") as (process, _port):
        assert process.wait(10) == 1
        assert "ECHO_FAIL" in process.stderr.read()


def test_the_health_check_asks_the_server(checkout, monkeypatch):
    with running(checkout) as (_process, port):
        monkeypatch.setenv("ECHO_PORT", str(port))
        assert check.main() == 0
    assert check.main() == 1
    with running(checkout, ECHO_FAIL="health") as (_process, port):
        monkeypatch.setenv("ECHO_PORT", str(port))
        assert check.main() == 1
