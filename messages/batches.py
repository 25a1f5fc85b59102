"""What the Batches page and `cli.py batches` say: how each job stands, what became of a run, and what to do where there is nothing to see."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from analysis.batches.invocations import InvocationTotals
from analysis.batches.jobs import JobState, RunStatus, ScheduledRun
from analysis.batches.runs import Run, TypicalDuration
from domain.config.batches import SchedulerKind
from messages import numbers, times
from messages.i18n import _, ngettext

BATCHES_TITLE = _("Batches")
# A form for each mark, so that colour is never alone.
SIGNS: Mapping[str, str] = {
    "failed": "✕",
    "stopped": "■",
    "missed": "○",
    "never": "○",
    "late": "◔",
    "slow": "▲",
    "unknown": "?",
    "paused": "‖",
    "waiting": "…",
    "ok": "✓",
}
COMMAND = _(
    """Did every batch run when it was due, and as it usually does? The worst come first.

Ends with 0 if every job ran as scheduled; slow, late and paused ones are remarks. With 1 if one failed, missed its last run, stopped or never
reported. With 3 if that is not known: a source does not answer, nothing is configured, or the archive cannot be opened; wrong options too.

\b
  cli.py batches
  cli.py batches --window 7d
  cli.py batches --json | jq -r '.jobs[] | select(.state != "ok") | [.name, .state] | @tsv'
"""
)
WINDOW = _("How far back to look: 45m, 3h, 2d; 14d at most and if left out.")
EXAMPLE = """[batches]
service = "photo"
duration = "batch.{job}.duration"
success = "batch.{job}.success"
cron_duration = "cron.{job}.duration"
cron_success = "cron.{job}.success"

[[batches.jobs]]
name = "thumbnails"
schedule = "cron(0 18 ? * MON-FRI *)"
"""
WINDOW_LABEL = _("Window")
TABLE_HEAD = _("job"), _("state"), _("last run"), _("took"), _("history")
TERMINAL_HEAD = _("state"), _("job"), _("due"), _("last run"), _("took"), ""
NO_SCHEDULE = _("no schedule configured")
COMPARISON_TITLE = _("By cron, and now")
COMPARISON_HEAD = _("job"), _("era"), _("runs"), _("succeeded"), _("median"), _("usual range"), _("known from – to")
TOO_FEW_RUNS = _("too few runs")
FOUND_BY_PATTERN = _(
    "Found by its metrics. Add a [[batches.jobs]] with its schedule, and a run that does not come is seen."
)
ONE_POINT_A_MINUTE = _(
    "Mackerel keeps one point a minute: of several runs that end in the same minute only the last is seen."
)
RUNS_TITLE = _("Runs")
RUNS_HEAD = _("due"), _("began"), _("what became of it"), _("took"), _("era")
ALL_JOBS = _("All jobs")
SOURCES_TITLE = _("Where this comes from")
NOT_CONFIGURED = _("Batches are not configured")
NOT_CONFIGURED_TEXT = _(
    "Each run of a job posts its duration and its success to Mackerel as service metrics. Tell under which names in migration.toml, and start "
    "this program again. docs/batches.md explains the rest."
)
READING = _("The runs are being read; they come by themselves.")
PARTLY_UNREAD = _("Not everything could be read. The source below says why, and what to do.")


def window_length(choice: str) -> str:
    """A choice of the window: "14 d"."""
    return times.duration(int(choice[:-1]) * 86_400)


def window(choice: str) -> str:
    """The window: "last 14 d"."""
    return _("last {length}").format(length=window_length(choice))


def state(name: JobState) -> str:
    """How a job stands, in a word or two."""
    return {
        "failed": _("failed"),
        "stopped": _("stopped"),
        "missed": _("missed"),
        "never": _("never reported"),
        "late": _("late"),
        "slow": _("slow"),
        "unknown": _("not known"),
        "paused": _("paused"),
        "ok": _("ran"),
    }[name]


def run_status(name: RunStatus) -> str:
    """What became of a due time, in a word."""
    return _("due now") if name == "waiting" else state(name)


def explain(name: JobState, last: Run | None = None) -> str:
    """How a job stands, in a sentence."""
    if name == "failed" and last and not last.was_reported:
        return _("Its last run died: Lambda reported an error and nothing was posted.")
    return {
        "failed": _("Its last run reported a failure."),
        "stopped": _("It has missed several runs in a row: nothing was reported."),
        "missed": _("Its last run was due and nothing was reported."),
        "never": _("It is configured, and nothing was ever reported under its name."),
        "late": _("Its last run began later than its grace allows."),
        "slow": _("Its last run took longer than the runs before it let expect."),
        "unknown": _("What it did lately was not read: see the sources below."),
        "paused": _("What starts it is disabled, so it is not due."),
        "ok": _("It ran when it was due."),
    }[name]


def headline(jobs: Mapping[JobState, Sequence[str]]) -> str:
    """The page in a sentence, of the jobs' names by how they stand: "6 of 7 jobs ran as scheduled, rankings slowly; cleanup failed." """
    total = sum(map(len, jobs.values()))
    if not total:
        return _("No job has reported yet.")
    if set(jobs) == {"unknown"}:
        return _("Nobody knows: what the jobs did was not read.")
    ran = len(jobs.get("ok", ())) + len(jobs.get("slow", ()))
    if ran == total:
        opening = ngettext("The job ran as scheduled", "All {total} jobs ran as scheduled", total).format(total=total)
    else:
        opening = _("{ran} of {total} jobs ran as scheduled").format(ran=ran, total=total)
    if slow := jobs.get("slow"):
        opening += _(", {whom} slowly").format(
            whom=slow[0] if len(slow) == 1 else _("{count} of them").format(count=numbers.count(len(slow)))
        )
    clauses = [_clause(one, names) for one, names in jobs.items() if one not in ("ok", "slow")]
    return f"{opening}; {', '.join(clauses)}." if clauses else f"{opening}."


