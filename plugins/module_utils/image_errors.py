# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error that the parts of image_build share."""

from __future__ import annotations


class ImageError(Exception):
    """An image cannot be built or pushed. The text is one or two sentences with cause and remedy."""
