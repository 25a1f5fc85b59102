"""What the commands of cli.py share: how options are read, how they end where those are wrong, and how they print."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import typer
import typer.core
from rich.console import Console, RenderableType

from commands.judge import MAX_WINDOW_MINUTES, parse_minutes
from messages import cli as words
from sources.base import Health, MetricSource
from sources.registry import Sources


def echo(output: dict[str, Any] | RenderableType) -> None:
    """JSON on one line, in ASCII, so that nobody's words can steer a terminal; else as rich draws it."""
    if isinstance(output, dict):
        typer.echo(json.dumps(output))
    else:
        console().print(output)


def console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


def parse_window(text: str) -> int | None:
    """The minutes of --window; None where it was left out."""
    minutes = parse_minutes(text)
    if text and (minutes is None or minutes > MAX_WINDOW_MINUTES):
        raise typer.BadParameter(words.invalid_window(text), param_hint="--window")
    return minutes


def metric_source(sources: Sources, name: str) -> MetricSource:
    known = {source.name: source for source in sources.metrics}
    if name and name not in known:
        raise typer.BadParameter(words.no_such_source(name, ", ".join(known)), param_hint="--source")
    return known[name] if name else sources.metrics[0]


def run_checks(sources: Sources) -> tuple[Health, ...]:
    """Every source's checks, all asked at once: one that hangs holds up none of the others."""
    of_batches = (*sources.batches, *((sources.triggers,) if sources.triggers else ()))
    looked_at = (one for one in (sources.traffic, sources.logs, sources.athena) if one)
    every = (*sources.metrics, *looked_at, *sources.events, *of_batches)
    if not every:
        return ()
    with ThreadPoolExecutor(len(every)) as threads:
        return tuple(chain.from_iterable(threads.map(lambda source: source.check(), every)))


def repeat(action: Callable[[], None], interval_s: int) -> None:
    while True:
        action()
        time.sleep(interval_s)
