# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a former membership leaves on a node, and what bars the networks of the next one.

An engine that is stopped, or made to leave by force, while it takes down an overlay network leaves the network's VXLAN interface
behind. Networks of a new cluster get the same numbers, and the engine then refuses every task with "error creating vxlan
interface: file exists". Sometimes its gossip with the former cluster goes on, too: it holds the port and the old keys, the node is
told to be ready, and its containers reach no other node (github.com/moby/moby/issues/41722, "No installed keys could decrypt the
message"). Only a new start of the engine ends that. On a node that is in no cluster nothing of this is in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change

LINKS = Path("/sys/class/net")
NAMESPACES = Path("/var/run/docker/netns")
SOCKETS = Path("/proc/net")
GOSSIP_PORT = 7946
# The names that the engine's driver `overlay` gives: drivers/overlay/ov_network.go of the engine.
_LINK = re.compile(r"(vx|ov)-[0-9a-f]{6}-\w+")
_NAMESPACE = re.compile(r"\d+-\w{10}|lb_\w{9}")

Runner = Callable[[Sequence[str]], object]


@dataclass(frozen=True)
class Leftovers:
    """What is looked for on the node itself; run starts a program, the others are folders of the kernel and the engine."""

    run: Runner
    links: Path = LINKS
    namespaces: Path = NAMESPACES
    sockets: Path = SOCKETS

    def clear(self, check_mode: bool) -> list[Change]:
        """Remove them; only for a node in no cluster."""
        changes = []
        # The engine may be removing the same at this moment, so nothing here has to succeed. A namespace takes the interfaces in
        # it along.
        for path in _matching(self.namespaces, _NAMESPACE):
            changes.append(Change("delete", "leftover", str(path), {}, None))
            if not check_mode:
                self.run(["umount", "--lazy", str(path)])
                with suppress(OSError):
                    path.unlink()
        for path in _matching(self.links, _LINK):
            changes.append(Change("delete", "leftover", path.name, {}, None))
            if not check_mode:
                self.run(["ip", "link", "delete", "dev", path.name])
        return changes

    def gossips(self) -> bool:
        """Whether somebody listens on the gossip's port, which on a node in no cluster is the agent of a former one."""
        wanted = f":{GOSSIP_PORT:04X}"
        return any(
            line.split()[1].endswith(wanted)
            for name in ("udp", "udp6")
            if (self.sockets / name).exists()
            for line in (self.sockets / name).read_text(encoding="ascii").splitlines()[1:]
        )

    def restart_engine(self) -> None:
        """Start the engine anew."""
        self.run(["systemctl", "restart", "docker"])


def _matching(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
