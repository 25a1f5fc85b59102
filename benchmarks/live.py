"""The performance goals of the Live page, measured beside a naive page in the same run: `python -m benchmarks.live --help`."""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import typer
from playwright.sync_api import Browser
from rich.console import Console
from rich.table import Table

from archive import Archive
from benchmarks.browser import chromium, new_visitor, open_page
from benchmarks.environment import (
    BenchmarkEnvironment,
    BenchmarkServer,
    benchmark_environment,
    run_server,
    wait_until,
    wait_until_quiet,
)
from benchmarks.viewers import PageRun, ViewerPool, viewer_pool
from domain import Window, load
from sources.aws.cloudwatch import CloudWatch
from tests.fakes.cloudwatch import FakeCloudWatch

EXPERIMENTS = ("viewers", "backfill", "browser", "read-through", "hang")
HANG_S = 30
INTERVAL_S = 15


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of the table. `is_met`: None if there is no goal."""

    name: str
    goal: str
    dashboard: str
    naive: str
    is_met: bool | None


@dataclass(frozen=True, slots=True)
class MinuteCost:
    """The cost of one minute."""

    cpu_s: float
    metrics: int
    datapoints: int
    refreshes: tuple[PageRun, ...]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A server without viewers, with one, and with many: minutes of each, and the memory at the end of the last two."""

    idle_cpu_s: float  # a minute without viewers
    one: tuple[MinuteCost, ...]
    many: tuple[MinuteCost, ...]
    memory_one_mb: float
    memory_many_mb: float


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"An experiment: {', '.join(EXPERIMENTS)}. Repeatable.")
    ] = None,
    minutes: Annotated[int, typer.Option(help="Minutes without viewers, with one, and with many.", min=1)] = 2,
    viewers: Annotated[int, typer.Option(help="Number of viewers after the first.", min=1)] = 20,
    opens: Annotated[int, typer.Option(help="How often to open the page in a browser.", min=1)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="The table as JSON.")] = False,
) -> None:
    """Measures the Live page and a naive page, on loopback; all of it takes about 20 minutes.

    Medians, with the range in brackets. Exits with 1 if a goal is missed.
    """
    if unknown := set(only or ()) - set(EXPERIMENTS):
        raise typer.BadParameter(f"there is no experiment {', '.join(sorted(unknown))}: {', '.join(EXPERIMENTS)}")
    selected = [name for name in EXPERIMENTS if not only or name in only]
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder, benchmark_environment(Path(folder)) as environment:
        experiments: dict[str, Callable[[], list[Measurement]]] = {
            "viewers": lambda: measure_viewers(environment, minutes, viewers),
            "backfill": lambda: measure_backfill(environment, minutes),
            "browser": lambda: measure_browser(environment, opens),
            "read-through": lambda: [measure_read_through(environment)],
            "hang": lambda: measure_hang(environment),
        }
        for name in selected:
            measurements += experiments[name]()
    if as_json:
        result = {"machine": machine_summary(), "figures": [asdict(measurement) for measurement in measurements]}
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        Console(width=150).print(table(measurements))
    raise typer.Exit(1 if any(measurement.is_met is False for measurement in measurements) else 0)


# ---- viewers without a browser


