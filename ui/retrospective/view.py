"""What the Retrospective page shows, worked out when the archive has learnt more and shared by all its viewers."""

from collections.abc import Hashable
from datetime import datetime, timedelta

import streamlit as st

from analysis import Phase
from charts.base.palette import Theme
from charts.timeline import course_figure
from domain import Event, Window, utc_now
from messages import retrospective as words
from reports.retrospective.render import frame_of
from services.parity import Judged, evidence_of, judge_window
from services.retrospective import Outline, Retrospect, outline, overall, retrospect, until
from ui.app_context import House
from ui.chart_payload import drawing


def outline_view(house: House, source: str, *, now: datetime) -> Outline | None:
    """When what happened, up to the newest settled ten minutes; None where the archive holds nothing of the source."""
    return outline(house.archive, source, end=until(house.migration, now))


def retrospect_view(house: House, told: Outline) -> Retrospect:
    """Everything that is counted. Worked out anew only when the archive has learnt more of this time, or something else happened in it."""
    return _retrospect(house, told, house.archive.version(told.window, told.source))


def course_drawing(
    house: House, told: Outline, window: Window, events: tuple[Event, ...], theme: Theme, sentence: str
) -> tuple[bytes | None, int]:
    """The chart of `window` with `events` as ui.components.overlay_chart takes it, None without numbers; and the seconds of a point."""
    return _course(house, told, window, events, theme, sentence, house.archive.version(window, told.source))


def judged(house: House, source: str, phase: Phase) -> Judged:
    """What the judge says of a phase; that of a closed one is remembered until more of it is answered."""
    return judge_window(house.archive, house.migration, source, evidence_of(phase), now=utc_now())


@st.cache_resource(max_entries=8, ttl=timedelta(hours=1), show_spinner=False)
def _retrospect(_house: House, told: Outline, version: Hashable) -> Retrospect:
    return retrospect(_house.archive, _house.migration, told)


@st.cache_resource(max_entries=24, ttl=timedelta(hours=1), show_spinner=False)
def _course(
    _house: House,
    told: Outline,
    window: Window,
    events: tuple[Event, ...],
    theme: Theme,
    sentence: str,
    version: Hashable,
) -> tuple[bytes | None, int]:
    found = overall(_house.archive, _house.migration, told.source, window)
    if found.empty:
        return None, found.bucket_s
    figure = course_figure(found, told.steps, frame_of(_house.migration, window, theme), events)
    return drawing(figure, words.chart_alternative(sentence)), found.bucket_s
