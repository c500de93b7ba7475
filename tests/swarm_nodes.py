# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Swarm for tests: commands on its nodes over SSH, and runs of this collection's modules there.

A module runs on the node's own Python with its own main(), as Ansible's documentation tells to debug a module: one
SSH exchange of 0.2 s, where a playbook takes two seconds more. What Ansible adds around a module is tested by plays.

The nodes are those of an inventory: the lab's, or the one that FRONTDESK_SWARM_INVENTORY names.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ansible
import docker

ROOT = Path(__file__).resolve().parents[1]
INVENTORY = os.environ.get("FRONTDESK_SWARM_INVENTORY", "inventory/lab")

REGISTRY = "127.0.0.1:8481"
"""The lab's registry as the controller pushes to it. Nodes ask it for all of docker.io."""
IMAGE = "frontdesk-test/base:1"
NEXT_IMAGE = "frontdesk-test/base:2"
"""Debian with a shell, of the layers that the lab's images have; the two differ in a label."""

PACKAGE = "ansible_collections/frontdesk/platform"
NOT_ON_NODES = ("powershell", "csharp", "facts", "__pycache__")

Json = dict[str, Any]


def eventually(question: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def _module_files() -> bytes:
    """What a module needs on a node, packed: Ansible's module_utils, this collection's, and its modules."""
    packed = io.BytesIO()
    library = Path(ansible.__file__).parent
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:

        def add(path: Path, name: str) -> None:
            archive.add(path, name, filter=lambda item: None if Path(item.name).name in NOT_ON_NODES else item)

        for part in ("__init__.py", "release.py", "_vendor", "module_utils"):
            add(library / part, f"ansible/{part}")
        for part in ("module_utils", "modules"):
            add(ROOT / "plugins" / part, f"{PACKAGE}/plugins/{part}")
    return packed.getvalue()


@dataclass(frozen=True)
class Node:
    """One server of the inventory, as root over SSH."""

    name: str
    ssh: tuple[str, ...]
    variables: Json
    """How Ansible connects to it."""

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start a shell command on the node."""
        pipe = subprocess.PIPE
        return subprocess.Popen([*self.ssh, command], stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def run(self, command: str, given: str = "", check: bool = True, timeout: float = 180) -> str:
        """Run a shell command on the node and return what it printed; it must succeed unless `check` is off."""
        done = subprocess.run(
            [*self.ssh, command], input=given, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0 or not check, f"{self.name}: {command[:200]}\n{done.stdout}{done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def docker(self, *arguments: str, given: str = "", check: bool = True) -> str:
        """Run the Docker CLI on the node."""
        return self.run(shlex.join(["docker", *arguments]), given, check).strip()

    def lines(self, *arguments: str) -> list[str]:
        """What the Docker CLI printed, sorted lines."""
        return sorted(self.docker(*arguments).splitlines())

    def inspect(self, kind: str, *names: str) -> list[Json]:
        """What `docker <kind> inspect` shows of each name; none of no names."""
        return json.loads(self.docker(kind, "inspect", *names)) if names else []

    @cached_property
    def module_folder(self) -> str:
        """Where the modules lie on the node."""
        done = subprocess.run(
            [*self.ssh, "d=$(mktemp -d /tmp/frontdesk-test.XXXXXX) && tar -xzf - -C $d && echo $d"],
            input=_module_files(),
            capture_output=True,
            check=True,
            timeout=60,
        )
        return done.stdout.decode().strip()

    def module_command(self, name: str) -> str:
        """The shell command that runs a module; its arguments come by standard input (module_input)."""
        return f"cd {self.module_folder} && exec python3 -m {PACKAGE.replace('/', '.')}.plugins.modules.{name}"

    def module(self, name: str, params: Json, check_mode: bool = False, timeout: float = 400) -> Json:
        """Run a module on the node; its result, with `failed` when it failed."""
        command = self.module_command(name)
        output = self.run(command, module_input(params, check_mode), check=False, timeout=timeout)
        start = output.find("{")
        assert start >= 0, f"{self.name}: {name} gave no result\n{output}"
        result: Json = json.JSONDecoder().raw_decode(output[start:])[0]
        return result

    def clean_up(self) -> None:
        """Remove the modules from the node."""
        if "module_folder" in self.__dict__:
            self.run(f"rm -rf {self.module_folder}", check=False)


def module_input(params: Json, check_mode: bool = False) -> str:
    """A module's standard input as Ansible gives it."""
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**params, "_ansible_check_mode": check_mode, "_ansible_diff": True}})