def measure_viewers(environment: BenchmarkEnvironment, minutes: int, viewers: int) -> list[Measurement]:
    """The cost of viewers for the sources and the server."""
    dashboard, naive = (_run_load(environment, minutes, viewers, naive=naive) for naive in (False, True))

    def metrics(costs: Sequence[MinuteCost]) -> float:
        return sum(minute.metrics for minute in costs) / len(costs)

    def points(costs: Sequence[MinuteCost]) -> float:
        return sum(minute.datapoints for minute in costs) / max(1, sum(len(minute.refreshes) for minute in costs))

    def cpu(result: LoadResult, costs: Sequence[MinuteCost]) -> list[float]:
        return [(minute.cpu_s - result.idle_cpu_s) / max(1, len(minute.refreshes)) * 1000 for minute in costs]

    def memory(result: LoadResult) -> float:
        return (result.memory_many_mb - result.memory_one_mb) / viewers

    def received(result: LoadResult) -> list[float]:
        return [run.received / 1000 for minute in result.many for run in minute.refreshes]

    def duration(result: LoadResult) -> list[float]:
        return [run.duration_s * 1000 for minute in result.many for run in minute.refreshes]

    cpu_ms = statistics.median(cpu(dashboard, dashboard.many))
    return [
        Measurement(
            f"metrics requested a minute, {viewers + 1} viewers against 1",
            "equal",
            f"{metrics(dashboard.many):.0f} against {metrics(dashboard.one):.0f}",
            f"{metrics(naive.many):.0f} against {metrics(naive.one):.0f}",
            metrics(dashboard.many) == metrics(dashboard.one),
        ),
        Measurement(
            "datapoints requested per refresh, 1 viewer, 3 h",
            "≤ 1/10 of naive",
            f"{points(dashboard.one):.0f}",
            f"{points(naive.one):.0f}",
            points(dashboard.one) <= points(naive.one) / 10,
        ),
        Measurement(
            f"datapoints requested per refresh and viewer, {viewers + 1} viewers, 3 h",
            "",
            f"{points(dashboard.many):.0f}",
            f"{points(naive.many):.0f}",
            None,
        ),
        Measurement(
            f"server CPU per viewer and refresh, {viewers + 1} viewers, 3 h, ms",
            "≤ 40, < naive",
            median_and_range(cpu(dashboard, dashboard.many)),
            median_and_range(cpu(naive, naive.many)),
            cpu_ms <= 40 and cpu_ms < statistics.median(cpu(naive, naive.many)),
        ),
        Measurement(
            "server CPU per refresh of a single viewer, 3 h, ms",
            "≤ 40",
            median_and_range(cpu(dashboard, dashboard.one)),
            median_and_range(cpu(naive, naive.one)),
            statistics.median(cpu(dashboard, dashboard.one)) <= 40,
        ),
        Measurement(
            "server CPU without viewers, ms a minute",
            "",
            f"{dashboard.idle_cpu_s * 1000:.0f}",
            f"{naive.idle_cpu_s * 1000:.0f}",
            None,
        ),
        Measurement(
            f"server memory per further viewer ({viewers}), MB",
            "≤ 2",
            f"{memory(dashboard):.2f} (from {dashboard.memory_one_mb:.0f})",
            f"{memory(naive):.2f} (from {naive.memory_one_mb:.0f})",
            memory(dashboard) <= 2,
        ),
        Measurement(
            f"a refresh takes, {viewers + 1} viewers, ms",
            "",
            median_and_range(duration(dashboard)),
            median_and_range(duration(naive)),
            None,
        ),
        Measurement(
            "a refresh receives, KB",
            "≤ 150 on average",
            mean_and_max(received(dashboard)),
            mean_and_max(received(naive)),
            statistics.mean(received(dashboard)) <= 150,
        ),
    ]


def _run_load(environment: BenchmarkEnvironment, minutes: int, viewers: int, *, naive: bool) -> LoadResult:
    name = "naive" if naive else "dashboard"
    log_progress(f"{name}: starting" if naive else f"{name}: starting, and filling the archive")
    with run_server(environment, naive=naive) as server:
        with viewer_pool(server.url) as pool:
            pool.add_viewers(1)
            wait_until(lambda: len(pool.runs) > 1, timeout_s=120)  # imports and first draws are done
        log_progress(f"{name}: {minutes} min without viewers")
        idle = _minutes(server, None, minutes, naive=naive)
        with viewer_pool(server.url) as pool:
            pool.add_viewers(1)
            wait_until(lambda: len(pool.runs) > 1, timeout_s=120)
            log_progress(f"{name}: {minutes} min with 1 viewer")
            one = _minutes(server, pool, minutes, naive=naive)
            memory_one_mb = server.memory_mb()
            pool.add_viewers(viewers)
            wait_until(lambda: sum(run.is_first for run in pool.runs) > viewers, timeout_s=300)
            log_progress(f"{name}: {minutes} min with {viewers + 1} viewers")
            many = _minutes(server, pool, minutes, naive=naive)
            memory_many_mb = server.memory_mb()
            pool.raise_failures()
    return LoadResult(statistics.mean(minute.cpu_s for minute in idle), one, many, memory_one_mb, memory_many_mb)


