# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin hetzner: what hosts, groups and variables come from what the API says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.frontdesk.platform.plugins.inventory.hetzner import InventoryModule

TOKEN = {"api_token": "token"}


def variables(found: Any, name: str) -> dict[str, Any]:
    """A host's variables without those that Ansible adds."""
    return {key: value for key, value in found.hosts[name].vars.items() if not key.startswith("inventory_")}


def groups(found: Any) -> dict[str, list[str]]:
    """Hosts by group, without Ansible's own two groups."""
    return {
        name: [host.name for host in group.get_hosts()]
        for name, group in found.groups.items()
        if name not in ("all", "ungrouped")
    }


PLAIN = {
    "ansible_host": "203.0.113.5",
    "hcloud_id": 42,
    "hcloud_name": "web-1",
    "hcloud_status": "running",
    "hcloud_created": "2026-01-30T23:55:00Z",
    "hcloud_project": "default",
    "hcloud_type": "cx23",
    "hcloud_server_type": "cx23",
    "hcloud_architecture": "x86",
    "hcloud_location": "fsn1",
    "hcloud_ipv4": "203.0.113.5",
    "hcloud_ipv6": "2001:db8:12::1",
    "hcloud_ipv6_network": "2001:db8:12::",
    "hcloud_ipv6_network_mask": "64",
    "hcloud_private_ipv4": "10.0.0.3",
    "hcloud_private_networks": [
        {"id": 4711, "name": "internal", "ip": "10.0.0.3", "alias_ips": ["10.0.0.4", "10.0.0.5"]},
        {"id": 4712, "name": "backup", "ip": "10.1.0.3", "alias_ips": []},
    ],
    "hcloud_alias_ips": ["10.0.0.4", "10.0.0.5"],
    "hcloud_image_id": 114690387,
    "hcloud_image_name": "debian-13",
    "hcloud_image_os_flavor": "debian",
    "hcloud_labels": {
        "frontdesk.platform/owner": "production",
        "group.frontdesk.platform/swarm_managers": "true",
        "group.frontdesk.platform/edge": "",
        "group.frontdesk.platform/postgres": "false",
        "env": "prod",
    },
}

PRIVATE_ONLY = {
    "ansible_host": "10.0.0.9",
    "hcloud_id": 43,
    "hcloud_name": "db-1",
    "hcloud_status": "running",
    "hcloud_created": "2026-01-30T23:56:00Z",
    "hcloud_project": "default",
    "hcloud_type": "cax11",
    "hcloud_server_type": "cax11",
    "hcloud_architecture": "arm",
    "hcloud_location": "nbg1",
    "hcloud_private_ipv4": "10.0.0.9",
    "hcloud_private_networks": [{"id": 4711, "name": "internal", "ip": "10.0.0.9", "alias_ips": []}],
    "hcloud_alias_ips": [],
    "hcloud_image_id": 99,
    "hcloud_image_name": "golden {{ 7 * 7 }}",
    "hcloud_image_os_flavor": "ubuntu",
    "hcloud_labels": {},
}

IPV6_ONLY = {
    "ansible_host": "2001:db8:13::1",
    "hcloud_id": 44,
    "hcloud_name": "six-1",
    "hcloud_status": "off",
    "hcloud_created": "2026-01-30T23:57:00Z",
    "hcloud_project": "default",
    "hcloud_type": "cx23",
    "hcloud_server_type": "cx23",
    "hcloud_architecture": "x86",
    "hcloud_location": "hel1",
    "hcloud_ipv6": "2001:db8:13::1",
    "hcloud_ipv6_network": "2001:db8:13::",
    "hcloud_ipv6_network_mask": "64",
    "hcloud_private_networks": [],
    "hcloud_alias_ips": [],
    "hcloud_labels": {},
}

