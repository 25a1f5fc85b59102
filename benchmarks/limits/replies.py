"""Damaged replies of every service: none may make a source raise, or end a poll."""

import logging
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from archive import Archive
from benchmarks.limits.figure import Figure
from benchmarks.live import log_progress
from collector.batches import open_batch_collector
from collector.collector import Collector, CollectorConfig
from collector.polling import PollTask
from domain import Window, utc_now
from sources import border, registry
from sources.base import ANSWERING_STATES
from tests.factories.proxied_sources import ProxiedSources, proxied_sources

_SHARES = (
    1.0,
    0.3,
)  # of replies that are mutated, by turns: all, or few enough that later replies of a request are reached
_CLOCK_SPEED = 300  # of the polls' clock, so that their waits and back-offs pass
SILENT_AFTER_S = 30.0  # a poll is started many times in this time
RECOVERY_LIMIT_S = 60.0


@dataclass(slots=True)
class _Caught:
    """The exceptions that ended at the border: how many, by source and kind (its type, and the function that raised it)."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def of(self, source: str) -> str:
        kinds = {kind: n for (name, kind), n in self.counts.most_common() if name == source}
        return ", ".join(f"{n} {kind}" for kind, n in list(kinds.items())[:3])


def measure(replies: int, poll_seconds: float, *, seed: int = 1) -> list[Figure]:
    """Asks every source again and again, for `replies` mutated replies; then lets the collectors poll."""
    logging.getLogger("collector").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, proxied_sources(Path(folder)) as proxied:
        mutations = random.Random(seed)
        with _caught_exceptions() as caught:
            mutated, raised = _ask_sources(proxied, replies, mutations)
        with _caught_exceptions():
            polls = list(_poll(proxied, mutations, poll_seconds))
        total, n_kinds = mutated.total(), len({kind for _, kind in caught.counts})
        return [
            Figure(f"mutated replies of {len(mutated)} sources", f"≥ {replies:,}", f"{total:,}", total >= replies),
            *(
                Figure(f"  {name}: mutated replies", "", f"{n:,}", None, caught.of(name))
                for name, n in sorted(mutated.items())
            ),
            Figure("exceptions out of a source", "0", _counts(raised), not raised),
            Figure("exceptions caught at the border", "", f"{caught.counts.total():,} of {n_kinds} kinds", None),
            *polls,
        ]


def _ask_sources(proxied: ProxiedSources, replies: int, mutations: random.Random) -> tuple[Counter[str], Counter[str]]:
    """The mutated replies by source, and the exceptions that left a source."""
    mutated, raised, n_rounds = Counter[str](), Counter[str](), 0
    while mutated.total() < replies:
        for source in proxied.create():
            for request in proxied.requests_of(source).values():
                before = _n_changed(proxied)
                proxied.damage(mutations, _SHARES[n_rounds % len(_SHARES)])
                try:
                    request()
                except Exception as error:
                    raised[f"{source.name}: {_kind(error)}"] += 1
                mutated[source.name] += _n_changed(proxied) - before
        n_rounds += 1
        if n_rounds % 50 == 0:
            log_progress(f"{mutated.total():,} of {replies:,} mutated replies")
    return mutated, raised


def _n_changed(proxied: ProxiedSources) -> int:
    return sum(proxy.changed for proxy in proxied.proxies)


def _poll(proxied: ProxiedSources, mutations: random.Random, seconds: float) -> Iterator[Figure]:
    """Runs all polls with damaged replies, then with undamaged ones until every source answers again."""
    log_progress(f"polls with damaged replies: {seconds:g} s")
    first, started = utc_now() - timedelta(days=1), time.monotonic()

    def clock() -> datetime:
        return first + timedelta(seconds=(time.monotonic() - started) * _CLOCK_SPEED)

    migration = proxied.migration
    sources = registry.create_sources(migration, clock=clock)
    with Archive.open(migration.archive, migration, clock=clock) as archive:
        collector = Collector(archive, sources, CollectorConfig.from_migration(migration), clock=clock)
        batch_archive, batches = open_batch_collector(migration, sources, clock=clock)
        collectors = (collector, batches)
        ended = {id(task): _count_polls(task) for each in collectors for task in each.tasks}
        tasks = [task for each in collectors for task in each.tasks]
        n_changed = _n_changed(proxied)

        def run_until(is_over: Callable[[], bool]) -> None:
            """As if a page were opened every two seconds."""
            while not is_over():
                window = Window.last(30, now=clock())
                for source in sources.metrics:
                    collector.request_window_latency(window, source.name)
                collector.request_access_logs(window)
                for _ in range(20):
                    for task in tasks:
                        task.wake.set()
                    time.sleep(0.1)

        def down() -> list[str]:
            states = [state for each in collectors for state in each.source_states()]
            return [state.source for state in states if state.state not in ANSWERING_STATES]

        try:
            proxied.damage(mutations, _SHARES[-1])
            for each in collectors:
                each.start()
            damaged_until = time.monotonic() + seconds
            run_until(lambda: time.monotonic() > damaged_until)
            proxied.end_damage()
            repaired_at = time.monotonic()
            run_until(lambda: time.monotonic() > repaired_at + RECOVERY_LIMIT_S or not down())
            recovered_s, now = time.monotonic() - repaired_at, time.monotonic()
            silent = [
                f"{task.source} {task.role}"
                for task in tasks
                if task.problem or max(ended[id(task)], default=0.0) < now - SILENT_AFTER_S
            ]
            n_polls, still_down = sum(map(len, ended.values())), down()
        finally:
            for each in collectors:
                each.stop()
            batch_archive.close()
        n_changed = _n_changed(proxied) - n_changed
    about = f"{len(tasks)} polls, {n_polls:,} rounds, {n_changed:,} mutated replies"
    yield Figure(f"silent polls of {about}", "0", ", ".join(silent) or "0", not silent)
    measured = f"{recovered_s:.1f} s" + (f", not {', '.join(still_down)}" if still_down else "")
    yield Figure("until every source answers again", f"≤ {RECOVERY_LIMIT_S:g} s", measured, not still_down)


def _count_polls(task: PollTask) -> list[float]:
    """The times at which polls of the task ended without an exception, from now on."""
    poll, ended = task.poll, list[float]()

    def counted() -> float:
        wait_s = poll()
        ended.append(time.monotonic())
        return wait_s

    task.poll = counted
    return ended


@contextmanager
def _caught_exceptions() -> Iterator[_Caught]:
    """The exceptions that the border logs meanwhile; they are not printed."""
    caught = _Caught()

    class Counting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and isinstance(error := record.exc_info[1], Exception):
                caught.counts[vars(record)["source"], _kind(error)] += 1

    handler = Counting()
    border.logger.addHandler(handler)
    border.logger.propagate = False
    try:
        yield caught
    finally:
        border.logger.propagate = True
        border.logger.removeHandler(handler)


def _kind(error: Exception) -> str:
    """KeyError in parse_rule"""
    return f"{type(error).__name__} in {traceback.extract_tb(error.__traceback__)[-1].name}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.most_common()) or "0"
