"""Counts the access logs of a window: lists its files, brings and counts those that are new, and keeps each batch before the next is begun."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np

from archive.claim import Claim
from archive.logs import CountedFile
from archive.store import Archive
from migration import Window, utc_now
from migration.window import MINUTE_S
from sources import Problem
from sources.access_log_engine import BATCH_BYTES, Counted, Engine, Tally
from sources.access_log_names import LogFile
from sources.access_logs import CountedElsewhere, LogSource

Progress = Callable[["Counting"], None]
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
        before = archive.known_logs([file.identity for file in files])
        fresh = [file for file in files if file.identity not in before]
        done = Counting(
            window,
            "counting",
            files=len(fresh),
            bytes=sum(file.size for file in fresh),
            known=len(files) - len(fresh),
            changed=sum(before.get(file.identity, file.size) != file.size for file in files),
            foreign=listing.foreign,
            problems=listing.problems,
        )
        told(done)
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
    with ExitStack() as stack:
        engine: Engine | None = None
        for batch in _batches(fresh):
            if stop() or not claimed.renew():
                return replace(done, state="stopped")
            problems: tuple[Problem, ...] = ()
            try:
                if isinstance(source, CountedElsewhere):
                    there, counted = batch, source.count(batch)
                else:
                    engine = engine or stack.enter_context(Engine(patterns))
                    brought = []
                    for file in batch:
                        brought.append((file, source.bring(file)))
                        claimed.renew()
                    there = [file for file, place in brought if isinstance(place, Path)]
                    problems = tuple(place for _, place in brought if isinstance(place, Problem))
                    counted = engine.count([place for _, place in brought if isinstance(place, Path)])
            except OSError as error:
                full = Problem("no_room", source.name, "write", error.filename or "", error.strerror or str(error))
                return replace(done, state="stopped", problems=(*done.problems, full))
            if isinstance(counted, Problem):
                return replace(done, state="stopped", problems=(*done.problems, counted))
            kept = [
                _file(file, tally, counted, done.window) for file, tally in zip(there, counted.tallies, strict=True)
            ]
            archive.keep_logs(kept, counted)
            done = replace(
                done,
                files_done=done.files_done + len(batch),
                bytes_done=done.bytes_done + sum(file.size for file in batch),
                lines=done.lines + sum(tally.lines for tally in counted.tallies),
                parsed=done.parsed + sum(tally.parsed for tally in counted.tallies),
                problems=(*done.problems, *problems),
                tallies=(*done.tallies, *(tally for tally in counted.tallies if tally.problem or tally.lost)),
            )
            told(done)
    return replace(done, state="done")


def _batches(files: Sequence[LogFile], most_bytes: int = BATCH_BYTES) -> Iterator[list[LogFile]]:
    """`files` in their order, as many at a time as have `most_bytes`; a larger file is a batch of its own."""
    batch, size = list[LogFile](), 0
    for file in files:
        if batch and size + file.size > most_bytes:
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
