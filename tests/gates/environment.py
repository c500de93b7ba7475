# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie, and the environment in which the gates start programs."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
BUILD = CHECKOUT / "build"
REPORTS = BUILD / "reports"
LOGS = BUILD / "logs"
VENV = CHECKOUT / ".venv"
BIN = VENV / "bin"
COLLECTION = "frontdesk.platform"
#: The link that makes the checkout the collection; the set-up makes it.
LINK = VENV / ".ansible/collections/ansible_collections/frontdesk/platform"


def cache() -> Path:
    """The folder outside the checkout for what is expensive to fetch or build (scripts/common.sh names the same)."""
    home = Path(os.environ.get("HOME", "/"))
    default = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "frontdesk"
    return Path(os.environ.get("FRONTDESK_HOME") or default)


def tools() -> Path:
    """Linters that are no Python packages; scripts/tools.sh puts them here."""
    return cache() / "bin"


def environment(**more: str) -> dict[str, str]:
    """The environment for the programs of .venv: offline, no colours, and the checkout seen through its link."""
    result = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        # ansible-lint and molecule look for the collection below VIRTUAL_ENV or ANSIBLE_HOME. Where they do not find
        # the link they work on a copy of the checkout that goes stale.
        "ANSIBLE_HOME": str(VENV.resolve() / ".ansible"),
        # Sockets have short names: 108 characters, whatever the path of the virtual environment is.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(Path.home() / ".ansible/cp"),
        "VIRTUAL_ENV": str(VENV.resolve()),
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(VENV.resolve() / "bin"), str(tools()), os.environ["PATH"]]),
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }
    # Set by ansible-playbook's or make's own callers; it would change what the tools print or do.
    for name in ("ANSIBLE_STDOUT_CALLBACK", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH"):
        result.pop(name, None)
    return result
