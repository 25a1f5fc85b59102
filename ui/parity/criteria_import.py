"""Finds criteria on Mackerel's dashboards, draws each, and hands out the [[criteria]] of those that were taken. Writes nothing."""

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import streamlit as st

from charts.base.frame import chart_frame
from charts.comparison import comparison_figure
from domain import utc_now
from messages import imports as text
from messages.errors.sources import format_problem
from messages.live import open_in
from reports.templating import render
from services.criteria_import import PairPreview, criteria_toml, new_pairs, preview_pair, read_discovery
from sources.base import Problem
from sources.mackerel.client import MackerelApi
from sources.mackerel.dashboards import Discovery, Pair
from ui import layout
from ui.app_context import AppContext
from ui.chart_payload import chart_payload
from ui.components import overlay_chart
from ui.language import fragment
from ui.style import theme

PAIRS_PER_PAGE = 6  # each is read with requests of its own
MAX_LISTED = 100
FILE_NAME = "criteria.toml"


@dataclass(slots=True)
class _Import:
    """What a session has read, and the names of the pairs that it takes."""

    discovery: Discovery
    previews: dict[str, PairPreview] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def criteria_import_section(app: AppContext) -> None:
    """Mackerel is asked only when the button is pressed, or when further pairs are shown."""
    expander = st.expander(str(text.TITLE), key="criteria_import", on_change="rerun")
    if expander.open:
        with expander:
            fragment(partial(_content, app))


def _content(app: AppContext) -> None:
    layout.note(str(text.EXPLAINED))
    if app.migration.demo:
        layout.empty_state(str(text.PAGE_DEMO))
        return
    key = f"criteria_import {app.migration.slug}"
    known: _Import | Problem | None = st.session_state.get(key)
    with closing(MackerelApi.from_environment()) as api:
        label = text.READ_AGAIN if isinstance(known, _Import) else text.READ
        if st.button(str(label), key="criteria_import_read"):
            known = st.session_state[key] = _read(app, api)
        if isinstance(known, _Import):
            _show(app, api, known)
        elif known:
            _show_problems(known)


def _read(app: AppContext, api: MackerelApi) -> _Import | Problem:
    bar = st.progress(0.0, str(text.READING))

    def on_progress(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), text.progress(text.READING, done, total))

    discovery = read_discovery(api, app.migration, on_progress)
    bar.empty()
    return discovery if isinstance(discovery, Problem) else _Import(discovery)


def _show(app: AppContext, api: MackerelApi, known: _Import) -> None:
    discovery = known.discovery
    layout.note(text.found(discovery))
    pairs = new_pairs(discovery.pairs, app.migration)
    if not pairs:
        reason = text.NO_PAIRS if discovery.dashboards else text.NO_DASHBOARDS
        layout.empty_state(str(text.ALL_CONFIGURED if discovery.pairs else reason))
    shown = _page_of(pairs)
    _read_previews(app, api, known, shown)
    for first in range(0, len(shown), 2):
        for column, pair in zip(st.columns(2), shown[first : first + 2], strict=False):
            with column:
                _pair(app, known, pair, number=first + shown[first : first + 2].index(pair))
    if pairs:
        _taken([pair for pair in pairs if pair.name in known.taken])
    _listed(discovery)


def _page_of(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The pairs to show; with more than PAIRS_PER_PAGE, those that the reader chose."""
    if len(pairs) <= PAIRS_PER_PAGE:
        return pairs
    first = st.selectbox(
        str(text.PAGE_LABEL),
        range(0, len(pairs), PAIRS_PER_PAGE),
        format_func=lambda at: text.page_range(at + 1, min(at + PAIRS_PER_PAGE, len(pairs)), len(pairs)),
        key="criteria_import_page",
        width=260,
    )
    return pairs[first : first + PAIRS_PER_PAGE]


def _read_previews(app: AppContext, api: MackerelApi, known: _Import, shown: tuple[Pair, ...]) -> None:
    unread = [pair for pair in shown if pair.name not in known.previews]
    if not unread:
        return
    bar, now = st.progress(0.0, str(text.READING_GRAPHS)), utc_now()
    for number, pair in enumerate(unread):
        bar.progress(number / len(unread), text.progress(text.READING_GRAPHS, number, len(unread)))
        known.previews[pair.name] = preview_pair(api, app.migration, pair, now=now)
    bar.empty()


def _pair(app: AppContext, known: _Import, pair: Pair, *, number: int) -> None:
    """A pair's switch, how it would be judged, and both fleets in one chart."""
    is_taken = st.checkbox(pair.name, value=pair.name in known.taken, key=f"criteria_import_take {pair.name}")
    (known.taken.add if is_taken else known.taken.discard)(pair.name)
    st.html(
        render("parity.linked", title=pair.name, rows=[(text.described(pair), pair.link)], link_text=pair.dashboard)
    )
    preview = known.previews[pair.name]
    if preview.problems:
        _show_problems(*preview.problems)
    if preview.comparison.empty:
        layout.empty_state(str(text.READ_NOTHING))
        return
    frame = chart_frame(app.migration, preview.window, theme=theme())
    figure = comparison_figure(preview.comparison, frame, margin=preview.criterion.margin)
    overlay_chart(chart_payload(figure, text.chart_explained(pair.name)), key=f"criteria_import_chart_{number}")


def _taken(pairs: list[Pair]) -> None:
    if not pairs:
        layout.note(str(text.NONE_TAKEN))
        return
    toml = criteria_toml(pairs)
    layout.panel_title(str(text.TOML_TITLE))
    st.code(toml, language="toml")
    st.download_button(
        str(text.DOWNLOAD), toml, FILE_NAME, "application/toml", on_click="ignore", icon=":material/download:"
    )


def _listed(discovery: Discovery) -> None:
    """All dashboards and expression monitors, and the graphs that were not read, with links."""
    rows = [(text.unread(graph.title, graph.dashboard, graph.reason), graph.link) for graph in discovery.unread]
    rows += [(text.of_dashboard(dashboard), dashboard.link) for dashboard in discovery.dashboards]
    rows += [(text.of_expression_monitor(monitor), "") for monitor in discovery.monitors]
    more = text.n_more(len(rows) - MAX_LISTED) if len(rows) > MAX_LISTED else ""
    st.html(
        render(
            "parity.linked", title=text.LISTED_TITLE, rows=rows[:MAX_LISTED], link_text=open_in("Mackerel"), more=more
        )
    )


def _show_problems(*problems: Problem) -> None:
    st.html(render("parity.problems", items=[format_problem(problem, is_retried=False) for problem in problems]))
