"""Judging a phase of the archive: the whole phase, only the series it needs, and a settled phase only once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import analysis
from archive import Archive
from domain import Event, Migration, WeightChange, Window
from domain.events import weight_event
from services.parity import judge_window
from services.phases import known_phases
from sources.demo.sources import DemoMetrics, demo_migration
from tests.factories import archives
from tests.factories.judgement import judge

pytestmark = pytest.mark.usefixtures("both_engines")

ANCHOR = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOW = ANCHOR + timedelta(minutes=17)
NOW_S = int(NOW.timestamp())
PHASE = Window(NOW_S - 30 * 3600, NOW_S - 3 * 3600)


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return demo_migration(ANCHOR).model_copy(update={"archive": archives.archive_url(tmp_path)})


@pytest.fixture
def archive(migration: Migration):
    with Archive.open(migration.archive, migration, clock=lambda: NOW) as data:
        yield data


@pytest.fixture
def metrics(migration: Migration) -> DemoMetrics:
    return DemoMetrics(migration, anchor=ANCHOR, clock=lambda: NOW)


def weight_change_at(ts: int) -> Event:
    return weight_event(WeightChange(ts, ts, 0.25, 0.5, operation="ModifyRule"))


def test_the_whole_phase_is_evidence_or_the_last_day_if_its_start_is_unknown() -> None:
    nine_days = 9 * 86_400
    assert (
        known_phases([weight_change_at(NOW_S - nine_days)], end=NOW_S)[-1].judged_window.minutes == nine_days // 60 - 2
    )
    assert known_phases([], end=NOW_S)[-1].judged_window == Window(NOW_S - 86_400, NOW_S)


def test_only_the_series_of_the_judge_are_read_and_the_verdict_is_the_same(
    archive: Archive, migration: Migration, metrics: DemoMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = archive.metrics.get(PHASE, metrics, now=NOW)
    expected = judge(result.frame, migration.criteria, window=PHASE, unknown=result.unknown)
    frames, real = list[pd.DataFrame](), analysis.prepare_grid
    monkeypatch.setattr(
        analysis, "prepare_grid", lambda frame, *given, **more: frames.append(frame) or real(frame, *given, **more)
    )
    judged = judge_window(archive, migration, "demo", PHASE, now=NOW)
    (read,) = frames
    assert set(read["metric"].unique()) == {
        "requests",
        "target_2xx",
        "target_3xx",
        "target_4xx",
        "target_5xx",
        "alb_5xx",
        "latency",
    }
    assert set(read.loc[read["metric"] == "latency", "stat"].unique()) == {"p95", "within_0.3s", "sample_count"}
    assert (judged.judgement.verdict, judged.judgement.criteria) == (expected.verdict, expected.criteria)


def test_a_final_phase_is_judged_once_and_again_after_new_data(
    archive: Archive, migration: Migration, metrics: DemoMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = list[Window]()
    real = analysis.prepare_grid
    monkeypatch.setattr(
        analysis, "prepare_grid", lambda *given, **more: judged.append(more["window"]) or real(*given, **more)
    )
    archive.metrics.get(Window(PHASE.start, PHASE.end - 3600), metrics, now=NOW)
    first = judge_window(archive, migration, "demo", PHASE, now=NOW)
    assert judge_window(archive, migration, "demo", PHASE, now=NOW).judgement is first.judgement
    archive.metrics.get(Window(PHASE.end, NOW_S), metrics, now=NOW)  # other minutes are none of its business
    assert judge_window(archive, migration, "demo", PHASE, now=NOW).judgement is first.judgement
    assert len(judged) == 1
    archive.metrics.get(PHASE, metrics, now=NOW)
    assert judge_window(archive, migration, "demo", PHASE, now=NOW).judgement["error_rate"].minutes == 27 * 60 - 5
    assert len(judged) == 2


def test_a_judgement_keeps_no_rows_and_comes_with_its_trace_on_request(
    archive: Archive, migration: Migration, metrics: DemoMetrics
) -> None:
    result = archive.metrics.get(PHASE, metrics, now=NOW)
    judged = judge_window(archive, migration, "demo", PHASE, now=NOW)
    assert judged.result.frame.empty and judged.result.data_until == result.data_until
    traced = judge_window(archive, migration, "demo", PHASE, now=NOW, trace_checkpoint=lambda: None)
    assert judged.trace is None and traced.judgement == judged.judgement and traced.trace is not None
    prepared = analysis.prepare_grid(
        result.frame, migration.criteria, window=PHASE, unknown=result.unknown, context=judged.context
    )
    pd.testing.assert_frame_equal(traced.trace, analysis.trace(prepared))


def test_what_a_page_has_judged_with_its_trace_is_not_judged_again_for_the_gate(
    archive: Archive, migration: Migration, metrics: DemoMetrics
) -> None:
    archive.metrics.get(Window(PHASE.start, PHASE.end - 3600), metrics, now=NOW)
    traced = judge_window(archive, migration, "demo", PHASE, now=NOW, trace_checkpoint=lambda: None)
    judged = judge_window(archive, migration, "demo", PHASE, now=NOW)
    assert judged.judgement is traced.judgement and judged.trace is None
    archive.metrics.get(PHASE, metrics, now=NOW)
    assert judge_window(archive, migration, "demo", PHASE, now=NOW).judgement is not traced.judgement


def test_another_margin_is_another_judgement(archive: Archive, migration: Migration, metrics: DemoMetrics) -> None:
    archive.metrics.get(PHASE, metrics, now=NOW)
    before = judge_window(archive, migration, "demo", PHASE, now=NOW)
    (first, *others) = migration.criteria
    wider = first.model_copy(update={"margin": first.margin.model_copy(update={"value": 1.0})})
    after = judge_window(archive, migration.model_copy(update={"criteria": (wider, *others)}), "demo", PHASE, now=NOW)
    assert after.judgement["error_rate"].margin == 0.01 != before.judgement["error_rate"].margin
