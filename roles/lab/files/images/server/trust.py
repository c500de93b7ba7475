# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give an image the certificate authorities that the controller trusts and Debian does not.

A machine behind an inspecting proxy trusts an extra authority; https from inside a server needs it too.
Reads a bundle in PEM and writes one file per unknown certificate for update-ca-certificates.
"""

from __future__ import annotations

import pathlib
import re
import sys

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
SYSTEM_BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
LOCAL_FOLDER = pathlib.Path("/usr/local/share/ca-certificates")


def certificates(text: str) -> list[str]:
    """Return each certificate of a bundle without its white space, so that line lengths do not matter."""
    return ["".join(found.split()) for found in CERTIFICATE.findall(text)]


def main(bundle: pathlib.Path) -> None:
    """Write a file for each certificate of the bundle that Debian's own bundle lacks."""
    known = set(certificates(SYSTEM_BUNDLE.read_text(encoding="utf-8")))
    text = bundle.read_text(encoding="utf-8")
    for number, match in enumerate(CERTIFICATE.findall(text)):
        if "".join(match.split()) not in known:
            (LOCAL_FOLDER / f"controller-{number}.crt").write_text(match + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