def _minutes(server: BenchmarkServer, pool: ViewerPool | None, minutes: int, *, naive: bool) -> tuple[MinuteCost, ...]:
    """Full minutes that start just after a poll of the collector, so that each contains one."""
    if not naive:
        wait_until_quiet(server.cloudwatch)
    costs = []
    for _ in range(minutes):
        start, cloudwatch = time.monotonic(), server.cloudwatch
        cpu_s, metrics, datapoints = server.cpu_s(), cloudwatch.metrics_requested, cloudwatch.datapoints_requested
        time.sleep(max(0.0, start + 60 - time.monotonic()))
        costs.append(
            MinuteCost(
                server.cpu_s() - cpu_s,
                cloudwatch.metrics_requested - metrics,
                cloudwatch.datapoints_requested - datapoints,
                tuple(pool.refreshes(start, time.monotonic()) if pool else ()),
            )
        )
    return tuple(costs)


# ---- during back-fill


def measure_backfill(environment: BenchmarkEnvironment, minutes: int) -> list[Measurement]:
    """A new archive is opened, and back-filled while there is one viewer: all other figures are of a server that does not back-fill."""
    log_progress(f"dashboard: {minutes} min of a new archive during back-fill")
    with run_server(environment, backfill=True) as server, viewer_pool(server.url) as pool:
        start, cpu_s, datapoints = time.monotonic(), server.cpu_s(), server.cloudwatch.datapoints_requested
        pool.add_viewers(1)
        time.sleep(60 * minutes)
        pool.raise_failures()
        duration_s = time.monotonic() - start
        cpu_s, datapoints = server.cpu_s() - cpu_s, server.cloudwatch.datapoints_requested - datapoints
        first, *refreshes = (run.duration_s for run in pool.runs)
    refresh_ms = median_and_range(seconds * 1000 for seconds in refreshes)
    return [
        Measurement("a new archive during back-fill: page answered, s", "≤ 2", f"{first:.2f}", "", first <= 2),
        Measurement("the same: duration of a refresh, ms", "", refresh_ms, "", None),
        Measurement("the same: server CPU, % of one processor", "", f"{cpu_s / duration_s * 100:.0f}", "", None),
        Measurement("the same: datapoints requested a minute", "", f"{datapoints / duration_s * 60:,.0f}", "", None),
    ]


# ---- with a browser


@dataclass(frozen=True, slots=True)
class BrowserResult:
    """Seconds until charts are drawn with a cold and a warm cache, megabytes of a first visit, kilobytes of each refresh in a minute."""

    cold_s: list[float]
    warm_s: list[float]
    first_visit_mb: list[float]
    refresh_kb: list[float]


def measure_browser(environment: BenchmarkEnvironment, opens: int) -> list[Measurement]:
    """The waiting time and the bytes of a page in Chromium."""
    dashboard, naive = (_open_pages(environment, opens, naive=naive) for naive in (False, True))
    return [
        Measurement(
            "page opened → all charts drawn, new browser, s",
            "≤ 2.5",
            median_and_range(dashboard.cold_s, 2),
            median_and_range(naive.cold_s, 2),
            statistics.median(dashboard.cold_s) <= 2.5,
        ),
        Measurement(
            "the same, browser with a warm cache, s",
            "",
            median_and_range(dashboard.warm_s, 2),
            median_and_range(naive.warm_s, 2),
            None,
        ),
        Measurement(
            "bytes received, first visit, MB",
            "≤ 3",
            median_and_range(dashboard.first_visit_mb, 2),
            median_and_range(naive.first_visit_mb, 2),
            statistics.median(dashboard.first_visit_mb) <= 3,
        ),
        Measurement(
            "bytes received by a refresh in a browser, KB",
            "≤ 150 on average",
            mean_and_max(dashboard.refresh_kb),
            mean_and_max(naive.refresh_kb),
            statistics.mean(dashboard.refresh_kb) <= 150,
        ),
    ]


