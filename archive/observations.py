"""Observations: values of a source, each kept as JSON with a time and a key. What exists stays."""

from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import Connection, select

from archive.db import schema
from archive.db.database import Database
from archive.db.source_row import Role
from archive.db.stored_json import read_stored
from archive.db.upsert import upsert
from archive.events.backlog import add_event_coverage, read_event_coverage
from archive.events.source_state import SourceState, save_state
from domain import Window
from domain.probe import PROBE, ProbeResult
from domain.run_steps import RUN_STEPS, RunStep
from domain.serialization import to_json
from sources.base import health_state
from sources.run_logs import RunLogs

_T = TypeVar("_T")
RUN_STEPS_ROLE: Role = "run_logs"


class ObservationStore:
    """Saves and reads them. Raises ArchiveError if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_run_logs(self, logs: RunLogs) -> None:
        """Stores the steps, until when each log group was read, and the state of the source."""
        migration_id = self._database.migration_id
        rows = [_row(migration_id, RUN_STEPS, step.key, step.ts, step) for step in logs.steps]
        with self._database.writing(RUN_STEPS) as connection:
            upsert(connection, schema.observation, rows, ignore_existing=True)
            for group, window in logs.covered:
                add_event_coverage(connection, migration_id, _source_of(group), window)
            health = health_state(logs.problems, logs.took_s, answered=bool(logs.covered) or not logs.problems)
            state = SourceState(RUN_STEPS, RUN_STEPS_ROLE, health, logs.asked_at, None, logs.took_s, logs.problems)
            row = self._database.row(RUN_STEPS, RUN_STEPS_ROLE)
            save_state(connection, row, state, success=bool(logs.covered) or not logs.problems)

    def save_probe(self, result: ProbeResult) -> None:
        """Stores the result of a probe."""
        with self._database.writing() as connection:
            upsert(
                connection,
                schema.observation,
                [_row(self._database.migration_id, PROBE, result.key, result.ts, result)],
            )
            self._database.row(PROBE, "check").increment_change_counter(connection)

    def probes(self, window: Window) -> tuple[ProbeResult, ...]:
        """The results of the probes of `window`, in order."""
        return self._database.recall(_read, window, PROBE, ProbeResult)

    def run_logs_read_until(self, groups: Iterable[str]) -> dict[str, int]:
        """Until when (epoch seconds) each log group was read; without those that never were."""
        covered = {group: self._database.read(read_event_coverage, _source_of(group)) for group in groups}
        return {group: windows[-1].end for group, windows in covered.items() if windows}

    def run_steps(self, window: Window) -> tuple[RunStep, ...]:
        """Every step that was logged in `window`, in order."""
        return self._database.recall(_read, window, RUN_STEPS, RunStep)


def _source_of(group: str) -> str:
    return f"{RUN_STEPS}:{group}"


def _row(migration_id: int, source: str, key: str, ts: int, value: object) -> dict[str, object]:
    return {"migration_id": migration_id, "source": source, "key": key, "ts": ts, "body": to_json(value)}


def _read(connection: Connection, migration_id: int, window: Window, source: str, kind: type[_T]) -> tuple[_T, ...]:
    table = schema.observation
    query = (
        select(table.c.key, table.c.body)
        .where(table.c.migration_id == migration_id, table.c.source == source)
        .where(table.c.ts >= window.start, table.c.ts < window.end)
        .order_by(table.c.ts, table.c.key)
    )
    read = (read_stored(kind, row.body, f"observation {source} {row.key}") for row in connection.execute(query))
    return tuple(value for value in read if value is not None)
