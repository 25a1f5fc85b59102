"""The archive's events: traffic snapshots, weight changes, deployments, triggers, and the state of each source."""

import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from sqlalchemy import Connection, select

from archive.db import schema
from archive.db.database import Database
from archive.db.stored_json import read_stored
from archive.db.upsert import upsert
from archive.events import deployment_state, weight_changes
from archive.events.backlog import add_event_coverage, read_event_coverage
from archive.events.deployment_state import PastState
from archive.events.deployments import read_deployments, write_deployments
from archive.events.events import (
    delete_missing_events,
    overlaps,
    read_events,
    read_events_of,
    replace_events_of,
    write_events,
)
from archive.events.source_state import SourceState, read_states, save_answer_state, save_state
from archive.events.traffic_snapshots import read_latest_snapshot, save_snapshot
from archive.events.weight_changes import WeightHistory
from domain import Event, Traffic, WeightChange, Window
from domain.deployments import Deployment, DeploymentState
from domain.serialization import to_json
from domain.traffic import detect_weight_change
from domain.triggers import Triggers
from domain.weight_changes import InitialShare
from sources.base import Events, TrafficSnapshot
from sources.triggers import TriggerSnapshot

MAX_PENDING_SNAPSHOTS = 120  # held in memory while the archive cannot be written


