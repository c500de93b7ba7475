# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a field is: one option of a service in Compose's words, and its place in the engine's ServiceSpec.

A field has a canonical value: text, number, list or dict that is equal for all spellings that mean the same. It is read
from a service's options, read from a live specification, and written into one. So comparing, the diff, creation and
update need no code of their own per option, and what no field knows survives. The table: stack_service.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import (
    ValueProblem,
    duration_from_ns,
    duration_to_ns,
    text_of,
)


@dataclass(frozen=True)
class Names:
    """Names and ids of networks, secrets and configs, which a specification mixes.

    network_of: the name of a network's id. ids: by plural kind and name.
    """

    network_of: Callable[[str], str]
    ids: Mapping[str, Mapping[str, str]]

    def id(self, kind: str, name: str) -> str:
        """The id; for a network that only the nodes know (host) its name, which the engine takes as well."""
        return self.ids[kind].get(name, name)


@dataclass(frozen=True)
class Field:
    """One option of a service.

    path: in Compose's words. parse: option to canonical value, None when it says nothing. default: what the module
    writes when the option is left out, given all options of the service; unset: what Swarm does without a value.
    read, write: canonical value from and into a specification. group: fields that must be written together, because
    Swarm takes zeros and not its defaults for what is missing beside them. since: the version of the engine's API that brought
    it, for what engines that the collection supports may lack; such an engine would drop it in silence.
    """

    path: str
    parse: Callable[[Any], Any]
    read: Callable[[Json, Names], Any]
    write: Callable[[Json, Any, Names], None]
    unset: Any = None
    default: Callable[[Json], Any] | None = None
    group: str = ""
    since: str = ""

    def wanted(self, options: Json) -> Any:
        """The canonical value that the options ask for. Raises ValueProblem."""
        given = option_at(options, self.path)
        value = None if given is None else self.parse(given)
        if value is None:
            value = self.default(options) if self.default else None
        return self.unset if value is None else value

    def live(self, spec: Json, names: Names) -> Any:
        """The canonical value in a live specification."""
        value = self.read(spec, names)
        return self.unset if value is None else value


def option_at(options: Mapping[str, Any], path: str) -> Any:
    """The option of a dotted path; None when it or a dictionary around it is left out."""
    value: Any = options
    for key in path.split("."):
        if value is None:
            return None
        value = value.get(key)
    return value


# How values lie in a specification.


def value_at(spec: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """The value below these keys; None when it or something around it is missing."""
    value: Any = spec
    for key in keys:
        if not value:
            return None
        value = value.get(key)
    return value


def put_at(spec: Json, keys: tuple[str, ...], value: Any) -> None:
    """Set the value below these keys; None removes it, and what is empty then."""
    if value is None:
        _remove_at(spec, keys)
        return
    for key in keys[:-1]:
        if not spec.get(key):
            spec[key] = {}
        spec = spec[key]
    spec[keys[-1]] = value


def _remove_at(spec: Json, keys: tuple[str, ...]) -> None:
    if len(keys) > 1:
        inner = spec.get(keys[0])
        if not inner:
            return
        _remove_at(inner, keys[1:])
        if inner or keys[0] in ("TaskTemplate", "ContainerSpec", "EndpointSpec"):
            return
    spec.pop(keys[0], None)


def plain(
    path: str,
    keys: str,
    parse: Callable[[Any], Any],
    decode: Callable[[Any], Any] = lambda raw: raw,
    encode: Callable[[Any], Any] = lambda value: value,
    **more: Any,
) -> Field:
    """A field that is one value of the specification, at dotted keys. more: further attributes of Field."""
    place = tuple(keys.split("."))
    unset, group = more.get("unset"), more.get("group")

    def read(spec: Json, _names: Names) -> Any:
        raw = value_at(spec, place)
        return None if raw is None or raw in ("", [], {}) else decode(raw)

    def write(spec: Json, value: Any, _names: Names) -> None:
        # To write nothing is to get Swarm's default; in a group Swarm would take zeros.
        absent = value is None or (value == unset and not group)
        put_at(spec, place, None if absent else encode(value))

    return Field(path, parse, read, write, **more)


def text(path: str, keys: str, **more: Any) -> Field:
    """A field of text; an empty one says nothing."""
    return plain(path, keys, lambda value: text_of(value) or None, **more)


def switch(path: str, keys: str) -> Field:
    """A field that is off unless set."""
    return plain(path, keys, bool, unset=False)


def number(path: str, keys: str, **more: Any) -> Field:
    """A field of a number that is not negative."""
    return plain(path, keys, not_negative, **more)


def duration(path: str, keys: str, **more: Any) -> Field:
    """A field of a duration, such as 1m30s; the engine has nanoseconds."""
    return plain(path, keys, canonical_duration, duration_from_ns, duration_to_ns, **more)


def mapping(path: str, keys: str) -> Field:
    """A field of keys and texts."""
    return plain(path, keys, text_map, dict, dict)


def in_order(path: str, keys: str) -> Field:
    """A field of a list whose order counts."""
    return plain(path, keys, lambda value: list(value) or None, list, list)


def any_order(path: str, keys: str, each: Callable[[str], str] = str) -> Field:
    """A field of a list whose order does not count. each: the canonical form of an element."""

    def sort(value: Any) -> list[str] | None:
        return sorted({each(entry) for entry in value}) or None

    return plain(path, keys, sort, sort, list)


def words(path: str, keys: str) -> Field:
    """A field of a command: a list of words, or a text that a shell would cut into them."""
    return plain(path, keys, command_words, list, list)


def not_negative(value: Any) -> Any:
    """The number. Raises ValueProblem."""
    if value < 0:
        raise ValueProblem(f"{value} is less than 0")
    return value


def canonical_duration(value: str) -> str:
    """The duration in its one spelling. Raises ValueProblem."""
    return duration_from_ns(duration_to_ns(value))


def text_map(value: Mapping[str, Any]) -> dict[str, str] | None:
    """Keys and texts; a key without a value has an empty one. Raises ValueProblem."""
    return {str(key): "" if entry is None else text_of(entry) for key, entry in value.items()} or None


def command_words(value: Any) -> list[str] | None:
    """The words of a command. Raises ValueProblem."""
    if isinstance(value, str):
        try:
            return shlex.split(value) or None
        except ValueError as error:
            raise ValueProblem(f"{value!r} is no command ({error})") from error
    if not isinstance(value, list):
        raise ValueProblem(f"{value!r} is neither a command nor a list of words")
    return [text_of(word) for word in value] or None
