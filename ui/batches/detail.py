"""One job of the Batches page: its state, the runs of the window as a chart and a table, and its trigger."""

from collections.abc import Iterator
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from analysis.batches.jobs import JobReport, ScheduledRun
from analysis.batches.runs import Run
from charts.job_durations import job_durations_figure
from domain import FLEETS, Migration
from domain.config.batches import SchedulerKind
from domain.window import MINUTE_S
from messages import batches as text
from messages import numbers, schedules, times
from reports.templating import render
from services.batches import BatchView
from ui import layout
from ui.batches import view as batches
from ui.batches.handover import handover_detail
from ui.batches.run_work import work_table
from ui.chart_payload import chart_payload
from ui.components import overlay_chart
from ui.style import theme

MAX_RUNS = 24


def job_detail(migration: Migration, view: BatchView, job: JobReport, now: datetime) -> None:
    """The page below its head."""
    st.html(
        render(
            "batches.job_head",
            name=job.name,
            badge=batches.state_badge(migration, job, now),
            explanation=text.explain(job.state, job.last_run, scheduled=job.schedule is not None),
            facts=[*batches.schedule_lines(migration, job, now), *_facts(migration, job, now)],
            strip=batches.history_strip(migration, view, job, now),
            legend=batches.legend(BatchView(view.window, (job,), view.complete)),
        )
    )
    _durations_chart(migration, view, job, now)
    handover_detail(migration, job, now)
    work = work_table(migration, view, [job], now)
    st.html(work + batches.schedulers_table(migration, [job], now) + _runs_table(migration, job, now))


def _facts(migration: Migration, job: JobReport, now: datetime) -> Iterator[str]:
    if job.trigger:
        yield text.trigger(job.trigger.kind, job.trigger.name, enabled=job.trigger.enabled)
    if job.schedule_differs and job.job and job.job.parsed_schedule and job.trigger and job.trigger.schedule:
        yield text.schedule_mismatch(
            schedules.format_schedule(job.job.parsed_schedule, job.job.timezone, migration.zone, now=now),
            schedules.format_schedule(job.trigger.schedule, job.trigger.timezone, migration.zone, now=now),
        )
    if job.invocation_totals:
        yield text.lambda_counts(job.invocation_totals)
    if job.overlapping_runs:
        yield text.overlaps(job.overlapping_runs)
    if job.job is None:
        yield str(text.FOUND_BY_PATTERN)


def _durations_chart(migration: Migration, view: BatchView, job: JobReport, now: datetime) -> None:
    if not any(run.duration_s is not None for scheduled in job.scheduled_runs for run in scheduled.runs):
        return
    layout.panel_title(text.durations_title(job.name))
    figure = job_durations_figure(
        job.scheduled_runs,
        canary_since=_canary_since(job),
        typical_duration=job.typical_duration,
        labels={kind: text.scheduler_kind(kind) for kind in FLEETS},
        window=view.window,
        zone=migration.zone,
        theme=theme(),
    )
    span = times.span(view.window.starts_at, view.window.ends_at, migration.zone, now=now)
    overlay_chart(chart_payload(figure, text.durations_alternative(job.name, span)), key="durations")


def _run_start(scheduled: ScheduledRun, run: Run) -> int:
    """The start of a run. It is known to the minute, and not before the scheduled time."""
    return scheduled.scheduled_at if 0 < scheduled.scheduled_at - run.started_at < MINUTE_S else run.started_at


def _canary_since(job: JobReport) -> int:
    """From then on (epoch seconds), runs are those of the new scheduler."""
    return job.schedulers["canary"].span.start if "canary" in job.schedulers else 2**40


def _runs_table(migration: Migration, job: JobReport, now: datetime) -> Markup:
    """The newest scheduled times with their runs."""
    rows = []
    for scheduled in list(reversed(job.scheduled_runs))[:MAX_RUNS]:
        for run in scheduled.runs or (None,):
            kind: SchedulerKind = "canary" if run and run.reported_at >= _canary_since(job) else "baseline"
            rows.append(
                (
                    layout.format_clock(scheduled.scheduled_at, migration, now),
                    layout.format_clock(_run_start(scheduled, run), migration, now) if run else numbers.NONE,
                    batches.TONES[scheduled.status],
                    scheduled.status,
                    run,
                    text.scheduler_kind(kind) if run else "",
                )
            )
    return render("batches.runs_table", rows=rows)
