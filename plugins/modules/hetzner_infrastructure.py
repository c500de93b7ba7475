#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module hetzner_infrastructure."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hetzner_infrastructure
short_description: Servers, networks, firewalls, volumes and load balancers of a Hetzner Cloud project
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Brings a slice of a Hetzner Cloud project to the wanted state in one call. Reads the project once, plans the changes,
    and writes what differs in the order of the dependencies, in parallel where nothing forbids it.
  - Compares only what is set. Fields, labels and objects that are not mentioned survive.
  - What it creates carries the label C(frontdesk.platform/owner), and only what carries it is ever changed or deleted.
    A wanted name that belongs to an object without the label is an error, unless O(adopt) names it.
  - Servers with a fixed private address are created switched off, attached to their networks, and started then.
    A run that was interrupted is continued by the next one.
  - Servers that are deleted are taken out of load balancers first. When volumes are attached, they are shut down and the
    volumes are detached before.
  - A change that needs a new object is reported as C(replace), and refused before any write unless O(replace) names it.
    So is a change in place that interrupts something. Volumes are never replaced.
  - Names in O(adopt), O(replace) and O(delete_protected) may say the kind, too, as in V(network/main).
extends_documentation_fragment:
  - frontdesk.platform.hetzner
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  owner:
    description:
      - Value of the label C(frontdesk.platform/owner), such as the name of an environment.
      - Several owners can share a project; none touches what another one has.
    type: str
    required: true
  networks:
    description: Private networks. Not looked at unless set.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name, unique in the project.
        type: str
        required: true
      ip_range:
        description:
          - Range that holds all subnets, from the private ranges of RFC 1918, at least a C(/24).
          - Grows in place as long as the first address stays. Any other change is a C(replace).
        type: str
        required: true
      labels:
        description: Labels. Others that the object has stay.
        type: dict
      delete_protection:
        description: Whether the API refuses to delete it.
        type: bool
      subnets:
        description: All subnets. Others are removed.
        type: list
        elements: dict
        suboptions:
          ip_range:
            description: Range of the subnet, at least a C(/30).
            type: str
            required: true
          network_zone:
            description: Zone of the locations whose servers can join, such as V(eu-central).
            type: str
            required: true
          type:
            description: What can join, cloud servers or a vSwitch of dedicated servers.
            type: str
            choices: [cloud, vswitch]
            default: cloud
          vswitch_id:
            description: Number of the vSwitch, with O(networks[].subnets[].type=vswitch).
            type: int
      routes:
        description: All routes. Others are removed.
        type: list
        elements: dict
        suboptions:
          destination:
            description: Network in CIDR notation.
            type: str
            required: true
          gateway:
            description: Private address of a server in the network.
            type: str
            required: true
  firewalls:
    description: Firewalls, for the public side of servers. Not looked at unless set.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name, unique in the project.
        type: str
        required: true
      labels:
        description: Labels. Others that the object has stay.
        type: dict
      rules:
        description:
          - All rules, in any order. Others are removed.
          - Networks may be written in any form, such as V(2001:DB8::0/32) or V(192.0.2.7).
        type: list
        elements: dict
        suboptions:
          direction:
            description: Whose traffic, incoming or outgoing.
            type: str
            choices: [in, out]
            required: true
          protocol:
            description: Protocol.
            type: str
            choices: [tcp, udp, icmp, esp, gre]
            required: true
          port:
            description: Port, range of ports such as V(8000-8080), or V(any), for TCP and UDP.
            type: str
          source_ips:
            description: Networks that incoming traffic may come from.
            type: list
            elements: str
          destination_ips:
            description: Networks that outgoing traffic may go to.
            type: list
            elements: str
          description:
            description: Free text.
            type: str
      apply_to:
        description:
          - Where the firewall is applied, besides the servers that name it in O(servers[].firewalls).
          - Other selectors and servers are removed, if set.
        type: list
        elements: dict
        suboptions:
          label_selector:
            description: Servers whose labels match.
            type: str
          server:
            description: Name of a server.
            type: str
  ssh_keys:
    description: SSH keys. Not looked at unless set.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name, unique in the project.
        type: str
        required: true
      public_key:
        description: Public key in the form of OpenSSH. Another key is a C(replace).
        type: str
        required: true
      labels:
        description: Labels. Others that the object has stay.
        type: dict
  placement_groups:
    description: Placement groups. Not looked at unless set.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name, unique in the project.
        type: str
        required: true
      type:
        description: What the group does; V(spread) keeps its servers on different physical hosts.
        type: str
        choices: [spread]
        default: spread
      labels:
        description: Labels. Others that the object has stay.
        type: dict
  servers:
    description: Servers. Not looked at unless set.
    type: list
    elements: dict
    suboptions:
      name:
        description: Host name, unique in the project.
        type: str
        required: true
      server_types:
        description:
          - Types in the order of preference. A creation tries all types in the first location, then all in the second, and
            skips what the API says is out of stock.
          - A server whose type is not listed is changed to the first that fits. It is powered off and on for that and
            keeps its disk, so O(replace) must name it.
          - Needed to create a server.
        type: list
        elements: str
      locations:
        description:
          - Locations in the order of preference. A server in another location is a C(replace).
          - Needed to create a server.
        type: list
        elements: str
      image:
        description:
          - Name or number of the image. Another image is a C(replace).
          - Needed to create a server.
        type: str
      ssh_keys:
        description: Names of the SSH keys that the new server's root user accepts. Not compared later, the API does not tell.
        type: list
        elements: str
      placement_group:
        description:
          - Name of a placement group; an empty string takes the server out of its group.
          - Joining a group powers a running server off and on, so O(replace) must name it.
        type: str
      networks:
        description: Private networks. The server leaves others that carry our label, if set.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the network.
            type: str
            required: true
          ip:
            description: Private address. The API chooses one unless set. Changed by leaving and joining the network.
            type: str
          alias_ips:
            description: Further private addresses.
            type: list
            elements: str
      firewalls:
        description: Names of firewalls. Others that carry our label are removed, unless they come by a label selector.
        type: list
        elements: str
      user_data:
        description:
          - Data for cloud-init. Changed data are a C(replace), because they act at the first boot only.
          - Every process of the server can read them, so they must hold no secret.
          - Compared by a hash in the label C(frontdesk.platform/user-data), because the API does not tell them.
        type: str
      labels:
        description:
          - Labels. Others that the server has stay, except those of groups (C(group.frontdesk.platform/)).
        type: dict
      public_ipv4:
        description: Whether it has a public IPv4 address. Chosen at creation, any change is a C(replace).
        type: bool
      public_ipv6:
        description: Whether it has a public IPv6 network. Chosen at creation, any change is a C(replace).
        type: bool
      backups:
        description:
          - Whether Hetzner makes daily backups, for a fifth of the server's price.
          - Switching them off deletes them, so O(replace) must name the server.
        type: bool
      delete_protection:
        description: Whether the API refuses to delete it. The API sets both protections together.
        type: bool
      rebuild_protection:
        description: Whether the API refuses to rebuild it. The API sets both protections together.
        type: bool
      running:
        description: Whether it is powered on.
        type: bool
        default: true
  volumes:
    description:
      - Volumes, block storage that outlives servers. Not looked at unless set.
      - Nothing is formatted or mounted on a server, except that O(volumes[].format) makes a file system in a new volume.
        RV(resources) has each volume's C(id) and C(linux_device), by which a server mounts it.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name, unique in the project.
        type: str
        required: true
      size:
        description:
          - Size in GB, 10 to 10240. Grows in place, the file system in it does not. A smaller one is refused.
          - Needed to create a volume.
        type: int
      location:
        description:
          - Location. A volume cannot move, so another one is refused.
          - Needed to create a volume, unless O(volumes[].server) says where it is to be.
        type: str
      server:
        description:
          - Name of the server that it is attached to; an empty string detaches it.
          - A new volume is made where the server is. A new server is made where its volumes are.
          - Taking a volume from a running server loses what is not written yet, so O(replace) must name it then, as in
            V(volume/data).
        type: str
      format:
        description:
          - File system that Hetzner makes in a new volume. Another one is refused later.
        type: str
        choices: [ext4, xfs]
      labels:
        description: Labels. Others that the object has stay.
        type: dict
      delete_protection:
        description: Whether the API refuses to delete it.
        type: bool
  load_balancers:
    description: Load balancers. Not looked at unless set.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name, unique in the project.
        type: str
        required: true
      type:
        description:
          - Type, such as V(lb11), which says how many services, targets and connections it takes. Changed in place.
          - Needed to create a load balancer.
        type: str
      location:
        description:
          - Location. Another one is a C(replace), and the new load balancer has other addresses.
          - This or O(load_balancers[].network_zone) is needed to create a load balancer.
        type: str
      network_zone:
        description: Zone in which the API chooses a location. Another one is a C(replace).
        type: str
      algorithm:
        description: Which target gets the next visitor. The API begins with V(round_robin).
        type: str
        choices: [round_robin, least_connections]
      labels:
        description: Labels. Others that the object has stay.
        type: dict
      delete_protection:
        description: Whether the API refuses to delete it.
        type: bool
      public_interface:
        description: Whether it can be reached by its public addresses. The API begins with V(true).
        type: bool
      networks:
        description:
          - The private network that it is in, one at most. It leaves another one, if set.
          - Its private targets are taken out for a change of network or address and put back, so O(replace) must name it
            then, as in V(load_balancer/edge).
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the network.
            type: str
            required: true
          ip:
            description: Private address. The API chooses one unless set.
            type: str
      targets:
        description: All targets. Others are removed, after new ones were added.
        type: list
        elements: dict
        suboptions:
          server:
            description: Name of a server.
            type: str
          label_selector:
            description: Servers whose labels match, at any time.
            type: str
          ip:
            description: Address of a dedicated server of the same account.
            type: str
          use_private_ip:
            description:
              - Whether it is reached by its address in the load balancer's network. The API begins with V(false).
              - The API cannot change it, so the target is removed and added again at once.
            type: bool
      services:
        description:
          - All services. Others are removed.
          - What is not set of a service that exists stays as it is.
        type: list
        elements: dict
        suboptions:
          listen_port:
            description: Port that visitors come to. Tells services apart.
            type: int
            required: true
          protocol:
            description: What it passes on. V(https) decrypts with O(load_balancers[].services[].http.certificates). V(tcp) unless set.
            type: str
            choices: [tcp, http, https]
          destination_port:
            description: Port of the targets. The same as O(load_balancers[].services[].listen_port) unless set.
            type: int
          proxyprotocol:
            description:
              - Whether to tell the targets the visitor's address by the PROXY protocol, which they must expect then.
                V(false) unless set.
            type: bool
          health_check:
            description: How to find out which targets get visitors.
            type: dict
            suboptions:
              protocol:
                description: V(tcp) connects, V(http) asks. V(http) when O(load_balancers[].services[].health_check.http) is set, else V(tcp).
                type: str
                choices: [tcp, http]
              port:
                description: Port of the targets. The same as O(load_balancers[].services[].destination_port) unless set.
                type: int
              interval:
                description: Seconds between two checks, 3 to 60. 15 unless set.
                type: int
              timeout:
                description: Seconds that a check may take, 1 to 60. 10 unless set.
                type: int
              retries:
                description: How many checks in a row make a target unhealthy, or healthy again, 1 to 5. 3 unless set.
                type: int
              http:
                description: What to ask and to expect.
                type: dict
                suboptions:
                  domain:
                    description: Host header; none when it is empty.
                    type: str
                  path:
                    description: Path. V(/) unless set.
                    type: str
                  response:
                    description: Text that the answer must contain.
                    type: str
                  status_codes:
                    description: Codes of a good answer, with V(?) for any digit and V(*) for any digits. V(2??) and V(3??) unless set.
                    type: list
                    elements: str
                  tls:
                    description: Whether to ask by HTTPS.
                    type: bool
          http:
            description: For the protocols V(http) and V(https).
            type: dict
            suboptions:
              sticky_sessions:
                description: Whether a cookie leads a visitor to the same target again.
                type: bool
              cookie_name:
                description: Name of that cookie.
                type: str
              cookie_lifetime:
                description: Seconds that the cookie lives, 30 to 86400.
                type: int
              timeout_idle:
                description: Seconds after which a silent connection is closed, 30 to 300. 50 unless set.
                type: int
              certificates:
                description: Names or numbers of certificates that exist, for V(https).
                type: list
                elements: str
              redirect_http:
                description: Whether to lead visitors of port 80 to V(https).
                type: bool
  prune:
    description:
      - Whether to delete what carries the owner's label and is not listed.
      - Considers only the kinds whose list is set; at least one has to be.
      - Keeps what is protected, what a server or load balancer that stays uses, and all volumes that
        O(delete_protected) does not name; they are returned in RV(kept).
    type: bool
    default: false
  replace:
    description:
      - Names of servers that may be created again (with the loss of their disk), powered off and on, or lose their backups.
      - Other kinds are named with their kind, as in V(ssh_key/operator), V(load_balancer/edge) or V(volume/data).
    type: list
    elements: str
    default: []
  adopt:
    description: Names of existing objects without the owner's label that are taken over.
    type: list
    elements: str
    default: []
  delete_protected:
    description:
      - Names of objects that O(prune) and O(replace) may delete although they are protected against deletion.
      - Volumes are deleted only when they are named here with their kind, as in V(volume/data), protected or not.
    type: list
    elements: str
    default: []
  cost_confirmed:
    description:
      - Whether to create the first servers, load balancers or volumes of this owner. Without it nothing is written, and RV(confirmation_needed) and
        RV(cost) say what would be.
    type: bool
    default: false
  wait_timeout:
    description: Seconds that a single action of the API may take, such as the creation of a server.
    type: int
    default: 900
