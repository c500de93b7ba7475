# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL cluster under Patroni: what is written, what is restarted and in which order, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_exec import Outcome
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_model import (
    ClusterError,
    View,
    problems,
    setting_problems,
    view_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.patroni_run import (
    Cluster,
    Identity,
    LocalRunner,
    Task,
    Wanted,
    smallest_memory,
    with_tuning,
)
from tests.fake_patroni import IDENTIFIER, FakeClock, FakeCluster, FakeConfigs, setting

MEMBERS = ("pg-a", "pg-b", "pg-c")


def parameters(**values: Any) -> dict[str, Any]:
    return {"postgresql": {"parameters": values}}


def task(fake: FakeCluster, known: str = IDENTIFIER, check_mode: bool = False, **wanted: Any) -> Task:
    configs: Any = FakeConfigs(known)
    described = {"name": "postgres", "members": MEMBERS, "settings": {}, "timeout": 30.0, **wanted}
    return Task(Cluster(fake), Identity(configs, "postgres.identity"), Wanted(**described), check_mode, FakeClock())


def told(done: Task) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in done.changes]


def both(fake: FakeCluster, **wanted: Any) -> list[tuple[str, str, str]]:
    """What check mode says, which must write nothing, and the run afterwards does."""
    predicted = task(fake, check_mode=True, **wanted)
    predicted.run()
    assert fake.log == []
    done = task(fake, **wanted)
    done.run()
    assert told(done) == told(predicted)
    again = task(fake, **wanted)
    again.run()
    assert again.changes == []
    return told(done)


def test_a_cluster_begins_once_and_is_remembered() -> None:
    fake = FakeCluster(begun=False)
    done = task(fake, "", settings={"ttl": 20})
    view = done.run()
    assert told(done) == [("create", "cluster", "postgres"), ("create", "identity", "postgres.identity")]
    assert (view.leader, view.identifier) == ("pg-a", IDENTIFIER)
    assert done.identity.read() == IDENTIFIER
    assert fake.log == ["permit 120"]


@pytest.mark.parametrize("silent", [True, False])
def test_check_mode_before_there_is_a_cluster(silent: bool) -> None:
    done = task(FakeCluster(begun=False, silent=silent), "", check_mode=True)
    assert done.run() == View()
    assert told(done) == [("create", "cluster", "postgres")]


def test_a_known_cluster_is_never_begun_again() -> None:
    fake = FakeCluster(begun=False)
    with pytest.raises(ClusterError, match=r"was made before.*docker config rm postgres\.identity"):
        task(fake).run()
    assert fake.log == []
    assert task(fake, check_mode=True).run() == View()


def test_members_with_data_tell_a_new_etcd() -> None:
    fake = FakeCluster(begun=False, appears=True)
    assert task(fake).run().leader == "pg-a"
    assert fake.log == []


def test_another_cluster_is_refused() -> None:
    with pytest.raises(ClusterError, match="knows it as 1: it is another one"):
        task(FakeCluster(), "1").run()


def test_a_cluster_that_this_swarm_did_not_know_is_remembered() -> None:
    done = task(FakeCluster(), "")
    done.run()
    assert told(done) == [("create", "identity", "postgres.identity")]


def test_a_setting_without_a_restart() -> None:
    fake = FakeCluster(rows={"work_mem": setting("work_mem", "4", unit="MB")})
    assert both(fake, settings=parameters(work_mem="8MB")) == [("update", "settings", "postgres")]
    assert fake.config["postgresql"]["parameters"] == {"work_mem": "8MB"}
    assert len(fake.log) == 1


def test_a_restart_goes_through_the_replicas_and_hands_over() -> None:
    fake = FakeCluster(rows={"max_connections": setting("max_connections", "100", "postmaster")})
    assert both(fake, settings=parameters(max_connections=120)) == [
        ("update", "settings", "postgres"),
        ("update", "member", "pg-b"),
        ("update", "member", "pg-c"),
        ("update", "leader", "postgres"),
        ("update", "member", "pg-a"),
    ]
    assert [entry.split(" {")[0] for entry in fake.log] == [
        "rest PATCH localhost /config",
        "rest POST pg-b /restart",
        "rest POST pg-c /restart",
        "rest POST pg-a /switchover",
    ]
    assert fake.leader == "pg-b"


