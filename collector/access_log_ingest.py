"""Counts the access logs of a window: lists its files, downloads and counts the new ones, and saves the counts batch by batch."""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from tempfile import gettempdir
from typing import Literal

import numpy as np
import pyarrow as pa

from archive import Archive
from archive.access_logs.tables import CountedFile
from archive.db.lease import LEASE_DURATION_S, Lease
from domain import Window, utc_now
from domain.decision import RoutesState
from domain.log_counts import COUNTS, EXAMPLES, LogTables
from domain.window import MINUTE_S
from sources.access_logs.base import DailyCounter, LogListing, LogSource, RemoteCounter
from sources.access_logs.counter import MAX_BATCH_BYTES, MAX_BATCH_FILES, CountError, FileStats, LogCounter, LogCounts
from sources.access_logs.filenames import LogFile
from sources.base import Problem

MAX_DOWNLOADS = 4  # at once
MOSTLY = 0.9  # of the files of a window: all but its newest ones
MAX_COUNTERS = 2  # batches counted at once, each on one processor, while another one is saved
_PER_FILE_PROBLEMS = frozenset({"denied", "not_found", "bad_reply"})  # do not affect other files

IngestCallback = Callable[["IngestProgress"], None]
IngestState = Literal["listing", "counting", "done", "busy", "stopped"]
_BatchResult = tuple[Sequence[LogFile], LogCounts | None, tuple[Problem, ...]]  # no counts: ends the ingest


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far the logs of `window` are counted.

    `state`: "busy" while another process counts; "stopped" by a problem or on request, also if the listing was not complete. `files`, `bytes`: the new ones;
    `already_counted`: files; `changed`: those of them with another size now, whose new lines are not counted; `skipped`: files that are
    no access logs of this load balancer. `lines`: of the new files, of which `skipped_lines` are of another load balancer, or years away from all others.
    `file_stats`: of files with a problem, or with lines that were not counted.
    """

    window: Window
    state: IngestState = "listing"
    files: int = 0
    bytes: int = 0
    files_done: int = 0
    bytes_done: int = 0
    already_counted: int = 0
    changed: int = 0
    skipped: int = 0
    lines: int = 0
    parsed: int = 0
    skipped_lines: int = 0
    problems: tuple[Problem, ...] = ()
    file_stats: tuple[FileStats, ...] = ()


def routes_state(progress: IngestProgress | None, *, has_counts: bool) -> RoutesState:
    """Whether most of a window's logs are counted, so that its routes can be judged. `has_counts`: any of them; else they cannot, also if none was
    delivered yet.
    """
    if progress is None:
        return "judged" if has_counts else "pending"
    if progress.state == "stopped" and progress.problems:
        return "unreadable"  # the listing is not complete, or a batch could not be counted
    is_mostly_counted = progress.already_counted + progress.files_done >= MOSTLY * (
        progress.already_counted + progress.files
    )
    if has_counts and is_mostly_counted:
        return "judged"
    return "unreadable" if progress.state == "done" and progress.problems else "pending"


def ingest_access_logs(
    archive: Archive,
    source: LogSource,
    window: Window,
    route_templates: Sequence[str] = (),
    *,
    now: datetime | None = None,
    on_progress: IngestCallback = lambda _progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> IngestProgress:
    """Counts the new logs of `window`. `should_stop` is checked between batches.

    Problems of the source are returned. Raises ArchiveError if a batch cannot be saved; saved batches stay.
    """
    with archive.access_logs.acquire_lease(now or utc_now()) as lease:
        ingest = _Ingest(archive, lease, on_progress, should_stop)
        if not lease.acquired:
            return ingest.report(IngestProgress(window, "busy"))
        ingest.report(IngestProgress(window))
        listing = source.files(window)
        new_files, progress = _plan(archive, listing, window)
        ingest.report(progress)
        if isinstance(source, DailyCounter) and (problem := source.check_limits(new_files)):
            return ingest.report(replace(progress, state="stopped", problems=(*progress.problems, problem)))
        with ExitStack() as stack:
            is_daily = isinstance(source, DailyCounter)
            batches = [[day] for day in new_files] if is_daily else list(_split_batches(new_files))
            results: Iterator[_BatchResult]
            if isinstance(source, DailyCounter):
                results = (ingest.count_day(source, batch[0]) for batch in batches)
            elif isinstance(source, RemoteCounter):
                results = (_remote_result(batch, source.count(batch)) for batch in batches)
            else:
                results = _count_locally(
                    stack, source, batches, lease, templates=route_templates, load_balancer=listing.load_balancer
                )
            state = ingest.save_batches(batches, results)
        return ingest.report(replace(ingest.progress, state=state if listing.is_complete else "stopped"))


def _plan(archive: Archive, listing: LogListing, window: Window) -> tuple[list[LogFile], IngestProgress]:
    """The files to count."""
    files = list({file.identity: file for file in listing.files}.values())
    with_parts = [item for file in files for item in (file, *file.parts)]
    known = archive.access_logs.known_sizes([item.identity for item in with_parts])
    new_files = [uncounted for file in files if (uncounted := _uncounted(file, known))]
    progress = IngestProgress(
        window,
        "counting",
        files=sum(map(_n_files, new_files)),
        bytes=sum(file.size for file in new_files),
        already_counted=sum(map(_n_files, files)) - sum(map(_n_files, new_files)),
        changed=sum(known.get(item.identity, item.size) != item.size for item in with_parts),
        skipped=listing.skipped,
        problems=listing.problems,
    )
    return new_files, progress


class _Ingest:
    """A running ingest: what it has saved so far."""

    def __init__(
        self, archive: Archive, lease: Lease, on_progress: IngestCallback, should_stop: Callable[[], bool]
    ) -> None:
        self._archive, self._lease, self._on_progress, self._should_stop = archive, lease, on_progress, should_stop
        self.progress: IngestProgress

    def report(self, progress: IngestProgress) -> IngestProgress:
        self.progress = progress
        self._on_progress(progress)
        return progress

    def save_batches(self, batches: Iterable[Sequence[LogFile]], results: Iterator[_BatchResult]) -> IngestState:
        for batch in batches:
            if self._stopped():
                return "stopped"
            files, counts, problems = next(results)
            self.progress = replace(self.progress, problems=tuple(dict.fromkeys((*self.progress.problems, *problems))))
            if counts is None:
                return "stopped"
            self._save_batch(batch, files, counts)
        return "done"

    def _save_batch(self, batch: Sequence[LogFile], files: Sequence[LogFile], counts: LogCounts) -> None:
        progress = self.progress
        counted = [
            _counted_file(file, stats, counts, progress.window) for file, stats in zip(files, counts.files, strict=True)
        ]
        # The files of a day are saved one by one, so that they are not counted again individually.
        parts = (part for file in files for part in file.parts)
        counted += [CountedFile(part.identity, part.size, FileStats(part.key), part.window) for part in parts]
        self._archive.access_logs.save_counts(counted, counts)
        notable = (stats for stats in counts.files if stats.problem or stats.unparsed or stats.skipped)
        self.report(
            replace(
                progress,
                files_done=progress.files_done + sum(map(_n_files, batch)),
                bytes_done=progress.bytes_done + sum(file.size for file in batch),
                lines=progress.lines + sum(stats.lines for stats in counts.files),
                parsed=progress.parsed + sum(stats.parsed for stats in counts.files),
                skipped_lines=progress.skipped_lines + sum(stats.skipped for stats in counts.files),
                file_stats=(*progress.file_stats, *notable),
            )
        )

    def count_day(self, source: DailyCounter, day: LogFile) -> _BatchResult:
        """Counts a day remotely, and renews the lease meanwhile."""
        progress = self.progress

        def on_progress(n_bytes: int) -> None:
            self._on_progress(replace(progress, bytes_done=progress.bytes_done + min(n_bytes, day.size)))

        try:
            return _remote_result([day], source.count_day(day, on_progress=on_progress, should_stop=self._stopped))
        except OSError as error:
            return [], None, (_disk_full(source, error),)

    def _stopped(self) -> bool:
        return self._should_stop() or not self._lease.renew()


def _remote_result(batch: Sequence[LogFile], counts: LogCounts | Problem | None) -> _BatchResult:
    return (batch, None, (counts,)) if isinstance(counts, Problem) else (batch, counts, ())


def _count_locally(
    stack: ExitStack,
    source: LogSource,
    batches: Sequence[Sequence[LogFile]],
    lease: Lease,
    *,
    templates: Sequence[str],
    load_balancer: str,
) -> Iterator[_BatchResult]:
    """Downloads and counts the batches on this machine, until `stack` closes."""
    counters, n_threads = SimpleQueue[LogCounter](), min(MAX_COUNTERS, len(batches))
    for _ in range(n_threads):
        counters.put(stack.enter_context(LogCounter(templates, load_balancer=load_balancer)))

    def work(batch: Sequence[LogFile]) -> _BatchResult:
        counter = counters.get()
        try:
            return _download_and_count(source, counter, batch, lease)
        finally:
            counters.put(counter)

    return stack.enter_context(closing(_run_ahead(work, batches, n_threads or 1)))


def _run_ahead(
    work: Callable[[Sequence[LogFile]], _BatchResult], batches: Iterable[Sequence[LogFile]], n_threads: int
) -> Generator[_BatchResult]:
    """The results in the order of `batches`, while `n_threads` of the next batches are worked on."""
    remaining, running = iter(batches), deque[Future[_BatchResult]]()
    with ThreadPoolExecutor(n_threads) as threads:
        running.extend(threads.submit(work, batch) for batch in islice(remaining, n_threads))
        while running:
            result = running.popleft().result()
            running.extend(threads.submit(work, batch) for batch in islice(remaining, 1))
            yield result


def _download_and_count(source: LogSource, counter: LogCounter, batch: Sequence[LogFile], lease: Lease) -> _BatchResult:
    """The downloaded files of a batch with their counts and problems; no counts if the other batches would fail, too."""
    try:
        downloads = _download(source, batch, lease)
        files = [(file, path) for file, path in zip(batch, downloads, strict=True) if isinstance(path, Path)]
        problems = tuple(item for item in downloads if isinstance(item, Problem))
        if problems and (not files or any(problem.kind not in _PER_FILE_PROBLEMS for problem in problems)):
            return [], None, problems
        counted, counts, failed = _count_files(source, counter, files)
        return counted, counts, (*problems, *failed)
    except OSError as error:
        return [], None, (_disk_full(source, error),)


def _count_files(
    source: LogSource, counter: LogCounter, files: Sequence[tuple[LogFile, Path]]
) -> tuple[list[LogFile], LogCounts, tuple[Problem, ...]]:
    """The counts of a batch. If it cannot be counted, its files one by one: those that cannot be counted are problems, and are tried again later."""
    try:
        return [file for file, _ in files], counter.count([path for _, path in files]), ()
    except CountError as error:
        if len(files) == 1:
            problem = Problem("internal_error", source.name, "count", files[0][0].key, str(error))
            return [], LogCounts(COUNTS.empty_table(), EXAMPLES.empty_table(), ()), (problem,)
    results = [_count_files(source, counter, [file]) for file in files]
    parts = [counts for _, counts, _ in results]
    tables = LogTables(*map(pa.concat_tables, zip(*(part.tables for part in parts), strict=True)))
    counts = LogCounts.of(tables, tuple(stats for part in parts for stats in part.files))
    return (
        [file for counted, _, _ in results for file in counted],
        counts,
        tuple(problem for *_, problems in results for problem in problems),
    )


def _download(source: LogSource, batch: Sequence[LogFile], lease: Lease) -> list[Path | Problem]:
    """The local path of each file. After a problem that affects every file, no more are downloaded."""
    fatal: list[Problem] = []

    def download(file: LogFile) -> Path | Problem:
        if fatal:
            return fatal[0]
        path = source.download(file)
        if isinstance(path, Problem) and path.kind not in _PER_FILE_PROBLEMS:
            fatal.append(path)
        lease.renew(min_age_s=LEASE_DURATION_S / 4)
        return path

    with ThreadPoolExecutor(MAX_DOWNLOADS) as threads:
        return list(threads.map(download, batch))


def _disk_full(source: LogSource, error: OSError) -> Problem:
    return Problem("no_room", source.name, "write", str(error.filename or gettempdir()), error.strerror or str(error))


def _uncounted(file: LogFile, known: Collection[str]) -> LogFile | None:
    """The file, or of a day's folder the files that are not `known`; None if all are."""
    new = tuple(part for part in file.parts if part.identity not in known)
    if file.identity in known or (file.parts and not new):
        return None
    return replace(file, parts=new, excluded_keys=tuple(part.key for part in file.parts if part.identity in known))


def _n_files(file: LogFile) -> int:
    return len(file.parts) or 1


def _split_batches(files: Sequence[LogFile]) -> Iterator[list[LogFile]]:
    """Batches of at most MAX_BATCH_BYTES and MAX_BATCH_FILES, in order; a larger file is a batch of its own. Empty files are not read, and do not count."""
    batch, size, n_read = list[LogFile](), 0, 0
    for file in files:
        if batch and file.size and (size + file.size > MAX_BATCH_BYTES or n_read == MAX_BATCH_FILES):
            yield batch
            batch, size, n_read = [], 0, 0
        batch.append(file)
        size += file.size
        n_read += file.size > 0
    if batch:
        yield batch


def _counted_file(file: LogFile, stats: FileStats, counts: LogCounts, requested: Window) -> CountedFile:
    """The window of a file: from its name, else the minutes of the batch, else the requested window."""
    window = file.window or requested
    if file.window is None and counts.counts.num_rows:
        minutes = counts.counts["minute"].to_numpy()
        window = Window(int(np.min(minutes)), int(np.max(minutes)) + MINUTE_S)
    return CountedFile(file.identity, file.size, stats, window)
