# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin hetzner as a user calls it: `ansible-inventory` against the lab cloud's Hetzner API."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab_cloud import LabCloud, running_lab_cloud

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
# The plugin alone: the wiring in playbooks/group_vars would add the platform's variables to every host.
CONFIGURATION = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_PLAYBOOK_DIR": str(ROOT / "tests")}
FLEETS = ("shop", "staging", "tools")
ODD = {
    "no_public_ipv4": 1,
    "ipv6_only": 1,
    "private_only": 1,
    "no_image": 1,
    "deleting": 1,
    "off": 1,
    "alias_ips": 1,
}


def plain(value: Any) -> Any:
    """A value without the marks by which `ansible-inventory` says that a string is no template."""
    if isinstance(value, dict):
        return (
            value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else {k: plain(v) for k, v in value.items()}
        )
    return [plain(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Run:
    """What `ansible-inventory --list` printed."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def groups(self) -> dict[str, Any]:
        # -vvvv prints lines before it.
        return json.JSONDecoder().raw_decode(self.stdout[("\n" + self.stdout).index("\n{") :])[0]

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        hosts: dict[str, dict[str, Any]] = plain(self.groups["_meta"]["hostvars"])
        for variables in hosts.values():
            variables.pop("ansible_local", None)  # added by Ansible where facts are no variables
        return hosts

    def members(self, group: str) -> list[str]:
        return self.groups.get(group, {}).get("hosts", [])

    @property
    def warnings(self) -> list[str]:
        """The warnings, each as one line."""
        return [" ".join(part.split()) for part in self.stderr.split("[WARNING]: ")[1:]]


def run(*arguments: str, command: str = "ansible-inventory", **environment: str) -> Run:
    """Run a program of Ansible. Its exit code is judged by the test."""
    started = time.monotonic()
    process = subprocess.run(
        [str(BIN / command), *arguments],
        cwd=ROOT,
        env={**os.environ, **CONFIGURATION, "COLUMNS": "10000", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(process.returncode, process.stdout, process.stderr, time.monotonic() - started)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """1,500 servers in three projects, seven odd ones in a fourth, and none in a fifth."""
    with running_lab_cloud(tmp_path_factory.mktemp("inventory")) as lab:
        for name in FLEETS:
            fleet = {"count": 500, "prefix": name, "groups": ["web", "db"], "labels": {"fleet": name}}
            lab.project(name, f"{name}-token", rate_limit=1_000_000, servers=fleet)
        lab.project("odd", "odd-token", servers={"count": 8, "prefix": "odd", "networks": 1, "odd": ODD})
        lab.project("twin", "twin-token", servers={"count": 2, "prefix": "odd", "networks": 1})
        lab.project("empty", "empty-token")
        yield lab


@pytest.fixture
def lab(clouds: LabCloud) -> Iterator[LabCloud]:
    """The clouds with nothing counted and nothing broken."""
    clouds.clear_faults()
    clouds.forget_requests()
    yield clouds
    clouds.clear_faults()


@pytest.fixture
def source(lab: LabCloud, tmp_path: Path) -> Callable[..., str]:
    """Write an inventory file and return its path."""

    def write(name: str = "lab", **options: Any) -> str:
        path = tmp_path / f"{name}.hetzner.yml"
        known = {"plugin": "frontdesk.platform.hetzner", "api_endpoint": lab.endpoint}
        path.write_text(yaml.safe_dump({**known, **options}))
        return str(path)

    return write


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, Any]:
    return {
        "cache": True,
        "cache_plugin": "jsonfile",
        "cache_connection": str(tmp_path / "cache"),
        "cache_timeout": 3600,
    }


def age_cache(cache: dict[str, Any], seconds: float) -> None:
    """Make every entry older than it is, as Ansible's own clock (the file's time) and ours see it."""
    for entry in Path(cache["cache_connection"]).iterdir():
        document = json.loads(entry.read_text())
        payload = json.loads(document["__payload__"])
        payload["read_at"] -= seconds
        entry.write_text(json.dumps({"__payload__": json.dumps(payload)}))
        os.utime(entry, (time.time() - seconds,) * 2)


def paths(lab: LabCloud) -> list[str]:
    return [call["path"].removeprefix("/hetzner/v1") for call in lab.requests()]


def projects(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "api_token": f"{name}-token"} for name in names]


# --- size


def test_1500_servers_in_three_projects(lab, source):
    found = run("-i", source(projects=projects(*FLEETS), group="frontdesk"), "--list")
    assert found.code == 0, found.stderr
    assert found.warnings == []
    assert len(found.hosts) == 1500
    assert len(found.members("frontdesk")) == 1500
    assert len(found.members("web")) == len(found.members("db")) == 750
    assert found.hosts["shop-0001"]["hcloud_project"] == "shop"
    for name in FLEETS:
        calls = [(call["path"].rpartition("/")[2], dict(call["query"]).get("page")) for call in lab.requests(name)]
        assert sorted(calls) == sorted([("networks", "1"), *(("servers", str(page)) for page in range(1, 11))])


def test_a_warm_cache_needs_no_call(lab, source, cache):
    path = source(projects=projects(*FLEETS), **cache)
    first = run("-i", path, "--list")
    assert len(paths(lab)) == 33
    lab.forget_requests()
    second = run("-i", path, "--list")
    assert paths(lab) == []
    assert second.stdout == first.stdout
    assert (first.warnings, second.warnings) == ([], [])


def test_volumes_cost_one_call_more_and_come_with_their_device(lab, source, cache):
    lab.project("disks", "disks-token", servers={"count": 2, "prefix": "disk"})
    number = lab.api("GET", "/servers?name=disk-0001", token="disks-token")[1]["servers"][0]["id"]
    volume = lab.api("POST", "/volumes", {"name": "data", "size": 10, "server": number}, token="disks-token")[1]
    lab.idle()
    lab.forget_requests()
    path = source(api_token="disks-token", volumes=True, **cache)
    found = run("-i", path, "--list")
    [shown] = found.hosts["disk-0001"]["hcloud_volumes"]
    device = volume["volume"]["linux_device"]
    assert (shown["name"], shown["size"], shown["linux_device"]) == ("data", 10, device)
    assert found.hosts["disk-0002"]["hcloud_volumes"] == []
    assert paths(lab).count("/volumes") == 1
    lab.forget_requests()
    assert run("-i", path, "--list").stdout == found.stdout
    assert paths(lab) == []


def test_label_selector_and_status_reach_the_api(lab, source):
    path = source(
        api_token="shop-token", label_selector="group.frontdesk.platform/web=true,fleet=shop", status=["running"]
    )
    found = run("-i", path, "--list")
    assert len(found.hosts) == 250
    assert len([path for path in paths(lab) if path == "/servers"]) == 5


# --- odd servers


def odd_hosts(source: Callable[..., str], **options: Any) -> Run:
    return run("-i", source(api_token="odd-token", **options), "--list")


def test_odd_servers(lab, source):
    found = odd_hosts(source)
    assert found.code == 0, found.stderr
    assert found.warnings == []
    hosts = found.hosts
    # In the order of ODD; 0005 is being deleted.
    assert sorted(hosts) == [f"odd-000{number}" for number in (1, 2, 3, 4, 6, 7, 8)]
    no_ipv4, ipv6_only, private_only, no_image, off, alias, normal = (hosts[name] for name in sorted(hosts))
    assert "hcloud_ipv4" not in no_ipv4
    assert no_ipv4["ansible_host"] == no_ipv4["hcloud_ipv6"]
    assert ipv6_only["hcloud_private_networks"] == []
    assert ipv6_only["ansible_host"] == ipv6_only["hcloud_ipv6"]
    assert "hcloud_ipv6" not in private_only
    assert private_only["ansible_host"] == private_only["hcloud_private_ipv4"]
    assert "hcloud_image_name" not in no_image
    assert off["hcloud_status"] == "off"
    assert len(alias["hcloud_alias_ips"]) == 2
    assert normal["ansible_host"] == normal["hcloud_ipv4"]
    assert normal["hcloud_private_networks"][0]["name"] == "net-1"


def test_the_whole_host(lab, source):
    """Every variable, against the API's own answer."""
    found = odd_hosts(source, hostvars_prefix="", network="net-1")
    server = next(
        server for server in lab.api("GET", "/servers", token="odd-token")[1]["servers"] if server["name"] == "odd-0007"
    )
    private = server["private_net"][0]
    network = server["public_net"]["ipv6"]["ip"].split("/")
    assert found.hosts["odd-0007"] == {
        "ansible_host": server["public_net"]["ipv4"]["ip"],
        "id": server["id"],
        "name": "odd-0007",
        "status": "running",
        "created": server["created"],
        "project": "default",
        "type": server["server_type"]["name"],
        "server_type": server["server_type"]["name"],
        "architecture": "x86",
        "location": server["location"]["name"],
        "ipv4": server["public_net"]["ipv4"]["ip"],
        "ipv6": f"{network[0]}1",
        "ipv6_network": network[0],
        "ipv6_network_mask": network[1],
        "private_ipv4": private["ip"],
        "private_networks": [
            {"id": private["network"], "name": "net-1", "ip": private["ip"], "alias_ips": private["alias_ips"]}
        ],
        "alias_ips": private["alias_ips"],
        "image_id": server["image"]["id"],
        "image_name": "debian-13",
        "image_os_flavor": "debian",
        "labels": {},
    }


def test_connect_with_names_who_has_no_address(lab, source):
    found = odd_hosts(source, connect_with=["public_ipv4"])
    assert found.warnings == ["No ansible_host, because they have none of public_ipv4: odd-0001, odd-0002, odd-0003."]
    assert {name for name, host in found.hosts.items() if "ansible_host" not in host} == {
        "odd-0001",
        "odd-0002",
        "odd-0003",
    }


def test_an_empty_project(lab, source):
    found = run("-i", source(api_token="empty-token"), "--list")
    assert (found.code, found.hosts, found.stderr) == (0, {}, "")
    assert paths(lab) == ["/servers"]


def test_the_same_names_in_two_projects(lab, source):
    found = run("-i", source(projects=projects("twin", "odd")), "--list")
    assert {"odd-0001", "odd-0002", "odd-0001-odd", "odd-0002-odd"} <= set(found.hosts)
    assert len(found.hosts) == 9
    assert found.hosts["odd-0001-odd"]["hcloud_project"] == "odd"
    assert len(found.warnings) == 2
    assert found.warnings[0].startswith("The host name odd-0001 is taken, so server ")


# --- a cloud in trouble


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "status", "status": 503, "code": "unavailable"},
        {"effect": "status", "status": 500, "code": "server_error"},
        {"effect": "status", "status": 429, "code": "rate_limit_exceeded"},
        {"effect": "drop_before"},
    ],
    ids=["503", "500", "429", "dropped"],
)
def test_a_cloud_in_trouble_and_an_expired_cache(lab, source, cache, fault):
    path = source(api_token="odd-token", **cache)
    first = run("-i", path, "--list")
    age_cache(cache, 3 * 3600 + 60)
    lab.fault(**fault, times=None, provider="hetzner")
    found = run("-i", path, "--list")
    assert found.code == 0
    assert found.stdout == first.stdout
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("Could not list servers at Hetzner: ")
    assert fault.get("code", "unreachable") in found.warnings[0]
    assert found.warnings[0].endswith("The inventory shows the servers as they were 3 h 1 min ago.")
    assert found.seconds < 20
    lab.clear_faults()
    lab.forget_requests()
    assert run("-i", path, "--list").stdout == first.stdout
    assert paths(lab) == ["/servers", "/networks"], "what came from the cache did not become fresh"


