# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack of ten services that is as wanted, against community.docker's two ways to have one, on a real Swarm."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.community import docker as peer

from tests.benchmarks.conftest import Report
from tests.benchmarks.measure import PLAYS, Measurement, Row, Timed, timed
from tests.swarm_nodes import IMAGE, Swarm

OURS = "swarm_frontdesk_platform.yml"
STACK = "swarm_docker_stack.yml"
SERVICE = "swarm_docker_swarm_service.yml"
STACKS = {OURS: "bench-ours", STACK: "bench-stack", SERVICE: "bench-services"}

SERVICES = 10
RUNS = 5
SETTLING_RUNS = 4
MAX_RATIO = {STACK: 1, SERVICE: 1 / 3}

PEER = "community.docker"
PEER_VERSION = "5.4.0"
LIBRARIES = ("docker==7.1.0", "jsondiff==2.2.1", "PyYAML==6.0.2")
"""What the peer's modules need on the node. Ours need nothing."""

NOTES = {
    STACK: f"The stack has a network and a config; its services have no tasks. `docker_stack` of {PEER} {PEER_VERSION} "
    "runs `docker stack deploy` and compares before and after; it has neither check mode nor diff, does not wait, and "
    "reports a change also in the second of two equal runs.",
    SERVICE: f"`docker_swarm_service` of {PEER} {PEER_VERSION} is an execution for each service; `docker_network` and "
    "`docker_config` are one each.",
}


class Runs(Measurement):
    """Wall times without calls, which only our module counts."""

    def __str__(self) -> str:
        return f"{self.median:.2f} s ({len(self.seconds)} runs, {min(self.seconds):.2f} to {max(self.seconds):.2f} s)"


def wanted() -> dict[str, Any]:
    """The variables of the plays, in the terms of swarm_stack. No service has tasks: unchanged ones cost the same."""
    return {
        "networks": [{"name": "inner"}],
        "configs": [{"name": "settings", "content": "level: info\n"}],
        "services": [
            {
                "name": f"part-{number}",
                "image": IMAGE,
                "command": ["sleep", "infinity"],
                "init": True,
                "environment": {"PART": str(number), "LEVEL": "info"},
                "networks": [{"name": "inner"}],
                "configs": [{"source": "settings", "target": "/etc/settings.yml"}],
                "healthcheck": {"test": ["CMD", "true"], "interval": "10s"},
                "deploy": {
                    "replicas": 0,
                    "labels": {"part": str(number)},
                    "resources": {"limits": {"memory": "64M"}},
                },
            }
            for number in range(SERVICES)
        ],
    }


def compose(parts: dict[str, Any], folder: str) -> dict[str, Any]:
    """The same stack as a Compose file, with the content of configs in a folder of the node."""
    services = {}
    for service in parts["services"]:
        options = {key: value for key, value in service.items() if key != "name"}
        options["networks"] = [network["name"] for network in service["networks"]]
        options["deploy"] = {**service["deploy"], "endpoint_mode": "dnsrr"}
        services[service["name"]] = options
    return {
        "version": "3.8",
        "services": services,
        "networks": {network["name"]: {"driver": "overlay"} for network in parts["networks"]},
        "configs": {config["name"]: {"file": f"{folder}/{config['name']}"} for config in parts["configs"]},
    }


def changed(run: Timed) -> int:
    """The number in Ansible's recap."""
    found = re.search(r"changed=(\d+)", run.stdout)
    assert found, run.stdout
    return int(found[1])


