# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens, headers, the request limit over HTTP, and faults on demand."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from labcloud.faults import Fault, Faults
from labcloud.hetzner import servers
from tests.lab_cloud import LabCloud, running_lab_cloud
from tests.unit.labcloud.lab_helpers import KEY, ORDER, make, refusal, server


def _get(lab: LabCloud, path: str, token: str | None = None) -> requests.Response:
    return requests.get(lab.endpoint + path, headers={"Authorization": f"Bearer {token or lab.token}"}, timeout=20)


def test_every_answer_has_the_limit_and_a_correlation_id(lab: LabCloud) -> None:
    first, second = _get(lab, "/servers"), _get(lab, "/servers/1")
    assert first.headers["RateLimit-Limit"] == "3600"
    assert int(second.headers["RateLimit-Remaining"]) <= int(first.headers["RateLimit-Remaining"])
    assert int(first.headers["RateLimit-Reset"]) >= int(time.time())
    assert first.headers["X-Correlation-Id"] != second.headers["X-Correlation-Id"]
    assert first.headers["Link"].endswith('rel="last"')


def test_tokens_open_their_own_project_only(lab: LabCloud) -> None:
    assert requests.get(f"{lab.endpoint}/servers", timeout=20).status_code == 401
    assert refusal(lab, "GET", "/servers", token="unknown") == (401, "unauthorized")
    lab.project("other", "other-token")
    make(lab, "/ssh_keys", {"name": "k", "public_key": KEY}, token="other-token")
    assert lab.api("GET", "/ssh_keys")[1]["ssh_keys"] == []
    lab.project("other", "reader", read_only=True)
    assert len(lab.api("GET", "/ssh_keys", token="reader")[1]["ssh_keys"]) == 1
    assert refusal(lab, "DELETE", "/ssh_keys/1", token="reader") == (401, "token_readonly")


def test_the_limit_is_the_projects(lab: LabCloud) -> None:
    lab.project("small", "small", rate_limit=3)
    assert [_get(lab, "/locations", "small").status_code for _n in range(4)] == [200, 200, 200, 429]
    refused = _get(lab, "/locations", "small")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert _get(lab, "/locations").status_code == 200


def test_a_body_that_is_no_object_is_a_json_error(lab: LabCloud) -> None:
    headers = {"Authorization": f"Bearer {lab.token}"}
    for data in ("{", "[]", '"a"'):
        answer = requests.post(f"{lab.endpoint}/networks", data=data, headers=headers, timeout=20)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "json_error")


def test_a_status_fault_acts_as_often_as_told_and_only_where_told(lab: LabCloud) -> None:
    number = lab.fault(effect="status", status=429, method="GET", path="^/servers$", times=2, skip=1)
    found = [_get(lab, "/servers").status_code for _n in range(4)]
    assert found == [200, 429, 429, 200]
    assert _get(lab, "/networks").status_code == 200
    assert lab.call("GET", "/faults")["faults"][0]["hits"] == 2
    lab.call("DELETE", f"/faults/{number}")
    assert lab.call("GET", "/faults")["faults"] == []


@pytest.mark.parametrize(
    ("status", "code", "content"),
    [
        (429, "rate_limit_exceeded", "application/json"),
        (500, "server_error", "application/json"),
        (503, "unavailable", "application/json"),
        (502, None, "text/html"),
    ],
)
def test_statuses_come_in_the_vendors_form(lab: LabCloud, status: int, code: str | None, content: str) -> None:
    lab.fault(effect="status", status=status, headers={"Retry-After": "7"})
    answer = _get(lab, "/servers")
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(content)
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["RateLimit-Limit"] == "3600"
    if code:
        assert answer.json()["error"]["code"] == code
    if status == 429:
        assert answer.headers["RateLimit-Remaining"] == "0"


def test_latency_adds_up_to_a_call(lab: LabCloud) -> None:
    lab.fault(effect="latency", seconds=0.3)
    start = time.monotonic()
    assert _get(lab, "/servers").status_code == 200
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(("effect", "made"), [("drop_before", 0), ("drop_after", 1)])
def test_a_connection_breaks_before_or_after_the_work(lab: LabCloud, effect: str, made: int) -> None:
    lab.fault(effect=effect, method="POST", path="^/servers$")
    headers = {"Authorization": f"Bearer {lab.token}"}
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{lab.endpoint}/servers", json=ORDER, headers=headers, timeout=20)
    lab.idle()
    assert len(lab.api("GET", "/servers")[1]["servers"]) == made
    assert [call["status"] for call in lab.requests() if call["method"] == "POST"] == [0]


def test_an_action_error_ends_the_action_and_those_behind_it(lab: LabCloud) -> None:
    lab.fault(effect="action_error", command="create_server", code="unexpected", message="the rack is on fire")
    _status, answer = lab.api("POST", "/servers", ORDER)
    lab.idle()
    action = lab.api("GET", f"/actions/{answer['action']['id']}")[1]["action"]
    assert action["status"] == "error"
    assert action["error"] == {"code": "unexpected", "message": "the rack is on fire"}
    following = lab.api("GET", f"/actions/{answer['next_actions'][0]['id']}")[1]["action"]
    assert following["status"] == "error"
    # The server is there, off and unlocked: a client can delete it or start it.
    node = server(lab, answer["server"]["id"])
    assert (node["status"], node["locked"]) == ("off", False)
    assert lab.api("POST", f"/servers/{node['id']}/actions/poweron")[0] == 201
    lab.idle()
    assert server(lab, node["id"])["status"] == "running"


def test_a_revoked_token_stays_revoked_until_the_fault_goes(lab: LabCloud) -> None:
    lab.fault(effect="revoked", token=lab.token)
    assert [_get(lab, "/servers").status_code for _n in range(3)] == [401, 401, 401]
    lab.clear_faults()
    assert _get(lab, "/servers").status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"effect": "earthquake"}, {"effect": "status", "path": "("}, {"effect": "status", "when": "now"}]
)
def test_what_is_no_fault_is_refused_in_one_sentence(lab: LabCloud, body: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="error"):
        lab.call("POST", "/faults", body)


def test_a_fault_for_another_provider_does_not_count(tmp_path: Path) -> None:
    faults = Faults()
    faults.add(Fault.parse({"effect": "status", "provider": "cloudflare"}))
    assert faults.for_call("hetzner", "GET", "/servers", "t") == []
    assert len(faults.for_call("cloudflare", "GET", "/zones", "t")) == 1
    assert faults.for_call("cloudflare", "GET", "/zones", "t") == []
    assert faults.for_action("hetzner", "create_server") is None


def test_a_mistake_in_the_lab_looks_like_one_of_the_vendors_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_lab_cloud(tmp_path) as lab:
        monkeypatch.setattr(servers, "_begin", lambda *_arguments: 1 / 0)
        assert refusal(lab, "POST", "/servers", ORDER) == (500, "server_error")
        assert lab.api("GET", "/servers")[1]["servers"] == []
        assert lab.api("GET", "/primary_ips")[1]["primary_ips"] == []
