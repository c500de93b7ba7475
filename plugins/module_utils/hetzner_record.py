# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of hetzner_known_hosts: read, ask the servers that are not recorded, compare, label, write."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change, render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerClient, HetznerError
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_host_keys import (
    UNSCANNED,
    Entry,
    RecordOptions,
    RecordPlan,
    Unrecorded,
    expect_records,
    host_names,
    identity_of,
    mismatch,
    parse_known_hosts,
    plan_records,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import labels_of
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_read import read_one
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import (
    HOST_KEY_LABEL,
    OWNER_LABEL,
    host_key_digest,
    key_blob,
)

# Asks addresses for their keys: {address: base64 key} of those that answered.
Scan = Callable[[Sequence[str]], Mapping[str, str]]

# Pause between two rounds of asking servers that are still starting, in seconds.
ROUND_PAUSE = 1.0


class RecordError(Exception):
    """A host key is not as it must be, or a server did not answer."""

    def __init__(self, problems: Sequence[str], result: Mapping[str, Any]) -> None:
        """problems: one sentence each. result: tells what was written."""
        super().__init__(" ".join(problems))
        self.result = dict(result)


def record(client: HetznerClient, options: Mapping[str, Any], scan: Scan, check_mode: bool) -> dict[str, Any]:
    """Make file and labels agree with the servers; the module's result. Raises RecordError, HetznerError, OSError."""
    owner = options["owner"]
    selector = f"{OWNER_LABEL}=={owner}" if owner else options["label_selector"]
    servers = client.list("/servers", "servers", {"label_selector": selector})
    path = Path(os.path.realpath(options["path"]))
    text = path.read_text() if path.exists() else ""
    known = parse_known_hosts(text)
    wanted = RecordOptions(owner or selector, options["address"], options["port"], options["prune"])
    created, deleted = _planned(options["planned"]) if check_mode else (set(), set())
    present = [item for item in servers if item["status"] != "deleting" and item["name"] not in deleted]
    plan = plan_records(present, known, wanted)
    expect_records(plan, created)
    if plan.problems:
        raise RecordError(plan.problems, _result(client, plan, []))
    if check_mode or not plan.changes:
        return _result(client, plan, plan.changes)

    keys = _ask(client, plan.unrecorded, scan, options["wait_timeout"])
    wrong = [problem for item in plan.unrecorded if (problem := _wrong(item, keys)) is not None]
    if wrong:
        raise RecordError(wrong, _result(client, plan, []))
    silent = {item.server["name"] for item in plan.unrecorded if item.address not in keys}
    for item in plan.unrecorded:
        if item.address in keys:
            _label(client, item, keys[item.address])
    known.entries = [*plan.entries, *_new_entries(plan, keys, wanted)]
    if known.text() != text:
        write_atomically(path, known.text())
    done = [_filled(change, plan, keys) for change in plan.changes if not _waits(change, silent)]
    result = _result(client, plan, done)
    if silent:
        names = ", ".join(sorted(silent))
        sentence = f"No SSH server answered within {options['wait_timeout']} s on {names}; look at their consoles."
        raise RecordError([sentence], result)
    return result


def _planned(changes: Iterable[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """Names of the servers that planned changes make, and of those that they remove; a replaced one is both."""
    servers = [change for change in changes if change["kind"] == "server"]
    return (
        {change["name"] for change in servers if change["action"] in ("create", "replace")},
        {change["name"] for change in servers if change["action"] in ("delete", "replace")},
    )


def _result(client: HetznerClient, plan: RecordPlan, changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "changed": bool(changes),
        "changes": [change.as_result() for change in changes],
        "passed_over": plan.passed_over,
        "diff": render_diff(changes),
        "api_calls": client.calls,
    }


def _ask(client: HetznerClient, items: Sequence[Unrecorded], scan: Scan, timeout: float) -> dict[str, str]:
    """Keys by address of all servers that answer within the time."""
    keys: dict[str, str] = {}
    started = client.clock.monotonic()
    while True:
        waiting = [item.address for item in items if item.address not in keys]
        if not waiting:
            return keys
        keys.update(scan(waiting))
        if client.clock.monotonic() - started >= timeout:
            return keys
        if any(address not in keys for address in waiting):
            client.clock.sleep(ROUND_PAUSE)


def _wrong(item: Unrecorded, keys: Mapping[str, str]) -> Any:
    return mismatch(item, keys[item.address]) if item.address in keys else None


def _label(client: HetznerClient, item: Unrecorded, key: str) -> None:
    """Write the label where it is missing; PUT replaces all labels, so they are read first."""
    server = item.server
    if HOST_KEY_LABEL in labels_of(server):
        return
    words = f"label server {server['name']} with its host key"
    live = read_one(client, "/servers", "server", server["id"])
    if live is None:
        raise HetznerError("not_found", "it was deleted meanwhile", words)
    labels = {**labels_of(live), HOST_KEY_LABEL: digest_of(key)}
    client.request("PUT", f"/servers/{server['id']}", json={"labels": labels}, attempted=words)


def digest_of(key: str) -> str:
    """The label's value for a base64 key."""
    return host_key_digest(key_blob(f"ssh-ed25519 {key}"))


def _new_entries(plan: RecordPlan, keys: Mapping[str, str], options: RecordOptions) -> list[Entry]:
    known = {entry.identity for entry in plan.entries}
    return [
        Entry(
            host_names(item.address, item.server["name"], options.port),
            keys[item.address],
            identity_of(item.server),
            options.scope,
        )
        for item in plan.unrecorded
        if item.address in keys and identity_of(item.server) not in known
    ]


def _waits(change: Change, silent: set[str]) -> bool:
    return change.action != "delete" and change.name in silent


def _filled(change: Change, plan: RecordPlan, keys: Mapping[str, str]) -> Change:
    """The change with what the server answered in place of the unknown."""
    addresses = {item.server["name"]: item.address for item in plan.unrecorded}
    if change.action == "delete" or change.name not in addresses or change.after is None:
        return change
    digest = digest_of(keys[addresses[change.name]])
    after = {key: _known(value, digest) for key, value in change.after.items()}
    return replace(change, after=after)


def _known(value: Any, digest: str) -> Any:
    if isinstance(value, dict):
        return {key: _known(entry, digest) for key, entry in value.items()}
    return digest if value == UNSCANNED else value


def write_atomically(path: Path, text: str) -> None:
    """Replace the file in one step, readable by its owner alone; a reader sees the old or the new text, never a part."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
