# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab cloud without machines for tests: the real service on a port of its own.

from tests.lab_cloud import running_lab_cloud

with running_lab_cloud(tmp_path) as lab:
    client = HetznerClient(lab.token, lab.endpoint)
    lab.fault(effect="status", status=503, method="POST", path="^/servers$")
    lab.restart()                       # same address, same state folder
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

LABCLOUD_ROOT = Path(__file__).resolve().parents[1] / "roles" / "lab" / "files"
if str(LABCLOUD_ROOT) not in sys.path:
    sys.path.insert(0, str(LABCLOUD_ROOT))

from labcloud.app import create_app  # noqa: E402 - after the path above
from labcloud.settings import Settings  # noqa: E402 - after the path above

START_SECONDS = 20.0


class LabCloud:
    """A running service. `endpoint` is what a Hetzner client takes, `control` the lab's own endpoint."""

    def __init__(self, settings: Settings, backend: Any = None) -> None:
        self.settings = settings
        self.token = settings.hetzner_token
        self._backend = backend
        self._port = 0
        self._start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def endpoint(self) -> str:
        return f"{self.url}/hetzner/v1"

    @property
    def control(self) -> str:
        return f"{self.url}/lab"

    def _start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        app = create_app(self.settings, self._backend)
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the lab cloud did not start")
            self._thread.join(0.01)

    def stop(self) -> None:
        """Stop the service; its state stays in the folder."""
        self._server.should_exit = True
        self._thread.join(START_SECONDS)

    def start(self) -> None:
        """Start again at the same address."""
        self._start()

    def restart(self) -> None:
        """Stop and start again: same address, same state."""
        self.stop()
        self.start()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control endpoint (`/faults`); a refusal raises RuntimeError with its sentence."""
        return self._http(method, self.control + path, body, {})[1]

    def api(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Call the Hetzner API without any client's help; return status and JSON."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self._http(method, self.endpoint + path, body, headers, raises=False)

    @staticmethod
    def _http(method: str, url: str, body: Any, headers: dict[str, str], raises: bool = True) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {**headers, "Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            raw = error.read()
            if raises:
                raise RuntimeError(raw.decode()) from error
            is_json = error.headers.get_content_type() == "application/json"
            return error.code, json.loads(raw) if is_json else raw.decode()

    def fault(self, **fault: Any) -> int:
        """Set a fault (see labcloud/faults.py) and return its id."""
        return int(self.call("POST", "/faults", fault)["id"])

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.call("DELETE", "/faults")

    def project(self, name: str, token: str, **options: Any) -> None:
        """Add an API-only project: read_only, rate_limit, servers={count, ...} (see labcloud/hetzner/bulk.py)."""
        self.call("POST", "/projects", {"name": name, "token": token, **options})

    def stock(self, server_type: str, location: str, available: bool) -> None:
        """Fill or empty the shelf of a server type in a location."""
        self.call("PUT", "/stock", {"server_type": server_type, "location": location, "available": available})

    def requests(self, project: str | None = None) -> list[dict[str, Any]]:
        """Return the calls so far: [{provider, project, method, path, query, status}]."""
        suffix = f"?project={project}" if project else ""
        found: list[dict[str, Any]] = self.call("GET", f"/requests{suffix}")["requests"]
        return found

    def forget_requests(self) -> None:
        """Start counting calls anew."""
        self.call("DELETE", "/requests")

    def idle(self, timeout: float = 30.0) -> None:
        """Wait until no action is running."""
        deadline = time.monotonic() + timeout
        while self.call("GET", "/health")["running_actions"]:
            if time.monotonic() > deadline:
                raise AssertionError("actions are still running")
            time.sleep(0.01)


@contextmanager
def running_lab_cloud(tmp_path: Path, backend: Any = None, **settings: Any) -> Iterator[LabCloud]:
    """Run a lab cloud with short actions.

    `backend` stands in for the machines; settings are those of labcloud.settings.Settings.
    """
    values: dict[str, Any] = {"action_seconds": 0.02, "label_seconds": 0.05, "poll_seconds": 0.05, **settings}
    lab = LabCloud(Settings(state_folder=tmp_path / "labcloud", **values), backend)
    try:
        yield lab
    finally:
        lab.stop()
