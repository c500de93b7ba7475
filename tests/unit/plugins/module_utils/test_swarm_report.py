# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What swarm_info makes of the engine's documents."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_report import certificate_end, read
from tests.swarm_engine import CLUSTER, FakeEngine, node, overlay, service, task

# Made by an engine, and one by OpenSSL whose end lies beyond 2049 (the other form of time).
CA = """-----BEGIN CERTIFICATE-----
MIIBaTCCARCgAwIBAgIUOyUOU9RndQJ+Vf2P/Ke1RxkVdAYwCgYIKoZIzj0EAwIw
EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMTIzMDgyOTAwWhcNNDYxMTE4MDgy
OTAwWjATMREwDwYDVQQDEwhzd2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABM7Q8qv7LZjLND1jT9C9XceT5BuGYp54BPoiPspuJN4zXHbyG9gE53lokUUu
ZZ5N2i4YfIOlBjX8NB2XyUhI2nqjQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMB
Af8EBTADAQH/MB0GA1UdDgQWBBSd0XYmfircRVssN7fZrZd1w2tiLzAKBggqhkjO
PQQDAgNHADBEAiAPg+n+3GEZqPMo06ombYmZalK96avS5RWVQSGePDEpegIgFyit
rOQhg0gX4fabZL+LboHi8V6uhrEmZYUvvAmpuL4=
-----END CERTIFICATE-----
"""
LONG = """-----BEGIN CERTIFICATE-----
MIIBcDCCARWgAwIBAgIUVmbXIdsl+0ZCiP8gzIrG9N2zGAowCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBeDAgFw0yNjExMjMwODQxMDVaGA8yMDgxMDgyNjA4NDEwNVow
DDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCTF3T/ZcyBY
+LbQ8ci8c8clfiP+db5rtL56MBxH6iVtf2l7mdPiVDufazlUCahe+f6d0DcA680M
aoj3lXKSN02jUzBRMB0GA1UdDgQWBBSbd3jy+xV4cfpZ9mDrtPzcd5U67zAfBgNV
HSMEGDAWgBSbd3jy+xV4cfpZ9mDrtPzcd5U67zAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0kAMEYCIQDOkR7thSlD60nc+4/ApQx4GFtzPZh5KBWdhCH5R5y3
mAIhAL5TrPhDS8BQtFn+tWn3Gf8Q8rjAz6LLySD0Ak7bvRVs
-----END CERTIFICATE-----
"""


def described(engine: FakeEngine) -> Json:
    found = read(engine)  # type: ignore[arg-type]
    assert engine.writes == 0
    return found


def test_the_cluster_without_its_tokens() -> None:
    engine = FakeEngine(node("web-1"))
    assert engine.swarm is not None
    engine.swarm["TLSInfo"] = {"TrustRoot": CA}
    found = described(engine)
    assert found["cluster"] == {
        "id": CLUSTER,
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-02T00:00:00Z",
        "address_pools": ["10.200.0.0/16"],
        "subnet_size": 24,
        "data_path_port": 4789,
        "task_history_limit": 5,
        "node_certificate_days": 90.0,
        "autolock": False,
        "ca_expires": "2046-11-18T08:29:00+00:00",
    }
    assert "SWMTKN" not in str(found)
    assert engine.reads == 6


def test_nodes_by_name_with_what_runs_on_them() -> None:
    leader = node("web-2", ManagerStatus={"Leader": True, "Reachability": "reachable"})
    lost = node("web-1", ManagerStatus={"Reachability": "unreachable"}, Status={"State": "down"})
    engine = FakeEngine(leader, lost, node("web-3", "worker", spec={"Labels": {"a": "b"}, "Availability": "drain"}))
    engine.tasks = [task("page", "web-2"), task("page", "web-2"), task("page", "web-3", "preparing")]
    found = {item["name"]: item for item in described(engine)["nodes"]}
    assert list(found) == ["web-1", "web-2", "web-3"]
    assert [(item["leader"], item["reachable"], item["tasks"]) for item in found.values()] == [
        (False, False, 0), (True, True, 2), (False, None, 0),
    ]  # fmt: skip
    assert found["web-3"] == {
        "id": "id-web-3",
        "name": "web-3",
        "role": "worker",
        "availability": "drain",
        "state": "ready",
        "leader": False,
        "reachable": None,
        "address": "10.0.0.3",
        "engine_version": "26.1.5",
        "labels": {"a": "b"},
        "tasks": 0,
    }


