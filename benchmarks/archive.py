"""The archive with two months in it, on both engines, and its recorder killed: `python -m benchmarks.archive --help`.

Drawing the Retrospective from such an archive is `python -m benchmarks.retrospective`.
"""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from archive import Archive
from benchmarks import recorder_kills as killing
from domain import Series, Window, assemble
from domain.series import series_of_load_balancer, series_of_target_group
from sources.base import AnsweredRange, Health, Pull
from tests.factories.archives import MIGRATION
from tests.fakes.postgresql import PostgresServer, pg_ctl

END = 1_790_000_000 // 86_400 * 86_400  # a midnight in UTC
SERIES_SHOWN, BUCKETS, REPEATS = 12, 2000, 9


def all_series(source: str) -> tuple[Series, ...]:
    """What CloudWatch is asked for three target groups: 58 series."""
    groups = (("baseline", "photo-ec2"), ("canary", "photo-blue"), ("canary", "photo-green"))
    of_groups = (
        one for fleet, group in groups for one in series_of_target_group(source, fleet, group, (0.1, 0.3, 1.0))
    )
    return tuple(one for one in (*of_groups, *series_of_load_balancer(source)) if not one.hourly)


@dataclass
class SyntheticSource:
    """A source that has a number for every series in every minute, at no cost to speak of. `took_s` is that cost."""

    name: str
    configured_series: tuple[Series, ...]
    now: int = END
    generation_s: float = 0.0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def series(self) -> tuple[Series, ...]:
        return self.configured_series

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        return 60

    def check(self) -> tuple[Health, ...]:
        return ()

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        began = time.perf_counter()
        asked = tuple(self.configured_series if series is None else series)
        ts = np.arange(window.start, window.end, 60)
        code = np.repeat(np.arange(len(asked)), len(ts))
        latency = np.array([one.unit != "count" for one in asked])[code]
        value = np.where(latency, self.random.gamma(4, 0.05, len(code)), self.random.poisson(300, len(code)))
        # Settled minutes say the same whenever they are asked, as CloudWatch's do: half of the values of the newest minute differ next time.
        value = np.where(
            (np.tile(ts, len(asked)) < self.now - 120),
            np.round(np.sin(code * 7.0 + np.tile(ts, len(asked))) * 50 + 60),
            value,
        )
        frame = assemble(asked, code, np.tile(ts, len(asked)), value, 60)
        self.generation_s += time.perf_counter() - began
        return Pull(
            window, self.now, frame, (AnsweredRange(frozenset(asked), window, 60),), datapoints_requested=len(code)
        )


def median_of(run: Callable[[], float]) -> float:
    """The median of several runs."""
    return float(np.median([run() for _ in range(REPEATS)]))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(url: str, days: int) -> Iterator[tuple[str, str, str]]:
    """(what, figure, bound) as they come."""
    window = Window(END - days * 86_400, END)
    with Archive.open(url, MIGRATION) as archive:
        source = SyntheticSource("cloudwatch", all_series("cloudwatch")[:40])
        later = datetime.fromtimestamp(END + 3600, UTC)
        source.now = END + 3600
        load_s = timed(lambda: archive.metrics.fill(window, source, now=later)) - source.generation_s
        points = len(source.configured_series) * window.minutes
        yield f"{points / 1e6:.2f} M points loaded", f"{load_s:.1f} s", "60 s"

        shown = source.configured_series[:SERIES_SHOWN]
        seen = archive.metrics.overview(window, source.name, series=shown, max_buckets=BUCKETS)
        glance_s = median_of(
            lambda: timed(lambda: archive.metrics.overview(window, source.name, series=shown, max_buckets=BUCKETS))
        )
        yield f"{days} days × {SERIES_SHOWN} series in {len(seen.ts)} buckets", f"{glance_s * 1000:.0f} ms", "200 ms"

        began = time.perf_counter()
        frame = archive.metrics.read(window, source.name, now=later, series_filter=frozenset(shown).__contains__).frame
        naive_s = time.perf_counter() - began
        yield "the same, all minutes read", f"{naive_s * 1000:.0f} ms", ""
        counted = sum(np.nansum(line.value) for one, line in seen.series.items() if one.stat in ("sum", "sample_count"))
        exact = counted == frame.loc[frame["stat"].isin(("sum", "sample_count")), "value"].sum()
        yield "counts of both", "equal" if exact else "DIFFERENT", "equal"

        yield from measure_minute_writes(archive)


def measure_minute_writes(archive: Archive) -> Iterator[tuple[str, str, str]]:
    """The refresh of every minute, 16 minutes of every series: its one transaction of writing, and everything but the source's answer."""
    source = SyntheticSource("minutely", all_series("minutely"))
    written: list[float] = []
    keep = archive._save_pull
    archive._save_pull = lambda *told: written.append(timed(lambda: keep(*told)))  # type: ignore[method-assign]

    def refresh(at: int) -> float:
        source.now, source.generation_s = at, 0.0
        now = datetime.fromtimestamp(at, UTC)
        return timed(lambda: archive.metrics.fill(Window(at - 3600, at), source, now=now)) - source.generation_s

    whole = [refresh(END + number * 60) for number in range(1, 61)][20:]
    what = f"one minute written (16 × {len(source.configured_series)} series)"
    yield what, f"{np.median(written[20:]) * 1000:.0f} ms", "20 ms"
    yield "… with what is looked up, claimed and planned around it", f"{np.median(whole) * 1000:.0f} ms", ""


@contextmanager
def archive_urls(engine: str) -> Iterator[dict[str, str]]:
    """Where to measure, by engine; PostgreSQL where it is installed."""
    found = pg_ctl() if engine in ("both", "postgresql") else None
    server = PostgresServer(found, fsync=True) if found else None
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = {"SQLite": f"sqlite:///{Path(folder) / 'archive.db'}"} if engine in ("both", "sqlite") else {}
            yield {**files, **({"PostgreSQL": server.url()} if server else {})}
    finally:
        if server:
            server.close()


def main(
    days: Annotated[int, typer.Option(help="So many days of 40 series; 60 are 3.5 M points.")] = 60,
    engine: Annotated[str, typer.Option(help="sqlite, postgresql or both.")] = "both",
    kills: Annotated[int, typer.Option(help="So many recorders are killed at random instants; 0: none.")] = 100,
) -> None:
    """Loads an archive, reads two months of it at a glance and minute by minute, writes single minutes, and kills recorders."""
    table = Table("engine", "what", "figure", "at most")
    with archive_urls(engine) as urls:
        for name, url in urls.items():
            for what, figure, bound in measure(url, days):
                table.add_row(name, what, figure, bound)
    if kills:
        points, wrong, doubled, hit = killing.kill_recorders(kills, seed=1)
        what = f"{kills} kills of the recorder, {hit:.0%} while it asked, of {points:,} points"
        table.add_row("SQLite", what, f"{wrong} lost, {doubled} doubled", "0")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
