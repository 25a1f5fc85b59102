"""A whole migration read back from the archive alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archive import Archive
from domain import Window
from domain.latency import Latencies
from reports.retrospective.summary import cost, opening
from services.retrospective import Retrospect, outline, overall, retrospect, until
from sources.window_latency import Whole
from tests.factories.archived_migration import DAY, END, FIRST_DAY, NOW, at, full, migration

HERE = migration()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with full(tmp_path_factory.mktemp("full")) as archive:
        yield archive


@pytest.fixture(scope="module")
def found(archive: Archive) -> Retrospect:
    told = outline(archive, "mackerel", end=until(HERE, NOW))
    assert told is not None
    return retrospect(archive, HERE, told)


def test_the_window_begins_a_week_before_the_first_step_and_ends_with_what_is_settled(found: Retrospect) -> None:
    assert found.outline.window == Window(at(1, 9), END)
    assert (found.outline.first_step, found.outline.last_step) == (at(8, 9), at(10, 9))
    assert until(HERE, NOW) == END


def test_phases_have_their_requests_and_errors_to_the_one(found: Retrospect) -> None:
    # 10,000 requests in five minutes; the five minutes that a step falls in begin before the phase does, so they are not in it.
    told = [(one.phase.canary_share, one.requests, one.errors, one.phase.dwell_s) for one in found.chapters]
    assert told == [
        (0.1, {"baseline": 287 * 9000, "canary": 287 * 1000}, {"baseline": 287 * 18, "canary": 287 * 2}, DAY),
        (0.25, {"baseline": 75 * 7500, "canary": 75 * 2500}, {"baseline": 75 * 15, "canary": 71 * 5 + 4 * 2500}, 22_800),
        (0.0, {"baseline": 211 * 10_000, "canary": 0}, {"baseline": 211 * 20, "canary": 0}, 63_600),
        (0.5, {"baseline": 2771 * 5000, "canary": 2771 * 5000}, {"baseline": 27_710, "canary": 27_710}, END - at(10, 9)),
    ]  # fmt: skip


def test_incidents_and_p95_of_a_phase(found: Retrospect) -> None:
    with_outage = found.chapters[1]
    assert [one.title for one in with_outage.incidents] == ["no healthy host", "Back to 0 %"]
    p95 = with_outage.p95["canary"]
    assert p95 is not None and (p95.basis, p95.value) == ("periods", pytest.approx(0.2, abs=0.003))
    assert found.chapters[2].p95["canary"] is None


def test_what_it_cost(found: Retrospect) -> None:
    assert found.canary_requests == 288 * 1000 + 76 * 2500 + 2772 * 5000
    lost = found.excess
    assert lost.seen == 287 * 2 + 71 * 5 + 10_000 + 27_710
    assert lost.estimate == pytest.approx(10_000 - 20)  # of the outage, less what would have failed anyhow
    assert lost.low is not None and lost.high is not None and 9000 < lost.low < lost.estimate < lost.high < 11_000
    assert (found.outside_errors_minutes, found.outside_p95_minutes) == (20, 0)
    (back,) = found.steps_back
    assert (back.at, back.before, back.after, back.title) == (at(9, 15, 20), 0.25, 0.0, "Back to 0 %")
    assert (back.effect_s, back.alert_s) == (300, 16 * 60)  # only five minutes are kept: within five


def test_before_and_after(found: Retrospect) -> None:
    weeks = found.weeks
    assert weeks is not None
    assert (weeks.before, weeks.after) == (Window(at(1, 9), at(8, 9)), Window(at(10, 9), at(17, 9)))
    assert (weeks.hours, weeks.complete, weeks.clocks) == (168, True, False)
    by = {one.measure: one for one in weeks.changes}
    assert by["requests"].difference == pytest.approx(0.0)
    assert (by["error_rate"].before, by["error_rate"].after) == (pytest.approx(0.002), pytest.approx(0.002))
    assert by["p95"].difference == pytest.approx(0.0, abs=1e-4)


def test_it_is_told_in_sentences(found: Retrospect) -> None:
    assert opening(HERE, found.outline, now=NOW) == (
        "From 10 Mar to 22 Mar, 12 days: 10.0 % → 50.0 % in 4 phases, with 1 step back."
    )
    assert cost(HERE, found, now=NOW) == [
        "ECS served 14.3 M requests.",
        f"38,639 of them failed: about 9,980 more than at EC2's rate (95 %: {round(found.excess.low or 0):,} to {round(found.excess.high or 0):,}).",
        "Outside the margin: error rate for 20 min, p95 at no time.",
        "Back from 25.0 % to 0.0 % on 11 Mar 15:20 UTC, 16 min after the first alert, it took effect within 5 min. (Back to 0 %)",
        "From the first step (10 Mar) to the last (12 Mar): 2 days.",
    ]


def test_nothing_is_missing(found: Retrospect) -> None:
    assert (found.gaps, found.hours_until) == ((), None)


def test_the_chart_has_at_most_two_thousand_points_and_every_request(archive: Archive, found: Retrospect) -> None:
    told = overall(archive, HERE, "mackerel", found.outline.window)
    assert len(told.ts) <= 2000
    assert told.fleets["canary"].requests[~np.isnan(told.fleets["canary"].requests)].sum() == found.canary_requests
    zoomed = overall(archive, HERE, "mackerel", Window(at(9, 15), at(9, 16)))
    assert list(zoomed.fleets["canary"].error_rate[:20:5]) == [1.0, 1.0, 1.0, 1.0]


def test_the_percentile_of_the_whole_phase_comes_before_any_median(
    archive: Archive, found: Retrospect, tmp_path: Path
) -> None:
    phase = found.chapters[0].phase.window

    class Source:
        name = "mackerel"

        def whole(self, window: Window) -> Whole:
            groups = (Latencies("baseline", "photo-ec2", 100, 100, 0.1, {"p95": 0.207}, {}),)
            return Whole(window, window, END, groups)

    archive.ask_whole(phase, Source(), now=NOW)  # type: ignore[arg-type]
    told = retrospect(archive, HERE, found.outline).chapters[0].p95
    assert [None if one is None else (one.basis, round(one.value, 3)) for one in told.values()] == [
        ("whole", 0.207),
        ("periods", 0.2),
    ]


def test_a_gap_is_told_and_nothing_is_made_up(tmp_path: Path) -> None:
    gap = Window(at(12), at(13))
    with full(tmp_path, without=gap) as archive:
        told = outline(archive, "mackerel", end=END)
        assert told is not None
        found = retrospect(archive, HERE, told)
        assert found.gaps == (gap,)
        assert found.chapters[-1].requests["canary"] == (2771 - 288) * 5000


def test_an_archive_that_begins_late_shows_the_whole_migration_with_a_gap(tmp_path: Path) -> None:
    with full(tmp_path, first=at(9)) as archive:
        told = outline(archive, "mackerel", end=END)
        assert told is not None
        assert told.window == Window(at(7, 9), END), "a day before the first step, however late the numbers begin"
        assert [share for _, share in told.steps] == [0.0, 0.1, 0.25, 0.0, 0.5]
        drawn = overall(archive, HERE, "mackerel", told.window)
        assert drawn.ts[0] <= told.window.start and np.isnan(drawn.fleets["baseline"].requests[drawn.ts < at(9)]).all()
        found = retrospect(archive, HERE, told)
        assert found.chapters[0].requests == {"baseline": 108 * 9000, "canary": 108 * 1000}  # nine hours of the day
        assert found.weeks is not None and found.weeks.hours == 0


def test_an_empty_archive_tells_nothing(tmp_path: Path) -> None:
    with Archive.open(f"sqlite:///{tmp_path}/archive.db", HERE, clock=lambda: NOW) as archive:
        assert outline(archive, "mackerel", end=END) is None


def test_without_a_step_there_are_numbers_and_no_story(tmp_path: Path) -> None:
    with full(tmp_path, events=()) as archive:
        told = outline(archive, "mackerel", end=at(7))
        assert told is not None
        assert (told.window, told.first_step) == (Window(FIRST_DAY, at(7)), None)
        assert opening(HERE, told, now=NOW).startswith("The archive knows of no step yet")
        found = retrospect(archive, HERE, told)
        assert (found.weeks, found.steps_back, found.canary_requests) == (None, (), 0)


def test_a_note_is_an_incident_of_its_phase(tmp_path: Path) -> None:
    with full(tmp_path) as archive:
        archive.keep_note(at(8, 12), "Sale begins", "Mika")
        told = outline(archive, "mackerel", end=END)
        assert told is not None
        (kept,) = [one for one in retrospect(archive, HERE, told).chapters[0].incidents if one.kind == "note"]
        assert (kept.title, kept.detail) == ("Sale begins", "Mika")
