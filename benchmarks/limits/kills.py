"""Kills of a recorder and a dashboard that share an archive, and restarts of its PostgreSQL: is every point there once, and right?"""

import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.limits.figure import Figure
from benchmarks.live import log_progress
from tests.factories.recorders import LEASE_S, recorder_processes
from tests.fakes.postgresql import PostgresServer, pg_ctl
from tests.fakes.services import EXAMPLE_CREDENTIALS

KILLS_PER_RESTART = 5
MAX_LIFE_S = 3.0
MAX_LAST_RUNS = 10


def measure(kills: int, seed: int) -> list[Figure]:
    """`kills` in a file, and as many in PostgreSQL if it is installed."""
    os.environ |= EXAMPLE_CREDENTIALS
    figures = _measure(kills, seed, None)
    if path := pg_ctl():
        server = PostgresServer(path, fsync=True)
        try:
            figures += _measure(kills, seed, server)
        finally:
            server.close()
    return figures


def _measure(kills: int, seed: int, server: PostgresServer | None) -> list[Figure]:
    """Each kill ends a recorder and a dashboard, at random instants; a minute later they are started again. At the end a recorder must finish."""
    rng, hits, restarts, engine = random.Random(seed), 0, 0, "PostgreSQL" if server else "SQLite"
    archive_url = server.url() if server else None
    with (
        tempfile.TemporaryDirectory() as folder,
        recorder_processes(Path(folder), archive_url=archive_url) as processes,
    ):
        for number in range(kills):
            requested = processes.cloudwatch.metrics_requested
            running = [processes.start(), processes.start_dashboard()]
            time.sleep(rng.uniform(0.05, MAX_LIFE_S))
            if server and number % KILLS_PER_RESTART == 0:
                server.stop()
                server.start()
                restarts += 1
                time.sleep(rng.uniform(0.05, MAX_LIFE_S))
            for process in rng.sample(running, 2):
                process.kill()
                time.sleep(rng.uniform(0, 0.1))
            for process in running:
                process.join()
            hits += processes.cloudwatch.metrics_requested > requested
            processes.now_s += LEASE_S
            if (number + 1) % 10 == 0:
                log_progress(f"{engine}: {number + 1} kills")
        exit_codes = list[int | None]()
        for _ in range(MAX_LAST_RUNS):  # one that runs for a minute is ended
            log_progress(f"{engine}: the last recorder")
            exit_codes.append(processes.run())
            if exit_codes[-1] == 0:
                break
            processes.now_s += LEASE_S
        points, wrong, doubled = processes.compare_with_source()
    counts = Counter(point[:-1] for point in wrong)  # without the value: twice if the values differ
    different = sum(count == 2 for count in counts.values())
    lost = len(counts) - different
    name = f"{kills} kills of recorder and dashboard, {hits} after a request; {engine}"
    return [
        Figure(
            f"{name}, restarted {restarts} times" if server else name,
            "0 lost, doubled or different",
            f"{lost} lost, {doubled} doubled, {different} different of {points:,} points",
            not (lost or doubled or different),
        ),
        Figure(
            f"exit code of the last recorder; {engine}",
            f"0 within {MAX_LAST_RUNS} runs",
            ", ".join(map(str, exit_codes)),
            0 in exit_codes,
        ),
    ]
