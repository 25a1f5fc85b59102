"""How steadily and how fast the pages of the demo are drawn, beside a bare Streamlit page in the same run: `python -m benchmarks.pages --help`."""

import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import Browser
from rich.console import Console

from benchmarks.browser import CHARTS_DRAWN_JS, chromium, new_visitor, open_page
from benchmarks.live import Measurement, log_progress, median_and_range, table
from tests.factories.dashboard_server import ROOT, run_dashboard

REFRESHING_S = 45
SIZES = ((1440, 900), (390, 844))
SETTLED_MS = 4_000  # after a page is drawn, for what comes last
# Each page with what it draws last.
PAGES = {
    "": CHARTS_DRAWN_JS,
    "parity": "() => document.querySelector('.forest tbody tr') && performance.now() / 1000",
    "endpoints": "() => document.querySelector('.routes tbody tr') && performance.now() / 1000",
    "batches": "() => document.querySelector('.batches tbody tr') && performance.now() / 1000",
    "retrospective": "() => document.querySelector('.overlay-chart[data-drawn]') && performance.now() / 1000",
}
# The sum of the layout shifts that no input caused; when the decision could be read first; blocks that Streamlit has faded.
OBSERVER_JS = """
window.layoutShift = 0; window.decided = 0; window.dimmed = new Set();
new PerformanceObserver(list => list.getEntries().forEach(entry => { if (!entry.hadRecentInput) window.layoutShift += entry.value; }))
    .observe({type: "layout-shift", buffered: true});
const look = () => {
    if (!window.decided && document.querySelector(".hero-word b")?.innerText) window.decided = performance.now() / 1000;
    document.querySelectorAll("[data-stale='true']").forEach(block => { if (getComputedStyle(block).opacity < 1) window.dimmed.add(block); });
    requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """A first visit: seconds since the navigation began, megabytes, and the cumulative layout shift."""

    decided_s: float  # 0 on a page without a decision
    drawn_s: float
    received_mb: float
    layout_shift: float


def main(
    repeat: Annotated[int, typer.Option(help="Visits of each page in each size.", min=1)] = 5,
) -> None:
    """Opens every page of the demo in a new browser. Medians, with the range in brackets; exits with 1 if a goal is missed."""
    bare_script = ROOT / "benchmarks" / "bare" / "chart_page.py"
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        homes = [Path(folder) / name for name in ("bare", "demo")]
        for home in homes:
            home.mkdir()
        with (
            run_dashboard(homes[0], {}, script=bare_script, until_logged="") as bare,
            run_dashboard(homes[1], {"MIGRATION_DEMO": "1"}) as demo,
        ):
            log_progress("filling the demo's archive, and warming both servers up")
            for url, drawn in [(bare.url, CHARTS_DRAWN_JS)] + [(f"{demo.url}/{page}", PAGES[page]) for page in PAGES]:
                visit(browser, url, drawn, SIZES[0])
            bare_visits: list[Visit] = []
            visits: dict[tuple[str, int], list[Visit]] = {}
            for number in range(repeat):
                log_progress(f"visit {number + 1} of {repeat}")
                bare_visits.append(visit(browser, bare.url, CHARTS_DRAWN_JS, SIZES[0]))
                for page, drawn in PAGES.items():
                    for size in SIZES:
                        visits.setdefault((page, size[0]), []).append(visit(browser, f"{demo.url}/{page}", drawn, size))
            log_progress(f"refreshing for {REFRESHING_S} s")
            dimmed = count_dimmed(browser, demo.url)
    measurements = [*_measurements(visits, bare_visits), _count("blocks that dim in 45 s of refreshing Live", dimmed)]
    Console(width=150).print(table(measurements, peer="bare page"))
    raise typer.Exit(1 if any(measurement.is_met is False for measurement in measurements) else 0)


def visit(browser: Browser, url: str, drawn: str, size: tuple[int, int]) -> Visit:
    """Opens a page in a browser with an empty cache."""
    with new_visitor(browser, *size) as context:
        context.add_init_script(OBSERVER_JS)
        opened = open_page(context, url, drawn=drawn, timeout_s=120)
        opened.page.wait_for_timeout(SETTLED_MS)
        decided_s, layout_shift = opened.page.evaluate("[window.decided, window.layoutShift]")
        return Visit(float(decided_s), opened.drawn_s, opened.received_bytes.total / 1e6, float(layout_shift))


def count_dimmed(browser: Browser, url: str) -> int:
    with new_visitor(browser) as context:
        context.add_init_script(OBSERVER_JS)
        page = open_page(context, url).page
        page.wait_for_timeout(SETTLED_MS)
        page.evaluate("window.dimmed.clear()")
        page.wait_for_timeout(REFRESHING_S * 1000)
        return int(page.evaluate("window.dimmed.size"))


def _measurements(visits: dict[tuple[str, int], list[Visit]], bare: list[Visit]) -> Iterable[Measurement]:
    for (page, width), of_page in visits.items():
        shifts = [visit.layout_shift for visit in of_page]
        name = f"cumulative layout shift, {page or 'live'}, {width} px"
        yield _row(name, "≤ 0.05", shifts, limit=0.05, digits=3)
    live, batches = visits["", SIZES[0][0]], visits["batches", SIZES[0][0]]
    bare_s = statistics.median(visit.drawn_s for visit in bare)
    peer = median_and_range([visit.drawn_s for visit in bare], 2)
    yield _row("Live: decision readable, s", "≤ 0.6 ×", [v.decided_s for v in live], limit=0.6 * bare_s, peer=peer)
    yield _row("Live: charts drawn, s", "≤ 0.8 ×", [v.drawn_s for v in live], limit=0.8 * bare_s, peer=peer)
    live_s = statistics.median(visit.drawn_s for visit in live)
    yield _row("Batches: drawn, s", "as Live", [v.drawn_s for v in batches], limit=live_s, peer=peer)
    for page in PAGES:
        received = [visit.received_mb for visit in visits[page, SIZES[0][0]]]
        yield _row(f"first visit of {page or 'live'}, MB", "≤ 1.1", received, limit=1.1)


def _row(name: str, goal: str, values: list[float], *, limit: float, digits: int = 2, peer: str = "") -> Measurement:
    return Measurement(name, goal, median_and_range(values, digits), peer, statistics.median(values) <= limit)


def _count(name: str, number: int) -> Measurement:
    return Measurement(name, "0", str(number), "", number == 0)


if __name__ == "__main__":
    typer.run(main)
