"""The reference of a page run, a poll or a command: every line that it logs has it, and so has a message about its failure."""

import secrets
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("reference", default="")


def start_reference() -> str:
    """A new reference for the rest of this thread or context, as "4f2a1c". Threads that it starts have their own."""
    reference = secrets.token_hex(3)
    _current.set(reference)
    return reference


def current_reference() -> str:
    """ "" if none was started."""
    return _current.get()
