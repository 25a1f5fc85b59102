"""Mackerel as a source of batch runs, against the loopback Mackerel."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from domain import FLEETS, Mackerel, Migration, Series, Window, check_frame, epoch_s
from domain.config.batches import Batches, Job, series_of_runs
from sources.base import Pull
from sources.mackerel.batches import SOURCE, MackerelBatches
from sources.mackerel.client import MackerelApi
from tests.factories.mackerel import NOON, make_migration, noon
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
def world() -> Iterator[FakeMackerel]:
    with FakeMackerel(clock=noon) as running:
        running.points[SERVICE] = {name: dict(points) for name, points in POINTS.items()}
        yield running


@pytest.fixture
def source(world: FakeMackerel) -> Iterator[MackerelBatches]:
    api = MackerelApi(API_KEY, world.url, sleep=lambda s: None)
    yield MackerelBatches(MIGRATION, clock=noon, api=api)
    api.close()


def values_by_series(pull: Pull) -> dict[tuple[str, str, str], dict[int, float]]:
    """(job, era, metric) → minutes after NOON → value."""
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for row, ts in zip(check_frame(pull.frame).itertuples(), epoch_s(pull.frame), strict=True):
        found.setdefault((row.target_group, row.fleet, row.metric), {})[(int(ts) - NOON) // 60] = row.value
    return found


def test_runs_of_both_eras_are_read_in_seconds_and_jobs_are_found_by_their_names(source: MackerelBatches) -> None:
    pull = source.pull(HOUR)
    assert values_by_series(pull) == {
        ("thumbnails", "canary", "run_duration"): {-10: 7.5, -5: 7.25},
        ("thumbnails", "canary", "run_success"): {-10: 1.0, -5: 0.0},
        ("thumbnails", "baseline", "run_duration"): {-30: 9.0},
        ("found", "canary", "run_duration"): {-1: 3.0},
    }
    assert pull.problems == ()
    found = series_of_runs(SOURCE, "canary", "found", "duration")
    assert found in source.series() and len(source.series()) == 7


def test_what_was_never_posted_is_answered_with_nothing(source: MackerelBatches) -> None:
    pull = source.pull(HOUR)
    (answer,) = pull.answered_ranges
    assert answer.series == frozenset(source.series()) and answer.window == HOUR
    assert {one.target_group for one in answer.series} == {"thumbnails", "never", "found"}


def test_only_what_is_asked_for_is_asked(source: MackerelBatches, world: FakeMackerel) -> None:
    one = series_of_runs(SOURCE, "canary", "thumbnails", "duration")
    pull = source.pull(HOUR, [one])
    assert values_by_series(pull).keys() == {("thumbnails", "canary", "run_duration")}
    assert [query["name"] for path, query in world.requests if path.endswith("/metrics")] == [
        ["batch.thumbnails.duration"]
    ]
    assert (pull.queries[0].text, pull.datapoints_requested) == (f"service({SERVICE}, batch.thumbnails.duration)", 60)


def test_more_than_twenty_hours_are_asked_in_pieces_that_are_answered_in_minutes(
    source: MackerelBatches, world: FakeMackerel
) -> None:
    world.points[SERVICE]["batch.thumbnails.duration"] = {NOON - 86_340: 5.0, NOON - 600: 7.5, NOON - 300: 7.25}
    pull = source.pull(Window(NOON - 86_400, NOON), [series_of_runs(SOURCE, "canary", "thumbnails", "duration")])
    assert values_by_series(pull) == {("thumbnails", "canary", "run_duration"): {-1439: 5.0, -10: 7.5, -5: 7.25}}
    lengths = [int(query["to"][0]) - int(query["from"][0]) for path, query in world.requests if "from" in query]
    assert sum(lengths) == 86_400 and max(lengths) <= 72_000


def test_jobs_that_were_found_before_are_asked_for_at_once(source: MackerelBatches) -> None:
    known = [series_of_runs(SOURCE, era, "found", "duration") for era in FLEETS]
    strangers = [
        series_of_runs(SOURCE, "baseline", "found", "success"),  # there is no pattern for it any more
        Series(SOURCE, "canary", "found", "requests", "sum", "count"),
    ]
    source.restore_series([*known, *strangers])
    assert set(known) <= set(source.series()) and not set(strangers) & set(source.series())


def test_a_service_that_was_renamed_is_told_with_the_organization(source: MackerelBatches, world: FakeMackerel) -> None:
    world.services = [one for one in world.services if one["name"] != SERVICE]
    pull = source.pull(HOUR)
    assert pull.answered_ranges == () and pull.frame.empty
    assert [(one.kind, one.about, one.detail) for one in pull.problems] == [
        ("not_found", SERVICE, world.organization["name"])
    ]


@pytest.mark.parametrize(("readable", "key", "kind"), [(False, API_KEY, "denied"), (True, "another", "wrong_key")])
def test_a_refusal_ends_the_round(world: FakeMackerel, readable: bool, key: str, kind: str) -> None:
    world.has_read_permission, world.key = readable, key
    source = MackerelBatches(MIGRATION, clock=noon, api=MackerelApi(API_KEY, world.url, sleep=lambda s: None))
    pull = source.pull(HOUR)
    assert [one.kind for one in pull.problems] == [kind] and pull.answered_ranges == ()
    assert len(world.requests) == 1


def test_a_metric_that_cannot_be_read_leaves_the_others_answered(source: MackerelBatches, world: FakeMackerel) -> None:
    one = series_of_runs(SOURCE, "canary", "thumbnails", "success")
    source.pull(Window(NOON - 7200, NOON - 3600))  # the names are known
    world.queue_error(400)
    pull = source.pull(HOUR, [one, series_of_runs(SOURCE, "canary", "thumbnails", "duration")])
    assert [problem.kind for problem in pull.problems] == ["bad_request", "incomplete"]
    (answer,) = pull.answered_ranges
    assert len(answer.series) == 1


def test_minutes_are_kept_for_460_days(source: MackerelBatches) -> None:
    assert source.finest_period_s(NOON - 459 * 86_400, now=NOON) == 60
    assert source.finest_period_s(NOON - 461 * 86_400, now=NOON) == 0


def test_the_check_says_whether_any_metric_fits_a_pattern(source: MackerelBatches, world: FakeMackerel) -> None:
    assert [(line.permission.rpartition("/")[2], line.state) for line in source.check()] == [
        ("services", "up"),
        ("metric-names", "up"),
    ]
    world.points[SERVICE] = {"access_count.index": {NOON: 1.0}}
    problem = source.check()[-1].problem
    assert problem and (problem.kind, problem.about) == (
        "no_such_metric",
        "cron.{job}.msec, batch.{job}.duration, batch.{job}.success",
    )


def test_it_needs_its_table() -> None:
    with pytest.raises(ValueError, match="batches"):
        MackerelBatches(
            Migration.model_validate(MIGRATION.model_dump() | {"batches": None}), clock=lambda: datetime.now(UTC)
        )
