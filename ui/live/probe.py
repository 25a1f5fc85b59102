"""Probes on Live: the newest results, and the button that sends them after a confirmation."""

from datetime import datetime

import streamlit as st

from messages import probe as text
from reports.templating import render
from services.probing import ProbeRunner, latest_results
from ui import layout
from ui.app_context import AppContext
from ui.components import heartbeat
from ui.layout import format_ago

TONES = {"same": "good", "different": "warn", "unexpected": "bad", "failed": "bad", "refused": "note"}
PROGRESS_REFRESH_S = 2


def probe_section(app: AppContext, *, now: datetime) -> None:
    """Nothing without [[probe]]."""
    migration, runner = app.migration, app.probe_runner
    if not migration.probe or runner is None:
        return
    newest = {(result.method, result.path): result for result in latest_results(app.archive, migration, now=now)}
    rows = [
        (probe, result, format_ago(result.ts, now) if result else "")
        for probe in migration.probe
        for result in [newest.get((probe.method, probe.path))]
    ]
    st.html(render("probe.probe_table", rows=rows, migration=migration, tones=TONES))
    _controls(app, runner, now)


def _start(runner: ProbeRunner) -> None:
    runner.start()


def _controls(app: AppContext, runner: ProbeRunner, now: datetime) -> None:
    if runner.progress is not None:
        layout.note(text.progress(*runner.progress))
        heartbeat(PROGRESS_REFRESH_S, now=now.timestamp(), key="probes")
        return
    total = sum(2 * probe.requests for probe in app.migration.probe)
    hosts = {probe.host for probe in app.migration.probe if probe.host}
    host = ", ".join(sorted(hosts)) or (app.migration.aws.load_balancer_arn.name if app.migration.aws else "")
    with st.popover(str(text.RUN)):
        st.markdown(text.asks(total, host))
        st.button(str(text.CONFIRM), key="send_probes", on_click=_start, args=(runner,))
