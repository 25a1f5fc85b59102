"""`judge`: the verdict of a phase, of a window or of a CSV, as a table and as JSON, and the exit code that a pipeline goes by."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

import analysis
from analysis import CriterionVerdict, ExclusionReason, Judgement, Phase, Verdict
from archive import ArchiveProblem, MetricsResult
from commands.shared.output import (
    BAD,
    BASELINE,
    CANARY,
    FAINT,
    GOOD,
    WARN,
    archive_problem_json,
    iso_time,
    message_json,
    message_lines,
    plain,
    problem_json,
    table,
)
from domain import FLEETS, FleetName, Migration, Window, epoch_s
from messages import cli as words
from messages import live, parity, times, verdicts
from messages.errors import csv, sources
from services.parity import judge_result
from sources.base import Problem
from sources.csv_import import MAX_ISSUES, SOURCE, CsvData, CsvIssue

MAX_WINDOW_MINUTES = 14 * 1440  # CloudWatch keeps minutes for fifteen days
MAX_JUDGED_DATA_AGE_S = 15 * 60  # what happens now cannot be judged by numbers that were read before
EXIT_UNAVAILABLE = 3
EXIT_CODES: dict[Verdict, int] = {
    "parity": 0,
    "improvement": 0,  # not equal, but nothing speaks against going on
    "regression": 1,
    "undecided": 2,
    "not enough data": 2,
}
VERDICT_STYLES: dict[Verdict, str] = {
    "parity": GOOD,
    "improvement": GOOD,
    "regression": BAD,
    "undecided": WARN,
    "not enough data": FAINT,
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One look: what was judged, by what it was called, and what kept numbers back.

    `name` is the migration's, or the CSV's (`source` "csv"). `number` is the phase's where it was chosen by it. `unasked`: the numbers of now
    could not be had, so that nothing can be concluded for now.
    """

    judgement: Judgement
    window: Window
    name: str
    source: str
    labels: Mapping[FleetName, str]
    zone: tzinfo
    demo: bool = False
    phase: Phase | None = None
    phase_number: int | None = None
    data_until: int | None = None
    unavailable: bool = False
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None

    @property
    def exit_code(self) -> int:
        """The exit code."""
        return EXIT_UNAVAILABLE if self.unavailable else EXIT_CODES[self.judgement.verdict]

    @property
    def is_decided(self) -> bool:
        """Whether looking again would be of no use."""
        return not self.unavailable and self.judgement.verdict in ("parity", "regression", "improvement")


def parse_minutes(text: str) -> int | None:
    """A length of time as people write it, "90m", "3h", "1h30m", "2d", in minutes; None where it is not one, or none at all."""
    found = re.fullmatch(r"(?:(\d{1,3})d)? ?(?:(\d{1,4})h)? ?(?:(\d{1,5})m(?:in)?)?", text.strip().lower())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return days * 1440 + hours * 60 + minutes or None


def evaluate(
    migration: Migration,
    source: str,
    result: MetricsResult,
    phase: Phase | None,
    source_problems: tuple[Problem, ...] = (),
    *,
    phase_number: int | None = None,
    now: datetime,
) -> Evaluation:
    """What the judge says of the numbers of `brought`; `others` are the problems of the other sources."""
    asked, now_s = result.last_asked_at or 0, int(now.timestamp())
    stale = result.window.end > now_s - MAX_JUDGED_DATA_AGE_S and asked < now_s - MAX_JUDGED_DATA_AGE_S
    trouble = bool(result.problems or result.archive_problem)
    return Evaluation(
        judge_result(migration, result, now=now).judgement,
        result.window,
        migration.name,
        source,
        {"baseline": migration.fleets.baseline.label, "canary": migration.fleets.canary.label},
        migration.zone,
        migration.demo,
        phase,
        phase_number,
        result.data_until,
        unavailable=stale or (trouble and result.data_until is None),
        problems=tuple(dict.fromkeys((*result.problems, *source_problems))),
        archive_problem=result.archive_problem,
    )


