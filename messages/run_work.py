"""Messages about what the runs of batch jobs did: SQL, rows, seconds and success, by their logs."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo

from analysis.batches.run_work import JobWork, RunWork, Statement
from domain.config.batches import RunLog, SchedulerKind
from messages import numbers, times
from messages.batches import run_duration, scheduler_kind
from messages.i18n import _, lazy, plural

WORK_TITLE = lazy("What the runs did")
WORK_HEAD = (
    lazy("job"),
    lazy("statement"),
    lazy("cron: rows"),
    lazy("EventBridge: rows"),
    lazy("difference"),
    lazy("cron: time"),
    lazy("EventBridge: time"),
)
NOT_RUN = lazy("not run")


def compared_runs(work: JobWork, zone: tzinfo, now: datetime) -> list[str]:
    """Below the job's name: which runs are compared, and how each ended."""
    lines = [_run(kind, run, zone, now) for kind, run in work.runs.items()]
    if len(work.runs) == 1:
        return lines
    if work.due_at is not None:
        due = times.clock(datetime.fromtimestamp(work.due_at, UTC), zone, now=now)
        return [_("both of {time}; the second one may find less to do").format(time=due), *lines]
    return [_("of different due times"), *lines]


def _run(kind: SchedulerKind, work: RunWork, zone: tzinfo, now: datetime) -> str:
    ended = times.clock(datetime.fromtimestamp(work.run.ended_at, UTC), zone, now=now)
    outcome = {True: _("succeeded"), False: _("failed"), None: _("no result logged")}[work.success]
    return _("{scheduler}: ended {time}, {outcome}").format(scheduler=scheduler_kind(kind), time=ended, outcome=outcome)


def rows(statement: Statement, kind: SchedulerKind) -> str:
    return _cell(statement.rows, kind, numbers.count)


def seconds(statement: Statement, kind: SchedulerKind) -> str:
    return _cell(statement.seconds, kind, run_duration)


def _cell(values: Mapping[SchedulerKind, float | None], kind: SchedulerKind, form: Callable[[float], str]) -> str:
    if kind not in values:
        return str(NOT_RUN)
    value = values[kind]
    return numbers.NONE if value is None else form(value)


def difference(statement: Statement) -> str:
    """ "−1,465 (−2.9%)", "only by cron"; "" if the rows are equal or unknown."""
    if len(statement.rows) == 1:
        return _("only by cron") if "baseline" in statement.rows else _("only by EventBridge")
    cron, eventbridge = statement.rows.get("baseline"), statement.rows.get("canary")
    if cron is None or eventbridge is None or cron == eventbridge:
        return ""
    change = f"{'+' if eventbridge > cron else '−'}{numbers.count(abs(eventbridge - cron))}"
    if not cron:
        return change
    return _("{change} ({relative})").format(change=change, relative=numbers.relative(eventbridge / cron - 1))


def differences(work: JobWork) -> str:
    """In one line, for the terminal: "digest: rows differ in 1 statement: UPDATE photos … −1,465 (−2.9%)"."""
    named = [f"{statement.sql[:60]} {difference(statement)}".strip() for statement in work.differences[:3]]
    return plural(
        "{job}: rows differ in {n} statement: {named}",
        "{job}: rows differ in {n} statements: {named}",
        len(work.differences),
        job=work.job,
        named="; ".join(named),
    )


def ceiling(settings: RunLog) -> str:
    """What reading the logs may cost."""
    return _("By their logs: at most {calls} calls and {mb} MB every 5 min; what exceeds that is read later.").format(
        calls=numbers.count(settings.max_calls), mb=numbers.count(settings.max_mb)
    )