def test_a_smaller_limit_restarts_the_leader_first() -> None:
    fake = FakeCluster(rows={"max_connections": setting("max_connections", "100", "postmaster")})
    assert both(fake, settings=parameters(max_connections=80))[1:] == [
        ("update", "member", "pg-a"),
        ("update", "member", "pg-b"),
        ("update", "member", "pg-c"),
    ]
    assert fake.leader == "pg-a"


def test_a_single_member_is_restarted_where_it_is() -> None:
    fake = FakeCluster(names=("pg-a",), rows={"shared_buffers": setting("shared_buffers", "100", "postmaster")})
    found = both(fake, members=("pg-a",), settings=parameters(shared_buffers="200"))
    assert found == [("update", "settings", "postgres"), ("update", "member", "pg-a")]


def test_a_former_change_that_still_waits_is_finished() -> None:
    fake = FakeCluster(pending={"pg-c"})
    assert both(fake) == [("update", "member", "pg-c")]


def test_members_are_left_alone_when_nobody_wants_a_restart() -> None:
    fake = FakeCluster(pending={"pg-c"})
    assert both(fake, restart=False) == []


def test_parameters_that_nobody_wants_are_removed_and_other_settings_stay() -> None:
    rows = {"work_mem": setting("work_mem", "9"), "jit": setting("jit", "on", vartype="bool")}
    fake = FakeCluster(rows=rows, config={"pause": True, **parameters(work_mem="9", jit="on")})
    assert both(fake, settings=parameters(jit="on")) == [("update", "settings", "postgres")]
    assert fake.config == {"pause": True, **parameters(jit="on")}


def test_a_call_without_parameters_removes_none() -> None:
    fake = FakeCluster(config=parameters(work_mem="9"))
    assert both(fake, settings={"ttl": 30}) == [("update", "settings", "postgres")]
    assert fake.config == {"ttl": 30, **parameters(work_mem="9")}


def test_numbers_and_switches_are_the_same_in_other_types() -> None:
    fake = FakeCluster(config={"ttl": 20, **parameters(jit="off", max_connections=100)})
    assert both(fake, settings={"ttl": "20", **parameters(jit=False, max_connections="100")}) == []


@pytest.mark.parametrize(
    ("name", "value", "row", "part"),
    [
        ("foo", "1", None, "PostgreSQL knows no setting foo."),
        ("work_mem", "11XB", setting("work_mem", "4", unit="kB"), "no number with a unit such as kB"),
        ("work_mem", "x", setting("work_mem", "4"), "which is no number."),
        ("work_mem", 0, setting("work_mem", "4"), "it takes 1 to 262143"),
        (
            "wal_level",
            "none",
            setting("wal_level", "replica", vartype="enum", enumvals=["minimal", "replica"]),
            "it takes minimal, replica",
        ),
        ("jit", "maybe", setting("jit", "on", vartype="bool"), "it takes on, off"),
    ],
)
def test_values_that_postgresql_would_not_take_are_refused_first(name: str, value: Any, row: Any, part: str) -> None:
    fake = FakeCluster(rows={name: row} if row else {})
    with pytest.raises(ClusterError, match=f"Nothing was set.*{part}"):
        task(fake, settings=parameters(**{name: value})).run()
    assert fake.log == []


@pytest.mark.parametrize(
    ("value", "row"),
    [
        ("x", setting("application_name", "", vartype="string")),
        ("TRUE", setting("jit", "on", vartype="bool")),
        ("yes", setting("synchronous_commit", "on", vartype="enum", enumvals=["local", "on", "off"])),
    ],
)
def test_values_that_it_takes(value: str, row: Any) -> None:
    assert setting_problems({"a": value}, {"a": row}) == []


def test_settings_of_extensions_may_be_unknown() -> None:
    assert setting_problems({"pg_stat_statements.track": "all"}, {}) == []


def test_a_value_that_does_not_come_into_force() -> None:
    fake = FakeCluster(rows={"port": setting("port", "5432")}, ignored={"port"})
    with pytest.raises(ClusterError, match="not in force: port is 5432 and not 5433"):
        task(fake, settings=parameters(port="5433")).run()


def test_another_member_leads() -> None:
    assert both(FakeCluster(), avoid=("pg-a", "pg-b")) == [("update", "leader", "postgres")]


