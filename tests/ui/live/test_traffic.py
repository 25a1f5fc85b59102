"""The weights on the Live page, and their warnings."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from analysis import SampleRatio
from domain import Condition, Group, Rule, Share, Target, Traffic
from services.live import TrafficStatus
from sources.base import Problem, ProblemKind, TrafficSnapshot
from tests.factories.app_context import NOW
from tests.factories.config import BLUE, EC2
from tests.factories.html import EVIL, ParsedHtml
from ui.app_context import AppContext
from ui.live.traffic import rules_section, traffic_section

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
    traffic_section(build_app("fleets.canary.label", EVIL), traffic, NOW, past=False)
    rules_section(traffic)
    html = ParsedHtml("".join(rendered))
    assert "x-evil" not in html.tags and "onclick" not in html.attributes
    assert html.text.count(EVIL) >= 6


def test_without_a_split_the_problem_of_the_source_is_shown_escaped(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    app = build_app()
    problem = Problem("denied", "load_balancer", f"elasticloadbalancing:{EVIL}", EVIL, EVIL)
    app.archive.events.save_snapshot(TrafficSnapshot(NOW_S, None, (problem,)), "load_balancer")
    traffic_section(app, TrafficStatus(None, None, None), NOW, past=False)
    html = ParsedHtml(rendered[0])
    assert "x-evil" not in html.tags and "onclick" not in html.attributes
    assert "<x-evil" in html.text


@pytest.mark.parametrize(("weight", "css"), [(10, " class='warn'"), (0, "")])
def test_group_with_weight_but_no_target_is_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str], weight: int, css: str
) -> None:
    split = rule((HALF[0], replace(HALF[1], weight=weight)))
    traffic_section(build_app(), status(split, groups=(Group(BLUE, "photo-ecs-blue", "canary", ()),)), NOW, past=False)
    assert f"<span{css}>photo-ecs-blue: no targets</span>" in rendered[0]


@pytest.mark.parametrize(("kind", "warned"), [("denied", True), ("throttled", True), ("no_split", False)])
def test_unreadable_rules_are_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str], kind: ProblemKind, *, warned: bool
) -> None:
    app, traffic = build_app(), status(rule(HALF))
    problem = Problem(kind, "load_balancer", "elasticloadbalancing:DescribeRules", "listener")
    app.archive.events.save_snapshot(TrafficSnapshot(NOW_S, traffic.traffic, (problem,)), "load_balancer")
    traffic_section(app, traffic, NOW, past=False)
    assert ("Other rules could not be read" in rendered[0]) is warned


def test_weight_on_a_group_of_neither_fleet_is_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    traffic_section(build_app(), status(rule((HALF[0], OTHER))), NOW, past=False)
    text = ParsedHtml(rendered[0]).text
    assert "10.0% goes to photo-old, which belongs to neither fleet: check target_groups" in text


def test_observed_share_of_two_fleets_is_not_compared_with_weights_of_three_groups(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    ratio = SampleRatio("matches", 0.0, 0.0, 0.0, 0.0, 36_000, 60)
    traffic_section(build_app(), status(rule((HALF[0], OTHER)), sample_ratio=ratio), NOW, past=False)
    text = ParsedHtml(rendered[0]).text
    assert "seen" not in text and "Observed split" not in text


@pytest.mark.parametrize("past", [False, True])
def test_charts_of_another_time_than_the_weights_are_marked(
    build_app: Callable[..., AppContext], rendered: list[str], *, past: bool
) -> None:
    traffic_section(build_app(), status(rule(HALF)), NOW, past=past)
    assert ("<b>The weights now; the charts below show another time.</b>" in rendered[0]) is past


def test_weights_that_no_request_reaches_are_a_warning(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    everything = Condition("path-pattern", "", ("/*",))
    split = replace(rule((HALF[0],), everything), priority="1")
    traffic_section(build_app(), status(split, rule(HALF, arn="default")), NOW, past=False)
    assert "No request reaches HTTPS:443 default" in ParsedHtml(rendered[0]).text


def test_another_split_is_a_warning_and_the_first_cause_of_a_mismatch(
    build_app: Callable[..., AppContext], rendered: list[str]
) -> None:
    host = Condition("host-header", "", ("photo.example.com",))
    half = (replace(HALF[0], weight=50), replace(HALF[1], weight=50))
    rules = (replace(rule(half, host, arn="ten"), priority="10"), rule(HALF))
    ratio = SampleRatio("differs", 0.1, 0.3, 0.29, 0.31, 36_000, 60)
    traffic_section(build_app(), status(*rules, sample_ratio=ratio), NOW, past=False)
    text = ParsedHtml(rendered[0]).text
    assert (
        "Another rule has weight on both fleets too: HTTPS:443 10 (host-header: photo.example.com): ECS 50.0%." in text
    )
    assert "Another rule sends its requests in other shares, and they are counted too: HTTPS:443 10" in text
