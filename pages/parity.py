"""Parity: is it proven equal? The verdict, each criterion in its margin, how the interval developed, and what was excluded."""

from datetime import datetime
from functools import partial

import streamlit as st

from analysis import Phase
from charts.base.frame import chart_frame
from charts.interval_trace import interval_trace_figure
from domain import utc_now
from domain.window import MINUTE_S
from messages import decision, frame, live, times, verdicts
from messages import hero as hero_text
from messages import parity as text
from reports.templating import render as render_html
from services.evaluation import Evaluation
from services.freshness import provisional_from
from services.phases import counted_window, judged_phase
from ui import layout
from ui.app_context import AppContext, get_app_context
from ui.chart_payload import chart_payload
from ui.components import overlay_chart, page_tools
from ui.controls import query_param, query_params, segmented_control, selectbox, source_control
from ui.endpoints.view import endpoints_summary, request_last_days, routes_row
from ui.hero import hero_section, loading_hero, show_in_tab
from ui.language import fragment
from ui.parity.criteria_import import criteria_import_section
from ui.parity.evidence_button import evidence_button
from ui.parity.incidents import incidents_section
from ui.parity.sign_off import sign_off_section
from ui.parity.view import JudgementView, is_loading, judgement_view, phase_evaluation
from ui.parity.window_latency import window_latency_section
from ui.past import finding, past_hero, show_past_in_tab
from ui.silent_criteria import silent_criteria_section
from ui.sources import filling_progress, outage_strip
from ui.style import is_kiosk, theme
from ui.verdicts import criteria_table

REFRESH_S = 60  # a judgement changes once a minute


def render() -> None:
    app = get_app_context()
    layout.demo_banner(app.migration)
    fragment(partial(_content, app), run_every=REFRESH_S)


def _content(app: AppContext) -> None:
    with layout.archive_state(app.migration, app.archive, str(live.ARCHIVE_ERROR)):
        _judgement(app, utc_now())


def _judgement(app: AppContext, now: datetime) -> None:
    source, phase_start = query_param("source", app.source_names), query_params().get("phase", "")
    view = judgement_view(app, source, now=now, phase_start=phase_start)

    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        layout.page_title(app.migration, str(text.PARITY_TITLE))
        if len(view.phases) > 1:
            _phase_select(app, view, now)
        source_control(app.source_names, source)
        evidence_button(app, view, source)
        page_tools(frame.page_tools(), is_kiosk=is_kiosk())
    layout.retention_note(app.migration, view.phase.window, now)
    evaluation = phase_evaluation(app, view, now=now)
    _hero(app, view, evaluation, source, now)
    _summary(view, evaluation)
    st.html(criteria_table(app.migration, view.judgement, routes_row(app, view.phase.window)))
    if not view.phase.is_over:
        silent_criteria_section(app, source, now=now)
    _counts(app, view)
    with st.container():
        incidents_section(app, evaluation, now=now)
    _interval_trace(app, view)
    window_latency_section(app, source, judged_phase(view.phase), now=now)
    st.html(endpoints_summary(app, view.phase.window))
    with st.container():
        sign_off_section(app, view, evaluation, source, now=now)
    _folded(app, view, now)
    request_last_days(app, view.phase.window, now=now)


def _folded(app: AppContext, view: JudgementView, now: datetime) -> None:
    """What was not judged, what would change the verdict, and how it is judged."""
    excluded = [
        (verdicts.metric(result.criterion), text.excluded_minutes(result)) for result in view.judgement.criteria
    ]
    headroom = [
        (verdicts.metric(result.criterion), verdicts.would_change(result, app.migration.labels))
        for result in verdicts.deciding_criteria(view.judgement)
    ]
    clock = layout.format_clock(view.phase.window.start, app.migration, now)
    horizon = text.evidence_horizon(view.phase.started_by, clock)
    with st.expander(str(text.EXCLUDED_TITLE), key="excluded"):
        st.html(render_html("parity.pairs", title=text.EXCLUDED_TITLE, rows=excluded, note=horizon))
    with st.expander(str(text.WOULD_CHANGE_TITLE), key="headroom"):
        st.html(render_html("parity.pairs", title=text.WOULD_CHANGE_TITLE, rows=headroom))
    with st.expander(str(frame.METHOD_TITLE), key="method"):
        layout.note(str(frame.METHOD))
        if methods := render_html("verdicts.methods", results=view.judgement.criteria):
            st.html(methods)
    criteria_import_section(app)


