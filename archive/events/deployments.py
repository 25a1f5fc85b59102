"""SQL on deployments: one row each, kept after AWS has forgotten it."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from archive.db import schema
from archive.db.stored_json import read_stored
from archive.db.upsert import upsert
from domain.deployments import Deployment, newest_first
from domain.serialization import to_json


def write_deployments(
    connection: Connection, migration_id: int, source_name: str, deployments: Iterable[Deployment], read_at: int
) -> None:
    """Stores what has changed. What an earlier read had stays, though this one is without it."""
    table, by_id = schema.deployment, {deployment.id: deployment for deployment in deployments if deployment.id}
    if not by_id:
        return
    of_source = table.c.migration_id == migration_id, table.c.source == source_name
    known = connection.execute(select(table.c.key, table.c.body).where(*of_source, table.c.key.in_(by_id)))
    stored = {row.key: row.body for row in known}
    rows = []
    for key, deployment in by_id.items():
        before = read_stored(Deployment, stored[key], f"deployment {source_name} {key}") if key in stored else None
        body = to_json(deployment.completed_by(before) if before else deployment)
        if body != stored.get(key):
            created = {"created": deployment.created, "read_at": read_at, "body": body}
            rows.append({"migration_id": migration_id, "source": source_name, "key": key, **created})
    upsert(connection, table, rows)


def read_deployments(connection: Connection, migration_id: int) -> tuple[Deployment, ...]:
    """All that were ever read, the newest first."""
    table = schema.deployment
    rows = connection.execute(select(table).where(table.c.migration_id == migration_id)).all()
    read = (read_stored(Deployment, row.body, f"deployment {row.source} {row.key}") for row in rows)
    return tuple(sorted((deployment for deployment in read if deployment), key=newest_first))
