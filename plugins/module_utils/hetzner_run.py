# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of hetzner_infrastructure: read, plan, ask about the cost, apply, tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.changes import Change, render_diff
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_apply import Applier
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import HetznerClient
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_cost import monthly_cost
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_kinds import BY_NAME, kinds_to_read
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import PlanError, World
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_plan import (
    Plan,
    Policy,
    desired_from_options,
    make_plan,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_read import (
    read_kinds,
    read_project,
    settle,
)


class RunError(Exception):
    """Some writes failed."""

    def __init__(self, errors: Sequence[str], result: Mapping[str, Any]) -> None:
        """errors: one sentence each. result: tells what was done before and beside them."""
        further = f" (And {len(errors) - 1} more, see errors.)" if len(errors) > 1 else ""
        super().__init__(errors[0] + further)
        self.errors = list(errors)
        self.result = dict(result)


def converge(client: HetznerClient, options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make the project as the options say; the module's result.

    Raises PlanError before any write, HetznerError when the project cannot be read, RunError after writes.
    """
    desired = desired_from_options(options)
    if options["prune"] and not desired:
        # A variable that came out empty by mistake must not delete a whole project.
        raise PlanError(["prune without any list says nothing about what may go; give the kinds to be emptied as []."])
    policy = Policy(
        prune=options["prune"],
        replace=options["replace"],
        adopt=options["adopt"],
        delete_protected=options["delete_protected"],
    )
    kinds = kinds_to_read(desired)
    paid = any(kind.paid for kind in kinds)
    world, pricing = read_project(client, kinds, options["owner"], with_prices=paid)
    settle(client, world, kinds, options["wait_timeout"])
    plan = make_plan(desired, world, policy)
    changes = [item.change for item in plan.changes]
    result: dict[str, Any] = {
        "changed": bool(changes),
        "changes": [change.as_result() for change in changes],
        "kept": plan.kept,
        "confirmation_needed": False,
        "cost": monthly_cost(world, changes, desired, pricing) if pricing else None,
        "resources": _resources(world, desired),
        "diff": render_diff(changes),
        "api_calls": client.calls,
    }
    if not changes or check_mode:
        return result
    if _confirmation_needed(world, changes) and not options["cost_confirmed"]:
        return {**result, "changed": False, "confirmation_needed": True, "msg": _question(changes, result["cost"])}
    return _apply(client, options, desired, world, plan, result)


def _apply(
    client: HetznerClient,
    options: Mapping[str, Any],
    desired: Mapping[str, Any],
    world: World,
    plan: Plan,
    result: dict[str, Any],
) -> dict[str, Any]:
    outcome = Applier(client, world, plan, options["wait_timeout"]).run()
    done = {
        **result,
        "changed": bool(outcome.changes),
        "changes": [change.as_result() for change in outcome.changes],
        "diff": render_diff(outcome.changes),
    }
    if outcome.errors:
        raise RunError(outcome.errors, {**done, "api_calls": client.calls})
    touched = [BY_NAME[name] for name in BY_NAME if name in {item.change.kind for item in plan.changes}]
    for kind, items in read_kinds(client, touched).items():
        world.renew(kind, items)
    return {**done, "resources": _resources(world, desired), "api_calls": client.calls}


def _confirmation_needed(world: World, changes: Sequence[Change]) -> bool:
    """The first paid object of this owner is about to be made."""
    paid = [name for name, kind in BY_NAME.items() if kind.paid]
    owns = any(world.owned(item) for name in paid for item in world.all(name).values())
    return not owns and any(change.action == "create" and change.kind in paid for change in changes)


def _question(changes: Sequence[Change], cost: Mapping[str, Any]) -> str:
    made = [change.kind for change in changes if change.action == "create"]
    counts = {kind.title: made.count(name) for name, kind in BY_NAME.items() if kind.paid and name in made}
    what = ", ".join(f"{count} {title}{'s' if count > 1 else ''}" for title, count in counts.items())
    amount = f"{cost['monthly_delta']:.2f} {cost['currency']}"
    return f"Nothing was created: {what} would cost {amount} a month (net); confirm with cost_confirmed."


def _resources(world: World, desired: Mapping[str, Any]) -> dict[str, Any]:
    """The objects of the kinds that the user listed, as far as they are his or listed."""
    return {
        name: {
            item["name"]: BY_NAME[name].resource(item, world)
            for item in world.all(name).values()
            if world.owned(item) or item["name"] in specs
        }
        for name, specs in desired.items()
    }