@contextlib.contextmanager
def node_folder(swarm: Swarm, work: Path) -> Iterator[str]:
    """A folder on the manager with the peer's Python libraries and the configs' contents."""
    version = swarm.manager.run("python3 -c 'import platform; print(platform.python_version())'").strip()
    folder = work / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    only = [f"--python-version={version}", "--only-binary=:all:", f"--target={folder}"]
    subprocess.run([*pip, *only, *LIBRARIES], check=True, timeout=300)
    for config in wanted()["configs"]:
        (folder / config["name"]).write_text(config["content"])
    packed = subprocess.run(["tar", "-C", folder, "-cz", "."], check=True, capture_output=True).stdout
    there = swarm.manager.run("mktemp -d /tmp/frontdesk-bench.XXXXXX").strip()
    try:
        unpack = [*swarm.manager.ssh, f"tar -C {there} -xzf -"]
        subprocess.run(unpack, input=packed, check=True, timeout=60)
        yield there
    finally:
        swarm.manager.run(f"rm -rf {there}")


def live(swarm: Swarm, kind: str) -> list[str]:
    """Names of what the plays made."""
    names = swarm.manager.lines(kind, "ls", "--format={{.Name}}")
    return [name for name in names if name.startswith(tuple(f"{stack}_" for stack in STACKS.values()))]


def remove_all(swarm: Swarm) -> None:
    """Remove what the plays made."""
    for kind in ("service", "config", "network"):
        names = live(swarm, kind)
        if names:
            swarm.manager.docker(kind, "rm", *names)


def play(name: str, inventory: Path, variables: Path) -> Timed:
    """Run one of the plays on the manager."""
    return timed("ansible-playbook", f"--inventory={inventory}", f"--extra-vars=@{variables}", str(PLAYS / name))


def settle(name: str, inventory: Path, variables: Path) -> None:
    """Run a play until it finds everything as wanted. `docker stack deploy` needs two runs for that."""
    assert changed(play(name, inventory, variables)) > 0
    for _run in range(SETTLING_RUNS):
        if changed(play(name, inventory, variables)) == 0:
            return
    raise AssertionError(f"{name} still changes something in its run {SETTLING_RUNS + 1}")


def installed_version() -> str:
    """The version of the peer that is installed."""
    manifest = Path(next(iter(peer.__path__))) / "MANIFEST.json"
    return str(json.loads(manifest.read_text())["collection_info"]["version"])


@pytest.fixture(scope="module")
def measured(swarm: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Runs]]:
    """The wall times of each play, run in turns on stacks that are as wanted."""
    assert installed_version() == PEER_VERSION, f"the peers' plays are written for {PEER} {PEER_VERSION}"
    work = tmp_path_factory.mktemp("swarm-stack")
    inventory, variables = work / "hosts.json", work / "wanted.json"
    host = {**swarm.manager.variables, "ansible_python_interpreter": "/usr/bin/python3"}
    inventory.write_text(json.dumps({"all": {"hosts": {swarm.manager.name: host}}}))
    runs = {name: Runs() for name in STACKS}
    remove_all(swarm)
    with node_folder(swarm, work) as folder:
        given = {**wanted(), "compose": compose(wanted(), folder), "libraries": folder}
        variables.write_text(json.dumps(given))
        try:
            for name in STACKS:
                settle(name, inventory, variables)
            assert len(live(swarm, "service")) == SERVICES * len(STACKS)
            for _run in range(RUNS):
                for name, measurement in runs.items():
                    run = play(name, inventory, variables)
                    assert changed(run) == 0, run.stdout[-4000:]
                    measurement.add(run.seconds, 0)
            yield runs
        finally:
            remove_all(swarm)


@pytest.mark.lab
@pytest.mark.parametrize("name", [STACK, SERVICE])
def test_swarm_stack(measured: dict[str, Runs], report: Report, name: str):
    ratio = measured[OURS].median / measured[name].median
    report(
        Row(
            f"unchanged stack of {SERVICES} services, against `{name.removeprefix('swarm_').removesuffix('.yml')}`",
            str(measured[OURS]),
            str(measured[name]),
            f"ratio {ratio:.2f}",
            f"ratio ≤ {MAX_RATIO[name]:.2f}",
            ratio <= MAX_RATIO[name],
        ),
        NOTES[name],
    )
