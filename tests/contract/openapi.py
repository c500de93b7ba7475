# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validates requests and answers against a vendor's OpenAPI 3.1 document.

    document = hetzner_document()                     # skips the test when the documents are not there
    recorder = Recorder(document, all_requests=True)
    with running_lab_cloud(tmp_path, observer=recorder) as lab: ...
    recorder.check()                                  # fails with every fault that was seen

The documents lie in the folder named by FRONTDESK_SPECS, default ../shared/specs beside the checkout. Objects are
closed: a field that the document does not know is a fault even where its schema leaves that open, and so is an error
code that stands in no table of the document. Changes that are younger than the document come from an overlay file,
each with its date and source.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

HERE = Path(__file__).resolve().parent
DEFAULT_SPECS = HERE.parents[1].parent / "shared" / "specs"
METHODS = ("get", "post", "put", "delete", "patch")
ERROR_ROW = re.compile(r"^\|\s*`(\d{3})`\s*\|\s*`(\w+)`\s*\|", re.MULTILINE)

Schema = dict[str, Any]

_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return datetime.fromisoformat(value.replace("Z", "+00:00")).tzinfo is not None


@_FORMATS.checks("decimal", raises=InvalidOperation)
def _is_decimal(value: object) -> bool:
    return not isinstance(value, str) or Decimal(value).is_finite()


def specs_folder() -> Path:
    """The folder with the vendors' documents, there or not."""
    return Path(os.environ.get("FRONTDESK_SPECS") or DEFAULT_SPECS)


def hetzner_document() -> Document:
    """The Hetzner document with its overlay; skips the calling test when it is not there."""
    path = specs_folder() / "hetzner-cloud.json"
    if not path.is_file():
        pytest.skip(f"no vendor documents: {path} is not there; name their folder in FRONTDESK_SPECS")
    return _loaded(path)


@cache
def _loaded(path: Path) -> Document:
    return Document(json.loads(path.read_text()), json.loads((HERE / "hetzner_overlay.json").read_text()))


def _pointed(document: Any, pointer: str) -> Any:
    for part in pointer.removeprefix("#/").split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def _resolved(document: Schema, node: Any) -> Any:
    """Replace {"$copy": pointer} by what it points to."""
    if isinstance(node, dict):
        if "$copy" in node:
            return copy.deepcopy(_pointed(document, node["$copy"]))
        return {key: _resolved(document, value) for key, value in node.items()}
    return [_resolved(document, value) for value in node] if isinstance(node, list) else node


