# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a gate by name: `python -m tests.gates lint`. The Makefile has a target for each."""

from __future__ import annotations

import importlib
import sys

#: The gates by name, and the module of each. A module is imported when it is asked for, so that the runner of
#: all layers works before the virtual environment exists.
GATES = {name: name for name in ("artifact", "importer", "lint", "molecule", "sanity")} | {"test": "layers"}


def main(arguments: list[str]) -> int:
    """Run the gate named by the first argument; return its exit code."""
    if not arguments or arguments[0] not in GATES:
        print(f"usage: python -m tests.gates {{{','.join(GATES)}}} [argument ...]", file=sys.stderr)
        return 2
    gate = importlib.import_module(f".{GATES[arguments[0]]}", __package__)
    return int(gate.main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