BEFORE_LOCATIONS = {
    "ansible_host": "203.0.113.6",
    "hcloud_id": 46,
    "hcloud_name": "old-1",
    "hcloud_status": "running",
    "hcloud_created": "2024-01-30T23:58:00Z",
    "hcloud_project": "default",
    "hcloud_type": "cx23",
    "hcloud_server_type": "cx23",
    "hcloud_architecture": "x86",
    "hcloud_location": "hel1",
    "hcloud_ipv4": "203.0.113.6",
    "hcloud_private_networks": [],
    "hcloud_alias_ips": [],
    "hcloud_labels": {},
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("plain", PLAIN),
        ("private_only", PRIVATE_ONLY),
        ("ipv6_only", IPV6_ONLY),
        ("before_locations", BEFORE_LOCATIONS),
    ],
)
def test_a_host_has_exactly_these_variables(cloud, inventory, warnings, recorded, kind, expected):
    cloud.servers["token"] = [recorded(kind)]
    found = inventory(a=TOKEN)
    assert list(found.hosts) == [expected["hcloud_name"]]
    assert variables(found, expected["hcloud_name"]) == expected
    assert warnings == []


def test_prefix_and_suffix_apply_to_the_clouds_variables_only(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded()]
    found = inventory(a={**TOKEN, "hostvars_prefix": "x_", "hostvars_suffix": "_y"})
    expected = {key.replace("hcloud_", "x_", 1) + "_y": value for key, value in PLAIN.items() if key != "ansible_host"}
    assert variables(found, "web-1") == {**expected, "ansible_host": "203.0.113.5"}


def test_what_the_api_says_is_never_a_template(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded("private_only")]
    found = inventory(a={**TOKEN, "compose": {"copied": "hcloud_image_name"}})
    host = variables(found, "db-1")
    templar = Templar(loader=DataLoader(), variables=host)
    assert templar.template(host["hcloud_image_name"]) == "golden {{ 7 * 7 }}"
    assert templar.template(host["copied"]) == "golden {{ 7 * 7 }}"


# --- requests


def test_networks_are_listed_only_for_private_networks(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=TOKEN)
    assert [path for _token, _endpoint, path, _params in cloud.asked] == ["/servers"]
    cloud.servers["token"].append(recorded())
    inventory(a=TOKEN)
    assert [path for _token, _endpoint, path, _params in cloud.asked[1:]] == ["/servers", "/networks"]


def test_volumes_are_listed_only_when_asked_for_and_attached(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded("ipv6_only")]
    found = inventory(a={**TOKEN, "volumes": True})
    assert [path for _token, _endpoint, path, _params in cloud.asked] == ["/servers"]
    assert [variables(found, name)["hcloud_volumes"] for name in found.hosts] == [[]]
    cloud.servers["token"] = [recorded("ipv6_only", volumes=[81])]
    cloud.asked.clear()
    inventory(a=TOKEN)
    inventory(a={**TOKEN, "volumes": True})
    assert [path for _token, _endpoint, path, _params in cloud.asked] == ["/servers", "/servers", "/volumes"]


def test_a_host_knows_its_volumes_and_how_to_mount_them(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded("plain", id=42, volumes=[81, 82]), recorded("ipv6_only", id=44)]
    found = inventory(a={**TOKEN, "volumes": True})
    with_two, without = (variables(found, name)["hcloud_volumes"] for name in found.hosts)
    assert without == []
    assert [volume["name"] for volume in with_two] == ["first", "second"]
    assert with_two[0] == {
        "id": 81,
        "name": "first",
        "size": 10,
        "linux_device": "/dev/disk/by-id/scsi-0HC_Volume_81",
        "format": "ext4",
        "labels": {"tier": "data"},
    }


def test_the_api_filters_by_label_and_status(cloud, inventory):
    inventory(a={**TOKEN, "label_selector": "env in (prod)", "status": ["running", "off"]})
    params = {"sort": "id:asc", "label_selector": "env in (prod)", "status": ["running", "off"]}
    assert cloud.asked == [("token", "https://api.hetzner.cloud/v1", "/servers", params)]


def test_an_empty_project_is_an_empty_inventory(cloud, inventory, warnings):
    found = inventory(a={**TOKEN, "network": "internal"})
    assert dict(found.hosts) == {}
    assert groups(found) == {"hcloud": []}
    assert warnings == []


# --- credentials


