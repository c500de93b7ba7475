# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer molecule: each role's scenario, on the lab's servers.

By default all scenarios share the servers. With the argument `alone` each one starts on bare servers, with `short` those are
left out whose roles the layer e2e applies, breaks and changes as a part of the platform. Other arguments are names of scenarios; without
any, all are run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from .checks import Check, CheckFailed, perform, program
from .environment import BIN, CHECKOUT, environment

#: Visitors come to the servers themselves: a role is tested without a load balancer in front, and without the provider's
#: firewall, which would hide what the servers' own lets through.
_OPEN = {"direction": "in", "source_ips": ["0.0.0.0/0", "::/0"]}
_BARE = {
    "frontdesk_load_balancer": False,
    "hetzner_prune": True,
    "hetzner_firewalls": [
        {
            "name": "lab",
            "rules": [
                {"protocol": "tcp", "port": "any", **_OPEN},
                {"protocol": "udp", "port": "any", **_OPEN},
                {"protocol": "icmp", **_OPEN},
            ],
        }
    ],
}
_BASE = CHECKOUT / "molecule/config.yml"
_IN_E2E = ("postgres", "redis")
#: A scenario that takes longer hangs.
_LIMIT = 1200.0


def _molecule(*arguments: str) -> None:
    env = environment(MOLECULE_PROJECT_DIRECTORY=str(CHECKOUT))
    program(BIN / "molecule", "-c", _BASE, *arguments, env=env, timeout=_LIMIT)


def _playbook(name: str, **variables: object) -> None:
    """Run one of the collection's playbooks against the lab."""
    extra = ["-e", json.dumps(variables)] if variables else []
    program(BIN / "ansible-playbook", "-i", "inventory/lab", f"playbooks/{name}.yml", *extra)


def servers() -> None:
    """Start the lab and make its servers, when they are not there yet."""
    _playbook("lab")
    _playbook("provision", **_BARE)


def bare_servers() -> None:
    """Replace the lab's servers by new ones."""
    known = json.loads(program(BIN / "ansible-inventory", "-i", "inventory/lab", "--list"))["_meta"]["hostvars"]
    names = sorted(set(known) - {"localhost"})
    _playbook("destroy", frontdesk_destroy="lab", frontdesk_destroy_data=names)
    _playbook("provision", **_BARE)


def _run(scenario: str, alone: bool) -> None:
    """Run one scenario from a clean state of molecule's own notes."""
    if alone:
        bare_servers()
    _molecule("reset", "-s", scenario)
    # The servers are shared: a scenario that fails must not delete them.
    _molecule("test", "-s", scenario, "--destroy=never")


def _names() -> Iterator[str]:
    return (path.parent.name for path in sorted((CHECKOUT / "molecule").glob("*/molecule.yml")))


def _missing(scenario: str) -> str | None:
    """What a scenario lacks that the shared sequence runs without a word when it is not there."""
    folder = CHECKOUT / "molecule" / scenario
    wanted: list[Path] = [folder / "converge.yml", folder / "side_effect.yml", folder / "absent.yml"]
    lacking = [path.name for path in wanted if not path.is_file()]
    if not list(folder.glob("tests/test_*.py")):
        lacking.append("tests/test_*.py")
    return f"molecule/{scenario} lacks {', '.join(lacking)}" if lacking else None


def _complete(scenarios: Sequence[str]) -> None:
    lacking = [text for text in map(_missing, scenarios) if text]
    if not scenarios:
        lacking.append("molecule/ holds no scenario")
    if lacking:
        raise CheckFailed("\n".join(lacking))


def main(arguments: Sequence[str]) -> int:
    """Run the scenarios one after the other: they share the servers."""
    alone = "alone" in arguments
    left_out = _IN_E2E if "short" in arguments else ()
    named = [name for name in arguments if name not in ("alone", "short")]
    scenarios = named or [name for name in _names() if name not in left_out]
    return perform(
        "molecule",
        [Check(f"scenario {name}", partial(_run, name, alone)) for name in scenarios],
        first=[Check("scenarios are complete", partial(_complete, scenarios)), Check("servers", servers)],
    )
