"""Kills the recorder at random instants and counts lost and duplicate points: `python -m benchmarks.recorder_kills --kills 100`."""

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

from tests.factories.recorders import LEASE_S, recorder_processes


def kill_recorders(kills: int, seed: int) -> tuple[int, int, int, float]:
    """(expected points, lost or wrong ones, duplicates, the share of kills during a request)."""
    rng, hits = random.Random(seed), 0
    os.environ |= {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
    with tempfile.TemporaryDirectory() as folder, recorder_processes(Path(folder)) as processes:
        for _ in range(kills):
            requested = processes.cloudwatch.metrics_requested
            process = processes.start()
            time.sleep(rng.uniform(0.05, 3))
            process.kill()
            process.join()
            hits += processes.cloudwatch.metrics_requested > requested
            processes.now_s += LEASE_S
        processes.run()
        points, wrong, duplicates = processes.compare_with_source()
    return points, len(wrong), duplicates, hits / max(kills, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    points, wrong, duplicates, hit = kill_recorders(options.kills, options.seed)
    print(
        f"{options.kills} kills, {hit:.0%} of them during a request: of {points:,} points {wrong} lost, {duplicates} duplicates"
    )


if __name__ == "__main__":
    main()