def _objects(node: Any) -> Iterator[Schema]:
    """Every object schema below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)


def _field(schema: Schema, name: str) -> Schema:
    found: Schema = schema["properties"][name.removesuffix("[]")]
    return found["items"] if name.endswith("[]") else found


def _change_objects(paths: Schema, change: Mapping[str, Any]) -> None:
    """Change every object of an answer that has the fields by which the entry knows it."""
    matching = [
        schema
        for path in paths.values()
        for operation in path.values()
        if isinstance(operation, dict)
        for schema in _objects(operation.get("responses"))
        if all(name in schema["properties"] for name in change["objects_with"])
    ]
    assert matching, f"overlay of {change['date']} matches nothing: {change['what']}"
    for schema in matching:
        for name in change.get("remove", []):
            schema["properties"].pop(name, None)
        schema["properties"].update(copy.deepcopy(change.get("add", {})))
        required = [name for name in schema.get("required", []) if name not in change.get("remove", [])]
        schema["required"] = [*required, *change.get("required", [])]


def _apply(document: Schema, change: Mapping[str, Any]) -> None:
    """Apply one entry of an overlay. Every part must find what it changes, or the entry is out of date."""
    paths = document["paths"]
    if "objects_with" in change:
        _change_objects(paths, change)
    for path, item in change.get("paths", {}).items():
        paths.setdefault(path, {}).update(_resolved(document, item))
    for path in change.get("only_errors", []):
        for operation in paths[path].values():
            operation["responses"] = {key: value for key, value in operation["responses"].items() if key > "3"}
    for name, fields in change.get("fields_of", {}).items():
        method, path = name.split(" ")
        schema = paths[path][method]["requestBody"]["content"]["application/json"]["schema"]
        for field in fields:
            present = _field(schema, field)
            present.clear()
            present.update(change["take"])
    for name, added in change.get("request_fields", {}).items():
        method, path = name.split(" ")
        schema = paths[path][method]["requestBody"]["content"]["application/json"]["schema"]
        assert not set(added) & set(schema["properties"]), (
            f"overlay of {change['date']} is out of date: {change['what']}"
        )
        schema["properties"].update(copy.deepcopy(added))
    for name, codes in change.get("errors", {}).items():
        method, path = name.split(" ")
        rows = "\n".join(f"| `{status}` | `{code}` |" for status, code in codes)
        paths[path][method]["description"] = paths[path][method].get("description", "") + "\n" + rows


def _children(schema: Schema) -> Iterator[tuple[Any, bool]]:
    """Every schema directly below one, and whether it is a part of it (allOf and its like) or a value in it."""
    for word in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(word, []):
            yield part, True
    for part in schema.get("properties", {}).values():
        yield part, False
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield schema[word], False


def _close(schema: Schema, is_part: bool = False) -> None:
    """Forbid unknown fields in every object schema that lists its fields.

    The parts of a composed schema stay open, because each knows only its own fields; the whole is closed.
    """
    lists_fields = any(word in schema for word in ("properties", "allOf", "oneOf", "anyOf"))
    if lists_fields and not is_part and "additionalProperties" not in schema:
        schema["unevaluatedProperties"] = False
    for child, child_is_part in _children(schema):
        _close(child, child_is_part)


class Document:
    """A vendor's document, with what has changed since."""

    def __init__(self, document: Schema, overlay: Mapping[str, Any]) -> None:
        for change in overlay["changes"]:
            _apply(document, change)
        self._document = document
        self._general_errors = set(ERROR_ROW.findall(document["info"]["description"]))
        self.operations: dict[tuple[str, str], Schema] = {}
        for path, item in document["paths"].items():
            for method in METHODS:
                if method in item:
                    self.operations[(method.upper(), path)] = item[method]
        self._patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path)
            # `/servers/actions` is written without a placeholder and comes before `/servers/{id}`
            for path in sorted({path for _method, path in self.operations}, key=lambda path: path.count("{"))
        ]
        self._validators: dict[tuple[str, ...], jsonschema.Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> tuple[str, str] | None:
        """The operation of a call, as (method, path template), or None when the document has none."""
        for pattern, template in self._patterns:
            if pattern.fullmatch(path) and (method, template) in self.operations:
                return method, template
        return None

    def _faults(self, key: tuple[str, ...], schema: Schema, value: Any) -> list[str]:
        if key not in self._validators:
            closed = copy.deepcopy(schema)
            _close(closed)
            closed["components"] = self._document.get("components", {})
            self._validators[key] = jsonschema.Draft202012Validator(closed, format_checker=_FORMATS)
        return [
            f"{'.'.join(map(str, error.absolute_path)) or 'body'}: {error.message[:300]}"
            for error in self._validators[key].iter_errors(value)
        ]

    def check_request(self, method: str, path: str, query: Iterable[tuple[str, str]], body: Any) -> list[str]:
        """What is wrong with a request."""
        found = self.operation(method, path)
        if found is None:
            return ["no such operation"]
        operation = self.operations[found]
        faults = self._query_faults(operation, list(query))
        wanted = operation.get("requestBody")
        if wanted is None:
            # Clients send an empty object where there is nothing to say.
            return faults if body in (None, {}) else [*faults, f"unexpected body {body!r}"]
        schema = wanted["content"]["application/json"]["schema"]
        return [*faults, *self._faults((*found, "request"), schema, body)]

    @staticmethod
    def _query_faults(operation: Schema, query: list[tuple[str, str]]) -> list[str]:
        known = {
            parameter["name"]: parameter for parameter in operation.get("parameters", []) if parameter["in"] == "query"
        }
        faults = [
            f"missing parameter {name}"
            for name, parameter in known.items()
            if parameter.get("required") and name not in dict(query)
        ]
        for name, text in query:
            if name not in known:
                faults.append(f"unknown parameter {name}")
                continue
            schema = known[name]["schema"]
            schema = schema.get("items", {}) if schema.get("type") == "array" else schema
            if schema.get("type") == "integer" and not text.isdigit():
                faults.append(f"parameter {name}={text} is no integer")
            # hcloud for Python writes True; the vendor takes it.
            if schema.get("type") == "boolean" and text.lower() not in ("true", "false"):
                faults.append(f"parameter {name}={text} is no boolean")
            if "enum" in schema and text not in schema["enum"]:
                faults.append(f"parameter {name}={text} is none of {schema['enum']}")
        return faults

    def check_answer(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer."""
        found = self.operation(method, path)
        if found is None:
            return [] if status in (404, 405) else ["answered, but there is no such operation"]
        operation = self.operations[found]
        responses = {key.lower(): value for key, value in operation["responses"].items()}
        key = str(status) if str(status) in responses else f"{str(status)[0]}xx"
        if key not in responses:
            return [f"status {status} is not in the document"]
        content = responses[key].get("content", {})
        if not content:
            return [] if body is None else [f"status {status} has no body in the document"]
        faults = self._faults((*found, key), content["application/json"]["schema"], body)
        if status >= 400 and not faults:
            code = (str(status), body["error"]["code"])
            allowed = self._general_errors | set(ERROR_ROW.findall(operation.get("description", "")))
            if code not in allowed:
                faults.append(f"error {code[0]} {code[1]} is in no table of the document")
        return faults


class Recorder:
    """An observer of the lab cloud that checks what it sees."""

    def __init__(self, document: Document, all_requests: bool = False) -> None:
        """`all_requests`: also those that were refused; else only what was accepted must be valid."""
        self._document = document
        self._all_requests = all_requests
        self.faults: list[str] = []
        self.covered: set[tuple[str, str]] = set()

    def __call__(self, exchange: Any) -> None:
        where = f"{exchange.method} {exchange.path}"
        found = []
        if self._all_requests or exchange.status < 400:
            found += [
                f"request {where}: {fault}"
                for fault in self._document.check_request(exchange.method, exchange.path, exchange.query, exchange.body)
            ]
        found += [
            f"answer {exchange.status} of {where}: {fault}"
            for fault in self._document.check_answer(exchange.method, exchange.path, exchange.status, exchange.answer)
        ]
        self.faults += found
        operation = self._document.operation(exchange.method, exchange.path)
        if operation is not None and (exchange.status < 400 or exchange.status == 410):
            self.covered.add(operation)

    def check(self) -> None:
        """Fail with everything that was wrong."""
        assert not self.faults, "\n".join(self.faults)

    def summary(self, what: str) -> str:
        """`N of M operations covered`."""
        return f"{what}: {len(self.covered)} of {len(self._document.operations)} operations covered"
