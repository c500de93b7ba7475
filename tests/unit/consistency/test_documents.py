# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents say is there: links lead somewhere, commands exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.consistency.repository import CHECKOUT, text, tracked

DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`]*`")


def anchors(path: Path) -> set[str]:
    """The anchors that a Markdown page has, by the rule that GitHub uses for headings."""
    headings = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", text(path)), re.MULTILINE)
    slugs = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)
    return set(slugs)


def relative_links(path: Path) -> Iterator[str]:
    body = INLINE_CODE.sub("", FENCE.sub("", text(path)))
    return (link for link in LINK.findall(body) if not re.match(r"[a-z]+:", link))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_relative_links_resolve(document):
    broken = []
    for link in relative_links(document):
        name, _, anchor = link.partition("#")
        target = (CHECKOUT / document.parent / name).resolve() if name else CHECKOUT / document
        if (
            not target.exists()
            or not target.is_relative_to(CHECKOUT)
            or (anchor and target.suffix == ".md" and anchor not in anchors(target.relative_to(CHECKOUT)))
        ):
            broken.append(link)
    assert not broken, "\n".join(broken)


def test_commands_in_documents_are_targets_of_the_makefile():
    targets = set(re.findall(r"^([a-z0-9-]+):", text(Path("Makefile")), re.MULTILINE))
    assert {"site", "test", "help"} <= targets
    unknown = [
        f"{document}: make {target}"
        for document in DOCUMENTS
        for target in re.findall(r"(?:`|^\$ )make ([a-z][a-z0-9-]*)", text(document), re.MULTILINE)
        if target not in targets
    ]
    assert not unknown, "\n".join(unknown)


def test_playbooks_in_documents_exist():
    known = {path.stem for path in tracked() if path.parent == Path("playbooks") and path.suffix == ".yml"}
    called = re.compile(r"ansible-playbook\b[^\n`]*? (?:frontdesk\.platform\.|playbooks/)([a-z_]+)")
    unknown = [
        f"{document}: {name}" for document in DOCUMENTS for name in called.findall(text(document)) if name not in known
    ]
    assert not unknown, "\n".join(unknown)
