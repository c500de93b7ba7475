# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smaller parts of swarm_stack: nodes, failures, versions, images, names, fields."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_compare import created_spec, updated_spec
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_definition import Definition
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_failure import explain, unframed
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_fields import Names, put_at, value_at
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_images import registry_lookup
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import Cluster
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_nodes import allowed_nodes, usable_nodes
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_read import read_networks
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_service import FIELDS, live_mode
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import Image
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_watch import FAILED, WAITING, Verdict, Watch
from tests.fake_swarm import FakeEngine, FakeSwarm, Json, framed, node

NO_NAMES = Names(lambda identity: identity, {"networks": {}, "secrets": {}, "configs": {}})


class TestNodes:
    NODE: ClassVar[Json] = node(1, tier="Data")

    @pytest.mark.parametrize(
        ("constraint", "allowed"),
        [
            ("node.id==node1", True),
            ("node.id!=node1", False),
            ("node.hostname==HOST-1", True),  # values do not depend on the case
            ("node.role==worker", False),
            ("node.role != worker", True),
            ("node.platform.os==linux", True),
            ("node.platform.arch==aarch64", False),
            ("node.labels.tier==data", True),
            ("node.labels.Tier==data", False),  # names do
            ("node.labels.none!=x", True),
            ("engine.labels.disk==ssd", False),
            ("node.ip==10.0.0.0/24", True),
            ("node.ip==10.0.0.1", True),
            ("node.ip!=10.0.0.1", False),
            ("node.ip==nonsense", False),
            ("node.unknown!=x", False),  # as Swarm does
        ],
    )
    def test_constraints(self, constraint: str, allowed: bool) -> None:
        assert bool(allowed_nodes([self.NODE], [constraint])) is allowed

    def test_all_must_hold(self) -> None:
        assert not allowed_nodes([self.NODE], ["node.role==manager", "node.labels.tier==web"])

    @pytest.mark.parametrize(
        ("availability", "state", "usable"),
        [("active", "ready", 1), ("drain", "ready", 0), ("pause", "ready", 0), ("active", "down", 0)],
    )
    def test_usable(self, availability: str, state: str, usable: int) -> None:
        item = {**node(1), "Status": {"State": state}}
        item["Spec"]["Availability"] = availability
        assert len(usable_nodes([item], [])) == usable
        assert len(allowed_nodes([item], [])) == 1


class TestNames:
    def definition(self, **params: Any) -> Definition:
        return Definition({"name": "app", **params})

    def test_the_form_of_a_versions_name_is_frozen(self) -> None:
        definition = self.definition(hash_key="key", secrets=[{"name": "password", "content": "one"}])
        digest = hmac.new(b"key", b"secret|password|one", hashlib.sha256).hexdigest()
        assert (
            definition.cluster_name("secrets", "password")
            == f"app_password_{digest[:12]}"
            == "app_password_9f1ff25fd735"
        )

    @given(st.text(min_size=1), st.text(min_size=1))
    def test_kind_name_content_and_key_count(self, content: str, key: str) -> None:
        def name(kind: str, base: str, text: str, hash_key: str) -> str:
            definition = self.definition(hash_key=hash_key, **{kind: [{"name": base, "content": text}]})
            return definition.cluster_name(kind, base).rsplit("_", 1)[1]

        digests = {
            name("secrets", "a", content, key),
            name("configs", "a", content, key),
            name("secrets", "b", content, key),
            name("secrets", "a", content + "x", key),
            name("secrets", "a", content, key + "x"),
        }
        assert len(digests) == 5

    def test_external_names_are_full(self) -> None:
        external = {"name": "n", "external": True}
        definition = self.definition(networks=[external], secrets=[external], volumes=[external, {"name": "own"}])
        assert [definition.cluster_name(kind, "n") for kind in ("networks", "secrets", "volumes")] == ["n", "n", "n"]
        assert definition.cluster_name("volumes", "own") == "app_own"
        assert definition.own("networks") == {}