def _hero(app: AppContext, view: JudgementView, evaluation: Evaluation, source: str, now: datetime) -> None:
    """The decision of the current phase, or what happened in one that is over."""
    outage_strip(app, None if evaluation.is_over else evaluation.data_until, now=now)
    page = str(text.PARITY_TITLE)
    with st.container():
        loading = is_loading(app, view)
        if evaluation.is_over and loading and filling_progress(app, source):
            show_past_in_tab(app.migration, text.phase_name(view.phase), str(hero_text.LOADING), page)
            st.html(loading_hero(""))
            return
        if evaluation.is_over:
            _css, sign, sentence = finding(evaluation)
            show_past_in_tab(app.migration, text.phase_name(view.phase), f"{sign} {sentence}", page)
            st.html(past_hero(evaluation))
            return
        show_in_tab(app.migration, evaluation, page, is_loading=loading)
        hero_section(app, source, evaluation, now=now, refresh_s=REFRESH_S, is_loading=loading)


def _phase_select(app: AppContext, view: JudgementView, now: datetime) -> None:
    # A phase is identified by its start, which does not change.
    labels = {str(phase.window.start): _phase_label(app, view, phase, now) for phase in reversed(view.phases)}
    selectbox("phase", str(text.PHASE_TITLE), list(labels), str(view.phase.window.start), labels.__getitem__, width=420)


def _phase_label(app: AppContext, view: JudgementView, phase: Phase, now: datetime) -> str:
    """The share, the time, and how the phase ended; of the selected one that goes on, the verdict."""
    zone = app.migration.zone
    span = times.span(phase.window.starts_at, phase.window.ends_at, zone, now=now)
    if not phase.is_over:
        span = frame.until_now(times.clock(phase.window.starts_at, zone, now=now))
    result = str(decision.OUTCOMES[phase.outcome])
    if not phase.is_over and phase == view.phase:
        verdict = view.judgement.verdict
        result = f"{verdicts.SIGNS[verdict]} {verdicts.label(verdict)}"
    return f"{text.phase(phase, span)} · {result}"


def _summary(view: JudgementView, evaluation: Evaluation) -> None:
    phase = view.phase
    counts, judged = evaluation.counts_of_judged_phase, phase.judged_window
    length_s = judged.minutes * MINUTE_S
    ended = times.span(judged.starts_at, judged.ends_at, evaluation.zone) if phase.is_over else ""
    layout.note(text.summary(view.judgement, phase.canary_share, length_s, evaluation.labels, counts, ended=ended))


def _counts(app: AppContext, view: JudgementView) -> None:
    """The requests and errors of the whole phase, and how much of it was judged."""
    window = counted_window(view.phase, view.judged.final_until)
    if sentence := text.phase_counts(view.counts, view.judgement, window.minutes, app.migration.labels):
        layout.note(sentence)


def _interval_trace(app: AppContext, view: JudgementView) -> None:
    criteria = {result.metric: result.criterion for result in view.judgement.criteria}
    metric = query_param("criterion", list(criteria))
    title = text.interval_trace_title(verdicts.metric(criteria[metric]))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        layout.panel_title(title, tooltip=str(text.INTERVAL_TRACE_EXPLAINED))
        segmented_control(
            "criterion", str(text.CRITERION_TITLE), list(criteria), metric, lambda name: verdicts.metric(criteria[name])
        )
    trace = view.trace[view.trace["metric"] == metric]
    if trace["lower"].isna().all():
        layout.empty_state(str(text.NO_DATA_YET))
        return
    provisional = provisional_from(app.migration, view.judged.result.last_asked_at or 0)
    chart = chart_frame(app.migration, view.phase.judged_window, provisional_from=provisional, theme=theme())
    figure = interval_trace_figure(trace, chart, quantity=criteria[metric].quantity)
    overlay_chart(chart_payload(figure, f"{title}. {text.INTERVAL_TRACE_EXPLAINED}"), key="interval_trace")
