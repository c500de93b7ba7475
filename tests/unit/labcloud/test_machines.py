# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real machines behind the API: what they are told, what happens when they fail, and whose power state counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labcloud.machine_specs import MachineSpec, PrivateAddress
from labcloud.machines import OFF, NoMachines, Wanted
from tests.lab_cloud import LabCloud, running_lab_cloud
from tests.unit.labcloud.lab_helpers import KEY, ORDER, RememberingMachines, make, make_network, server, wait_until


@pytest.fixture
def machines() -> RememberingMachines:
    return RememberingMachines()


@pytest.fixture
def real_lab(tmp_path: Path, machines: RememberingMachines) -> Iterator[LabCloud]:
    # `docker` only says that the machines are real; what stands there is given.
    with running_lab_cloud(tmp_path, machines, machines="docker") as lab:
        yield lab


def _action(lab: LabCloud, answer: dict[str, Any]) -> dict[str, Any]:
    lab.idle()
    found: dict[str, Any] = lab.api("GET", f"/actions/{answer['action']['id']}")[1]["action"]
    return found


def test_the_life_of_a_server(real_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = real_lab
    network = make_network(lab)
    make(lab, "/ssh_keys", {"name": "admin", "public_key": KEY})
    node = make(lab, "/servers", {**ORDER, "networks": [network["id"]], "ssh_keys": ["admin"], "user_data": "x"})
    spec = next(call[1] for call in machines.calls if call[0] == "create")
    assert spec == MachineSpec(node["id"], "node", "198.18.0.10", (), (KEY,), "x", "debian-13", 2, 4.0)
    attached = next(call for call in machines.calls if call[0] == "attach")
    assert attached == ("attach", node["id"], PrivateAddress(network["id"], "10.0.1.1", ()))
    order = [name for name in machines.names() if name in ("create_network", "create", "attach", "power_on")]
    assert order[0] == "create_network"
    assert order.index("create") < order.index("attach") < order.index("power_on")
    actions = f"/servers/{node['id']}/actions"
    body = {"network": network["id"], "alias_ips": ["10.0.1.9"]}
    lab.api("POST", f"{actions}/change_alias_ips", body)
    lab.idle()
    assert machines.calls[-1] == ("attach", node["id"], PrivateAddress(network["id"], "10.0.1.1", ("10.0.1.9",)))
    machines.calls.clear()
    lab.api("POST", f"{actions}/rebuild", {"image": "debian-12"})
    lab.idle()
    rebuilt = next(call[1] for call in machines.calls if call[0] == "create")
    assert rebuilt.image == "debian-12"
    assert rebuilt.private == (PrivateAddress(network["id"], "10.0.1.1", ("10.0.1.9",)),)
    assert [name for name in machines.names() if name in ("delete", "create", "power_on")] == [
        "delete",
        "create",
        "power_on",
    ]
    lab.api("POST", f"{actions}/detach_from_network", {"network": network["id"]})
    lab.idle()
    assert machines.calls[-1] == ("detach", node["id"], network["id"])
    lab.api("DELETE", f"/servers/{node['id']}")
    lab.api("DELETE", f"/networks/{network['id']}")
    lab.idle()
    assert {"delete", "delete_network"} <= set(machines.names())
    assert machines.states == {}
    assert machines.networks == {}


def test_a_machine_that_cannot_be_made_is_an_action_error_and_heals_later(
    real_lab: LabCloud, machines: RememberingMachines
) -> None:
    lab = real_lab
    machines.broken["create"] = "no room left on the lab's disk"
    _status, answer = lab.api("POST", "/servers", ORDER)
    action = _action(lab, answer)
    assert action["status"] == "error"
    assert action["error"] == {"code": "action_failed", "message": "no room left on the lab's disk"}
    # The lab's next look at the real machines, which may have been by now, finds none.
    assert server(lab, answer["server"]["id"])["status"] in ("off", "unknown")
    machines.broken.clear()
    _status, answer = lab.api("POST", f"/servers/{answer['server']['id']}/actions/poweron")
    assert _action(lab, answer)["status"] == "success"
    assert machines.names().count("create") == 2


def test_a_failed_attachment_gives_the_address_back(real_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = real_lab
    network, node = make_network(lab), make(lab, "/servers", ORDER)
    machines.broken["attach"] = "the bridge is gone"
    body = {"network": network["id"], "ip": "10.0.1.5"}
    _status, answer = lab.api("POST", f"/servers/{node['id']}/actions/attach_to_network", body)
    assert _action(lab, answer)["error"]["message"] == "the bridge is gone"
    assert server(lab, node["id"])["private_net"] == []
    assert lab.api("GET", f"/networks/{network['id']}/members")[1]["members"] == []
    machines.broken.clear()
    _status, answer = lab.api("POST", f"/servers/{node['id']}/actions/attach_to_network", body)
    assert _action(lab, answer)["status"] == "success"


def test_a_failed_detachment_shows_in_the_members(real_lab: LabCloud, machines: RememberingMachines) -> None:
    lab = real_lab
    network = make_network(lab)
    node = make(lab, "/servers", {**ORDER, "networks": [network["id"]]})
    machines.broken["detach"] = "device busy"
    lab.api("POST", f"/servers/{node['id']}/actions/detach_from_network", {"network": network["id"]})
    lab.idle()
    members = lab.api("GET", f"/networks/{network['id']}/members?status=error")[1]["members"]
    assert [member["id"] for member in members] == [node["id"]]


def test_a_mistake_of_the_machines_ends_the_action_too(real_lab: LabCloud, machines: RememberingMachines) -> None:
    async def explode(_server_id: int) -> None:
        raise ZeroDivisionError

    node = make(real_lab, "/servers", ORDER)
    machines.power_off = explode  # type: ignore[method-assign]
    _status, answer = real_lab.api("POST", f"/servers/{node['id']}/actions/poweroff")
    assert _action(real_lab, answer)["error"]["code"] == "server_error"


def test_the_status_follows_the_real_power_state(real_lab: LabCloud, machines: RememberingMachines) -> None:
    node = make(real_lab, "/servers", ORDER)
    machines.states[node["id"]] = OFF  # somebody has shut it down from the inside
    wait_until(lambda: server(real_lab, node["id"])["status"] == "off")
    machines.states.pop(node["id"])
    wait_until(lambda: server(real_lab, node["id"])["status"] == "unknown")


def test_a_shutdown_takes_as_long_as_the_machine(real_lab: LabCloud, machines: RememberingMachines) -> None:
    node = make(real_lab, "/servers", ORDER)
    _status, answer = real_lab.api("POST", f"/servers/{node['id']}/actions/shutdown")
    path = f"/actions/{answer['action']['id']}"
    wait_until(lambda: real_lab.api("GET", path)[1]["action"]["status"] == "success")
    assert server(real_lab, node["id"])["status"] == "running"
    machines.states[node["id"]] = OFF
    wait_until(lambda: server(real_lab, node["id"])["status"] == "off")


def test_a_lab_whose_machines_cannot_start_says_so(tmp_path: Path) -> None:
    machines = RememberingMachines()
    machines.broken["start"] = "no Docker engine answers at /var/run/docker.sock"
    with (
        running_lab_cloud(tmp_path, machines, machines="docker") as lab,
        pytest.raises(RuntimeError, match="no Docker engine answers"),
    ):
        lab.call("GET", "/health")


def test_a_reset_that_cannot_remove_a_machine_says_so(real_lab: LabCloud, machines: RememberingMachines) -> None:
    make(real_lab, "/servers", ORDER)
    machines.broken["delete"] = "the container does not stop"
    with pytest.raises(RuntimeError, match="the container does not stop"):
        real_lab.call("POST", "/reset")


def test_public_addresses_of_real_servers_stay_where_they_are(real_lab: LabCloud) -> None:
    address = make(real_lab, "/primary_ips", {"name": "a", "type": "ipv4", "location": "fsn1"})
    body = {"assignee_type": "server", "assignee_id": 1}
    status, answer = real_lab.api("POST", f"/primary_ips/{address['id']}/actions/assign", body)
    assert (status, answer["error"]["code"]) == (422, "unsupported_error")


async def _power_of(machines: NoMachines) -> list[str]:
    spec = MachineSpec(1, "a", None, (), (), "", "debian-13", 2, 4.0)
    found = [await machines.state(1)]
    await machines.create(spec)
    found.append(await machines.state(1))
    await machines.power_on(1)
    await machines.create(spec)  # one that exists stays as it is
    found.append(await machines.state(1))
    await machines.start(Wanted(servers=[spec]))
    found.append(await machines.state(1))
    return found


def test_no_machines_are_a_power_state() -> None:
    assert asyncio.run(_power_of(NoMachines())) == ["missing", "off", "running", "off"]
