# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services and targets of load balancers as functions; whole runs are in tests/unit/plugins/modules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_balancer_service import (
    canonical_service,
    certificate_ids,
    changed_body,
    merged_service,
    service_body,
    wanted_service,
)
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_balancer_target import Target as Where
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_balancer_target import health, removal
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_model import Ref, World
from ansible_collections.frontdesk.platform.plugins.module_utils.hetzner_plan import (
    Policy,
    desired_from_options,
    make_plan,
)

CATALOGUE = {
    "certificates": [{"id": 7, "name": "wildcard"}, {"id": 8, "name": "old"}],
    "load_balancer_types": [
        {"name": "lb11", "max_services": 5, "max_targets": 25, "max_assigned_certificates": 10, "prices": []}
    ],
}


def world(**objects: Any) -> World:
    return World("test", objects, lambda name: CATALOGUE[name])


OPTIONAL: dict[str, Any] = {
    "destination_port": st.integers(1, 65535),
    "proxyprotocol": st.booleans(),
    "health_check": st.fixed_dictionaries(
        {},
        optional={
            "port": st.integers(1, 65535),
            "interval": st.integers(3, 60),
            "retries": st.integers(1, 5),
            "http": st.fixed_dictionaries(
                {},
                optional={
                    "domain": st.sampled_from(["", "example.com"]),
                    "path": st.sampled_from(["/", "/ping"]),
                    "response": st.sampled_from(["", "ok"]),
                    "status_codes": st.permutations(["200", "3??"]),
                    "tls": st.booleans(),
                },
            ),
        },
    ),
}
HTTP = st.fixed_dictionaries(
    {},
    optional={
        "sticky_sessions": st.booleans(),
        "cookie_name": st.sampled_from(["A", "B"]),
        "cookie_lifetime": st.integers(30, 86400),
        "timeout_idle": st.integers(30, 300),
    },
)
SERVICE = st.one_of(
    st.fixed_dictionaries({"listen_port": st.just(443), "protocol": st.just("tcp")}, optional=OPTIONAL),
    st.fixed_dictionaries(
        {"listen_port": st.just(443), "protocol": st.just("http")}, optional={**OPTIONAL, "http": HTTP}
    ),
    st.fixed_dictionaries(
        {"listen_port": st.just(443), "protocol": st.just("https")},
        optional={
            **OPTIONAL,
            "http": st.builds(
                lambda http, names: {**http, "certificates": names, "redirect_http": bool(names)},
                HTTP,
                st.sampled_from([[], ["wildcard"], ["8", "wildcard"]]),
            ),
        },
    ),
)


def stored(body: dict[str, Any]) -> dict[str, Any]:
    """A service as the API shows what it was sent."""
    return {**body, "news_of_2027": True}


@given(first=SERVICE, second=SERVICE)
def test_any_service_becomes_any_other_by_what_is_sent(first: dict[str, Any], second: dict[str, Any]) -> None:
    live = stored(service_body(merged_service(wanted_service(first), None, world())))
    assert merged_service(wanted_service(first), live, world()) == canonical_service(live)
    wanted = merged_service(wanted_service(second), live, world())
    live = stored({**live, **changed_body(wanted, canonical_service(live))})
    assert canonical_service(live) == wanted
    assert merged_service(wanted_service(second), live, world()) == wanted


@given(SERVICE)
def test_what_is_unset_is_left(service: dict[str, Any]) -> None:
    live = stored(service_body(merged_service(wanted_service(service), None, world())))
    assert merged_service({"listen_port": 443}, live, world()) == canonical_service(live)


def test_an_update_sends_what_differs_and_no_more() -> None:
    live = service_body(merged_service({"listen_port": 80}, None, world()))
    wanted = merged_service({"listen_port": 80, "health_check": {"retries": 5}}, live, world())
    sent = changed_body(wanted, canonical_service(live))
    assert set(sent) == {"listen_port", "health_check"}
    assert sent["health_check"] == {**live["health_check"], "retries": 5}


