"""SQL on services and deployments: one row a source for as long as nothing but the time changes."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from archive.db import schema
from archive.db.stored_json import read_stored
from archive.events.history_rows import append_if_changed
from domain import Window
from domain.deployments import DeploymentState, merge_deployment_states
from domain.serialization import to_json

# Not in bodies of earlier versions: an unchanged state adds no row.
_NOT_WRITTEN = (
    ',"listed_at":[]',
    ',"container_images":[]',
    ',"shift":null',
    ',"commit":""',
    ',"waits":[]',
    ',"arn":""',
)


@dataclass(frozen=True, slots=True)
class PastState:
    """What a source returned from `first_seen` to `last_seen` (epoch seconds)."""

    first_seen: int
    last_seen: int
    state: DeploymentState


def write(connection: Connection, migration_id: int, source_name: str, state: DeploymentState | None) -> None:
    """Stores what a source returned; None changes nothing."""
    if state is not None:
        body = to_json(state.asked_at_time(0))
        for default in _NOT_WRITTEN:
            body = body.replace(default, "")
        key = {"migration_id": migration_id, "source": source_name}
        append_if_changed(connection, schema.deployment_state, key, body, state.asked_at)


def read(connection: Connection, migration_id: int) -> DeploymentState | None:
    """The newest row of every source, merged; None without any."""
    table = schema.deployment_state
    newest = select(func.max(table.c.id)).where(table.c.migration_id == migration_id).group_by(table.c.source)
    rows = connection.execute(select(table).where(table.c.id.in_(newest)).order_by(table.c.source))
    return merge_deployment_states(
        tuple(
            state.asked_at_time(row.last_seen)
            for row in rows
            if (state := read_stored(DeploymentState, row.body, f"deployment_state {row.source} {row.id}"))
        )
    )


def read_window(connection: Connection, migration_id: int, window: Window) -> tuple[PastState, ...]:
    """What the sources returned in a window, in order."""
    table = schema.deployment_state
    in_window = table.c.first_seen < window.end, table.c.last_seen >= window.start
    query = select(table).where(table.c.migration_id == migration_id, *in_window).order_by(table.c.id)
    states = (
        (row, read_stored(DeploymentState, row.body, f"deployment_state {row.source} {row.id}"))
        for row in connection.execute(query)
    )
    return tuple(PastState(row.first_seen, row.last_seen, state) for row, state in states if state)
