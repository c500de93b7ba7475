# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes this node's tasks away before a reboot and takes tasks again after it. Installed by role swarm under two names.

As 20-swarm-drain it ends with an error, and the reboot must not happen, when the cluster could not do without this manager now, or
when another node is on its way out. As 20-swarm-active it undoes what it has done itself, and nothing else. A worker cannot drain
itself, because only managers change the cluster: its engine stops the tasks, and the managers start them elsewhere.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import quote

SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("unix://")[2]
# Survives the reboot, and tells afterwards that this program drained the node.
MARKER = Path("/var/lib/frontdesk/swarm-drained")
# Tells the same to the other nodes and to role swarm: seconds since 1970.
LABEL = "frontdesk-reboot"
# A reboot that began longer ago is forgotten, in seconds.
FORGOTTEN = 3600
LIMIT = 300.0
PAUSE = 1.0
LIVE = {"new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"}


class Refusal(Exception):
    """Why the reboot must not happen, or why the node cannot take tasks again. One sentence."""


class _Connection(http.client.HTTPConnection):
    def connect(self):
        """Connect to the engine's socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def ask(method, path, body=None, **query):
    """Ask the engine; its parsed answer. Raises Refusal with its words, OSError when it does not answer."""
    connection = _Connection("docker", timeout=30)
    text = "&".join(
        f"{key}={quote(value if isinstance(value, str) else json.dumps(value))}" for key, value in query.items()
    )
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, f"{path}?{text}", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        found = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        # The words after the names of protocols and codes.
        raise Refusal(json.loads(found)["message"].rpartition("desc = ")[2])
    return json.loads(found) if found.strip() else None


def wait(what, done):
    """Ask again and again until the answer is yes. Raises Refusal when that takes too long."""
    end = time.monotonic() + LIMIT
    while True:
        reason = done()
        if not reason:
            return
        if time.monotonic() > end:
            raise Refusal(f"{what} within {LIMIT:.0f} s: {reason}")
        time.sleep(PAUSE)


def update(identity, change):
    """Change a node's spec; again when somebody else changed it at the same moment."""
    for left in (4, 3, 2, 1, 0):
        node = ask("GET", f"/nodes/{identity}")
        spec = node["Spec"]
        spec["Labels"] = spec.get("Labels") or {}
        change(spec)
        try:
            ask("POST", f"/nodes/{identity}/update", spec, version=str(node["Version"]["Index"]))
            return
        except Refusal as refusal:
            if not left or "out of sequence" not in str(refusal):
                raise


def rebooting(node):
    """When a node was drained for a reboot, in seconds since 1970; 0 when it was not, or long ago."""
    since = (node["Spec"].get("Labels") or {}).get(LABEL, "")
    return int(since) if since.isdigit() and time.time() - int(since) < FORGOTTEN else 0


def name(node):
    """A node's host name."""
    return node["Description"]["Hostname"]


def check_majority(nodes, mine):
    """Raise Refusal when the managers that are left could not decide anything."""
    managers = [node for node in nodes if node.get("ManagerStatus")]
    others = [node for node in managers if node["ID"] != mine]
    silent = [name(node) for node in others if node["ManagerStatus"].get("Reachability") != "reachable"]
    # Two managers have no majority without one of them, whatever the other does.
    needed = len(managers) // 2 + 1 if len(managers) > 2 else len(others)
    if len(others) - len(silent) < needed:
        raise Refusal(
            f"the managers would lose their majority, because {', '.join(silent) or 'too few'} cannot be reached"
        )


def check_others(nodes, mine, tasks):
    """Raise Refusal when another node is on its way out."""
    for node in nodes:
        busy = any(task.get("NodeID") == node["ID"] and task["Status"]["State"] in LIVE for task in tasks)
        leaving = node["Spec"]["Availability"] == "drain" and node["Status"]["State"] == "ready" and busy
        if node["ID"] != mine and (rebooting(node) or leaving):
            raise Refusal(f"{name(node)} is being drained or rebooted at this moment")


def check_first(nodes, mine, since):
    """Raise Refusal when two nodes asked at the same moment and the other began before this one."""
    for node in nodes:
        if node["ID"] != mine and rebooting(node) and (rebooting(node), node["ID"]) < (since, mine):
            raise Refusal(f"{name(node)} began its reboot at the same moment")


def running(tasks, besides=""):
    """Running tasks by service, without those of one node."""
    counts = {}
    for task in tasks:
        if task["Status"]["State"] == "running" and task.get("NodeID") != besides:
            counts[task["ServiceID"]] = counts.get(task["ServiceID"], 0) + 1
    return counts


