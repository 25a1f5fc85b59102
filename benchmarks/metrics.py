"""What /metrics costs: processor time of a minute of polling, without scrapes and with one every 15 s, in turns in one run.

`python -m benchmarks.metrics [--minutes 8] [--every 15]`: so many minutes of each; it takes twice as long. Exits with 1 if the goal is missed.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from benchmarks.environment import BenchmarkServer, benchmark_environment, run_server, wait_until_quiet

MAX_RATIO = 1.05
MINUTE_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=8)
    parser.add_argument("--every", type=float, default=15.0)
    options = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    with (
        tempfile.TemporaryDirectory() as folder,
        benchmark_environment(Path(folder)) as environment,
        run_server(environment) as server,
    ):
        wait_until_quiet(server.cloudwatch)
        costs: dict[str, list[float]] = {"off": [], "on": []}
        for _minute in range(options.minutes):
            for name, every_s in (("off", MINUTE_S), ("on", options.every)):
                costs[name].append(measure_minute(server, every_s, scrapes=name == "on"))
    for name, found in costs.items():
        print(f"/metrics {name}: {median(found):.2f} s a minute ({min(found):.2f} to {max(found):.2f})")
    off_s, on_s = median(costs["off"]), median(costs["on"])
    print(f"a scrape: {1000 * (on_s - off_s) * options.every / MINUTE_S:.1f} ms")
    ratio = on_s / off_s
    print(f"with a scrape every {options.every:g} s: {ratio:.3f} × (goal ≤ {MAX_RATIO})")
    return int(ratio > MAX_RATIO)


def measure_minute(server: BenchmarkServer, every_s: float, *, scrapes: bool) -> float:
    """The processor time of the server in a minute, which contains each poll as often as any other."""
    before, started = server.cpu_s(), time.monotonic()
    while (elapsed_s := time.monotonic() - started) < MINUTE_S:
        if scrapes:
            scrape(server)
        until = (elapsed_s // every_s + 1) * every_s
        time.sleep(max(0.0, min(until, MINUTE_S) - (time.monotonic() - started)))
    return server.cpu_s() - before


def scrape(server: BenchmarkServer) -> None:
    with urlopen(f"{server.url}metrics", timeout=10) as response:
        if b"migration_decision{" not in response.read():
            raise RuntimeError("no decision in /metrics")


if __name__ == "__main__":
    sys.exit(main())
