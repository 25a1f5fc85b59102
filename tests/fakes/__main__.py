"""`python -m tests.fakes`: a loopback AWS and Mackerel to point the dashboard at, with a migration that goes on while you watch."""

import argparse
import queue
import re
import shlex
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import inf
from pathlib import Path
from typing import TextIO

from domain import Arn
from tests.factories.loopback_config import config_toml
from tests.fakes.cloudtrail import FakeCloudTrail, fake_cloudtrail
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.fakes.deployments import APPLICATION, CLUSTER, DEPLOYMENT_GROUP, FakeDeployments, deployed_service
from tests.fakes.deployments import SERVICE as ECS_SERVICE
from tests.fakes.elbv2 import REGION, FakeElbv2
from tests.fakes.mackerel import ALB_HOST, API_KEY, SERVICE, FakeMackerel
from tests.fakes.traffic_model import SteadyTraffic

EC2, ECS = "photo-ec2", "photo-ecs"
PORT = 14566  # ELBv2; CloudWatch is the next one, then Mackerel, CloudTrail, and ECS with CodeDeploy
GENERATED_MARKER = "# Written by python -m tests.fakes. It may be overwritten."

HELP = """\
Try the dashboard without AWS. This starts five servers on 127.0.0.1: Elastic Load Balancing (moto), CloudWatch, Mackerel, CloudTrail, and ECS with
CodeDeploy, all telling of the same load balancer, whose two target groups take traffic by the weights of its rule. It writes a migration.toml for
them and prints the lines to paste into the shell that the dashboard is started from.

The weights begin at the first of --steps, and for all time before; every --step-every the next one is set. CloudWatch and Mackerel follow with the
next whole minute. Type a number and Enter to set the canary's percentage yourself (0.1 to 99.9 with one decimal, or 0, or 100); the steps then stop.
Ctrl-C ends it.
"""
EXAMPLES = """\
examples:
  python -m tests.fakes                                  10 % → 25 % → 50 %, a step every 2 minutes
  python -m tests.fakes --steps 0.1,1,10,100 --step-every 5m
  python -m tests.fakes --steps 10 --latency 1.3         a canary that is 30 % slower, for as long as you like
The weights are real ones: `aws elbv2 modify-listener --endpoint-url http://127.0.0.1:14566 …` works too.
"""


class WeightSchedule:
    """Which weights held when. Before the first change, those of the first."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._weights: list[Mapping[str, int]] = []

    def record(self, at: float, weights: Mapping[str, int]) -> bool:
        """Remembers what the rule says at an epoch second; whether that is new."""
        if self._weights and self._weights[-1] == weights:
            return False
        self._times.append(at)
        self._weights.append(dict(weights))
        return True

    def shares(self, ts: int) -> dict[str, float]:
        """Each group's share of the minute that begins at `ts`: what was told at its beginning."""
        weights = self._weights[max(bisect_right(self._times, ts) - 1, 0)]
        total = sum(weights.values())
        return {name: weight / total if total else 0.0 for name, weight in weights.items()}


@dataclass(frozen=True, slots=True)
class ScheduledFakes:
    """The five servers, and the dial that joins them. CloudTrail knows of nothing but what a test gives it."""

    elbv2: FakeElbv2
    cloudwatch: FakeCloudWatch
    mackerel: FakeMackerel
    cloudtrail: FakeCloudTrail
    deployments: FakeDeployments
    schedule: WeightSchedule

    def set_percent(self, percent: Decimal) -> None:
        """What an operator does; the canary's weight is a percentage or, with a decimal, a thousandth."""
        whole = 100 if percent == percent.to_integral_value() else 1000
        canary = int(percent * whole / 100)
        self.elbv2.set_weights({EC2: whole - canary, ECS: canary})
        self.sync_weights()

    def sync_weights(self) -> bool:
        """Hears the weights as they are in ELBv2 now, whoever set them; whether they are new."""
        return self.schedule.record(time.time(), self.elbv2.weights())

    @property
    def environment(self) -> dict[str, str]:
        """What the dashboard needs to know of."""
        return {
            "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": self.elbv2.url,
            "AWS_ENDPOINT_URL_CLOUDWATCH": self.cloudwatch.url,
            "AWS_ENDPOINT_URL_CLOUDTRAIL": self.cloudtrail.url,
            "AWS_ENDPOINT_URL_ECS": self.deployments.url,
            "AWS_ENDPOINT_URL_CODEDEPLOY": self.deployments.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "an-example-secret",
            "MACKEREL_APIBASE": self.mackerel.url,
            "MACKEREL_APIKEY": API_KEY,
        }

    @property
    def config_text(self) -> str:
        """A migration.toml for these worlds."""
        return GENERATED_MARKER + config_toml(
            self.elbv2.load_balancer,
            self.elbv2.groups,
            archive="loopback.db",
            name="Loopback photo service",
            margin="0.5pp",
            canary_lines=f'ecs_service = "{CLUSTER}/{ECS_SERVICE}"\ncodedeploy = "{APPLICATION}/{DEPLOYMENT_GROUP}"',
            extra_tables=f'[mackerel]\nservice = "{SERVICE}"\nalb_host = "{ALB_HOST}"\n',
        )


