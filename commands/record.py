"""`record`: how every source is and how far back its past is kept, while the keeper works; and the run that brings everything up to date."""

import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

import typer
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archive import Archive, ArchiveError, ArchiveProblem, SourceState
from collector.backfill import Backfilled
from collector.batches import BatchKeeper, open_batches
from collector.collector import Keeper
from commands.shared.options import echo, repeat
from commands.shared.output import (
    BAD,
    FAINT,
    GOOD,
    REMARK,
    archive_problem_json,
    plain,
    problem_json,
    said_lines,
    stamp,
    table,
    title,
)
from commands.shared.startup import drawn
from domain import Clock, Migration
from messages import numbers, states, times
from messages import recording as words
from messages.errors import sources as problems
from sources.base import SUPPLEMENTARY, Problem
from sources.registry import Sources

PATIENCE_S = (
    300.0  # `--once` waits so long for a source that is throttled or does not answer, then ends without the rest
)


@dataclass(frozen=True, slots=True)
class Recording:
    """How the sources are at `now`, and by name how far the past of each metric source is kept.

    `spare`: the sources whose trouble is no trouble of the recorder: those that only add to others, and those of batches.
    """

    now: datetime
    states: tuple[SourceState, ...]
    past: dict[str, Backfilled | None]
    archive_problem: ArchiveProblem | None
    spare: frozenset[str] = SUPPLEMENTARY

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(dict.fromkeys(problem for state in self.states for problem in state.problems))

    @property
    def down(self) -> tuple[str, ...]:
        """The sources that do not answer, the spare ones left aside."""
        needed = (state for state in self.states if state.source not in self.spare)
        return tuple(dict.fromkeys(state.source for state in needed if state.state not in ("up", "slow")))

    @property
    def well(self) -> bool:
        """Whether the archive can be written and every source answers, the spare ones left aside."""
        return self.archive_problem is None and not self.down


def spare(sources: Sources) -> frozenset[str]:
    """The sources that the recorder can do without."""
    return SUPPLEMENTARY | sources.of_batches


def recording(
    archive: Archive, keeper: Keeper, sources: Sources, *, now: datetime, of_batches: BatchKeeper | None = None
) -> Recording:
    """How it stands; `of_batches` is the keeper of the batches, where there are any."""
    try:
        found, problem = archive.states(), keeper.problem or archive.problem
    except ArchiveError as error:
        found, problem = (), error.problem
    past = {source.name: keeper.backfilled(source.name) for source in sources.metrics}
    if of_batches and not problem:
        past |= {source.name: of_batches.filled(source) for source in sources.batches}
        problem = of_batches.problem
    states_now = tuple(state for state in found if state.role != "whole")
    return Recording(now, states_now, past, problem, spare(sources))