class TestFailure:
    TASK: ClassVar[Json] = {
        "ID": "t1",
        "Slot": 2,
        "NodeID": "node1",
        "Status": {"State": "failed", "Err": "exit 1", "ContainerStatus": {"ContainerID": "c1"}},
    }
    SERVICE: ClassVar[Json] = {
        "ID": "s1",
        "UpdatedAt": "",
        "Spec": {"Name": "app_web", "TaskTemplate": {"ContainerSpec": {}}, "Mode": {"Replicated": {"Replicas": 2}}},
    }

    def explained(self, engine: Any, task: Json | None, state: str = FAILED) -> Json:
        watch = Watch(self.SERVICE, [], written_at=0.0)
        verdict = Verdict(state, 1, 2, "its new tasks failed", task)
        return explain(engine, watch, verdict, [node(1)], ["hunter2-long\nsecond-line", "abc"], 30)

    def test_task_node_log_and_health(self) -> None:
        swarm = FakeSwarm()
        first = "".join(f"2026-01-01T00:00:{number:02}Z line {number}\n" for number in range(20))
        # The engine sends one stream after the other.
        swarm.logs["t1"] = framed("2026-01-01T00:00:20Z \x1b[31mred\x1b[0m\n", 2) + framed(first)
        swarm.health["c1"] = "curl: refused.\n"
        found = self.explained(FakeEngine(swarm), self.TASK)
        assert (found["service"], found["task"], found["node"], found["error"]) == (
            "app_web",
            "app_web.2",
            "host-1",
            "exit 1",
        )
        assert len(found["log"]) == 10
        assert found["log"][-1] == "red"
        assert found["message"] == (
            "The service app_web did not converge, its new tasks failed (app_web.2 on host-1): exit 1. "
            "Its health check said: curl: refused. Its last log lines: line 18 / line 19 / red"
        )

    def test_secrets_and_their_lines_are_hidden_but_not_every_letter(self) -> None:
        swarm = FakeSwarm()
        swarm.logs["t1"] = framed("1Z a hunter2-long\n2Z then second-line abc\n")
        swarm.health["c1"] = "hunter2-long"
        found = self.explained(
            FakeEngine(swarm), {**self.TASK, "Status": {**self.TASK["Status"], "Err": "second-line"}}
        )
        assert found["log"] == ["a ********", "then ******** abc"]
        assert (found["health"], found["error"]) == ("********", "********")

    def test_a_node_that_does_not_answer_costs_the_log_only(self) -> None:
        swarm = FakeSwarm()
        swarm.faults = [("GET", EngineError("did not answer"), True)]
        found = self.explained(FakeEngine(swarm), self.TASK)
        assert (found["log"], found["health"], found["error"]) == ([], "", "exit 1")

    def test_without_a_task(self) -> None:
        found = self.explained(FakeEngine(FakeSwarm()), None, WAITING)
        assert found["message"] == (
            "The service app_web did not converge, 1 of 2 tasks after 30 s, its new tasks failed."
        )
        assert (found["task"], found["node"]) == ("", "")

    def test_a_task_without_a_container_has_no_log(self) -> None:
        engine = FakeEngine(FakeSwarm())
        self.explained(engine, {**self.TASK, "Status": {"State": "rejected", "Err": "No such image"}})
        assert engine.reads == 0

    @given(st.lists(st.tuples(st.sampled_from([1, 2]), st.text())))
    def test_frames_are_taken_off(self, pieces: list[tuple[int, str]]) -> None:
        content = b"".join(framed(text, stream) for stream, text in pieces)
        assert unframed(content) == "".join(text for _stream, text in pieces).encode()

    def test_a_terminals_log_has_no_frames(self) -> None:
        assert unframed(b"plain text\n") == b"plain text\n"
        assert unframed(b"") == b""


