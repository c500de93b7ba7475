# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of modules and plugins, and the check that they are up to date."""

from __future__ import annotations

import pytest
from scripts import docs

DOCUMENT = {
    "doc": {
        "short_description": "Does a thing",
        "description": ["Uses M(frontdesk.platform.other) and O(items[].size=3) with C(a|b) in snake_case."],
        "options": {
            "items": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "description": "The things.",
                "suboptions": {"size": {"type": "int", "default": 3, "description": ["How large."]}},
            },
            "mode": {"type": "str", "choices": ["a", "b"], "default": "", "description": "How."},
        },
        "attributes": {"check_mode": {"support": "full", "description": "Yes."}},
    },
    "examples": "- name: Do\n  frontdesk.platform.thing:\n",
    "return": {"size": {"type": "int", "returned": "always", "description": "How large.", "sample": 3}},
}


@pytest.fixture
def page() -> str:
    return docs.Page("module", "frontdesk.platform.thing", DOCUMENT).render()


def test_page_lists_nested_options_with_their_path(page):
    assert "| `items` | list of dict, **required** | The things. |" in page
    assert "| `items[].size` | int | How large.<br>Default: `3`. |" in page
    assert '| `mode` | str | How.<br>One of `a`, `b`.<br>Default: `""`. |' in page


def test_page_turns_markup_into_markdown(page):
    assert "[frontdesk.platform.other](other_module.md)" in page
    assert "`items[].size=3` with `a|b` in snake\\_case." in page


def test_page_has_examples_attributes_and_return_values(page):
    assert "```yaml\n- name: Do\n  frontdesk.platform.thing:\n```" in page
    assert "| `check_mode` | full | Yes. |" in page
    assert "| `size` | int | How large.<br>Returned: always.<br>Sample: `3` |" in page


def test_check_names_missing_stale_and_left_over_pages(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(docs, "PAGES", tmp_path)
    monkeypatch.setattr(docs, "pages", lambda: {"a.md": "new", "b.md": "same", "d.md": "missing"})
    for name, text in {"a.md": "old", "b.md": "same", "c.md": "left over"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["docs.py", "--check"])
    assert docs.main() == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "docs/modules/a.md",
        "docs/modules/c.md",
        "docs/modules/d.md",
    ]
    monkeypatch.setattr("sys.argv", ["docs.py"])
    assert docs.main() == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == docs.pages()
    monkeypatch.setattr("sys.argv", ["docs.py", "--check"])
    assert docs.main() == 0
