# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request, as the handlers see it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..state import Item, Project
from . import paging
from .errors import invalid_field, not_found, not_unique
from .fields import Fields

if TYPE_CHECKING:
    from .cloud import Cloud


@dataclass(frozen=True)
class Answer:
    """An answer. No body means 204."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request that is allowed: project, path ids, query and JSON body, and the cloud to act on."""

    cloud: Cloud
    project: Project
    query: tuple[tuple[str, str], ...]
    body: dict[str, Any]
    path_ids: dict[str, int]
    url: str

    @property
    def path_id(self) -> int:
        """The id in the path."""
        return self.path_ids["id"]

    def items(self, kind: str) -> dict[int, Item]:
        """Return the project's items of a kind."""
        return self.cloud.state.items(self.project.name, kind)

    def item(self, kind: str) -> Item:
        """Return the item named by the path. Raises 404."""
        return self.find(kind, self.path_id)

    def find(self, kind: str, item_id: int) -> Item:
        """Return an item by id. Raises 404."""
        item = self.items(kind).get(item_id)
        if item is None:
            raise not_found(kind.replace("_", " "), item_id)
        return item

    def put(self, kind: str, item: Item) -> None:
        """Write an item."""
        self.cloud.state.put(self.project.name, kind, item)

    def remove(self, kind: str, item_id: int) -> None:
        """Forget an item."""
        self.cloud.state.remove(self.project.name, kind, item_id)

    def fields(self, closed: Collection[str] | None = None) -> Fields:
        """Return the body's reader."""
        return Fields(self.body, closed)

    def unique(self, kind: str, field_name: str, value: Any, message: str, own_id: int | None = None) -> None:
        """Raise 409 when another item of the kind has this value."""
        for item in self.items(kind).values():
            if item[field_name] == value and item["id"] != own_id:
                raise not_unique(field_name, message)

    def unique_name(self, kind: str, name: str, own_id: int | None = None) -> None:
        """Raise 409 when another item of the kind has this name."""
        self.unique(kind, "name", name, f"{kind.replace('_', ' ')} name is already used", own_id)

    def rename(self, kind: str, item: Item, fields: Fields) -> None:
        """Take over `name` and `labels` (replaced as a whole) from the body, after checking both."""
        name = fields.text("name", maximum=128)
        labels = fields.labels()
        if name == "":
            fields.fault("name", "must not be empty")
        fields.check()
        if name is not None and name != item["name"]:
            self.unique_name(kind, name, item["id"])
            item["name"] = name
        if labels is not None:
            item["labels"] = labels

    def ids_asked_for(self) -> list[int]:
        """Return the values of the repeatable parameter `id`."""
        texts = paging.values(self.query, "id")
        if not all(text.isdigit() for text in texts):
            raise invalid_field("id", "must be an integer")
        return [int(text) for text in texts]

    def page(self, key: str, items: list[Item], render: Callable[[Item], Item]) -> Answer:
        """Answer with one page of items."""
        cut, meta, headers = paging.page(items, self.query, self.url)
        return Answer(200, {key: [render(item) for item in cut], "meta": meta}, headers)

    def listed(self, kind: str, key: str, sortable: Collection[str], render: Callable[[Item], Item]) -> Answer:
        """Answer a list call with the filters and the order that every kind has."""
        found = paging.by_name(list(self.items(kind).values()), self.query)
        found = paging.by_labels(found, self.query)
        return self.page(key, paging.in_order(found, self.query, sortable), render)
