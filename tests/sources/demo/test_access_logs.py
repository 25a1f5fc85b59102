"""The demo's access logs add up to the demo's metrics, and have one broken route."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analysis.endpoints.endpoints import judge_endpoints
from domain import FLEETS, Window
from domain.log_counts import COUNTS, EXAMPLES, FAILED, TRAIT_NAMES, add_up
from sources.access_logs.counter import LogCounts
from sources.demo.access_logs import BROKEN_ROUTE, DEMO_ROUTES, DemoLogs
from sources.demo.log_details import BAD_TARGET
from sources.demo.scenario import GREEN, episodes, scenario_for
from sources.demo.sources import DemoMetrics, demo_migration

ANCHOR = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17, seconds=20)
MIGRATION = demo_migration(ANCHOR)
FLEET_OF = {group: fleet for fleet in FLEETS for group in MIGRATION.fleets[fleet].names}
HOUR = Window(int(ANCHOR.timestamp()) - 7200, int(ANCHOR.timestamp()) - 3600)


def count_batches(window: Window, *, batch_size: int = 100) -> list[LogCounts]:
    source = DemoLogs(anchor=ANCHOR, clock=lambda: NOW)
    files = source.files(window).files
    return [source.count(files[start : start + batch_size]) for start in range(0, len(files), batch_size)]


def count_rows(batches: list[LogCounts]) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for batch in batches for row in batch.counts.to_pylist())


def test_counts_do_not_depend_on_the_batches() -> None:
    window = Window(HOUR.start, HOUR.start + 900)
    assert count_rows(count_batches(window)) == count_rows(count_batches(window, batch_size=1))
    examples = [sorted(map(str, counts.examples.to_pylist())) for counts in count_batches(window)]
    assert examples[0] == sorted(
        str(row) for counts in count_batches(window, batch_size=1) for row in counts.examples.to_pylist()
    )


def test_counts_add_up_to_the_metrics() -> None:
    (logs,) = count_batches(HOUR)
    assert logs.counts.schema == COUNTS and logs.examples.schema == EXAMPLES
    frame = DemoMetrics(MIGRATION, anchor=ANCHOR, clock=lambda: NOW).pull(HOUR).frame
    for group in ("photo-ec2", GREEN):
        of_group = logs.counts.filter(pc.equal(logs.counts["target_group"], group))
        for metric, selected in (
            ("requests", pc.greater(of_group["elb_status"], 0)),
            ("target_5xx", pc.equal(of_group["target_status"], 500)),
            ("target_4xx", pc.equal(of_group["target_status"], 404)),
        ):
            expected = frame[(frame.target_group == group) & (frame.metric == metric)]["value"].sum()
            assert pc.sum(of_group.filter(selected)["n"]).as_py() == expected, (group, metric)
    assert sum(stats.lines for stats in logs.files) == pc.sum(logs.counts["n"]).as_py()


def test_latencies_match_the_metrics() -> None:
    (logs,) = count_batches(HOUR)
    total = judge_endpoints(logs.counts, FLEET_OF, HOUR).total
    frame = DemoMetrics(MIGRATION, anchor=ANCHOR, clock=lambda: NOW).pull(HOUR).frame
    for fleet, group in (("baseline", "photo-ec2"), ("canary", GREEN)):
        for stat in ("p50", "p95"):
            median_s = frame[(frame.target_group == group) & (frame.stat == stat)]["value"].median()
            percentile = total.fleets[fleet].percentiles[stat]
            assert percentile and percentile.value_s == pytest.approx(median_s, rel=0.05)


def test_one_route_is_broken_although_the_total_is_not() -> None:
    (logs,) = count_batches(HOUR)
    endpoints = judge_endpoints(logs.counts, FLEET_OF, HOUR, MIGRATION.criteria)
    assert endpoints.total.judgement.verdict != "regression"
    assert [route.route for route in endpoints.hidden_regressions] == [BROKEN_ROUTE]
    assert endpoints.routes[0].route == BROKEN_ROUTE
    before = Window(scenario_for(ANCHOR).steps[-1].ts - 7200, scenario_for(ANCHOR).steps[-1].ts)
    (logs_before,) = count_batches(before)
    assert judge_endpoints(logs_before.counts, FLEET_OF, before, MIGRATION.criteria).hidden_regressions == ()


def test_slow_routes_are_slow_in_both_fleets() -> None:
    (logs,) = count_batches(HOUR)
    (upload,) = (route for route in judge_endpoints(logs.counts, FLEET_OF, HOUR).routes if route.route == "/upload")
    p95 = [fleet.percentiles["p95"] for fleet in upload.fleets.values()]
    assert all(percentile and percentile.value_s > 1.5 for percentile in p95)
    assert upload.judgement.verdict != "regression"


def test_unanswered_requests_have_their_fleet() -> None:
    window = next(episode.window for episode in episodes(ANCHOR) if episode.slug == "blind_spot")
    logs, *_ = count_batches(Window(window.start + 2400, window.start + 3000))
    unanswered = logs.counts.filter(pc.equal(logs.counts["elb_status"], 502))
    of_canary = unanswered.filter(pc.equal(unanswered["target_group"], GREEN))
    assert pc.sum(of_canary["n"]).as_py() > 0.9 * pc.sum(unanswered["n"]).as_py()
    assert set(unanswered["target_status"].to_pylist()) == {-1} and set(unanswered["latency_ms"].to_pylist()) == {-1}


def test_route_with_a_script_tag_and_examples() -> None:
    (logs,) = count_batches(HOUR)
    assert {route.route for route in DEMO_ROUTES} == set(logs.counts["route"].to_pylist())
    assert any("<script>" in route.route for route in DEMO_ROUTES)
    failed = logs.examples.filter(pc.equal(logs.examples["route"], BROKEN_ROUTE)).to_pylist()
    assert failed and all(row["path"].startswith("/v1/albums/") and row["target"].endswith(":8080") for row in failed)
    assert np.all(np.diff(logs.examples["ts"].to_numpy() // 60) >= 0)


def requests_by(table: pa.Table, column: str) -> dict[str, int]:
    return {row[column]: row["n"] for row in add_up(table, [column]).to_pylist()}


def test_each_request_has_one_value_of_each_trait() -> None:
    (logs,) = count_batches(HOUR)
    for trait in TRAIT_NAMES:
        of_trait = logs.traits.filter(pc.field("trait") == trait)
        assert requests_by(of_trait, "target_group") == requests_by(logs.counts, "target_group"), trait
        failed = (of_trait.filter(pc.field("outcome") == FAILED), logs.counts.filter(pc.field("elb_status") >= 500))
        assert len({pc.sum(table["n"]).as_py() for table in failed}) == 1, trait


def test_most_failures_of_ecs_are_of_one_target_since_the_last_step() -> None:
    step = scenario_for(ANCHOR).steps[-1].ts
    (logs,) = count_batches(Window(step - 3600, step + 3600))
    failures = logs.traits.filter((pc.field("trait") == "target") & (pc.field("outcome") == FAILED))
    for is_after, of_ecs in ((pc.field("minute") < step, 0.25), (pc.field("minute") >= step, 0.6)):
        for group, expected in (("photo-ec2", 0), (GREEN, of_ecs)):
            targets = requests_by(failures.filter(is_after & (pc.field("target_group") == group)), "value")
            assert targets.get(BAD_TARGET, 0) / sum(targets.values()) == pytest.approx(expected, abs=0.06)


def test_files_are_five_minutes_late_and_not_older_than_the_scenario() -> None:
    source = DemoLogs(anchor=ANCHOR, clock=lambda: NOW)
    newest = source.files(Window.last(60, now=NOW)).files[-1]
    assert newest.window and newest.window.end == int(ANCHOR.timestamp()) + 600
    assert source.files(Window(0, 3600)).files == ()
    assert source.files(Window(newest.window.end + 3600, newest.window.end + 7200)).files == ()
