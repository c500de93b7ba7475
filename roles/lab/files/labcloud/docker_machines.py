# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and private networks of the lab as containers and bridges of a Docker engine.

A server is a container with systemd, SSH and cloud-init. The engine numbers its interfaces and picks its
default route by the order of the network names, so the public network's name sorts before the private ones'.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .docker_balancers import BalancerPlace, DockerBalancers
from .docker_engine import Engine, EngineError, filters, tar_of
from .docker_firewall import HostFirewall
from .docker_networks import all_of, connect, disconnect, network_name, place
from .docker_volumes import DockerVolumes
from .machine_specs import FirewallRule, MachineError, MachineSpec, PrivateAddress
from .machines import MISSING, OFF, RUNNING, Wanted

logger = logging.getLogger(__name__)

LAB_LABEL = "frontdesk.lab"
SERVER_LABEL = "frontdesk.lab.server"
NETWORK_LABEL = "frontdesk.lab.network"
PRIVATE_MTU = "1450"
SEED = "/var/lib/cloud/seed/nocloud"
# How systemd's own `reboot` ends the first process of a container: the kernel sends SIGHUP to the process-id
# namespace's init for a restart and SIGINT for power-off (reboot(2), "Behavior inside PID namespaces").
EXIT_OF_REBOOT = "129"
# systemd's request to power off, as a press of the power button is (systemd(1), "Signals").
SIGNAL_POWER_OFF = "SIGRTMIN+3"
# A guest gets this long to stop for a reboot, then it is reset. Seconds.
REBOOT_PATIENCE = "20"
# systemd 257 starts on control groups v1 only when told so twice.
SYSTEMD_ON_CGROUP_V1 = ("systemd.unified_cgroup_hierarchy=0", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1")
# Services of the lab sit below the servers, which start at the tenth address.
SERVICES_FIRST, SERVICES_LAST = 2, 9


@dataclass(frozen=True)
class Settings:
    """Where servers live.

    Their image, the public network (name and CIDR), their resolver's address, the name of the container that
    writes the firewalls, the image of balancers and helpers, the volume that balancers share with the lab cloud and
    where it is mounted, and the engine's socket.
    """

    image: str
    public_network: str
    public_range: str
    resolver: str
    firewall: str
    services_image: str
    balancer_volume: str
    balancer_folder: str
    socket_path: str = "/var/run/docker.sock"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        try:
            return cls(
                image=environment["LABCLOUD_SERVER_IMAGE"],
                public_network=environment["LABCLOUD_PUBLIC_NETWORK_NAME"],
                public_range=environment["LABCLOUD_PUBLIC_NETWORK"],
                resolver=environment["LABCLOUD_RESOLVER"],
                firewall=environment["LABCLOUD_FIREWALL_CONTAINER"],
                services_image=environment["LABCLOUD_SERVICES_IMAGE"],
                balancer_volume=environment["LABCLOUD_BALANCER_VOLUME"],
                balancer_folder=environment["LABCLOUD_BALANCER_FOLDER"],
            )
        except KeyError as error:
            raise MachineError(f"LABCLOUD_MACHINES=docker needs the environment variable {error.args[0]}") from None

    @property
    def services(self) -> str:
        """The lab services' address range, as nftables writes it."""
        network = ipaddress.ip_network(self.public_range)
        return f"{network[SERVICES_FIRST]}-{network[SERVICES_LAST]}"


def container_name(spec: MachineSpec) -> str:
    """Return the name of a server's container."""
    return f"frontdesk-lab-server-{spec.name}"


def volume_name(server_id: int) -> str:
    """Return the name of the volume for a server's own engine, which cannot store images on the container's layers."""
    return f"frontdesk-lab-server-{server_id}-docker"


def seed_files(spec: MachineSpec) -> dict[str, str]:
    """Return cloud-init's NoCloud seed.

    Without the network-config cloud-init would take the interface that the engine has already set up away from it.
    """
    meta_data = {
        "instance-id": str(spec.server_id),
        "local-hostname": spec.name,
        "public-keys": list(spec.ssh_public_keys),
    }
    return {
        f"{SEED}/meta-data": json.dumps(meta_data),
        f"{SEED}/user-data": spec.user_data,
        f"{SEED}/network-config": "network:\n  config: disabled\n",
    }


def container_body(spec: MachineSpec, settings: Settings, cgroup_version: str) -> dict[str, Any]:
    """Return the engine's creation body: everything systemd and a nested engine need, and nothing privileged.

    `--privileged` fails where the machine itself lacks a capability; this set works in both cases.
    """
    host_config: dict[str, Any] = {
        "Binds": [f"{volume_name(spec.server_id)}:/var/lib/docker"],
        "CapAdd": ["ALL"],
        "CapDrop": ["SYS_RESOURCE"],
        "CgroupnsMode": "private",
        "DeviceCgroupRules": ["a *:* rwm"],
        "MaskedPaths": [],
        "Memory": int(spec.memory_gb * 1024**3),
        "NetworkMode": settings.public_network if spec.public_ipv4 else "none",
        "ReadonlyPaths": [],
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "Tmpfs": {"/run": "exec", "/tmp": "exec"},  # noqa: S108 - mount points in the server
    }
    body: dict[str, Any] = {
        "Cmd": [],
        # The first for systemd, the second for the image's first step.
        "Env": ["container=docker", f"LAB_RESOLVER={settings.resolver}"],
        "HostConfig": host_config,
        "Hostname": spec.name,
        "Image": settings.image,
        "Labels": {LAB_LABEL: "true", SERVER_LABEL: str(spec.server_id)},
    }
    if cgroup_version == "1":
        body["Cmd"] = list(SYSTEMD_ON_CGROUP_V1)
        host_config["CgroupnsMode"] = "host"
        host_config["Binds"].append("/sys/fs/cgroup:/sys/fs/cgroup:rw")
    if spec.public_ipv4:
        endpoint = {"IPAMConfig": {"IPv4Address": spec.public_ipv4}}
        body["NetworkingConfig"] = {"EndpointsConfig": {settings.public_network: endpoint}}
    return body


def network_body(network_id: int, ip_range: str) -> dict[str, Any]:
    """Return the creation body of a private network: no way out through it, and Hetzner's packet size."""
    return {
        "Name": network_name(network_id),
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": True,
        "IPAM": {"Config": [{"Subnet": ip_range}]},
        "Labels": {LAB_LABEL: "true", NETWORK_LABEL: str(network_id)},
        "Options": {"com.docker.network.driver.mtu": PRIVATE_MTU},
    }


def parse_routes(text: str) -> list[ipaddress.IPv4Network]:
    """Return the destinations of a kernel routing table (/proc/net/route: hexadecimal, lowest byte first)."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, mask = (bytes.fromhex(fields[column])[::-1] for column in (1, 7))
        network = ipaddress.ip_network((address, bin(int.from_bytes(mask, "big")).count("1")))
        if isinstance(network, ipaddress.IPv4Network) and network.prefixlen:
            found.append(network)
    return found


def find_overlap(
    ip_range: str, docker_networks: Iterable[Mapping[str, Any]], routes: Iterable[ipaddress.IPv4Network]
) -> str | None:
    """Return one sentence that names what already uses a part of the range on this machine, or None."""
    wanted = ipaddress.ip_network(ip_range)
    for network in docker_networks:
        for config in network["IPAM"].get("Config") or []:
            used = config.get("Subnet", "")
            if used and ":" not in used and wanted.overlaps(ipaddress.ip_network(used)):
                return f"the range {ip_range} overlaps {used} of the Docker network {network['Name']} on this machine"
    for route in routes:
        if wanted.overlaps(route):
            return f"the range {ip_range} overlaps {route}, to which this machine already has a route"
    return None


class DockerMachines:
    """The Machines of a lab on one Docker engine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = Engine(settings.socket_path)
        self._firewall = HostFirewall(self._engine, settings.firewall, settings.services)
        place_ = BalancerPlace(
            settings.services_image, settings.public_network, settings.balancer_volume, settings.balancer_folder
        )
        self.balancers = DockerBalancers(self._engine, place_, {LAB_LABEL: "true"})
        self.volumes = DockerVolumes(self._engine, settings.services_image, {LAB_LABEL: "true"}, self._inspect)
        self._cgroup_version = ""
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> DockerMachines:
        return cls(Settings.from_environment(environment))

    # -- service start ---------------------------------------------------------------------------------------

    async def start(self, wanted: Wanted) -> None:
        specs = {spec.server_id: spec for spec in wanted.servers}
        await self._firewall.prepare()
        # First of all the rules: no server may be reachable for a moment longer than its firewall allows.
        await self._firewall.set_all(
            {
                number: (address, tuple(rules))
                for number, rules in wanted.firewalls.items()
                if rules is not None and number in specs and (address := specs[number].public_ipv4)
            }
        )
        await self._remove_unknown(specs, wanted.networks)
        await all_of(*(self.create_network(number, ip_range) for number, ip_range in wanted.networks.items()))
        # A server finds its volumes there when it starts.
        await self.volumes.start(wanted.volumes)
        await all_of(
            self.balancers.start(wanted.balancers),
            *(self._restore(spec, spec.server_id in wanted.running) for spec in wanted.servers),
        )
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())

    async def _remove_unknown(self, specs: Mapping[int, MachineSpec], networks: Mapping[int, str]) -> None:
        """Remove servers and networks of earlier runs that the database does not know."""
        found = await self._containers(SERVER_LABEL)
        numbers = {int(container["Labels"][SERVER_LABEL]) for container in found}
        await all_of(*(self._remove(number) for number in numbers - set(specs)))
        existing = await self._engine.call("GET", "/networks", params=filters(label=[NETWORK_LABEL]))
        known = {int(network["Labels"][NETWORK_LABEL]) for network in existing}
        await all_of(*(self.delete_network(number) for number in known - set(networks)))

    async def _restore(self, spec: MachineSpec, is_running: bool) -> None:
        details = await self._inspect(spec.server_id)
        if details is not None and details["State"]["Status"] in ("created", "dead"):
            # Perhaps half-made by a service that was killed. It has never run, so nothing is lost.
            await self._remove(spec.server_id)
            details = None
        if details is None:
            await self.create(spec)
        else:
            await self._restore_networks(spec, details["Id"])
            await self.volumes.show(spec.server_id)
        await (self.power_on(spec.server_id) if is_running else self.power_off(spec.server_id))

    async def _restore_networks(self, spec: MachineSpec, container: str) -> None:
        """Put a server back into its networks."""
        wanted = {network_name(address.network_id): address.ip for address in spec.private}
        if spec.public_ipv4:
            wanted[self._settings.public_network] = spec.public_ipv4
        await place(self._engine, container, wanted)

    # -- networks --------------------------------------------------------------------------------------------

    async def create_network(self, network_id: int, ip_range: str) -> None:
        existing: list[dict[str, Any]] = await self._engine.call("GET", "/networks")
        if any(network["Name"] == network_name(network_id) for network in existing):
            return
        overlap = find_overlap(ip_range, existing, parse_routes(await self._firewall.routes()))
        if overlap:
            raise MachineError(f"{overlap}; choose another range for the lab's private network")
        try:
            await self._engine.call("POST", "/networks/create", body=network_body(network_id, ip_range))
        except EngineError as error:
            if "already exists" not in str(error):
                raise MachineError(f"the private network {ip_range} could not be made: {error}") from error

    async def delete_network(self, network_id: int) -> None:
        name = network_name(network_id)
        details = await self._engine.call("GET", f"/networks/{name}", accept={404})
        if details is None:
            return
        await all_of(*(disconnect(self._engine, name, container) for container in details.get("Containers") or {}))
        await self._engine.call("DELETE", f"/networks/{name}", accept={404})

    async def attach(self, server_id: int, address: PrivateAddress) -> None:
        """Connect a server. Alias addresses need nothing: a bridge carries whatever the server configures."""
        await connect(self._engine, await self._require(server_id), network_name(address.network_id), address.ip)

    async def detach(self, server_id: int, network_id: int) -> None:
        details = await self._require(server_id)
        if network_name(network_id) in details["NetworkSettings"]["Networks"]:
            await disconnect(self._engine, network_name(network_id), details["Id"])

    # -- servers ---------------------------------------------------------------------------------------------

    async def create(self, spec: MachineSpec) -> None:
        if await self._find(spec.server_id):
            return
        body = container_body(spec, self._settings, await self._cgroups())
        volume = {"Name": volume_name(spec.server_id), "Labels": body["Labels"]}
        await self._engine.call("POST", "/volumes/create", body=volume)
        try:
            container = (await self._create_container(spec, body))["Id"]
            for address in spec.private:
                await self.attach(spec.server_id, address)
            content = tar_of(seed_files(spec))
            await self._engine.call("PUT", f"/containers/{container}/archive", params={"path": "/"}, content=content)
            await self.volumes.show(spec.server_id)
        except MachineError:
            await self._remove(spec.server_id)
            raise

    async def _create_container(self, spec: MachineSpec, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create under the server's name; a server that was renamed since may still hold it, then add the id."""
        names = (container_name(spec), f"{container_name(spec)}-{spec.server_id}")
        for name in names:
            try:
                created: dict[str, Any] = await self._engine.call(
                    "POST", "/containers/create", params={"name": name}, body=body
                )
                return created
            except EngineError as error:
                if error.status == 404:
                    raise MachineError(
                        f"the lab's server image {self._settings.image} is missing; run 'make lab' to build it"
                    ) from error
                if error.status != 409 or name == names[-1]:
                    raise
        raise AssertionError("unreachable")

    async def delete(self, server_id: int) -> None:
        await self._remove(server_id)
        await self._firewall.set(server_id, None, None)

    async def _remove(self, server_id: int) -> None:
        container = await self._find(server_id)
        if container:
            # 409: a removal is already under way; the wait below covers it.
            params = {"force": "true", "v": "true"}
            await self._engine.call("DELETE", f"/containers/{container}", params=params, accept={404, 409})
            params = {"condition": "removed"}
            await self._engine.call("POST", f"/containers/{container}/wait", params=params, accept={404})
        await self._engine.call("DELETE", f"/volumes/{volume_name(server_id)}", accept={404})

    async def power_on(self, server_id: int) -> None:
        container = (await self._require(server_id))["Id"]
        await self._engine.call("POST", f"/containers/{container}/start")
        # Its first process has done so already, unless the server was made from an older image.
        await self.volumes.show(server_id)

    async def power_off(self, server_id: int) -> None:
        container = (await self._require(server_id))["Id"]
        # 409: it is not running.
        await self._engine.call("POST", f"/containers/{container}/kill", accept={409})
        await self._engine.call("POST", f"/containers/{container}/wait", params={"condition": "not-running"})

    async def shutdown(self, server_id: int) -> None:
        container = (await self._require(server_id))["Id"]
        params = {"signal": SIGNAL_POWER_OFF}
        await self._engine.call("POST", f"/containers/{container}/kill", params=params, accept={409})

    async def reboot(self, server_id: int) -> None:
        container = (await self._require(server_id))["Id"]
        await self._engine.call("POST", f"/containers/{container}/restart", params={"t": REBOOT_PATIENCE})

    async def set_firewall(self, server_id: int, public_ipv4: str | None, rules: Sequence[FirewallRule] | None) -> None:
        await self._firewall.set(server_id, public_ipv4, rules)

    async def state(self, server_id: int) -> str:
        details = await self._inspect(server_id)
        if details is None:
            return MISSING
        return RUNNING if details["State"]["Running"] else OFF

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
        await self._engine.close()

    # -- the engine's view -----------------------------------------------------------------------------------

    async def _cgroups(self) -> str:
        """Return the version of the machine's control groups, "1" or "2"; asked once."""
        if not self._cgroup_version:
            self._cgroup_version = str((await self._engine.call("GET", "/info")).get("CgroupVersion") or "1")
        return self._cgroup_version

    async def _containers(self, label: str) -> list[dict[str, Any]]:
        params = {"all": "true", **filters(label=[label])}
        found: list[dict[str, Any]] = await self._engine.call("GET", "/containers/json", params=params)
        return found

    async def _find(self, server_id: int) -> str | None:
        found = await self._containers(f"{SERVER_LABEL}={server_id}")
        return found[0]["Id"] if found else None

    async def _inspect(self, server_id: int) -> dict[str, Any] | None:
        container = await self._find(server_id)
        if container is None:
            return None
        details: dict[str, Any] | None = await self._engine.call("GET", f"/containers/{container}/json", accept={404})
        return details

    async def _require(self, server_id: int) -> dict[str, Any]:
        details = await self._inspect(server_id)
        if details is None:
            raise MachineError(f"server {server_id} has no container any more; somebody removed it from outside")
        return details

    # -- reboot from inside ----------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Start a server again when its own root said `reboot`; `poweroff` leaves it off, as on real hardware.

        The engine's restart policies cannot tell the two apart, so servers have none.
        """
        while True:
            try:
                async for event in self._engine.events(type=["container"], event=["die"], label=[SERVER_LABEL]):
                    await self._after_exit(event["Actor"]["ID"], event["Actor"]["Attributes"].get("exitCode", ""))
            except MachineError as error:
                logger.warning("watching the servers was interrupted: %s", error)
            await asyncio.sleep(1)  # the engine is restarting; asking it more often helps nobody

    async def _after_exit(self, container: str, exit_code: str) -> None:
        if exit_code != EXIT_OF_REBOOT:
            return
        try:
            await self._engine.call("POST", f"/containers/{container}/start", accept={404, 409})
        except MachineError:
            logger.exception("a server that rebooted itself could not be started again")
