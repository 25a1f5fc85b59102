"""The page's parts in HTML: what somebody else wrote stays text, and an empty place says why it is empty."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import analysis
from archive import Archive, MetricsResult
from collector.collector import Collector
from domain import Condition, Group, Rule, Share, Target, Traffic, Window, empty_frame
from sources import registry
from sources.base import Events, Problem, ProblemKind, Pull, TrafficSnapshot
from tests.factories.config import BLUE, EC2, make_migration
from tests.factories.frames import tidy_frame
from tests.factories.html import EVIL, ParsedHtml
from ui.app_context import AppContext
from ui.live import panels
from ui.live.view import LiveView, Panel, PanelName, TrafficView
from ui.url import LiveParams

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
WINDOW = Window(NOW_S - 3600, NOW_S)
NOTHING = MetricsResult(empty_frame(), WINDOW)
PARAMS = LiveParams("1h", None, "cloudwatch", "p95", True)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that a panel puts on the page."""
    told: list[str] = []
    monkeypatch.setattr(panels.st, "html", lambda body, **_given: told.append(str(body)))
    return told


@pytest.fixture
def build_app(tmp_path: Path) -> Iterator[Callable[..., AppContext]]:
    """A house whose keeper asks nobody, with one value of the configuration changed."""
    archives: list[Archive] = []

    def open_app(key: str = "", value: Any = None) -> AppContext:
        configured = make_migration(key, value)
        archive = Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", configured, clock=lambda: NOW)
        archives.append(archive)
        sources = registry.create_sources(configured, clock=lambda: NOW)
        return AppContext(
            configured, archive, sources, Collector(archive, sources.metrics, sources.traffic, sources.events)
        )

    yield open_app
    for archive in archives:
        archive.close()


def rule(shares: tuple[Share, ...], *conditions: Condition, arn: str = "split", sticky_s: int | None = None) -> Rule:
    return Rule(arn, "listener", "HTTPS:443", "default", "forward", conditions, shares, sticky_s)


HALF = (Share(EC2, "photo-ec2", "baseline", 90), Share(BLUE, "photo-ecs-blue", "canary", 10))


def panel(
    name: PanelName, *, latest: analysis.LatestValues | None = None, **components: analysis.LatestValues
) -> Panel:
    quantity: analysis.Quantity = {"latency": "latency", "requests": "count"}.get(name, "rate")  # type: ignore[assignment]
    return Panel(name, None, quantity, latest, components, False)


def view(result: MetricsResult = NOTHING) -> LiveView:
    return LiveView(WINDOW, {}, result, ())


# ---- what somebody else wrote


