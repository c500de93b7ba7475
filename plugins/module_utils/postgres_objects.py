# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, databases, extensions and rights of a PostgreSQL cluster as one document: read, compared, and written as one script. Pure.

The script is psql's, because it has to change the database on its way. Names are quoted, passwords are verifiers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change
from ansible_collections.frontdesk.platform.plugins.module_utils.postgres_scram import fits, is_plain, verifier

Json = dict[str, Any]

# What a role may do with the tables and the sequences of a database's schema public.
ACCESS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "read": (("SELECT",), ("SELECT",)),
    "write": (("SELECT", "INSERT", "UPDATE", "DELETE"), ("SELECT", "USAGE", "UPDATE")),
}
# The cluster's own users, which role postgres looks after.
RESERVED = {"postgres", "replicator", "rewinder"}
# Fewer than PostgreSQL takes: psql reads a name with an equals sign as a whole connection.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")

ROLES_QUERY = """
select json_build_object('roles', coalesce(json_object_agg(rolname, json_build_object(
  'login', rolcanlogin, 'connection_limit', rolconnlimit, 'password', rolpassword,
  'powers', array_remove(array[case when rolsuper then 'superuser' end, case when rolcreaterole then 'createrole' end,
    case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end,
    case when rolbypassrls then 'bypassrls' end], null),
  'member_of', (select coalesce(json_agg(r.rolname order by r.rolname), '[]') from pg_auth_members m
    join pg_roles r on r.oid = m.roleid where m.member = a.oid))), '{}')) from pg_authid a where rolname = any(%s);
"""
DATABASES_QUERY = """
select json_build_object('databases', coalesce(json_object_agg(datname, json_build_object(
  'owner', pg_get_userbyid(datdba), 'connection_limit', datconnlimit,
  'open', exists (select from aclexplode(coalesce(datacl, acldefault('d', datdba))) where grantee = 0),
  'connect', (select coalesce(json_agg(distinct pg_get_userbyid(grantee)), '[]')
    from aclexplode(coalesce(datacl, acldefault('d', datdba))) where grantee <> 0 and privilege_type = 'CONNECT'))), '{}'))
from pg_database where datname = any(%s);
"""
INSIDE_QUERY = """
select json_build_object('inside', current_database(), 'extensions',
  (select coalesce(json_object_agg(e.extname, json_build_object('version', e.extversion, 'newest', a.default_version)), '{}')
   from pg_extension e left join pg_available_extensions a on a.name = e.extname),
  'lacking', (select coalesce(json_object_agg(w.role, array(%(checks)s)), '{}')
   from json_each(%(access)s) as w(role, rights)));
"""


@dataclass(frozen=True)
class Live:
    """What is there. roles, databases: by name; inside: by database, its extensions and the rights that roles lack."""

    roles: Mapping[str, Json] = field(default_factory=dict)
    databases: Mapping[str, Json] = field(default_factory=dict)
    inside: Mapping[str, Json] = field(default_factory=dict)


def problems(roles: Sequence[Json], databases: Sequence[Json]) -> list[str]:
    """What is wrong with the document itself, one sentence each."""
    found = [*_name_problems("roles", roles), *_name_problems("databases", databases)]
    for role in roles:
        if role["name"] in RESERVED or role["name"].startswith("pg_"):
            found.append(f"roles: {role['name']} belongs to the cluster itself; choose another name.")
        password = role.get("password")
        if password is not None and not is_plain(password):
            found.append(
                f"roles: the password of {role['name']} is empty or has characters beyond printable ASCII; give another one."
            )
    gone = {role["name"] for role in roles if role["state"] == "absent"}
    for database in databases:
        if database["name"] in ("postgres", "template0", "template1"):
            found.append(f"databases: {database['name']} belongs to the cluster itself; choose another name.")
        if database["state"] == "absent":
            continue
        if not database.get("owner"):
            found.append(f"databases: {database['name']} has no owner; name the role that makes its tables.")
        needed = {database.get("owner"), *(item["role"] for item in database.get("access") or [])} & gone
        found.extend(
            f"databases: {database['name']} needs the role {name}, which is to be absent." for name in sorted(needed)
        )
    return found


