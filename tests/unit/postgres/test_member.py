# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in the containers of role postgres: guards, etcd's members, and Patroni's configuration."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "roles/postgres/files/image"))

from member import etcd  # noqa: E402 - needs the path above
from member.configuration import NETWORK, cluster_networks, compose, hba_lines  # noqa: E402 - as above
from member.description import Description, Refusal, read_description  # noqa: E402 - as above
from member.guard import Found, check_cluster, check_volume, look, set_aside_incomplete  # noqa: E402 - as above
from member.store import Store, StoreError  # noqa: E402 - as above
from member.web import Unreachable  # noqa: E402 - as above

MARKER = {"cluster": "main", "member": "pg-a", "identifier": "1"}
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth1\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001C80A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth1\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def description(*servers: str) -> Description:
    patroni = {"users": {"superuser": "postgres"}, "initdb": [], "bin_dir": "/bin", "parameters": {"ssl": "x"}}
    return Description(
        "main", "a", servers or ("a", "b", "c"), patroni, {"heartbeat-interval": 250}, ("local all", f"host {NETWORK}")
    )


# Guards.


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (Found(True, "1", None), "it has no marker"),
        (Found(True, "1", {**MARKER, "cluster": "other"}), "belongs to pg-a in cluster other"),
        (Found(False, "", {**MARKER, "member": "pg-b"}), "belongs to pg-b in cluster main"),
        (Found(True, "2", MARKER), "has the system identifier 2, and its volume is marked with 1"),
    ],
)
def test_a_volume_that_is_not_its_own_is_refused(found: Found, part: str) -> None:
    with pytest.raises(Refusal, match=part):
        check_volume(found, "main", "pg-a")


@pytest.mark.parametrize(
    "found", [Found(False, "", None), Found(True, "1", MARKER), Found(True, "", {**MARKER, "identifier": ""})]
)
def test_its_own_volume_is_taken(found: Found) -> None:
    check_volume(found, "main", "pg-a")


def test_an_empty_volume_of_a_member_with_data_is_refused() -> None:
    with pytest.raises(Refusal, match="postgres_rebuild"):
        check_cluster(Found(False, "", None), "pg-a", recorded="1", identifier="1")


def test_data_of_another_cluster_is_refused() -> None:
    with pytest.raises(Refusal, match="old or foreign folder"):
        check_cluster(Found(True, "2", MARKER), "pg-a", recorded="1", identifier="1")


@pytest.mark.parametrize(
    ("found", "recorded", "identifier"),
    [
        (Found(False, "", None), "", "1"),  # a new member
        (Found(False, "", MARKER), "1", "1"),  # a copy that was broken off
        (Found(True, "1", MARKER), "1", ""),  # etcd has lost its state
    ],
)
def test_a_member_that_may_start(found: Found, recorded: str, identifier: str) -> None:
    check_cluster(found, "pg-a", recorded, identifier)


def test_an_incomplete_copy_is_set_aside(tmp_path: Path) -> None:
    data, marker = tmp_path / "data", tmp_path / "member.json"
    assert look(data, marker) == Found(False, "", None)
    marker.write_text(json.dumps(MARKER))
    for _twice in range(2):
        data.mkdir()
        (data / "PG_VERSION").write_text("17")
        assert set_aside_incomplete(look(data, marker), data)
        assert not data.exists()
    assert (tmp_path / "data.incomplete/PG_VERSION").exists()


def test_data_without_a_marker_is_never_moved(tmp_path: Path) -> None:
    assert not set_aside_incomplete(Found(True, "", None), tmp_path)
    assert not set_aside_incomplete(Found(False, "", MARKER), tmp_path)


# etcd.


class Etcd:
    """Its gateway, with keys in memory; hosts in `down` do not answer."""

    def __init__(self, *down: str, status: int = 200) -> None:
        self.keys: dict[str, str] = {}
        self.leases: list[str] = []
        self.down, self.status = down, status

    def __call__(self, method: str, host: str, port: int, path: str, body: str) -> tuple[int, str]:
        if host in self.down:
            raise Unreachable("refused")
        given = {
            name: base64.b64decode(value).decode() if name != "lease" else value
            for name, value in json.loads(body).items()
            if name != "TTL"
        }
        answer: Any = {}
        if path == "/v3/kv/range" and given["key"] in self.keys:
            answer = {"kvs": [{"value": base64.b64encode(self.keys[given["key"]].encode()).decode()}]}
        elif path == "/v3/kv/put":
            self.keys[given["key"]] = given["value"]
            self.leases.append(given.get("lease", ""))
        elif path == "/v3/kv/deleterange":
            self.keys.pop(given["key"], None)
        elif path == "/v3/lease/grant":
            answer = {"ID": "7"}
        return self.status, json.dumps(answer)


