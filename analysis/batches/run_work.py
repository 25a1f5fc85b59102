"""What the runs of a job did, by the steps that they logged: the newest runs of cron and EventBridge side by side. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from analysis.batches.jobs import JobReport
from analysis.batches.runs import Run
from domain.config.batches import SchedulerKind
from domain.run_steps import RunStep
from domain.window import MINUTE_S

# A step is logged between these and the run's start and end, which are known to the minute.
LOGGED_BEFORE_S, LOGGED_AFTER_S = MINUTE_S, 2 * MINUTE_S
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


@dataclass(frozen=True, slots=True)
class RunWork:
    """A run and the steps that it logged, in order."""

    run: Run
    steps: tuple[RunStep, ...]

    @property
    def rows(self) -> float | None:
        """The rows of all steps; None if none reported any."""
        return _sum(step.rows for step in self.steps)

    @property
    def seconds(self) -> float | None:
        return _sum(step.seconds for step in self.steps)

    @property
    def success(self) -> bool | None:
        """False if a step failed, True if one succeeded and none failed."""
        reported = [step.success for step in self.steps if step.success is not None]
        return all(reported) if reported else None


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, apart from its literals, with its rows and seconds under each scheduler; those without it are missing."""

    sql: str
    rows: Mapping[SchedulerKind, float | None] = field(default_factory=dict)
    seconds: Mapping[SchedulerKind, float | None] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether both schedulers reported rows and they differ, or only one of them ran it."""
        return len(self.rows) == 1 or (None not in self.rows.values() and len(set(self.rows.values())) > 1)


@dataclass(frozen=True, slots=True)
class JobWork:
    """The newest run with steps under each scheduler, of one due time if there is one that both ran. `statements`: theirs, in the order of the newest run."""

    job: str
    runs: Mapping[SchedulerKind, RunWork]
    due_at: int | None = None
    statements: tuple[Statement, ...] = ()

    @property
    def differences(self) -> tuple[Statement, ...]:
        """The statements whose rows differ; none with one scheduler alone."""
        if len(self.runs) < 2:
            return ()
        return tuple(statement for statement in self.statements if statement.differs)


def steps_of(run: Run, steps: Iterable[RunStep]) -> tuple[RunStep, ...]:
    """The steps that were logged during a run."""
    start, end = run.started_at - LOGGED_BEFORE_S, run.ended_at + LOGGED_AFTER_S
    return tuple(step for step in steps if start <= step.ts < end)


def job_work(report: JobReport, steps: Sequence[RunStep]) -> JobWork | None:
    """What a job's runs did; None without steps of any run. `steps`: those of the job."""
    by_scheduler: dict[SchedulerKind, list[RunStep]] = {}
    for step in steps:
        by_scheduler.setdefault(step.scheduler, []).append(step)
    for slot in reversed(report.handover.slots.get("both", ()) if report.handover else ()):
        pair: dict[SchedulerKind, RunWork | None] = {
            "baseline": _newest(slot.by_cron, by_scheduler.get("baseline", ())),
            "canary": _newest(slot.by_eventbridge, by_scheduler.get("canary", ())),
        }
        runs = _present(pair)
        if len(runs) == 2:
            return JobWork(report.name, runs, slot.due_at, _statements(runs))
    newest: dict[SchedulerKind, RunWork | None] = {
        kind: _newest(report.runs_by_scheduler.get(kind, ()), of_kind) for kind, of_kind in by_scheduler.items()
    }
    runs = _present(newest)
    return JobWork(report.name, runs, None, _statements(runs)) if runs else None


def _present(works: Mapping[SchedulerKind, RunWork | None]) -> dict[SchedulerKind, RunWork]:
    return {kind: work for kind, work in works.items() if work}


def _newest(runs: Sequence[Run], steps: Sequence[RunStep]) -> RunWork | None:
    """The newest run with steps."""
    for run in reversed(runs):
        if steps and run.ended_at + LOGGED_AFTER_S < steps[0].ts:
            return None
        if logged := steps_of(run, steps):
            return RunWork(run, logged)
    return None


def _statements(runs: Mapping[SchedulerKind, RunWork]) -> tuple[Statement, ...]:
    texts: dict[str, str] = {}
    found: dict[SchedulerKind, dict[str, list[RunStep]]] = {}
    for kind in sorted(runs, reverse=True):  # that of the canary is shown
        for step in runs[kind].steps:
            key = statement_key(step.sql)
            texts.setdefault(key, step.sql)
            found.setdefault(kind, {}).setdefault(key, []).append(step)
    return tuple(
        Statement(
            text,
            {kind: _sum(step.rows for step in by_key[key]) for kind, by_key in found.items() if key in by_key},
            {kind: _sum(step.seconds for step in by_key[key]) for kind, by_key in found.items() if key in by_key},
        )
        for key, text in texts.items()
    )


def statement_key(sql: str) -> str:
    """The statement without literals, white space and case: "DELETE FROM t WHERE day < '2026-11-27'" is the same on every day."""
    return _LITERAL.sub("?", " ".join(sql.split()).rstrip("; ")).casefold()


def _sum(values: Iterable[float | None]) -> float | None:
    reported = [value for value in values if value is not None]
    return sum(reported) if reported else None
