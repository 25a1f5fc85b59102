"""The figures of the Live page, measured beside a naive page in the same run: `python -m benchmarks.live --help`."""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import typer
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

EXPERIMENTS = ("crowd", "backfill", "browser", "bring", "hang")
HANG_S = 30
INTERVAL_S = 15


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the table. `met` is None where there is nothing to reach."""

    name: str
    goal: str
    ours: str
    naive: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class MinuteCost:
    """What one minute of watching cost."""

    cpu_s: float
    metrics: int
    datapoints: int
    refreshes: tuple[PageRun, ...]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A server with nobody, one viewer, and many more: minutes of each, and the memory at the end of the last two."""

    idle_cpu_s: float  # a minute, with nobody
    alone: tuple[MinuteCost, ...]
    many: tuple[MinuteCost, ...]
    memory_alone_mb: float
    memory_many_mb: float


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"An experiment: {', '.join(EXPERIMENTS)}. Repeatable.")
    ] = None,
    minutes: Annotated[int, typer.Option(help="Minutes to watch idle, with one viewer, and with many.", min=1)] = 2,
    viewers: Annotated[int, typer.Option(help="How many more viewers come after the first.", min=1)] = 20,
    opens: Annotated[int, typer.Option(help="How often the page is opened in a browser.", min=1)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="The table as JSON.")] = False,
) -> None:
    """Measures the figures of the Live page and of a naive page, on loopback; all of it takes about 20 minutes.

    Medians, with the range in brackets. Ends with 1 where a figure is not reached.
    """
    if unknown := set(only or ()) - set(EXPERIMENTS):
        raise typer.BadParameter(f"there is no experiment {', '.join(sorted(unknown))}: {', '.join(EXPERIMENTS)}")
    chosen = [one for one in EXPERIMENTS if not only or one in only]
    figures: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder, benchmark_environment(Path(folder)) as here:
        if "crowd" in chosen:
            figures += measure_viewers(here, minutes, viewers)
        if "backfill" in chosen:
            figures += measure_backfill(here, minutes)
        if "browser" in chosen:
            figures += measure_browser(here, opens)
        if "bring" in chosen:
            figures.append(measure_read_through(here))
        if "hang" in chosen:
            figures += measure_hang(here)
    if as_json:
        told = {"machine": machine_summary(), "figures": [asdict(figure) for figure in figures]}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        Console(width=150).print(_table(figures))
    raise typer.Exit(1 if any(figure.met is False for figure in figures) else 0)


# ---- with viewers who have no browser


def measure_viewers(here: BenchmarkEnvironment, minutes: int, viewers: int) -> list[Measurement]:
    """What viewers cost the sources and the server."""
    ours, naive = (_run_load(here, minutes, viewers, ours=mine) for mine in (True, False))

    def metrics(of: Sequence[MinuteCost]) -> float:
        return sum(minute.metrics for minute in of) / len(of)

    def points(of: Sequence[MinuteCost]) -> float:
        return sum(minute.datapoints for minute in of) / max(1, sum(len(minute.refreshes) for minute in of))

    def cpu(of: LoadResult, several: Sequence[MinuteCost]) -> list[float]:
        return [(minute.cpu_s - of.idle_cpu_s) / max(1, len(minute.refreshes)) * 1000 for minute in several]

    def memory(of: LoadResult) -> float:
        return (of.memory_many_mb - of.memory_alone_mb) / viewers

    def received(of: LoadResult) -> list[float]:
        return [run.received / 1000 for minute in of.many for run in minute.refreshes]

    def took(of: LoadResult) -> list[float]:
        return [run.took_s * 1000 for minute in of.many for run in minute.refreshes]

    mine = statistics.median(cpu(ours, ours.many))
    return [
        Measurement(
            f"metrics requested a minute, {viewers + 1} viewers against 1",
            "equal",
            f"{metrics(ours.many):.0f} against {metrics(ours.alone):.0f}",
            f"{metrics(naive.many):.0f} against {metrics(naive.alone):.0f}",
            metrics(ours.many) == metrics(ours.alone),
        ),
        Measurement(
            "datapoints asked per refresh, 1 viewer, 3 h",
            "≤ 1/10 of naive",
            f"{points(ours.alone):.0f}",
            f"{points(naive.alone):.0f}",
            points(ours.alone) <= points(naive.alone) / 10,
        ),
        Measurement(
            f"datapoints asked per refresh and viewer, {viewers + 1} viewers, 3 h",
            "",
            f"{points(ours.many):.0f}",
            f"{points(naive.many):.0f}",
            None,
        ),
        Measurement(
            f"server CPU per viewer and refresh, {viewers + 1} viewers, 3 h, ms",
            "≤ 40, < naive",
            median_and_range(cpu(ours, ours.many)),
            median_and_range(cpu(naive, naive.many)),
            mine <= 40 and mine < statistics.median(cpu(naive, naive.many)),
        ),
        Measurement(
            "server CPU per refresh of a lone viewer, 3 h, ms",
            "≤ 40",
            median_and_range(cpu(ours, ours.alone)),
            median_and_range(cpu(naive, naive.alone)),
            statistics.median(cpu(ours, ours.alone)) <= 40,
        ),
        Measurement(
            "server CPU with nobody, ms a minute",
            "",
            f"{ours.idle_cpu_s * 1000:.0f}",
            f"{naive.idle_cpu_s * 1000:.0f}",
            None,
        ),
        Measurement(
            f"server memory per further viewer ({viewers}), MB",
            "≤ 2",
            f"{memory(ours):.2f} (from {ours.memory_alone_mb:.0f})",
            f"{memory(naive):.2f} (from {naive.memory_alone_mb:.0f})",
            memory(ours) <= 2,
        ),
        Measurement(
            f"a refresh takes, {viewers + 1} viewers, ms",
            "",
            median_and_range(took(ours)),
            median_and_range(took(naive)),
            None,
        ),
        Measurement(
            "a refresh receives, KB",
            "≤ 150 on average",
            mean_and_max(received(ours)),
            mean_and_max(received(naive)),
            statistics.mean(received(ours)) <= 150,
        ),
    ]