def _clause(name: JobState, jobs: Sequence[str]) -> str:
    """ "cleanup failed", "3 failed": one is named, several are counted."""
    count, whom = len(jobs), jobs[0] if len(jobs) == 1 else numbers.count(len(jobs))
    texts = {
        "failed": _("{whom} failed"),
        "stopped": _("{whom} stopped"),
        "missed": _("{whom} missed a run"),
        "never": _("{whom} never reported"),
        "late": _("{whom} ran late"),
        "unknown": ngettext("{whom} is not known", "{whom} are not known", count),
        "paused": ngettext("{whom} is paused", "{whom} are paused", count),
    }
    return texts[name].format(whom=whom)


def in_window(length: str, counts: Mapping[RunStatus, int]) -> str:
    """What became of all due times of the window: "Last 14 d: 4,403 runs, 2 failed, 1 missed." """
    runs = sum(count for name, count in counts.items() if name in ("ok", "slow", "late", "failed"))
    parts = [ngettext("{runs} run", "{runs} runs", runs).format(runs=numbers.count(runs))]
    parts += [f"{numbers.count(counts[name])} {run_status(name)}" for name in counts if name not in ("ok", "waiting")]
    return f"{length[:1].upper()}{length[1:]}: {', '.join(parts)}."


def next_due(at: int, zone: tzinfo, now: datetime) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return _("next {time}").format(time=times.clock(moment, zone, now=now))


def since(at: int, zone: tzinfo, now: datetime) -> str:
    """From when on a job that stopped should have run."""
    return _("since {time}").format(time=times.clock(datetime.fromtimestamp(at, UTC), zone, now=now))


def result(run: Run) -> str:
    """What a run reported of itself, or what Lambda did."""
    if not run.was_reported:
        return _("Lambda reported an error and nothing was posted")
    return {"ok": _("succeeded"), "failed": _("failed"), "unknown": _("reported no result")}[run.result]