def test_no_cloud_at_all(tmp_path, cache):
    """The service is stopped: a warm cache notices nothing, an expired one is used, an empty one is an error."""
    with running_lab_cloud(tmp_path) as own:
        own.project("few", "few-token", servers={"count": 2})
        path = tmp_path / "hetzner.yml"
        options = {
            "plugin": "frontdesk.platform.hetzner",
            "api_endpoint": own.endpoint,
            "api_token": "few-token",
            **cache,
        }
        path.write_text(yaml.safe_dump(options))
        first = run("-i", str(path), "--list")
        own.stop()
        warm = run("-i", str(path), "--list")
        assert (warm.stdout, warm.stderr) == (first.stdout, "")
        age_cache(cache, 7200)
        expired = run("-i", str(path), "--list")
        assert expired.stdout == first.stdout
        assert "connection refused" in expired.warnings[0]
        assert "2 h 0 min ago" in expired.warnings[0]
        flushed = run("-i", str(path), "--list", "--flush-cache")
        assert flushed.stdout == first.stdout
        assert len(flushed.warnings) == 1
        path.write_text(yaml.safe_dump({**options, "cache": False, "on_unreachable": "warn"}))
        empty = run("-i", str(path), "--list")
        assert (empty.code, empty.hosts) == (0, {})
        assert len(empty.warnings) == 1
        assert "connection refused" in empty.warnings[0]
        assert empty.seconds < 5, "nothing is repeated when a warning is all that is wanted"
        own.start()