def _run_load(here: BenchmarkEnvironment, minutes: int, viewers: int, *, ours: bool) -> LoadResult:
    name = "ours" if ours else "naive"
    log_progress(f"{name}: starting, and filling the archive" if ours else f"{name}: starting")
    with run_server(here, ours=ours) as running:
        with viewer_pool(running.url) as first:
            first.add_viewers(1)
            wait_until(lambda: len(first.runs) > 1, timeout_s=120)  # imports and first draws are behind it
        log_progress(f"{name}: {minutes} min with nobody")
        idle = _minutes(running, None, minutes, ours=ours)
        with viewer_pool(running.url) as people:
            people.add_viewers(1)
            wait_until(lambda: len(people.runs) > 1, timeout_s=120)
            log_progress(f"{name}: {minutes} min with 1 viewer")
            alone = _minutes(running, people, minutes, ours=ours)
            memory_alone_mb = running.memory_mb()
            people.add_viewers(viewers)
            wait_until(lambda: sum(run.is_first for run in people.runs) > viewers, timeout_s=300)
            log_progress(f"{name}: {minutes} min with {viewers + 1} viewers")
            many = _minutes(running, people, minutes, ours=ours)
            memory_many_mb = running.memory_mb()
            people.raise_failures()
    return LoadResult(statistics.mean(one.cpu_s for one in idle), alone, many, memory_alone_mb, memory_many_mb)


def _minutes(
    running: BenchmarkServer, people: ViewerPool | None, minutes: int, *, ours: bool
) -> tuple[MinuteCost, ...]:
    """So many whole minutes, begun just after a round of the keeper, so that each holds one round."""
    if ours:
        wait_until_quiet(running.cloudwatch)
    found = []
    for _ in range(minutes):
        since, world = time.monotonic(), running.cloudwatch
        cpu_s, metrics, datapoints = running.cpu_s(), world.metrics_requested, world.datapoints_requested
        time.sleep(max(0.0, since + 60 - time.monotonic()))
        refreshes = people.refreshes(since, time.monotonic()) if people else []
        found.append(
            MinuteCost(
                running.cpu_s() - cpu_s,
                world.metrics_requested - metrics,
                world.datapoints_requested - datapoints,
                tuple(refreshes),
            )
        )
    return tuple(found)


# ---- while the past is filled


