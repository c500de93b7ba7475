# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Can a TLS server serve with these certificates and keys? Answers in sentences that hold no part of a key."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
except ImportError:
    # ansible-core brings it, but documentation and tests of the plugins do without.
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True


class CertificateFault(Exception):
    """What is wrong with one certificate or its key, as one sentence."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate with its key, by the name that the user gave it. Both are PEM texts."""

    name: str
    certificate: str
    key: str


def faults(
    pairs: t.Iterable[Pair], names: t.Iterable[str] = (), now: t.Optional[datetime.datetime] = None
) -> list[str]:
    """Return what keeps the pairs from serving; when nothing does, which of the names none of them covers."""
    moment = now or datetime.datetime.now(datetime.timezone.utc)
    found: list[str] = []
    covered: set[str] = set()
    for pair in pairs:
        try:
            covered |= _check(pair, moment)
        except CertificateFault as fault:
            found.append(str(fault))
    missing = [name for name in names if not _covers(covered, name)]
    if missing and not found:
        have = f"those given cover {', '.join(sorted(covered))}" if covered else "none was given"
        found.append(f"No certificate covers {', '.join(missing)} ({have}); give one that does.")
    return found


def _check(pair: Pair, now: datetime.datetime) -> set[str]:
    """Return the names that a pair covers, in lower case. Raise CertificateFault when it cannot serve."""
    chain = _chain(pair)
    _check_key(pair, chain)
    _check_time(pair, chain[0], now)
    for child, parent in zip(chain, chain[1:]):
        if child.issuer != parent.subject:
            raise CertificateFault(
                f"The chain of certificate {pair.name} is broken: {child.subject.rfc4514_string()} was issued by"
                f" {child.issuer.rfc4514_string()}, and {parent.subject.rfc4514_string()} follows; put the server's own"
                " certificate first and then each one's issuer."
            )
    return _names(pair, chain[0])


def _chain(pair: Pair) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pair.certificate.encode())
    except ValueError:
        raise CertificateFault(
            f"Certificate {pair.name} is not a certificate in PEM form; give the text that begins with"
            " -----BEGIN CERTIFICATE-----."
        ) from None


def _check_key(pair: Pair, chain: list[x509.Certificate]) -> None:
    try:
        key = load_pem_private_key(pair.key.encode(), password=None)
    except TypeError:
        raise CertificateFault(
            f"The key of certificate {pair.name} is protected by a passphrase; give it without one (openssl pkey)."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateFault(
            f"The key of certificate {pair.name} is not a private key in PEM form; give the text that begins with"
            " -----BEGIN PRIVATE KEY-----."
        ) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = key.public_key().public_bytes(*form)
    matching = [certificate.public_key().public_bytes(*form) == public for certificate in chain]
    if matching[0]:
        return
    if any(matching):
        raise CertificateFault(
            f"Certificate {pair.name} begins with another certificate than the server's own; put the server's own first."
        )
    raise CertificateFault(
        f"The key of certificate {pair.name} belongs to another certificate; give the key that the certificate was made with."
    )


def _check_time(pair: Pair, certificate: x509.Certificate, now: datetime.datetime) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise CertificateFault(f"Certificate {pair.name} ended on {end:%Y-%m-%d %H:%M} UTC; give a newer one.")
    if now < start:
        raise CertificateFault(
            f"Certificate {pair.name} is valid from {start:%Y-%m-%d %H:%M} UTC only; look at this machine's clock."
        )


def _names(pair: Pair, certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise CertificateFault(
            f"Certificate {pair.name} has no subject alternative name, and browsers look at nothing else; have it made anew."
        ) from None
    return {name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}


def _covers(covered: t.Container[str], name: str) -> bool:
    """Whether a name is among those, or a wildcard for one label is (RFC 9525, section 6.3)."""
    wanted = name.lower().rstrip(".")
    return wanted in covered or "*." + wanted.partition(".")[2] in covered