def test_the_store_keeps_who_has_data_and_who_may_begin() -> None:
    server = Etcd("etcd-a")
    store = Store(description().etcd_hosts, "main", server)
    assert (store.is_begun(), store.system_identifier(), store.permission(), store.recorded("pg-a")) == (
        False,
        "",
        None,
        "",
    )
    server.keys["/service/main/initialize"] = ""
    assert (store.is_begun(), store.system_identifier()) == (True, "")
    store.record("pg-a", "1")
    assert store.recorded("pg-a") == "1"
    store.forget("pg-a")
    assert store.recorded("pg-a") == ""
    store.permit({"ttl": 20}, 60)
    assert store.permission() == {"ttl": 20}
    assert server.leases == ["", "7"]


def test_a_store_without_an_answer_says_why() -> None:
    with pytest.raises(StoreError, match="etcd-a: refused; etcd-b: status 503"):
        Store(["etcd-a", "etcd-b"], "main", Etcd("etcd-a", status=503)).is_begun()


LISTED = {
    "members": [
        {"ID": 10, "name": "etcd-a", "peerURLs": ["https://etcd-a:2380"], "clientURLs": ["https://etcd-a:2379"]},
        {"ID": 11, "name": "etcd-b", "peerURLs": ["https://etcd-b:2380"]},
        {"ID": 12, "peerURLs": ["https://etcd-c:2380"]},
    ]
}


def test_members_that_the_others_know() -> None:
    assert (etcd.lost_member(LISTED, "a"), etcd.lost_member(LISTED, "b"), etcd.lost_member(None, "a")) == ("a", "", "")
    assert (etcd.is_waiting(LISTED, "c"), etcd.is_waiting(LISTED, "a"), etcd.is_waiting(None, "c")) == (
        True,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("server", "there", "state", "asked"),
    [
        ("a", True, "new", []),
        ("a", False, "existing", ["list", "remove", "add"]),
        ("b", False, "new", ["list"]),
        ("c", False, "existing", ["list"]),
    ],
)
def test_how_a_member_of_etcd_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str, there: bool, state: str, asked: list[str]
) -> None:
    calls = []

    def control(described: Description, *words: str) -> Any:
        calls.append(words[1])
        return LISTED

    monkeypatch.setattr(etcd, "control", control)
    if there:
        (tmp_path / "member").mkdir()
    given = description()
    words = etcd.command(
        Description(given.cluster, server, given.servers, given.patroni, given.etcd, given.hba), tmp_path
    )
    assert f"--initial-cluster-state={state}" in words
    assert "--heartbeat-interval=250" in words
    assert calls == asked


def test_a_single_member_of_etcd_asks_nobody(tmp_path: Path) -> None:
    words = etcd.command(description("a"), tmp_path)
    assert "--initial-cluster=etcd-a=https://etcd-a:2380" in words


# Patroni.


def test_the_network_of_the_cluster_is_not_the_bridge_of_the_node() -> None:
    assert cluster_networks(ROUTES) == ["10.200.1.0/24"]


def test_rules_for_the_network_are_written_for_each() -> None:
    assert hba_lines(["a", f"b {NETWORK}"], ["1", "2"]) == ["a", "b 1", "b 2"]


@pytest.mark.parametrize(("settings", "dcs"), [({"ttl": 20}, {"ttl": 20}), (None, {})])
def test_the_configuration_of_patroni(settings: Any, dcs: Any) -> None:
    whole = compose(description(), lambda name: f"secret-{name}", ["10.1.0.0/24"], settings)
    assert whole["bootstrap"]["dcs"] == dcs
    assert whole["name"] == "pg-a"
    assert whole["etcd3"]["hosts"] == ["etcd-a:2379", "etcd-b:2379", "etcd-c:2379"]
    assert whole["postgresql"]["pg_hba"] == ["local all", "host 10.1.0.0/24"]
    assert whole["postgresql"]["authentication"]["superuser"]["password"] == "secret-superuser"
    assert whole["restapi"]["verify_client"] == "optional"


def test_the_description_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "member.json"
    path.write_text(json.dumps({"cluster": "main", "servers": ["a", "b"], "patroni": {}, "etcd": {}, "hba": []}))
    monkeypatch.setenv("SERVER", "b")
    found = read_description(path)
    assert (found.member, found.etcd_hosts) == ("pg-b", ("etcd-b", "etcd-a"))