def measure_backfill(here: BenchmarkEnvironment, minutes: int) -> list[Measurement]:
    """A fresh archive is opened, and its past is filled while a lone viewer looks on: all other figures are of a server that has none to fill."""
    log_progress(f"ours: {minutes} min of a fresh archive whose past is filled")
    with run_server(here, ours=True, backfill=True) as running, viewer_pool(running.url) as one:
        began, cpu_s, datapoints = time.monotonic(), running.cpu_s(), running.cloudwatch.datapoints_requested
        one.add_viewers(1)
        time.sleep(60 * minutes)
        one.raise_failures()
        took_s = time.monotonic() - began
        cpu_s, datapoints = running.cpu_s() - cpu_s, running.cloudwatch.datapoints_requested - datapoints
        first, *later = (run.took_s for run in one.runs)
    return [
        Measurement("a fresh archive, its past being filled: page answered, s", "≤ 2", f"{first:.2f}", "", first <= 2),
        Measurement("the same: a refresh takes, ms", "", median_and_range(each * 1000 for each in later), "", None),
        Measurement("the same: server CPU, % of one processor", "", f"{cpu_s / took_s * 100:.0f}", "", None),
        Measurement("the same: datapoints asked a minute", "", f"{datapoints / took_s * 60:,.0f}", "", None),
    ]


# ---- with a browser


def measure_browser(here: BenchmarkEnvironment, opens: int) -> list[Measurement]:
    """How long a reader waits, and for how many bytes."""
    (cold, warm, first, later), (naive_cold, naive_warm, naive_first, naive_later) = (
        _open_pages(here, opens, ours=mine) for mine in (True, False)
    )
    return [
        Measurement(
            "page opened → all charts drawn, new browser, s",
            "≤ 2.5",
            median_and_range(cold, 2),
            median_and_range(naive_cold, 2),
            statistics.median(cold) <= 2.5,
        ),
        Measurement(
            "the same, browser that was here before, s",
            "",
            median_and_range(warm, 2),
            median_and_range(naive_warm, 2),
            None,
        ),
        Measurement(
            "bytes on the wire, first visit, MB",
            "≤ 3",
            median_and_range(first, 2),
            median_and_range(naive_first, 2),
            statistics.median(first) <= 3,
        ),
        Measurement(
            "a refresh receives in a browser, KB",
            "≤ 150 on average",
            mean_and_max(later),
            mean_and_max(naive_later),
            statistics.mean(later) <= 150,
        ),
    ]


