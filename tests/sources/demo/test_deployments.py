"""The demo's deployments are consistent with its weights and events."""

from datetime import UTC, datetime

from analysis.deployments.preflight import preflights
from domain import Window
from sources.demo.deployments import DemoDeployments, deployment_state
from sources.demo.scenario import scenario_for
from sources.demo.sources import DemoTraffic

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
SCENARIO = scenario_for(ANCHOR)
NOW = int(ANCHOR.timestamp()) + 1000


def test_deployments_are_those_of_the_scenario() -> None:
    deployments = [
        deployment
        for deployment in deployment_state(SCENARIO, NOW).deployments
        if deployment.task_definition != "web:40" and not deployment.is_rollback
    ]
    scripted = [event for event in SCENARIO.scripted_events if event.kind == "deployment"]
    assert [(deployment.created, deployment.ended) for deployment in reversed(deployments)] == [
        (event.ts, event.until) for event in scripted
    ]


def test_rolled_back_deployment_has_two_events_without_canary_traffic() -> None:
    source = DemoDeployments(anchor=ANCHOR, clock=lambda: datetime.fromtimestamp(NOW, UTC))
    events = source.events(Window(SCENARIO.start, NOW // 60 * 60)).events
    assert [(event.kind, event.title, event.fleet) for event in events] == [
        ("deployment", "web:40 Failed", "canary"),
        ("rollback", "web:39 Succeeded", "canary"),
    ]
    assert all(SCENARIO.step_at(event.ts).canary == 0 for event in events)
    assert source.events(Window(NOW // 60 * 60 - 3600, NOW // 60 * 60)).events == ()


def test_service_runs_the_latest_deployment() -> None:
    first = next(event for event in SCENARIO.scripted_events if event.kind == "deployment")
    service = deployment_state(SCENARIO, (first.until or 0) + 60).service("canary")
    assert service and (service.task_definition, service.previous_task_definition) == ("web:38", "")


def test_preflight_was_ready_at_each_deployment_and_is_blocked_now() -> None:
    traffic = DemoTraffic(anchor=ANCHOR)

    def verdict(ts: int) -> str:
        (preflight,) = preflights(traffic.traffic_at(ts), deployment_state(SCENARIO, ts), now=ts)
        return preflight.verdict

    times = [event.ts for event in SCENARIO.scripted_events if event.kind == "deployment"][1:]
    assert [verdict(ts) for ts in times] == ["ready"] * 3
    assert verdict(NOW) == "blocked"
