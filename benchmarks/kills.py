"""Kills the recorder at random instants and counts what is lost or doubled: `python -m benchmarks.kills --kills 100`."""

import argparse
import multiprocessing
import os
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from archive import Archive, Keeper
from migration import Migration, Window, epoch_s
from sources.cloudwatch import CloudWatch
from tests.migration.documents import ALB, EC2, ELB
from tests.worlds.cloudwatch import CloudWatchWorld
from tests.worlds.story import SteadyStory

START = 1_790_000_000 // 86_400 * 86_400 + 43_200
HOURS = 36  # of the past, beside the live edge

ECS = f"{ELB}:targetgroup/photo-ecs/8796a5b4c3d2e1f0"
_fork = multiprocessing.get_context("fork")


def migration(folder: Path) -> Migration:
    return Migration.model_validate(
        {
            "name": "Kills",
            "archive": f"sqlite:///{folder / 'archive.db'}",
            "aws": {"region": "ap-northeast-1", "load_balancer": ALB},
            "fleets": {
                "baseline": {"label": "EC2", "target_groups": [EC2]},
                "canary": {"label": "ECS", "target_groups": [ECS]},
            },
        }
    )


def record(described: Migration, now: datetime, *, to_the_end: bool = False) -> None:
    """The recorder's metric thread, at one moment of the clock; for ever, or until nothing is left."""
    source = CloudWatch(described, clock=lambda: now)
    with Archive.open(described.archive, described, clock=lambda: now) as archive:
        since = START - HOURS * 3600
        keeper = Keeper(archive, [source], None, [], horizon_minutes=180, backfill=True, since=since, clock=lambda: now)
        while not (keeper.keep_metrics(source) and to_the_end and keeper.up_to_date(source.name)):
            pass


def run(kills: int, seed: int) -> tuple[int, int, int, float]:
    """(points that there should be, lost or wrong, doubled, the share of kills that hit the recorder before it had everything)."""
    dice, clock, hits = random.Random(seed), [START], 0
    os.environ |= {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
    story = SteadyStory(lambda ts: {"photo-ec2": 0.9, "photo-ecs": 0.1}, requests_per_minute=40)
    with (
        tempfile.TemporaryDirectory() as place,
        CloudWatchWorld(story, clock=lambda: datetime.fromtimestamp(clock[0], UTC)) as world,
    ):
        os.environ["AWS_ENDPOINT_URL_CLOUDWATCH"] = world.url
        described = migration(Path(place))
        for _ in range(kills):
            asked = world.calls
            process = _fork.Process(target=record, args=(described, datetime.fromtimestamp(clock[0], UTC)))
            process.start()
            time.sleep(dice.uniform(0.05, 1.5))
            process.kill()
            process.join()
            hits += world.calls > asked
            clock[0] += 60  # a claim of the dead runs out after 45 seconds
        now = datetime.fromtimestamp(clock[0], UTC)
        record(described, now, to_the_end=True)
        window = Window(START - HOURS * 3600, clock[0] - 15 * 60)
        truth = CloudWatch(described, clock=lambda: now).pull(window).frame
        with Archive.open(described.archive, described) as archive:
            kept = [archive.read(window, "cloudwatch", now=now, only=lambda one, want=want: one.hourly == want).frame
                    for want in (False, True)]  # fmt: skip
    should = _points(truth)
    there = [point for frame in kept for point in _points(frame)]
    return len(should), len(set(should) - set(there)), len(there) - len(set(there)), hits / max(kills, 1)


def _points(frame) -> list[tuple[object, ...]]:  # type: ignore[no-untyped-def]
    names = ("target_group", "metric", "stat", "period_s", "value")
    return list(zip(epoch_s(frame).tolist(), *(frame[name].tolist() for name in names), strict=True))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    points, lost, doubled, hit = run(given.kills, given.seed)
    print(f"{given.kills} kills, {hit:.0%} of them while it asked: of {points:,} points {lost} lost, {doubled} doubled")


if __name__ == "__main__":
    main()
