"""The difference between the schema of a database and the one that the program declares."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from archive import Archive
from archive.db import schema


def schema_differences(archive: Archive) -> list[object]:
    """What Alembic would change to make the database's tables those of archive/db/schema.py."""
    with archive.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, schema.METADATA)