def evaluate_csv(name: str, csv: CsvData, migration: Migration | None, minutes: int | None) -> Evaluation:
    """What the judge says of a CSV's numbers, of the last `minutes` of them where that is given. `migration`: whose criteria and names hold."""
    starts = epoch_s(csv.frame)
    start, end = int(starts.min()), int((starts + csv.frame["period_s"].to_numpy()).max())
    window = Window(max(start, end - minutes * 60) if minutes else start, end)
    fleets = migration.fleets if migration else None
    return Evaluation(
        analysis.judge(csv.frame, migration.criteria if migration else (), window=window, unknown=csv.unknown_counts),
        window,
        name,
        SOURCE,
        {fleet: fleets[fleet].label if fleets else fleet for fleet in FLEETS},
        migration.zone if migration else UTC,
        data_until=end,
    )


def csv_issues_json(name: str, issues: Sequence[CsvIssue]) -> dict[str, Any]:
    """What is wrong in a CSV that could not be judged."""
    return {
        "ok": False,
        "exit_code": EXIT_UNAVAILABLE,
        "verdict": None,
        "csv": name,
        "mistakes": [
            {
                "line": one.line,
                "slug": one.code,
                "particulars": dict(one.params),
                **message_json(csv.format_csv_issue(one)),
            }
            for one in issues
        ],
    }


def csv_issue_lines(name: str, issues: Sequence[CsvIssue]) -> RenderableType:
    parts: list[RenderableType] = [Text("✘  ", BAD).append_text(plain(name))]
    parts += [message_lines(csv.format_csv_issue(one)) for one in issues]
    if len(issues) == MAX_ISSUES:
        parts.append(Text(words.csv_truncated(MAX_ISSUES), FAINT))
    return Group(*parts)


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    phase = evaluation.phase
    return {
        "ok": evaluation.exit_code == 0,
        "exit_code": evaluation.exit_code,
        "verdict": None if evaluation.unavailable else evaluation.judgement.verdict,
        "headline": _headline(evaluation),
        "name": evaluation.name,
        "demo": evaluation.demo,
        "source": evaluation.source,
        "window": {"from": iso_time(evaluation.window.start), "to": iso_time(evaluation.window.end)},
        "phase": {"number": evaluation.phase_number, "canary_share": phase.canary_share, "begun_by": phase.started_by}
        if phase
        else None,
        "data_until": iso_time(evaluation.data_until),
        "default_criteria": evaluation.judgement.default_criteria,
        "criteria": [_criterion_json(evaluation, one) for one in evaluation.judgement.criteria],
        "problems": [problem_json(problem) for problem in evaluation.problems]
        + ([archive_problem_json(evaluation.archive_problem)] if evaluation.archive_problem else []),
    }


def _criterion_json(evaluation: Evaluation, result: CriterionVerdict) -> dict[str, Any]:
    bounds = ("estimate", "low", "high", "alarm_low", "alarm_high", "margin", "margin_low", "baseline", "canary")
    values = {name: getattr(result, name) for name in bounds}
    latency = verdicts.is_latency(result.criterion)
    return {
        "metric": result.metric,
        "verdict": result.verdict,
        "reason": result.reason,
        "sentence": verdicts.sentence(
            result, baseline=evaluation.labels["baseline"], canary=evaluation.labels["canary"]
        ),
        "critical": result.criterion.critical,
        "margin_given": str(result.criterion.margin),
        **{name: None if value is None or not isfinite(value) else value for name, value in values.items()},
        "events": None if latency else {"baseline": result.baseline_events, "canary": result.canary_events},
        "requests": {"baseline": result.baseline_requests, "canary": result.canary_requests},
        "minutes": result.minutes,
        "left_out": dict(result.excluded or {}),
        "minutes_to_decision": result.minutes_to_decision,
        "minutes_to_decision_even": result.minutes_to_decision_even,
    }


