"""`judge`: the verdict of a phase, a window or a CSV, with an exit code for pipelines."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.text import Text

import analysis
from analysis import CriterionVerdict, Judgement
from analysis.parity.context import JudgeContext
from commands.shared import startup
from commands.shared.alarms import alarm_lines
from commands.shared.context import open_context
from commands.shared.decision import decision_lines, incident_lines, sign_off_lines
from commands.shared.fitting_table import FittingTable
from commands.shared.options import (
    Config,
    Demo,
    Interval,
    Json,
    JudgedPhase,
    JudgedWindow,
    MigrationName,
    Source,
    judged_minutes,
)
from commands.shared.output import echo, echo_text, live_output, message_lines, plain, problem_lines
from commands.shared.styles import BAD, BASELINE, CANARY, FAINT, VERDICT_STYLES, WARN
from domain import empty_frame
from domain.config.models import DEFAULT_WARM_UP
from domain.window import parse_warm_up
from messages import cli as text
from messages import live, parity, times, verdicts
from messages.errors import csv as csv_errors
from messages.errors.sources import shorten
from reports.context_json import read_context_json
from reports.judgement_json import (
    counts_sentence,
    issue_json,
    replayed_minute_json,
)
from reports.sign_offs import signed_evaluation_json
from services.csv_judgement import ReplayedMinute, csv_context, csv_window, evaluate_csv, replay_csv
from services.evaluation import EXIT_UNAVAILABLE, Evaluation
from sources.csv_import import MAX_ISSUES, CsvData, CsvIssue, read_csv


def judge(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    window: JudgedWindow = "",
    phase: JudgedPhase = "",
    csv: Annotated[str, typer.Option(metavar="FILE", help=str(text.CSV))] = "",
    watch: Annotated[bool, typer.Option("--watch", help=str(text.WATCH_VERDICT))] = False,
    interval_s: Interval = 60,
    source: Source = "",
    warm_up: Annotated[str, typer.Option("--warm-up", help=str(text.WARM_UP))] = "",
    context_file: Annotated[str, typer.Option("--context", metavar="FILE", help=str(text.CONTEXT))] = "",
    trace: Annotated[bool, typer.Option("--trace", help=str(text.TRACE))] = False,
) -> None:
    minutes = judged_minutes(window, phase)
    if csv:
        _refuse(str(text.NOT_WITH_CSV), {"--phase": phase, "--watch": watch, "--source": source})
        _judge_csv(
            csv, config, migration_name, minutes, _given_context(warm_up, context_file), traced=trace, as_json=as_json
        )
    _refuse(str(text.ONLY_WITH_CSV), {"--warm-up": warm_up, "--context": context_file, "--trace": trace})
    with open_context(
        config, demo, migration_name, source, phase=phase, as_json=as_json, exit_code=EXIT_UNAVAILABLE
    ) as context:
        if not watch:
            exit_with_evaluation(context.evaluate(minutes, phase), as_json=as_json)
        _exit_once_decided(lambda: context.evaluate(minutes, phase, every_s=interval_s), interval_s, as_json=as_json)


def _refuse(message: str, options: Mapping[str, object]) -> None:
    """Raises typer.BadParameter for the first of `options` that is given."""
    for option, value in options.items():
        if value:
            raise typer.BadParameter(message, param_hint=option)


def _given_context(warm_up: str, path: str) -> int | JudgeContext | None:
    """The seconds of --warm-up, or the context in the file of --context; None without either. Raises typer.BadParameter."""
    if not path:
        seconds = parse_warm_up(warm_up) if warm_up else None
        if warm_up and seconds is None:
            raise typer.BadParameter(text.invalid_warm_up(warm_up), param_hint="--warm-up")
        return seconds
    _refuse(str(text.CONTEXT_AND_WARM_UP), {"--warm-up": warm_up})
    try:
        return read_context_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise typer.BadParameter(str(text.NO_CONTEXT), param_hint="--context") from None


def _judge_csv(
    path: str,
    config: Path | None,
    migration_name: str,
    minutes: int | None,
    given: int | JudgeContext | None,
    *,
    traced: bool,
    as_json: bool,
) -> NoReturn:
    """Judges a CSV; "-" is standard input. Opens neither the archive nor a source."""
    migration = (
        startup.load_or_exit(config, False, migration_name, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
        if config
        else None
    )
    name = text.STANDARD_INPUT if path == "-" else path
    try:
        data = typer.get_binary_stream("stdin").read() if path == "-" else Path(path).read_bytes()
        csv = read_csv(data, migration.own_criteria if migration else ())
    except OSError as error:
        csv = CsvData(empty_frame(), (CsvIssue(0, "not_readable", {"detail": error.strerror or str(error)}),))
    if csv.issues:
        echo(csv_issues_json(str(name), csv.issues) if as_json else csv_issue_lines(str(name), csv.issues))
        raise typer.Exit(EXIT_UNAVAILABLE)
    if isinstance(given, JudgeContext):
        context = replace(given, configured=csv.configured) if csv.configured else given
    else:
        default = migration.warm_up_s if migration else parse_warm_up(DEFAULT_WARM_UP) or 0
        context = csv_context(csv, default if given is None else given)
    judged_window = csv_window(csv, minutes)
    evaluation = evaluate_csv(str(name), csv, migration, judged_window, context)
    if not traced:
        exit_with_evaluation(evaluation, as_json=as_json)
    _echo_trace(replay_csv(csv, migration, judged_window, context), as_json=as_json)
    raise typer.Exit(evaluation.decision.exit_code)


def _echo_trace(minutes: Iterable[ReplayedMinute], *, as_json: bool) -> None:
    """A line of JSON each; or a CSV with the values of each criterion in columns of their own, as `error_rate.low`."""
    for number, minute in enumerate(minutes):
        row = replayed_minute_json(minute)
        if as_json:
            echo(row)
            continue
        cells = {name: row[name] for name in ("ts", "verdict", "decision")}
        for item in row["criteria"]:
            cells |= {f"{item['metric']}.{name}": value for name, value in item.items() if name != "metric"}
        if not number:
            echo_text(",".join(cells))
        echo_text(",".join("" if value is None else str(value) for value in cells.values()))


def exit_with_evaluation(evaluation: Evaluation, *, as_json: bool) -> NoReturn:
    echo(_output(evaluation, as_json=as_json))
    raise typer.Exit(evaluation.decision.exit_code)


def _exit_once_decided(evaluate: Callable[[], Evaluation], interval_s: int, *, as_json: bool) -> NoReturn:
    """Evaluates repeatedly until nothing is awaited. Ctrl-C exits with the code of the last evaluation."""
    exit_code = EXIT_UNAVAILABLE
    with suppress(KeyboardInterrupt), live_output(as_json=as_json) as show:
        while True:
            evaluation = evaluate()
            exit_code = evaluation.decision.exit_code
            show(_output(evaluation, as_json=as_json))
            if evaluation.is_decided:
                break
            time.sleep(interval_s)
    raise typer.Exit(exit_code)


def _output(evaluation: Evaluation, *, as_json: bool) -> dict[str, Any] | RenderableType:
    return signed_evaluation_json(evaluation) if as_json else evaluation_table(evaluation, now=startup.now())


def csv_issues_json(name: str, issues: Sequence[CsvIssue]) -> dict[str, Any]:
    return {
        "ok": False,
        "exit_code": EXIT_UNAVAILABLE,
        "verdict": None,
        "csv": name,
        "issues": [issue_json(issue, "line", csv_errors.format_csv_issue(issue)) for issue in issues],
    }


def csv_issue_lines(name: str, issues: Sequence[CsvIssue]) -> RenderableType:
    parts: list[RenderableType] = [Text("✘  ", BAD).append_text(plain(name))]
    parts += [message_lines(csv_errors.format_csv_issue(issue)) for issue in issues]
    if len(issues) == MAX_ISSUES:
        parts.append(Text(text.csv_truncated(MAX_ISSUES), FAINT))
    return Group(*parts)


def evaluation_table(evaluation: Evaluation, *, now: datetime) -> RenderableType:
    judgement = evaluation.judgement
    parts: list[RenderableType] = [
        *decision_lines(evaluation),
        _subtitle(evaluation, now=now),
        _opening(evaluation),
        *alarm_lines(evaluation.alarms, evaluation.labels, evaluation.zone, now=now),
        Text(),
        _criteria_table(evaluation),
        Text(),
        *([plain(counted, FAINT)] if (counted := counts_sentence(evaluation)) else []),
    ]
    explained = {reason.subject for reason in evaluation.decision.reasons}
    parts += [
        plain(
            f"{verdicts.metric(result.criterion)}: {verdicts.reason(result, evaluation.labels, evaluation.zone)}", FAINT
        )
        for result in judgement.criteria
        if result.verdict != "parity" and result.metric not in explained
    ]
    parts += [
        plain(f"{verdicts.metric(result.criterion)}: {worst_hour}", FAINT)
        for result in judgement.criteria
        if (worst_hour := verdicts.worst_hour(result, evaluation.zone))
    ]
    parts += incident_lines(evaluation, now=now)
    parts += sign_off_lines(evaluation, now=now)
    if unexplained := parity.unexplained(judgement, evaluation.labels):
        parts.append(plain(unexplained, FAINT))
    if judgement.default_criteria:
        parts.append(Text(str(text.DEFAULT_CRITERIA), WARN))
    parts += problem_lines(evaluation.problems, evaluation.archive_problem)
    return Group(*parts, *_excluded_minutes(judgement))


def _subtitle(evaluation: Evaluation, *, now: datetime) -> Text:
    line = plain(evaluation.name, FAINT)
    if evaluation.demo:
        line.append(f"  {live.DEMO_MARK}", WARN)
    window = evaluation.window
    line.append(f"  ·  {times.span(window.starts_at, window.ends_at, evaluation.zone, now=now)}", FAINT)
    return (
        line.append(f"  ·  {text.phase(parity.phase_name(evaluation.phase))}", FAINT)
        if evaluation.phase and evaluation.phase_number
        else line
    )


def _opening(evaluation: Evaluation) -> Text:
    length_s, counts = evaluation.length_s, evaluation.counts_of_judged_phase
    share = evaluation.phase.canary_share if evaluation.phase else None
    window = text.window_length(length_s) if share is None else parity.about(share, length_s)
    return plain(parity.opening(evaluation.judgement, window, evaluation.labels, counts))


def _criteria_table(evaluation: Evaluation) -> RenderableType:
    labels = {fleet: shorten(label) for fleet, label in evaluation.labels.items()}
    grid = FittingTable(*text.judge_head(labels["baseline"], labels["canary"]))
    for column, style in zip(grid.columns[1:4], (BASELINE, CANARY, ""), strict=True):
        column.justify, column.style = "right", style
    for result in evaluation.judgement.criteria:
        criterion = result.criterion
        grid.add_row(
            _two_line_cell(verdicts.metric(criterion), str(parity.CRITICAL if criterion.critical else "")),
            _value_cell(result, result.baseline, result.baseline_events, result.baseline_requests),
            _value_cell(result, result.canary, result.canary_events, result.canary_requests),
            verdicts.interval(result),
            verdicts.margin(result),
            Text(f"{verdicts.SIGNS[result.verdict]} {verdicts.label(result.verdict)}", VERDICT_STYLES[result.verdict]),
            _two_line_cell(verdicts.still_needed(result), verdicts.still_needed_even(result)),
        )
    return grid


def _value_cell(result: CriterionVerdict, value: float | None, events: int | None, requests: int | None) -> Text:
    is_rate = value is not None and result.criterion.quantity == "rate"
    note = parity.numerator(value, events, requests) if is_rate else ""
    return _two_line_cell(verdicts.value(result.criterion, value), note)


def _two_line_cell(first: str, second: str) -> Text:
    return Text(first).append(f"\n{second}", FAINT) if second else Text(first)


def _excluded_minutes(judgement: Judgement) -> list[Text]:
    """The minutes that were not judged: first the reasons that all criteria share, then those of single criteria."""
    shared, single = list[str](), list[str]()
    for reason in analysis.EXCLUSION_REASONS:
        minutes = [(result.excluded or {}).get(reason, 0) for result in judgement.criteria]
        if len(set(minutes)) == 1:
            shared += [verdicts.excluded(reason, minutes[0])] if minutes[0] else []
            continue
        single += [
            f"{verdicts.metric(result.criterion)}: {verdicts.excluded(reason, count)}"
            for result, count in zip(judgement.criteria, minutes, strict=True)
            if count
        ]
    return [Text(text.excluded("; ".join((*shared, *single))), FAINT)] if shared or single else []
