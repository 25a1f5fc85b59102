"""Open alarms at the top of the Live page."""

from collections.abc import Hashable
from datetime import datetime, timedelta

import streamlit as st

from domain import FLEETS
from messages import alarms as text
from reports.templating import render
from services.alarms import AlarmStatus, read_alarms
from ui.app_context import AppContext
from ui.layout import format_clock


def alarm_status(app: AppContext, source: str, data_time: datetime) -> AlarmStatus:
    """The alarms at `data_time`, cached for all viewers until anything of the migration changes. Raises ArchiveError."""
    return _cached_status(app, source, data_time, app.archive.current_key(app.archive.change_counter))


@st.cache_resource(max_entries=8, ttl=timedelta(minutes=5), show_spinner=False)
def _cached_status(_app: AppContext, source: str, data_time: datetime, cache_key: Hashable) -> AlarmStatus:
    return read_alarms(_app.archive, _app.migration, source, now=data_time)


def alarm_band(app: AppContext, status: AlarmStatus, now: datetime) -> None:
    """A red band with the open alarms, and a remark on rules that could not be checked; nothing without either."""
    labels = {fleet: app.migration.fleets[fleet].label for fleet in FLEETS}
    sentences = [
        text.since(text.sentence(alarm, labels), format_clock(alarm.start, app.migration, now))
        for alarm in status.alarms
    ]
    unknown = text.not_known(rule for rule, _fleet in status.not_known) if status.not_known else ""
    if sentences or unknown or not status.is_known:
        rollback = any(alarm.fleet == "canary" for alarm in status.alarms)
        st.html(
            render(
                "live.alarms",
                sentences=sentences,
                rollback=rollback,
                unknown=unknown if status.is_known else text.NOT_KNOWN,
            )
        )
