"""How long the Retrospective of two months takes to be drawn: at the first look at a fresh server, at the next looks of the same reader, and all of it told.

`python -m benchmarks.retrospective [--opens 5]`. The demo's archive is filled first; then `dashboard.py` serves it on loopback. Ends with 1 where
the goal, 3 s to drawn charts once somebody has looked before, is not reached.
"""

import argparse
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from archive import Archive
from benchmarks.browser import chromium, new_visitor
from domain import Window
from sources.demo.sources import demo_migration, program_anchor
from sources.registry import create_sources
from tests.factories.dashboard_server import run_dashboard

GOAL_S = 3.0
CHART_SELECTOR = ".overlay-chart[data-drawn] .main-svg"
LAST_VERDICT_SELECTOR = ".phases tbody tr:last-child b"
DAYS = 70


def fill_archive(room: Path) -> int:
    """The demo's archive in `room`, as a server that is started there finds it; how many pulls that took."""
    tempfile.tempdir = str(room)
    migration, now = demo_migration(program_anchor()), datetime.now(UTC)
    sources = create_sources(migration)
    end = int(now.timestamp()) // 60 * 60
    window = Window(end - DAYS * 86_400, end)
    with Archive.open(migration.archive, migration) as archive:
        for events in sources.events:
            archive.events.save_events(events.events(window), events.name)
        return archive.metrics.fill(window, sources.metrics[0], now=now).pulls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opens", type=int, default=5)
    opens = parser.parse_args().opens
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        began = time.monotonic()
        pulls = fill_archive(room)
        print(f"filled {DAYS} days in {pulls} pulls, {time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}")
        with run_dashboard(room, {"MIGRATION_DEMO": "1"}) as server, chromium() as browser:
            drawn, told = [], []
            context = new_visitor(
                browser
            )  # who has the scripts of the first look in the browser's cache, as any reader
            for _ in range(opens + 1):
                page, start = context.new_page(), time.monotonic()
                page.goto(f"{server.url}/retrospective", wait_until="commit")
                page.wait_for_selector(CHART_SELECTOR, timeout=120_000)
                drawn.append(time.monotonic() - start)
                page.wait_for_selector(LAST_VERDICT_SELECTOR, timeout=120_000)
                told.append(time.monotonic() - start)
                page.close()
    print(f"first look: chart {drawn[0]:.1f} s, all of it {told[0]:.1f} s")
    warm = median(drawn[1:])
    print(
        f"after it:   chart {warm:.1f} s ({min(drawn[1:]):.1f}–{max(drawn[1:]):.1f}), all of it {median(told[1:]):.1f} s"
    )
    print(f"goal: {GOAL_S:.0f} s to drawn charts: {'reached' if warm <= GOAL_S else 'NOT reached'}")
    return 0 if warm <= GOAL_S else 1


if __name__ == "__main__":
    raise SystemExit(main())
