#!/usr/bin/env python3
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/modules/: a page for each module and plugin, from the documentation in its source.

With `--check` nothing is written; the exit code is 1 when a page is missing, stale or left over.
Roles have no page here: theirs is their README.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from antsibull_docs_parser import dom
from antsibull_docs_parser.format import LinkProvider
from antsibull_docs_parser.md import MDFormatter, to_md
from antsibull_docs_parser.parser import Context, parse

CHECKOUT = Path(__file__).resolve().parent.parent
PAGES = CHECKOUT / "docs/modules"
COLLECTION = "frontdesk.platform"
GENERATED = "<!-- Made by `make docs` from the plugin's source; do not edit. -->"
TYPES = ("module", "inventory", "lookup", "filter", "test", "callback")
ATTRIBUTE_ORDER = ("check_mode", "diff_mode", "idempotent", "action_group")


def page_name(plugin_type: str, name: str) -> str:
    """The file name of a plugin's page."""
    return f"{name}_{plugin_type}.md"


class _Links(LinkProvider):
    """Plugins of this collection link to each other's pages; all others to Ansible's documentation."""

    def plugin_link(self, plugin: dom.PluginIdentifier) -> str | None:
        collection, _, name = plugin.fqcn.rpartition(".")
        if collection == COLLECTION:
            return page_name(plugin.type, name)
        return f"https://docs.ansible.com/ansible/latest/collections/{plugin.fqcn.replace('.', '/')}_{plugin.type}.html"


class _Formatter(MDFormatter):
    """Markdown that is pleasant to read as plain text too: backticks, and no more escapes than needed."""

    @staticmethod
    def _code(text: str) -> str:
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    @staticmethod
    def _option_like(part: dom.OptionNamePart | dom.ReturnValuePart) -> str:
        return _Formatter._code(part.name if part.value is None else f"{part.name}={part.value}")

    def format_text(self, part: dom.TextPart) -> str:
        return part.text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")

    def format_code(self, part: dom.CodePart) -> str:
        return self._code(part.text)

    def format_env_variable(self, part: dom.EnvVariablePart) -> str:
        return self._code(part.name)

    def format_option_name(self, part: dom.OptionNamePart, url: str | None) -> str:
        return self._option_like(part)

    def format_option_value(self, part: dom.OptionValuePart) -> str:
        return self._code(part.value)

    def format_return_value(self, part: dom.ReturnValuePart, url: str | None) -> str:
        return self._option_like(part)

    def format_module(self, part: dom.ModulePart, url: str | None) -> str:
        return f"[{part.fqcn}]({url})"

    def format_plugin(self, part: dom.PluginPart, url: str | None) -> str:
        return f"[{part.plugin.fqcn}]({url})"

    def format_url(self, part: dom.URLPart) -> str:
        return f"<{part.url}>"

    def format_link(self, part: dom.LinkPart) -> str:
        return f"[{part.text}]({part.url})"


def documentation() -> dict[str, dict[str, Any]]:
    """What ansible-doc knows about the collection: {plugin type: {full name: documentation}}."""
    link = CHECKOUT / ".venv/.ansible/collections"
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-doc"), "--metadata-dump", COLLECTION],
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(link)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.stderr)
    dumped: dict[str, dict[str, Any]] = json.loads(done.stdout)["all"]
    return {kind: dumped.get(kind) or {} for kind in TYPES}