seealso:
  - module: frontdesk.platform.hetzner_info
  - module: frontdesk.platform.hetzner_known_hosts
  - plugin: frontdesk.platform.hetzner
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Create a network, a firewall and two servers
  frontdesk.platform.hetzner_infrastructure:
    owner: production
    cost_confirmed: true
    networks:
      - name: internal
        ip_range: 10.0.0.0/16
        subnets:
          - ip_range: 10.0.1.0/24
            network_zone: eu-central
    firewalls:
      - name: web
        rules:
          - direction: in
            protocol: tcp
            port: "443"
            source_ips: [0.0.0.0/0, "::/0"]
    ssh_keys:
      - name: operator
        public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
    placement_groups:
      - name: web
    servers:
      - name: web-1
        server_types: [cx23, cpx22]
        locations: [fsn1, nbg1]
        image: debian-13
        ssh_keys: [operator]
        placement_group: web
        firewalls: [web]
        networks:
          - name: internal
            ip: 10.0.1.11
      - name: web-2
        server_types: [cx23, cpx22]
        locations: [fsn1, nbg1]
        image: debian-13
        ssh_keys: [operator]
        placement_group: web
        firewalls: [web]
        networks:
          - name: internal
            ip: 10.0.1.12

- name: Store data on a volume, and lead visitors to all servers of a group over the private network
  frontdesk.platform.hetzner_infrastructure:
    owner: production
    volumes:
      - name: data
        size: 50
        server: web-1
        delete_protection: true
    load_balancers:
      - name: edge
        type: lb11
        location: fsn1
        networks:
          - name: internal
        targets:
          - label_selector: group.frontdesk.platform/edge=true
            use_private_ip: true
        services:
          - listen_port: 443
            proxyprotocol: true
            health_check:
              port: 80
              http:
                path: /ping
                status_codes: ["200"]
  register: made

