# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the check of certificates finds, and that it never says a part of a key."""

from __future__ import annotations

import datetime
import functools

import pytest
from ansible.errors import AnsibleFilterError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ansible_collections.frontdesk.platform.plugins.filter import certificates as certificates_filter
from ansible_collections.frontdesk.platform.plugins.filter.certificates import FilterModule
from ansible_collections.frontdesk.platform.plugins.plugin_utils.certificates import Pair, faults

NOW = datetime.datetime(2026, 5, 17, 12, 0, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


@functools.cache
def key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem_of_key(number: int, passphrase: str = "") -> str:
    how = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


def certificate(
    number: int, *names: str, issuer: str = "authority", subject: str = "server", end: datetime.datetime = NOW + DAY
) -> str:
    """A certificate of the key with this number, in PEM form."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key(number).public_key())
        .serial_number(1)
        .not_valid_before(end - 10 * DAY)
        .not_valid_after(end)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return builder.sign(key(0), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


LEAF = certificate(1, "example.com", "*.example.com")
AUTHORITY = certificate(0, subject="authority", issuer="root")
GOOD = Pair("web", LEAF, pem_of_key(1))


@pytest.mark.parametrize(
    ("pair", "part"),
    [
        (Pair("web", "", pem_of_key(1)), "Certificate web is not a certificate in PEM form"),
        (Pair("web", pem_of_key(1), pem_of_key(1)), "Certificate web is not a certificate in PEM form"),
        (Pair("web", LEAF.replace("M", "!", 1), pem_of_key(1)), "Certificate web is not a certificate in PEM form"),
        (Pair("web", LEAF, ""), "The key of certificate web is not a private key in PEM form"),
        (Pair("web", LEAF, LEAF), "The key of certificate web is not a private key in PEM form"),
        (Pair("web", LEAF, pem_of_key(1, "secret")), "The key of certificate web is protected by a passphrase"),
        (Pair("web", LEAF, pem_of_key(2)), "The key of certificate web belongs to another certificate"),
        (Pair("web", AUTHORITY + LEAF, pem_of_key(1)), "put the server's own first"),
        (Pair("web", LEAF + LEAF, pem_of_key(1)), "The chain of certificate web is broken: CN=server was issued by"),
        (
            Pair("web", certificate(1, "example.com", end=NOW - DAY), pem_of_key(1)),
            "Certificate web ended on 2026-05-16 12:00 UTC",
        ),
        (
            Pair("web", certificate(1, "example.com", end=NOW + 11 * DAY), pem_of_key(1)),
            "Certificate web is valid from 2026-05-18 12:00 UTC only",
        ),
        (Pair("web", certificate(1), pem_of_key(1)), "Certificate web has no subject alternative name"),
    ],
)
def test_one_fault_is_one_sentence_without_a_key(pair: Pair, part: str) -> None:
    (fault,) = faults([pair], ["example.com"], NOW)
    assert part in fault
    assert "PRIVATE" not in fault.replace("BEGIN PRIVATE KEY", "")
    assert not [line for line in pair.key.splitlines()[1:-1] if line in fault]


@pytest.mark.parametrize("chain", [LEAF, LEAF + AUTHORITY], ids=["alone", "with its issuer"])
@pytest.mark.parametrize("name", ["example.com", "www.example.com", "WWW.Example.com", "www.example.com."])
def test_a_good_pair_covers_its_names(chain: str, name: str) -> None:
    assert faults([Pair("web", chain, pem_of_key(1))], [name], NOW) == []


@pytest.mark.parametrize("name", ["a.b.example.com", "example.org", "com", "notexample.com"])
def test_a_name_that_nothing_covers_is_told(name: str) -> None:
    assert faults([GOOD], ["example.com", name], NOW) == [
        f"No certificate covers {name} (those given cover *.example.com, example.com); give one that does."
    ]


def test_names_without_any_certificate() -> None:
    assert faults([], ["example.com"], NOW) == [
        "No certificate covers example.com (none was given); give one that does."
    ]


def test_every_faulty_pair_is_told() -> None:
    assert len(faults([Pair("a", "", ""), GOOD, Pair("b", LEAF, "")], ["example.com"], NOW)) == 2


def test_the_filter_takes_dictionaries_and_todays_date() -> None:
    find = FilterModule().filters()["certificate_faults"]
    today = datetime.datetime.now(datetime.timezone.utc)
    good = certificate(1, "example.com", end=today + DAY)
    pair = {"name": "web", "certificate": good, "key": pem_of_key(1)}
    assert find([pair], ["example.com"]) == []
    assert "ended on" in find([{**pair, "certificate": certificate(1, "example.com", end=today - DAY)}])[0]


def test_the_filter_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates_filter, "HAS_CRYPTOGRAPHY", False)
    with pytest.raises(AnsibleFilterError, match="needs the Python library cryptography"):
        certificates_filter.certificate_faults([])
