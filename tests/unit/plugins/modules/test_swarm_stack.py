# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of swarm_stack against a swarm in memory. Single options: test_stack_options.py."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import EngineError
from tests.fake_swarm import KEY, Json, StackRuns, framed, node, triples

NAMESPACE = {"com.docker.stack.namespace": "app"}
NO_LEADER = EngineError("The swarm does not have a leader. It's possible that too few managers are online", 500)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> StackRuns:
    return StackRuns(monkeypatch)


def service(name: str = "web", **options: Any) -> Json:
    return {"name": name, "image": "trial/good:1", **options}


def with_files(password: str = "one-secret", settings: str = "a\nb\n", **options: Any) -> Json:
    """A stack of two services: web has a secret and a config, worker has none."""
    return {
        "secrets": [{"name": "password", "content": password}],
        "configs": [{"name": "settings", "content": settings}],
        "services": [
            service(secrets=[{"source": "password"}], configs=[{"source": "settings"}], **options),
            service("worker"),
        ],
    }


def names(runs: StackRuns, kind: str) -> list[str]:
    return sorted(runs.swarm.objects[kind])


def tasks(runs: StackRuns, name: str, state: str = "running") -> list[Json]:
    own = runs.swarm.tasks_of(runs.service(name))
    return [task for task in own if task["Status"]["State"] == state and task["DesiredState"] == "running"]


class TestFromNothing:
    def test_everything_is_created_in_order_and_serves(self, runs: StackRuns) -> None:
        stack = with_files(networks=[{"name": "net"}], deploy={"replicas": 2})
        result = runs.run(**stack, networks=[{"name": "net"}])
        secret, config = names(runs, "secrets")[0], names(runs, "configs")[0]
        assert triples(result) == [
            ("create", "network", "app_net"),
            ("create", "secret", secret),
            ("create", "config", config),
            ("create", "service", "app_web"),
            ("create", "service", "app_worker"),
        ]
        assert secret.startswith("app_password_")
        assert len(secret) == len("app_password_") + 12
        assert len(tasks(runs, "app_web")) == 2
        assert result["services"][0] == {
            "name": "app_web",
            "image": "trial/good:1@sha256:" + "1" * 64,
            "replicas": {"wanted": 2, "running": 2},
            "state": "converged",
            "update_state": "",
        }

    def test_it_waits_until_a_task_without_a_health_check_ran_for_the_monitored_time(self, runs: StackRuns) -> None:
        runs.run(services=[service(deploy={"update_config": {"monitor": "30s"}})])
        assert runs.swarm.time - 1_800_000_000 >= 30

    def test_nothing_is_waited_for_when_it_is_not_asked(self, runs: StackRuns) -> None:
        result = runs.try_run(services=[service()], wait=False)
        assert (result["changed"], result["services"][0]["state"]) == (True, "absent")

    def test_the_name_of_the_service_is_an_alias_on_its_networks(self, runs: StackRuns) -> None:
        runs.run(services=[service(networks=[{"name": "net"}])], networks=[{"name": "net"}])
        attached = runs.service("app_web")["Spec"]["TaskTemplate"]["Networks"]
        assert attached == [{"Target": runs.swarm.objects["networks"]["app_net"]["Id"], "Aliases": ["web"]}]


