"""The archive's SQL for how services and deployments stand: a row a source says something else in, from when until when it said so."""

from dataclasses import replace

from sqlalchemy import Connection, func, insert, select, update

from archive.db import schema
from archive.metrics.fetch_plan import SKEW_S
from domain.deployments import Standing, standing_from_json, standing_to_json, together


def write(connection: Connection, migration_id: int, source: str, standing: Standing | None) -> None:
    """A new row where anything but the time differs from the source's last one; None, which says nothing, changes nothing."""
    if standing is None:
        return
    table = schema.standing
    mine = (table.c.migration_id == migration_id) & (table.c.source == source)
    last = connection.execute(select(table).where(mine).order_by(table.c.id.desc()).limit(1)).first()
    if last and standing.asked_at < last.last_seen < standing.asked_at + SKEW_S:
        return  # a slow answer, overtaken by a later one; much older than the last, it is the clock that was set back
    body = standing_to_json(replace(standing, asked_at=0))
    if last and last.body == body:
        connection.execute(update(table).where(table.c.id == last.id).values(last_seen=standing.asked_at))
        return
    seen = {"first_seen": standing.asked_at, "last_seen": standing.asked_at}
    connection.execute(insert(table).values(migration_id=migration_id, source=source, body=body, **seen))


def read(connection: Connection, migration_id: int) -> Standing | None:
    """What every source last said, as one; None where none ever did."""
    table = schema.standing
    newest = select(func.max(table.c.id)).where(table.c.migration_id == migration_id).group_by(table.c.source)
    rows = connection.execute(select(table).where(table.c.id.in_(newest)).order_by(table.c.source))
    return together(tuple(replace(standing_from_json(row.body), asked_at=row.last_seen) for row in rows))
