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

from ansible_collections.frontdesk.platform.plugins.plugin_utils.secret import derive, fingerprint

KEY = "0123456789abcdef0123456789abcdef"
LOOKUP = "frontdesk.platform.secret"


def render(template: str, **variables: Any) -> Any:
    values: dict[str, Any] = {"frontdesk_master_key": KEY, "frontdesk_environment": "lab", **variables}
    return Templar(loader=DataLoader(), variables=values).template(trust_as_template(template))


def test_options_come_from_the_platforms_variables() -> None:
    assert render(f"{{{{ lookup('{LOOKUP}', 'redis') }}}}") == derive(KEY, "lab", "redis")
    assert render(f"{{{{ query('{LOOKUP}', 'a', 'b') }}}}") == [derive(KEY, "lab", "a"), derive(KEY, "lab", "b")]


def test_variables_may_be_templates() -> None:
    found = render(
        f"{{{{ lookup('{LOOKUP}', 'redis') }}}}",
        frontdesk_master_key=trust_as_template("{{ elsewhere }}"),
        frontdesk_environment=trust_as_template("{{ 'sta' ~ 'ging' }}"),
        frontdesk_generations={"redis": trust_as_template("{{ 1 + 1 }}")},
        elsewhere=KEY[::-1],
    )
    assert found == derive(KEY[::-1], "staging", "redis", 2)


def test_options_of_the_call_win() -> None:
    call = f"{{{{ lookup('{LOOKUP}', 'redis', master_key=other, environment='x', generation=3) }}}}"
    assert render(call, other=KEY[::-1], frontdesk_generations={"redis": 7}) == derive(KEY[::-1], "x", "redis", 3)


def test_generation_of_the_name_counts() -> None:
    found = render(f"{{{{ query('{LOOKUP}', 'a', 'b') }}}}", frontdesk_generations={"b": 4})
    assert found == [derive(KEY, "lab", "a", 1), derive(KEY, "lab", "b", 4)]


def test_alphanumeric_leaves_out_the_dashes() -> None:
    found = render(f"{{{{ lookup('{LOOKUP}', 'redis', alphanumeric=true) }}}}")
    assert found == derive(KEY, "lab", "redis").replace("-", "")


def test_fingerprint() -> None:
    assert render(f"{{{{ lookup('{LOOKUP}', fingerprint=true) }}}}") == fingerprint(KEY, "lab")


@pytest.mark.parametrize(
    ("call", "variables", "said"),
    [
        ("'redis'", {"frontdesk_master_key": "Geheim-Geheim"}, "frontdesk_master_key has 13 bytes and needs 32"),
        ("'redis'", {"frontdesk_master_key": ["Geheim-Geheim"]}, "frontdesk_master_key is of type list"),
        ("'redis'", {"frontdesk_environment": "No Name"}, "frontdesk_environment is 'No Name'; it has to be"),
        ("'No-Name'", {}, "'No-Name' is no name of a secret"),
        ("'redis', generation=0", {}, "the generation of secret redis is 0"),
        ("'redis'", {"frontdesk_generations": [1]}, "frontdesk_generations is no dictionary"),
        ("", {}, "the lookup needs the name of a secret"),
        ("'redis', fingerprint=true", {}, "give no name with it"),
    ],
)
def test_errors_name_cause_and_remedy_and_never_the_key(call: str, variables: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleError) as raised:
        render(f"{{{{ lookup('{LOOKUP}', {call}) }}}}".replace(", )", ")"), **variables)
    assert said in str(raised.value)
    assert "Geheim" not in everything(raised.value)
    assert KEY not in everything(raised.value)


def test_a_key_with_a_broken_template_is_not_quoted() -> None:
    with pytest.raises(AnsibleError) as raised:
        render(f"{{{{ lookup('{LOOKUP}', 'redis') }}}}", frontdesk_master_key=trust_as_template("Geheim-{{ nowhere"))
    assert "the value of frontdesk_master_key cannot be read" in str(raised.value)
    assert "Geheim" not in everything(raised.value)


def everything(error: BaseException | None) -> str:
    """All that Ansible may show of an error: it and its causes, as text and with what they hold."""
    text = ""
    while error is not None:
        text += f"{error} {error!r} {getattr(error, 'obj', '')}"
        error = error.__cause__
    return text
