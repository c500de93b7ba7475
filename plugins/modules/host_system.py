#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_system
short_description: Bring a Debian server's system to the wanted state
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - One document says what packages, files, accounts, packet filter tables, kernel settings, volumes and units a server has. One call
    reads all of them, and writes only what differs.
  - Everything is checked before the first write. A file that its own program refuses, a volume that holds something else, or
    packet filter rules that the kernel does not take leave the server as it was.
  - What a file or package means for a running unit is remembered in O(state_path) before it is written, so that a run that was cut half-way
    is finished by the next one.
  - The order is archives (files below C(/etc/apt)), packages, accounts, files, packet filter, kernel settings, volumes, units.
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
    details:
      - The prediction equals the effect. Lists of package versions are not fetched, so O(packages[].state=latest) is predicted from those at hand.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  apt_keys:
    description: Keys that sign package archives. A key is fetched only when the file does not hold it yet.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is kept; ends in C(.asc).
        type: path
        required: true
      url:
        description: Where it is fetched from, ASCII armoured.
        type: str
        required: true
      fingerprint:
        description: The only fingerprint that is taken, 40 hexadecimal digits.
        type: str
        required: true
  packages:
    description:
      - Debian packages. They are installed without starting or restarting services; list those in O(units).
      - A lock that another program holds is waited for, and an installation that was cut half-way is finished first.
      - What is not listed with O(packages[].state=absent) is never removed.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the package.
        type: str
        required: true
      state:
        description: V(latest) fetches the lists of versions in every run.
        type: str
        choices: [present, latest, absent]
        default: present
      version:
        description: The version, or a pattern with V(*). Any version is taken unless set.
        type: str
      hold:
        description: Whether upgrades leave it alone. Not touched unless set.
        type: bool
      restart:
        description: Units to restart after another version was installed.
        type: list
        elements: str
  users:
    description: Accounts of people.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the account.
        type: str
        required: true
      state:
        description: V(absent) removes the account and leaves its home directory.
        type: str
        choices: [present, absent]
        default: present
      comment:
        description: Whose it is.
        type: str
      shell:
        description: The shell; V(/bin/bash) for a new account.
        type: path
      groups:
        description: Exactly these groups, beside the account's own. Not touched unless set.
        type: list
        elements: str
      authorized_keys:
        description: Exactly these SSH keys. Not touched unless set.
        type: list
        elements: str
      password_locked:
        description: Whether no password opens the account. A new account has none. Not touched unless set.
        type: bool
  files:
    description: Files and directories.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      state:
        description: V(absent) removes a file, a link, or a directory that is empty, or holds nothing but what is listed before it as absent.
        type: str
        choices: [file, directory, absent]
        default: file
      content:
        description: The whole content. No secrets, because the diff shows it; those belong in O(files[].secret).
        type: str
      secret:
        description: The same for a content that is never shown. With V(absent), even when it is empty, the former content is not shown.
        type: str
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      mode:
        description: Permissions in octal. V(0644) for files and V(0755) for directories unless set.
        type: str
      validate:
        description: Program and arguments that check the content; C(%s) is a file with it. Passed over while the program is not installed.
        type: list
        elements: str
      restart:
        description: Units that are restarted, when they run, after the content was changed.
        type: list
        elements: str
      reload:
        description: Units that are reloaded, when they run, after the content was changed.
        type: list
        elements: str
      guard:
        description: Whether the old file comes back as said at O(rollback_seconds).
        type: bool
        default: false
  tables:
    description:
      - Tables of the packet filter (nftables). The rules in force are compared with what the kernel makes of the wanted ones, so a change made
        by hand is found. A table is replaced in one transaction, and other tables are not touched.
      - The file has to be loaded at boot by a unit in O(units).
    type: list
    elements: dict
    default: []
    suboptions:
      family:
        description: Family of the table.
        type: str
        choices: [inet, ip, ip6, arp, bridge, netdev]
        default: inet
      name:
        description: Name of the table.
        type: str
        required: true
      path:
        description: The file that holds it.
        type: path
        required: true
      rules:
        description: What stands between the table's braces.
        type: str
      state:
        description: Whether the table is there.
        type: str
        choices: [present, absent]
        default: present
      guard:
        description: Whether the old table comes back as said at O(rollback_seconds).
        type: bool
        default: false
  sysctl:
    description: Kernel settings by name. Their values in force are compared and set.
    type: dict
    default: {}
  sysctl_file:
    description: File that holds O(sysctl) for the next boot.
    type: path
  volumes:
    description:
      - Attached volumes. A device on which no program finds anything is formatted, once. One that holds a partition table, another file system or
        another label is refused.
      - Mounted by C(/etc/fstab). A file system grows when its device has grown by 64 MiB or more.
    type: list
    elements: dict
    default: []
    suboptions:
      device:
        description: A name that stays, like one below C(/dev/disk/by-id).
        type: str
        required: true
      path:
        description: Where it is mounted. An empty directory, or nothing yet.
        type: path
        required: true
      filesystem:
        description: Type of the file system.
        type: str
        choices: [ext4, xfs]
        default: ext4
      label:
        description: Label that a new file system gets and an old one must have, if it has one; 12 characters. The path's last part unless set.
        type: str
      options:
        description: Mount options. C(nofail) and C(x-systemd.device-timeout=30s) are added, so that the server boots without the volume.
        type: str
      owner:
        description: Owner of the topmost directory. Not touched unless set.
        type: str
      group:
        description: Group of the topmost directory. Not touched unless set.
        type: str
      mode:
        description: Permissions of the topmost directory in octal. Not touched unless set.
        type: str
  units:
    description: Units of systemd, in the order in which they are started.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with its type, like V(ssh.service).
        type: str
        required: true
      enabled:
        description: Whether it starts at boot. Not touched unless set.
        type: bool
      masked:
        description: Whether nothing can start it. Masking does not stop it. Not touched unless set.
        type: bool
      state:
        description: Whether it runs. Not touched unless set.
        type: str
        choices: [started, stopped]
      defer:
        description: Whether its restarts are only named in RV(deferred), because the caller does them, one server after the other.
        type: bool
        default: false
  rollback_seconds:
    description:
      - Where a change to something with C(guard), or to the SSH keys of an account that is there, is written, the old state comes back after this
        time, unless the timer in RV(rollback) is stopped. Stop it over a new connection. V(0) switches this off.
    type: int
    default: 0
  state_path:
    description: Folder for what the module has to remember.
    type: path
    default: /var/lib/frontdesk/host