def test_token_and_endpoint_from_the_environment(cloud, inventory, monkeypatch):
    monkeypatch.setenv("HCLOUD_TOKEN", "env-token\n")
    monkeypatch.setenv("HCLOUD_ENDPOINT", "http://localhost:1/v1/")
    inventory(a={})
    assert [asked[:2] for asked in cloud.asked] == [("env-token", "http://localhost:1/v1")]


def test_the_file_wins_over_the_environment(cloud, inventory, monkeypatch):
    monkeypatch.setenv("HCLOUD_TOKEN", "env-token")
    monkeypatch.setenv("HCLOUD_ENDPOINT", "http://localhost:1/v1")
    inventory(a={**TOKEN, "api_endpoint": "http://localhost:2/v1"})
    assert [asked[:2] for asked in cloud.asked] == [("token", "http://localhost:2/v1")]


def test_values_are_templates_of_extra_vars(cloud, inventory):
    options = {
        "api_token": "{{ secret }}",
        "api_endpoint": "http://{{ place }}/v1",
        "label_selector": "env={{ env }}",
        "network": "{{ net }}",
    }
    inventory(extra={"secret": "from-e", "place": "here", "env": "prod", "net": "internal"}, a=options)
    params = {"sort": "id:asc", "label_selector": "env=prod"}
    assert cloud.asked == [("from-e", "http://here/v1", "/servers", params)]


def test_each_project_has_its_token_and_endpoint(cloud, inventory, recorded):
    cloud.servers = {"one": [recorded()], "two": [recorded("ipv6_only")]}
    projects = [
        {"name": "shop", "api_token": "{{ first }}"},
        {"name": "lab", "api_token": "two", "api_endpoint": "http://lab/v1"},
    ]
    found = inventory(extra={"first": "one"}, a={"projects": projects})
    assert {name: host.vars["hcloud_project"] for name, host in found.hosts.items()} == {
        "web-1": "shop",
        "six-1": "lab",
    }
    assert {asked[:2] for asked in cloud.asked} == {("one", "https://api.hetzner.cloud/v1"), ("two", "http://lab/v1")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "No API token for {path}: set the environment variable HCLOUD_TOKEN"),
        ({"api_token": ["SECRET"]}, "{path}: api_token must be a string."),
        ({"api_token": "SECRET SECRET"}, "{path}: the API token of project default has characters that no token has."),
        ({"api_token": "SECRET", "api_endpoint": "ftp://x"}, "{path}: the API endpoint of project default must start"),
        ({"api_token": "{{ nothing }}"}, "api_token cannot be resolved: 'nothing' is undefined"),
        (
            {"api_token": "SECRET", "label_selectr": "a=b", "tipes": []},
            "{path} has unknown options: label_selectr, tipes.",
        ),
        ({"projects": {"name": "a", "api_token": "SECRET"}}, "{path}: projects must be a list of dictionaries."),
        ({"projects": ["SECRET"]}, "{path}: projects[1] must be a dictionary with name and api_token."),
        ({"projects": [{"name": "a", "token": "SECRET"}]}, "{path}: projects[1] has unknown keys: token."),
        ({"projects": [{"api_token": "SECRET"}]}, "{path}: projects[1] has no name."),
        ({"projects": [{"name": "a"}]}, "{path}: project a has no api_token."),
        (
            {"projects": [{"name": "a", "api_token": "SECRET"}, {"name": "a", "api_token": "SECRET2"}]},
            "{path}: two projects have the name a.",
        ),
        (
            {"projects": [{"name": "a", "api_token": "SECRET"}, {"name": "b", "api_token": "{{ nothing }}"}]},
            "projects cannot be resolved: 'nothing' is undefined",
        ),
        (
            {"api_token": "SECRET", "projects": [{"name": "a", "api_token": "b"}]},
            "{path} has both api_token and projects",
        ),
    ],
)
def test_a_wrong_file_is_one_sentence_without_the_token(cloud, inventory, warnings, tmp_path, options, message):
    inventory(a=options)
    assert warnings[0].startswith("FAILED " + message.format(path=tmp_path / "a.hetzner.yml"))
    assert not any("SECRET" in warning for warning in warnings)
    assert cloud.asked == []


