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
from collector.backfill import BackfillStatus
from collector.batches import BatchCollector, open_batch_collector
from collector.collector import Collector
from commands.shared.options import echo, repeat
from commands.shared.output import (
    BAD,
    FAINT,
    GOOD,
    WARN,
    archive_problem_json,
    iso_time,
    message_lines,
    plain,
    problem_json,
    table,
    title,
)
from commands.shared.startup import live_display
from domain import Clock, Migration
from messages import numbers, states, times
from messages import recording as words
from messages.errors import sources as problems
from sources.base import SUPPLEMENTARY, Problem
from sources.registry import Sources

CATCH_UP_TIMEOUT_S = (
    300.0  # `--once` waits so long for a source that is throttled or does not answer, then ends without the rest
)


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How the sources are at `now`, and by name how far the past of each metric source is kept.

    `spare`: the sources whose trouble is no trouble of the recorder: those that only add to others, and those of batches.
    """

    now: datetime
    states: tuple[SourceState, ...]
    backfills: dict[str, BackfillStatus | None]
    archive_problem: ArchiveProblem | None
    optional_sources: frozenset[str] = SUPPLEMENTARY

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(dict.fromkeys(problem for state in self.states for problem in state.problems))

    @property
    def down(self) -> tuple[str, ...]:
        """The sources that do not answer, the spare ones left aside."""
        needed = (state for state in self.states if state.source not in self.optional_sources)
        return tuple(dict.fromkeys(state.source for state in needed if state.state not in ("up", "slow")))

    @property
    def is_healthy(self) -> bool:
        """Whether the archive can be written and every source answers, the spare ones left aside."""
        return self.archive_problem is None and not self.down


def optional_sources(sources: Sources) -> frozenset[str]:
    """The sources that the recorder can do without."""
    return SUPPLEMENTARY | sources.batch_source_names


def recorder_status(
    archive: Archive,
    collector: Collector,
    sources: Sources,
    *,
    now: datetime,
    batch_collector: BatchCollector | None = None,
) -> RecorderStatus:
    """How it stands; `of_batches` is the keeper of the batches, where there are any."""
    try:
        found, problem = archive.events.source_states(), collector.problem or archive.problem
    except ArchiveError as error:
        found, problem = (), error.problem
    past = {source.name: collector.backfill_status(source.name) for source in sources.metrics}
    if batch_collector and not problem:
        past |= {source.name: batch_collector.fill_status(source) for source in sources.batches}
        problem = batch_collector.problem
    states_now = tuple(state for state in found if state.role != "whole")
    return RecorderStatus(now, states_now, past, problem, optional_sources(sources))


def catch_up(
    collector: Collector, sources: Sources, *, timeout_s: float, batch_collector: BatchCollector | None = None
) -> tuple[str, ...]:
    """Asks every source, all at once, until nothing is left; the names of those that could not give everything.

    A source that waits (throttled, refused, the archive full) is waited for `patience_s` seconds, counted anew whenever some of the past came.
    """
    rounds: list[tuple[Collector, str, Callable[[], float]]] = [
        *((collector, source.name, partial(collector.poll_metrics, source)) for source in sources.metrics),
        *((collector, source.name, partial(collector.poll_events, source)) for source in sources.events),
    ]
    if sources.traffic:
        rounds.append((collector, sources.traffic.name, collector.poll_traffic))
    if batch_collector:
        rounds += [
            (batch_collector, each.name, partial(batch_collector.poll_metrics, each)) for each in sources.batches
        ]
        if sources.triggers:
            look = partial(batch_collector.poll_triggers, sources.triggers)
            rounds.append((batch_collector, sources.triggers.name, look))
    whole: dict[str, bool] = {}

    def bring(asking: Collector, name: str, step: Callable[[], float]) -> None:
        whole[name] = _poll_until_done(asking, name, step, timeout_s=timeout_s)

    # Daemons: whoever interrupts this is not held up by a source that hangs.
    threads = [threading.Thread(target=bring, args=each, daemon=True) for each in rounds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(name for _, name, _ in rounds if not whole.get(name))


def _poll_until_done(collector: Collector, name: str, poll: Callable[[], float], *, timeout_s: float) -> bool:
    """Steps until a source is up to date. False where patience ran out before."""
    left_s, reached = timeout_s, collector.backfill_status(name)
    while True:
        try:
            wait_s = poll()
            if wait_s and collector.is_up_to_date(name):
                return True
        except ArchiveError:
            wait_s = 15.0
        if (now := collector.backfill_status(name)) and (reached is None or now.available > reached.available):
            left_s, reached = timeout_s, now
        if now is None or now.state != "filling":  # else it is only the rest between two pulls
            if wait_s > left_s:
                return False
            left_s -= wait_s
        threading.Event().wait(wait_s)


def recorder_json(migration: Migration, status: RecorderStatus) -> dict[str, Any]:
    return {
        "ok": status.is_healthy,
        "migration": migration.name,
        "demo": migration.demo,
        "now": iso_time(int(status.now.timestamp())),
        "sources": [
            {
                "source": state.source,
                "role": state.role,
                "state": state.state,
                "checked_at": iso_time(state.checked_at),
                "last_good_at": iso_time(state.last_success_at),
            }
            for state in status.states
        ],
        "past": [
            {
                "source": name,
                "state": past.state,
                "there": past.available,
                "whole": past.total,
                "back_to": iso_time(past.complete_since),
                "since": iso_time(past.window.start),
            }
            for name, past in status.backfills.items()
            if past
        ],
        "problems": [problem_json(problem) for problem in status.problems]
        + ([archive_problem_json(status.archive_problem)] if status.archive_problem else []),
    }


def recorder_table(migration: Migration, status: RecorderStatus) -> RenderableType:
    made = table(*words.SOURCES_HEAD())
    for state in status.states:
        mark = GOOD if state.state in ("up", "slow") else WARN if state.source in status.optional_sources else BAD
        made.add_row(
            plain(states.source_name(state.source)),
            Text(states.label(state.state), mark),
            Text(_ago(state.last_success_at, status.now)),
            _backfill_cell(migration, status, state) if state.role == "metrics" else Text(),
        )
    parts: list[RenderableType] = [title(migration), Text(), made]
    parts += [message_lines(problems.format_problem(problem)) for problem in status.problems]
    if status.archive_problem:
        parts.append(
            message_lines(problems.format_archive_problem(status.archive_problem.kind, status.archive_problem.detail))
        )
    return Group(*parts)


def recorder_line(migration: Migration, status: RecorderStatus) -> RenderableType:
    """The same on one line, for a log."""
    said = [f"{status.now.astimezone(migration.zone):%Y-%m-%d %H:%M:%S}"]
    said += [f"{states.source_name(one.source)} {states.label(one.state)}" for one in status.states]
    said += [
        f"{states.source_name(name)}: {_backfill_text(migration, past)}"
        for name, past in status.backfills.items()
        if past
    ]
    return plain("  ·  ".join(said), "" if status.is_healthy else BAD)


def _backfill_cell(migration: Migration, status: RecorderStatus, state: SourceState) -> RenderableType:
    past = status.backfills.get(state.source)
    if past is None:
        return Text(words.NOT_CHECKED() if migration.backfill else words.NO_BACKFILL(), FAINT)
    line = Table.grid(padding=(0, 1))
    line.add_row(
        ProgressBar(total=max(past.total, 1), completed=past.available, width=24), Text(_backfill_text(migration, past))
    )
    return line


def _backfill_text(migration: Migration, backfill: BackfillStatus) -> str:
    day = datetime.fromtimestamp(backfill.complete_since, UTC).astimezone(migration.zone)
    percent = numbers.share(backfill.available / backfill.total if backfill.total else 1.0)
    return words.backfill_progress(backfill.state, percent=percent, back_to=f"{day:%Y-%m-%d %H:%M}")


def _ago(at: int | None, now: datetime) -> str:
    return words.NEVER() if at is None else times.ago(datetime.fromtimestamp(at, UTC), now=now)


def catch_up_summary(names: Iterable[str]) -> str:
    """What `--once` ends with."""
    left = [states.source_name(name) for name in names if name not in SUPPLEMENTARY]
    return words.incomplete(", ".join(left)) if left else words.ALL_DONE()


def show_while_running(work: Callable[[], object], show: Callable[[], None], *, interval_s: float = 0.5) -> None:
    """Shows how it goes until `work` is done."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        show()
        thread.join(interval_s)
    show()


