"""Looks for damage of an SQLite file."""

import logging
import time

from sqlalchemy import Engine

from archive.db.engine import autocommit
from archive.db.errors import ArchiveError

CHECK_TIMEOUT_S = 300.0
PROGRESS_OPCODES = 100_000  # between two looks at the clock

logger = logging.getLogger(__name__)


def check_integrity(engine: Engine, *, timeout_s: float = CHECK_TIMEOUT_S) -> None:
    """Runs SQLite's `quick_check`, which reads the whole file without blocking writers. Nothing for PostgreSQL, which has checks of its own.

    Given up, with a line in the log, after `timeout_s`. Raises ArchiveError: "damaged" with the first finding.
    """
    if engine.dialect.name != "sqlite":
        return
    deadline = time.monotonic() + timeout_s
    with autocommit(engine) as connection:
        driver_connection = connection.connection.driver_connection
        assert driver_connection is not None
        driver_connection.set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_OPCODES)
        try:
            finding = driver_connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except driver_connection.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_INTERRUPT":
                raise
            logger.warning("the check of the archive was given up after %g s", timeout_s)
            return
        finally:
            driver_connection.set_progress_handler(None, 0)
    if finding != "ok":
        raise ArchiveError("damaged", finding)
