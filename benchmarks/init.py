"""`cli.py init` in the loopback world: seconds, questions, and whether `doctor` passes on the file: `python -m benchmarks.init --help`."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from analysis.setup.discovery import propose
from analysis.setup.proposal import DecisionKey
from domain import Condition
from domain.inventory import Inventory
from tests.factories.inventory import balancer, group, mackerel, photo_inventory, rule, service
from tests.fakes.services import fake_services
from tests.fakes.traffic_model import SteadyTraffic

CLI = Path(__file__).parent.parent / "cli.py"
MAX_S, MAX_QUESTIONS = 10.0, 6
OTHER_QUESTIONS = 1  # the region, if none is configured


def questions(inventory: Inventory) -> int:
    """How many questions a person who presses Enter each time is asked."""
    answers: dict[DecisionKey, tuple[str, ...]] = {}
    while choice := propose(inventory, answers=answers).open_choice:
        answers[choice.key] = choice.chosen.values
    return len(answers)


def ambiguous_inventory() -> Inventory:
    """Everything at least twice, and nothing that decides: two load balancers, each with two rules among three groups of IP targets."""
    names = [f"{prefix}-{letter}" for prefix in ("photo", "admin") for letter in "abc"]
    rules = tuple(
        rule(
            {f"{of}-a": 1, f"{of}-b": 1, f"{of}-c": 1},
            of=of,
            number=number,
            conditions=(Condition("path-pattern", "", (f"/{number}/*",)),),
        )
        for of in ("photo", "admin")
        for number in (1, 2)
    )
    return photo_inventory(
        load_balancers=(balancer("photo"), balancer("admin")),
        rules=rules,
        target_groups=tuple(group(name, of=name.partition("-")[0]) for name in names),
        services=tuple(service(f"cluster/{name}", name) for name in names),
        mackerel=mackerel("shop", "blog", groups=tuple(names)),
    )


def run(folder: str, environment: dict[str, str], *args: str) -> tuple[float, float, subprocess.CompletedProcess[str]]:
    """Seconds and processor seconds of a new process, and its result."""
    started, before_s = time.monotonic(), processor_s()
    command = [sys.executable, str(CLI), *args]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return time.monotonic() - started, processor_s() - before_s, result


def processor_s() -> float:
    """Of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(runs: Annotated[int, typer.Option(help="Number of runs.")] = 9) -> None:
    """Exits with 1 if init takes more than 10 s, asks more than six questions, or `doctor` does not pass."""
    took_s, used_s, asked, passed = list[float](), list[float](), 0, True
    with fake_services(SteadyTraffic(lambda _: {"photo-ec2": 0.9, "photo-ecs": 0.1})) as services:
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "MIGRATION_"))}
        environment |= services.environment
        for _ in range(runs):
            with tempfile.TemporaryDirectory(prefix="init-") as folder:
                seconds, processor, written = run(folder, environment, "init")
                took_s.append(seconds)
                used_s.append(processor)
                _, _, checked = run(folder, environment, "doctor", "--json")
                asked = max(asked, 0 if written.returncode == 0 else 1)  # without a terminal, a question ends it
                passed = passed and written.returncode == 0 and bool(json.loads(checked.stdout)["ok"])
    at_most = questions(ambiguous_inventory()) + OTHER_QUESTIONS
    table = Table("figure", "value", "goal")
    spread = f"{statistics.median(took_s):.1f} s ({min(took_s):.1f}–{max(took_s):.1f})"
    table.add_row("init, a new process", spread, f"≤ {MAX_S:.0f} s")
    table.add_row(
        "of it on a processor", f"{statistics.median(used_s):.1f} s ({min(used_s):.1f}–{max(used_s):.1f})", ""
    )
    table.add_row("questions", str(asked), f"≤ {MAX_QUESTIONS}")
    table.add_row("questions if nothing decides", str(at_most), f"≤ {MAX_QUESTIONS}")
    table.add_row("doctor", "passes" if passed else "fails", "passes")
    Console().print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors", table)
    raise typer.Exit(not (max(took_s) <= MAX_S and max(asked, at_most) <= MAX_QUESTIONS and passed))


if __name__ == "__main__":
    typer.run(main)
