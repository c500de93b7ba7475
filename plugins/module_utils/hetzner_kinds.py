# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that the collection manages, what is referred to before what refers."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_firewall import Firewall
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_load_balancer import LoadBalancer
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_network import Network
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_placement_group import PlacementGroup
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_server import Server
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_ssh_key import SshKey
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kind_volume import Volume
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import Kind

KINDS: tuple[Kind, ...] = (SshKey(), PlacementGroup(), Network(), Firewall(), Server(), Volume(), LoadBalancer())
BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}


def kinds_to_read(wanted: Iterable[str]) -> list[Kind]:
    """The kinds whose live objects a plan over `wanted` needs: themselves, what they name, and what holds them."""
    names = set(wanted)
    for kind in KINDS:
        if kind.name in names or names.intersection(kind.holds):
            names.update([kind.name, *kind.references])
    return [kind for kind in KINDS if kind.name in names]