requirements:
  - Debian 12 or newer with systemd, as root
"""

EXAMPLES = r"""
- name: A web server's system
  frontdesk.platform.host_system:
    packages:
      - name: nginx
    files:
      - path: /etc/nginx/conf.d/site.conf
        content: "{{ lookup('ansible.builtin.template', 'site.conf.j2') }}"
        reload: [nginx.service]
      - path: /etc/sudoers.d/deploy
        content: "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx\n"
        mode: "0440"
        validate: [visudo, -cf, "%s"]
    users:
      - name: deploy
        authorized_keys: ["ssh-ed25519 AAAA... deploy@example.com"]
    sysctl:
      net.core.somaxconn: "4096"
    sysctl_file: /etc/sysctl.d/90-web.conf
    units:
      - name: nginx.service
        enabled: true
        state: started
"""

RETURN = r"""
changes:
  description: Every change from the state at the start, in the order of the writes; in check mode those that would be made.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
      sample: update
    kind:
      description: One of V(apt_key), V(package), V(user), V(authorized_keys), V(file), V(directory), V(nftables), V(sysctl), V(volume), V(unit).
      type: str
      sample: sysctl
    name:
      description: Name or path.
      type: str
      sample: net.ipv4.ip_forward
    before:
      description: The fields that differ, as they were; null for a creation.
      type: dict
      sample: {"value": "0"}
    after:
      description: The fields that differ, as they are to be; null for a deletion.
      type: dict
      sample: {"value": "1"}
