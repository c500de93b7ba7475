# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the Hetzner modules share: a wanted project, and runs of modules against the lab cloud.

A run is the module's own main() with its own arguments and its own JSON on standard output, only in this process:
what Ansible adds around it takes a second each time and is tested by the play runs.
"""

from __future__ import annotations

import copy
import importlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ansible.module_utils.testing import patch_module_args

from ansible_collections.frontdesk.platform.plugins.module_utils import hetzner_client
from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import Clock
from tests.lab_cloud import LabCloud

PACKAGE = "ansible_collections.frontdesk.platform.plugins.modules"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJtSw5nGx0TXw9rf8rBBdZQ2o8P5Yj0Z4cJkVwzq9g0a operator@example.com"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbbbbbGx0TXw9rf8rBBdZQ2o8P5Yj0Z4cJkVwzq9g0a second@example.com"

Result = dict[str, Any]
Triple = tuple[str, str, str]


def quick_clock() -> Clock:
    """A clock that goes fifty times as fast, for a lab whose actions take hundredths of a second."""
    return Clock(monotonic=lambda: time.monotonic() * 50, sleep=lambda seconds: time.sleep(seconds / 50))


def run_module(name: str, params: dict[str, Any], check_mode: bool = False, diff: bool = True) -> Result:
    """Run a module as Ansible would; its result, with `failed` when it failed."""
    module = importlib.import_module(f"{PACKAGE}.{name}")
    arguments = {**params, "_ansible_check_mode": check_mode, "_ansible_diff": diff}
    output = StringIO()
    with patch_module_args(arguments), redirect_stdout(output), suppress(SystemExit):
        module.main()
    result: Result = json.loads(output.getvalue())
    return result


# Every kind, with nothing wanted of it.
NOTHING: dict[str, Any] = {
    "networks": [],
    "firewalls": [],
    "ssh_keys": [],
    "placement_groups": [],
    "servers": [],
    "volumes": [],
    "load_balancers": [],
}


class Project:
    """One API-only project of a lab cloud, and runs of hetzner_infrastructure on it."""

    def __init__(self, lab: LabCloud, name: str, **options: Any) -> None:
        self.lab = lab
        self.name = name
        self.token = f"token-of-{name}"
        lab.project(name, self.token, **options)

    @property
    def connection(self) -> dict[str, str]:
        return {"api_token": self.token, "api_endpoint": self.lab.endpoint}

    def run(self, wanted: dict[str, Any], check_mode: bool = False, **options: Any) -> Result:
        """hetzner_infrastructure; a failure is an AssertionError."""
        result = self.try_run(wanted, check_mode, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def try_run(self, wanted: dict[str, Any], check_mode: bool = False, **options: Any) -> Result:
        """hetzner_infrastructure, which may fail."""
        params = {**self.connection, "owner": "test", "cost_confirmed": True, **wanted, **options}
        return run_module("hetzner_infrastructure", params, check_mode)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A call without our client."""
        status, answer = self.lab.api(method, path, body, token=self.token)
        assert status < 300, answer
        self.lab.idle()
        return answer

    def live(self, kind: str, name: str) -> dict[str, Any]:
        """The object as the API shows it."""
        return {item["name"]: item for item in self.all(kind)}[name]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind (`servers`)."""
        found: list[dict[str, Any]] = self.api("GET", f"/{kind}?per_page=50")[kind]
        return found

    def requests(self) -> list[tuple[str, str]]:
        """(method, path) of all calls so far."""
        return [(call["method"], call["path"]) for call in self.lab.requests(self.name)]

    def writes(self) -> list[tuple[str, str]]:
        """(method, path) of all calls that were no reading."""
        return [call for call in self.requests() if call[0] != "GET"]

    def creations(self) -> list[str]:
        """Paths of the creations that the API accepted (actions answer 201, too)."""
        calls = self.lab.requests(self.name)
        made = [call["path"] for call in calls if call["method"] == "POST" and call["status"] == 201]
        return [path for path in made if "/actions/" not in path]


def triples(result: Result) -> list[Triple]:
    """The changes by action, kind and name."""
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]


def server(name: str, number: int, **options: Any) -> dict[str, Any]:
    """A wanted server with a fixed address."""
    return {
        "name": name,
        "server_types": ["cx23", "cpx22"],
        "locations": ["fsn1", "nbg1"],
        "image": "debian-13",
        "ssh_keys": ["operator"],
        "placement_group": "spread",
        "firewalls": ["web"],
        "networks": [{"name": "main", "ip": f"10.0.1.{number}"}],
        "user_data": "#cloud-config\n{}\n",
        **options,
    }


def wanted_project(servers: int = 3) -> dict[str, Any]:
    """One of each kind, and so many servers."""
    return copy.deepcopy(
        {
            "networks": [
                {
                    "name": "main",
                    "ip_range": "10.0.0.0/16",
                    "subnets": [{"ip_range": "10.0.1.0/24", "network_zone": "eu-central"}],
                }
            ],
            "firewalls": [
                {
                    "name": "web",
                    "rules": [
                        {"direction": "in", "protocol": "tcp", "port": "443", "source_ips": ["0.0.0.0/0", "::/0"]},
                        {"direction": "in", "protocol": "icmp", "source_ips": ["0.0.0.0/0", "::/0"]},
                    ],
                }
            ],
            "ssh_keys": [{"name": "operator", "public_key": KEY}],
            "placement_groups": [{"name": "spread"}],
            "servers": [server(f"web-{number}", 10 + number) for number in range(1, servers + 1)],
        }
    )


def balancer(name: str = "edge", **options: Any) -> dict[str, Any]:
    """A wanted load balancer in the network of the wanted project, with a fixed address."""
    return {
        "name": name,
        "type": "lb11",
        "location": "fsn1",
        "networks": [{"name": "main", "ip": "10.0.1.5"}],
        "targets": [{"label_selector": "group.frontdesk.platform/edge=true", "use_private_ip": True}],
        "services": [
            {
                "listen_port": port,
                "proxyprotocol": True,
                "health_check": {"port": 80, "http": {"path": "/ping", "status_codes": ["200"]}},
            }
            for port in (80, 443)
        ],
        **options,
    }


def whole_project(servers: int = 3) -> dict[str, Any]:
    """The wanted project with a volume at the first server and a load balancer before it."""
    return {
        **wanted_project(servers),
        "volumes": [{"name": "data", "size": 10, "server": "web-1", "delete_protection": True}],
        "load_balancers": [balancer(targets=[{"server": "web-1", "use_private_ip": True}])],
    }


# --- one case for every option that is compared


@dataclass(frozen=True)
class Case:
    """A change of one option; changes: what must follow. options: what allows it. start: done before, to both."""

    change: Callable[[dict[str, Any]], None]
    changes: list[Triple]
    options: dict[str, Any] = field(default_factory=dict)
    start: Callable[[dict[str, Any]], None] = lambda wanted: None


def setting(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change that sets one place in a wanted project."""

    def change(wanted: dict[str, Any]) -> None:
        target: Any = wanted
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


