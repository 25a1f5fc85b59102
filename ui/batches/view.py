"""The data of the Batches page, cached for all viewers, and its parts in HTML."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import median
from urllib.parse import urlencode

from markupsafe import Markup

from analysis.batches.jobs import JobReport, StripCell, names_by_state, names_that_run_twice, unscheduled_names
from analysis.batches.jobs import strip as strip_cells
from analysis.batches.runs import TypicalDuration
from domain import FLEETS, Migration, Window
from domain.window import DAY_S, HOUR_S
from messages import batches as text
from messages import numbers, schedules, times
from reports.templating import render
from services.batches import BatchView, batches_cache_key, count_statuses, read_batches
from ui.app_context import AppContext, cached_view
from ui.batches.handover import handover_badge
from ui.layout import format_ago, format_clock
from ui.sources import source_line, sources_table

MAX_CELLS = 62
MAX_CELL_PERCENT, MIN_CELL_PERCENT = 6.6, 0.6  # of a strip's width
WINDOW_CHOICES = ("1d", "7d", "14d", "30d", "60d")
DEFAULT_WINDOW = "14d"
SHOWN_CHOICES = ("", "problems")
TONES: Mapping[str, str] = {
    "failed": "bad",
    "stopped": "bad",
    "missed": "bad",
    "never": "bad",
    "late": "warn",
    "slow": "warn",
    "unknown": "note",
    "paused": "note",
    "waiting": "note",
    "ok": "good",
}


def batch_view(app: AppContext, choice: str, *, now_s: int) -> BatchView | None:
    """All jobs up to `now_s` (a whole minute); None if no batches are configured. Raises ArchiveError."""
    return batches_in(app, Window(now_s - int(choice[:-1]) * DAY_S, now_s), choice)


def batches_in(app: AppContext, window: Window, view_name: str) -> BatchView | None:
    """All jobs over a window; None if no batches are configured. `view_name`: what is shown again while the archive is down. Raises ArchiveError."""
    if app.batches is None:
        return None
    archive, names = app.batches.archive, tuple(source.name for source in app.batches.sources)

    def read() -> BatchView | None:
        return _cached_batch_view(app, names, window, batches_cache_key(archive, names))

    return archive.last_view("batches", view_name, None, read)


@cached_view(max_entries=24, ttl=timedelta(minutes=10))
def _cached_batch_view(
    app: AppContext, source_names: tuple[str, ...], window: Window, cache_key: Hashable
) -> BatchView | None:
    if app.batches is None or app.migration.batches is None:
        return None
    return read_batches(app.batches.archive, app.migration.batches, source_names, window)


def headline(view: BatchView, choice: str) -> Markup:
    """How the jobs are, and the number of runs by status."""
    jobs = names_by_state(view.jobs)
    tone = next((TONES[state] for state in jobs if TONES[state] in ("bad", "warn")), "good")
    tone = "note" if set(jobs) <= {"unknown", "paused"} else tone
    twice = names_that_run_twice(view.jobs)
    tone = "warn" if twice and tone == "good" else tone
    return render(
        "batches.headline",
        css=tone,
        sign={"good": "✓", "warn": "▲", "bad": "✕", "note": "?"}[tone],
        word=text.headline(jobs, unscheduled_names(view.jobs), twice),
        # Runs that could not be read are not 0 runs.
        details="" if set(jobs) == {"unknown"} else text.in_window(text.window(choice), view.status_counts),
    )


def problems(view: BatchView) -> tuple[JobReport, ...]:
    """The jobs that are neither well nor unknown, that run twice, or that are paused, which may have been forgotten."""
    return tuple(job for job in view.jobs if job.state not in ("ok", "unknown") or job.runs_twice)


def jobs_table(
    migration: Migration, view: BatchView, choice: str, now: datetime, *, problems_only: bool = False
) -> Markup:
    """One row per job, the worst first; on a phone, one card. Nothing without a job."""
    window = {} if choice == DEFAULT_WINDOW else {"window": choice}
    jobs = problems(view) if problems_only else view.jobs
    if not jobs:
        return Markup("")
    rows = [
        (
            job,
            "?" + urlencode({"job": job.name} | window),
            schedule_lines(migration, job, now),
            state_badge(migration, job, now) + handover_badge(job),
            _last_run(migration, job, now),
            duration_cell(job),
            history_strip(migration, view, job, now),
        )
        for job in jobs
    ]
    return render("batches.jobs_table", rows=rows)


def schedule_lines(migration: Migration, job: JobReport, now: datetime) -> list[str]:
    """The schedule, and the next scheduled time."""
    if job.schedule is None:
        return [str(text.NO_SCHEDULE)]
    lines = [schedules.format_schedule(job.schedule, job.timezone, migration.zone, now=now)]
    if job.next_scheduled_at:
        lines.append(text.next_due(job.next_scheduled_at, migration.zone, now))
    return lines


def state_badge(migration: Migration, job: JobReport, now: datetime) -> Markup:
    """The state, since when, and what Lambda counted against the job in the window."""
    notes = [text.since(job.missed_since, migration.zone, now)] if job.missed_since else []
    notes += [text.lambda_issues(job.invocation_totals)] if job.invocation_totals else []
    tooltip = text.explain(job.state, job.last_run, scheduled=job.schedule is not None)
    return render("batches.badge", css=TONES[job.state], state=job.state, tooltip=tooltip, notes=notes)


def _last_run(migration: Migration, job: JobReport, now: datetime) -> Markup:
    if job.last_run is None or job.scheduler is None:
        return Markup(numbers.NONE)
    return render(
        "batches.last_run",
        clock=format_clock(job.last_run.ended_at, migration, now),
        age=format_ago(job.last_run.ended_at, now),
        result=text.result(job.last_run),
        scheduler=text.scheduler_kind("baseline") if job.scheduler == "baseline" else "",
    )


def duration_cell(job: JobReport) -> Markup:
    """The last run's duration, with the typical range as a small bar."""
    run, typical = job.last_run, job.typical_duration
    if run is None:
        return Markup(numbers.NONE)
    bar = _duration_bar(run.duration_s, typical) if run.duration_s is not None and typical else None
    return render("batches.duration", run=run, typical=typical, bar=bar)