- name: Show by which path the server mounts the volume
  ansible.builtin.debug:
    msg: "{{ made.resources.volume.data.linux_device }}"

- name: Delete everything of one owner, except volumes and what is protected
  frontdesk.platform.hetzner_infrastructure:
    owner: staging
    networks: []
    firewalls: []
    ssh_keys: []
    placement_groups: []
    servers: []
    volumes: []
    load_balancers: []
    prune: true

- name: Give a server another image, with the loss of its disk
  frontdesk.platform.hetzner_infrastructure:
    owner: production
    servers:
      - name: web-2
        server_types: [cx23]
        locations: [fsn1]
        image: debian-14
    replace: [web-2]
"""

RETURN = r"""
changes:
  description:
    - The writes, in their order; in check mode those that would be made; with RV(confirmation_needed) those that wait for it.
    - After a failure those that were made at least in part.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: What is done.
      type: str
      sample: create
    kind:
      description: V(network), V(firewall), V(ssh_key), V(placement_group), V(server), V(volume) or V(load_balancer).
      type: str
      sample: server
    name:
      description: Name of the object.
      type: str
      sample: web-1
    before:
      description: The fields that differ, as they were; null for a creation.
      type: dict
      sample: {"labels": {"frontdesk.platform/owner": "production"}}
    after:
      description: The fields that differ, as they are to be; null for a deletion.
      type: dict
      sample: {"labels": {"frontdesk.platform/owner": "production", "tier": "web"}}
