"""The heads of the charts, and why a chart is empty."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis import LatestValues
from analysis.parity.estimates import RunningEstimate
from archive import MetricsResult, RequestCoverage
from domain import Window, empty_frame
from domain.series import is_request_count
from services.fleet_requests import fleet_requests
from services.live import LiveData, PanelData, PanelName
from sources.base import Problem, Pull
from tests.factories.app_context import NOW
from tests.factories.frames import tidy_frame
from tests.factories.html import EVIL, ParsedHtml
from ui.app_context import AppContext
from ui.live import panels
from ui.live.view import LiveView
from ui.url import LiveParams

NOW_S = int(NOW.timestamp())
WINDOW = Window(NOW_S - 3600, NOW_S)
NO_DATA = MetricsResult(empty_frame(), WINDOW)
PARAMS = LiveParams("1h", None, "cloudwatch", "p95", 15)
QUANTITIES = {"latency": "latency", "requests": "count"}


def view(
    name: PanelName = "requests",
    latest: LatestValues | None = None,
    result: MetricsResult = NO_DATA,
    alb_5xx: float | None = 0.0,
    **components: LatestValues,
) -> LiveView:
    """A view with one panel."""
    comparison: Any = SimpleNamespace(quantity=QUANTITIES.get(name, "rate"))
    panel = PanelData(comparison, None, latest, components, False, alb_5xx, requests_per_minute=1000)
    missing = fleet_requests(result, "cloudwatch", final_until=WINDOW.end) if result.frame.empty else ()
    return LiveView(LiveData(WINDOW, result, {name: panel}, missing), {name: None})


def values(baseline: float | None, canary: float | None, **options: Any) -> LatestValues:
    return LatestValues(NOW_S - 300, NOW_S - 240, baseline, canary, **options)


# Heads


def test_labels_are_escaped(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app, latest = build_app("fleets.canary.label", EVIL), values(0.001, 0.002)
    panels.panel_head(app, PARAMS, view("error_rate", latest, unanswered=latest), "error_rate", slow_s=0.3)
    html = ParsedHtml(rendered[0])
    assert "x-evil" not in html.tags and "onclick" not in html.attributes
    assert html.text.count(EVIL) == 2


def test_head_has_both_values_and_their_difference(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    panels.panel_head(build_app(), PARAMS, view("latency", values(0.20, 0.25)), "latency", slow_s=0.3)
    text = " ".join(ParsedHtml(rendered[0].replace("><", "> <")).text.split())
    assert text.startswith("Latency p95 EC2 200 ms ECS 250 ms +50 ms 20:55")


def test_head_has_the_judges_estimate_instead_of_one_minute_against_another(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    column = np.array([np.nan, -0.004])
    estimate = RunningEstimate(np.array([0, 60]), 60, column, column - 0.002, column + 0.002, column, column)
    shown = view("latency", values(0.20, 0.25))
    panel = replace(shown.data.panels["latency"], estimate=estimate)
    shown = replace(shown, data=replace(shown.data, panels={"latency": panel}))
    panels.panel_head(build_app(), PARAMS, shown, "latency", slow_s=0.3)
    assert "Δ so far −4 ms" in ParsedHtml(rendered[0]).text and "+50 ms" not in rendered[0]
    assert "95% CI −6 ms … −2 ms" in rendered[0]


def test_low_sample_value_is_marked_and_not_compared(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    latest = values(0.20, 0.25, low_sample=frozenset({"canary"}))
    panels.panel_head(build_app(), PARAMS, view("latency", latest), "latency", slow_s=0.3)
    text = ParsedHtml(rendered[0]).text
    assert "ECS 250 ms ?" in text
    assert "+50" not in text


@pytest.mark.parametrize(("share", "alert"), [(0.0, False), (0.0009, False), (0.001, True), (1.0, True)])
def test_unanswered_requests_are_an_alert_from_one_in_a_thousand(
    build_app: Callable[..., AppContext], rendered: list[str], share: float, *, alert: bool
) -> None:
    latest = values(0.0, share)
    panels.panel_head(build_app(), PARAMS, view("error_rate", latest, unanswered=latest), "error_rate", slow_s=0.3)
    assert ("<span class='bad'>no response" in rendered[0]) is alert


def test_requests_without_a_counted_response_are_named_beside_the_error_rate(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    none, unexplained = values(0.0, 0.0), values(0.1, 0.2)
    shown = view("error_rate", none, unanswered=none, unexplained=unexplained)
    panels.panel_head(build_app(), PARAMS, shown, "error_rate", slow_s=0.3)
    assert "no response EC2 0% · ECS 0%response not counted EC2 10.0% · ECS 20.0%" in ParsedHtml(rendered[0]).text
    assert "WebSocket upgrades (101) and client disconnects (460) look the same." in rendered[0]


def test_load_balancer_5xx_are_a_count_of_the_whole_load_balancer(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    """The requests to a fleet without targets end in 503, which no fleet counts; those of other services are counted, too."""
    app, latest = build_app(), values(0.0, None)
    for per_minute in (5000, 0.9):
        panels.panel_head(app, PARAMS, view("error_rate", latest, alb_5xx=per_minute), "error_rate", slow_s=0.3)
    assert "ALB-generated 5xx, whole load balancer: 5,000/min" in ParsedHtml(rendered[0]).text
    assert "ALB" not in ParsedHtml(rendered[1]).text


def test_an_unknown_count_of_the_load_balancer_is_said_beside_requests_without_a_response(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    latest = values(0.0, 0.2)
    shown = view("error_rate", latest, alb_5xx=None, unanswered=latest)
    panels.panel_head(build_app(), PARAMS, shown, "error_rate", slow_s=0.3)
    assert "no response EC2 0% · ECS 20.0%ALB-generated 5xx unavailable" in ParsedHtml(rendered[0]).text


@pytest.mark.parametrize(("minutes_ago", "css", "clock"), [(5, "note", "20:55"), (90, "warn", "19:30")])
def test_values_that_are_old_for_the_window_are_marked(
    build_app: Callable[..., AppContext], rendered: list[str], minutes_ago: int, css: str, clock: str
) -> None:
    start = NOW_S - minutes_ago * 60
    latest = LatestValues(start, start + 60, 1, 1)
    panels.panel_head(build_app(), PARAMS, view("requests", latest), "requests", slow_s=0.3)
    assert f"<span class='{css}'>{clock}</span>" in rendered[0]


def test_latency_of_several_groups_has_a_note(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    shown = view("latency")
    panel = replace(shown.data.panels["latency"], multi_group=True)
    shown = LiveView(replace(shown.data, panels={"latency": panel}), shown.charts)
    panels.panel_head(build_app(), PARAMS, shown, "latency", slow_s=0.3)
    assert "Two target groups of one fleet served some minutes" in rendered[0]


# Empty charts


def only_text(rendered: list[str]) -> str:
    (html,) = rendered
    return ParsedHtml(html).text


def test_window_without_requests(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app = build_app()
    coverage = {
        series: RequestCoverage() for series in app.metric_source("cloudwatch").series() if is_request_count(series)
    }
    panels.empty_panel(app, PARAMS, view(result=replace(NO_DATA, requests=coverage)), "requests")
    assert only_text(rendered) == "CloudWatch: no requests of EC2 and ECS in this window."


def test_target_groups_that_have_never_reported(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app = build_app()
    coverage = {
        series: RequestCoverage(ever_reported=series.fleet == "baseline")
        for series in app.metric_source("cloudwatch").series()
        if is_request_count(series)
    }
    shown = view(result=replace(NO_DATA, requests=coverage))
    panels.missing_requests_note(app, shown)
    assert only_text(rendered) == (
        "CloudWatch has never reported requests of ECS (target group photo-ecs-blue, photo-ecs-green). Check account, region, `load_balancer` and the "
        "target group's ARN. If these are correct, ECS has had no requests yet: check its weight and targets. CloudWatch: no requests of EC2 in this "
        "window."
    )


def test_a_note_only_on_what_is_known(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    """While nothing is known of either fleet, the empty charts say so."""
    panels.missing_requests_note(build_app(), view(result=replace(NO_DATA, missing=(WINDOW,))))
    assert rendered == []


def test_unreadable_error_counts(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app = build_app()
    errors = next(series for series in app.metric_source("cloudwatch").series() if series.metric == "target_5xx")
    requests = tidy_frame({("canary", "photo-ecs-blue", "requests", "sum"): [10]}, start=WINDOW.start)
    result = replace(NO_DATA, frame=requests, unknown={errors: (WINDOW,)})
    panels.empty_panel(app, PARAMS, view(result=result), "error_rate")
    assert "Error rate unknown (not 0%)" in only_text(rendered)


def test_percentiles_that_the_source_fails_to_calculate(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    problem = Problem(
        "unanswered_metric", "cloudwatch", "cloudwatch:GetMetricData", "photo-ecs: TargetResponseTime p95"
    )
    requests = tidy_frame({("canary", "photo-ecs-blue", "requests", "sum"): [10]}, start=WINDOW.start)
    result = replace(NO_DATA, frame=requests, missing=(WINDOW,), problems=(problem,))
    for name in ("latency", "slow"):
        panels.empty_panel(build_app(), PARAMS, view(result=result), name)
    assert [ParsedHtml(html).text for html in rendered] == 2 * [
        "CloudWatch returned requests, but not all series. See Data sources."
    ]


def test_window_that_is_being_read(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    panels.empty_panel(build_app(), PARAMS, view(result=replace(NO_DATA, missing=(WINDOW,))), "requests")
    assert only_text(rendered).startswith("Loading from CloudWatch…")


class DeniedSource:
    """A metric source without permission."""

    name = "cloudwatch"

    def __init__(self, app: AppContext) -> None:
        self._source = app.metric_source("cloudwatch")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def pull(self, window: Window, series: object = None) -> Pull:
        return Pull(window, NOW_S, problems=(Problem("denied", "cloudwatch", "cloudwatch:GetMetricData"),))


def test_window_of_a_denied_source(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app = build_app()
    app.archive.metrics.fill(WINDOW, DeniedSource(app), now=NOW)  # type: ignore[arg-type]
    result = app.archive.metrics.read(WINDOW, "cloudwatch", now=NOW)
    assert result.missing
    panels.empty_panel(app, PARAMS, view(result=result), "error_rate")
    assert only_text(rendered) == "CloudWatch is unavailable; no stored data for this range. See Data sources."


def test_metrics_that_mackerel_does_not_provide(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app, missing = build_app(), view(result=replace(NO_DATA, missing=(WINDOW,)))
    params = replace(PARAMS, source="mackerel", percentile="p50")
    panels.empty_panel(app, params, missing, "latency")
    panels.empty_panel(app, params, missing, "slow")
    assert [ParsedHtml(html).text for html in rendered] == [
        "Mackerel does not report p50.",
        "Mackerel does not report the share of slow responses. Choose CloudWatch.",
    ]
    mackerel_only = replace(app.sources, metrics=(app.metric_source("mackerel"),))
    panels.empty_panel(replace(app, sources=mackerel_only), params, missing, "slow")
    assert ParsedHtml(rendered[2]).text == (
        "Mackerel does not report the share of slow responses. CloudWatch does: add [aws] to migration.toml."
    )
    assert panels.supported_percentiles(app, "mackerel") == ["p90", "p95", "p99"]
    assert panels.supported_percentiles(app, "cloudwatch") == ["p50", "p90", "p95", "p99"]


def test_a_fan_has_the_percentiles_of_the_source(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app, fan = build_app(), replace(PARAMS, fan=True)
    assert panels.drawn_percentiles(app, PARAMS) == ("p95",)
    assert panels.drawn_percentiles(app, fan) == ("p95", "p50", "p99")
    assert panels.drawn_percentiles(app, replace(fan, source="mackerel")) == ("p95", "p99")
    panels.panel_head(app, fan, view("latency", values(0.20, 0.25)), "latency", slow_s=0.3)
    assert ParsedHtml(rendered[0]).text.startswith("Latency p95, fan")
