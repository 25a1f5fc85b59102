"""What the judge says of the phase we are in, worked out once a minute and shared by all viewers."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

import analysis
from archive import Brought
from domain import Window, utc_now
from domain.window import MINUTE_S
from services.parity import HISTORY_S, evidence_of, judge_window, known_phases, trace_brought
from ui.app_context import House


@dataclass(frozen=True, slots=True)
class JudgementView:
    """A phase, what was judged of it, and on which `version` of the numbers of `source`.

    The phase's window is that of the evidence: of one whose beginning nobody saw, its last day. `brought` holds the judge's series alone.
    """

    phase: analysis.Phase
    phases: tuple[analysis.Phase, ...]
    source: str
    version: Hashable
    judgement: analysis.Judgement
    brought: Brought


def judgement_view(house: House, source: str, *, now: datetime, chosen: int | None = None) -> JudgementView:
    """The judgement of a phase: the one that began at `chosen` (epoch seconds), else the current one."""
    _want_history(house)
    now_s = int(now.timestamp()) // MINUTE_S * MINUTE_S
    phases = _phases(house, now_s, house.archive.revision_of_all())
    phase = next((one for one in phases if one.window.start == chosen), phases[-1])
    phase = replace(phase, window=evidence_of(phase))
    version = house.archive.version(phase.window, source)
    return JudgementView(phase, phases, source, version, *_judged(house, source, phase.window, version))


def current_phase(house: House, *, now: datetime) -> analysis.Phase:
    """The phase that we are in, with the window of its evidence."""
    _want_history(house)
    now_s = int(now.timestamp()) // MINUTE_S * MINUTE_S
    phase = _phases(house, now_s, house.archive.revision_of_all())[-1]
    return replace(phase, window=evidence_of(phase))


def trace_of(house: House, view: JudgementView) -> pd.DataFrame:
    """How a judgement came about (analysis.TRACE_COLUMNS). It costs three judgements: only for a page that shows it."""
    return _traced(house, view.source, view.phase.window, view.version, view.brought)


@st.cache_resource(show_spinner=False)
def _want_history(_house: House) -> None:
    """Has every source asked, once in the life of this process, for what happened before the keeper's horizon: phases begin there."""
    for events in _house.sources.events:
        _house.keeper.want(Window.last(HISTORY_S // MINUTE_S, now=utc_now()), events.name)


@st.cache_resource(max_entries=4, ttl=timedelta(minutes=5), show_spinner=False)
def _phases(_house: House, now_s: int, revision: int) -> tuple[analysis.Phase, ...]:
    return known_phases(_house.archive.events(Window(now_s - HISTORY_S, now_s)), end=now_s)


@st.cache_resource(max_entries=16, ttl=timedelta(hours=1), show_spinner=False)
def _judged(_house: House, source: str, window: Window, version: Hashable) -> tuple[analysis.Judgement, Brought]:
    migration, now = _house.migration, utc_now()
    judged = judge_window(_house.archive, migration, source, window, now=now, numbers=True)
    assert judged.brought is not None
    return judged.judgement, judged.brought


@st.cache_resource(max_entries=8, ttl=timedelta(hours=1), show_spinner=False)
def _traced(_house: House, source: str, window: Window, version: Hashable, _brought: Brought) -> pd.DataFrame:
    return trace_brought(_house.migration, _brought, now=utc_now())
