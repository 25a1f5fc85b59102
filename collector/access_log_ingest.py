"""Counts the access logs of a window: lists its files, brings and counts those that are new, and keeps them batch by batch, in their order."""

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

from archive.access_logs.tables import CountedFile
from archive.archive import Archive
from archive.db.lease import Lease
from domain import Window, utc_now
from domain.window import MINUTE_S
from sources.access_logs.base import DailyCounter, LogSource, RemoteCounter
from sources.access_logs.counter import MAX_BATCH_BYTES, MAX_BATCH_FILES, FileStats, LogCounter, LogCounts
from sources.access_logs.filenames import LogFile
from sources.base import Problem

IngestCallback = Callable[["IngestProgress"], None]
MAX_DOWNLOADS = 4  # downloads
_PER_FILE_PROBLEMS = frozenset({"denied", "not_found", "bad_reply"})  # what may be wrong with one file, and no other
MAX_COUNTERS = 2  # batches that are counted at once, each on one processor; while one is kept, the next is counted
_BatchResult = tuple[Sequence[LogFile], LogCounts | None, tuple[Problem, ...]]
IngestState = Literal["listing", "counting", "done", "busy", "stopped"]


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far the logs of `window` are counted.

    `state`: "busy" while another process counts, "stopped" where something kept the rest from being counted (`problems`, or it was told to stop).
    `bytes` of all new `files`, as they lie there; `known`: files that had been counted before; `changed`: those of them that had another size
    then: what has come since is not in the counts. `foreign`: files beside them that are no access logs. `problems`: of listing and of single files.
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
    problems: tuple[Problem, ...] = ()
    file_stats: tuple[FileStats, ...] = ()  # of files with something wrong


