"""The latency of a phase as one period: percentiles of both fleets side by side, and their distributions."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

from analysis import Phase
from charts.latency_cdf import latency_cdf_figure
from domain import Window
from domain.latency import LatencySummary
from messages import parity as text
from messages import states
from messages.errors import sources
from reports.evidence.window_latency import labelled_groups, latency_note, latency_table
from reports.templating import render
from services.window_latency import latency_window
from sources.window_latency import WindowLatency, WindowLatencySource
from ui import layout
from ui.app_context import AppContext
from ui.chart_payload import chart_payload
from ui.components import overlay_chart
from ui.style import theme

INITIAL_WAIT_S = 1.5


def window_latency_section(app: AppContext, source: str, phase: Phase, *, now: datetime) -> None:
    """Requests the latency from the source if necessary, and shows what is known."""
    layout.panel_title(str(text.WINDOW_LATENCY_TITLE), tooltip=str(text.WINDOW_LATENCY_EXPLAINED))
    label = states.source_name(source)
    if not isinstance(app.metric_source(source), WindowLatencySource):
        layout.empty_state(text.window_latency_unsupported(label))
        return
    window = latency_window(app.migration, phase, now=now)
    if window is None:
        layout.empty_state(str(text.WINDOW_LATENCY_TOO_YOUNG))
        return
    latency = _read_latency(app, window, source)
    if latency is None:
        layout.empty_state(text.window_latency_requested(label))
        return
    if latency.problems:
        st.html(render("parity.problems", items=[sources.format_problem(problem) for problem in latency.problems]))
    groups = labelled_groups(app.migration, latency)
    if groups:
        _show(groups, latency_note(app.migration, latency, label, now=now))
    elif latency.complete:
        empty = text.window_latency_empty if latency.covered else text.window_latency_not_retained
        layout.empty_state(empty(label))


def _read_latency(app: AppContext, window: Window, source: str) -> WindowLatency | None:
    """The latency of the window, or of an earlier one. Waits a moment for the source."""

    def read() -> WindowLatency | None:
        return app.archive.metrics.window_latency(window, source)

    def is_complete() -> bool:
        latency = read()
        return latency is not None and latency.window == window

    app.collector.request_window_latency(window, source)
    if not is_complete():
        app.collector.wait_until(is_complete, timeout_s=INITIAL_WAIT_S)
    return read()


def _show(groups: Sequence[tuple[str, LatencySummary]], note: str) -> None:
    left, right = st.columns([2, 3])
    left.html(latency_table_html(groups) + Markup("<p class='note'>{}</p>").format(note))
    curves = tuple((name, group.percentiles.get("p50"), group.percentiles.get("p95")) for name, group in groups)
    alt_text = f"{text.WINDOW_LATENCY_TITLE}. {text.distribution_alternative(curves)}"
    with right:
        overlay_chart(chart_payload(latency_cdf_figure(groups, theme()), alt_text), key="distribution")


def latency_table_html(groups: Sequence[tuple[str, LatencySummary]]) -> Markup:
    """The table of `labelled_groups`."""
    return render("parity.latency_table", title=text.WINDOW_LATENCY_TITLE, table=latency_table(groups))
