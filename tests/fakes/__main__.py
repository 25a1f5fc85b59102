"""`python -m tests.fakes`: AWS and Mackerel on loopback for the dashboard, with a migration that proceeds while it runs."""

import argparse
import queue
import re
import shlex
import signal
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import inf
from pathlib import Path
from typing import TextIO

from tests.fakes.services import FakeServices, fake_services
from tests.fakes.traffic_model import SteadyTraffic

EC2, ECS = "photo-ec2", "photo-ecs"
PORT = 14566  # of ELBv2; the following ones are those of CloudWatch, Mackerel, CloudTrail, and ECS with CodeDeploy
GENERATED_MARKER = "# Written by python -m tests.fakes. It may be overwritten."

HELP = """\
Try the dashboard without AWS. This starts five servers on 127.0.0.1: Elastic
Load Balancing (moto), CloudWatch, Mackerel, CloudTrail, and ECS with
CodeDeploy. They describe the same load balancer, whose two target groups get
traffic by the weights of its rule. It writes a migration.toml for them, which
it removes when it ends, and prints the lines to paste into the shell that the
dashboard is started from.

The weights begin at the first of --steps, and for all time before; every
--step-every the next one is set. CloudWatch and Mackerel follow with the next
whole minute. Type a number and Enter to set the canary's percentage yourself
(0.1 to 99.9 with one decimal, or 0, or 100); the steps then stop. Ctrl-C or q
ends it.
"""
EXAMPLES = """\
exit codes:
  0  ended by Ctrl-C, SIGTERM or q
  2  an option is invalid, a port is in use, or the configuration is not its own
examples:
  python -m tests.fakes                     10% → 25% → 50%, every 2 minutes
  python -m tests.fakes --steps 0.1,1,10,100 --step-every 5m
  python -m tests.fakes --steps 10 --latency 1.3    a canary that is 30% slower
The weights are real ones; this works, too:
  aws elbv2 modify-listener --endpoint-url http://127.0.0.1:14566 …
"""


class WeightSchedule:
    """The weights over time. Before the first change, those of the first."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._weights: list[Mapping[str, int]] = []

    def record(self, at: float, weights: Mapping[str, int]) -> bool:
        """Records the weights at an epoch second; returns whether they are new."""
        if self._weights and self._weights[-1] == weights:
            return False
        self._times.append(at)
        self._weights.append(dict(weights))
        return True

    def shares(self, ts: int) -> dict[str, float]:
        """Each group's configured share at the start of the minute `ts`."""
        weights = self._weights[max(bisect_right(self._times, ts) - 1, 0)]
        total = sum(weights.values())
        return {name: weight / total if total else 0.0 for name, weight in weights.items()}


@dataclass(frozen=True, slots=True)
class ScheduledServices:
    """The servers, and the weights that connect them."""

    services: FakeServices
    schedule: WeightSchedule

    def set_percent(self, percent: Decimal) -> None:
        """Sets the canary's share; the weights are percentages or, with a decimal, thousandths."""
        total = 100 if percent == percent.to_integral_value() else 1000
        canary = int(percent * total / 100)
        self.services.elbv2.set_weights({EC2: total - canary, ECS: canary})
        self.sync_weights()

    def sync_weights(self) -> bool:
        """Records the current weights of ELBv2; returns whether they are new."""
        return self.schedule.record(time.time(), self.services.elbv2.weights())

    @property
    def config_text(self) -> str:
        """A migration.toml for the servers."""
        return GENERATED_MARKER + self.services.config("loopback.db", name="Loopback photo service", margin="0.5pp")


@contextmanager
def scheduled_services(
    first: Decimal, *, port: int = 0, latency: float = 1.0, errors: float = 0.002, requests: float = 600
) -> Iterator[ScheduledServices]:
    """Runs the servers at a first percentage. `latency`: the canary's relative to the baseline's; `errors`: its share of 5xx; `requests`: per minute."""
    schedule = WeightSchedule()
    traffic_model = SteadyTraffic(
        schedule.shares,
        names=(EC2, ECS),
        requests_per_minute=requests,
        error_rates={EC2: 0.002, ECS: errors},
        latency_factors={ECS: latency},
    )
    with fake_services(traffic_model, port=port) as services:
        scheduled = ScheduledServices(services, schedule)
        scheduled.set_percent(first)
        yield scheduled


