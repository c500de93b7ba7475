# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program: `postgres-member VERB`. What it prints goes to the container's log, or to whoever ran it in the container."""

from __future__ import annotations

import base64
import fcntl
import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import etcd
from .configuration import ROUTES, cluster_networks, compose
from .description import (
    AUTHORITY,
    CERTIFICATE,
    DATA,
    KEY,
    LOCK_FILE,
    MARKER_FILE,
    PATRONI_FILE,
    RUN,
    WAITING_FILE,
    Description,
    Refusal,
    read_description,
    secret,
)
from .guard import Found, check_cluster, check_volume, identifier_of, look, set_aside_incomplete
from .store import Store, StoreError
from .web import Unreachable, exchange

PAUSE = 1.0
# How often a waiting member says what it waits for, in seconds.
REPEAT = 60.0


def say(text: str) -> None:
    """One line for the log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the container's log


def lock() -> None:
    """Keep every other container off the volume until this process, or what it becomes, ends.

    After a partition Swarm starts the new task before the old one has ended, and PostgreSQL does not see the other server in
    another container.
    """
    descriptor = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another container still uses the volume: waiting for its end.")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def mark(description: Description, identifier: str) -> None:
    """Write whose the volume is."""
    text = json.dumps({"cluster": description.cluster, "member": description.member, "identifier": identifier})
    if not MARKER_FILE.exists() or MARKER_FILE.read_text() != text:
        temporary = MARKER_FILE.with_suffix(".new")
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(MARKER_FILE)


def wait_for_a_word(description: Description, store: Store) -> dict[str, Any] | None:
    """Wait until an empty volume may be filled: with a copy (None), or with a new cluster (its settings). Raises Refusal."""
    said, reason = 0.0, ""
    WAITING_FILE.touch()
    while True:
        try:
            found = look(DATA, MARKER_FILE)
            check_cluster(found, description.member, store.recorded(description.member), store.system_identifier())
            if store.is_begun():
                return None
            settings = store.permission()
            if settings is not None:
                return settings
            now = "The cluster has never been initialised, or etcd has lost its state: waiting for the role's permission to begin."
        except StoreError as error:
            now = f"etcd does not answer yet ({error})."
        if now != reason or time.monotonic() - said > REPEAT:
            said, reason = time.monotonic(), now
            say(now)
        time.sleep(PAUSE)


def run() -> None:
    """Become Patroni, when the volume is what it should be. Raises Refusal."""
    description = read_description()
    WAITING_FILE.unlink(missing_ok=True)
    lock()
    found = look(DATA, MARKER_FILE)
    check_volume(found, description.cluster, description.member)
    if set_aside_incomplete(found, DATA):
        say("The data folder is a copy that did not end: it was set aside as data.incomplete.")
        found = look(DATA, MARKER_FILE)
    settings = None
    if found.data:
        check_store(description, found)
    else:
        settings = wait_for_a_word(description, Store(description.etcd_hosts, description.cluster))
    mark(description, found.identifier)
    networks = cluster_networks(ROUTES.read_text())
    whole = compose(description, secret, networks, settings)
    PATRONI_FILE.touch(0o600)
    # JSON is YAML as well.
    PATRONI_FILE.write_text(json.dumps(whole))
    WAITING_FILE.unlink(missing_ok=True)
    os.execvp("patroni", ["patroni", str(PATRONI_FILE)])  # noqa: S606 - the lock's descriptor goes with it


def check_store(description: Description, found: Found) -> None:
    """Compare data with what etcd knows, when it answers; Patroni waits for it anyway, and makes the same comparison."""
    store = Store(description.etcd_hosts, description.cluster)
    try:
        recorded, identifier = store.recorded(description.member), store.system_identifier()
    except StoreError:
        return
    check_cluster(found, description.member, recorded, identifier)


def record(*_more: str) -> None:
    """Note that this member has data; Patroni calls it when PostgreSQL has started."""
    description = read_description()
    identifier = identifier_of(DATA)
    mark(description, identifier)
    store = Store(description.etcd_hosts, description.cluster)
    if store.recorded(description.member) != identifier:
        store.record(description.member, identifier)


def health() -> None:
    """End well when Patroni's loop runs, or the member waits for a word. Asks nothing but this container."""
    if WAITING_FILE.exists():
        return
    status, _text = ask("GET", "localhost", "/liveness", None)
    if status != 200:
        sys.exit(1)


