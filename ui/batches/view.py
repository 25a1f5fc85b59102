"""The Batches page's view, worked out once for everybody who looks at the same window, and its parts in HTML."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import median
from urllib.parse import urlencode

import streamlit as st
from markupsafe import Markup

import analysis.batches.jobs as analysis
from analysis.batches.jobs import JobReport, StripCell
from analysis.batches.runs import TypicalDuration
from archive import SourceState
from domain import FLEETS, Migration, Window
from domain.triggers import Trigger
from messages import batches as words
from messages import numbers, schedules, times
from services.batches import BatchView, count_statuses, read_batches
from ui.app_context import AppContext
from ui.live.panels import source_row

MAX_CELLS = 62
MAX_CELL_PERCENT, MIN_CELL_PERCENT = 6.6, 0.6  # of a strip, in percent
WINDOW_CHOICES = ("1d", "7d", "14d", "30d", "60d")
DEFAULT_WINDOW = "14d"
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
    """What is known of all jobs; None where no batches are configured. `now_s`: a whole minute. Raises ArchiveError."""
    room = app.batches
    if room is None:
        return None
    window = Window(now_s - int(choice[:-1]) * 86_400, now_s)
    revisions = tuple(room.archive.change_counter(source.name) for source in room.sources)
    told = room.archive.events.triggers()
    starters = told.triggers if told else ()
    return _cached_batch_view(app, window, starters, revisions)


@st.cache_resource(max_entries=24, ttl=timedelta(minutes=10), show_spinner=False)
def _cached_batch_view(
    _app: AppContext, window: Window, triggers: tuple[Trigger, ...], change_counters: tuple[int, ...]
) -> BatchView | None:
    room, settings = _app.batches, _app.migration.batches
    if room is None or settings is None:
        return None
    return read_batches(room.archive, settings, [source.name for source in room.sources], window, triggers)


def headline(view: BatchView, choice: str) -> Markup:
    """The page in a sentence, and what became of every run of the window."""
    jobs = analysis.names_by_state(view.jobs)
    tone = next((TONES[state] for state in jobs if TONES[state] in ("bad", "warn")), "good")
    tone = "note" if set(jobs) <= {"unknown", "paused"} else tone
    sign = {"good": "✓", "warn": "▲", "bad": "✕", "note": "?"}[tone]
    return Markup("<p class='aloud' role='status'><b class='word {}'>{} {}</b>{}</p>").format(
        tone, sign, words.headline(jobs), words.in_window(words.window(choice), view.status_counts)
    )


def jobs_table(migration: Migration, view: BatchView, choice: str, now: datetime) -> Markup:
    """Every job in a row, the worst first; on a phone each is a card."""
    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in words.TABLE_HEAD())
    rows = Markup("").join(_job_row(migration, view, job, choice, now) for job in view.jobs)
    return Markup("<table class='batches'><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, rows)


def _job_row(migration: Migration, view: BatchView, job: JobReport, choice: str, now: datetime) -> Markup:
    link = "?" + urlencode({"job": job.name} | ({} if choice == DEFAULT_WINDOW else {"window": choice}))
    small = Markup("").join(Markup("<small>{}</small>").format(text) for text in schedule_lines(migration, job, now))
    return Markup(
        "<tr><th scope='row'><a href='{}' target='_self'>{}</a>{}</th><td>{}</td><td>{}</td><td>{}</td><td class='history'>{}</td></tr>"
    ).format(
        link,
        job.name,
        small,
        state_badge(migration, job, now),
        _last_run(migration, job, now),
        duration_cell(job),
        history_strip(migration, view, job, now),
    )


def schedule_lines(migration: Migration, job: JobReport, now: datetime) -> list[str]:
    """When a job is due, and when next."""
    if job.schedule is None:
        return [words.NO_SCHEDULE()]
    said = [schedules.format_schedule(job.schedule, job.timezone)]
    return [*said, words.next_due(job.next_scheduled_at, migration.zone, now)] if job.next_scheduled_at else said


def state_badge(migration: Migration, job: JobReport, now: datetime) -> Markup:
    """How a job stands: a sign and a word, since when, and what AWS counted against it in the window."""
    small = [words.since(job.missed_since, migration.zone, now)] if job.missed_since else []
    small += (
        [words.lambda_issues(job.invocation_totals)]
        if job.invocation_totals and words.lambda_issues(job.invocation_totals)
        else []
    )
    return Markup("<b class='{}' title='{}'>{} {}</b>{}").format(
        TONES[job.state],
        words.explain(job.state, job.last_run),
        words.SIGNS[job.state],
        words.state(job.state),
        Markup("").join(Markup("<small>{}</small>").format(text) for text in small),
    )


def _last_run(migration: Migration, job: JobReport, now: datetime) -> Markup:
    if job.last_run is None or job.scheduler is None:
        return Markup(numbers.NONE)
    at = datetime.fromtimestamp(job.last_run.ended_at, UTC)
    by = Markup(" · {}").format(words.scheduler_kind(job.scheduler)) if job.scheduler == "baseline" else ""
    return Markup("<span title='{}'>{}</span><small>{}{}</small>").format(
        times.clock(at, migration.zone, now=now), times.ago(at, now=now), words.result(job.last_run), by
    )


def duration_cell(job: JobReport) -> Markup:
    """The last run's duration, with the usual range as a small bar."""
    if job.last_run is None:
        return Markup(numbers.NONE)
    bar = (
        _duration_bar(job.last_run.duration_s, job.typical_duration)
        if job.last_run.duration_s is not None and job.typical_duration
        else Markup("")
    )
    title = words.typical_duration_explained(job.typical_duration) if job.typical_duration else ""
    return Markup("<span class='{}'>{}</span>{}<small title='{}'>{}</small>").format(
        "warn" if job.last_run.is_slow else "",
        words.run_duration(job.last_run.duration_s),
        bar,
        title,
        words.typical_duration(job.typical_duration),
    )


