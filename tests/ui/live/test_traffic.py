"""The weights on the Live page, and their warnings."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from analysis import SampleRatio
from analysis.series.sample_ratio import SampleRatioVerdict
from domain import Condition, Group, Rule, Share, Target, Traffic
from services.live import TrafficStatus
from sources.base import Problem, ProblemKind, TrafficSnapshot
from tests.factories.app_context import NOW
from tests.factories.config import BLUE, EC2
from tests.factories.html import EVIL, ParsedHtml
from ui.app_context import AppContext
from ui.live.traffic import rules_section, split_bar, traffic_warnings

NOW_S = int(NOW.timestamp())
HALF = (Share(EC2, "photo-ec2", "baseline", 90), Share(BLUE, "photo-ecs-blue", "canary", 10))
OTHER = Share("other", "photo-old", None, 10)


def rule(shares: tuple[Share, ...], *conditions: Condition, arn: str = "split") -> Rule:
    return Rule(arn, "listener", "HTTPS:443", "default", "forward", conditions, shares, None)


def status(*rules: Rule, groups: tuple[Group, ...] = (), sample_ratio: SampleRatio | None = None) -> TrafficStatus:
    return TrafficStatus(Traffic(NOW_S, rules, groups, "split"), NOW_S, sample_ratio)


def test_names_are_escaped(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    groups = (
        Group(EC2, EVIL, "baseline", (Target(EVIL, 80, "a", EVIL, EVIL, EVIL),)),
        Group(BLUE, EVIL, "canary", None),
    )
    header_rule = rule((HALF[1],), Condition("http-header", EVIL, (EVIL,)), arn="header")
    split = rule((*HALF, Share("other", EVIL, None, 1)))
    traffic = status(split, header_rule, groups=groups)
    app = build_app("fleets.canary.label", EVIL)
    traffic_warnings(app, traffic)
    rules_section(app, traffic)
    html = ParsedHtml("".join([*rendered, split_bar(app, traffic, NOW)]))
    assert "x-evil" not in html.tags and "onclick" not in html.attributes
    assert html.text.count(EVIL) >= 6


def test_without_a_split_the_problem_of_the_source_is_shown_escaped(build_app: Callable[..., AppContext]) -> None:
    app = build_app()
    problem = Problem("denied", "load_balancer", f"elasticloadbalancing:{EVIL}", EVIL, EVIL)
    app.archive.events.save_snapshot(TrafficSnapshot(NOW_S, None, (problem,)), "load_balancer")
    html = ParsedHtml(split_bar(app, TrafficStatus(None, None, None), NOW))
    assert "x-evil" not in html.tags and "onclick" not in html.attributes
    assert "<x-evil" in html.text


@pytest.mark.parametrize("weight", [10, 0])
def test_group_with_weight_but_no_target_is_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str], weight: int
) -> None:
    split = rule((HALF[0], replace(HALF[1], weight=weight)))
    app, traffic = build_app(), status(split, groups=(Group(BLUE, "photo-ecs-blue", "canary", ()),))
    traffic_warnings(app, traffic)
    assert ("photo-ecs-blue: no targets" in "".join(rendered)) is bool(weight)
    rules_section(app, traffic)
    assert "photo-ecs-blue: no targets" in rendered[-1]


@pytest.mark.parametrize(("kind", "warned"), [("denied", True), ("throttled", True), ("no_split", False)])
def test_unreadable_rules_are_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str], kind: ProblemKind, *, warned: bool
) -> None:
    app, traffic = build_app(), status(rule(HALF))
    problem = Problem(kind, "load_balancer", "elasticloadbalancing:DescribeRules", "listener")
    app.archive.events.save_snapshot(TrafficSnapshot(NOW_S, traffic.traffic, (problem,)), "load_balancer")
    traffic_warnings(app, traffic)
    assert ("Some listener rules could not be read" in "".join(rendered)) is warned


def test_weight_on_a_group_of_neither_fleet_is_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    traffic_warnings(build_app(), status(rule((HALF[0], OTHER))))
    text = ParsedHtml(rendered[0]).text
    assert "10.0% goes to photo-old, an unassigned target group: check target_groups" in text


def test_observed_share_of_two_fleets_is_not_compared_with_weights_of_three_groups(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    ratio = SampleRatio("matches", 0.0, 0.0, 0.0, 0.0, 36_000, 60)
    app, traffic = build_app(), status(rule((HALF[0], OTHER)), sample_ratio=ratio)
    rules_section(app, traffic)
    text = ParsedHtml(rendered[0] + split_bar(app, traffic, NOW)).text
    assert "split matches" not in text and "Observed split" not in text


@pytest.mark.parametrize(
    ("verdict", "fact"),
    [
        ("matches", "✓ split matches weights"),
        ("differs", "⚠ split mismatch"),
        ("not enough data", "◐ split not judged"),
    ],
)
def test_the_bar_has_both_shares_and_whether_they_match(
    build_app: Callable[..., AppContext], verdict: SampleRatioVerdict, fact: str
) -> None:
    ratio = SampleRatio(verdict, 0.1, 0.12, 0.11, 0.13, 36_000, 60)
    html = split_bar(build_app(), status(rule(HALF), sample_ratio=ratio), NOW, [("warn", "capacity", "not proven")])
    assert fact in ParsedHtml(html).text
    assert "<i style='left:88.00%'></i>" in html and html.count("style='width:") == 2
    assert "<span class='warn' title='not proven'>capacity</span>" in html


def test_old_weights_have_their_age(build_app: Callable[..., AppContext]) -> None:
    ratio = SampleRatio("matches", 0.1, 0.1, 0.09, 0.11, 36_000, 60)
    old = replace(status(rule(HALF), sample_ratio=ratio), read_at=NOW_S - 180)
    html = split_bar(build_app(), old, NOW)
    assert "3 min ago" in html and "split matches" not in html


def test_weights_that_no_request_reaches_are_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    everything = Condition("path-pattern", "", ("/*",))
    split = replace(rule((HALF[0],), everything), priority="1")
    traffic_warnings(build_app(), status(split, rule(HALF, arn="default")))
    assert "HTTPS:443 default is never reached" in ParsedHtml(rendered[0]).text


def test_another_split_is_a_warning_and_the_first_cause_of_a_mismatch(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    host = Condition("host-header", "", ("photo.example.com",))
    half = (replace(HALF[0], weight=50), replace(HALF[1], weight=50))
    rules = (replace(rule(half, host, arn="ten"), priority="10"), rule(HALF))
    ratio = SampleRatio("differs", 0.1, 0.3, 0.29, 0.31, 36_000, 60)
    traffic_warnings(build_app(), status(*rules, sample_ratio=ratio))
    text = ParsedHtml(rendered[0]).text
    assert (
        "Another rule splits traffic between the fleets: HTTPS:443 10 (host-header: photo.example.com): ECS 50.0%."
        in text
    )
    assert "Another rule routes requests in other shares, and they are counted: HTTPS:443 10" in text
