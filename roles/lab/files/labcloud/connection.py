# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaking a client's connection on purpose."""

from __future__ import annotations

from starlette.types import Receive


async def abort(receive: Receive) -> None:
    """Reset the connection without an answer.

    ASGI has no message for this. uvicorn's `receive` is a method of the object that holds the transport, so
    the connection can be cut there (`send` comes wrapped by Starlette); waiting for the disconnect keeps uvicorn from answering 500 itself.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("the server does not let the lab break a connection; run the service under uvicorn")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
