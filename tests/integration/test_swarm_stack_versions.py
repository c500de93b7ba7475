# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""swarm_stack's secrets and configs in their versions, and what it leaves alone, on a real Swarm."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import shlex
from collections.abc import Iterator

import pytest
import requests

from tests.integration.playbook import run_playbook
from tests.integration.swarm_stack_runs import HASH_KEY, Stack, service, shell, stack_of, triples
from tests.swarm_nodes import IMAGE, REGISTRY, Json, Node, Swarm, eventually

pytestmark = pytest.mark.lab

SECRET = "correct-horse-battery-staple-1"
NEXT_SECRET = "correct-horse-battery-staple-2"


@pytest.fixture
def stack(swarm: Swarm) -> Iterator[Stack]:
    with stack_of(swarm, "versions") as made:
        yield made


def wanted(secret: str = SECRET, config: str = "level: info\n") -> Json:
    """Three services: one reads a secret, one a config, one neither."""
    return {
        "secrets": [{"name": "password", "content": secret}],
        "configs": [{"name": "settings", "content": config}],
        "services": [
            service("reader", secrets=[{"source": "password"}]),
            service("listener", configs=[{"source": "settings", "target": "/etc/settings.yml"}]),
            service("bystander"),
        ],
    }


def task_ids(stack: Stack) -> dict[str, list[str]]:
    """The running tasks of each service."""
    return {name: stack.tasks(name) for name in ("reader", "listener", "bystander")}


def test_a_changed_secret_or_config_rolls_only_its_users(stack: Stack):
    stack.apply(**wanted())
    first = task_ids(stack)
    assert all(len(ids) == 1 for ids in first.values()), "the module returned before its services ran"
    assert stack.inside("reader", "cat /run/secrets/password") == SECRET

    predicted = stack.apply(check_mode=True, **wanted(NEXT_SECRET))
    result = stack.apply(**wanted(NEXT_SECRET))
    assert predicted["changes"] == result["changes"]
    assert [triple[:2] for triple in triples(result)] == [("create", "secret"), ("update", "service")]
    second = task_ids(stack)
    assert second["reader"] != first["reader"]
    assert (second["listener"], second["bystander"]) == (first["listener"], first["bystander"])
    assert stack.inside("reader", "cat /run/secrets/password") == NEXT_SECRET

    stack.apply(**wanted(NEXT_SECRET, "level: debug\n"))
    third = task_ids(stack)
    assert third["listener"] != second["listener"]
    assert (third["reader"], third["bystander"]) == (second["reader"], second["bystander"])
    assert stack.inside("listener", "cat /etc/settings.yml") == "level: debug"


def test_docker_service_rollback_finds_the_former_secret(stack: Stack):
    stack.apply(**wanted())
    stack.apply(**wanted(NEXT_SECRET))
    stack.swarm.manager.docker("service", "rollback", "--detach=false", "--quiet", f"{stack.name}_reader")
    assert stack.inside("reader", "cat /run/secrets/password") == SECRET
    # What was rolled back by hand is a drift, which the next run repairs.
    result = stack.apply(**wanted(NEXT_SECRET))
    assert [triple[:2] for triple in triples(result)] == [("update", "service")]
    assert stack.inside("reader", "cat /run/secrets/password") == NEXT_SECRET


def test_old_versions_are_removed_and_those_of_a_rollback_kept(stack: Stack):
    names = []
    for number in range(4):
        result = stack.apply(**wanted(f"{SECRET}-{number}"), keep_versions=1)
        spec = stack.spec("reader")
        names.append(spec["TaskTemplate"]["ContainerSpec"]["Secrets"][0]["SecretName"])
        # What runs, what `docker service rollback` goes back to, and one more.
        assert stack.names("secret") == sorted(names[-3:])
    assert len(set(names)) == 4
    assert result["removed_versions"] == [{"kind": "secret", "name": names[0]}]
    assert [item["name"] for item in result["kept_versions"]] == sorted(names[1:3])
    # Back to a content that is still there: the version is found, not made again.
    again = stack.apply(**wanted(f"{SECRET}-2"), keep_versions=1)
    assert [triple[:2] for triple in triples(again) if triple[0] != "delete"] == [("update", "service")]
    assert stack.inside("reader", "cat /run/secrets/password") == f"{SECRET}-2"


