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
from archive.db.lease import Claim
from domain import Window, utc_now
from domain.window import MINUTE_S
from sources.access_logs.base import CountedByDay, CountedElsewhere, LogSource
from sources.access_logs.counter import BATCH_BYTES, BATCH_FILES, Counted, Engine, Tally
from sources.access_logs.filenames import LogFile
from sources.base import Problem

Progress = Callable[["Counting"], None]
AT_ONCE = 4  # downloads
_OF_A_FILE = frozenset({"denied", "not_found", "bad_reply"})  # what may be wrong with one file, and no other
ENGINES = 2  # batches that are counted at once, each on one processor; while one is kept, the next is counted
_Result = tuple[Sequence[LogFile], Counted | None, tuple[Problem, ...]]
State = Literal["listing", "counting", "done", "busy", "stopped"]


@dataclass(frozen=True, slots=True)
class Counting:
    """How far the logs of `window` are counted.

    `state`: "busy" while another process counts, "stopped" where something kept the rest from being counted (`problems`, or it was told to stop).
    `bytes` of all new `files`, as they lie there; `known`: files that had been counted before; `changed`: those of them that had another size
    then: what has come since is not in the counts. `foreign`: files beside them that are no access logs. `problems`: of listing and of single files.
    """

    window: Window
    state: State = "listing"
    files: int = 0
    bytes: int = 0
    files_done: int = 0
    bytes_done: int = 0
    known: int = 0
    changed: int = 0
    foreign: int = 0
    lines: int = 0
    parsed: int = 0
    problems: tuple[Problem, ...] = ()
    tallies: tuple[Tally, ...] = ()  # of files with something wrong


def count_logs(
    archive: Archive,
    source: LogSource,
    window: Window,
    patterns: Sequence[str] = (),
    *,
    now: datetime | None = None,
    told: Progress = lambda _counting: None,
    stop: Callable[[], bool] = lambda: False,
) -> Counting:
    """Counts what is new of `window`'s logs. `told` hears of every step; `stop` is asked between batches.

    Never raises for the outside world's faults; ArchiveError where a batch cannot be kept. What was kept stays.
    """
    with archive.claim_logs(now or utc_now()) as claimed:
        if not claimed.ours:
            busy = Counting(window, "busy")
            told(busy)
            return busy
        told(Counting(window))
        listing = source.files(window)
        files = list({file.identity: file for file in listing.files}.values())
        before = archive.known_logs([one.identity for file in files for one in (file, *file.parts)])
        fresh = [rest for file in files if (rest := _rest(file, before))]
        done = Counting(
            window,
            "counting",
            files=sum(map(_many, fresh)),
            bytes=sum(file.size for file in fresh),
            known=sum(map(_many, files)) - sum(map(_many, fresh)),
            changed=sum(
                before.get(one.identity, one.size) != one.size for file in files for one in (file, *file.parts)
            ),
            foreign=listing.foreign,
            problems=listing.problems,
        )
        told(done)
        if isinstance(source, CountedByDay) and (refused := source.refuses(fresh)):
            done = replace(done, state="stopped", problems=(*done.problems, refused))
            told(done)
            return done
        done = _counted(archive, source, fresh, done, patterns, claimed, told, stop)
        told(done)
        return done


def _counted(
    archive: Archive,
    source: LogSource,
    fresh: Sequence[LogFile],
    done: Counting,
    patterns: Sequence[str],
    claimed: Claim,
    told: Progress,
    stop: Callable[[], bool],
) -> Counting:
    def afar(batch: Sequence[LogFile]) -> _Result:
        if isinstance(source, CountedByDay):
            return _day(source, batch[0], done, claimed, told, stop)
        assert isinstance(source, CountedElsewhere)
        counted = source.count(batch)
        return (batch, None, (counted,)) if isinstance(counted, Problem) else (batch, counted, ())

    with ExitStack() as stack:
        results: Iterator[tuple[Sequence[LogFile], _Result]]
        batches = list(_batches(fresh, 0 if isinstance(source, CountedByDay) else BATCH_BYTES))
        if isinstance(source, CountedElsewhere | CountedByDay):
            results = ((batch, afar(batch)) for batch in batches)
        else:
            results = _here(stack, source, batches, patterns, claimed)
        for _ in batches:
            if stop() or not claimed.renew():
                return replace(done, state="stopped")
            batch, (there, counted, problems) = next(results)
            done = replace(done, problems=tuple(dict.fromkeys((*done.problems, *problems))))
            if counted is None:
                return replace(done, state="stopped")
            done = _kept(archive, batch, there, counted, done)
            told(done)
    return replace(done, state="done")


def _kept(
    archive: Archive, batch: Sequence[LogFile], there: Sequence[LogFile], counted: Counted, done: Counting
) -> Counting:
    """Writes a batch down; how far it is then."""
    kept = [_file(file, tally, counted, done.window) for file, tally in zip(there, counted.tallies, strict=True)]
    # Of a whole day its files are known one by one, too, so that they are not counted again by themselves.
    parts = (part for file in there for part in file.parts)
    kept += [CountedFile(part.identity, part.size, Tally(part.key), part.window) for part in parts]
    archive.keep_logs(kept, counted)
    return replace(
        done,
        files_done=done.files_done + sum(map(_many, batch)),
        bytes_done=done.bytes_done + sum(file.size for file in batch),
        lines=done.lines + sum(tally.lines for tally in counted.tallies),
        parsed=done.parsed + sum(tally.parsed for tally in counted.tallies),
        tallies=(*done.tallies, *(tally for tally in counted.tallies if tally.problem or tally.lost)),
    )


