# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin: the servers of one or more Hetzner Cloud projects."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hetzner
short_description: Servers of Hetzner Cloud projects as hosts
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Reads the servers of one or more Hetzner Cloud projects.
  - Uses a YAML configuration file whose name ends in C(hetzner.yml) or C(hetzner.yaml).
  - Reads the first page of servers, then all others at once, and one list of the networks when a server has a private
    network. Several projects are read at the same time.
  - The variables have the names that P(hetzner.hcloud.hcloud#inventory) gives them, and a few more.
requirements:
  - requests >= 2.25
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: Marks the file as a configuration of this plugin.
    type: str
    required: true
    choices: [frontdesk.platform.hetzner]
  api_token:
    description:
      - Token of the project. Reading permission is enough.
      - May be a template, also of extra variables.
      - Not used with O(projects).
    type: str
    env:
      - name: HCLOUD_TOKEN
  api_endpoint:
    description:
      - Address of the API. May be a template.
    type: str
    default: https://api.hetzner.cloud/v1
    env:
      - name: HCLOUD_ENDPOINT
  projects:
    description:
      - Several projects in one file, instead of O(api_token). All values may be templates.
      - In order of rank, see the notes on names.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the project, as you like it; the API has none. Found in the variable C(hcloud_project).
        type: str
        required: true
      api_token:
        description: Token of the project.
        type: str
        required: true
      api_endpoint:
        description: Address of the API, when it is not O(api_endpoint).
        type: str
  timeout:
    description: Seconds to wait for each answer of the API.
    type: int
    default: 30
  on_unreachable:
    description:
      - What to do when the API cannot be reached, answers with a server error or refuses for too many requests, and
        nothing is cached either.
      - V(error) makes the source fail. V(warn) gives a warning and no servers, for an inventory that is also used
        before its API is there.
      - A wrong token or a wrong filter is always an error.
    type: str
    choices: [error, warn]
    default: error
  label_selector:
    description:
      - Only servers that this label selector matches, in the form of the Hetzner API. The API applies it.
      - May be a template.
    type: str
    default: ""
  status:
    description:
      - Only servers with one of these states. The API applies it.
      - Without it, all servers but those that are being deleted.
    type: list
    elements: str
    default: []
    choices: [running, initializing, starting, stopping, 'off', deleting, migrating, rebuilding, unknown]
  locations:
    description: Only servers in one of these locations.
    type: list
    elements: str
    default: []
  types:
    description: Only servers of one of these types.
    type: list
    elements: str
    default: []
  images:
    description: Only servers made from an image with one of these names; for a snapshot, its description.
    type: list
    elements: str
    default: []
  os_flavors:
    description: Only servers made from an image of one of these operating systems, for example V(debian).
    type: list
    elements: str
    default: []
  network:
    description:
      - Only servers attached to the network with this name or id. May be a template.
      - The variable C(hcloud_private_ipv4) then holds the address in it; without this option, the address in the
        oldest network that the server is attached to.
    type: str
    default: ""
  connect_with:
    description:
      - Where the variable C(ansible_host) comes from, in order of preference. A server takes the first that it has.
      - A warning names the servers that have none.
    type: list
    elements: str
    choices: [public_ipv4, public_ipv6, private_ipv4, ipv4_dns_ptr, hostname]
    default: [public_ipv4, public_ipv6, private_ipv4]
  volumes:
    description:
      - Whether every host has the variable C(hcloud_volumes) with the volumes that are attached to it, each with the path by
        which the server mounts it.
      - Reads one more list when a server has a volume.
    type: bool
    default: false
  group:
    description: Group of all servers found.
    type: str
    default: hcloud
  label_group_prefix:
    description:
      - A label whose key starts with this prefix puts the server into the group that the rest of the key names, unless
        the value is V(false). Characters that a group name must not have become underscores.
      - Set it to an empty string to have no groups from labels.
    type: str
    default: group.frontdesk.platform/
  hostname:
    description:
      - Template of the host's name. The variables of the host are available.
      - By default the name of the server.
    type: str
  hostvars_prefix:
    description: Prefix of the variables that come from the cloud.
    type: str
    default: hcloud_
  hostvars_suffix:
    description: Suffix of the variables that come from the cloud.
    type: str
    default: ""
notes:
  - Names are never merged silently. When a name is taken by a server of an earlier project, by a group or by the
    controller (C(localhost)), the server is called C(NAME-PROJECT), or C(NAME-ID) when there is only one project, and a
    warning says so. A host of the same name that another source defines is the same host, as usual in Ansible.
  - The cache holds one entry per project, endpoint, O(label_selector), O(status) and O(volumes); all other options act
    after the cache. With a fresh entry no call is made at all. The entry outlives O(cache_timeout). When the API is down,
    answers with a server error or refuses for too many requests, the entry is used however old it is, with a warning
    that names its age and the cause. C(--flush-cache) and C(meta=refresh_inventory) ask the API first, too.
  - Such an entry needs a cache plugin that persists, such as P(ansible.builtin.jsonfile#cache). The default of Ansible,
    P(ansible.builtin.memory#cache), keeps nothing from one run to the next. No token is ever cached.
  - What comes from the API is data. It is never evaluated as a template.
seealso:
  - module: frontdesk.platform.hetzner_infrastructure
  - module: frontdesk.platform.hetzner_info
  - name: Label selectors
    description: How to write a selector.
    link: https://docs.hetzner.cloud/reference/cloud#description/label-selector
"""

EXAMPLES = r"""
# Smallest form. The token is in the environment variable HCLOUD_TOKEN.
plugin: frontdesk.platform.hetzner

---
# Servers of one owner, grouped by their labels, with a cache.
plugin: frontdesk.platform.hetzner
api_token: "{{ lookup('ansible.builtin.env', 'MY_TOKEN') }}"
group: frontdesk
label_selector: frontdesk.platform/owner=production
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/ansible/inventory
cache_timeout: 300

---
# Several projects; servers without a public address are reached over the private network.
plugin: frontdesk.platform.hetzner
projects:
  - name: shop
    api_token: "{{ shop_token }}"  # ansible-inventory -e @tokens.yml
  - name: staging
    api_token: "{{ staging_token }}"
network: internal
connect_with: [private_ipv4, public_ipv4]
keyed_groups:
  - key: hcloud_location
    prefix: location
  - key: hcloud_project
    prefix: project

---
# Every variable that a server can have. Those marked * are missing where the server has no such thing.
plugin: frontdesk.platform.hetzner
hostname: "{{ hcloud_name }}.{{ hcloud_location }}.example.com"
# hcloud_id: 42984895
# hcloud_name: my-server
# hcloud_status: running
# hcloud_created: "2026-01-30T23:55:00+00:00"
# hcloud_project: default              # the name in `projects`
# hcloud_labels: {foo: bar}
# hcloud_type: cx23
# hcloud_server_type: cx23
# hcloud_architecture: x86
# hcloud_location: hel1
# hcloud_image_id: 114690387           # *
# hcloud_image_name: debian-13         # *
# hcloud_image_os_flavor: debian       # *
# hcloud_ipv4: 203.0.113.5             # *
# hcloud_ipv6: 2001:db8:12::1          # *
# hcloud_ipv6_network: "2001:db8:12::" # *
# hcloud_ipv6_network_mask: "64"       # *
# hcloud_private_ipv4: 10.0.0.3        # *
# hcloud_private_networks:
#   - {id: 4711, name: internal, ip: 10.0.0.3, alias_ips: [10.0.0.4]}
# hcloud_alias_ips: [10.0.0.4]
# hcloud_volumes:                      # with `volumes: true`
#   - {id: 4711, name: data, size: 50, linux_device: /dev/disk/by-id/scsi-0HC_Volume_4711, format: ext4, labels: {}}
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ansible.constants import LOCALHOST
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.vars import combine_vars

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerClient, HetznerError
from ansible_collections.frontdesk.platform.plugins.module_utils.http_client import REQUESTS_IMPORT_ERROR
from ansible_collections.frontdesk.platform.plugins.plugin_utils.hetzner_inventory import (
    DELETING,
    ONLY_PROJECT,
    Project,
    Record,
    Selection,
    ansible_host,
    attached_volumes,
    cache_key,
    free_name,
    has_private_network,
    has_volume,
    host_variables,
    label_groups,
    make_project,
    make_projects,
    private_address,
    server_record,
    some_names,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.inventory_cache import (
    CachedAnswer,
    CachedSource,
    age_in_words,
    open_store,
)

PROJECTS_AT_ONCE = 8
"""Each of them reads four pages at once."""


@dataclass(frozen=True)
class Patience:
    """Seconds for which a request is repeated while the API is down, or busy (too many requests)."""

    down: float
    busy: float


PATIENT = Patience(down=10.0, busy=60.0)
WITH_OLDER_ANSWER = Patience(down=3.0, busy=3.0)
"""Whoever has something to go on with need not wait out an outage."""
NOT_YET_THERE = Patience(down=0.0, busy=60.0)


@dataclass(frozen=True)
class Reading:
    """The outcome of asking the API: records, or the error that took their place."""

    records: Sequence[Record] = ()
    error: HetznerError | None = None


def is_outage(error: HetznerError) -> bool:
    """Whether the service is to blame rather than the request, so that an older answer is better than none."""
    status = error.status
    return (
        status is None  # no answer
        or status == HTTPStatus.TOO_MANY_REQUESTS
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or error.code == "maintenance"  # HTTP 403
    )


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Turns servers into hosts. See DOCUMENTATION."""

    NAME = "frontdesk.platform.hetzner"

    # Nothing that the API says may be evaluated: hosts get their variables as plain, untrusted strings.
    trusted_by_default = False

    def verify_file(self, path: str) -> bool:
        """Whether the file is meant for this plugin."""
        return bool(super().verify_file(path)) and path.endswith(("hetzner.yml", "hetzner.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory. Raises AnsibleParserError with one sentence when that is not possible."""
        super().parse(inventory, loader, path, cache)
        if REQUESTS_IMPORT_ERROR:
            raise AnsibleParserError(missing_required_lib("requests"))
        self._read_options(path)
        self.templar.available_variables = self._vars
        projects = self._projects(path)
        records = self._records(projects, cache)
        self._populate(projects, records)

    def update_cache_if_changed(self) -> None:
        """Nothing: an answer is written to the cache as soon as it has come."""

    # --- options

    def _read_options(self, path: str) -> None:
        """Read the file, after a look for what Ansible would pass over, or report together with the token."""
        config = self.loader.load_from_file(path, cache="none", trusted_as_template=True)
        if not isinstance(config, Mapping) or config.get("plugin") != self.NAME:
            raise AnsibleParserError(f"{path} is not for this plugin: it needs the line 'plugin: {self.NAME}'.")
        if isinstance(config.get("api_token"), (Mapping, list)):
            raise AnsibleParserError(f"{path}: api_token must be a string.")
        if not isinstance(config.get("projects") or [], list):
            raise AnsibleParserError(f"{path}: projects must be a list of dictionaries.")
        unknown = sorted(str(option) for option in set(config) - set(self.option_definitions))
        if unknown:
            raise AnsibleParserError(f"{path} has unknown options: {', '.join(unknown)}.")
        self.set_options(direct=config, var_options=self._vars)

    def _templated(self, option: str) -> Any:
        return self._resolved(self.get_option(option), option)

    def _resolved(self, value: Any, what: str) -> Any:
        try:
            return self.templar.template(value)
        except AnsibleError as error:
            # Without the cause: Ansible would show the lines around the place, and a token may be on one of them.
            raise AnsibleParserError(f"{what} cannot be resolved: {error}") from None

    def _projects(self, path: str) -> list[Project]:
        endpoint = self._templated("api_endpoint")
        entries = self.get_option("projects")
        try:
            if not entries:
                token = self._templated("api_token")
                if not token:
                    raise AnsibleParserError(
                        f"No API token for {path}: set the environment variable HCLOUD_TOKEN, or api_token or projects "
                        "in the file."
                    )
                return [make_project(ONLY_PROJECT, token, endpoint)]
            if self.get_option_and_origin("api_token")[1] == "Direct":
                raise AnsibleParserError(f"{path} has both api_token and projects: move the token to a project.")
            return make_projects([self._resolved(entry, "projects") for entry in entries], endpoint)
        except (TypeError, ValueError) as error:
            raise AnsibleParserError(f"{path}: {error}") from error

    # --- reading

    def _records(self, projects: Sequence[Project], use_cache: bool) -> dict[str, Sequence[Record]]:
        """Records by project, from the cache where they are fresh there, else from the API."""
        label_selector = str(self._templated("label_selector") or "")
        status = list(self.get_option("status"))
        sources = self._cached_sources(projects, label_selector, status)
        cached = {name: source.read() for name, source in sources.items()}
        wanted = [project for project in projects if not (use_cache and _is_fresh(cached.get(project.name)))]
        readings = self._ask(wanted, {name for name, answer in cached.items() if answer}, label_selector, status)

        found: dict[str, Sequence[Record]] = {}
        failures: list[str] = []
        for project in projects:
            answer = cached.get(project.name)
            reading = readings.get(project.name)
            where = f"Project {project.name}: " if len(projects) > 1 else ""
            if reading is None and answer is not None:
                found[project.name] = answer.value
            elif reading is None or reading.error is None:
                found[project.name] = reading.records if reading else ()
                if project.name in sources:
                    sources[project.name].write(list(found[project.name]))
            elif is_outage(reading.error) and answer is not None:
                found[project.name] = answer.value
                self.display.warning(
                    f"{where}{reading.error} The inventory shows the servers as they were "
                    f"{age_in_words(answer.age)} ago."
                )
            elif is_outage(reading.error) and self.get_option("on_unreachable") == "warn":
                found[project.name] = ()
                self.display.warning(f"{where}{reading.error} The inventory goes on without its servers.")
            else:
                failures.append(f"{where}{reading.error}")
        if failures:
            raise AnsibleParserError(" ".join(failures))
        return found

    def _cached_sources(
        self, projects: Sequence[Project], label_selector: str, status: Sequence[str]
    ) -> dict[str, CachedSource]:
        if not self.get_option("cache"):
            return {}
        return {
            project.name: CachedSource(
                open_store(
                    self.get_option("cache_plugin"),
                    self.get_option("cache_connection"),
                    self.get_option("cache_prefix"),
                ),
                cache_key(
                    self.NAME, project.endpoint, project.token, label_selector, status, self.get_option("volumes")
                ),
                self.get_option("cache_timeout"),
            )
            for project in projects
        }

    def _ask(
        self, projects: Sequence[Project], cached: Collection[str], label_selector: str, status: Sequence[str]
    ) -> dict[str, Reading]:
        """Ask the API for all these projects at the same time. ``cached`` names those with an older answer."""
        if not projects:
            return {}
        # In order of their ids new servers come last, so no page shifts while somebody creates servers.
        params: dict[str, Any] = {"sort": "id:asc"}
        if label_selector:
            params["label_selector"] = label_selector
        if status:
            params["status"] = list(status)
        timeout = float(self.get_option("timeout"))
        volumes = self.get_option("volumes")
        without = NOT_YET_THERE if self.get_option("on_unreachable") == "warn" else PATIENT

        def read(project: Project) -> Reading:
            patience = WITH_OLDER_ANSWER if project.name in cached else without
            return read_project(project, params, timeout, patience, volumes=volumes)

        with ThreadPoolExecutor(max_workers=min(len(projects), PROJECTS_AT_ONCE)) as pool:
            return {project.name: reading for project, reading in zip(projects, pool.map(read, projects))}

    # --- filling

    def _populate(self, projects: Sequence[Project], found: Mapping[str, Sequence[Record]]) -> None:
        network = str(self._templated("network") or "")
        selection = Selection(
            locations=self.get_option("locations"),
            types=self.get_option("types"),
            images=self.get_option("images"),
            os_flavors=self.get_option("os_flavors"),
            network=network,
            deleting=DELETING in self.get_option("status"),
        )
        everything = [(project.name, record) for project in projects for record in found[project.name]]
        wanted = [(project, record) for project, record in everything if selection.admits(record)]
        if network and everything and not any(private_address(record, network) for _project, record in everything):
            self.display.warning(f"No server is attached to a network with the name or id {network}.")

        top_group = self.inventory.add_group(self.get_option("group"))
        groups = self._label_groups(wanted)
        names = self._host_names(wanted, network, several=len(projects) > 1)
        unreachable = []
        for (project, record), hostname in zip(wanted, names):
            self.inventory.add_host(hostname, group=top_group)
            for group in label_groups(record["labels"], self.get_option("label_group_prefix")):
                self.inventory.add_child(groups[group], hostname)
            address = ansible_host(record, self.get_option("connect_with"), network)
            variables = self._variables(project, record, network)
            if address:
                variables["ansible_host"] = address
            else:
                unreachable.append(hostname)
            # Not inventory.set_variable: it walks through every value to tag it, a fifth of the time with 1,500 servers.
            # Strings without a tag are what is wanted here, Ansible does not evaluate them.
            host = self.inventory.get_host(hostname)
            for name, value in variables.items():
                host.set_variable(name, value)
            self._construct(host)
        if unreachable:
            self.display.warning(
                f"No ansible_host, because they have none of {', '.join(self.get_option('connect_with'))}: "
                f"{some_names(unreachable)}."
            )

    def _variables(self, project: str, record: Record, network: str) -> Record:
        return host_variables(
            record, project, network, self.get_option("hostvars_prefix") or "", self.get_option("hostvars_suffix") or ""
        )

    def _label_groups(self, wanted: Sequence[Any]) -> dict[str, str]:
        """Make the groups that labels ask for. Returns the name in Ansible of each name in a label."""
        prefix = self.get_option("label_group_prefix")
        asked = {group for _project, record in wanted for group in label_groups(record["labels"], prefix)}
        return {group: self.inventory.add_group(self._sanitize_group_name(group)) for group in sorted(asked)}

    def _host_names(self, wanted: Sequence[Any], network: str, several: bool) -> list[str]:
        """One name for each server, all different."""
        # Ansible would take a host with a group's name for the group, and one called localhost for the controller.
        reserved = set(LOCALHOST) | set(self.inventory.groups)
        reserved.update(self._sanitize_group_name(group) for group in self.get_option("groups") or ())
        template = self.get_option("hostname")
        id_variable = f"{self.get_option('hostvars_prefix') or ''}id{self.get_option('hostvars_suffix') or ''}"
        names: list[str] = []
        used = set()
        for project, record in wanted:

            def taken(name: str, record: Record = record) -> bool:
                if name in used or name in reserved:
                    return True
                # Another file of this plugin may have found another server with this name.
                host = self.inventory.hosts.get(name)
                return host is not None and host.vars.get(id_variable, record["id"]) != record["id"]

            asked = record["name"]
            if template:
                asked = self._templated_name(template, self._variables(project, record, network), asked)
            name = free_name(asked, record, project if several else None, taken)
            if name != asked:
                whose = f"server {record['id']} of project {project}" if several else f"server {record['id']}"
                self.display.warning(f"The host name {asked} is taken, so {whose} is called {name}.")
            used.add(name)
            names.append(name)
        return names

    def _templated_name(self, template: str, variables: Record, server: str) -> str:
        self.templar.available_variables = combine_vars(variables, self._vars)
        name = self._resolved(template, f"hostname of server {server}")
        if not isinstance(name, str) or not name:
            raise AnsibleParserError(f"The template in hostname gives no name for server {server}.")
        return name

    def _construct(self, host: Any) -> None:
        """Apply the user's expressions. Each step sees what the steps before it have set."""
        strict = self.get_option("strict")
        if self.get_option("compose"):
            self._set_composite_vars(self.get_option("compose"), host.get_vars(), host.name, strict=strict)
        if self.get_option("groups"):
            self._add_host_to_composed_groups(self.get_option("groups"), {}, host.name, strict=strict)
        if self.get_option("keyed_groups"):
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), {}, host.name, strict=strict)


def _is_fresh(answer: CachedAnswer | None) -> bool:
    return answer is not None and answer.fresh


def read_project(
    project: Project, params: Mapping[str, Any], timeout: float, patience: Patience, *, volumes: bool = False
) -> Reading:
    """Read one project: its servers, and if a server has them its networks' names and, where wanted, its volumes."""
    client = HetznerClient(project.token, project.endpoint, timeout)
    client.outage_patience = patience.down
    client.busy_patience = patience.busy
    try:
        servers = client.list("/servers", "servers", params)
        networks = client.list("/networks", "networks") if has_private_network(servers) else []
        disks = client.list("/volumes", "volumes") if volumes and has_volume(servers) else []
    except HetznerError as error:
        return Reading(error=error)
    names = {network["id"]: network["name"] for network in networks}
    records = [server_record(server, names) for server in sorted(servers, key=lambda server: server["id"])]
    if volumes:
        attached = attached_volumes(disks)
        records = [{**record, "volumes": attached.get(record["id"], [])} for record in records]
    return Reading(records)
