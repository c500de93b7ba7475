# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a bucket fit for its use? What is wrong with it is said in one sentence with the remedy."""

from __future__ import annotations

import os
from collections.abc import Callable

from ansible_collections.frontdesk.platform.plugins.module_utils.s3_client import S3Answer, S3Bucket, S3Error, send

# Error codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. {bucket}, {endpoint}: who was asked.
_REMEDIES = {
    "NoSuchBucket": "There is no bucket {bucket} at {endpoint}; create it, or correct its name.",
    "InvalidAccessKeyId": "{endpoint} does not know the access key; check it, and that the endpoint is the one it was made for.",
    "SignatureDoesNotMatch": "{endpoint} refuses the secret key; check that it belongs to the access key, and the region.",
    "RequestTimeTooSkewed": "{endpoint} finds that this host's clock is wrong; set up time synchronisation.",
    "AuthorizationHeaderMalformed": "{endpoint} refuses the region of the request; set the bucket's own.",
    "PermanentRedirect": "The bucket {bucket} belongs to another endpoint than {endpoint}; set the one of its region.",
}
_DENIED = "The keys may not {what} in the bucket {bucket} at {endpoint}; give them reading and writing of its objects."

Send = Callable[..., S3Answer]


def bucket_fault(bucket: S3Bucket, prefix: str, write: bool, ask: Send = send) -> str:
    """Why the bucket cannot be used below the prefix; empty when it can.

    write: store an object there, read it again and delete it. One request otherwise.
    """
    try:
        answer = ask(bucket, "GET", query={"list-type": "2", "max-keys": "1", "prefix": f"{prefix}/"})
        if not answer.good:
            return _told(bucket, answer, "list objects")
        return _write_fault(bucket, f"{prefix}/.check-{os.urandom(8).hex()}", ask) if write else ""
    except (S3Error, ValueError) as error:
        return f"The S3 endpoint {error}; check it, and the way to it from this host."


def _write_fault(bucket: S3Bucket, key: str, ask: Send) -> str:
    content = os.urandom(32)
    answer = ask(bucket, "PUT", key, body=content)
    if not answer.good:
        return _told(bucket, answer, "store objects")
    try:
        answer = ask(bucket, "GET", key)
        if not answer.good:
            return _told(bucket, answer, "read objects")
        if answer.body != content:
            return (
                f"The bucket {bucket.bucket} at {bucket.endpoint} gave back other bytes than were stored a moment ago."
            )
    finally:
        answer = ask(bucket, "DELETE", key)
    return "" if answer.good else _told(bucket, answer, "delete objects")


def _told(bucket: S3Bucket, answer: S3Answer, what: str) -> str:
    remedy = _REMEDIES.get(answer.code)
    if remedy is None and answer.status in (401, 403):
        remedy = _DENIED
    if remedy is None:
        said = ", ".join(part for part in (answer.code, answer.message.rstrip(".")) if part)
        remedy = (
            "{endpoint} answered {status}{said} when asked to {what} in the bucket {bucket}; check endpoint and bucket."
        )
        said = f" ({said})" if said else ""
        return remedy.format(endpoint=bucket.endpoint, bucket=bucket.bucket, status=answer.status, said=said, what=what)
    return remedy.format(endpoint=bucket.endpoint, bucket=bucket.bucket, what=what)
