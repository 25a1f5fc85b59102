"""Parity: is it proven equal? A sentence, every criterion in its margin, how the interval came about, and what was left out."""

from datetime import datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from charts.base.palette import Theme
from charts.interval_trace import interval_trace_figure
from domain import utc_now
from messages import live as live_words
from messages import parity as words
from messages import states, times
from messages import verdicts as said
from ui import app_context, layout, verdicts
from ui.app_context import AppContext
from ui.chart_payload import chart_frame, chart_payload
from ui.components import overlay_chart
from ui.controls import query_param, query_params, segmented_control, selectbox
from ui.endpoints import view as endpoints
from ui.parity import window_latency
from ui.parity.evidence_button import evidence_button
from ui.parity.view import JudgementView, judgement_trace, judgement_view

REFRESH_S = 60  # a judgement moves with the minute


def render() -> None:
    """The page: one fragment that is judged anew every minute."""
    here = app_context.get_app_context()
    if here.migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b></div>").format(live_words.DEMO_MARK()))
    st.fragment(partial(_content, here), run_every=REFRESH_S)()


def _content(app: AppContext) -> None:
    with layout.show_archive_errors(live_words.ARCHIVE_ERROR()):
        _judgement(app, utc_now())


def _judgement(app: AppContext, now: datetime) -> None:
    source = query_param("source", app.source_names)
    chosen = query_params().get("phase", "")
    view = judgement_view(app, source, now=now, phase_start=int(chosen) if chosen.isdigit() else None)

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(Markup("<h1 class='page-title'>{}</h1>").format(app.migration.name), width="content")
        if len(app.source_names) > 1:
            segmented_control("source", live_words.SOURCE(), app.source_names, source, states.source_name)
        if len(view.phases) > 1:
            _phase_select(app, view, now)
        evidence_button(app, view, source)
    _headline(app, view)
    st.html(verdicts.criteria_table(app.migration, view.judgement))
    _interval_trace(app, view)
    window_latency.window_latency_section(app, source, view.phase, now=now)
    _needed_for_decision(view)
    st.html(endpoints.endpoints_summary(app, view.phase.window))
    _excluded(view)


def _phase_select(app: AppContext, view: JudgementView, now: datetime) -> None:
    names = {
        str(phase.window.start): words.phase(
            phase.canary_share,
            times.span(phase.window.starts_at, phase.window.ends_at, app.migration.zone, now=now),
        )
        for phase in reversed(view.phases)
    }
    # Its start names a phase: that does not move while time goes on.
    shown = next(at for at in view.phases if at.window.end == view.phase.window.end)
    selectbox("phase", words.PHASE_TITLE(), list(names), str(shown.window.start), names.__getitem__)


def _headline(app: AppContext, view: JudgementView) -> None:
    fleets, judgement = app.migration.fleets, view.judgement
    most = max(judgement.criteria, key=lambda one: one.baseline_requests + one.canary_requests)
    opening = words.opening(
        view.phase.canary_share,
        view.phase.window.end - view.phase.window.start,
        most.baseline_requests,
        most.canary_requests,
    )
    sentences = " ".join(
        said.sentence(one, baseline=fleets.baseline.label, canary=fleets.canary.label)
        for one in said.deciding_criteria(judgement)
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
        st.html(Markup("<div class='note'>{}</div>").format(words.DEFAULT_CRITERIA()))


def _interval_trace(app: AppContext, view: JudgementView) -> None:
    criteria = {one.metric: one for one in view.judgement.criteria}
    asked = query_params().get("criterion", "")
    metric = asked if asked in criteria else next(iter(criteria))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        title = words.interval_trace_title(said.metric(criteria[metric].criterion))
        st.html(
            Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(
                words.INTERVAL_TRACE_EXPLAINED(), title
            )
        )
        segmented_control(
            "criterion",
            words.CRITERION_TITLE(),
            list(criteria),
            metric,
            lambda name: said.metric(criteria[name].criterion),
        )
    trace = judgement_trace(app, view)
    trace = trace[trace["metric"] == metric]
    if trace["low"].isna().all():
        st.html(Markup("<div class='empty'>{}</div>").format(words.NO_DATA_YET()))
        return
    theme: Theme = "dark" if layout.is_dark() else "light"
    frame = chart_frame(app.migration, view.phase.window, view.result, theme)
    figure = interval_trace_figure(trace, frame, is_latency=said.is_latency(criteria[metric].criterion))
    overlay_chart(
        chart_payload(figure, f"{title}. {words.INTERVAL_TRACE_EXPLAINED()}"), key="ribbon", on_range=lambda _ends: None
    )


def _needed_for_decision(view: JudgementView) -> None:
    rows = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td></tr>").format(said.metric(one.criterion), said.would_change(one))
        for one in said.deciding_criteria(view.judgement)
    )
    st.html(
        Markup("<section class='below'><h2>{}</h2><table class='sources pairs'>{}</table></section>").format(
            words.WOULD_CHANGE_TITLE(), rows
        )
    )


def _excluded(view: JudgementView) -> None:
    rows = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td></tr>").format(
            said.metric(one.criterion),
            " · ".join(said.excluded(why, count) for why, count in (one.excluded or {}).items() if count)
            or words.NOTHING_EXCLUDED(),
        )
        for one in view.judgement.criteria
    )
    st.html(
        Markup(
            "<section class='below'><h2>{}</h2><table class='sources pairs'>{}</table><p class='note'>{}</p></section>"
        ).format(words.EXCLUDED_TITLE(), rows, words.evidence_horizon(start_unknown=view.phase.started_by == "window"))
    )
