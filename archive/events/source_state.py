"""The state of each source as the last poll by any process found it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, select

from archive.db import schema
from archive.db.source_row import Role, SourceRow
from sources.base import Events, HealthState, Problem, Pull, TrafficSnapshot, health_state
from sources.triggers import TriggerSnapshot

Answer = Pull | Events | TrafficSnapshot | TriggerSnapshot


@dataclass(frozen=True, slots=True)
class SourceState:
    """Times are epoch seconds; `last_success_at` is None if the source never answered."""

    source: str
    role: Role
    state: HealthState
    checked_at: int
    last_success_at: int | None
    took_s: float
    problems: tuple[Problem, ...]


def save_answer_state(connection: Connection, row: SourceRow, answer: Answer, *, success: bool) -> None:
    """Stores the state that follows from what a source returned."""
    health = health_state(answer.problems, answer.took_s, answered=success)
    state = SourceState(row.name, row.role, health, answer.asked_at, None, answer.took_s, answer.problems)
    save_state(connection, row, state, success=success)


def save_state(connection: Connection, row: SourceRow, state: SourceState, *, success: bool) -> None:
    """Stores a state and increments the change counter. `success` also sets `last_success_at`."""
    row.insert_if_missing(connection)
    values: dict[str, object] = {
        "state": state.state,
        "checked_at": state.checked_at,
        "took_s": state.took_s,
        "problems": problems_to_json(state.problems),
        "change_counter": schema.source_state.c.change_counter + 1,
    }
    if success:
        values["last_success_at"] = state.checked_at
    row.update(connection, **values)


def read_state(connection: Connection, row: SourceRow) -> SourceState | None:
    states = read_states(connection, row.migration_id)
    return next((state for state in states if (state.source, state.role) == (row.name, row.role)), None)


def read_states(connection: Connection, migration_id: int) -> tuple[SourceState, ...]:
    """Every source that was polled, sorted by role (descending) and name."""
    table = schema.source_state
    polled = and_(table.c.migration_id == migration_id, table.c.state.is_not(None))
    query = select(table).where(polled).order_by(table.c.role.desc(), table.c.name)
    return tuple(
        SourceState(
            row.name, row.role, row.state, row.checked_at, row.last_success_at, row.took_s,
            problems_from_json(row.problems),
        )
        for row in connection.execute(query)
    )  # fmt: skip


def problems_to_json(problems: Iterable[Problem]) -> str:
    return json.dumps([asdict(problem) for problem in problems], ensure_ascii=False)


def problems_from_json(text: str) -> tuple[Problem, ...]:
    return tuple(Problem(**problem) for problem in json.loads(text))
