"""Processes that share an archive, and a source that logs its requests."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from tests.fakes.metric_source import NOON, FakeMetricSource

fork_context = multiprocessing.get_context("fork")


def run_processes(*targets: Callable[[], None]) -> list[int | None]:
    """Runs each in a process of its own, concurrently; returns the exit codes."""
    processes = [fork_context.Process(target=target) for target in targets]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


class LoggingSource(FakeMetricSource):
    """Appends each pull to a file, so that the pulls of all processes can be counted."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def pull(self, window, series=None):
        with self.log.open("a") as file:
            file.write(f"{(window.start - NOON) // 60}..{(window.end - NOON) // 60}\n")
        return super().pull(window, series)
