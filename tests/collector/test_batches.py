"""The archive of batches: runs that are reported a day late, discovered jobs, and triggers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.batches.invocations import InvocationTotals
from archive import BatchArchive
from collector.batches import HORIZON_MINUTES, POLL_INTERVAL_S, open_batch_collector
from domain import Series, Window
from domain.config.batches import Batches, series_of_function, series_of_runs
from domain.triggers import Triggers
from services.batches import read_batches
from sources.base import Problem
from sources.registry import Sources
from sources.triggers import TriggerSnapshot
from tests.factories import archives
from tests.factories.archives import MIGRATION
from tests.factories.events import TRIGGER
from tests.fakes.metric_source import FakeMetricSource

pytestmark = pytest.mark.usefixtures("both_engines")

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())
RUN_SERIES = series_of_runs("mackerel_batches", "canary", "thumbnails", "duration")
DISCOVERED_SERIES = series_of_runs("mackerel_batches", "canary", "discovered", "duration")


class DiscoveringSource(FakeMetricSource):
    """A source that discovers jobs."""

    def restore_series(self, known_series: tuple[Series, ...]) -> None:
        self.configured_series = (*self.configured_series, *known_series)


def run_source(posted: dict[int, tuple[int, float]], **overrides: object) -> DiscoveringSource:
    """`posted`: by the minute of a run, when it was reported, and its duration."""

    def value_at(series: Series, ts: int, now: int) -> float | None:
        at, value = posted.get(ts, (0, 0.0))
        return value if series == RUN_SERIES and at and at <= now else None

    return DiscoveringSource(
        configured_series=(RUN_SERIES,), name="mackerel_batches", value_at=value_at, now=NOON, **overrides
    )  # type: ignore[arg-type]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return archives.archive_url(tmp_path)


def values_by_minute(archive: BatchArchive, now: datetime) -> dict[int, float]:
    frame = archive.metrics.read(Window(NOON_S - 86_400, NOON_S + 86_400), "mackerel_batches", now=now).frame
    return dict(zip((frame["ts"].astype("int64") - NOON_S) // 60, frame["value"], strict=True))


def test_a_run_that_is_reported_hours_late_is_archived(url: str) -> None:
    source = run_source({NOON_S - 600: (NOON_S, 7.0), NOON_S - 1200: (NOON_S + 20 * 3600, 900.0)})
    with BatchArchive.open(url, MIGRATION, clock=lambda: source.now) as archive:
        window = Window(NOON_S - 3600, NOON_S)
        archive.metrics.get(window, source, now=NOON)
        assert values_by_minute(archive, NOON) == {-10: 7.0}
        source.now = NOON + timedelta(hours=20)
        archive.metrics.get(window, source, now=source.now)
        assert values_by_minute(archive, source.now) == {-10: 7.0, -20: 900.0}


def test_jobs_discovered_by_an_earlier_process_are_fetched_again(url: str) -> None:
    migration = MIGRATION.model_copy(update={"archive": url})
    first = run_source({NOON_S - 600: (NOON_S, 7.0)})
    first.configured_series = (RUN_SERIES, DISCOVERED_SERIES)
    archive, collector = open_batch_collector(migration, Sources(batches=(first,)), clock=lambda: NOON)
    with archive:
        collector.poll_metrics(first)
        assert archive.metrics.configured_series("mackerel_batches") == (RUN_SERIES, DISCOVERED_SERIES)
    second = run_source({})
    archive, _ = open_batch_collector(migration, Sources(batches=(second,)), clock=lambda: NOON)
    with archive:
        assert DISCOVERED_SERIES in second.configured_series


def test_the_collector_fills_two_months_in_chunks_of_a_day(url: str) -> None:
    source = run_source({})
    archive, collector = open_batch_collector(
        MIGRATION.model_copy(update={"archive": url}), Sources(batches=(source,)), clock=lambda: NOON
    )
    with archive:
        while collector.poll_metrics(source) == 0.0:
            pass
        asked = [window for window, _ in source.pulls]
    assert min(window.start for window in asked) <= NOON_S - HORIZON_MINUTES * 60
    assert max(window.minutes for window in asked) <= 25 * 60, "at least the time that is not final"


def test_a_minute_that_became_final_after_it_was_fetched_is_no_gap(url: str) -> None:
    source, clock = run_source({}), [NOON]
    archive, collector = open_batch_collector(
        MIGRATION.model_copy(update={"archive": url}), Sources(batches=(source,)), clock=lambda: clock[0]
    )
    with archive:
        while collector.poll_metrics(source) == 0.0:
            pass
        assert collector.fill_status(source).state == "done"
        clock[0] += timedelta(minutes=2)
        assert collector.poll_metrics(source) > 0.0
        assert (collector.fill_status(source).state, collector.is_up_to_date(source.name)) == ("done", True)


class FakeTriggerSource:
    """Returns `result`."""

    name = "eventbridge"

    def __init__(self, result: TriggerSnapshot) -> None:
        self.result, self.n_snapshots = result, 0

    def snapshot(self) -> TriggerSnapshot:
        self.n_snapshots += 1
        return self.result

    def check(self) -> tuple[()]:
        return ()


def test_triggers_are_archived_and_kept_after_a_denied_request(url: str) -> None:
    rules = FakeTriggerSource(TriggerSnapshot(NOON_S, Triggers(NOON_S, (TRIGGER,))))
    clock = [NOON]
    archive, collector = open_batch_collector(
        MIGRATION.model_copy(update={"archive": url}), Sources(triggers=rules), clock=lambda: clock[0]
    )
    with archive:
        assert archive.events.triggers() is None
        assert collector.poll_triggers(rules) == POLL_INTERVAL_S
        assert archive.events.triggers() == Triggers(NOON_S, (TRIGGER,))
        assert collector.poll_triggers(rules) > 0 and rules.n_snapshots == 1, "its slot is not free yet"
        clock[0] += timedelta(seconds=POLL_INTERVAL_S)
        denied = Problem("denied", "eventbridge", "events:DescribeRule")
        rules.result = TriggerSnapshot(NOON_S + POLL_INTERVAL_S, None, (denied,))
        collector.poll_triggers(rules)
        assert archive.events.triggers() == Triggers(NOON_S, (TRIGGER,))
        (state,) = archive.events.source_states()
        assert (state.source, state.role, state.state, state.problems) == (
            "eventbridge",
            "triggers",
            "denied",
            (denied,),
        )


def test_runs_and_lambda_counts_are_combined(url: str) -> None:
    """Daily at 11:50: yesterday's run was reported, today's only counted by AWS."""
    settings = Batches.model_validate(
        {"duration": "b.{job}.d", "jobs": [{"name": "thumbnails", "schedule": "cron(50 11 * * ? *)"}]}
    )
    counts = series_of_function("lambda", "thumbnails")
    runs = run_source({NOON_S - 87_000: (NOON_S - 87_000, 7.0)})

    def value_at(series: Series, ts: int, _now: int) -> float | None:
        if ts == NOON_S - 600:
            return {"function_invocations": 1.0, "function_errors": 1.0, "function_duration": 3.0}.get(series.metric)
        return None

    aws = FakeMetricSource(configured_series=counts, name="lambda", value_at=value_at, now=NOON)
    window = Window(NOON_S - 2 * 86_400, NOON_S)
    archive, _ = open_batch_collector(
        MIGRATION.model_copy(update={"archive": url}), Sources(batches=(runs, aws)), clock=lambda: NOON
    )
    with archive:
        for source in (runs, aws):
            archive.metrics.get(window, source, now=NOON)
        (job,) = read_batches(archive, settings, ["mackerel_batches", "lambda"], window).jobs
        (alone,) = read_batches(archive, settings, ["mackerel_batches"], window).jobs
    assert (job.state, job.last_run and (job.last_run.was_reported, job.last_run.duration_s)) == (
        "failed",
        (False, 3.0),
    )
    assert job.invocation_totals == InvocationTotals(1, 1, 0, 0, 1)
    assert (alone.state, alone.invocation_totals) == ("missed", None), "without Lambda"