@contextmanager
def running_fakes(
    first: Decimal, *, port: int = 0, latency: float = 1.0, errors: float = 0.002, requests: float = 600
) -> Iterator[ScheduledFakes]:
    """The worlds at a first percentage. `latency` is the canary's beside the baseline's, `errors` its share of 5xx, `requests` are per minute."""
    dial = WeightSchedule()
    story = SteadyTraffic(
        dial.shares,
        names=(EC2, ECS),
        requests_per_minute=requests,
        error_rates={EC2: 0.002, ECS: errors},
        latency_factors={ECS: latency},
    )
    with ExitStack() as open_now:
        elbv2 = open_now.enter_context(FakeElbv2(port=port))
        home = Arn.parse(elbv2.load_balancer)
        assert home
        told = FakeCloudWatch(story, load_balancer=home.dimension, region=REGION, port=port and port + 1)
        cloudwatch = open_now.enter_context(told)
        mackerel = open_now.enter_context(FakeMackerel(story, port=port and port + 2))
        cloudtrail = open_now.enter_context(fake_cloudtrail(port=port and port + 3))
        there = deployed_service(elbv2.groups[ECS], elbv2.listener, port=port and port + 4)
        worlds = ScheduledFakes(elbv2, cloudwatch, mackerel, cloudtrail, open_now.enter_context(there), dial)
        worlds.set_percent(first)
        yield worlds


def parse_percent(text: str) -> Decimal:
    """A share of the canary, from 0 to 100 with one decimal. Raises ValueError with what is wrong."""
    try:
        given = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation as error:
        raise ValueError(f"{text.strip()!r} is no number.") from error
    if not (given.is_finite() and 0 <= given <= 100 and given * 10 == int(given * 10)):
        raise ValueError(f"{text.strip()} is no percentage from 0 to 100 with one decimal.")
    return given


def parse_percents(text: str) -> tuple[Decimal, ...]:
    try:
        return tuple(parse_percent(one) for one in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parse_duration(text: str) -> float:
    """90, "90s", "2m", "1h" or "never"."""
    if text == "never":
        return inf
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not found or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 90s, 2m, 1h or never.")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def write_config(path: Path, text: str) -> None:
    """Raises FileExistsError where there is one that this program has not written."""
    if path.exists() and not path.read_text(encoding="utf-8").startswith(GENERATED_MARKER):
        raise FileExistsError(f"{path} is not ours to overwrite: name another one with --config.")
    path.write_text(text, encoding="utf-8")


def print_flushed(text: str) -> None:
    print(text, flush=True)


def run_steps(
    fakes: ScheduledFakes,
    steps: Sequence[Decimal],
    every_s: float,
    typed_lines: TextIO,
    output: Callable[[str], None] = print_flushed,
) -> None:
    """Steps on until Ctrl-C or a q, and hears what is typed and what others change."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen_to_typing() -> None:
        for line in typed_lines:
            lines.put(line)

    threading.Thread(target=listen_to_typing, daemon=True).start()
    left, next_at = list(steps), time.monotonic() + every_s
    while True:
        try:
            line = lines.get(timeout=min(1.0, max(0.01, next_at - time.monotonic())))
        except queue.Empty:
            line = ""
        if line.strip() == "q":
            return
        if line.strip():
            try:
                fakes.set_percent(parse_percent(line))
            except ValueError as wrong:
                output(f"{wrong} Type 25 for 25 %, q to end.")
                continue
            left.clear()
            output(f"{clock_time()} told {line.strip().removesuffix('%')} %; from now on you take the steps")
        elif left and time.monotonic() >= next_at:
            fakes.set_percent(left[0])
            output(f"{clock_time()} the canary's weight is {left.pop(0)} % now")
            next_at = time.monotonic() + every_s
        elif fakes.sync_weights():
            output(f"{clock_time()} somebody else set the weights: {fakes.elbv2.weights()}")


def clock_time() -> str:
    return time.strftime("%H:%M:%S")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--port",
        type=int,
        default=PORT,
        help="ELBv2's port; CloudWatch has the next, then Mackerel, CloudTrail, and ECS with CodeDeploy (%(default)s)",
    )
    add(
        "--steps",
        type=parse_percents,
        default=parse_percents("10,25,50"),
        help="the canary's percentages in turn (10,25,50)",
    )
    add(
        "--step-every",
        type=parse_duration,
        default=parse_duration("2m"),
        help="how long each holds: 90s, 2m, 1h, never (2m)",
    )
    add("--latency", type=float, default=0.97, help="the canary's latency beside the baseline's (%(default)s)")
    add("--errors", type=float, default=0.002, help="the canary's share of 5xx; the baseline's is 0.002 (%(default)s)")
    add("--requests", type=float, default=600, help="requests a minute, both together (%(default)s)")
    add("--config", type=Path, default=Path("migration.toml"), help="the configuration to write (%(default)s)")
    asked = parser.parse_args(arguments)
    first, *rest = asked.steps
    about = {"port": asked.port, "latency": asked.latency, "errors": asked.errors, "requests": asked.requests}
    try:
        with running_fakes(first, **about) as worlds:
            write_config(asked.config, worlds.config_text)
            print_flushed(
                f"Paste this into another shell, and start the dashboard there (make run):\n\n{shell_lines(worlds, asked.config)}\n"
            )
            print_flushed(
                f"{clock_time()} the canary's weight is {first} %. Type a percentage and Enter to change it; Ctrl-C to end."
            )
            run_steps(worlds, rest, asked.step_every, sys.stdin)
    except KeyboardInterrupt:
        return 0
    except OSError as error:  # a port that is taken, a configuration that is somebody's
        print(error, file=sys.stderr)
        return 2
    return 0


def shell_lines(fakes: ScheduledFakes, config: Path) -> str:
    """What to paste into the dashboard's shell."""
    lines = [f"export {name}={text}" for name, text in fakes.environment.items()]
    lines.append("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL MIGRATION_DEMO")
    lines.append(f"export MIGRATION_CONFIG={shlex.quote(str(config.resolve()))}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
