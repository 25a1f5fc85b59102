"""Parity: is it proven equal? A sentence, every criterion in its margin, how the interval came about, and what was left out."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from charts.base.palette import Theme
from charts.interval_trace import ribbon_figure
from domain import utc_now
from messages import live as live_words
from messages import parity as words
from messages import states, times
from messages import verdicts as said
from ui import app_context, layout, verdicts
from ui.app_context import House
from ui.chart_payload import drawing, frame_of
from ui.components import overlay_chart
from ui.controls import parameter, parameters, select, switch
from ui.endpoints import view as endpoints
from ui.parity import window_latency
from ui.parity.evidence_button import evidence_button
from ui.parity.view import JudgementView, judgement_view, trace_of

REFRESH_S = 60  # a judgement moves with the minute


def render() -> None:
    """The page: one fragment that is judged anew every minute."""
    here = app_context.house()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.demo_mark()))
    st.fragment(partial(_board, here), run_every=REFRESH_S)()


def _board(here: House) -> None:
    with layout.needs_archive(live_words.archive_trouble()):
        _prove(here, utc_now())


def _prove(here: House, now: datetime) -> None:
    source = parameter("source", here.source_names)
    chosen = parameters().get("phase", "")
    view = judgement_view(here, source, now=now, chosen=int(chosen) if chosen.isdigit() else None)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(here.migration.name), width="content")
        if len(here.source_names) > 1:
            switch("source", live_words.source(), here.source_names, source, states.source_name)
        if len(view.phases) > 1:
            _phases(here, view, now)
        evidence_button(here, view, source)
    _sentence(here, view)
    st.html(verdicts.table(here.migration, view.judgement))
    _ribbon(here, view)
    window_latency.section(here, source, view.phase, now=now)
    _would_change(view)
    st.html(endpoints.summary(here, view.phase.window))
    _left_out(view)


def _phases(here: House, view: JudgementView, now: datetime) -> None:
    names = {
        str(phase.window.start): words.phase(
            phase.canary_share,
            times.span(phase.window.starts_at, phase.window.ends_at, here.migration.zone, now=now),
        )
        for phase in reversed(view.phases)
    }
    # Its start names a phase: that does not move while time goes on.
    shown = next(at for at in view.phases if at.window.end == view.phase.window.end)
    select("phase", words.phase_title(), list(names), str(shown.window.start), names.__getitem__)


def _sentence(here: House, view: JudgementView) -> None:
    fleets, judgement = here.migration.fleets, view.judgement
    most = max(judgement.criteria, key=lambda one: one.baseline_requests + one.canary_requests)
    opening = words.opening(
        view.phase.canary_share,
        view.phase.window.end - view.phase.window.start,
        most.baseline_requests,
        most.canary_requests,
    )
    sentences = " ".join(
        said.sentence(one, baseline=fleets.baseline.label, canary=fleets.canary.label)
        for one in said.deciding(judgement)
    )
    st.html(
        Markup("<p class='aloud'><b class='word {}'>{} {}</b>{} {}</p>").format(
            verdicts.TONES[judgement.verdict],
            said.SIGNS[judgement.verdict],
            said.headline(judgement),
            opening,
            sentences,
        )
    )
    if judgement.default_criteria:
        st.html(Markup("<div class='note'>{}</div>").format(words.default_criteria()))


def _ribbon(here: House, view: JudgementView) -> None:
    criteria = {one.metric: one for one in view.judgement.criteria}
    asked = parameters().get("criterion", "")
    metric = asked if asked in criteria else next(iter(criteria))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        title = words.ribbon_title(said.metric(criteria[metric].criterion))
        st.html(Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(words.ribbon_explained(), title))
        switch(
            "criterion",
            words.criterion_title(),
            list(criteria),
            metric,
            lambda name: said.metric(criteria[name].criterion),
        )
    trace = trace_of(here, view)
    trace = trace[trace["metric"] == metric]
    if trace["low"].isna().all():
        st.html(Markup("<div class='empty'>{}</div>").format(words.nothing_yet()))
        return
    theme: Theme = "dark" if layout.is_dark() else "light"
    frame = frame_of(here.migration, view.phase.window, view.brought, theme)
    figure = ribbon_figure(trace, frame, latency=said.is_latency(criteria[metric].criterion))
    overlay_chart(drawing(figure, f"{title}. {words.ribbon_explained()}"), key="ribbon", on_range=lambda _ends: None)


def _would_change(view: JudgementView) -> None:
    rows = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td></tr>").format(said.metric(one.criterion), said.would_change(one))
        for one in said.deciding(view.judgement)
    )
    st.html(
        Markup("<section class='below'><h2>{}</h2><table class='sources pairs'>{}</table></section>").format(
            words.would_change_title(), rows
        )
    )


def _left_out(view: JudgementView) -> None:
    rows = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td></tr>").format(
            said.metric(one.criterion),
            " · ".join(said.left_out(why, count) for why, count in (one.left_out or {}).items() if count)
            or words.nothing_left_out(),
        )
        for one in view.judgement.criteria
    )
    st.html(
        Markup(
            "<section class='below'><h2>{}</h2><table class='sources pairs'>{}</table><p class='note'>{}</p></section>"
        ).format(words.left_out_title(), rows, words.evidence_horizon(unseen=view.phase.begun_by == "window"))
    )
