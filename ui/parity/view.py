"""What the judge says of the phase we are in, worked out once a minute and shared by all viewers."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

import analysis
from archive import MetricsResult
from domain import Window, utc_now
from domain.window import MINUTE_S
from services.parity import PHASE_HISTORY_S, evidence_window, judge_window, known_phases, trace_result
from ui.app_context import AppContext


@dataclass(frozen=True, slots=True)
class JudgementView:
    """A phase, what was judged of it, and on which `version` of the numbers of `source`.

    The phase's window is that of the evidence: of one whose beginning nobody saw, its last day. `brought` holds the judge's series alone.
    """

    phase: analysis.Phase
    phases: tuple[analysis.Phase, ...]
    source: str
    cache_key: Hashable
    judgement: analysis.Judgement
    result: MetricsResult


def judgement_view(app: AppContext, source: str, *, now: datetime, phase_start: int | None = None) -> JudgementView:
    """The judgement of a phase: the one that began at `chosen` (epoch seconds), else the current one."""
    _request_history(app)
    now_s = int(now.timestamp()) // MINUTE_S * MINUTE_S
    phases = _cached_phases(app, now_s, app.archive.change_counter())
    phase = next((one for one in phases if one.window.start == phase_start), phases[-1])
    phase = replace(phase, window=evidence_window(phase))
    version = app.archive.metrics.cache_key(phase.window, source)
    return JudgementView(phase, phases, source, version, *_cached_judgement(app, source, phase.window, version))


def current_phase(app: AppContext, *, now: datetime) -> analysis.Phase:
    """The phase that we are in, with the window of its evidence."""
    _request_history(app)
    now_s = int(now.timestamp()) // MINUTE_S * MINUTE_S
    phase = _cached_phases(app, now_s, app.archive.change_counter())[-1]
    return replace(phase, window=evidence_window(phase))


def judgement_trace(app: AppContext, view: JudgementView) -> pd.DataFrame:
    """How a judgement came about (analysis.TRACE_COLUMNS). It costs three judgements: only for a page that shows it."""
    return _cached_trace(app, view.source, view.phase.window, view.cache_key, view.result)


@st.cache_resource(show_spinner=False)
def _request_history(_app: AppContext) -> None:
    """Has every source asked, once in the life of this process, for what happened before the keeper's horizon: phases begin there."""
    for events in _app.sources.events:
        _app.collector.request_window(Window.last(PHASE_HISTORY_S // MINUTE_S, now=utc_now()), events.name)


@st.cache_resource(max_entries=4, ttl=timedelta(minutes=5), show_spinner=False)
def _cached_phases(_app: AppContext, now_s: int, change_counter: int) -> tuple[analysis.Phase, ...]:
    return known_phases(_app.archive.events.read(Window(now_s - PHASE_HISTORY_S, now_s)), end=now_s)


@st.cache_resource(max_entries=16, ttl=timedelta(hours=1), show_spinner=False)
def _cached_judgement(
    _app: AppContext, source: str, window: Window, cache_key: Hashable
) -> tuple[analysis.Judgement, MetricsResult]:
    migration, now = _app.migration, utc_now()
    judged = judge_window(_app.archive, migration, source, window, now=now, with_result=True)
    assert judged.result is not None
    return judged.judgement, judged.result


@st.cache_resource(max_entries=8, ttl=timedelta(hours=1), show_spinner=False)
def _cached_trace(
    _app: AppContext, source: str, window: Window, cache_key: Hashable, _result: MetricsResult
) -> pd.DataFrame:
    return trace_result(_app.migration, _result, now=utc_now())
