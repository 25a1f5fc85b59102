"""`import mackerel`: finds criteria on the dashboards of the organisation, and writes them as [[criteria]]."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from commands.shared import startup
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, echo_text, message_lines, plain
from commands.shared.styles import FAINT
from domain import Migration
from messages import evidence
from messages import imports as text
from messages.errors.sources import format_problem
from services.criteria_import import criteria_toml, new_pairs, read_discovery
from sources.base import Problem
from sources.mackerel.client import MackerelApi
from sources.mackerel.dashboards import Discovery, Pair, to_toml

EXIT_FAILED = 1
app = typer.Typer(help=str(text.GROUP), no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Makes `mackerel` a command of its own, though it is the only one."""


@app.command("mackerel", help=str(text.MACKEREL))
def mackerel_command(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    take: Annotated[list[str] | None, typer.Option("--take", metavar="NUMBER", help=str(text.TAKE_HELP))] = None,
    write: Annotated[Path | None, typer.Option("--write", metavar="FILE", help=str(text.WRITE_HELP))] = None,
    as_json: Json = False,
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    discovery = _discover_or_exit(migration, as_json=as_json)
    chosen = _chosen(discovery.pairs, take or ["all"])
    if as_json and not write:
        echo(_discovery_json(replace(discovery, pairs=tuple(chosen))))
        return
    if not (take or write):
        echo(_discovery_table(discovery))
        return
    pairs = new_pairs(chosen, migration)
    if not pairs:
        echo_text(str(text.NOTHING_NEW if chosen else text.NO_PAIRS), err=True)
        return
    if write is None:
        echo_text(criteria_toml(pairs).rstrip())
        return
    _append(write, f"\n{criteria_toml(pairs)}")
    if as_json:
        echo(_discovery_json(discovery) | {"written": len(pairs), "path": str(write)})
    else:
        echo_text(text.written(len(pairs), str(write)))


def _discover_or_exit(migration: Migration, *, as_json: bool) -> Discovery:
    if migration.demo:
        if as_json:
            echo({"ok": False, "problem": "demo", "text": str(text.DEMO)})
        else:
            echo_text(str(text.DEMO), err=True)
        raise typer.Exit(EXIT_FAILED)
    with closing(MackerelApi.from_environment()) as api:
        discovery = read_discovery(api, migration)
    if isinstance(discovery, Problem):
        message = format_problem(discovery, is_retried=False)
        echo({"ok": False, "problem": discovery.kind, "text": message.text} if as_json else message_lines(message))
        raise typer.Exit(EXIT_FAILED)
    return discovery


def _chosen(pairs: Sequence[Pair], take: Sequence[str]) -> list[Pair]:
    """The pairs of --take, in their own order. Raises typer.BadParameter."""
    if "all" in take:
        return list(pairs)
    numbers = {str(number): pair for number, pair in enumerate(pairs, 1)}
    for given in take:
        if given not in numbers:
            raise typer.BadParameter(text.no_such_pair(given, len(pairs)), param_hint="--take")
    return [pair for number, pair in numbers.items() if number in take]


def _append(path: Path, tables: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(tables)
    except OSError as error:
        echo_text(evidence.not_written(str(path), error.strerror or str(error)), err=True)
        raise typer.Exit(EXIT_FAILED) from None


def _discovery_table(discovery: Discovery) -> RenderableType:
    lines: list[RenderableType] = [plain(text.found(discovery), "bold")]
    if discovery.pairs:
        grid = FittingTable(*map(str, text.PAIR_HEAD))
        for number, pair in enumerate(discovery.pairs, 1):
            monitor = text.of_monitor(pair.monitor) if pair.monitor else ""
            grid.add_row(
                Text(str(number)),
                _two_lines(pair.name, text.judged_as(pair.kind, pair.better)),
                _two_lines(f"±{pair.margin}", monitor),
                _two_lines(pair.dashboard, pair.link),
            )
        lines.append(grid)
    else:
        lines.append(Text(str(text.NO_PAIRS if discovery.dashboards else text.NO_DASHBOARDS), FAINT))
    for dashboard in discovery.dashboards:
        lines.append(plain(text.of_dashboard(dashboard), FAINT).append(f"  {dashboard.link}"))
    lines += (plain(text.of_expression_monitor(item), FAINT) for item in discovery.monitors)
    for graph in discovery.unread:
        lines.append(plain(text.unread(graph.title, graph.dashboard, graph.reason), FAINT).append(f"  {graph.link}"))
    return Group(*lines)


def _two_lines(first: str, second: str) -> Text:
    return plain(first).append("\n").append_text(plain(second, FAINT)) if second else plain(first)


def _discovery_json(discovery: Discovery) -> dict[str, Any]:
    pairs = [asdict(pair) | {"margin": str(pair.margin), "toml": to_toml(pair)} for pair in discovery.pairs]
    return {
        "ok": True,
        "dashboards": len(discovery.dashboards),
        "dashboard_list": list(map(asdict, discovery.dashboards)),
        "monitors": list(map(asdict, discovery.monitors)),
        "pairs": pairs,
        "unread": list(map(asdict, discovery.unread)),
    }