kept:
  description: What O(prune) left, with the reason.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "server", "name": "db-1", "reason": "it is protected against deletion"}]
confirmation_needed:
  description: Whether nothing was written because the cost is not confirmed.
  returned: success
  type: bool
cost:
  description:
    - Net price a month of the owner's servers with their public IPv4 addresses and backups, load balancers and volumes,
      before and after the changes. Of the kinds that are listed.
  returned: when a kind that costs money is listed
  type: dict
  sample: {"monthly_before": 0.0, "monthly_after": 11.97, "monthly_delta": 11.97, "currency": "EUR"}
resources:
  description:
    - The objects of the listed kinds by kind and name, as they are now, in the form that
      M(frontdesk.platform.hetzner_info) returns.
  returned: success
  type: dict
  sample: {"network": {"internal": {"id": 4711, "ip_range": "10.0.0.0/16"}}}
errors:
  description: All failures, one sentence each.
  returned: failure
  type: list
  elements: str
api_calls:
  description: Number of requests sent.
  returned: always
  type: int
  sample: 7
"""

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerError
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import PlanError
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_module import connect, connection_arguments
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_run import RunError, converge
from ansible_collections.frontdesk.platform.plugins.module_utils.quiet_module import AnsibleModule

STRINGS = {"type": "list", "elements": "str"}
NAME = {"type": "str", "required": True}
LABELS = {"type": "dict"}
SWITCH = {"type": "bool"}


def objects(**options):
    """A list of objects with a name, labels and these options."""
    return {"type": "list", "elements": "dict", "options": {"name": NAME, "labels": LABELS, **options}}


def parts(**options):
    """A list of things without a name."""
    return {"type": "list", "elements": "dict", "options": options}


NETWORKS = objects(
    ip_range={"type": "str", "required": True},
    delete_protection=SWITCH,
    subnets={
        **parts(
            ip_range={"type": "str", "required": True},
            network_zone={"type": "str", "required": True},
            type={"type": "str", "choices": ["cloud", "vswitch"], "default": "cloud"},
            vswitch_id={"type": "int"},
        ),
        "required_if": [("type", "vswitch", ["vswitch_id"])],
    },
    routes=parts(destination={"type": "str", "required": True}, gateway={"type": "str", "required": True}),
)
FIREWALLS = objects(
    rules=parts(
        direction={"type": "str", "choices": ["in", "out"], "required": True},
        protocol={"type": "str", "choices": ["tcp", "udp", "icmp", "esp", "gre"], "required": True},
        port={"type": "str"},
        source_ips=STRINGS,
        destination_ips=STRINGS,
        description={"type": "str"},
    ),
    apply_to={
        **parts(label_selector={"type": "str"}, server={"type": "str"}),
        "mutually_exclusive": [("label_selector", "server")],
        "required_one_of": [("label_selector", "server")],
    },
)
SSH_KEYS = objects(public_key={"type": "str", "required": True})
PLACEMENT_GROUPS = objects(type={"type": "str", "choices": ["spread"], "default": "spread"})
SERVERS = objects(
    server_types=STRINGS,
    locations=STRINGS,
    image={"type": "str"},
    ssh_keys={**STRINGS, "no_log": False},
    placement_group={"type": "str"},
    networks=parts(name=NAME, ip={"type": "str"}, alias_ips=STRINGS),
    firewalls=STRINGS,
    # No secret, but what somebody put in by mistake shall not be shown.
    user_data={"type": "str", "no_log": True},
    public_ipv4=SWITCH,
    public_ipv6=SWITCH,
    backups=SWITCH,
    delete_protection=SWITCH,
    rebuild_protection=SWITCH,
    running={"type": "bool", "default": True},
)
VOLUMES = objects(
    size={"type": "int"},
    location={"type": "str"},
    server={"type": "str"},
    format={"type": "str", "choices": ["ext4", "xfs"]},
    delete_protection=SWITCH,
)
HEALTH_CHECK = {
    "type": "dict",
    "options": {
        "protocol": {"type": "str", "choices": ["tcp", "http"]},
        "port": {"type": "int"},
        "interval": {"type": "int"},
        "timeout": {"type": "int"},
        "retries": {"type": "int"},
        "http": {
            "type": "dict",
            "options": {
                "domain": {"type": "str"},
                "path": {"type": "str"},
                "response": {"type": "str"},
                "status_codes": STRINGS,
                "tls": SWITCH,
            },
        },
    },
}
SERVICES = parts(
    listen_port={"type": "int", "required": True},
    protocol={"type": "str", "choices": ["tcp", "http", "https"]},
    destination_port={"type": "int"},
    proxyprotocol=SWITCH,
    health_check=HEALTH_CHECK,
    http={
        "type": "dict",
        "options": {
            "sticky_sessions": SWITCH,
            "cookie_name": {"type": "str"},
            "cookie_lifetime": {"type": "int"},
            "timeout_idle": {"type": "int"},
            "certificates": STRINGS,
            "redirect_http": SWITCH,
        },
    },
)
LOAD_BALANCERS = {
    **objects(
        type={"type": "str"},
        location={"type": "str"},
        network_zone={"type": "str"},
        algorithm={"type": "str", "choices": ["round_robin", "least_connections"]},
        delete_protection=SWITCH,
        public_interface=SWITCH,
        networks=parts(name=NAME, ip={"type": "str"}),
        targets={
            **parts(server={"type": "str"}, label_selector={"type": "str"}, ip={"type": "str"}, use_private_ip=SWITCH),
            "mutually_exclusive": [("server", "label_selector", "ip")],
            "required_one_of": [("server", "label_selector", "ip")],
        },
        services=SERVICES,
    ),
    "mutually_exclusive": [("location", "network_zone")],
}


def argument_spec():
    """The options."""
    return {
        **connection_arguments(),
        "owner": {"type": "str", "required": True},
        "networks": NETWORKS,
        "firewalls": FIREWALLS,
        "ssh_keys": {**SSH_KEYS, "no_log": False},
        "placement_groups": PLACEMENT_GROUPS,
        "servers": SERVERS,
        "volumes": VOLUMES,
        "load_balancers": LOAD_BALANCERS,
        "prune": {"type": "bool", "default": False},
        "replace": {**STRINGS, "default": []},
        "adopt": {**STRINGS, "default": []},
        "delete_protected": {**STRINGS, "default": []},
        "cost_confirmed": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 900},
    }


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    client = connect(module)
    try:
        result = converge(client, module.params, module.check_mode)
    except PlanError as error:
        module.fail_json(msg=str(error), errors=error.problems, changes=[], api_calls=client.calls)
    except HetznerError as error:
        module.fail_json(msg=str(error), errors=[str(error)], changes=[], api_calls=client.calls)
    except RunError as error:
        module.fail_json(msg=str(error), errors=error.errors, **error.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