def test_nobody_can_guess_a_secret_from_its_name(stack: Stack):
    stack.apply(**wanted())
    with_this_key = stack.names("secret")
    assert re.fullmatch(rf"{stack.name}_password_[0-9a-f]{{12}}", with_this_key[0])
    result = stack.apply(**wanted(), hash_key="another-hash-key-0123456789abcdef0123")
    assert ("create", "secret") in [triple[:2] for triple in triples(result)]
    assert stack.names("secret") != with_this_key


FOREIGN = f"""
set -e
docker network create -d overlay versions_theirs >/dev/null
docker network create -d overlay --label com.docker.stack.namespace=versions_two versions_two_net >/dev/null
printf x | docker secret create versions_password_0123456789ab - >/dev/null
printf x | docker secret create versions_password - >/dev/null
printf x | docker secret create --label com.docker.stack.namespace=versions_two versions_two_password_0123456789ab - >/dev/null
printf x | docker config create versions_settings_0123456789ab - >/dev/null
docker service create -q -d --endpoint-mode dnsrr --replicas 0 --secret versions_password --network versions_theirs \
    --name versions_manual {IMAGE} >/dev/null
docker service create -q -d --endpoint-mode dnsrr --replicas 0 --label com.docker.stack.namespace=versions_two \
    --name versions_two_web {IMAGE} >/dev/null
"""


def test_what_others_made_is_never_touched(stack: Stack):
    stack.swarm.manager.run(FOREIGN)
    before = stack.swarm.objects()
    assert len(before["services"]) >= 2
    stack.apply(**wanted(), networks=[{"name": "ours"}])
    stack.apply(**wanted(NEXT_SECRET, "level: debug\n"), networks=[{"name": "ours"}], keep_versions=0)
    fewer = wanted(NEXT_SECRET)
    stack.apply(services=fewer["services"][2:], keep_versions=0)
    stack.apply(state="absent")
    assert stack.swarm.objects() == before


def test_a_foreign_object_of_a_wanted_name_is_not_taken_over(stack: Stack):
    manager = stack.swarm.manager
    manager.docker(
        "service",
        "create",
        "-q",
        "-d",
        "--endpoint-mode=dnsrr",
        "--replicas=0",
        "--name",
        f"{stack.name}_bystander",
        IMAGE,
    )
    message = stack.refused(services=[service("bystander")])
    assert f"{stack.name}_bystander" in message


def test_unchanged_means_no_write(stack: Stack):
    stack.apply(**wanted())
    before = stack.swarm.objects()
    result = stack.apply(**wanted())
    assert (result["changed"], result["changes"], result["api_writes"]) == (False, [], 0)
    assert result["api_reads"] <= 5
    assert stack.swarm.objects() == before
    assert [(item["name"], item["state"]) for item in result["services"]] == [
        (f"{stack.name}_{name}", "converged") for name in ("reader", "listener", "bystander")
    ]


WATCH = """
import glob, os, pathlib
secret, found = input().encode(), set()
while not os.path.exists("/tmp/frontdesk-stop"):
    for name in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            text = pathlib.Path(name).read_bytes()
        except OSError:
            continue
        if secret in text:
            found.add(name)
os.unlink("/tmp/frontdesk-stop")
print(sorted(found))
"""


@contextlib.contextmanager
def watched_processes(node: Node, text: str) -> Iterator[list[str]]:
    """Look for a text in the command lines and environments of all processes; what was found is there at the end."""
    found: list[str] = []
    watcher = node.start(shlex.join(["python3", "-c", WATCH]))
    assert watcher.stdin
    watcher.stdin.write(f"{text}\n")
    watcher.stdin.flush()
    try:
        yield found
    finally:
        node.run("touch /tmp/frontdesk-stop")
        output, errors = watcher.communicate(timeout=60)
    assert watcher.returncode == 0, errors
    found += ast.literal_eval(output)


