# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planner, kinds and applier speak about: references, steps, differences, the world as it was read.

A kind of resource (network, server ...) is one subclass of Kind in a file of its own, listed in hetzner_kinds.py;
planner and applier know no kind by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar, NamedTuple

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_client import Json
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_values import (
    OWNER_LABEL,
    left_groups,
    merged_labels,
)

# Errors that pass by themselves around changes of networks and firewalls, as in Hetzner's own Terraform provider.
PASSING = frozenset({"service_error"})

# Waves run one after the other; everything inside a wave runs in parallel.
WAVE_FIRST = -5  # visitors are led away from servers that go
WAVE_FREE = 0  # servers go first: they hold addresses, placements and limits that new ones need
WAVE_CLEAR = 5  # what would collide with something new: a key of the same fingerprint, an overlapping subnet
WAVE_BASE = 10  # what servers refer to
WAVE_DETACH = 15  # addresses are given back before any is taken, so that servers may swap them
WAVE_SERVER = 20
WAVE_BALANCE = 25  # load balancers: their servers are there, and the subnets that they leave go after them
WAVE_TARGET = 30  # what else refers to servers
WAVE_LAST = 40  # what servers referred to


class PlanError(Exception):
    """The plan cannot be made or must not be carried out."""

    def __init__(self, problems: Iterable[str]) -> None:
        """problems: one sentence each."""
        self.problems = list(problems)
        super().__init__(" ".join(self.problems))


class Ref(NamedTuple):
    """An object that may not exist yet; replaced by its id when the step runs."""

    kind: str
    name: str


@dataclass(frozen=True)
class Step:
    """One write.

    call: create, create_server, reconcile, action, labels, delete or shutdown (see hetzner_apply.py).
    path: with {id} for the object itself or {target} for `target`.
    body: JSON in which Refs stand for ids.
    words: what it does, in words that follow "could not".
    done_codes: errors that say that it is done already.
    retry_codes: errors that pass by themselves for this call.
    satisfied: True when the live object shows the effect, asked after a lost answer and after a refusal (an earlier
        run may have done it); None: repeating does no harm.
    look_first: ask `satisfied` before, because another change may have had the effect meanwhile.
    serial: the object whose writes must not overlap.
    precedes: an object; when the plan deletes it, this step moves to WAVE_FIRST.
    """

    wave: int
    call: str
    path: str
    words: str
    body: Mapping[str, Any] = field(default_factory=dict)
    target: Ref | None = None
    done_codes: frozenset[str] = frozenset()
    retry_codes: frozenset[str] = frozenset()
    satisfied: Callable[[Json, Callable[[Ref], int]], bool] | None = None
    look_first: bool = False
    serial: Ref | None = None
    precedes: Ref | None = None


class Staying(NamedTuple):
    """A server or load balancer that exists before and after the plan; spec: None when this call does not manage it."""

    kind: Kind
    live: Json
    spec: Json | None


@dataclass(frozen=True)
class Difference:
    """One field that is not as wanted.

    guard: "" when it is changed without asking; "replace" when only a re-creation changes it; "disrupt" when it is
    changed in place but takes the object down or loses something. These two need the object's name in `replace`;
    "impossible" is refused always.
    offline: the steps need the server powered off.
    """

    field: str
    before: Any
    after: Any
    steps: tuple[Step, ...] = ()
    guard: str = ""
    why: str = ""
    offline: bool = False


def labels_of(item: Mapping[str, Any]) -> dict[str, str]:
    """An object's labels; some kinds may omit them."""
    return dict(item.get("labels") or {})