def without(wanted: Any, path: list[str]) -> Any:
    """The wanted project with one option unset everywhere."""
    if isinstance(wanted, list):
        return [without(entry, path) for entry in wanted]
    if not isinstance(wanted, dict) or path[0] not in wanted:
        return wanted
    if len(path) == 1:
        return {key: value for key, value in wanted.items() if key != path[0]}
    return {**wanted, path[0]: without(wanted[path[0]], path[1:])}


def leaves(options: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every option of every object in an argument spec, as in `servers.networks.ip`."""
    for name, option in options.items():
        if "options" in option:
            yield from leaves(option["options"], f"{prefix}{name}.")
        elif prefix:
            yield f"{prefix}{name}"


def assert_changed_once(project: Project, before: dict[str, Any], after: dict[str, Any], case: Case) -> None:
    """Check mode tells the change and writes nothing, the run makes it, and then nothing is left."""
    project.run(before)
    assert project.run(before)["changes"] == []
    writes = project.writes()
    told = project.run(after, check_mode=True, **case.options)
    assert triples(told) == case.changes
    assert project.writes() == writes, "check mode has written"

    done = project.run(after, **case.options)
    assert triples(done) == case.changes
    assert project.writes() != writes
    assert project.run(after)["changes"] == []


def in_parallel(*calls: Callable[[], Any]) -> list[Any]:
    """Run all at the same time; their results."""
    results: list[Any] = [None] * len(calls)

    def run(position: int, call: Callable[[], Any]) -> None:
        results[position] = call()

    threads = [threading.Thread(target=run, args=(position, call)) for position, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def use_quick_clock(monkeypatch: Any) -> None:
    """All clients made from now on do not wait as long as in production."""
    monkeypatch.setattr(hetzner_client, "Clock", quick_clock)
