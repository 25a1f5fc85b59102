"""Reads JSON bodies of stored rows. One row that cannot be read is skipped and named in the log; the rest of a page does not depend on it."""

import logging
from functools import lru_cache
from typing import TypeVar

from domain.serialization import from_json

T = TypeVar("T")
logger = logging.getLogger(__name__)


def read_stored(kind: type[T], body: str, row_name: str) -> T | None:
    """The value of a stored body; None, with a warning that has `row_name`, if it cannot be read."""
    try:
        return from_json(kind, body)
    except (ValueError, TypeError, OverflowError, RecursionError):
        warn_unreadable(row_name)
        return None


@lru_cache(maxsize=1_000)
def warn_unreadable(row_name: str) -> None:
    """Logs the row, once in a process."""
    logger.warning("Skipped an unreadable row of the archive: %r", row_name)
