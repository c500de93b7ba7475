# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hetzner firewalls as one nftables table in the network namespace of the machine that runs the lab.

The table lies outside the servers: root inside one cannot remove it, and a restart loses nothing. It sees
only packets that carry a server's public address; private networks and the traffic of other containers never match.
What comes from the controller on this machine passes OUTPUT, what comes from other containers passes FORWARD
(the kernel hands bridged packets to it: bridge-nf-call-iptables).

A small container of the role shares the machine's network namespace and may administer it, nothing else; the
rules are written through it, so that the lab cloud itself needs no privilege beyond the engine's socket.

Rules as Hetzner documents them (https://docs.hetzner.com/cloud/firewalls/overview): stateful; without an
"in" rule nothing new comes in; without an "out" rule everything goes out, with one only what it names.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence

from .docker_engine import Engine, EngineError, tar_of
from .machine_specs import FirewallRule, MachineError

TABLE = "inet frontdesk_lab"
# Before Docker's own chains (priority 0), after connection tracking and address translation.
PRIORITY = -10
BRIDGE_SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables"
ROUTES = "/proc/net/route"
RULES_FILE = "/run/frontdesk_lab.nft"
# After a start of the engine the containers come up in any order; the one that writes the rules gets this long. Seconds.
PATIENCE = 30.0
NOT_RUNNING = (404, 409)

Wanted = Mapping[int, tuple[str, Sequence[FirewallRule]]]


def _matches_networks(rule: FirewallRule) -> list[str]:
    """Return the nftables expressions of a rule's networks; an empty list = the rule matches nothing here.

    The lab's servers speak IPv4 only, so IPv6 networks can match no packet.
    """
    networks = [ipaddress.ip_network(text, strict=False) for text in rule.networks]
    ipv4 = list(ipaddress.collapse_addresses(net for net in networks if isinstance(net, ipaddress.IPv4Network)))
    if not ipv4:
        return []
    if any(net.prefixlen == 0 for net in ipv4):
        return [""]
    side = "saddr" if rule.direction == "in" else "daddr"
    return [f"ip {side} {{ {', '.join(str(net) for net in ipv4)} }} "]


def _matches_protocol(rule: FirewallRule) -> str:
    if rule.protocol in ("tcp", "udp") and rule.port and rule.port != "any":
        return f"{rule.protocol} dport {rule.port}"
    return f"meta l4proto {rule.protocol}"


def _chain(name: str, rules: Sequence[FirewallRule], verdict: str, first: Sequence[str] = ()) -> list[str]:
    lines = list(first)
    for rule in rules:
        lines += [f"{networks}{_matches_protocol(rule)} {verdict}" for networks in _matches_networks(rule)]
    return [f"  chain {name} {{", *(f"    {line}" for line in lines), "    drop", "  }"]


def _hook(name: str, lines: Sequence[str]) -> list[str]:
    head = [f"type filter hook {name} priority {PRIORITY}; policy accept;", "ct state established,related accept"]
    return [f"  chain {name} {{", *(f"    {line}" for line in [*head, *lines]), "  }"]


def _dispatch(side: str, suffix: str, servers: Mapping[int, str]) -> list[str]:
    if not servers:
        return []
    elements = ", ".join(f"{address} : jump server_{number}_{suffix}" for number, address in servers.items())
    return [f"ip {side} vmap {{ {elements} }}"]


def render(wanted: Wanted, services: str) -> str:
    """Return the nftables file that replaces the whole table in one transaction.

    `wanted` maps a server's id to its public address and its rules; `services` is the range of the lab's own
    services, which stand in for the world's resolvers and registries and are never cut off by an "out" rule.
    """
    text = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    inward: dict[int, str] = {}
    outward: dict[int, str] = {}
    for number, (address, rules) in sorted(wanted.items()):
        inward[number] = address
        text += _chain(f"server_{number}_in", [rule for rule in rules if rule.direction == "in"], "accept")
        rules_out = [rule for rule in rules if rule.direction == "out"]
        if rules_out:
            outward[number] = address
            # "return" and not "accept": the packet may be going to another server, whose rules come next.
            text += _chain(f"server_{number}_out", rules_out, "return", [f"ip daddr {services} return"])
    dispatch_in = _dispatch("daddr", "in", inward)
    dispatch_out = _dispatch("saddr", "out", outward)
    text += _hook("forward", dispatch_out + dispatch_in)
    text += _hook("output", dispatch_in)
    text += _hook("input", dispatch_out)
    return "\n".join([*text, "}", ""])


class HostFirewall:
    """The table on this machine. One writer at a time; waiting callers share one write."""

    def __init__(self, engine: Engine, container: str, services: str) -> None:
        """Write through `container`; `services` is the range of the lab's own services."""
        self._engine = engine
        self._container = container
        self._services = services
        self._wanted: dict[int, tuple[str, Sequence[FirewallRule]]] = {}
        self._lock = asyncio.Lock()
        self._version = 0
        self._written = -1

    async def prepare(self) -> None:
        """Make sure that packets between containers of one bridge pass the table at all.

        Current engines load br_netfilter only for some networks, and without it containers would bypass
        every rule, so a machine on which the container could not switch it on is refused.
        """
        if (await self._run(["cat", BRIDGE_SWITCH]))[1].strip() != "1":
            raise MachineError(
                "the lab cannot filter packets between containers, because the kernel does not hand them over; "
                "run 'modprobe br_netfilter && sysctl net.bridge.bridge-nf-call-iptables=1' as root on this machine"
            )

    async def routes(self) -> str:
        """Return the machine's routing table as the kernel prints it."""
        return (await self._run(["cat", ROUTES]))[1]

    async def set_all(self, wanted: Wanted) -> None:
        """Replace the rules of all servers."""
        self._wanted = dict(wanted)
        await self._write()

    async def set(self, server_id: int, public_ipv4: str | None, rules: Sequence[FirewallRule] | None) -> None:
        """Replace one server's rules; None for either = the server is not filtered."""
        before = self._wanted.get(server_id)
        if rules is None or public_ipv4 is None:
            self._wanted.pop(server_id, None)
        else:
            self._wanted[server_id] = (public_ipv4, tuple(rules))
        if before != self._wanted.get(server_id) or self._written != self._version:
            await self._write()

    async def _write(self) -> None:
        self._version += 1
        needed = self._version
        async with self._lock:
            if self._written >= needed:
                return
            newest = self._version
            files = tar_of({RULES_FILE: render(self._wanted, self._services)})
            code, output = await self._run(["nft", "-f", RULES_FILE], files)
            if code != 0:
                raise MachineError(f"the kernel refused the servers' firewalls: {' '.join(output.split())}")
            self._written = newest

    async def _run(self, command: Sequence[str], files: bytes | None = None) -> tuple[int, str]:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                if files is not None:
                    path = f"/containers/{self._container}/archive"
                    await self._engine.call("PUT", path, params={"path": "/"}, content=files)
                return await self._engine.execute(self._container, command)
            except EngineError as error:
                if error.status not in NOT_RUNNING or asyncio.get_running_loop().time() > deadline:
                    raise MachineError(f"the lab's container {self._container} does not run: {error}") from error
            await asyncio.sleep(0.2)
