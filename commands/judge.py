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
from analysis import CriterionVerdict, Judgement, LeftOut, Phase, Verdict
from archive import ArchiveProblem, Brought
from commands.shared.output import (
    BAD,
    BASELINE,
    CANARY,
    FAINT,
    GOOD,
    REMARK,
    archive_problem_json,
    plain,
    problem_json,
    said_json,
    said_lines,
    stamp,
    table,
)
from domain import FLEETS, FleetName, Migration, Window, epoch_s
from messages import cli as words
from messages import live, parity, times, verdicts
from messages.errors import csv, sources
from services.parity import judge_brought
from sources.base import Problem
from sources.csv_import import MOST_MISTAKES, NAME, CsvMistake, CsvNumbers

LONGEST_WINDOW_MINUTES = 14 * 1440  # CloudWatch keeps minutes for fifteen days
STALE_S = 15 * 60  # what happens now cannot be judged by numbers that were read before
COULD_NOT_ASK = 3
CODES: dict[Verdict, int] = {
    "parity": 0,
    "improvement": 0,  # not equal, but nothing speaks against going on
    "regression": 1,
    "undecided": 2,
    "not enough data": 2,
}
COLOURS: dict[Verdict, str] = {
    "parity": GOOD,
    "improvement": GOOD,
    "regression": BAD,
    "undecided": REMARK,
    "not enough data": FAINT,
}


@dataclass(frozen=True, slots=True)
class Hearing:
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
    number: int | None = None
    data_until: int | None = None
    unasked: bool = False
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None

    @property
    def code(self) -> int:
        """The exit code."""
        return COULD_NOT_ASK if self.unasked else CODES[self.judgement.verdict]

    @property
    def decided(self) -> bool:
        """Whether looking again would be of no use."""
        return not self.unasked and self.judgement.verdict in ("parity", "regression", "improvement")


def minutes_of(text: str) -> int | None:
    """A length of time as people write it, "90m", "3h", "1h30m", "2d", in minutes; None where it is not one, or none at all."""
    found = re.fullmatch(r"(?:(\d{1,3})d)? ?(?:(\d{1,4})h)? ?(?:(\d{1,5})m(?:in)?)?", text.strip().lower())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    return days * 1440 + hours * 60 + minutes or None


def heard(
    migration: Migration,
    source: str,
    brought: Brought,
    phase: Phase | None,
    others: tuple[Problem, ...] = (),
    *,
    number: int | None = None,
    now: datetime,
) -> Hearing:
    """What the judge says of the numbers of `brought`; `others` are the problems of the other sources."""
    asked, now_s = brought.last_asked or 0, int(now.timestamp())
    stale = brought.window.end > now_s - STALE_S and asked < now_s - STALE_S
    trouble = bool(brought.problems or brought.archive_problem)
    return Hearing(
        judge_brought(migration, brought, now=now).judgement,
        brought.window,
        migration.name,
        source,
        {"baseline": migration.fleets.baseline.label, "canary": migration.fleets.canary.label},
        migration.zone,
        migration.demo,
        phase,
        number,
        brought.data_until,
        unasked=stale or (trouble and brought.data_until is None),
        problems=tuple(dict.fromkeys((*brought.problems, *others))),
        archive_problem=brought.archive_problem,
    )


def hearing_of_csv(name: str, told: CsvNumbers, migration: Migration | None, minutes: int | None) -> Hearing:
    """What the judge says of a CSV's numbers, of the last `minutes` of them where that is given. `migration`: whose criteria and names hold."""
    starts = epoch_s(told.frame)
    start, end = int(starts.min()), int((starts + told.frame["period_s"].to_numpy()).max())
    window = Window(max(start, end - minutes * 60) if minutes else start, end)
    fleets = migration.fleets if migration else None
    return Hearing(
        analysis.judge(told.frame, migration.criteria if migration else (), window=window, unknown=told.unknown),
        window,
        name,
        NAME,
        {fleet: fleets[fleet].label if fleets else fleet for fleet in FLEETS},
        migration.zone if migration else UTC,
        data_until=end,
    )


def mistakes_json(name: str, mistakes: Sequence[CsvMistake]) -> dict[str, Any]:
    """What is wrong in a CSV that could not be judged."""
    return {
        "ok": False,
        "exit_code": COULD_NOT_ASK,
        "verdict": None,
        "csv": name,
        "mistakes": [
            {"line": one.line, "slug": one.slug, "particulars": dict(one.particulars), **said_json(csv.say(one))}
            for one in mistakes
        ],
    }


def mistakes_lines(name: str, mistakes: Sequence[CsvMistake]) -> RenderableType:
    parts: list[RenderableType] = [Text("✘  ", BAD).append_text(plain(name))]
    parts += [said_lines(csv.say(one)) for one in mistakes]
    if len(mistakes) == MOST_MISTAKES:
        parts.append(Text(words.csv_stopped(MOST_MISTAKES), FAINT))
    return Group(*parts)


def hearing_json(hearing: Hearing) -> dict[str, Any]:
    phase = hearing.phase
    return {
        "ok": hearing.code == 0,
        "exit_code": hearing.code,
        "verdict": None if hearing.unasked else hearing.judgement.verdict,
        "headline": _headline(hearing),
        "name": hearing.name,
        "demo": hearing.demo,
        "source": hearing.source,
        "window": {"from": stamp(hearing.window.start), "to": stamp(hearing.window.end)},
        "phase": {"number": hearing.number, "canary_share": phase.canary_share, "begun_by": phase.begun_by}
        if phase
        else None,
        "data_until": stamp(hearing.data_until),
        "default_criteria": hearing.judgement.default_criteria,
        "criteria": [_criterion_json(hearing, one) for one in hearing.judgement.criteria],
        "problems": [problem_json(problem) for problem in hearing.problems]
        + ([archive_problem_json(hearing.archive_problem)] if hearing.archive_problem else []),
    }


