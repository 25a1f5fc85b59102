"""What the judge is given beside the data of a window: configured share, warm-up, and what is known from before. Five-minute periods."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analysis.parity.confidence_sequences import running_differences
from analysis.parity.context import JudgeContext
from archive import Archive
from domain import Event, Migration, Series, WeightChange, Window
from domain.window import DAY_S
from services.judge_context import read_context, read_settings
from services.parity import judge_window, judgement_key
from sources.base import Events
from tests.factories.archives import MIGRATION, archive_url
from tests.fakes.metric_source import FakeMetricSource

PERIOD_S = 300
START = 1_790_000_000 // DAY_S * DAY_S + 6 * 3600  # of the judged phase, epoch seconds
PHASE = Window(START, START + 6 * 3600)
NOW = datetime.fromtimestamp(PHASE.end + 3600, UTC)
METRICS = (
    ("requests", "sum"),
    ("target_2xx", "sum"),
    ("target_5xx", "sum"),
    ("latency", "p95"),
    ("latency", "sample_count"),
)
SERIES = tuple(
    Series("cloudwatch", fleet, group, metric, stat, "s" if stat == "p95" else "count")
    for fleet, group in (("baseline", "photo-ec2"), ("canary", "photo-ecs"))
    for metric, stat in METRICS
)
CRITERIA = [{"metric": "error_rate", "margin": "0.5pp"}, {"metric": "latency_p95", "margin": "10%"}]


def value_at(series: Series, ts: int, _now: int) -> float:
    """Both fleets have 1,000 requests, 5 errors and a p95 of 200 ms, more or less 2% by chance."""
    noise = np.random.default_rng([ts // PERIOD_S, series.fleet == "canary"]).normal()
    return {
        ("requests", "sum"): 1000.0,
        ("target_2xx", "sum"): 995.0,
        ("target_5xx", "sum"): 5.0,
        ("latency", "p95"): 0.2 * math.exp(0.02 * noise),
        ("latency", "sample_count"): 1000.0,
    }[series.metric, series.stat]


def baseline_alone_before(series: Series, ts: int, now: int) -> float | None:
    return None if ts < START and series.fleet == "canary" else value_at(series, ts, now)


@pytest.fixture
def migration() -> Migration:
    return Migration.model_validate(MIGRATION.model_dump() | {"criteria": CRITERIA})


@pytest.fixture
def archive(tmp_path: Path, migration: Migration):
    with Archive.open(archive_url(tmp_path), migration, clock=lambda: NOW) as data:
        yield data


def fill(archive: Archive, *windows: Window, values: Callable[[Series, int, int], float | None] = value_at) -> None:
    source = FakeMetricSource(SERIES, "cloudwatch", values, NOW, finest_period=lambda start, now: PERIOD_S)
    for window in windows:
        archive.metrics.fill(window, source, now=NOW)


def save_events(archive: Archive, *events: Event, changes: tuple[WeightChange, ...] = ()) -> None:
    span = Window(START - 90 * DAY_S, PHASE.end)
    archive.events.save_events(Events(span, int(NOW.timestamp()), events, weight_changes=changes), "test")


def weight_change(ts: int, before: float, after: float, *, since: int | None = None) -> WeightChange:
    operation = "" if since else "ModifyRule"
    return WeightChange(ts, since or ts, before, after, rule="rule", operation=operation, key=str(ts))


def deployment(ts: int, fleet: str = "canary") -> Event:
    return Event(ts, None, "deployment", "web 1", "", fleet, "", "test", f"{fleet}:{ts}")


def context_of(archive: Archive, migration: Migration, window: Window = PHASE) -> JudgeContext:
    return read_context(archive, migration, "cloudwatch", archive.metrics.read(window, "cloudwatch", now=NOW), now=NOW)


class TestConfiguredShare:
    def test_it_is_that_of_the_changes_before_and_in_the_window(self, archive: Archive, migration: Migration):
        steps = ((-9 * DAY_S, 0.0, 0.01), (-8 * DAY_S, 0.01, 0.1), (0, 0.1, 0.25), (3600, 0.25, 0.5))
        save_events(archive, changes=tuple(weight_change(START + after, *shares) for after, *shares in steps))
        assert read_settings(archive, migration, "cloudwatch", PHASE).configured == (
            (START - 8 * DAY_S, 0.1),
            (START, 0.25),
            (START + 3600, 0.5),
        )

    def test_it_is_unknown_between_two_snapshots(self, archive: Archive, migration: Migration):
        save_events(archive, changes=(weight_change(START + 600, 0.1, 0.25, since=START + 480),))
        (_, initial), (since, unknown), (ts, after) = read_settings(archive, migration, "cloudwatch", PHASE).configured
        assert (initial, since - START, ts - START, after) == (0.1, 480, 600, 0.25)
        assert math.isnan(unknown)

    def test_without_a_change_nothing_is_known(self, archive: Archive, migration: Migration):
        assert read_settings(archive, migration, "cloudwatch", PHASE) == JudgeContext()


class TestWarmUp:
    def test_it_follows_the_start_of_a_phase_and_each_deployment_of_the_canary(
        self, archive: Archive, migration: Migration
    ):
        save_events(
            archive,
            deployment(START + 7230),
            deployment(START + 9000, "baseline"),
            changes=(weight_change(START, 0.1, 0.25),),
        )
        assert read_settings(archive, migration, "cloudwatch", PHASE).warm_up == (
            Window(START, START + 600),
            Window(START + 7200, START + 7260 + 600),
        )

    def test_it_is_excluded_and_counted(self, archive: Archive, migration: Migration):
        fill(archive, PHASE)
        save_events(archive, changes=(weight_change(START, 0.1, 0.5),))
        for warm_up, minutes in (("10m", 10), ("1h", 60), ("0", 0)):
            config = migration.model_copy(update={"warm_up": warm_up})
            judgement = judge_window(archive, config, "cloudwatch", PHASE, now=NOW).judgement
            assert [(item.excluded or {})["warm_up"] for item in judgement.criteria] == [minutes, minutes]

    def test_a_phase_of_unknown_start_has_none(self, archive: Archive, migration: Migration):
        assert read_settings(archive, migration, "cloudwatch", PHASE).warm_up == ()


class TestHistory:
    def test_it_is_the_last_day_in_which_both_fleets_served(self, archive: Archive, migration: Migration):
        fill(archive, Window(START - 3 * DAY_S, PHASE.end))
        context = context_of(archive, migration)
        assert context.scatter["latency_p95"].periods == DAY_S / PERIOD_S
        assert context.scatter["latency_p95"].variance == pytest.approx(2 * 0.02**2, rel=0.2)
        # The first periods of a window cannot show unanswered requests.
        assert context.scatter["error_rate"].periods == DAY_S / PERIOD_S - 1
        assert context.usual == (288 * 2 * 5, 288 * 2 * 1000)

    def test_it_is_the_baseline_against_the_day_before_if_the_canary_did_not_serve(
        self, archive: Archive, migration: Migration
    ):
        fill(archive, Window(START - 3 * DAY_S, PHASE.end), values=baseline_alone_before)
        context = context_of(archive, migration)
        assert context.scatter["latency_p95"].periods == DAY_S / PERIOD_S
        assert context.scatter["latency_p95"].variance == pytest.approx(2 * 0.02**2, rel=0.2)
        assert context.usual == (288 * 2 * 5, 288 * 2 * 1000)

    def test_there_is_none_without_enough_periods_of_either(self, archive: Archive, migration: Migration):
        fill(archive, Window(START - 4 * 3600, PHASE.end))
        context = context_of(archive, migration)
        assert (context.scatter, context.usual) == ({}, (0.0, 0.0))

    def test_an_incident_is_no_part_of_it(self, archive: Archive, migration: Migration):
        def with_outage(series: Series, ts: int, now: int) -> float | None:
            if series.fleet == "canary" and START - 7200 <= ts < START - 6600:
                return {"requests": 1000.0, "target_5xx": 900.0, "target_2xx": 100.0}.get(series.metric, 3.0)
            return value_at(series, ts, now)

        fill(archive, Window(START - 2 * DAY_S, PHASE.end), values=with_outage)
        context = context_of(archive, migration)
        assert context.usual == (286 * 2 * 5, 286 * 2 * 1000)
        assert context.scatter["latency_p95"].variance == pytest.approx(2 * 0.02**2, rel=0.2)

    def test_a_canary_with_a_tenth_of_the_requests_scatters_more(self, archive: Archive, migration: Migration):
        def few(series: Series, ts: int, now: int) -> float | None:
            value = value_at(series, ts, now)
            is_small = ts >= START and series.fleet == "canary" and series.stat != "p95"
            return value / 10 if is_small else value

        fill(archive, Window(START - 2 * DAY_S, PHASE.end), values=few)
        known = context_of(archive, migration).scatter["latency_p95"]
        assert (known.variance, known.weight) == (pytest.approx(2 * 0.02**2, rel=0.2), 500)
        weights, none = np.full(10, 1000 * 100 / 1100), np.zeros(10)
        judged = running_differences(none, weights, known)
        assert judged.variance[-1] == pytest.approx(known.variance * 500 / weights[0] * 240 / 249)

    def test_seven_periods_get_an_answer(self, archive: Archive, migration: Migration):
        short = Window(START, START + 7 * PERIOD_S)
        fill(archive, short)
        assert judge_window(archive, migration, "cloudwatch", short, now=NOW).judgement["latency_p95"].lower is None
        fill(archive, Window(START - 2 * DAY_S, START))
        judged = judge_window(archive, migration, "cloudwatch", short, now=NOW).judgement
        assert judged["latency_p95"].verdict == "parity", "back-fill of the time before is new data"

    def test_a_key_changes_with_everything_that_a_judgement_is_made_from(self, archive: Archive, migration: Migration):
        def key() -> object:
            return judgement_key(archive, migration, "cloudwatch", PHASE)

        fill(archive, PHASE)
        keys = [key()]
        fill(archive, Window(START - DAY_S, START))
        keys.append(key())
        save_events(archive, changes=(weight_change(START, 0.1, 0.5),))
        keys.append(key())
        fill(archive, Window(START - 5 * DAY_S, START - 4 * DAY_S))
        assert len(set(keys)) == 3 and key() == keys[-1]


def test_a_canary_that_is_not_counted_at_times_is_never_at_parity(archive: Archive, migration: Migration) -> None:
    def with_gaps(series: Series, ts: int, now: int) -> float | None:
        is_gap = series.fleet == "canary" and ts >= START and ts // PERIOD_S % 12 == 3
        return None if is_gap else value_at(series, ts, now)

    fill(archive, Window(START - 2 * DAY_S, PHASE.end), values=with_gaps)
    assert judge_window(archive, migration, "cloudwatch", PHASE, now=NOW).judgement["error_rate"].verdict == "parity"
    save_events(archive, changes=(weight_change(START - 3 * DAY_S, 0.0, 0.5),))
    judged = judge_window(archive, migration, "cloudwatch", PHASE, now=NOW).judgement
    assert judged["error_rate"].verdict != "parity"
    assert sum(incident.uncounted for incident in judged.incidents) == 6 * 1000


def test_without_503s_a_canary_without_requests_had_none(archive: Archive, migration: Migration) -> None:
    """As with a rule that few requests meet at night."""

    def values(series: Series, ts: int, now: int) -> float | None:
        is_gap = series.fleet == "canary" and ts // PERIOD_S % 12 == 3
        return None if is_gap or series.metric == "alb_503" else value_at(series, ts, now)

    save_events(archive, changes=(weight_change(START - 3 * DAY_S, 0.0, 0.5),))
    alb_503 = Series("cloudwatch", "load_balancer", "", "alb_503", "sum", "count")
    source = FakeMetricSource((*SERIES, alb_503), "cloudwatch", values, NOW, finest_period=lambda start, now: PERIOD_S)
    archive.metrics.fill(PHASE, source, now=NOW)
    judged = judge_window(archive, migration, "cloudwatch", PHASE, now=NOW).judgement
    assert (judged["error_rate"].verdict, judged.incidents) == ("parity", ())
