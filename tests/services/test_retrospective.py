"""The retrospective of a whole migration, computed from the archive alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archive import Archive
from domain import Window
from domain.latency import LatencySummary
from reports.retrospective.summary import impact_sentences, opening
from services.phases import settled_end
from services.retrospective import Retrospective, build_outline, build_retrospective, read_timeline
from sources.window_latency import WindowLatency
from tests.factories.archived_migration import DAY, END, FIRST_DAY, NOW, archived_migration, make_migration, time_of

MIGRATION = make_migration()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archived_migration(tmp_path_factory.mktemp("full")) as archive:
        yield archive


@pytest.fixture(scope="module")
def retrospective(archive: Archive) -> Retrospective:
    data = build_outline(archive, "mackerel", end=settled_end(MIGRATION, NOW))
    assert data is not None
    return build_retrospective(archive, MIGRATION, data)


def test_the_window_begins_a_week_before_the_first_step_and_ends_with_final_data(retrospective: Retrospective) -> None:
    assert retrospective.outline.window == Window(time_of(1, 9), END)
    assert (retrospective.outline.first_step, retrospective.outline.last_step) == (time_of(8, 9), time_of(10, 9))
    assert settled_end(MIGRATION, NOW) == END


def test_phases_have_exact_request_and_error_counts(retrospective: Retrospective) -> None:
    # 10,000 requests in five minutes. The phases adjoin, so every request is of one of them.
    data = [
        (item.phase.canary_share, item.requests, item.errors, item.phase.bake_time_s)
        for item in retrospective.phase_rows
    ]
    assert data == [
        (0.1, {"baseline": 288 * 9000, "canary": 288 * 1000}, {"baseline": 288 * 18, "canary": 288 * 2}, DAY),
        (0.25, {"baseline": 76 * 7500, "canary": 76 * 2500}, {"baseline": 76 * 15, "canary": 72 * 5 + 4 * 2500}, 22_800),
        (0.0, {"baseline": 212 * 10_000, "canary": 0}, {"baseline": 212 * 20, "canary": 0}, 63_600),
        (0.5, {"baseline": 2772 * 5000, "canary": 2772 * 5000}, {"baseline": 27_720, "canary": 27_720}, END - time_of(10, 9)),
    ]  # fmt: skip


def test_incidents_and_p95_of_a_phase(retrospective: Retrospective) -> None:
    with_outage = retrospective.phase_rows[1]
    assert [item.title for item in with_outage.events] == ["no healthy host", "Back to 0%"]
    p95 = with_outage.p95["canary"]
    assert p95 is not None and (p95.basis, p95.value) == ("periods", pytest.approx(0.2, abs=0.003))
    assert retrospective.phase_rows[2].p95["canary"] is None


def test_impact(retrospective: Retrospective) -> None:
    assert retrospective.canary_requests == 288 * 1000 + 76 * 2500 + 2772 * 5000
    lost = retrospective.excess_errors
    assert lost.observed == 288 * 2 + 72 * 5 + 10_000 + 27_720
    assert lost.estimate == pytest.approx(10_000 - 20)  # of the outage, less what would have failed anyhow
    assert lost.lower is not None and lost.upper is not None and 9000 < lost.lower < lost.estimate < lost.upper < 11_000
    assert (retrospective.error_rate_outside_minutes, retrospective.p95_outside_minutes) == (20, 0)
    (back,) = retrospective.rollbacks
    assert (back.ts, back.share_before, back.share_after, back.title) == (time_of(9, 15, 20), 0.25, 0.0, "Back to 0%")
    assert (back.effect_s, back.alert_lead_s) == (300, 16 * 60)  # only five minutes are kept: within five


def test_before_and_after(retrospective: Retrospective) -> None:
    weeks = retrospective.before_after
    assert weeks is not None
    assert (weeks.before, weeks.after) == (Window(time_of(1, 9), time_of(8, 9)), Window(time_of(10, 9), time_of(17, 9)))
    assert (weeks.hours, weeks.complete, weeks.clocks_changed) == (168, True, False)
    by = {item.measure: item for item in weeks.changes}
    assert by["requests"].difference == pytest.approx(0.0)
    assert (by["error_rate"].before, by["error_rate"].after) == (pytest.approx(0.002), pytest.approx(0.002))
    assert by["p95"].difference == pytest.approx(0.0, abs=1e-4)


def test_sentences(retrospective: Retrospective) -> None:
    lower, upper = (
        round(bound or 0) for bound in (retrospective.excess_errors.lower, retrospective.excess_errors.upper)
    )
    assert opening(MIGRATION, retrospective.outline, now=NOW) == (
        "10 Mar – 22 Mar (12 days) · 10% → 50% · 4 phases · 1 rollback"
    )
    assert impact_sentences(MIGRATION, retrospective, now=NOW) == [
        "ECS served 14.3M requests.",
        f"9,980 excess errors vs. EC2 (95% CI {lower:,} to {upper:,}) of 38,656 in total.",
        "Time out of margin: error rate 20 min, p95 none.",
        "Rollback 25% → 0%, 11 Mar 15:20 UTC, 16 min after the first alert, effective within 5 min. (Back to 0%)",
        "From the first step (10 Mar) to the last (12 Mar): 2 days.",
    ]


def test_nothing_is_missing(retrospective: Retrospective) -> None:
    assert (retrospective.gaps, retrospective.hourly_only_until) == ((), None)


def test_the_chart_has_at_most_two_thousand_points_and_every_request(
    archive: Archive, retrospective: Retrospective
) -> None:
    data = read_timeline(archive, MIGRATION, "mackerel", retrospective.outline.window)
    assert len(data.ts) <= 2000
    assert (
        data.fleets["canary"].requests[~np.isnan(data.fleets["canary"].requests)].sum() == retrospective.canary_requests
    )
    zoomed = read_timeline(archive, MIGRATION, "mackerel", Window(time_of(9, 15), time_of(9, 16)))
    assert list(zoomed.fleets["canary"].error_rate[:20:5]) == [1.0, 1.0, 1.0, 1.0]


def test_the_percentile_of_the_phase_is_preferred_to_a_median(
    archive: Archive, retrospective: Retrospective, tmp_path: Path
) -> None:
    phase = retrospective.phase_rows[0].phase.judged_window

    class Source:
        name = "mackerel"

        def window_latency(self, window: Window) -> WindowLatency:
            groups = (LatencySummary("baseline", "photo-ec2", 100, 100, 0.1, {"p95": 0.207}, {}),)
            return WindowLatency(window, window, END, groups)

    archive.metrics.fetch_window_latency(phase, Source(), now=NOW)  # type: ignore[arg-type]
    data = build_retrospective(archive, MIGRATION, retrospective.outline).phase_rows[0].p95
    assert [None if item is None else (item.basis, round(item.value, 3)) for item in data.values()] == [
        ("window", 0.207),
        ("periods", 0.2),
    ]


def test_a_gap_is_reported_and_not_filled(tmp_path: Path) -> None:
    gap = Window(time_of(12), time_of(13))
    with archived_migration(tmp_path, gap=gap) as archive:
        data = build_outline(archive, "mackerel", end=END)
        assert data is not None
        data = build_retrospective(archive, MIGRATION, data)
        assert data.gaps == (gap,)
        assert data.phase_rows[-1].requests["canary"] == (2772 - 288) * 5000


def test_an_archive_that_begins_late_shows_the_whole_migration_with_a_gap(tmp_path: Path) -> None:
    with archived_migration(tmp_path, start=time_of(9)) as archive:
        data = build_outline(archive, "mackerel", end=END)
        assert data is not None
        assert data.window == Window(time_of(7, 9), END), "a day before the first step, however late the numbers begin"
        assert [share for _, share in data.share_steps] == [0.0, 0.1, 0.25, 0.0, 0.5]
        drawn = read_timeline(archive, MIGRATION, "mackerel", data.window)
        assert (
            drawn.ts[0] <= data.window.start
            and np.isnan(drawn.fleets["baseline"].requests[drawn.ts < time_of(9)]).all()
        )
        data = build_retrospective(archive, MIGRATION, data)
        assert data.phase_rows[0].requests == {"baseline": 108 * 9000, "canary": 108 * 1000}  # nine hours of the day
        assert data.before_after is not None and data.before_after.hours == 0


def test_an_empty_archive_has_no_outline(tmp_path: Path) -> None:
    with Archive.open(f"sqlite:///{tmp_path}/archive.db", MIGRATION, clock=lambda: NOW) as archive:
        assert build_outline(archive, "mackerel", end=END) is None


def test_without_a_step_there_is_data_and_no_impact(tmp_path: Path) -> None:
    with archived_migration(tmp_path, events=()) as archive:
        data = build_outline(archive, "mackerel", end=time_of(7))
        assert data is not None
        assert (data.window, data.first_step) == (Window(FIRST_DAY, time_of(7)), None)
        assert opening(MIGRATION, data, now=NOW).startswith("No weight changes recorded:")
        data = build_retrospective(archive, MIGRATION, data)
        assert (data.before_after, data.rollbacks, data.canary_requests) == (None, (), 0)


def test_a_note_is_an_incident_of_its_phase(tmp_path: Path) -> None:
    with archived_migration(tmp_path) as archive:
        archive.notes.add(time_of(8, 12), "Sale begins", "Mika")
        data = build_outline(archive, "mackerel", end=END)
        assert data is not None
        (note,) = [
            item for item in build_retrospective(archive, MIGRATION, data).phase_rows[0].events if item.kind == "note"
        ]
        assert (note.title, note.detail) == ("Sale begins", "Mika")