def _name_problems(kind: str, items: Iterable[Json]) -> list[str]:
    found, seen = [], set()
    for item in items:
        name = item["name"]
        if not _NAME.fullmatch(name):
            found.append(
                f"{kind}: {name!r} is no name; use 1 to 63 letters, digits, underscores, points and dashes, no digit first."
            )
        if name in seen:
            found.append(f"{kind}: {name} is there more than once.")
        seen.add(name)
    return found


# Reading.


def reading_script(roles: Sequence[Json], databases: Sequence[Json], users: Iterable[str] = ()) -> str:
    """One script that prints everything to compare with, a JSON document on each line. users: further roles to read."""
    role_names = {*users, *(role["name"] for role in roles)}
    for database in databases:
        role_names |= {database.get("owner") or "", *(item["role"] for item in database.get("access") or [])}
    parts = [
        ROLES_QUERY % _array(sorted(role_names - {""})),
        DATABASES_QUERY % _array([database["name"] for database in databases]),
    ]
    parts.extend(_visit(database) for database in databases if database["state"] == "present")
    return _lines(parts)


def _visit(database: Json) -> str:
    """Go into a database that is there; psql would end at a connection that fails."""
    there = f"select exists (select from pg_database where datname = {literal(database['name'])}) as there \\gset"  # noqa: S608 - quoted
    return f"{there}\n\\if :there\n{_connect(database['name'])}\n{_inside(database)}\\endif\n"


def _inside(database: Json) -> str:
    access = {item["role"]: item["access"] for item in database.get("access") or []}
    checks = " union all ".join(
        f"select {literal(text)} where w.rights #>> '{{}}' = any({_array(levels)}) and {condition}"
        for text, levels, condition in _checks(str(database["owner"]))
    )
    return INSIDE_QUERY % {"access": f"{literal(json.dumps(access))}::json", "checks": checks}


LACKING_OBJECTS = """
exists (select from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = any('{%(kinds)s}') and (%(lacking)s)
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e'))
"""
LACKING_DEFAULTS = """
(select count(distinct a.privilege_type) from pg_default_acl d, aclexplode(d.defaclacl) a where d.defaclobjtype = '%(letter)s'
  and d.defaclnamespace = 'public'::regnamespace and pg_get_userbyid(d.defaclrole) = %(owner)s and a.grantee = %(role)s
  and a.privilege_type = any(%(privileges)s)) < %(count)s
"""
_ROLE = "(select oid from pg_roles where rolname = w.role)"
# Kinds of pg_class, the letter of pg_default_acl, and the function that tells a right.
_OBJECTS = {"tables": ("r,v,m,p,f", "r", "has_table_privilege"), "sequences": ("S", "S", "has_sequence_privilege")}


def _checks(owner: str) -> list[tuple[str, list[str], str]]:
    """What may be lacking: its name, for which access, and the condition that it lacks. w.role is a role that may not exist yet."""
    schema = f"not coalesce(has_schema_privilege({_ROLE}, 'public', 'USAGE'), false)"
    checks = [("schema", sorted(ACCESS), schema)]
    for level, rights in ACCESS.items():
        for (name, (kinds, letter, asked)), privileges in zip(_OBJECTS.items(), rights):
            lacking = " or ".join(f"not coalesce({asked}({_ROLE}, c.oid, '{right}'), false)" for right in privileges)
            values = {
                "owner": literal(owner),
                "role": _ROLE,
                "privileges": _array(privileges),
                "count": len(privileges),
            }
            checks.append((name, [level], LACKING_OBJECTS % {"kinds": kinds, "lacking": lacking}))
            checks.append((f"default_{name}", [level], LACKING_DEFAULTS % {"letter": letter, **values}))
    return checks