@pytest.mark.parametrize("text", ["", "[]", "plugin: hetzner.hcloud.hcloud"])
def test_a_file_for_another_plugin_is_refused(tmp_path, text):
    path = tmp_path / "hetzner.yml"
    path.write_text(text)
    with pytest.raises(AnsibleParserError, match="is not for this plugin"):
        InventoryModule().parse(InventoryData(), DataLoader(), str(path))


def test_a_file_of_another_name_is_left_to_others(tmp_path):
    path = tmp_path / "servers.yml"
    path.write_text("plugin: frontdesk.platform.hetzner\napi_token: token\n")
    assert not InventoryModule().verify_file(str(path))
    for name in ("hetzner.yml", "x.hetzner.yaml"):
        (tmp_path / name).write_text("plugin: frontdesk.platform.hetzner\n")
        assert InventoryModule().verify_file(str(tmp_path / name))
    assert not InventoryModule().verify_file(str(tmp_path / "missing.hetzner.yml"))


# --- filters


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["web-1", "db-1", "six-1"]),
        ({"locations": ["fsn1", "hel1"]}, ["web-1", "six-1"]),
        ({"types": ["cax11"]}, ["db-1"]),
        ({"images": ["debian-13"]}, ["web-1"]),
        ({"images": ["debian"]}, []),
        ({"images": ["golden {{ 7 * 7 }}"]}, ["db-1"]),
        ({"os_flavors": ["ubuntu", "debian"]}, ["web-1", "db-1"]),
        ({"network": "internal"}, ["web-1", "db-1"]),
        ({"network": "4712"}, ["web-1"]),
        ({"status": ["deleting"]}, ["web-1", "db-1", "six-1", "gone-1"]),
    ],
)
def test_filters(cloud, inventory, recorded, options, expected):
    kinds = ("deleting", "ipv6_only", "private_only", "plain")
    cloud.servers["token"] = [recorded(kind) for kind in kinds]
    assert list(inventory(a={**TOKEN, **options}).hosts) == expected


def test_a_network_that_nobody_is_attached_to_is_told(cloud, inventory, warnings, recorded):
    cloud.servers["token"] = [recorded()]
    assert dict(inventory(a={**TOKEN, "network": "unused"}).hosts) == {}
    assert warnings == ["No server is attached to a network with the name or id unused."]


def test_network_chooses_the_private_address(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded()]
    found = inventory(a={**TOKEN, "network": "backup", "connect_with": ["private_ipv4"]})
    assert variables(found, "web-1") == {**PLAIN, "hcloud_private_ipv4": "10.1.0.3", "ansible_host": "10.1.0.3"}


# --- connect_with


@pytest.mark.parametrize(
    ("kind", "preferences", "expected"),
    [
        ("plain", ["public_ipv4", "public_ipv6"], "203.0.113.5"),
        ("plain", ["public_ipv6", "public_ipv4"], "2001:db8:12::1"),
        ("plain", ["private_ipv4", "public_ipv4"], "10.0.0.3"),
        ("plain", ["ipv4_dns_ptr"], "web-1.example.com"),
        ("plain", ["hostname", "public_ipv4"], "web-1"),
        ("plain", "public_ipv6", "2001:db8:12::1"),
        ("private_only", ["public_ipv4", "public_ipv6", "private_ipv4"], "10.0.0.9"),
        ("ipv6_only", ["public_ipv4", "private_ipv4", "public_ipv6"], "2001:db8:13::1"),
        ("ipv6_only", ["ipv4_dns_ptr", "hostname"], "six-1"),
        ("before_locations", ["ipv4_dns_ptr", "public_ipv4"], "203.0.113.6"),
    ],
)
def test_the_first_address_that_a_server_has(cloud, inventory, warnings, recorded, kind, preferences, expected):
    cloud.servers["token"] = [recorded(kind)]
    found = inventory(a={**TOKEN, "connect_with": preferences})
    assert [host.vars["ansible_host"] for host in found.hosts.values()] == [expected]
    assert warnings == []