class TestUnchanged:
    def test_one_round_of_reads_and_no_write(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        result = runs.try_run(**with_files())
        assert (result["changed"], result["api_reads"], result["api_writes"]) == (False, 5, 0)
        assert result["diff"] == {"before": {}, "after": {}}

    def test_what_an_older_engine_would_drop_in_silence_is_not_asked_of_it(self, runs: StackRuns) -> None:
        runs.swarm.versions = ["1.41"]
        runs.run(services=[service(healthcheck={"test": "true", "interval": "5s", "start_interval": "1s"})])
        check = runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Healthcheck"]
        assert check == {"Test": ["CMD-SHELL", "true"], "Interval": 5 * 10**9}

    def test_a_service_that_still_starts_is_waited_for(self, runs: StackRuns) -> None:
        runs.try_run(services=[service()], wait=False)
        result = runs.try_run(services=[service()])
        assert (result["changed"], result["api_writes"]) == (False, 0)
        assert result["services"][0]["state"] == "converged"

    def test_a_service_that_never_came_up_fails_again_without_a_write(self, runs: StackRuns) -> None:
        stack = {"services": [service(image="trial/crash:1")], "resolve_images": "never"}
        assert runs.try_run(**stack)["failed"]
        again = runs.try_run(**stack)
        assert again["failed"]
        assert (again["changed"], again["api_writes"]) == (False, 0)
        assert "task: non-zero exit (1)" in again["msg"]

    def test_what_no_option_knows_survives_an_update(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        container = runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]
        container["Privileges"] = {"SELinuxContext": {"Disable": True}}
        runs.run(services=[service(user="1000")])
        container = runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]
        assert container["Privileges"] == {"SELinuxContext": {"Disable": True}}
        assert container["User"] == "1000"

    def test_what_somebody_changed_by_hand_is_put_back(self, runs: StackRuns) -> None:
        runs.run(services=[service(environment={"A": "1"})])
        runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = ["A=1", "B=2"]
        result = runs.run(services=[service(environment={"A": "1"})])
        assert result["changes"][0]["before"] == {"environment.B": "2"}
        assert result["changes"][0]["after"] == {"environment.B": None}

    def test_a_rolled_back_service_whose_definition_went_back_too_is_fine(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        assert runs.try_run(services=[service(image="trial/crash:1")], resolve_images="never")["failed"]
        result = runs.run(services=[service()])
        assert (result["changed"], result["services"][0]["update_state"]) == (False, "rollback_completed")


class TestVersions:
    def test_a_changed_secret_rolls_only_its_users(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        former = names(runs, "secrets")[0]
        worker = copy.deepcopy(runs.service("app_worker"))
        result = runs.run(**with_files(password="two-secret"))
        current = next(name for name in names(runs, "secrets") if name != former)
        assert triples(result) == [("create", "secret", current), ("update", "service", "app_web")]
        assert set(result["changes"][1]["before"]) == {"secrets.password"}
        assert runs.service("app_worker") == worker
        assert result["kept_versions"] == [
            {"kind": "secret", "name": former, "reason": "a rollback of app_web needs it"}
        ]

    def test_a_rollback_finds_the_former_secret(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        runs.run(**with_files(password="two-secret"))
        previous = runs.service("app_web")["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Secrets"][0]
        assert previous["SecretName"] in names(runs, "secrets")

    def test_older_versions_go_beyond_the_number_to_keep(self, runs: StackRuns) -> None:
        for number in range(5):
            result = runs.run(**with_files(settings=f"version {number}"), keep_versions=2)
        assert len(names(runs, "configs")) == 4  # the current one, one for a rollback, two to keep
        assert len(result["removed_versions"]) == 1
        assert sorted(item["reason"] for item in result["kept_versions"]) == [
            "a rollback of app_web needs it",
            "it is one of the former versions that keep_versions asks for",
            "it is one of the former versions that keep_versions asks for",
        ]
        assert triples(result)[-1] == ("delete", "config", result["removed_versions"][0]["name"])

    def test_an_unlisted_secret_goes_when_no_rollback_needs_it(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        first = runs.run(services=[service()])
        assert first["removed_versions"] == []
        second = runs.run(services=[service(user="1000")])
        assert {item["kind"] for item in second["removed_versions"]} == {"secret", "config"}
        assert names(runs, "secrets") == []

    def test_a_content_that_comes_back_uses_its_version_again(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        runs.run(**with_files(settings="other"))
        result = runs.run(**with_files())
        assert triples(result) == [("update", "service", "app_web")]

    def test_another_key_gives_other_names(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        result = runs.run(**with_files(), hash_key="another-key-that-is-long")
        assert [kind for _action, kind, _name in triples(result)] == ["secret", "config", "service"]

    def test_a_foreign_service_keeps_the_version_that_it_uses(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        former = names(runs, "configs")[0]
        identity = runs.swarm.objects["configs"][former]["ID"]
        container = {"Image": "x", "Configs": [{"ConfigID": identity, "ConfigName": former, "File": {"Name": "/x"}}]}
        runs.swarm.add_service(
            {"Name": "foreign", "TaskTemplate": {"ContainerSpec": container}, "Mode": {"Replicated": {"Replicas": 1}}}
        )
        for number in range(3):
            runs.run(**with_files(settings=f"version {number}"), keep_versions=0)
        assert former in names(runs, "configs")

    def test_versions_that_another_program_made_stay(self, runs: StackRuns) -> None:
        runs.swarm.add("configs", {"Name": "app_by_hand", "Labels": NAMESPACE, "Data": "eA=="})
        runs.run(services=[service()])
        assert names(runs, "configs") == ["app_by_hand"]


class TestSecrecy:
    SECRET = "correct-horse-battery\nsecond-line-of-it"

    def test_a_secret_is_nowhere_in_the_result(self, runs: StackRuns) -> None:
        stack = with_files(password=self.SECRET, image="trial/crash:1")
        stack["services"] = stack["services"][:1]
        real = runs.swarm.advance
        log = framed(f"1Z connecting with {self.SECRET}\n") + framed("3Z gave up on second-line-of-it\n", 2)

        def advance(*arguments: Any) -> bool:
            made = real(*arguments)
            runs.swarm.logs = dict.fromkeys(runs.swarm.tasks, log)
            return made

        runs.swarm.advance = advance  # type: ignore[method-assign]
        result = runs.try_run(**stack, resolve_images="never")
        assert result["failed"]
        assert result["failures"][0]["log"][-1] == "gave up on ********"
        for part in (*self.SECRET.splitlines(), KEY):
            assert part not in str(result)

    def test_the_diff_shows_configs_by_lines_and_secrets_never(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        diff = runs.try_run(check_mode=True, **with_files("new-secret", "a\nc\n"))["diff"]
        assert diff["before"]["config app_settings"]["content"] == ["a", "b"]
        assert diff["after"]["config app_settings"]["content"] == ["a", "c"]
        assert [value for title, value in diff["after"].items() if title.startswith("secret ")] == [
            {"version_of": "password"}
        ]
        assert "new-secret" not in str(diff)

    def test_without_diff_mode_contents_stay_out(self, runs: StackRuns) -> None:
        result = runs.try_run(check_mode=True, diff=False, **with_files(settings="line-of-a-config"))
        assert "line-of-a-config" not in str(result)


class TestUpdates:
    def test_a_rolling_update_is_followed_to_its_end(self, runs: StackRuns) -> None:
        runs.run(services=[service(deploy={"replicas": 3})])
        result = runs.run(services=[service(image="trial/good:2", deploy={"replicas": 3})])
        assert result["services"][0]["update_state"] == "completed"
        assert len(tasks(runs, "app_web")) == 3
        assert all("2222" in task["Spec"]["ContainerSpec"]["Image"] for task in tasks(runs, "app_web"))

    def test_a_rollback_is_a_failure_that_names_the_cause(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        result = runs.try_run(services=[service(image="trial/missing:1")], resolve_images="never")
        assert result["failed"]
        assert result["msg"] == (
            "The service app_web did not converge, its new tasks failed (app_web.1 on host-1): "
            "No such image: trial/missing:1. It was rolled back: the former version serves."
        )
        assert result["failures"][0]["update_state"] == "rollback_completed"
        assert result["services"][0] == {
            "name": "app_web",
            "image": "trial/missing:1",
            "replicas": {"wanted": 1, "running": 1},
            "state": "failed",
            "update_state": "rollback_completed",
        }
        assert "1111" in tasks(runs, "app_web")[0]["Spec"]["ContainerSpec"]["Image"]

    def test_what_finds_no_node_is_rolled_back_by_us(self, runs: StackRuns) -> None:
        # Swarm itself would wait for ever, with one task less.
        runs.run(services=[service()])
        result = runs.try_run(services=[service(image="trial/homeless:1")], resolve_images="never")
        assert "no suitable node" in result["msg"]
        assert "It was rolled back" in result["msg"]
        assert "1111" in tasks(runs, "app_web")[0]["Spec"]["ContainerSpec"]["Image"]
        assert result["api_writes"] == 2

    def test_a_paused_update_fails_and_the_next_run_tries_again(self, runs: StackRuns) -> None:
        pausing = {"deploy": {"update_config": {"failure_action": "pause"}}}
        runs.run(services=[service(**pausing)])
        stack = {"services": [service(image="trial/crash:1", **pausing)], "resolve_images": "never"}
        result = runs.try_run(**stack)
        assert "The update is paused" in result["msg"]
        told = runs.try_run(check_mode=True, **stack)
        assert [(c["before"], c["after"]) for c in told["changes"]] == [({"state": "paused"}, {"state": "running"})]
        assert runs.try_run(**stack)["api_writes"] == 1

    def test_a_failing_service_is_given_up_before_the_time_is_over(self, runs: StackRuns) -> None:
        began = runs.swarm.time
        result = runs.try_run(services=[service(image="trial/crash:1")], resolve_images="never", wait_timeout=300)
        assert "its tasks fail one after the other" in result["msg"]
        assert runs.swarm.time - began < 60

    def test_a_slow_service_fails_when_the_time_is_over(self, runs: StackRuns) -> None:
        result = runs.try_run(services=[service(image="trial/slow:1")], resolve_images="never", wait_timeout=30)
        assert "0 of 1 tasks after 30 s" in result["msg"]
        assert result["services"][0]["state"] == "waiting"

    def test_nothing_is_cleaned_up_after_a_failure(self, runs: StackRuns) -> None:
        runs.run(**with_files(), keep_versions=0)
        runs.run(**with_files(settings="two"), keep_versions=0)
        stack = with_files(settings="three", image="trial/crash:1")
        result = runs.try_run(**stack, keep_versions=0, resolve_images="never")
        assert result["failed"]
        assert result["removed_versions"] == []
        assert len(names(runs, "configs")) == 3

    def test_a_service_waits_for_another_by_failing(self, runs: StackRuns) -> None:
        """The application crashes until the database is there: its failures before that do not count."""
        ready_at = runs.swarm.time + 12
        real = runs.swarm.behaviour

        def behaviour(item: Json) -> tuple[str, str]:
            late = runs.swarm.time < ready_at
            if item["Spec"]["Name"] == "app_database":
                return ("starting", "") if late else ("running", "")
            return ("failed", "no database") if runs.swarm.time < ready_at + 2 else real(item)

        runs.swarm.behaviour = behaviour  # type: ignore[method-assign]
        original = runs.swarm.orchestrate

        def orchestrate(item: Json) -> None:
            for task in runs.swarm.tasks_of(item):
                if task["Status"]["State"] == "starting":
                    task["Status"]["State"] = behaviour(item)[0]
            original(item)

        runs.swarm.orchestrate = orchestrate  # type: ignore[method-assign]
        check = {"healthcheck": {"test": "true"}}
        result = runs.try_run(services=[service("database", **check), service("web", **check)])
        assert not result.get("failed"), result.get("msg")

    def test_a_changed_port_waits_for_new_tasks(self, runs: StackRuns) -> None:
        # Nothing in a task's template shows its published port.
        runs.run(services=[service(ports=[{"target": 80, "published": 8080}])])
        former = tasks(runs, "app_web")[0]
        real = runs.swarm.update_service

        def update(*arguments: Any) -> None:
            real(*arguments)
            former["DesiredState"] = "shutdown"

        runs.swarm.update_service = update  # type: ignore[method-assign]
        runs.run(services=[service(ports=[{"target": 80, "published": 8081}])])
        assert tasks(runs, "app_web")[0]["ID"] != former["ID"]


class TestJobs:
    def job(self, image: str = "trial/done:1", mode: str = "replicated-job", **options: Any) -> Json:
        return {
            "services": [service("migrate", image=image, deploy={"mode": mode}, **options)],
            "resolve_images": "never",
        }

    @pytest.mark.parametrize("mode", ["replicated-job", "global-job"])
    def test_it_runs_once_and_again_when_it_changes(self, runs: StackRuns, mode: str) -> None:
        runs.run(**self.job(mode=mode))
        count = len(runs.swarm.tasks)
        assert count == (1 if mode == "replicated-job" else 3)
        runs.run(**self.job(mode=mode))
        assert len(runs.swarm.tasks) == count
        result = runs.run(**self.job(mode=mode, environment={"A": "1"}))
        assert triples(result) == [("update", "service", "app_migrate")]
        assert len(runs.swarm.tasks) == 2 * count

    def test_what_ran_before_and_comes_back_runs_again(self, runs: StackRuns) -> None:
        for number, level in enumerate(("1", "2", "1"), start=1):
            result = runs.run(**self.job(environment={"LEVEL": level}))
            assert result["services"][0]["replicas"] == {"wanted": 1, "running": 1}
            assert len(runs.swarm.tasks) == number

    def test_it_has_few_attempts_and_none_waits_for_another(self, runs: StackRuns) -> None:
        runs.run(**self.job())
        spec = runs.service("app_migrate")["Spec"]
        assert spec["TaskTemplate"]["RestartPolicy"] == {"Condition": "on-failure", "MaxAttempts": 2}
        assert (spec["UpdateConfig"]["Parallelism"], spec["UpdateConfig"]["FailureAction"]) == (0, "continue")

    def test_it_is_none_of_swarms_own_jobs(self, runs: StackRuns) -> None:
        """https://github.com/moby/moby/issues/53632."""
        runs.run(**self.job())
        assert runs.service("app_migrate")["Spec"]["Mode"] == {"Replicated": {"Replicas": 1}}
        runs.run(state="absent")
        runs.run(**self.job(mode="global-job"))
        assert runs.service("app_migrate")["Spec"]["Mode"] == {"Global": {}}

    def test_a_job_of_swarms_own_is_replaced_only_when_named(self, runs: StackRuns) -> None:
        runs.run(**self.job())
        spec = runs.service("app_migrate")["Spec"]
        spec["Mode"] = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
        del spec["Labels"]["frontdesk.platform/job"]
        assert "has the mode ReplicatedJob" in runs.try_run(**self.job())["msg"]
        result = runs.run(replace=["migrate"], **self.job())
        assert triples(result) == [("replace", "service", "app_migrate")]

    def test_a_service_becomes_a_job_only_when_named(self, runs: StackRuns) -> None:
        runs.run(services=[service("migrate", image="trial/done:1")], resolve_images="never", wait=False)
        assert "replace" in runs.try_run(**self.job())["msg"]

    def test_a_failed_job_fails_the_run_and_runs_again_in_the_next(self, runs: StackRuns) -> None:
        result = runs.try_run(**self.job("trial/crash:1"))
        assert "app_migrate did not converge" in result["msg"]
        again = runs.try_run(**self.job("trial/crash:1"))
        assert again["changes"][0]["before"] == {"state": "failed"}
        assert runs.service("app_migrate")["Spec"]["TaskTemplate"]["ForceUpdate"] == 1
        repaired = runs.run(**self.job())
        assert repaired["services"][0]["replicas"] == {"wanted": 1, "running": 1}


class TestGlobal:
    def test_one_task_on_each_node_that_suits(self, runs: StackRuns) -> None:
        runs.swarm.nodes = [node(1, edge="true"), node(2, edge="true"), node(3)]
        placement = {"placement": {"constraints": ["node.labels.edge==true"]}}
        result = runs.run(services=[service(deploy={"mode": "global", **placement})])
        assert result["services"][0]["replicas"] == {"wanted": 2, "running": 2}

    def test_a_drained_node_is_not_waited_for(self, runs: StackRuns) -> None:
        runs.swarm.nodes[2]["Spec"]["Availability"] = "drain"
        result = runs.run(services=[service(deploy={"mode": "global"})])
        assert result["services"][0]["replicas"]["wanted"] == 2

    def test_no_node_at_all_is_a_failure(self, runs: StackRuns) -> None:
        placement = {"placement": {"constraints": ["node.labels.edge==true"]}}
        result = runs.try_run(services=[service(deploy={"mode": "global", **placement})])
        assert "no node that takes tasks satisfies its placement constraints (node.labels.edge==true)" in result["msg"]


class TestImages:
    def test_an_unchanged_tag_is_not_looked_up(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        runs.swarm.digests = {}
        assert runs.run(services=[service()])["changed"] is False
        assert runs.run(services=[service(user="1000")])["changed"] is True
        assert runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].endswith("1" * 64)

    def test_always_finds_a_moved_tag(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        runs.swarm.digests["trial/good:1"] = "sha256:" + "3" * 64
        assert runs.run(services=[service()])["changed"] is False
        result = runs.run(services=[service()], resolve_images="always")
        assert result["changes"][0]["after"] == {"image": "trial/good:1@sha256:" + "3" * 64}

    def test_a_registry_that_does_not_know_it_stops_the_run_before_any_write(self, runs: StackRuns) -> None:
        result = runs.try_run(services=[service(image="trial/nope:1"), service("two", image="trial/no:2")])
        assert "the registry does not tell the digest of trial/nope:1 (manifest unknown" in result["msg"]
        assert "resolve_images=never" in result["msg"]
        assert len(result["errors"]) == 2
        assert result["api_writes"] == 0

    def test_a_digest_is_taken_as_it_is(self, runs: StackRuns) -> None:
        image = "trial/good:1@sha256:" + "7" * 64
        runs.swarm.digests = {}
        runs.run(services=[service(image=image)])
        assert runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == image
        other = image.replace("7", "8")
        assert runs.run(services=[service(image=other)])["changes"][0]["after"]["image"] == other

    def test_an_image_changed_by_hand_is_put_back(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = "trial/good:2"
        result = runs.run(services=[service()])
        assert result["changes"][0]["before"] == {"image": "trial/good:2"}

    def test_a_stack_of_the_docker_command_is_taken_over_without_a_new_task(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        labels = runs.service("app_web")["Spec"]["Labels"]
        del labels["com.docker.stack.image"]
        result = runs.run(services=[service()])
        assert result["changes"][0]["after"] == {"deploy.labels.com.docker.stack.image": "trial/good:1"}


class TestRemoval:
    def test_what_is_not_listed_any_more_goes_last(self, runs: StackRuns) -> None:
        network = [{"name": "net"}]
        runs.run(services=[service(networks=network), service("old", networks=network)], networks=network)
        result = runs.run(services=[service("new")])
        assert triples(result) == [
            ("create", "service", "app_new"),
            ("delete", "service", "app_old"),
            ("delete", "service", "app_web"),
            ("delete", "network", "app_net"),
        ]
        assert names(runs, "services") == ["app_new"]
        assert names(runs, "networks") == []

    def test_who_holds_a_port_goes_first(self, runs: StackRuns) -> None:
        ports = {"ports": [{"target": 80, "published": 8080}]}
        runs.run(services=[service("old", **ports)])
        result = runs.run(services=[service("new", **ports)])
        assert triples(result) == [("delete", "service", "app_old"), ("create", "service", "app_new")]

    def test_absent_removes_the_stack_and_nothing_else(self, runs: StackRuns) -> None:
        runs.run(**with_files(networks=[{"name": "net"}]), networks=[{"name": "net"}])
        runs.run(name="other", services=[service()])
        result = runs.run(state="absent")
        assert {action for action, _kind, _name in triples(result)} == {"delete"}
        assert names(runs, "services") == ["other_web"]
        assert [names(runs, kind) for kind in ("secrets", "configs", "networks")] == [[], [], []]
        assert runs.run(state="absent")["changed"] is False

    def test_absent_waits_for_the_end_of_the_tasks(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        real = runs.swarm.pass_time
        stubborn = runs.swarm.time + 1000

        def pass_time(seconds: float) -> None:
            real(seconds) if runs.swarm.time > stubborn else setattr(runs.swarm, "time", runs.swarm.time + seconds)

        runs.swarm.pass_time = pass_time  # type: ignore[method-assign]
        result = runs.try_run(state="absent", wait_timeout=20)
        assert "1 tasks of app_web still run 20 s after the removal" in result["msg"]

    def test_tasks_on_a_lost_node_are_not_waited_for(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        runs.swarm.nodes[0]["Status"]["State"] = "down"
        runs.swarm.pass_time = lambda seconds: None  # type: ignore[method-assign]
        assert runs.try_run(state="absent")["changed"] is True

    def test_a_network_that_others_use_stays_and_nothing_is_written(self, runs: StackRuns) -> None:
        runs.run(services=[service()], networks=[{"name": "net"}])
        identity = runs.swarm.objects["networks"]["app_net"]["Id"]
        template = {"ContainerSpec": {"Image": "x"}, "Networks": [{"Target": identity}]}
        runs.swarm.add_service({"Name": "foreign", "TaskTemplate": template, "Mode": {"Replicated": {"Replicas": 1}}})
        for params in ({"state": "absent"}, {"services": [service()]}):
            result = runs.try_run(**params)
            assert "The network app_net cannot be removed: foreign of other stacks use it" in result["msg"]
            assert result["api_writes"] == 0

    def test_a_secret_that_others_use_stays_too(self, runs: StackRuns) -> None:
        runs.run(**with_files())
        secret = runs.swarm.objects["secrets"][names(runs, "secrets")[0]]
        container = {"Image": "x", "Secrets": [{"SecretID": secret["ID"], "SecretName": secret["Spec"]["Name"]}]}
        runs.swarm.add_service(
            {"Name": "foreign", "TaskTemplate": {"ContainerSpec": container}, "Mode": {"Replicated": {"Replicas": 1}}}
        )
        result = runs.try_run(state="absent")
        assert "cannot be removed: foreign of other stacks use it" in result["msg"]

    def test_a_network_is_released_some_time_after_its_last_task(self, runs: StackRuns) -> None:
        runs.run(services=[service()], networks=[{"name": "net"}])
        busy = EngineError("network app_net has active endpoints", 403)
        runs.swarm.faults = [("DELETE /networks", busy, False), ("DELETE /networks", busy, False)]
        assert triples(runs.try_run(services=[service()])) == [("delete", "network", "app_net")]
        assert names(runs, "networks") == []


class TestForeign:
    @pytest.mark.parametrize("kind", ["service", "network", "config"])
    def test_a_taken_name_is_refused_before_any_write(self, runs: StackRuns, kind: str) -> None:
        stack: Json = {**with_files(), "networks": [{"name": "net"}]}
        if kind == "config":
            runs.run(**stack)
            name = names(runs, "configs")[0]
            runs.run(state="absent")
            runs.swarm.add("configs", {"Name": name, "Data": "eA=="})
        elif kind == "network":
            name = runs.swarm.add_network({"Name": "app_net", "Driver": "overlay"})["Name"]
        else:
            template = {"ContainerSpec": {"Image": "x"}}
            runs.swarm.add_service(
                {"Name": "app_web", "TaskTemplate": template, "Mode": {"Replicated": {"Replicas": 1}}}
            )
            name = "app_web"
        result = runs.try_run(**stack)
        assert f"The {kind} {name} exists and does not belong to the stack app" in result["msg"]
        assert result["api_writes"] == 0

    def test_other_stacks_are_never_touched(self, runs: StackRuns) -> None:
        runs.run(name="other", **with_files(), networks=[{"name": "net"}])
        before = {kind: copy.deepcopy(items) for kind, items in runs.swarm.objects.items()}
        runs.run(**with_files(), networks=[{"name": "net"}])
        runs.run(state="absent")
        assert runs.swarm.objects == before

    def test_external_things_are_used_by_their_full_name(self, runs: StackRuns) -> None:
        network = runs.swarm.add_network({"Name": "edge", "Driver": "overlay"})
        secret = runs.swarm.add("secrets", {"Name": "certificate", "Data": "eA=="})
        external = {"external": True}
        stack = {
            "services": [service(networks=[{"name": "edge"}, {"name": "host"}], secrets=[{"source": "certificate"}])],
            "networks": [{"name": "edge", **external}, {"name": "host", **external}],
            "secrets": [{"name": "certificate", **external}],
        }
        runs.try_run(**stack, wait=False)
        template = runs.service("app_web")["Spec"]["TaskTemplate"]
        assert [item["Target"] for item in template["Networks"]] == [network["Id"], "host"]
        assert template["ContainerSpec"]["Secrets"][0]["SecretID"] == secret["ID"]
        runs.try_run(state="absent")
        assert names(runs, "secrets") == ["certificate"]


class TestAtTheSameTime:
    def test_swarms_own_notes_about_a_service_are_no_conflict(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        runs.swarm.interloper = lambda: runs.swarm.touch(runs.service("app_web"))
        result = runs.try_run(services=[service(user="1000")])
        assert not result.get("failed"), result.get("msg")
        assert runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["User"] == "1000"

    def test_another_change_is_not_overwritten(self, runs: StackRuns) -> None:
        runs.run(services=[service()])

        def interloper() -> None:
            runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] = ["A=1"]
            runs.swarm.touch(runs.service("app_web"))

        runs.swarm.interloper = interloper
        result = runs.try_run(services=[service(user="1000")])
        assert "The service app_web was written by somebody else during the run" in result["msg"]
        assert "User" not in runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]
        assert result["changes"] == []

    def test_the_same_change_by_another_run_is_fine(self, runs: StackRuns) -> None:
        runs.run(services=[service()])

        def interloper() -> None:
            runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["User"] = "1000"
            runs.swarm.touch(runs.service("app_web"))

        runs.swarm.interloper = interloper
        result = runs.try_run(services=[service(user="1000")])
        assert not result.get("failed"), result.get("msg")
        assert result["changed"] is False

    def test_two_creations_make_one_of_everything(self, runs: StackRuns, monkeypatch: pytest.MonkeyPatch) -> None:
        stack: Json = {**with_files(networks=[{"name": "net"}]), "networks": [{"name": "net"}]}
        loser = StackRuns(monkeypatch)
        # The winner comes between the loser's read and its first write.
        loser.swarm.interloper = lambda: (loser.try_run(**stack), None)[1]
        result = loser.try_run(**stack)
        assert not result.get("failed"), result.get("msg")
        assert result["changes"] == []
        assert [len(items) for items in loser.swarm.objects.values()] == [2, 1, 1, 1]

    def test_a_service_removed_while_it_is_waited_for(self, runs: StackRuns) -> None:
        real = runs.swarm.pass_time

        def pass_time(seconds: float) -> None:
            real(seconds)
            if "app_web" in runs.swarm.objects["services"]:
                runs.swarm.remove("services", "app_web")

        runs.swarm.pass_time = pass_time  # type: ignore[method-assign]
        result = runs.try_run(services=[service()])
        assert "somebody removed it during the run" in result["msg"]

    def test_a_service_changed_while_it_is_waited_for(self, runs: StackRuns) -> None:
        real = runs.swarm.pass_time

        def pass_time(seconds: float) -> None:
            real(seconds)
            runs.service("app_web")["Spec"]["TaskTemplate"]["ContainerSpec"]["User"] = "1"

        runs.swarm.pass_time = pass_time  # type: ignore[method-assign]
        result = runs.try_run(services=[service()])
        assert (
            result["msg"]
            == "The service app_web did not converge, somebody else changed it during the run; run this again."
        )


class TestTrouble:
    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (NO_LEADER, "more than half of its managers are lost"),
            (EngineError("context deadline exceeded", 500), "more than half of its managers are lost"),
            (
                EngineError("This node is not a swarm manager. Worker nodes can't be used to view cluster state", 503),
                "run the module on a manager",
            ),
            (EngineError('This node is not a swarm manager. Use "docker swarm init"', 503), "is not part of a swarm"),
            (
                EngineError("Swarm is encrypted and needs to be unlocked before it can be used", 503),
                "docker swarm unlock",
            ),
            (
                EngineError("the Docker engine cannot be reached at /var/run/docker.sock (Connection refused)"),
                "systemctl start docker",
            ),
            (EngineError("something new", 500), "The Docker engine refused: something new."),
        ],
    )
    def test_a_cluster_that_cannot_be_read(self, runs: StackRuns, error: EngineError, words: str) -> None:
        runs.swarm.faults = [("GET", error, True)]
        began = runs.swarm.time
        result = runs.try_run(services=[service()])
        assert words in result["msg"]
        assert result["api_writes"] == 0
        assert runs.swarm.time - began <= 30

    def test_an_election_is_survived(self, runs: StackRuns) -> None:
        stack: Json = {**with_files(), "networks": [{"name": "net"}]}
        runs.swarm.faults = [
            ("GET /services", NO_LEADER, False),
            ("POST /networks", NO_LEADER, False),
            ("POST /secrets", NO_LEADER, False),
            ("POST /services", NO_LEADER, False),
            ("GET /tasks", NO_LEADER, False),
        ]
        result = runs.try_run(**stack)
        assert not result.get("failed"), result.get("msg")
        assert runs.swarm.faults == []
        runs.swarm.faults = [("POST /services", NO_LEADER, False)]
        stack["services"][0]["user"] = "1000"
        assert triples(runs.try_run(**stack)) == [("update", "service", "app_web")]

    @pytest.mark.parametrize("path", ["POST /services", "POST /networks", "POST /configs", "POST /secrets"])
    def test_a_lost_answer_is_looked_up(self, runs: StackRuns, path: str) -> None:
        stack: Json = {**with_files(), "networks": [{"name": "net"}]}
        runs.swarm.faults = [(path, EngineError("after the write"), False)]
        result = runs.try_run(**stack)
        assert not result.get("failed"), result.get("msg")
        assert [len(items) for items in runs.swarm.objects.values()] == [2, 1, 1, 1]

    def test_a_lost_answer_to_an_update_is_looked_up(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        runs.swarm.faults = [("POST /services", EngineError("after the write"), False)]
        result = runs.try_run(services=[service(user="1000")])
        assert triples(result) == [("update", "service", "app_web")]

    def test_managers_lost_while_waiting(self, runs: StackRuns) -> None:
        runs.run(services=[service()])
        real = runs.swarm.pass_time

        def pass_time(seconds: float) -> None:
            runs.swarm.faults = [("GET", NO_LEADER, True)]
            real(seconds)

        runs.swarm.pass_time = pass_time  # type: ignore[method-assign]
        result = runs.try_run(services=[service(user="1000")])
        assert "The swarm has no leader" in result["msg"]
        assert triples(result) == [("update", "service", "app_web")]

    def test_what_the_engine_refuses_is_told_and_the_rest_is_done(self, runs: StackRuns) -> None:
        refusal = EngineError("invalid mount config", 400)
        runs.swarm.faults = [("POST /services", refusal, True)]
        result = runs.try_run(**with_files())
        assert "The service app_web could not be written: invalid mount config." in result["errors"]
        assert len(result["errors"]) == 2
        assert "(And 1 more, see errors.)" in result["msg"]
        assert [kind for _action, kind, _name in triples(result)] == ["secret", "config"]
        runs.swarm.faults = []
        assert [kind for _a, kind, _n in triples(runs.run(**with_files()))] == ["service", "service"]

    def test_a_network_that_cannot_be_removed(self, runs: StackRuns) -> None:
        runs.run(services=[service()], networks=[{"name": "net"}])
        runs.swarm.faults = [("DELETE /networks", EngineError("in use by something", 400), True)]
        result = runs.try_run(services=[service()])
        assert "The network app_net could not be written: in use by something." in result["msg"]
