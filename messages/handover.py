"""Messages about the hand-over of batch jobs from cron to EventBridge: due times that ran twice or not at all, and how to end it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from analysis.batches.commands import comment_out_cron, disable_trigger
from analysis.batches.handover import HandoverKind, Slot
from analysis.batches.jobs import JobReport
from analysis.batches.runs import Run
from domain.config.batches import SchedulerKind
from domain.window import MINUTE_S
from messages import numbers, times
from messages.batches import result, run_duration
from messages.i18n import _, comma_list, lazy, plural

HANDOVER_TITLE = lazy("Hand-over from cron to EventBridge")
HANDOVER_HEAD = (lazy("job"), lazy("finding"), lazy("due times"), lazy("newest: cron"), lazy("newest: EventBridge"))
SLOTS_TITLE = lazy("Hand-over findings of this job")
SLOTS_HEAD = (lazy("due"), lazy("finding"), lazy("cron"), lazy("EventBridge"))
NO_FINDING = lazy("No due time ran by both or by neither, and EventBridge ran none again.")
INCOMPLETE = lazy("Not all runs of this time are known.")
KEEP_EVENTBRIDGE = lazy("Keep EventBridge: comment out the cron line on the instance; `crontab -l` shows it first.")
KEEP_CRON = lazy("Keep cron: disable the trigger in AWS.")
KEEP_CRON_SCHEDULE = lazy(
    "Keep cron: disable the schedule. UpdateSchedule replaces it as a whole, so the command repeats what GetSchedule returns (needs jq)."
)
# Shapes, so that findings do not differ by colour alone.
SIGNS: Mapping[HandoverKind, str] = {"both": "2×", "neither": "○", "retried": "↻", "redelivered": "⇉", "repeated": "▲"}


def finding(kind: HandoverKind) -> str:
    return {
        "both": _("ran by both"),
        "neither": _("ran by neither"),
        "retried": _("retried by Lambda"),
        "redelivered": _("event delivered again"),
        "repeated": _("ran again without an error"),
    }[kind]


def explain_finding(kind: HandoverKind) -> str:
    return {
        "both": _("Cron and EventBridge ran the same due time."),
        "neither": _("No run by cron or EventBridge between the last run of one and the first of the other."),
        "retried": _("Lambda repeats a failed asynchronous invocation up to twice: not a double run."),
        "redelivered": _(
            "Another invocation with the ID of the same event: EventBridge delivers at least once. Neither a double run by cron nor a retry of Lambda."
        ),
        "repeated": _("EventBridge may deliver an event twice, or the job was also started by hand."),
    }[kind]


def due_times(slots: Sequence[Slot], zone: tzinfo, now: datetime) -> str:
    """ "12 due times, 14 Nov 07:30 – 25 Nov 07:30 JST"; a single one without its number."""
    first, last = (datetime.fromtimestamp(slots[index].due_at, UTC) for index in (0, -1))
    if len(slots) == 1:
        return times.clock(last, zone, now=now)
    return plural(
        "{n} due time, {span}", "{n} due times, {span}", len(slots), span=times.span(first, last, zone, now=now)
    )


def runs_of(slot: Slot, scheduler: SchedulerKind, zone: tzinfo, now: datetime) -> str:
    """ "07:30 JST, 3m 41s, succeeded", all runs of a due time by one scheduler; "–" without any."""
    runs = slot.by_cron if scheduler == "baseline" else slot.by_eventbridge
    return " · ".join(_run(run, slot.due_at, zone, now) for run in runs) if runs else numbers.NONE


def _run(run: Run, due_at: int, zone: tzinfo, now: datetime) -> str:
    # Starts are known to the minute: one just before the due time is that of the due time.
    at = due_at if 0 < due_at - run.started_at < MINUTE_S else run.started_at
    started = times.clock(datetime.fromtimestamp(at, UTC), zone, now=now)
    return comma_list((started, run_duration(run.duration_s), result(run)))


def runs_twice(jobs: Sequence[str]) -> str:
    """Above the commands, and in the terminal."""
    return plural(
        "{jobs} still runs by cron and by EventBridge.",
        "{jobs} still run by cron and by EventBridge.",
        len(jobs),
        jobs=comma_list(jobs),
    )


def ending_commands(job: JobReport, region: str) -> Iterator[tuple[str, str]]:
    """What each command is for, and the command, if both schedulers still run the job."""
    if not job.runs_twice:
        return
    yield str(KEEP_EVENTBRIDGE), comment_out_cron(job.name)
    if job.trigger and job.trigger.enabled:
        why = KEEP_CRON if job.trigger.kind == "rule" else KEEP_CRON_SCHEDULE
        yield str(why), disable_trigger(job.trigger, region)


def summary(job: str, kind: HandoverKind, slots: Sequence[Slot], zone: tzinfo, now: datetime) -> str:
    """A finding in one line, for the terminal."""
    line = _("{sign} {job} {finding}: {times}").format(
        sign=SIGNS[kind], job=job, finding=finding(kind), times=due_times(slots, zone, now)
    )
    if kind != "both":
        return line
    return _("{line}; newest: cron {cron}; EventBridge {eventbridge}").format(
        line=line,
        cron=runs_of(slots[-1], "baseline", zone, now),
        eventbridge=runs_of(slots[-1], "canary", zone, now),
    )