def evaluation_table(evaluation: Evaluation, *, now: datetime) -> RenderableType:
    judgement = evaluation.judgement
    sign = "✘" if evaluation.unavailable else verdicts.SIGNS[judgement.verdict]
    style = BAD if evaluation.unavailable else VERDICT_STYLES[judgement.verdict]
    parts: list[RenderableType] = [
        Text(f"{sign} {_headline(evaluation)}", f"bold {style}"),
        _subtitle(evaluation, now=now),
    ]
    parts += [_opening(evaluation), Text(), _criteria_table(evaluation), Text()]
    parts += [
        plain(f"{verdicts.metric(one.criterion)}: {verdicts.reason(one)}", FAINT)
        for one in judgement.criteria
        if one.verdict != "parity"
    ]
    if judgement.default_criteria:
        parts.append(Text(words.DEFAULT_CRITERIA(), WARN))
    parts += [message_lines(sources.format_problem(problem)) for problem in evaluation.problems]
    if evaluation.archive_problem:
        parts.append(
            message_lines(
                sources.format_archive_problem(evaluation.archive_problem.kind, evaluation.archive_problem.detail)
            )
        )
    return Group(*parts, *_excluded_minutes(judgement))


def _headline(evaluation: Evaluation) -> str:
    if not evaluation.unavailable:
        return verdicts.headline(evaluation.judgement)
    return words.NO_DATA() if evaluation.data_until is None else words.STALE_DATA()


def _subtitle(evaluation: Evaluation, *, now: datetime) -> Text:
    start, end = (datetime.fromtimestamp(at, UTC) for at in (evaluation.window.start, evaluation.window.end))
    line = plain(evaluation.name, FAINT)
    if evaluation.demo:
        line.append(f"  {live.DEMO_MARK()}", WARN)
    line.append(f"  ·  {times.span(start, end, evaluation.zone, now=now)}", FAINT)
    return line.append(f"  ·  {words.phase(evaluation.phase_number)}", FAINT) if evaluation.phase_number else line


def _opening(evaluation: Evaluation) -> Text:
    requests = [(one.baseline_requests, one.canary_requests) for one in evaluation.judgement.criteria]
    length_s, most = evaluation.window.end - evaluation.window.start, max(requests, key=sum)
    if evaluation.phase is None or evaluation.phase.canary_share is None:
        return Text(words.opening(length_s, *most))
    return Text(parity.opening(evaluation.phase.canary_share, length_s, *most))


def _criteria_table(evaluation: Evaluation) -> RenderableType:
    labels = {fleet: sources.shorten(label) for fleet, label in evaluation.labels.items()}
    made = table(*words.judge_head(labels["baseline"], labels["canary"]))
    for column, style in zip(made.columns[1:4], (BASELINE, CANARY, ""), strict=True):
        column.justify, column.style = "right", style
    for found in evaluation.judgement.criteria:
        criterion = found.criterion
        made.add_row(
            _two_line_cell(verdicts.metric(criterion), parity.CRITICAL() if criterion.critical else ""),
            _value_cell(found, found.baseline, found.baseline_events, found.baseline_requests),
            _value_cell(found, found.canary, found.canary_events, found.canary_requests),
            verdicts.interval(found),
            verdicts.margin(found),
            Text(f"{verdicts.SIGNS[found.verdict]} {verdicts.label(found.verdict)}", VERDICT_STYLES[found.verdict]),
            _two_line_cell(verdicts.still_needed(found), verdicts.still_needed_even(found)),
        )
    return made


def _value_cell(result: CriterionVerdict, value: float | None, events: int, requests: int) -> Text:
    rate = value is not None and not verdicts.is_latency(result.criterion)
    return _two_line_cell(verdicts.value(result.criterion, value), parity.numerator(events, requests) if rate else "")


def _two_line_cell(upper: str, lower: str) -> Text:
    """A cell with a second, fainter line where there is something to say in it."""
    return Text(upper).append(f"\n{lower}", FAINT) if lower else Text(upper)


def _excluded_minutes(judgement: Judgement) -> list[Text]:
    """The minutes that were not judged: first what all criteria have in common, then what only some have."""
    reasons: tuple[ExclusionReason, ...] = analysis.EXCLUSION_REASONS
    common, some = list[str](), list[str]()
    for why in reasons:
        minutes = [(one.excluded or {}).get(why, 0) for one in judgement.criteria]
        if len(set(minutes)) == 1:
            common += [verdicts.excluded(why, minutes[0])] if minutes[0] else []
            continue
        some += [
            f"{verdicts.metric(one.criterion)}: {verdicts.excluded(why, left)}"
            for one, left in zip(judgement.criteria, minutes, strict=True)
            if left
        ]
    return [Text(words.excluded("; ".join((*common, *some))), FAINT)] if common or some else []
