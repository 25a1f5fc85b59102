"""The alarms of now, for pages and commands, and their events in the archive."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import analysis
from analysis import ALARM_RULES, Alarm, AlarmData, AlarmRule, AlarmState, LabelledAlarm, SplitShares
from analysis.alarms.rules import SCATTER_MINUTES
from archive import Archive
from domain import FLEETS, Event, FleetName, Migration, Series, Window
from domain.serialization import to_json
from domain.series import ALB_COUNTS
from domain.window import DAY_S, MINUTE_S
from services.freshness import is_stale
from sources.base import MetricSource

ALARM_EVENTS = "alarms"  # the source of these events
MAX_WEIGHTS_AGE_S = 300  # weights are read every 15 s
RECENT_S = 900  # counts of older minutes are final


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """The open alarms, oldest first. `checked_until`: the end of the newest minute with data (epoch seconds; None without any).

    `not_known`: the rules that could not be checked, because their data is missing or too old.
    """

    alarms: tuple[Alarm, ...]
    checked_until: int | None
    not_known: tuple[tuple[AlarmRule, FleetName], ...]

    @property
    def is_known(self) -> bool:
        """Whether it is known that there is an alarm, or that at least one rule raises none."""
        return bool(self.alarms) or len(self.not_known) < len(ALARM_RULES) * len(FLEETS)


def alarm_window(now: datetime) -> Window:
    """The data that the rules need at `now`."""
    return Window.last(SCATTER_MINUTES, now=now)


def read_alarms(archive: Archive, migration: Migration, source: str, *, now: datetime) -> AlarmStatus:
    """The alarms that are open in the newest data of `source`, each since the start of its event. Never fetches. Raises ArchiveError."""
    stored = [event for event in archive.events.of_source(ALARM_EVENTS) if event.open]
    _, state = _evaluate(archive, migration, source, stored, now)
    alarms = (
        replace(alarm, start=min([alarm.start, *(event.ts for event in stored if _is_same(event, alarm))]))
        for alarm in state.alarms
        if alarm.open
    )
    return AlarmStatus(tuple(alarms), state.checked_until, state.not_known)


def alarm_saver(
    archive: Archive, migration: Migration, sources: Sequence[MetricSource]
) -> Callable[[MetricSource, datetime], None]:
    """For a collector: saves the alarms when new metrics of the first source were polled."""

    def save(source: MetricSource, now: datetime) -> None:
        if source.name == sources[0].name:
            save_alarms(archive, migration, source.name, now=now)

    return save


def save_alarms(archive: Archive, migration: Migration, source: str, *, now: datetime) -> None:
    """Keeps the alarms of now as events, one for each stretch: a known one is updated until it is over. Raises ArchiveError."""
    stored = archive.events.of_source(ALARM_EVENTS)
    window, state = _evaluate(archive, migration, source, stored, now)
    if any(event.open for event in stored) or _recent(state):
        archive.events.replace_events(ALARM_EVENTS, lambda events: merge_events(migration, events, state, window))


def merge_events(migration: Migration, stored: Iterable[Event], state: AlarmState, window: Window) -> tuple[Event, ...]:
    """The stored events with the alarms of `state`, which was evaluated in `window`. An open event without an alarm is over."""
    events = {event.key: event for event in stored}
    merged, recent = set[str](), _recent(state)
    for alarm in state.alarms:
        known = [event for event in events.values() if _is_same(event, alarm)]
        event = _event(migration, alarm)
        for other in known:
            if other.ts < alarm.start and other.until == alarm.until and not alarm.open:
                event = other  # its first minutes are not in the window any more
            elif not other.open and alarm not in recent:
                event = other
            else:
                event = replace(event, ts=min(event.ts, other.ts), key=min(event, other, key=lambda e: e.ts).key)
            events.pop(other.key)
        if known or alarm in recent:
            events[event.key] = event
            merged.add(event.key)
    for event in list(events.values()):
        if event.open and event.key not in merged:
            until = max(state.checked_until or window.start, event.ts + MINUTE_S)
            events[event.key] = replace(event, open=False, until=until)
    return tuple(sorted(events.values()))


def _evaluate(
    archive: Archive, migration: Migration, source: str, stored: Iterable[Event], now: datetime
) -> tuple[Window, AlarmState]:
    """The alarms of the last three hours, and of those before an event that is still open."""
    window = alarm_window(now)
    first = min((event.ts for event in stored if event.open), default=window.end)
    start = max(min(window.start, first - first % MINUTE_S - SCATTER_MINUTES * MINUTE_S), window.end - DAY_S)
    window = Window(start, window.end)
    result = archive.metrics.read(window, source, now=now, series_filter=_is_needed)
    unknown: dict[FleetName, list[Window]] = {fleet: [] for fleet in FLEETS}
    for series, gaps in result.unknown.items():
        for fleet in FLEETS:
            if (series.fleet, series.metric) == (fleet, "requests"):
                unknown[fleet] += gaps
    grid = analysis.time_grid(result.frame, window, result.unknown, period_s=MINUTE_S)
    state = analysis.find_alarms(AlarmData(grid, _split(archive, now), unknown))
    if is_stale(migration, source, state.checked_until, now):
        ended = tuple(replace(alarm, until=alarm.until or state.checked_until) for alarm in state.alarms)
        state = AlarmState(ended, state.checked_until, tuple((rule, fleet) for rule in ALARM_RULES for fleet in FLEETS))
    return window, state


def _is_needed(series: Series) -> bool:
    if series.metric == "latency":
        return series.stat in ("p95", "sample_count")
    return series.stat == "sum" and (series.fleet in FLEETS or series.metric == ALB_COUNTS[0])


def _split(archive: Archive, now: datetime) -> SplitShares | None:
    """The configured shares; None if they were not read within MAX_WEIGHTS_AGE_S."""
    latest = archive.events.latest_traffic()
    if latest is None or now.timestamp() - latest[1] > MAX_WEIGHTS_AGE_S or not latest[0].configured_shares:
        return None
    traffic = latest[0]
    changed = max((change.ts for change in archive.events.weight_changes()), default=None)
    settled_at = 0 if changed is None else (changed // MINUTE_S + 1) * MINUTE_S
    sticky = traffic.split is not None and traffic.split.stickiness_s is not None
    shares = {fleet: float(share) for fleet, share in traffic.configured_shares.items()}
    return SplitShares(shares, settled_at, only_split=not sticky and not traffic.deviating_rules)


def _recent(state: AlarmState) -> tuple[Alarm, ...]:
    """The alarms in minutes that may not have been evaluated before in their final form."""
    since = (state.checked_until or 0) - RECENT_S
    return tuple(alarm for alarm in state.alarms if alarm.until is None or alarm.until > since)


def _is_same(event: Event, alarm: Alarm) -> bool:
    """Whether a stored event is of this stretch: the counts of its first or last minutes may have been revised."""
    overlaps = (alarm.until is None or event.ts <= alarm.until) and (event.until is None or event.until >= alarm.start)
    return overlaps and event.key.startswith(f"{alarm.rule}:{alarm.fleet}:")


def _event(migration: Migration, alarm: Alarm) -> Event:
    return Event(
        ts=alarm.start,
        until=alarm.until,
        kind="alarm",
        title=f"{migration.labels[alarm.fleet]} {alarm.rule}",
        detail=to_json(LabelledAlarm(alarm, migration.labels)),
        fleet=alarm.fleet,
        link="",
        source=ALARM_EVENTS,
        key=f"{alarm.rule}:{alarm.fleet}:{alarm.start}",
        open=alarm.open,
    )
