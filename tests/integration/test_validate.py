# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`validate` as a user meets it: the whole playbook, real inventories, and what it may never print."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MASTER_KEY = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqG2ku3UR8lHFYyIyWyYY1nmcbnQxvlRBaqkbBHRk5u me@example.com"
LOCALHOST = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
VALID: dict[str, Any] = {
    "frontdesk_environment": "acme",
    "frontdesk_domain": "acme.example",
    "frontdesk_master_key": MASTER_KEY,
    "frontdesk_ssh_keys": [{"name": "me", "public_key": PUBLIC_KEY}],
    "hetzner_api_token": "a-token-of-the-test",
    "frontdesk_certificates": [{"name": "acme", "certificate": "", "key": ""}],
    "registry_s3_endpoint": "https://acme.r2.cloudflarestorage.com",
    "registry_s3_access_key": "access-of-the-test",
    "registry_s3_secret_key": "secret-of-the-test",
}


@dataclass(frozen=True)
class Run:
    returncode: int
    output: str

    @property
    def faults(self) -> list[str]:
        """The lines of the message, without its head."""
        if self.returncode == 0:
            return []
        head, *rest = self.output[self.output.index("[ERROR]") :].splitlines()
        lines = rest[: next(number for number, line in enumerate(rest) if line.startswith("Origin: "))]
        assert f"The configuration has {len(lines)} fault" in head, "the message counts its lines"
        return lines


