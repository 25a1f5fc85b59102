"""The open alarms, cached for all viewers."""

from collections.abc import Hashable
from datetime import datetime, timedelta

from services.alarms import AlarmStatus, read_alarms
from ui.app_context import AppContext, cached_view


def alarm_status(app: AppContext, source: str, data_time: datetime) -> AlarmStatus:
    """The alarms at `data_time`, cached for all viewers until anything of the migration changes. Raises ArchiveError."""
    return _cached_status(app, source, data_time, app.archive.current_key(app.archive.change_counter))


@cached_view(max_entries=8, ttl=timedelta(minutes=5))
def _cached_status(app: AppContext, source: str, data_time: datetime, cache_key: Hashable) -> AlarmStatus:
    return read_alarms(app.archive, app.migration, source, now=data_time)
