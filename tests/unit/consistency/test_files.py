# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every file of the repository has, and what none may have."""

from __future__ import annotations

import re

import pytest

from tests.unit.consistency.repository import text, tracked

HEADER = (
    "# Copyright: (c) 2026, the frontdesk.platform authors\n"
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)\n"
    "# SPDX-License-Identifier: GPL-3.0-or-later\n"
)

# Each pattern has a character class where it would otherwise find itself in this file.
FORBIDDEN = {
    # anna is the account of an example.
    "a path of one machine": re.compile(r"(?<![\w.{}/])/(wor[k]/|roo[t]/\.(cache|pyenv)|hom[e]/(?!anna)[a-z])"),
    "a package registry's host": re.compile(
        r"(pypi|pythonhosted|npmjs|rubygems)[.](org|com)|proxy[.]golang[.]org|repo1?[.]maven[.]apache[.]org|deb[.]debian[.]org"
    ),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE [K]EY-----\s+[A-Za-z0-9+/]{20}"),
    "an unfinished thought": re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b"),
}


def test_python_files_have_the_licence_header():
    lacking = []
    for path in tracked():
        if path.suffix == ".py" and text(path).strip():
            body = text(path)
            if body.startswith("#!"):
                body = body.partition("\n")[2]
            if not body.startswith(HEADER):
                lacking.append(str(path))
    assert not lacking, "\n".join(lacking)


def test_yaml_files_start_a_document():
    # GitHub's issue forms and Ansible's own formats all accept it; ansible-lint leaves some folders out.
    lacking = [
        str(path)
        for path in tracked()
        if path.suffix in (".yml", ".yaml") and not text(path).startswith(("---\n", "#", "$ANSIBLE_VAULT"))
    ]
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what):
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in tracked()
        if path.name != "LICENSE"
        for number, line in enumerate(text(path).splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, "\n".join(found)


def test_large_files_stay_out():
    large = [str(path) for path in tracked() if len(text(path)) > 300_000]
    assert not large, "\n".join(large)
