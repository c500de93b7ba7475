# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page, through Traefik."""

from __future__ import annotations

import datetime
import html
import json
import re


def test_the_page_shows_every_component_with_its_state(edge, node):
    answer = edge.ask(node, "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    rows = re.findall(r'<li class="(up|down)">\s*<div>\s*<h2>(.*?)</h2>', answer.text)
    assert [(state, html.unescape(name)) for state, name in rows] == [
        ("up", "Entry point"),
        ("up", 'Echo "quoted" 50%'),
        ("down", "Missing"),
    ]
    assert '<p class="overall degraded" role="status">Some components cannot be reached</p>' in answer.text


def test_texts_are_shown_as_texts(edge, node):
    text = edge.ask(node, "/").text
    assert "<h1>Desk &amp; &lt;Sons&gt; 100%</h1>" in text
    assert "<Sons>" not in text


def test_the_page_brings_everything_with_it(edge, node):
    answer = edge.ask(node, "/")
    assert not re.findall(r'(?:src|href)="(?!/)', answer.text)
    assert "<script" not in answer.text
    policy = answer.headers["content-security-policy"]
    (nonce,) = re.findall(r"style-src 'nonce-([^']+)'", policy)
    assert f'<style nonce="{nonce}">' in answer.text
    assert policy.startswith("default-src 'none';")
    assert edge.ask(node, "/").headers["content-security-policy"] != policy, "a nonce is used once"


def test_nothing_about_the_visitor_is_on_the_page(edge):
    status, text = edge.send(edge.names[0], edge.names[1], claimed="203.0.113.7")[0]
    assert "203.0.113.7" in text, "the echo shows it, so it did arrive"
    assert status == 200
    for path in ("/", "/status.json"):
        assert "203.0.113" not in edge.ask(edge.names[1], path).text


def test_the_document_is_json_and_of_this_moment(edge, node):
    answer = edge.ask(node, "/status.json")
    assert answer.headers["cache-control"] == "no-store"
    told = json.loads(answer.text)
    assert (told["title"], told["environment"], told["state"]) == ("Desk & <Sons> 100%", "molecule", "degraded")
    states = {component["name"]: (component["state"], component["running"]) for component in told["components"]}
    assert states == {
        "Entry point": ("up", len(edge.names)),
        'Echo "quoted" 50%': ("up", 2),
        "Missing": ("down", 0),
    }
    moment = datetime.datetime.fromisoformat(told["time"])
    assert abs((datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds()) < 60


def test_what_is_not_there_and_what_is_not_reading_is_refused(edge, node):
    assert edge.ask(node, "/healthz").status == 404
    assert edge.ask(node, "/status.json", body=b"x").status == 405