def parse_percent(text: str) -> Decimal:
    """A share of the canary, from 0 to 100 with one decimal. Raises ValueError with the reason."""
    try:
        percent = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation as error:
        raise ValueError(f"{text.strip()!r} is not a number.") from error
    if not (percent.is_finite() and 0 <= percent <= 100 and percent * 10 == int(percent * 10)):
        raise ValueError(f"{text.strip()} is not a percentage from 0 to 100 with one decimal.")
    return percent


def parse_percents(text: str) -> tuple[Decimal, ...]:
    try:
        return tuple(parse_percent(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parse_duration(text: str) -> float:
    """90, "90s", "2m", "1h" or "never"."""
    if text == "never":
        return inf
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write 90s, 2m, 1h or never.")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


@contextmanager
def config_file(path: Path, text: str) -> Iterator[None]:
    """Writes the file, and removes it at the end unless it was changed. Raises FileExistsError if there is one that this program has not written."""
    if path.exists() and not path.read_text(encoding="utf-8").startswith(GENERATED_MARKER):
        raise FileExistsError(f"{path} was not written by this program: name another one with --config.")
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            path.unlink()


def print_flushed(text: str) -> None:
    print(text, flush=True)


def run_steps(
    scheduled: ScheduledServices,
    steps: Sequence[Decimal],
    interval_s: float,
    typed_lines: TextIO,
    output: Callable[[str], None] = print_flushed,
) -> None:
    """Sets the next step every `interval_s`, and what is typed, until Ctrl-C or a q; reports changes by other programs."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read_lines() -> None:
        for line in typed_lines:
            lines.put(line)

    threading.Thread(target=read_lines, daemon=True).start()
    remaining, next_at = list(steps), time.monotonic() + interval_s
    while True:
        try:
            line = lines.get(timeout=min(1.0, max(0.01, next_at - time.monotonic())))
        except queue.Empty:
            line = ""
        if line.strip() == "q":
            return
        if line.strip():
            try:
                scheduled.set_percent(parse_percent(line))
            except ValueError as error:
                output(f"{error} Type 25 for 25%, q to end.")
                continue
            remaining.clear()
            output(f"{clock_time()} set to {line.strip().removesuffix('%')}%; there are no further automatic steps")
        elif remaining and time.monotonic() >= next_at:
            scheduled.set_percent(remaining[0])
            output(f"{clock_time()} the canary's weight is {remaining.pop(0)}% now")
            next_at = time.monotonic() + interval_s
        elif scheduled.sync_weights():
            output(f"{clock_time()} another program set the weights: {scheduled.services.elbv2.weights()}")


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
    add("--port", type=int, default=PORT, help="ELBv2's port; the other servers use the next four (%(default)s)")
    add("--steps", type=parse_percents, default=parse_percents("10,25,50"), help="the canary's percentages (10,25,50)")
    add("--step-every", type=parse_duration, default=120.0, help="the time between steps: 90s, 2m, 1h, never (2m)")
    add("--latency", type=float, default=0.97, help="the canary's latency relative to the baseline's (%(default)s)")
    add("--errors", type=float, default=0.002, help="the canary's share of 5xx; the baseline's is 0.002 (%(default)s)")
    add("--requests", type=float, default=600, help="requests a minute of both fleets (%(default)s)")
    add("--config", type=Path, default=Path("migration.toml"), help="the configuration to write (%(default)s)")
    options = parser.parse_args(arguments)
    first, *steps = options.steps
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT: ignored in the background of a shell
        signal.signal(ending, signal.default_int_handler)
    try:
        with (
            scheduled_services(
                first, port=options.port, latency=options.latency, errors=options.errors, requests=options.requests
            ) as scheduled,
            config_file(options.config, scheduled.config_text),
        ):
            lines = shell_lines(scheduled, options.config)
            print_flushed(f"Paste this into another shell, and start the dashboard there (make run):\n\n{lines}\n")
            print_flushed(
                f"{clock_time()} the canary's weight is {first}%. Type a percentage and Enter to change it; Ctrl-C to end."
            )
            run_steps(scheduled, steps, options.step_every, sys.stdin)
    except KeyboardInterrupt:
        return 0
    except OSError as error:  # a port in use, a configuration that must not be overwritten
        print(error, file=sys.stderr)
        return 2
    return 0


def shell_lines(scheduled: ScheduledServices, config: Path) -> str:
    """Shell commands that point the dashboard at the servers."""
    lines = [f"export {name}={text}" for name, text in scheduled.services.environment.items()]
    lines.append("unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL MIGRATION_DEMO")
    lines.append(f"export MIGRATION_CONFIG={shlex.quote(str(config.resolve()))}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
