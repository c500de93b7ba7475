# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer lint: what the sources say about themselves, without running them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .checks import Check, CheckFailed, CheckSkipped, perform, program, tool
from .environment import BIN, CHECKOUT, COLLECTION, LINK, environment, tools

#: Packages that mypy checks in strict mode, by import name; all of them are found through the paths of _mypy.
_TYPED = (
    "ansible_collections.frontdesk.platform.plugins.module_utils",
    "ansible_collections.frontdesk.platform.plugins.plugin_utils",
    "labcloud",
    "echo",
    "member",
)


def tracked(*patterns: str) -> list[Path]:
    """Files of the checkout that git tracks or would track, relative to it."""
    listed = program("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns)
    return [Path(name) for name in sorted(set(listed.split("\0"))) if name and (CHECKOUT / name).is_file()]


def _shell_scripts() -> list[Path]:
    def is_shell(path: Path) -> bool:
        with (CHECKOUT / path).open("rb") as file:
            first = file.readline(80)
        return first.startswith(b"#!") and first.rstrip().endswith((b"sh", b"bash"))

    return [path for path in tracked() if path.suffix == ".sh" or (not path.suffix and is_shell(path))]


def _optional(name: str) -> str:
    """The path of a linter that scripts/tools.sh looks after."""
    path = shutil.which(name, path=environment()["PATH"])
    if path:
        return path
    reason = tools() / f"{name}.missing"
    text = reason.read_text(encoding="utf-8").strip() if reason.is_file() else "not installed; run scripts/tools.sh"
    if os.environ.get("GITHUB_ACTIONS"):
        raise CheckFailed(f"{name}: {text}")
    raise CheckSkipped(f"{name}: {text}")


def _shellcheck() -> None:
    program(_optional("shellcheck"), "-x", "-P", "SCRIPTDIR", *_shell_scripts())


def _actionlint() -> None:
    program(_optional("actionlint"), "-no-color")


def _mypy() -> None:
    search = [LINK.parent.parent.parent, CHECKOUT / "roles/lab/files", CHECKOUT / "roles/postgres/files/image"]
    packages = [part for name in _TYPED for part in ("-p", name)]
    text = os.pathsep.join(map(str, search))
    program(BIN / "mypy", *packages, env=environment(MYPYPATH=text))
    program(BIN / "mypy", "-p", "tests.gates", env=environment())


def _seen_through_link() -> None:
    """What the tools call frontdesk.platform is this checkout, not a copy that goes stale."""
    listed = json.loads(program(BIN / "ansible-galaxy", "collection", "list", COLLECTION, "--format", "json"))
    found = {Path(folder, *COLLECTION.split(".")).resolve() for folder in listed}
    if found != {CHECKOUT}:
        raise CheckFailed(
            f"{COLLECTION} is {', '.join(map(str, found))}, not {CHECKOUT}; remove it and run scripts/setup.sh"
        )


def _no_ignore_files() -> None:
    """A list of exceptions hides debt: none of the tools may have one."""
    found = [str(path) for path in tracked("tests/sanity/ignore*", ".ansible-lint-ignore", ".config/ansible-lint*")]
    if found:
        raise CheckFailed("files with exceptions are not allowed: " + ", ".join(found))


def _unexplained() -> None:
    """An exception in a line says why."""
    faults = []
    for path in tracked("*.py", "*.yml", "*.yaml"):
        for number, line in enumerate((CHECKOUT / path).read_text(encoding="utf-8").splitlines(), start=1):
            _, marker, rest = line.partition("# " + "noqa")
            if marker and "- " not in rest:
                faults.append(f"{path}:{number}: {line.strip()}")
    if faults:
        raise CheckFailed("a noqa without a reason (write: noqa: RULE - reason):\n" + "\n".join(faults))


def main(_arguments: Sequence[str]) -> int:
    """Run all linters, two at a time: most of them use one core."""
    checks = [
        tool("ansible-lint", BIN / "ansible-lint", "--offline", "--strict", "-q"),
        Check("mypy", _mypy),
        tool("antsibull-docs", BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs",
             "--validate-collection-refs", "dependent", "."),
        tool("module pages", BIN / "python", "scripts/docs.py", "--check"),
        tool("yamllint", BIN / "yamllint", "--strict", "."),
        tool("antsibull-changelog", BIN / "antsibull-changelog", "lint"),
        tool("codespell", BIN / "codespell", *tracked()),
        Check("shellcheck", _shellcheck),
        Check("actionlint", _actionlint),
        tool("ruff check", BIN / "ruff", "check", "--no-cache", "."),
        tool("ruff format", BIN / "ruff", "format", "--no-cache", "--check", "--diff", "."),
        Check("no ignore files", _no_ignore_files),
        Check("exceptions say why", _unexplained),
        Check("the checkout is the collection", _seen_through_link),
    ]  # fmt: skip
    return perform("lint", checks, at_once=2)
