"""Kills the recorder at random instants and counts what is lost or doubled: `python -m benchmarks.recorder_kills --kills 100`."""

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

from tests.factories.recorders import LEASE_S, recorder_processes


def kill_recorders(kills: int, seed: int) -> tuple[int, int, int, float]:
    """(points that there should be, lost or wrong, doubled, the share of kills that hit the recorder while it asked)."""
    dice, hits = random.Random(seed), 0
    os.environ |= {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
    with tempfile.TemporaryDirectory() as folder, recorder_processes(Path(folder)) as some:
        for _ in range(kills):
            asked = some.cloudwatch.metrics_requested
            process = some.start()
            time.sleep(dice.uniform(0.05, 3))
            process.kill()
            process.join()
            hits += some.cloudwatch.metrics_requested > asked
            some.now_s += LEASE_S
        some.run()
        points, wrong, doubled = some.compare_with_source()
    return points, len(wrong), doubled, hits / max(kills, 1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    points, wrong, doubled, hit = kill_recorders(given.kills, given.seed)
    print(
        f"{given.kills} kills, {hit:.0%} of them while it asked: of {points:,} points {wrong} lost, {doubled} doubled"
    )


if __name__ == "__main__":
    main()
