"""Criteria of one's own that have gone silent, on every page on which they stand."""

from datetime import datetime, timedelta

import streamlit as st

from messages import live as text
from messages.errors.sources import shorten
from services.criteria import SilentCriterion, silent_criteria
from ui import layout
from ui.app_context import AppContext, cached_view


def silent_criteria_section(app: AppContext, source: str, *, now: datetime) -> None:
    """A sentence for each that may have been renamed, in a container that may stay empty. Raises ArchiveError."""
    minute = now.replace(second=0, microsecond=0)

    def read() -> tuple[SilentCriterion, ...]:
        return _cached_silent_criteria(app, source, minute, app.archive.change_counter())

    with st.container():
        for silent in (
            app.archive.last_view("silent_criteria", source, None, read) if app.migration.own_criteria else ()
        ):
            label, query = app.migration.labels[silent.fleet], str(silent.criterion.query(silent.fleet))
            layout.warning(text.silent_criterion(silent.criterion.name, label, shorten(query)))


@cached_view(max_entries=4, ttl=timedelta(minutes=5))
def _cached_silent_criteria(
    app: AppContext, source: str, now: datetime, change_counter: int
) -> tuple[SilentCriterion, ...]:
    return silent_criteria(app.archive, app.migration, source, now=now)
