# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the READMEs of the roles, on three plain hosts with an inventory of their own: no cloud, no wiring.

Each is taken from its README as it stands; names of hosts, the bucket and a path are all that is replaced. They are applied in
the order in which they need each other, with the commands that they name.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import derive
from tests.gates.molecule import bare_servers, servers
from tests.integration.cloud import SERVERS, client, succeeded
from tests.integration.platform import LAB as FOLDER
from tests.integration.platform import on_server
from tests.integration.playbook import KNOWN_HOSTS, ROOT, PlaybookRun, run_playbook
from tests.swarm_nodes import eventually

pytestmark = pytest.mark.lab

KEY = FOLDER / "id_ed25519"
MASTER_KEY = "00112233445566778899aabbccddeeff" * 2
# What the lab's servers need because they are containers, and their mirror of the registries.
LAB = yaml.safe_load((ROOT / "inventory/lab/group_vars/frontdesk/lab.yml").read_text(encoding="utf-8"))
# What the examples leave to their reader: the contents of a vault, and the hosts.
GIVEN = {
    **{name: value for name, value in LAB.items() if name.startswith("host_")},
    "vault_master_key": MASTER_KEY,
    "vault_swarm_hash_key": "an-example-of-a-hash-key",
    "vault_redis_password": "redis-example-password-1",
    "vault_redis_admin_password": "redis-example-password-2",
    "vault_redis_check_password": "redis-example-password-3",
    "vault_registry_access_key": LAB["registry_s3_access_key"],
    "vault_registry_secret_key": LAB["registry_s3_secret_key"],
    # The hosts form a cluster over their private network, which role host has to be told.
    "host_private_address": "{{ private_ipv4 }}",
    "host_cluster_addresses": "{{ groups.my_servers | map('extract', hostvars, 'private_ipv4') | list }}",
}
REPLACED = {
    r"\b(?:node|web|db)-([1-4])\b": r"lab-\1",
    r"https://[0-9a-f]{32}\.r2\.cloudflarestorage\.com": LAB["registry_s3_endpoint"],
    r"\bmy-images\b": LAB["registry_s3_bucket"],
    r"~/\.ssh/id_ed25519\.pub": f"{KEY}.pub",
}
# Programs as the examples name them in comments.
COMMAND = re.compile(r"# (docker network create .+)$", re.MULTILINE)


def example(role: str) -> str:
    """The example of a role's README with our names in it."""
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Example\n.*?^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, f"roles/{role}/README.md has no example"
    block = found.group(1)
    for pattern, replacement in REPLACED.items():
        block = re.sub(pattern, replacement, block)
    return block


class Hosts:
    """Three hosts, and a folder with the files of somebody who uses the collection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rows = {}
        for name in SERVERS:
            server = client().servers.get_by_name(name)
            assert server is not None
            assert server.public_net is not None
            assert server.private_net
            rows[name] = {"ansible_host": server.public_net.ipv4.ip, "private_ipv4": server.private_net[0].ip}
        reach = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(KEY),
            "ansible_ssh_common_args": f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={KNOWN_HOSTS}",
        }
        self._write("hosts.yml", yaml.safe_dump({"all": {"vars": reach, "children": {"my_servers": {"hosts": rows}}}}))
        self._write("given.json", json.dumps(GIVEN))
        shutil.copytree(ROOT / "molecule/registry/image", folder / "image")

    def _write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path

    def run(self, role: str, *arguments: str) -> PlaybookRun:
        """Run the role's example."""
        playbook = self._write(f"{role}.yml", "---\n" + example(role))
        given = f"@{self.folder / 'given.json'}"
        return run_playbook(str(playbook), "-e", given, *arguments, inventory=str(self.folder / "hosts.yml"))


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    servers()
    bare_servers()
    return Hosts(tmp_path_factory.mktemp("plain"))


# In the order in which they need each other.
@pytest.mark.parametrize("role", ["host", "swarm", "registry", "postgres", "redis", "haproxy"])
def test_example(hosts: Hosts, role: str):
    for command in COMMAND.findall(example(role)):
        network = command.split()[-1]
        on_server(SERVERS[0], f"docker network inspect {network} > /dev/null 2>&1 || {command}")
    assert succeeded(hosts.run(role)).changed > 0
    assert succeeded(hosts.run(role)).changed == 0
    assert succeeded(hosts.run(role, "--check")).changed == 0


def test_an_application_finds_the_database_and_redis(hosts: Hosts):
    password = derive(MASTER_KEY, "example", "shop")
    image = on_server(
        SERVERS[0],
        "docker service inspect postgres_pg-lab-1 --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}'",
    ).strip()
    ask = (
        f"psql 'host=postgres user=shop password={password} dbname=shop sslmode=require connect_timeout=5'"
        " --tuples-only --no-align --command \"select extname from pg_extension where extname = 'vector'\"; "
        f"exec 3<>/dev/tcp/redis/6379; printf 'AUTH {GIVEN['vault_redis_password']}\\r\\nSET example 1\\r\\n' >&3; "
        "read -r first <&3; read -r second <&3; echo $first $second; exec sleep infinity"
    )
    on_server(
        SERVERS[0],
        f"docker service create --quiet --detach --name ask --network applications --endpoint-mode dnsrr "
        f"--entrypoint bash {image} -c {shlex.quote(ask)}",
    )

    def answered() -> bool:
        return on_server(SERVERS[0], "docker service logs --raw ask").split() == ["vector", "+OK", "+OK"]

    eventually(answered, "the application has both answers")