class Recorder:
    """A keeper with everything on, that of the batches too, and what a terminal or a log shows of it. A context. Raises ArchiveError."""

    def __init__(
        self, migration: Migration, archive: Archive, sources: Sources, clock: Clock, *, as_json: bool
    ) -> None:
        self._migration, self._archive, self._sources, self._clock = migration, archive, sources, clock
        self._as_json = as_json
        self._batch_collector: BatchCollector | None = None
        self._exit_stack = ExitStack()
        if sources.batches:
            kept, self._batch_collector = open_batch_collector(
                migration, sources.batches, sources.triggers, clock=clock
            )
            self._exit_stack.enter_context(kept)
        self._collector = Collector(
            archive,
            sources.metrics,
            sources.traffic,
            sources.events,
            backfill=migration.backfill,
            since_s=migration.since_s,
            logs=sources.logs if migration.access_logs and migration.access_logs.ingest else None,
            route_templates=migration.access_logs.routes if migration.access_logs else (),
            ingest_logs=True,
            clock=clock,
        )

    def run_once(self) -> int:
        """Brings everything up to date. Returns 0 where nothing is left that somebody needs, else 1."""
        left: list[str] = []
        with live_display(as_json=self._as_json) as drawing:
            show_while_running(
                lambda: left.extend(
                    catch_up(
                        self._collector,
                        self._sources,
                        timeout_s=CATCH_UP_TIMEOUT_S,
                        batch_collector=self._batch_collector,
                    )
                ),
                lambda: drawing.update(self._table(), refresh=True) if drawing else None,
            )
        if drawing is None:
            self._print_status()
        left += [name for name in self._status().down if name not in left]
        if not self._as_json:
            typer.echo(catch_up_summary(left))
        return 1 if set(left) - optional_sources(self._sources) else 0

    def run(self) -> int:
        """Records until Ctrl-C or SIGTERM; shows how it goes, in a terminal every second, else a line a minute. Returns 0."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's Ctrl-C
        with suppress(KeyboardInterrupt):
            self._collector.start()
            if self._batch_collector:
                self._batch_collector.start()
            with live_display(as_json=self._as_json) as drawing:
                if drawing is None:
                    repeat(self._print_status, 60)
                else:
                    repeat(lambda: drawing.update(self._table(), refresh=True), 1)
        self._collector.stop()
        if self._batch_collector:
            self._batch_collector.stop()
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the archive of the batches, which it opened."""
        self._exit_stack.close()

    def _table(self) -> RenderableType:
        return recorder_table(self._migration, self._status())

    def _print_status(self) -> None:
        show = recorder_json if self._as_json else recorder_line
        echo(show(self._migration, self._status()))

    def _status(self) -> RecorderStatus:
        return recorder_status(
            self._archive, self._collector, self._sources, now=self._clock(), batch_collector=self._batch_collector
        )
