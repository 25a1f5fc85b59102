"""A server with viewers for many hours, with an accelerated clock: does its memory grow, and are descriptors and threads given back?"""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import BenchmarkServer, benchmark_environment, run_server, wait_until
from benchmarks.limits.accelerated import accelerated_clock
from benchmarks.limits.figure import Figure
from benchmarks.live import log_progress
from benchmarks.viewers import viewer_pool

PAGES = ("", "", "", "parity", "retrospective")  # of the viewers
FIRST_HOUR = 2  # memory is compared with that of this hour
MAX_GROWTH = 0.05
MAX_MORE = 2  # descriptors and threads: of requests under way
SAMPLES_PER_HOUR = 15


@dataclass(frozen=True, slots=True)
class Sample:
    """`hour`: by the accelerated clock, since the viewers came."""

    hour: float
    memory_mb: float
    descriptors: int
    threads: int


def measure(hours: int, factor: float) -> list[Figure]:
    """The resident memory, descriptors and threads of a server during `hours` of its clock, which take `hours / factor`."""
    since = time.time()
    settings = {"ACCELERATED": str(factor), "ACCELERATED_SINCE": str(since)}
    with tempfile.TemporaryDirectory() as folder, benchmark_environment(Path(folder)) as environment:
        environment.dashboard_cloudwatch.clock = accelerated_clock(since, factor)
        with (
            run_server(environment, module="benchmarks.limits.accelerated", settings=settings) as server,
            viewer_pool(server.url, speed=factor) as pool,
        ):
            for page in PAGES:
                pool.add_viewers(1, page=page)
            wait_until(lambda: sum(run.is_first for run in pool.runs) == len(PAGES), timeout_s=300)
            samples = _sample(server, hours, factor)
            pool.raise_failures()
            refreshes = len(pool.runs) - len(PAGES)
    return _figures(samples, f"{hours} h at {factor:g} times the speed, {len(PAGES)} viewers, {refreshes:,} refreshes")


def _sample(server: BenchmarkServer, hours: int, factor: float) -> list[Sample]:
    samples, started = list[Sample](), time.monotonic()
    while not samples or samples[-1].hour < hours:
        time.sleep(3600 / SAMPLES_PER_HOUR / factor)
        hour = (time.monotonic() - started) * factor / 3600
        samples.append(Sample(hour, server.memory_mb(), server.descriptors(), server.threads()))
        if len(samples) % SAMPLES_PER_HOUR == 0:
            last = samples[-1]
            log_progress(
                f"{hour:.0f} h: {last.memory_mb:.0f} MB, {last.descriptors} descriptors, {last.threads} threads"
            )
    return samples


def _figures(samples: list[Sample], title: str) -> list[Figure]:
    hours = int(samples[-1].hour)
    first, last = ([sample for sample in samples if hour <= sample.hour < hour + 1] for hour in (FIRST_HOUR, hours - 1))
    before, after = (statistics.median(sample.memory_mb for sample in part) for part in (first, last))
    growth = after / before - 1
    figures = [
        Figure(
            f"RSS, {title}",
            f"≤ {MAX_GROWTH:.0%} more than in hour {FIRST_HOUR}",
            f"{growth:+.1%} ({before:.0f} → {after:.0f} MB; {samples[0].memory_mb:.0f} MB at first)",
            growth <= MAX_GROWTH,
        )
    ]
    for name in ("descriptors", "threads"):
        typical = [round(statistics.median(getattr(sample, name) for sample in part)) for part in (first, last)]
        limit = f"≤ {MAX_MORE} more than in hour {FIRST_HOUR}"
        figures.append(
            Figure(f"{name}, median of an hour", limit, "{} → {}".format(*typical), typical[1] <= typical[0] + MAX_MORE)
        )
    return figures
