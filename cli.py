"""The same abilities without a screen: doctor, weights, deployments, watch, judge and report, for people or, with --json, for programs (docs/cli.md)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import RenderableType
from rich.live import Live

from analysis import Phase
from archive import Archive, ArchiveError
from collector.collector import Keeper
from commands import archive as archives
from commands.batches import command as batches
from commands.deployments import commands, deploying, deployments_json, deployments_table
from commands.endpoints import command as endpoints
from commands.judge import (
    COULD_NOT_ASK,
    Hearing,
    heard,
    hearing_json,
    hearing_of_csv,
    hearing_table,
    mistakes_json,
    mistakes_lines,
)
from commands.record import Recorder
from commands.shared.context import Desk, read, read_history
from commands.shared.exit_codes import Gate
from commands.shared.options import checks, chosen, console, echo, minutes_given, repeat
from commands.shared.startup import drawn
from commands.shared.startup import end as _end
from commands.shared.startup import examined as _examined
from commands.shared.startup import migration_of as _configured
from commands.watch import Glance, glance_json, glance_table, refreshed
from commands.weights import is_read, weights_json, weights_tables
from commands.weights_history import history_json, history_table
from domain import Migration, Window, empty_frame, utc_now
from domain.window import moment
from messages import access_logs as log_words
from messages import batches as batch_words
from messages import cli as words
from messages import evidence as evidence_words
from messages import notes as note_words
from messages import recording, states, times
from messages import retrospective as retrospective_words
from reports.evidence.render import DATA, files, sha256, zipped
from reports.evidence.window_latency import window_of
from reports.retrospective.render import tell
from services.endpoints import judge_logs, last_day
from services.evidence import case, file_name
from services.parity import HISTORY_S, evidence_of
from sources.base import Look
from sources.csv_import import CsvMistake, CsvNumbers, read_csv
from sources.registry import sources_of
from sources.window_latency import Whole, WholeWindowSource

app = typer.Typer(
    help=words.HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)

Config = Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=words.CONFIG)]
Demo = Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=words.DEMO)]
Json = Annotated[bool, typer.Option("--json", help=words.JSON)]


@app.command(help=words.DOCTOR)
def doctor(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = _configured(config, demo, as_json=as_json)
    _end(_examined(migration, config, checks(sources_of(migration, clock=utc_now))), as_json=as_json)


@app.command(help=words.WEIGHTS)
def weights(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    history: Annotated[bool, typer.Option("--history", help=words.HISTORY)] = False,
) -> None:
    migration = _configured(config, demo, as_json=as_json)
    if history:
        _history(migration, config, as_json=as_json)
    source = sources_of(migration, clock=utc_now).traffic
    if source is None:
        typer.echo(words.weights_without_aws(), err=True)
    look = source.look() if source else Look(int(utc_now().timestamp()), None)
    echo(weights_json(migration, look) if as_json else weights_tables(migration, look))
    raise typer.Exit(0 if is_read(look) else 1)


def _history(migration: Migration, config: Path | None, *, as_json: bool) -> NoReturn:
    """Every step of the split, once all that is left to ask was asked."""
    sources = sources_of(migration, clock=utc_now)
    try:
        with Archive.open(migration.archive, migration, clock=utc_now) as archive:
            keeper = Keeper(archive, (), sources.traffic, sources.events, clock=utc_now)
            found = read_history(archive, keeper, sources, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    echo(history_json(migration, found) if as_json else history_table(migration, found))
    raise typer.Exit(0)


@app.command(help=words.DEPLOYMENTS)
def deployments(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    source: Annotated[str, typer.Option(help=words.SOURCE)] = "",
) -> None:
    migration = _configured(config, demo, as_json=as_json)
    sources = sources_of(migration, clock=utc_now)
    metrics = chosen(sources, source)
    try:
        with Archive.open(migration.archive, migration, clock=utc_now) as archive:
            keeper = Keeper(archive, (), sources.traffic, sources.events, clock=utc_now)
            found = deploying(archive, keeper, sources, metrics, migration, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    echo(deployments_json(migration, found) if as_json else deployments_table(migration, found))
    if not as_json:
        typer.echo(commands(migration, found))
    raise typer.Exit(0 if found.ok else 1)


@app.command(help=recording.RECORD)
def record(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    once: Annotated[bool, typer.Option("--once", help=recording.RECORD_ONCE)] = False,
) -> None:
    migration = _configured(config, demo, as_json=as_json)
    try:
        with Archive.open(migration.archive, migration, clock=utc_now) as archive:
            sources = sources_of(migration, clock=utc_now)
            with Recorder(migration, archive, sources, utc_now, as_json=as_json) as recorder:
                raise typer.Exit(recorder.once() if once else recorder.run())
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)


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
    metrics = chosen(sources, source)
    try:
        archive = Archive.open(migration.archive, migration, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    with archive:
        keeper = Keeper(archive, (), sources.traffic, sources.events, clock=utc_now)

        def look() -> Glance:
            return refreshed(migration, archive, keeper, sources, metrics, clock=utc_now)

        def shown(seen: Glance) -> dict[str, Any] | RenderableType:
            return glance_json(migration, seen) if as_json else glance_table(migration, seen)

        if once:
            seen = look()
            echo(shown(seen))
            raise typer.Exit(0 if seen.at is not None else 1)
        with suppress(KeyboardInterrupt):  # Ctrl-C is how one leaves
            if as_json or not console().is_terminal:
                repeat(lambda: echo(shown(look())), every)
            else:
                with Live(console=console(), auto_refresh=False) as live:
                    repeat(lambda: live.update(glance_table(migration, look()), refresh=True), every)


@app.command(help=words.JUDGE, cls=Gate)
def judge(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    window: Annotated[str, typer.Option(help=words.WINDOW)] = "",
    phase: Annotated[str, typer.Option(help=words.PHASE)] = "",
    csv: Annotated[str, typer.Option(metavar="FILE", help=words.CSV)] = "",
    watch: Annotated[bool, typer.Option("--watch", help=words.WATCH_VERDICT)] = False,
    every: Annotated[int, typer.Option(min=5, max=3600, help=words.EVERY)] = 60,
    source: Annotated[str, typer.Option(help=words.SOURCE)] = "",
) -> None:
    minutes = minutes_given(window)
    if window and phase:
        raise typer.BadParameter(words.window_or_phase(), param_hint="--phase")
    if csv:
        for option, given in (("--phase", phase), ("--watch", watch), ("--source", source)):
            if given:
                raise typer.BadParameter(words.not_with_csv(), param_hint=option)
        _judge_csv(csv, config, minutes, as_json=as_json)
    with _desk(config, demo, source, phase, as_json=as_json) as desk:

        def look() -> Hearing:
            return _heard(desk, minutes, phase)

        if not watch:
            _conclude(look(), as_json=as_json)
        _conclude_once_decided(look, every, as_json=as_json)


@app.command(help=evidence_words.REPORT, cls=Gate)
def report(
    config: Config = None,
    demo: Demo = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=evidence_words.OUT)] = None,
    window: Annotated[str, typer.Option(help=words.WINDOW)] = "",
    phase: Annotated[str, typer.Option(help=words.PHASE)] = "",
    source: Annotated[str, typer.Option(help=words.SOURCE)] = "",
) -> None:
    minutes = minutes_given(window)
    if window and phase:
        raise typer.BadParameter(words.window_or_phase(), param_hint="--phase")
    with _desk(config, demo, source, phase, as_json=False) as desk:
        typer.echo(evidence_words.asking(states.source_name(desk.metrics.name)), err=True)
        reading = read(desk, minutes, phase, clock=utc_now)
        migration, brought, now = desk.migration, reading.brought, reading.now
        try:
            events = desk.archive.events(brought.window)
            whole = _whole(desk, reading.phase or Phase(brought.window, None, "window"), now)
            routes = judge_logs(desk.archive, migration, last_day(brought.window))
        except ArchiveError:  # the page goes without them
            events, whole, routes = (), None, None
    found = case(
        migration,
        desk.metrics.name,
        brought,
        events,
        reading.phase,
        reading.others,
        number=reading.number,
        whole=whole,
        routes=routes,
        now=now,
    )
    if found.hearing.unasked:
        _conclude(found.hearing, as_json=False)
    made = files(found, made_at=utc_now())
    place = out or Path(file_name(migration.name, brought.window))
    _write(place, zipped(made, brought.window.ends_at))
    typer.echo(place)
    typer.echo(f"{sha256(made[DATA])}  {DATA}")


def _whole(desk: Desk, phase: Phase, now: datetime) -> Whole | None:
    """The latency of the phase as one period, asked where that is due; None where the source cannot tell it, or nothing of it is settled."""
    provisional_s, now_s = desk.migration.provisional_minutes * 60, int(now.timestamp()) // 60 * 60
    window = window_of(replace(phase, window=evidence_of(phase)), now_s=now_s, provisional_s=provisional_s)
    if window is None or not isinstance(desk.metrics, WholeWindowSource):
        return None
    desk.archive.ask_whole(window, desk.metrics, now=now)
    return desk.archive.whole(window, desk.metrics.name)


@app.command(help=retrospective_words.RETROSPECTIVE, cls=Gate)
def retrospective(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=retrospective_words.OUT)] = None,
    source: Annotated[str, typer.Option(help=words.SOURCE)] = "",
) -> None:
    with _desk(config, demo, source, "", as_json=as_json) as desk:
        try:
            told = tell(desk.archive, desk.migration, desk.metrics.name, now=utc_now())
        except ArchiveError as error:
            _end(_examined(desk.migration, config, (), error.problem), as_json=as_json, code=COULD_NOT_ASK)
    if told is None:
        typer.echo(retrospective_words.nothing(), err=True)
        raise typer.Exit(COULD_NOT_ASK)
    place = out or (None if as_json else Path(told.file_name))
    if place is not None:
        _write(place, told.html().encode())
    if as_json:
        echo(told.json())
    else:
        typer.echo("\n".join((*told.sentences(), str(place))))


@app.command(help=note_words.COMMAND)
def note(
    text: Annotated[str, typer.Argument(metavar="TEXT", help=note_words.WORDS)],
    config: Config = None,
    demo: Demo = False,
    at: Annotated[str, typer.Option(metavar="TIME", help=note_words.AT)] = "",
    author: Annotated[str, typer.Option("--by", metavar="NAME", help=note_words.BY)] = "",
    as_json: Json = False,
) -> None:
    migration = _configured(config, demo, as_json=as_json)
    try:
        moment_at = moment(at, migration.zone) if at else utc_now()
        ts = int(moment_at.timestamp())
    except (ValueError, OverflowError):
        raise typer.BadParameter(note_words.refused(at), param_hint="--at") from None
    if not text.strip():
        raise typer.BadParameter(note_words.empty(), param_hint="TEXT")
    try:
        with Archive.open(migration.archive, migration, clock=utc_now) as archive:
            kept = archive.keep_note(ts, text, author)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    if as_json:
        echo({"ok": True, "at": f"{moment_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "text": kept.title, "key": kept.key})
    else:
        typer.echo(note_words.kept(times.clock(moment_at, migration.zone, now=utc_now())))


@contextmanager
def _desk(config: Path | None, demo: bool, source: str, phase: str, *, as_json: bool) -> Iterator[Desk]:
    """Opens the archive. Where it, or the configuration, cannot be read, that is told and the program ends."""
    migration = _configured(config, demo, as_json=as_json, code=COULD_NOT_ASK)
    sources = sources_of(migration, clock=utc_now)
    metrics = chosen(sources, source)
    try:
        archive = Archive.open(migration.archive, migration, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json, code=COULD_NOT_ASK)
    with archive:
        keeper = Keeper(archive, (), sources.traffic, sources.events, clock=utc_now)
        if phase not in ("", "current"):
            for events in sources.events:
                keeper.want(Window.last(HISTORY_S // 60, now=utc_now()), events.name)
        yield Desk(migration, archive, keeper, sources, metrics)


def _heard(desk: Desk, minutes: int | None, phase: str) -> Hearing:
    """One look, and what the judge says of it."""
    found = read(desk, minutes, phase, clock=utc_now)
    return heard(
        desk.migration, desk.metrics.name, found.brought, found.phase, found.others, number=found.number, now=found.now
    )


def _judge_csv(name: str, config: Path | None, minutes: int | None, *, as_json: bool) -> NoReturn:
    """Judges a CSV, "-" being standard input. Asks nobody, and opens no archive."""
    migration = _configured(config, False, as_json=as_json, code=COULD_NOT_ASK) if config else None
    called = words.standard_input() if name == "-" else name
    try:
        found = read_csv(typer.get_binary_stream("stdin").read() if name == "-" else Path(name).read_bytes())
    except OSError as error:
        found = CsvNumbers(empty_frame(), (CsvMistake(0, "not_readable", {"detail": error.strerror or str(error)}),))
    if found.mistakes:
        echo(mistakes_json(called, found.mistakes) if as_json else mistakes_lines(called, found.mistakes))
        raise typer.Exit(COULD_NOT_ASK)
    _conclude(hearing_of_csv(called, found, migration, minutes), as_json=as_json)


def _conclude(hearing: Hearing, *, as_json: bool) -> NoReturn:
    echo(_shown(hearing, as_json=as_json))
    raise typer.Exit(hearing.code)


def _conclude_once_decided(look: Callable[[], Hearing], every_s: int, *, as_json: bool) -> NoReturn:
    """Looks again and again until there is a verdict. Ctrl-C ends it with what was known last."""
    code = COULD_NOT_ASK
    with suppress(KeyboardInterrupt), drawn(as_json=as_json) as drawing:
        while True:
            hearing = look()
            code = hearing.code
            if drawing:
                drawing.update(hearing_table(hearing, now=utc_now()), refresh=True)
            else:
                echo(_shown(hearing, as_json=as_json))
            if hearing.decided:
                break
            time.sleep(every_s)
    raise typer.Exit(code)


def _shown(hearing: Hearing, *, as_json: bool) -> dict[str, Any] | RenderableType:
    return hearing_json(hearing) if as_json else hearing_table(hearing, now=utc_now())


def _write(place: Path, content: bytes) -> None:
    try:
        place.write_bytes(content)
    except OSError as error:
        typer.echo(evidence_words.not_written(str(place), error.strerror or str(error)), err=True)
        raise typer.Exit(COULD_NOT_ASK) from None


app.add_typer(archives.app, name="archive")
app.command("batches", help=batch_words.COMMAND, cls=Gate)(batches)
app.command("endpoints", help=log_words.COMMAND, cls=Gate)(endpoints)


if __name__ == "__main__":
    app()
