"""The judgement of a phase for the pages, cached for all viewers until new data arrives."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from analysis import Judgement, Phase
from analysis.parity.verdicts import close_judgement
from archive import MetricsResult
from domain import Window, utc_now
from domain.window import MINUTE_S
from services.parity import PHASE_HISTORY_S, evidence_phase, judge_window, read_phases, trace_result
from ui.app_context import AppContext


@dataclass(frozen=True, slots=True)
class JudgementView:
    """The judgement of `phase`, whose window is its judged part. `result`: the judged data, identified by `cache_key`."""

    phase: Phase
    phases: tuple[Phase, ...]
    source: str
    cache_key: Hashable
    judgement: Judgement
    result: MetricsResult


def judgement_view(app: AppContext, source: str, *, now: datetime, phase_start: int | None = None) -> JudgementView:
    """The judgement of the phase that started at `phase_start` (epoch seconds), else of the current one. Raises ArchiveError."""
    phases = _phases(app, now)
    phase = evidence_phase(next((phase for phase in phases if phase.window.start == phase_start), phases[-1]))
    cache_key = app.archive.metrics.cache_key(phase.window, source)
    judgement, result = _cached_judgement(app, source, phase.window, cache_key)
    if phase.window.end < phases[-1].window.end:
        judgement = close_judgement(judgement)
    return JudgementView(phase, phases, source, cache_key, judgement, result)


def current_phase(app: AppContext, *, now: datetime) -> Phase:
    """The current phase, cut to its judged part. Raises ArchiveError."""
    return evidence_phase(_phases(app, now)[-1])


def judgement_trace(app: AppContext, view: JudgementView) -> pd.DataFrame:
    """The judgement after each minute (analysis.TRACE_COLUMNS). Takes three times as long as the judgement."""
    return _cached_trace(app, view.source, view.phase.window, view.cache_key, view.result)


def _phases(app: AppContext, now: datetime) -> tuple[Phase, ...]:
    _request_history(app)
    minute = now.replace(second=0, microsecond=0)
    return _cached_phases(app, minute, app.archive.change_counter())


@st.cache_resource(show_spinner=False)
def _request_history(_app: AppContext) -> None:
    """Requests the events in which phases start from every source, once per process."""
    for events in _app.sources.events:
        _app.collector.request_window(Window.last(PHASE_HISTORY_S // MINUTE_S, now=utc_now()), events.name)


@st.cache_resource(max_entries=4, ttl=timedelta(minutes=5), show_spinner=False)
def _cached_phases(_app: AppContext, now: datetime, change_counter: int) -> tuple[Phase, ...]:
    return read_phases(_app.archive, now=now)


@st.cache_resource(max_entries=16, ttl=timedelta(hours=1), show_spinner=False)
def _cached_judgement(
    _app: AppContext, source: str, window: Window, cache_key: Hashable
) -> tuple[Judgement, MetricsResult]:
    judged = judge_window(_app.archive, _app.migration, source, window, now=utc_now(), with_result=True)
    assert judged.result is not None
    return judged.judgement, judged.result


@st.cache_resource(max_entries=8, ttl=timedelta(hours=1), show_spinner=False)
def _cached_trace(
    _app: AppContext, source: str, window: Window, cache_key: Hashable, _result: MetricsResult
) -> pd.DataFrame:
    return trace_result(_app.migration, _result, now=utc_now())