class World:
    """The live objects of one project by kind and name, and who owns them.

    During the plan an object that is going to be re-created is `gone`: what refers to it must be made again. Those
    that the plan deletes are in `leaving`, as (kind, name).
    """

    def __init__(
        self,
        owner: str,
        objects: Mapping[str, Iterable[Json]],
        catalogue: Callable[[str], Sequence[Json]] | None = None,
    ) -> None:
        """catalogue: reads a list that nobody here manages ("server_types"); called only when the plan needs it."""
        self.owner = owner
        self._by_name: dict[str, dict[str, Json]] = {}
        self._by_id: dict[tuple[str, int], Json] = {}
        self._gone: set[tuple[str, str]] = set()
        self.leaving: set[tuple[str, str]] = set()
        self._read_catalogue = catalogue
        self._catalogue: dict[str, dict[str, Json]] = {}
        for kind, items in objects.items():
            for item in items:
                self.put(kind, item)

    def catalogue(self, name: str) -> Mapping[str, Json]:
        """The entries of a list that nobody here manages, by name: server_types, load_balancer_types, certificates ..."""
        if name not in self._catalogue:
            items = self._read_catalogue(name) if self._read_catalogue else ()
            self._catalogue[name] = {item["name"]: item for item in items}
        return self._catalogue[name]

    def get(self, kind: str, name: str) -> Json | None:
        """The object as it was read, also when it is going to be re-created."""
        return self._by_name.get(kind, {}).get(name)

    def all(self, kind: str) -> dict[str, Json]:
        """The objects of a kind by name."""
        return self._by_name.get(kind, {})

    def owned(self, item: Mapping[str, Any]) -> bool:
        """Does the object carry our ownership label?"""
        return labels_of(item).get(OWNER_LABEL) == self.owner

    def id_of(self, kind: str, name: str) -> int | None:
        """The id of an object that exists and stays."""
        item = self.get(kind, name)
        return None if item is None or (kind, name) in self._gone else int(item["id"])

    def by_id(self, kind: str, number: int) -> Json | None:
        """The object with that id."""
        return self._by_id.get((kind, number))

    def name_of(self, kind: str, number: int) -> str:
        """The name for a human; the number when the object was not read."""
        item = self.by_id(kind, number)
        return str(item["name"]) if item else str(number)

    def put(self, kind: str, item: Json) -> None:
        """Enter an object that was created or read again."""
        self._gone.discard((kind, item["name"]))
        self._by_name.setdefault(kind, {})[item["name"]] = item
        self._by_id[kind, int(item["id"])] = item

    def renew(self, kind: str, items: Iterable[Json]) -> None:
        """Exchange all objects of a kind for newly read ones."""
        for name in list(self.all(kind)):
            self.drop(kind, name)
        for item in items:
            self.put(kind, item)

    def drop(self, kind: str, name: str) -> None:
        """Take out an object that is not there any more."""
        item = self._by_name.get(kind, {}).pop(name, None)
        if item:
            self._by_id.pop((kind, int(item["id"])), None)

    def forget(self, kind: str, name: str) -> None:
        """The object is going to be re-created: its id will change."""
        self._gone.add((kind, name))


