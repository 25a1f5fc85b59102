"""What the judge says of the phase we are in, worked out once a minute and shared by all viewers."""

from dataclasses import dataclass
from datetime import timedelta

import pandas as pd
import streamlit as st

import analysis
from archive import Brought
from migration import Event, Window
from ui.drawing import provisional_from
from ui.house import House

HORIZON_S = 86_400  # so far back the judge looks for the beginning of the phase, and no further for evidence


@dataclass(frozen=True, slots=True)
class JudgementView:
    """A phase, what was judged of it, and how the judgement came about (`trace`: analysis.TRACE_COLUMNS)."""

    phase: analysis.Phase
    phases: tuple[analysis.Phase, ...]
    judgement: analysis.Judgement
    trace: pd.DataFrame
    brought: Brought


def judgement_view(house: House, source: str, *, now_s: int, chosen: int | None = None) -> JudgementView:
    """The judgement of a phase: the one that began at `chosen` (epoch seconds), else the current one. `now_s`: a whole minute."""
    whole = Window(now_s - HORIZON_S, now_s)
    events = tuple(event for event in house.archive.events(whole) if event.kind in ("weight", "deployment"))
    return _judgement_view(house, source, whole, events, chosen, house.archive.revision(source))


@st.cache_resource(max_entries=16, ttl=timedelta(minutes=5), show_spinner=False)
def _judgement_view(
    _house: House, source: str, whole: Window, events: tuple[Event, ...], chosen: int | None, revision: int
) -> JudgementView:
    found = analysis.phases(events, whole)
    phase = next((one for one in found if one.window.start == chosen), found[-1])
    brought = _house.archive.read(phase.window, source)
    criteria, edge = _house.migration.criteria, provisional_from(_house.migration, brought)
    judgement = analysis.judge(
        brought.frame, criteria, window=phase.window, provisional_from=edge, unknown=brought.unknown
    )
    trace = analysis.trace(brought.frame, criteria, window=phase.window, provisional_from=edge, unknown=brought.unknown)
    return JudgementView(phase, found, judgement, trace, brought)
