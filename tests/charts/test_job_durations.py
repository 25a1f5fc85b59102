"""The chart of job durations."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from analysis.batches.jobs import ScheduledRun
from analysis.batches.runs import Run, RunResult, TypicalDuration
from charts.base.palette import PALETTES
from charts.job_durations import MAX_MARKERS, job_durations_figure
from domain import Window

DAY = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp())
NAMES = {"baseline": "cron", "canary": "Lambda <b>"}


def scheduled_run(
    minute: int, takes_s: float | None = 60.0, result: RunResult = "ok", *, slow: bool = False
) -> ScheduledRun:
    at = DAY + minute * 60
    run = Run(at, at + 60, at, takes_s, result, is_slow=slow)
    return ScheduledRun(at, "ok", (run,))


def figure(
    scheduled_runs: list[ScheduledRun], *, since_minute: int = 0, typical_duration: TypicalDuration | None = None
) -> go.Figure:
    return job_durations_figure(
        scheduled_runs,
        canary_since=DAY + since_minute * 60,
        typical_duration=typical_duration,
        labels=NAMES,  # type: ignore[arg-type]
        window=Window(DAY, DAY + 86_400),
        zone=ZoneInfo("Asia/Tokyo"),
        theme="light",
    )


def test_each_scheduler_has_its_markers_and_failures_are_crosses() -> None:
    chart = figure(
        [scheduled_run(0, 90.0), scheduled_run(60, 70.0), scheduled_run(120, 5.0, "failed")], since_minute=30
    )
    assert [(line.name, line.marker.symbol, list(line.y)) for line in chart.data] == [
        ("cron", "circle", [90.0]),
        ("Lambda &lt;b&gt;", "diamond", [70.0]),
        ("Lambda &lt;b&gt;, failed", "x", [5.0]),
    ]
    colours = PALETTES["light"].fleets
    assert [line.marker.color for line in chart.data] == [colours["baseline"], colours["canary"], colours["canary"]]


def test_times_are_in_the_zone_and_the_axis_is_the_window() -> None:
    chart = figure([scheduled_run(60)])
    assert list(chart.data[0].x) == ["2026-11-24 10:00:00"]
    assert list(chart.layout.xaxis.range) == ["2026-11-24 09:00:00", "2026-11-25 09:00:00"]


def test_the_typical_range_is_a_band() -> None:
    (band,) = figure([scheduled_run(60)], typical_duration=TypicalDuration(30, 60.0, 50.0, 75.0)).layout.shapes
    assert (band.x0, band.x1, band.y0, band.y1) == (0, 1, 50.0, 75.0)
    assert figure([scheduled_run(60)]).layout.shapes == ()


def test_a_run_without_a_duration_is_not_drawn() -> None:
    assert len(figure([scheduled_run(60, None)]).data) == 0


def test_thousands_of_runs_are_thinned_but_slow_ones_kept() -> None:
    slots = [scheduled_run(minute, slow=minute == 7) for minute in range(2 * MAX_MARKERS)]
    (chart,) = figure(slots).data
    assert len(chart.x) == MAX_MARKERS + 1
    assert "2026-11-24 09:07:00" in chart.x
