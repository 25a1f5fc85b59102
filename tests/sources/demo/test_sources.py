"""The demo's sources are deterministic, consistent with each other, and plausible for a load balancer."""

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.metrics.fetch_plan import resolution_tiers
from domain import Condition, Series, WeightChange, Window, check_frame, epoch_s
from domain.files import is_own_private_folder
from domain.traffic import detect_weight_change
from sources.demo import sources as demo_sources
from sources.demo.audit_log import DemoAuditLog
from sources.demo.scenario import BLUE, EC2, GREEN, available_periods, episodes, scenario_for
from sources.demo.sources import (
    HEADER_RULE_ARN,
    SPLIT_LISTENER_ARN,
    DemoEvents,
    DemoMetrics,
    DemoTraffic,
    demo_migration,
)
from sources.registry import create_sources

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17, seconds=20)
MIGRATION = demo_migration(ANCHOR)
SCENARIO = scenario_for(ANCHOR)
EPISODES = {episode.slug: episode.window for episode in episodes(ANCHOR)}
WHOLE_SCENARIO = Window(SCENARIO.start, SCENARIO.anchor)


def make_metrics(now: datetime = NOW) -> DemoMetrics:
    return DemoMetrics(MIGRATION, anchor=ANCHOR, clock=lambda: now)


def make_traffic(now: datetime = NOW) -> DemoTraffic:
    return DemoTraffic(anchor=ANCHOR, clock=lambda: now)


def event_titles(window: Window = WHOLE_SCENARIO, now: datetime = NOW) -> list[tuple[str, str]]:
    events = DemoEvents(anchor=ANCHOR, clock=lambda: now).events(window).events
    return [(event.kind, event.title) for event in events]


def minute_table(window: Window, group: str, now: datetime = NOW) -> pd.DataFrame:
    """A column for each statistic ("requests sum"), a row for each minute of `window`; NaN if there is no point."""
    frame = make_metrics(now).pull(window).frame
    frame = frame[frame["target_group"] == group]
    table = pd.DataFrame(
        {
            "minute": epoch_s(frame),
            "what": frame["metric"].astype(str) + " " + frame["stat"].astype(str),
            "value": frame["value"],
        }
    ).pivot(index="minute", columns="what", values="value")
    return table.reindex(range(window.start, window.end, 60))


def rows(frame: pd.DataFrame) -> set[tuple[object, ...]]:
    return set(zip(epoch_s(frame), *(frame[name] for name in ("target_group", "metric", "stat", "value")), strict=True))