def test_an_error_says_the_true_cause(lab, source):
    lab.fault(effect="status", status=500, code="server_error", message="disk full", times=None, provider="hetzner")
    found = run("-i", source(api_token="shop-token"), "--list", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true")
    assert found.code != 0
    assert "disk full (server_error, HTTP 500, correlation id " in found.warnings[0]
    assert "token" not in found.warnings[0].lower()
    assert found.seconds < 20


def test_one_hiccup_is_not_noticed(lab, source):
    lab.fault(effect="status", status=503, code="unavailable", provider="hetzner", path="^/servers$", skip=3)
    lab.fault(effect="drop_before", provider="hetzner", path="^/networks$")
    found = run("-i", source(api_token="shop-token"), "--list")
    assert len(found.hosts) == 500
    assert found.stderr == ""


@pytest.mark.parametrize("with_cache", [False, True])
def test_a_wrong_token_says_so(lab, source, cache, with_cache):
    """Even with an old answer at hand: a revoked token is nobody's outage."""
    path = source(api_token="odd-token", **(cache if with_cache else {}))
    run("-i", path, "--list")
    if with_cache:
        age_cache(cache, 7200)
    lab.fault(effect="revoked", token="odd-token", times=None)
    found = run("-i", path, "--list", "-vvvv")
    assert found.hosts == {}
    assert "unauthorized, HTTP 401" in found.stderr
    assert "check the API token" in found.stderr
    assert "odd-token" not in found.stdout + found.stderr


def test_no_token(lab, source):
    found = run("-i", source(), "--list")
    assert "No API token for" in found.warnings[0]
    assert "set the environment variable HCLOUD_TOKEN" in found.warnings[0]
    assert paths(lab) == []


# --- secrets


def test_the_token_is_nowhere(lab, source, cache, tmp_path):
    path = source(api_token="{{ lookup('ansible.builtin.env', 'SECRET') }}", **cache)
    found = run("-i", path, "--list", "-vvvv", SECRET="odd-token")
    assert len(found.hosts) == 7
    output = found.stdout + found.stderr
    files = "".join(file.name + file.read_text() for file in (tmp_path / "cache").iterdir())
    assert "odd-token" not in output + files


def test_an_error_beside_a_token_does_not_show_it(source):
    """Ansible shows the lines around a template that fails; here a token is on one of them."""
    listed = [{"name": "one", "api_token": "odd-token"}, {"name": "two", "api_token": "{{ nothing }}"}]
    found = run("-i", source(projects=listed), "--list", "-vvvv")
    assert "'nothing' is undefined" in found.stderr
    assert "odd-token" not in found.stdout + found.stderr


def test_the_token_from_the_command_line(lab, source):
    found = run("-i", source(api_token="{{ secret }}"), "--list", "-e", "secret=odd-token")
    assert len(found.hosts) == 7


# --- inside a play


def test_refresh_inventory_sees_a_new_server(lab, source, cache, tmp_path):
    """A warm cache, a server created in the play, and `meta: refresh_inventory`, as site.yml does it."""
    lab.project("growing", "growing-token", servers={"count": 1, "prefix": "grow"})
    path = source(api_token="growing-token", group="frontdesk", **cache)
    run("-i", path, "--list")
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        f"""
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{msg: "before: {{{{ groups.frontdesk | sort | join(' ') }}}}."}}
    - ansible.builtin.uri:
        url: {lab.endpoint}/servers
        method: POST
        status_code: 201
        headers: {{Authorization: Bearer growing-token}}
        body_format: json
        body: {{name: grown, server_type: cx23, image: debian-13, location: fsn1}}
    - ansible.builtin.meta: refresh_inventory
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {{msg: "after: {{{{ groups.frontdesk | sort | join(' ') }}}}."}}
"""
    )
    found = run("-i", path, str(playbook), command="ansible-playbook")
    assert found.code == 0, found.stdout
    assert "before: grow-0001." in found.stdout
    assert "after: grow-0001 grown." in found.stdout
    lab.forget_requests()
    assert sorted(run("-i", path, "--list").hosts) == ["grow-0001", "grown"], "the refresh has filled the cache"
    assert paths(lab) == []


