# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lab_image answers, and that check mode predicts it without doing it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.action.lab_image import ActionModule

OPTIONS = [
    {"name": "server", "context": "/c/server", "files": {}, "arguments": {}, "publish": ""},
    {"name": "echo", "context": "/c/echo", "files": {"a": "/b"}, "arguments": {"VERSION": 1}, "publish": "x/echo:1"},
]


class FakeImages:
    """LabImages with its answers given; `ensured` is what it was told to make."""

    def __init__(self, missing: list[str], unpublished: list[str]) -> None:
        self._missing, self._unpublished = missing, unpublished
        self.ensured: list[Any] = []

    def missing(self, wanted: list[Any]) -> list[str]:
        return self._missing

    def unpublished(self, wanted: list[Any]) -> list[str]:
        return self._unpublished

    def ensure(self, wanted: list[Any]) -> dict[str, str]:
        self.ensured = wanted
        return {image.name: f"frontdesk-lab/{image.name}:1" for image in wanted}


def present(images: FakeImages, check_mode: bool) -> dict[str, Any]:
    action = SimpleNamespace(_task=SimpleNamespace(check_mode=check_mode))
    return ActionModule._present(action, images, OPTIONS)


@pytest.mark.parametrize(
    ("missing", "unpublished"),
    [(["frontdesk-lab/echo:1"], ["x/echo:1"]), ([], ["x/echo:1"]), (["frontdesk-lab/a:1"], [])],
)
def test_check_mode_predicts_what_is_done(missing, unpublished):
    checked, done = FakeImages(missing, unpublished), FakeImages(missing, unpublished)
    predicted, result = present(checked, True), present(done, False)
    assert checked.ensured == []
    assert [image.name for image in done.ensured] == ["server", "echo"]
    assert result.pop("images") == {"server": "frontdesk-lab/server:1", "echo": "frontdesk-lab/echo:1"}
    assert predicted.pop("images") == {"server": "", "echo": ""}
    assert predicted == result == {"changed": True, "built": missing, "published": unpublished}


@pytest.mark.parametrize("check_mode", [True, False])
def test_when_all_is_there_nothing_changes_and_the_names_are_known(check_mode):
    result = present(FakeImages([], []), check_mode)
    assert result["changed"] is False
    assert result["images"]["echo"] == "frontdesk-lab/echo:1"


def test_build_arguments_are_texts():
    images = FakeImages([], [])
    present(images, False)
    assert images.ensured[1].arguments == {"VERSION": "1"}
