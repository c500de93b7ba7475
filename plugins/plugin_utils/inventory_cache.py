# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cached answer of an inventory source that outlives its freshness.

Ansible's cache plugins stop giving out an entry once it is older than the cache's time-out, which is exactly when a
source that does not answer would need it. So the entry is kept in a cache opened without a time-out, together with
the time of the reading, and its age is judged here. Because the time belongs to the data, writing data again that
came from the cache cannot make it look fresh.

Lives in plugin_utils, not module_utils: only plugins that run on the controller use it, and only those may use
``ansible.plugins``.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ansible.errors import AnsibleError
from ansible.plugins.cache import BaseFileCacheModule
from ansible.plugins.inventory import get_cache_plugin
from ansible.plugins.loader import cache_loader

MINUTE, HOUR, DAY = 60, 3600, 86400

FORMAT = 1
"""Raised when the shape of the cached value changes, so that an older entry counts as absent."""


@dataclass(frozen=True)
class CachedAnswer:
    """A value read from the cache. ``age`` is in seconds since the source gave it."""

    value: Any
    age: float
    fresh: bool


class CachedSource:
    """The cache entry of one source. ``value`` must be plain JSON, so that every cache plugin can hold it."""

    def __init__(
        self,
        store: MutableMapping[str, Any],
        key: str,
        timeout: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``timeout`` is the number of seconds for which an answer counts as fresh; 0 means for ever."""
        self._store = store
        self._key = key
        self._timeout = timeout
        self._clock = clock

    def read(self) -> CachedAnswer | None:
        """The last answer, however old, or None. A damaged entry counts as none: the next answer replaces it."""
        try:
            entry = self._store[self._key]
        except (KeyError, TypeError, ValueError, AnsibleError):
            return None
        if not isinstance(entry, dict) or entry.get("format") != FORMAT:
            return None
        try:
            age = self._clock() - float(entry["read_at"])
            value = entry["value"]
        except (KeyError, TypeError, ValueError):
            return None
        # A time in the future (the clock was set back) would stay fresh for too long.
        return CachedAnswer(value, max(age, 0.0), age >= 0 and (self._timeout == 0 or age <= self._timeout))

    def write(self, value: Any) -> None:
        """Keep ``value`` as the answer of this moment."""
        self._store[self._key] = {"format": FORMAT, "read_at": self._clock(), "value": value}
        write_through = getattr(self._store, "set_cache", None)
        if write_through is not None:
            write_through()


def open_store(name: str, connection: str | None, prefix: str | None) -> MutableMapping[str, Any]:
    """Open the cache plugin ``name`` so that it never drops an entry by age.

    A folder for files that does not exist yet is made for this user alone: the cache plugins make files that all users
    of the machine may read. Each source gets a store of its own: Ansible's wrapper writes every entry that it has ever
    loaded, and a second process may have written a newer one in between.
    """
    found = cache_loader.get(name, class_only=True)
    kind = getattr(found, "__wrapped__", found)  # Ansible wraps cache plugins, the class too
    if connection and isinstance(kind, type) and issubclass(kind, BaseFileCacheModule):
        folder = Path(os.path.expandvars(connection)).expanduser()
        with contextlib.suppress(OSError):  # the plugin itself says what is wrong with it
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    options = {"_uri": connection, "_prefix": prefix}
    given = {option: value for option, value in options.items() if value is not None}
    store: MutableMapping[str, Any] = get_cache_plugin(name, _timeout=0, **given)
    return store


def age_in_words(seconds: float) -> str:
    """An age for a message, in its largest two units: ``45 s``, ``3 min``, ``2 h 5 min``, ``4 d 1 h``."""
    minutes, hours, days = int(seconds // MINUTE), int(seconds // HOUR), int(seconds // DAY)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"
