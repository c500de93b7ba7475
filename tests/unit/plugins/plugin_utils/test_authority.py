# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates from the master key: always the same, accepted by OpenSSL, renewed by the calendar."""

from __future__ import annotations

import datetime
import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.frontdesk.platform.plugins.plugin_utils.authority import WINDOW_DAYS, Authority
from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import SecretError

KEY = "0123456789abcdef0123456789abcdef"
NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.timezone.utc)
NAMES = ["etcd-web-1", "localhost", "127.0.0.1"]


def authority(name: str = "postgres", generation: int = 1, environment: str = "lab") -> Authority:
    return Authority(KEY, environment, name, generation)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_frozen() -> None:
    """Other values would exchange every certificate of every installation."""
    issued = authority().issue("pg-web-1", NAMES, NOW)
    assert (digest(issued.authority), digest(issued.certificate), digest(issued.key)) == (
        "e8791eb4530ec2ff541c2754fa79f0368a8fdf24d4e338dfd092cb05e60cf824",
        "a9d2b46b25b3923083fc09c3c248b1852204e187f9997679f95f4e57fad4fd72",
        "8a0d7e5c8a6a7e9d2e4dee7f8f8a66ab736777c5cee93260f74c46b459eaeff8",
    )


def test_the_chain_holds() -> None:
    issued = authority().issue("pg-web-1", NAMES, NOW)
    certificate = x509.load_pem_x509_certificate(issued.certificate.encode())
    issuer = x509.load_pem_x509_certificate(issued.authority.encode())
    certificate.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(issuer)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pg-web-1", "etcd-web-1", "localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_openssl_takes_it(tmp_path: Path) -> None:
    issued = authority().issue("localhost", (), None)
    (tmp_path / "c").write_text(issued.certificate)
    (tmp_path / "k").write_text(issued.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "c", tmp_path / "k")
    client = ssl.create_default_context(cadata=issued.authority)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (one, other, one, other):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert one.version() == "TLSv1.3"


def test_within_a_window_nothing_changes_and_then_it_does() -> None:
    first = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    last = first + datetime.timedelta(days=WINDOW_DAYS, seconds=-1)
    after = last + datetime.timedelta(seconds=1)
    begin, end, next_one = (authority().issue("a", (), moment) for moment in (first, last, after))
    assert begin == end
    assert next_one.certificate != end.certificate
    assert (next_one.key, next_one.authority) == (end.key, end.authority)
    certificate = x509.load_pem_x509_certificate(end.certificate.encode())
    assert certificate.not_valid_after_utc - last > datetime.timedelta(days=WINDOW_DAYS)
    assert certificate.not_valid_before_utc < first


def test_what_differs_gives_other_certificates() -> None:
    one = authority().issue("a", (), NOW)
    others = [
        authority("redis").issue("a", (), NOW),
        authority(generation=2).issue("a", (), NOW),
        authority(environment="other").issue("a", (), NOW),
    ]
    assert len({issued.authority for issued in [one, *others]}) == 4
    assert len({issued.key for issued in [one, *others, authority().issue("b", (), NOW)]}) == 5


def test_serials_differ_with_the_content() -> None:
    certificates = [
        x509.load_pem_x509_certificate(authority().issue("a", names, NOW).certificate.encode())
        for names in ((), ("b",))
    ]
    assert certificates[0].serial_number != certificates[1].serial_number


def test_the_key_is_of_the_curve() -> None:
    certificate = x509.load_pem_x509_certificate(authority().certificate().encode())
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(SecretError, match="no name for a certificate"):
        authority().issue(name, (), NOW)


def test_a_clock_that_cannot_be() -> None:
    with pytest.raises(SecretError, match="clock"):
        authority().issue("a", (), datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc))


def test_a_key_that_is_too_short() -> None:
    with pytest.raises(SecretError, match="32 or more"):
        Authority("short", "lab", "postgres")
