# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, databases and rights: what is read, what differs, and the script that is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_objects import (
    Live,
    identifier,
    literal,
    parse,
    plan,
    problems,
    reading_script,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_scram import verifier

Json = dict[str, Any]


def role(name: str, **more: Any) -> Json:
    return {
        "name": name,
        "state": "present",
        "password": None,
        "login": True,
        "connection_limit": -1,
        "member_of": [],
        **more,
    }


def database(name: str, **more: Any) -> Json:
    return {
        "name": name,
        "state": "present",
        "owner": "shop",
        "connection_limit": -1,
        "extensions": [],
        "access": [],
        **more,
    }


def live_role(**more: Any) -> Json:
    return {"login": True, "connection_limit": -1, "password": None, "powers": [], "member_of": [], **more}


def live_database(**more: Any) -> Json:
    return {"owner": "shop", "connection_limit": -1, "open": False, "connect": ["shop"], **more}


def kinds(made: Any) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in made.changes]


def test_everything_is_made_in_an_order_that_works() -> None:
    roles = [role("shop", password="secret-1"), role("reports", member_of=["readers"]), role("readers", login=False)]
    wanted = [database("shop", extensions=["vector"], access=[{"role": "reports", "access": "read"}])]
    made = plan(Live(), roles, wanted)
    script = made.script()
    assert kinds(made) == [
        ("create", "role", "shop"),
        ("create", "role", "reports"),
        ("create", "role", "readers"),
        ("create", "database", "shop"),
        ("create", "extension", "shop/vector"),
        ("create", "access", "shop/reports"),
    ]
    order = [
        "begin;",
        'create role "readers"',
        'grant "readers" to "reports"',
        "commit;",
        'create database "shop"',
        'revoke all on database "shop" from public',
        'grant connect on database "shop" to "reports"',
        '\\connect "shop" - :HOST',
        'create extension "vector"',
        'grant SELECT on all tables in schema public to "reports"',
    ]
    positions = [script.index(part) for part in order]
    assert positions == sorted(positions)
    assert "secret-1" not in script
    assert "secret-1" not in str(made.changes)


def test_what_is_equal_needs_nothing() -> None:
    live = Live(
        roles={"shop": live_role(password=verifier("secret-1"), member_of=["pg_monitor"])},
        databases={"shop": live_database(connect=["shop", "reports"])},
        inside={
            "shop": {
                "extensions": {"vector": {"version": "0.8.0", "newest": "0.8.0"}},
                "lacking": {"reports": []},
            }
        },
    )
    wanted = [database("shop", extensions=["vector"], access=[{"role": "reports", "access": "write"}])]
    assert plan(live, [role("shop", password="secret-1", member_of=["pg_monitor"])], wanted).changes == []


@pytest.mark.parametrize(
    ("there", "wanted", "statement"),
    [
        (live_role(connection_limit=3), role("a"), "connection limit -1"),
        (live_role(login=False), role("a"), "with login"),
        (live_role(powers=["superuser"]), role("a"), "nosuperuser"),
        (live_role(password=verifier("x")), role("a", password="y"), "password 'SCRAM-SHA-256$4096:"),
        (live_role(), role("a", password="y"), "password 'SCRAM-SHA-256$4096:"),
        (live_role(), role("a", member_of=["pg_monitor"]), 'grant "pg_monitor" to "a"'),
    ],
)
def test_a_role_that_differs(there: Json, wanted: Json, statement: str) -> None:
    made = plan(Live(roles={"a": there}), [wanted], [])
    assert kinds(made) == [("update", "role", "a")]
    assert statement in made.script()


def test_a_password_that_is_not_given_stays() -> None:
    assert plan(Live(roles={"a": live_role(password="SCRAM-SHA-256$1")}), [role("a")], []).changes == []


