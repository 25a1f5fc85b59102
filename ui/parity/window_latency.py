"""The latency of a whole phase: percentiles of both fleets side by side, and the distribution they come from."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

import analysis
from charts.latency_cdf import distribution_figure
from domain import Window
from domain.latency import Latencies
from messages import parity as words
from messages import states
from messages.errors import sources
from reports.evidence.window_latency import named, note, whole_table, window_of
from sources.window_latency import Whole, WholeWindowSource
from ui import layout
from ui.app_context import House
from ui.chart_payload import drawing
from ui.components import overlay_chart

FIRST_WAIT_S = 1.5


def section(here: House, source: str, phase: analysis.Phase, *, now: datetime) -> None:
    """The part of a page with its title; has the source asked where that is due."""
    title, explained, label = words.whole_title(), words.whole_explained(), states.source_name(source)
    st.html(Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(explained, title))
    if not isinstance(here.metric(source), WholeWindowSource):
        _empty(words.whole_cannot(label))
        return
    now_s = int(now.timestamp()) // 60 * 60
    window = window_of(phase, now_s=now_s, provisional_s=here.migration.provisional_minutes * 60)
    if window is None:
        _empty(words.whole_too_young())
        return
    told = _told(here, window, source)
    if told is None:
        _empty(words.whole_asked(label))
        return
    if told.problems:
        st.html(_troubles(told))
    groups = named(here.migration, told)
    if not groups:
        if told.complete:
            _empty(words.whole_nothing(label) if told.covered else words.whole_not_kept(label))
        return
    left, right = st.columns([2, 3])
    left.html(table(groups) + Markup("<p class='note'>{}</p>").format(note(here.migration, told, label, now=now)))
    figure = distribution_figure(groups, "dark" if layout.is_dark() else "light")
    curves = tuple((name, one.percentiles.get("p50"), one.percentiles.get("p95")) for name, one in groups)
    alternative = f"{title}. {words.distribution_alternative(curves)}"
    with right:
        overlay_chart(drawing(figure, alternative), key="distribution", on_range=lambda _ends: None)


def _told(here: House, window: Window, source: str) -> Whole | None:
    """What is known of the window, or of a shorter one; a source that answers at once is waited for."""

    def told() -> Whole | None:
        return here.archive.whole(window, source)

    def answered() -> bool:
        known = told()
        return known is not None and known.window == window

    here.keeper.want_whole(window, source)
    if not answered():
        here.keeper.wait_until(answered, timeout_s=FIRST_WAIT_S)
    return told()


def table(groups: Sequence[tuple[str, Latencies]]) -> Markup:
    """The percentiles of `reports.evidence.window_latency.named` in HTML."""
    made = whole_table(groups)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in made.head)
    rows = Markup("").join(
        Markup("<tr><th scope='row'>{}</th>{}</tr>").format(name, Markup("").join(_cell(*cell) for cell in row))
        for name, row in made.rows
    )
    return Markup(
        "<div class='forest' role='region' tabindex='0' aria-label='{}'><table><thead><tr>{}</tr></thead>"
        "<tbody>{}</tbody></table></div>"
    ).format(words.whole_title(), cells, rows)


def _cell(text: str, small: str) -> Markup:
    return Markup("<td>{}{}</td>").format(text, Markup("<small>{}</small>").format(small) if small else "")


def _troubles(told: Whole) -> Markup:
    said = [sources.say(problem) for problem in told.problems]
    return Markup("").join(
        Markup("<div class='trouble'><b>{}</b> {} {}</div>").format(one.title, one.text, one.next_step) for one in said
    )


def _empty(text: str) -> None:
    st.html(Markup("<div class='empty'>{}</div>").format(text))
