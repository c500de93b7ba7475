# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private certificate authority and its certificates, derived from the master key: nothing is stored, and every run gets the same.

Keys are points of the curve P-256 whose secret number comes from HMAC-SHA256; signatures are deterministic (RFC 6979), and so the
whole certificate is. Times come from fixed windows of the calendar: within a window nothing changes, and in the next one a new
certificate is made by itself, while the former is valid for one window more.

FROZEN: any change here changes every certificate of every installation. tests/unit holds the vectors.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import ipaddress
import typing as t

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID
except ImportError:
    # ansible-core brings it, but documentation and tests of the plugins do without.
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import (
    SecretError,
    check_environment,
    check_generation,
    check_master_key,
    check_name,
)

WINDOW_DAYS = 180
"""A certificate is valid for two windows from the beginning of the one in which it was made, and a day before it."""

# The order of the group of P-256 (FIPS 186-5, SP 800-186 section 3.2.1.3).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
_AUTHORITY_END = datetime.datetime(2056, 1, 1, tzinfo=datetime.timezone.utc)
_DAY = datetime.timedelta(days=1)
# RFC 5280, ub-common-name.
_COMMON_NAME_LENGTH = 64


class Issued(t.NamedTuple):
    """PEM texts."""

    certificate: str
    key: str
    authority: str


class Authority:
    """One certificate authority of an environment, by its name. Another generation is another authority."""

    def __init__(self, master_key: object, environment: object, name: object, generation: object = 1) -> None:
        """Raise SecretError for an input that breaks a rule."""
        self._master_key = check_master_key(master_key)
        self.name = check_name(name)
        self._scope = f"{check_environment(environment)}/{self.name}/{check_generation(generation, self.name)}"
        self._key = self._private_key("authority")
        self._subject = _name(f"{environment} {self.name} authority")

    def certificate(self) -> str:
        """The authority's own certificate."""
        return self._authority().public_bytes(Encoding.PEM).decode()

    def issue(self, common_name: str, names: t.Iterable[str] = (), now: t.Optional[datetime.datetime] = None) -> Issued:
        """A certificate for servers and clients, valid for the common name and further names or addresses. Raises SecretError."""
        subjects = [_general_name(text) for text in dict.fromkeys([common_name, *names])]
        window = _window(now or datetime.datetime.now(datetime.timezone.utc))
        start = _EPOCH + window * WINDOW_DAYS * _DAY
        key = self._private_key(f"certificate/{common_name}")
        # What it holds is part of the number: two certificates of one authority must not share it (RFC 5280, 4.1.2.2).
        what = "\n".join([common_name, str(window), *(repr(subject.value) for subject in subjects)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(self._serial(f"certificate/{what}"))
            .not_valid_before(start - _DAY)
            .not_valid_after(start + 2 * WINDOW_DAYS * _DAY)
            .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Issued(certificate.public_bytes(Encoding.PEM).decode(), pem, self.certificate())

    def _authority(self) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(self._subject)
            .issuer_name(self._subject)
            .public_key(self._key.public_key())
            .serial_number(self._serial("authority"))
            .not_valid_before(_EPOCH - _DAY)
            .not_valid_after(_AUTHORITY_END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256(), ecdsa_deterministic=True)
        )

    def _digest(self, purpose: str) -> bytes:
        # The blank keeps these messages apart from those that passwords are derived from.
        message = f"frontdesk tls/{self._scope}/{purpose}"
        return hmac.new(self._master_key, message.encode(), hashlib.sha512).digest()

    def _private_key(self, purpose: str) -> ec.EllipticCurvePrivateKey:
        # 512 bits reduced to a number from 1 to the order less one: the bias is below 2**-256 (FIPS 186-5, A.2.1).
        number = int.from_bytes(self._digest(f"key/{purpose}"), "big") % (_ORDER - 1) + 1
        return ec.derive_private_key(number, ec.SECP256R1())

    def _serial(self, purpose: str) -> int:
        # Positive, and at most 20 bytes (RFC 5280, 4.1.2.2).
        return int.from_bytes(self._digest(f"serial/{purpose}")[:19], "big") + 1


def _window(now: datetime.datetime) -> int:
    if now < _EPOCH:
        raise SecretError(f"this machine's clock says {now:%Y-%m-%d}, which cannot be; set it.")
    return (now - _EPOCH) // (WINDOW_DAYS * _DAY)


def _name(text: str) -> x509.Name:
    if not text or len(text) > _COMMON_NAME_LENGTH:
        raise SecretError(f"{text!r} is no name for a certificate; use 1 to {_COMMON_NAME_LENGTH} characters.")
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> t.Union[x509.DNSName, x509.IPAddress]:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
