"""The latency of a whole phase: percentiles of both fleets side by side, and the distribution they come from."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

import analysis
from charts.latency_cdf import latency_cdf_figure
from domain import Window
from domain.latency import LatencySummary
from messages import parity as words
from messages import states
from messages.errors import sources
from reports.evidence.window_latency import labelled_groups, latency_note, latency_table, latency_window
from sources.window_latency import WindowLatency, WindowLatencySource
from ui import layout
from ui.app_context import AppContext
from ui.chart_payload import chart_payload
from ui.components import overlay_chart

INITIAL_WAIT_S = 1.5


def window_latency_section(app: AppContext, source: str, phase: analysis.Phase, *, now: datetime) -> None:
    """The part of a page with its title; has the source asked where that is due."""
    title, explained, label = words.WINDOW_LATENCY_TITLE(), words.WINDOW_LATENCY_EXPLAINED(), states.source_name(source)
    st.html(Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(explained, title))
    if not isinstance(app.metric_source(source), WindowLatencySource):
        _empty_state(words.window_latency_unsupported(label))
        return
    now_s = int(now.timestamp()) // 60 * 60
    window = latency_window(phase, now_s=now_s, provisional_s=app.migration.provisional_minutes * 60)
    if window is None:
        _empty_state(words.WINDOW_LATENCY_TOO_YOUNG())
        return
    told = _read_latency(app, window, source)
    if told is None:
        _empty_state(words.window_latency_requested(label))
        return
    if told.problems:
        st.html(_problems(told))
    groups = labelled_groups(app.migration, told)
    if not groups:
        if told.complete:
            _empty_state(
                words.window_latency_empty(label) if told.covered else words.window_latency_not_retained(label)
            )
        return
    left, right = st.columns([2, 3])
    left.html(
        latency_table_html(groups)
        + Markup("<p class='note'>{}</p>").format(latency_note(app.migration, told, label, now=now))
    )
    figure = latency_cdf_figure(groups, "dark" if layout.is_dark() else "light")
    curves = tuple((name, one.percentiles.get("p50"), one.percentiles.get("p95")) for name, one in groups)
    alternative = f"{title}. {words.distribution_alternative(curves)}"
    with right:
        overlay_chart(chart_payload(figure, alternative), key="distribution", on_range=lambda _ends: None)


def _read_latency(app: AppContext, window: Window, source: str) -> WindowLatency | None:
    """What is known of the window, or of a shorter one; a source that answers at once is waited for."""

    def read() -> WindowLatency | None:
        known: WindowLatency | None = app.archive.metrics.window_latency(window, source)
        return known

    def is_complete() -> bool:
        known = read()
        return known is not None and known.window == window

    app.collector.request_window_latency(window, source)
    if not is_complete():
        app.collector.wait_until(is_complete, timeout_s=INITIAL_WAIT_S)
    return read()


def latency_table_html(groups: Sequence[tuple[str, LatencySummary]]) -> Markup:
    """The percentiles of `reports.evidence.window_latency.named` in HTML."""
    made = latency_table(groups)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in made.head)
    rows = Markup("").join(
        Markup("<tr><th scope='row'>{}</th>{}</tr>").format(name, Markup("").join(_cell(*cell) for cell in row))
        for name, row in made.rows
    )
    return Markup(
        "<div class='forest' role='region' tabindex='0' aria-label='{}'><table><thead><tr>{}</tr></thead>"
        "<tbody>{}</tbody></table></div>"
    ).format(words.WINDOW_LATENCY_TITLE(), cells, rows)


def _cell(text: str, small: str) -> Markup:
    return Markup("<td>{}{}</td>").format(text, Markup("<small>{}</small>").format(small) if small else "")


def _problems(latency: WindowLatency) -> Markup:
    said = [sources.format_problem(problem) for problem in latency.problems]
    return Markup("").join(
        Markup("<div class='trouble'><b>{}</b> {} {}</div>").format(one.title, one.text, one.next_step) for one in said
    )


def _empty_state(text: str) -> None:
    st.html(Markup("<div class='empty'>{}</div>").format(text))