def _open_pages(environment: BenchmarkEnvironment, opens: int, *, naive: bool) -> BrowserResult:
    result = BrowserResult([], [], [], [])
    log_progress(f"{'naive' if naive else 'dashboard'}: opening in a browser, {opens} times cold and warm")
    with run_server(environment, naive=naive) as server, chromium() as browser:
        with new_visitor(browser) as context:
            open_page(context, server.url)  # warms the server up
        for number in range(opens):
            with new_visitor(browser) as context:
                first = open_page(context, server.url)
                first.page.wait_for_timeout(1500)  # the first visit continues after the charts are drawn
                result.cold_s.append(first.drawn_s)
                result.first_visit_mb.append(first.received_bytes.total / 1e6)
                first.page.close()
                second = open_page(context, server.url)
                result.warm_s.append(second.drawn_s)
                if number == opens - 1:
                    second.page.wait_for_timeout(5000)
                    start = time.monotonic()
                    second.page.wait_for_timeout(4 * INTERVAL_S * 1000 + 2000)
                    result.refresh_kb.extend(length / 1000 for length in second.received_bytes.bursts(start))
    return result


# ---- without a server


def measure_read_through(environment: BenchmarkEnvironment) -> Measurement:
    """A day of every series that is in the archive; for comparison the same request to the source, on loopback."""
    log_progress("read-through: filling an archive with 24 h")
    with _environment(environment, environment.dashboard_cloudwatch):
        url = f"sqlite:///{environment.folder / 'read-through.db'}"
        migration = load(environment.write_config()).model_copy(update={"archive": url})
        source, now = CloudWatch(migration), datetime.now(UTC)
        day = Window.last(1440, now=now)
        with Archive.open(migration.archive, migration) as archive:
            archive.metrics.get(day, source, now=now)
            archive_ms = []
            for _ in range(9):
                result = archive.metrics.get(day, source, now=now)
                if result.datapoints_requested or result.problems:
                    raise RuntimeError(f"the archive was incomplete: {result.problems}")
                archive_ms.append(result.took_s * 1000)
            n_values = len(result.frame)
        if not n_values:
            raise RuntimeError("the fake returned no data: nothing was measured")
        source_ms = []
        for _ in range(3):
            start = time.monotonic()
            source.pull(day, source.series())
            source_ms.append((time.monotonic() - start) * 1000)
    return Measurement(
        f"read-through of 24 h × {len(source.series())} series ({n_values:,} values), all in the archive, ms",
        "≤ 150",
        median_and_range(archive_ms),
        f"{median_and_range(source_ms)} from loopback",
        statistics.median(archive_ms) <= 150,
    )


# ---- with a source that hangs


