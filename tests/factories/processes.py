"""Processes that share an archive, and a source that logs what it is asked."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from tests.fakes.metric_source import NOON, FakeMetricSource

fork_context = multiprocessing.get_context("fork")


def run_processes(*works: Callable[[], None]) -> list[int | None]:
    """Runs each in a process of its own, all at once; their exit codes."""
    processes = [fork_context.Process(target=work) for work in works]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


class LoggingSource(FakeMetricSource):
    """A source that writes each pull into a file, so that the pulls of all processes can be counted."""

    def __init__(self, diary: Path) -> None:
        super().__init__()
        self.diary = diary

    def pull(self, window, series=None):
        with self.diary.open("a") as diary:
            diary.write(f"{(window.start - NOON) // 60}..{(window.end - NOON) // 60}\n")
        return super().pull(window, series)
