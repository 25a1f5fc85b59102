"""The same abilities without a screen: `doctor`, `weights` and `watch`, for people or, with --json, for programs (docs/cli.md)."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from archive import Archive, ArchiveError, ArchiveProblem, Keeper
from migration import ConfigurationError, Migration, Window, utc_now
from sources import Health, Look, MetricSource
from sources.catalog import DEFAULT_PATH, Sources, configured, sources_of
from terminal.doctor import Examination, doctor_json, doctor_table
from terminal.parts import address
from terminal.watch import WATCHED_MINUTES, Glance, glance, glance_json, glance_table
from terminal.weights import is_read, weights_json, weights_tables
from words import cli as words

app = typer.Typer(
    help=words.HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)

Config = Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=words.CONFIG)]
Demo = Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=words.DEMO)]
Json = Annotated[bool, typer.Option("--json", help=words.JSON)]


@app.command(help=words.DOCTOR)
def doctor(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = _configured(config, demo, as_json=as_json)
    _end(_examined(migration, config, _checks(sources_of(migration, clock=utc_now))), as_json=as_json)


@app.command(help=words.WEIGHTS)
def weights(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = _configured(config, demo, as_json=as_json)
    source = sources_of(migration, clock=utc_now).traffic
    if source is None:
        typer.echo(words.weights_without_aws(), err=True)
    look = source.look() if source else Look(int(utc_now().timestamp()), None)
    _print(weights_json(migration, look) if as_json else weights_tables(migration, look))
    raise typer.Exit(0 if is_read(look) else 1)


@app.command(help=words.WATCH)
def watch(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    every: Annotated[int, typer.Option(min=5, max=3600, help=words.EVERY)] = 20,
    once: Annotated[bool, typer.Option("--once", help=words.ONCE)] = False,
    source: Annotated[str, typer.Option(help=words.SOURCE)] = "",
) -> None:
    migration = _configured(config, demo, as_json=as_json)
    sources = sources_of(migration, clock=utc_now)
    metrics = _chosen(sources, source)
    try:
        archive = Archive.open(migration.archive, migration, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    with archive:
        keeper = Keeper(archive, (), sources.traffic, sources.events, clock=utc_now)

        def look() -> Glance:
            return _refreshed(migration, archive, keeper, sources, metrics)

        def shown(seen: Glance) -> dict[str, Any] | RenderableType:
            return glance_json(migration, seen) if as_json else glance_table(migration, seen)

        if once:
            seen = look()
            _print(shown(seen))
            raise typer.Exit(0 if seen.at is not None else 1)
        with suppress(KeyboardInterrupt):  # Ctrl-C is how one leaves
            if as_json or not _console().is_terminal:
                _repeat(lambda: _print(shown(look())), every)
            else:
                with Live(console=_console(), auto_refresh=False) as live:
                    _repeat(lambda: live.update(glance_table(migration, look()), refresh=True), every)


def _refreshed(
    migration: Migration, archive: Archive, keeper: Keeper, sources: Sources, metrics: MetricSource
) -> Glance:
    """One refresh: what is due is asked and kept, in turns with whoever else uses the archive, and everything is read from there."""
    with suppress(ArchiveError):  # `bring` tells of it
        keeper.keep_traffic()
        for source in sources.events:
            keeper.keep_events(source)
    now = utc_now()
    window = Window.last(WATCHED_MINUTES, now=now)
    brought = archive.bring(window, metrics, now=now)
    try:
        traffic, events, states = archive.traffic(), archive.events(window), archive.states()
    except ArchiveError:
        traffic, events, states = None, (), ()
    others = chain.from_iterable(state.problems for state in states if state.role != "metrics")
    return glance(migration, metrics.name, brought, traffic[0] if traffic else None, events, tuple(others), now=now)


def _repeat(do: Callable[[], None], every_s: int) -> None:
    while True:
        do()
        time.sleep(every_s)


def _configured(config: Path | None, demo: bool, *, as_json: bool) -> Migration:
    """The migration; where the configuration has mistakes, they are told and the program ends with 1."""
    try:
        return configured(config, demo=demo)
    except ConfigurationError as error:
        _end(Examination(str(error.path), error.mistakes, None, "", None, ()), as_json=as_json)


def _examined(
    migration: Migration, config: Path | None, checks: tuple[Health, ...], problem: ArchiveProblem | None = None
) -> Examination:
    place = words.built_in() if migration.demo else str(config or DEFAULT_PATH)
    if problem is None:
        try:
            Archive.open(migration.archive, migration).close()
        except ArchiveError as error:
            problem = error.problem
    return Examination(place, (), migration, address(migration.archive), problem, checks)


def _checks(sources: Sources) -> tuple[Health, ...]:
    """Every source's checks, all asked at once: one that hangs holds up none of the others."""
    every = (*sources.metrics, *((sources.traffic,) if sources.traffic else ()), *sources.events)
    if not every:
        return ()
    with ThreadPoolExecutor(len(every)) as threads:
        return tuple(chain.from_iterable(threads.map(lambda source: source.check(), every)))


def _chosen(sources: Sources, name: str) -> MetricSource:
    known = {source.name: source for source in sources.metrics}
    if name and name not in known:
        raise typer.BadParameter(words.no_such_source(name, ", ".join(known)), param_hint="--source")
    return known[name] if name else sources.metrics[0]


def _end(found: Examination, *, as_json: bool) -> NoReturn:
    _print(doctor_json(found) if as_json else doctor_table(found))
    raise typer.Exit(1 if found.wrong else 0)


def _print(told: dict[str, Any] | RenderableType) -> None:
    """JSON on one line, in ASCII, so that nobody's words can steer a terminal; else as rich draws it."""
    if isinstance(told, dict):
        typer.echo(json.dumps(told))
    else:
        _console().print(told)


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)


if __name__ == "__main__":
    app()