def parse(output: str) -> Live:
    """What the script printed."""
    roles: dict[str, Json] = {}
    databases: dict[str, Json] = {}
    inside: dict[str, Json] = {}
    for line in output.splitlines():
        if not line.strip():
            continue
        answer = json.loads(line)
        roles.update(answer.get("roles") or {})
        databases.update(answer.get("databases") or {})
        if "inside" in answer:
            inside[answer["inside"]] = answer
    return Live(roles, databases, inside)


# Planning.


@dataclass
class Plan:
    """What differs, and the script that makes it equal."""

    changes: list[Change] = field(default_factory=list)
    _before: list[str] = field(default_factory=list)
    _memberships: list[str] = field(default_factory=list)
    _databases: list[str] = field(default_factory=list)
    _inside: dict[str, list[str]] = field(default_factory=dict)
    _after: list[str] = field(default_factory=list)

    def script(self) -> str:
        """All statements: roles in one transaction, then databases, then what is inside each in one transaction, then removals."""
        parts = _transaction([*self._before, *self._memberships]) + self._databases
        for name, statements in self._inside.items():
            parts += [_connect(name), *_transaction(statements)]
        if self._inside and self._after:
            parts.append(_connect("postgres"))
        return _lines(["\\set ON_ERROR_STOP 1", *parts, *self._after])


def _connect(database: str) -> str:
    """Change the database, and stay on the server: another one may not have got it yet, and would refuse the connection."""
    return f"\\connect {identifier(database)} - :HOST"


def _transaction(statements: Sequence[str]) -> list[str]:
    return ["begin;", *statements, "commit;"] if statements else []


def plan(live: Live, roles: Sequence[Json], databases: Sequence[Json]) -> Plan:
    """Compare; only what the document names."""
    made = Plan()
    for role in roles:
        _plan_role(made, role, live.roles.get(role["name"]))
    for database in databases:
        _plan_database(made, database, live.databases.get(database["name"]), live.inside.get(database["name"]))
    return made


def _plan_role(made: Plan, role: Json, there: Optional[Json]) -> None:
    name = role["name"]
    if role["state"] == "absent":
        if there is not None:
            made.changes.append(Change("delete", "role", name, {"login": there["login"]}, None))
            made._after.append(f"drop role {identifier(name)};")
        return
    wanted: Json = {"login": role["login"], "connection_limit": role["connection_limit"], "powers": []}
    have = {key: there[key] for key in wanted} if there else {}
    before = {key: value for key, value in have.items() if value != wanted[key]}
    after = {key: value for key, value in wanted.items() if not there or have[key] != value}
    password = role.get("password")
    renewed = password is not None and not (there and fits(password, there["password"] or ""))
    if renewed:
        if there:
            before["password"] = "(another)" if there["password"] else None
        after["password"] = "(given)"  # noqa: S105 - stands for it
    statements = []
    if after:
        options = f"{'login' if role['login'] else 'nologin'} connection limit {int(role['connection_limit'])}"
        powers = "nosuperuser nocreaterole nocreatedb noreplication nobypassrls"
        secret = f" password {literal(verifier(password))}" if renewed and password is not None else ""
        statements.append(f"{'alter' if there else 'create'} role {identifier(name)} with {options} {powers}{secret};")
    groups = set(role.get("member_of") or []) - set(there["member_of"] if there else [])
    if groups:
        before.update({"member_of": there["member_of"]} if there else {})
        after["member_of"] = sorted(set(role["member_of"]) | set(there["member_of"] if there else []))
        made._memberships.extend(f"grant {identifier(group)} to {identifier(name)};" for group in sorted(groups))
    if statements or groups:
        made.changes.append(Change("update" if there else "create", "role", name, before if there else None, after))
        made._before.extend(statements)


