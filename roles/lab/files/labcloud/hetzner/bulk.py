# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many servers in one go, for tests of inventories and plans at scale. Only in API-only projects.

`make` takes a JSON object:

| key | meaning |
|---|---|
| `count` | how many servers; needed |
| `prefix` | names are PREFIX-0001 and on; default `server` |
| `labels` | labels of every server |
| `groups` | names; the n-th server gets the label `group.frontdesk.platform/NAME=true` of group n mod count |
| `networks` | how many networks they are spread over; default: as many as 100 members each need, 0 = none |
| `server_types`, `locations` | taken in turn; default cx23 and fsn1, nbg1, hel1 |
| `odd` | `{no_public_ipv4, ipv6_only, private_only, no_image, deleting, off, alias_ips}`: how many of each; the first servers get them, one oddity each |

`no_public_ipv4` has IPv6 and a private address, `ipv6_only` only IPv6, `private_only` no public address at all.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ..state import Item, Project
from . import addresses, catalogue, times
from .cloud import Cloud
from .networks import MAX_MEMBERS
from .servers import new_record

GROUP_PREFIX = "group.frontdesk.platform/"
ODDITIES = ("no_public_ipv4", "ipv6_only", "private_only", "no_image", "deleting", "off", "alias_ips")
_KEYS = ("count", "prefix", "labels", "groups", "networks", "server_types", "locations", "odd")
MAX_NETWORKS = 200


def _oddities(odd: dict[str, int], count: int) -> list[str]:
    unknown = sorted(set(odd) - set(ODDITIES))
    if unknown:
        raise ValueError(f"there is no oddity {', '.join(unknown)}; there are: {', '.join(ODDITIES)}")
    found = [name for name in ODDITIES for _n in range(odd.get(name, 0))]
    return [*found, *([""] * (count - len(found)))][:count]


def _network(cloud: Cloud, project: Project, index: int, zone: str) -> Item:
    network_range = f"10.{index + 1}.0.0/16"
    network = {
        "id": cloud.state.next_id(),
        "name": f"net-{index + 1}",
        "ip_range": network_range,
        "subnets": [
            {
                "type": "cloud",
                "ip_range": f"10.{index + 1}.0.0/24",
                "network_zone": zone,
                "gateway": str(addresses.gateway(network_range)),
                "vswitch_id": None,
            }
        ],
        "routes": [],
        "protection": {"delete": False},
        "labels": {},
        "created": times.now(),
        "expose_routes_to_vswitch": False,
    }
    cloud.state.put(project.name, "network", network)
    return network


class _PublicAddresses:
    """Public addresses for many servers: the range is searched once."""

    def __init__(self, cloud: Cloud, project: Project) -> None:
        """Take what no API-only project has."""
        projects = [other.name for other in cloud.state.projects.values() if other.api_only]
        taken = {item["ip"] for name in projects for item in cloud.state.items(name, "primary_ip").values()}
        pool = addresses.API_ONLY_PUBLIC_NETWORK
        first = int(pool.network_address) + addresses.FIRST_PUBLIC_HOST
        numbers = (str(IPv4Address(number)) for number in range(first, int(pool.broadcast_address)))
        self._free = (ip for ip in numbers if ip not in taken)
        self._cloud = cloud
        self._project = project

    def make(self, kind: str, server: Item) -> int:
        """Write an address for a server and return its id."""
        address_id = self._cloud.state.next_id()
        ip = next(self._free) if kind == "ipv4" else addresses.public_ipv6(address_id)
        address = {
            "id": address_id,
            "name": f"primary_ip-{address_id}",
            "labels": {},
            "created": times.now(),
            "ip": ip,
            "dns_ptr": [] if kind == "ipv6" else [{"ip": ip, "dns_ptr": f"{server['name']}.example.com"}],
            "protection": {"delete": False},
            "type": kind,
            "auto_delete": True,
            "location": server["location"],
            "server": server["id"],
        }
        self._cloud.state.put(self._project.name, "primary_ip", address)
        return address_id


def _private(network: Item, server_id: int, place: int, oddity: str) -> Item:
    first = IPv4Network(network["subnets"][0]["ip_range"]).network_address
    ip = first + 2 + place
    return {
        "network": network["id"],
        "ip": str(ip),
        "alias_ips": [str(ip + MAX_MEMBERS), str(ip + MAX_MEMBERS + 20)] if oddity == "alias_ips" else [],
        "mac_address": addresses.mac(server_id, network["id"]),
        "status": "ok",
    }


def _known(items: dict[str, Item], name: str) -> Item:
    if name not in items:
        raise ValueError(f"there is no {name}; there are: {', '.join(items)}")
    return items[name]


def make(cloud: Cloud, project: Project, wanted: dict[str, Any]) -> int:
    """Make the servers and return how many. Raises ValueError with one sentence."""
    unknown = sorted(set(wanted) - set(_KEYS))
    if unknown or not isinstance(wanted.get("count"), int):
        raise ValueError(f"servers needs count and may have {', '.join(_KEYS[1:])}; not: {', '.join(unknown) or '-'}")
    count: int = wanted["count"]
    needed = -(-count // MAX_MEMBERS)
    network_count: int = wanted.get("networks", needed)
    if network_count > MAX_NETWORKS or 0 < network_count < needed:
        raise ValueError(f"{count} servers need at least {needed} networks and there can be {MAX_NETWORKS}")
    types = [_known(catalogue.SERVER_TYPE_BY_NAME, name) for name in wanted.get("server_types", ["cx23"])]
    locations = wanted.get("locations", ["fsn1", "nbg1", "hel1"])
    for name in locations:
        _known(catalogue.LOCATION_BY_NAME, name)
    zone = catalogue.LOCATION_BY_NAME[locations[0]]["network_zone"]
    networks = [_network(cloud, project, index, zone) for index in range(network_count)]
    public = _PublicAddresses(cloud, project)
    groups = wanted.get("groups", [])
    for index, oddity in enumerate(_oddities(wanted.get("odd", {}), count)):
        server_type = types[index % len(types)]
        image = catalogue.image("debian-13", server_type["architecture"])
        server = new_record(
            cloud.state.next_id(),
            f"{wanted.get('prefix', 'server')}-{index + 1:04d}",
            server_type,
            locations[index % len(locations)],
            None if oddity == "no_image" or image is None else image["id"],
        )
        server["status"] = {"deleting": "deleting", "off": "off"}.get(oddity, "running")
        server["labels"] = dict(wanted.get("labels", {}))
        if groups:
            server["labels"][GROUP_PREFIX + groups[index % len(groups)]] = "true"
        if networks and oddity != "ipv6_only":
            network = networks[index % network_count]
            server["private"] = [_private(network, server["id"], index // network_count, oddity)]
        if oddity not in ("no_public_ipv4", "ipv6_only", "private_only"):
            server["ipv4"] = public.make("ipv4", server)
        if oddity != "private_only":
            server["ipv6"] = public.make("ipv6", server)
        cloud.state.put(project.name, "server", server)
    return count
