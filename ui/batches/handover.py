"""The hand-over from cron to EventBridge on the Batches page: findings per job, their due times, and the commands that end a double run."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from analysis.batches.jobs import JobReport
from domain import Migration
from messages import handover as text
from reports.handover import TONES, handover_rows
from reports.templating import render
from ui.layout import format_clock

MAX_SLOTS = 24


def handover_section(migration: Migration, jobs: Sequence[JobReport], now: datetime) -> None:
    """A row per job and finding, and how to end double runs; nothing without findings."""
    if rows := handover_rows(migration, jobs, now):
        st.html(render("batches.handover_table", rows=rows))
    for job in jobs:
        _commands(migration, job)


def handover_detail(migration: Migration, job: JobReport, now: datetime) -> None:
    """The newest due times with a finding, and how to end double runs; nothing without findings."""
    if job.handover is None or not job.handover.kinds:
        return
    found = [(slot, kind) for kind, slots in job.handover.slots.items() for slot in slots]
    newest = sorted(found, key=lambda item: item[0].due_at, reverse=True)[:MAX_SLOTS]
    rows = [
        (
            format_clock(slot.due_at, migration, now),
            TONES[kind],
            kind,
            text.runs_of(slot, "baseline", migration.zone, now),
            text.runs_of(slot, "canary", migration.zone, now),
        )
        for slot, kind in newest
    ]
    st.html(render("batches.handover_slots", rows=rows))
    _commands(migration, job)


def handover_badge(job: JobReport) -> Markup:
    """For the state of a job: that both schedulers run it."""
    return render("batches.handover_badge") if job.runs_twice else Markup("")


def _commands(migration: Migration, job: JobReport) -> None:
    for position, (why, command) in enumerate(text.ending_commands(job, migration.region)):
        st.markdown(f"**{text.runs_twice([job.name])}** {why}" if not position else why)
        st.code(command, language="bash", wrap_lines=True)
