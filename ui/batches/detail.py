"""One job of the Batches page: how it stands, every run of the window as a chart and as a table, and what starts it."""

from datetime import UTC, datetime

import streamlit as st
from markupsafe import Markup

from analysis.batches.jobs import JobReport, Slot
from analysis.batches.runs import MINUTE_S, Run
from charts.job_durations import durations_figure
from domain import FLEETS
from domain.config.batches import Era
from messages import batches as words
from messages import schedules, times
from services.batches import BatchView
from ui import layout
from ui.app_context import House
from ui.batches import view as batches
from ui.chart_payload import drawing
from ui.components import overlay_chart

MOST_RUNS = 24  # in the table, newest first


def detail(here: House, view: BatchView, job: JobReport, now: datetime) -> None:
    """The whole part of the page below its head."""
    migration = here.migration
    facts = [Markup("<span>{}</span>").format(text) for text in (*batches.due_words(migration, job, now), *_facts(job))]
    st.html(
        Markup(
            "<div class='job-head'><h2>{}</h2>{}</div><p class='note'>{}</p><div class='job-facts'>{}</div>{}{}"
        ).format(
            job.name,
            batches.badge(migration, job, now),
            words.explain(job.state, job.last),
            Markup("").join(facts),
            batches.strip(migration, view, job, now),
            batches.legend(BatchView(view.window, (job,), view.complete)),
        )
    )
    _chart(here, view, job, now)
    st.html(batches.eras(migration, [job], now) + _runs(here, job, now))


def _facts(job: JobReport) -> list[str]:
    said = []
    if job.starter:
        said.append(words.starter(job.starter.kind, job.starter.name, enabled=job.starter.enabled))
    if job.differs and job.job and job.job.due and job.starter and job.starter.schedule:
        said.append(
            words.differs(
                schedules.say(job.job.due, job.job.timezone),
                schedules.say(job.starter.schedule, job.starter.timezone),
            )
        )
    if job.counted:
        said.append(words.counted(job.counted))
    if job.overlaps:
        said.append(words.overlaps(job.overlaps))
    if job.job is None:
        said.append(words.found_by_pattern())
    return said


def _chart(here: House, view: BatchView, job: JobReport, now: datetime) -> None:
    title = words.durations_title(job.name)
    runs = [run for slot in job.slots for run in slot.runs if run.duration_s is not None]
    if not runs:
        return
    st.html(Markup("<div class='panel-head'><h2>{}</h2></div>").format(title))
    span = times.span(view.window.starts_at, view.window.ends_at, here.migration.zone, now=now)
    names = {era: words.era(era) for era in FLEETS}
    figure = durations_figure(
        job.slots, since=_since(job), usual=job.usual, names=names, window=view.window, zone=here.migration.zone,
        theme="dark" if layout.is_dark() else "light",
    )  # fmt: skip
    alternative = words.durations_alternative(job.name, span)
    overlay_chart(drawing(figure, alternative), key="durations", on_range=lambda _ends: None)


def _began(slot: Slot, run: Run) -> int:
    """When a run began. An end that is known to the minute makes a beginning up to a minute early: not before it was due."""
    return slot.due if 0 < slot.due - run.began < MINUTE_S else run.began


def _since(job: JobReport) -> int:
    """From when on runs are of the new era."""
    return job.eras["canary"].span.start if "canary" in job.eras else 2**40


def _runs(here: House, job: JobReport, now: datetime) -> Markup:
    """The newest due times of the window with their runs."""
    zone = here.migration.zone

    def clock(at: int) -> str:
        return times.clock(datetime.fromtimestamp(at, UTC), zone, now=now)

    head = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in words.runs_head())
    rows = Markup("")
    for slot in list(reversed(job.slots))[:MOST_RUNS]:
        for run in slot.runs or (None,):
            era: Era = "canary" if run and run.at >= _since(job) else "baseline"
            rows += Markup(
                "<tr><td>{}</td><td>{}</td><td><b class='{}'>{} {}</b>{}</td><td>{}</td><td>{}</td></tr>"
            ).format(
                clock(slot.due),
                clock(_began(slot, run)) if run else "–",
                batches.TONES[slot.mark],
                words.SIGNS[slot.mark],
                words.mark(slot.mark),
                Markup("<small>{}</small>").format(words.result(run)) if run else "",
                words.seconds(run.duration_s) if run else "–",
                words.era(era) if run else "",
            )
    title = words.runs_title()
    return Markup(
        "<section class='below'><h2>{}</h2><div class='forest' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></section>"
    ).format(title, title, head, rows)
