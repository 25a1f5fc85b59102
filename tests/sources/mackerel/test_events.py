"""MackerelEvents against the loopback Mackerel."""

import pytest

from domain import Event, Mackerel, Window
from sources.mackerel.client import MackerelApi
from sources.mackerel.events import ALERT_LOOKBACK_S, MAX_ALERT_PAGES, MackerelEvents
from tests.factories.mackerel import NOON, make_migration, noon
from tests.fakes.mackerel import ALB_HOST, FakeMackerel

TEN_MINUTES = Window(NOON - 600, NOON)


@pytest.fixture
def events(api: MackerelApi) -> MackerelEvents:
    return MackerelEvents(make_migration(), clock=noon, api=api)


def make_alert(key: str, opened_min: int, closed_min: int | None = None, **overrides: object) -> dict[str, object]:
    """An alert in Mackerel's format; times are minutes after NOON."""
    closed = {} if closed_min is None else {"closedAt": NOON + closed_min * 60}
    status = "CRITICAL" if closed_min is None else "OK"
    return {"id": key, "status": status, "type": "service", "openedAt": NOON + opened_min * 60, **closed, **overrides}


def test_alerts_open_in_the_window_are_events(fake_mackerel: FakeMackerel, events: MackerelEvents) -> None:
    fake_mackerel.monitors = [{"id": "m1", "type": "service", "name": "photo - 5xx", "service": "photo"}]
    fake_mackerel.alerts = [
        make_alert("closed-before", -30, -11, monitorId="m1"),
        make_alert("closed-inside", -60, -5, monitorId="m1", message="5xx 7 > 5", memo="<b>rolled back</b>"),
        make_alert("open-since-long", -10_000, monitorId="m1"),
        make_alert("later", 1, 2, monitorId="m1"),
    ]
    result = events.events(TEN_MINUTES)
    assert result.events == (
        Event(
            ts=NOON - 600_000,
            until=None,
            kind="alert",
            title="photo - 5xx",
            detail="CRITICAL",
            fleet="",
            link="https://mackerel.io/orgs/example/alerts/open-since-long",
            source="mackerel_events",
            key="open-since-long",
            open=True,
        ),
        Event(
            ts=NOON - 3_600,
            until=NOON - 300,
            kind="alert",
            title="photo - 5xx",
            detail="OK\n5xx 7 > 5\n<b>rolled back</b>",
            fleet="",
            link="https://mackerel.io/orgs/example/alerts/closed-inside",
            source="mackerel_events",
            key="closed-inside",
        ),
    )
    assert (result.problems, result.complete, result.asked_at) == ((), True, NOON)


def test_alert_that_closes_at_the_start_of_the_window_is_included(
    fake_mackerel: FakeMackerel, events: MackerelEvents
) -> None:
    fake_mackerel.alerts = [make_alert("closed-at-start", -30, -10)]
    assert [event.key for event in events.events(TEN_MINUTES).events] == ["closed-at-start"]


def test_alerts_of_another_service_are_excluded(fake_mackerel: FakeMackerel, events: MackerelEvents) -> None:
    """An alert's service is that of its host's roles, else of its monitor; if neither names one, the alert is included."""
    fake_mackerel.hosts += [
        {"id": "web1", "name": "web1", "status": "maintenance", "roles": {"photo": ["web"]}},
        {"id": "db1", "name": "db1", "status": "working", "roles": {"blog": ["db"]}},
    ]
    fake_mackerel.monitors = [
        {"id": "ours", "type": "service", "service": "photo"},
        {"id": "other", "type": "external", "service": "blog"},
        {"id": "role", "type": "host", "scopes": ["photo: web", "blog"]},
        {"id": "all", "type": "connectivity", "scopes": []},
        {"id": "expression", "type": "expression", "expression": "…"},
        {"id": "blogs", "type": "host", "scopes": ["blog"]},
    ]
    cases = [
        ("ours", ""),
        ("other", ""),
        ("role", "web1"),
        ("role", "db1"),
        ("all", "web1"),
        ("all", "db1"),
        ("all", "retired"),
        ("expression", ""),
        ("blogs", ALB_HOST),
        ("deleted", ""),
    ]
    fake_mackerel.alerts = [make_alert(f"{m} {host}".strip(), -5, monitorId=m, hostId=host) for m, host in cases]
    assert {event.key for event in events.events(TEN_MINUTES).events} == {
        "ours",
        "role web1",
        "all web1",
        "all retired",
        "expression",
        f"blogs {ALB_HOST}",
        "deleted",
    }


def test_closed_alert_is_included_up_to_a_day_after_it_opened(
    fake_mackerel: FakeMackerel, events: MackerelEvents
) -> None:
    """A full page of alerts that closed before the window; the next page has one that closed inside it."""
    fake_mackerel.alerts = [*(make_alert(f"n{i}", -30, -20) for i in range(100)), make_alert("long", -60, -5)]
    assert [event.key for event in events.events(TEN_MINUTES).events] == ["long"]


