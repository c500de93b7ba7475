# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory made in this process, from a Hetzner Cloud that is a dictionary."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars

from ansible_collections.frontdesk.platform.plugins.inventory import hetzner as plugin
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerError

SERVERS = json.loads(Path(__file__).with_name("servers.json").read_text())
NETWORKS = [{"id": 4711, "name": "internal"}, {"id": 4712, "name": "backup"}, {"id": 4713, "name": "unused"}]
VOLUMES = [
    {
        "id": number,
        "name": name,
        "size": 10,
        "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{number}",
        "format": "ext4",
        "labels": {"tier": "data"},
        "server": server,
        "status": "available",
    }
    for number, name, server in ((82, "second", 42), (81, "first", 42), (83, "free", None), (84, "other", 43))
]
LISTS = {"networks": NETWORKS, "volumes": VOLUMES}


def _recorded(kind: str = "plain", **changes: Any) -> dict[str, Any]:
    return {**deepcopy(SERVERS[kind]), **changes}


@pytest.fixture
def recorded() -> Callable[..., dict[str, Any]]:
    """A recorded server by its kind, with changes."""
    return _recorded


@dataclass
class Cloud:
    """What the API knows: servers by token, an error by token, and what was asked."""

    servers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    errors: dict[str, HetznerError] = field(default_factory=dict)
    asked: list[tuple[str, str, str, Any]] = field(default_factory=list)
    patience: list[tuple[float, float]] = field(default_factory=list)

    def fail(self, status: int | None, code: str, token: str = "token") -> None:
        self.errors[token] = HetznerError(code, "something happened", "list servers", status, "corr-1")

    def work(self) -> None:
        self.errors.clear()

    def client(self, token: str, endpoint: str, timeout: float) -> Client:
        return Client(self, token, endpoint)


class Client:
    """Stands for HetznerClient, whose own tests are elsewhere."""

    def __init__(self, cloud: Cloud, token: str, endpoint: str) -> None:
        self.cloud, self.token, self.endpoint = cloud, token, endpoint
        self.outage_patience = self.busy_patience = 1000.0

    def list(self, path: str, key: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self.cloud.asked.append((self.token, self.endpoint, path, dict(params or {})))
        self.cloud.patience.append((self.outage_patience, self.busy_patience))
        if self.token in self.cloud.errors:
            raise self.cloud.errors[self.token]
        assert path == f"/{key}"
        if key in LISTS:
            return deepcopy(LISTS[key])
        return deepcopy(self.cloud.servers.get(self.token, []))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    monkeypatch.setattr(plugin, "HetznerClient", cloud.client)
    return cloud


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every warning and every failed source, as its first line."""
    shown: list[str] = []

    def failed(_display: Display, msg: str, exception: BaseException) -> None:
        shown.append(f"FAILED {exception}")

    monkeypatch.setattr(Display, "warning", lambda _display, msg, *_args, **_options: shown.append(str(msg)))
    monkeypatch.setattr(Display, "error_as_warning", failed)
    return shown


Inventory = Callable[..., InventoryManager]


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    """Write files `<name>.hetzner.yml` and read them as Ansible does. `refresh` is a flush, `extra` are extra vars."""

    def read(refresh: bool = False, extra: Mapping[str, Any] | None = None, **files: Any) -> InventoryManager:
        paths = []
        for name, options in files.items():
            path = tmp_path / f"{name}.hetzner.yml"
            path.write_text(yaml.safe_dump({"plugin": plugin.InventoryModule.NAME, **options}, sort_keys=False))
            paths.append(str(path))
        # Where Ansible keeps them once it has read the command line.
        monkeypatch.setattr(load_extra_vars, "extra_vars", dict(extra or {}), raising=False)
        return InventoryManager(loader=DataLoader(), sources=paths, cache=not refresh)

    return read
