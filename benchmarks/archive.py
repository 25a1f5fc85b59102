"""An archive with two months of data in both database engines: `python -m benchmarks.archive --help`.

`python -m benchmarks.retrospective` measures the Retrospective of such an archive.
"""

import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from archive import Archive
from domain import Series, Window, assemble
from domain.series import series_of_load_balancer, series_of_target_group
from sources.base import AnsweredRange, Health, Pull
from tests.factories.archives import MIGRATION
from tests.fakes.postgresql import PostgresServer, pg_ctl

END = 1_790_000_000 // 86_400 * 86_400  # a midnight in UTC
SERIES_SHOWN, BUCKETS, REPEATS = 12, 2000, 9


def all_series(source: str) -> tuple[Series, ...]:
    """The series of three target groups in CloudWatch: 58."""
    groups = (("baseline", "photo-ec2"), ("canary", "photo-blue"), ("canary", "photo-green"))
    of_groups = [
        series for fleet, group in groups for series in series_of_target_group(source, fleet, group, (0.1, 0.3, 1.0))
    ]
    return tuple(series for series in (*of_groups, *series_of_load_balancer(source)) if not series.hourly)


@dataclass
class SyntheticSource:
    """A source with a value for every series in every minute. `generation_s`: the time it took, to be subtracted."""

    name: str
    configured_series: tuple[Series, ...]
    now: int = END
    generation_s: float = 0.0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def series(self) -> tuple[Series, ...]:
        return self.configured_series

    def unsupported_metrics(self) -> tuple[str, ...]:
        return ()

    def finest_period_s(self, start: int, *, now: int) -> int:
        return 60

    def check(self) -> tuple[Health, ...]:
        return ()

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        start = time.perf_counter()
        requested = tuple(self.configured_series if series is None else series)
        ts = np.arange(window.start, window.end, 60)
        code = np.repeat(np.arange(len(requested)), len(ts))
        is_latency = np.array([item.unit != "count" for item in requested])[code]
        value = np.where(is_latency, self.rng.gamma(4, 0.05, len(code)), self.rng.poisson(300, len(code)))
        # Older minutes have the same values at each request, as in CloudWatch; half of the values of the newest ones differ the next time.
        times = np.tile(ts, len(requested))
        value = np.where(times < self.now - 120, np.round(np.sin(code * 7.0 + times) * 50 + 60), value)
        frame = assemble(requested, code, times, value, 60)
        self.generation_s += time.perf_counter() - start
        return Pull(
            window, self.now, frame, (AnsweredRange(frozenset(requested), window, 60),), datapoints_requested=len(code)
        )


def median_of(run: Callable[[], float]) -> float:
    """The median of `REPEATS` runs."""
    return float(np.median([run() for _ in range(REPEATS)]))


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(url: str, days: int) -> Iterator[tuple[str, str, str]]:
    """(subject, figure, goal) of each measurement."""
    window = Window(END - days * 86_400, END)
    with Archive.open(url, MIGRATION) as archive:
        source = SyntheticSource("cloudwatch", all_series("cloudwatch")[:40])
        later = datetime.fromtimestamp(END + 3600, UTC)
        source.now = END + 3600
        load_s = timed(lambda: archive.metrics.fill(window, source, now=later)) - source.generation_s
        points = len(source.configured_series) * window.minutes
        yield f"{points / 1e6:.2f} M points loaded", f"{load_s:.1f} s", "60 s"

        shown = source.configured_series[:SERIES_SHOWN]
        overview = archive.metrics.overview(window, source.name, series=shown, max_buckets=BUCKETS)
        overview_s = median_of(
            lambda: timed(lambda: archive.metrics.overview(window, source.name, series=shown, max_buckets=BUCKETS))
        )
        yield (
            f"{days} days × {SERIES_SHOWN} series in {len(overview.ts)} buckets",
            f"{overview_s * 1000:.0f} ms",
            "200 ms",
        )

        start = time.perf_counter()
        frame = archive.metrics.read(window, source.name, now=later, series_filter=frozenset(shown).__contains__).frame
        read_s = time.perf_counter() - start
        yield "the same, all minutes read", f"{read_s * 1000:.0f} ms", ""
        stats = ("sum", "sample_count")
        total = sum(np.nansum(buckets.value) for series, buckets in overview.series.items() if series.stat in stats)
        is_exact = total == frame.loc[frame["stat"].isin(stats), "value"].sum()
        yield "counts of both", "equal" if is_exact else "DIFFERENT", "equal"

        yield from measure_minute_writes(archive)


def measure_minute_writes(archive: Archive) -> Iterator[tuple[str, str, str]]:
    """The refresh of a minute, 16 minutes of every series: its transaction, and all of it except the source's answer."""
    source = SyntheticSource("minutely", all_series("minutely"))
    writes: list[float] = []
    save_pull = archive.metrics._save_pull

    def timed_save_pull(*args: Any) -> Any:
        start = time.perf_counter()
        try:
            return save_pull(*args)
        finally:
            writes.append(time.perf_counter() - start)

    archive.metrics._save_pull = timed_save_pull  # type: ignore[method-assign]

    def refresh(at: int) -> float:
        source.now, source.generation_s = at, 0.0
        now = datetime.fromtimestamp(at, UTC)
        return timed(lambda: archive.metrics.fill(Window(at - 3600, at), source, now=now)) - source.generation_s

    refreshes = [refresh(END + number * 60) for number in range(1, 61)][20:]
    subject = f"one minute written (16 × {len(source.configured_series)} series)"
    yield subject, f"{np.median(writes[20:]) * 1000:.0f} ms", "20 ms"
    yield "… with reading, lease and plan", f"{np.median(refreshes) * 1000:.0f} ms", ""


@contextmanager
def archive_urls(engine: str) -> Iterator[dict[str, str]]:
    """The archives to measure, by engine; PostgreSQL if it is installed."""
    path = pg_ctl() if engine in ("both", "postgresql") else None
    server = PostgresServer(path, fsync=True) if path else None
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = {"SQLite": f"sqlite:///{Path(folder) / 'archive.db'}"} if engine in ("both", "sqlite") else {}
            yield {**files, **({"PostgreSQL": server.url()} if server else {})}
    finally:
        if server:
            server.close()


def main(
    days: Annotated[int, typer.Option(help="Days of 40 series; 60 are 3.5 M points.")] = 60,
    engine: Annotated[str, typer.Option(help="sqlite, postgresql or both.")] = "both",
) -> None:
    """Fills an archive, reads two months of it downsampled and minute by minute, and writes single minutes."""
    table = Table("engine", "subject", "figure", "goal")
    with archive_urls(engine) as urls:
        for name, url in urls.items():
            for subject, figure, goal in measure(url, days):
                table.add_row(name, subject, figure, goal)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
