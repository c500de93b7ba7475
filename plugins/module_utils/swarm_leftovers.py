# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a former membership leaves on a node, and what bars the networks of the next one.

An engine that is stopped, or made to leave by force, while it takes down an overlay network leaves the network's VXLAN interface
behind. Networks of a new cluster get the same numbers, and the engine then refuses every task with "error creating vxlan
interface: file exists". On a node that is in no cluster nothing of this is in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change

LINKS = Path("/sys/class/net")
NAMESPACES = Path("/var/run/docker/netns")
# The names that the engine's driver `overlay` gives: drivers/overlay/ov_network.go of the engine.
_LINK = re.compile(r"(vx|ov)-[0-9a-f]{6}-\w+")
_NAMESPACE = re.compile(r"\d+-\w{10}|lb_\w{9}")

Runner = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Leftovers:
    """Interfaces and network namespaces of overlay networks; run starts a program, links and namespaces are folders."""

    run: Runner
    links: Path = LINKS
    namespaces: Path = NAMESPACES

    def clear(self, check_mode: bool) -> list[Change]:
        """Remove them; only for a node in no cluster."""
        changes = []
        # A namespace takes the interfaces in it along.
        for path in _matching(self.namespaces, _NAMESPACE):
            changes.append(Change("delete", "leftover", str(path), {}, None))
            if not check_mode:
                self.run(["umount", "--lazy", str(path)])
                path.unlink()
        for path in _matching(self.links, _LINK):
            changes.append(Change("delete", "leftover", path.name, {}, None))
            if not check_mode:
                self.run(["ip", "link", "delete", "dev", path.name])
        return changes


def _matching(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
