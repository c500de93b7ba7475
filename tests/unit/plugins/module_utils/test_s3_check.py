# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of a bucket, against a small S3 on a socket, and the signature against the vendor's own example."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.s3_check import bucket_fault
from ansible_collections.frontdesk.platform.plugins.module_utils.s3_client import (
    S3Bucket,
    S3Error,
    canonical_query,
    send,
    signed_headers,
)
from tests.hetzner_runs import run_module


class Store(ThreadingHTTPServer):
    """Keeps objects. answers: by method, status and body in place of its own."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.silent = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Store

    def log_message(self, *_arguments: Any) -> None:
        pass

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        self.server.asked.append((self.command, self.path))
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=id/")
        what = "LIST" if url.query else self.command
        if what in self.server.answers:
            status, content = self.server.answers[what]
            if not status:
                self.server.silent.wait(5)
        else:
            status, content = self.own(what, url.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def own(self, what: str, path: str, body: bytes) -> tuple[int, bytes]:
        if what == "LIST":
            return 200, b"<ListBucketResult/>"
        if what == "PUT":
            self.server.objects[path] = body
        if path not in self.server.objects:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>"
        content = self.server.objects[path]
        if what == "DELETE":
            del self.server.objects[path]
            return 204, b""
        return 200, content

    do_GET = do_PUT = do_DELETE = answer  # noqa: N815 - the names that the library calls


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.silent.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def bucket(store: Store) -> S3Bucket:
    return S3Bucket(f"http://127.0.0.1:{store.server_port}", "auto", "images", "id", "secret")


def refusal(code: str, message: str = "") -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def test_the_signature_is_that_of_the_vendors_example() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "GET Bucket (List Objects)"."""
    bucket = S3Bucket(
        "https://examplebucket.s3.amazonaws.com",
        "us-east-1",
        "",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    query = canonical_query({"prefix": "J", "max-keys": "2"})
    now = datetime(2013, 5, 24, tzinfo=timezone.utc)
    headers = signed_headers(bucket, "GET", "examplebucket.s3.amazonaws.com", "/", query, b"", now)
    assert headers["Authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_a_query_is_escaped_and_sorted() -> None:
    assert canonical_query({"prefix": "a b/", "list-type": "2"}) == "list-type=2&prefix=a%20b%2F"


def test_a_bucket_that_can_be_used_is_left_as_it_was(store: Store, bucket: S3Bucket) -> None:
    assert bucket_fault(bucket, "registry", write=True) == ""
    assert [method for method, _path in store.asked] == ["GET", "PUT", "GET", "DELETE"]
    assert parse_qs(urlsplit(store.asked[0][1]).query)["prefix"] == ["registry/"]
    assert all(path.startswith("/images/registry/.check-") for _method, path in store.asked[1:])
    assert store.objects == {}


def test_without_writing_it_is_one_request(store: Store, bucket: S3Bucket) -> None:
    assert bucket_fault(bucket, "registry", write=False) == ""
    assert [method for method, _path in store.asked] == ["GET"]


@pytest.mark.parametrize(
    ("what", "status", "body", "fault"),
    [
        ("LIST", 404, refusal("NoSuchBucket"), "There is no bucket images at http://127.0.0.1:"),
        ("LIST", 403, refusal("InvalidAccessKeyId"), "does not know the access key"),
        ("LIST", 403, refusal("SignatureDoesNotMatch"), "refuses the secret key"),
        ("LIST", 403, refusal("RequestTimeTooSkewed"), "this host's clock is wrong"),
        ("LIST", 403, refusal("AccessDenied"), "The keys may not list objects in the bucket images"),
        ("LIST", 401, b"", "The keys may not list objects"),
        (
            "LIST",
            500,
            refusal("InternalError", "We failed."),
            "answered 500 (InternalError, We failed) when asked to list",
        ),
        ("LIST", 405, b"<html>", "answered 405 when asked to list objects in the bucket images"),
        ("PUT", 403, refusal("AccessDenied"), "The keys may not store objects"),
        ("GET", 403, refusal("AccessDenied"), "The keys may not read objects"),
        ("GET", 200, b"other", "gave back other bytes"),
        ("DELETE", 403, refusal("AccessDenied"), "The keys may not delete objects"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(
    store: Store, bucket: S3Bucket, what: str, status: int, body: bytes, fault: str
) -> None:
    store.answers[what] = (status, body)
    assert fault in bucket_fault(bucket, "registry", write=True)
    if what != "DELETE":
        assert store.objects == {}


def test_an_endpoint_that_says_nothing_is_waited_for_a_while(store: Store, bucket: S3Bucket) -> None:
    store.answers["LIST"] = (0, b"")
    with pytest.raises(S3Error, match=r"does not answer within 0\.2 s"):
        send(bucket, "GET", query={"a": "b"}, timeout=0.2)


@pytest.mark.parametrize(
    ("endpoint", "fault"),
    [
        ("http://127.0.0.1:1", "The S3 endpoint http://127.0.0.1:1 cannot be reached (Connection refused)"),
        ("https://127.0.0.1:1", "cannot be reached"),
        ("s3.example.com", "is no http or https address"),
    ],
)
def test_an_endpoint_that_cannot_be_asked_is_said(bucket: S3Bucket, endpoint: str, fault: str) -> None:
    elsewhere = S3Bucket(endpoint, bucket.region, bucket.bucket, bucket.access_key, bucket.secret_key)
    assert fault in bucket_fault(elsewhere, "registry", write=True)


def test_an_unknown_authority_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl  # noqa: PLC0415 - for this error alone

    def refuse(*_arguments: Any, **_options: Any) -> None:
        error = ssl.SSLCertVerificationError(1, "failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr("http.client.HTTPSConnection.request", refuse)
    with pytest.raises(S3Error, match="not accepted: self-signed certificate"):
        send(S3Bucket("https://s3.example.com", "auto", "images", "id", "secret"), "GET")


class TestModule:
    @staticmethod
    def run(bucket: S3Bucket, **options: Any) -> dict[str, Any]:
        check_mode = options.pop("check_mode", False)
        given = {"prefix": "registry", "access_key": "id", "secret_key": "very-secret-key", "bucket": bucket.bucket}
        return run_module("s3_bucket_check", {**given, "endpoint": bucket.endpoint, **options}, check_mode=check_mode)

    def test_it_changes_nothing(self, store: Store, bucket: S3Bucket) -> None:
        assert self.run(bucket)["changed"] is False
        assert len(store.asked) == 4

    def test_check_mode_only_reads(self, store: Store, bucket: S3Bucket) -> None:
        assert self.run(bucket, check_mode=True)["changed"] is False
        assert [method for method, _path in store.asked] == ["GET"]

    def test_a_fault_fails_without_the_keys(self, store: Store, bucket: S3Bucket) -> None:
        store.answers["LIST"] = (403, refusal("SignatureDoesNotMatch", "very-secret-key"))
        result = self.run(bucket)
        assert "refuses the secret key" in result["msg"]
        assert "very-secret-key" not in str(result)
