"""The demo's access logs: they add up to the demo's numbers, however they are asked, and hide one broken route."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.compute as pc
import pytest

from analysis.endpoints.endpoints import judge_endpoints
from domain import FLEETS, Window
from domain.log_counts import COUNTS, EXAMPLES
from sources.access_logs.counter import LogCounts
from sources.demo.access_logs import BROKEN_ROUTE, DEMO_ROUTES, DemoLogs
from sources.demo.scenario import GREEN, scenario_for
from sources.demo.sources import DemoMetrics, demo_migration, episodes

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


def test_the_same_minutes_are_the_same_counts_in_whatever_batches() -> None:
    window = Window(HOUR.start, HOUR.start + 900)
    assert count_rows(count_batches(window)) == count_rows(count_batches(window, batch_size=1))
    examples = [sorted(map(str, one.examples.to_pylist())) for one in count_batches(window)]
    assert examples[0] == sorted(
        str(row) for one in count_batches(window, batch_size=1) for row in one.examples.to_pylist()
    )


def test_the_logs_add_up_to_the_numbers() -> None:
    (found,) = count_batches(HOUR)
    assert found.counts.schema == COUNTS and found.examples.schema == EXAMPLES
    frame = DemoMetrics(MIGRATION, anchor=ANCHOR, clock=lambda: NOW).pull(HOUR).frame
    for group in ("photo-ec2", GREEN):
        mine = found.counts.filter(pc.equal(found.counts["target_group"], group))
        for metric, chosen in (
            ("requests", pc.greater(mine["elb_status"], 0)),
            ("target_5xx", pc.equal(mine["target_status"], 500)),
            ("target_4xx", pc.equal(mine["target_status"], 404)),
        ):
            told = frame[(frame.target_group == group) & (frame.metric == metric)]["value"].sum()
            assert pc.sum(mine.filter(chosen)["n"]).as_py() == told, (group, metric)
    assert sum(tally.lines for tally in found.files) == pc.sum(found.counts["n"]).as_py()


def test_the_latencies_are_those_of_the_numbers() -> None:
    (found,) = count_batches(HOUR)
    whole = judge_endpoints(found.counts, FLEET_OF, HOUR).total
    frame = DemoMetrics(MIGRATION, anchor=ANCHOR, clock=lambda: NOW).pull(HOUR).frame
    for fleet, group in (("baseline", "photo-ec2"), ("canary", GREEN)):
        for stat in ("p50", "p95"):
            typical = frame[(frame.target_group == group) & (frame.stat == stat)]["value"].median()
            told = whole.fleets[fleet].percentiles[stat]
            assert told and told.value_s == pytest.approx(typical, rel=0.05)


def test_one_route_is_broken_while_the_total_is_not() -> None:
    batches = count_batches(HOUR)
    found = judge_endpoints(batches[0].counts, FLEET_OF, HOUR, MIGRATION.criteria)
    assert found.total.judgement.verdict != "regression"
    assert [one.route for one in found.hidden_regressions] == [BROKEN_ROUTE]
    assert found.routes[0].route == BROKEN_ROUTE
    before = Window(scenario_for(ANCHOR).steps[-1].ts - 7200, scenario_for(ANCHOR).steps[-1].ts)
    (counts,) = count_batches(before)
    assert judge_endpoints(counts.counts, FLEET_OF, before, MIGRATION.criteria).hidden_regressions == ()


def test_slow_routes_are_slow_on_both_sides() -> None:
    (found,) = count_batches(HOUR)
    (upload,) = (one for one in judge_endpoints(found.counts, FLEET_OF, HOUR).routes if one.route == "/upload")
    p95 = [side.percentiles["p95"] for side in upload.fleets.values()]
    assert all(one and one.value_s > 1.5 for one in p95)
    assert upload.judgement.verdict != "regression"


def test_what_nobody_answered_has_its_fleet() -> None:
    blind = next(one.window for one in episodes(ANCHOR) if one.slug == "blind_spot")
    batches = count_batches(Window(blind.start + 2400, blind.start + 3000))
    counts = batches[0].counts
    dead = counts.filter(pc.equal(counts["elb_status"], 502))
    of_canary = dead.filter(pc.equal(dead["target_group"], GREEN))
    assert pc.sum(of_canary["n"]).as_py() > 0.9 * pc.sum(dead["n"]).as_py()
    assert set(dead["target_status"].to_pylist()) == {-1} and set(dead["latency_ms"].to_pylist()) == {-1}


def test_a_route_has_a_script_tag_and_examples_tell_paths_and_targets() -> None:
    (found,) = count_batches(HOUR)
    assert {one.route for one in DEMO_ROUTES} == set(found.counts["route"].to_pylist())
    assert any("<script>" in one.route for one in DEMO_ROUTES)
    failed = found.examples.filter(pc.equal(found.examples["route"], BROKEN_ROUTE)).to_pylist()
    assert failed and all(row["path"].startswith("/v1/albums/") and row["target"].endswith(":8080") for row in failed)
    assert np.all(np.diff(found.examples["ts"].to_numpy() // 60) >= 0)


def test_files_come_five_minutes_late_and_none_is_older_than_the_story() -> None:
    source = DemoLogs(anchor=ANCHOR, clock=lambda: NOW)
    newest = source.files(Window.last(60, now=NOW)).files[-1]
    assert newest.window and newest.window.end == int(ANCHOR.timestamp()) + 600
    assert source.files(Window(0, 3600)).files == ()
    assert source.files(Window(newest.window.end + 3600, newest.window.end + 7200)).files == ()
