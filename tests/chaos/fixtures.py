# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the chaos tests and the short half in tests/integration share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.chaos.cluster import wait_until_whole
from tests.chaos.machines import mend
from tests.chaos.run import Bench
from tests.chaos.sampling import Sampling
from tests.chaos.writers import all_clients
from tests.integration.cloud import SERVERS


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Writers and samplers for the platform that stands, whole at the beginning and at the end."""
    for server in SERVERS:
        mend(server)
    wait_until_whole()
    folder = tmp_path_factory.mktemp("samples")
    with ExitStack() as stack:
        clients = stack.enter_context(all_clients())
        kinds = ("postgres", "redis")
        sampling = {kind: stack.enter_context(Sampling(kind, folder).running()) for kind in kinds}
        yield Bench(clients, sampling)
    wait_until_whole()