class EventStore:
    """Everything of one migration but metrics and logs. Raises ArchiveError if the database cannot be used.

    While it cannot be read, most methods return what they returned last.
    """

    def __init__(self, database: Database, *, configured_rule: str = "") -> None:
        """`configured_rule`: the ARN of the rule that splits the traffic; "" if the configuration does not name it."""
        self._database, self._configured_rule = database, configured_rule
        self._lock = threading.Lock()
        self._pending_snapshots: dict[str, tuple[TrafficSnapshot, ...]] = {}
        self._weight_history: tuple[Hashable, WeightHistory] | None = None

    def save_snapshot(self, snapshot: TrafficSnapshot, source_name: str = "load_balancer") -> None:
        """Stores the load balancer's state and a change of the weights since the last snapshot."""
        success = snapshot.traffic is not None
        with self._lock:
            pending = self._pending_snapshots.get(source_name, ())
            if success:
                pending = self._pending_snapshots[source_name] = _buffer(pending, snapshot)
        with self._database.writing(source_name) as connection:
            self._write_pending(connection, source_name, pending)
            save_answer_state(connection, self._database.row(source_name, "traffic"), snapshot, success=success)
        with self._lock:
            self._pending_snapshots.pop(source_name, None)

    def write_held(self) -> None:
        """Tries again to write the snapshots that could not be written: a process ends, and nothing else has them. Raises ArchiveError."""
        with self._lock:
            held = dict(self._pending_snapshots)
        for source_name, pending in held.items():
            with self._database.writing(source_name) as connection:
                self._write_pending(connection, source_name, pending)
            with self._lock:
                if self._pending_snapshots.get(source_name) == pending:
                    del self._pending_snapshots[source_name]

    def _write_pending(self, connection: Connection, source_name: str, pending: Iterable[TrafficSnapshot]) -> None:
        for unsaved in pending:
            if unsaved.traffic:
                self._save_traffic(connection, source_name, replace(unsaved.traffic, asked_at=unsaved.asked_at))

    def _save_traffic(self, connection: Connection, source_name: str, traffic: Traffic) -> None:
        before = save_snapshot(connection, self._database.migration_id, traffic)
        if before and (change := detect_weight_change(before, traffic, source_name)):
            weight_changes.write_changes(connection, self._database.migration_id, source_name, (change,))

    def latest_traffic(self) -> tuple[Traffic, int] | None:
        """The newest state of the load balancer, and when it was last seen (epoch seconds); None if it was never read."""
        with self._lock:
            pending = [snapshot for snapshots in self._pending_snapshots.values() for snapshot in snapshots]
        if pending and (last := max(pending, key=lambda snapshot: snapshot.asked_at)).traffic:
            return last.traffic, last.asked_at
        return self._database.recall(read_latest_snapshot)

    def save_events(self, events: Events, source_name: str, *, keep_missing: bool = False) -> None:
        """Stores what a source returned. A complete answer deletes the stored events of its window that it does not contain.

        `keep_missing`: not then, because the source does not return old events any more.
        """
        migration_id = self._database.migration_id
        with self._database.writing(source_name) as connection:
            write_events(connection, migration_id, events.events)
            weight_changes.write_changes(connection, migration_id, source_name, events.weight_changes)
            if events.covered:
                add_event_coverage(connection, migration_id, source_name, events.covered)
            if events.complete and not keep_missing:
                delete_missing_events(connection, migration_id, source_name, events.events, events.window)
            deployment_state.write(connection, migration_id, source_name, events.deployment_state)
            write_deployments(connection, migration_id, source_name, events.deployments, events.asked_at)
            save_answer_state(connection, self._database.row(source_name, "events"), events, success=events.complete)

    def read(self, window: Window) -> tuple[Event, ...]:
        """The events that overlap `window`, with weight changes, in order."""
        events, history = self._database.recall(self._read_events, window)
        # Results from memory may be of more time.
        overlapping = [event for event in events if overlaps(event, window)]
        events = (*overlapping, *history.events(window))
        return tuple(sorted(events, key=lambda event: (event.ts, event.source, event.key)))

    def of_source(self, source_name: str) -> tuple[Event, ...]:
        """All events of one source, in order."""
        return self._database.recall(read_events_of, source_name)

    def replace_events(self, source_name: str, update: Callable[[tuple[Event, ...]], Iterable[Event]]) -> None:
        """Replaces all events of a source by what `update` makes of them, in one transaction: processes take turns."""
        migration_id = self._database.migration_id
        with self._database.writing() as connection:
            self._database.row(source_name, "events").increment_change_counter(connection)  # locks the row
            stored = read_events_of(connection, migration_id, source_name)
            replace_events_of(connection, migration_id, source_name, update(stored))

    def weight_changes(self, window: Window | None = None) -> tuple[WeightChange, ...]:
        """The changes of the split's weights in `window` (None: all), in order, each merged from all sources that recorded it."""
        changes = self._database.recall(self._read_weight_history).changes
        return tuple(change for change in changes if window is None or window.start <= change.ts < window.end)

    def initial_share(self) -> InitialShare | None:
        """The canary's configured share before the first known change; None if it is unknown."""
        return self._database.recall(self._read_weight_history).initial

    def source_states(self) -> tuple[SourceState, ...]:
        """Every source that was polled, sorted by role (descending) and name."""
        return self._database.recall(read_states)

    def save_source_state(self, state: SourceState, *, success: bool) -> None:
        """Stores the state of a source that could not be polled at all."""
        with self._database.writing(state.source) as connection:
            save_state(connection, self._database.row(state.source, state.role), state, success=success)

    def covered(self, source_name: str) -> tuple[Window, ...]:
        """The time for which an event source was fetched completely."""
        return self._database.read(read_event_coverage, source_name)

    def deployment_state(self) -> DeploymentState | None:
        """Services and deployments as last read; None if they never were."""
        return self._database.recall(deployment_state.read)

    def deployment_states(self, window: Window) -> tuple[PastState, ...]:
        """Services and deployments as they were read in `window`, in order."""
        return self._database.recall(deployment_state.read_window, window)

    def deployments(self) -> tuple[Deployment, ...]:
        """All deployments that were ever read, the newest first."""
        return self._database.recall(read_deployments)

    def save_triggers(self, snapshot: TriggerSnapshot, source_name: str) -> None:
        """Stores the triggers of batch jobs, if they could be read, and the state of their source."""
        with self._database.writing(source_name) as connection:
            if snapshot.triggers:
                key = {"migration_id": self._database.migration_id, "source": source_name}
                body = to_json(replace(snapshot.triggers, asked_at=0))
                upsert(connection, schema.trigger, [{**key, "asked_at": snapshot.asked_at, "body": body}])
            success = snapshot.triggers is not None
            save_answer_state(connection, self._database.row(source_name, "triggers"), snapshot, success=success)

    def triggers(self) -> Triggers | None:
        """The triggers of batch jobs as last read; None if they never were."""
        return self._database.recall(_read_triggers)

    def _read_events(
        self, connection: Connection, migration_id: int, window: Window
    ) -> tuple[tuple[Event, ...], WeightHistory]:
        return read_events(connection, migration_id, window), self._read_weight_history(connection, migration_id)

    def _read_weight_history(self, connection: Connection, migration_id: int) -> WeightHistory:
        """All weight changes, merged again only if there are new ones: every page needs them several times."""
        key = weight_changes.cache_key(connection, migration_id)
        if self._weight_history is None or self._weight_history[0] != key:
            history = weight_changes.read_weight_history(connection, migration_id, self._configured_rule)
            self._weight_history = key, history
        return self._weight_history[1]


def _read_triggers(connection: Connection, migration_id: int) -> Triggers | None:
    table = schema.trigger
    of_migration = select(table).where(table.c.migration_id == migration_id)
    row = connection.execute(of_migration.order_by(table.c.asked_at.desc()).limit(1)).first()
    triggers = read_stored(Triggers, row.body, f"trigger {row.source}") if row else None
    return replace(triggers, asked_at=row.asked_at) if row and triggers else None


def _buffer(pending: tuple[TrafficSnapshot, ...], snapshot: TrafficSnapshot) -> tuple[TrafficSnapshot, ...]:
    """Appends a snapshot; of consecutive equal ones only the first and the last are kept."""
    if len(pending) > 1 and all(_same_traffic(snapshot, old) for old in pending[-2:]):
        pending = pending[:-1]
    return (*pending, snapshot)[-MAX_PENDING_SNAPSHOTS:]


def _same_traffic(left: TrafficSnapshot, right: TrafficSnapshot) -> bool:
    if left.traffic is None or right.traffic is None:
        return False
    return replace(left.traffic, asked_at=0) == replace(right.traffic, asked_at=0)
