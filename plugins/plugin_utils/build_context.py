# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build context for the Docker engine: files from several places as one tar, and a hash that names its content.

The tar depends on nothing but names, contents and the executable bit, so that it is the same on every machine.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

IGNORED_FOLDERS = {"__pycache__"}
# A packed context travels as an option of a module, through one line of JSON.
PACKED_LIMIT = 1024 * 1024


def _files_below(folder: Path) -> Iterable[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED_FOLDERS)
        for name in sorted(names):
            yield Path(root) / name


def collect(folder: Path, extra: Mapping[str, Path]) -> dict[str, Path]:
    """Return {path in the context: file} of a folder, plus files and folders from elsewhere under other names.

    Raises FileNotFoundError when one of them does not exist.
    """
    found = {path.relative_to(folder).as_posix(): path for path in _files_below(folder)}
    for target, source in extra.items():
        if source.is_dir():
            found.update({f"{target}/{path.relative_to(source).as_posix()}": path for path in _files_below(source)})
        elif source.is_file():
            found[target] = source
        else:
            raise FileNotFoundError(str(source))
    return found


def content_hash(files: Mapping[str, Path], *others: str) -> str:
    """Return twelve hexadecimal digits that change with any file's name or content and with any other text."""
    digest = hashlib.sha256()
    for text in others:
        digest.update(f"{len(text)}:{text}".encode())
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def write_tar(files: Mapping[str, Path], target: IO[bytes]) -> None:
    """Write the context as a tar whose times and owners are fixed, so that the engine's layer cache recognises it."""
    with tarfile.open(fileobj=target, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(files):
            # Not the file system's own entry: that knows owners, times, links and hard links.
            member = tarfile.TarInfo(name)
            details = files[name].stat()
            member.size = details.st_size
            member.mode = 0o755 if details.st_mode & 0o100 else 0o644
            with files[name].open("rb") as content:
                archive.addfile(member, content)


class ContextError(Exception):
    """A folder cannot be packed. The text is one sentence with the remedy."""


def packed(folder: Path) -> str:
    """Return a folder's files as a compressed tar in Base64. Raises ContextError."""
    if not folder.is_dir():
        raise ContextError(f"The build context {folder} is no folder; give a folder with a Dockerfile.")
    files = collect(folder, {})
    if "Dockerfile" not in files:
        raise ContextError(f"The build context {folder} has no Dockerfile; add one.")
    archive = io.BytesIO()
    write_tar(files, archive)
    # Without the time of the compression, which gzip keeps otherwise.
    content = base64.b64encode(gzip.compress(archive.getvalue(), mtime=0)).decode("ascii")
    if len(content) > PACKED_LIMIT:
        raise ContextError(
            f"The build context {folder} has {len(content)} bytes when it is packed, and {PACKED_LIMIT} is the most that a module "
            "takes; let the Dockerfile fetch what is large."
        )
    return content
