"""One job of the Batches page: how it stands, every run of the window as a chart and as a table, and what starts it."""

from datetime import UTC, datetime

import streamlit as st
from markupsafe import Markup

from analysis.batches.jobs import JobReport, ScheduledRun
from analysis.batches.runs import MINUTE_S, Run
from charts.job_durations import job_durations_figure
from domain import FLEETS
from domain.config.batches import SchedulerKind
from messages import batches as words
from messages import schedules, times
from services.batches import BatchView
from ui import layout
from ui.app_context import AppContext
from ui.batches import view as batches
from ui.chart_payload import chart_payload
from ui.components import overlay_chart

MAX_RUNS = 24  # in the table, newest first


def job_detail(app: AppContext, view: BatchView, job: JobReport, now: datetime) -> None:
    """The whole part of the page below its head."""
    migration = app.migration
    facts = [
        Markup("<span>{}</span>").format(text) for text in (*batches.schedule_lines(migration, job, now), *_facts(job))
    ]
    st.html(
        Markup(
            "<div class='job-head'><h2>{}</h2>{}</div><p class='note'>{}</p><div class='job-facts'>{}</div>{}{}"
        ).format(
            job.name,
            batches.state_badge(migration, job, now),
            words.explain(job.state, job.last_run),
            Markup("").join(facts),
            batches.history_strip(migration, view, job, now),
            batches.legend(BatchView(view.window, (job,), view.complete)),
        )
    )
    _durations_chart(app, view, job, now)
    st.html(batches.eras_table(migration, [job], now) + _runs_table(app, job, now))


def _facts(job: JobReport) -> list[str]:
    said = []
    if job.trigger:
        said.append(words.trigger(job.trigger.kind, job.trigger.name, enabled=job.trigger.enabled))
    if job.schedule_differs and job.job and job.job.parsed_schedule and job.trigger and job.trigger.schedule:
        said.append(
            words.schedule_mismatch(
                schedules.format_schedule(job.job.parsed_schedule, job.job.timezone),
                schedules.format_schedule(job.trigger.schedule, job.trigger.timezone),
            )
        )
    if job.invocation_totals:
        said.append(words.lambda_counts(job.invocation_totals))
    if job.overlapping_runs:
        said.append(words.overlaps(job.overlapping_runs))
    if job.job is None:
        said.append(words.FOUND_BY_PATTERN())
    return said


def _durations_chart(app: AppContext, view: BatchView, job: JobReport, now: datetime) -> None:
    title = words.durations_title(job.name)
    runs = [run for slot in job.scheduled_runs for run in slot.runs if run.duration_s is not None]
    if not runs:
        return
    st.html(Markup("<div class='panel-head'><h2>{}</h2></div>").format(title))
    span = times.span(view.window.starts_at, view.window.ends_at, app.migration.zone, now=now)
    names = {era: words.scheduler_kind(era) for era in FLEETS}
    figure = job_durations_figure(
        job.scheduled_runs, canary_since=_canary_since(job), typical_duration=job.typical_duration, labels=names, window=view.window, zone=app.migration.zone,
        theme="dark" if layout.is_dark() else "light",
    )  # fmt: skip
    alternative = words.durations_alternative(job.name, span)
    overlay_chart(chart_payload(figure, alternative), key="durations", on_range=lambda _ends: None)


def _run_start(scheduled: ScheduledRun, run: Run) -> int:
    """When a run began. An end that is known to the minute makes a beginning up to a minute early: not before it was due."""
    return scheduled.scheduled_at if 0 < scheduled.scheduled_at - run.started_at < MINUTE_S else run.started_at


def _canary_since(job: JobReport) -> int:
    """From when on runs are of the new era."""
    return job.schedulers["canary"].span.start if "canary" in job.schedulers else 2**40


def _runs_table(app: AppContext, job: JobReport, now: datetime) -> Markup:
    """The newest due times of the window with their runs."""
    zone = app.migration.zone

    def clock(at: int) -> str:
        return times.clock(datetime.fromtimestamp(at, UTC), zone, now=now)

    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in words.RUNS_HEAD())
    rows = Markup("")
    for slot in list(reversed(job.scheduled_runs))[:MAX_RUNS]:
        for run in slot.runs or (None,):
            era: SchedulerKind = "canary" if run and run.reported_at >= _canary_since(job) else "baseline"
            rows += Markup(
                "<tr><td>{}</td><td>{}</td><td><b class='{}'>{} {}</b>{}</td><td>{}</td><td>{}</td></tr>"
            ).format(
                clock(slot.scheduled_at),
                clock(_run_start(slot, run)) if run else "–",
                batches.TONES[slot.status],
                words.SIGNS[slot.status],
                words.run_status(slot.status),
                Markup("<small>{}</small>").format(words.result(run)) if run else "",
                words.run_duration(run.duration_s) if run else "–",
                words.scheduler_kind(era) if run else "",
            )
    title = words.RUNS_TITLE()
    return Markup(
        "<section class='below'><h2>{}</h2><div class='forest' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></section>"
    ).format(title, title, head, rows)
