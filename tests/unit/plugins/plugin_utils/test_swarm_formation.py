# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How hosts form one cluster, and when they must not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.plugin_utils.swarm_formation import formation

MANAGERS = ["web-1", "web-2", "web-3"]
HOSTS = [*MANAGERS, "web-4"]


def report(host: str, role: str | None = None, cluster: str = "c1", leader: bool = True) -> dict[str, Any]:
    return {
        "name": host,
        "member": role is not None,
        "role": role,
        "id": f"id-{host}" if role else "",
        "cluster_id": cluster if role == "manager" and leader else "",
        "leader": leader,
        "managers": [f"10.0.0.{host[-1]}:2377"] if role else [],
    }


def reports(**roles: str | None) -> dict[str, dict[str, Any]]:
    return {f"web-{key[1:]}": report(f"web-{key[1:]}", role) for key, role in roles.items()}


def test_the_first_manager_begins_when_all_are_known_to_be_in_none() -> None:
    found = formation(reports(w1=None, w2=None, w3=None, w4=None), MANAGERS, HOSTS)
    assert found == {
        "fault": "",
        "speaker": "web-1",
        "init": "web-1",
        "missing": HOSTS,
        "joining": ["web-2", "web-3", "web-4"],
        "known": [],
        "managers": [],
        "cluster_id": "",
    }


def test_another_fingerprint_is_a_fault_of_a_known_cluster() -> None:
    found = reports(w1="manager", w2="worker", w3=None)
    found["web-1"]["fingerprint"] = "first"
    assert formation(found, MANAGERS, HOSTS, "first")["fault"] == ""
    assert formation(found, MANAGERS, HOSTS)["fault"] == ""
    refused = formation(found, MANAGERS, HOSTS, "second")
    assert "another master key" in refused["fault"]
    assert (refused["speaker"], refused["cluster_id"]) == ("web-1", "c1")


def test_a_cluster_without_a_fingerprint_takes_one() -> None:
    assert formation(reports(w1="manager"), MANAGERS, HOSTS, "first")["fault"] == ""


@pytest.mark.parametrize("silent", [["web-1"], ["web-3"], ["web-4"], ["web-1", "web-2"]])
def test_nobody_begins_while_one_is_silent(silent: list[str]) -> None:
    found = formation({host: report(host) for host in HOSTS if host not in silent}, MANAGERS, HOSTS)
    assert all(host in found["fault"] for host in silent)
    assert "second cluster" in found["fault"]


def test_a_manager_outside_of_the_play_counts_as_silent() -> None:
    assert "web-1, web-2 and web-3" in formation(reports(w4=None), MANAGERS, ["web-4"])["fault"]


def test_nobody_begins_without_managers() -> None:
    assert "swarm_managers names none" in formation(reports(w4=None), [], ["web-4"])["fault"]


def test_who_is_missing_joins_the_cluster_that_is_there() -> None:
    found = formation(reports(w1=None, w2="manager", w3="manager", w4=None), MANAGERS, HOSTS)
    assert (found["fault"], found["init"], found["speaker"]) == ("", "", "web-2")
    assert (found["missing"], found["joining"]) == (["web-1", "web-4"], ["web-1", "web-4"])
    assert (found["managers"], found["cluster_id"], found["known"]) == (
        ["10.0.0.2:2377"],
        "c1",
        ["id-web-2", "id-web-3"],
    )


def test_a_silent_host_does_not_stop_a_cluster_with_a_leader() -> None:
    found = formation(reports(w2="manager", w4="worker"), MANAGERS, HOSTS)
    assert (found["fault"], found["speaker"], found["missing"]) == ("", "web-2", [])


def test_a_manager_that_is_not_wanted_as_one_can_be_asked() -> None:
    assert formation(reports(w1=None, w4="manager"), ["web-1"], HOSTS)["speaker"] == "web-4"


def test_two_clusters_stop_everything() -> None:
    hosts = {
        **reports(w1="manager", w4=None),
        "web-2": report("web-2", "manager", "c2"),
        "web-3": report("web-3", "manager", "c2"),
    }
    assert "web-1 is in c1; web-2 and web-3 are in c2" in formation(hosts, MANAGERS, HOSTS)["fault"]


def test_a_lost_majority_is_told_with_those_who_are_silent() -> None:
    hosts = {"web-1": report("web-1", "manager", leader=False), "web-4": report("web-4", "worker")}
    fault = formation(hosts, MANAGERS, HOSTS)["fault"]
    assert "no leader" in fault
    assert "web-1 cannot decide alone (web-2 and web-3 did not answer" in fault
    hosts = {host: report(host, "manager", leader=False) for host in MANAGERS}
    assert "cannot decide alone. Services" in formation(hosts, MANAGERS, MANAGERS)["fault"]


@pytest.mark.parametrize(
    ("workers", "words"), [(["web-4"], "web-4 is a worker"), (["web-4", "web-5"], "web-4 and web-5 are workers")]
)
def test_workers_alone_cannot_tell(workers: list[str], words: str) -> None:
    fault = formation({host: report(host, "worker") for host in workers}, MANAGERS, workers)["fault"]
    assert words in fault
    assert "10.0.0.4:2377" in fault


STATES = st.sampled_from(["silent", "none", "worker", "manager", "lost"])


@given(st.dictionaries(st.sampled_from(HOSTS), STATES, min_size=1))
def test_a_cluster_begins_only_when_every_host_said_that_it_is_in_none(states: dict[str, str]) -> None:
    states = {host: states.get(host, "silent") for host in HOSTS}
    answered = {
        host: report(host, None if state == "none" else "manager" if state == "lost" else state, leader=state != "lost")
        for host, state in states.items()
        if state != "silent"
    }
    found = formation(answered, MANAGERS, HOSTS)
    begins = bool(found["init"]) and not found["fault"]
    assert begins == (set(states.values()) == {"none"})
    assert found["fault"] or found["speaker"] in answered
