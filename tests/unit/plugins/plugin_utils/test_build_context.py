# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build contexts and the lines that a build prints."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
import threading

import pytest

from ansible_collections.frontdesk.platform.plugins.plugin_utils import build_context
from ansible_collections.frontdesk.platform.plugins.plugin_utils.build_context import (
    ContextError,
    collect,
    content_hash,
    packed,
    write_tar,
)
from ansible_collections.frontdesk.platform.plugins.plugin_utils.lab_progress import Progress


@pytest.fixture
def folder(tmp_path):
    context = tmp_path / "context"
    (context / "sub").mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM x")
    (context / "sub" / "file").write_text("1")
    (context / "__pycache__").mkdir()
    (context / "__pycache__" / "x.pyc").write_text("junk")
    return context


def test_a_context_comes_from_several_places(folder, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "code.py").write_text("2")
    files = collect(folder, {"code": tmp_path / "more", "sub/file": tmp_path / "more" / "code.py"})
    assert sorted(files) == ["Dockerfile", "code/code.py", "sub/file"]
    assert files["sub/file"].read_text() == "2"


def test_a_file_that_does_not_exist_is_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        collect(folder, {"code": tmp_path / "nowhere"})


def test_the_hash_follows_names_and_contents(folder):
    before = content_hash(collect(folder, {}), "base")
    assert content_hash(collect(folder, {}), "base") == before
    assert content_hash(collect(folder, {}), "another") != before
    (folder / "sub" / "file").write_text("2")
    changed = content_hash(collect(folder, {}), "base")
    (folder / "sub" / "file").rename(folder / "sub" / "file2")
    assert len({before, changed, content_hash(collect(folder, {}), "base")}) == 3


def test_the_tar_depends_on_nothing_but_the_content(folder):
    (folder / "sub" / "file").chmod(0o700)
    first, second = io.BytesIO(), io.BytesIO()
    write_tar(collect(folder, {}), first)
    (folder / "Dockerfile").touch()
    (folder / "Dockerfile").chmod(0o600)
    write_tar(collect(folder, {}), second)
    assert first.getvalue() == second.getvalue()
    with tarfile.open(fileobj=io.BytesIO(first.getvalue())) as archive:
        assert [(member.name, member.mode, member.uid) for member in archive] == [
            ("Dockerfile", 0o644, 0),
            ("sub/file", 0o755, 0),
        ]


def test_a_long_step_is_reported_again_with_its_seconds_and_newest_line():
    lines: list[str] = []
    repeated = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        if "Setting up" in line:
            repeated.set()

    with Progress(say, "lab image server", interval=0.01) as progress:
        progress.step("Step 5/14 : RUN apt-get -q update && apt-get -q install " + "package " * 40)
        progress.detail("  Setting up \t systemd ...\n")
        assert repeated.wait(10)
    assert lines[0].startswith("lab image server: Step 5/14 : RUN apt-get")
    assert lines[0].endswith("...")
    assert max(map(len, lines)) < 130
    assert "lab image server: Step 5/14 : RUN apt-get -q ... 0 s (Setting up systemd ...)" in lines
    assert lines[-1] == "lab image server: done in 0 s"


def test_a_failure_is_not_reported_as_done():
    lines: list[str] = []

    def fail() -> None:
        with Progress(lines.append, "job"):
            raise ValueError("a step failed")

    with pytest.raises(ValueError, match="a step failed"):
        fail()
    assert lines == []


def test_a_packed_context_is_the_same_however_the_folder_came_about(folder, tmp_path):
    before = packed(folder)
    (folder / "Dockerfile").touch()
    (folder / "empty").mkdir()
    link = tmp_path / "hard-link"
    link.hardlink_to(folder / "sub" / "file")
    assert packed(folder) == before
    archive = gzip.decompress(base64.b64decode(before))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert [member.name for member in tar] == ["Dockerfile", "sub/file"]
        assert all(member.isreg() for member in tar)
    (folder / "sub" / "file").chmod(0o755)
    assert packed(folder) != before


def test_a_folder_that_makes_no_image_is_refused(folder, monkeypatch):
    with pytest.raises(ContextError, match="is no folder"):
        packed(folder / "nowhere")
    with pytest.raises(ContextError, match="has no Dockerfile"):
        packed(folder / "sub")
    monkeypatch.setattr(build_context, "PACKED_LIMIT", 10)
    with pytest.raises(ContextError, match="let the Dockerfile fetch"):
        packed(folder)