def _here(
    stack: ExitStack, source: LogSource, batches: Sequence[Sequence[LogFile]], patterns: Sequence[str], claimed: Claim
) -> Iterator[tuple[Sequence[LogFile], _Result]]:
    """The batches counted on this machine, until `stack` ends."""
    engines, at_once = SimpleQueue[Engine](), min(ENGINES, len(batches))
    for _ in range(at_once):
        engines.put(stack.enter_context(Engine(patterns)))

    def work(batch: Sequence[LogFile]) -> _Result:
        engine = engines.get()
        try:
            return _batch(source, engine, batch, claimed)
        finally:
            engines.put(engine)

    return stack.enter_context(closing(_ahead(work, batches, at_once or 1)))


def _ahead(
    work: Callable[[Sequence[LogFile]], _Result], batches: Iterable[Sequence[LogFile]], at_once: int
) -> Generator[tuple[Sequence[LogFile], _Result]]:
    """What becomes of each batch, in their order, while as many of the next are worked at."""
    left, running = iter(batches), deque[tuple[Sequence[LogFile], Future[_Result]]]()
    with ThreadPoolExecutor(at_once) as threads:
        running.extend((batch, threads.submit(work, batch)) for batch in islice(left, at_once))
        while running:
            batch, future = running.popleft()
            result = future.result()
            running.extend((more, threads.submit(work, more)) for more in islice(left, 1))
            yield batch, result


def _batch(source: LogSource, engine: Engine, batch: Sequence[LogFile], claimed: Claim) -> _Result:
    """The files of a batch that were there, their counts, and what was wrong; no counts where there is no use in going on."""
    try:
        places = _brought(source, batch, claimed)
        there = [(file, place) for file, place in zip(batch, places, strict=True) if isinstance(place, Path)]
        problems = tuple(place for place in places if isinstance(place, Problem))
        if problems and (not there or any(problem.kind not in _OF_A_FILE for problem in problems)):
            return [], None, problems
        return [file for file, _ in there], engine.count([place for _, place in there]), problems
    except OSError as error:
        return [], None, (_full(source, error),)


def _brought(source: LogSource, batch: Sequence[LogFile], claimed: Claim) -> list[Path | Problem]:
    """Where the files of a batch lie now, several downloaded at once. After a problem that every other would have, no more are asked for."""
    hopeless: list[Problem] = []

    def bring(file: LogFile) -> Path | Problem:
        if hopeless:
            return hopeless[0]
        place = source.bring(file)
        if isinstance(place, Problem) and place.kind not in _OF_A_FILE:
            hopeless.append(place)
        claimed.renew()
        return place

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(bring, batch))


def _day(
    source: CountedByDay, day: LogFile, done: Counting, claimed: Claim, told: Progress, stop: Callable[[], bool]
) -> _Result:
    """The same for a day that is counted elsewhere, with its progress told and the claim kept alive meanwhile."""
    try:
        counted = source.count_day(
            day,
            told=lambda read: told(replace(done, bytes_done=done.bytes_done + min(read, day.size))),
            stop=lambda: stop() or not claimed.renew(),
        )
    except OSError as error:
        return [], None, (_full(source, error),)
    return ([], None, (counted,)) if isinstance(counted, Problem) else ([day], counted, ())


def _full(source: LogSource, error: OSError) -> Problem:
    said = error.strerror or str(error)
    return Problem("no_room", source.name, "write", str(error.filename or gettempdir()), said)


def _rest(file: LogFile, before: Collection[str]) -> LogFile | None:
    """What of a file is not counted yet: of a day that is counted as a whole, the files that were not counted by themselves."""
    new = tuple(part for part in file.parts if part.identity not in before)
    if file.identity in before or (file.parts and not new):
        return None
    return replace(file, parts=new, apart=tuple(part.key for part in file.parts if part.identity in before))


def _many(file: LogFile) -> int:
    return len(file.parts) or 1


def _batches(files: Sequence[LogFile], most_bytes: int = BATCH_BYTES) -> Iterator[list[LogFile]]:
    """`files` in their order, as many at a time as have `most_bytes`, BATCH_FILES at most; a larger file is a batch of its own."""
    batch, size = list[LogFile](), 0
    for file in files:
        if batch and (size + file.size > most_bytes or len(batch) == BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _file(file: LogFile, tally: Tally, counted: Counted, asked: Window) -> CountedFile:
    """Its window by its name; where that does not tell, that of all the batch's minutes, or what was asked for where there are none."""
    window = file.window or asked
    if file.window is None and counted.counts.num_rows:
        minutes = counted.counts["minute"].to_numpy()
        window = Window(int(np.min(minutes)), int(np.max(minutes)) + MINUTE_S)
    return CountedFile(file.identity, file.size, tally, window)
