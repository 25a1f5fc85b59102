"""Probes on Live: the newest results, and the button that sends them after a confirmation."""

from dataclasses import replace
from datetime import datetime

import streamlit as st

from archive import ArchiveProblem
from messages import probe as text
from messages.errors.sources import Message, format_archive_problem, format_problem
from messages.sign_in import needs_role
from reports.templating import render
from services.probing import ProbeRunner, latest_results
from sources.base import Problem
from ui import layout
from ui.app_context import AppContext
from ui.components import heartbeat
from ui.identity import current_identity
from ui.layout import format_ago

PROGRESS_REFRESH_S = 2


def probe_section(app: AppContext, *, now: datetime) -> None:
    """The results, and the button. Nothing without [[probe]]. Raises ArchiveError."""
    probe_results(app, now=now)
    if app.probe_runner is not None:
        _controls(app, app.probe_runner, now)


def probe_results(app: AppContext, *, now: datetime) -> None:
    """The newest result of each probe; nothing without [[probe]]. Raises ArchiveError."""
    if results := latest_results(app.archive, app.migration, now=now):
        rows = [(probe, result, format_ago(result.ts, now) if result else "") for probe, result in results]
        st.html(render("probe.probe_table", rows=rows, migration=app.migration))


def _start(runner: ProbeRunner) -> None:
    runner.start()


def _message(problem: Problem | ArchiveProblem) -> Message:
    if isinstance(problem, Problem):
        return format_problem(problem, is_retried=False)
    message = format_archive_problem(problem.kind, problem.detail)
    return replace(message, next_step=f"{message.next_step} {text.NOT_STORED}")


def _controls(app: AppContext, runner: ProbeRunner, now: datetime) -> None:
    if runner.progress is not None:
        layout.note(text.progress(*runner.progress))
        heartbeat(PROGRESS_REFRESH_S, now=now.timestamp(), key="probes")
        return
    if runner.problems:
        st.html(render("layout.errors", items=[_message(problem) for problem in runner.problems]))
    if not current_identity(app).may("editor"):
        layout.note(needs_role("editor"))
        return
    total = sum(2 * probe.requests for probe in app.migration.probe)
    hosts = {probe.host for probe in app.migration.probe if probe.host}
    host = ", ".join(sorted(hosts)) or (app.migration.aws.load_balancer_arn.name if app.migration.aws else "")
    with st.popover(str(text.RUN)):
        st.markdown(text.asks(total, host))
        st.button(str(text.CONFIRM), key="send_probes", on_click=_start, args=(runner,))
