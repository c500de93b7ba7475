# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin hetzner and its cache: when the API is asked, and what happens when it does not answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils import inventory_cache

HOUR = 3600


class FakeTime:
    """A clock that the test moves, for the cache's entries."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(inventory_cache.CachedSource.__init__, "__defaults__", (clock,))
    return clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def options(folder: Path) -> dict[str, Any]:
    return {
        "api_token": "token",
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(folder),
        "cache_timeout": HOUR,
    }


def test_a_fresh_answer_needs_no_call(cloud, inventory, warnings, recorded, clock, options):
    cloud.servers["token"] = [recorded(), recorded("ipv6_only")]
    first = inventory(a=options)
    cloud.asked.clear()
    clock.now += HOUR
    second = inventory(a=options)
    assert cloud.asked == []
    assert {name: host.vars for name, host in first.hosts.items()} == {
        name: host.vars for name, host in second.hosts.items()
    }
    assert warnings == []


def test_an_old_answer_is_read_anew(cloud, inventory, recorded, clock, options):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    clock.now += HOUR + 1
    cloud.servers["token"] = [recorded("before_locations")]
    assert list(inventory(a=options).hosts) == ["old-1"]
    assert len(cloud.asked) == 2


def test_a_timeout_of_zero_is_for_ever(cloud, inventory, recorded, clock, options):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    clock.now += 1000 * HOUR
    inventory(a={**options, "cache_timeout": 0})
    assert len(cloud.asked) == 1


def test_without_cache_every_run_asks(cloud, inventory, recorded, options, folder):
    for _ in range(2):
        inventory(a={**options, "cache": False})
    assert len(cloud.asked) == 2
    assert not folder.exists()


def test_a_flush_asks_and_fills_the_cache(cloud, inventory, recorded, clock, options):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    cloud.servers["token"] = [recorded("before_locations")]
    assert list(inventory(refresh=True, a=options).hosts) == ["old-1"]
    assert len(cloud.asked) == 2
    assert list(inventory(a=options).hosts) == ["old-1"]
    assert len(cloud.asked) == 2


def test_data_from_the_cache_never_gets_younger(cloud, inventory, recorded, clock, options):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    for _ in range(4):
        clock.now += HOUR / 3
        inventory(a=options)
    assert len(cloud.asked) == 2


def test_a_second_project_does_not_renew_the_first(cloud, inventory, recorded, clock, options):
    cloud.servers = {"one": [recorded("ipv6_only")], "two": [recorded("before_locations")]}
    first, second = {"name": "one", "api_token": "one"}, {"name": "two", "api_token": "two"}
    both = {**{key: value for key, value in options.items() if key != "api_token"}, "projects": [first, second]}
    inventory(a={**both, "projects": [first]})
    clock.now += HOUR - 10
    inventory(a=both)
    assert [asked[0] for asked in cloud.asked] == ["one", "two"]
    clock.now += 20
    inventory(a=both)
    assert [asked[0] for asked in cloud.asked] == ["one", "two", "one"]


@pytest.mark.parametrize(
    "changed",
    [
        {"label_selector": "env=prod"},
        {"status": ["running"]},
        {"api_endpoint": "http://elsewhere/v1"},
        {"api_token": "other"},
        {"volumes": True},
    ],
)
def test_what_the_api_filters_has_an_entry_of_its_own(cloud, inventory, clock, options, changed):
    inventory(a=options)
    inventory(a={**options, **changed})
    assert len(cloud.asked) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"locations": ["hel1"]},
        {"types": ["cx23"]},
        {"connect_with": ["hostname"]},
        {"keyed_groups": [{"key": "hcloud_location"}]},
        {"hostname": "x-{{ hcloud_name }}"},
        {"hostvars_prefix": "h_"},
    ],
)
def test_all_else_is_applied_to_the_cached_answer(cloud, inventory, recorded, clock, options, changed):
    cloud.servers["token"] = [recorded("ipv6_only"), recorded("private_only")]
    inventory(a=options)
    cloud.asked.clear()
    cached = inventory(a={**options, **changed})
    assert cloud.asked == []
    direct = inventory(a={**options, **changed, "cache": False})
    assert {name: host.vars for name, host in cached.hosts.items()} == {
        name: host.vars for name, host in direct.hosts.items()
    }
    assert cached.groups.keys() == direct.groups.keys()


def test_several_files_share_one_folder(cloud, inventory, recorded, clock, options):
    cloud.servers = {"one": [recorded("ipv6_only")], "two": [recorded("before_locations")]}
    files = {"a": {**options, "api_token": "one"}, "b": {**options, "api_token": "two"}}
    assert list(inventory(**files).hosts) == ["six-1", "old-1"]
    cloud.asked.clear()
    assert list(inventory(**files).hosts) == ["six-1", "old-1"]
    assert cloud.asked == []


def test_no_token_in_the_cache(cloud, inventory, recorded, clock, options, folder):
    cloud.servers["very-secret"] = [recorded()]
    inventory(a={**options, "api_token": "very-secret"})
    files = list(folder.iterdir())
    assert len(files) == 1
    assert "very-secret" not in files[0].name + files[0].read_text()
    assert folder.stat().st_mode & 0o077 == 0, "names and addresses are not for every user of the machine"


# --- outages


@pytest.mark.parametrize("refresh", [False, True])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (None, "unreachable"),
        (429, "rate_limit_exceeded"),
        (500, "server_error"),
        (503, "unavailable"),
        (403, "maintenance"),
    ],
)
def test_an_outage_is_bridged_by_the_old_answer(
    cloud, inventory, warnings, recorded, clock, options, status, code, refresh
):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    cloud.fail(status, code)
    clock.now += 3 * HOUR + 20 * 60
    for _ in range(2):
        warnings.clear()
        assert list(inventory(refresh=refresh, a=options).hosts) == ["six-1"]
        assert len(warnings) == 1
        assert warnings[0].startswith(f"Could not list servers at Hetzner: something happened ({code}")
        assert warnings[0].endswith("The inventory shows the servers as they were 3 h 20 min ago.")
    assert cloud.patience[-1] == (3.0, 3.0), "with an answer at hand nobody waits long"
    cloud.work()
    cloud.servers["token"] = [recorded("before_locations")]
    assert list(inventory(a=options).hosts) == ["old-1"], "the old answer did not become fresh"


def test_an_answer_survives_ansibles_own_expiry(cloud, inventory, warnings, recorded, clock, options, folder):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    clock.now += 40 * 24 * HOUR
    (entry,) = folder.iterdir()
    os.utime(entry, (0, 0))
    cloud.fail(503, "unavailable")
    assert list(inventory(a=options).hosts) == ["six-1"]
    assert warnings[0].endswith("as they were 40 d 0 h ago.")


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (422, "invalid_input")])
def test_a_refusal_is_not_hidden_by_the_old_answer(cloud, inventory, warnings, recorded, clock, options, status, code):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    cloud.fail(status, code)
    clock.now += 2 * HOUR
    assert dict(inventory(a=options).hosts) == {}
    assert warnings[0].startswith("FAILED Could not list servers at Hetzner")


def test_only_the_project_that_fails_is_old(cloud, inventory, warnings, recorded, clock, options):
    cloud.servers = {"one": [recorded("ipv6_only")], "two": [recorded("before_locations")]}
    projects = [{"name": "shop", "api_token": "one"}, {"name": "lab", "api_token": "two"}]
    both = {**{key: value for key, value in options.items() if key != "api_token"}, "projects": projects}
    inventory(a=both)
    clock.now += 2 * HOUR
    cloud.fail(503, "unavailable", token="two")
    cloud.servers["one"].append(recorded())
    assert list(inventory(a=both).hosts) == ["web-1", "six-1", "old-1"]
    assert [warning.split(":")[0] for warning in warnings] == ["Project lab"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"__payload__": "[]"}', '{"__payload__": "{\\"format\\": 1}"}'])
def test_a_damaged_entry_is_read_anew(cloud, inventory, recorded, clock, options, folder, damage):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    (entry,) = folder.iterdir()
    entry.write_text(damage)
    assert list(inventory(a=options).hosts) == ["six-1"]
    assert len(cloud.asked) == 2
    inventory(a=options)
    assert len(cloud.asked) == 2


def test_an_entry_of_another_version_is_read_anew(cloud, inventory, recorded, clock, options, folder):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    (entry,) = folder.iterdir()
    payload = json.loads(json.loads(entry.read_text())["__payload__"])
    entry.write_text(json.dumps({"__payload__": json.dumps({**payload, "format": 0})}))
    inventory(a=options)
    assert len(cloud.asked) == 2


def test_an_entry_from_the_future_is_not_fresh(cloud, inventory, recorded, clock, options):
    cloud.servers["token"] = [recorded("ipv6_only")]
    inventory(a=options)
    clock.now -= 10
    inventory(a=options)
    assert len(cloud.asked) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (12_000, "3 h 20 min"),
        (90_000, "1 d 1 h"),
        (864_000, "10 d 0 h"),
    ],
)
def test_age_in_words(seconds, words):
    assert inventory_cache.age_in_words(seconds) == words