def test_nobody_can_take_over() -> None:
    assert both(FakeCluster(names=("pg-a",)), members=("pg-a",), avoid=("pg-a",)) == []


def test_a_member_that_lost_its_data_may_copy() -> None:
    recorded = {"pg-b": IDENTIFIER, "pg-c": IDENTIFIER}
    fake = FakeCluster(down={"pg-c"}, recorded=recorded)
    assert both(fake, rebuild=("pg-b", "pg-c")) == [("update", "member", "pg-c")]
    assert list(fake.recorded) == ["pg-b"]


def test_nobody_waits_for_a_member_that_is_let_copy() -> None:
    fake = FakeCluster(down={"pg-b", "pg-c"}, recorded={"pg-b": IDENTIFIER, "pg-c": IDENTIFIER})
    done = task(fake, rebuild=("pg-c",), wait=False)
    done.run()
    assert told(done) == [("update", "member", "pg-c")]


def test_waiting_ends_with_what_is_wrong() -> None:
    with pytest.raises(ClusterError, match=r"did not show all members within 30 s: pg-c is stopped\."):
        task(FakeCluster(down={"pg-c"})).run()


def test_waiting_ends_with_why_nothing_is_seen() -> None:
    with pytest.raises(ClusterError, match=r"did not show itself within 30 s: .*etcd does not answer"):
        task(FakeCluster(silent=True)).run()


def test_what_patroni_refuses_is_told() -> None:
    cluster = Cluster(FakeCluster())
    with pytest.raises(ClusterError, match=r"Patroni refused POST /reinitialize of pg-a \(503: no\)"):
        cluster._rest("POST", "pg-a", "/reinitialize", {})


def test_problems_of_a_cluster() -> None:
    fake = FakeCluster(config={"synchronous_mode": "quorum"}, down={"pg-a"})
    view = Cluster(fake).look()
    assert problems(view, MEMBERS) == ["the leader pg-a is stopped"]
    assert problems(view, (*MEMBERS, "pg-d")) == ["the leader pg-a is stopped", "pg-d is not in the cluster"]
    outside = view_of(
        {
            "begun": True,
            "cluster": {"members": [{"name": "pg-a", "role": "replica", "state": "streaming", "lag": "unknown"}]},
            "config": {"synchronous_mode": "quorum"},
        }
    )
    assert problems(outside, ("pg-a", "pg-b"))[:2] == [
        "there is no leader",
        "pg-a streams and is not in the quorum yet",
    ]
    assert outside.members[0].as_result()["lag"] is None


def test_a_server_without_a_container() -> None:
    class Nothing:
        def find(self, service: str) -> str:
            return ""

    with pytest.raises(ClusterError, match="No container of service postgres_pg-a runs on a"):
        LocalRunner(Nothing(), "postgres", "a").run("pg", ["state"])  # type: ignore[arg-type]


def test_a_program_in_the_container() -> None:
    class One:
        def find(self, service: str) -> str:
            return service

        def run(self, container: str, words: list[str], stdin: str) -> Outcome:
            return Outcome(0, f"{container} {' '.join(words)} {stdin}", "")

    runner = LocalRunner(One(), "postgres", "a")  # type: ignore[arg-type]
    assert runner.run("etcd", ["state"], "x").stdout == "postgres_etcd-a postgres-member state x"


def test_memory_of_the_smallest_server() -> None:
    class Nodes:
        def get(self, path: str) -> list[dict[str, Any]]:
            sizes = {"a": 8, "b": 4, "c": 1}
            return [
                {"Description": {"Hostname": name, "Resources": {"MemoryBytes": size}}} for name, size in sizes.items()
            ]

    engine: Any = Nodes()
    assert (smallest_memory(engine, ["a", "b"]), smallest_memory(engine, ["x"])) == (4, 0)


def test_tuning_is_below_what_the_user_sets() -> None:
    found = with_tuning(parameters(work_mem="1MB", max_connections=10), 1 << 30)["postgresql"]["parameters"]
    assert (found["work_mem"], found["shared_buffers"], found["max_connections"]) == ("1MB", "256MB", 10)
    assert with_tuning({"ttl": 1}, 0) == {"ttl": 1}
