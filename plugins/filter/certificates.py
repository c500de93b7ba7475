# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that looks at TLS certificates before they are used."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.frontdesk.platform.plugins.plugin_utils.certificates import HAS_CRYPTOGRAPHY, Pair, faults


def certificate_faults(certificates: t.Iterable[t.Mapping[str, str]], names: t.Iterable[str] = ()) -> list[str]:
    """Return what keeps a TLS server from serving with these certificates, as sentences without any part of a key."""
    if not HAS_CRYPTOGRAPHY:
        raise AnsibleFilterError(
            "The filter certificate_faults needs the Python library cryptography on the controller."
        )
    pairs = [Pair(str(item["name"]), str(item["certificate"]), str(item["key"])) for item in certificates]
    return faults(pairs, names)


class FilterModule:
    """What looks at certificates."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by short name."""
        return {"certificate_faults": certificate_faults}