def wanted_elsewhere(mine):
    """How many tasks of each service with one here have to run elsewhere in the end."""
    tasks = ask("GET", "/tasks", filters={"desired-state": ["running"]})
    before = running(tasks)
    here = {task["ServiceID"] for task in tasks if task.get("NodeID") == mine}
    wanted = {}
    for service in ask("GET", "/services"):
        replicas = (service["Spec"].get("Mode", {}).get("Replicated") or {}).get("Replicas")
        if replicas and service["ID"] in here:
            wanted[service["ID"]] = (service["Spec"]["Name"], min(replicas, before.get(service["ID"], 0)))
    return wanted


def unfinished(mine, wanted):
    """What still has to move, as text; empty when all has."""
    local = ask("GET", "/tasks", filters={"node": [mine]})
    count = sum(task["Status"]["State"] in LIVE for task in local)
    if count:
        return f"{count} tasks still run here"
    tasks = ask("GET", "/tasks", filters={"desired-state": ["running"]})
    # A service that is tied to this node waits for it.
    tied = {task["ServiceID"] for task in tasks if "no suitable node" in task["Status"].get("Err", "")}
    elsewhere = running(tasks, mine)
    short = [
        f"{service} runs {elsewhere.get(identity, 0)} of {least}"
        for identity, (service, least) in wanted.items()
        if identity not in tied and elsewhere.get(identity, 0) < least
    ]
    return ", ".join(short)


def take_back(spec):
    """Let a node take tasks again."""
    if spec["Labels"].pop(LABEL, None):
        spec["Availability"] = "active"


def forget():
    """Remove what tells of the drain."""
    if MARKER.exists():
        MARKER.unlink()


def drain():
    """Take the tasks away from this node."""
    try:
        swarm = ask("GET", "/info")["Swarm"]
    except (FileNotFoundError, ConnectionRefusedError):
        return "the engine does not run, and nothing on it"
    mine = swarm["NodeID"]
    if not swarm["ControlAvailable"]:
        return "no manager: the engine stops the tasks"
    nodes = ask("GET", "/nodes")
    if sum(1 for node in nodes if node.get("ManagerStatus")) == 1:
        return "the only manager: the engine stops the tasks"
    me = next(node for node in nodes if node["ID"] == mine)
    if me["Spec"]["Availability"] != "active" and not rebooting(me):
        return f"availability is {me['Spec']['Availability']} already, and stays"
    check_majority(nodes, mine)
    check_others(nodes, mine, ask("GET", "/tasks", filters={"desired-state": ["running", "shutdown"]}))
    wanted = wanted_elsewhere(mine)
    since = rebooting(me) or int(time.time())

    def change(spec):
        spec["Availability"] = "drain"
        spec["Labels"][LABEL] = str(since)

    MARKER.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    MARKER.write_text(f"{mine}\n", encoding="ascii")
    update(mine, change)
    try:
        check_first(ask("GET", "/nodes"), mine, since)
        wait("the tasks did not move", lambda: unfinished(mine, wanted))
    except (Refusal, OSError):
        update(mine, take_back)
        forget()
        raise
    return "drained"


def not_ready():
    """Why the cluster cannot be asked yet; empty when it can."""
    try:
        swarm = ask("GET", "/info")["Swarm"]
        if swarm["LocalNodeState"] != "active":
            return f"the engine's state is {swarm['LocalNodeState']}"
        if swarm["ControlAvailable"] and ask("GET", f"/nodes/{swarm['NodeID']}")["Status"]["State"] != "ready":
            return "the managers do not see this node yet"
    except (Refusal, OSError) as error:
        return str(error)
    return ""


def active():
    """Take tasks again, if this program took them away."""
    if not MARKER.exists():
        return "was not drained for this reboot"
    wait("the engine did not come back into its cluster", not_ready)
    swarm = ask("GET", "/info")["Swarm"]
    if not swarm["ControlAvailable"]:
        raise Refusal("is no manager any more; set its availability on one that is")
    update(swarm["NodeID"], take_back)
    forget()
    return "takes tasks again"


def main(program):
    """Do what the program's name says; the exit code."""
    verb = active if program.endswith("-active") else drain
    try:
        sys.stdout.write(f"swarm: {socket.gethostname()}: {verb()}\n")
    except (Refusal, OSError) as error:
        sys.stderr.write(f"swarm: {socket.gethostname()}: {str(error).rstrip('.')}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[0]))
