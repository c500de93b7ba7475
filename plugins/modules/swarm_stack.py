#!/usr/bin/python
# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module swarm_stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_stack
short_description: A stack of Docker Swarm services with their networks, secrets and configs, brought up and proven
version_added: 1.0.0
author:
  - The frontdesk.platform authors (@frontdesk-platform)
description:
  - Brings one stack to the wanted state in one call on a manager. Reads the cluster once, compares, writes what differs in
    parallel, and waits until every service has really converged.
  - A service has converged when all its tasks run, were made from the wanted specification and have passed their health
    check (or ran for O(services[].deploy.update_config.monitor) without one), and Swarm's own update has ended well. Anything
    else fails the task with the failing task's own error and last log lines, also when nothing had to be written.
  - Takes Compose's options, as far as they have an effect in Swarm. The list is complete, what is left out returns to its
    default, and services, networks, secrets and configs of the stack that are not listed any more are removed.
  - Swarm cannot change secrets and configs. Their names get a keyed hash of the content, a changed content makes a new one,
    and only the services that use it are updated. Versions that nobody needs any more are removed after success.
  - What belongs to the stack carries the label C(com.docker.stack.namespace), as with C(docker stack deploy). What does
    not carry it is never touched, and a name that is taken by it is an error.
  - Volumes and the data in them are never removed.
