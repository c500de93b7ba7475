# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab knows, kept in memory for reading and in SQLite for a restart.

Items are plain JSON objects under project, kind and id. A request handler changes them in one go and the gateway
commits once; after a crash in the middle nothing of that request is there.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Item = dict[str, Any]

# Vendors' ids look like this; ids of servers, actions and all other kinds come from one row, so none is used twice.
FIRST_ID = 1001

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (project TEXT, kind TEXT, id INTEGER, body TEXT, PRIMARY KEY (project, kind, id));
CREATE TABLE IF NOT EXISTS projects (name TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, body TEXT);
CREATE TABLE IF NOT EXISTS stock (server_type TEXT, location TEXT, available INTEGER, PRIMARY KEY (server_type, location));
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER);
"""


@dataclass(frozen=True)
class Project:
    """A project. `rate_limit` is in requests per hour; `api_only` ones never have machines."""

    name: str
    api_only: bool = True
    rate_limit: int = 3600


@dataclass(frozen=True)
class Token:
    """What a token opens."""

    token: str
    project: str
    read_only: bool = False


class State:
    """The database of one lab. Not thread-safe: it belongs to the event loop."""

    def __init__(self, path: Path) -> None:
        """`path` is the database file; its folder is made if needed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._load()

    def _load(self) -> None:
        self._items: dict[tuple[str, str], dict[int, Item]] = {}
        for project, kind, item_id, body in self._db.execute("SELECT project, kind, id, body FROM items ORDER BY id"):
            self._items.setdefault((project, kind), {})[item_id] = json.loads(body)
        self.projects = {
            name: Project(**json.loads(body)) for name, body in self._db.execute("SELECT name, body FROM projects")
        }
        self.tokens = {
            token: Token(**json.loads(body)) for token, body in self._db.execute("SELECT token, body FROM tokens")
        }
        self.stock = {
            (kind, location): bool(available)
            for kind, location, available in self._db.execute("SELECT server_type, location, available FROM stock")
        }
        row = self._db.execute("SELECT value FROM counters WHERE name = 'id'").fetchone()
        self._last_id: int = row[0] if row else FIRST_ID - 1

    def next_id(self) -> int:
        """Return an id that no item of any kind has had before."""
        self._last_id += 1
        self._db.execute("INSERT OR REPLACE INTO counters VALUES ('id', ?)", (self._last_id,))
        return self._last_id

    def items(self, project: str, kind: str) -> dict[int, Item]:
        """Return the items of a kind, by id, oldest first. Change one only through `put`."""
        return self._items.setdefault((project, kind), {})

    def get(self, project: str, kind: str, item_id: int) -> Item | None:
        """Return one item or None."""
        return self.items(project, kind).get(item_id)

    def put(self, project: str, kind: str, item: Item) -> None:
        """Write an item (its `id` is its key)."""
        self.items(project, kind)[item["id"]] = item
        self._db.execute(
            "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", (project, kind, item["id"], json.dumps(item))
        )

    def remove(self, project: str, kind: str, item_id: int) -> None:
        """Forget an item; absent is fine."""
        self.items(project, kind).pop(item_id, None)
        self._db.execute("DELETE FROM items WHERE project = ? AND kind = ? AND id = ?", (project, kind, item_id))

    def clear(self, project: str) -> None:
        """Forget all items of a project."""
        for key in [key for key in self._items if key[0] == project]:
            self._items[key].clear()
        self._db.execute("DELETE FROM items WHERE project = ?", (project,))

    def put_project(self, project: Project) -> None:
        """Write a project."""
        self.projects[project.name] = project
        self._db.execute("INSERT OR REPLACE INTO projects VALUES (?, ?)", (project.name, json.dumps(asdict(project))))

    def put_token(self, token: Token) -> None:
        """Write a token."""
        self.tokens[token.token] = token
        self._db.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?)", (token.token, json.dumps(asdict(token))))

    def remove_project(self, name: str) -> None:
        """Forget a project with its tokens and items."""
        self.clear(name)
        self.projects.pop(name, None)
        self.tokens = {key: token for key, token in self.tokens.items() if token.project != name}
        self._db.execute("DELETE FROM projects WHERE name = ?", (name,))
        self._db.execute("DELETE FROM tokens WHERE json_extract(body, '$.project') = ?", (name,))

    def put_stock(self, server_type: str, location: str, available: bool) -> None:
        """Say whether a server type can be had in a location."""
        self.stock[(server_type, location)] = available
        self._db.execute("INSERT OR REPLACE INTO stock VALUES (?, ?, ?)", (server_type, location, int(available)))

    def clear_stock(self) -> None:
        """Fill the shelves."""
        self.stock.clear()
        self._db.execute("DELETE FROM stock")

    def commit(self) -> None:
        """Make what was written since the last commit last."""
        self._db.commit()

    def rollback(self) -> None:
        """Drop what was written since the last commit, in memory too."""
        if self._db.in_transaction:
            self._db.rollback()
            self._load()

    def close(self) -> None:
        """Let go of the database; what is not committed is lost."""
        self._db.close()
