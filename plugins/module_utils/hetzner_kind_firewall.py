# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls: rules are a set, targets are label selectors or servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import (
    PASSING,
    WAVE_BASE,
    WAVE_TARGET,
    Difference,
    Kind,
    Ref,
    Staying,
    Step,
    World,
    labels_of,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import (
    Rule,
    canonical_rule,
    rule_payload,
)


class Firewall(Kind):
    """https://docs.hetzner.cloud/#firewalls."""

    name = "firewall"
    option = "firewalls"
    path = "/firewalls"
    delete_retry_codes = frozenset({"resource_in_use"})

    def normalise(self, spec: Mapping[str, Any]) -> Json:
        wanted = super().normalise(spec)
        if "rules" in wanted:
            rules = {}
            for rule in wanted["rules"]:
                canonical = canonical_rule(rule)
                if not canonical.networks:
                    side = "source_ips" if canonical.direction == "in" else "destination_ips"
                    raise ValueError(f"a rule of direction {canonical.direction} needs {side}")
                rules[canonical] = rule.get("description")
            wanted["rules"] = rules
        if "apply_to" in wanted:
            wanted["selectors"] = [
                target["label_selector"].strip() for target in wanted["apply_to"] if target.get("label_selector")
            ]
            wanted["targets"] = [target["server"] for target in wanted["apply_to"] if target.get("server")]
            del wanted["apply_to"]
        return wanted

    def used(self, spec: Mapping[str, Any]) -> list[Ref]:
        return [Ref("server", name) for name in spec.get("targets", [])]

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        return [*self._rule_difference(spec, live), *self._target_difference(spec, live, world)]

    def _rule_difference(self, spec: Json, live: Json) -> list[Difference]:
        if "rules" not in spec:
            return []
        have = {canonical_rule(rule): rule.get("description") for rule in live["rules"]}
        # A description that the user did not give stays as it is.
        want = {rule: have.get(rule) if text is None else text for rule, text in spec["rules"].items()}
        if have == want:
            return []
        step = Step(
            WAVE_BASE,
            "action",
            "/firewalls/{id}/actions/set_rules",
            f"set the rules of firewall {spec['name']}",
            body={"rules": rule_list(want)},
            retry_codes=PASSING,
        )
        return [Difference("rules", rule_list(have), rule_list(want), (step,))]

    def _target_difference(self, spec: Json, live: Json, world: World) -> list[Difference]:
        """Selectors, and servers that this call does not manage (the others say it in their own `firewalls`)."""
        if "selectors" not in spec:
            return []
        have_selectors = applied_selectors(live)
        have_servers = {world.name_of("server", number): number for number in applied_servers(live)}
        # A server of this call says itself which firewalls it has, those that name it here included.
        managed = spec.get("managed_servers", [])
        want_servers = [server for server in spec["targets"] if server not in managed]
        name = spec["name"]
        steps = [
            self._apply(name, selector_target(selector), f"selector {selector!r}")
            for selector in spec["selectors"]
            if selector not in have_selectors
        ]
        steps.extend(
            self._apply(name, server_target(Ref("server", server)), f"server {server}")
            for server in want_servers
            if server not in have_servers
        )
        steps.extend(
            self.remove(name, selector_target(selector), f"selector {selector!r}")
            for selector in have_selectors
            if selector not in spec["selectors"]
        )
        steps.extend(
            self.remove(name, server_target(number), f"server {server}")
            for server, number in have_servers.items()
            if server not in want_servers and server not in managed
        )
        if not steps:
            return []
        before = shown_targets(have_selectors, have_servers)
        others = [server for server in have_servers if server in managed]
        return [
            Difference("apply_to", before, shown_targets(spec["selectors"], [*want_servers, *others]), tuple(steps))
        ]

    def _apply(self, name: str, target: Json, words: str) -> Step:
        return Step(
            WAVE_TARGET,
            "action",
            "/firewalls/{id}/actions/apply_to_resources",
            f"apply firewall {name} to {words}",
            body={"apply_to": [target]},
            done_codes=frozenset({"firewall_already_applied"}),
            retry_codes=PASSING,
            serial=Ref("firewall", name),
        )

    def remove(self, name: str, target: Json, words: str, wave: int = WAVE_TARGET) -> Step:
        """Take the firewall off a target."""
        return Step(
            wave,
            "action",
            "/firewalls/{id}/actions/remove_from_resources",
            f"remove firewall {name} from {words}",
            body={"remove_from": [target]},
            done_codes=frozenset({"firewall_resource_not_found"}),
            retry_codes=PASSING,
            serial=Ref("firewall", name),
        )

    def payload(self, spec: Json, world: World) -> Json:
        body = super().payload(spec, world)
        if "rules" in spec:
            body["rules"] = rule_list(spec["rules"])
        if spec.get("selectors"):
            body["apply_to"] = [selector_target(selector) for selector in spec["selectors"]]
        return body

    def create(self, spec: Json, world: World) -> list[Step]:
        name = spec["name"]
        targets = [
            self._apply(name, server_target(Ref("server", server)), f"server {server}")
            for server in spec.get("targets", [])
            if server not in spec.get("managed_servers", [])
        ]
        return [*super().create(spec, world), *targets]

    def shown(self, spec: Json, world: World) -> Json:
        found: Json = {"labels": self.wanted_labels(spec, world)}
        if "rules" in spec:
            found["rules"] = rule_list(spec["rules"])
        if "selectors" in spec:
            found["apply_to"] = shown_targets(spec["selectors"], spec["targets"])
        return found

    def release(self, live: Json, wave: int, world: World) -> list[Step]:
        """A firewall that is applied to anything cannot be deleted."""
        name = live["name"]
        return [
            *(self.remove(name, selector_target(text), f"selector {text!r}", wave) for text in applied_selectors(live)),
            *(self.remove(name, server_target(number), f"server {number}", wave) for number in applied_servers(live)),
        ]

    def summary(self, live: Json, world: World) -> Json:
        return self.resource(live, world)

    def resource(self, live: Json, world: World) -> Json:
        servers = [world.name_of("server", number) for number in applied_servers(live)]
        return {
            "id": live["id"],
            "labels": labels_of(live),
            "rules": rule_list({canonical_rule(rule): rule.get("description") for rule in live["rules"]}),
            "apply_to": shown_targets(applied_selectors(live), servers),
        }

    def in_use(self, live: Json, world: World, staying: Sequence[Staying]) -> str | None:
        """It protects a server that is not ours, or one whose firewalls this call leaves alone."""
        direct = set(applied_servers(live))
        matched = set(matched_servers(live))
        for server in staying:
            if server.kind.name != "server":
                continue
            number = server.live["id"]
            leaves = server.spec is not None and "firewalls" in server.spec
            if (number in direct and not leaves) or (number in matched and server.spec is None):
                return f"server {server.live['name']} is behind it"
        return None


