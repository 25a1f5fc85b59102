"""The requests of each fleet: counted, none, never reported, not yet, not asked, unknown."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.series.fleet_requests import FleetRequests
from archive import Archive
from domain import FleetName, Series, Window
from services.fleet_requests import constant_share, fleet_requests, requests_unread
from services.phases import count_phase, known_phases
from sources.base import TrafficSnapshot
from tests.factories.config import make_migration
from tests.factories.events import weighted_traffic
from tests.fakes.metric_source import EC2, NOON, FakeMetricSource, minute_time, minute_window

HOUR = minute_window(-60, 0)
FINAL_UNTIL = NOON - 180


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", make_migration(), clock=lambda: minute_time(0))
    yield opened
    opened.close()


def baseline_only(series: Series, _ts: int, _requested_at: int) -> float | None:
    return 10.0 if series == EC2 else None


def states(
    archive: Archive, window: Window = HOUR, *, final_until: int = FINAL_UNTIL, canary_share: float | None = None
) -> tuple[FleetRequests, FleetRequests]:
    result = archive.metrics.read(window, "cloudwatch", now=minute_time(0))
    baseline, canary = fleet_requests(result, "cloudwatch", final_until=final_until, canary_share=canary_share)
    return baseline, canary


def test_counted_are_those_of_final_minutes(archive: Archive) -> None:
    archive.metrics.fill(HOUR, FakeMetricSource(value_at=lambda *_: 10.0), now=minute_time(0))
    assert [(fleet.state, fleet.count) for fleet in states(archive)] == [("counted", 570), ("counted", 570)]


def test_nothing_was_asked(archive: Archive) -> None:
    assert [(fleet.state, fleet.count) for fleet in states(archive)] == [("not_asked", None)] * 2


def test_some_of_the_time_was_not_asked(archive: Archive) -> None:
    archive.metrics.fill(HOUR, FakeMetricSource(value_at=baseline_only), now=minute_time(0))
    baseline, canary = states(archive, minute_window(-90, 0))
    assert (baseline.count, canary.state, canary.count) == (570, "not_asked", None)


def test_a_source_without_credentials(archive: Archive) -> None:
    source = FakeMetricSource(problem_kind=lambda *_: "no_credentials")
    archive.metrics.fill(HOUR, source, now=minute_time(0))
    assert [(fleet.state, fleet.count) for fleet in states(archive)] == [("unknown", None)] * 2
    # A young phase, too: that nothing is known is not for want of time.
    young = states(archive, minute_window(-2, 0))
    assert [fleet.state for fleet in young] == ["unknown", "unknown"]


def test_one_series_that_is_refused(archive: Archive) -> None:
    source = FakeMetricSource(
        value_at=baseline_only, problem_kind=lambda series, _: None if series == EC2 else "refused_metric"
    )
    archive.metrics.fill(HOUR, source, now=minute_time(0))
    baseline, canary = states(archive)
    assert (baseline.count, canary.state, canary.count) == (570, "unknown", None)


def test_no_minute_is_final(archive: Archive) -> None:
    archive.metrics.fill(HOUR, FakeMetricSource(), now=minute_time(0))
    assert [(fleet.state, fleet.count) for fleet in states(archive, minute_window(-2, 0))] == [("not_yet", None)] * 2


def test_asked_and_answered_with_none(archive: Archive) -> None:
    earlier = FakeMetricSource(value_at=lambda series, ts, _: 10.0 if series == EC2 or ts < NOON - 3600 else None)
    archive.metrics.fill(minute_window(-120, 0), earlier, now=minute_time(0))
    assert (states(archive)[1].state, states(archive)[1].count) == ("none", 0)


def test_a_group_that_has_never_reported(archive: Archive) -> None:
    archive.metrics.fill(HOUR, FakeMetricSource(value_at=baseline_only), now=minute_time(0))
    _, canary = states(archive, canary_share=0.1)
    assert (canary.state, canary.count, canary.groups) == ("never_reported", None, ("photo-ecs",))
    result = archive.metrics.read(HOUR, "cloudwatch", now=minute_time(0))
    assert requests_unread(result, (canary,)) == (HOUR,)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_fleet_at_share_0_has_none(archive: Archive, share: float) -> None:
    archive.metrics.fill(HOUR, FakeMetricSource(value_at=lambda *_: None), now=minute_time(0))
    baseline, canary = states(archive, canary_share=share)
    silent, idle = (baseline, canary) if share == 0 else (canary, baseline)
    assert (silent.state, silent.count) == ("never_reported", None)
    assert (idle.state, idle.count, idle.zero_share) == ("none", 0, True)


def test_rows_of_0_are_reports(archive: Archive) -> None:
    archive.metrics.fill(HOUR, FakeMetricSource(value_at=lambda *_: 0.0), now=minute_time(0))
    assert [(fleet.state, fleet.count) for fleet in states(archive)] == [("none", 0)] * 2


def test_a_share_is_constant_between_two_changes(archive: Archive) -> None:
    assert constant_share(archive, minute_window(0, 10)) is None
    for second, canary in ((7, 10), (605, 25)):  # not at whole minutes
        archive.events.save_snapshot(TrafficSnapshot(NOON + second, weighted_traffic(100 - canary, canary)), "alb")
    windows = ((-10, 0), (0, 5), (1, 10), (1, 11), (11, 20))
    shares = [constant_share(archive, minute_window(*window)) for window in windows]
    assert shares == [None, None, 0.1, None, 0.25]


def phase_requests(archive: Archive) -> dict[FleetName, int | None]:
    phase = replace(known_phases((), end=NOON)[-1], window=HOUR)
    return count_phase(
        archive, make_migration(), "cloudwatch", (phase,), phase, until=NOON - 600, now=minute_time(0)
    ).requests


def test_a_fleet_without_requests_in_a_phase(archive: Archive) -> None:
    earlier = FakeMetricSource(value_at=lambda series, ts, _: 10.0 if series == EC2 or ts < NOON - 3600 else None)
    archive.metrics.fill(minute_window(-120, 0), earlier, now=minute_time(0))
    assert phase_requests(archive) == {"baseline": 500, "canary": 0}


def test_a_fleet_whose_requests_in_a_phase_are_unknown(archive: Archive) -> None:
    source = FakeMetricSource(
        value_at=baseline_only, problem_kind=lambda series, _: None if series == EC2 else "refused_metric"
    )
    archive.metrics.fill(HOUR, source, now=minute_time(0))
    assert phase_requests(archive) == {"baseline": 500, "canary": None}