@pytest.mark.parametrize(
    ("there", "wanted", "kind", "statement"),
    [
        (live_database(owner="x"), database("d"), "database", 'alter database "d" owner to "shop";'),
        (live_database(connection_limit=5), database("d"), "database", 'alter database "d" connection limit -1;'),
        (live_database(open=True), database("d"), "access", 'revoke all on database "d" from public;'),
    ],
)
def test_a_database_that_differs(there: Json, wanted: Json, kind: str, statement: str) -> None:
    made = plan(Live(databases={"d": there}, inside={"d": {}}), [], [wanted])
    assert [change.kind for change in made.changes] == [kind]
    assert statement in made.script()


def test_an_older_extension_is_updated() -> None:
    inside = {"d": {"extensions": {"vector": {"version": "0.7.0", "newest": "0.8.0"}}}}
    made = plan(Live(databases={"d": live_database()}, inside=inside), [], [database("d", extensions=["vector"])])
    assert kinds(made) == [("update", "extension", "d/vector")]
    assert 'alter extension "vector" update;' in made.script()


def test_rights_that_are_lacking_are_granted() -> None:
    inside = {"d": {"lacking": {"r": ["tables", "tables", "default_tables"]}}}
    live = Live(databases={"d": live_database(connect=["r"])}, inside=inside)
    made = plan(live, [], [database("d", access=[{"role": "r", "access": "write"}])])
    assert made.changes[0].before == {"lacking": ["tables", "default_tables"]}
    assert 'grant SELECT, INSERT, UPDATE, DELETE on all tables in schema public to "r";' in made.script()
    assert "grant connect" not in made.script()


def test_only_the_connection_is_lacking() -> None:
    live = Live(databases={"d": live_database()}, inside={"d": {"lacking": {"r": []}}})
    script = plan(live, [], [database("d", access=[{"role": "r", "access": "read"}])]).script()
    assert 'grant connect on database "d" to "r";' in script
    assert "\\connect" not in script


def test_removal_comes_last_and_databases_before_roles() -> None:
    live = Live(roles={"old": live_role()}, databases={"old": live_database(), "d": live_database()}, inside={"d": {}})
    wanted = [database("old", state="absent"), database("d", extensions=["vector"])]
    made = plan(live, [role("old", state="absent")], wanted)
    lines = made.script().splitlines()
    assert lines[-3:] == ['\\connect "postgres" - :HOST', 'drop database "old" with (force);', 'drop role "old";']


def test_what_is_absent_stays_absent() -> None:
    assert plan(Live(), [role("old", state="absent")], [database("old", state="absent")]).changes == []


def test_reading_names_owners_and_those_with_rights() -> None:
    script = reading_script(
        [role("a")], [database("d", access=[{"role": "r", "access": "read"}]), database("x", state="absent")]
    )
    assert "array['a', 'r', 'shop']" in script
    assert '\\connect "d"' in script
    assert '\\connect "x"' not in script
    assert "array['d', 'x']" in script


def test_parse_puts_the_lines_together() -> None:
    lines = [{"roles": {"a": {}}}, {"databases": {"d": {}}}, {"inside": "d", "extensions": {}, "lacking": {}}]
    found = parse("\n".join(json.dumps(line) for line in lines) + "\n\n")
    assert (list(found.roles), list(found.databases), list(found.inside)) == (["a"], ["d"], ["d"])


@pytest.mark.parametrize(
    ("roles", "databases", "part"),
    [
        ([role("postgres")], [], "belongs to the cluster itself"),
        ([role("pg_x")], [], "belongs to the cluster itself"),
        ([role("a=b")], [], "is no name"),
        ([role("a"), role("a")], [], "more than once"),
        ([role("a", password="ü")], [], "printable ASCII"),
        ([], [database("template1")], "belongs to the cluster itself"),
        ([], [database("d", owner=None)], "has no owner"),
        ([role("shop", state="absent")], [database("d")], "needs the role shop"),
    ],
)
def test_problems_of_the_document(roles: list[Json], databases: list[Json], part: str) -> None:
    (text,) = problems(roles, databases)
    assert part in text


def test_a_good_document_has_no_problem() -> None:
    assert problems([role("shop", password="x")], [database("d"), database("old", state="absent", owner=None)]) == []


def test_quoting() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"
    assert literal("a\\'b") == "E'a\\\\''b'"