def validate(inventory: Path, *arguments: str, playbook: str = "playbooks/validate.yml", **environment: str) -> Run:
    process = subprocess.run(
        ["ansible-playbook", "-i", inventory, playbook, *arguments],
        cwd=ROOT,
        env={**{name: value for name, value in os.environ.items() if name != "FRONTDESK_MASTER_KEY"}, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Run(process.returncode, process.stdout + process.stderr)


def write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def inventory(folder: Path, variables: dict[str, Any], hosts: dict[str, Any] | None = None) -> Path:
    """An inventory in a folder, with these variables of the group frontdesk."""
    all_hosts = {"localhost": LOCALHOST, **(hosts or {})}
    write(folder / "hosts.yml", {"all": {"children": {"frontdesk": {"hosts": all_hosts}}}})
    write(folder / "group_vars/frontdesk/main.yml", variables)
    return folder


def test_a_dozen_faults_at_once(tmp_path: Path) -> None:
    """Every kind that the platform knows, each on one line with variable, value and remedy."""
    long_name = "n" * 64
    folder = inventory(
        tmp_path,
        {
            "frontdesk_environment": "acme",
            "frontdesk_master_key": "hunter2-too-short",
            "frontdesk_ssh_keys": [],
            "frontdesk_private_network": "172.16.0.0/12",
            "frontdesk_private_subnet": "172.16.5.0/24",
            "frontdesk_admin_networks": ["203.0.113.7/24"],
            "frontdesk_locations": "fsn1,nbg1",
            "frontdesk_servers": [
                {"name": "acme-1", "groups": ["swarm_managers", "postgres", "redis"], "private_ip": "172.16.5.11"},
                {"name": "acme-1", "groups": ["swarm_managers", "swarm_workers", "edge"], "private_ip": "172.16.5.1"},
                {"name": long_name, "groups": ["swarm_worker"], "private_ip": "10.0.0.9"},
            ],
            "hetzner_prune": "maybe",
            "hetzner_api_tokne": "hunter2-real-token",
            "hetzner_colour": "blue",
        },
        {"server-1": {"host_boot_timeout": "soon"}, "server-2": {"host_boot_timeout": "soon"}},
    )
    write(folder / "group_vars/all.yml", {"frontdesk_image": "debian-12"})
    run = validate(folder, "-vvvv")
    assert run.returncode != 0
    expected = [
        ("frontdesk_admin_networks[0]", '"203.0.113.7/24"', "CIDR notation"),
        ("frontdesk_certificates", "is empty", "covers the names of all services"),
        ("frontdesk_domain", "is not set", "set it in group_vars/frontdesk/"),
        ("frontdesk_image", "group_vars/all.yml", "move it to group_vars/frontdesk/"),
        ("frontdesk_locations", '"fsn1,nbg1"', "give a list"),
        ("frontdesk_master_key", "(secret, not shown)", "openssl rand -hex 32"),
        ("frontdesk_private_network", '"172.16.0.0/12"', "overlaps with 172.17.0.0/16"),
        ("frontdesk_profile", '"ha"', "needs 3 servers in swarm_managers"),
        ("frontdesk_servers", '["acme-1", "acme-1"]', "an even number survives no more failures"),
        ("frontdesk_servers", '["acme-1"]', "more than one server has this name"),
        ("frontdesk_servers", '["acme-1"]', "profile ha needs 3 servers in postgres"),
        ("frontdesk_servers", '["acme-1"]', "profile ha needs 3 servers in redis"),
        ("frontdesk_servers[1].groups", "swarm_workers", "not in both"),
        ("frontdesk_servers[2].groups", '["swarm_worker"]', "add swarm_managers or swarm_workers"),
        ("frontdesk_servers[2].groups[0]", '"swarm_worker"', "did you mean swarm_workers?"),
        ("frontdesk_servers[2].name", long_name, "at most 63 characters (64 here)"),
        ("frontdesk_servers[2].private_ip", '"10.0.0.9"', "inside frontdesk_private_subnet"),
        ("frontdesk_ssh_keys", "[]", "at least one SSH key"),
        ("hetzner_api_token", "is empty", "HCLOUD_TOKEN"),
        ("hetzner_api_tokne", "(secret, not shown)", "did you mean hetzner_api_token?"),
        ("hetzner_colour", '"blue"', "no such variable"),
        ("hetzner_prune", '"maybe"', "give true or false"),
        ("host_boot_timeout", '"soon"', "give a whole number (on server-1, server-2)"),
        ("registry_s3_access_key", "is empty", "the ID of the bucket's access key"),
        ("registry_s3_endpoint", '""', "the address of the S3 API"),
        ("registry_s3_secret_key", "is empty", "the secret of the bucket's access key"),
    ]
    rest = list(run.faults)
    for variable, value, remedy in expected:
        match = next((x for x in rest if x.split(" ")[0] == variable and value in x and remedy in x), None)
        assert match, f"no line with {variable}, {value} and {remedy} in:\n" + "\n".join(run.faults)
        rest.remove(match)
    assert rest == []
    assert "hunter2" not in run.output
    # The same in check mode, which this playbook does not know.
    assert validate(folder, "--check", "--diff").faults == run.faults


def test_valid(tmp_path: Path) -> None:
    run = validate(inventory(tmp_path, VALID))
    assert run.returncode == 0, run.output
    assert "changed=0" in run.output


def test_the_labs_inventory_is_valid(tmp_path: Path) -> None:
    """With a key as playbooks/lab.yml makes it, so that no lab has to run."""
    (tmp_path / "id_ed25519.pub").write_text(PUBLIC_KEY)
    run = validate(ROOT / "inventory/lab/frontdesk.yml", "-e", f"lab_directory={tmp_path}")
    assert run.returncode == 0, run.output


def test_the_example_is_valid_once_it_is_filled(tmp_path: Path) -> None:
    """Its file for the cloud's servers is left out: it asks the API."""
    folder = tmp_path / "acme"
    shutil.copytree(ROOT / "inventory/example", folder)
    empty = validate(folder / "frontdesk.yml")
    assert sorted(line.split(" ")[0] for line in empty.faults) == [
        "frontdesk_certificates",
        "frontdesk_master_key",
        "frontdesk_ssh_keys[0].public_key",
        "hetzner_api_token",
        "registry_s3_access_key",
        "registry_s3_secret_key",
    ]
    main = folder / "group_vars/frontdesk/main.yml"
    filled = main.read_text().replace("ssh-ed25519 EXAMPLE operator@example.com", PUBLIC_KEY)
    main.write_text(filled.replace("certificates: []", "certificates: [{name: example, certificate: '', key: ''}]"))
    keys = {"FRONTDESK_REGISTRY_ACCESS_KEY": "access", "FRONTDESK_REGISTRY_SECRET_KEY": "secret"}
    run = validate(folder / "frontdesk.yml", HCLOUD_TOKEN="token", FRONTDESK_MASTER_KEY=MASTER_KEY, **keys)
    assert run.returncode == 0, run.output


def test_values_of_the_command_line_count(tmp_path: Path) -> None:
    folder = inventory(tmp_path, {**VALID, "frontdesk_domain": "nonsense"})
    given = json.dumps({"frontdesk_domain": "acme.example", "frontdesk_locations": ["ash"]})
    run = validate(folder, "-e", given, "-e", "hetzner_prune=yes", "-e", "hetzner_owner='x y'", "-e", "frontdesk_x=1")
    assert [line.split(" ")[0] for line in run.faults] == ["frontdesk_locations[0]", "frontdesk_x", "hetzner_owner"]


def test_vars_of_an_import_count(tmp_path: Path) -> None:
    folder = inventory(tmp_path / "inventory", VALID, {"server-1": {}})
    entry = {"name": "Import", "ansible.builtin.import_playbook": "frontdesk.platform.validate"}
    write(tmp_path / "own.yml", [{**entry, "vars": {"frontdesk_domain": "nonsense", "frontdesk_zzz": 1}}])
    run = validate(folder, playbook=str(tmp_path / "own.yml"))
    assert [line.split(" ")[0] for line in run.faults] == ["frontdesk_domain", "frontdesk_zzz"]
    assert "server-1" not in "".join(run.faults)


def test_results_of_earlier_tasks_are_no_configuration(tmp_path: Path) -> None:
    task = {"name": "Set", "ansible.builtin.set_fact": {"hetzner_something": 1}, "register": "hetzner_result"}
    play = {"name": "Earlier", "hosts": "localhost", "gather_facts": False, "tasks": [task]}
    write(tmp_path / "own.yml", [play, {"name": "Import", "import_playbook": "frontdesk.platform.validate"}])
    run = validate(inventory(tmp_path / "inventory", VALID), playbook=str(tmp_path / "own.yml"))
    assert run.returncode == 0, run.output


def test_encrypted_values_count_and_are_never_shown(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("vault-password")
    folder = inventory(tmp_path / "inventory", VALID)

    def encrypted(value: str) -> str:
        command = ["ansible-vault", "encrypt_string", "--vault-password-file", str(password), value]
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        return text.strip()

    vault = folder / "group_vars/frontdesk/vault.yml"
    vault.write_text(
        f"hetzner_api_token: {encrypted('hunter2 with blanks')}\n"
        f"frontdesk_domain: {encrypted('hunter2-no-domain')}\n"
        f"hetzner_colour: {encrypted('hunter2-colour')}\n"
    )
    run = validate(folder, "--vault-password-file", str(password), "-vvvv")
    assert [line.split(" ")[0] for line in run.faults] == ["frontdesk_domain", "hetzner_api_token", "hetzner_colour"]
    assert "hunter2" not in run.output
    vault.write_text(f"frontdesk_master_key: {encrypted(MASTER_KEY)}\n")
    assert validate(folder, "--vault-password-file", str(password)).returncode == 0
    # A whole file in encrypted form.
    subprocess.run(
        ["ansible-vault", "encrypt", "--vault-password-file", str(password), folder / "group_vars/frontdesk/main.yml"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert validate(folder, "--vault-password-file", str(password)).returncode == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"frontdesk_master_key": ["hunter2-in-a-list"]},
        {"frontdesk_master_key": "hunter2-short"},
        {"frontdesk_master_key": "hunter2-{{ nowhere }}"},
        {"frontdesk_master_key": "hunter2-{{ broken"},
        {"hetzner_api_token": {"hunter2": "hunter2"}},
        {"hetzner_api_token": "hunter2 token", "hetzner_owner": "{{ hetzner_api_token }}"},
        {"frontdesk_master_keey": "hunter2"},
        {"frontdesk_smtp_password": "hunter2"},
        {"frontdesk_ssh_keys": [{"name": "a", "public_key": PUBLIC_KEY, "passphrase": "hunter2"}]},
    ],
    ids=lambda changes: "+".join(f"{name}:{type(value).__name__}" for name, value in changes.items()),
)
def test_secrets_are_never_printed(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = validate(inventory(tmp_path, {**VALID, **changes}), "-vvvv")
    assert {line.split(" ")[0].split("[")[0] for line in run.faults} == set(changes)
    assert "hunter2" not in run.output


def test_controller_that_the_inventory_does_not_name(tmp_path: Path) -> None:
    """One fault, and the others are found as if it were mended."""
    folder = inventory(tmp_path, {**VALID, "frontdesk_domain": "nonsense"})
    write(folder / "hosts.yml", {"all": {"children": {"frontdesk": {"hosts": {"server-1": {}}}}}})
    missing = validate(folder)
    assert [line.split(" ")[0] for line in missing.faults] == ["frontdesk_domain", "localhost"]
    assert "is not named in the inventory" in missing.faults[1]
    write(folder / "hosts.yml", {"all": {"hosts": {"localhost": {}}, "children": {"frontdesk": {}}}})
    outside = validate(folder)
    assert [line.split(" ")[0] for line in outside.faults] == ["frontdesk_domain", "localhost"]
    assert "is not in the group frontdesk" in outside.faults[1]
    write(folder / "hosts.yml", {"all": {"children": {"frontdesk": {"hosts": {"localhost": {}}}}}})
    assert [line.split(" ")[0] for line in validate(folder).faults] == [
        "frontdesk_domain",
        "localhost.ansible_connection",
        "localhost.ansible_python_interpreter",
    ]


def test_places_that_lose_are_named(tmp_path: Path) -> None:
    folder = inventory(tmp_path, VALID)
    group = {"hosts": {"localhost": LOCALHOST}, "vars": {"hetzner_owner": "x", "unrelated": 1}}
    write(folder / "hosts.yml", {"all": {"children": {"frontdesk": group}}})
    write(folder / "group_vars/all/some.yml", {"frontdesk_image": "x", "unrelated": 1})
    run = validate(folder)
    # The shorter way to write the path: this checkout may lie beside it.
    some = min(
        str(folder / "group_vars/all/some.yml"), os.path.relpath(folder / "group_vars/all/some.yml", ROOT), key=len
    )
    assert [line.split(": ")[0] for line in run.faults] == [
        f"frontdesk_image in {some}",
        "hetzner_owner in the vars of group frontdesk in an inventory file",
    ]


def test_by_full_name_from_anywhere(tmp_path: Path) -> None:
    folder = inventory(tmp_path, {**VALID, "frontdesk_domain": "nonsense"})
    run = validate(folder, playbook="frontdesk.platform.validate")
    assert [line.split(" ")[0] for line in run.faults] == ["frontdesk_domain"]


def cpu_seconds() -> float:
    """What the programs that this test has started and waited for have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_time_with_1500_hosts_that_all_differ(tmp_path: Path) -> None:
    """At most five seconds. CPU time is compared, because the machine may be busy with other tests."""
    hosts = {
        f"server-{number}": {"ansible_host": f"198.18.{number // 250}.{number % 250}", "host_boot_timeout": number}
        for number in range(1500)
    }
    folder = inventory(tmp_path, VALID, hosts)
    before = cpu_seconds()
    run = validate(folder, "-v")
    assert cpu_seconds() - before < 5
    assert run.returncode == 0, run.output
    assert "valid on 1501 host(s)" in run.output


def test_time_with_500_listed_servers(tmp_path: Path) -> None:
    servers = [
        {"name": f"acme-{number}", "groups": ["swarm_workers"], "private_ip": f"10.20.{number // 250}.{number % 250}"}
        for number in range(500)
    ]
    folder = inventory(tmp_path, {**VALID, "frontdesk_servers": servers})
    before = cpu_seconds()
    run = validate(folder)
    assert cpu_seconds() - before < 5
    assert any("holds 100 servers, and 500 are listed" in line for line in run.faults)
