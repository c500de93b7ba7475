# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What members and Sentinels say of a Redis cluster, and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.redis_cluster import (
    PRIMARY,
    REPLICA,
    SILENT,
    Member,
    Sentinel,
    View,
    await_whole,
    parse_look,
)

LOOK = """@member redis-a
# Replication
role:master
connected_slaves:2
min_slaves_good_slaves:2
slave0:ip=redis-b,port=6379,state=online,offset=140,lag=0
master_repl_offset:142
@member redis-b
role:slave
master_host:redis-a
master_link_status:up
master_sync_in_progress:0
slave_repl_offset:140
master_repl_offset:140
@member redis-c
@sentinel sentinel-a
name
redis
ip
redis-a
flags
master
num-slaves
2
num-other-sentinels
2
@sentinel sentinel-b
ip
redis-a
flags
s_down,master
@sentinel sentinel-c
"""

WHOLE = View(
    [
        Member("redis-a", PRIMARY, offset=142),
        Member("redis-b", REPLICA, "redis-a", True, 142),
        Member("redis-c", REPLICA, "redis-a", True, 142),
    ],
    [Sentinel(f"sentinel-{name}", "redis-a", 2, 2) for name in "abc"],
)


def changed(member: int | None = None, sentinel: int | None = None, **fields: object) -> View:
    """The whole cluster with one of its parts different."""
    members, sentinels = list(WHOLE.members), list(WHOLE.sentinels)
    if member is not None:
        members[member] = replace(members[member], **fields)  # type: ignore[arg-type]
    if sentinel is not None:
        sentinels[sentinel] = replace(sentinels[sentinel], **fields)  # type: ignore[arg-type]
    return View(members, sentinels)


@pytest.mark.parametrize("text", [LOOK, LOOK.replace("\n", "\r\n")], ids=["lines", "with carriage returns"])
def test_answers_are_understood(text):
    view = parse_look(text)
    assert view.members == [
        Member("redis-a", PRIMARY, offset=142),
        Member("redis-b", REPLICA, "redis-a", True, 140),
        Member("redis-c", SILENT),
    ]
    assert view.sentinels == [
        Sentinel("sentinel-a", "redis-a", 2, 2),
        Sentinel("sentinel-b", ""),
        Sentinel("sentinel-c", ""),
    ]


def test_nothing_is_no_cluster():
    assert parse_look("") == View([], [])
    assert parse_look("@other x\nrole:master\n") == View([], [])
    assert View().problems() == ["No member has been asked."]
    assert (View().primary, View().order) == ("", [])


@pytest.mark.parametrize("line", ["master_link_status:down", "master_sync_in_progress:1"])
def test_a_replica_streams_when_its_first_copy_is_there(line):
    name = line.partition(":")[0]
    lines = [line if old.startswith(name) else old for old in LOOK.splitlines()]
    assert parse_look("\n".join(lines)).members[1].streaming is False


def test_a_whole_cluster_has_no_problem():
    assert WHOLE.problems() == []
    assert WHOLE.primary == "redis-a"
    assert WHOLE.order == ["redis-b", "redis-c", "redis-a"]


def test_a_single_member_is_its_own_cluster():
    assert View([Member("redis-a", PRIMARY)]).problems() == []
    assert View([Member("redis-a", SILENT)]).primary == ""


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (changed(member=1, role=SILENT), "redis-b does not answer."),
        (changed(member=1, streaming=False), "redis-b has no connection to redis-a yet."),
        (changed(member=1, following="redis-c"), "redis-b follows redis-c and not redis-a."),
        (changed(member=1, role=PRIMARY), "redis-b is a primary beside redis-a."),
        (changed(member=0, role=REPLICA), "redis-a is named the primary and is a replica."),
        (changed(sentinel=2, primary=""), "sentinel-c does not answer."),
        (changed(sentinel=2, primary="redis-b"), "sentinel-c calls redis-b the primary."),
        (changed(sentinel=2, sentinels=1), "sentinel-c knows 1 of 2 other Sentinels."),
        (changed(sentinel=2, replicas=1), "sentinel-c knows 1 of 2 replicas."),
    ],
)
def test_what_is_wrong_is_said(view, problem):
    assert view.problems() == [problem]


def test_without_a_majority_there_is_no_primary():
    split = View(WHOLE.members, [Sentinel("a", "redis-a"), Sentinel("b", "redis-b"), Sentinel("c", "")])
    assert split.primary == ""
    assert split.problems() == ["c does not answer.", "There is no member that more than half call the primary."]


def test_results_are_plain():
    assert WHOLE.members[1].as_result() == {
        "name": "redis-b",
        "role": "replica",
        "following": "redis-a",
        "streaming": True,
        "offset": 142,
    }
    assert WHOLE.sentinels[0].as_result() == {
        "name": "sentinel-a",
        "primary": "redis-a",
        "sentinels": 2,
        "replicas": 2,
    }


class Watch:
    """A clock that goes on by the pauses, and looks that get better."""

    def __init__(self, *views: View) -> None:
        self.views = list(views)
        self.time = 0.0

    def look(self) -> View:
        return self.views.pop(0) if len(self.views) > 1 else self.views[0]

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def wait(self, timeout: float) -> tuple[View, list[str]]:
        return await_whole(self.look, timeout, lambda: self.time, self.sleep)


def test_it_waits_until_nothing_is_wrong():
    watch = Watch(View(), changed(member=1, streaming=False), WHOLE)
    assert watch.wait(60) == (WHOLE, [])
    assert watch.time == 2


def test_it_gives_up_with_the_reason():
    watch = Watch(changed(member=1, streaming=False))
    assert watch.wait(5)[1] == ["redis-b has no connection to redis-a yet."]
    assert watch.time == 5


def test_one_look_does_not_wait():
    watch = Watch(View(), WHOLE)
    assert watch.wait(0)[1] == ["No member has been asked."]
