"""What the archive tells of all that happened: events, steps of the split, how services and sources stand. Only read, never asked."""

from contextlib import AbstractContextManager

from sqlalchemy import Connection, Engine

from archive.db import engine as database
from archive.events import deployment_state, source_state, weight_changes
from archive.events.backlog import read_event_coverage
from archive.events.source_state import SourceState
from domain import Event, Migration, WeightChange, Window
from domain.deployments import DeploymentState


class EventStore:
    """The part of an archive that needs nothing but its database. Raises ArchiveError where that cannot be used."""

    def __init__(self, engine: Engine, migration: Migration, migration_id: int) -> None:
        self._engine, self._migration_id = engine, migration_id
        self._configured_rule = migration.aws.rule if migration.aws else ""
        self._weight_history: tuple[tuple[int, int], weight_changes.WeightHistory] | None = None

    def _read_weight_history(self, connection: Connection) -> weight_changes.WeightHistory:
        """All that is known of changes, joined anew only where there is more of it: every page asks for it, several times."""
        mark = weight_changes.cache_key(connection, self._migration_id)
        if self._weight_history is None or self._weight_history[0] != mark:
            self._weight_history = (
                mark,
                weight_changes.read_weight_history(connection, self._migration_id, self._configured_rule),
            )
        return self._weight_history[1]

    @property
    def engine(self) -> Engine:
        """For what takes the whole archive: its status, an export, an import."""
        return self._engine

    def _reading(self) -> AbstractContextManager[Connection]:
        return database.transaction(self._engine, writes=False)

    def events__covered(self, source_name: str) -> tuple[Window, ...]:
        """The time that a source which keeps a history has told of."""
        with self._reading() as connection:
            return read_event_coverage(connection, self._migration_id, source_name)

    def events__deployment_state(self) -> DeploymentState | None:
        """How services and deployments stood when they were last read; None where nobody ever told."""
        with self._reading() as connection:
            return deployment_state.read(connection, self._migration_id)

    def events__read(self, window: Window) -> tuple[Event, ...]:
        """Everything that happened, or was going on, in `window`: weight changes, deployments, alerts, annotations; in order."""
        with self._reading() as connection:
            told = source_state.read_events(connection, self._migration_id, window)
            changed = self._read_weight_history(connection)
        return tuple(sorted((*told, *changed.events(window)), key=lambda event: (event.ts, event.source, event.key)))

    def events__weight_changes(self, window: Window | None = None) -> tuple[WeightChange, ...]:
        """The changes of the split in `window`, or all that are known, in order: one for all that several sources tell of it."""
        with self._reading() as connection:
            told = self._read_weight_history(connection).changes
        return tuple(one for one in told if window is None or window.start <= one.ts < window.end)

    def events__source_states(self) -> tuple[SourceState, ...]:
        """How every source is that was ever asked: traffic first, then metrics, then events."""
        with self._reading() as connection:
            return source_state.read_states(connection, self._migration_id)
