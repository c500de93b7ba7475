# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of hetzner_known_hosts against the lab cloud; ssh-keyscan is a program that answers from a file."""

from __future__ import annotations

import base64
import itertools
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_host_keys import (
    Entry,
    address_of,
    host_names,
    parse_known_hosts,
    scanned_keys,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import HOST_KEY_LABEL, host_key_digest
from tests.hetzner_runs import Project, Result, run_module, triples, use_quick_clock
from tests.lab_cloud import LabCloud

NUMBERS = itertools.count(1)
OWNER = {"frontdesk.platform/owner": "test"}
KEYSCAN = """#!/bin/sh
# Writes down that it was called, then answers for the addresses it knows.
echo "$@" >> {folder}/asked
while [ $# -gt 0 ]; do
    [ -f "{folder}/$1" ] && cat "{folder}/$1"
    shift
done
exit 1
"""


def key_text(seed: int) -> str:
    return base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([seed]) * 32).decode()


def digest(seed: int) -> str:
    return host_key_digest(base64.b64decode(key_text(seed)))


class Operator:
    """Somebody with a file of his own and a network that leads to the servers."""

    def __init__(self, project: Project, folder: Path, network: Path) -> None:
        self.project = project
        self.file = folder / "ssh" / "known_hosts"
        self.network = network

    def run(self, check_mode: bool = False, **options: Any) -> Result:
        result = self.try_run(check_mode, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def try_run(self, check_mode: bool = False, **options: Any) -> Result:
        selector = {} if "label_selector" in options else {"owner": "test"}
        params = {**self.project.connection, "path": str(self.file), "wait_timeout": 0, **selector, **options}
        return run_module("hetzner_known_hosts", params, check_mode)

    def answers(self, server: dict[str, Any], seed: int) -> None:
        """The server at this address shows that key."""
        address = server["public_net"]["ipv4"]["ip"]
        (self.network / address).write_text(f"# {address}:22 SSH\n{address} ssh-ed25519 {key_text(seed)}\n")

    def asked(self) -> int:
        """How often the program ran."""
        return len((self.network / "asked").read_text().splitlines()) if (self.network / "asked").exists() else 0

    def label(self, name: str) -> str | None:
        found: str | None = self.project.live("servers", name)["labels"].get(HOST_KEY_LABEL)
        return found


@pytest.fixture
def operator(lab: LabCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    use_quick_clock(monkeypatch)
    network = tmp_path / "network"
    network.mkdir()
    program = tmp_path / "bin" / "ssh-keyscan"
    program.parent.mkdir()
    program.write_text(KEYSCAN.format(folder=network))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    project = Project(lab, f"project-{next(NUMBERS)}", servers={"count": 2, "labels": OWNER, "prefix": "web"})
    found = Operator(project, tmp_path, network)
    for seed, server in enumerate(servers(found), start=1):
        found.answers(server, seed)
    return found


def servers(operator: Operator) -> list[dict[str, Any]]:
    return sorted(operator.project.all("servers"), key=lambda item: str(item["name"]))


def new_server(operator: Operator, name: str) -> dict[str, Any]:
    body = {"name": name, "server_type": "cx23", "image": "debian-13", "location": "fsn1", "labels": OWNER}
    operator.project.api("POST", "/servers", body)
    return operator.project.live("servers", name)


def test_check_mode_tells_what_the_run_then_does(operator: Operator) -> None:
    told = operator.run(check_mode=True)
    assert not operator.file.exists()
    assert operator.asked() == 0
    assert operator.project.writes() == []
    done = operator.run()
    assert triples(told) == triples(done)
    assert triples(done) == [
        ("update", "server", "web-0001"),
        ("create", "known_host", "web-0001"),
        ("update", "server", "web-0002"),
        ("create", "known_host", "web-0002"),
    ]
    assert done["changes"][1]["after"]["digest"] == digest(1)


def test_check_mode_sees_through_the_changes_planned_before(operator: Operator) -> None:
    operator.run()
    planned = [
        {"action": "create", "kind": "server", "name": "web-0003"},
        {"action": "delete", "kind": "server", "name": "web-0002"},
        {"action": "create", "kind": "network", "name": "web-0004"},
    ]
    told = operator.run(check_mode=True, prune=True, planned=planned)
    doomed = operator.project.live("servers", "web-0002")
    operator.project.api("DELETE", f"/servers/{doomed['id']}")
    operator.answers(new_server(operator, "web-0003"), 3)
    done = operator.run(prune=True, planned=planned)
    assert sorted(triples(told)) == sorted(triples(done))
    assert ("delete", "known_host", "web-0002") in triples(done)


def test_file_and_labels(operator: Operator) -> None:
    operator.run()
    first = servers(operator)[0]
    line = operator.file.read_text().splitlines()[0]
    assert line.startswith(
        f"{first['public_net']['ipv4']['ip']},web-0001 ssh-ed25519 {key_text(1)} frontdesk.platform "
    )
    assert stat.S_IMODE(operator.file.stat().st_mode) == 0o600
    assert operator.label("web-0001") == digest(1)
    assert operator.label("web-0002") == digest(2)
    assert servers(operator)[0]["labels"]["frontdesk.platform/owner"] == "test"


def test_a_second_run_costs_one_request_and_asks_nobody(operator: Operator) -> None:
    operator.run()
    asked, text, stamp = operator.asked(), operator.file.read_text(), operator.file.stat().st_mtime_ns
    result = operator.run()
    assert (result["changed"], result["api_calls"], operator.asked()) == (False, 1, asked)
    assert (operator.file.read_text(), operator.file.stat().st_mtime_ns) == (text, stamp)


def test_a_second_operator_verifies_against_the_label(operator: Operator, tmp_path: Path) -> None:
    operator.run()
    second = Operator(operator.project, tmp_path / "second", operator.network)
    assert triples(second.run()) == [("create", "known_host", "web-0001"), ("create", "known_host", "web-0002")]
    assert second.file.read_text() == operator.file.read_text()


def test_somebody_in_between_stops_the_second_operator(operator: Operator, tmp_path: Path) -> None:
    operator.run()
    second = Operator(operator.project, tmp_path / "second", operator.network)
    second.answers(servers(operator)[0], 99)
    result = second.try_run()
    assert "web-0001" in result["msg"]
    assert "another host key" in result["msg"]
    assert result["changes"] == []
    assert not second.file.exists()


def test_a_changed_label_stops_the_run(operator: Operator) -> None:
    operator.run()
    text = operator.file.read_text()
    live = servers(operator)[0]
    labels = {**live["labels"], HOST_KEY_LABEL: digest(77)}
    operator.project.api("PUT", f"/servers/{live['id']}", {"labels": labels})
    for check_mode in (True, False):
        assert "is not the one in its label" in operator.try_run(check_mode)["msg"]
    assert operator.file.read_text() == text


def test_killed_after_the_label(operator: Operator) -> None:
    operator.run()
    operator.file.unlink()
    assert triples(operator.run()) == [("create", "known_host", "web-0001"), ("create", "known_host", "web-0002")]


def test_a_lost_label_is_written_again_if_the_server_still_has_the_key(operator: Operator) -> None:
    operator.run()
    live = servers(operator)[0]
    operator.project.api("PUT", f"/servers/{live['id']}", {"labels": OWNER})
    assert triples(operator.run()) == [("update", "server", "web-0001")]
    assert operator.label("web-0001") == digest(1)
    operator.project.api("PUT", f"/servers/{live['id']}", {"labels": OWNER})
    operator.answers(live, 99)
    assert "the file says" in operator.try_run()["msg"]
    assert operator.label("web-0001") is None


def test_a_new_server_takes_over_name_and_address(operator: Operator) -> None:
    operator.run()
    old = servers(operator)[0]
    operator.project.api("DELETE", f"/servers/{old['id']}")
    new = new_server(operator, "web-0001")
    operator.answers(new, 50)
    result = operator.run()
    assert ("delete", "known_host", "web-0001") in triples(result)
    assert ("create", "known_host", "web-0001") in triples(result)
    text = operator.file.read_text()
    assert key_text(50) in text
    assert key_text(1) not in text


def test_the_same_number_again_is_another_server(operator: Operator) -> None:
    # A lab that was thrown away counts from the start.
    operator.run()
    old = operator.file.read_text()
    operator.file.write_text(old.replace("@2", "@1"))
    result = operator.run()
    assert ("create", "known_host", "web-0001") in triples(result)
    assert operator.file.read_text() == old


def test_gone_servers_are_forgotten_when_allowed(operator: Operator) -> None:
    operator.run()
    operator.project.api("DELETE", f"/servers/{servers(operator)[1]['id']}")
    assert operator.run()["changes"] == []
    told = operator.run(check_mode=True, prune=True)
    done = operator.run(prune=True)
    assert triples(told) == triples(done) == [("delete", "known_host", "web-0002")]
    assert "web-0002" not in operator.file.read_text()


def test_lines_of_others_stay_where_they_are(operator: Operator) -> None:
    others = "|1|hashed= ssh-rsa AAAA\n\n# a comment\ngithub.com ssh-ed25519 AAAA me frontdesk.platform\n"
    operator.file.parent.mkdir()
    operator.file.write_text(others)
    operator.run()
    assert operator.file.read_text().startswith(others)
    other_owner = operator.run(prune=True, label_selector="nothing=here")
    assert other_owner["changes"] == [], "prune is for the lines of the same call"


def test_a_file_behind_a_link_is_changed_where_it_is(operator: Operator, tmp_path: Path) -> None:
    real = tmp_path / "real"
    operator.file.parent.mkdir()
    operator.file.symlink_to(real)
    operator.run()
    assert operator.file.is_symlink()
    assert "web-0001" in real.read_text()


def test_silent_servers_are_named_and_the_others_recorded(operator: Operator) -> None:
    silent = new_server(operator, "web-9")
    result = operator.try_run()
    assert "web-9" in result["msg"]
    assert "web-0001" not in result["msg"]
    assert len(result["changes"]) == 4
    assert key_text(1) in operator.file.read_text()
    operator.answers(silent, 9)
    assert triples(operator.run()) == [("update", "server", "web-9"), ("create", "known_host", "web-9")]


def test_a_server_that_starts_is_waited_for(operator: Operator) -> None:
    late = servers(operator)[0]["public_net"]["ipv4"]["ip"]
    answer = (operator.network / late).read_text()
    (operator.network / late).unlink()
    # It answers when it was asked for the third time.
    (operator.network / "asked").touch()
    keyscan = Path(os.environ["PATH"].split(os.pathsep)[0]) / "ssh-keyscan"
    patience = (
        f'[ "$(wc -l < {operator.network}/asked)" -ge 3 ] && cp {operator.network}/late {operator.network}/{late}'
    )
    (operator.network / "late").write_text(answer)
    keyscan.write_text(keyscan.read_text().replace("while", f"{patience}\nwhile", 1))
    assert len(operator.run(wait_timeout=600)["changes"]) == 4
    assert operator.asked() == 3


def test_switched_off_servers_are_skipped_with_a_warning(operator: Operator, capfd: pytest.CaptureFixture[str]) -> None:
    first, second = servers(operator)
    operator.project.api("POST", f"/servers/{first['id']}/actions/poweroff")
    result = operator.run()
    assert [item["name"] for item in result["passed_over"]] == ["web-0001"]
    assert "The host key of web-0001 is not recorded" in capfd.readouterr().err
    assert triples(result)[-1] == ("create", "known_host", second["name"])


def test_another_port(operator: Operator) -> None:
    first = servers(operator)[0]["public_net"]["ipv4"]["ip"]
    (operator.network / first).write_text(f"[{first}]:2222 ssh-ed25519 {key_text(1)}\n")
    operator.run(port=2222)
    assert f"[{first}]:2222,[web-0001]:2222 ssh-ed25519" in operator.file.read_text()


def test_private_addresses(operator: Operator) -> None:
    for seed, server in enumerate(servers(operator), start=1):
        address = server["private_net"][0]["ip"]
        (operator.network / address).write_text(f"{address} ssh-ed25519 {key_text(seed)}\n")
    operator.run(address="private")
    assert f"{servers(operator)[0]['private_net'][0]['ip']},web-0001" in operator.file.read_text()


def test_a_file_that_cannot_be_written(operator: Operator) -> None:
    operator.file.mkdir(parents=True)
    assert "Cannot use" in operator.try_run()["msg"]


@pytest.mark.parametrize("selection", [{}, {"owner": ""}, {"owner": None}, {"owner": "test", "label_selector": "a=b"}])
def test_one_selection(selection: dict[str, Any], operator: Operator) -> None:
    params = {**operator.project.connection, "path": str(operator.file), **selection}
    assert run_module("hetzner_known_hosts", params)["failed"]


def test_error_of_the_api(operator: Operator) -> None:
    result = operator.try_run(api_token="wrong-token")
    assert "unauthorized" in result["msg"]
    assert "wrong-token" not in json.dumps(result)


class TestFormat:
    ENTRY = Entry(("192.0.2.1", "web-1"), key_text(1), "42@2026-11-23T00:00:00+00:00", "a=b,c in (d)")

    def test_what_is_written_is_read(self) -> None:
        known = parse_known_hosts(f"{self.ENTRY.line()}\nother line\n")
        assert known.entries == [self.ENTRY]
        assert known.others == ["other line"]
        assert parse_known_hosts(known.text()) == known

    @pytest.mark.parametrize("broken", ["ssh-ed25519 %%%", "ssh-rsa AAAA"])
    def test_a_line_that_is_almost_ours_is_not(self, broken: str) -> None:
        line = self.ENTRY.line().replace(f"ssh-ed25519 {key_text(1)}", broken)
        assert parse_known_hosts(line).others == [line]

    def test_sorted_by_name(self) -> None:
        known = parse_known_hosts("")
        known.entries = [self.ENTRY, Entry(("192.0.2.9", "app-1"), key_text(2), "1@x", "s")]
        assert known.text().index("app-1") < known.text().index("web-1")

    def test_answers_of_the_program(self) -> None:
        text = (
            "# comment\n192.0.2.1 ssh-ed25519 AAAA\n[192.0.2.2]:2222 ssh-ed25519 BBBB\n192.0.2.3 ssh-rsa CCCC\nshort\n"
        )
        assert scanned_keys(text) == {"192.0.2.1": "AAAA", "192.0.2.2": "BBBB"}

    def test_names(self) -> None:
        assert host_names("192.0.2.1", "web-1", 22) == ("192.0.2.1", "web-1")
        assert host_names("2001:db8::1", "web-1", 2222) == ("[2001:db8::1]:2222", "[web-1]:2222")

    @pytest.mark.parametrize(
        ("public", "private", "which", "address"),
        [
            ({"ipv4": {"ip": "192.0.2.1"}, "ipv6": {"ip": "2001:db8::/64"}}, [], "public", "192.0.2.1"),
            ({"ipv4": None, "ipv6": {"ip": "2001:db8::/64"}}, [], "public", "2001:db8::1"),
            ({"ipv4": None, "ipv6": None}, [{"ip": "10.0.0.2"}], "public", None),
            ({"ipv4": None, "ipv6": None}, [{"ip": "10.0.0.2"}], "private", "10.0.0.2"),
            ({"ipv4": {"ip": "192.0.2.1"}, "ipv6": None}, [], "private", None),
        ],
    )
    def test_address(self, public: Any, private: Any, which: str, address: str | None) -> None:
        assert address_of({"public_net": public, "private_net": private}, which) == address
