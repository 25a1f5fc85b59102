"""The list of sources on the Live page."""

from collections.abc import Callable
from dataclasses import replace

from archive import MetricsResult, SourceState
from domain import Window, empty_frame
from domain.config.notify import Notify
from sources.base import Events, Problem, TrafficSnapshot, health_state
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from ui.app_context import AppContext
from ui.live.sources import sources_section

NOW_S = int(NOW.timestamp())
WINDOW = Window(NOW_S - 3600, NOW_S)
NO_DATA = MetricsResult(empty_frame(), WINDOW)


def test_problems_are_escaped(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app = build_app()
    problem = Problem("denied", "load_balancer", f"elasticloadbalancing:{EVIL}", EVIL, EVIL)
    app.archive.events.save_snapshot(TrafficSnapshot(NOW_S, None, (problem,)), "load_balancer")
    sources_section(app, "cloudwatch", NO_DATA, NOW)
    html = ParsedHtml(rendered[0])
    assert "x-evil" not in html.tags and "onclick" not in html.attributes
    assert "<x-evil" in html.text
    assert "denied" in html.text


def test_source_that_never_answered_is_listed(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    sources_section(build_app(), "cloudwatch", NO_DATA, NOW)
    text = ParsedHtml(rendered[0]).text
    assert "Elastic Load Balancingwaiting for the first responseNo successful response yet" in text
    assert "CloudWatchwaiting for the first responseNo successful response yet" in text


def test_source_that_fails_for_some_series_is_partial(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    app = build_app()
    problem = Problem(
        "unanswered_metric", "cloudwatch", "cloudwatch:GetMetricData", "photo-ecs: TargetResponseTime p95"
    )
    state = SourceState("cloudwatch", "metrics", health_state((problem,), 0.1), NOW_S, NOW_S, 0.1, (problem,))
    app.archive.events.save_source_state(state, success=True)
    sources_section(app, "cloudwatch", NO_DATA, NOW)
    assert "<th scope='row'>CloudWatch</th><td><span class='warn'>partial · 0.1s" in rendered[0].replace("\n", "")


def test_supplementary_source_without_permission_is_a_note(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    app = build_app()
    problem = Problem("denied", "cloudtrail", "cloudtrail:LookupEvents")
    app.archive.events.save_events(Events(WINDOW, NOW_S, problems=(problem,), complete=False), "cloudtrail")
    sources_section(app, "cloudwatch", NO_DATA, NOW)
    row = next(part for part in rendered[0].split("<tr>") if part.startswith("<th scope='row'>CloudTrail</th>"))
    assert "<span class='note'>access denied" in row and "'bad'" not in row
    assert "Allow `cloudtrail:LookupEvents` in the IAM policy" in row


def test_the_channels_are_among_the_sources(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app = build_app()
    notify = Notify(dashboard_url="https://dashboard.example.com", slack="A", webhook="B", webhook_secret="C")
    app = replace(app, migration=app.migration.model_copy(update={"notify": notify}))
    store = app.archive.notifications
    store.enqueue({"slack": "b"}, key="k", now=NOW_S)
    claim = store.claim_next("slack", claim_s=60, now=NOW_S)
    assert claim
    store.retry(
        claim, Problem("denied", "slack", "POST", "", f"403 {EVIL}"), in_s=60, may_have_arrived=False, now=NOW_S
    )
    sources_section(app, "cloudwatch", NO_DATA, NOW)
    html = ParsedHtml(rendered[0])
    assert "x-evil" not in html.tags
    assert "Notifications: Slackunavailablenothing sent yet · 1 message waiting" in html.text
    assert "Notifications: WebhookOKnothing sent yet" in html.text
