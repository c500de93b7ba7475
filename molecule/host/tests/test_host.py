# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that role host accepted."""

from __future__ import annotations

import json


def test_the_first_boot_is_finished(host):
    status = json.loads(host.check_output("cloud-init status --format json"))
    assert status["status"] == "done"
    assert status["errors"] == []


def test_systemd_has_no_failed_unit(host):
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_the_private_interface_has_the_providers_mtu(host):
    addresses = json.loads(host.check_output("ip -json -4 address show"))
    private = [link for link in addresses for entry in link["addr_info"] if entry["local"].startswith("10.20.0.")]
    assert [link["mtu"] for link in private] == [1450], "Hetzner's private networks carry 1450 bytes"