def _plan_database(made: Plan, database: Json, there: Optional[Json], inside: Optional[Json]) -> None:
    name, quoted = database["name"], identifier(database["name"])
    if database["state"] == "absent":
        if there is not None:
            made.changes.append(Change("delete", "database", name, {"owner": there["owner"]}, None))
            made._after.insert(0, f"drop database {quoted} with (force);")
        return
    wanted: Json = {"owner": database["owner"], "connection_limit": database["connection_limit"]}
    if there is None:
        made._databases.append(
            f"create database {quoted} owner {identifier(database['owner'])} template template0 "
            f"connection limit {int(database['connection_limit'])};"
        )
        made.changes.append(Change("create", "database", name, None, wanted))
    else:
        differing = {key: value for key, value in wanted.items() if there[key] != value}
        if differing:
            made.changes.append(Change("update", "database", name, {key: there[key] for key in differing}, differing))
        if "owner" in differing:
            made._databases.append(f"alter database {quoted} owner to {identifier(database['owner'])};")
        if "connection_limit" in differing:
            made._databases.append(f"alter database {quoted} connection limit {int(database['connection_limit'])};")
    # Nobody comes in but those who are named.
    if there is None or there["open"]:
        made._databases.append(f"revoke all on database {quoted} from public;")
        if there is not None:
            made.changes.append(Change("update", "access", f"{name}/public", {"connect": True}, {"connect": False}))
    _plan_extensions(made, database, (inside or {}).get("extensions") or {})
    for item in database.get("access") or []:
        lacking = list(dict.fromkeys(((inside or {}).get("lacking") or {}).get(item["role"]) or [])) if inside else None
        connects = there is not None and item["role"] in there["connect"]
        _plan_access(made, database, item, lacking, connects)


def _plan_extensions(made: Plan, database: Json, there: Mapping[str, Json]) -> None:
    name = database["name"]
    statements = made._inside.setdefault(name, [])
    for extension in database.get("extensions") or []:
        found = there.get(extension)
        if found is None:
            statements.append(f"create extension {identifier(extension)} cascade;")
            made.changes.append(Change("create", "extension", f"{name}/{extension}", None, {}))
        elif found["newest"] and found["version"] != found["newest"]:
            # The image has brought a newer one.
            statements.append(f"alter extension {identifier(extension)} update;")
            versions = {"version": found["version"]}, {"version": found["newest"]}
            made.changes.append(Change("update", "extension", f"{name}/{extension}", *versions))
    if not statements:
        del made._inside[name]


def _plan_access(made: Plan, database: Json, item: Json, lacking: Optional[list[str]], connects: bool) -> None:
    """lacking: rights that the role has not; None when nothing is known because the database is new."""
    missing = ["connect"] * (not connects) + (["everything"] if lacking is None else lacking)
    if not missing:
        return
    name, role, owner = database["name"], identifier(item["role"]), identifier(database["owner"])
    tables, sequences = (", ".join(privileges) for privileges in ACCESS[item["access"]])
    if not connects:
        made._databases.append(f"grant connect on database {identifier(name)} to {role};")
    if missing != ["connect"]:
        made._inside.setdefault(name, []).extend(
            [
                f"grant usage on schema public to {role};",
                f"grant {tables} on all tables in schema public to {role};",
                f"grant {sequences} on all sequences in schema public to {role};",
                f"alter default privileges for role {owner} in schema public grant {tables} on tables to {role};",
                f"alter default privileges for role {owner} in schema public grant {sequences} on sequences to {role};",
            ]
        )
    change = ("create", None) if lacking is None else ("update", {"lacking": missing})
    made.changes.append(Change(change[0], "access", f"{name}/{item['role']}", change[1], {"access": item["access"]}))


# Quoting (https://www.postgresql.org/docs/17/sql-syntax-lexical.html).


def identifier(name: str) -> str:
    """A name as SQL and psql's commands take it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL takes it. A colon is not the beginning of a variable inside of quotes."""
    quoted = text.replace("'", "''")
    return f"E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{quoted}'"


def _array(names: Iterable[str]) -> str:
    return f"array[{', '.join(literal(name) for name in names)}]::text[]"


def _lines(parts: Iterable[str]) -> str:
    return "".join(part.strip("\n") + "\n" for part in parts)
