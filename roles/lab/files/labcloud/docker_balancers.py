# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers of the lab as containers with HAProxy.

A balancer's configuration and sockets lie in a folder of a volume that it shares with the lab cloud, so asking for
the health of its targets costs one look into a socket. A new configuration is loaded by HAProxy's own reload: the
new process takes the listening sockets over, the old one finishes its connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import haproxy
from .balancers import UNKNOWN, BalancerSpec, Health, TargetHealth
from .docker_engine import Engine, EngineError, filters
from .docker_networks import all_of, network_name, place
from .machine_specs import MachineError

logger = logging.getLogger(__name__)

BALANCER_LABEL = "frontdesk.lab.balancer"
# How long HAProxy may take to listen, or to answer. Seconds.
PATIENCE = 30.0
LOADED = "loaded.cfg"


@dataclass(frozen=True)
class BalancerPlace:
    """Where balancers live: their image, the public network, and the shared volume with the folder it is mounted on."""

    image: str
    public_network: str
    volume: str
    folder: str


def container_name(spec: BalancerSpec) -> str:
    """Return the name of a balancer's container; the vendor allows blanks and more in a balancer's own name."""
    return f"frontdesk-lab-balancer-{re.sub('[^a-zA-Z0-9_.-]', '-', spec.name)}"


def networks_of(spec: BalancerSpec, public_network: str) -> dict[str, str]:
    """Return the addresses of a balancer by the names of its networks, the public one first."""
    wanted = {public_network: spec.public_ipv4} if spec.public_ipv4 else {}
    return {**wanted, **{network_name(address.network_id): address.ip for address in spec.private}}


