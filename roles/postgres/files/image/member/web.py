# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS between the containers of the cluster: both sides show a certificate of its own authority."""

from __future__ import annotations

import functools
import http.client
import ssl
from collections.abc import Mapping

from .description import AUTHORITY, CERTIFICATE, KEY


class Unreachable(Exception):
    """Why there is no answer."""


@functools.cache
def client_context() -> ssl.SSLContext:
    """TLS with this member's certificate."""
    context = ssl.create_default_context(cafile=str(AUTHORITY))
    context.load_cert_chain(str(CERTIFICATE), str(KEY))
    return context


def exchange(
    method: str,
    host: str,
    port: int,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,
) -> tuple[int, str]:
    """Status and text of the answer. timeout: seconds of silence. Raises Unreachable."""
    connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=client_context())
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(getattr(error, "strerror", None) or error) or type(error).__name__) from error
    finally:
        connection.close()