def test_a_secret_is_nowhere_but_in_the_secret(stack: Stack, tmp_path):
    """A play with -vvv, whose output and whose traces on the node are searched."""
    manager = stack.swarm.manager
    play = [
        {
            "hosts": manager.name,
            "gather_facts": False,
            "vars": {name: value for name, value in manager.variables.items() if value},
            "tasks": [
                # Of several lines, as a private key is: Ansible's own log writes such a text with escapes.
                {"name": "A stack", "frontdesk.platform.swarm_stack": stack.params(**wanted(f"---\n{secret}\n---\n"))}
                for secret in (SECRET, NEXT_SECRET)
            ],
        }
    ]
    path = tmp_path / "secret.yml"
    path.write_text(json.dumps(play))
    # Both secrets begin alike.
    with watched_processes(manager, SECRET[:-1]) as control:
        manager.run(f"python3 -c 'import time; time.sleep(1)' {SECRET}")
    assert control, "the watch does not see what it should"
    started = manager.run("date +%s").strip()
    with watched_processes(manager, SECRET[:-1]) as seen:
        arguments = [str(path), "-vvv", "--diff"]
        runs = [run_playbook(*arguments, *mode, inventory=stack.swarm.inventory) for mode in (["--check"], [])]
    assert seen == []
    for run in runs:
        assert run.returncode == 0, run.messages
        assert run.changes
        for secret in (SECRET[:-1], HASH_KEY):
            assert secret not in run.stdout + run.stderr

    eventually(lambda: stack.tasks("reader"), "the reader runs")
    node, container = stack.swarm.container(f"{stack.name}_reader")
    traces = {
        "services": manager.run("docker service ls -q | xargs docker service inspect"),
        "secrets": manager.run("docker secret ls -q | xargs docker secret inspect"),
        "configs": manager.run("docker config ls -q | xargs docker config inspect"),
        "container": node.docker("inspect", container),
        "journal": "".join(one.run(f"journalctl --since=@{started}") for one in stack.swarm.managers),
    }
    found = [place for place, text in traces.items() if SECRET[:-1] in text or HASH_KEY in text]
    assert found == []
    assert manager.run("ls -a /root/.ansible/tmp 2>/dev/null || true").split() in ([], [".", ".."])


def test_a_program_that_prints_its_secret_does_not_put_it_into_the_failure(stack: Stack):
    prints = shell("echo the password is $(cat /run/secrets/password); exit 3")
    deploy = {"restart_policy": {"delay": "1s"}}
    reader = service("reader", deploy, secrets=[{"source": "password"}], **prints)
    result = stack.run(services=[reader], secrets=[{"name": "password", "content": SECRET}])
    assert "the password is *****" in result["msg"]
    assert SECRET not in json.dumps(result)


def tag(name: str, like: str) -> str:
    """Let a tag in the registry be the image of another tag; its digest."""
    manifests = f"http://{REGISTRY}/v2/{IMAGE.split(':')[0]}/manifests"
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = requests.get(f"{manifests}/{like}", headers={"Accept": kind}, timeout=10)
    answer = requests.put(f"{manifests}/{name}", data=manifest.content, headers={"Content-Type": kind}, timeout=10)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Docker-Content-Digest"])


def test_an_image_is_pinned_when_its_reference_changes_and_not_looked_up_otherwise(stack: Stack):
    image = f"{IMAGE.split(':')[0]}:moving"

    def pinned() -> str:
        shown: str = stack.spec("web")["TaskTemplate"]["ContainerSpec"]["Image"]
        return shown.removeprefix("docker.io/")

    first = tag("moving", "1")
    stack.apply(services=[service("web", image=image)])
    assert pinned() == f"{image}@{first}"
    second = tag("moving", "2")
    assert second != first
    unchanged = stack.apply(services=[service("web", image=image)])
    assert (unchanged["changed"], unchanged["api_writes"]) == (False, 0)
    predicted = stack.apply(check_mode=True, services=[service("web", image=image)], resolve_images="always")
    result = stack.apply(services=[service("web", image=image)], resolve_images="always")
    assert predicted["changes"] == result["changes"]
    assert pinned() == f"{image}@{second}"
    assert not stack.apply(services=[service("web", image=image)], resolve_images="always")["changed"]
    # A digest is compared whole, and nobody has to be asked for it.
    stack.apply(services=[service("web", image=f"{image}@{first}")])
    assert pinned() == f"{image}@{first}"
    stack.apply(services=[service("web", image=IMAGE)], resolve_images="never")
    assert pinned() == IMAGE