def _criterion_json(hearing: Hearing, found: CriterionVerdict) -> dict[str, Any]:
    bounds = ("estimate", "low", "high", "alarm_low", "alarm_high", "margin", "margin_low", "baseline", "canary")
    values = {name: getattr(found, name) for name in bounds}
    latency = verdicts.is_latency(found.criterion)
    return {
        "metric": found.metric,
        "verdict": found.verdict,
        "reason": found.reason,
        "sentence": verdicts.sentence(found, baseline=hearing.labels["baseline"], canary=hearing.labels["canary"]),
        "critical": found.criterion.critical,
        "margin_given": str(found.criterion.margin),
        **{name: None if value is None or not isfinite(value) else value for name, value in values.items()},
        "events": None if latency else {"baseline": found.baseline_events, "canary": found.canary_events},
        "requests": {"baseline": found.baseline_requests, "canary": found.canary_requests},
        "minutes": found.minutes,
        "left_out": dict(found.left_out or {}),
        "minutes_to_decision": found.minutes_to_decision,
        "minutes_to_decision_even": found.minutes_to_decision_even,
    }


def hearing_table(hearing: Hearing, *, now: datetime) -> RenderableType:
    judgement = hearing.judgement
    sign = "✘" if hearing.unasked else verdicts.SIGNS[judgement.verdict]
    style = BAD if hearing.unasked else COLOURS[judgement.verdict]
    parts: list[RenderableType] = [Text(f"{sign} {_headline(hearing)}", f"bold {style}"), _about(hearing, now=now)]
    parts += [_opening(hearing), Text(), _criteria(hearing), Text()]
    parts += [
        plain(f"{verdicts.metric(one.criterion)}: {verdicts.reason(one)}", FAINT)
        for one in judgement.criteria
        if one.verdict != "parity"
    ]
    if judgement.default_criteria:
        parts.append(Text(words.default_criteria(), REMARK))
    parts += [said_lines(sources.say(problem)) for problem in hearing.problems]
    if hearing.archive_problem:
        parts.append(said_lines(sources.say_archive(hearing.archive_problem.kind, hearing.archive_problem.detail)))
    return Group(*parts, *_left_out(judgement))


def _headline(hearing: Hearing) -> str:
    if not hearing.unasked:
        return verdicts.headline(hearing.judgement)
    return words.nothing_read() if hearing.data_until is None else words.nothing_read_of_late()


def _about(hearing: Hearing, *, now: datetime) -> Text:
    start, end = (datetime.fromtimestamp(at, UTC) for at in (hearing.window.start, hearing.window.end))
    line = plain(hearing.name, FAINT)
    if hearing.demo:
        line.append(f"  {live.demo_mark()}", REMARK)
    line.append(f"  ·  {times.span(start, end, hearing.zone, now=now)}", FAINT)
    return line.append(f"  ·  {words.phase(hearing.number)}", FAINT) if hearing.number else line


def _opening(hearing: Hearing) -> Text:
    requests = [(one.baseline_requests, one.canary_requests) for one in hearing.judgement.criteria]
    length_s, most = hearing.window.end - hearing.window.start, max(requests, key=sum)
    if hearing.phase is None or hearing.phase.canary_share is None:
        return Text(words.opening(length_s, *most))
    return Text(parity.opening(hearing.phase.canary_share, length_s, *most))


def _criteria(hearing: Hearing) -> RenderableType:
    labels = {fleet: sources.shortened(label) for fleet, label in hearing.labels.items()}
    made = table(*words.judge_head(labels["baseline"], labels["canary"]))
    for column, style in zip(made.columns[1:4], (BASELINE, CANARY, ""), strict=True):
        column.justify, column.style = "right", style
    for found in hearing.judgement.criteria:
        criterion = found.criterion
        made.add_row(
            _two(verdicts.metric(criterion), parity.critical() if criterion.critical else ""),
            _value(found, found.baseline, found.baseline_events, found.baseline_requests),
            _value(found, found.canary, found.canary_events, found.canary_requests),
            verdicts.interval(found),
            verdicts.margin(found),
            Text(f"{verdicts.SIGNS[found.verdict]} {verdicts.label(found.verdict)}", COLOURS[found.verdict]),
            _two(verdicts.still_needed(found), verdicts.still_needed_even(found)),
        )
    return made


def _value(found: CriterionVerdict, number: float | None, events: int, requests: int) -> Text:
    rate = number is not None and not verdicts.is_latency(found.criterion)
    return _two(verdicts.value(found.criterion, number), parity.numerator(events, requests) if rate else "")


def _two(upper: str, lower: str) -> Text:
    """A cell with a second, fainter line where there is something to say in it."""
    return Text(upper).append(f"\n{lower}", FAINT) if lower else Text(upper)


def _left_out(judgement: Judgement) -> list[Text]:
    """The minutes that were not judged: first what all criteria have in common, then what only some have."""
    reasons: tuple[LeftOut, ...] = analysis.LEFT_OUT
    common, some = list[str](), list[str]()
    for why in reasons:
        minutes = [(one.left_out or {}).get(why, 0) for one in judgement.criteria]
        if len(set(minutes)) == 1:
            common += [verdicts.left_out(why, minutes[0])] if minutes[0] else []
            continue
        some += [
            f"{verdicts.metric(one.criterion)}: {verdicts.left_out(why, left)}"
            for one, left in zip(judgement.criteria, minutes, strict=True)
            if left
        ]
    return [Text(words.left_out("; ".join((*common, *some))), FAINT)] if common or some else []