@dataclass(frozen=True)
class Swarm:
    """The managers of one Swarm; the first is the one to ask."""

    managers: list[Node]
    inventory: str

    @property
    def manager(self) -> Node:
        return self.managers[0]

    def objects(self) -> dict[str, list[str]]:
        """Everything in the Swarm with its version, so that no write to any of it goes unseen. Read by the CLI."""
        script = """
        docker service ls -q | xargs -r docker service inspect -f '{{.Spec.Name}} {{.ID}} {{.Version.Index}}'; echo --
        docker secret ls -q | xargs -r docker secret inspect -f '{{.Spec.Name}} {{.ID}} {{.Version.Index}}'; echo --
        docker config ls -q | xargs -r docker config inspect -f '{{.Spec.Name}} {{.ID}} {{.Version.Index}}'; echo --
        docker network ls -q --filter driver=overlay | xargs -r docker network inspect -f '{{.Name}} {{.Id}}'
        """
        parts = self.manager.run(script).split("--\n")
        kinds = ("services", "secrets", "configs", "networks")
        return {kind: sorted(part.splitlines()) for kind, part in zip(kinds, parts, strict=True)}

    def of_stack(self, stack: str) -> dict[str, list[str]]:
        """Names of everything that is called like a part of the stack or says so by its label."""
        label = f"label=com.docker.stack.namespace={stack}"
        found = {}
        for kind in ("service", "secret", "config", "network"):
            names = set(self.manager.lines(kind, "ls", "--filter", label, "--format", "{{.Name}}"))
            names |= {
                name for name in self.manager.lines(kind, "ls", "--format", "{{.Name}}") if name.startswith(f"{stack}_")
            }
            found[kind] = sorted(names)
        return found

    def running(self, service: str) -> list[str]:
        """Ids of the tasks that run."""
        shown = self.manager.lines(
            "service",
            "ps",
            "--no-trunc",
            "--filter=desired-state=running",
            "--format={{.ID}} {{.CurrentState}}",
            service,
        )
        return [line.split()[0] for line in shown if line.split()[1] == "Running"]

    def container(self, service: str) -> tuple[Node, str]:
        """The node and the container of a service's first running task."""
        tasks = eventually(lambda: self.running(service), f"{service} runs")
        name, container = self.manager.docker(
            "inspect", "--format", "{{.NodeID}} {{.Status.ContainerStatus.ContainerID}}", tasks[0]
        ).split()
        host = self.manager.docker("node", "inspect", "--format", "{{.Description.Hostname}}", name)
        return self.node(host), container

    def node(self, hostname: str) -> Node:
        """The node with that host name."""
        return next(node for node in self.managers if node.name == hostname)


def _connections(inventory: str) -> Iterator[tuple[str, Json]]:
    """How to reach each host of an inventory but the controller: (name, rendered connection variables)."""
    names = ("ansible_host", "ansible_user", "ansible_ssh_private_key_file", "ansible_ssh_common_args")
    shown = ", ".join(f"'{name}': {name} | default('')" for name in names)
    done = subprocess.run(
        [
            "ansible",
            "all:!localhost",
            "-i",
            inventory,
            "-m",
            "ansible.builtin.debug",
            "-a",
            f"msg={{{{ {{{shown}}} }}}}",
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    document = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{\n") :])[0]
    for play in document["plays"]:
        for task in play["tasks"]:
            yield from ((host, result["msg"]) for host, result in task["hosts"].items())


@contextlib.contextmanager
def swarm_of(inventory: str) -> Iterator[Swarm]:
    """The Swarm whose managers are hosts of an inventory. What the tests put on the nodes is removed again."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as folder:
        shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/%C", "-o", "ControlPersist=120"]
        nodes = []
        for name, found in sorted(_connections(inventory)):
            key = found["ansible_ssh_private_key_file"]
            options = ["-i", str(Path(key).expanduser())] if key else []
            options += [*shlex.split(found["ansible_ssh_common_args"]), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]
            user = found["ansible_user"] or "root"
            address = found["ansible_host"] or name
            nodes.append(Node(name, ("ssh", *options, *shared, f"{user}@{address}"), found))
        is_manager = "{{.Swarm.ControlAvailable}}"
        managers = [node for node in nodes if node.docker("info", "--format", is_manager, check=False) == "true"]
        assert managers, (
            f"{inventory} has no Swarm manager among {[node.name for node in nodes]}: run `make site` first"
        )
        try:
            yield Swarm(managers, inventory)
        finally:
            for node in nodes:
                node.clean_up()
                subprocess.run([*node.ssh, "-O", "exit"], capture_output=True, check=False)


def push_images() -> None:
    """Put the images of the tests into the lab's registry."""
    with contextlib.closing(docker.from_env()) as engine:
        base = next(image for image in engine.images.list("frontdesk-lab/base") if image.tags)
        for image in (IMAGE, NEXT_IMAGE):
            name, tag = image.split(":")
            recipe = f'FROM {base.tags[0]}\nLABEL frontdesk.test={tag}\nCMD ["sleep", "infinity"]\n'
            engine.images.build(fileobj=io.BytesIO(recipe.encode()), tag=f"{REGISTRY}/{image}")
            for line in engine.images.push(f"{REGISTRY}/{name}", tag=tag, stream=True, decode=True):
                assert "error" not in line, line
            engine.images.remove(f"{REGISTRY}/{image}")
