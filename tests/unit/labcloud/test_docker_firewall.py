# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hetzner's firewall rules as nftables text, and the write of the whole table through the role's container."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from labcloud.docker_engine import EngineError
from labcloud.docker_firewall import HostFirewall, render
from labcloud.machine_specs import FirewallRule, MachineError

SERVICES = "198.18.0.2-198.18.0.9"
EVERYWHERE = ("0.0.0.0/0", "::/0")


def rule(direction: str = "in", protocol: str = "tcp", port: str | None = "22", networks: tuple[str, ...] = EVERYWHERE):
    return FirewallRule(direction, protocol, port, networks)


def chain(text: str, name: str) -> list[str]:
    """The lines of one chain."""
    body = text.split(f"  chain {name} {{\n")[1].split("\n  }", maxsplit=1)[0]
    return [line.strip() for line in body.splitlines()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule(), "tcp dport 22 accept"),
        (rule(port="80-85"), "tcp dport 80-85 accept"),
        (rule(port="any"), "meta l4proto tcp accept"),
        (rule(protocol="udp", port="443"), "udp dport 443 accept"),
        (rule(protocol="icmp", port=None), "meta l4proto icmp accept"),
        (rule(protocol="esp", port=None), "meta l4proto esp accept"),
        (rule(protocol="gre", port=None), "meta l4proto gre accept"),
        (rule(networks=("192.0.2.7/32",)), "ip saddr { 192.0.2.7/32 } tcp dport 22 accept"),
        # nftables refuses overlapping elements of one set.
        (rule(networks=("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32")), "ip saddr { 10.0.0.0/8 } tcp dport 22 accept"),
    ],
)
def test_rules_inward(given, expected):
    assert chain(render({7: ("198.18.0.10", [given])}, SERVICES), "server_7_in") == [expected, "drop"]


def test_a_rule_for_ipv6_alone_opens_nothing():
    text = render({7: ("198.18.0.10", [rule(networks=("2001:db8::/32",))])}, SERVICES)
    assert chain(text, "server_7_in") == ["drop"]


def test_without_rules_nothing_comes_in_and_everything_goes_out():
    text = render({7: ("198.18.0.10", [])}, SERVICES)
    assert chain(text, "server_7_in") == ["drop"]
    assert "server_7_out" not in text
    assert chain(text, "input")[2:] == []


def test_rules_outward_leave_the_decision_to_the_receiver():
    text = render({7: ("198.18.0.10", [rule("out", networks=("192.0.2.0/24",))])}, SERVICES)
    assert chain(text, "server_7_out") == [
        f"ip daddr {SERVICES} return",
        "ip daddr { 192.0.2.0/24 } tcp dport 22 return",
        "drop",
    ]
    assert chain(text, "server_7_in") == ["drop"]


def test_each_way_into_a_server_is_watched():
    text = render({1: ("198.18.0.10", []), 2: ("198.18.0.11", [rule("out")])}, SERVICES)
    to_servers = "ip daddr vmap { 198.18.0.10 : jump server_1_in, 198.18.0.11 : jump server_2_in }"
    from_servers = "ip saddr vmap { 198.18.0.11 : jump server_2_out }"
    for hook, dispatch in (
        ("forward", [from_servers, to_servers]),
        ("output", [to_servers]),
        ("input", [from_servers]),
    ):
        assert chain(text, hook) == [
            f"type filter hook {hook} priority -10; policy accept;",
            "ct state established,related accept",
            *dispatch,
        ]


def test_the_whole_table_is_replaced_in_one_transaction():
    lines = render({}, SERVICES).splitlines()
    assert lines[:3] == ["table inet frontdesk_lab", "delete table inet frontdesk_lab", "table inet frontdesk_lab {"]


class FakeEngine:
    """Answers as the engine does; `refusals` are raised first, one for each call."""

    def __init__(self, *refusals: Exception, output: tuple[int, str] = (0, "")) -> None:
        self.refusals = list(refusals)
        self.output = output
        self.commands: list[list[str]] = []

    async def call(self, method: str, path: str, **_parts: Any) -> None:
        await asyncio.sleep(0)

    async def execute(self, container: str, command: list[str]) -> tuple[int, str]:
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        self.commands.append(command)
        return self.output


def firewall(engine: FakeEngine) -> HostFirewall:
    return HostFirewall(engine, "frontdesk-lab-firewall", SERVICES)  # type: ignore[arg-type]


def test_callers_who_wait_share_one_write():
    engine = FakeEngine()

    async def scenario() -> None:
        wall = firewall(engine)
        await asyncio.gather(*(wall.set(number, f"198.18.0.{number}", []) for number in range(10, 20)))

    asyncio.run(scenario())
    assert len(engine.commands) == 2


def test_the_same_rules_are_not_written_again():
    engine = FakeEngine()

    async def scenario() -> None:
        wall = firewall(engine)
        await wall.set(1, "198.18.0.10", [rule()])
        await wall.set(1, "198.18.0.10", [rule()])
        await wall.set(1, None, None)

    asyncio.run(scenario())
    assert len(engine.commands) == 2


def test_a_container_that_is_still_starting_is_waited_for():
    engine = FakeEngine(EngineError(409, "is not running"), EngineError(404, "no such container"))
    asyncio.run(firewall(engine).set_all({}))
    assert len(engine.commands) == 1


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (FakeEngine(EngineError(0, "no answer")), "frontdesk-lab-firewall does not run: no answer"),
        (
            FakeEngine(output=(1, "line 3:\n syntax error")),
            "the kernel refused the servers' firewalls: line 3: syntax error",
        ),
    ],
)
def test_a_failed_write_is_one_sentence(engine, message):
    with pytest.raises(MachineError, match=message):
        asyncio.run(firewall(engine).set_all({}))


def test_a_kernel_that_hides_bridged_packets_is_refused():
    asyncio.run(firewall(FakeEngine(output=(0, "1\r\n"))).prepare())
    with pytest.raises(MachineError, match="modprobe br_netfilter"):
        asyncio.run(firewall(FakeEngine(output=(0, "0\r\n"))).prepare())