def _duration_bar(duration_s: float, typical: TypicalDuration) -> Markup:
    """The usual range as a band, the last run as a mark on the same scale from nothing on."""
    most = max(typical.p90_s * 1.5, duration_s) or 1.0
    return Markup(
        "<i class='usual' aria-hidden='true'><i class='range' style='left:{:.1f}%;width:{:.1f}%'></i><i class='run' style='left:{:.1f}%'></i></i>"
    ).format(
        typical.p10_s / most * 100,
        max((typical.p90_s - typical.p10_s) / most * 100, 1),
        min(duration_s / most * 100, 99),
    )


def history_strip(migration: Migration, view: BatchView, job: JobReport, now: datetime) -> Markup:
    """The history of a job over the window: a cell a due time, or a day where there are too many; form and colour tell the mark, the pointer the rest."""
    window = view.window
    cells = analysis.strip(job.scheduled_runs, bucket_edges(migration, window), max_cells=MAX_CELLS)
    starts = [(cell.start - window.start) / (window.end - window.start) for cell in cells]
    steps = [(later - earlier) * 100 for earlier, later in pairwise(starts)]
    width = min(MAX_CELL_PERCENT, max(median(steps), MIN_CELL_PERCENT)) if steps else MAX_CELL_PERCENT
    drawn = Markup("").join(
        Markup("<i class='{}' style='left:{:.2f}%;width:{:.2f}%' title='{}'></i>").format(
            cell.status, max(start, 0) * (100 - width), width + min(start, 0) * 100, _cell_title(migration, cell, now)
        )
        for cell, start in zip(cells, starts, strict=True)
    )
    return Markup("<div class='strip' role='img' aria-label='{}'>{}</div>").format(
        words.strip(job.name, count_statuses(job.scheduled_runs)), drawn
    )