def catch_up(
    keeper: Keeper, sources: Sources, *, patience_s: float, of_batches: BatchKeeper | None = None
) -> tuple[str, ...]:
    """Asks every source, all at once, until nothing is left; the names of those that could not give everything.

    A source that waits (throttled, refused, the archive full) is waited for `patience_s` seconds, counted anew whenever some of the past came.
    """
    rounds: list[tuple[Keeper, str, Callable[[], float]]] = [
        *((keeper, source.name, partial(keeper.keep_metrics, source)) for source in sources.metrics),
        *((keeper, source.name, partial(keeper.keep_events, source)) for source in sources.events),
    ]
    if sources.traffic:
        rounds.append((keeper, sources.traffic.name, keeper.keep_traffic))
    if of_batches:
        rounds += [(of_batches, each.name, partial(of_batches.keep_metrics, each)) for each in sources.batches]
        if sources.starters:
            look = partial(of_batches.keep_starters, sources.starters)
            rounds.append((of_batches, sources.starters.name, look))
    whole: dict[str, bool] = {}

    def bring(asking: Keeper, name: str, step: Callable[[], float]) -> None:
        whole[name] = _until_rest(asking, name, step, patience_s=patience_s)

    # Daemons: whoever interrupts this is not held up by a source that hangs.
    threads = [threading.Thread(target=bring, args=each, daemon=True) for each in rounds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(name for _, name, _ in rounds if not whole.get(name))


def _until_rest(keeper: Keeper, name: str, step: Callable[[], float], *, patience_s: float) -> bool:
    """Steps until a source is up to date. False where patience ran out before."""
    left_s, reached = patience_s, keeper.backfilled(name)
    while True:
        try:
            wait_s = step()
            if wait_s and keeper.up_to_date(name):
                return True
        except ArchiveError:
            wait_s = 15.0
        if (now := keeper.backfilled(name)) and (reached is None or now.there > reached.there):
            left_s, reached = patience_s, now
        if now is None or now.state != "filling":  # else it is only the rest between two pulls
            if wait_s > left_s:
                return False
            left_s -= wait_s
        threading.Event().wait(wait_s)


def recording_json(migration: Migration, found: Recording) -> dict[str, Any]:
    return {
        "ok": found.well,
        "migration": migration.name,
        "demo": migration.demo,
        "now": stamp(int(found.now.timestamp())),
        "sources": [
            {
                "source": state.source,
                "role": state.role,
                "state": state.state,
                "checked_at": stamp(state.checked_at),
                "last_good_at": stamp(state.last_good_at),
            }
            for state in found.states
        ],
        "past": [
            {
                "source": name,
                "state": past.state,
                "there": past.there,
                "whole": past.whole,
                "back_to": stamp(past.back_to),
                "since": stamp(past.window.start),
            }
            for name, past in found.past.items()
            if past
        ],
        "problems": [problem_json(problem) for problem in found.problems]
        + ([archive_problem_json(found.archive_problem)] if found.archive_problem else []),
    }


def recording_table(migration: Migration, found: Recording) -> RenderableType:
    made = table(*words.headings())
    for state in found.states:
        mark = GOOD if state.state in ("up", "slow") else REMARK if state.source in found.spare else BAD
        made.add_row(
            plain(states.source_name(state.source)),
            Text(states.label(state.state), mark),
            Text(_ago(state.last_good_at, found.now)),
            _past(migration, found, state) if state.role == "metrics" else Text(),
        )
    parts: list[RenderableType] = [title(migration), Text(), made]
    parts += [said_lines(problems.say(problem)) for problem in found.problems]
    if found.archive_problem:
        parts.append(said_lines(problems.say_archive(found.archive_problem.kind, found.archive_problem.detail)))
    return Group(*parts)


def recording_line(migration: Migration, found: Recording) -> RenderableType:
    """The same on one line, for a log."""
    said = [f"{found.now.astimezone(migration.zone):%Y-%m-%d %H:%M:%S}"]
    said += [f"{states.source_name(one.source)} {states.label(one.state)}" for one in found.states]
    said += [f"{states.source_name(name)}: {_progress(migration, past)}" for name, past in found.past.items() if past]
    return plain("  ·  ".join(said), "" if found.well else BAD)


def _past(migration: Migration, found: Recording, state: SourceState) -> RenderableType:
    past = found.past.get(state.source)
    if past is None:
        return Text(words.not_looked() if migration.backfill else words.no_past(), FAINT)
    line = Table.grid(padding=(0, 1))
    line.add_row(
        ProgressBar(total=max(past.whole, 1), completed=past.there, width=24), Text(_progress(migration, past))
    )
    return line


def _progress(migration: Migration, past: Backfilled) -> str:
    day = datetime.fromtimestamp(past.back_to, UTC).astimezone(migration.zone)
    percent = numbers.share(past.there / past.whole if past.whole else 1.0)
    return words.past(past.state, percent=percent, back_to=f"{day:%Y-%m-%d %H:%M}")


def _ago(at: int | None, now: datetime) -> str:
    return words.never() if at is None else times.ago(datetime.fromtimestamp(at, UTC), now=now)


def unfinished(names: Iterable[str]) -> str:
    """What `--once` ends with."""
    left = [states.source_name(name) for name in names if name not in SUPPLEMENTARY]
    return words.not_all_there(", ".join(left)) if left else words.all_there()


def while_working(work: Callable[[], object], show: Callable[[], None], *, every_s: float = 0.5) -> None:
    """Shows how it goes until `work` is done."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        show()
        thread.join(every_s)
    show()


class Recorder:
    """A keeper with everything on, that of the batches too, and what a terminal or a log shows of it. A context. Raises ArchiveError."""

    def __init__(
        self, migration: Migration, archive: Archive, sources: Sources, clock: Clock, *, as_json: bool
    ) -> None:
        self._migration, self._archive, self._sources, self._clock = migration, archive, sources, clock
        self._as_json = as_json
        self._of_batches: BatchKeeper | None = None
        self._room = ExitStack()
        if sources.batches:
            kept, self._of_batches = open_batches(migration, sources.batches, sources.starters, clock=clock)
            self._room.enter_context(kept)
        self._keeper = Keeper(
            archive,
            sources.metrics,
            sources.traffic,
            sources.events,
            backfill=migration.backfill,
            since=migration.since_s,
            logs=sources.logs if migration.access_logs and migration.access_logs.record else None,
            routes=migration.access_logs.routes if migration.access_logs else (),
            record_logs=True,
            clock=clock,
        )

    def once(self) -> int:
        """Brings everything up to date. Returns 0 where nothing is left that somebody needs, else 1."""
        left: list[str] = []
        with drawn(as_json=self._as_json) as drawing:
            while_working(
                lambda: left.extend(
                    catch_up(self._keeper, self._sources, patience_s=PATIENCE_S, of_batches=self._of_batches)
                ),
                lambda: drawing.update(self._table(), refresh=True) if drawing else None,
            )
        if drawing is None:
            self._tell()
        left += [name for name in self._found().down if name not in left]
        if not self._as_json:
            typer.echo(unfinished(left))
        return 1 if set(left) - spare(self._sources) else 0

    def run(self) -> int:
        """Records until Ctrl-C or SIGTERM; shows how it goes, in a terminal every second, else a line a minute. Returns 0."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's Ctrl-C
        with suppress(KeyboardInterrupt):
            self._keeper.start()
            if self._of_batches:
                self._of_batches.start()
            with drawn(as_json=self._as_json) as drawing:
                if drawing is None:
                    repeat(self._tell, 60)
                else:
                    repeat(lambda: drawing.update(self._table(), refresh=True), 1)
        self._keeper.stop()
        if self._of_batches:
            self._of_batches.stop()
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the archive of the batches, which it opened."""
        self._room.close()

    def _table(self) -> RenderableType:
        return recording_table(self._migration, self._found())

    def _tell(self) -> None:
        show = recording_json if self._as_json else recording_line
        echo(show(self._migration, self._found()))

    def _found(self) -> Recording:
        return recording(self._archive, self._keeper, self._sources, now=self._clock(), of_batches=self._of_batches)
