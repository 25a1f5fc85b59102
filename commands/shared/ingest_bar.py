"""The progress of counting access logs, on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from collector.access_log_ingest import IngestCallback, IngestProgress
from messages import access_logs as text


def ignore_progress(_progress: IngestProgress) -> None:
    pass


@contextmanager
def ingest_bar() -> Iterator[IngestCallback]:
    """On standard error, if that is a terminal: standard output may be redirected."""
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not screen.is_terminal:
        yield ignore_progress
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(str(text.LISTING_FILES), total=None)

        def update(progress: IngestProgress) -> None:
            description = {"listing": text.LISTING_FILES, "busy": text.WAITING}.get(
                progress.state, text.counting(progress.files, progress.lines)
            )
            bar.update(task, description=str(description), total=progress.bytes or None, completed=progress.bytes_done)

        yield update
