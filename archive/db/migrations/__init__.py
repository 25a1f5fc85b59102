"""The archive's tables as they became: one Alembic revision a change, each numbered as the version that it makes.

A revision is not edited once it has been released: archives out there were made by it.
"""

import threading
from pathlib import Path

from sqlalchemy import Connection

_alembic_lock = threading.Lock()


def upgrade(connection: Connection) -> None:
    """Brings the database to the newest revision, inside the caller's transaction. One that knows nothing of revisions begins with the first."""
    from alembic import command  # only where there is something to do: most openings find everything in place
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic_lock:
        command.upgrade(config, "head")