def _open_pages(
    here: BenchmarkEnvironment, opens: int, *, ours: bool
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Seconds with a cold and a warm browser, megabytes of a first visit, kilobytes of each refresh in a minute."""
    cold, warm, first = [], [], []
    log_progress(f"{'ours' if ours else 'naive'}: opening in a browser, {opens} times cold and warm")
    with run_server(here, ours=ours) as running, chromium() as browser:
        with new_visitor(browser) as context:
            open_page(context, running.url)  # warms the server
        for number in range(opens):
            with new_visitor(browser) as context:
                opened = open_page(context, running.url)
                opened.page.wait_for_timeout(1500)  # what still comes belongs to the first visit
                cold.append(opened.drawn_s)
                first.append(opened.received_bytes.received / 1e6)
                opened.page.close()
                again = open_page(context, running.url)
                warm.append(again.drawn_s)
                if number == opens - 1:
                    again.page.wait_for_timeout(5000)
                    since = time.monotonic()
                    again.page.wait_for_timeout(4 * INTERVAL_S * 1000 + 2000)
                    later = [length / 1000 for length in again.received_bytes.bursts(since)]
    return cold, warm, first, later


# ---- without a server


def measure_read_through(here: BenchmarkEnvironment) -> Measurement:
    """A day of every series, all of it in the archive; for comparison the source asked for the same, on loopback."""
    log_progress("bring: filling an archive with 24 h")
    with _environment(here, here.dashboard_cloudwatch):
        migration = load(here.write_config()).model_copy(update={"archive": f"sqlite:///{here.folder / 'bring.db'}"})
        source, now = CloudWatch(migration), datetime.now(UTC)
        day = Window.last(1440, now=now)
        with Archive.open(migration.archive, migration) as archive:
            archive.metrics.get(day, source, now=now)
            took = []
            for _ in range(9):
                brought = archive.metrics.get(day, source, now=now)
                if brought.datapoints_requested or brought.problems:
                    raise RuntimeError(f"it was not all in the archive: {brought.problems}")
                took.append(brought.took_s * 1000)
            rows = len(brought.frame)
        if not rows:
            raise RuntimeError("the world told nothing: nothing was measured")
        asked = []
        for _ in range(3):
            began = time.monotonic()
            source.pull(day, source.series())
            asked.append((time.monotonic() - began) * 1000)
    return Measurement(
        f"bring of 24 h × {len(source.series())} series ({rows:,} values), all in the archive, ms",
        "≤ 150",
        median_and_range(took),
        f"{median_and_range(asked)} asked of loopback",
        statistics.median(took) <= 150,
    )


# ---- with a source that hangs


def measure_hang(here: BenchmarkEnvironment) -> list[Measurement]:
    """A page opened while CloudWatch hangs: by somebody new on a warm server, on a server that starts meanwhile, and on the naive page."""
    with chromium() as browser:

        def opened(running: BenchmarkServer) -> tuple[float, float]:
            """When the browser has drawn, and how long the server took to answer a session."""
            with new_visitor(browser) as context:
                drawn_s = open_page(context, running.url, timeout_s=HANG_S * 4).drawn_s
            with viewer_pool(running.url) as one:
                one.add_viewers(1)
                wait_until(lambda: bool(one.runs), timeout_s=HANG_S * 4)
                return drawn_s, one.runs[0].took_s

        with run_server(here, ours=True) as running:
            with new_visitor(browser) as context:
                open_page(context, running.url)
            log_progress("ours: CloudWatch hangs; waiting until the keeper hangs with it")
            with _hang_cloudwatch(here.dashboard_cloudwatch) as hang:
                hang.caught.wait(90)
                warm, answered = opened(running)
            wait_until_quiet(here.dashboard_cloudwatch)
        log_progress("ours: started while CloudWatch hangs")
        with _hang_cloudwatch(here.dashboard_cloudwatch), run_server(here, ours=True) as running:
            with new_visitor(browser) as context:
                open_page(context, running.url)  # imports; the source hangs all the time
            started, started_answered = opened(running)
        log_progress("naive: opened while CloudWatch hangs")
        with run_server(here, ours=False) as running:
            with new_visitor(browser) as context:
                open_page(context, running.url)
            with new_visitor(browser) as context, _hang_cloudwatch(here.naive_cloudwatch, throughout=False):
                naive = open_page(context, running.url, timeout_s=HANG_S * 4).drawn_s
    return [
        Measurement(
            f"a source hangs for {HANG_S} s: page answered by the server, s",
            "≤ 2",
            f"{answered:.2f}",
            "",
            answered <= 2,
        ),
        Measurement(
            f"a source hangs for {HANG_S} s: last known data drawn in a new browser, s",
            "≤ 2",
            f"{warm:.2f}",
            f"{naive:.2f}",
            warm <= 2,
        ),
        Measurement(
            "the same, on a server that was started meanwhile, s",
            "",
            f"{started:.2f} (answered {started_answered:.2f})",
            "",
            None,
        ),
    ]


class _HangEvent(threading.Event):
    """What calls to a world wait for: HANG_S from the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.caught = threading.Event()
        self._end = threading.Timer(HANG_S, self.set)

    def wait(self, timeout: float | None = None) -> bool:
        if not self.caught.is_set():
            self.caught.set()
            self._end.start()
        return super().wait(timeout)

    def set(self) -> None:
        self._end.cancel()
        super().set()


@contextmanager
def _hang_cloudwatch(world: FakeCloudWatch, *, throughout: bool = True) -> Iterator[_HangEvent]:
    """The world answers nobody for HANG_S. Raises RuntimeError where `throughout` and that was over before the block was."""
    hang = world.hang = _HangEvent()
    try:
        yield hang
        if throughout and hang.is_set():
            raise RuntimeError("the source hung for too short a time to measure by")
    finally:
        hang.set()
        world.hang = None


# ---- how it is said


@contextmanager
def _environment(here: BenchmarkEnvironment, world: FakeCloudWatch) -> Iterator[None]:
    with patch.dict(os.environ, here.environment(world), clear=True):
        yield


def median_and_range(found: Iterable[float], digits: int = 0) -> str:
    """The median, and the range in brackets: "41 (38–52)"."""
    numbers = sorted(found)
    return f"{statistics.median(numbers):.{digits}f} ({numbers[0]:.{digits}f}–{numbers[-1]:.{digits}f})"


def mean_and_max(found: Sequence[float]) -> str:
    """The mean, which is what a line has to carry, and the largest."""
    return f"{statistics.mean(found):.0f} (largest {max(found):.0f})"


def machine_summary() -> str:
    """What it was measured on, and how busy that was besides."""
    return f"{os.cpu_count()} processors, load over 15 minutes {os.getloadavg()[2]:.1f} (this benchmark included)"


def log_progress(progress: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {progress}", file=sys.stderr, flush=True)


def _table(figures: Sequence[Measurement]) -> Table:
    table = Table("figure", "to reach", "ours", "naive", "met?", title=machine_summary())
    for figure in figures:
        met = {True: "yes", False: "NO", None: ""}[figure.met]
        table.add_row(figure.name, figure.goal, figure.ours, figure.naive, met)
    return table


if __name__ == "__main__":
    typer.run(main)