def run_duration(value: float | None) -> str:
    """How long a run took: "7.1 s", "4 min 53 s", "1 h 05 min"."""
    if value is None:
        return numbers.NONE
    if value < 60:
        return numbers.milliseconds(value)
    if value < 3600:
        return _("{minutes} min {seconds:02d} s").format(minutes=int(value) // 60, seconds=int(value) % 60)
    return times.duration(value)


def typical_duration(typical: TypicalDuration | None) -> str:
    """The usual range beside a duration."""
    if typical is None:
        return _("too few runs to say what is usual")
    return _("usually {low} – {high}").format(low=run_duration(typical.p10_s), high=run_duration(typical.p90_s))


def typical_duration_explained(typical: TypicalDuration) -> str:
    return _("Eight in ten of the last {runs} successful runs took {low} to {high}; the median is {median}.").format(
        runs=typical.runs,
        low=run_duration(typical.p10_s),
        high=run_duration(typical.p90_s),
        median=run_duration(typical.median_s),
    )


def scheduled_run(run: ScheduledRun, zone: tzinfo, now: datetime) -> str:
    """One cell of a strip: when it was due, what became of it, how long it took."""
    due = times.clock(datetime.fromtimestamp(run.scheduled_at, UTC), zone, now=now)
    said = [f"{due}: {run_status(run.status)}"]
    said += [f"{result(run)}, {run_duration(run.duration_s)}" for run in run.runs]
    if not run.runs and run.status == "missed":
        said.append(_("nothing was reported"))
    return " · ".join(said)


def cell(start: str, counts: Mapping[RunStatus, int]) -> str:
    """One cell that stands for several due times."""
    return f"{start}: " + ", ".join(f"{numbers.count(count)} {run_status(name)}" for name, count in counts.items())


def strip(name: str, counts: Mapping[RunStatus, int]) -> str:
    """A strip in words, for readers who do not see it."""
    told = ", ".join(f"{numbers.count(count)} {run_status(one)}" for one, count in counts.items())
    return _("{job}, oldest first: {counts}").format(job=name, counts=told or _("nothing in this window"))


def scheduler_kind(name: SchedulerKind) -> str:
    """An era as a reader knows it."""
    return _("cron") if name == "baseline" else _("EventBridge and Lambda")


def overlap_length(length: str) -> str:
    return _("both reported for {length}").format(length=length)


def median_change(fraction: float) -> str:
    """The new median against that of cron."""
    return _("median {change} against cron").format(change=numbers.relative(fraction))


def schedule_mismatch(configured: str, actual: str) -> str:
    return _("The configuration says {configured}, AWS says {told}: correct the one that is wrong.").format(
        configured=configured, told=actual
    )


def overlaps(count: int) -> str:
    return ngettext(
        "{count} run began before the one before it had ended.",
        "{count} runs began before the one before them had ended.",
        count,
    ).format(count=count)


def lambda_counts(counts: InvocationTotals) -> str:
    """What AWS counted of a job's function over the window, as one line of the job's facts."""
    count = numbers.count
    parts = [ngettext("{n} invocation", "{n} invocations", counts.invocations).format(n=count(counts.invocations))]
    parts.append(
        ngettext("{n} error", "{n} errors", counts.errors).format(n=count(counts.errors))
        if counts.errors
        else _("no error")
    )
    if counts.silent_failures:
        parts.append(
            ngettext("{n} without a word to Mackerel", "{n} without a word to Mackerel", counts.silent_failures).format(
                n=count(counts.silent_failures)
            )
        )
    if counts.throttles:
        parts.append(_("{n} throttled").format(n=count(counts.throttles)))
    if counts.undelivered:
        parts.append(_undelivered(counts.undelivered))
    return _("Lambda in this window: {parts}.").format(parts=", ".join(parts))


def lambda_issues(counts: InvocationTotals) -> str:
    """The same beside a job's state: only what went wrong; "" where nothing did."""
    count = numbers.count
    parts = [ngettext("{n} error", "{n} errors", counts.errors).format(n=count(counts.errors))] if counts.errors else []
    parts += [_("{n} throttled").format(n=count(counts.throttles))] if counts.throttles else []
    said = [_("Lambda: {parts}").format(parts=", ".join(parts))] if parts else []
    return "; ".join([*said, *([_undelivered(counts.undelivered)] if counts.undelivered else [])])


def _undelivered(failures: int) -> str:
    return ngettext("its rule failed to start it once", "its rule failed to start it {n} times", failures).format(
        n=numbers.count(failures)
    )


def trigger(kind: str, name: str, *, enabled: bool) -> str:
    what = _("EventBridge rule {name}") if kind == "rule" else _("EventBridge Scheduler {name}")
    return what.format(name=name) + ("" if enabled else f" ({_('disabled')})")


def failures(scheduler_name: str) -> str:
    """The failures of an era, in a chart's legend."""
    return _("{era}, failed").format(era=scheduler_name)


def durations_title(name: str) -> str:
    return _("How long {job} took").format(job=name)


def durations_alternative(name: str, span: str) -> str:
    return _("Every run of {job} with its duration, {span}; crosses are failures.").format(job=name, span=span)


def no_such_job(name: str) -> str:
    return _("There is no job “{name}”. All jobs are shown.").format(name=name)


def no_metrics_yet(service: str) -> str:
    return _("No metric of the service “{service}” fits a pattern of [batches] yet.").format(service=service)


def no_metrics_yet_next_step(patterns: str) -> str:
    return _(
        "Let a job post a point under {patterns}, or correct the patterns: `cli.py doctor` says which names there are to fit."
    ).format(patterns=patterns)


def legend(name: RunStatus) -> str:
    return f"{SIGNS[name]} {run_status(name)}"
