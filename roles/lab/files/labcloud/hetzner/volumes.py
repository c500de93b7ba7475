# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: block storage that a server of the same location can have."""

from __future__ import annotations

import re

from ..state import Item
from . import catalogue, paging, times
from .action_record import as_json as action_json
from .call import Answer, Call
from .errors import invalid_field, limit_exceeded, locked, protected, refused
from .fields import Fields

KIND = "volume"
SORTABLE = ("id", "name", "created")
STATUSES = ("available", "creating")
FORMATS = ("ext4", "xfs")
SMALLEST, LARGEST = 10, 10240  # GB
MAX_VOLUMES_PER_SERVER = 16  # docs.hetzner.com/cloud/volumes/faq
NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?")
_FIELDS = ("name", "size", "labels", "automount", "format", "location", "server")


def as_json(volume: Item) -> Item:
    """Return the public form; a server is shown as soon as it has the volume."""
    names = ("id", "name", "labels", "created", "protection", "size", "status", "format")
    return {
        **{name: volume[name] for name in names},
        "server": None if volume["attaching"] else volume["server"],
        "location": catalogue.LOCATION_BY_NAME[volume["location"]],
        "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{volume['id']}",
    }


def volumes_of(call: Call, server_id: int) -> list[int]:
    """Return the volumes that a server has."""
    volumes = call.items(KIND).values()
    return [volume["id"] for volume in volumes if volume["server"] == server_id and not volume["attaching"]]


def listed(call: Call) -> Answer:
    """GET /volumes."""
    statuses = paging.chosen(call.query, "status", STATUSES)
    found = [volume for volume in call.items(KIND).values() if not statuses or volume["status"] in statuses]
    found = paging.by_labels(paging.by_name(found, call.query), call.query)
    return call.page("volumes", paging.in_order(found, call.query, SORTABLE), as_json)


def one(call: Call) -> Answer:
    """GET /volumes/{id}."""
    return Answer(200, {"volume": as_json(call.item(KIND))})


def _unlocked(call: Call) -> Item:
    volume = call.item(KIND)
    if call.cloud.runner.locks(call.project.name, volume["id"]):
        raise locked(f"volume {volume['name']}")
    return volume


def check_can_attach(volume: Item, location: str) -> None:
    """Raise when a server in this location cannot get the volume."""
    if volume["server"] is not None:
        raise refused("volume_already_attached", f"volume {volume['name']} is attached to a server already")
    if volume["location"] != location:
        raise invalid_field("server", f"volume {volume['name']} is in another location")


def _server(call: Call, server_id: int) -> Item:
    """Return a server that can get one more volume. Raises."""
    server = call.find("server", server_id)
    if call.cloud.runner.locks(call.project.name, server_id):
        raise locked(f"server {server['name']}")
    if sum(volume["server"] == server_id for volume in call.items(KIND).values()) >= MAX_VOLUMES_PER_SERVER:
        raise limit_exceeded("server_volumes", f"a server can have at most {MAX_VOLUMES_PER_SERVER} volumes")
    return server


def begin_attach(call: Call, volume: Item, server_id: int, after: list[int]) -> Item:
    """Give the volume to a server and start the action that brings it there."""
    call.put(KIND, {**volume, "server": server_id, "attaching": True})
    return call.cloud.runner.begin(
        call.project.name,
        "attach_volume",
        [("server", server_id), (KIND, volume["id"])],
        {"volume": volume["id"], "server": server_id},
        locks=[volume["id"], server_id],
        after=after,
    )


def _place(call: Call, fields: Fields) -> tuple[str | None, int | None]:
    """Return location and server of a new volume: exactly one of them is named."""
    reference, server_id = fields.reference("location"), fields.integer("server")
    if (reference is None) == (server_id is None):
        fields.fault("location", "exactly one of location and server is needed")
        return None, None
    if reference is None:
        return _server(call, server_id or 0)["location"], server_id
    found = catalogue.location(reference)
    if found is None:
        fields.fault("location", f"location {reference} not found")
    return (found["name"] if found else None), None


def create(call: Call) -> Answer:
    """POST /volumes."""
    fields = call.fields(_FIELDS)
    name = fields.text("name", required=True, pattern=NAME)
    size = fields.integer("size", required=True, minimum=SMALLEST, maximum=LARGEST)
    labels = fields.labels()
    file_system = fields.text("format", choices=FORMATS)
    if fields.flag("automount", False) and "server" not in fields:
        fields.fault("automount", "server must be provided")
    location, server_id = _place(call, fields)
    fields.check()
    call.unique_name(KIND, str(name))
    volume: Item = {
        "id": call.cloud.state.next_id(),
        "name": name,
        "labels": labels or {},
        "created": times.now(),
        "protection": {"delete": False},
        "size": size,
        "location": location,
        "format": file_system,
        "status": "creating",
        "server": None,
        "attaching": False,
    }
    call.put(KIND, volume)
    action = _begin(call, volume, "create_volume")
    following = [] if server_id is None else [begin_attach(call, volume, server_id, [action["id"]])]
    answer = {
        "volume": as_json(call.find(KIND, volume["id"])),
        "action": action_json(action),
        "next_actions": list(map(action_json, following)),
    }
    return Answer(201, answer)


