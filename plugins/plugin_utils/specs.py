# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values against argument specifications.

Stricter than Ansible's own check at the start of a role where that one converts and the role then still sees the
unconverted value: a number where text is wanted, a string with commas where a list is wanted. Numbers and truth
values given as text pass, because `-e name=value` can give nothing else. No message here is Ansible's own, because
those print the value.
"""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.frontdesk.platform.plugins.plugin_utils.faults import UNSET, Fault, shown, sounds_secret

Option = t.Mapping[str, t.Any]
Options = t.Mapping[str, Option]

TRUE_WORDS = frozenset(("yes", "on", "1", "true", "t", "y"))
FALSE_WORDS = frozenset(("no", "off", "0", "false", "f", "n"))

_NOT_NULL = "nothing stands after the colon; give a value, or remove the line to get the default"

_WANTED = {
    "str": "give text, in quotes when it looks like a number or a truth value",
    "path": "give a path",
    "int": "give a whole number",
    "float": "give a number",
    "bool": "give true or false",
    "list": "give a list, on the command line as JSON: -e '{{\"{root}\": [...]}}'",
    "dict": "give a dictionary, on the command line as JSON: -e '{{\"{root}\": {{...}}}}'",
}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    if isinstance(value, str):
        return bool(re.fullmatch(r"[+-]?[0-9]+", value.strip()))
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return bool(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value.strip()))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_truth_value(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in TRUE_WORDS | FALSE_WORDS
    return isinstance(value, bool)


_CHECKS: dict[str, t.Callable[[object], bool]] = {
    "str": _is_text,
    "path": _is_text,
    "int": _is_integer,
    "float": _is_number,
    "bool": _is_truth_value,
    "list": lambda value: isinstance(value, (list, tuple)),
    "dict": lambda value: isinstance(value, dict),
}


def is_secret(option: Option) -> bool:
    """Whether the value, or a part of it, may never be shown."""
    return bool(option.get("no_log")) or any(is_secret(part) for part in (option.get("options") or {}).values())


def secret_parts(value: t.Any, option: Option) -> t.Iterator[t.Any]:
    """Return the parts of a value that may never be shown; what is beside them, such as a name, is no secret.

    A value that has not the form of its option may hold a secret anywhere, so all of it counts.
    """
    if option.get("no_log"):
        yield value
    elif is_secret(option):
        elements = value if isinstance(value, (list, tuple)) else [value]
        for element in elements:
            if not isinstance(element, dict):
                yield element
                continue
            for key, part in (option.get("options") or {}).items():
                if key in element:
                    yield from secret_parts(element[key], part)


def check_value(path: str, value: t.Any, option: Option) -> list[Fault]:
    """Return the faults of a value and all its parts against its option."""
    return list(_value_faults(path, value, option))


def missing(path: str, option: Option) -> Fault:
    """The fault of a required value that is not there."""
    return Fault(
        path,
        shown(UNSET),
        f"set it ({purpose(option)})" if "." in path else f"set it in group_vars/frontdesk/ ({purpose(option)})",
    )


def unknown(path: str, value: object, known: t.Iterable[str]) -> Fault:
    """The fault of a name that no specification knows, with the nearest one that does exist."""
    name = path.rsplit(".", 1)[-1]
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    if nearest:
        remedy = f"no such option; did you mean {nearest[0]}?"
    elif "." in path:
        remedy = f"no such option; remove it, the options are {', '.join(names)}"
    else:
        remedy = "no such variable; remove it, or rename it if it is not meant for this collection"
    return Fault(path, shown(value, secret=any(map(sounds_secret, [name, *nearest]))), remedy)


def purpose(option: Option) -> str:
    """First sentence of an option's description."""
    description = option.get("description") or "no description"
    first = description if isinstance(description, str) else description[0]
    sentence = re.split(r"(?<=[.])\s", first, maxsplit=1)[0].strip().rstrip(".")
    # The markup of Ansible's documentation: O(name), V(value), C(code), E(VARIABLE).
    return re.sub(r"\b[OVCE]\(([^)]*)\)", r"\1", sentence)


def _value_faults(path: str, value: t.Any, option: Option) -> t.Iterator[Fault]:
    secret = is_secret(option)
    kind = str(option.get("type", "str"))
    if value is None:
        if kind != "raw":
            yield Fault(path, shown(None), _NOT_NULL)
        return
    if kind in _CHECKS and not _CHECKS[kind](value):
        yield Fault(path, shown(value, secret), _WANTED[kind].format(root=re.split(r"[.\[]", path)[0]))
        return
    choices = option.get("choices")
    if choices and kind not in ("list", "dict") and value not in choices:
        yield Fault(path, shown(value, secret), _choice_remedy(value, choices))
    if kind == "list":
        yield from _element_faults(path, value, option)
    elif kind == "dict" and option.get("options"):
        yield from _part_faults(path, value, option["options"])


def _element_faults(path: str, value: t.Sequence[t.Any], option: Option) -> t.Iterator[Fault]:
    element = {key: option[key] for key in ("options", "choices", "no_log") if key in option}
    element["type"] = option.get("elements", "raw")
    for index, item in enumerate(value):
        yield from _value_faults(f"{path}[{index}]", item, element)


def _part_faults(path: str, value: t.Mapping[str, t.Any], options: Options) -> t.Iterator[Fault]:
    for name, part in value.items():
        if name in options:
            yield from _value_faults(f"{path}.{name}", part, options[name])
        else:
            yield unknown(f"{path}.{name}", part, options)
    for name, option in options.items():
        if option.get("required") and name not in value:
            yield missing(f"{path}.{name}", option)


def _choice_remedy(value: object, choices: t.Sequence[t.Any]) -> str:
    nearest = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"give one of {', '.join(str(choice) for choice in choices)}{hint}"