def test_labels_in_the_head_of_a_chart_are_text(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    here = build_app("fleets.canary.label", EVIL)
    both = analysis.LatestValues(NOW_S - 300, NOW_S - 240, 0.001, 0.002)
    panels.panel_head(here, PARAMS, view(), panel("error_rate", latest=both, unanswered=both), slow_s=0.3)
    found = ParsedHtml(rendered[0])
    assert "x-evil" not in found.tags and "onclick" not in found.attributes
    assert found.text.count(EVIL) == 2


def test_names_in_the_traffic_are_text(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    here = build_app("fleets.canary.label", EVIL)
    groups = (
        Group(EC2, EVIL, "baseline", (Target(EVIL, 80, "a", EVIL, EVIL, EVIL),)),
        Group(BLUE, EVIL, "canary", None),
    )
    door = rule((HALF[1],), Condition("http-header", EVIL, (EVIL,)), arn="door")
    split = rule((*HALF, Share("stranger", EVIL, None, 1)))
    traffic = Traffic(NOW_S, (split, door), groups, "split")
    panels.traffic_section(here, TrafficView(traffic, NOW_S, None, WINDOW), NOW, past=False)
    panels.rules_section(TrafficView(traffic, NOW_S, None, WINDOW))
    found = ParsedHtml("".join(rendered))
    assert "x-evil" not in found.tags and "onclick" not in found.attributes
    assert found.text.count(EVIL) >= 6


def test_what_a_source_said_is_text(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    here = build_app()
    problem = Problem("denied", "load_balancer", f"elasticloadbalancing:{EVIL}", EVIL, EVIL)
    here.archive.events.save_snapshot(TrafficSnapshot(NOW_S, None, (problem,)), "load_balancer")
    panels.sources_section(here, PARAMS, view(), NOW)
    panels.traffic_section(here, TrafficView(None, None, None, WINDOW), NOW, past=False)
    found = ParsedHtml("".join(rendered))
    assert "x-evil" not in found.tags and "onclick" not in found.attributes
    assert "<x-evil" in found.text
    assert "denied" in found.text


# ---- the head of a chart


def test_a_head_says_both_values_and_their_difference(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    reading = analysis.LatestValues(NOW_S - 300, NOW_S - 240, 0.20, 0.25)
    panels.panel_head(build_app(), PARAMS, view(), panel("latency", latest=reading), slow_s=0.3)
    text = " ".join(ParsedHtml(rendered[0].replace("><", "> <")).text.split())
    assert text.startswith("Latency p95 EC2 200 ms ECS 250 ms +50 ms 20:55")


def test_a_value_of_too_few_answers_is_marked_and_not_compared(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    reading = analysis.LatestValues(NOW_S - 300, NOW_S - 240, 0.20, 0.25, frozenset({"canary"}))
    panels.panel_head(build_app(), PARAMS, view(), panel("latency", latest=reading), slow_s=0.3)
    text = ParsedHtml(rendered[0]).text
    assert "ECS 250 ms ?" in text
    assert "+50" not in text


@pytest.mark.parametrize(("share", "loud"), [(0.0, False), (0.0009, False), (0.001, True), (1.0, True)])
def test_unanswered_requests_are_loud_from_one_in_a_thousand(
    build_app: Callable[..., AppContext], rendered: list[str], share: float, *, loud: bool
) -> None:
    reading = analysis.LatestValues(NOW_S - 300, NOW_S - 240, 0.0, share)
    panels.panel_head(build_app(), PARAMS, view(), panel("error_rate", latest=reading, unanswered=reading), slow_s=0.3)
    assert ("<span class='bad'>unanswered" in rendered[0]) is loud


def test_the_balancers_own_5xx_are_loud_because_no_fleet_has_them(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    """A side without targets: its requests end in 503 and are counted for nobody."""
    here, reading = build_app(), analysis.LatestValues(NOW_S - 300, NOW_S - 240, 0.0, None)
    panels.panel_head(here, PARAMS, view(), replace(panel("error_rate", latest=reading), alb_5xx=0.099), slow_s=0.3)
    panels.panel_head(here, PARAMS, view(), replace(panel("error_rate", latest=reading), alb_5xx=0.0001), slow_s=0.3)
    assert "<span class='bad'>ALB&#39;s own 5xx 9.90 % of all</span>" in rendered[0]
    assert "own 5xx" not in ParsedHtml(rendered[1]).text


@pytest.mark.parametrize(("minutes_ago", "tone"), [(5, "note"), (90, "warn")])
def test_a_reading_that_is_old_for_its_window_is_marked(
    build_app: Callable[..., AppContext], rendered: list[str], minutes_ago: int, tone: str
) -> None:
    at = NOW_S - minutes_ago * 60
    panels.panel_head(
        build_app(), PARAMS, view(), panel("requests", latest=analysis.LatestValues(at, at + 60, 1, 1)), slow_s=0.3
    )
    assert f"<span class='{tone}'>{'20:55' if tone == 'note' else '19:30'} JST</span>" in rendered[0]


# ---- the traffic


@pytest.mark.parametrize(("weight", "tone"), [(10, "warn"), (0, "")])
def test_a_group_with_weight_and_no_target_is_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str], weight: int, tone: str
) -> None:
    groups = (Group(BLUE, "photo-ecs-blue", "canary", ()),)
    split = rule((HALF[0], replace(HALF[1], weight=weight)))
    panels.traffic_section(
        build_app(), TrafficView(Traffic(NOW_S, (split,), groups, "split"), NOW_S, None, WINDOW), NOW, past=False
    )
    assert f"<span class='{tone}'>photo-ecs-blue: no targets</span>" in rendered[0]


@pytest.mark.parametrize(("kind", "told"), [("denied", True), ("throttled", True), ("no_split", False)])
def test_a_split_without_the_rules_that_could_not_be_read_says_so(
    build_app: Callable[..., AppContext], rendered: list[str], kind: ProblemKind, told: bool
) -> None:
    here, traffic = build_app(), Traffic(NOW_S, (rule(HALF),), (), "split")
    problem = Problem(kind, "load_balancer", "elasticloadbalancing:DescribeRules", "listener")
    here.archive.events.save_snapshot(TrafficSnapshot(NOW_S, traffic, (problem,)), "load_balancer")
    panels.traffic_section(here, TrafficView(traffic, NOW_S, None, WINDOW), NOW, past=False)
    assert ("Other rules could not be read" in rendered[0]) is told


def test_weight_on_a_group_of_neither_fleet_is_said(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    split = rule((HALF[0], Share("stranger", "photo-old", None, 10)))
    panels.traffic_section(
        build_app(), TrafficView(Traffic(NOW_S, (split,), (), "split"), NOW_S, None, WINDOW), NOW, past=False
    )
    assert (
        "10.0 % goes to photo-old, which belongs to neither fleet: check target_groups" in ParsedHtml(rendered[0]).text
    )


def test_what_was_seen_of_both_fleets_does_not_stand_beside_what_three_groups_were_told(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    split = rule((HALF[0], Share("stranger", "photo-old", None, 10)))
    ratio = analysis.SampleRatio("matches", 0.0, 0.0, 0.0, 0.0, 36_000, 60)
    panels.traffic_section(
        build_app(), TrafficView(Traffic(NOW_S, (split,), (), "split"), NOW_S, ratio, WINDOW), NOW, past=False
    )
    text = ParsedHtml(rendered[0]).text
    assert "seen" not in text and "follows the weights" not in text


# ---- the sources


def test_a_source_that_never_answered_is_in_the_list(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    panels.sources_section(build_app(), PARAMS, view(), NOW)
    text = only_text(rendered)
    assert "Elastic Load Balancingasked, no answer yetno good answer yet" in text
    assert "CloudWatchasked, no answer yetno good answer yet" in text


# ---- empty places


def only_text(rendered: list[str]) -> str:
    (html,) = rendered
    return ParsedHtml(html).text


def test_a_window_without_requests(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    panels.empty_panel(build_app(), PARAMS, view(), panel("requests"))
    assert only_text(rendered).startswith("No requests in this window.")


def test_errors_that_could_not_be_read(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    here = build_app()
    errors = next(one for one in here.metric_source("cloudwatch").series() if one.metric == "target_5xx")
    requests = tidy_frame({("canary", "photo-ecs-blue", "requests", "sum"): [10]}, start=WINDOW.start)
    brought = replace(NOTHING, frame=requests, unknown={errors: (WINDOW,)})
    panels.empty_panel(here, PARAMS, view(brought), panel("error_rate"))
    assert "It is not known, which is not 0 %" in only_text(rendered)


def test_a_window_that_is_being_read(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    panels.empty_panel(build_app(), PARAMS, view(replace(NOTHING, missing=(WINDOW,))), panel("requests"))
    assert only_text(rendered).startswith("Nothing from CloudWatch in this window yet.")


class DeniedSource:
    """A metric source that is refused every time."""

    name = "cloudwatch"

    def __init__(self, app: AppContext) -> None:
        self._real = app.metric_source("cloudwatch")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def pull(self, window: Window, series: object = None) -> Pull:
        return Pull(window, NOW_S, problems=(Problem("denied", "cloudwatch", "cloudwatch:GetMetricData"),))


def test_a_window_that_a_source_refuses(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    here = build_app()
    here.archive.metrics.fill(WINDOW, DeniedSource(here), now=NOW)  # type: ignore[arg-type]
    brought = here.archive.metrics.read(WINDOW, "cloudwatch", now=NOW)
    assert brought.missing
    panels.empty_panel(here, PARAMS, view(brought), panel("error_rate"))
    assert (
        only_text(rendered)
        == "Nothing from CloudWatch in this window, and it does not answer: see Sources below for what to do."
    )


def test_what_mackerel_lacks_is_said_in_its_place(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    here, missing = build_app(), view(replace(NOTHING, missing=(WINDOW,)))
    address = replace(PARAMS, source="mackerel", percentile="p50")
    panels.empty_panel(here, address, missing, panel("latency"))
    panels.empty_panel(here, address, missing, panel("slow"))
    assert [ParsedHtml(html).text for html in rendered] == [
        "Mackerel does not report p50.",
        "Mackerel does not report shares within a threshold. Choose CloudWatch to see them.",
    ]
    alone = replace(here.sources, metrics=(here.metric_source("mackerel"),))
    panels.empty_panel(replace(here, sources=alone), address, missing, panel("slow"))
    assert ParsedHtml(rendered[2]).text == (
        "Mackerel does not report shares within a threshold. CloudWatch does: add [aws] to migration.toml."
    )
    assert panels.supported_percentiles(here, "mackerel", ("p50", "p95")) == ["p95"]
    assert panels.supported_percentiles(here, "cloudwatch", ("p50", "p95")) == ["p50", "p95"]


def test_cloudtrail_without_permission_is_a_note_and_no_alarm(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    here = build_app()
    problem = Problem("denied", "cloudtrail", "cloudtrail:LookupEvents")
    here.archive.events.save_events(Events(WINDOW, NOW_S, problems=(problem,), complete=False), "cloudtrail")
    panels.sources_section(here, PARAMS, view(), NOW)
    row = next(part for part in rendered[0].split("<tr>") if part.startswith("<th>CloudTrail</th>"))
    assert "<span class='note'>denied" in row and "'bad'" not in row
    assert "Allow `cloudtrail:LookupEvents` in the IAM policy" in row


# ---- how old


@pytest.mark.parametrize(
    ("source", "age_minutes", "stale"),
    [("cloudwatch", 8, False), ("cloudwatch", 9, True), ("mackerel", 15, False), ("mackerel", 16, True)],
)
def test_numbers_are_stale_when_no_slow_source_explains_their_age(
    build_app: Callable[..., AppContext], source: str, age_minutes: int, *, stale: bool
) -> None:
    brought = replace(NOTHING, data_until=NOW_S - age_minutes * 60)
    assert panels.is_stale(source, view(brought), NOW, build_app().migration) is stale


def test_no_numbers_at_all_are_stale(build_app: Callable[..., AppContext]) -> None:
    assert panels.is_stale("cloudwatch", view(), NOW, build_app().migration)