def ask(method: str, host: str, path: str, body: str | None) -> tuple[int, str]:
    """Ask the REST interface of a member with this container's certificate, and the password where something may change."""
    headers = {"Content-Type": "application/json"}
    if method != "GET":
        token = base64.b64encode(f"patroni:{secret('rest')}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    try:
        # A restart and a switchover answer when they are done.
        return exchange(method, host, 8008, path, body, headers, timeout=5 if method == "GET" else 180)
    except Unreachable as error:
        return 0, str(error)


def rest(method: str, host: str, path: str) -> None:
    """Ask a member's REST interface; the body comes from the standard input. Prints status and answer as JSON."""
    status, text = ask(method, host, path, None if method == "GET" else sys.stdin.read())
    print(json.dumps({"status": status, "text": text}))  # noqa: T201 - the answer


def state() -> None:
    """Print what etcd and Patroni know about the cluster, as JSON. Works in etcd's containers, too."""
    description = read_description()
    store = Store(description.etcd_hosts, description.cluster)
    names = [f"pg-{server}" for server in description.servers]
    views: dict[str, Any] = {"cluster": None, "config": None}
    for name in sorted(names, key=lambda name: name != description.member):
        for view in views:
            status, text = ask("GET", name, f"/{view}", None)
            if status == 200:
                views[view] = json.loads(text)
        if views["cluster"]:
            break
    answer = {
        "identifier": store.system_identifier(),
        "begun": store.is_begun(),
        "recorded": {name: store.recorded(name) for name in names},
        **views,
    }
    print(json.dumps(answer))  # noqa: T201 - the answer


def permit(seconds: str) -> None:
    """Let a cluster begin with the settings on the standard input."""
    description = read_description()
    Store(description.etcd_hosts, description.cluster).permit(json.load(sys.stdin), int(seconds))


def forget(member: str) -> None:
    """Let a member whose data is lost copy that of the others."""
    description = read_description()
    Store(description.etcd_hosts, description.cluster).forget(member)


def psql(database: str, *more: str) -> None:
    """Become psql as the superuser, connected to the leader wherever it is."""
    description = read_description()
    hosts = ",".join(f"pg-{server}" for server in description.servers)
    os.environ["PGPASSWORD"] = secret("superuser")
    where = (
        f"host={hosts} dbname='{database}' user={description.patroni['users']['superuser']} target_session_attrs=read-write "
        f"connect_timeout=5 sslmode=verify-full sslrootcert={AUTHORITY} sslcert={CERTIFICATE} sslkey={KEY} application_name=frontdesk"
    )
    os.execvp("psql", ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *more, where])  # noqa: S606 - this process is to become it


def run_etcd() -> None:
    """Become etcd."""
    words = etcd.command(read_description())
    os.execvp(words[0], words)  # noqa: S606 - it is the container's own process


def etcd_health() -> None:
    """End well when etcd lives, with or without a majority."""
    connection = http.client.HTTPConnection("127.0.0.1", 2381, timeout=3)
    try:
        connection.request("GET", "/livez")
        alive = connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        alive = False
    sys.exit(not alive)


VERBS: dict[str, Callable[..., None]] = {
    "run": run,
    "etcd": run_etcd,
    "etcd-health": etcd_health,
    "record": record,
    "health": health,
    "rest": rest,
    "state": state,
    "permit": permit,
    "forget": forget,
    "psql": psql,
}


def main(words: Sequence[str]) -> None:
    """Do what the first word says with the others."""
    os.umask(0o077)
    RUN.mkdir(exist_ok=True)
    try:
        VERBS[words[0]](*words[1:])
    except Refusal as refusal:
        say(str(refusal))
        sys.exit(78)  # EX_CONFIG
    except StoreError as error:
        say(f"etcd does not answer ({error}).")
        sys.exit(75)  # EX_TEMPFAIL


if __name__ == "__main__":
    main(sys.argv[1:])
