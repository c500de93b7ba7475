# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a group of hosts forms one cluster: who begins it, who joins, whom to ask, and what forbids all of that."""

from __future__ import annotations

import typing as t

from ansible_collections.frontdesk.platform.plugins.module_utils.swarm_settings import fingerprint_fault

Report = t.Mapping[str, t.Any]
"""What swarm_node told about one host: `node` of its result."""


def formation(
    reports: t.Mapping[str, Report], managers: t.Sequence[str], hosts: t.Iterable[str] = (), fingerprint: str = ""
) -> dict[str, t.Any]:
    """Decide from the reports of the hosts that answered.

    reports: by host. managers: the hosts that are to be managers, in the order in which they are preferred. hosts: all that
    belong to the cluster, with those that did not answer. fingerprint: the one that the cluster has to have, if it has one; empty for any.
    Returns `fault` (a sentence, empty when all is well), `speaker` (the manager to talk to), `init` (the host that begins the
    cluster; empty when there is one), `missing` (hosts that are in none), `joining` (those of them that do not begin it), `known` (numbers
    of the nodes in one), `managers` (addresses to join at), `cluster_id`.
    """
    members = {host: report for host, report in reports.items() if report["member"]}
    missing = [host for host in reports if host not in members]
    decided: dict[str, t.Any] = {
        "fault": "",
        "speaker": "",
        "init": "",
        "missing": missing,
        "joining": missing,
        "known": sorted(report["id"] for report in members.values() if report["id"]),
        "managers": [],
        "cluster_id": "",
    }
    if not members:
        unknown = sorted({*managers, *hosts} - set(reports))
        begin = next((host for host in managers if host in reports), "")
        joining = [host for host in missing if host != begin]
        return {
            **decided,
            "fault": _why_not_begin(managers, unknown),
            "init": begin,
            "speaker": begin,
            "joining": joining,
        }
    led = [host for host in [*managers, *members] if host in members and _leads(members[host])]
    clusters: dict[str, list[str]] = {}
    for host in dict.fromkeys(led):
        clusters.setdefault(members[host]["cluster_id"], []).append(host)
    if len(clusters) > 1:
        return {**decided, "fault": _two_clusters(clusters)}
    if not led:
        return {**decided, "fault": _no_leader(members, hosts)}
    speaker = led[0]
    return {
        **decided,
        "fault": fingerprint_fault(members[speaker].get("fingerprint") or "", fingerprint),
        "speaker": speaker,
        "managers": members[speaker]["managers"],
        "cluster_id": members[speaker]["cluster_id"],
    }


def _leads(report: Report) -> bool:
    return report["role"] == "manager" and bool(report["leader"])


def _why_not_begin(managers: t.Sequence[str], unknown: t.Sequence[str]) -> str:
    if not managers:
        return "No host is in a cluster, and swarm_managers names none that could begin one; name the managers there."
    if unknown:
        return (
            f"None of the hosts that answered is in a cluster, but what {_and(unknown)} would say is not known, and a second cluster "
            "must never begin beside one that only does not answer. Run with all hosts (without --limit) when they answer again, or take "
            "those that are gone for good out of the inventory."
        )
    return ""


def _two_clusters(clusters: t.Mapping[str, t.Sequence[str]]) -> str:
    parts = [
        f"{_and(sorted(hosts))} {'are' if len(hosts) > 1 else 'is'} in {identity}"
        for identity, hosts in clusters.items()
    ]
    return (
        f"The hosts are in different clusters: {'; '.join(parts)}. Decide which one stays, take the hosts of the other out with "
        "'docker swarm leave --force', and run again."
    )


def _no_leader(members: t.Mapping[str, Report], hosts: t.Iterable[str]) -> str:
    lost = sorted(host for host, report in members.items() if report["role"] == "manager")
    if not lost:
        known = sorted({address for report in members.values() for address in report["managers"]})
        return (
            f"{_and(sorted(members))} {'are workers' if len(members) > 1 else 'is a worker'} of a cluster whose managers "
            f"({', '.join(known)}) are not among the hosts that answered. Run with its managers (without --limit)."
        )
    silent = sorted(set(hosts) - set(members))
    rest = f" ({_and(silent)} did not answer, or {'are' if len(silent) > 1 else 'is'} in no cluster)" if silent else ""
    return (
        f"The cluster has no leader, because half of its managers or more do not answer: {_and(lost)} cannot decide alone{rest}. Services "
        "keep running, and nothing can be changed. Start the engines of the other managers and run again; when they are gone for good, "
        'docs/swarm.md of the collection tells how to go on with one ("The majority of the managers is lost").'
    )


def _and(names: t.Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