def _cell_title(migration: Migration, cell: StripCell, now: datetime) -> str:
    if len(cell.scheduled_runs) == 1:
        return words.scheduled_run(cell.scheduled_runs[0], migration.zone, now)
    start, end = (datetime.fromtimestamp(at, UTC) for at in (cell.start, cell.end))
    day = end - start > timedelta(hours=2)
    at = times.date(start, migration.zone, now=now) if day else times.clock(start, migration.zone, now=now)
    return words.cell(at, cell.counts)


def bucket_edges(migration: Migration, window: Window) -> list[int]:
    """Where a strip of many due times is cut: at every midnight of the migration's zone, at every hour of a window of a day or two."""
    if window.end - window.start <= 2 * 86_400:
        return list(range(window.start // 3600 * 3600, window.end + 3600, 3600))
    first = window.starts_at.astimezone(migration.zone).date()
    days = (window.end - window.start) // 86_400 + 3
    return [_midnight(first + timedelta(days=day), migration) for day in range(days)]


def _midnight(day: date, migration: Migration) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=migration.zone).timestamp())


def legend(view: BatchView) -> Markup:
    """What the cells mean, of those that are there."""
    return Markup("<p class='marks'>{}</p>").format(
        Markup("").join(
            Markup("<span><i class='strip'><i class='{}'></i></i>{}</span>").format(mark, words.run_status(mark))
            for mark in view.status_counts
        )
    )


def eras_table(migration: Migration, jobs: Sequence[JobReport], now: datetime) -> Markup:
    """Both eras of every job that has them, side by side."""
    rows = Markup("").join(
        _era_rows(migration, job, now) for job in sorted(jobs, key=lambda job: job.name) if job.schedulers
    )
    if not rows:
        return Markup("")
    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in words.COMPARISON_HEAD())
    title = words.COMPARISON_TITLE()
    return Markup(
        "<section class='below'><h2>{}</h2><div class='forest' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></section>"
    ).format(title, title, head, rows)


def _era_rows(migration: Migration, job: JobReport, now: datetime) -> Markup:
    told = [(era, job.schedulers[era]) for era in FLEETS if era in job.schedulers]
    old, new = (job.schedulers[era].typical_duration if era in job.schedulers else None for era in FLEETS)
    notes = [words.overlap_length(times.duration(job.both_active.length.total_seconds()))] if job.both_active else []
    notes += [words.median_change(new.median_s / old.median_s - 1)] if old and new and old.median_s else []
    rows = Markup("")
    for place, (era, one) in enumerate(told):
        name = Markup("<th scope='rowgroup' rowspan='{}'>{}{}</th>").format(
            len(told), job.name, Markup("").join(Markup("<small>{}</small>").format(note) for note in notes)
        )
        rate = one.success_rate
        took = one.typical_duration
        rows += Markup(
            "<tr>{}<td>{}</td><td>{}</td><td>{}<small>{}</small></td><td>{}</td><td>{}</td><td>{}</td></tr>"
        ).format(
            name if not place else "",
            words.scheduler_kind(era),
            numbers.count(one.runs),
            numbers.percent(rate),
            f"{numbers.count(one.failed)} {words.run_status('failed')}" if one.failed else "",
            words.run_duration(took.median_s) if took else words.TOO_FEW_RUNS(),
            f"{words.run_duration(took.p10_s)} – {words.run_duration(took.p90_s)}" if took else numbers.NONE,
            times.span(one.span.starts_at, one.span.ends_at, migration.zone, now=now),
        )
    return rows


def sources_table(app: AppContext, now: datetime) -> Markup:
    """One line a source of batches: how it is, and what to do where it does not answer."""
    names = app.batch_source_names
    told: list[SourceState] = [state for state in app.archive.events.source_states() if state.source in names]
    rows = Markup("").join(source_row(state, now) for state in told)
    note = Markup("<tr><th></th><td></td><td>{}</td></tr>").format(words.ONE_POINT_A_MINUTE())
    return Markup("<section class='below'><h2>{}</h2><table class='sources'>{}{}</table></section>").format(
        words.SOURCES_TITLE(), rows, note
    )