def test_flush_cache_asks_anew(lab, source, cache):
    path = source(api_token="twin-token", **cache)
    run("-i", path, "--list")
    lab.forget_requests()
    run("-i", path, "--list", "--flush-cache")
    assert paths(lab) == ["/servers", "/networks"]


def test_several_files_share_one_cache_folder(lab, source, cache, tmp_path):
    arguments = ["-i", source("a", api_token="odd-token", **cache), "-i", source("b", api_token="empty-token", **cache)]
    arguments += ["-i", source("c", api_token="odd-token", locations=["fsn1"], **cache)]
    first = run(*arguments, "--list")
    assert len(list((tmp_path / "cache").iterdir())) == 2, "one entry per project and server-side filter"
    lab.forget_requests()
    second = run(*arguments, "--list")
    assert paths(lab) == []
    assert first.stdout == second.stdout


# --- our own inventories


def test_the_labs_inventory_with_no_lab(tmp_path):
    """`validate` and `lab` run before there is a lab: one line says what is missing, the static hosts are there."""
    lines = (ROOT / "inventory/lab/hetzner.yml").read_text().replace("127.0.0.1:8480", "127.0.0.1:1")
    (tmp_path / "hetzner.yml").write_text(lines)
    (tmp_path / "hosts.yml").write_text("frontdesk:\n  hosts:\n    localhost:\n      ansible_connection: local\n")
    found = run("-i", str(tmp_path), "--list")
    assert found.code == 0
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(
        "Could not list servers at Hetzner: no connection to http://127.0.0.1:1/hetzner/v1"
    )
    assert found.members("frontdesk") == ["localhost"]