class TestCertificates:
    def test_by_name_or_number(self) -> None:
        assert certificate_ids(["wildcard", "4711"], world()) == [7, 4711]

    def test_the_list_is_not_read_for_numbers(self) -> None:
        assert certificate_ids(["1"], World("test", {})) == [1]

    def test_unknown(self) -> None:
        with pytest.raises(ValueError, match="certificate none, which is not there"):
            certificate_ids(["none"], world())

    @pytest.mark.parametrize(
        ("names", "changed"), [(["wildcard"], False), (["7"], False), (["old"], True), ([], True), (None, False)]
    )
    def test_are_compared(self, names: list[str] | None, changed: bool) -> None:
        service = {"listen_port": 443, "protocol": "https", "http": {"certificates": names}}
        options = {"load_balancers": [{"name": "edge", "services": [service]}]}
        plan = make_plan(desired_from_options(options), world(load_balancer=[balancer()]), Policy())
        assert bool(plan.changes) is changed

    def test_a_type_takes_only_so_many(self) -> None:
        names = [str(number) for number in range(11)]
        service = {"listen_port": 443, "protocol": "https", "http": {"certificates": names}}
        options = {"load_balancers": [{"name": "edge", "services": [service]}]}
        with pytest.raises(Exception, match="11 assigned certificates, and a load balancer of type lb11 takes 10"):
            make_plan(desired_from_options(options), world(load_balancer=[balancer()]), Policy())


def balancer(**fields: Any) -> dict[str, Any]:
    """A live load balancer with one HTTPS service."""
    service = {"listen_port": 443, "protocol": "https", "http": {"certificates": ["wildcard"]}}
    return {
        "id": 1,
        "name": "edge",
        "labels": {"frontdesk.platform/owner": "test"},
        "load_balancer_type": CATALOGUE["load_balancer_types"][0],
        "location": {"name": "fsn1", "network_zone": "eu-central"},
        "algorithm": {"type": "round_robin"},
        "public_net": {"enabled": True, "ipv4": {"ip": "192.0.2.1"}, "ipv6": {"ip": None}},
        "private_net": [],
        "services": [service_body(merged_service(service, None, world()))],
        "targets": [],
        "protection": {"delete": False},
        **fields,
    }


def server_target(number: int, *statuses: str, **more: Any) -> dict[str, Any]:
    health_status = [{"listen_port": port, "status": status, **more} for port, status in enumerate(statuses, 80)]
    return {"type": "server", "server": {"id": number}, "use_private_ip": True, "health_status": health_status}


class TestHealth:
    def test_is_told_for_every_target_and_service(self) -> None:
        found = world(server=[{"id": 5, "name": "web-1"}, {"id": 6, "name": "web-2"}])
        reason = {"detail": "unexpected_http_status", "http_status_code": 503}
        selector = {
            "type": "label_selector",
            "label_selector": {"selector": "a=b"},
            "use_private_ip": True,
            "targets": [server_target(5, "healthy", "unknown"), server_target(6, "unhealthy", **reason)],
        }
        address = {
            "type": "ip",
            "ip": {"ip": "203.0.113.7"},
            "health_status": [{"listen_port": 80, "status": "healthy", "detail": None}],
        }
        assert health(balancer(targets=[selector, address]), found) == [
            {"ip": "203.0.113.7", "listen_port": 80, "status": "healthy"},
            {"server": "web-1", "listen_port": 80, "status": "healthy"},
            {"server": "web-1", "listen_port": 81, "status": "unknown"},
            {"server": "web-2", "listen_port": 80, "status": "unhealthy", **reason},
        ]

    def test_a_server_that_is_not_known_has_its_number(self) -> None:
        found = health(balancer(targets=[server_target(9, "healthy")]), world())
        assert found == [{"server": "9", "listen_port": 80, "status": "healthy"}]


class TestRemoval:
    """A target whose server is not in the project any more has only a number."""

    def test_by_number(self) -> None:
        live = balancer(targets=[server_target(9)])
        step = removal(live, Where("server", "9"))
        assert step.body == {"type": "server", "server": {"id": 9}}
        assert step.satisfied is not None
        assert not step.satisfied(live, lambda _ref: 0)
        assert step.satisfied(balancer(), lambda _ref: 0)

    @pytest.mark.parametrize(
        ("target", "entry"),
        [
            (Where("server", "web-1"), server_target(5)),
            (Where("label_selector", "a=b"), {"type": "label_selector", "label_selector": {"selector": "a=b"}}),
            (Where("ip", "203.0.113.7"), {"type": "ip", "ip": {"ip": "203.0.113.7"}}),
        ],
    )
    def test_is_seen_at_the_load_balancer(self, target: Where, entry: dict[str, Any]) -> None:
        def ids(reference: Ref) -> int:
            return 5

        step = removal(balancer(), target)
        others = [server_target(6), {"type": "ip", "ip": {"ip": "203.0.113.8"}}]
        assert step.satisfied is not None
        assert not step.satisfied(balancer(targets=[*others, entry]), ids)
        assert step.satisfied(balancer(targets=others), ids)


def test_an_unset_list_is_left_alone() -> None:
    live = balancer(targets=[server_target(5)])
    plan = make_plan(
        desired_from_options({"load_balancers": [{"name": "edge"}]}), world(load_balancer=[live]), Policy()
    )
    assert plan.changes == []