def _duration_bar(duration_s: float, typical: TypicalDuration) -> tuple[float, float, float]:
    """Left and width of the typical range, and the last run, in percent of a scale that starts at 0."""
    scale_s = max(typical.p90_s * 1.5, duration_s) or 1.0
    left, right = (value_s / scale_s * 100 for value_s in (typical.p10_s, typical.p90_s))
    return left, max(right - left, 1), min(duration_s / scale_s * 100, 99)


def history_strip(migration: Migration, view: BatchView, job: JobReport, now: datetime) -> Markup:
    """The runs of the window: one cell per scheduled time, or per day if there are too many. The form of a cell shows its status."""
    window = view.window
    cells = strip_cells(job.scheduled_runs, bucket_edges(migration, window), max_cells=MAX_CELLS)
    starts = [(cell.start - window.start) / (window.end - window.start) for cell in cells]
    steps = [(later - earlier) * 100 for earlier, later in pairwise(starts)]
    width = min(MAX_CELL_PERCENT, max(median(steps), MIN_CELL_PERCENT)) if steps else MAX_CELL_PERCENT
    partial = [cell for cell in cells if cell.share < 1 and TONES[cell.status] == "bad"]
    return render(
        "batches.strip",
        label=text.strip(job.name, count_statuses(job.scheduled_runs)),
        cells=[
            (cell, max(start, 0) * (100 - width), width + min(start, 0) * 100, _cell_title(migration, cell, now))
            for cell, start in zip(cells, starts, strict=True)
        ],
        # A title cannot be read on a phone.
        newest_partial=_partial_cell(migration, partial[-1], now) if partial else "",
    )


def _cell_title(migration: Migration, cell: StripCell, now: datetime) -> str:
    if len(cell.scheduled_runs) == 1:
        return text.scheduled_run(cell.scheduled_runs[0], migration.zone, now)
    return text.cell(_cell_start(migration, cell, now), cell.counts)


def _partial_cell(migration: Migration, cell: StripCell, now: datetime) -> str:
    n, total = cell.counts[cell.status], len(cell.scheduled_runs)
    return text.partial_cell(_cell_start(migration, cell, now), cell.status, n, total)


def _cell_start(migration: Migration, cell: StripCell, now: datetime) -> str:
    start = datetime.fromtimestamp(cell.start, UTC)
    format_start = times.date if cell.end - cell.start > 2 * HOUR_S else times.clock
    return format_start(start, migration.zone, now=now)


def bucket_edges(migration: Migration, window: Window) -> list[int]:
    """The edges of the cells of a frequent job: midnights in the migration's time zone; full hours in a window of up to two days."""
    if window.end - window.start <= 2 * DAY_S:
        return list(range(window.start // HOUR_S * HOUR_S, window.end + HOUR_S, HOUR_S))
    first = window.starts_at.astimezone(migration.zone).date()
    days = (window.end - window.start) // DAY_S + 3
    return [_midnight(first + timedelta(days=day), migration) for day in range(days)]


def _midnight(day: date, migration: Migration) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=migration.zone).timestamp())


def legend(view: BatchView) -> Markup:
    """The statuses that occur."""
    return render("batches.legend", statuses=view.status_counts)


def schedulers_table(migration: Migration, jobs: Sequence[JobReport], now: datetime) -> Markup:
    """Both schedulers of each job side by side; nothing if no job has runs."""
    rows = [
        (job.name, _scheduler_notes(job), _scheduler_rows(migration, job, now))
        for job in sorted(jobs, key=lambda job: job.name)
        if job.schedulers
    ]
    return render("batches.schedulers_table", jobs=rows) if rows else Markup("")


def _scheduler_notes(job: JobReport) -> list[str]:
    old, new = (job.schedulers[kind].typical_duration if kind in job.schedulers else None for kind in FLEETS)
    notes = [text.overlap_length(times.duration(job.both_active.length.total_seconds()))] if job.both_active else []
    notes += [text.median_change(new.median_s / old.median_s - 1)] if old and new and old.median_s else []
    return notes


def _scheduler_rows(migration: Migration, job: JobReport, now: datetime) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for kind in FLEETS:
        if kind not in job.schedulers:
            continue
        report = job.schedulers[kind]
        typical, span = report.typical_duration, report.span
        rows.append(
            (
                report,
                text.scheduler_kind(kind),
                text.run_duration(typical.median_s) if typical else text.TOO_FEW_RUNS,
                f"{text.run_duration(typical.p10_s)} – {text.run_duration(typical.p90_s)}" if typical else numbers.NONE,
                times.span(span.starts_at, span.ends_at, migration.zone, now=now),
            )
        )
    return rows


def sources(app: AppContext, now: datetime) -> Markup:
    """The sources of batch runs."""
    lines = [source_line(state, now) for state in app.source_states() if state.source in app.batch_source_names]
    return sources_table(str(text.SOURCES_TITLE), lines, str(text.ONE_POINT_A_MINUTE))