class TestImages:
    def test_platforms_as_the_scheduler_names_them(self) -> None:
        class Registry:
            def get(self, path: str, **_options: Any) -> Json:
                assert path == "/distribution/app:1/json"
                told = [
                    {"architecture": "amd64", "os": "linux"},
                    {"architecture": "arm", "os": "linux", "variant": "v7"},
                    {"architecture": "arm", "os": "linux", "variant": "v6"},
                    {"architecture": "unknown", "os": "unknown"},
                ]
                return {"Descriptor": {"digest": "sha256:1"}, "Platforms": told}

        pin = registry_lookup(Registry())(Image("app", "1", ""))  # type: ignore[arg-type]
        assert not isinstance(pin, str)
        assert pin.platforms == [{"Architecture": "amd64", "OS": "linux"}, {"OS": "linux"}]


class TestFields:
    def test_paths_are_unique(self) -> None:
        paths = [field.path for field in FIELDS]
        assert len(paths) == len(set(paths))

    def test_a_group_is_written_whole(self) -> None:
        """Swarm takes a missing parallelism beside other values for 0: all tasks at once."""
        live: Json = {"TaskTemplate": {"ContainerSpec": {"Image": "x"}}, "Mode": {"Replicated": {"Replicas": 1}}}
        changed = [field for field in FIELDS if field.path == "deploy.update_config.order"]
        wanted = {
            **{field.path: field.live(live, NO_NAMES) for field in FIELDS},
            "deploy.update_config.order": "start-first",
        }
        assert updated_spec(live, wanted, changed, NO_NAMES)["UpdateConfig"] == {
            "Parallelism": 1,
            "Delay": 0,
            "FailureAction": "pause",
            "Monitor": 5_000_000_000,
            "MaxFailureRatio": 0,
            "Order": "start-first",
        }

    def test_nothing_but_what_differs_from_swarms_defaults_is_written(self) -> None:
        bare: Json = {"TaskTemplate": {"ContainerSpec": {}}, "Mode": {"Replicated": {"Replicas": 1}}}
        wanted = {field.path: field.live(bare, NO_NAMES) for field in FIELDS if not field.group}
        assert created_spec("app_web", wanted, NO_NAMES) == {"Name": "app_web", **bare}

    def test_values_at_keys(self) -> None:
        spec: Json = {}
        put_at(spec, ("a", "b", "c"), 1)
        assert value_at(spec, ("a", "b", "c")) == 1
        assert value_at(spec, ("a", "x", "c")) is None
        put_at(spec, ("a", "b", "c"), None)
        put_at(spec, ("a", "b", "c"), None)
        assert spec == {}

    @pytest.mark.parametrize(
        ("mode", "name"), [({"Global": {}}, "global"), ({"GlobalJob": {}}, "GlobalJob"), ({}, "replicated")]
    )
    def test_modes(self, mode: Json, name: str) -> None:
        assert live_mode({"Mode": mode}) == name


def test_a_network_that_only_nodes_know_is_found_by_its_id() -> None:
    swarm = FakeSwarm()
    own = swarm.add_network({"Name": "net", "Driver": "overlay"})
    swarm.objects["networks"]["host"] = {"Id": "host-id", "Name": "host", "Scope": "local"}
    labels = {"com.docker.stack.namespace": "app"}
    attached = [{"Target": own["Id"]}, {"Target": "host-id"}, {"Target": "gone"}]
    services = [{"Spec": {"Name": "app_web", "Labels": labels, "TaskTemplate": {"Networks": attached}}}]
    networks = read_networks(FakeEngine(swarm), services, "app")  # type: ignore[arg-type]
    assert [item["Name"] for item in networks] == ["net", "host"]
    cluster = Cluster("app", {"services": [], "networks": networks}, [], list)
    assert [cluster.network_name(item["Target"]) for item in attached] == ["net", "host", "gone"]
