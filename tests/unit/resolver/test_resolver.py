# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's resolver on real sockets: its own zones with authority, everything else from the server above."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from dnslib import QTYPE, RCODE, RR, TXT, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from resolver.__main__ import upstream_of
from resolver.answers import LabResolver, parse_zones

ZONES = {
    "Lab.Test": {"@": "192.0.2.1", "S3": "192.0.2.5", "*.apps": "192.0.2.6", "six": "2001:db8::6"},
    "deep.lab.test": {},
}


class World(BaseResolver):
    """The name server above: one address for every name, and one answer too long for UDP."""

    def resolve(self, request: DNSRecord, handler: object) -> DNSRecord:
        reply = request.reply()
        if request.q.qtype == QTYPE.TXT:
            for number in range(20):
                reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(f"{number:03}" + "x" * 200)))
        else:
            reply.add_answer(RR(request.q.qname, rdata=A("203.0.113.9")))
        return reply


def serve(resolver: BaseResolver) -> tuple[list[DNSServer], int]:
    """Serve on one free port, UDP and TCP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = DNSLogger("-request,-reply,-truncated,-data")
    servers = [DNSServer(resolver, address="127.0.0.1", port=port, tcp=tcp, logger=quiet) for tcp in (False, True)]
    for server in servers:
        server.start_thread()
    return servers, port


@pytest.fixture(scope="module")
def ask() -> Iterator[Callable[..., DNSRecord]]:
    above, above_port = serve(World())
    own, port = serve(LabResolver(parse_zones(ZONES), ("127.0.0.1", above_port)))

    def question(name: str, kind: str = "A", tcp: bool = False) -> DNSRecord:
        return DNSRecord.parse(DNSRecord.question(name, kind).send("127.0.0.1", port, tcp=tcp, timeout=5))

    yield question
    for server in [*own, *above]:
        server.stop()
        server.server.server_close()


def addresses(answer: DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("lab.test", "A", ["192.0.2.1"]),
        ("s3.LAB.test", "A", ["192.0.2.5"]),
        ("shop.apps.lab.test", "A", ["192.0.2.6"]),
        ("six.lab.test", "AAAA", ["2001:db8::6"]),
        ("example.org", "A", ["203.0.113.9"]),
        ("notlab.test", "A", ["203.0.113.9"]),
    ],
)
def test_addresses(ask, name, kind, expected, tcp):
    assert addresses(ask(name, kind, tcp)) == expected


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [("s3.lab.test", "AAAA", RCODE.NOERROR), ("lab.test", "MX", RCODE.NOERROR), ("no.lab.test", "A", RCODE.NXDOMAIN)],
)
def test_a_no_carries_the_zones_authority(ask, name, kind, code):
    answer = ask(name, kind)
    assert (answer.header.rcode, answer.rr) == (code, [])
    assert [(str(record.rname), QTYPE[record.rtype]) for record in answer.auth] == [("lab.test.", "SOA")]


def test_the_deepest_zone_answers(ask):
    answer = ask("a.deep.lab.test")
    assert answer.header.rcode == RCODE.NXDOMAIN
    assert str(answer.auth[0].rname) == "deep.lab.test."


def test_names_of_containers_are_not_passed_on(ask):
    answer = ask("frontdesk-lab-s3")
    assert (answer.header.rcode, answer.rr) == (RCODE.NXDOMAIN, [])


def test_a_long_answer_from_above_arrives_whole_by_tcp(ask):
    assert len(ask("example.org", "TXT", tcp=True).rr) == 20


def test_silence_above_is_a_server_failure(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        monkeypatch.setattr("resolver.answers.UPSTREAM_TIMEOUT", 0.1)
        own, port = serve(LabResolver({}, mute.getsockname()))
        answer = DNSRecord.parse(DNSRecord.question("example.org").send("127.0.0.1", port, timeout=5))
        for server in own:
            server.stop()
            server.server.server_close()
    assert answer.header.rcode == RCODE.SERVFAIL


def test_a_record_that_is_no_address_is_named():
    with pytest.raises(ValueError, match=r"zone lab\.test: record web: 'nowhere'"):
        parse_zones({"lab.test": {"web": "nowhere"}})


def test_the_server_above_comes_from_the_environment_or_from_resolv_conf():
    assert upstream_of({"RESOLVER_UPSTREAM": "192.0.2.53:5353"}, "") == ("192.0.2.53", 5353)
    assert upstream_of({}, "search x\nnameserver 127.0.0.11\nnameserver 192.0.2.1\n") == ("127.0.0.11", 53)
