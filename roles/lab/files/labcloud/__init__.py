# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab cloud: answers as the vendors' APIs do, with real things behind them where a lab can have them."""

from __future__ import annotations

__version__ = "0.1.0"
