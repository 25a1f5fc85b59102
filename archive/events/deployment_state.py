"""The archive's SQL for how services and deployments stand: a row a source says something else in, from when until when it said so."""

from dataclasses import replace

from sqlalchemy import Connection, func, insert, select, update

from archive.db import schema
from archive.metrics.fetch_plan import MAX_ARCHIVE_CLOCK_SKEW_S
from domain.deployments import (
    DeploymentState,
    deployment_state_from_json,
    deployment_state_to_json,
    merge_deployment_states,
)


def write(connection: Connection, migration_id: int, source: str, state: DeploymentState | None) -> None:
    """A new row where anything but the time differs from the source's last one; None, which says nothing, changes nothing."""
    if state is None:
        return
    table = schema.deployment_state
    mine = (table.c.migration_id == migration_id) & (table.c.source == source)
    last = connection.execute(select(table).where(mine).order_by(table.c.id.desc()).limit(1)).first()
    if last and state.asked_at < last.last_seen < state.asked_at + MAX_ARCHIVE_CLOCK_SKEW_S:
        return  # a slow answer, overtaken by a later one; much older than the last, it is the clock that was set back
    body = deployment_state_to_json(replace(state, asked_at=0))
    if last and last.body == body:
        connection.execute(update(table).where(table.c.id == last.id).values(last_seen=state.asked_at))
        return
    seen = {"first_seen": state.asked_at, "last_seen": state.asked_at}
    connection.execute(insert(table).values(migration_id=migration_id, source=source, body=body, **seen))


def read(connection: Connection, migration_id: int) -> DeploymentState | None:
    """What every source last said, as one; None where none ever did."""
    table = schema.deployment_state
    newest = select(func.max(table.c.id)).where(table.c.migration_id == migration_id).group_by(table.c.source)
    rows = connection.execute(select(table).where(table.c.id.in_(newest)).order_by(table.c.source))
    return merge_deployment_states(
        tuple(replace(deployment_state_from_json(row.body), asked_at=row.last_seen) for row in rows)
    )