@given(st.integers(0, 62 * 288), st.lists(st.integers(1, 30), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_metrics_do_not_depend_on_the_requested_window(start: int, lengths: list[int]):
    source = make_metrics()
    series = [item for item in source.series() if not item.hourly]
    first = SCENARIO.start + start * 300
    whole = source.pull(Window(first, first + sum(lengths) * 300), series).frame
    parts, start_s = set[tuple[object, ...]](), first
    for length in lengths:
        parts |= rows(source.pull(Window(start_s, start_s + length * 300), series).frame)
        start_s += length * 300
    assert rows(whole) == parts


def test_minutes_are_retained_as_in_cloudwatch_and_around_the_episodes():
    source, now = make_metrics(), int(NOW.timestamp())
    assert source.finest_period_s(now - 15 * 86_400, now=now) == 60
    assert source.finest_period_s(now - 20 * 86_400, now=now) == 300
    for window in EPISODES.values():
        pull = source.pull(Window(window.start - 3 * 3600, window.end + 3 * 3600))
        assert {answer.period_s for answer in pull.answered_ranges} == {60, 3600}
    parts = available_periods(SCENARIO, Window(SCENARIO.start - 3600, now // 60 * 60), now)
    assert [(later.start - part.end, part.start % period_s) for (part, period_s), (later, _) in pairwise(parts)] == [
        (0, 0)
    ] * (len(parts) - 1)
    assert [period_s for _, period_s in parts] == [300, 60, 300, 60, 300, 60]


@given(st.integers(0, 3 * 1440))
@settings(max_examples=30, deadline=None)
def test_archive_finds_the_retained_periods_at_any_time(minutes_after: int):
    """Otherwise it would request minutes that do not exist, again and again."""
    now = int(ANCHOR.timestamp()) + minutes_after * 60
    source, window = make_metrics(datetime.fromtimestamp(now, UTC)), Window(SCENARIO.start - 86_400 * 300, now)
    tiers = resolution_tiers(window, partial(source.finest_period_s, now=now))
    assert [part for part in tiers if part[1]] == list(available_periods(SCENARIO, Window(SCENARIO.start, now), now))


def test_five_minute_periods_aggregate_their_minutes():
    """Compares the periods before and after the minutes expire."""
    window = Window(SCENARIO.anchor - 3600, SCENARIO.anchor)
    minutes = minute_table(window, EC2)
    coarse = minute_table(window, EC2, NOW + timedelta(days=40))[::5]
    five = minutes.index // 300 * 300
    assert list(coarse["requests sum"]) == list(minutes["requests sum"].groupby(five).sum())
    assert list(coarse["target_5xx sum"]) == list(minutes["target_5xx sum"].groupby(five).sum())
    assert list(coarse["healthy_hosts minimum"]) == [4] * 12
    answers = minutes["latency sample_count"]
    for stat in ("average", "within_0.3s"):
        mixed = (minutes[f"latency {stat}"] * answers).groupby(five).sum() / answers.groupby(five).sum()
        assert list(coarse[f"latency {stat}"]) == pytest.approx(list(mixed), abs=2e-6)
    p95 = minutes["latency p95"].groupby(five)
    assert (coarse["latency p95"] > p95.min()).all() and (coarse["latency p95"] < p95.max()).all()


def test_hourly_percentiles_are_those_of_all_answers():
    window = Window(SCENARIO.anchor - 7200, SCENARIO.anchor)
    hours = [item for item in make_metrics().series() if item.hourly and item.target_group == EC2]
    frame = make_metrics().pull(window, hours).frame
    for hour in window.chunks(3600):
        (whole,) = (item for item in make_metrics().window_latency(hour).groups if item.target_group == EC2)
        in_hour = frame[epoch_s(frame) == hour.start]
        assert dict(zip(in_hour["stat"], in_hour["value"], strict=True)) == {
            f"{name}_hourly": pytest.approx(value, abs=2e-6) for name, value in whole.percentiles.items()
        }
    future = make_metrics().pull(Window(SCENARIO.anchor, SCENARIO.anchor + 3600), hours)
    assert (len(future.frame), future.answered_ranges) == (0, ()), "an incomplete hour has none"


@given(st.integers(-600, 62 * 1440 + 300), st.integers(1, 180))
@settings(max_examples=40, deadline=None)
def test_every_frame_is_tidy_and_adds_up(start: int, minutes: int):
    window = Window(SCENARIO.start + start * 60, SCENARIO.start + (start + minutes) * 60)
    check_frame(make_metrics().pull(window).frame)
    for group in (EC2, BLUE, GREEN):
        table = minute_table(window, group)
        if "latency p50" not in table:
            continue
        answered = table.filter(regex=r"^target_.xx sum").sum(axis=1)
        assert (table["latency sample_count"].fillna(0) == answered).all()
        assert not (answered > table["requests sum"].fillna(0)).any()
        latency = table.dropna(subset="latency p50")
        ordered = latency[[f"latency {stat}" for stat in ("p50", "p90", "p95", "p99")]].to_numpy()
        assert (np.diff(ordered, axis=1) > 0).all()
        for stat, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
            for threshold_s in (0.1, 0.3, 1.0):
                fast = latency[f"latency {stat}"] <= threshold_s - 1e-5
                slow = latency[f"latency {stat}"] >= threshold_s + 1e-5
                within = latency[f"latency within_{threshold_s:g}s"]
                assert (within[fast] >= share).all() and (within[slow] <= share).all()


def test_only_the_given_series():
    window = EPISODES["blind_spot"]
    series = Series("demo", "canary", GREEN, "requests", "sum", "count")
    pull = make_metrics().pull(window, {series})
    assert rows(pull.frame) == {
        row for row in rows(make_metrics().pull(window).frame) if row[1:4] == (GREEN, "requests", "sum")
    }
    assert (pull.datapoints_requested, pull.answered_ranges[0].series) == (window.minutes, frozenset({series}))
    assert make_metrics().pull(window, set()).answered_ranges == ()


def test_blind_spot_has_unanswered_requests_and_no_errors():
    dead = minute_table(Window(SCENARIO.outage.start + 120, SCENARIO.outage.start + 14 * 60), GREEN)
    assert len(dead) == 12
    assert (dead["requests sum"] > 2000).all()
    assert dead["fail_open_requests sum"].equals(dead["requests sum"].rename("fail_open_requests sum"))
    assert (dead["connection_errors sum"] > 0.9 * dead["requests sum"]).all()
    assert set(dead["healthy_hosts minimum"]) == {0} and set(dead["unhealthy_hosts minimum"]) == {6}
    assert not {name for name in dead if name.startswith(("target_", "latency"))}
    assert not {name for name in minute_table(SCENARIO.outage, GREEN) if name == "target_5xx sum"}
    balancer = minute_table(Window(SCENARIO.outage.start + 120, SCENARIO.outage.start + 14 * 60), "")
    codes = balancer[["alb_502 sum", "alb_503 sum", "alb_504 sum"]]
    assert (codes > 50).all(axis=None) and (codes.sum(axis=1) == balancer["alb_5xx sum"]).all()


def test_latency_drops_at_the_start_of_the_outage():
    before, during = SCENARIO.outage.start - 60, SCENARIO.outage.start + 60
    table = minute_table(Window(before, during + 60), GREEN)["latency p95"]
    assert table[during] < 0.8 * table[before]


def test_after_the_rollback_only_target_health_is_reported():
    after = minute_table(Window(SCENARIO.outage.start + 14 * 60, SCENARIO.outage.end + 300), GREEN)
    assert set(after) == {"healthy_hosts minimum", "unhealthy_hosts minimum"}
    assert list(after["healthy_hosts minimum"]) == [0] * 24 + [6] * 5


def test_slowdown_is_sixty_percent_at_p95():
    window = Window(SCENARIO.slowdown.start + 360, SCENARIO.slowdown.end - 120)
    ecs, ec2 = minute_table(window, BLUE)["latency p95"], minute_table(window, EC2)["latency p95"]
    assert (ecs / ec2).median() == pytest.approx(1.6, abs=0.1)
    before = Window(SCENARIO.slowdown.start - 1800, SCENARIO.slowdown.start - 60)
    assert (
        minute_table(before, BLUE)["latency p95"] / minute_table(before, EC2)["latency p95"]
    ).median() == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("step", range(1, len(SCENARIO.steps)))
def test_observed_share_follows_the_weights(step: int):
    start = SCENARIO.steps[step].ts
    end = SCENARIO.steps[step + 1].ts if step + 1 < len(SCENARIO.steps) else SCENARIO.anchor
    window = Window(start, min(end, start + 6 * 3600))
    configured = make_traffic().traffic_at(start).configured_shares["canary"]
    assert make_traffic().traffic_at(window.end - 60).configured_shares["canary"] == configured
    later = window.ends_at + timedelta(minutes=20)
    requests = {
        group: minute_table(window, group, later).get("requests sum", pd.Series([0.0])).sum()
        for group in (EC2, BLUE, GREEN)
    }
    live = SCENARIO.steps[step].live
    assert requests[GREEN if live == BLUE else BLUE] == 0
    share, spread = float(configured), np.sqrt(float(configured) / sum(requests.values()))
    assert requests[live] / sum(requests.values()) == pytest.approx(share, abs=5 * spread)


def test_traffic_has_one_split_and_one_header_rule():
    traffic = make_traffic().snapshot().traffic
    assert traffic is not None and traffic.split is not None
    assert [(rule.listener, rule.priority, rule.action) for rule in traffic.rules] == [
        ("HTTPS:443", "10", "forward"),
        ("HTTPS:443", "default", "forward"),
        ("HTTP:80", "default", "redirect"),
    ]
    assert traffic.split.priority == "default" and traffic.split.stickiness_s is None
    assert [(share.target_group, share.weight) for share in traffic.split.shares] == [
        (EC2, 500),
        (BLUE, 0),
        (GREEN, 500),
    ]
    assert [(*rule.conditions, *rule.fleets) for rule in traffic.header_rules] == [
        (Condition("http-header", "X-Canary", ("ecs",)), "canary")
    ]
    assert {group.target_group: group.healthy for group in traffic.groups} == {EC2: 4, BLUE: 0, GREEN: 6}


def test_unhealthy_targets_have_a_reason():
    groups = {group.target_group: group for group in make_traffic().traffic_at(SCENARIO.outage.start + 300).groups}
    assert {(target.state, target.reason) for target in groups[GREEN].targets or ()} == {
        ("unhealthy", "Target.Timeout")
    }
    assert groups[EC2].healthy == 4


def weight_changes(
    window: Window = WHOLE_SCENARIO, now: datetime = NOW, rule: str = SPLIT_LISTENER_ARN
) -> list[WeightChange]:
    changes = DemoAuditLog(anchor=ANCHOR, clock=lambda: now).events(window).weight_changes
    return [change for change in changes if change.rule == rule]


def test_logged_changes_are_those_between_snapshots():
    source = make_traffic()
    pairs = ((source.traffic_at(step.ts - 60), source.traffic_at(step.ts)) for step in SCENARIO.steps[1:])
    detected = [change for before, after in pairs if (change := detect_weight_change(before, after))]
    assert [(change.ts, change.title, change.rule) for change in weight_changes()] == [
        (change.ts, change.title, change.rule) for change in detected
    ]
    titles = [change.title for change in detected]
    assert titles[:4] == ["0.0% → 0.1%", "0.1% → 1.0%", "1.0% → 5.0%", "5.0% → 10.0%"]
    assert titles[-1] == "25.0% → 50.0%"


def test_changes_have_authors_and_are_not_in_the_future():
    assert {change.tool for change in weight_changes()} == {"terraform", "console", "cli"}
    assert all(change.author for change in weight_changes())
    assert {change.author for change in weight_changes(rule=HEADER_RULE_ARN)} == {"photo-terraform", "codedeploy"}
    early = datetime.fromtimestamp(weight_changes()[3].ts - 1, UTC)
    assert weight_changes(now=early) == weight_changes()[:3]


def test_both_incidents_have_an_alert_and_a_rollback():
    assert [title for kind, title in event_titles() if kind == "rollback"] == ["Back to 5%", "Back to 0%"]
    for slug in ("latency_regression", "blind_spot"):
        assert {"alert", "rollback"} <= {kind for kind, _ in event_titles(EPISODES[slug])}
        assert weight_changes(EPISODES[slug])
    assert max(window.minutes for window in EPISODES.values()) <= 180
    assert [change.title for change in weight_changes(EPISODES["half_and_half"])] == ["25.0% → 50.0%"]


@pytest.mark.parametrize("hours", [0, 1, 2, 5, 50])
def test_last_three_hours_have_an_annotation_and_a_closed_alert(hours: int):
    now = ANCHOR + timedelta(hours=hours, minutes=7)
    events = DemoEvents(anchor=ANCHOR, clock=lambda: now).events(Window.last(180, now=now)).events
    assert {"annotation", "alert"} <= {event.kind for event in events}
    assert any(event.kind == "alert" and event.until and not event.open for event in events)
    assert len({event.key for event in events}) == len(events)


def test_alert_is_open_until_it_ends():
    now = datetime.fromtimestamp(SCENARIO.outage.start + 10 * 60, UTC)
    events = DemoEvents(anchor=ANCHOR, clock=lambda: now).events(SCENARIO.outage).events
    assert [(event.title, event.open, event.until) for event in events] == [
        ("photo: load balancer answers 5xx itself", True, None),
        ("photo-ecs-green: no healthy host", True, None),
    ]


def test_newest_minutes_are_revised_upwards_until_final():
    minute = Window(SCENARIO.anchor, SCENARIO.anchor + 60)

    def requests(seconds_after: float) -> float:
        now = datetime.fromtimestamp(minute.end, UTC) + timedelta(seconds=seconds_after)
        table = minute_table(minute, EC2, now)
        return 0.0 if "requests sum" not in table else float(table["requests sum"].iloc[0])

    final = requests(180)
    assert requests(-1) == 0
    assert 0.4 * final < requests(0) == requests(59) < requests(60) < requests(120) < final
    assert requests(180) == requests(3600) == requests(86_400 * 14)


def test_metrics_follow_the_clock():
    future = Window(SCENARIO.anchor, SCENARIO.anchor + 3600)
    pull = make_metrics().pull(future)
    assert epoch_s(pull.frame).max() == SCENARIO.anchor + 16 * 60
    assert [answer.window for answer in pull.answered_ranges] == [Window(SCENARIO.anchor, SCENARIO.anchor + 17 * 60)]
    assert epoch_s(make_metrics(NOW + timedelta(minutes=5)).pull(future).frame).max() == SCENARIO.anchor + 21 * 60
    assert make_metrics().pull(Window(SCENARIO.anchor + 3600, SCENARIO.anchor + 7200)).answered_ranges == ()


def test_no_metrics_before_the_scenario():
    before = Window(SCENARIO.start - 3600, SCENARIO.start)
    assert make_metrics().pull(before).frame.empty
    assert make_metrics().finest_period_s(before.start, now=SCENARIO.anchor) == 0
    assert make_metrics().finest_period_s(SCENARIO.start, now=SCENARIO.anchor) == 300


def test_traffic_has_a_daily_cycle():
    # The scenario starts at midnight in Tokyo.
    day = minute_table(Window(SCENARIO.start, SCENARIO.start + 7 * 86_400), EC2)["requests sum"].dropna() / 5
    hourly = day.groupby((day.index - SCENARIO.start) % 86_400 // 3600).mean()
    assert 6 <= hourly.idxmin() <= 8 and 19 <= hourly.idxmax() <= 23
    assert day.min() > 5_000 and day.max() < 25_000


def test_registry_creates_the_demo_sources():
    sources = create_sources(MIGRATION, anchor=ANCHOR, clock=lambda: NOW)
    names = [source.name for source in (*sources.metrics, sources.traffic, *sources.events)]
    assert names == ["demo", "demo_traffic", "demo_events", "demo_audit_log", "demo_deployments"]
    assert MIGRATION.archive.endswith("/2026-11-23T20.db")
    assert all(health.problem is None for source in sources.metrics for health in source.check())


@pytest.mark.parametrize("made_by_another", ["nothing", "private", "open", "link", "dead link", "file"])
def test_the_demos_folder_is_this_users_alone(
    made_by_another: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    demo_sources._new_demo_folder.cache_clear()
    folder, elsewhere = tmp_path / f"migration-demo-{os.getuid()}", tmp_path / "elsewhere"
    match made_by_another:
        case "private" | "open":
            folder.mkdir()
            folder.chmod(0o700 if made_by_another == "private" else 0o777)
        case "link" | "dead link":
            folder.symlink_to(elsewhere)
            if made_by_another == "link":
                elsewhere.mkdir(mode=0o700)
        case "file":
            folder.touch()
    used = {Path(demo_migration(ANCHOR).archive.removeprefix("sqlite:///")).parent for _ in range(2)}
    assert len(used) == 1
    (path,) = used
    assert is_own_private_folder(path)
    assert (path == folder) == (made_by_another in ("nothing", "private"))
    demo_sources._new_demo_folder.cache_clear()
