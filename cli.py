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
from collector.collector import Collector
from commands import archive as archives
from commands.batches import batches as batches
from commands.deployments import aws_commands, deployments_json, deployments_table, read_deployments
from commands.endpoints import endpoints_command as endpoints
from commands.judge import (
    EXIT_UNAVAILABLE,
    Evaluation,
    csv_issue_lines,
    csv_issues_json,
    evaluate,
    evaluate_csv,
    evaluation_json,
    evaluation_table,
)
from commands.record import Recorder
from commands.shared.context import CommandContext, read_phase, read_weight_steps
from commands.shared.exit_codes import GateCommand
from commands.shared.options import console, echo, metric_source, parse_window, repeat, run_checks
from commands.shared.startup import examine as _examined
from commands.shared.startup import exit_with_report as _end
from commands.shared.startup import live_display
from commands.shared.startup import load_or_exit as _configured
from commands.watch import WatchSnapshot, refresh, snapshot_json, snapshot_table
from commands.weights import is_complete, weights_json, weights_tables
from commands.weights_history import history_json, history_table
from domain import Migration, Window, empty_frame, utc_now
from domain.window import parse_datetime
from messages import access_logs as log_words
from messages import batches as batch_words
from messages import cli as words
from messages import evidence as evidence_words
from messages import notes as note_words
from messages import recording, states, times
from messages import retrospective as retrospective_words
from reports.evidence.render import DATA_NAME, evidence_files, sha256, zip_files
from reports.evidence.window_latency import latency_window
from reports.retrospective.render import build_report
from services.endpoints import judge_logs, last_day
from services.evidence import build_bundle, evidence_file_name
from services.parity import PHASE_HISTORY_S, evidence_window
from sources.base import TrafficSnapshot
from sources.csv_import import CsvData, CsvIssue, read_csv
from sources.registry import create_sources
from sources.window_latency import WindowLatency, WindowLatencySource

app = typer.Typer(
    help=words.HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)

Config = Annotated[Path | None, typer.Option("--config", envvar="MIGRATION_CONFIG", help=words.CONFIG)]
Demo = Annotated[bool, typer.Option("--demo", envvar="MIGRATION_DEMO", help=words.DEMO)]
Json = Annotated[bool, typer.Option("--json", help=words.JSON)]


@app.command(help=words.DOCTOR)
def doctor(config: Config = None, demo: Demo = False, as_json: Json = False) -> None:
    migration = _configured(config, demo, as_json=as_json)
    _end(_examined(migration, config, run_checks(create_sources(migration, clock=utc_now))), as_json=as_json)


@app.command(help=words.WEIGHTS)
def weights(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    history: Annotated[bool, typer.Option("--history", help=words.HISTORY)] = False,
) -> None:
    migration = _configured(config, demo, as_json=as_json)
    if history:
        _weight_history(migration, config, as_json=as_json)
    source = create_sources(migration, clock=utc_now).traffic
    if source is None:
        typer.echo(words.WEIGHTS_WITHOUT_AWS(), err=True)
    look = source.snapshot() if source else TrafficSnapshot(int(utc_now().timestamp()), None)
    echo(weights_json(migration, look) if as_json else weights_tables(migration, look))
    raise typer.Exit(0 if is_complete(look) else 1)