def container_body(spec: BalancerSpec, place_: BalancerPlace, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the engine's creation body."""
    folder = f"{place_.folder}/{spec.balancer_id}"
    # The master socket is what a reload is asked for, and it says whether the new configuration works.
    command = ["haproxy", "-W", "-db", "-S", f"{folder}/{haproxy.MASTER_SOCKET},mode,600"]
    return {
        "Cmd": [*command, "-f", f"{folder}/{haproxy.CONFIGURATION}"],
        "HostConfig": {
            "Mounts": [{"Type": "volume", "Source": place_.volume, "Target": place_.folder}],
            "NetworkMode": "none",
            # Its configuration is all it needs, so it comes back with the engine and waits for nobody.
            "RestartPolicy": {"Name": "unless-stopped"},
        },
        "Image": place_.image,
        "Labels": {**labels, BALANCER_LABEL: str(spec.balancer_id)},
        "StopSignal": "SIGTERM",
    }


class DockerBalancers:
    """The balancers of a lab on one Docker engine."""

    def __init__(self, engine: Engine, place_: BalancerPlace, labels: Mapping[str, str]) -> None:
        """`labels` are put on every container."""
        self._engine = engine
        self._place = place_
        self._labels = labels
        self._known: dict[int, dict[tuple[int, str], TargetHealth]] = {}

    async def start(self, wanted: Iterable[BalancerSpec]) -> None:
        """Make all of them what is wanted, and remove those that nobody knows."""
        specs = {spec.balancer_id: spec for spec in wanted}
        found = await self._containers(BALANCER_LABEL)
        numbers = {int(container["Labels"][BALANCER_LABEL]) for container in found}
        numbers |= {int(folder.name) for folder in self._folders() if folder.name.isdigit()}
        await all_of(*(self.delete(number) for number in numbers - set(specs)))
        await all_of(*(self.put(spec) for spec in specs.values()))

    def _folders(self) -> list[Path]:
        root = Path(self._place.folder)
        return list(root.iterdir()) if root.is_dir() else []

    def _folder(self, balancer_id: int) -> Path:
        return Path(self._place.folder) / str(balancer_id)

    async def put(self, spec: BalancerSpec) -> None:
        """Make a balancer, or bring a new configuration to one that exists."""
        folder = self._folder(spec.balancer_id)
        folder.mkdir(parents=True, exist_ok=True)
        text = haproxy.render(spec, str(folder))
        container = await self._usable(spec)
        await place(self._engine, container["Id"], networks_of(spec, self._place.public_network))
        if not container["State"]["Running"]:
            _write(folder / haproxy.CONFIGURATION, text)
            await self._engine.call("POST", f"/containers/{container['Id']}/start")
            await self._until_it_listens(spec, container["Id"])
        elif _read(folder / LOADED) != text:
            await self._reload(folder, text)
        _write(folder / LOADED, text)
        # A new target has not been looked at, and one that is gone no longer matters.
        known = self._known.get(spec.balancer_id, {})
        self._known[spec.balancer_id] = {key: health for key, health in known.items() if key[1] in spec.targets}

    async def _usable(self, spec: BalancerSpec) -> dict[str, Any]:
        """Return the balancer's container, made anew if there is none or if it is of another image."""
        details = await self._inspect(spec.balancer_id)
        if details is not None and (details["Config"]["Image"] != self._place.image or details["State"]["Dead"]):
            await self._remove(spec.balancer_id)
            details = None
        if details is not None:
            return details
        body = container_body(spec, self._place, self._labels)
        names = (container_name(spec), f"{container_name(spec)}-{spec.balancer_id}")
        for name in names:
            try:
                await self._engine.call("POST", "/containers/create", params={"name": name}, body=body)
                break
            except EngineError as error:
                # A balancer that was renamed since may still hold the name.
                if error.status != 409 or name == names[-1]:
                    raise
        made = await self._inspect(spec.balancer_id)
        if made is None:
            raise MachineError(f"the container of load balancer {spec.name} is gone as soon as it was made")
        return made

    async def _reload(self, folder: Path, text: str) -> None:
        """Load a configuration; the one before stays in force when HAProxy refuses it."""
        state = await self._ask(folder / haproxy.STATS_SOCKET, haproxy.SHOW_STATE)
        _write(folder / haproxy.STATE, state)
        _write(folder / haproxy.CONFIGURATION, text)
        answer = await self._ask(folder / haproxy.MASTER_SOCKET, haproxy.RELOAD)
        if haproxy.RELOADED not in answer:
            # What works must also be what a restart finds.
            _write(folder / haproxy.CONFIGURATION, _read(folder / LOADED))
            raise MachineError(f"HAProxy refuses the load balancer's configuration: {' '.join(answer.split())}")

    async def _until_it_listens(self, spec: BalancerSpec, container: str) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        socket = self._folder(spec.balancer_id) / haproxy.STATS_SOCKET
        while True:
            try:
                await self._ask(socket, haproxy.SHOW_HEALTH)
                return
            except OSError:
                details = await self._engine.call("GET", f"/containers/{container}/json")
                if details["RestartCount"] > 0 or asyncio.get_running_loop().time() > deadline:
                    await self._engine.call("POST", f"/containers/{container}/stop", params={"t": "0"}, accept={304})
                    logs = await self._engine.logs(container)
                    raise MachineError(f"HAProxy does not start: {' '.join(logs.split())[-500:]}") from None
            await asyncio.sleep(0.05)

    async def delete(self, balancer_id: int) -> None:
        """Remove the container and the folder."""
        await self._remove(balancer_id)
        self._known.pop(balancer_id, None)
        shutil.rmtree(self._folder(balancer_id), ignore_errors=True)

    async def _remove(self, balancer_id: int) -> None:
        for container in await self._containers(f"{BALANCER_LABEL}={balancer_id}"):
            params = {"force": "true", "v": "true"}
            # 409: a removal is already under way; the wait covers it.
            await self._engine.call("DELETE", f"/containers/{container['Id']}", params=params, accept={404, 409})
            params = {"condition": "removed"}
            await self._engine.call("POST", f"/containers/{container['Id']}/wait", params=params, accept={404})

    async def health(self, balancer_id: int) -> Health:
        """Ask HAProxy; one that does not run says nothing, so nothing is known."""
        try:
            answer = await self._ask(self._folder(balancer_id) / haproxy.STATS_SOCKET, haproxy.SHOW_HEALTH)
        except (OSError, asyncio.TimeoutError):
            return {}
        now = haproxy.parse_health(answer)
        before = self._known.get(balancer_id, {})
        # After a reload a target counts as not looked at until its next check; what was known is still true.
        merged = {key: before.get(key, health) if health.status == UNKNOWN else health for key, health in now.items()}
        self._known[balancer_id] = merged
        return merged

    @staticmethod
    async def _ask(socket: Path, command: str) -> str:
        async def exchange() -> str:
            reader, writer = await asyncio.open_unix_connection(str(socket))
            try:
                writer.write(f"{command}\n".encode())
                await writer.drain()
                return (await reader.read()).decode(errors="replace")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

        return await asyncio.wait_for(exchange(), PATIENCE)

    async def _containers(self, label: str) -> list[dict[str, Any]]:
        params = {"all": "true", **filters(label=[label])}
        found: list[dict[str, Any]] = await self._engine.call("GET", "/containers/json", params=params)
        return found

    async def _inspect(self, balancer_id: int) -> dict[str, Any] | None:
        found = await self._containers(f"{BALANCER_LABEL}={balancer_id}")
        if not found:
            return None
        details: dict[str, Any] | None = await self._engine.call(
            "GET", f"/containers/{found[0]['Id']}/json", accept={404}
        )
        return details


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole: HAProxy may be reading it."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