def test_the_labs_inventory_with_a_lab(tmp_path):
    with running_lab_cloud(tmp_path) as own:
        body = {"name": "lab-1", "server_type": "cx23", "image": "debian-13", "location": "fsn1"}
        labels = {"frontdesk.platform/owner": "lab", "group.frontdesk.platform/swarm_managers": "true"}
        assert own.api("POST", "/servers", {**body, "labels": labels})[0] == 201
        assert own.api("POST", "/servers", {**body, "name": "foreign"})[0] == 201
        text = (ROOT / "inventory/lab/hetzner.yml").read_text().replace("http://127.0.0.1:8480", own.url)
        (tmp_path / "hetzner.yml").write_text(text)
        found = run(
            "-i",
            str(tmp_path / "hetzner.yml"),
            "--list",
            HCLOUD_TOKEN="production",
            HCLOUD_ENDPOINT="http://127.0.0.1:1",
        )
    assert found.warnings == []
    assert list(found.hosts) == ["lab-1"]
    assert found.members("frontdesk") == found.members("swarm_managers") == ["lab-1"]


def test_the_example_inventory(lab, tmp_path):
    """As it is: token and endpoint from the environment, the cache in the home folder."""
    labels = {"frontdesk.platform/owner": "production"}
    lab.project("production", "production-token", servers={"count": 3, "labels": labels, "groups": ["postgres"]})
    environment = {"HCLOUD_TOKEN": "production-token", "HCLOUD_ENDPOINT": lab.endpoint, "HOME": str(tmp_path)}
    found = run("-i", str(ROOT / "inventory/example/hetzner.yml"), "--list", **environment)
    assert found.warnings == []
    assert len(found.members("frontdesk")) == len(found.members("postgres")) == 3
    assert len(list((tmp_path / ".cache/frontdesk/inventory").iterdir())) == 1
