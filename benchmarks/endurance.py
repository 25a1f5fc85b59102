"""What the program withstands, measured on loopback: `python -m benchmarks.endurance --help`."""

import json
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.limits import big_archive, imports, kills, replies, soak, stops, urls, web
from benchmarks.limits.big_archive import ArchiveSize
from benchmarks.limits.figure import Figure
from benchmarks.limits.hostile_clients import HostileLoad
from benchmarks.live import machine_summary


class Part(StrEnum):
    WEB = "web"
    REPLIES = "replies"
    KILLS = "kills"
    STOPS = "stops"
    SOAK = "soak"
    IMPORTS = "imports"
    URLS = "urls"
    BIG_ARCHIVE = "big-archive"


# What each part measures with its usual size; a part takes between one and thirty minutes.
PARTS: dict[Part, Callable[[], list[Figure]]] = {
    Part.WEB: lambda: web.measure(HostileLoad(), seconds=30),
    Part.REPLIES: lambda: replies.measure(20_000, poll_seconds=60),
    Part.KILLS: lambda: kills.measure(100, seed=1),
    Part.STOPS: lambda: stops.measure(50, seed=1),
    Part.SOAK: lambda: soak.measure(hours=20, factor=80),
    Part.IMPORTS: lambda: imports.measure(points=5_000_000, series=(1, 20)),
    Part.URLS: lambda: urls.measure(2000, limit_s=1800),
    Part.BIG_ARCHIVE: lambda: big_archive.measure(ArchiveSize()),
}


def main(
    only: Annotated[list[Part] | None, typer.Option(help="Parts to measure; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The table as JSON.")] = False,
) -> None:
    """Measures what the program withstands; exits with 1 if a limit is exceeded."""
    figures = [figure for part in only or list(Part) for figure in PARTS[part]()]
    if as_json:
        result = {"machine": machine_summary(), "figures": [asdict(figure) for figure in figures]}
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        Console(width=150).print(_table(figures))
    raise typer.Exit(1 if any(figure.is_met is False for figure in figures) else 0)


def _table(figures: list[Figure]) -> Table:
    table = Table("figure", "limit", "measured", "compared with", "met?", title=machine_summary())
    for row in figures:
        table.add_row(row.name, row.limit, row.measured, row.compared, {True: "yes", False: "NO", None: ""}[row.is_met])
    return table


if __name__ == "__main__":
    typer.run(main)