def rule_list(rules: Mapping[Rule, str | None]) -> list[Json]:
    """Rules as the API takes them, in a fixed order."""
    ordered = sorted(rules, key=lambda rule: (rule[0], rule[1], rule[2] or "", sorted(rule[3])))
    return [rule_payload(rule, rules[rule]) for rule in ordered]


def selector_target(selector: str) -> Json:
    """A label selector as the API takes it."""
    return {"type": "label_selector", "label_selector": {"selector": selector}}


def server_target(server: Any) -> Json:
    """A server (id or Ref) as the API takes it."""
    return {"type": "server", "server": {"id": server}}


def applied_selectors(live: Mapping[str, Any]) -> list[str]:
    """The label selectors that the firewall is applied to."""
    entries = live.get("applied_to") or []
    return [entry["label_selector"]["selector"] for entry in entries if entry["type"] == "label_selector"]


def applied_servers(live: Mapping[str, Any]) -> list[int]:
    """Ids of the servers that the firewall is applied to directly."""
    entries = live.get("applied_to") or []
    return [int(entry["server"]["id"]) for entry in entries if entry["type"] == "server"]


def matched_servers(live: Mapping[str, Any]) -> list[int]:
    """Ids of the servers that the firewall's selectors match."""
    return [
        int(resource["server"]["id"])
        for entry in live.get("applied_to") or []
        for resource in entry.get("applied_to_resources") or []
    ]


def shown_targets(selectors: Sequence[str], servers: Any) -> list[Json]:
    """Targets as the option `apply_to` has them."""
    return [
        *({"label_selector": selector} for selector in sorted(selectors)),
        *({"server": str(server)} for server in sorted(servers)),
    ]
