"""Ends a process soon, although requests or libraries may hang."""

import logging
import os
import threading
import time
from collections.abc import Callable

STOP_TIMEOUT_S = 7.0  # of what is under way
EXIT_TIMEOUT_S = 1.5  # after that, of what the process waits for

logger = logging.getLogger(__name__)


def stop_together(*stops: Callable[[], None], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Calls all functions at once, each in a thread of its own, and waits until they have returned, at most `timeout_s` in total."""
    threads = [threading.Thread(target=stop, name="stop", daemon=True) for stop in stops]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def exit_in_time(exit_code: int, *, timeout_s: float = EXIT_TIMEOUT_S) -> None:
    """Ends the process after `timeout_s`, if it has not ended by then: Python waits for the threads of pools, which may wait for a source."""
    timer = threading.Timer(timeout_s, _exit, (exit_code,))
    timer.daemon = True
    timer.start()


def _exit(exit_code: int) -> None:
    logger.warning("a request or a thread did not end in time")
    logging.shutdown()
    os._exit(exit_code)