class Kind:
    """One kind of resource. Subclasses say how it is compared and written.

    name: in changes and results. option: the module's option. path: of the list; the list's key is the same word.
    references: kinds that this one names. holds: those that it keeps from being deleted, and that do not tell so
    themselves. paid: costs money while it exists. holds_data: deleted only when it is named with its kind.
    """

    name: ClassVar[str]
    option: ClassVar[str]
    path: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()
    holds: ClassVar[tuple[str, ...]] = ()
    paid: ClassVar[bool] = False
    holds_data: ClassVar[bool] = False
    delete_wave: ClassVar[int] = WAVE_LAST
    replace_wave: ClassVar[int] = WAVE_CLEAR
    delete_retry_codes: ClassVar[frozenset[str]] = frozenset()

    @property
    def title(self) -> str:
        """For sentences."""
        return self.name.replace("_", " ")

    def normalise(self, spec: Mapping[str, Any]) -> Json:
        """What the user set, in canonical form. Raises ValueError with the field and a sentence."""
        return {key: value for key, value in spec.items() if value is not None}

    def used(self, spec: Mapping[str, Any]) -> list[Ref]:
        """The objects that the wanted one names."""
        return []

    def wanted_labels(self, spec: Mapping[str, Any], world: World) -> dict[str, str]:
        """The labels that must be there: the user's, and ours."""
        return {**(spec.get("labels") or {}), OWNER_LABEL: world.owner}

    def compare(self, spec: Json, live: Json, world: World) -> list[Difference]:
        """Every difference in what the user set, with the steps that remove it."""
        found = self.fields(spec, live, world)
        have = labels_of(live)
        wanted = self.wanted_labels(spec, world)
        dropped = left_groups(have, wanted) if "labels" in spec else []
        merged = merged_labels(have, wanted, dropped)
        if merged != have:
            found.insert(0, Difference("labels", have, merged, (self.label_step(spec["name"], wanted, dropped),)))
        return found

    def fields(self, spec: Json, live: Json, world: World) -> list[Difference]:
        """The differences besides the labels."""
        return []

    def label_step(self, name: str, wanted: Mapping[str, str], dropped: Sequence[str]) -> Step:
        """Merge labels into those that are there when the step runs."""
        return Step(
            WAVE_BASE if self.delete_wave == WAVE_LAST else WAVE_SERVER,
            "labels",
            f"{self.path}/{{id}}",
            f"label {self.title} {name}",
            body={"labels": dict(wanted), "dropped": list(dropped)},
        )

    def compose(self, spec: Json, live: Json, differences: Sequence[Difference]) -> list[Step]:
        """The steps of all differences in the order in which they must run."""
        return [step for difference in differences for step in difference.steps]

    def payload(self, spec: Json, world: World) -> Json:
        """The body of the creation, with Refs."""
        return {"name": spec["name"], "labels": self.wanted_labels(spec, world)}

    def create(self, spec: Json, world: World) -> list[Step]:
        """The steps that make the object; what the creation itself cannot set follows from compare()."""
        return [
            Step(WAVE_BASE, "create", self.path, f"create {self.title} {spec['name']}", body=self.payload(spec, world))
        ]

    def shown(self, spec: Json, world: World) -> Json:
        """The wanted object as `after` of its creation."""
        given = {key: value for key, value in spec.items() if key != "name"}
        return {**given, "labels": self.wanted_labels(spec, world)}

    def summary(self, live: Json, world: World) -> Json:
        """The live object as `before` of its deletion."""
        return {"id": live["id"], "labels": labels_of(live)}

    def resource(self, live: Json, world: World) -> Json:
        """The live object in the module's result."""
        return {"id": live["id"], "labels": labels_of(live)}

    def protected(self, live: Json) -> bool:
        """Is the object protected against deletion?"""
        return bool((live.get("protection") or {}).get("delete"))

    def protection_step(self, name: str, wave: int, on: bool) -> Step:
        """Set or lift the delete protection."""
        return Step(
            wave,
            "action",
            f"{self.path}/{{id}}/actions/change_protection",
            f"{'protect' if on else 'lift the protection of'} {self.title} {name}",
            body={"delete": on},
        )

    def known(self, created: Mapping[str, Any]) -> Json:
        """What only the creation tells."""
        return {"id": created["id"]}

    def protection_difference(self, spec: Json, live: Json, wave: int) -> list[Difference]:
        """The delete protection, for kinds that have one."""
        want = spec.get("delete_protection")
        if want is None or want == self.protected(live):
            return []
        return [Difference("delete_protection", not want, want, (self.protection_step(spec["name"], wave, want),))]

    def release(self, live: Json, wave: int, world: World) -> list[Step]:
        """What must happen before the object can be deleted."""
        return []

    def delete(self, live: Json, wave: int, world: World) -> list[Step]:
        """The steps that delete the object, its protection included."""
        steps = [self.protection_step(live["name"], wave, on=False)] if self.protected(live) else []
        words = f"delete {self.title} {live['name']}"
        return [
            *steps,
            *self.release(live, wave, world),
            Step(wave, "delete", f"{self.path}/{{id}}", words, retry_codes=self.delete_retry_codes),
        ]

    def in_use(self, live: Json, world: World, staying: Sequence[Staying]) -> str | None:
        """Why the object cannot go although nothing wants it, or None. staying: the servers and load balancers that will be there."""
        return None
