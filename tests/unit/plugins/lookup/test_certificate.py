# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup: where its options come from, and what its errors say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.frontdesk.platform.plugins.lookup import certificate
from ansible_collections.frontdesk.platform.plugins.plugin_utils.authority import Authority

KEY = "0123456789abcdef0123456789abcdef"
LOOKUP = "frontdesk.platform.certificate"


def render(template: str, **variables: Any) -> Any:
    values: dict[str, Any] = {"frontdesk_master_key": KEY, "frontdesk_environment": "lab", **variables}
    return Templar(loader=DataLoader(), variables=values).template(trust_as_template(template))


def test_certificates_with_further_names() -> None:
    found = render(f"{{{{ query('{LOOKUP}', 'a', 'b', authority='postgres', names=['c']) }}}}")
    issued = Authority(KEY, "lab", "postgres").issue("a", ["c"])
    assert found[0] == issued._asdict()
    assert len(found) == 2


def test_the_authority_alone() -> None:
    found = render(f"{{{{ (lookup('{LOOKUP}', authority='postgres')).authority }}}}")
    assert found == Authority(KEY, "lab", "postgres").certificate()


def test_a_raised_generation_is_another_authority() -> None:
    found = render(
        f"{{{{ (lookup('{LOOKUP}', authority='postgres')).authority }}}}", frontdesk_generations={"postgres": 2}
    )
    assert found == Authority(KEY, "lab", "postgres", 2).certificate()


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"frontdesk_master_key": "short-key"}, "32 or more"),
        ({"frontdesk_generations": [1]}, "no dictionary"),
        ({"frontdesk_master_key": trust_as_template("{{ nowhere }}")}, "cannot be read"),
    ],
)
def test_faults_without_the_key(variables: dict[str, Any], part: str) -> None:
    with pytest.raises(AnsibleError) as caught:
        render(f"{{{{ lookup('{LOOKUP}', 'a', authority='postgres') }}}}", **variables)
    assert part in str(caught.value)
    assert "short-key" not in str(caught.value)


def test_the_lookup_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "HAS_CRYPTOGRAPHY", False)
    with pytest.raises(AnsibleError, match="needs the Python library cryptography"):
        certificate.LookupModule().run(["a"], authority="postgres")