extends_documentation_fragment:
  - frontdesk.platform.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows fields by their path in Compose, the contents of configs, and never those of secrets.
  idempotent:
    support: full
    details:
      - A job runs when it is created or changed, and again after it failed. It is an ordinary service of Swarm that restarts on
        failure only, because managers that once led go on starting Swarm's own jobs
        (U(https://github.com/moby/moby/issues/53632)).
requirements:
  - Docker Engine >= 20.10 on the target, which is a manager of a swarm. Nothing else, no Python packages.
options:
  name:
    description: Name of the stack. Its objects are called C(<stack>_<name>).
    type: str
    required: true
  state:
    description:
      - Whether the stack is there.
      - V(absent) removes everything that carries the stack's label, and waits for the end of its tasks. Volumes stay.
    type: str
    choices: [present, absent]
    default: present
  hash_key:
    description:
      - Key of the hashes in the names of secrets and configs, any text that stays the same.
      - Required when secrets have O(secrets[].content), because a hash without a key would let a weak secret be guessed.
      - Another key gives every secret and config a new name, and so updates the services that use them.
    type: str
  services:
    description: All services of the stack.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name in the stack. With the stack's name at most 63 characters.
          - Other services on the same network reach it by this name.
        type: str
        required: true
      image:
        description:
          - Reference of the image. A tag is pinned to the registry's digest, see O(resolve_images).
        type: str
        required: true
      command:
        description: Arguments, in place of the image's command. A list, or a text that is cut as by a shell.
        type: raw
      entrypoint:
        description: Program, in place of the image's entrypoint. A list, or a text that is cut as by a shell.
        type: raw
      environment:
        description: Environment variables. Everybody who can inspect the service sees them; use secrets for passwords.
        type: dict
      hostname:
        description: Host name in the container. May hold Swarm's templates.
        type: str
      user:
        description: User, and group after a colon.
        type: str
      group_add:
        description: Further groups of the user.
        type: list
        elements: str
      working_dir:
        description: Working directory.
        type: str
      labels:
        description: Labels of the containers. Those of the service are O(services[].deploy.labels).
        type: dict
      init:
        description: Whether an init process forwards signals and reaps processes. Differs from Swarm's default.
        type: bool
        default: true
      read_only:
        description: Whether the root file system is read-only.
        type: bool
        default: false
      stop_signal:
        description: Signal that asks the container to end.
        type: str
      stop_grace_period:
        description: Time until it is killed after that, such as V(1m30s). Swarm's default is V(10s).
        type: str
      cap_add:
        description: Capabilities to add, with or without C(CAP_).
        type: list
        elements: str
      cap_drop:
        description: Capabilities to drop, with or without C(CAP_).
        type: list
        elements: str
      sysctls:
        description: Kernel parameters of the container.
        type: dict
      ulimits:
        description: Limits by name; a number, or a dictionary of C(soft) and C(hard).
        type: dict
      dns:
        description: Addresses of name servers.
        type: list
        elements: str
      dns_search:
        description: Search domains.
        type: list
        elements: str
      extra_hosts:
        description: Additional names in C(/etc/hosts), as V(host=address) or V(host:address).
        type: list
        elements: str
      tty:
        description: Whether the container has a terminal.
        type: bool
        default: false
      stdin_open:
        description: Whether standard input stays open.
        type: bool
        default: false
      healthcheck:
        description: Health check. Without it, and without one in the image, a container counts as ready when it runs.
        type: dict
        suboptions:
          test:
            description: Command for a shell, or a list that begins with V(CMD), V(CMD-SHELL) or V(NONE).
            type: raw
          interval:
            description: Time between two checks. The image's, or V(30s), unless set.
            type: str
          timeout:
            description: Time after which a check has failed. The image's, or V(30s), unless set.
            type: str
          retries:
            description: Failures in a row after which the container is unhealthy. The image's, or V(3), unless set.
            type: int
          start_period:
            description: Time after the start in which failures do not count. The image's, or none, unless set.
            type: str
          start_interval:
            description:
              - Time between two checks until the first one has passed, or O(services[].healthcheck.start_period) is over. The
                image's, or V(5s), unless set.
              - Engines before 25 do not know it. On a manager with such an engine it is left out, and V(interval) holds from
                the start.
            type: str
          disable:
            description: Whether to ignore the image's check. Excludes O(services[].healthcheck.test).
            type: bool
            default: false
      logging:
        description: Where the output goes. The engine's own setting unless set.
        type: dict
        suboptions:
          driver:
            description: Name of the driver.
            type: str
          options:
            description: Options of the driver.
            type: dict
      networks:
        description: Networks that the service is attached to. There is no default network.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name as in O(networks).
            type: str
            required: true
          aliases:
            description: Further names that reach the service, besides its own.
            type: list
            elements: str
      ports:
        description: Published ports.
        type: list
        elements: dict
        suboptions:
          target:
            description: Port in the container.
            type: int
            required: true
          published:
            description: Port on the nodes. Chosen by Swarm unless set.
            type: int
          protocol:
            description: Protocol.
            type: str
            choices: [tcp, udp, sctp]
            default: tcp
          mode:
            description:
              - V(host) publishes on the nodes that have a task, and keeps the client's address. Differs from Compose's default.
              - V(ingress) publishes on all nodes through the routing mesh, and needs O(services[].deploy.endpoint_mode=vip).
            type: str
            choices: [host, ingress]
            default: host
      volumes:
        description: Mounts.
        type: list
        elements: dict
        suboptions:
          type:
            description: Kind of the mount.
            type: str
            choices: [volume, bind, tmpfs]
            default: volume
          source:
            description:
              - Name as in O(volumes), or an absolute path on the node, which has to exist there.
              - A volume without a source is a new one for each task.
            type: str
          target:
            description: Absolute path in the container.
            type: str
            required: true
          read_only:
            description: Whether the container cannot write to it.
            type: bool
            default: false
          nocopy:
            description: Whether a new volume stays empty instead of getting what the image has there.
            type: bool
            default: false
          labels:
            description: Labels of a new volume, besides those in O(volumes).
            type: dict
          driver:
            description: Driver of a new volume, in place of the one in O(volumes).
            type: str
          driver_opts:
            description: Options of the driver, in place of those in O(volumes).
            type: dict
          propagation:
            description: How mounts below a bind mount are shared.
            type: str
            choices: [private, rprivate, shared, rshared, slave, rslave]
          size:
            description: Size of a tmpfs mount, such as V(64M).
            type: str
          tmpfs_mode:
            description: Mode of a tmpfs mount, in octal and in quotes, such as V('1777').
            type: raw
      secrets:
        description: Secrets that the service can read as files in memory.
        type: list
        elements: dict
        suboptions:
          source:
            description: Name as in O(secrets).
            type: str
            required: true
          target:
            description: File name below C(/run/secrets), or an absolute path. The secret's name unless set.
            type: str
          uid:
            description: Owner of the file, V(0) unless set.
            type: str
          gid:
            description: Group of the file, V(0) unless set.
            type: str
          mode:
            description: Mode of the file in octal and in quotes, V('0444') unless set.
            type: raw
      configs:
        description: Configs that the service can read as files.
        type: list
        elements: dict
        suboptions:
          source:
            description: Name as in O(configs).
            type: str
            required: true
          target:
            description: Path of the file. The config's name below C(/) unless set.
            type: str
          uid:
            description: Owner of the file, V(0) unless set.
            type: str
          gid:
            description: Group of the file, V(0) unless set.
            type: str
          mode:
            description: Mode of the file in octal and in quotes, V('0444') unless set.
            type: raw
      deploy:
        description: How Swarm runs the service.
        type: dict
        suboptions:
          mode:
            description:
              - How many tasks there are, and whether they end.
              - Swarm cannot change between them, so O(replace) must name the service.
            type: str
            choices: [replicated, global, replicated-job, global-job]
            default: replicated
          replicas:
            description: Number of tasks, V(1) unless set. Not for the global modes, which have one on every node.
            type: int
          endpoint_mode:
            description:
              - V(dnsrr) lets the service's name resolve to the addresses of its tasks. Differs from Compose's default.
              - V(vip) puts one virtual address before them, which forgets connections that are idle for 900 seconds.
            type: str
            choices: [dnsrr, vip]
            default: dnsrr
          labels:
            description: Labels of the service.
            type: dict
          placement:
            description: Which nodes may run it.
            type: dict
            suboptions:
              constraints:
                description: Conditions that all must hold, such as V(node.labels.zone == eu) or V(node.role != manager).
                type: list
                elements: str
              preferences:
                description: What to spread the tasks over, in this order.
                type: list
                elements: dict
                suboptions:
                  spread:
                    description: A label of nodes, such as V(node.labels.zone).
                    type: str
                    required: true
              max_replicas_per_node:
                description: Number of tasks that one node may run, without limit unless set.
                type: int
          resources:
            description: Limits and reservations of each task.
            type: dict
            suboptions:
              limits:
                description: What a task may use at most.
                type: dict
                suboptions:
                  cpus:
                    description: Number of CPUs, such as V('0.5').
                    type: str
                  memory:
                    description: Memory, such as V(512M).
                    type: str
                  pids:
                    description: Number of processes.
                    type: int
              reservations:
                description: What a node must have free.
                type: dict
                suboptions:
                  cpus:
                    description: Number of CPUs, such as V('0.1').
                    type: str
                  memory:
                    description: Memory, such as V(128M).
                    type: str
          restart_policy:
            description: What happens when a task ends.
            type: dict
            suboptions:
              condition:
                description: When it is started again. V(any) unless set, V(on-failure) for jobs.
                type: str
                choices: [none, on-failure, any]
              delay:
                description: Time until then. Swarm's default is V(5s).
                type: str
              max_attempts:
                description: Number of attempts. Without limit unless set, V(2) for jobs.
                type: int
              window:
                description: Time in which attempts are counted, all of it unless set.
                type: str
          update_config:
            description: How the tasks are exchanged in an update. Not for jobs.
            type: dict
            suboptions:
              parallelism:
                description: Number of tasks at a time, V(0) for all at once. Swarm's default is V(1).
                type: int
              delay:
                description: Time between them. Swarm's default is none.
                type: str
              order:
                description:
                  - Whether the old task ends first, or the new one is ready first. Swarm's default is V(stop-first).
                  - A published port with a fixed number allows one task per node, so V(start-first) needs a free node.
                type: str
                choices: [stop-first, start-first]
              failure_action:
                description: What Swarm does when the new tasks fail. V(rollback) unless set, which differs from Swarm's default.
                type: str
                choices: [rollback, pause, continue]
              monitor:
                description:
                  - Time after the start in which a failure counts as the update's. Swarm's default is V(5s).
                  - Without a health check a new service must run for so long before it counts as converged.
                type: str
              max_failure_ratio:
                description: Share of the tasks that may fail, between 0 and 1. Swarm's default is none.
                type: float
          rollback_config:
            description: How the tasks are exchanged in a rollback. Not for jobs.
            type: dict
            suboptions:
              parallelism:
                description: Number of tasks at a time, V(0) for all at once. Swarm's default is V(1).
                type: int
              delay:
                description: Time between them. Swarm's default is none.
                type: str
              order:
                description:
                  - Whether the old task ends first, or the new one is ready first.
                  - That of O(services[].deploy.update_config.order) unless set.
                type: str
                choices: [stop-first, start-first]
              failure_action:
                description: What Swarm does when the rollback fails. Swarm's default is V(pause).
                type: str
                choices: [pause, continue]
              monitor:
                description: Time after the start in which a failure counts as the rollback's. Swarm's default is V(5s).
                type: str
              max_failure_ratio:
                description: Share of the tasks that may fail, between 0 and 1. Swarm's default is none.
                type: float
  networks:
    description: Networks that services of the stack name.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in the stack; the full name of an external one.
        type: str
        required: true
      external:
        description: Whether it was made elsewhere, and has to be there. The other options do not count then.
        type: bool
        default: false
      driver_opts:
        description: Further options of the overlay driver.
        type: dict
      mtu:
        description:
          - MTU of the link between the nodes. Containers get 50 bytes less, with O(networks[].encrypted) about 76.
          - The default is that of Hetzner's private networks.
        type: int
        default: 1450
      internal:
        description: Whether there is no way out of it.
        type: bool
        default: false
      attachable:
        description: Whether containers that are no services may join.
        type: bool
        default: false
      encrypted:
        description: Whether traffic between nodes is encrypted.
        type: bool
        default: false
      labels:
        description: Labels.
        type: dict
      subnet:
        description: Range of its addresses. From the swarm's pool unless set.
        type: str
  secrets:
    description: Secrets that services of the stack name.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in the stack; the full name of an external one. With stack and hash at most 64 characters.
        type: str
        required: true
      content:
        description: Content, less than 500 kB of text. Never shown.
        type: str
      external:
        description: Whether it was made elsewhere, and has to be there.
        type: bool
        default: false
  configs:
    description: Configs that services of the stack name.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in the stack; the full name of an external one. With stack and hash at most 64 characters.
        type: str
        required: true
      content:
        description: Content, less than 500 kB of text. Shown in the diff.
        type: str
      external:
        description: Whether it was made elsewhere, and has to be there.
        type: bool
        default: false
  volumes:
    description: Volumes that services of the stack name. Nodes make them when a task first needs them.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name in the stack; the full name of an external one.
        type: str
        required: true
      external:
        description: Whether the name is used as it is. The other options do not count then.
        type: bool
        default: false
      driver:
        description: Driver of a new volume.
        type: str
      driver_opts:
        description: Options of the driver.
        type: dict
      labels:
        description: Labels of a new volume.
        type: dict
  resolve_images:
    description:
      - When a tag is looked up at the registry and pinned to its digest.
      - V(changed) does it when a service is created or its reference changes, V(always) in every run, V(never) not at all, so
        that each node takes what it has or finds.
      - An image that is given with a digest is taken as it is.
    type: str
    choices: [changed, always, never]
    default: changed
  keep_versions:
    description:
      - Number of former versions of each secret and config to keep, besides those that a rollback of a service needs.
    type: int
    default: 1
  replace:
    description:
      - Names of services and networks that may be removed and made again, with an interruption, for changes that Swarm
        cannot make in place.
      - With a network all services of the stack that are attached to it are made again.
      - May say the kind, too, as in V(network/internal).
    type: list
    elements: str
    default: []
  limit:
    description:
      - Names of services, as in O(services), that this call may create, update or replace. All of them unless set; an
        empty list is none.
      - The other services are left as they are and not waited for, no network is changed and nothing else is removed, so members
        of a cluster can be rolled one after the other, each with the same description of the whole stack. A call without it
        completes and cleans up.
    type: list
    elements: str
  wait:
    description:
      - Whether to wait until all services have converged. Without it the task succeeds when Swarm took the writes.
      - O(state=absent) always waits for the end of the tasks.
    type: bool
    default: true
  wait_timeout:
    description: Seconds that the services may take to converge, and removed tasks to end.
    type: int
    default: 300
  docker_socket:
    description: Path of the engine's socket on the manager.
    type: path
    default: /var/run/docker.sock
notes:
  - Run it on one manager, as with C(run_once=true).
  - A service whose tasks fail three times in a row is given up before O(wait_timeout), as soon as all other services of the
    stack have converged; so services may wait for each other by failing. What no node can run is given up after 25 seconds.
  - When a service with O(services[].deploy.update_config.failure_action=rollback) is given up in the middle of an update, it
    is rolled back, and the task fails.
seealso:
  - name: Compose file reference
    description: The meaning of the options.
    link: https://docs.docker.com/reference/compose-file/
"""

EXAMPLES = r"""
- name: Deploy a web application with a database password
  frontdesk.platform.swarm_stack:
    name: shop
    hash_key: "{{ shop_hash_key }}"
    networks:
      - name: edge
        external: true
      - name: internal
        encrypted: true
    secrets:
      - name: database_password
        content: "{{ shop_database_password }}"
    configs:
      - name: settings
        content: "{{ lookup('ansible.builtin.template', 'settings.toml.j2') }}"
    services:
      - name: web
        image: registry.example.com/shop:1.4.2
        environment:
          DATABASE_PASSWORD_FILE: /run/secrets/database_password
        networks:
          - name: edge
          - name: internal
        secrets:
          - source: database_password
            uid: "1000"
            mode: "0400"
        configs:
          - source: settings
            target: /etc/shop/settings.toml
        healthcheck:
          test: curl --fail --silent http://127.0.0.1:8080/health
          interval: 5s
          start_period: 20s
        deploy:
          replicas: 2
          update_config:
            order: start-first
            monitor: 30s
          resources:
            limits:
              memory: 512M

- name: Run the migration of a new version before the application
  frontdesk.platform.swarm_stack:
    name: shop-migration
    hash_key: "{{ shop_hash_key }}"
    secrets:
      - name: database_password
        content: "{{ shop_database_password }}"
    services:
      - name: migrate
        image: registry.example.com/shop:1.4.2
        command: [migrate, --yes]
        secrets:
          - source: database_password
        deploy:
          mode: replicated-job

- name: Roll one member of a cluster, and leave the others as they are
  frontdesk.platform.swarm_stack:
    name: database
    services: "{{ database_services }}"
    limit: [member-2]

- name: Remove the stack; its volumes stay
  frontdesk.platform.swarm_stack:
    name: shop
    state: absent
"""

RETURN = r"""
changes:
  description:
    - The writes, in their order; in check mode those that would be made. After a failure those that were made.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update), V(replace) or V(delete).
      type: str
      sample: update
    kind:
      description: V(service), V(secret), V(config) or V(network).
      type: str
      sample: service
    name:
      description: Name in the cluster.
      type: str
      sample: shop_web
    before:
      description: The fields that differ, by their path in Compose, as they were; null for a creation.
      type: dict
      sample: {"environment.LOG_LEVEL": "info"}
    after:
      description: The fields that differ, as they are to be; null for a deletion.
      type: dict
      sample: {"environment.LOG_LEVEL": "debug"}
services:
  description: The services as they are at the end; in check mode as they are now. With O(limit) only those.
  returned: when the cluster could be read and nothing was refused
  type: list
  elements: dict
  contains:
    name:
      description: Name in the cluster.
      type: str
      sample: shop_web
    image:
      description: The wanted image, with its digest.
      type: str
      sample: registry.example.com/shop:1.4.2@sha256:0f6f...
    replicas:
      description: Numbers of tasks that are C(wanted) and C(running); of a job those that have C(running) to their end.
      type: dict
      sample: {"wanted": 2, "running": 2}
    state:
      description:
        - V(converged); V(waiting) when it may still converge; V(failing) when its tasks fail one after the other; V(failed) when
          Swarm has given up or rolled back; V(absent) when it is not there yet.
      type: str
      sample: converged
    update_state:
      description: What Swarm says about the last update, empty when there was none.
      type: str
      sample: completed
kept_versions:
  description: Former versions of secrets and configs that stay, with the reason.
  returned: when the cluster could be read and nothing was refused
  type: list
  elements: dict
  sample: [{"kind": "secret", "name": "shop_database_password_1c9d6a7b0e2f", "reason": "a rollback of shop_web needs it"}]
removed_versions:
  description: Former versions of secrets and configs that were removed, or would be in check mode.
  returned: when the cluster could be read and nothing was refused
  type: list
  elements: dict
  sample: [{"kind": "config", "name": "shop_settings_90e3b1c4d5a6"}]
failures:
  description: The services that did not converge.
  returned: when services did not converge
  type: list
  elements: dict
  contains:
    service:
      description: Name in the cluster.
      type: str
      sample: shop_web
    message:
      description: What happened, in one or two sentences.
      type: str
    error:
      description: The failing task's own error.
      type: str
      sample: "task: non-zero exit (1)"
    task:
      description: The failing task, empty when there was none.
      type: str
      sample: shop_web.1
    node:
      description: Host name of its node, empty when it found none.
      type: str
      sample: node-2
    log:
      description: Its last log lines, ten at most, without the contents of the stack's secrets.
      type: list
      elements: str
    health:
      description: What its health check printed last. Known only when the task ran on the node that the module runs on.
      type: str
    update_state:
      description: What Swarm says about the update.
      type: str
      sample: rollback_completed
errors:
  description: All failures, one sentence each.
  returned: failure
  type: list
  elements: str
api_reads:
  description: Number of reading requests to the engine.
  returned: always
  type: int
  sample: 5
api_writes:
  description: Number of writing requests to the engine.
  returned: always
  type: int
  sample: 0
"""

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine
from ansible_collections.frontdesk.platform.plugins.module_utils.quiet_module import AnsibleModule
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_arguments import argument_spec
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_clock import Clock
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import RunError, StackError
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_run import converge

# Seconds; managers without a quorum answer after 20.
ENGINE_TIMEOUT = 28.0


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    engine = DockerEngine(module.params["docker_socket"], timeout=ENGINE_TIMEOUT)
    try:
        result = converge(engine, module.params, module.check_mode, with_contents=module._diff, clock=Clock())
    except StackError as error:
        counts = {"api_reads": engine.reads, "api_writes": engine.writes}
        module.fail_json(msg=str(error), errors=error.problems, changes=[], **counts)
    except RunError as error:
        module.fail_json(msg=str(error), errors=error.errors, **error.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
