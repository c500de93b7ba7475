# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the variables that every host has when a play starts, for test_precedence.py. Values are not evaluated."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record_variables
type: aggregate
short_description: Records variables
description: For the test of precedence.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record_variables"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_play_start(self, play: Any) -> None:
        names = json.loads(os.environ["RECORD_VARIABLES_NAMES"])
        manager = play.get_variable_manager()
        with Path(os.environ["RECORD_VARIABLES_FILE"]).open("a", encoding="utf-8") as file:
            for host in manager._inventory.get_hosts("all", ignore_restrictions=True):
                variables = manager.get_vars(play=play, host=host)
                values = {name: repr(variables[name]) for name in names if name in variables}
                file.write(json.dumps({"play": play.get_name(), "host": host.name, "values": values}) + "\n")