deferred:
  description: Restarts that are left to the caller.
  returned: success
  type: list
  elements: dict
  sample: [{"unit": "docker.service", "reason": "because of /etc/docker/daemon.json"}]
rollback:
  description: The timer that puts the old state back, while it runs.
  returned: success
  type: dict
  sample: {"timer": "frontdesk-rollback.timer", "seconds": 90}
reboot_required:
  description: Whether an installed update asks for a reboot.
  returned: success
  type: bool
"""

from ansible.module_utils.urls import ConnectionError as FetchError
from ansible.module_utils.urls import open_url

from ansible_collections.frontdesk.platform.plugins.module_utils.host_machine import HostError, Machine
from ansible_collections.frontdesk.platform.plugins.module_utils.host_run import Run, RunError, Settings, parse
from ansible_collections.frontdesk.platform.plugins.module_utils.quiet_module import AnsibleModule

STRINGS = {"type": "list", "elements": "str"}
TEXT = {"type": "str"}
SWITCH = {"type": "bool", "default": False}
NAME = {"type": "str", "required": True}
PATH = {"type": "path", "required": True}


def many(**options):
    """A list of things with these options."""
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def choice(*values):
    """A choice whose first value is the default."""
    return {"type": "str", "choices": list(values), "default": values[0]}


def argument_spec():
    """The options."""
    return {
        "apt_keys": {**many(path=PATH, url=NAME, fingerprint=NAME), "no_log": False},
        "packages": many(
            name=NAME, state=choice("present", "latest", "absent"), version=TEXT, hold={"type": "bool"}, restart=STRINGS
        ),
        "users": many(  # noqa: S604 - an option named shell, no call of one
            name=NAME,
            state=choice("present", "absent"),
            comment=TEXT,
            shell={"type": "path"},
            groups=STRINGS,
            authorized_keys={**STRINGS, "no_log": False},
            password_locked={"type": "bool", "no_log": False},
        ),
        "files": many(
            path=PATH,
            state=choice("file", "directory", "absent"),
            content=TEXT,
            secret={"type": "str", "no_log": True},
            owner={"type": "str", "default": "root"},
            group={"type": "str", "default": "root"},
            mode=TEXT,
            validate=STRINGS,
            restart=STRINGS,
            reload=STRINGS,
            guard=SWITCH,
        ),
        "tables": many(
            family=choice("inet", "ip", "ip6", "arp", "bridge", "netdev"),
            name=NAME,
            path=PATH,
            rules=TEXT,
            state=choice("present", "absent"),
            guard=SWITCH,
        ),
        "sysctl": {"type": "dict", "default": {}},
        "sysctl_file": {"type": "path"},
        "volumes": many(
            device=NAME,
            path=PATH,
            filesystem=choice("ext4", "xfs"),
            label=TEXT,
            options=TEXT,
            owner=TEXT,
            group=TEXT,
            mode=TEXT,
        ),
        "units": many(
            name=NAME,
            enabled={"type": "bool"},
            masked={"type": "bool"},
            state={"type": "str", "choices": ["started", "stopped"]},
            defer=SWITCH,
        ),
        "rollback_seconds": {"type": "int", "default": 0},
        "state_path": {"type": "path", "default": "/var/lib/frontdesk/host"},
    }


def fetch(url):
    """The content of an address. Raises OSError."""
    try:
        return open_url(url, timeout=30).read()
    except FetchError as error:
        raise OSError(str(error)) from error


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    settings = Settings(module.params["state_path"], module.params["rollback_seconds"], module.check_mode)
    try:
        result = Run(Machine(module.run_command), parse(module.params), settings, fetch).converge()
    except HostError as error:
        module.fail_json(msg=str(error), changes=[])
    except RunError as error:
        done = [change.as_result() for change in error.changes]
        module.fail_json(msg=str(error), changes=done, changed=bool(done))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
