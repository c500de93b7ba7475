# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to a registry: the digest of a tag.

https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import http.client
import socket
from contextlib import closing

from ansible_collections.frontdesk.platform.plugins.module_utils.image_errors import ImageError

# What an engine pushes: one image, or a list of images for several platforms. Without it an old registry converts the
# answer to its first format, which has another digest.
MANIFESTS = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
# Seconds. It listens on this machine; the storage behind it may take its time.
TIMEOUT = 30.0


class RegistryUnreachable(ImageError):
    """Nothing listens there."""


def digest_of(address: str, repository: str, tag: str, timeout: float = TIMEOUT) -> str:
    """Return the digest of a tag by one HEAD request without TLS; empty when the registry does not have it.

    address: host:port. Raises RegistryUnreachable, ImageError.
    """
    try:
        with closing(http.client.HTTPConnection(address, timeout=timeout)) as connection:
            connection.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFESTS})
            answer = connection.getresponse()
            answer.read()
    except socket.timeout as error:
        raise ImageError(
            f"The registry at {address} says nothing about {repository}:{tag} within {timeout:g} s, so it cannot read its storage; "
            "see `journalctl -u docker-registry` and whether its bucket answers."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RegistryUnreachable(
            f"The registry at {address} does not answer ({reason}); apply the role registry to this host, and see "
            "`journalctl -u docker-registry`."
        ) from error
    if answer.status == http.client.NOT_FOUND:
        return ""
    if answer.status != http.client.OK:
        raise ImageError(
            f"The registry at {address} answered {answer.status} for {repository}:{tag}, so it cannot read its storage; see "
            "`journalctl -u docker-registry` and whether its bucket answers."
        )
    digest = answer.getheader("Docker-Content-Digest") or ""
    if not digest:
        raise ImageError(f"What answers at {address} tells no digest of {repository}:{tag}, so it is no registry.")
    return digest
