# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends a run with a table of the platform's services and the time the run took."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Ends a run with a table of services
version_added: 1.0.0
description:
  - Prints every service that the run reported, where it answers, its health, how to log in and what stands in for what,
    then how long the run took and whether anything changed.
  - A play reports services by M(ansible.builtin.set_stats) in a list named C(frontdesk_services); the items' keys are
    C(service), C(url), C(health), C(login) and C(stand_in). A run that reports none prints no table.
  - A document of P(frontdesk.platform.platform_status#filter), reported as C(platform_status), is shown as tables of nodes, services
    and endpoints, with the problems at the end.
author:
  - The frontdesk.platform authors (@frontdesk-platform)
requirements:
  - enabled in C(ansible.cfg) by C(callbacks_enabled = frontdesk.platform.summary)
"""

import time

from ansible.plugins.callback import CallbackBase

from ansible_collections.frontdesk.platform.plugins.plugin_utils.table import render_table

SERVICES = {"service": "SERVICE", "url": "WHERE", "health": "HEALTH", "login": "LOG IN", "stand_in": "STANDS IN FOR"}
NODES = {
    "name": "NODE",
    "role": "ROLE",
    "state": "STATE",
    "availability": "TAKES TASKS",
    "address": "ADDRESS",
    "engine_version": "ENGINE",
    "tasks": "TASKS",
}
RUNNING = {"name": "SERVICE", "image": "IMAGE", "tasks": "TASKS", "update": "LAST UPDATE", "error": "LAST ERROR"}
POSTGRES_MEMBERS = {
    "name": "POSTGRESQL",
    "role": "ROLE",
    "state": "STATE",
    "lag": "BYTES BEHIND",
    "timeline": "TIMELINE",
}
REDIS_MEMBERS = {"name": "REDIS", "role": "ROLE", "following": "FOLLOWS"}
ENDPOINTS = {
    "service": "FROM OUTSIDE",
    "url": "WHERE",
    "health": "HEALTH",
    "certificate_days": "CERTIFICATE DAYS",
    "stand_in": "STANDS IN FOR",
}


class CallbackModule(CallbackBase):
    """Prints the table after the recap."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "frontdesk.platform.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()

    def v2_playbook_on_stats(self, stats) -> None:
        """Print the reported services and the run's figures."""
        reported = stats.custom.get("_run", {})
        if reported.get("frontdesk_services"):
            self._display.banner("SERVICES")
            self._show(reported["frontdesk_services"], SERVICES)
        if reported.get("platform_status"):
            self._display.banner("STATUS")
            self._show_status(reported["platform_status"])
        self._display.display("")
        self._display.display(run_line(stats, time.monotonic() - self._started))

    def _show(self, rows, columns) -> None:
        for line in render_table(rows, columns):
            self._display.display(line)

    def _show_status(self, status) -> None:
        """Print a table for each part that the document has, then what is wrong."""
        services = [
            {**service, "image": short_image(service["image"]), "tasks": f"{service['running']}/{service['wanted']}"}
            for service in status["services"]
        ]
        parts = (
            (status["nodes"], NODES),
            (services, RUNNING),
            ((status.get("postgres") or {}).get("members"), POSTGRES_MEMBERS),
            ((status.get("redis") or {}).get("members"), REDIS_MEMBERS),
            (status["endpoints"], ENDPOINTS),
        )
        for rows, columns in parts:
            if rows:
                self._show(rows, columns)
                self._display.display("")
        if status["healthy"]:
            self._display.display("everything is as it should be", color="green")
        for problem in status["problems"]:
            self._display.display(f"PROBLEM: {problem}", color="red")


def short_image(image: str) -> str:
    """Return an image's name without its digest, which nobody reads in a table."""
    return image.partition("@")[0]


def run_line(stats, seconds: float) -> str:
    """Say in one line how the run ended: what failed, how many tasks changed something, and the seconds it took."""
    failed = sorted(set(stats.failures) | set(stats.dark))
    changed = sum(stats.changed.values())
    outcome = f"FAILED on {', '.join(failed)}" if failed else "ok"
    return f"{outcome}, changed={changed}, {seconds:.0f} s"