def _weight_history(migration: Migration, config: Path | None, *, as_json: bool) -> NoReturn:
    """Every step of the split, once all that is left to ask was asked."""
    sources = create_sources(migration, clock=utc_now)
    try:
        with Archive.open(migration.archive, migration, clock=utc_now) as archive:
            keeper = Collector(archive, (), sources.traffic, sources.events, clock=utc_now)
            found = read_weight_steps(archive, keeper, sources, clock=utc_now)
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
    sources = create_sources(migration, clock=utc_now)
    metrics = metric_source(sources, source)
    try:
        with Archive.open(migration.archive, migration, clock=utc_now) as archive:
            keeper = Collector(archive, (), sources.traffic, sources.events, clock=utc_now)
            found = read_deployments(archive, keeper, sources, metrics, migration, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    echo(deployments_json(migration, found) if as_json else deployments_table(migration, found))
    if not as_json:
        typer.echo(aws_commands(migration, found))
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
            sources = create_sources(migration, clock=utc_now)
            with Recorder(migration, archive, sources, utc_now, as_json=as_json) as recorder:
                raise typer.Exit(recorder.run_once() if once else recorder.run())
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
    sources = create_sources(migration, clock=utc_now)
    metrics = metric_source(sources, source)
    try:
        archive = Archive.open(migration.archive, migration, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    with archive:
        keeper = Collector(archive, (), sources.traffic, sources.events, clock=utc_now)

        def look() -> WatchSnapshot:
            return refresh(migration, archive, keeper, sources, metrics, clock=utc_now)

        def shown(seen: WatchSnapshot) -> dict[str, Any] | RenderableType:
            return snapshot_json(migration, seen) if as_json else snapshot_table(migration, seen)

        if once:
            seen = look()
            echo(shown(seen))
            raise typer.Exit(0 if seen.minute is not None else 1)
        with suppress(KeyboardInterrupt):  # Ctrl-C is how one leaves
            if as_json or not console().is_terminal:
                repeat(lambda: echo(shown(look())), every)
            else:
                with Live(console=console(), auto_refresh=False) as live:
                    repeat(lambda: live.update(snapshot_table(migration, look()), refresh=True), every)


@app.command(help=words.JUDGE, cls=GateCommand)
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
    minutes = parse_window(window)
    if window and phase:
        raise typer.BadParameter(words.WINDOW_AND_PHASE(), param_hint="--phase")
    if csv:
        for option, given in (("--phase", phase), ("--watch", watch), ("--source", source)):
            if given:
                raise typer.BadParameter(words.NOT_WITH_CSV(), param_hint=option)
        _judge_csv(csv, config, minutes, as_json=as_json)
    with _open_context(config, demo, source, phase, as_json=as_json) as desk:

        def look() -> Evaluation:
            return _evaluate(desk, minutes, phase)

        if not watch:
            _exit_with(look(), as_json=as_json)
        _exit_once_decided(look, every, as_json=as_json)


@app.command(help=evidence_words.REPORT, cls=GateCommand)
def report(
    config: Config = None,
    demo: Demo = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=evidence_words.OUT)] = None,
    window: Annotated[str, typer.Option(help=words.WINDOW)] = "",
    phase: Annotated[str, typer.Option(help=words.PHASE)] = "",
    source: Annotated[str, typer.Option(help=words.SOURCE)] = "",
) -> None:
    minutes = parse_window(window)
    if window and phase:
        raise typer.BadParameter(words.WINDOW_AND_PHASE(), param_hint="--phase")
    with _open_context(config, demo, source, phase, as_json=False) as desk:
        typer.echo(evidence_words.reading(states.source_name(desk.metrics.name)), err=True)
        reading = read_phase(desk, minutes, phase, clock=utc_now)
        migration, brought, now = desk.migration, reading.result, reading.now
        try:
            events = desk.archive.events.read(brought.window)
            whole = _window_latency(desk, reading.phase or Phase(brought.window, None, "window"), now)
            routes = judge_logs(desk.archive, migration, last_day(brought.window))
        except ArchiveError:  # the page goes without them
            events, whole, routes = (), None, None
    found = build_bundle(
        migration,
        desk.metrics.name,
        brought,
        events,
        reading.phase,
        reading.source_problems,
        phase_number=reading.phase_number,
        window_latency=whole,
        endpoints=routes,
        now=now,
    )
    if found.evaluation.unavailable:
        _exit_with(found.evaluation, as_json=False)
    made = evidence_files(found, made_at=utc_now())
    place = out or Path(evidence_file_name(migration.name, brought.window))
    _write_file(place, zip_files(made, brought.window.ends_at))
    typer.echo(place)
    typer.echo(f"{sha256(made[DATA_NAME])}  {DATA_NAME}")


def _window_latency(context: CommandContext, phase: Phase, now: datetime) -> WindowLatency | None:
    """The latency of the phase as one period, asked where that is due; None where the source cannot tell it, or nothing of it is settled."""
    provisional_s, now_s = context.migration.provisional_minutes * 60, int(now.timestamp()) // 60 * 60
    window = latency_window(replace(phase, window=evidence_window(phase)), now_s=now_s, provisional_s=provisional_s)
    if window is None or not isinstance(context.metrics, WindowLatencySource):
        return None
    context.archive.metrics.fetch_window_latency(window, context.metrics, now=now)
    return context.archive.metrics.window_latency(window, context.metrics.name)


