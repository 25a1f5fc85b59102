"""Alembic migrations of the archive's tables, each numbered by the schema version that it produces.

A released migration is never edited: existing archives were made by it.
"""

import threading
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

_alembic_lock = threading.Lock()  # Alembic keeps global state


def run(command: Literal["upgrade", "stamp"], connection: Connection) -> None:
    """Migrates the database to the newest version, or marks new tables as being of that version, in the caller's transaction."""
    from alembic import command as commands  # imported late: usually there is nothing to do
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic_lock:
        getattr(commands, command)(config, "head")
