# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer importer: the built artifact as Galaxy and a user with an empty home see it."""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from . import artifact
from .checks import Check, CheckFailed, perform, program
from .environment import BIN, CHECKOUT, COLLECTION

#: Galaxy refuses 20 MB; ours is text, and a tenth of that already means that something slipped in.
_MAXIMUM_SIZE = 2_000_000

#: What must not be in the artifact: the project's own workshop, caches, and what belongs to one machine.
_UNWANTED = re.compile(
    r"(^|/)(tests|molecule|build|scripts|__pycache__|\.[^/]+|known_hosts\.txt|Makefile|pyproject\.toml|ansible\.cfg)(/|$)"
    r"|\.(pyc|retry|log|sqlite3?|key|tar\.gz)$"
    r"|requirements-dev\.txt$"
)

#: Forms that secrets have: private keys, vaults and provider tokens. The lab's examples say `lab` and match none.
_SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}|\$ANSIBLE_VAULT;|AKIA[0-9A-Z]{16}|gsk_[A-Za-z0-9]{40,}"
    rb"|(?i:token|secret|password)[\"']?\s*[:=]\s*[\"']?(?=[A-Za-z]*[0-9])[A-Za-z0-9]{64}\b"
)

#: Plugin types with one plugin per file, and their folders.
_FOLDERS = {"module": "modules", "inventory": "inventory", "lookup": "lookup", "callback": "callback"}

#: Plugin types with any number of plugins per file: only Ansible knows their names.
_LISTED = ("filter", "test")

_IMPORTER_SETTINGS = """\
[galaxy-importer]
CHECK_REQUIRED_TAGS = True
REQUIRE_V1_OR_GREATER = True
RUN_ANSIBLE_TEST = False
OFFLINE_ANSIBLE_LINT = True
"""


class Installed:
    """The artifact, and a home in which it is the only thing installed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.artifact = artifact.path()
        self.environment = artifact.empty_home(home)

    @property
    def root(self) -> Path:
        """Where the collection lies when it is installed."""
        return self.home / ".ansible/collections/ansible_collections" / COLLECTION.replace(".", "/")

    def run(self, name: str, *arguments: str | Path) -> str:
        """Run one of Ansible's programs as the user of that home, outside any checkout."""
        return program(BIN / name, *arguments, env=self.environment, cwd=self.home)

    def build(self) -> None:
        """The artifact can be built."""
        artifact.build()
        size, count = self.artifact.stat().st_size, len(artifact.names(self.artifact))
        print(f"artifact: {self.artifact.relative_to(CHECKOUT)}, {size / 1024:.0f} KiB, {count} files", flush=True)

    def galaxy_importer(self) -> None:
        """Galaxy's importer accepts the artifact without a warning."""
        settings = self.home / "galaxy-importer.cfg"
        settings.write_text(_IMPORTER_SETTINGS, encoding="utf-8")
        env = {**self.environment, "GALAXY_IMPORTER_CONFIG": str(settings)}
        output = program(BIN / "python", "-m", "galaxy_importer.main", self.artifact, env=env, cwd=self.home)
        faults, about = [], ""
        for line in output.splitlines():
            if line.startswith("Loading "):
                about = line.removeprefix("Loading ")
            elif line.startswith(("WARNING", "ERROR", "CRITICAL")):
                faults.append(f"{about}: {line}")
        if faults or "Importer processing completed successfully" not in output:
            raise CheckFailed("\n".join(faults) or output)
        (self.home / "importer_result.json").unlink(missing_ok=True)

    def content(self) -> None:
        """Nothing of the workshop, no cache and no secret is in the artifact, and it is small."""
        faults = [f"unwanted: {name}" for name in artifact.names(self.artifact) if _UNWANTED.search(name)]
        with tarfile.open(self.artifact) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member) if member.isfile() else None
                found = _SECRETS.search(file.read()) if file else None
                if found:
                    faults.append(f"looks like a secret: {member.name}: {found.group()[:24]!r}...")
        size = self.artifact.stat().st_size
        if size > _MAXIMUM_SIZE:
            faults.append(f"{size} bytes; at most {_MAXIMUM_SIZE} are expected")
        if faults:
            raise CheckFailed("\n".join(faults))

    def install(self) -> None:
        """The artifact installs into an empty home, its dependencies taken from the package ansible."""
        self.run("ansible-galaxy", "collection", "install", "--offline", self.artifact)
        if not (self.root / "MANIFEST.json").is_file():
            raise CheckFailed(f"nothing was installed into {self.root}")
        self.run("ansible-galaxy", "collection", "verify", "--offline", COLLECTION)

    def playbook(self, name: str) -> None:
        """A playbook can be called by its full name from anywhere, and lists its tasks."""
        called = f"{COLLECTION}.{name}"
        self.run("ansible-playbook", called, "--syntax-check")
        tasks = self.run("ansible-playbook", called, "--list-tasks")
        if "play #1" not in tasks:
            raise CheckFailed(f"{called} has no play:\n{tasks}")

    def documentation(self) -> None:
        """ansible-doc shows every module, plugin and role of the artifact."""
        dumped = json.loads(self.run("ansible-doc", "--metadata-dump", COLLECTION))
        missing = []
        for kind in (*_FOLDERS, *_LISTED):
            known = dumped["all"].get(kind) or {}
            missing += [f"{kind} {name}" for name in sorted(self._plugins(kind)) if not _documented(known, name)]
        roles = {path.parent.name for path in (self.root / "roles").glob("*/tasks")}
        missing += [f"role {name}" for name in sorted(roles) if f"{COLLECTION}.{name}" not in dumped["all"]["role"]]
        if missing:
            raise CheckFailed("not documented: " + ", ".join(missing))

    def _plugins(self, kind: str) -> set[str]:
        """The short names of all plugins of a type, documented or not."""
        if kind in _LISTED:
            listed = json.loads(self.run("ansible-doc", "--type", kind, "--list", "--json", COLLECTION))
            return {name.removeprefix(f"{COLLECTION}.") for name in listed}
        return {path.stem for path in (self.root / "plugins" / _FOLDERS[kind]).glob("*.py")} - {"__init__"}


def _documented(known: dict[str, dict[str, object]], name: str) -> bool:
    return bool(known.get(f"{COLLECTION}.{name}", {}).get("doc"))


def main(_arguments: Sequence[str]) -> int:
    """Build, import, install and call."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-home-") as folder:
        installed = Installed(Path(folder))
        playbooks = sorted(path.stem for path in (CHECKOUT / "playbooks").glob("*.yml"))
        return perform(
            "importer",
            [
                Check("galaxy-importer", installed.galaxy_importer),
                Check("content of the artifact", installed.content),
                Check("documentation", installed.documentation),
                *(Check(f"playbook {name}", partial(installed.playbook, name)) for name in playbooks),
            ],
            at_once=2,
            first=[Check("build", installed.build), Check("install into an empty home", installed.install)],
        )
