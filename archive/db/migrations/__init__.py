"""Alembic migrations of the archive's tables, each numbered by the schema version that it produces.

A released migration is never edited: existing archives were made by it.
"""

import threading
from pathlib import Path

from sqlalchemy import Connection

_alembic_lock = threading.Lock()  # Alembic keeps global state


def upgrade(connection: Connection) -> None:
    """Migrates the database to the newest version in the caller's transaction. A database without Alembic's table starts at the first migration."""
    from alembic import command  # imported late: usually there is nothing to migrate
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic_lock:
        command.upgrade(config, "head")
