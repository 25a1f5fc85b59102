"""MackerelBatches against the loopback Mackerel."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from domain import FLEETS, Mackerel, Migration, Series, Window
from domain.config.batches import Batches, Job, series_of_runs
from messages.errors.sources import format_problem
from sources.mackerel.batches import SOURCE, MackerelBatches
from sources.mackerel.client import MackerelApi
from tests.factories.mackerel import NOON, make_migration, noon, values_by_series
from tests.fakes.mackerel import API_KEY, SERVICE, FakeMackerel

HOUR = Window(NOON - 3600, NOON)
BATCHES = Batches(
    duration="batch.{job}.duration",
    success="batch.{job}.success",
    cron_duration="cron.{job}.msec",
    cron_unit="ms",
    jobs=(Job(name="thumbnails"), Job(name="never")),
)
MIGRATION = make_migration(Mackerel(service=SERVICE), batches=BATCHES)
POINTS = {
    "batch.thumbnails.duration": {NOON - 600: 7.5, NOON - 300: 7.25},
    "batch.thumbnails.success": {NOON - 600: 1.0, NOON - 300: 0.0},
    "batch.found.duration": {NOON - 60: 3.0},
    "cron.thumbnails.msec": {NOON - 1800: 9000.0},
    "access_count.index": {NOON - 60: 17.0},
}


@pytest.fixture
def fake_mackerel() -> Iterator[FakeMackerel]:
    with FakeMackerel(clock=noon) as fake:
        fake.points[SERVICE] = {name: dict(points) for name, points in POINTS.items()}
        yield fake


@pytest.fixture
def source(fake_mackerel: FakeMackerel) -> Iterator[MackerelBatches]:
    api = MackerelApi(API_KEY, fake_mackerel.url, backoff_s=0)
    yield MackerelBatches(MIGRATION, clock=noon, api=api)
    api.close()


def test_runs_of_both_schedulers_are_in_seconds_and_jobs_are_discovered(source: MackerelBatches) -> None:
    pull = source.pull(HOUR)
    assert values_by_series(pull) == {
        ("canary", "thumbnails", "run_duration", "last"): {-10: 7.5, -5: 7.25},
        ("canary", "thumbnails", "run_success", "last"): {-10: 1.0, -5: 0.0},
        ("baseline", "thumbnails", "run_duration", "last"): {-30: 9.0},
        ("canary", "found", "run_duration", "last"): {-1: 3.0},
    }
    assert pull.problems == ()
    discovered = series_of_runs(SOURCE, "canary", "found", "duration")
    assert discovered in source.series() and len(source.series()) == 7


def test_metric_that_was_never_posted_is_answered_with_no_points(source: MackerelBatches) -> None:
    pull = source.pull(HOUR)
    (answer,) = pull.answered_ranges
    assert answer.series == frozenset(source.series()) and answer.window == HOUR
    assert {item.target_group for item in answer.series} == {"thumbnails", "never", "found"}


def test_only_the_given_series_are_requested(source: MackerelBatches, fake_mackerel: FakeMackerel) -> None:
    pull = source.pull(HOUR, [series_of_runs(SOURCE, "canary", "thumbnails", "duration")])
    assert values_by_series(pull).keys() == {("canary", "thumbnails", "run_duration", "last")}
    assert [query["name"] for path, query in fake_mackerel.requests if path.endswith("/metrics")] == [
        ["batch.thumbnails.duration"]
    ]
    assert pull.datapoints_requested == 60


def test_more_than_twenty_hours_are_read_in_chunks_of_minutes(
    source: MackerelBatches, fake_mackerel: FakeMackerel
) -> None:
    fake_mackerel.points[SERVICE]["batch.thumbnails.duration"] = {NOON - 86_340: 5.0, NOON - 600: 7.5, NOON - 300: 7.25}
    pull = source.pull(Window(NOON - 86_400, NOON), [series_of_runs(SOURCE, "canary", "thumbnails", "duration")])
    assert values_by_series(pull) == {
        ("canary", "thumbnails", "run_duration", "last"): {-1439: 5.0, -10: 7.5, -5: 7.25}
    }
    lengths = [int(query["to"][0]) - int(query["from"][0]) for path, query in fake_mackerel.requests if "from" in query]
    assert sum(lengths) == 86_400 and max(lengths) <= 72_000


def test_series_of_jobs_discovered_earlier_are_restored(source: MackerelBatches) -> None:
    known = [series_of_runs(SOURCE, scheduler_kind, "found", "duration") for scheduler_kind in FLEETS]
    unsupported = [
        series_of_runs(SOURCE, "baseline", "found", "success"),  # no pattern
        Series(SOURCE, "canary", "found", "requests", "sum", "count"),
    ]
    source.restore_series([*known, *unsupported])
    assert set(known) <= set(source.series()) and not set(unsupported) & set(source.series())


def test_unknown_service_is_a_problem_with_the_organization(
    source: MackerelBatches, fake_mackerel: FakeMackerel
) -> None:
    fake_mackerel.services = [service for service in fake_mackerel.services if service["name"] != SERVICE]
    pull = source.pull(HOUR)
    assert pull.answered_ranges == () and pull.frame.empty
    assert [(problem.kind, problem.about, problem.detail) for problem in pull.problems] == [
        ("not_found", SERVICE, fake_mackerel.organization["name"])
    ]


@pytest.mark.parametrize(("readable", "key", "kind"), [(False, API_KEY, "denied"), (True, "another", "wrong_key")])
def test_fatal_error_ends_the_pull(fake_mackerel: FakeMackerel, readable: bool, key: str, kind: str) -> None:
    fake_mackerel.has_read_permission, fake_mackerel.key = readable, key
    source = MackerelBatches(MIGRATION, clock=noon, api=MackerelApi(API_KEY, fake_mackerel.url, backoff_s=0))
    pull = source.pull(HOUR)
    assert [problem.kind for problem in pull.problems] == [kind] and pull.answered_ranges == ()
    assert len(fake_mackerel.requests) == 1


def test_unreadable_metric_does_not_affect_the_others(source: MackerelBatches, fake_mackerel: FakeMackerel) -> None:
    requested = [series_of_runs(SOURCE, "canary", "thumbnails", metric) for metric in ("success", "duration")]
    source.pull(Window(NOON - 7200, NOON - 3600))  # discovers the jobs
    fake_mackerel.queue_error(400)
    pull = source.pull(HOUR, requested)
    assert [problem.kind for problem in pull.problems] == ["bad_request", "incomplete"]
    (answer,) = pull.answered_ranges
    assert len(answer.series) == 1


def test_minutes_are_retained_for_460_days(source: MackerelBatches) -> None:
    assert source.finest_period_s(NOON - 459 * 86_400, now=NOON) == 60
    assert source.finest_period_s(NOON - 461 * 86_400, now=NOON) == 0


def test_check_fails_if_no_metric_matches_a_pattern(source: MackerelBatches, fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.points[SERVICE] = {"access_count.index": {NOON: 1.0}}
    service, names, *jobs = source.check()
    assert (service.state, names.state) == ("up", "never_reported")
    assert names.problem and (names.problem.kind, names.problem.about) == (
        "no_such_metric",
        "cron.{job}.msec, batch.{job}.duration, batch.{job}.success",
    )
    assert [(job.subject, job.state, job.problem) for job in jobs] == [
        ("thumbnails", "not_checked", names.problem),
        ("never", "not_checked", names.problem),
    ]


def test_check_has_the_age_of_the_newest_run_of_each_job(source: MackerelBatches, fake_mackerel: FakeMackerel) -> None:
    def results() -> list[tuple[str, str, int | None]]:
        return [(line.subject or line.permission.rpartition("/")[2], line.state, line.newest_age_s) for line in checks]

    checks = source.check()
    assert results() == [
        ("services", "up", None),
        ("metric-names", "up", None),
        ("thumbnails", "up", 300),
        ("never", "never_reported", None),
    ]
    problem = checks[-1].problem
    assert problem and format_problem(problem).text == "No metric of job never was ever posted to the service “photo”."
    fake_mackerel.points[SERVICE] = {"cron.thumbnails.msec": {NOON - 40 * 86_400: 9000.0}}
    checks = source.check()
    assert results()[2] == ("thumbnails", "up", 40 * 86_400)  # a job may run once a month


def test_batches_table_is_required() -> None:
    with pytest.raises(ValueError, match="batches"):
        MackerelBatches(
            Migration.model_validate(MIGRATION.model_dump() | {"batches": None}), clock=lambda: datetime.now(UTC)
        )