@app.command(help=retrospective_words.RETROSPECTIVE, cls=GateCommand)
def retrospective(
    config: Config = None,
    demo: Demo = False,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=retrospective_words.OUT)] = None,
    source: Annotated[str, typer.Option(help=words.SOURCE)] = "",
) -> None:
    with _open_context(config, demo, source, "", as_json=as_json) as desk:
        try:
            told = build_report(desk.archive, desk.migration, desk.metrics.name, now=utc_now())
        except ArchiveError as error:
            _end(_examined(desk.migration, config, (), error.problem), as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    if told is None:
        typer.echo(retrospective_words.EMPTY(), err=True)
        raise typer.Exit(EXIT_UNAVAILABLE)
    place = out or (None if as_json else Path(told.file_name))
    if place is not None:
        _write_file(place, told.html().encode())
    if as_json:
        echo(told.json())
    else:
        typer.echo("\n".join((*told.sentences(), str(place))))


@app.command(help=note_words.COMMAND)
def note(
    text: Annotated[str, typer.Argument(metavar="TEXT", help=note_words.TEXT_HELP)],
    config: Config = None,
    demo: Demo = False,
    at: Annotated[str, typer.Option(metavar="TIME", help=note_words.AT_HELP)] = "",
    author: Annotated[str, typer.Option("--by", metavar="NAME", help=note_words.BY_HELP)] = "",
    as_json: Json = False,
) -> None:
    migration = _configured(config, demo, as_json=as_json)
    try:
        moment_at = parse_datetime(at, migration.zone) if at else utc_now()
        ts = int(moment_at.timestamp())
    except (ValueError, OverflowError):
        raise typer.BadParameter(note_words.invalid_time(at), param_hint="--at") from None
    if not text.strip():
        raise typer.BadParameter(note_words.EMPTY(), param_hint="TEXT")
    try:
        with Archive.open(migration.archive, migration, clock=utc_now) as archive:
            kept = archive.notes.add(ts, text, author)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json)
    if as_json:
        echo({"ok": True, "at": f"{moment_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "text": kept.title, "key": kept.key})
    else:
        typer.echo(note_words.saved(times.clock(moment_at, migration.zone, now=utc_now())))


@contextmanager
def _open_context(
    config: Path | None, demo: bool, source: str, phase: str, *, as_json: bool
) -> Iterator[CommandContext]:
    """Opens the archive. Where it, or the configuration, cannot be read, that is told and the program ends."""
    migration = _configured(config, demo, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    sources = create_sources(migration, clock=utc_now)
    metrics = metric_source(sources, source)
    try:
        archive = Archive.open(migration.archive, migration, clock=utc_now)
    except ArchiveError as error:
        _end(_examined(migration, config, (), error.problem), as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    with archive:
        keeper = Collector(archive, (), sources.traffic, sources.events, clock=utc_now)
        if phase not in ("", "current"):
            for events in sources.events:
                keeper.request_window(Window.last(PHASE_HISTORY_S // 60, now=utc_now()), events.name)
        yield CommandContext(migration, archive, keeper, sources, metrics)


def _evaluate(context: CommandContext, minutes: int | None, phase: str) -> Evaluation:
    """One look, and what the judge says of it."""
    found = read_phase(context, minutes, phase, clock=utc_now)
    return evaluate(
        context.migration,
        context.metrics.name,
        found.result,
        found.phase,
        found.source_problems,
        phase_number=found.phase_number,
        now=found.now,
    )


def _judge_csv(name: str, config: Path | None, minutes: int | None, *, as_json: bool) -> NoReturn:
    """Judges a CSV, "-" being standard input. Asks nobody, and opens no archive."""
    migration = _configured(config, False, as_json=as_json, exit_code=EXIT_UNAVAILABLE) if config else None
    called = words.STANDARD_INPUT() if name == "-" else name
    try:
        found = read_csv(typer.get_binary_stream("stdin").read() if name == "-" else Path(name).read_bytes())
    except OSError as error:
        found = CsvData(empty_frame(), (CsvIssue(0, "not_readable", {"detail": error.strerror or str(error)}),))
    if found.issues:
        echo(csv_issues_json(called, found.issues) if as_json else csv_issue_lines(called, found.issues))
        raise typer.Exit(EXIT_UNAVAILABLE)
    _exit_with(evaluate_csv(called, found, migration, minutes), as_json=as_json)


def _exit_with(evaluation: Evaluation, *, as_json: bool) -> NoReturn:
    echo(_rendered(evaluation, as_json=as_json))
    raise typer.Exit(evaluation.exit_code)


def _exit_once_decided(evaluate: Callable[[], Evaluation], interval_s: int, *, as_json: bool) -> NoReturn:
    """Looks again and again until there is a verdict. Ctrl-C ends it with what was known last."""
    code = EXIT_UNAVAILABLE
    with suppress(KeyboardInterrupt), live_display(as_json=as_json) as drawing:
        while True:
            hearing = evaluate()
            code = hearing.exit_code
            if drawing:
                drawing.update(evaluation_table(hearing, now=utc_now()), refresh=True)
            else:
                echo(_rendered(hearing, as_json=as_json))
            if hearing.is_decided:
                break
            time.sleep(interval_s)
    raise typer.Exit(code)


def _rendered(evaluation: Evaluation, *, as_json: bool) -> dict[str, Any] | RenderableType:
    return evaluation_json(evaluation) if as_json else evaluation_table(evaluation, now=utc_now())


def _write_file(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        typer.echo(evidence_words.not_written(str(path), error.strerror or str(error)), err=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None


app.add_typer(archives.app, name="archive")
app.command("batches", help=batch_words.COMMAND, cls=GateCommand)(batches)
app.command("endpoints", help=log_words.COMMAND, cls=GateCommand)(endpoints)


if __name__ == "__main__":
    app()