class Page:
    """The page of one plugin."""

    def __init__(self, plugin_type: str, fqcn: str, document: Mapping[str, Any]) -> None:
        self.type = plugin_type
        self.fqcn = fqcn
        self.doc = document["doc"]
        self.examples = document.get("examples")
        self.returned = document.get("return") or {}

    def markup(self, text: str) -> str:
        """Turn Ansible's markup into Markdown."""
        plugin = dom.PluginIdentifier(self.fqcn, self.type)
        paragraphs = parse(text, Context(current_plugin=plugin))
        return to_md(paragraphs, formatter=_Formatter(), link_provider=_Links(), current_plugin=plugin)

    def sentences(self, texts: str | list[str] | None) -> list[str]:
        """The paragraphs of a description."""
        return [self.markup(text) for text in ([texts] if isinstance(texts, str) else texts or [])]

    def render(self) -> str:
        """The whole page."""
        parts = [
            GENERATED,
            f"# {self.fqcn} ({self.type})",
            self.markup(self.doc["short_description"]) + ".",
            *self.sentences(self.doc.get("description")),
            *self.bullets("Requirements", self.doc.get("requirements")),
            *self.options(),
            *self.attributes(),
            *self.bullets("Notes", self.doc.get("notes")),
            *self.see_also(),
            *self.example_block(),
            *self.returns(),
            f"Since version {self.doc.get('version_added', '1.0.0')}.",
        ]
        return "\n\n".join(parts) + "\n"

    def bullets(self, heading: str, texts: list[str] | None) -> Iterator[str]:
        """A section with a list, when there is anything to list."""
        if texts:
            yield f"## {heading}"
            yield "\n".join(f"- {text}" for text in self.sentences(texts))

    def options(self) -> Iterator[str]:
        """The table of all options, those of dictionaries with the path to them."""
        if self.doc.get("options"):
            yield "## Options"
            rows = ["| option | type | description |", "|---|---|---|"]
            rows += [self.option_row(path, option) for path, option in _flatten(self.doc["options"], "suboptions")]
            yield "\n".join(rows)

    def option_row(self, path: str, option: Mapping[str, Any]) -> str:
        """One line of the table of options."""
        texts = self.sentences(option.get("description"))
        if option.get("choices"):
            texts.append("One of " + ", ".join(f"`{_value(choice)}`" for choice in option["choices"]) + ".")
        if option.get("default") is not None:
            texts.append(f"Default: `{_value(option['default'])}`.")
        sources = [f"`{source['name']}`" for source in option.get("env") or []]
        sources += [f"ini `[{source['section']}] {source['key']}`" for source in option.get("ini") or []]
        sources += [f"variable `{source['name']}`" for source in option.get("vars") or []]
        if sources:
            texts.append("Also from " + ", ".join(sources) + ".")
        kind = _type(option) + (", **required**" if option.get("required") else "")
        if option.get("aliases"):
            kind += "<br>alias " + ", ".join(f"`{alias}`" for alias in option["aliases"])
        return _row(f"`{path}`", kind, "<br>".join(texts))

    def attributes(self) -> Iterator[str]:
        """What the plugin supports."""
        known = self.doc.get("attributes") or {}
        if known:
            yield "## Attributes"
            names = sorted(known, key=lambda name: (name not in ATTRIBUTE_ORDER, name))
            rows = ["| attribute | support | description |", "|---|---|---|"]
            for name in names:
                attribute = known[name]
                texts = self.sentences(attribute.get("description")) + self.sentences(attribute.get("details"))
                rows.append(_row(f"`{name}`", str(attribute.get("support", "")), "<br>".join(texts)))
            yield "\n".join(rows)

    def see_also(self) -> Iterator[str]:
        """Links to related plugins and pages."""
        entries = []
        for entry in self.doc.get("seealso") or []:
            if "module" in entry:
                text = self.markup(f"M({entry['module']})")
            elif "plugin" in entry:
                text = self.markup(f"P({entry['plugin']}#{entry['plugin_type']})")
            else:
                text = f"[{entry['name']}]({entry['link']})"
            described = " ".join(self.sentences(entry.get("description")))
            entries.append(f"- {text}" + (f": {described}" if described else ""))
        if entries:
            yield "## See also"
            yield "\n".join(entries)

    def example_block(self) -> Iterator[str]:
        """The examples as they stand in the source."""
        if self.examples:
            yield "## Examples"
            yield "```yaml\n" + self.examples.strip() + "\n```"

    def returns(self) -> Iterator[str]:
        """The table of what the plugin returns."""
        if self.returned:
            yield "## Return values"
            rows = ["| key | type | description |", "|---|---|---|"]
            for path, value in _flatten(self.returned, "contains"):
                texts = self.sentences(value.get("description"))
                if value.get("returned"):
                    texts.append(f"Returned: {self.markup(value['returned'])}.")
                if value.get("sample") is not None:
                    texts.append(f"Sample: `{_value(value['sample'])}`")
                rows.append(_row(f"`{path}`", _type(value), "<br>".join(texts)))
            yield "\n".join(rows)


def _flatten(options: Mapping[str, Any], nested: str, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, option in options.items():
        yield prefix + name, option
        inner = option.get(nested)
        if inner:
            yield from _flatten(
                inner, nested, f"{prefix}{name}[]." if option.get("type") == "list" else f"{prefix}{name}."
            )


def _type(option: Mapping[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    return f"{kind} of {option['elements']}" if option.get("elements") else kind


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _summary(document: Mapping[str, Any]) -> str:
    return str(document["doc"]["short_description"])


def pages() -> dict[str, str]:
    """All pages by file name, the index among them."""
    result = {}
    rows = ["| plugin | type | what it does |", "|---|---|---|"]
    for plugin_type, plugins in documentation().items():
        for fqcn, document in sorted(plugins.items()):
            name = page_name(plugin_type, fqcn.removeprefix(f"{COLLECTION}."))
            page = Page(plugin_type, fqcn, document)
            result[name] = page.render()
            rows.append(_row(f"[{fqcn}]({name})", plugin_type, page.markup(_summary(document))))
    result["README.md"] = "\n\n".join([GENERATED, "# Modules and plugins", "\n".join(rows)]) + "\n"
    return result


def main() -> int:
    """Write the pages, or with --check compare them."""
    wanted = pages()
    found = {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*")} if PAGES.is_dir() else {}
    differing = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if "--check" in sys.argv[1:]:
        for name in differing:
            print(f"docs/modules/{name} is not what the source says; run 'make docs'")
        return int(bool(differing))
    PAGES.mkdir(parents=True, exist_ok=True)
    for name in differing:
        if name in wanted:
            (PAGES / name).write_text(wanted[name], encoding="utf-8")
        else:
            (PAGES / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
