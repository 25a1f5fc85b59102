"""From the start of the process to the first content of a page in Chromium: the demo, and a bare Streamlit app, in turns.

The demo's first content is that the archive is being opened. The time to its decision is printed, too.

`python -m benchmarks.cold_start [--runs 5]`; about two minutes. Exits with 1 if the demo's median is more than 1.5 times the bare app's.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser

from benchmarks.browser import chromium
from benchmarks.environment import ROOT, free_port, wait_until
from benchmarks.limits.stops import is_listening

MAX_RATIO = 1.5
TIMEOUT_S = 120.0
FIRST_CONTENT, DECISION = "[data-testid=stHtml] .empty, h1", ".hero:not([aria-busy]) .hero-word"
BARE = 'import streamlit as st\n\nst.write("Hello")\n'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        bare = Path(folder) / "app.py"
        bare.write_text(BARE, encoding="utf-8")
        seconds: dict[str, list[float]] = {"bare app": [], "demo": [], "demo, with the decision": []}
        for _run in range(runs):
            seconds["bare app"] += start_s(browser, bare, '[data-testid="stMarkdown"]')
            first_s, decision_s = start_s(browser, ROOT / "dashboard.py", FIRST_CONTENT, DECISION)
            seconds["demo"].append(first_s)
            seconds["demo, with the decision"].append(decision_s)
    medians = {name: median(values) for name, values in seconds.items()}
    ratio = medians["demo"] / medians["bare app"]
    for name, values in seconds.items():
        print(f"{name}: median {medians[name]:.1f} s, from {min(values):.1f} to {max(values):.1f} s, {runs} runs")
    print(f"{ratio:.2f} times (goal ≤ {MAX_RATIO})")
    return int(ratio > MAX_RATIO)


def start_s(browser: Browser, script: Path, *selectors: str) -> list[float]:
    """Seconds from the start of the server until its page has each element, in a browser without a cache."""
    port, folder = free_port(), tempfile.mkdtemp()
    options = ["--server.headless=true", f"--server.port={port}", "--server.address=127.0.0.1"]
    environment = {"HOME": folder, "TMPDIR": folder, "PATH": "/usr/bin:/bin", "MIGRATION_DEMO": "1", "LANG": "C.UTF-8"}
    context = browser.new_context()
    page = context.new_page()
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *options],
        cwd=ROOT if script.is_relative_to(ROOT) else script.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_listening(f"127.0.0.1:{port}/_stcore/health"), timeout_s=TIMEOUT_S, interval_s=0.02)
        page.goto(f"http://127.0.0.1:{port}/")
        times = []
        for selector in selectors:
            page.wait_for_selector(selector, state="attached", timeout=TIMEOUT_S * 1000)
            times.append(time.monotonic() - started)
        return times
    finally:
        context.close()
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