def ingest_access_logs(
    archive: Archive,
    source: LogSource,
    window: Window,
    route_templates: Sequence[str] = (),
    *,
    now: datetime | None = None,
    on_progress: IngestCallback = lambda _counting: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> IngestProgress:
    """Counts what is new of `window`'s logs. `told` hears of every step; `stop` is asked between batches.

    Never raises for the outside world's faults; ArchiveError where a batch cannot be kept. What was kept stays.
    """
    with archive.access_logs.acquire_lease(now or utc_now()) as claimed:
        if not claimed.acquired:
            busy = IngestProgress(window, "busy")
            on_progress(busy)
            return busy
        on_progress(IngestProgress(window))
        listing = source.files(window)
        files = list({file.identity: file for file in listing.files}.values())
        before = archive.access_logs.known_sizes([one.identity for file in files for one in (file, *file.parts)])
        fresh = [rest for file in files if (rest := _uncounted(file, before))]
        done = IngestProgress(
            window,
            "counting",
            files=sum(map(_n_files, fresh)),
            bytes=sum(file.size for file in fresh),
            already_counted=sum(map(_n_files, files)) - sum(map(_n_files, fresh)),
            changed=sum(
                before.get(one.identity, one.size) != one.size for file in files for one in (file, *file.parts)
            ),
            skipped=listing.skipped,
            problems=listing.problems,
        )
        on_progress(done)
        if isinstance(source, DailyCounter) and (refused := source.check_limits(fresh)):
            done = replace(done, state="stopped", problems=(*done.problems, refused))
            on_progress(done)
            return done
        done = _ingest_batches(archive, source, fresh, done, route_templates, claimed, on_progress, should_stop)
        on_progress(done)
        return done


def _ingest_batches(
    archive: Archive,
    source: LogSource,
    new_files: Sequence[LogFile],
    progress: IngestProgress,
    route_templates: Sequence[str],
    lease: Lease,
    on_progress: IngestCallback,
    should_stop: Callable[[], bool],
) -> IngestProgress:
    def afar(batch: Sequence[LogFile]) -> _BatchResult:
        if isinstance(source, DailyCounter):
            return _count_day(source, batch[0], progress, lease, on_progress, should_stop)
        assert isinstance(source, RemoteCounter)
        counted = source.count(batch)
        return (batch, None, (counted,)) if isinstance(counted, Problem) else (batch, counted, ())

    with ExitStack() as stack:
        results: Iterator[tuple[Sequence[LogFile], _BatchResult]]
        batches = list(_split_batches(new_files, 0 if isinstance(source, DailyCounter) else MAX_BATCH_BYTES))
        if isinstance(source, RemoteCounter | DailyCounter):
            results = ((batch, afar(batch)) for batch in batches)
        else:
            results = _count_locally(stack, source, batches, route_templates, lease)
        for _ in batches:
            if should_stop() or not lease.renew():
                return replace(progress, state="stopped")
            batch, (there, counted, problems) = next(results)
            progress = replace(progress, problems=tuple(dict.fromkeys((*progress.problems, *problems))))
            if counted is None:
                return replace(progress, state="stopped")
            progress = _save_batch(archive, batch, there, counted, progress)
            on_progress(progress)
    return replace(progress, state="done")


def _save_batch(
    archive: Archive, batch: Sequence[LogFile], files: Sequence[LogFile], counts: LogCounts, progress: IngestProgress
) -> IngestProgress:
    """Writes a batch down; how far it is then."""
    kept = [
        _counted_file(file, tally, counts, progress.window) for file, tally in zip(files, counts.files, strict=True)
    ]
    # Of a whole day its files are known one by one, too, so that they are not counted again by themselves.
    parts = (part for file in files for part in file.parts)
    kept += [CountedFile(part.identity, part.size, FileStats(part.key), part.window) for part in parts]
    archive.access_logs.save_counts(kept, counts)
    return replace(
        progress,
        files_done=progress.files_done + sum(map(_n_files, batch)),
        bytes_done=progress.bytes_done + sum(file.size for file in batch),
        lines=progress.lines + sum(tally.lines for tally in counts.files),
        parsed=progress.parsed + sum(tally.parsed for tally in counts.files),
        file_stats=(*progress.file_stats, *(tally for tally in counts.files if tally.problem or tally.unparsed)),
    )


def _count_locally(
    stack: ExitStack,
    source: LogSource,
    batches: Sequence[Sequence[LogFile]],
    route_templates: Sequence[str],
    lease: Lease,
) -> Iterator[tuple[Sequence[LogFile], _BatchResult]]:
    """The batches counted on this machine, until `stack` ends."""
    engines, at_once = SimpleQueue[LogCounter](), min(MAX_COUNTERS, len(batches))
    for _ in range(at_once):
        engines.put(stack.enter_context(LogCounter(route_templates)))

    def work(batch: Sequence[LogFile]) -> _BatchResult:
        engine = engines.get()
        try:
            return _download_and_count(source, engine, batch, lease)
        finally:
            engines.put(engine)

    return stack.enter_context(closing(_run_ahead(work, batches, at_once or 1)))


def _run_ahead(
    work: Callable[[Sequence[LogFile]], _BatchResult], batches: Iterable[Sequence[LogFile]], n_threads: int
) -> Generator[tuple[Sequence[LogFile], _BatchResult]]:
    """What becomes of each batch, in their order, while as many of the next are worked at."""
    left, running = iter(batches), deque[tuple[Sequence[LogFile], Future[_BatchResult]]]()
    with ThreadPoolExecutor(n_threads) as threads:
        running.extend((batch, threads.submit(work, batch)) for batch in islice(left, n_threads))
        while running:
            batch, future = running.popleft()
            result = future.result()
            running.extend((more, threads.submit(work, more)) for more in islice(left, 1))
            yield batch, result


def _download_and_count(source: LogSource, counter: LogCounter, batch: Sequence[LogFile], lease: Lease) -> _BatchResult:
    """The files of a batch that were there, their counts, and what was wrong; no counts where there is no use in going on."""
    try:
        places = _download(source, batch, lease)
        there = [(file, place) for file, place in zip(batch, places, strict=True) if isinstance(place, Path)]
        problems = tuple(place for place in places if isinstance(place, Problem))
        if problems and (not there or any(problem.kind not in _PER_FILE_PROBLEMS for problem in problems)):
            return [], None, problems
        return [file for file, _ in there], counter.count([place for _, place in there]), problems
    except OSError as error:
        return [], None, (_disk_full(source, error),)


def _download(source: LogSource, batch: Sequence[LogFile], lease: Lease) -> list[Path | Problem]:
    """Where the files of a batch lie now, several downloaded at once. After a problem that every other would have, no more are asked for."""
    hopeless: list[Problem] = []

    def bring(file: LogFile) -> Path | Problem:
        if hopeless:
            return hopeless[0]
        place = source.download(file)
        if isinstance(place, Problem) and place.kind not in _PER_FILE_PROBLEMS:
            hopeless.append(place)
        lease.renew()
        return place

    with ThreadPoolExecutor(MAX_DOWNLOADS) as threads:
        return list(threads.map(bring, batch))


def _count_day(
    source: DailyCounter,
    day: LogFile,
    progress: IngestProgress,
    lease: Lease,
    on_progress: IngestCallback,
    should_stop: Callable[[], bool],
) -> _BatchResult:
    """The same for a day that is counted elsewhere, with its progress told and the claim kept alive meanwhile."""
    try:
        counted = source.count_day(
            day,
            on_progress=lambda read: on_progress(
                replace(progress, bytes_done=progress.bytes_done + min(read, day.size))
            ),
            stop=lambda: should_stop() or not lease.renew(),
        )
    except OSError as error:
        return [], None, (_disk_full(source, error),)
    return ([], None, (counted,)) if isinstance(counted, Problem) else ([day], counted, ())


def _disk_full(source: LogSource, error: OSError) -> Problem:
    said = error.strerror or str(error)
    return Problem("no_room", source.name, "write", str(error.filename or gettempdir()), said)


def _uncounted(file: LogFile, known: Collection[str]) -> LogFile | None:
    """What of a file is not counted yet: of a day that is counted as a whole, the files that were not counted by themselves."""
    new = tuple(part for part in file.parts if part.identity not in known)
    if file.identity in known or (file.parts and not new):
        return None
    return replace(file, parts=new, excluded_keys=tuple(part.key for part in file.parts if part.identity in known))


def _n_files(file: LogFile) -> int:
    return len(file.parts) or 1


def _split_batches(files: Sequence[LogFile], max_bytes: int = MAX_BATCH_BYTES) -> Iterator[list[LogFile]]:
    """`files` in their order, as many at a time as have `most_bytes`, BATCH_FILES at most; a larger file is a batch of its own."""
    batch, size = list[LogFile](), 0
    for file in files:
        if batch and (size + file.size > max_bytes or len(batch) == MAX_BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _counted_file(file: LogFile, stats: FileStats, counts: LogCounts, requested: Window) -> CountedFile:
    """Its window by its name; where that does not tell, that of all the batch's minutes, or what was asked for where there are none."""
    window = file.window or requested
    if file.window is None and counts.counts.num_rows:
        minutes = counts.counts["minute"].to_numpy()
        window = Window(int(np.min(minutes)), int(np.max(minutes)) + MINUTE_S)
    return CountedFile(file.identity, file.size, stats, window)