def test_one_warning_names_the_servers_without_an_address(cloud, inventory, warnings, recorded):
    cloud.servers["token"] = [recorded("ipv6_only", id=100 + number, name=f"six-{number}") for number in range(12)] + [
        recorded()
    ]
    found = inventory(a={**TOKEN, "connect_with": ["public_ipv4", "private_ipv4"]})
    assert [name for name, host in found.hosts.items() if "ansible_host" in host.vars] == ["web-1"]
    names = ", ".join(f"six-{number}" for number in range(10))
    assert warnings == [f"No ansible_host, because they have none of public_ipv4, private_ipv4: {names} and 2 more."]


# --- groups


def test_groups_from_labels(cloud, inventory, recorded):
    cloud.servers["token"] = [
        recorded(),
        recorded("ipv6_only", labels={"group.frontdesk.platform/a-b.c": "true", "group.frontdesk.platform/edge": "x"}),
    ]
    found = inventory(a={**TOKEN, "group": "frontdesk"})
    assert groups(found) == {
        "frontdesk": ["web-1", "six-1"],
        "swarm_managers": ["web-1"],
        "edge": ["web-1", "six-1"],
        "a_b_c": ["six-1"],
    }


def test_another_prefix_or_none(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded(labels={"role/web": "true", "group.frontdesk.platform/edge": "true"})]
    assert groups(inventory(a={**TOKEN, "label_group_prefix": "role/"})) == {"hcloud": ["web-1"], "web": ["web-1"]}
    assert groups(inventory(a={**TOKEN, "label_group_prefix": ""})) == {"hcloud": ["web-1"]}


def test_each_constructed_step_sees_the_one_before(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded()]
    options = {
        "compose": {"zone": "hcloud_location[:3]", "ansible_host": "hcloud_ipv6"},
        "groups": {"in_fsn": "zone == 'fsn'", "never": "false"},
        "keyed_groups": [{"key": "zone", "prefix": "zone"}],
    }
    found = inventory(a={**TOKEN, **options})
    assert variables(found, "web-1") == {**PLAIN, "zone": "fsn", "ansible_host": "2001:db8:12::1"}
    assert groups(found)["in_fsn"] == ["web-1"]
    assert groups(found)["zone_fsn"] == ["web-1"]
    assert "never" not in groups(found)


@pytest.mark.parametrize(
    "broken",
    [{"compose": {"x": "nothing"}}, {"groups": {"x": "nothing"}}, {"keyed_groups": [{"key": "nothing"}]}],
)
def test_strict_decides_about_broken_expressions(cloud, inventory, warnings, recorded, broken):
    cloud.servers["token"] = [recorded()]
    assert variables(inventory(a={**TOKEN, **broken}), "web-1") == PLAIN
    assert warnings == []
    inventory(a={**TOKEN, **broken, "strict": True})
    assert "'nothing' is undefined" in warnings[0]


# --- names


def test_a_template_names_the_hosts(cloud, inventory, recorded):
    cloud.servers["token"] = [recorded(), recorded("ipv6_only")]
    found = inventory(extra={"domain": "example.com"}, a={**TOKEN, "hostname": "{{ hcloud_name }}.{{ domain }}"})
    assert list(found.hosts) == ["web-1.example.com", "six-1.example.com"]
    assert variables(found, "web-1.example.com") == PLAIN


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ nothing }}", "hostname of server web-1 cannot be resolved: 'nothing' is undefined"),
        ("{{ '' }}", "The template in hostname gives no name for server web-1."),
    ],
)
def test_a_template_without_a_name_fails(cloud, inventory, warnings, recorded, template, message):
    cloud.servers["token"] = [recorded()]
    inventory(a={**TOKEN, "hostname": template})
    assert warnings[0] == f"FAILED {message}"