def test_a_service_that_runs_too_few_tells_the_newest_error() -> None:
    engine = FakeEngine(node("web-1"))
    update = {"State": "updating", "Message": "update in progress"}
    engine.services = [{**service("page", 2), "UpdateStatus": update}, service("agent", None), service("calm", 1)]
    old, new = (task("page", "web-1", "failed", "shutdown", error) for error in ("old", "new"))
    new["Status"]["Timestamp"] = "2026-01-03T00:00:00Z"
    past = task("calm", "web-1", "failed", "shutdown", "long ago")
    engine.tasks = [
        task("page", "web-1"),
        task("agent", "web-1"),
        task("agent", "web-2", "starting"),
        task("calm", "web-1"),
        new,
        old,
        past,
    ]
    page, agent, calm = (
        next(item for item in described(engine)["services"] if item["name"] == name)
        for name in ("page", "agent", "calm")
    )
    assert page == {
        "name": "page",
        "image": "page:1",
        "mode": "replicated",
        "wanted": 2,
        "running": 1,
        "update": "updating",
        "update_message": "update in progress",
        "nodes": ["web-1"],
        "error": "new",
    }
    assert (agent["mode"], agent["wanted"], agent["running"], agent["error"]) == ("global", 2, 1, None)
    assert (calm["error"], calm["update"]) == (None, None)


@pytest.mark.parametrize(("state", "running"), [("complete", 1), ("failed", 0), ("running", 1)])
def test_a_job_that_ended_well_lacks_nothing(state: str, running: int) -> None:
    engine = FakeEngine(node("web-1"))
    job = service("migrate", 1, Labels={"frontdesk.platform/job": "true"})
    engine.services = [job]
    template = job["Spec"]["TaskTemplate"]
    made = {"Spec": template, "Slot": 1, "ID": "t1", "CreatedAt": "2026-01-01T00:00:00Z"}
    engine.tasks = [{**task("migrate", "web-1", state, "shutdown" if state != "running" else "running"), **made}]
    found = described(engine)["services"][0]
    assert (found["mode"], found["wanted"], found["running"]) == ("replicated-job", 1, running)


def test_overlay_networks_alone() -> None:
    subnets = {"IPAM": {"Config": [{"Subnet": "10.200.1.0/24"}]}}
    engine = FakeEngine(
        node("web-1"), networks=(overlay("edge", **subnets), {**overlay("x"), "Id": "b", "Driver": "bridge"})
    )
    assert described(engine)["networks"] == [
        {
            "name": "edge",
            "id": "net-edge",
            "mtu": 1450,
            "attachable": False,
            "internal": False,
            "encrypted": False,
            "container_mtu": 1400,
            "ingress": False,
            "subnets": ["10.200.1.0/24"],
        }
    ]


def test_ends_of_certificates() -> None:
    assert certificate_end(CA) == "2046-11-18T08:29:00+00:00"
    assert certificate_end(LONG) == "2081-08-26T08:41:05+00:00"


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_has_no_end(text: str) -> None:
    assert certificate_end(text) is None


@given(st.data())
def test_a_broken_certificate_is_no_error(data: st.DataObject) -> None:
    body = bytearray(base64.b64decode("".join(CA.splitlines()[1:-1])))
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    text = base64.b64encode(bytes(body[:cut])).decode()
    certificate_end(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----")