def test_alert_pages_are_read_back_to_the_window_only(fake_mackerel: FakeMackerel, events: MackerelEvents) -> None:
    lookback_min = ALERT_LOOKBACK_S // 60 + 20
    recent = [make_alert(f"n{i}", -9, -8) for i in range(150)]
    old = [make_alert(f"f{i}", -lookback_min - i, -lookback_min) for i in range(400)]
    fake_mackerel.alerts = [*recent, *old]
    result = events.events(TEN_MINUTES)
    assert len(result.events) == 150
    pages = [query for path, query in fake_mackerel.requests if path == "/api/v0/alerts"]
    assert [(query.get("withClosed"), query.get("nextId")) for query in pages] == [
        (None, None),
        (["true"], None),
        (["true"], ["100"]),
        (["true"], ["200"]),
    ]
    assert result.complete


def test_too_many_alerts_are_incomplete(fake_mackerel: FakeMackerel, events: MackerelEvents) -> None:
    fake_mackerel.alerts = [make_alert(f"n{i}", -9, -8) for i in range(MAX_ALERT_PAGES * 100 + 1)]
    result = events.events(TEN_MINUTES)
    assert len(result.events) == MAX_ALERT_PAGES * 100
    assert [(problem.kind, problem.about) for problem in result.problems] == [("incomplete", "20 pages")]
    assert not result.complete


def test_duplicate_alert_is_one_event_in_its_closed_state(fake_mackerel: FakeMackerel, events: MackerelEvents) -> None:
    """As in the recorded response: the same id as CRITICAL and as OK."""
    fake_mackerel.alerts = [make_alert("a", -5), make_alert("a", -5, -2)]
    (event,) = events.events(TEN_MINUTES).events
    assert (event.open, event.until) == (False, NOON - 120)


def test_recorded_annotations_are_events(fake_mackerel: FakeMackerel, api: MackerelApi) -> None:
    settings = Mackerel(service="ExampleService", organization="example")
    fake_mackerel.alerts = []
    result = MackerelEvents(make_migration(settings), clock=noon, api=api).events(Window(1484020440, 1484021280))
    assert [(event.kind, event.ts, event.until, event.title, event.detail, event.open) for event in result.events] == [
        ("annotation", 1484020459, 1484020759, "Deploy application", "Deploy description", False),
        ("annotation", 1484021239, None, "Release application", "Release description", False),
    ]
    assert result.events[0].link == "https://mackerel.io/orgs/example/services/ExampleService"


def test_without_a_service_all_alerts_and_no_annotations(fake_mackerel: FakeMackerel, api: MackerelApi) -> None:
    fake_mackerel.monitors = [{"id": "other", "type": "service", "service": "blog"}]
    fake_mackerel.alerts = [make_alert("other", -5, monitorId="other")]
    source = MackerelEvents(make_migration(Mackerel()), clock=noon, api=api)
    result = source.events(TEN_MINUTES)
    assert ([event.title for event in result.events], result.problems, result.complete) == (["service"], (), True)
    assert "/api/v0/graph-annotations" not in fake_mackerel.paths
    assert [line.permission for line in source.check()] == ["GET /api/v0/alerts", "GET /api/v0/monitors"]


def test_unknown_service_still_returns_the_alerts(fake_mackerel: FakeMackerel, events: MackerelEvents) -> None:
    fake_mackerel.services = fake_mackerel.services[:1]
    fake_mackerel.alerts = [make_alert("a", -5)]
    result = events.events(TEN_MINUTES)
    assert [event.key for event in result.events] == ["a"]
    (problem,) = result.problems
    assert (problem.kind, problem.about, problem.detail) == ("not_found", "photo", "hoge")
    assert not result.complete


def test_fatal_error_of_events_is_one_request(fake_mackerel: FakeMackerel, events: MackerelEvents) -> None:
    fake_mackerel.has_read_permission = False
    result = events.events(TEN_MINUTES)
    assert [(problem.kind, problem.source) for problem in result.problems] == [("denied", "mackerel_events")]
    assert (result.events, result.complete, len(fake_mackerel.requests)) == ((), False, 1)


def test_links_need_the_organization_which_is_requested_if_it_is_not_configured(
    fake_mackerel: FakeMackerel, api: MackerelApi
) -> None:
    fake_mackerel.alerts = [make_alert("a", -5)]
    source = MackerelEvents(make_migration(Mackerel(service="photo")), clock=noon, api=api)
    fake_mackerel.failing_paths = {"/api/v0/org"}
    (event,) = source.events(TEN_MINUTES).events
    assert event.link == ""
    fake_mackerel.failing_paths = set()
    (event,) = source.events(TEN_MINUTES).events
    assert event.link == "https://mackerel.io/orgs/hoge/alerts/a"
