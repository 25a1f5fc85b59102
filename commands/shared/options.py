"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from domain.window import MAX_WINDOW_MINUTES, parse_minutes
from messages import cli as text
from sources.base import MetricSource
from sources.registry import Sources

Config = Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=str(text.CONFIG))]
Demo = Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=str(text.DEMO))]
MigrationName = Annotated[str, typer.Option("--migration", metavar="NAME", help=str(text.MIGRATION))]
Json = Annotated[bool, typer.Option("--json", help=str(text.JSON))]
Source = Annotated[str, typer.Option(help=str(text.SOURCE))]
JudgedWindow = Annotated[str, typer.Option("--window", help=str(text.WINDOW))]
JudgedPhase = Annotated[str, typer.Option("--phase", help=str(text.PHASE))]
ReportLanguage = Annotated[Literal["en", "ja"] | None, typer.Option("--lang", help=str(text.REPORT_LANGUAGE))]
Interval = Annotated[int, typer.Option("--every", min=5, max=3600, help=str(text.EVERY))]


def parse_window(window: str) -> int | None:
    """The minutes of --window; None without it. Raises typer.BadParameter."""
    minutes = parse_minutes(window)
    if window and (minutes is None or minutes > MAX_WINDOW_MINUTES):
        raise typer.BadParameter(text.invalid_window(window), param_hint="--window")
    return minutes


def judged_minutes(window: str, phase: str) -> int | None:
    """The minutes of --window, which excludes --phase. Raises typer.BadParameter."""
    minutes = parse_window(window)
    if window and phase:
        raise typer.BadParameter(str(text.WINDOW_AND_PHASE), param_hint="--phase")
    return minutes


def metric_source(sources: Sources, name: str) -> MetricSource:
    """The source of --source, by default the first one. Raises typer.BadParameter."""
    known = {source.name: source for source in sources.metrics}
    if name and name not in known:
        raise typer.BadParameter(text.no_such_source(name, ", ".join(known)), param_hint="--source")
    return known[name] if name else sources.metrics[0]