def measure_hang(environment: BenchmarkEnvironment) -> list[Measurement]:
    """A page opened while CloudWatch hangs: in a new browser on a warm server, on a server that starts meanwhile, and the naive page."""
    with chromium() as browser:
        with run_server(environment) as server:
            _warm_up(browser, server)
            log_progress("dashboard: CloudWatch hangs; waiting for the collector's next call")
            with _hang_cloudwatch(environment.dashboard_cloudwatch) as hang:
                hang.reached.wait(90)
                warm_s, answered_s = _open_while_hanging(browser, server)
            wait_until_quiet(environment.dashboard_cloudwatch)
        log_progress("dashboard: started while CloudWatch hangs")
        with _hang_cloudwatch(environment.dashboard_cloudwatch), run_server(environment) as server:
            _warm_up(browser, server)  # imports; the source hangs all the time
            started_s, started_answered_s = _open_while_hanging(browser, server)
        log_progress("naive: opened while CloudWatch hangs")
        with run_server(environment, naive=True) as server:
            _warm_up(browser, server)
            with new_visitor(browser) as context, _hang_cloudwatch(environment.naive_cloudwatch, throughout=False):
                naive_s = open_page(context, server.url, timeout_s=HANG_S * 4).drawn_s
    title = f"a source hangs for {HANG_S} s"
    started = f"{started_s:.2f} (answered {started_answered_s:.2f})"
    return [
        Measurement(f"{title}: page answered by the server, s", "≤ 2", f"{answered_s:.2f}", "", answered_s <= 2),
        Measurement(
            f"{title}: last known data drawn in a new browser, s",
            "≤ 2",
            f"{warm_s:.2f}",
            f"{naive_s:.2f}",
            warm_s <= 2,
        ),
        Measurement("the same, on a server that was started meanwhile, s", "", started, "", None),
    ]


def _warm_up(browser: Browser, server: BenchmarkServer) -> None:
    with new_visitor(browser) as context:
        open_page(context, server.url)


def _open_while_hanging(browser: Browser, server: BenchmarkServer) -> tuple[float, float]:
    """Seconds until the charts are drawn in a browser, and until the server has answered a session."""
    with new_visitor(browser) as context:
        drawn_s = open_page(context, server.url, timeout_s=HANG_S * 4).drawn_s
    with viewer_pool(server.url) as pool:
        pool.add_viewers(1)
        wait_until(lambda: bool(pool.runs), timeout_s=HANG_S * 4)
        return drawn_s, pool.runs[0].duration_s


class _HangEvent(threading.Event):
    """Calls to a fake wait for it: HANG_S from the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self._end = threading.Timer(HANG_S, self.set)

    def wait(self, timeout: float | None = None) -> bool:
        if not self.reached.is_set():
            self.reached.set()
            self._end.start()
        return super().wait(timeout)

    def set(self) -> None:
        self._end.cancel()
        super().set()


@contextmanager
def _hang_cloudwatch(cloudwatch: FakeCloudWatch, *, throughout: bool = True) -> Iterator[_HangEvent]:
    """CloudWatch answers no call for HANG_S. Raises RuntimeError if it is to hang `throughout` and did not."""
    hang = cloudwatch.hang = _HangEvent()
    try:
        yield hang
        if throughout and hang.is_set():
            raise RuntimeError("the source hung for too short a time")
    finally:
        hang.set()
        cloudwatch.hang = None


# ---- output


@contextmanager
def _environment(environment: BenchmarkEnvironment, cloudwatch: FakeCloudWatch) -> Iterator[None]:
    with patch.dict(os.environ, environment.environment(cloudwatch), clear=True):
        yield


def median_and_range(values: Iterable[float], digits: int = 0) -> str:
    """The median, and the range in brackets: "41 (38–52)"."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):.{digits}f} ({ordered[0]:.{digits}f}–{ordered[-1]:.{digits}f})"


def mean_and_max(values: Sequence[float]) -> str:
    """The mean, which determines the load of a connection, and the maximum."""
    return f"{statistics.mean(values):.0f} (largest {max(values):.0f})"


def machine_summary() -> str:
    return f"{os.cpu_count()} processors, load over 15 minutes {os.getloadavg()[2]:.1f} (this benchmark included)"


def log_progress(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)


def table(measurements: Sequence[Measurement], *, peer: str = "naive") -> Table:
    """`peer`: the page that was measured beside the dashboard."""
    drawn = Table("figure", "goal", "dashboard", peer, "met?", title=machine_summary())
    for row in measurements:
        drawn.add_row(row.name, row.goal, row.dashboard, row.naive, {True: "yes", False: "NO", None: ""}[row.is_met])
    return drawn


if __name__ == "__main__":
    typer.run(main)