def _begin(call: Call, volume: Item, command: str, server_id: int | None = None) -> Item:
    resources = [*([("server", server_id)] if server_id else []), (KIND, volume["id"])]
    locks = [volume["id"], *([server_id] if server_id else [])]
    arguments = {"volume": volume["id"], "server": server_id}
    return call.cloud.runner.begin(call.project.name, command, resources, arguments, locks=locks)


def update(call: Call) -> Answer:
    """PUT /volumes/{id}: name and labels."""
    volume = dict(call.item(KIND))
    fields = call.fields(("name", "labels"))
    if "name" in fields:
        fields.text("name", pattern=NAME)
    call.rename(KIND, volume, fields)
    call.put(KIND, volume)
    return Answer(200, {"volume": as_json(volume)})


def delete(call: Call) -> Answer:
    """DELETE /volumes/{id}: with all its data; not while a server has it."""
    volume = _unlocked(call)
    if volume["protection"]["delete"]:
        raise protected("volume", "delete")
    if volume["server"] is not None:
        # The vendor's own words and code: hetznercloud/csi-driver, issue 12.
        raise refused("service_error", f"volume with ID '{volume['id']}' is still attached to a server")
    call.remove(KIND, volume["id"])
    call.cloud.runner.begin(
        call.project.name, "lab_delete_volume", [(KIND, volume["id"])], {"volume": volume["id"]}, seconds=0, hidden=True
    )
    return Answer(204)


def attach(call: Call) -> Answer:
    """POST /volumes/{id}/actions/attach."""
    volume = _unlocked(call)
    fields = call.fields(("server", "automount"))
    server_id = fields.integer("server", required=True)
    fields.flag("automount", False)
    fields.check()
    server = _server(call, server_id or 0)
    check_can_attach(volume, server["location"])
    return Answer(201, {"action": action_json(begin_attach(call, volume, server["id"], []))})


def detach(call: Call) -> Answer:
    """POST /volumes/{id}/actions/detach."""
    volume = _unlocked(call)
    if volume["server"] is None:
        raise refused("service_error", f"volume with ID '{volume['id']}' is not attached to a server")
    if call.cloud.runner.locks(call.project.name, volume["server"]):
        raise locked("server of the volume")
    return Answer(201, {"action": action_json(_begin(call, volume, "detach_volume", volume["server"]))})


def resize(call: Call) -> Answer:
    """POST /volumes/{id}/actions/resize: only up."""
    volume = _unlocked(call)
    fields = call.fields(("size",))
    size = fields.integer("size", required=True, minimum=SMALLEST, maximum=LARGEST)
    fields.check()
    if size is None or size <= volume["size"]:
        raise invalid_field("size", f"must be greater than the current size of {volume['size']} GB")
    call.put(KIND, {**volume, "size": size})
    action = call.cloud.runner.begin(
        call.project.name,
        "resize_volume",
        [(KIND, volume["id"])],
        {"volume": volume["id"], "size_before": volume["size"]},
        locks=[volume["id"]],
    )
    return Answer(201, {"action": action_json(action)})


def change_protection(call: Call) -> Answer:
    """POST /volumes/{id}/actions/change_protection."""
    volume = _unlocked(call)
    fields = call.fields(("delete",))
    delete_protection = fields.flag("delete", volume["protection"]["delete"])
    fields.check()
    call.put(KIND, {**volume, "protection": {"delete": delete_protection}})
    action = call.cloud.runner.at_once(call.project.name, "change_protection", [(KIND, volume["id"])])
    return Answer(201, {"action": action_json(action)})


def wanted_by_server(fields: Fields) -> list[int]:
    """Read the field `volumes` of a request for a server; what cannot be is told by `for_server`."""
    found = list(dict.fromkeys(fields.integers("volumes")))
    if len(found) > MAX_VOLUMES_PER_SERVER:
        fields.fault("volumes", f"has too many entries: at most {MAX_VOLUMES_PER_SERVER}")
    fields.flag("automount", False)
    return found


def for_server(call: Call, volume_ids: list[int], location: str) -> list[Item]:
    """Return the volumes that a new server is to get. Raises."""
    found = [call.find(KIND, volume_id) for volume_id in volume_ids]
    for volume in found:
        if call.cloud.runner.locks(call.project.name, volume["id"]):
            raise locked(f"volume {volume['name']}")
        if volume["location"] != location:
            raise invalid_field("volumes", f"volume {volume['name']} is in another location")
        check_can_attach(volume, location)
    return found