def test_projects_with_the_same_names_stay_apart(cloud, inventory, warnings, recorded):
    cloud.servers = {"one": [recorded()], "two": [recorded(id=50), recorded("ipv6_only")]}
    projects = [{"name": "shop", "api_token": "one"}, {"name": "lab", "api_token": "two"}]
    found = inventory(a={"projects": projects})
    assert {name: host.vars["hcloud_id"] for name, host in found.hosts.items()} == {
        "web-1": 42,
        "six-1": 44,
        "web-1-lab": 50,
    }
    assert warnings == ["The host name web-1 is taken, so server 50 of project lab is called web-1-lab."]


def test_a_template_that_gives_one_name_twice(cloud, inventory, warnings, recorded):
    cloud.servers["token"] = [recorded(), recorded(id=50, name="web-2")]
    found = inventory(a={**TOKEN, "hostname": "{{ hcloud_location }}"})
    assert list(found.hosts) == ["fsn1", "fsn1-50"]
    assert warnings == ["The host name fsn1 is taken, so server 50 is called fsn1-50."]


def test_two_files_with_the_same_names_stay_apart(cloud, inventory, warnings, recorded):
    cloud.servers = {"one": [recorded()], "two": [recorded(id=50)]}
    found = inventory(a={"api_token": "one"}, b={"api_token": "two"})
    assert {name: host.vars["hcloud_id"] for name, host in found.hosts.items()} == {"web-1": 42, "web-1-50": 50}
    assert len(warnings) == 1


def test_one_server_in_two_files_is_one_host(cloud, inventory, warnings, recorded):
    cloud.servers = {"token": [recorded()]}
    found = inventory(a={**TOKEN, "group": "first"}, b={**TOKEN, "group": "second"})
    assert list(found.hosts) == ["web-1"]
    assert groups(found)["first"] == groups(found)["second"] == ["web-1"]
    assert warnings == []


@pytest.mark.parametrize("name", ["localhost", "hcloud", "edge", "all", "mine"])
def test_no_server_takes_the_name_of_a_group_or_of_the_controller(cloud, inventory, warnings, recorded, name):
    labels = {"group.frontdesk.platform/edge": "true"}
    cloud.servers["token"] = [recorded(name=name, labels=labels)]
    found = inventory(a={**TOKEN, "groups": {"mine": "true"}})
    assert list(found.hosts) == [f"{name}-42"]
    assert "localhost" not in found.hosts
    assert [group.vars for group in found.groups.values() if group.vars] == []
    assert warnings == [f"The host name {name} is taken, so server 42 is called {name}-42."]


# --- outages without a cache


@pytest.mark.parametrize(
    ("status", "code"), [(None, "unreachable"), (500, "server_error"), (429, "rate_limit_exceeded")]
)
def test_an_outage_names_its_cause(cloud, inventory, warnings, status, code):
    cloud.fail(status, code)
    inventory(a=TOKEN)
    assert warnings[0].startswith("FAILED Could not list servers at Hetzner: something happened (" + code)
    assert "corr-1" in warnings[0]


def test_an_outage_can_be_a_warning(cloud, inventory, warnings):
    cloud.fail(None, "unreachable")
    found = inventory(a={**TOKEN, "on_unreachable": "warn"})
    assert len(warnings) == 1
    assert warnings[0].startswith("Could not list servers at Hetzner: something happened")
    assert warnings[0].endswith("The inventory goes on without its servers.")
    assert groups(found) == {"hcloud": []}
    assert cloud.patience == [(0.0, 60.0)]


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (422, "invalid_input")])
def test_a_refusal_is_an_error_in_any_case(cloud, inventory, warnings, status, code):
    cloud.fail(status, code)
    inventory(a={**TOKEN, "on_unreachable": "warn"})
    assert warnings[0].startswith("FAILED Could not list servers")


def test_an_error_names_the_projects_that_failed(cloud, inventory, warnings, recorded):
    cloud.servers = {"one": [recorded()]}
    cloud.fail(401, "unauthorized", token="two")
    projects = [{"name": "shop", "api_token": "one"}, {"name": "lab", "api_token": "two"}]
    found = inventory(a={"projects": projects})
    assert warnings[0].startswith("FAILED Project lab: Could not list servers")
    assert "shop" not in warnings[0]
    assert dict(found.hosts) == {}, "half an inventory is worse than none"
