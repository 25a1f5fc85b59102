"""The end of a process: everything at once, and soon, whatever hangs."""

import subprocess
import sys
import threading
from pathlib import Path

import cli
from collector.stopping import stop_together

ROOT = Path(cli.__file__).parent
# A pool's thread that never returns: without a limit, Python waits for it.
HANGING_PROCESS = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from collector.stopping import exit_in_time
ThreadPoolExecutor().submit(threading.Event().wait)
exit_in_time(3, timeout_s=0.05)
print("ended")
sys.exit(3)
"""


def test_everything_is_stopped_at_once_and_what_hangs_is_given_up() -> None:
    released, stopped = threading.Event(), threading.Event()

    def hang() -> None:
        assert stopped.wait(60)  # stopped while this one hangs
        released.wait(60)

    stop_together(hang, stopped.set, timeout_s=0.05)
    released.set()
    assert stopped.is_set()


def test_what_ends_in_time_is_waited_for() -> None:
    may_end, ended = threading.Event(), threading.Event()
    stop_together(lambda: ended.set() if may_end.wait(60) else None, may_end.set, timeout_s=60)
    assert ended.is_set()


def test_a_process_ends_although_a_thread_hangs() -> None:
    process = subprocess.run(
        [sys.executable, "-c", HANGING_PROCESS], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (process.returncode, process.stdout) == (3, "ended\n")
    assert "did not end in time" in process.stderr
