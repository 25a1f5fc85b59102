"""The demo's deployments: one story with its weights and events."""

from datetime import UTC, datetime

from analysis.deployments.preflight import preflights
from domain import Window
from sources.demo.deployments import DemoDeployments, deployment_state
from sources.demo.scenario import scenario_for
from sources.demo.sources import DemoTraffic, demo_migration

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
SCENARIO = scenario_for(ANCHOR)
NOW = int(ANCHOR.timestamp()) + 1000


def test_its_deployments_are_those_of_the_story_at_their_times() -> None:
    told = [
        one
        for one in deployment_state(SCENARIO, NOW).deployments
        if one.task_definition != "web:40" and not one.is_rollback
    ]
    of_story = [event for event in SCENARIO.scripted_events if event.kind == "deployment"]
    assert [(one.created, one.ended) for one in reversed(told)] == [(event.ts, event.until) for event in of_story]


def test_what_was_taken_back_is_two_events_while_all_traffic_was_on_the_baseline() -> None:
    source = DemoDeployments(anchor=ANCHOR, clock=lambda: datetime.fromtimestamp(NOW, UTC))
    told = source.events(Window(SCENARIO.start, NOW // 60 * 60)).events
    assert [(event.kind, event.title, event.fleet) for event in told] == [
        ("deployment", "web:40 Failed", "canary"),
        ("rollback", "web:39 Succeeded", "canary"),
    ]
    assert all(SCENARIO.step_at(event.ts).canary == 0 for event in told)
    assert source.events(Window(NOW // 60 * 60 - 3600, NOW // 60 * 60)).events == ()


def test_the_service_in_the_middle_of_the_story_runs_what_was_deployed_by_then() -> None:
    first = next(event for event in SCENARIO.scripted_events if event.kind == "deployment")
    service = deployment_state(SCENARIO, (first.until or 0) + 60).service("canary")
    assert service and (service.task_definition, service.previous_task_definition) == ("web:38", "")


def test_a_deployment_was_possible_at_every_moment_in_which_the_story_has_one_and_is_not_now() -> None:
    traffic = DemoTraffic(demo_migration(ANCHOR), anchor=ANCHOR)

    def verdict(ts: int) -> str:
        (found,) = preflights(traffic.traffic_at(ts), deployment_state(SCENARIO, ts))
        return found.verdict

    moments = [event.ts for event in SCENARIO.scripted_events if event.kind == "deployment"][1:]
    assert [verdict(ts) for ts in moments] == ["ready"] * 3
    assert verdict(NOW) == "blocked"
