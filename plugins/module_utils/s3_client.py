# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few requests to one S3 bucket with the standard library alone: hosts need no Python packages.

Signature version 4: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote, urlsplit

TIMEOUT = 15.0

_ALGORITHM = "AWS4-HMAC-SHA256"
_CODE = re.compile(r"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")


class S3Error(Exception):
    """No answer came. The text is one sentence without a period."""


@dataclass(frozen=True)
class S3Bucket:
    """A bucket and who asks. endpoint: http(s)://host[:port]; the bucket is named in the path."""

    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class S3Answer:
    """Status and body of an answer, and of an error its code and the provider's own words."""

    status: int
    body: bytes

    @property
    def good(self) -> bool:
        """Was it carried out?"""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The error's code, such as NoSuchBucket; empty when the answer has none."""
        return _found(_CODE, self.body)

    @property
    def message(self) -> str:
        """The error's text; empty when the answer has none."""
        return _found(_MESSAGE, self.body)


def _found(pattern: re.Pattern[str], body: bytes) -> str:
    found = pattern.search(body.decode(errors="replace"))
    return found.group(1).strip() if found else ""


def send(
    bucket: S3Bucket,
    method: str,
    key: str = "",
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    timeout: float = TIMEOUT,
) -> S3Answer:
    """Send one request about a bucket, or about the object `key` in it. Raises S3Error, ValueError for an impossible endpoint."""
    url = urlsplit(bucket.endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"{bucket.endpoint} is no http or https address")
    path = quote(f"{url.path.rstrip('/')}/{bucket.bucket}" + (f"/{key}" if key else ""))
    text = canonical_query(query or {})
    now = datetime.now(timezone.utc)
    headers = signed_headers(bucket, method, url.netloc, path, text, body, now)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    try:
        with closing(connection):
            connection.request(method, f"{path}?{text}" if text else path, body=body or None, headers=headers)
            answer = connection.getresponse()
            return S3Answer(answer.status, answer.read())
    except ssl.SSLCertVerificationError as error:
        raise S3Error(f"{bucket.endpoint} shows a certificate that is not accepted: {error.verify_message}") from error
    except socket.timeout as error:
        raise S3Error(f"{bucket.endpoint} does not answer within {timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise S3Error(f"{bucket.endpoint} cannot be reached ({reason})") from error


def canonical_query(query: Mapping[str, str]) -> str:
    """The query as it is signed and sent: sorted, everything but unreserved characters escaped."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))


def signed_headers(
    bucket: S3Bucket, method: str, host: str, path: str, query: str, body: bytes, now: datetime
) -> dict[str, str]:
    """The headers of a request that is signed for this time. path, query: as they are sent."""
    digest = hashlib.sha256(body).hexdigest()
    time, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": time}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join((method, path, query, lines, names, digest))
    scope = f"{day}/{bucket.region}/s3/aws4_request"
    to_sign = "\n".join((_ALGORITHM, time, scope, hashlib.sha256(request.encode()).hexdigest()))
    signature = hmac.new(signing_key(bucket, day), to_sign.encode(), hashlib.sha256).hexdigest()
    credential = f"{_ALGORITHM} Credential={bucket.access_key}/{scope},SignedHeaders={names},Signature={signature}"
    return {"Host": host, "x-amz-content-sha256": digest, "x-amz-date": time, "Authorization": credential}


def signing_key(bucket: S3Bucket, day: str) -> bytes:
    """The key that signs the requests of a day (as in 20260517) in the bucket's region."""
    key = f"AWS4{bucket.secret_key}".encode()
    for text in (day, bucket.region, "s3", "aws4_request"):
        key = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return key
